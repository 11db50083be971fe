package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/google/go-cmp/cmp"
)

const (
	createShared = `{"RepositoryName": "a", "Groups": ["space-2", "space-1", "space-2"]}`
	twoGroups    = `"Groups": ["space-1", "space-2"]`
)

// A create and an update set the groups, and leave the accounts. Their answers
// have the groups if the request has them.
func TestGroupsOfCreateAndUpdate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	update := func(body string, parts ...string) exchange {
		want := updated(parts...)
		if strings.Contains(body, "Groups") {
			want = with(want, body[strings.Index(body, `"Groups"`):len(body)-1])
		}
		return exchange{name: "update " + body, method: "PUT", path: base + "/g/a", body: body, status: 200, want: want}
	}
	w.run(
		exchange{method: "POST", path: base + "/g", body: createShared, status: 200, want: with(shown("g/a"), twoGroups)},
		sharingOf("GET", "", 200, `{`+twoGroups+`, "Accounts": [], "Other": 0}`),
		exchange{method: "GET", path: base + "/g/a", status: 200, want: shown("g/a")},
		update(`{"Groups": ["b"]}`),
		sharingOf("GET", "", 200, `{"Groups": ["b"], "Accounts": [], "Other": 0}`),
		sharingOf("PUT", shareToAll, 200, sharedToAll),
		update(`{"ScanOnPush": true, "Groups": ["b"]}`, scanned),
		sharingOf("GET", "", 200, `{"Groups": ["b"], "Accounts": ["210987654321"], "Other": 0}`),
		update(`{"Groups": []}`, scanned),
		sharingOf("GET", "", 200, `{"Groups": [], "Accounts": ["210987654321"], "Other": 0}`),
		update(`{"ScanOnPush": true}`, scanned),
		exchange{method: "PUT", path: base + "/g/a", body: `{"Groups": null}`, status: 200, want: updated(scanned)},
		sharingOf("GET", "", 200, `{"Groups": [], "Accounts": ["210987654321"], "Other": 0}`),
		exchange{method: "POST", path: base + "/g", body: `{"RepositoryName": "new", "Groups": []}`, status: 200, want: with(shown("g/new"), `"Groups": []`)},
		exchange{method: "POST", path: base + "/g", body: `{"RepositoryName": "new2", "Groups": null}`, status: 200, want: shown("g/new2")},
	)
	w.setPolicy(account, "g/a", policyOf(ofEarlier, ofLambda))
	w.run(update(`{"Groups": ["space-1"]}`, scanned))
	w.wantPolicy(policyOf(ofLambda, strings.NewReplacer(`, "210987654321"`, ``, `, "space-2"`, ``).Replace(ofGroups)))
}

func TestGroupsInput(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	for groups, detail := range map[string]string{
		`"a"`:         "Groups must be an array, not a string.",
		`["a", "b*"]`: "Groups[1] must be of letters, digits, '.', '_' and '-', and not '.' or '..'.",
		`["a", 1]`:    "Groups[1] must be a string, not a number.",
	} {
		w.run(
			exchange{method: "POST", path: base + "/g", body: `{"RepositoryName": "new", "Groups": ` + groups + `}`, status: 400, want: problemOf("bad-request", detail)},
			exchange{method: "PUT", path: base + "/g/a", body: `{"Groups": ` + groups + `}`, status: 400, want: problemOf("bad-request", detail)},
		)
	}
	if called := w.called(); called != nil {
		t.Errorf("AWS was called: %s", called)
	}
}

// Nothing is created or updated if the groups can never fit into a policy.
func TestTooManyGroups(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	var names []string
	for i := range 1000 {
		names = append(names, fmt.Sprintf("group-%04d", i))
	}
	const tooLong = "The repository's policy would have 13319 characters, and may have 10240. Of the 1000 groups, the first 763 in alphabetical order fit."
	w.run(
		exchange{name: "create", method: "POST", path: base + "/g", body: `{"RepositoryName": "new", "Groups": ` + jsonOf(names) + `}`, status: 400, want: problemOf("bad-request", tooLong)},
		exchange{method: "GET", path: base + "/g/new", status: 404, want: "-"},
		exchange{name: "update", method: "PUT", path: base + "/g/a", body: `{"ScanOnPush": true, "Groups": ` + jsonOf(names) + `}`, status: 400,
			want: problemOf("bad-request", tooLong)},
		exchange{method: "GET", path: base + "/g/a", status: 200, want: shown("g/a")},
		exchange{name: "create with fewer", method: "POST", path: base + "/g", body: `{"RepositoryName": "new", "Groups": ` + jsonOf(names[:763]) + `}`, status: 200, want: "-"},
	)
}

