package api

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/aws"
	awsecr "github.com/aws/aws-sdk-go/service/ecr"
	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"
)

// Parts of documents.
const (
	anyImage  = `"tagStatus": "any"`
	untagged  = `"tagStatus": "untagged"`
	prefixed  = `"tagStatus": "tagged", "tagPrefixList": ["a", "b"]`
	tenImages = `"countType": "imageCountMoreThan", "countNumber": 10`
	tenDays   = `"countType": "sinceImagePushed", "countUnit": "days", "countNumber": 10`
	unpulled  = `"countType": "sinceImagePulled", "countUnit": "days", "countNumber": 10`
	archived  = `"storageClass": "archive", "countType": "sinceImageTransitioned", "countUnit": "days", "countNumber": 90`
	expire    = `"type": "expire"`
	archive   = `"type": "transition", "targetStorageClass": "archive"`
)

// rulesOf returns a document of rules.
func rulesOf(rules ...string) string { return `{"rules": [` + strings.Join(rules, ", ") + `]}` }

// ruleOf returns a rule. The selection is in two parts, and the action is one.
func ruleOf(priority int, tags, count, action string) string {
	return fmt.Sprintf(`{"rulePriority": %d, "selection": {%s, %s}, "action": {%s}}`, priority, tags, count, action)
}

// good is a rule in which one thing is changed for a test.
var good = ruleOf(1, prefixed, tenDays, expire)

