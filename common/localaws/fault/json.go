package fault

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// faultKeys is the part of an error that explains the form of a fault.
const faultKeys = "the keys of a fault are operation, code, message and delay (strings), times, status, " +
	"afterBytes and probability (numbers), afterWork and drop (true or false)"

// faultJSON is a Fault as it is written in JSON.
type faultJSON struct {
	Fault
	Probability *float64 `json:"probability,omitempty"` // nil: not given; 0 is refused
	Delay       string   `json:"delay,omitempty"`
}

// faultInForce is a fault in force as it is written in JSON.
type faultInForce struct {
	ID int `json:"id"`
	faultJSON
	When bool `json:"when,omitempty"` // whether it has a Fault.When, which is Go code
	Hits int  `json:"hits"`
}

func (a activeFault) show() faultInForce {
	shown := faultInForce{ID: a.id, faultJSON: faultJSON{Fault: a.Fault}, When: a.When != nil, Hits: a.hits}
	if a.Probability != 0 {
		shown.Probability = &a.Probability
	}
	if a.Delay != 0 {
		shown.Delay = a.Delay.String()
	}
	return shown
}

// readFault reads one fault. It refuses unknown keys, and anything after the
// fault.
func readFault(body io.Reader) (Fault, error) {
	var in faultJSON
	decoder := json.NewDecoder(body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&in); err != nil {
		return Fault{}, faultJSONError(err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return Fault{}, errors.New("the body goes on after the fault: send one JSON object")
	}
	return in.fault()
}

// fault returns the Fault. Probability and Delay have another form in JSON.
func (in faultJSON) fault() (Fault, error) {
	f := in.Fault
	if p := in.Probability; p != nil {
		if *p <= 0 || *p > 1 {
			return Fault{}, fmt.Errorf("the probability %v is not above 0 and at most 1: leave it out to hit every call", *p)
		}
		f.Probability = *p
	}
	if in.Delay == "" {
		return f, nil
	}
	var err error
	if f.Delay, err = time.ParseDuration(in.Delay); err != nil {
		return Fault{}, fmt.Errorf(`the delay %q cannot be read: write one such as "300ms", "2s" or "1h"`, in.Delay)
	}
	return f, nil
}

// faultJSONError replaces an error of package json, which speaks of Go types,
// by one that speaks of the keys of a fault.
func faultJSONError(err error) error {
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		key := kind.Field[strings.LastIndex(kind.Field, ".")+1:] // without the name of the embedded struct
		return fmt.Errorf("%s cannot be %s: %s", cmp.Or(key, "a fault"), kind.Value, faultKeys)
	}
	if key, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return fmt.Errorf("there is no key %s: %s", key, faultKeys)
	}
	return fmt.Errorf("the body is not a JSON object (%w): %s", err, faultKeys)
}

// check returns an error if the fault makes no sense. known has all operations.
func (f Fault) check(known []string) error {
	if f.Operation != "*" && !slices.Contains(known, f.Operation) {
		return fmt.Errorf(`there is no operation %q here: write "*" for all, or one of %s`, f.Operation, strings.Join(known, ", "))
	}
	switch {
	case f.Times < 0:
		return errors.New("times is negative: write how many calls to hit, or leave it out for all")
	case f.Delay < 0:
		return errors.New(`the delay is negative: write one such as "2s"`)
	case f.Code == "" && (f.Message != "" || f.Status != 0):
		return errors.New("message and status belong to an error: give its code too")
	case f.Code != "" && f.Drop:
		return errors.New("a dropped connection answers no code: leave out code or drop")
	case f.Status != 0 && (f.Status < 400 || f.Status > 599):
		return fmt.Errorf("%d is not the status of an error: write one of 400 to 599", f.Status)
	case f.AfterBytes < 0:
		return errors.New("afterBytes is negative: write how many bytes of a layer go first, or leave it out")
	case f.AfterBytes > 0 && f.AfterWork:
		return errors.New("afterBytes and afterWork exclude each other: leave out one of them")
	case f.AfterBytes > 0 && !slices.Contains(flowing, f.Operation):
		return fmt.Errorf("no bytes of a layer flow in %s: with afterBytes write one of %s", f.Operation, strings.Join(flowing, ", "))
	case f.Code == "" && f.Delay == 0 && !f.Drop:
		return errors.New("the fault would do nothing: give it a code, a delay or drop")
	}
	return nil
}
