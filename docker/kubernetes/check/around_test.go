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

func selectorsFindPods(o *objects, _ service) error {
	target := o.autoscaler.Spec.ScaleTargetRef
	problems := []error{
		errorUnless(target.APIVersion == "apps/v1" && target.Kind == "Deployment" && target.Name == o.deployment.Name, "the autoscaler scales %v", target),
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
			problems = append(problems, errorUnless(object.GetNamespace() == o.namespace.Name, "%T is in the namespace %q", object, object.GetNamespace()))
		}
	}
	return errors.Join(problems...)
}

// selects returns an error unless the selector finds something with these
// labels. A selector that finds everything is an error too.
func selects(who string, by *metav1.LabelSelector, labelled labels.Set) error {
	selector, err := metav1.LabelSelectorAsSelector(by)
	if err != nil {
		return err
	}
	return errorUnless(!selector.Empty() && selector.Matches(labelled), "the selector of the %s, %q, does not find %s", who, selector, labelled)
}

func isMonitored(o *objects, _ service) error {
	if len(o.monitor.Spec.Endpoints) != 1 {
		return errors.New("there must be exactly one endpoint")
	}
	endpoint, port := o.monitor.Spec.Endpoints[0], o.service.Spec.Ports[0]
	return errors.Join(
		selects("ServiceMonitor", &o.monitor.Spec.Selector, o.service.Labels),
		errorUnless(o.monitor.Namespace == o.service.Namespace, "it selects Services in the namespace %q", o.monitor.Namespace),
		errorUnless(endpoint.Port == port.Name, "it scrapes the port %s, but the Service has %s", endpoint.Port, port.Name),
		errorUnless(o.service.Labels[o.monitor.Spec.JobLabel] == "ecr-api", "the label %s does not give the job's name", o.monitor.Spec.JobLabel),
	)
}

func portsAgree(o *objects, _ service) error {
	port := o.container().Ports[0]
	problems := []error{
		errorUnless(port.ContainerPort == o.settings().port(), "the container has the port %d, but the program %d", port.ContainerPort, o.settings().port()),
		errorUnless(o.service.Spec.Ports[0].TargetPort == intstr.FromString(port.Name), "the Service sends requests to the port %s", o.service.Spec.Ports[0].TargetPort.String()),
	}
	for _, rule := range o.network.Spec.Ingress {
		for _, open := range rule.Ports {
			problems = append(problems, errorUnless(*open.Port == intstr.FromString(port.Name), "the network opens %s", open.Port.String()))
		}
	}
	return errors.Join(problems...)
}

func networkIsLimited(o *objects, _ service) error {
	spec := o.network.Spec
	both := []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}
	problems := []error{
		errorUnless(cmp.Equal(both, spec.PolicyTypes), "it limits only %v", spec.PolicyTypes),
		errorUnless(cmp.Equal([]string{"ingress-nginx", "monitoring"}, ingressNamespaces(spec.Ingress)), "callers come from %v", ingressNamespaces(spec.Ingress)),
		errorUnless(cmp.Equal([]string{"UDP 53", "TCP 53", "TCP 443"}, egressPorts(spec.Egress)), "calls go to %v", egressPorts(spec.Egress)),
	}
	for _, rule := range spec.Ingress {
		problems = append(problems, errorUnless(len(rule.Ports) == 1, "callers reach %d ports (0 means all)", len(rule.Ports)))
	}
	dns := map[string]string{"k8s-app": "kube-dns"}
	resolver := spec.Egress[0].To[0].PodSelector
	problems = append(problems, errorUnless(resolver != nil && cmp.Equal(dns, resolver.MatchLabels), "the cluster's DNS is not found by %v", resolver))
	return errors.Join(problems...)
}

// ingressNamespaces lists the namespaces from which the rules allow callers.
// "*" means everywhere.
func ingressNamespaces(rules []networkingv1.NetworkPolicyIngressRule) []string {
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

// egressPorts lists the ports to which the rules allow connections. "*" means
// all.
func egressPorts(rules []networkingv1.NetworkPolicyEgressRule) []string {
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

func staysAvailable(o *objects, _ service) error {
	rolling, scale := o.deployment.Spec.Strategy.RollingUpdate, o.autoscaler.Spec
	if rolling == nil {
		return errors.New("there is no rolling update")
	}
	var spread []string
	for _, over := range o.pod().TopologySpreadConstraints {
		spread = append(spread, over.TopologyKey)
	}
	nodesAndZones := []string{corev1.LabelHostname, corev1.LabelTopologyZone}
	return errors.Join(
		errorUnless(rolling.MaxUnavailable.IntValue() == 0 && rolling.MaxSurge.IntValue() > 0, "an update stops a copy before its replacement runs"),
		errorUnless(o.deployment.Spec.Replicas == nil, "the Deployment sets replicas, which the autoscaler must do"),
		errorUnless(*scale.MinReplicas > 1 && scale.MaxReplicas > *scale.MinReplicas, "%d to %d copies", *scale.MinReplicas, scale.MaxReplicas),
		errorUnless(len(scale.Metrics) == 1 && scale.Metrics[0].Resource.Name == corev1.ResourceCPU, "it does not scale by CPU"),
		errorUnless(o.budget.Spec.MaxUnavailable.IntValue() == 1, "%s copies may be evicted at a time", o.budget.Spec.MaxUnavailable),
		errorUnless(cmp.Equal(nodesAndZones, spread), "spread over %v", spread),
	)
}

func haveLabels(o *objects, _ service) error {
	named := map[string]labels.Set{"pod": o.deployment.Spec.Template.Labels}
	for _, object := range o.all {
		if object != metav1.Object(o.namespace) && object != metav1.Object(o.secret) { // they come from the overlay
			named[fmt.Sprintf("%T", object)] = object.GetLabels()
		}
	}
	var problems []error
	for who, labels := range named {
		ok := labels["app.kubernetes.io/name"] == "ecr-api" && labels["app.kubernetes.io/part-of"] == "spinup"
		problems = append(problems, errorUnless(ok, "%s has the labels %v", who, labels))
	}
	name, tag, _ := strings.Cut(o.container().Image, ":")
	problems = append(problems, errorUnless(name == "ghcr.io/yalespinup/ecr-api" && tag != "" && tag != "latest", "the image is %s", o.container().Image))
	return errors.Join(problems...)
}
