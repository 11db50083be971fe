package check

import (
	"errors"
	"fmt"
	"strings"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func areSelected(o *objects, _ service) error {
	target := o.autoscaler.Spec.ScaleTargetRef
	problems := []error{
		unless(target.APIVersion == "apps/v1" && target.Kind == "Deployment" && target.Name == o.deployment.Name, "the autoscaler scales %v", target),
		selects("Deployment", o.deployment.Spec.Selector, o.deployment.Spec.Template.Labels),
		selects("Service", &metav1.LabelSelector{MatchLabels: o.service.Spec.Selector}, o.deployment.Spec.Template.Labels),
		selects("budget", o.budget.Spec.Selector, o.deployment.Spec.Template.Labels),
		selects("network policy", &o.network.Spec.PodSelector, o.deployment.Spec.Template.Labels),
	}
	for _, spread := range o.pod().TopologySpreadConstraints {
		problems = append(problems, selects(spread.TopologyKey, spread.LabelSelector, o.deployment.Spec.Template.Labels))
	}
	for _, object := range o.all {
		if object != metav1.Object(o.namespace) {
			problems = append(problems, unless(object.GetNamespace() == o.namespace.Name, "%T is in the namespace %q", object, object.GetNamespace()))
		}
	}
	return errors.Join(problems...)
}

// selects tells whether the selector finds what is labelled so, and not just
// everything.
func selects(who string, by *metav1.LabelSelector, labelled labels.Set) error {
	selector, err := metav1.LabelSelectorAsSelector(by)
	if err != nil {
		return err
	}
	return unless(!selector.Empty() && selector.Matches(labelled), "the selector of the %s, %q, does not find %s", who, selector, labelled)
}

func isMonitored(o *objects, _ service) error {
	if len(o.monitor.Spec.Endpoints) != 1 {
		return errors.New("one endpoint is wanted")
	}
	endpoint, port := o.monitor.Spec.Endpoints[0], o.service.Spec.Ports[0]
	return errors.Join(
		selects("ServiceMonitor", &o.monitor.Spec.Selector, o.service.Labels),
		unless(o.monitor.Namespace == o.service.Namespace, "it looks in the namespace %q", o.monitor.Namespace),
		unless(endpoint.Port == port.Name, "it asks the port %s, the Service has %s", endpoint.Port, port.Name),
		unless(o.service.Labels[o.monitor.Spec.JobLabel] == "ecr-api", "it has no job's name from %s", o.monitor.Spec.JobLabel),
	)
}

func haveOnePort(o *objects, _ service) error {
	port := o.container().Ports[0]
	problems := []error{
		unless(port.ContainerPort == o.settings().port(), "the container has %d, the program %d", port.ContainerPort, o.settings().port()),
		unless(o.service.Spec.Ports[0].TargetPort == intstr.FromString(port.Name), "the Service goes to %s", o.service.Spec.Ports[0].TargetPort.String()),
	}
	for _, rule := range o.network.Spec.Ingress {
		for _, open := range rule.Ports {
			problems = append(problems, unless(*open.Port == intstr.FromString(port.Name), "the network opens %s", open.Port.String()))
		}
	}
	return errors.Join(problems...)
}

func isFenced(o *objects, _ service) error {
	spec := o.network.Spec
	both := []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}
	problems := []error{
		unless(cmp.Equal(both, spec.PolicyTypes), "it fences %v", spec.PolicyTypes),
		unless(cmp.Equal([]string{"ingress-nginx", "monitoring"}, comeFrom(spec.Ingress)), "callers come from %v", comeFrom(spec.Ingress)),
		unless(cmp.Equal([]string{"UDP 53", "TCP 53", "TCP 443"}, goTo(spec.Egress)), "calls go to %v", goTo(spec.Egress)),
	}
	for _, rule := range spec.Ingress {
		problems = append(problems, unless(len(rule.Ports) == 1, "callers reach %d ports (none is all)", len(rule.Ports)))
	}
	dns := map[string]string{"k8s-app": "kube-dns"}
	resolver := spec.Egress[0].To[0].PodSelector
	problems = append(problems, unless(resolver != nil && cmp.Equal(dns, resolver.MatchLabels), "the cluster's DNS is not found by %v", resolver))
	return errors.Join(problems...)
}

// comeFrom lists the namespaces that the rules name; "*" is everywhere.
func comeFrom(rules []networkingv1.NetworkPolicyIngressRule) []string {
	var namespaces []string
	for _, rule := range rules {
		if len(rule.From) == 0 {
			namespaces = append(namespaces, "*")
		}
		for _, peer := range rule.From {
			name := "*"
			if peer.NamespaceSelector != nil && peer.NamespaceSelector.MatchLabels[corev1.LabelMetadataName] != "" {
				name = peer.NamespaceSelector.MatchLabels[corev1.LabelMetadataName]
			}
			namespaces = append(namespaces, name)
		}
	}
	return namespaces
}

// goTo lists the ports that the rules name; "*" is all.
func goTo(rules []networkingv1.NetworkPolicyEgressRule) []string {
	var ports []string
	for _, rule := range rules {
		if len(rule.Ports) == 0 {
			ports = append(ports, "*")
		}
		for _, port := range rule.Ports {
			ports = append(ports, string(*port.Protocol)+" "+port.Port.String())
		}
	}
	return ports
}

func staysUp(o *objects, _ service) error {
	rolling, scale := o.deployment.Spec.Strategy.RollingUpdate, o.autoscaler.Spec
	if rolling == nil {
		return errors.New("how it rolls is not said")
	}
	var spread []string
	for _, over := range o.pod().TopologySpreadConstraints {
		spread = append(spread, over.TopologyKey)
	}
	nodesAndZones := []string{corev1.LabelHostname, corev1.LabelTopologyZone}
	return errors.Join(
		unless(rolling.MaxUnavailable.IntValue() == 0 && rolling.MaxSurge.IntValue() > 0, "an update takes a copy before another is there"),
		unless(o.deployment.Spec.Replicas == nil, "the Deployment scales against the autoscaler"),
		unless(*scale.MinReplicas > 1 && scale.MaxReplicas > *scale.MinReplicas, "%d to %d copies", *scale.MinReplicas, scale.MaxReplicas),
		unless(len(scale.Metrics) == 1 && scale.Metrics[0].Resource.Name == corev1.ResourceCPU, "it does not scale by CPU"),
		unless(o.budget.Spec.MaxUnavailable.IntValue() == 1, "%s copies may be evicted at a time", o.budget.Spec.MaxUnavailable),
		unless(cmp.Equal(nodesAndZones, spread), "spread over %v", spread),
	)
}

func areNamed(o *objects, _ service) error {
	named := map[string]labels.Set{"pod": o.deployment.Spec.Template.Labels}
	for _, object := range o.all {
		if object != metav1.Object(o.namespace) && object != metav1.Object(o.secret) { // the overlay's own
			named[fmt.Sprintf("%T", object)] = object.GetLabels()
		}
	}
	var problems []error
	for who, labels := range named {
		ok := labels["app.kubernetes.io/name"] == "ecr-api" && labels["app.kubernetes.io/part-of"] == "spinup"
		problems = append(problems, unless(ok, "%s has the labels %v", who, labels))
	}
	name, tag, _ := strings.Cut(o.container().Image, ":")
	problems = append(problems, unless(name == "ghcr.io/yalespinup/ecr-api" && tag != "" && tag != "latest", "the image is %s", o.container().Image))
	return errors.Join(problems...)
}
