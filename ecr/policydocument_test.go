package ecr

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws/policy"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
)

var sharingRegistry = common.Registry{Partition: "aws", Region: "us-east-1", Account: "012345678901"}

const (
	lambdas = `{"Sid":"LambdaECRImageRetrievalPolicy","Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},` +
		`"Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"],"Condition":{"StringLike":{"aws:sourceArn":"arn:aws:lambda:us-east-1:012345678901:function:*"}}}`
	odd     = `{"Sid":"a \u00e9 \/","Effect":"Deny","Principal":"*","Action":"ecr:*","Then":{"n":1.00,"n":2},"Condition":{"Bool":{"aws:SecureTransport":false}}}`
	earlier = `{"Sid":"AllowPullImagesFromSpaceAndOrg","Effect":"Allow","Principal":"*","Action":["ecr:GetDownloadUrlForLayer","ecr:BatchGetImage"],` +
		`"Condition":{"StringEqualsIgnoreCase":{"aws:PrincipalTag/spinup:org":"spindev","aws:PrincipalTag/spinup:spaceid":["space-2","space-1"]}}}`

	ofGroups = `{"Sid":"EcrApiPullByGroups","Effect":"Allow","Principal":{"AWS":["*"]},"Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"],` +
		`"Condition":{"StringEquals":{"aws:PrincipalAccount":["012345678901","210987654321"],"aws:PrincipalTag/spinup:org":["spindev"],"aws:PrincipalTag/spinup:spaceid":["space-1","space-2"]}}}`
	ofGroupsOnly = `{"Sid":"EcrApiPullByGroups","Effect":"Allow","Principal":{"AWS":["*"]},"Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"],` +
		`"Condition":{"StringEquals":{"aws:PrincipalAccount":["012345678901"],"aws:PrincipalTag/spinup:org":["spindev"],"aws:PrincipalTag/spinup:spaceid":["space-1","space-2"]}}}`
	ofAccounts = `{"Sid":"EcrApiPullByAccounts","Effect":"Allow","Principal":{"AWS":["arn:aws:iam::210987654321:root"]},"Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"],` +
		`"Condition":{"StringEquals":{"aws:PrincipalAccount":["210987654321"]}}}`
)