// Each fault of a lifecycle policy is told by its place, before AWS hears of it.
func TestFaultsOfLifecyclePolicies(t *testing.T) {
	t.Parallel()
	w := newLifecycleWorld(t, "")
	edited := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("no %s in %s", old, good)
		}
		return rulesOf(ruleOf(9, untagged, tenImages, expire), strings.Replace(good, old, new, 1))
	}
	many := slices.Repeat([]string{good}, 51)
	for _, test := range []struct{ document, fault string }{
		{`{}`, "rules is needed."},
		{`{"Rules": []}`, "Rules must be written rules."},
		{`{"rules": null}`, "rules must be an array, not null."},
		{`{"rules": {}}`, "rules must be an array, not an object."},
		{`{"rules": []}`, "rules must not be empty."},
		{`{"rules": [true]}`, "rules[0] must be an object, not a bool."},
		{`{"rules": [{}]}`, "rules[0].rulePriority is needed."},
		{`[]`, "The body must be a JSON object, not an array."},
		{`"rules"`, "The body must be a JSON object, not a string."},
		{`{"rules": [`, "The body is not JSON: it ends too early."},
		{`{"rules": [], "rules": []}`, `"rules" is given twice.`},
		{edited(`"countNumber": 10`, `"countNumber": 10, "countNumber": 10`), "rules[1].selection.countNumber is given twice."},
		{edited(`"rulePriority": 1`, `"`+strings.Repeat("é", 200)+`": {"a": 1, "a": 1}`), "rules[1]." + strings.Repeat("é", 91) + " is given twice."},
		{rulesOf(many...), "rules has 51 rules, and may have 50."},
		{rulesOf(`{"rulePriority": 1, "description": "` + strings.Repeat("é", 30_720) + `"}`), "The lifecycle policy has 30767 characters without the spaces between them, and may have 30720."},

		{edited(`"rulePriority": 1, `, ``), "rules[1].rulePriority is needed."},
		{edited(`"rulePriority": 1`, `"rulePriority": 0`), "rules[1].rulePriority must be a whole number from 1 to 2147483647."},
		{edited(`"rulePriority": 1`, `"rulePriority": -1`), "rules[1].rulePriority must be a whole number from 1 to 2147483647."},
		{edited(`"rulePriority": 1`, `"rulePriority": 1.5`), "rules[1].rulePriority must be a whole number from 1 to 2147483647."},
		{edited(`"rulePriority": 1`, `"rulePriority": 2147483648`), "rules[1].rulePriority must be a whole number from 1 to 2147483647."},
		{edited(`"rulePriority": 1`, `"rulePriority": "1"`), "rules[1].rulePriority must be a number, not a string."},
		{edited(`"rulePriority": 1`, `"rulepriority": 1`), "rules[1].rulepriority must be written rulePriority."},
		{edited(`"rulePriority": 1`, `"rulePriority": 1, "description": 1`), "rules[1].description must be a string, not a number."},
		{edited(`"rulePriority": 1`, `"rulePriority": 1, "Description": "d"`), "rules[1].Description must be written description."},
		{edited(`"rulePriority": 1`, `"rulePriority": 9`), "rules[1].rulePriority is that of rules[0] too, and each rule needs its own."},
		{edited(`"selection"`, `"other"`), "rules[1].selection is needed."},
		{rulesOf(`{"rulePriority": 1, "selection": [], "action": {}}`), "rules[0].selection must be an object, not an array."},
		{edited(`"action"`, `"other"`), "rules[1].action is needed."},
		{rulesOf(`{"rulePriority": 1, "selection": {}, "action": 1}`), "rules[0].action must be an object, not a number."},

		{edited(`"tagStatus": "tagged", "tagPrefixList": ["a", "b"], `, ``), "rules[1].selection.tagStatus is needed."},
		{edited(`"tagged"`, `null`), "rules[1].selection.tagStatus must be a string, not null."},
		{edited(`, "tagPrefixList": ["a", "b"]`, ``), "rules[1].selection.tagPatternList or tagPrefixList is needed with tagged."},
		{edited(`"tagPrefixList"`, `"tagPatternList": ["c"], "tagPrefixList"`), "rules[1].selection has tagPatternList and tagPrefixList, and takes only one of them."},
		{edited(`"tagPrefixList"`, `"TagPrefixList"`), "rules[1].selection.TagPrefixList must be written tagPrefixList."},
		{edited(`["a", "b"]`, `[]`), "rules[1].selection.tagPrefixList must not be empty."},
		{edited(`["a", "b"]`, `"a"`), "rules[1].selection.tagPrefixList must be an array, not a string."},
		{edited(`["a", "b"]`, `["a", 1]`), "rules[1].selection.tagPrefixList[1] must be a string, not a number."},
		{edited(`"tagPrefixList": ["a", "b"]`, `"tagPatternList": []`), "rules[1].selection.tagPatternList must not be empty."},
		{edited(`"tagPrefixList": ["a", "b"]`, `"tagPatternList": ["*a*b*c*", "**a***"]`), "rules[1].selection.tagPatternList[1] has 5 wildcards (*), and may have 4."},
		{edited(`"tagged"`, `"untagged"`), "rules[1].selection.tagPrefixList goes with tagged, not with untagged."},
		{edited(`"tagStatus": "tagged", "tagPrefixList"`, `"tagStatus": "any", "tagPatternList"`), "rules[1].selection.tagPatternList goes with tagged, not with any."},

		{edited(`"countType": "sinceImagePushed", `, ``), "rules[1].selection.countType is needed."},
		{edited(`, "countUnit": "days"`, ``), "rules[1].selection.countUnit is needed with sinceImagePushed."},
		{edited(`"sinceImagePushed", "countUnit": "days"`, `"sinceImagePulled"`), "rules[1].selection.countUnit is needed with sinceImagePulled."},
		{edited(tenDays, strings.Replace(archived, `"countUnit": "days", `, ``, 1)), "rules[1].selection.countUnit is needed with sinceImageTransitioned."},
		{edited(`"days"`, `"hours"`), "rules[1].selection.countUnit must be days."},
		{edited(`"days"`, `7`), "rules[1].selection.countUnit must be a string, not a number."},
		{edited(`"sinceImagePushed"`, `"imageCountMoreThan"`), "rules[1].selection.countUnit does not go with imageCountMoreThan."},
		{edited(`, "countNumber": 10`, ``), "rules[1].selection.countNumber is needed."},
		{rulesOf(ruleOf(1, anyImage, `"countType": "imageCountMoreThan"`, expire)), "rules[0].selection.countNumber is needed."},
		{edited(tenDays, strings.Replace(unpulled, `, "countNumber": 10`, ``, 1)), "rules[1].selection.countNumber is needed."},
		{edited(tenDays, strings.Replace(archived, `, "countNumber": 90`, ``, 1)), "rules[1].selection.countNumber is needed."},
		{edited(tenDays, `"countType": "sinceImageSigned", "countNumber": 0`), "rules[1].selection.countNumber must be a whole number from 1 to 2147483647."},
		{edited(`"countNumber": 10`, `"countNumber": 0`), "rules[1].selection.countNumber must be a whole number from 1 to 2147483647."},
		{edited(`"countNumber": 10`, `"countNumber": 1e1`), "rules[1].selection.countNumber must be a whole number from 1 to 2147483647."},
		{edited(`"countNumber": 10`, `"countNumber": true`), "rules[1].selection.countNumber must be a number, not a bool."},
		{edited(tenDays, strings.Replace(archived, "90", "89", 1)), "rules[1].selection.countNumber must be 90 at least with sinceImageTransitioned."},

		{edited(`"sinceImagePushed"`, `"sinceImageTransitioned"`), "rules[1].selection.storageClass is needed with sinceImageTransitioned, and must be archive."},
		{edited(`"sinceImagePushed"`, `"sinceImageTransitioned", "storageClass": "standard"`), "rules[1].selection.storageClass must be archive with sinceImageTransitioned."},
		{edited(`"sinceImagePushed"`, `"sinceImagePushed", "storageClass": "archive"`), "rules[1].selection.storageClass may be archive with sinceImageTransitioned only, not with sinceImagePushed."},
		{edited(`"sinceImagePushed"`, `"sinceImagePushed", "storageClass": null`), "rules[1].selection.storageClass must be a string, not null."},
		{edited(tenDays, `"storageClass": "archive", `+tenImages), "rules[1].selection.storageClass may be archive with sinceImageTransitioned only, not with imageCountMoreThan."},
		{edited(tenDays, unpulled), "rules[1].action.type must be transition with sinceImagePulled."},
		{rulesOf(ruleOf(1, anyImage, archived, archive)), "rules[0].action.type must be expire with sinceImageTransitioned."},

		{edited(`"type": "expire"`, ``), "rules[1].action.type is needed."},
		{edited(`"type": "expire"`, `"Type": "expire"`), "rules[1].action.Type must be written type."},
		{edited(`"type": "expire"`, `"type": ["expire"]`), "rules[1].action.type must be a string, not an array."},
		{edited(`"type": "expire"`, `"type": "transition"`), "rules[1].action.targetStorageClass is needed with transition."},
		{edited(`"type": "expire"`, `"type": "transition", "targetStorageClass": "standard"`), "rules[1].action.targetStorageClass must be archive."},
		{edited(`"type": "expire"`, `"type": "expire", "targetStorageClass": "archive"`), "rules[1].action.targetStorageClass goes with transition, not with expire."},
		{edited(`"type": "expire"`, `"type": "expire", "targetStorageClass": null`), "rules[1].action.targetStorageClass must be a string, not null."},

		{rulesOf(ruleOf(1, untagged, tenDays, expire), good, ruleOf(3, untagged, tenImages, expire)), "rules[1].rulePriority is that of rules[0] too, and each rule needs its own."},
		{rulesOf(ruleOf(2, untagged, tenDays, expire), good, ruleOf(3, untagged, tenImages, archive)),
			"rules[2].selection.tagStatus is untagged in rules[0] too, and only one rule of a storage class may have that."},
		{rulesOf(ruleOf(2, anyImage, tenDays, expire), good, ruleOf(3, anyImage, tenImages, expire)),
			"rules[2].selection.tagStatus is any in rules[0] too, and only one rule of a storage class may have that."},
		{rulesOf(ruleOf(2, anyImage, tenDays, expire), ruleOf(3, prefixed, tenImages, expire)), "rules[0].rulePriority must be the highest number of its storage class, since its tagStatus is any."},
		{rulesOf(ruleOf(3, prefixed, tenDays, expire), ruleOf(2, anyImage, tenImages, expire)), "rules[1].rulePriority must be the highest number of its storage class, since its tagStatus is any."},
		{rulesOf(good, ruleOf(2, `"tagStatus": "tagged", "tagPrefixList": ["b", "a", "b"]`, tenImages, expire)),
			"rules[1].selection.tagPrefixList has the same prefixes as that of rules[0], and each rule of a storage class needs its own."},
	} {
		for method, path := range map[string]string{"PUT": "/g/a/lifecycle", "POST": "/g/a/lifecycle/preview"} {
			w.run(exchange{name: method + " " + test.document, method: method, path: base + path, body: test.document, status: 400, want: problemOf("bad-request", test.fault)})
		}
	}
	if called := w.called(); len(called) > 0 {
		t.Errorf("AWS was called: %v", called)
	}
}

