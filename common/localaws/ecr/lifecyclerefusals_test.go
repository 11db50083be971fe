//lint:file-ignore SA1019 The service uses the SDK's first version.

package ecr_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go/aws"

	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

// Parts of the rules of the tables below.
const (
	expire      = `"action":{"type":"expire"}`
	archive     = `"action":{"type":"transition","targetStorageClass":"archive"}`
	moreThanOne = `"countType":"imageCountMoreThan","countNumber":1`
	pushed      = `"countType":"sinceImagePushed","countUnit":"days","countNumber":5`
	pulled      = `"countType":"sinceImagePulled","countUnit":"days","countNumber":5`
	inArchive   = `"storageClass":"archive","countType":"sinceImageTransitioned","countUnit":"days","countNumber":90`
	isAny       = `"tagStatus":"any"`
	isUntagged  = `"tagStatus":"untagged"`
	isProd      = `"tagStatus":"tagged","tagPatternList":["prod*"]`
)

// ruleOf returns a rule of a policy.
func ruleOf(priority, selection, action string) string {
	return `{"rulePriority":` + priority + `,"selection":{` + selection + `},` + action + `}`
}

// policyOf returns a policy. Its end has as many spaces as the SDK wants.
func lifecycleOf(rules ...string) string {
	return `{"rules":[` + strings.Join(rules, ",") + `]}` + strings.Repeat(" ", 100)
}

// lifecycleInput has a text of any length: the SDK refuses a short one.
type lifecycleInput struct {
	RepositoryName *string `locationName:"repositoryName"`
	Text           *string `locationName:"lifecyclePolicyText"`
}

