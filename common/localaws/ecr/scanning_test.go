//lint:file-ignore SA1019 The service uses the SDK's first version.

package ecr_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/google/go-cmp/cmp"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

// rule returns a rule of a registry's scanning.
func rule(frequency string, filters ...string) *ecr.RegistryScanningRule {
	r := &ecr.RegistryScanningRule{ScanFrequency: &frequency, RepositoryFilters: []*ecr.ScanningRepositoryFilter{}}
	for _, f := range filters {
		r.RepositoryFilters = append(r.RepositoryFilters, &ecr.ScanningRepositoryFilter{Filter: &f, FilterType: aws.String("WILDCARD")})
	}
	return r
}

func setScanning(client *ecr.ECR, scanType string, rules ...*ecr.RegistryScanningRule) error {
	return awstest.ErrorOf(client.PutRegistryScanningConfiguration(&ecr.PutRegistryScanningConfigurationInput{ScanType: &scanType, Rules: rules}))
}

func TestScanningOfRegistry(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	client := b.ECR(awstest.Here)
	const get = "GetRegistryScanningConfiguration"
	nothing := &ecr.GetRegistryScanningConfigurationInput{}
	wantRaw(t, "before any change", client, get, nothing, `{"registryId":"012345678901","scanningConfiguration":{"scanType":"BASIC","rules":[]}}`)
	wantRaw(t, "put", client, "PutRegistryScanningConfiguration", &ecr.PutRegistryScanningConfigurationInput{
		ScanType: aws.String("ENHANCED"), Rules: []*ecr.RegistryScanningRule{rule("CONTINUOUS_SCAN", "prod", "a*b"), rule("SCAN_ON_PUSH", "*")}},
		`{"registryScanningConfiguration":{"scanType":"ENHANCED","rules":[`+
			`{"scanFrequency":"CONTINUOUS_SCAN","repositoryFilters":[{"filter":"prod","filterType":"WILDCARD"},{"filter":"a*b","filterType":"WILDCARD"}]},`+
			`{"scanFrequency":"SCAN_ON_PUSH","repositoryFilters":[{"filter":"*","filterType":"WILDCARD"}]}]}}`)
	wantRaw(t, "afterwards", client, get, nothing,
		`{"registryId":"012345678901","scanningConfiguration":{"scanType":"ENHANCED","rules":[`+
			`{"scanFrequency":"CONTINUOUS_SCAN","repositoryFilters":[{"filter":"prod","filterType":"WILDCARD"},{"filter":"a*b","filterType":"WILDCARD"}]},`+
			`{"scanFrequency":"SCAN_ON_PUSH","repositoryFilters":[{"filter":"*","filterType":"WILDCARD"}]}]}}`)
	wantRaw(t, "another region", b.ECR("us-west-2"), get, nothing, `{"registryId":"012345678901","scanningConfiguration":{"scanType":"BASIC","rules":[]}}`)
	awstest.Must(t, b.SetScanning(awstest.Other, awstest.Here, "ENHANCED"))
	other := ecr.New(b.Session(awstest.Here, b.Assume(t, awstest.Other, "", nil)))
	wantRaw(t, "set directly", other, get, nothing, `{"registryId":"210987654321","scanningConfiguration":{"scanType":"ENHANCED","rules":[`+
		`{"scanFrequency":"CONTINUOUS_SCAN","repositoryFilters":[{"filter":"*","filterType":"WILDCARD"}]}]}}`)
	for name, err := range map[string]error{
		"'scanType'":          b.SetScanning(awstest.Other, awstest.Here, "BETTER"),
		`no account "1"`:      b.SetScanning("1", awstest.Here, "BASIC"),
		`no region "nowhere"`: b.SetScanning(awstest.Other, "nowhere", "BASIC"),
	} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("the error is %v, want one with %s", err, name)
		}
	}
}

