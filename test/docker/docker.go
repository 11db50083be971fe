// Package docker tells tests whether they can use docker.
package docker

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// Missing says why docker cannot be used with a registry on this machine, "" if
// it can. A daemon on another machine, also on a virtual one, has another
// loopback address.
func Missing() string {
	if _, err := exec.LookPath("docker"); err != nil {
		return "there is no docker"
	}
	if host := os.Getenv("DOCKER_HOST"); runtime.GOOS != "linux" || host != "" && !strings.HasPrefix(host, "unix://") {
		return "the docker daemon may be on another machine"
	}
	command := exec.Command("docker", "info", "--format", "{{.OperatingSystem}}")
	command.Env = append(os.Environ(), "DOCKER_CONFIG=/none") // tests do not use the user's files
	system, err := command.CombinedOutput()
	if err != nil {
		return "there is no docker daemon: " + string(system)
	}
	if strings.HasPrefix(string(system), "Docker Desktop") {
		return "the docker daemon is in a virtual machine"
	}
	return ""
}
