// Package check checks the files for compose, Prometheus and Grafana. It
// compares them with the rules of these programs and with the service. It is
// its own module, so that the service does not depend on the packages that it
// needs.
package check

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/google/go-cmp/cmp"
)

// compose.yaml is valid. It publishes ports on loopback only, names the
// versions of images, and mounts only files that exist.
func TestCompose(t *testing.T) {
	t.Parallel()
	options, err := cli.NewProjectOptions([]string{"../compose.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"ecr-api", "grafana", "prometheus"}, project.ServiceNames()); diff != "" {
		t.Errorf("services (-want +got):\n%s", diff)
	}
	for _, service := range project.Services {
		checkService(t, service)
	}
}

// In local mode the service answers requests to this machine's names, and to
// those that it is told. Prometheus calls it by another name.
func TestServiceAnswersPrometheus(t *testing.T) {
	t.Parallel()
	var prometheus struct {
		ScrapeConfigs []struct {
			StaticConfigs []struct{ Targets []string } `yaml:"static_configs"`
		} `yaml:"scrape_configs"`
	}
	readYAML(t, "../prometheus/prometheus.yaml", &prometheus)
	var compose struct {
		Services map[string]struct{ Command []string }
	}
	readYAML(t, "../compose.yaml", &compose)
	for _, target := range prometheus.ScrapeConfigs[0].StaticConfigs[0].Targets {
		host, _, _ := strings.Cut(target, ":")
		if command := compose.Services[host].Command; !strings.Contains(strings.Join(command, " "), "-allow-hosts "+host) {
			t.Errorf("%s: %q does not allow the host by which Prometheus calls it", target, command)
		}
	}
}

// The local AWS names its own port in the URIs of repositories. So docker on the
// host must reach it at the same one.
func TestRegistryPort(t *testing.T) {
	t.Parallel()
	var compose struct {
		Services map[string]struct{ Command, Ports []string }
	}
	readYAML(t, "../compose.yaml", &compose)
	service := compose.Services["ecr-api"]
	_, port, ok := strings.Cut(strings.Join(service.Command, " "), "-local-aws 0.0.0.0:")
	port, _, _ = strings.Cut(port, " ")
	if want := "127.0.0.1:" + port + ":" + port; !ok || !slices.Contains(service.Ports, want) {
		t.Errorf("%q publishes %q, and not %q", service.Command, service.Ports, want)
	}
}

// pinned matches an image with a version and a digest.
var pinned = regexp.MustCompile(`^[a-z/]+:v?[0-9]+(\.[0-9]+)+@sha256:[0-9a-f]{64}$`)

func checkService(t *testing.T, service types.ServiceConfig) {
	t.Helper()
	if !pinned.MatchString(service.Image) && service.Build == nil {
		t.Errorf("%s: the image %q lacks a version or a digest", service.Name, service.Image)
	}
	for _, port := range service.Ports {
		if port.HostIP != "127.0.0.1" {
			t.Errorf("%s: port %s is published on %q", service.Name, port.Published, port.HostIP)
		}
	}
	for _, volume := range service.Volumes {
		if _, err := os.Stat(volume.Source); err != nil || !volume.ReadOnly {
			t.Errorf("%s: %s is mounted (read only: %v): %v", service.Name, volume.Source, volume.ReadOnly, err)
		}
	}
	if service.Build != nil {
		if _, err := os.Stat(filepath.Join(service.Build.Context, "Dockerfile")); err != nil {
			t.Errorf("%s: %v", service.Name, err)
		}
	}
}

// dashboard has the parts of a dashboard that the tests check.
type dashboard struct {
	Panels []panel `json:"panels"`
}

type panel struct {
	ID          int    `json:"id"`
	Title       string `json:"title"`
	Description string `json:"description"`
	GridPos     struct {
		X, Y, W, H int
	} `json:"gridPos"`
	Datasource datasource `json:"datasource"`
	Targets    []struct {
		Datasource datasource `json:"datasource"`
		Expr       string     `json:"expr"`
	} `json:"targets"`
}

type datasource struct {
	UID string `json:"uid"`
}

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	content, err := os.ReadFile("../grafana/dashboards/ecr-api.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(content, &d); err != nil {
		t.Fatal(err)
	}
	if len(d.Panels) == 0 {
		t.Fatal("the dashboard has no panels")
	}
	return d
}

// Every panel uses the provisioned data source, says what it shows, and
// overlaps no other panel.
func TestDashboard(t *testing.T) {
	t.Parallel()
	var provisioned struct {
		Datasources []struct{ UID, Type string }
	}
	readYAML(t, "../grafana/provisioning/datasources/prometheus.yaml", &provisioned)
	uid := provisioned.Datasources[0].UID
	panels := readDashboard(t).Panels
	for i, p := range panels {
		if p.Title == "" || p.Description == "" || len(p.Targets) == 0 {
			t.Errorf("panel %d %q lacks a title, a description or a query", p.ID, p.Title)
		}
		if p.Datasource.UID != uid {
			t.Errorf("%s: data source %q, want %q", p.Title, p.Datasource.UID, uid)
		}
		for _, target := range p.Targets {
			if target.Datasource.UID != uid {
				t.Errorf("%s: data source %q, want %q", p.Title, target.Datasource.UID, uid)
			}
		}
		for _, other := range panels[:i] {
			if p.ID == other.ID || p.Title == other.Title || p.overlaps(other) {
				t.Errorf("%s and %s share an id, a title or a place", p.Title, other.Title)
			}
		}
	}
}

func (p panel) overlaps(other panel) bool {
	a, b := p.GridPos, other.GridPos
	return a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H
}
