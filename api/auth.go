package api

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/sync/singleflight"
)

const (
	rememberTokens = 1024            // how many verified tokens are remembered
	rememberFor    = 5 * time.Minute // after the last use; then bcrypt runs again
)

// bcryptHash matches a bcrypt hash and nothing after it. The library itself
// would ignore what follows a hash.
var bcryptHash = regexp.MustCompile(`^\$2[aby]\$[0-9]{2}\$[./A-Za-z0-9]{53}$`)

var (
	errBadToken = errors.New("the token is not a hash of a key")
	errBusy     = errors.New("too many tokens are being compared")
)

// tokens decides whether a token is a bcrypt hash of one of the pre-shared
// keys. It remembers nothing about a token that is not.
type tokens struct {
	keys     common.Keys
	maxCost  int
	gate     *gate
	checks   *prometheus.CounterVec                    // by result
	verified *lru.Cache[[sha256.Size]byte, remembered] // by the SHA-256 of the header
	flights  singleflight.Group                        // one comparison for all requests with the same token
}

type remembered struct {
	key   common.Key
	cost  int
	until time.Time
}

func newTokens(keys common.Keys, maxCost int, g *gate, checks *prometheus.CounterVec) (*tokens, error) {
	verified, err := lru.New[[sha256.Size]byte, remembered](rememberTokens)
	if err != nil {
		return nil, err
	}
	return &tokens{keys: keys, maxCost: maxCost, gate: g, checks: checks, verified: verified}, nil
}

// keep remembers the tokens that the old set remembers, if this set would
// verify them too. A comparison that is under way in the old set adds nothing
// here.
func (t *tokens) keep(old *tokens) {
	for _, sum := range old.verified.Keys() { // the least recently used comes first
		r, ok := old.verified.Peek(sum)
		if !ok || r.cost > t.maxCost {
			continue
		}
		at := slices.IndexFunc(t.keys, func(k common.Key) bool { return k.Secret == r.key.Secret })
		if at >= 0 {
			r.key = t.keys[at] // its name and its limits may be others
			t.verified.Add(sum, r)
		}
	}
}

// known returns the key that the token is a hash of, if the token is remembered.
func (t *tokens) known(token string) (key common.Key, ok bool) {
	sum := sha256.Sum256([]byte(token))
	r, ok := t.verified.Get(sum)
	if !ok || time.Now().After(r.until) {
		return common.Key{}, false
	}
	t.remember(sum, r)
	t.note(tokenRemembered)
	return r.key, true
}

// verify returns the key that the token is a hash of. Its error is errBadToken,
// or errBusy if there is no place for the client. A token that verified is
// remembered while it is in use. So bcrypt runs once for each token and not for
// each request, and a flood of new tokens does not delay the callers whose tokens
// are known.
func (t *tokens) verify(ctx context.Context, token, client string) (key common.Key, err error) {
	cost, ok := t.cost(token)
	if !ok {
		t.note(tokenRefused)
		return common.Key{}, errBadToken
	}
	place := t.gate.admit(client)
	if place == nil {
		return common.Key{}, errBusy
	}
	defer t.gate.remove(&t.gate.checked, place)
	sum := sha256.Sum256([]byte(token))
	flight := t.flights.DoChan(string(sum[:]), func() (any, error) {
		key, err := t.compare(token, client)
		if err == nil {
			t.remember(sum, remembered{key: key, cost: cost})
		}
		return key, err
	})
	select {
	case result := <-flight:
		return t.judged(result)
	case <-place.turn:
	case <-ctx.Done():
	}
	return common.Key{}, errBusy
}

// judged counts the result of a comparison.
func (t *tokens) judged(result singleflight.Result) (common.Key, error) {
	switch result.Err {
	case nil:
		t.note(tokenVerified)
	case errBadToken:
		t.note(tokenRefused)
	}
	return result.Val.(common.Key), result.Err
}

func (t *tokens) note(result string) { t.checks.WithLabelValues(result).Inc() }

// cost returns the cost of a token. It returns false unless the token has the
// form of a hash and a cost of at most maxCost. The caller makes the hash, so
// the caller chooses what a comparison costs. Each step of the cost doubles the
// time: 31 would take a day and a half.
func (t *tokens) cost(token string) (int, bool) {
	if !bcryptHash.MatchString(token) {
		return 0, false
	}
	cost, err := bcrypt.Cost([]byte(token))
	return cost, err == nil && cost <= t.maxCost
}

func (t *tokens) compare(token, client string) (common.Key, error) {
	if !t.gate.enter(client) {
		return common.Key{}, errBusy
	}
	defer t.gate.leave()
	for _, k := range t.keys {
		if bcrypt.CompareHashAndPassword([]byte(token), []byte(k.Secret)) == nil {
			return k, nil
		}
	}
	return common.Key{}, errBadToken
}

func (t *tokens) remember(sum [sha256.Size]byte, r remembered) {
	r.until = time.Now().Add(rememberFor)
	t.verified.Add(sum, r)
}

// authenticate lets only requests with a good token through.
func (s *Service) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		settings := recordOf(r).settings
		key, err := s.keyOf(r, settings)
		switch err {
		case nil:
			s.withKey(key, w, r, next)
		case errBusy:
			writeError(w, r, common.Errorf(common.TooManyTokens, "Too many new tokens are being checked. Try again, with the same token."))
		default:
			code := common.TokenRefused
			if r.Header.Get("X-Auth-Token") == "" {
				code = common.TokenMissing
			}
			writeError(w, r, common.Errorf(code,
				"The X-Auth-Token header must be a bcrypt hash of the pre-shared key, of cost %d at most.", settings.config.MaxTokenCost))
		}
	})
}

// withKey lets the request through if its key has not expired. It does so before
// anything else, so a key that has learns nothing.
func (s *Service) withKey(key common.Key, w http.ResponseWriter, r *http.Request, next http.Handler) {
	rec := recordOf(r)
	rec.key, rec.limits = key.Name, key.Limits
	if err := s.checkTime(rec); err != nil {
		rec.path, _ = readPath(r, rec.settings.config) // for the log line, as far as it is right
		writeError(w, r, err)
		return
	}
	next.ServeHTTP(w, r)
}

// keyOf returns the key that the request's token is a hash of. If the token
// cannot be compared now, keyOf waits before it returns errBusy. Meanwhile
// another request with the same token may verify it.
func (s *Service) keyOf(r *http.Request, current *settings) (common.Key, error) {
	token := r.Header.Get("X-Auth-Token")
	if key, ok := current.tokens.known(token); ok {
		return key, nil
	}
	client := clientNetwork(r, current.config.TrustedProxies)
	key, err := current.tokens.verify(r.Context(), token, client)
	if err != errBusy {
		return key, err
	}
	s.measures.limits.WithLabelValues(limitTokens).Inc()
	s.gate.delayRefusal(r.Context(), client)
	if key, ok := current.tokens.known(token); ok {
		return key, nil
	}
	current.tokens.note(tokenBusy)
	return common.Key{}, errBusy
}