// What is at a limit, or in another storage class, is good, and AWS takes it.
func TestGoodLifecyclePolicies(t *testing.T) {
	t.Parallel()
	w := newLifecycleWorld(t, "")
	fifty := make([]string, 50)
	for i := range fifty {
		fifty[i] = ruleOf(2*i+1, fmt.Sprintf(`"tagStatus": "tagged", "tagPatternList": ["v%d*"]`, i), tenDays, archive)
	}
	for _, document := range []string{
		rulesOf(good, ruleOf(2147483647, anyImage, tenImages, expire)),
		rulesOf(ruleOf(5, anyImage, tenImages, archive), ruleOf(1, untagged, unpulled, archive), ruleOf(9, anyImage, archived, expire), ruleOf(8, untagged, archived, expire)),
		rulesOf(good, ruleOf(2, prefixed, archived, expire), ruleOf(3, `"tagStatus": "tagged", "tagPrefixList": ["a"]`, tenImages, expire)),
		rulesOf(ruleOf(1, `"tagStatus": "tagged", "tagPatternList": ["*test*1*2*3", "test*1*2*3*"]`, tenDays, expire)),
		rulesOf(ruleOf(1, `"tagStatus": "any", "storageClass": "standard"`, tenDays, expire)),
		rulesOf(fifty...),
		rulesOf(strings.Replace(good, `"selection"`, `"description": "`+strings.Repeat("é", 30_500)+`", "selection"`, 1)),
	} {
		w.run(lifecycleOf("PUT", document, 200, document))
	}
}