// The repository is created, and the groups are not set. An update sets them.
func TestCreateWhoseGroupsFail(t *testing.T) {
	t.Parallel()
	const advice = " Set Groups by an update of the repository: the same create would find that its name is taken."
	failed := func(code, said, unknown, awsCode string) string {
		detail, members := said+" Done all the same: Repository.", `"applied": ["Repository"]`
		if unknown != "" {
			detail += " It is not known whether this was done: " + unknown + "."
			members += `, "unknown": ["` + unknown + `"]`
		}
		if awsCode != "" {
			members += `, "awsCode": "` + awsCode + `", "awsRequestId": "aws"`
		}
		return with(problemOf(code, detail+advice), members)
	}
	for name, test := range map[string]struct {
		fault  localaws.Fault
		status int
		want   string
	}{
		"throttled":   {localaws.Fault{Operation: "ecr:SetRepositoryPolicy", Code: "ThrottlingException"}, 429, failed("throttled", throttledDetail, "", "ThrottlingException")},
		"refused":     {localaws.Fault{Operation: "ecr:SetRepositoryPolicy", Code: "InvalidParameterException", Message: "no"}, 400, failed("bad-request", "no.", "", "InvalidParameterException")},
		"lost":        {localaws.Fault{Operation: "ecr:SetRepositoryPolicy", Drop: true}, 500, failed("internal", internalError+".", "Groups", "")},
		"read failed": {localaws.Fault{Operation: "ecr:GetRepositoryPolicy", Code: "ThrottlingException"}, 429, failed("throttled", throttledDetail, "", "ThrottlingException")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			mend := w.aws.Inject(test.fault)
			w.run(
				exchange{method: "POST", path: base + "/g", body: createShared, status: test.status, want: test.want},
				exchange{method: "GET", path: base + "/g/a", status: 200, want: shown("g/a")},
				exchange{name: "again", method: "POST", path: base + "/g", body: createShared, status: 409, want: "-"},
			)
			mend()
			w.run(
				sharingOf("GET", "", 200, notShared),
				exchange{name: "update", method: "PUT", path: base + "/g/a", body: `{"Groups": ["space-1", "space-2"]}`, status: 200, want: with(shown("g/a"), twoGroups)},
			)
		})
	}
}

// Right after a create AWS may not know the repository or its tags yet.
func TestCreateWhoseTagsAWSKnowsLate(t *testing.T) {
	t.Parallel()
	for name, faults := range map[string][]localaws.Fault{
		"denied":       {{Operation: "ecr:SetRepositoryPolicy", Code: "AccessDeniedException", Message: "not yet", Times: 1}},
		"unknown":      {{Operation: "ecr:GetRepositoryPolicy", Code: "RepositoryNotFoundException", Message: "not yet", Times: 2}},
		"lost create":  {{Operation: "ecr:CreateRepository", Drop: true, AfterWork: true, Times: 1}},
		"lost sharing": {{Operation: "ecr:SetRepositoryPolicy", Drop: true, AfterWork: true, Times: 1}},
		"both": {
			{Operation: "ecr:GetRepositoryPolicy", Code: "RepositoryNotFoundException", Message: "not yet", Times: 1},
			{Operation: "ecr:SetRepositoryPolicy", Code: "AccessDeniedException", Message: "not yet", Times: 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			for _, f := range faults {
				w.aws.Inject(f)
			}
			w.run(exchange{method: "POST", path: base + "/g", body: createShared, status: 200, want: with(shown("g/a"), twoGroups)})
		})
	}
}

// The groups are one part of an update, after the others.
func TestUpdateWhoseGroupsFail(t *testing.T) {
	t.Parallel()
	all := strings.TrimSuffix(updateAll, "}") + `, "Groups": ["b"]}`
	set := "ecr:SetRepositoryPolicy"
	for name, test := range map[string]struct {
		faults []localaws.Fault
		status int
		want   string
	}{
		"throttled": {[]localaws.Fault{{Operation: set, Code: "ThrottlingException"}}, 429,
			failedChangeByAWS("throttled", throttledDetail, []string{"Tags", "ScanOnPush", "ImageTagMutability"}, nil, "ThrottlingException")},
		"lost": {[]localaws.Fault{{Operation: set, Drop: true}}, 500,
			failedChange("internal", internalError, []string{"Tags", "ScanOnPush", "ImageTagMutability"}, []string{"Groups"})},
		"tags refused": {[]localaws.Fault{{Operation: "ecr:TagResource", Code: "InvalidTagParameterException", Message: "no"}}, 400,
			failedChangeByAWS("bad-request", "no", []string{"ScanOnPush", "ImageTagMutability", "Groups"}, nil, "InvalidTagParameterException")},
		"tags refused, groups lost": {[]localaws.Fault{{Operation: "ecr:TagResource", Code: "InvalidTagParameterException", Message: "no"}, {Operation: set, Drop: true}}, 400,
			failedChangeByAWS("bad-request", "no", []string{"ScanOnPush", "ImageTagMutability"}, []string{"Groups"}, "InvalidTagParameterException")},
		"scanning lost, and groups": {[]localaws.Fault{{Operation: "ecr:PutImageScanningConfiguration", Drop: true, AfterWork: true}, {Operation: set, Drop: true}}, 500,
			failedChange("internal", internalError, []string{"Tags", "ScanOnPush", "ImageTagMutability"}, []string{"Groups"})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.addRepository(account, "g/a", org)
			var mend []func()
			for _, f := range test.faults {
				mend = append(mend, w.aws.Inject(f))
			}
			w.run(exchange{method: "PUT", path: base + "/g/a", body: all, status: test.status, want: test.want})
			for _, f := range mend {
				f()
			}
			w.run(exchange{name: "sent again", method: "PUT", path: base + "/g/a", body: all, status: 200, want: with(updatedAll(), `"Groups": ["b"]`)})
		})
	}
}

