package check

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// unless is an error with this text where ok is false.
func unless(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf(format, args...)
}

func isTrue(b *bool) bool  { return b != nil && *b }
func isFalse(b *bool) bool { return b != nil && !*b }

func isRestricted(o *objects, _ service) error {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		return err
	}
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	template := o.deployment.Spec.Template
	result := policy.AggregateCheckResults(evaluator.EvaluatePod(restricted, &template.ObjectMeta, &template.Spec))
	return errors.Join(
		unless(result.Allowed, "%s", result.ForbiddenDetail()),
		unless(o.namespace.Labels[api.EnforceLevelLabel] == "restricted", "the namespace does not enforce it"),
	)
}

func isBare(o *objects, _ service) error {
	if len(o.pod().Containers) != 1 {
		return fmt.Errorf("%d containers", len(o.pod().Containers))
	}
	return errors.Join(
		unless(isTrue(o.container().SecurityContext.ReadOnlyRootFilesystem), "it may write to its root"),
		unless(len(o.pod().Volumes)+len(o.container().VolumeMounts) == 0, "it has volumes"),
		unless(isFalse(o.pod().AutomountServiceAccountToken), "the pod gets a token"),
		unless(isFalse(o.account.AutomountServiceAccountToken), "the account's pods get a token"),
	)
}

func hasIdentity(o *objects, program service) error {
	user := fmt.Sprintf("%d:%d", *o.pod().SecurityContext.RunAsUser, *o.pod().SecurityContext.RunAsGroup)
	role := o.account.Annotations["eks.amazonaws.com/role-arn"]
	return errors.Join(
		unless(user == program.user, "it runs as %s, the image as %s", user, program.user),
		unless(o.pod().ServiceAccountName == o.account.Name, "it is %s, and not %s", o.pod().ServiceAccountName, o.account.Name),
		unless(strings.HasPrefix(role, "arn:aws:iam::"), "the role in AWS is %q", role),
	)
}

func endsInTime(o *objects, program service) error {
	needs, err := o.settings().ends(program.drain)
	grace := 30 * time.Second
	if seconds := o.pod().TerminationGracePeriodSeconds; seconds != nil {
		grace = time.Duration(*seconds) * time.Second
	}
	return errors.Join(err, unless(grace > needs, "it has %s and may need %s", grace, needs))
}

func isConfigured(o *objects, _ service) error {
	env := o.container().Env[0]
	if env.Name != "API_CONFIG" || env.Value != "" || env.ValueFrom == nil || env.ValueFrom.SecretKeyRef == nil {
		return fmt.Errorf("API_CONFIG is not out of a Secret: %v", env)
	}
	ref := env.ValueFrom.SecretKeyRef
	_, there := o.secret.Data[ref.Key]
	return errors.Join(
		unless(ref.Name == o.secret.Name, "the Secret %s is wanted, %s is there", ref.Name, o.secret.Name),
		unless(there, "the Secret has no %s", ref.Key),
		unless(!isTrue(ref.Optional), "a pod without it would start"),
	)
}

func isProbed(o *objects, _ service) error {
	live, ready := o.container().LivenessProbe, o.container().ReadinessProbe
	if live == nil || ready == nil || live.HTTPGet == nil || ready.HTTPGet == nil {
		return errors.New("two probes by HTTP are wanted")
	}
	port := intstr.FromString(o.container().Ports[0].Name)
	return errors.Join(
		unless(live.HTTPGet.Port == port && ready.HTTPGet.Port == port, "a probe asks another port than %s", port.String()),
		unless(live.HTTPGet.Path != ready.HTTPGet.Path, "while it drains it is not ready, and would be killed for it"),
	)
}

func isBounded(o *objects, _ service) error {
	limits, requests := o.container().Resources.Limits, o.container().Resources.Requests
	variables := map[string]string{}
	for _, env := range o.container().Env {
		variables[env.Name] = env.Value
	}
	return errors.Join(
		unless(!requests.Cpu().IsZero(), "without a request for CPU nothing scales by it"),
		unless(!requests.Memory().IsZero() && !limits.Cpu().IsZero(), "a request or a limit is missing"),
		fitsMemory(variables["GOMEMLIMIT"], limits.Memory().Value()),
	)
}

// fitsMemory tells whether the limit that Go is told is under the container's by
// a fifth or more, and over what the service needs.
func fitsMemory(told string, limit int64) error {
	mebibytes, ok := strings.CutSuffix(told, "MiB")
	n, err := strconv.ParseInt(mebibytes, 10, 64)
	if !ok || err != nil {
		return fmt.Errorf("GOMEMLIMIT is %q", told)
	}
	const needs = 64
	return unless(n >= needs && n<<20 <= limit*4/5, "GOMEMLIMIT is %s where the limit is %d MiB", told, limit>>20)
}