// The examples of AWS's user guide are good.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_examples.html
func TestLifecyclePoliciesInAWSDocumentation(t *testing.T) {
	t.Parallel()
	w := newLifecycleWorld(t, "")
	patterns := func(list string) string { return `"tagStatus": "tagged", "tagPatternList": [` + list + `]` }
	const (
		fortnight = `"countType": "sinceImagePushed", "countUnit": "days", "countNumber": 14`
		keepsOne  = `"countType": "imageCountMoreThan", "countNumber": 1`
		year      = `"storageClass": "archive", "countType": "sinceImageTransitioned", "countUnit": "days", "countNumber": 365`
	)
	prod, beta, alpha := patterns(`"prod*"`), patterns(`"beta*"`), patterns(`"alpha*"`)
	for _, document := range []string{
		rulesOf(ruleOf(1, untagged, fortnight, expire)),
		rulesOf(ruleOf(1, prod, fortnight, expire)),
		rulesOf(ruleOf(1, prod, fortnight, archive)),
		rulesOf(ruleOf(1, untagged, keepsOne, expire)),
		rulesOf(ruleOf(1, anyImage, keepsOne, archive)),
		rulesOf(ruleOf(1, prod, keepsOne, expire), ruleOf(2, beta, keepsOne, expire)),
		rulesOf(ruleOf(20, prod, keepsOne, expire), ruleOf(3, beta, keepsOne, expire)),
		rulesOf(ruleOf(1, patterns(`"alpha*", "beta*"`), keepsOne, expire)),
		rulesOf(ruleOf(1, alpha, keepsOne, expire), ruleOf(2, untagged, keepsOne, expire), ruleOf(3, anyImage, keepsOne, expire)),
		rulesOf(ruleOf(1, alpha, `"countType": "imageCountMoreThan", "countNumber": 9999`, expire), ruleOf(3, anyImage, tenDays, expire)),
		rulesOf(ruleOf(1, anyImage, unpulled, archive)),
		rulesOf(ruleOf(1, anyImage, unpulled, archive), ruleOf(2, anyImage, year, expire)),
	} {
		w.run(lifecycleOf("PUT", document, 200, document), previewOfA("POST", document, 200, nothingToDo))
	}
}

