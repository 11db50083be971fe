package check

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

const root = "../../.." // of the repository

// objects are the objects that an overlay renders.
type objects struct {
	all []metav1.Object // the ones below

	namespace  *corev1.Namespace
	account    *corev1.ServiceAccount
	secret     *corev1.Secret
	deployment *appsv1.Deployment
	service    *corev1.Service
	autoscaler *autoscalingv2.HorizontalPodAutoscaler
	budget     *policyv1.PodDisruptionBudget
	network    *networkingv1.NetworkPolicy
	monitor    *monitoringv1.ServiceMonitor
}

func (o *objects) pod() *corev1.PodSpec         { return &o.deployment.Spec.Template.Spec }
func (o *objects) container() *corev1.Container { return &o.pod().Containers[0] }

// put keeps an object under its kind.
func (o *objects) put(object runtime.Object) error {
	switch object := object.(type) {
	case *corev1.Namespace:
		o.namespace = object
	case *corev1.ServiceAccount:
		o.account = object
	case *corev1.Secret:
		o.secret = object
	case *appsv1.Deployment:
		o.deployment = object
	case *corev1.Service:
		o.service = object
	case *autoscalingv2.HorizontalPodAutoscaler:
		o.autoscaler = object
	case *policyv1.PodDisruptionBudget:
		o.budget = object
	case *networkingv1.NetworkPolicy:
		o.network = object
	case *monitoringv1.ServiceMonitor:
		o.monitor = object
	default:
		return fmt.Errorf("no %T is expected", object)
	}
	o.all = append(o.all, object.(metav1.Object))
	return nil
}

// names lists the objects as type, namespace and name.
func (o *objects) names() []string {
	var names []string
	for _, object := range o.all {
		kind := strings.TrimPrefix(fmt.Sprintf("%T", object), "*")
		names = append(names, strings.TrimSpace(kind+" "+object.GetNamespace())+" "+object.GetName())
	}
	slices.Sort(names)
	return names
}

// render returns a document for each object, as kubectl kustomize would.
func render(t *testing.T, dir string) [][]byte {
	t.Helper()
	rendered, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		t.Fatalf("%s: %v", dir, err)
	}
	var documents [][]byte
	for _, object := range rendered.Resources() {
		document, err := object.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		documents = append(documents, document)
	}
	return documents
}

// decode reads a document into the type for its apiVersion and kind. A field
// that is unknown, given twice or of another type is an error. The case of a
// field's name counts.
func decode(document []byte) (runtime.Object, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		corev1.AddToScheme, appsv1.AddToScheme, autoscalingv2.AddToScheme,
		policyv1.AddToScheme, networkingv1.AddToScheme, monitoringv1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	strict := json.SerializerOptions{Yaml: true, Strict: true}
	object, _, err := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme, scheme, strict).Decode(document, nil, nil)
	return object, err
}

func decodeAll(t *testing.T, documents [][]byte) *objects {
	t.Helper()
	found := &objects{}
	for _, document := range documents {
		object, err := decode(document)
		if err == nil {
			err = found.put(object)
		}
		if err != nil {
			t.Fatalf("%v, in\n%s", err, document)
		}
	}
	return found
}

// The base has no Secret. It also has no object that needs the Prometheus
// operator.
var inBase = []string{
	"v1.Deployment ecr-api",
	"v1.NetworkPolicy ecr-api",
	"v1.PodDisruptionBudget ecr-api",
	"v1.Service ecr-api",
	"v1.ServiceAccount ecr-api",
	"v2.HorizontalPodAutoscaler ecr-api",
}

func TestBaseRenders(t *testing.T) {
	t.Parallel()
	base := decodeAll(t, render(t, "../base"))
	if diff := cmp.Diff(inBase, base.names()); diff != "" {
		t.Errorf("in the base (-want +got):\n%s", diff)
	}
}

func TestExampleRenders(t *testing.T) {
	t.Parallel()
	example := decodeAll(t, render(t, "../example"))
	want := []string{"v1.Namespace ecr-api", "v1.Secret ecr-api " + example.secret.Name, "v1.ServiceMonitor ecr-api ecr-api"}
	for _, name := range inBase {
		want = append(want, strings.Replace(name, " ", " ecr-api ", 1))
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, example.names()); diff != "" {
		t.Errorf("in the example (-want +got):\n%s", diff)
	}
}

// The overlay that the page prints renders, and its Secret is the one that the
// page's command makes.
func TestOverlayOfThePageRenders(t *testing.T) {
	t.Parallel()
	page := read(t, root+"/docker/README.md")
	overlay := find(t, page, "(?s)```yaml\n(.*?)```")
	dir := t.TempDir()
	for _, part := range []string{"base", "servicemonitor"} {
		if err := os.CopyFS(filepath.Join(dir, part), os.DirFS("../"+part)); err != nil {
			t.Fatal(err)
		}
	}
	write(t, dir+"/overlay/kustomization.yaml", overlay)
	rendered := decodeAll(t, render(t, dir+"/overlay"))
	ref := rendered.container().Env[0].ValueFrom.SecretKeyRef
	command := fmt.Sprintf("kubectl -n %s create secret generic %s --from-file=%s\n", rendered.deployment.Namespace, ref.Name, ref.Key)
	if !strings.Contains(page, command) {
		t.Errorf("the page does not say\n%s", command)
	}
}

func TestDecodeIsStrict(t *testing.T) {
	t.Parallel()
	const service = "apiVersion: v1\nkind: Service\nspec: {type: ClusterIP}\n"
	if _, err := decode([]byte(service)); err != nil {
		t.Fatal(err)
	}
	for name, document := range map[string]string{
		"unknown field":            service + "metdata: {}\n",
		"unknown field, deeper":    strings.Replace(service, "type", "types", 1),
		"field of another case":    strings.Replace(service, "type", "Type", 1),
		"field twice":              service + "kind: Service\n",
		"field twice, deeper":      strings.Replace(service, "type: ClusterIP", "type: ClusterIP, type: ClusterIP", 1),
		"value of another type":    strings.Replace(service, "ClusterIP", "[]", 1),
		"unknown kind":             strings.Replace(service, "Service", "Servlet", 1),
		"version that was removed": "apiVersion: policy/v1beta1\nkind: PodDisruptionBudget\n",
	} {
		if object, err := decode([]byte(document)); err == nil {
			t.Errorf("%s: decoded to %v", name, object)
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// find returns what the pattern's group matches, at the first match in the
// text.
func find(t *testing.T, text, pattern string) string {
	t.Helper()
	match := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if match == nil {
		t.Fatalf("nothing matches %s", pattern)
	}
	return match[1]
}
