package check

import (
	"os"
	"testing"

	"go.yaml.in/yaml/v3"
)

type alert struct {
	Alert       string
	Expr        string
	Annotations map[string]string
}

func readAlerts(t *testing.T) []alert {
	t.Helper()
	var file struct{ Groups []struct{ Rules []alert } }
	readYAML(t, "../prometheus/alerts.yaml", &file)
	var alerts []alert
	for _, group := range file.Groups {
		alerts = append(alerts, group.Rules...)
	}
	if len(alerts) == 0 {
		t.Fatal("there are no alerts")
	}
	return alerts
}

// Each alert says what is wrong and where to look first.
func TestAlertsExplainThemselves(t *testing.T) {
	t.Parallel()
	for _, a := range readAlerts(t) {
		for _, annotation := range []string{"summary", "description", "look_first"} {
			if a.Annotations[annotation] == "" {
				t.Errorf("%s has no %s", a.Alert, annotation)
			}
		}
	}
}

func readYAML(t *testing.T, file string, into any) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(content, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}
