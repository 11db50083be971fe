package api

import (
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/YaleSpinup/ecr-api/ecr"
)

// taggedParam is the query parameter for images with tags, or without.
func taggedParam(into **bool) queryParam {
	return queryParam{name: "tagged", set: func(value string) error {
		tagged, err := readBool(value)
		*into = &tagged
		return err
	}}
}

// tagPattern has what a tag may have, and *.
var tagPattern = regexp.MustCompile(`^[a-zA-Z0-9_.*-]{1,128}$`)

// A list of 100,000 tags is compared with all patterns, so they are bounded. ECR's
// lifecycle policies take as many * in a pattern.
const (
	maxTagPatterns = 20
	maxStars       = 4
)

// tagParam is the query parameter for a pattern of tags.
func tagParam(into *[]string) queryParam {
	return queryParam{name: "tag", repeated: true, set: func(value string) error {
		switch {
		case !tagPattern.MatchString(value):
			return errors.New(`must be a tag or a pattern: 1 to 128 letters, digits, ".", "_", "-" and "*", which stands for any characters`)
		case strings.Count(value, "*") > maxStars:
			return errors.New(`may have ` + strconv.Itoa(maxStars) + ` "*" at most`)
		case len(*into) == maxTagPatterns:
			return errors.New("may be given " + strconv.Itoa(maxTagPatterns) + " times at most")
		}
		*into = append(*into, value)
		return nil
	}}
}

// statusParam is the query parameter for the status of images.
func statusParam(into *string) queryParam {
	return queryParam{name: "status", set: func(value string) error {
		if !slices.Contains([]string{"ACTIVE", "ARCHIVED", ecr.Any}, value) {
			return errors.New("must be ACTIVE, ARCHIVED or ANY")
		}
		*into = value
		return nil
	}}
}

// pushedBeforeParam is the query parameter for images that are older.
func pushedBeforeParam(into *time.Time) queryParam { return timeParam("pushedBefore", into) }

// pushedAfterParam is the query parameter for images that are younger.
func pushedAfterParam(into *time.Time) queryParam { return timeParam("pushedAfter", into) }

func timeParam(name string, into *time.Time) queryParam {
	return queryParam{name: name, set: func(value string) (err error) {
		*into, err = readTime(value, time.Now())
		return err
	}}
}

// age matches an age of at most 273 years, which a time.Duration can hold. There
// are no minutes, since 6m could be meant as six months.
var age = regexp.MustCompile(`^([1-9][0-9]{0,4})([dh])$`)

// readTime reads an RFC 3339 time, or an age, which counts back from now. The
// zero time is out of bounds, because it would mean that there is no limit.
func readTime(value string, now time.Time) (t time.Time, err error) {
	if match := age.FindStringSubmatch(value); match != nil {
		return now.Add(-readAge(match[1], match[2])), nil
	}
	const what = "must be an RFC 3339 time such as 2020-12-14T15:34:18Z, or an age of 1 to 99999 days or hours such as 30d or 12h"
	switch err := t.UnmarshalText([]byte(value)); {
	case err != nil && strings.Contains(value, " "):
		return t, errors.New(what + `, and has a space (write a "+" of the time as %2B)`)
	case err != nil:
		return t, errors.New(what)
	case t.Unix() < 0:
		return t, errors.New("must not be before 1970")
	}
	return t, nil
}

func readAge(count, unit string) time.Duration {
	n, _ := strconv.Atoi(count) // it has only digits, and few
	if unit == "d" {
		n *= 24
	}
	return time.Duration(n) * time.Hour
}
