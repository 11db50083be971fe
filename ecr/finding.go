package ecr

import (
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
)

// What basic scanning tells of a finding is in attributes. AWS documents none of
// their keys. Others have seen these.
var (
	scoreKeys = []string{"CVSS4_SCORE", "CVSS3_SCORE", "CVSS2_SCORE"} // the best version first
	fixedKeys = []string{"fixed_in_version", "fixed_in_versions", "fixed_version", "patched_version", "patched_versions"}
)

// basicFinding returns a finding of a basic scan.
func basicFinding(found *ecr.ImageScanFinding) *Finding {
	f := &Finding{
		Name:        aws.StringValue(found.Name),
		Severity:    aws.StringValue(found.Severity),
		URI:         aws.StringValue(found.Uri),
		Description: aws.StringValue(found.Description),
		Attributes:  make([]Attribute, 0, len(found.Attributes)),
	}
	values := make(map[string]string, len(found.Attributes))
	for _, a := range found.Attributes {
		if a == nil {
			continue
		}
		attribute := Attribute{aws.StringValue(a.Key), aws.StringValue(a.Value)}
		f.Attributes = append(f.Attributes, attribute)
		values[attribute.Key] = attribute.Value
	}
	f.PackageName, f.PackageVersion = known(values["package_name"]), known(values["package_version"])
	for _, key := range fixedKeys {
		if f.FixedInVersion == nil {
			f.FixedInVersion = known(values[key])
		}
	}
	f.Score = scoreIn(values)
	return f
}

// scoreIn returns the score of the best version of CVSS that has one.
func scoreIn(values map[string]string) *float64 {
	for _, key := range scoreKeys {
		if score, err := strconv.ParseFloat(values[key], 64); err == nil && score >= 0 && score <= 10 {
			return &score
		}
	}
	return nil
}

// finding returns a finding of an enhanced scan. AWS makes one of all packages
// of an image that have the same vulnerability, and so do we: AWS's counts must
// be right.
func (e *enhancedFinding) finding() *Finding {
	details := e.PackageVulnerabilityDetails
	if details == nil {
		details = &vulnerability{}
	}
	f := &Finding{
		Name:         firstOf(details.VulnerabilityID, e.Title),
		Severity:     aws.StringValue(e.Severity),
		URI:          firstOf(append([]*string{details.SourceURL}, details.ReferenceUrls...)...),
		Description:  aws.StringValue(e.Description),
		Attributes:   []Attribute{},
		Score:        e.score(),
		fixAvailable: aws.StringValue(e.FixAvailable) == "YES" || aws.StringValue(e.FixAvailable) == "PARTIAL",
	}
	f.PackageName = details.join(func(p *vulnerablePackage) string { return aws.StringValue(p.Name) })
	f.PackageVersion = details.join((*vulnerablePackage).fullVersion)
	f.FixedInVersion = details.join(func(p *vulnerablePackage) string { return aws.StringValue(p.FixedInVersion) })
	return f
}

// firstOf returns the first text that says something.
func firstOf(texts ...*string) string {
	for _, text := range texts {
		if aws.StringValue(text) != "" {
			return *text
		}
	}
	return ""
}

func (e *enhancedFinding) score() *float64 {
	if e.Score == nil && e.ScoreDetails != nil && e.ScoreDetails.Cvss != nil {
		return e.ScoreDetails.Cvss.Score
	}
	return e.Score
}

// join returns the different texts that the packages have, in AWS's order. It
// returns nil if none of them says something.
func (v *vulnerability) join(of func(*vulnerablePackage) string) *string {
	var texts []string
	seen := map[string]bool{}
	for i := range v.VulnerablePackages {
		text := known(of(&v.VulnerablePackages[i]))
		if text != nil && !seen[*text] {
			seen[*text] = true
			texts = append(texts, *text)
		}
	}
	return known(strings.Join(texts, ", "))
}

// fullVersion returns the version as Debian and RPM write it, and as
// FixedInVersion has it.
func (p *vulnerablePackage) fullVersion() string {
	version := aws.StringValue(p.Version)
	if version == "" {
		return ""
	}
	if epoch := aws.Int64Value(p.Epoch); epoch != 0 {
		version = strconv.FormatInt(epoch, 10) + ":" + version
	}
	if release := aws.StringValue(p.Release); release != "" {
		version += "-" + release
	}
	return version
}