func TestScanningErrors(t *testing.T) {
	t.Parallel()
	client := awstest.New(t).ECR(awstest.Here)
	names := func(n int) []*string {
		var list []*string
		for i := range n {
			list = append(list, aws.String(fmt.Sprintf("group/n%d", i)))
		}
		return list
	}
	batch := func(names []*string) error {
		return awstest.ErrorOf(raw(client, "BatchGetRepositoryScanningConfiguration", &struct {
			Names []*string `locationName:"repositoryNames"`
		}{names}))
	}
	other := rule("SCAN_ON_PUSH", "a")
	other.RepositoryFilters[0].SetFilterType("PREFIX")
	for _, test := range []struct {
		name string
		err  error
		text string
	}{
		{"unknown type", setScanning(client, "BETTER"), "'scanType'"},
		{"three rules", setScanning(client, "BASIC", rule("SCAN_ON_PUSH", "a"), rule("SCAN_ON_PUSH", "b"), rule("SCAN_ON_PUSH", "c")), "less than or equal to 2"},
		{"continuous basic scans", setScanning(client, "BASIC", rule("CONTINUOUS_SCAN", "*")), "must be one of SCAN_ON_PUSH, MANUAL with the scanType BASIC"},
		{"manual enhanced scans", setScanning(client, "ENHANCED", rule("MANUAL", "*")), "must be one of SCAN_ON_PUSH, CONTINUOUS_SCAN with the scanType ENHANCED"},
		{"101 filters", setScanning(client, "BASIC", rule("SCAN_ON_PUSH", strings.Split(strings.Repeat("a,", 100)+"a", ",")...)), "less than or equal to 100"},
		{"malformed filter", setScanning(client, "BASIC", rule("SCAN_ON_PUSH", "A")), "'filter'"},
		{"long filter", setScanning(client, "BASIC", rule("SCAN_ON_PUSH", strings.Repeat("a", 256))), "'filter'"},
		{"another type of filter", setScanning(client, "BASIC", other), "'filterType'"},
		{"no names", batch(nil), "'repositoryNames'"},
		{"empty list of names", batch([]*string{}), "greater than or equal to 1"},
		{"26 names", batch(names(26)), "less than or equal to 25"},
		{"malformed name", batch([]*string{aws.String("UPPER")}), "'repositoryName'"},
	} {
		awstest.WantError(t, test.name, test.err, "InvalidParameterException", test.text)
	}
}

func TestScanningOfRepositories(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	client := b.ECR(awstest.Here)
	names := []string{"prod/web", "test/prod", "test/web", "web"}
	for _, name := range names {
		b.Add(t, name)
	}
	awstest.Must(t, awstest.ErrorOf(client.PutImageScanningConfiguration(&ecr.PutImageScanningConfigurationInput{
		RepositoryName: aws.String("web"), ImageScanningConfiguration: &ecr.ImageScanningConfiguration{ScanOnPush: aws.Bool(true)}})))
	const never, push, always = "MANUAL", "SCAN_ON_PUSH", "CONTINUOUS_SCAN"
	for _, test := range []struct {
		scanType string
		rules    []*ecr.RegistryScanningRule
		want     []string // for each of the names: how often, and by which filters
	}{
		{"BASIC", nil, []string{never, never, never, push}},
		{"BASIC", []*ecr.RegistryScanningRule{rule(push, "prod")}, []string{push + " prod", push + " prod", never, push}},
		{"BASIC", []*ecr.RegistryScanningRule{rule(push, "prod*", "*w*b")}, []string{push + " prod* *w*b", never, push + " *w*b", push + " *w*b"}},
		{"ENHANCED", nil, []string{never, never, never, never}},
		{"ENHANCED", []*ecr.RegistryScanningRule{rule(push, "*"), rule(always, "test/*", "test/web")},
			[]string{push + " *", always + " test/*", always + " test/* test/web", push + " *"}},
		{"ENHANCED", []*ecr.RegistryScanningRule{rule(always, "test/*"), rule(push, "*")}, []string{push + " *", always + " test/*", always + " test/*", push + " *"}},
	} {
		awstest.Must(t, setScanning(client, test.scanType, test.rules...))
		out, err := client.BatchGetRepositoryScanningConfiguration(&ecr.BatchGetRepositoryScanningConfigurationInput{RepositoryNames: aws.StringSlice(names)})
		awstest.Must(t, err)
		var got []string
		for _, c := range out.ScanningConfigurations {
			text := *c.ScanFrequency
			for _, f := range c.AppliedScanFilters {
				text += " " + *f.Filter
			}
			got = append(got, text)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s %v (-want +got):\n%s", test.scanType, test.rules, diff)
		}
	}
	wantRaw(t, "one that is not there", client, "BatchGetRepositoryScanningConfiguration",
		&ecr.BatchGetRepositoryScanningConfigurationInput{RepositoryNames: aws.StringSlice([]string{"none", "prod/web", "test/web"})},
		`{"scanningConfigurations":[`+
			`{"repositoryArn":"arn:aws:ecr:us-east-1:012345678901:repository/prod/web","repositoryName":"prod/web","scanOnPush":true,"scanFrequency":"SCAN_ON_PUSH","appliedScanFilters":[{"filter":"*","filterType":"WILDCARD"}]},`+
			`{"repositoryArn":"arn:aws:ecr:us-east-1:012345678901:repository/test/web","repositoryName":"test/web","scanOnPush":true,"scanFrequency":"CONTINUOUS_SCAN","appliedScanFilters":[{"filter":"test/*","filterType":"WILDCARD"}]}],`+
			`"failures":[{"repositoryName":"none","failureCode":"REPOSITORY_NOT_FOUND","failureReason":"The repository with name 'none' does not exist in the registry with id '012345678901'"}]}`)
}

