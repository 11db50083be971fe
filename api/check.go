package api

import (
	"strings"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/go-json-experiment/json/jsontext"
)

// maxFullName is ECR's limit on a full name: group, slash and name.
const maxFullName = 256

// checkName checks a group or a name. The text in what begins the error.
// Characters that have a meaning in the ARN of a policy, such as * and ?, are
// not allowed.
func checkName(what, name string) error {
	if !isPlain(name) || name == "." || name == ".." {
		return common.Errorf(common.BadRequest, "%s must be of letters, digits, '.', '_' and '-', and not '.' or '..'.", what)
	}
	return nil
}

// isPlain tells whether the text has ASCII letters, digits, '.', '_' and '-',
// and nothing else.
func isPlain(text string) bool {
	for _, c := range []byte(text) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return text != ""
}

// checkFullName refuses names that are too long for any repository. The length
// of a session policy is limited, and names are part of it.
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
	last := len(allowed) - 1
	return common.Errorf(common.BadRequest, "%s must be %s or %s.", key, strings.Join(allowed[:last], ", "), allowed[last])
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// A boolFlag in a body is "true", "false", true or false.
type boolFlag struct{ value *bool } // nil: absent

// UnmarshalJSONFrom refuses every other value, also null.
func (f *boolFlag) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	value, err := d.ReadToken()
	if err != nil {
		return err
	}
	on := value.String() == "true"
	if !on && value.String() != "false" {
		return common.Errorf(common.BadRequest, "%s must be true or false.", placeOf(d.StackPointer()))
	}
	f.value = &on
	return nil
}
