package api

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/config"
)

const (
	sessionLimit = "This service limits how fast it starts sessions in AWS, so that AWS does not have to. The limit is reached. Try again later."
	accountLimit = "This service limits how fast it tries AWS accounts that it has not used yet. The limit is reached. Try again later."
	throttledSTS = "AWS STS limits how fast this service's own account may ask for sessions, in all accounts together. The limit is reached. Try again later."
)

// listMany lists in n accounts at once. It returns how many answers there were
// of each status and detail, and checks Retry-After.
func (w *world) listMany(n int, account func(int) string) map[string]int {
	var mu sync.Mutex
	answers := map[string]int{}
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			status, header, body := w.do(exchange{method: "GET", path: "/v1/ecr/" + account(i) + "/repositories"})
			detail := "no detail"
			if p, ok := parse(w.t, body).(map[string]any); ok {
				detail = p["detail"].(string)
			}
			if after := header.Get("Retry-After"); (status == http.StatusTooManyRequests) != (after == "5") {
				w.t.Errorf("status %d with Retry-After %q", status, after)
			}
			mu.Lock()
			defer mu.Unlock()
			answers[fmt.Sprint(status, " ", detail)]++
		})
	}
	all.Wait()
	return answers
}

// While STS throttles, 200 requests to 200 accounts make few calls.
func TestSTSThatThrottlesIsLeftAlone(t *testing.T) {
	t.Parallel()
	const n = 200
	accounts, ids := map[string]string{}, make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("%012d", 300000000000+i)
		accounts["account"+ids[i]] = ids[i]
	}
	w := newWorldWith(t, rolesOf(config.RolePolicy, ids...), func(c *common.Config, _ *[]route) { c.Accounts = accounts })
	mend := w.aws.Inject(localaws.Fault{Operation: "sts:AssumeRole", Code: "Throttling", Message: "Rate exceeded"})
	answers := w.listMany(n, func(i int) string { return ids[i] })
	if answers["429 "+sessionLimit]+answers["429 "+throttledSTS] != n || answers["429 "+sessionLimit] < n/2 {
		t.Errorf("answers: %v", answers)
	}
	if called := len(w.called()); called >= n { // a slow machine takes longer, and so has more turns
		t.Errorf("STS was called %d times", called)
	}
	limits := w.metrics()[`ecr_api_limits_reached_total{limit="sessions"}`]
	if limits != fmt.Sprint(answers["429 "+sessionLimit]) {
		t.Errorf("the limit was counted %s times", limits)
	}
	mend()
	if answers := w.listMany(1, func(int) string { return ids[0] }); answers["200 no detail"] != 1 {
		t.Errorf("when it is mended: %v", answers)
	}
}

// Without the map of accounts, a caller may name any twelve digits. A flood of
// them is limited, and does not delay accounts that are in use. STS has
// throttled before, so that the limit is low and a slow machine reaches it too.
func TestFloodOfAccounts(t *testing.T) {
	t.Parallel()
	const n = 40
	w := newWorld(t)
	w.run(exchange{method: "GET", path: base, status: 200, want: "[]"})
	mend := w.aws.Inject(localaws.Fault{Operation: "sts:AssumeRole", Code: "Throttling", Message: "Rate exceeded"})
	w.run(exchange{method: "GET", path: "/v1/ecr/400000000000/repositories", status: 429, want: "-"})
	mend()
	before := w.limited()
	answers := w.listMany(n, func(i int) string { return fmt.Sprintf("%012d", 500000000000+i) })
	w.run(
		exchange{name: "a session that is there", method: "GET", path: base, status: 200, want: "[]"},
		exchange{name: "a first session of an account in use", method: "GET", path: base + "/g/a", status: 404, want: "-"},
	)
	refused := 0
	for answer, times := range answers {
		if strings.HasPrefix(answer, "403 AWS refused") {
			refused += times
		}
	}
	limited := answers["429 "+accountLimit]
	if limited == 0 || refused+limited != n {
		t.Errorf("answers: %v", answers)
	}
	after := w.limited()
	if got := [2]int{after[0] - before[0], after[1] - before[1]}; got != [2]int{limited, limited} {
		t.Errorf("counted: %v, want %d each", got, limited)
	}
}

// limited returns how often the limit of new accounts was reached, and how many
// requests got no session because of a limit.
func (w *world) limited() (n [2]int) {
	metrics := w.metrics()
	for i, series := range []string{`ecr_api_limits_reached_total{limit="new_accounts"}`, `ecr_api_assume_role_total{result="limited"}`} {
		var err error
		if n[i], err = strconv.Atoi(metrics[series]); err != nil {
			w.t.Errorf("%s: %v", series, err)
		}
	}
	return n
}
