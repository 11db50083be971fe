package common

import (
	"cmp"
	"fmt"
	"runtime/debug"
)

// Set by the linker:
//
//	go build -ldflags "-X github.com/YaleSpinup/ecr-api/common.version=v1.2.3 ..."
var version, githash, buildstamp string

// Version says what was built: the release, its commit and the build time.
type Version struct {
	Version    string `json:"version"`
	GitHash    string `json:"githash"`
	BuildStamp string `json:"buildstamp"`
}

// String returns the version for people, in three lines.
func (v Version) String() string {
	return fmt.Sprintf("ecr-api %s\ngit hash %s\nbuilt %s", v.Version, v.GitHash, v.BuildStamp)
}

// ReadVersion returns the values that the linker set. A value that the linker
// did not set comes from what Go recorded at the build, or is "unknown". Go
// records the time of the commit and not of the build.
func ReadVersion() Version {
	v := Version{Version: version, GitHash: githash, BuildStamp: buildstamp}
	if info, ok := debug.ReadBuildInfo(); ok {
		v = v.withDefaults(recorded(info))
	}
	return v.withDefaults(Version{Version: "unknown", GitHash: "unknown", BuildStamp: "unknown"})
}

// recorded returns the values that Go recorded.
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

// withDefaults fills the empty values.
func (v Version) withDefaults(defaults Version) Version {
	return Version{
		Version:    cmp.Or(v.Version, defaults.Version),
		GitHash:    cmp.Or(v.GitHash, defaults.GitHash),
		BuildStamp: cmp.Or(v.BuildStamp, defaults.BuildStamp),
	}
}