// goodRules draws rules of known words, by rising priority. They are good
// together.
func goodRules(t *rapid.T) (rules []string) {
	one := func(what string, values ...string) string { return rapid.SampledFrom(values).Draw(t, what) }
	taken := map[string]bool{} // by the storage class and the tag status
	for i := range rapid.IntRange(1, 5).Draw(t, "rules") {
		count := one("count", tenImages, tenDays, unpulled, archived)
		action := one("action", expire, archive)
		switch count {
		case unpulled:
			action = archive
		case archived:
			action = expire
		}
		class := fmt.Sprint(count == archived)
		tags := one("tags", fmt.Sprintf(`"tagStatus": "tagged", "tagPrefixList": ["p%d", "q"]`, i),
			fmt.Sprintf(`"tagStatus": "tagged", "tagPatternList": ["*v*%d*"]`, i), untagged, anyImage)
		if taken[class+tags] || taken[class+anyImage] {
			continue
		}
		taken[class+tags] = true
		rules = append(rules, ruleOf(2*i+1, tags, count, action))
	}
	return rules
}

// spoilt has what spoils a document, if it has what is replaced. Some documents
// are good all the same.
var spoilt = [][2]string{
	{`"rulePriority": 3`, `"rulePriority": 1`}, {`"rulePriority": 1`, `"rulePriority": 4`}, {`"rulePriority": 1`, `"rulePriority": 0`}, {`"rulePriority": 1, `, ``},
	{untagged, anyImage}, {anyImage, untagged}, {untagged, `"tagStatus": "tagged"`}, {anyImage, `"tagStatus": "any", "tagPatternList": ["v"]`}, {`"tagged"`, `"untagged"`},
	{`"tagStatus": "any", `, ``}, {`"tagPrefixList"`, `"tagPatternList": ["a"], "tagPrefixList"`}, {`["p0", "q"]`, `[]`}, {`["p1", "q"]`, `["q", "p0"]`}, {`"*v*`, `"**v*`}, {`["*v*0*"]`, `[]`},
	{`"countUnit": "days", `, ``}, {`"imageCountMoreThan"`, `"imageCountMoreThan", "countUnit": "days"`}, {`"days"`, `"hours"`}, {`"countNumber": 10`, `"countNumber": 0`}, {`"countNumber": 90`, `"countNumber": 89`},
	{`, "countNumber": 90`, ``}, {`"storageClass": "archive", `, ``}, {`"storageClass": "archive"`, `"storageClass": "standard"`}, {tenDays, `"storageClass": "archive", ` + tenDays}, {tenImages, archived}, {tenImages, unpulled},
	{expire, archive}, {archive, expire}, {expire, ``}, {expire, `"type": "transition"`}, {expire, `"type": "expire", "targetStorageClass": "archive"`}, {`"targetStorageClass": "archive"`, `"targetStorageClass": "standard"`},
}

// knownDocument draws a document of known words only. It has one fault at most,
// and mostly none.
func knownDocument(t *rapid.T) string {
	document := rulesOf(rapid.Permutation(goodRules(t)).Draw(t, "order")...)
	if rapid.SampledFrom([]bool{false, false, true}).Draw(t, "spoil") {
		edit := spoilt[rapid.Uint32().Draw(t, "edit")%uint32(len(spoilt))] // SampledFrom mostly draws the first ones
		document = strings.Replace(document, edit[0], edit[1], 1)
	}
	return document
}

