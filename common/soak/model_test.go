package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestJudge(t *testing.T) {
	t.Parallel()
	on, immutable := true, "IMMUTABLE"
	absent := state{}
	old := state{Exists: true, Mutability: "MUTABLE", Tags: `{"A":"1"}`}
	made := state{Exists: true, Mutability: "MUTABLE", Tags: `{"A":"2"}`}
	scanned, tagged, both, all := old, old, old, old
	scanned.Scan = true
	tagged.Tags = `{"A":"1","B":"3"}`
	both.Scan, both.Tags = true, tagged.Tags
	all.Scan, all.Tags, all.Mutability = true, tagged.Tags, immutable
	making := operation{kind: create, created: made}
	removing, showing, listing := operation{kind: remove}, operation{kind: show}, operation{kind: list}
	updating := operation{kind: update, settings: settings{&on, &immutable, map[string]string{"B": "3"}}}
	whole := []string{partRepository}

	for name, test := range map[string]struct {
		before []state
		about  operation
		out    outcome
		want   []state
	}{
		"created":                             {[]state{absent}, making, outcome{status: 200, seen: &made}, []state{made}},
		"created, nobody saw":                 {[]state{absent}, making, outcome{status: 200}, []state{made}},
		"created, and something else shown":   {[]state{absent}, making, outcome{status: 200, seen: &old}, nil},
		"created what was there":              {[]state{old}, making, outcome{status: 200, seen: &made}, nil},
		"created again what may be there":     {[]state{absent, made}, making, outcome{status: 200, seen: &made}, []state{made}},
		"create conflicts":                    {[]state{old, absent}, making, outcome{status: 409}, []state{old}},
		"create conflicts with nothing":       {[]state{absent}, making, outcome{status: 409}, nil},
		"create fails":                        {[]state{absent}, making, outcome{status: 500}, []state{absent}},
		"create may have failed":              {[]state{absent}, making, outcome{status: 500, unknown: whole}, []state{absent, made}},
		"create may have failed, as it must":  {[]state{old}, making, outcome{status: 500, unknown: whole}, []state{old}},
		"create failed and is done":           {[]state{absent}, making, outcome{status: 504, applied: whole}, []state{made}},
		"create done where it cannot be":      {[]state{old}, making, outcome{status: 504, applied: whole}, nil},
		"create of a foreign part":            {[]state{absent}, making, outcome{status: 500, unknown: []string{partTags}}, nil},
		"create refused":                      {[]state{old, absent}, making, outcome{status: 403}, nil},
		"create not found":                    {[]state{old, absent}, making, outcome{status: 404}, nil},
		"deleted":                             {[]state{old, made}, removing, outcome{status: 200, seen: &old}, []state{absent}},
		"deleted what is not there":           {[]state{absent}, removing, outcome{status: 200, seen: &old}, nil},
		"deleted something else":              {[]state{made}, removing, outcome{status: 200, seen: &old}, nil},
		"delete finds nothing":                {[]state{old, absent}, removing, outcome{status: 404}, []state{absent}},
		"delete finds nothing of what is":     {[]state{old}, removing, outcome{status: 404}, nil},
		"delete may have failed":              {[]state{old}, removing, outcome{status: 429, unknown: whole}, []state{old, absent}},
		"delete overloaded":                   {[]state{old}, removing, outcome{status: 503}, []state{old}},
		"delete overloaded, and something":    {[]state{old}, removing, outcome{status: 503, unknown: whole}, nil},
		"updated":                             {[]state{old}, updating, outcome{status: 200, seen: &all}, []state{all}},
		"updated in part":                     {[]state{old}, updating, outcome{status: 200, seen: &both}, nil},
		"updated, and admits":                 {[]state{old}, updating, outcome{status: 200, unknown: []string{partTags}}, nil},
		"update fails with a part":            {[]state{old}, updating, outcome{status: 500, applied: []string{partScan}}, []state{scanned}},
		"update fails with a part and may be": {[]state{old}, updating, outcome{status: 500, applied: []string{partScan}, unknown: []string{partTags}}, []state{scanned, both}},
		"update fails and may be":             {[]state{old}, updating, outcome{status: 500, unknown: []string{partTags}}, []state{old, tagged}},
		"update names a part twice":           {[]state{old}, updating, outcome{status: 500, applied: []string{partTags}, unknown: []string{partTags}}, nil},
		"update of nothing in part":           {[]state{absent}, updating, outcome{status: 500, applied: []string{partTags}}, nil},
		"update never read":                   {[]state{old}, updating, outcome{}, []state{old}},
		"shown":                               {[]state{absent, old, tagged}, showing, outcome{status: 200, seen: &tagged}, []state{tagged}},
		"shown what is not":                   {[]state{absent, old}, showing, outcome{status: 200, seen: &tagged}, nil},
		"show left":                           {[]state{absent, old}, showing, outcome{status: 499}, []state{absent, old}},
		"show redirected":                     {[]state{absent, old}, showing, outcome{status: 302}, nil},
		"show with parts":                     {[]state{old}, showing, outcome{status: 500, unknown: []string{partTags}}, nil},
		"listed":                              {[]state{absent, old}, listing, outcome{status: 200, seen: &state{Exists: true}}, []state{old}},
		"listed without":                      {[]state{old}, listing, outcome{status: 200, seen: &absent}, nil},
		"images":                              {[]state{absent, old, tagged}, operation{kind: images}, outcome{status: 200}, []state{old, tagged}},
	} {
		if diff := cmp.Diff(test.want, judge(test.before, test.about, test.out)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