// TestLifecycleRefusals shows what a policy is refused for, when it is put and
// when it is previewed.
func TestLifecycleRefusals(t *testing.T) {
	t.Parallel()
	one := func(selection, action string) string { return lifecycleOf(ruleOf("1", selection, action)) }
	tagged := func(list string) string { return one(`"tagStatus":"tagged",`+list+`,`+pushed, expire) }
	const (
		countFits  = `instance failed to match exactly one schema (matched 0 out of 4)`
		actionFits = `instance failed to match exactly one schema (matched 0 out of 2)`
		noMap      = `Could not map policyString into LifecyclePolicy.`
		twice      = `Each rule must have a unique set of tags per storage class`
		onlyTagged = `Must specify tagPrefixList or tagPatternList only when tagStatus=TAGGED.`
		noTags     = `Must specify tagPrefixList or tagPatternList when tagStatus=TAGGED.`
		oneAny     = `Rule for tagStatus=ANY must have the lowest priority per storage class`
	)
	spaces := strings.Repeat(" ", 100)
	for name, test := range map[string]struct{ text, want string }{
		"no JSON":           {`{"rules":` + spaces, noMap},
		"two documents":     {one(isAny+","+pushed, expire) + "{}", noMap},
		"a list":            {`[]` + spaces, noMap},
		"null":              {`null` + spaces, noMap},
		"no rules":          {`{}` + spaces, `object has missing required properties (["rules"])`},
		"capital letters":   {`{"Rules":[]}` + spaces, `object has missing required properties (["rules"])`},
		"rules are no list": {`{"rules":{}}` + spaces, `instance type (object) does not match any allowed primitive type (allowed: ["array"])`},
		"empty rules":       {lifecycleOf(), `array is too short: must have at least 1 elements but instance has 0 elements`},
		"51 rules":          {lifecycleOf(strings.Split(strings.Repeat("{},", 50)+"{}", ",")...), `array is too long: must have at most 50 elements but instance has 51 elements`},
		"more than rules":   {`{"rules":[],"x":1,"Id":2}` + spaces, `object instance has properties which are not allowed by the schema: (["Id","x"])`},
		"rule is no object": {lifecycleOf(`"x"`), `instance type (string) does not match any allowed primitive type (allowed: ["object"])`},
		"empty rule":        {lifecycleOf(`{}`), `object has missing required properties (["action","rulePriority","selection"])`},
		"unknown in a rule": {lifecycleOf(`{"rulePriority":1,"Description":"","selection":{},"action":{}}`), `object instance has properties which are not allowed by the schema: (["Description"])`},
		"description":       {lifecycleOf(`{"rulePriority":1,"description":null,"selection":{},"action":{"type":"expire"}}`), `instance type (null) does not match any allowed primitive type (allowed: ["string"])`},
		"priority 0":        {lifecycleOf(ruleOf("0", isAny+","+pushed, expire)), `numeric instance is lower than the required minimum (minimum: 1, found: 0)`},
		"priority 1.5":      {lifecycleOf(ruleOf("1.5", isAny+","+pushed, expire)), `instance type (number) does not match any allowed primitive type (allowed: ["integer"])`},
		"priority true":     {lifecycleOf(ruleOf("true", isAny+","+pushed, expire)), `instance type (boolean) does not match any allowed primitive type (allowed: ["integer"])`},
		"priority twice":    {lifecycleOf(ruleOf("7", isUntagged+","+pushed, expire), ruleOf("7", isAny+","+pushed, expire)), `Each rule must have a unique rulePriority`},

		"empty selection":     {one("", expire), `object has missing required properties (["countNumber","countType","tagStatus"])`},
		"unknown selection":   {one(isAny+`,"x":1,`+pushed, expire), `object instance has properties which are not allowed by the schema: (["x"])`},
		"unknown tag status":  {one(`"tagStatus":"TAGGED",`+pushed, expire), `instance value (TAGGED) not found in enum :(possible values: ["any","tagged","untagged"])`},
		"list is no list":     {tagged(`"tagPrefixList":"a"`), `instance type (string) does not match any allowed primitive type (allowed: ["array"])`},
		"tag is no text":      {tagged(`"tagPrefixList":[1]`), `instance type (integer) does not match any allowed primitive type (allowed: ["string"])`},
		"no tags":             {one(`"tagStatus":"tagged",`+pushed, expire), noTags},
		"empty tags":          {tagged(`"tagPatternList":[]`), noTags},
		"patterns, prefixes":  {tagged(`"tagPatternList":["a"],"tagPrefixList":["b"]`), `Must specify either tagPrefixList or tagPatternList, not both.`},
		"any with tags":       {one(isAny+`,"tagPatternList":["a"],`+pushed, expire), onlyTagged},
		"any with empty tags": {one(isAny+`,"tagPrefixList":[],`+pushed, expire), onlyTagged},
		"untagged with tags":  {one(isUntagged+`,"tagPrefixList":["a"],`+pushed, expire), onlyTagged},
		"five wildcards":      {tagged(`"tagPatternList":["*a*","*a*b*c*d*"]`), `A tag pattern must have no more than 4 wildcards.`},

		"unknown count":         {one(isAny+`,"countType":"x","countNumber":1`, expire), countFits},
		"count 0":               {one(isAny+`,"countType":"imageCountMoreThan","countNumber":0`, expire), `numeric instance is lower than the required minimum (minimum: 1, found: 0)`},
		"count is text":         {one(isAny+`,"countType":"imageCountMoreThan","countNumber":"1"`, expire), `instance type (string) does not match any allowed primitive type (allowed: ["integer"])`},
		"count with unit":       {one(isAny+`,"countUnit":"days",`+moreThanOne, expire), countFits},
		"count with unit null":  {one(isAny+`,"countUnit":null,`+moreThanOne, expire), countFits},
		"age without unit":      {one(isAny+`,"countType":"sinceImagePushed","countNumber":1`, expire), countFits},
		"pull without unit":     {one(isAny+`,"countType":"sinceImagePulled","countNumber":1`, archive), countFits},
		"hours":                 {one(isAny+`,"countType":"sinceImagePushed","countUnit":"hours","countNumber":1`, expire), `instance value (hours) not found in enum :(possible values: ["days"])`},
		"89 days in archive":    {one(isAny+`,"storageClass":"archive","countType":"sinceImageTransitioned","countUnit":"days","countNumber":89`, expire), `numeric instance is lower than the required minimum (minimum: 90, found: 89)`},
		"transition, no class":  {one(isAny+`,"countType":"sinceImageTransitioned","countUnit":"days","countNumber":90`, expire), countFits},
		"transition, no unit":   {one(isAny+`,"storageClass":"archive","countType":"sinceImageTransitioned","countNumber":90`, expire), countFits},
		"pushed and archived":   {one(isAny+`,"storageClass":"archive",`+pushed, expire), countFits},
		"pulled and archived":   {one(isAny+`,"storageClass":"archive",`+pulled, archive), countFits},
		"count in the archive":  {one(isAny+`,"storageClass":"archive",`+moreThanOne, expire), countFits},
		"unknown storage class": {one(isAny+`,"storageClass":"ARCHIVE",`+moreThanOne, expire), `instance value (ARCHIVE) not found in enum :(possible values: ["archive","standard"])`},

		"no action":           {one(isAny+","+pushed, `"action":{}`), `object has missing required properties (["type"])`},
		"unknown action":      {one(isAny+","+pushed, `"action":{"type":"delete"}`), `instance value (delete) not found in enum :(possible values: ["expire","transition"])`},
		"unknown in action":   {one(isAny+","+pushed, `"action":{"type":"expire","x":1}`), `object instance has properties which are not allowed by the schema: (["x"])`},
		"expire to archive":   {one(isAny+","+pushed, `"action":{"type":"expire","targetStorageClass":"archive"}`), actionFits},
		"expire to null":      {one(isAny+","+pushed, `"action":{"type":"expire","targetStorageClass":null}`), actionFits},
		"transition":          {one(isAny+","+pushed, `"action":{"type":"transition"}`), actionFits},
		"to standard":         {one(isAny+","+pushed, `"action":{"type":"transition","targetStorageClass":"standard"}`), actionFits},
		"expire not pulled":   {one(isAny+","+pulled, expire), `The action EXPIRE is not supported for the countType sinceImagePulled`},
		"archive the archive": {one(isAny+","+inArchive, archive), `The action TRANSITION is not supported for the countType sinceImageTransitioned`},

		"untagged twice":    {lifecycleOf(ruleOf("1", isUntagged+","+pushed, archive), ruleOf("2", isUntagged+","+moreThanOne, expire)), `Only one rule can select Untagged images per storage class`},
		"any is not last":   {lifecycleOf(ruleOf("2", isUntagged+","+pushed, expire), ruleOf("1", isAny+","+pushed, expire)), oneAny},
		"any twice":         {lifecycleOf(ruleOf("1", isAny+","+inArchive, expire), ruleOf("2", isAny+","+inArchive, expire)), oneAny},
		"same patterns":     {lifecycleOf(ruleOf("1", isProd+","+pushed, archive), ruleOf("2", isProd+","+moreThanOne, expire)), twice},
		"same set of tags":  {lifecycleOf(ruleOf("1", `"tagStatus":"tagged","tagPrefixList":["a","b"],`+pushed, expire), ruleOf("2", `"tagStatus":"tagged","tagPrefixList":["b","a","b"],`+pushed, expire)), twice},
		"99 characters":     {`{"rules":[]}` + spaces[:87], ""},
		"30,721 characters": {one(isAny+","+pushed, expire) + strings.Repeat(" ", 30_721), ""},
		"no text":           {"", ""},
	} {
		want := "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle policy validation failure: " + test.want + "'"
		switch name {
		case "99 characters", "no text":
			want = "Invalid parameter at 'lifecyclePolicyText' failed to satisfy constraint: 'Member must have length greater than or equal to 100'"
		case "30,721 characters":
			want = "Invalid parameter at 'lifecyclePolicyText' failed to satisfy constraint: 'Member must have length less than or equal to 30720'"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := awstest.New(t)
			b.Add(t, "group/one")
			client := b.ECR(awstest.Here)
			for _, operation := range []string{"PutLifecyclePolicy", "StartLifecyclePolicyPreview"} {
				err := awstest.ErrorOf(raw(client, operation, &lifecycleInput{aws.String("group/one"), &test.text}))
				awstest.WantError(t, operation, err, "InvalidParameterException", want)
			}
			awstest.WantError(t, "nothing is put", awstest.ErrorOf(getLifecycle(client, "group/one")), "LifecyclePolicyNotFoundException", "")
		})
	}
}

