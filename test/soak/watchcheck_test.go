package main

import "testing"

func get(text string) event { return event{"GetRepositoryPolicy", "", text, text} }

func getNone() event {
	return event{"GetRepositoryPolicy", "RepositoryPolicyNotFoundException", "", ""}
}

func set(code, before, after string) event {
	return event{"SetRepositoryPolicy", code, before, after}
}

func TestCheckSharing(t *testing.T) {
	t.Parallel()
	const throttle, failure = "ThrottlingException", "ServerException"
	a, b, none := "a", "b", ""
	text := func(groups, accounts, frame string) string { return sharing{groups, accounts, false, frame}.text(here) }
	foreignOnly, with := policyOf(lambdas), text("a", there, policyOf(lambdas))
	wanted, without := text("b", "", policyOf(lambdas)), text("b", "", newPolicy)
	theirs := text("c", there, policyOf(lambdas))
	putting := operation{kind: putSharing, share: share{&b, &none}}
	emptying := operation{kind: deleteSharing, share: share{&none, &none}}
	updating := operation{kind: update, settings: settings{groups: &b}}
	tells := func(groups, accounts string, other int) *sharingAnswer {
		return &sharingAnswer{groups, accounts, other}
	}
	ok := outcome{status: 200}
	done := outcome{status: 200, sharing: tells("b", "", 1)}
	conflict := outcome{status: 409, code: sharingChanged}
	unsure := outcome{status: 409, code: sharingChanged, unknown: []string{"Sharing"}}

	for name, test := range map[string]struct {
		operation operation
		out       outcome
		events    []event
		want      string // a word of the error; empty if there is none
	}{
		"put":                             {putting, done, []event{get(with), set("", with, wanted), get(wanted)}, ""},
		"put whose answer was lost":       {putting, done, []event{get(with), set(failure, with, wanted), get(wanted), get(wanted)}, ""},
		"put that is sent again":          {putting, done, []event{get(with), set(throttle, with, with), get(with), set("", with, wanted), get(wanted)}, ""},
		"put of what is there":            {putting, done, []event{get(wanted)}, ""},
		"put into nothing":                {putting, ok, []event{getNone(), set("", "", without), get(without)}, ""},
		"put without the write":           {putting, done, []event{get(with)}, "not as asked for"},
		"put without the look before":     {putting, done, []event{set("", with, wanted), get(wanted)}, "without a look"},
		"put without the look after":      {putting, done, []event{get(with), set("", with, wanted)}, "did not look"},
		"put that is sent again unseen":   {putting, done, []event{get(with), set(throttle, with, with), set("", with, wanted), get(wanted)}, "without a look"},
		"put that drops a statement":      {putting, ok, []event{get(with), set("", with, without), get(without)}, "should have written"},
		"put that writes other lists":     {putting, ok, []event{get(with), set("", with, theirs), get(theirs)}, "should have written"},
		"put that says what is not there": {putting, outcome{status: 200, sharing: tells("b", "", 0)}, []event{get(with), set("", with, wanted), get(wanted)}, "answer"},
		"put that fails and says nothing": {putting, outcome{status: 500}, []event{get(with), set(failure, with, wanted)}, "does not say so"},
		"put that fails and is unknown":   {putting, outcome{status: 500, unknown: []string{"Sharing"}}, []event{get(with), set(failure, with, wanted)}, ""},
		"put that AWS has not done":       {putting, outcome{status: 429}, []event{get(with), set(throttle, with, with)}, ""},
		"others write after the look":     {putting, done, []event{get(with), {others, "", with, theirs}, set("", theirs, wanted), get(wanted)}, ""},
		"others write after the write":    {putting, unsure, []event{get(with), set("", with, wanted), {others, "", wanted, theirs}, get(theirs)}, ""},
		"others write after it, and it is not seen": {putting, done,
			[]event{get(with), set("", with, wanted), {others, "", wanted, theirs}, get(theirs)}, "not as asked for"},
		"others write before the repetition": {putting, conflict, []event{get(with), set(throttle, with, with), {others, "", with, theirs}, get(theirs)}, ""},
		"others are overwritten by the repetition": {putting, done,
			[]event{get(with), set(throttle, with, with), {others, "", with, theirs}, get(theirs), set("", theirs, wanted), get(wanted)}, "had changed"},
		"a conflict with nobody":         {putting, conflict, []event{get(with), set(throttle, with, with), get(with)}, "nobody"},
		"a conflict about nothing":       {putting, unsure, []event{get(foreignOnly), {others, "", foreignOnly, wanted}, get(wanted)}, "as asked for"},
		"a conflict that has changed it": {putting, conflict, []event{get(with), set("", with, wanted), {others, "", wanted, theirs}, get(theirs)}, "does not say so"},
		"delete":                         {emptying, ok, []event{get(without), {"DeleteRepositoryPolicy", "", without, ""}, getNone()}, ""},
		"delete of what others have deleted": {emptying, ok,
			[]event{get(without), {others, "", without, ""}, {"DeleteRepositoryPolicy", "RepositoryPolicyNotFoundException", "", ""}}, ""},
		"delete keeps others":               {emptying, ok, []event{get(with), set("", with, foreignOnly), get(foreignOnly)}, ""},
		"update":                            {updating, ok, []event{get(with), set("", with, text("b", there, policyOf(lambdas))), get(text("b", there, policyOf(lambdas)))}, ""},
		"update that loses the accounts":    {updating, ok, []event{get(with), set("", with, wanted), get(wanted)}, "should have written"},
		"update that says applied":          {updating, outcome{status: 500, applied: []string{"Groups"}}, []event{get(with)}, "not as asked for"},
		"update that names another part":    {updating, outcome{status: 500, unknown: []string{"Tags"}}, []event{get(with), set(failure, with, text("b", there, policyOf(lambdas)))}, "does not say so"},
		"show":                              {operation{kind: showSharing}, outcome{status: 200, sharing: tells("a", there, 1)}, []event{get(with)}, ""},
		"show of what is not there":         {operation{kind: showSharing}, done, []event{get(with)}, "not what it has read"},
		"groups that are the earlier one's": {operation{kind: update, settings: settings{groups: &a}}, ok, []event{get(policyOf(byEarlier))}, "not as asked for"},
	} {
		wantError(t, name, checkSharing(test.events, test.operation, test.out, here), test.want)
	}
}