// documentOf returns a policy with these statements.
func documentOf(statements ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

func mustParsePolicy(t testing.TB, text string) *policyDocument {
	t.Helper()
	if text == "" {
		return nil
	}
	d, err := parsePolicy(text)
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return d
}

// All ways in which a policy can look before it is changed.
func TestPolicyDocument(t *testing.T) {
	t.Parallel()
	denying := strings.Replace(ofGroups, "Allow", "Deny", 1)
	none, both := []string{}, []string{"space-1", "space-2"}
	for name, test := range map[string]struct {
		text             string
		groups, accounts []string // that it shares with
		other            int
		shared           string // the text if it shares with space-1, space-2 and one account
		emptied          string // the text if it shares with nobody
	}{
		"no policy":       {"", none, none, 0, documentOf(ofGroups, ofAccounts), ""},
		"ours":            {documentOf(ofGroups, ofAccounts), both, []string{"210987654321"}, 0, documentOf(ofGroups, ofAccounts), ""},
		"groups only":     {documentOf(ofGroupsOnly), both, none, 0, documentOf(ofGroups, ofAccounts), ""},
		"accounts only":   {documentOf(ofAccounts), none, []string{"210987654321"}, 0, documentOf(ofGroups, ofAccounts), ""},
		"Lambda's":        {documentOf(lambdas), none, none, 1, documentOf(lambdas, ofGroups, ofAccounts), documentOf(lambdas)},
		"others around":   {documentOf(odd, ofAccounts, lambdas, ofGroups, odd), both, []string{"210987654321"}, 3, documentOf(odd, lambdas, odd, ofGroups, ofAccounts), documentOf(odd, lambdas, odd)},
		"earlier service": {documentOf(earlier), both, none, 0, documentOf(ofGroups, ofAccounts), ""},
		"one, not in a list": {`{"Statement":` + lambdas + `,"Version":"2008-10-17"}`, none, none, 1,
			`{"Statement":[` + lambdas + `,` + ofGroups + `,` + ofAccounts + `],"Version":"2008-10-17"}`, `{"Statement":[` + lambdas + `],"Version":"2008-10-17"}`},
		"ours, not in a list": {`{"Statement":` + ofGroupsOnly + `}`, both, none, 0, `{"Statement":[` + ofGroups + `,` + ofAccounts + `]}`, ""},
		"Id and more": {`{"\u0049d":"an id","Version":"2008-10-17","Statement":[` + lambdas + `],"New":{"a":[1e2]}}`, none, none, 1,
			`{"\u0049d":"an id","Version":"2008-10-17","Statement":[` + lambdas + `,` + ofGroups + `,` + ofAccounts + `],"New":{"a":[1e2]}}`,
			`{"\u0049d":"an id","Version":"2008-10-17","Statement":[` + lambdas + `],"New":{"a":[1e2]}}`},
		"with spaces": {"{\n  \"Version\" : \"2012-10-17\",\n  \"Statement\" : [ " + strings.ReplaceAll(lambdas, ",", " ,\n ") + " ]\n}", none, none, 1,
			documentOf(lambdas, ofGroups, ofAccounts), documentOf(lambdas)},
		"statements that are none": {documentOf(`1`, `"x"`, `[]`, `null`, `{"Sid":["EcrApiPullByGroups"]}`), none, none, 5,
			documentOf(`1`, `"x"`, `[]`, `null`, `{"Sid":["EcrApiPullByGroups"]}`, ofGroups, ofAccounts), documentOf(`1`, `"x"`, `[]`, `null`, `{"Sid":["EcrApiPullByGroups"]}`)},
		"ours, changed by somebody": {documentOf(
			`{"Sid":"EcrApiPullByGroups","Effect":"Allow","Principal":{"AWS":["*"]},"Action":"ecr:*","Condition":{"ForAnyValue:StringLike":{"AWS:principaltag/Spinup:SpaceId":"z*"},"StringEquals":{"aws:PrincipalTag/spinup:spaceid":["b","a"]},"StringNotEquals":{"aws:PrincipalTag/spinup:spaceid":"c"},"Null":{"aws:PrincipalTag/spinup:spaceid":"false"}}}`,
			`{"Sid":"EcrApiPullByAccounts","Effect":"Allow","Principal":{"AWS":["*","333333333333","arn:aws:iam::210987654321:root","arn:aws:iam::210987654321:role/x","012345678901","AIDAXXXXXXXXXXXXXXXX"]},"Action":"ecr:*"}`),
			[]string{"a", "b", "z*"}, []string{"210987654321", "333333333333"}, 2, documentOf(ofGroups, ofAccounts), ""},
		"ours, an account as a string": {documentOf(`{"Sid":"EcrApiPullByAccounts","Effect":"Allow","Principal":{"AWS":"210987654321"},"Action":"ecr:*"}`),
			none, []string{"210987654321"}, 1, documentOf(ofGroups, ofAccounts), ""},
		"a Deny with one of our names": {documentOf(denying), none, none, 1, documentOf(denying, ofGroups, ofAccounts), documentOf(denying)},
		"ours beside the earlier service's": {documentOf(earlier, strings.ReplaceAll(ofGroupsOnly, `"space-1","space-2"`, `"space-3"`)), []string{"space-1", "space-2", "space-3"}, none, 0,
			documentOf(ofGroups, ofAccounts), ""},
		"ours, without the account's statement": {documentOf(ofGroups), both, none, 1, documentOf(ofGroups, ofAccounts), ""},
		"ours, not readable": {documentOf(`{"Sid":"EcrApiPullByGroups","Effect":"Allow","Condition":[]}`, `{"Sid":"EcrApiPullByAccounts","Effect":"Allow","Principal":3}`,
			`{"Sid":"EcrApiPullByGroups","Effect":"Allow","Condition":{"StringEquals":{"aws:PrincipalTag/spinup:spaceid":[1]}}}`), none, none, 3, documentOf(ofGroups, ofAccounts), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := mustParsePolicy(t, test.text)
			if diff := cmp.Diff(&Sharing{test.groups, test.accounts, test.other}, d.sharing(sharingRegistry, "spindev")); diff != "" {
				t.Errorf("sharing (-want +got):\n%s", diff)
			}
			shared := d.with(shareWith(both, []string{"210987654321"}, sharingRegistry, "spindev"))
			if diff := cmp.Diff(test.shared, shared.String()); diff != "" {
				t.Errorf("shared (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.emptied, d.with(nil).String()); diff != "" {
				t.Errorf("emptied (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPolicyThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for _, text := range []string{``, `{`, `[]`, `"x"`, `null`, `{}`, `{"statement":[]}`, `{"Statement":[],"Statement":[]}`, `{"Statement":[]} x`} {
		if d, err := parsePolicy(text); err == nil {
			t.Errorf("%s was read as %s", text, d)
		}
	}
}

// AWS may write a policy anew. What it means is the same then.
func TestMeaningOfAPolicy(t *testing.T) {
	t.Parallel()
	const text = `{"Version":"2012-10-17","Statement":[{"Sid":"a","Effect":"Allow","Principal":{"AWS":["111111111111","222222222222"]},` +
		`"Action":["ecr:A","ecr:B"],"Condition":{"StringEquals":{"k":["1","2"],"l":"3"}}},{"Effect":"Deny","NotPrincipal":{"AWS":"333333333333"},"Action":"ecr:C"},` +
		`{"Effect":"Deny","Principal":"*","Action":"ecr:D"}]}`
	for what, change := range map[string]struct {
		old, new string
		same     bool
	}{
		"principals in another order":       {`["111111111111","222222222222"]`, `["222222222222","111111111111"]`, true},
		"the ARN of an account":             {`"111111111111"`, `"arn:aws:iam::111111111111:root"`, true},
		"the ARN of an account as a string": {`"333333333333"`, `["arn:aws:iam::333333333333:root"]`, true},
		"a list with one element":           {`"ecr:C"`, `["ecr:C"]`, true},
		"a value as a list":                 {`"3"`, `["3"]`, true},
		"values in another order":           {`["1","2"]`, `["2","1"]`, true},
		"actions in another order":          {`["ecr:A","ecr:B"]`, `["ecr:B","ecr:A","ecr:A"]`, true},
		"keys in another order":             {`"k":["1","2"],"l":"3"`, `"l":"3","k":["1","2"]`, true},
		"everybody":                         {`"Principal":"*"`, `"Principal":{"AWS":["*"]}`, true},
		"statements in another order": {`{"Effect":"Deny","NotPrincipal":{"AWS":"333333333333"},"Action":"ecr:C"},{"Effect":"Deny","Principal":"*","Action":"ecr:D"}`,
			`{"Effect":"Deny","Principal":"*","Action":"ecr:D"},{"Effect":"Deny","NotPrincipal":{"AWS":"333333333333"},"Action":"ecr:C"}`, true},
		"spaces":                     {`,`, ` , `, true},
		"actions in other letters":   {`["ecr:A","ecr:B"]`, `["ECR:a","ecr:b"]`, true},
		"an action in other letters": {`"ecr:C"`, `"Ecr:c"`, true},
		"keys in other letters":      {`"k":["1","2"],"l"`, `"K":["1","2"],"L"`, true},

		"one more statement":           {`"Statement":[`, `"Statement":[{"Effect":"Deny","Principal":"*","Action":"ecr:D"},`, false},
		"another account":              {`"111111111111"`, `"444444444444"`, false},
		"an account less":              {`,"222222222222"`, ``, false},
		"a role":                       {`"111111111111"`, `"arn:aws:iam::111111111111:role/root"`, false},
		"another kind":                 {`{"AWS":"333333333333"}`, `{"Service":"333333333333"}`, false},
		"another element":              {`NotPrincipal`, `Principal`, false},
		"another version":              {`2012`, `2008`, false},
		"an Id":                        {`"Version"`, `"Id":"x","Version"`, false},
		"another operator":             {`StringEquals`, `StringLike`, false},
		"another key":                  {`"l"`, `"m"`, false},
		"another effect":               {`"Allow"`, `"Deny"`, false},
		"a Sid in other letters":       {`"a"`, `"A"`, false},
		"two keys that differ in case": {`"k":["1","2"],"l":"3"`, `"k":["1","2"],"K":["2","1"],"l":"3"`, false},
		"one more element":             {`"Sid":"a",`, `"Sid":"a","New":1,`, false},
		"a condition on an ARN":        {`"3"`, `"arn:aws:iam::111111111111:root"`, false},
	} {
		changed := strings.ReplaceAll(text, change.old, change.new)
		if changed == text {
			t.Errorf("%s: nothing is changed", what)
		}
		if same := mustParsePolicy(t, text).meaning() == mustParsePolicy(t, changed).meaning(); same != change.same {
			t.Errorf("%s: the same meaning: %v, want %v", what, same, change.same)
		}
	}
	if mustParsePolicy(t, text).meaning() == (*policyDocument)(nil).meaning() {
		t.Error("no policy means the same as one")
	}
}

// A statement of ours stays only if it means exactly what would be written.
func TestSharesExactly(t *testing.T) {
	t.Parallel()
	wanted := shareWith([]string{"space-1", "space-2"}, []string{"210987654321"}, sharingRegistry, "spindev")
	for text, want := range map[string]bool{
		documentOf(ofGroups, ofAccounts):                                         true,
		documentOf(ofAccounts, lambdas, ofGroups):                                true,
		documentOf(ofGroups, ofAccounts, ofAccounts):                             false,
		documentOf(ofGroups, ofAccounts, earlier):                                false,
		documentOf(ofGroups):                                                     false,
		documentOf(ofGroupsOnly, ofAccounts):                                     false,
		documentOf(strings.ReplaceAll(ofGroups, "spindev", "other"), ofAccounts): false,
		documentOf(strings.Replace(ofGroups, `"ecr:BatchGetImage",`, `"ecr:BatchGetImage","ecr:PutImage",`, 1), ofAccounts): false,
		documentOf(strings.Replace(ofGroups, `"StringEquals":`, `"StringEqualsIgnoreCase":`, 1), ofAccounts):                false,
		documentOf(strings.Replace(ofGroups, `"aws:PrincipalAccount":["012345678901","210987654321"],`, ``, 1), ofAccounts): false,
		documentOf(strings.Replace(ofGroups, `"Effect"`, `"Resource":"*","Effect"`, 1), ofAccounts):                         false,
		documentOf(ofGroups, strings.Replace(ofAccounts, `["arn:aws:iam::210987654321:root"]`, `"210987654321"`, 1)):        true,
		documentOf(strings.Replace(ofGroups, `{"AWS":["*"]}`, `"*"`, 1), ofAccounts):                                        true,
	} {
		if got := mustParsePolicy(t, text).shares(wanted); got != want {
			t.Errorf("%v, want %v: %s", got, want, text)
		}
	}
	if !(*policyDocument)(nil).shares(nil) || (*policyDocument)(nil).shares(wanted) {
		t.Error("no policy shares with nobody")
	}
}

func TestStatementWithGonePrincipal(t *testing.T) {
	t.Parallel()
	with := func(sid, principals string) string {
		return `{` + sid + `"Effect":"Allow","Principal":` + principals + `,"Action":"ecr:BatchGetImage"}`
	}
	for text, want := range map[string]string{
		"":                  "",
		documentOf(lambdas): "",
		documentOf(lambdas, with(`"Sid":"a b",`, `{"AWS":"AIDACKCEVSQ6C2EXAMPLE"}`)):                                              `statement "a b"`,
		documentOf(lambdas, with(``, `{"AWS":["arn:aws:iam::012345678901:role/x","AROADBQP57FF2AEXAMPLE"]}`)):                     `statement 2 (without a Sid)`,
		documentOf(strings.Replace(with(`"Sid":"n",`, `{"AWS":"AROADBQP57FF2AEXAMPLE"}`), "Principal", "NotPrincipal", 1)):        `statement "n"`,
		documentOf(with(`"Sid":"EcrApiPullByAccounts",`, `{"AWS":"AIDACKCEVSQ6C2EXAMPLE"}`)):                                      "",
		documentOf(with(``, `{"Service":"AIDACKCEVSQ6C2EXAMPLE"}`), with(``, `"AIDACKCEVSQ6C2EXAMPLE"`), with(``, `{"AWS":"*"}`)): "",
		documentOf(with(``, `{"AWS":"arn:aws:iam::012345678901:user/AIDACKCEVSQ6C2EXAMPLE"}`)):                                    "",
	} {
		if got := mustParsePolicy(t, text).withGonePrincipal(); got != want {
			t.Errorf("%q, want %q: %s", got, want, text)
		}
	}
}

// An error names three statements of others that have principals.
func TestStatementsWithPrincipals(t *testing.T) {
	t.Parallel()
	with := func(sid, principals string) string {
		return `{"Sid":"` + sid + `","Effect":"Allow","Principal":` + principals + `,"Action":"ecr:BatchGetImage"}`
	}
	const role = `{"AWS":["arn:aws:iam::012345678901:role/x"]}`
	for text, want := range map[string]string{
		"": "",
		documentOf(lambdas, ofGroups, ofAccounts, earlier, with("a", `{"AWS":"*"}`)):   "",
		documentOf(lambdas, with("a", role), with("", `{"AWS":["*","210987654321"]}`)): `statement "a", statement 3 (without a Sid)`,
		documentOf(with("a", role), with("b", role), with("c", role), with("d", role)): `statement "a", statement "b", statement "c"`,
	} {
		if got := mustParsePolicy(t, text).withPrincipals(); got != want {
			t.Errorf("%q, want %q: %s", got, want, text)
		}
	}
}

// The error says how many groups fit. That number does, and one more does not.
func TestPolicyTooLong(t *testing.T) {
	t.Parallel()
	names := func(n int, name string) (list []string) {
		for i := range n {
			list = append(list, fmt.Sprintf(name, i))
		}
		return list
	}
	for name, test := range map[string]struct {
		before           string
		groups, accounts int
		want             string
	}{
		"many groups":             {"", 1000, 1, "The repository's policy would have 13568 characters, and may have 10240. Of the 1000 groups, the first 744 in alphabetical order fit."},
		"beside other statements": {documentOf(lambdas, odd), 1000, 0, "The repository's policy would have 13725 characters, and may have 10240. Of the 1000 groups, the first 731 in alphabetical order fit."},
		"other statements only":   {documentOf(strings.Replace(odd, "Then", strings.Repeat("é", 10_000), 1)), 3, 0, "The repository's policy would have 10500 characters, and may have 10240. None of the 3 groups fits."},
		"other statements that are too long": {documentOf(strings.Replace(odd, "Then", strings.Repeat("é", 10_200), 1)), 3, 0,
			"The repository's policy would have 10700 characters, and may have 10240. The statements that are not the service's have 10380 alone: remove some of them in AWS."},
		"too many accounts": {"", 2, 300, "The repository's policy would have 19431 characters, and may have 10240. Even without groups it would be too long: share with fewer accounts."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := mustParsePolicy(t, test.before)
			s := Share{Org: "spindev", Groups: names(test.groups, "group-%04d"), Accounts: names(test.accounts, "%012d")}
			err := d.checkLength(s, sharingRegistry)
			if err == nil || err.Error() != test.want || common.CodeOf(err) != common.BadRequest {
				t.Fatalf("%v, want %s", err, test.want)
			}
			all := s.Groups
			var fit int
			if _, after, ok := strings.Cut(test.want, "the first "); ok {
				_, err := fmt.Sscan(after, &fit)
				if err != nil {
					t.Fatal(err)
				}
				s.Groups = all[:fit]
				if err := d.checkLength(s, sharingRegistry); err != nil {
					t.Errorf("%d groups do not fit: %v", fit, err)
				}
				s.Groups = all[:fit+1]
				if err := d.checkLength(s, sharingRegistry); err == nil {
					t.Errorf("%d groups fit", fit+1)
				}
			}
		})
	}
}

// AWS may make a policy longer than it takes. A change that makes it shorter is
// for AWS to decide.
func TestPolicyTooLongThatGetsShorter(t *testing.T) {
	t.Parallel()
	long := strings.Replace(odd, "Then", strings.Repeat("é", 10_200), 1)
	d := mustParsePolicy(t, documentOf(long, ofGroups))
	for name, test := range map[string]struct {
		groups []string
		code   common.Code
	}{
		"without groups": {nil, ""},
		"fewer groups":   {[]string{"space-1"}, ""},
		"as long":        {[]string{"space-1", "space-2", "spa"}, common.BadRequest},
	} {
		err := d.checkLength(Share{Org: "spindev", Groups: test.groups, Accounts: []string{"210987654321"}}, sharingRegistry)
		if name != "as long" { // without the statement for the account
			err = d.checkLength(Share{Org: "spindev", Groups: test.groups}, sharingRegistry)
		}
		if common.CodeOf(err) != test.code {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The names of accounts have the partition of the registry. Those of any
// partition are read.
func TestSharingInAnotherPartition(t *testing.T) {
	t.Parallel()
	for _, partition := range []string{"aws", "aws-cn", "aws-us-gov"} {
		registry := common.Registry{Partition: partition, Region: "any-1", Account: "012345678901"}
		ours := shareWith(nil, []string{"210987654321"}, registry, "spindev")
		want := strings.Replace(documentOf(ofAccounts), "arn:aws:", "arn:"+partition+":", 1)
		written := mustParsePolicy(t, "").with(ours)
		if diff := cmp.Diff(want, written.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", partition, diff)
		}
		read := mustParsePolicy(t, written.String())
		if diff := cmp.Diff(&Sharing{[]string{}, []string{"210987654321"}, 0}, read.sharing(registry, "spindev")); diff != "" || !read.shares(ours) {
			t.Errorf("%s: read (-want +got):\n%s", partition, diff)
		}
	}
}

// Statements of others stay word for word and in their order, whatever they are.
// What is written is a policy by AWS's grammar if it was one before, and is read
// again as it was meant.
func FuzzPolicyDocument(f *testing.F) {
	for _, text := range []string{
		documentOf(ofGroups, lambdas, ofAccounts), documentOf(odd, earlier, lambdas), `{"Id":"x","Statement":` + lambdas + `}`,
		`{"Statement":[1,{"Sid":"EcrApiPullByGroups"},"\ud800"],"\u0053tatement ":0}`, documentOf(`{"Effect":"Allow","Principal":"*","Action":"ecr:*"}`),
	} {
		f.Add(text, "space-1", "210987654321")
	}
	f.Fuzz(func(t *testing.T, text, group, account string) {
		before, err := parsePolicy(text)
		if err != nil {
			return
		}
		groups, accounts := []string{"a" + strings.ToValidUTF8(group, "")}, []string{}
		if id, ok := accountOf(account); ok && id == account && id != sharingRegistry.Account {
			accounts = []string{account}
		}
		ours := shareWith(groups, accounts, sharingRegistry, "spindev")
		written := before.with(ours).String()
		after, err := parsePolicy(written)
		if err != nil {
			t.Fatalf("%v: %s", err, written)
		}
		same := func(a, b statement) bool { return slices.Equal(a.text, b.text) }
		if !slices.EqualFunc(before.others(), after.others(), same) {
			t.Errorf("other statements: %v, were %v", after.others(), before.others())
		}
		equal := func(a, b member) bool { return slices.Equal(a.name, b.name) && slices.Equal(a.value, b.value) }
		if !slices.EqualFunc(before.members, after.members, equal) {
			t.Errorf("members: %v, were %v", after.members, before.members)
		}
		if diff := cmp.Diff(&Sharing{groups, accounts, len(before.others())}, after.sharing(sharingRegistry, "spindev")); diff != "" || !after.shares(ours) {
			t.Errorf("sharing (-want +got):\n%s", diff)
		}
		if len(before.others()) > 0 && before.with(nil).meaning() != after.with(nil).meaning() {
			t.Errorf("without sharing: %s, want %s", after.with(nil), before.with(nil))
		}
		if _, err := policy.ParseResource(text); err == nil {
			if _, err := policy.ParseResource(written); err != nil {
				t.Errorf("%v: %s", err, written)
			}
		}
		if !json.Valid([]byte(written)) && jsontext.Value(text).IsValid() {
			t.Errorf("not JSON: %s", written)
		}
	})
}
