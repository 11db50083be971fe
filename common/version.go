package common

import "runtime/debug"

// Set by the linker:
//
//	go build -ldflags "-X github.com/YaleSpinup/ecr-api/common.version=v1.2.3 ..."
var version, githash, buildstamp string

// Version is what was built: a release, the commit it was made from, and when.
type Version struct {
	Version    string `json:"version"`
	GitHash    string `json:"githash"`
	BuildStamp string `json:"buildstamp"`
}

// ReadVersion returns what the linker was told, else what Go itself recorded of
// the build, else "unknown". Without the linker the time is that of the commit.
func ReadVersion() Version {
	v := Version{Version: version, GitHash: githash, BuildStamp: buildstamp}
	if info, ok := debug.ReadBuildInfo(); ok {
		v = v.orElse(recorded(info))
	}
	return v.orElse(Version{Version: "unknown", GitHash: "unknown", BuildStamp: "unknown"})
}

func recorded(info *debug.BuildInfo) Version {
	var v Version
	if info.Main.Version != "(devel)" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.GitHash = s.Value
		case "vcs.time":
			v.BuildStamp = s.Value
		}
	}
	return v
}

func (v Version) orElse(other Version) Version {
	if v.Version == "" {
		v.Version = other.Version
	}
	if v.GitHash == "" {
		v.GitHash = other.GitHash
	}
	if v.BuildStamp == "" {
		v.BuildStamp = other.BuildStamp
	}
	return v
}