func TestCheckLifecycle(t *testing.T) {
	t.Parallel()
	const failure = "ServerException"
	document, theirs := `{"rules":[1]}`, `{"rules":[2]}`
	look := func(text string) event { return event{"GetLifecyclePolicy", "", text, text} }
	none := event{"GetLifecyclePolicy", "LifecyclePolicyNotFoundException", "", ""}
	put := func(code, before, after string) event { return event{"PutLifecyclePolicy", code, before, after} }
	del := func(code, before, after string) event {
		return event{"DeleteLifecyclePolicy", code, before, after}
	}
	putting, deleting := operation{kind: putLifecycle, document: document}, operation{kind: deleteLifecycle}
	ok, gone := outcome{status: 200}, outcome{status: 404, code: lifecycleNotFound}
	tells := func(text string) outcome { return outcome{status: 200, lifecycle: &text} }

	for name, test := range map[string]struct {
		operation operation
		out       outcome
		events    []event
		want      string
	}{
		"put":                            {putting, tells(document), []event{put("", theirs, document)}, ""},
		"put that others replace":        {putting, ok, []event{put("", "", document), {others, "", document, theirs}}, ""},
		"put without the write":          {putting, ok, []event{put("", "", "")}, "never had"},
		"put that fails, unsaid":         {putting, outcome{status: 500}, []event{put(failure, "", document)}, "does not say so"},
		"put that fails, unknown":        {putting, outcome{status: 500, unknown: []string{"Lifecycle"}}, []event{put(failure, "", document)}, ""},
		"delete":                         {deleting, tells(document), []event{look(document), del("", document, "")}, ""},
		"delete without the call":        {deleting, tells(document), []event{look(document)}, "is there"},
		"delete shows another":           {deleting, tells(theirs), []event{look(document), del("", document, "")}, "another policy"},
		"delete whose answer was lost":   {deleting, tells(document), []event{look(document), del(failure, document, ""), none}, ""},
		"delete sent again":              {deleting, ok, []event{look(document), del(failure, document, document), look(document), del("", document, "")}, ""},
		"delete sent again unseen":       {deleting, ok, []event{look(document), del(failure, document, ""), {others, "", "", theirs}, del("", theirs, "")}, "without a look"},
		"delete of another's":            {deleting, ok, []event{look(document), del(failure, document, ""), {others, "", "", theirs}, look(theirs), del("", theirs, "")}, "was gone"},
		"delete of what others replaced": {deleting, ok, []event{look(document), {others, "", document, theirs}, del(failure, theirs, theirs), look(theirs)}, ""},
		"delete that fails, unsaid":      {deleting, outcome{status: 500}, []event{look(document), del(failure, document, "")}, "does not say so"},
		"nothing to delete":              {deleting, gone, []event{none}, ""},
		"nothing to delete, but there":   {deleting, gone, []event{look(document)}, "all the time"},
		"show":                           {operation{kind: showLifecycle}, tells(document), []event{look(document), {others, "", document, theirs}}, ""},
		"show of what was never there":   {operation{kind: showLifecycle}, tells(theirs), []event{look(document)}, "never there"},
	} {
		wantError(t, name, checkLifecycle(test.events, test.operation, test.out), test.want)
	}
}
