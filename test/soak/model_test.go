package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestStatesAfter(t *testing.T) {
	t.Parallel()
	on, mutable, immutable := true, mutability{Mode: "MUTABLE"}, newMutability("IMMUTABLE_WITH_EXCLUSION", []string{"v*", "latest"})
	absent := state{}
	old := state{Exists: true, Mutability: mutable, Tags: `{"A":"1"}`}
	made := state{Exists: true, Mutability: mutable, Tags: `{"A":"2"}`}
	scanned := state{Exists: true, Scan: true, Mutability: mutable, Tags: `{"A":"1"}`}
	tagged := state{Exists: true, Mutability: mutable, Tags: `{"A":"1","B":"3"}`}
	both := state{Exists: true, Scan: true, Mutability: mutable, Tags: `{"A":"1","B":"3"}`}
	all := state{Exists: true, Scan: true, Mutability: immutable, Tags: `{"A":"1","B":"3"}`}
	making := operation{kind: create, created: made}
	removing, showing, listing := operation{kind: remove}, operation{kind: show}, operation{kind: list}
	updating := operation{kind: update, settings: settings{scan: &on, mutability: &immutable, tags: map[string]string{"B": "3"}}}
	repository, scan, tags := []string{"Repository"}, []string{"ScanOnPush"}, []string{"Tags"}

	for name, test := range map[string]struct {
		before    []state
		operation operation
		out       outcome
		want      []state
	}{
		"create":                                  {[]state{absent}, making, outcome{status: 200, seen: &made}, []state{made}},
		"create whose caller hung up":             {[]state{absent}, making, outcome{status: 200}, []state{made}},
		"create that shows another state":         {[]state{absent}, making, outcome{status: 200, seen: &old}, nil},
		"create of an existing repository":        {[]state{old}, making, outcome{status: 200, seen: &made}, nil},
		"create of a repository that may exist":   {[]state{absent, made}, making, outcome{status: 200, seen: &made}, []state{made}},
		"create conflicts":                        {[]state{old, absent}, making, outcome{status: 409}, []state{old}},
		"create conflicts with no repository":     {[]state{absent}, making, outcome{status: 409}, nil},
		"create fails":                            {[]state{absent}, making, outcome{status: 500}, []state{absent}},
		"create fails, repository unknown":        {[]state{absent}, making, outcome{status: 500, unknown: repository}, []state{absent, made}},
		"create fails where one exists, unknown":  {[]state{old}, making, outcome{status: 500, unknown: repository}, []state{old}},
		"create fails, repository applied":        {[]state{absent}, making, outcome{status: 504, applied: repository}, []state{made}},
		"create fails where one exists, applied":  {[]state{old}, making, outcome{status: 504, applied: repository}, nil},
		"create names a part of an update":        {[]state{absent}, making, outcome{status: 500, unknown: tags}, nil},
		"create is forbidden":                     {[]state{old, absent}, making, outcome{status: 403}, nil},
		"create is not found":                     {[]state{old, absent}, making, outcome{status: 404}, nil},
		"delete":                                  {[]state{old, made}, removing, outcome{status: 200, seen: &old}, []state{absent}},
		"delete of an absent repository":          {[]state{absent}, removing, outcome{status: 200, seen: &old}, nil},
		"delete shows another state":              {[]state{made}, removing, outcome{status: 200, seen: &old}, nil},
		"delete is not found":                     {[]state{old, absent}, removing, outcome{status: 404}, []state{absent}},
		"delete is not found although it exists":  {[]state{old}, removing, outcome{status: 404}, nil},
		"delete fails, repository unknown":        {[]state{old}, removing, outcome{status: 429, unknown: repository}, []state{old, absent}},
		"delete is answered 503":                  {[]state{old}, removing, outcome{status: 503}, []state{old}},
		"delete is answered 503 and names a part": {[]state{old}, removing, outcome{status: 503, unknown: repository}, nil},
		"update":                                   {[]state{old}, updating, outcome{status: 200, seen: &all}, []state{all}},
		"update shows only some parts":             {[]state{old}, updating, outcome{status: 200, seen: &both}, nil},
		"update succeeds and names a part":         {[]state{old}, updating, outcome{status: 200, unknown: tags}, nil},
		"update fails, scan applied":               {[]state{old}, updating, outcome{status: 500, applied: scan}, []state{scanned}},
		"update fails, scan applied, tags unknown": {[]state{old}, updating, outcome{status: 500, applied: scan, unknown: tags}, []state{scanned, both}},
		"update fails, tags unknown":               {[]state{old}, updating, outcome{status: 500, unknown: tags}, []state{old, tagged}},
		"update names a part twice":                {[]state{old}, updating, outcome{status: 500, applied: tags, unknown: tags}, nil},
		"update of an absent repository, applied":  {[]state{absent}, updating, outcome{status: 500, applied: tags}, nil},
		"update is not read":                       {[]state{old}, updating, outcome{}, []state{old}},
		"show":                                     {[]state{absent, old, tagged}, showing, outcome{status: 200, seen: &tagged}, []state{tagged}},
		"show of an impossible state":              {[]state{absent, old}, showing, outcome{status: 200, seen: &tagged}, nil},
		"show whose caller hung up":                {[]state{absent, old}, showing, outcome{status: 499}, []state{absent, old}},
		"show is redirected":                       {[]state{absent, old}, showing, outcome{status: 302}, nil},
		"show names a part":                        {[]state{old}, showing, outcome{status: 500, unknown: tags}, nil},
		"list with the repository":                 {[]state{absent, old}, listing, outcome{status: 200, seen: &state{Exists: true}}, []state{old}},
		"list without an existing repository":      {[]state{old}, listing, outcome{status: 200, seen: &absent}, nil},
		"images":                                   {[]state{absent, old, tagged}, operation{kind: listImages}, outcome{status: 200}, []state{old, tagged}},
	} {
		if diff := cmp.Diff(test.want, statesAfter(test.before, test.operation, test.out)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestStatesAfterImages(t *testing.T) {
	t.Parallel()
	absent, empty := state{}, state{Exists: true}
	full := state{Exists: true, Images: newLibrary([]image{{alone, 1001, []string{"v1"}}, {signed, 2002, nil}})}
	both := []image{{signed, 2000, nil}, {alone, 1000, []string{"v1"}}}
	listing := operation{kind: listImages}
	ofTagged := operation{kind: listImages, query: imageQuery{tags: []string{"v*"}}}
	showing := func(name string) operation { return operation{kind: showImage, image: name} }
	lists := func(images ...image) outcome { return outcome{status: 200, listed: append([]image{}, images...)} }
	notFound := outcome{status: 404, code: imageNotFound}

	for name, test := range map[string]struct {
		before    []state
		operation operation
		out       outcome
		want      []state
	}{
		"list":                                {[]state{absent, empty, full}, listing, lists(both...), []state{full}},
		"list of an empty repository":         {[]state{absent, empty, full}, listing, lists(), []state{empty}},
		"list without an image":               {[]state{full}, listing, lists(both[0]), nil},
		"list in another order":               {[]state{full}, listing, lists(both[1], both[0]), nil},
		"list with another time":              {[]state{full}, listing, lists(both[0], image{alone, 2000, []string{"v1"}}), nil},
		"list without a tag":                  {[]state{full}, listing, lists(both[0], image{alone, 1000, nil}), nil},
		"list of some":                        {[]state{full}, ofTagged, lists(both[1]), []state{full}},
		"list of some with all":               {[]state{full}, ofTagged, lists(both...), nil},
		"list whose caller hung up":           {[]state{absent, full}, listing, outcome{status: 200}, []state{full}},
		"image by digest":                     {[]state{absent, empty, full}, showing(signed), lists(both[0]), []state{full}},
		"image by tag":                        {[]state{full}, showing("v1"), lists(both[1]), []state{full}},
		"another image":                       {[]state{full}, showing("v1"), lists(both[0]), nil},
		"image is not found":                  {[]state{absent, empty, full}, showing("v1"), notFound, []state{empty}},
		"image is not found, and it is there": {[]state{full}, showing("v1"), notFound, nil},
		"the list's image is not found":       {[]state{empty}, listing, notFound, nil},
	} {
		if diff := cmp.Diff(test.want, statesAfter(test.before, test.operation, test.out)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	first, second, third := image{alone, 3000, nil}, image{signed, 2000, []string{"v1"}}, image{part, 1000, nil}
	later := image{pushedLater, 4000, nil}
	before, after := []image{first, second, third}, []image{later, first, third}
	for name, test := range map[string]struct {
		query  imageQuery
		listed []image
		ok     bool
	}{
		"all":                              {imageQuery{}, []image{first, second, third}, true},
		"without what is deleted":          {imageQuery{}, []image{first, third}, true},
		"with what is pushed":              {imageQuery{}, []image{later, first, third}, true},
		"without what was there":           {imageQuery{}, []image{first, second}, false},
		"twice":                            {imageQuery{}, []image{first, second, second, third}, false},
		"what was never there":             {imageQuery{}, []image{first, {shared, 2000, nil}, third}, false},
		"in another order":                 {imageQuery{}, []image{third, first}, false},
		"of those with a tag":              {imageQuery{tagged: "true"}, []image{second}, true},
		"of those with a tag, also others": {imageQuery{tagged: "true"}, []image{first, second}, false},
	} {
		walk := &pageWalk{query: test.query, states: [][]image{before, after}, listed: test.listed}
		if err := walk.check(); (err == nil) != test.ok {
			t.Errorf("%s: error %v, want ok %t", name, err, test.ok)
		}
	}
}
