package ecr

import (
	"cmp"
	"strings"

	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

// enhancedFinding is a finding of Inspector on the wire.
type enhancedFinding struct {
	AccountID        string            `json:"awsAccountId"`
	Description      string            `json:"description,omitempty"`
	ARN              string            `json:"findingArn"`
	FirstObservedAt  service.Timestamp `json:"firstObservedAt"`
	LastObservedAt   service.Timestamp `json:"lastObservedAt"`
	UpdatedAt        service.Timestamp `json:"updatedAt"`
	Vulnerability    vulnerability     `json:"packageVulnerabilityDetails"`
	Remediation      remediation       `json:"remediation"`
	Resources        []findingResource `json:"resources"`
	Score            float64           `json:"score,omitempty"`
	ScoreDetails     *scoreDetails     `json:"scoreDetails,omitempty"`
	Severity         string            `json:"severity"`
	Status           string            `json:"status"`
	Title            string            `json:"title"`
	Type             string            `json:"type"`
	FixAvailable     string            `json:"fixAvailable"`
	ExploitAvailable string            `json:"exploitAvailable"`
}

type vulnerability struct {
	ID              string            `json:"vulnerabilityId"`
	CVSS            []CVSS            `json:"cvss"`
	ReferenceURLs   []string          `json:"referenceUrls"`
	Related         []string          `json:"relatedVulnerabilities"`
	Source          string            `json:"source,omitempty"`
	SourceURL       string            `json:"sourceUrl,omitempty"`
	VendorCreatedAt service.Timestamp `json:"vendorCreatedAt,omitzero"`
	VendorUpdatedAt service.Timestamp `json:"vendorUpdatedAt,omitzero"`
	VendorSeverity  string            `json:"vendorSeverity,omitempty"`
	Packages        []Package         `json:"vulnerablePackages"`
}

type remediation struct {
	Recommendation recommendation `json:"recommendation"`
}

type recommendation struct {
	Text string `json:"text"`
	URL  string `json:"url,omitempty"`
}

type scoreDetails struct {
	CVSS adjustedScore `json:"cvss"`
}

// adjustedScore is a score with what Inspector has changed in it. Here it changes
// nothing.
type adjustedScore struct {
	Adjustments []struct{} `json:"adjustments"`
	Score       float64    `json:"score"`
	Source      string     `json:"scoreSource"`
	Vector      string     `json:"scoringVector"`
	Version     string     `json:"version"`
}

type findingResource struct {
	ID      string            `json:"id"`
	Type    string            `json:"type"`
	Tags    map[string]string `json:"tags"`
	Details struct {
		Image scannedImage `json:"awsEcrContainerImage"`
	} `json:"details"`
}

type scannedImage struct {
	Architecture   string            `json:"architecture"`
	Digest         string            `json:"imageHash"`
	Tags           []string          `json:"imageTags"`
	Platform       string            `json:"platform"`
	PushedAt       service.Timestamp `json:"pushedAt"`
	Registry       string            `json:"registry"`
	RepositoryName string            `json:"repositoryName"`
	InUseCount     int64             `json:"inUseCount"`
}

// enhanced returns a finding as Inspector tells it of an image.
func (f Finding) enhanced(r *repository, i *image) enhancedFinding {
	id := cmp.Or(f.VulnerabilityID, f.Name)
	out := enhancedFinding{
		AccountID:       r.account,
		Description:     f.Description,
		ARN:             r.findingARN(i, id),
		FirstObservedAt: service.Timestamp(f.FirstObservedAt),
		LastObservedAt:  service.Timestamp(f.LastObservedAt),
		Vulnerability: vulnerability{
			ID:              id,
			CVSS:            append([]CVSS{}, f.CVSS...), // JSON writes [] and not null
			ReferenceURLs:   append([]string{}, f.ReferenceURLs...),
			Related:         append([]string{}, f.Related...),
			Source:          f.Source,
			SourceURL:       cmp.Or(f.SourceURL, f.URI),
			VendorCreatedAt: service.Timestamp(f.VendorCreatedAt),
			VendorUpdatedAt: service.Timestamp(f.VendorUpdatedAt),
			VendorSeverity:  f.VendorSeverity,
			Packages:        append([]Package{}, f.Packages...),
		},
		Remediation:      remediation{recommendation{Text: cmp.Or(f.Remediation, "None Provided")}},
		Resources:        []findingResource{r.scanned(i)},
		Score:            f.Score,
		ScoreDetails:     f.scoreDetails(),
		Severity:         f.Severity,
		Status:           cmp.Or(f.Status, "ACTIVE"),
		Title:            cmp.Or(f.Title, f.title(id)),
		Type:             "PACKAGE_VULNERABILITY",
		FixAvailable:     cmp.Or(f.FixAvailable, f.fixAvailable()),
		ExploitAvailable: cmp.Or(f.ExploitAvailable, "NO"),
	}
	if f.FirstObservedAt.IsZero() {
		out.FirstObservedAt = service.Timestamp(i.pushed)
	}
	if f.LastObservedAt.IsZero() {
		out.LastObservedAt = service.Timestamp(i.scan.CompletedAt)
	}
	out.UpdatedAt = out.LastObservedAt
	return out
}

// title returns a title as Inspector writes it.
func (f Finding) title(id string) string {
	var names []string
	for _, p := range f.Packages {
		names = append(names, p.Name)
	}
	if len(names) == 0 {
		return id
	}
	return id + " - " + strings.Join(names, ", ")
}

// fixAvailable tells for how many of the packages there is a fix.
func (f Finding) fixAvailable() string {
	fixed := 0
	for _, p := range f.Packages {
		if p.FixedInVersion != "" {
			fixed++
		}
	}
	switch fixed {
	case 0:
		return "NO"
	case len(f.Packages):
		return "YES"
	}
	return "PARTIAL"
}

// scoreDetails returns nil if there is no score.
func (f Finding) scoreDetails() *scoreDetails {
	if f.Score == 0 || len(f.CVSS) == 0 {
		return nil
	}
	first := f.CVSS[0]
	return &scoreDetails{adjustedScore{[]struct{}{}, f.Score, first.Source, first.Vector, first.Version}}
}

// findingARN is the same for each look at the finding.
func (r *repository) findingARN(i *image, id string) string {
	_, key, _ := strings.Cut(digestOf(r.arn+i.digest+id), ":")
	arn := strings.SplitN(r.arn, ":", 6)
	return strings.Join([]string{arn[0], arn[1], "inspector2", arn[3], arn[4], "finding/" + key[:32]}, ":")
}

// scanned describes an image as Inspector does. Platform and architecture are
// those of any image: what is in the layers is not read.
func (r *repository) scanned(i *image) findingResource {
	resource := findingResource{ID: r.arn + "/" + i.digest, Type: "AWS_ECR_CONTAINER_IMAGE", Tags: map[string]string{}}
	resource.Details.Image = scannedImage{
		Architecture:   "amd64",
		Digest:         i.digest,
		Tags:           append([]string{}, i.tags...), // JSON writes [] and not null
		Platform:       "DEBIAN_12",
		PushedAt:       service.Timestamp(i.pushed),
		Registry:       r.account,
		RepositoryName: r.name,
	}
	return resource
}

// needsForFindings adds two permissions if Inspector has the findings of the
// image: ECR asks it with the rights of the caller. AWS has been seen to refuse
// them on these resources.
func (s *Store) needsForFindings(c *service.Request, in describeImageScanFindingsInput) []service.Permission {
	permissions := []service.Permission{s.permission(c, in)}
	r, _, err := s.image(c, in.scanInput)
	if err != nil || !r.registry.scanning.isEnhanced() {
		return permissions
	}
	arn := "arn:" + c.Place().Region.Partition() + ":inspector2:" + c.Region + ":" + c.Account
	return append(permissions,
		service.Permission{Action: "inspector2:ListFindings", Resource: arn + ":/findings/list", Owner: c.Account},
		service.Permission{Action: "inspector2:ListCoverage", Resource: arn + ":/coverage/list", Owner: c.Account})
}