// Create and update have no right to change policies, unless the request has
// Groups.
func TestGroupsHaveASessionOfTheirOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(
		exchange{method: "POST", path: base + "/g", body: `{"RepositoryName": "a"}`, status: 200, want: "-"},
		exchange{method: "PUT", path: base + "/g/a", body: updateAll, status: 200, want: "-"},
	)
	for _, c := range w.calls {
		if strings.Contains(c.Policy, "RepositoryPolicy") {
			t.Errorf("%s in a session that may change policies", c.Operation)
		}
	}
	w.forget()
	w.run(exchange{method: "PUT", path: base + "/g/a", body: `{"Groups": ["b"], "ScanOnPush": false}`, status: 200, want: "-"})
	for _, c := range w.calls {
		if may := strings.Contains(c.Policy, "RepositoryPolicy"); c.Service == "ecr" && may != strings.HasSuffix(c.Operation, "RepositoryPolicy") {
			t.Errorf("%s in a session that may change policies: %v", c.Operation, may)
		}
	}
}

// A new repository is shared with nobody, so there is nothing to do for no groups.
func TestCreateWithoutGroupsDoesNotShare(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(exchange{method: "POST", path: base + "/g", body: `{"RepositoryName": "a", "Groups": []}`, status: 200, want: with(shown("g/a"), `"Groups": []`)})
	if diff := cmp.Diff([]string{"sts:AssumeRole", "ecr:CreateRepository"}, w.called()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// The audit line says with whom a repository was shared.
func TestAuditOfSharing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	var many, logged []any
	for i := range 112 {
		many = append(many, fmt.Sprintf("group-%03d", i))
	}
	logged = append(append(logged, many[:100]...), "12 more")
	for _, test := range []struct {
		exchange
		groups, accounts any
		outcome          string
	}{
		{sharingOf("PUT", shareToAll, 200, "-"), []any{"space-1", "space-2"}, []any{"210987654321"}, "done"},
		{sharingOf("PUT", shareToAll, 200, "-"), []any{"space-1", "space-2"}, []any{"210987654321"}, "done"},
		{sharingOf("PUT", `{"Groups": `+jsonOf(many)+`, "Accounts": []}`, 200, "-"), logged, []any{}, "done"},
		{sharingOf("PUT", `{"Groups": [], "Accounts": ["333333333333"]}`, 400, "-"), []any{}, []any{"333333333333"}, "failed"},
		{sharingOf("PUT", `{"Groups": ["*"], "Accounts": []}`, 400, "-"), nil, nil, "failed"},
		{sharingOf("DELETE", "", 200, "-"), []any{}, []any{}, "done"},
		{exchange{method: "PUT", path: base + "/g/a", body: `{"Groups": ["b"]}`, status: 200, want: "-"}, []any{"b"}, nil, "done"},
		{exchange{method: "PUT", path: base + "/g/a", body: `{"Groups": ["c", "b", "c", "a"]}`, status: 200, want: "-"}, []any{"a", "b", "c"}, nil, "done"},
		{exchange{method: "POST", path: base + "/g", body: `{"RepositoryName": "new", "Groups": ["c", "b", "c", "a"]}`, status: 200, want: "-"}, []any{"a", "b", "c"}, nil, "done"},
		{exchange{method: "PUT", path: base + "/g/a", body: `{"ScanOnPush": true}`, status: 200, want: "-"}, nil, nil, "done"},
	} {
		w.run(test.exchange)
		line := w.lastAudit(t)
		if diff := cmp.Diff([]any{test.groups, test.accounts, test.outcome}, []any{line["sharedGroups"], line["sharedAccounts"], line["outcome"]}); diff != "" {
			t.Errorf("%s: sharedGroups, sharedAccounts, outcome (-want +got):\n%s", test.body, diff)
		}
	}
}
