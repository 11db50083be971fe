package policy

import (
	"strings"
	"testing"
)

func TestParseErrors(t *testing.T) {
	t.Parallel()
	const good = `"Effect":"Allow","Action":"ecr:X","Resource":"*"`
	statement := func(s string) string { return `{"Version":"2012-10-17","Statement":[{` + s + `}]}` }
	for _, test := range []struct{ document, message string }{
		{``, "not a JSON object"},
		{`[]`, "not a JSON object"},
		{`{"Version":"2012-10-17"`, "EOF"},
		{`{"Version":"2012-10-17"}`, "there is no statement"},
		{`{"Version":"2012-10-17","Statement":[]}`, "there is no statement"},
		{`{"Version":"2012-10-18","Statement":[{` + good + `}]}`, "version must be"},
		{`{"version":"2012-10-17","Statement":[{` + good + `}]}`, "element version: unknown"},
		{`{"Version":"2012-10-17","Version":"2012-10-17","Statement":[{` + good + `}]}`, "twice"},
		{`{"Version":"2012-10-17","Statement":[{` + good + `}]} {}`, "follows"},
		{`{"Version":["2012-10-17"],"Statement":[{` + good + `}]}`, "not a string"},
		{`{"Version":"2012-10-17","Statement":["x"]}`, "not a JSON object"},
		{`{"Version":"2012-10-17","Statement":[{"Sid":"A",` + good + `},{"Sid":"A",` + good + `}]}`, "must be unique"},
		{statement(`"Action":"ecr:X","Resource":"*"`), "effect must be"},
		{statement(`"Effect":"allow","Action":"ecr:X","Resource":"*"`), "effect must be"},
		{statement(`"Effect":"Allow","Resource":"*"`), "must contain actions"},
		{statement(`"Effect":"Allow","Action":[],"Resource":"*"`), "must contain actions"},
		{statement(`"Effect":"Allow","Action":"ecr:X"`), "must contain resources"},
		{statement(`"Effect":"Allow","Action":"X","Resource":"*"`), "vendor"},
		{statement(`"Effect":"Allow","Action":"ecr:X ","Resource":"*"`), "vendor"},
		{statement(`"Effect":"Allow","Action":["ecr:X",{}],"Resource":"*"`), "not a string"},
		{statement(`"Effect":"Allow","Action":"ecr:X","Resource":"repository/x"`), "ARN format"},
		{statement(`"Effect":"Allow","Action":"ecr:X","Resource":"arn:aws:ecr:*"`), "ARN format"},
		{statement(`"Effect":"Allow","Action":"ecr:X","Resource":[]`), "must contain resources"},
		{statement(`"Effect":"Deny","NotAction":[],"Resource":"*"`), "must contain actions"},
		{statement(`"Effect":"Deny","Action":"ecr:X","NotResource":[]`), "must contain resources"},
		{statement(`"Effect":"Deny","NotAction":"X","Resource":"*"`), "vendor"},
		{statement(`"Effect":"Deny","NotAction":{},"Resource":"*"`), "element NotAction: {} is not a string"},
		{statement(`"Effect":"Deny","Action":"ecr:X","NotResource":"repository/x"`), "ARN format"},
		{statement(`"Effect":"Deny","Action":"ecr:X","NotResource":["*",{}]`), "element NotResource: {} is not a string"},
		{statement(`"Effect":"Deny","Action":"ecr:X","NotResource":"arn:aws:ecr:*:*:repository/${aws:nothing}"`), "is not known"},
		{statement(good + `,"NotAction":"ecr:Y"`), "syntax errors in policy: Action and NotAction in one statement"},
		{statement(good + `,"NotResource":"*"`), "syntax errors in policy: Resource and NotResource in one statement"},
		{statement(good + `,"NotPrincipal":"*"`), "should not specify a principal"},
		{statement(good + `,"notAction":"ecr:Y"`), `unknown element "notAction"`},
		{statement(good + `,"Principal":"*"`), "should not specify a principal"},
		{statement(good + `,"Sid":"a b"`), "alpha-numeric"},
		{statement(good + `,"Extra":1`), "unknown element"},
		{statement(good + `,"Condition":[]`), "not a JSON object"},
		{statement(good + `,"Condition":{"StringEquals":"x"}`), "not a JSON object"},
		{statement(good + `,"Condition":{"StringEquals":{"aws:RequestedRegion":[]}}`), "has no value"},
		{statement(good + `,"Condition":{"StringEquals":{"aws:RequestedRegion":"a","AWS:requestedregion":"b"}}`), "twice"},
		{statement(good + `,"Condition":{"StringEqual":{"aws:RequestedRegion":"a"}}`), `operator "StringEqual" is not known`},
		{statement(good + `,"Condition":{"stringequals":{"aws:RequestedRegion":"a"}}`), "is not known"},
		{statement(good + `,"Condition":{"IpAddress":{"aws:RequestedRegion":"a"}}`), "is not known"},
		{statement(good + `,"Condition":{"ForSomeValue:StringEquals":{"aws:TagKeys":"a"}}`), "is not known"},
		{statement(good + `,"Condition":{"NullIfExists":{"aws:TagKeys":"true"}}`), "is not known"},
		{statement(good + `,"Condition":{"ForAnyValue:StringEqualsIfExists":{"aws:TagKeys":"a"}}`), "is not known"},
		{statement(good + `,"Condition":{"Null":{"aws:TagKeys":"maybe"}}`), "neither true nor false"},
		{statement(good + `,"Condition":{"Bool":{"aws:RequestedRegion":"1"}}`), "neither true nor false"},
		{statement(good + `,"Condition":{"DateLessThan":{"aws:TokenIssueTime":"yesterday"}}`), "DateLessThan on aws:TokenIssueTime"},
		{statement(good + `,"Condition":{"ArnLike":{"aws:PrincipalArn":"x"}}`), "ARN format"},
		{statement(good + `,"Condition":{"StringEquals":{"aws:TagKeys":"a"}}`), "ForAnyValue"},
		{statement(good + `,"Condition":{"StringEquals":{"aws:ResourceTags/a":"a"}}`), `key "aws:ResourceTags/a" is not known`},
		{statement(good + `,"Condition":{"StringEquals":{"aws:ResourceTag/":"a"}}`), "is not known"},
		{statement(good + `,"Condition":{"StringEquals":{"aws:RequestedRegion":"${aws:nothing}"}}`), `"aws:nothing" is not known`},
		{statement(good + `,"Condition":{"StringEquals":{"aws:RequestedRegion":"${aws:TagKeys}"}}`), "several values"},
		{statement(good + `,"Condition":{"StringEquals":{"aws:RequestedRegion":"${aws:PrincipalArn"}}`), "no closing brace"},
		{statement(good + `,"Condition":{"StringEquals":{"aws:RequestedRegion":"${aws:PrincipalArn, x}"}}`), "single quotes"},
		{statement(`"Effect":"Allow","Action":"ecr:X","Resource":"arn:aws:ecr:*:*:repository/${aws:nothing}"`), "is not known"},
	} {
		_, err := Parse(test.document)
		if err == nil || !strings.Contains(err.Error(), test.message) {
			t.Errorf("%s: error %v, want one with %q", test.document, err, test.message)
		}
	}
}

