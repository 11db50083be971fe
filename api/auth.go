package api

import (
	"crypto/sha256"
	"errors"
	"net/http"
	"regexp"
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
	key   string
	until time.Time
}

func newTokens(keys common.Keys, maxCost int, g *gate, checks *prometheus.CounterVec) (*tokens, error) {
	verified, err := lru.New[[sha256.Size]byte, remembered](rememberTokens)
	if err != nil {
		return nil, err
	}
	return &tokens{keys: keys, maxCost: maxCost, gate: g, checks: checks, verified: verified}, nil
}

// verify returns the name of the key that the token is a hash of. Its error is
// errBadToken, or errBusy if the queue for comparisons is full. A token that
// verified is remembered while it is in use. So bcrypt runs once for each token
// and not for each request, and a flood of new tokens does not delay the
// callers whose tokens are known.
func (t *tokens) verify(token string) (key string, err error) {
	sum := sha256.Sum256([]byte(token))
	if key, ok := t.recall(sum); ok {
		t.note(tokenRemembered)
		return key, nil
	}
	if !t.isAffordable(token) {
		t.note(tokenRefused)
		return "", errBadToken
	}
	found, err, _ := t.flights.Do(string(sum[:]), func() (any, error) {
		key, err := t.compare(token)
		if err == nil {
			t.remember(sum, key)
		}
		return key, err
	})
	switch err {
	case nil:
		t.note(tokenVerified)
	case errBadToken:
		t.note(tokenRefused)
	}
	return found.(string), err
}

func (t *tokens) note(result string) { t.checks.WithLabelValues(result).Inc() }

// verifyAgain is for a token for which verify returned errBusy. It does not
// compare. It only looks whether another request with the same token has
// verified it since.
func (t *tokens) verifyAgain(token string) (key string, err error) {
	if key, ok := t.recall(sha256.Sum256([]byte(token))); ok {
		t.note(tokenRemembered)
		return key, nil
	}
	t.note(tokenBusy)
	return "", errBusy
}

// isAffordable tells whether the token has the form of a hash and a cost of at
// most maxCost. The caller makes the hash, so the caller chooses what a
// comparison costs. Each step of the cost doubles the time: 31 would take a day
// and a half.
func (t *tokens) isAffordable(token string) bool {
	if !bcryptHash.MatchString(token) {
		return false
	}
	cost, err := bcrypt.Cost([]byte(token))
	return err == nil && cost <= t.maxCost
}

func (t *tokens) compare(token string) (string, error) {
	if !t.gate.enter() {
		return "", errBusy
	}
	defer t.gate.leave()
	for _, k := range t.keys {
		if bcrypt.CompareHashAndPassword([]byte(token), []byte(k.Secret)) == nil {
			return k.Name, nil
		}
	}
	return "", errBadToken
}

func (t *tokens) recall(sum [sha256.Size]byte) (key string, ok bool) {
	r, ok := t.verified.Get(sum)
	if !ok || time.Now().After(r.until) {
		return "", false
	}
	t.remember(sum, r.key)
	return r.key, true
}

func (t *tokens) remember(sum [sha256.Size]byte, key string) {
	t.verified.Add(sum, remembered{key: key, until: time.Now().Add(rememberFor)})
}

// authenticate lets only requests with a good token through.
func (s *Service) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		settings := recordOf(r).settings
		token := r.Header.Get("X-Auth-Token")
		key, err := settings.tokens.verify(token)
		if err == errBusy {
			s.measures.limits.WithLabelValues(limitTokens).Inc()
			s.gate.delayRefusal(r.Context())
			key, err = settings.tokens.verifyAgain(token)
		}
		switch err {
		case nil:
			recordOf(r).key = key
			next.ServeHTTP(w, r)
		case errBusy:
			writeError(w, r, common.Errorf(common.TooManyTokens, "Too many new tokens are being checked. Try again, with the same token."))
		default:
			code := common.TokenRefused
			if token == "" {
				code = common.TokenMissing
			}
			writeError(w, r, common.Errorf(code,
				"The X-Auth-Token header must be a bcrypt hash of the pre-shared key, of cost %d at most.", settings.config.MaxTokenCost))
		}
	})
}
