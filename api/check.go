package api

import (
	"encoding/json"
	"regexp"
	"strings"

	"github.com/YaleSpinup/ecr-api/common"
)

// maxFullName is ECR's limit on group and name with the slash between them.
const maxFullName = 256

// segment is what a group or a name may be: what means something in a policy's
// ARN, such as * and ?, is not among it.
var segment = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// checkName checks a group or a name, which what says.
func checkName(what, name string) error {
	if !segment.MatchString(name) || name == "." || name == ".." {
		return common.Errorf(common.BadRequest, "%s must be of letters, digits, '.', '_' and '-', and not '.' or '..'.", what)
	}
	return nil
}

// checkNames checks the group and the name in the path's variables.
func checkNames(vars map[string]string) error {
	for _, key := range []string{"group", "name"} {
		if name, ok := vars[key]; ok {
			if err := checkName("The "+key, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkFullName keeps names that no repository can have out of policies, which
// have little room.
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

// scanFlag is ScanOnPush in a body: "true", "false", true or false. The zero value,
// nil, is an absent one.
type scanFlag struct{ value *bool }

// UnmarshalJSON refuses everything else, null included.
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