// TestLifecycleNeedsText shows that only a preview can do without a policy.
func TestLifecycleNeedsText(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	b.Add(t, "group/one")
	err := awstest.ErrorOf(raw(b.ECR(awstest.Here), "PutLifecyclePolicy", &lifecycleInput{RepositoryName: aws.String("group/one")}))
	awstest.WantError(t, "no text", err, "InvalidParameterException", "Invalid parameter at 'lifecyclePolicyText' failed to satisfy constraint: 'must not be null'")
}

// TestLifecycleAccepted shows policies at the edge of what ECR accepts.
func TestLifecycleAccepted(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	b.Add(t, "group/one")
	client := b.ECR(awstest.Here)
	var fifty []string
	for i := range 50 {
		tag := strings.Repeat("a", i+1)
		fifty = append(fifty, ruleOf(strconv.Itoa(2*i+1), `"tagStatus":"tagged","tagPrefixList":["`+tag+`"],`+pushed, expire))
	}
	for name, text := range map[string]string{
		"50 rules":          lifecycleOf(fifty...),
		"30,720 characters": lifecycleOf(ruleOf("1", isAny+","+pushed, expire) + strings.Repeat(" ", 30_720-len(lifecycleOf(ruleOf("1", isAny+","+pushed, expire))))),
		"four wildcards":    lifecycleOf(ruleOf("1", `"tagStatus":"tagged","tagPatternList":["*a*b*c*","a"],`+pushed, expire)),
		"huge numbers":      lifecycleOf(ruleOf("9223372036854775807", isAny+`,"countType":"sinceImagePushed","countUnit":"days","countNumber":9223372036854775807`, expire)),
		"both classes":      lifecycleOf(ruleOf("1", isAny+","+pulled, archive), ruleOf("2", isUntagged+","+inArchive, expire), ruleOf("3", isAny+","+inArchive, expire)),
		"any order":         lifecycleOf(ruleOf("9", isAny+`,"storageClass":"standard",`+moreThanOne, archive), ruleOf("8", isProd+","+pushed, expire)),
		"patterns as prefixes": lifecycleOf(ruleOf("1", `"tagStatus":"tagged","tagPrefixList":["a"],`+pushed, expire),
			ruleOf("2", `"tagStatus":"tagged","tagPatternList":["a"],`+pushed, expire)),
	} {
		awstest.WantError(t, name, putLifecycle(client, "group/one", text), "", "")
		awstest.WantError(t, name, awstest.ErrorOf(startPreview(client, "group/one", text)), "", "")
	}
}
