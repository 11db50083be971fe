package check

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/pod-security-admission/api"
)

// A fact is something that must be true for the objects, with changes that make
// it false.
type fact struct {
	name   string
	holds  func(*objects, service) error
	broken map[string]func(*objects)
}

var facts = []fact{
	{"the pod may run in a restricted namespace", isRestricted, map[string]func(*objects){
		"root":           func(o *objects) { o.pod().SecurityContext.RunAsNonRoot = nil },
		"user 0":         func(o *objects) { o.pod().SecurityContext.RunAsUser = new(int64) },
		"any syscall":    func(o *objects) { o.pod().SecurityContext.SeccompProfile = nil },
		"capabilities":   func(o *objects) { o.container().SecurityContext.Capabilities = nil },
		"setuid":         func(o *objects) { o.container().SecurityContext.AllowPrivilegeEscalation = nil },
		"host network":   func(o *objects) { o.pod().HostNetwork = true },
		"not enforced":   func(o *objects) { o.namespace.Labels[api.EnforceLevelLabel] = "baseline" },
		"nothing at all": func(o *objects) { o.container().SecurityContext, o.pod().SecurityContext = nil, nil },
	}},
	{"the pod has no writable files and no Kubernetes token", hasNoVolumes, map[string]func(*objects){
		"root filesystem": func(o *objects) { o.container().SecurityContext.ReadOnlyRootFilesystem = nil },
		"volume":          func(o *objects) { o.pod().Volumes = []corev1.Volume{{Name: "tmp"}} },
		"pod's token":     func(o *objects) { o.pod().AutomountServiceAccountToken = nil },
		"account's token": func(o *objects) { o.account.AutomountServiceAccountToken = nil },
		"second container": func(o *objects) {
			o.pod().Containers = append(o.pod().Containers, corev1.Container{Name: "sidecar"})
		},
	}},
	{"the pod has the image's user, and a role in AWS by web identity", hasIdentity, map[string]func(*objects){
		"another user":    func(o *objects) { *o.pod().SecurityContext.RunAsUser = 1000 },
		"another group":   func(o *objects) { *o.pod().SecurityContext.RunAsGroup = 1000 },
		"another account": func(o *objects) { o.pod().ServiceAccountName = "default" },
		"no role":         func(o *objects) { o.account.Annotations = nil },
	}},
	{"the pod gets the time that it needs to end", endsInTime, map[string]func(*objects){
		"grace of Kubernetes": func(o *objects) { o.pod().TerminationGracePeriodSeconds = nil },
		"grace as the drain":  func(o *objects) { *o.pod().TerminationGracePeriodSeconds = 35 },
		"long delay":          func(o *objects) { setConfig(o, `{"shutdownDelay": "20s"}`) },
		"no delay":            func(o *objects) { setConfig(o, `{}`) },
	}},
	{"the pod gets its configuration from the Secret", isConfigured, map[string]func(*objects){
		"plain variable": func(o *objects) { o.container().Env[0] = corev1.EnvVar{Name: "API_CONFIG", Value: "{}"} },
		"another Secret": func(o *objects) { o.container().Env[0].ValueFrom.SecretKeyRef.Name = "ecr-api" },
		"another key":    func(o *objects) { o.container().Env[0].ValueFrom.SecretKeyRef.Key = "config" },
		"optional":       func(o *objects) { o.container().Env[0].ValueFrom.SecretKeyRef.Optional = new(true) },
		"another name":   func(o *objects) { o.container().Env[0].Name = "APP_CONFIG" },
	}},
	{"two probes use the container's port", isProbed, map[string]func(*objects){
		"not live":    func(o *objects) { o.container().LivenessProbe = nil },
		"never ready": func(o *objects) { o.container().ReadinessProbe = nil },
		"by a command": func(o *objects) {
			o.container().LivenessProbe.ProbeHandler = corev1.ProbeHandler{Exec: &corev1.ExecAction{}}
		},
		"another port": func(o *objects) { o.container().LivenessProbe.HTTPGet.Port = intstr.FromInt32(8081) },
		"killed while it drains": func(o *objects) {
			o.container().LivenessProbe.HTTPGet.Path = o.container().ReadinessProbe.HTTPGet.Path
		},
	}},
	{"the selectors find the pods", selectorsFindPods, map[string]func(*objects){
		"Deployment":       func(o *objects) { relabel(o.deployment.Spec.Selector) },
		"Service":          func(o *objects) { o.service.Spec.Selector["app"] = "other" },
		"Service, all":     func(o *objects) { o.service.Spec.Selector = nil },
		"budget":           func(o *objects) { relabel(o.budget.Spec.Selector) },
		"budget, all":      func(o *objects) { o.budget.Spec.Selector = &metav1.LabelSelector{} },
		"network":          func(o *objects) { relabel(&o.network.Spec.PodSelector) },
		"spread":           func(o *objects) { relabel(o.pod().TopologySpreadConstraints[1].LabelSelector) },
		"labels":           func(o *objects) { o.deployment.Spec.Template.Labels = nil },
		"other namespace":  func(o *objects) { o.budget.Namespace = "default" },
		"autoscaler, name": func(o *objects) { o.autoscaler.Spec.ScaleTargetRef.Name = "other" },
		"autoscaler, kind": func(o *objects) { o.autoscaler.Spec.ScaleTargetRef.Kind = "StatefulSet" },
	}},
	{"Prometheus finds the Service", isMonitored, map[string]func(*objects){
		"selector":      func(o *objects) { relabel(&o.monitor.Spec.Selector) },
		"selector, all": func(o *objects) { o.monitor.Spec.Selector = metav1.LabelSelector{} },
		"port":          func(o *objects) { o.monitor.Spec.Endpoints[0].Port = "metrics" },
		"no endpoint":   func(o *objects) { o.monitor.Spec.Endpoints = nil },
		"label":         func(o *objects) { o.service.Labels = nil },
		"namespace":     func(o *objects) { o.monitor.Namespace = "monitoring" },
		"job":           func(o *objects) { o.monitor.Spec.JobLabel = "app" },
	}},
	{"the ports agree", portsAgree, map[string]func(*objects){
		"container": func(o *objects) { o.container().Ports[0].ContainerPort = 8081 },
		"name":      func(o *objects) { o.container().Ports[0].Name = "web" },
		"Service":   func(o *objects) { o.service.Spec.Ports[0].TargetPort = intstr.FromString("web") },
		"network":   func(o *objects) { *o.network.Spec.Ingress[0].Ports[0].Port = intstr.FromString("web") },
		"program":   func(o *objects) { setConfig(o, `{"listenAddress": ":9090"}`) },
	}},
	{"the network allows callers and Prometheus in, and DNS and HTTPS out", networkIsLimited, map[string]func(*objects){
		"in from anywhere": func(o *objects) { o.network.Spec.Ingress[0].From = nil },
		"in from any namespace": func(o *objects) {
			o.network.Spec.Ingress[0].From[0].NamespaceSelector = &metav1.LabelSelector{}
		},
		"in to any port":  func(o *objects) { o.network.Spec.Ingress[0].Ports = nil },
		"nobody":          func(o *objects) { o.network.Spec.Ingress = nil },
		"ingress alone":   func(o *objects) { o.network.Spec.PolicyTypes = o.network.Spec.PolicyTypes[:1] },
		"out to any port": func(o *objects) { o.network.Spec.Egress[1].Ports = nil },
		"out to HTTP":     func(o *objects) { *o.network.Spec.Egress[1].Ports[0].Port = intstr.FromInt32(80) },
		"out without DNS": func(o *objects) { o.network.Spec.Egress = o.network.Spec.Egress[1:] },
		"DNS of our own": func(o *objects) {
			o.network.Spec.Egress[0].To[0].PodSelector.MatchLabels["app.kubernetes.io/name"] = "ecr-api"
		},
	}},
	{"the service stays available during an update or the draining of a node", staysAvailable, map[string]func(*objects){
		"one less":      func(o *objects) { *o.deployment.Spec.Strategy.RollingUpdate.MaxUnavailable = intstr.FromInt32(1) },
		"none more":     func(o *objects) { *o.deployment.Spec.Strategy.RollingUpdate.MaxSurge = intstr.FromInt32(0) },
		"all at once":   func(o *objects) { o.deployment.Spec.Strategy.RollingUpdate = nil },
		"two scalers":   func(o *objects) { o.deployment.Spec.Replicas = new(int32(3)) },
		"a single copy": func(o *objects) { *o.autoscaler.Spec.MinReplicas = 1 },
		"no scaling":    func(o *objects) { o.autoscaler.Spec.MaxReplicas = 3 },
		"by memory":     func(o *objects) { o.autoscaler.Spec.Metrics[0].Resource.Name = corev1.ResourceMemory },
		"eviction":      func(o *objects) { *o.budget.Spec.MaxUnavailable = intstr.FromInt32(3) },
		"no eviction":   func(o *objects) { *o.budget.Spec.MaxUnavailable = intstr.FromInt32(0) },
		"one zone":      func(o *objects) { o.pod().TopologySpreadConstraints = o.pod().TopologySpreadConstraints[:1] },
		"one node":      func(o *objects) { o.pod().TopologySpreadConstraints = o.pod().TopologySpreadConstraints[1:] },
	}},
	{"memory and CPU are limited", isBounded, map[string]func(*objects){
		"no limit":         func(o *objects) { delete(o.container().Resources.Limits, corev1.ResourceMemory) },
		"no CPU asked":     func(o *objects) { delete(o.container().Resources.Requests, corev1.ResourceCPU) },
		"small limit":      func(o *objects) { o.container().Resources.Limits[corev1.ResourceMemory] = resource.MustParse("96Mi") },
		"no GOMEMLIMIT":    func(o *objects) { o.container().Env = o.container().Env[:1] },
		"bad GOMEMLIMIT":   func(o *objects) { o.container().Env[1].Value = "96Mi" },
		"not measured":     func(o *objects) { o.container().Env[1].Value = "160MiB" },
		"small GOMEMLIMIT": func(o *objects) { o.container().Env[1].Value = "48MiB" },
	}},
	{"each object has the common labels, and the image has a version", haveLabels, map[string]func(*objects){
		"no label":    func(o *objects) { delete(o.service.Labels, "app.kubernetes.io/name") },
		"no pod's":    func(o *objects) { delete(o.deployment.Spec.Template.Labels, "app.kubernetes.io/name") },
		"no part":     func(o *objects) { delete(o.budget.Labels, "app.kubernetes.io/part-of") },
		"no version":  func(o *objects) { o.container().Image = "ghcr.io/yalespinup/ecr-api" },
		"the latest":  func(o *objects) { o.container().Image = "ghcr.io/yalespinup/ecr-api:latest" },
		"another one": func(o *objects) { o.container().Image = "docker.io/yalespinup/ecr-api:1.0.0" },
	}},
}

func TestFacts(t *testing.T) {
	t.Parallel()
	documents, program := render(t, "../example"), readService(t)
	for _, fact := range facts {
		t.Run(fact.name, func(t *testing.T) {
			if err := fact.holds(decodeAll(t, documents), program); err != nil {
				t.Error(err)
			}
		})
		for name, change := range fact.broken {
			t.Run(fact.name+", broken: "+name, func(t *testing.T) {
				broken := decodeAll(t, documents)
				change(broken)
				mustFail(t, fact.holds(broken, program))
			})
		}
	}
}

// mustFail fails the test if there is no error. It logs the error, so that a
// reader can see whether the check failed for the right reason.
func mustFail(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		t.Error("the check did not fail")
		return
	}
	t.Log(err)
}

func setConfig(o *objects, document string) {
	for key := range o.secret.Data {
		o.secret.Data[key] = []byte(document)
	}
}

func relabel(s *metav1.LabelSelector) { s.MatchLabels = map[string]string{"app": "other"} }