// TestScanningOfRegistryNeedsAll shows that no policy can limit the calls to a
// part of the registry.
func TestScanningOfRegistryNeedsAll(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	for operation, call := range map[string]func(*ecr.ECR) error{
		"GetRegistryScanningConfiguration": func(c *ecr.ECR) error {
			return awstest.ErrorOf(c.GetRegistryScanningConfiguration(&ecr.GetRegistryScanningConfigurationInput{}))
		},
		"PutRegistryScanningConfiguration": func(c *ecr.ECR) error { return setScanning(c, "BASIC") },
	} {
		try := func(s statement) error {
			return call(ecr.New(b.Session(awstest.Here, b.Assume(t, awstest.Other, document(s), nil))))
		}
		action := "ecr:" + operation
		awstest.Must(t, try(allowing("*", action)))
		awstest.WantError(t, operation, try(allowing("*", "ecr:DescribeImages")), "AccessDeniedException",
			"is not authorized to perform: "+action+" on resource: * because no session policy allows")
		awstest.WantError(t, operation+" on repositories", try(allowing("arn:aws:ecr:*:*:repository/*", action)), "AccessDeniedException", "on resource: *")
	}
}

// TestScanningOfRepositoriesNeedsEach shows that each repository of the list must
// be allowed.
func TestScanningOfRepositoriesNeedsEach(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	client := ecr.New(b.Session(awstest.Here, b.Assume(t, awstest.Other, document(allowing(group, "ecr:BatchGetRepositoryScanningConfiguration")), nil)))
	try := func(names ...string) error {
		return awstest.ErrorOf(client.BatchGetRepositoryScanningConfiguration(&ecr.BatchGetRepositoryScanningConfigurationInput{RepositoryNames: aws.StringSlice(names)}))
	}
	awstest.Must(t, try("group/one", "group/two"))
	awstest.WantError(t, "one of another group", try("group/one", "other/two"), "AccessDeniedException",
		"on resource: arn:aws:ecr:us-east-1:210987654321:repository/other/two because")
}

// TestScanByRules shows when an image is scanned that is pushed.
func TestScanByRules(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	client := b.ECR(awstest.Here)
	b.Add(t, "group/one")
	status := func() string {
		out, err := client.DescribeImageScanFindings(&ecr.DescribeImageScanFindingsInput{RepositoryName: aws.String("group/one"), ImageId: ofTag("v1")})
		if err != nil {
			return awstest.CodeOf(err)
		}
		return *out.ImageScanStatus.Status
	}
	const notScanned = "ScanNotFoundException"
	for i, test := range []struct {
		scanType  string
		rule      *ecr.RegistryScanningRule
		want      string
		otherType string // as the other scanType tells the same image
	}{
		{"BASIC", rule("SCAN_ON_PUSH", "elsewhere"), notScanned, notScanned},
		{"BASIC", rule("SCAN_ON_PUSH", "group"), "COMPLETE", notScanned},
		{"ENHANCED", rule("SCAN_ON_PUSH", "elsewhere"), notScanned, notScanned},
		{"ENHANCED", rule("SCAN_ON_PUSH", "*"), "COMPLETE", notScanned},
		{"ENHANCED", rule("CONTINUOUS_SCAN", "*"), "ACTIVE", notScanned},
	} {
		awstest.Must(t, setScanning(client, test.scanType, test.rule))
		awstest.Must(t, put(client, manifestOf(i+1), "v1"))
		if got := status(); got != test.want {
			t.Errorf("%d: %s, want %s", i, got, test.want)
		}
		other := map[string]string{"BASIC": "ENHANCED", "ENHANCED": "BASIC"}[test.scanType]
		awstest.Must(t, b.SetScanning(localaws.AdministratorAccount, awstest.Here, other))
		if got := status(); got != test.otherType {
			t.Errorf("%d: %s with the other type, want %s", i, got, test.otherType)
		}
		awstest.Must(t, b.SetScanning(localaws.AdministratorAccount, awstest.Here, test.scanType))
		if got := status(); got != test.want {
			t.Errorf("%d: %s with the first type again, want %s", i, got, test.want)
		}
	}
}
