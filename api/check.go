package api

import (
	"encoding/json"
	"regexp"
	"strings"

	"github.com/YaleSpinup/ecr-api/common"
)

// maxFullName is ECR's limit on a full name: group, slash and name.
const maxFullName = 256

// segment is the form of a group or a name. It leaves out all characters that
// mean something in the ARN of a policy, such as * and ?.
var segment = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// checkName checks a group or a name. Its error begins with what.
func checkName(what, name string) error {
	if !segment.MatchString(name) || name == "." || name == ".." {
		return common.Errorf(common.BadRequest, "%s must be of letters, digits, '.', '_' and '-', and not '.' or '..'.", what)
	}
	return nil
}

// checkFullName keeps names that are too long for any repository out of session
// policies, which have little room.
func checkFullName(group, name string) error {
	if len(group)+len("/")+len(name) > maxFullName {
		return common.Errorf(common.BadRequest, "Group and name may have %d characters together, with the slash between them.", maxFullName)
	}
	return nil
}

func checkOneOf(key string, value *string, allowed ...string) error {
	if value == nil {
		return nil
	}
	for _, a := range allowed {
		if *value == a {
			return nil
		}
	}
	return common.Errorf(common.BadRequest, "%s must be %s.", key, strings.Join(allowed, " or "))
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// A scanFlag is ScanOnPush in a body: "true", "false", true or false.
type scanFlag struct{ value *bool } // nil: absent

// UnmarshalJSON refuses everything else, and null too.
func (f *scanFlag) UnmarshalJSON(text []byte) error {
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		return err
	}
	on := value == true || value == "true"
	if !on && value != false && value != "false" {
		return common.Errorf(common.BadRequest, `ScanOnPush must be "true" or "false".`)
	}
	f.value = &on
	return nil
}
