package ecr

import "time"

// Finding is a vulnerability that a scan has found. Basic scanning tells Name,
// Description, URI, Severity and Attributes. Enhanced scanning tells all but
// Attributes, and what is empty has a value that follows from the others.
type Finding struct {
	Name        string // such as CVE-2026-1
	Description string
	URI         string // where the vulnerability is described
	// Severity is CRITICAL, HIGH, MEDIUM, LOW or INFORMATIONAL. Basic scanning
	// also has UNDEFINED, and enhanced scanning UNTRIAGED.
	Severity   string
	Attributes []Attribute

	// What only enhanced scanning tells.
	VulnerabilityID  string // empty means Name
	Title            string // empty means the id and the names of the packages
	Status           string // ACTIVE, SUPPRESSED or CLOSED; empty means ACTIVE
	Packages         []Package
	Score            float64 // of Inspector; 0 means none
	CVSS             []CVSS  // the first one belongs to Score
	FixAvailable     string  // YES, NO or PARTIAL; empty means what the packages say
	ExploitAvailable string  // YES or NO; empty means NO
	Remediation      string  // empty means "None Provided"
	Source           string  // of the description, such as NVD
	SourceURL        string  // empty means URI
	ReferenceURLs    []string
	Related          []string // ids of other vulnerabilities
	VendorSeverity   string
	VendorCreatedAt  time.Time // zero means that it is not known
	VendorUpdatedAt  time.Time // zero means that it is not known
	FirstObservedAt  time.Time // zero means when the image was pushed
	LastObservedAt   time.Time // zero means when the scan was completed
}

// Attribute is what basic scanning tells of a finding beside its description,
// such as package_name, package_version and CVSS2_SCORE.
type Attribute struct {
	Key   string `json:"key"`
	Value string `json:"value,omitempty"`
}

// Package is a package that has a vulnerability.
type Package struct {
	Name            string `json:"name"`
	Version         string `json:"version"`
	Release         string `json:"release,omitempty"`
	Epoch           int    `json:"epoch"`
	Arch            string `json:"arch,omitempty"`
	PackageManager  string `json:"packageManager,omitempty"` // such as OS or GOMOD
	FilePath        string `json:"filePath,omitempty"`
	FixedInVersion  string `json:"fixedInVersion,omitempty"` // empty means that there is no fix
	SourceLayerHash string `json:"sourceLayerHash,omitempty"`
}

// CVSS is a score of the Common Vulnerability Scoring System.
type CVSS struct {
	Score   float64 `json:"baseScore"`
	Vector  string  `json:"scoringVector"`
	Version string  `json:"version"`
	Source  string  `json:"source"`
}