func TestParseTrustErrors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ statement, message string }{
		{`"Effect":"Allow","Action":"sts:AssumeRole"`, "missing required field Principal"},
		{`"Effect":"Allow","Action":"sts:AssumeRole","Principal":"*","Resource":"*"`, "prohibited field Resource"},
		{`"Effect":"Allow","Action":"sts:AssumeRole","Principal":"x"`, "neither"},
		{`"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Aws":"*"}`, "unknown kind"},
		{`"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"1234"}`, "invalid principal"},
		{`"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"arn:aws:iam::012345678901:role/*"}`, "invalid principal"},
		{`"Effect":"Allow","Action":"sts:AssumeRole","Principal":{}`, "Principal cannot be empty"},
		{`"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"*","Service":[]}`, "Principal cannot be empty"},
		{`"Effect":"Deny","Action":"sts:AssumeRole","Principal":"*","NotResource":"*"`, "prohibited field NotResource"},
		{`"Effect":"Deny","Action":"sts:AssumeRole","NotPrincipal":{"AWS":"012345678901"}`, "prohibited field NotPrincipal"},
		{`"Effect":"Allow","Action":"sts:AssumeRole","NotPrincipal":{"AWS":"012345678901"}`, "prohibited field NotPrincipal"},
		{`"Effect":"Deny","Action":"sts:AssumeRole","Principal":"*","NotPrincipal":{"AWS":"012345678901"}`, "Principal and NotPrincipal in one statement"},
		{`"Effect":"Allow","Action":"sts:AssumeRole","NotAction":"sts:TagSession","Principal":"*"`, "Action and NotAction in one statement"},
	} {
		_, err := ParseTrust(`{"Version":"2012-10-17","Statement":[{` + test.statement + `}]}`)
		if err == nil || !strings.Contains(err.Error(), test.message) {
			t.Errorf("%s: error %v, want one with %q", test.statement, err, test.message)
		}
	}
}
