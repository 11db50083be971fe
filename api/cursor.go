package api

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/YaleSpinup/ecr-api/ecr"
)

// maxLimit is the longest page that a caller can ask for.
const maxLimit = 1000

// limitParam is the query parameter for the length of a page.
func limitParam(into *int) queryParam {
	return queryParam{name: "limit", set: func(value string) error {
		n, ok := readNumber(value)
		if !ok || n > maxLimit {
			return fmt.Errorf("must be a number from 1 to %d", maxLimit)
		}
		*into = n
		return nil
	}}
}

// afterParam is the query parameter for the cursor of the page before.
func afterParam(into **ecr.Position) queryParam {
	return queryParam{name: "after", set: func(value string) (err error) {
		*into, err = readCursor(value)
		return err
	}}
}

// A cursor is the position of the last image of a page: the next page is right
// also if that image is gone. Callers must not build on what is in a cursor, so
// it is encoded, and it begins with the version of its form.
var cursorEncoding = base64.RawURLEncoding

const cursorVersion = "1"

// cursorOf returns the cursor of the page after the position. AWS's times are in
// milliseconds.
func cursorOf(p ecr.Position) string {
	return cursorEncoding.EncodeToString(fmt.Appendf(nil, "%s %d %s", cursorVersion, p.PushedAt.UnixMilli(), p.Digest))
}

func readCursor(value string) (*ecr.Position, error) {
	text, _ := cursorEncoding.DecodeString(value)
	fields := strings.Split(string(text), " ")
	if len(fields) != 3 {
		return nil, errBadCursor
	}
	ms, _ := strconv.ParseInt(fields[1], 10, 64)
	p := ecr.Position{PushedAt: time.UnixMilli(ms), Digest: fields[2]}
	if cursorOf(p) != value { // whatever is wrong with it
		return nil, errBadCursor
	}
	return &p, nil
}

var errBadCursor = errors.New("must be a cursor from the header Link of the page before")
