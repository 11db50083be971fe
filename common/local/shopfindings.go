package local

import (
	"fmt"

	"github.com/YaleSpinup/ecr-api/common/localaws"
)

// shopPackages are packages of which some have a fix.
var shopPackages = []localaws.Package{
	{Name: "openssl", Version: "3.0.1", FixedInVersion: "3.0.2", PackageManager: "OS", Arch: "X86_64"},
	{Name: "zlib", Version: "1.2.11", PackageManager: "OS", Arch: "X86_64"},
	{Name: "curl", Version: "7.80.0", FixedInVersion: "7.81.0", PackageManager: "OS", Arch: "X86_64"},
	{Name: "busybox", Version: "1.34.0", PackageManager: "OS", Arch: "X86_64"},
	{Name: "lodash", Version: "4.17.15", FixedInVersion: "4.17.21", PackageManager: "NPM", FilePath: "app/package-lock.json"},
}

// shopSeverities are those of each ten findings, with their scores.
var shopSeverities = []struct {
	severity string
	score    float64
}{
	{"MEDIUM", 5.3}, {"LOW", 3.1}, {"HIGH", 8.1}, {"MEDIUM", 6.5}, {"CRITICAL", 9.8},
	{"LOW", 2.2}, {"MEDIUM", 4.9}, {"HIGH", 7.5}, {"INFORMATIONAL", 0}, {"LOW", 3.7},
}

// shopFindings returns made-up findings. What basic scanning tells of a package
// is in the attributes.
func shopFindings(n int, enhanced bool) (findings []localaws.Finding) {
	for i := range n {
		p, s := shopPackages[i%len(shopPackages)], shopSeverities[i%len(shopSeverities)]
		name := fmt.Sprintf("CVE-2025-%d", 900001+i)
		f := localaws.Finding{
			Name:        name,
			Severity:    s.severity,
			URI:         "https://vulnerabilities.example/" + name,
			Description: fmt.Sprintf("A made-up vulnerability of %s.", p.Name),
		}
		if enhanced {
			f.Packages, f.Score = []localaws.Package{p}, s.score
		} else {
			f.Attributes = shopAttributes(p, s.score)
		}
		findings = append(findings, f)
	}
	return findings
}

func shopAttributes(p localaws.Package, score float64) []localaws.Attribute {
	attributes := []localaws.Attribute{{Key: "package_name", Value: p.Name}, {Key: "package_version", Value: p.Version}}
	if score > 0 {
		attributes = append(attributes, localaws.Attribute{Key: "CVSS3_SCORE", Value: fmt.Sprint(score)})
	}
	return attributes
}
