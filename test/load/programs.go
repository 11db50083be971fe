package main

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
)

// sdkName is the program that the others are compared with.
const sdkName = "bare SDK"

// startAWS starts the local AWS with these contents.
func startAWS(ctx context.Context, c contents, delay time.Duration) (*process, error) {
	return startOwn(ctx, "aws", callsPath, "-run", "aws", "-delay", delay.String(),
		"-groups", strconv.Itoa(c.Groups), "-each", strconv.Itoa(c.Each), "-images", strconv.Itoa(c.Images))
}

// startOwn starts one of the programs in load's own binary.
func startOwn(ctx context.Context, name, path string, arguments ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	url := "http://" + address
	p := &process{name: name, url: url, profiler: url, command: exec.CommandContext(ctx, self, append(arguments, "-listen", address)...)}
	return p, start(ctx, p, path)
}

// A binary is a binary of the service.
type binary struct {
	name string // its name in tables: that of the file, or the path if others have the same name
	path string
}

func binaries(paths []string) (all []binary) {
	uses := map[string]int{}
	for _, path := range paths {
		uses[filepath.Base(path)]++
	}
	for _, path := range paths {
		name := filepath.Base(path)
		if uses[name] > 1 {
			name = path
		}
		all = append(all, binary{name, path})
	}
	return all
}

// startPrograms starts each binary of the service at each log level, and the
// two bare programs.
func startPrograms(ctx context.Context, services []binary, levels []string, awsURL string) (all []*process, err error) {
	defer func() {
		if err != nil {
			stopAll(all)
		}
	}()
	for _, service := range services {
		for _, level := range levels {
			p, err := startService(ctx, service, level, awsURL)
			if err != nil {
				return all, err
			}
			all = append(all, p)
		}
	}
	for _, bare := range []struct{ name, run string }{{sdkName, "sdk"}, {"bare HTTP", "http"}} {
		p, err := startOwn(ctx, bare.name, pingPath, "-run", bare.run, "-aws", awsURL)
		if err != nil {
			return all, err
		}
		all = append(all, p)
	}
	return all, nil
}

// startService starts a binary of the service.
func startService(ctx context.Context, b binary, level, awsURL string) (*process, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	profiler, err := freeAddress()
	if err != nil {
		return nil, err
	}
	token, err := common.Key{Secret: key}.NewToken()
	if err != nil {
		return nil, err
	}
	p := &process{
		name: b.name, level: level, command: exec.CommandContext(ctx, b.path),
		url: "http://" + address, profiler: "http://" + profiler, token: token,
	}
	p.command.Env = append(os.Environ(), "API_CONFIG="+configuration(address, profiler, level, awsURL))
	return p, start(ctx, p, pingPath)
}

func configuration(address, profiler, level, awsURL string) string {
	text, err := json.Marshal(map[string]any{
		"listenAddress": address, "pprofAddress": profiler, "logLevel": level, "token": key, "org": org,
		"account": map[string]string{
			"region": region, "akid": "AKIDLOCAL", "secret": "local", "externalId": "local", "role": "ecr-api", "endpoint": awsURL,
		},
	})
	if err != nil {
		panic(err) // strings can always be encoded
	}
	return string(text)
}

// label is the program's name in tables.
func (p *process) label() string {
	if p.level == "" || p.level == "warn" {
		return p.name
	}
	return p.name + ", " + p.level
}
