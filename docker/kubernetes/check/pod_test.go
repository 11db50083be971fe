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

// errorUnless returns an error with this text if ok is false.
func errorUnless(ok bool, format string, args ...any) error {
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
		errorUnless(result.Allowed, "%s", result.ForbiddenDetail()),
		errorUnless(o.namespace.Labels[api.EnforceLevelLabel] == "restricted", "the namespace does not enforce it"),
	)
}

func hasNoVolumes(o *objects, _ service) error {
	if len(o.pod().Containers) != 1 {
		return fmt.Errorf("%d containers", len(o.pod().Containers))
	}
	return errors.Join(
		errorUnless(isTrue(o.container().SecurityContext.ReadOnlyRootFilesystem), "it may write to its root"),
		errorUnless(len(o.pod().Volumes)+len(o.container().VolumeMounts) == 0, "it has volumes"),
		errorUnless(isFalse(o.pod().AutomountServiceAccountToken), "the pod gets a token"),
		errorUnless(isFalse(o.account.AutomountServiceAccountToken), "the account's pods get a token"),
	)
}

func hasIdentity(o *objects, program service) error {
	user := fmt.Sprintf("%d:%d", *o.pod().SecurityContext.RunAsUser, *o.pod().SecurityContext.RunAsGroup)
	role := o.account.Annotations["eks.amazonaws.com/role-arn"]
	return errors.Join(
		errorUnless(user == program.user, "it runs as %s, but the image as %s", user, program.user),
		errorUnless(o.pod().ServiceAccountName == o.account.Name, "its ServiceAccount is %s, and not %s", o.pod().ServiceAccountName, o.account.Name),
		errorUnless(strings.HasPrefix(role, "arn:aws:iam::"), "the role in AWS is %q", role),
	)
}

func endsInTime(o *objects, program service) error {
	needs, err := o.settings().stopTime(program.drain)
	grace := 30 * time.Second
	if seconds := o.pod().TerminationGracePeriodSeconds; seconds != nil {
		grace = time.Duration(*seconds) * time.Second
	}
	return errors.Join(err, errorUnless(grace > needs, "it has %s and may need %s", grace, needs))
}

func isConfigured(o *objects, _ service) error {
	env := o.container().Env[0]
	if env.Name != "API_CONFIG" || env.Value != "" || env.ValueFrom == nil || env.ValueFrom.SecretKeyRef == nil {
		return fmt.Errorf("API_CONFIG does not come from a Secret: %v", env)
	}
	ref := env.ValueFrom.SecretKeyRef
	_, there := o.secret.Data[ref.Key]
	return errors.Join(
		errorUnless(ref.Name == o.secret.Name, "the pod needs the Secret %s, but there is %s", ref.Name, o.secret.Name),
		errorUnless(there, "the Secret has no %s", ref.Key),
		errorUnless(!isTrue(ref.Optional), "a pod without it would start"),
	)
}

func isProbed(o *objects, _ service) error {
	live, ready := o.container().LivenessProbe, o.container().ReadinessProbe
	if live == nil || ready == nil || live.HTTPGet == nil || ready.HTTPGet == nil {
		return errors.New("there must be two HTTP probes")
	}
	port := intstr.FromString(o.container().Ports[0].Name)
	return errors.Join(
		errorUnless(live.HTTPGet.Port == port && ready.HTTPGet.Port == port, "a probe uses another port than %s", port.String()),
		errorUnless(live.HTTPGet.Path != ready.HTTPGet.Path, "a pod that is stopping is not ready, and would be killed for that"),
	)
}

func isBounded(o *objects, program service) error {
	limits, requests := o.container().Resources.Limits, o.container().Resources.Requests
	variables := map[string]string{}
	for _, env := range o.container().Env {
		variables[env.Name] = env.Value
	}
	return errors.Join(
		errorUnless(!requests.Cpu().IsZero(), "without a CPU request the autoscaler cannot work"),
		errorUnless(!requests.Memory().IsZero() && !limits.Cpu().IsZero(), "a request or a limit is missing"),
		fitsMemory(variables["GOMEMLIMIT"], limits.Memory().Value()),
		errorUnless(variables["GOMEMLIMIT"] == program.goMemLimit && limits.Memory().Value() == program.containerMiB<<20,
			"the memory is measured with %s in %d MiB", program.goMemLimit, program.containerMiB),
	)
}

// fitsMemory returns an error unless GOMEMLIMIT is at most four fifths of the
// container's limit and at least what the service needs.
func fitsMemory(told string, limit int64) error {
	mebibytes, ok := strings.CutSuffix(told, "MiB")
	n, err := strconv.ParseInt(mebibytes, 10, 64)
	if !ok || err != nil {
		return fmt.Errorf("GOMEMLIMIT is %q", told)
	}
	const needs = 64
	return errorUnless(n >= needs && n<<20 <= limit*4/5, "GOMEMLIMIT is %s, but the limit is %d MiB", told, limit>>20)
}
