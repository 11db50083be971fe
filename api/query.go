package api

import (
	"errors"
	"net/url"
	"strconv"
	"strings"

	"github.com/YaleSpinup/ecr-api/common"
)

// A queryInput is an input with query parameters. Any other input takes no
// query parameter at all.
type queryInput interface {
	// queryParams returns the parameters. Their set functions write into the
	// input.
	queryParams() []queryParam
}

// A queryParam is a query parameter that an input takes.
type queryParam struct {
	name     string
	repeated bool // it may be given several times

	// set parses a value. Its error follows the parameter's name in a sentence,
	// such as "must be true or false".
	set func(value string) error
}

// decodeQuery decodes the query of a request into its input. If a parameter is
// unknown, given twice or cannot be parsed, the error names it. Otherwise a
// misspelt filter would silently select more than the caller meant.
func decodeQuery(query string, input any) error {
	if query == "" { // as most often
		return nil
	}
	params := map[string]queryParam{}
	if in, ok := input.(queryInput); ok {
		for _, p := range in.queryParams() {
			params[p.name] = p
		}
	}
	given := map[string]bool{}
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		name, value, err := unescapePair(pair)
		if err != nil {
			return err
		}
		p, known := params[name]
		switch {
		case !known:
			return common.Errorf(common.BadRequest, "%.100q is not a query parameter of this request.", name)
		case given[name] && !p.repeated:
			return common.Errorf(common.BadRequest, "The query parameter %q is given twice.", name)
		}
		given[name] = true
		if err := p.set(value); err != nil {
			return common.Errorf(common.BadRequest, "The query parameter %q %v.", name, err)
		}
	}
	return nil
}

// readBool reads the value of a parameter that is true or false.
func readBool(value string) (bool, error) {
	if value != "true" && value != "false" {
		return false, errors.New("must be true or false")
	}
	return value == "true", nil
}

// readNumber reads a number that has no other form, such as 007.
func readNumber(value string) (n int, ok bool) {
	n, err := strconv.Atoi(value)
	return n, err == nil && n > 0 && strconv.Itoa(n) == value
}

func unescapePair(pair string) (name, value string, err error) {
	before, after, _ := strings.Cut(pair, "=")
	if name, err = url.QueryUnescape(before); err == nil {
		value, err = url.QueryUnescape(after)
	}
	if err != nil {
		return "", "", common.Errorf(common.BadRequest, "The query parameter %.100q is not percent-encoded correctly.", before)
	}
	return name, value, nil
}