// The check and AWS agree on documents of known words.
func TestLifecycleCheckAgreesWithAWS(t *testing.T) {
	t.Parallel()
	w := newLifecycleWorld(t, "")
	aws, drawn, accepted := w.administrator(), 0, 0
	rapid.Check(t, func(t *rapid.T) {
		document := knownDocument(t)
		ours := checkLifecycle(jsontext.Value(document))
		theirs := refusalByAWS(aws, document)
		if (ours == nil) != (theirs == nil) && !isLeftToAWS(theirs) {
			t.Errorf("%s: the check says %v, and AWS %v", document, ours, theirs)
		}
		drawn++
		if ours == nil {
			accepted++
		}
	})
	if 2*accepted < drawn || accepted == drawn {
		t.Errorf("%d of %d documents were good", accepted, drawn)
	}
}

// refusalByAWS puts a document, and returns what AWS says against it.
func refusalByAWS(client *awsecr.ECR, document string) error {
	_, err := client.PutLifecyclePolicy(&awsecr.PutLifecyclePolicyInput{RepositoryName: aws.String("g/a"), LifecyclePolicyText: &document})
	return err
}

// isLeftToAWS tells whether AWS refuses equal patterns. Its documentation mentions
// only equal prefixes.
func isLeftToAWS(err error) bool {
	return err != nil && strings.Contains(err.Error(), "unique set of tags")
}

// FuzzLifecycleCheck tries any document. The check never panics, and what it
// accepts is accepted by AWS, unless there is something in it that is not known.
func FuzzLifecycleCheck(f *testing.F) {
	for _, seed := range []string{
		keepTen, expireOld, keepOne, expireAll, rulesOf(good, ruleOf(2, anyImage, archived, expire)), rulesOf(ruleOf(1, untagged, unpulled, archive)),
		`{}`, `{"rules": [[]]}`, `{"rules": [{"selection": {"tagPatternList": [null]}}]}`, `{"rules": [{"rulePriority": 1e999}]}`, `[`, `{"ruleſ": 1}`,
	} {
		f.Add([]byte(seed))
	}
	w := newWorld(f)
	w.addRepository(account, "g/a", org)
	client := w.administrator()
	f.Fuzz(func(t *testing.T, body []byte) {
		var in lifecycleInput
		if decodeJSON(body, &in) != nil {
			return
		}
		err := in.check()
		if err != nil && common.CodeOf(err) != common.BadRequest {
			t.Errorf("%q: %v", body, err)
		}
		if err != nil || !isKnown(t, in.document) {
			return
		}
		if refusal := refusalByAWS(client, string(in.document)); refusal != nil && !isLeftToAWS(refusal) {
			t.Errorf("%q is good, and AWS says %v", body, refusal)
		}
	})
}

// knownKeys has the keys of a document, and the values that are known for some.
var knownKeys = map[string][]string{
	"rules": nil, "rulePriority": nil, "description": nil, "selection": nil, "action": nil,
	"tagStatus": {"tagged", "untagged", "any"}, "tagPatternList": nil, "tagPrefixList": nil, "storageClass": {"standard", "archive"},
	"countType": {"imageCountMoreThan", "sinceImagePushed", "sinceImagePulled", "sinceImageTransitioned"}, "countUnit": {"days"}, "countNumber": nil,
	"type": {"expire", "transition"}, "targetStorageClass": {"archive"},
}

// isKnown tells whether all keys and values of a document are known, and each key
// is where it belongs.
func isKnown(t *testing.T, document jsontext.Value) bool {
	var whole struct {
		Rules []struct {
			RulePriority, Description any
			Selection                 struct{ TagStatus, TagPatternList, TagPrefixList, StorageClass, CountType, CountUnit, CountNumber any }
			Action                    struct{ Type, TargetStorageClass any }
		}
	}
	d := json.NewDecoder(strings.NewReader(string(document)))
	d.DisallowUnknownFields()
	return d.Decode(&whole) == nil && hasKnownWords(parse(t, string(document)))
}

func hasKnownWords(value any) bool {
	switch v := value.(type) {
	case []any:
		return !slices.ContainsFunc(v, func(item any) bool { return !hasKnownWords(item) })
	case map[string]any:
		for key, member := range v {
			words, known := knownKeys[key]
			if text, ok := member.(string); !known || ok && words != nil && !slices.Contains(words, text) || !hasKnownWords(member) {
				return false
			}
		}
	}
	return true
}
