package api

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// ECR's limits on a lifecycle policy.
const (
	maxLifecycle = 30720 // characters
	maxRules     = 50
	maxWildcards = 4 // of one pattern
	maxCount     = 1<<31 - 1

	// leastArchived is how many days images must have been archived before a
	// policy deletes them.
	// https://docs.aws.amazon.com/AmazonECR/latest/userguide/archive-image.html
	leastArchived = 90
)

// checkLifecycle returns the first fault of a lifecycle policy, with its place.
// The rules are those that AWS documents. Words that are not known here, such as
// a key or a type of count that AWS has added since, are left to AWS.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html
func checkLifecycle(document jsontext.Value) error {
	c := &lifecycleCheck{}
	rules := c.rules(document)
	for i, rule := range rules {
		for _, earlier := range rules[:i] {
			c.checkPair(earlier, rule)
		}
	}
	return c.fault
}

// A lifecycleCheck checks one lifecycle policy.
type lifecycleCheck struct{ fault error }

// refuse keeps the first fault. What is found after it may follow from it.
func (c *lifecycleCheck) refuse(format string, args ...any) {
	if c.fault == nil {
		c.fault = common.Errorf(common.BadRequest, format, args...)
	}
}

// A section is an object in the document.
type section struct {
	place   string // such as rules[1].selection; empty for the document itself
	members map[string]jsontext.Value
}

func (s section) has(key string) bool {
	_, ok := s.members[key]
	return ok
}

// at returns the place of a key.
func (s section) at(key string) string { return strings.TrimPrefix(s.place+"."+key, ".") }

// section reads an object. Its keys are ECR's, and their case matters: ECR would
// ignore or refuse a known key in another case, and not say why.
func (c *lifecycleCheck) section(place string, value jsontext.Value, known ...string) section {
	s := section{place: place}
	if value == nil || json.Unmarshal(value, &s.members) != nil {
		return s // a fault is told already
	}
	for _, key := range slices.Sorted(maps.Keys(s.members)) {
		for _, k := range known {
			if key != k && strings.EqualFold(key, k) {
				c.refuse("%s must be written %s.", s.at(key), k)
			}
		}
	}
	return s
}

// value returns the value of a key, or nil if there is none of that kind.
func (c *lifecycleCheck) value(s section, key string, kind jsontext.Kind) jsontext.Value {
	value, ok := s.members[key]
	if !ok {
		return nil
	}
	return c.ofKind(s.at(key), value, kind)
}

// ofKind returns the value, or nil if it is of another kind.
func (c *lifecycleCheck) ofKind(place string, value jsontext.Value, kind jsontext.Kind) jsontext.Value {
	if value.Kind() != kind {
		c.refuse("%s must be %s, not %s.", place, kindNames[kind], kindNames[value.Kind()])
		return nil
	}
	return value
}

// needed is value for a key that must be there.
func (c *lifecycleCheck) needed(s section, key string, kind jsontext.Kind) jsontext.Value {
	if !s.has(key) {
		c.refuse("%s is needed.", s.at(key))
	}
	return c.value(s, key, kind)
}

// word returns a text that must be there.
func (c *lifecycleCheck) word(s section, key string) string { return textOf(c.needed(s, key, '"')) }

// textOf returns the text of a JSON string, or nothing for nil.
func textOf(value jsontext.Value) (text string) {
	_ = json.Unmarshal(value, &text) // it was read before, so it is JSON
	return text
}

// count returns a whole number that must be there.
func (c *lifecycleCheck) count(s section, key string) int64 {
	value := c.needed(s, key, '0')
	n, err := strconv.ParseInt(string(value), 10, 32)
	if err != nil || n < 1 {
		c.refuse("%s must be a whole number from 1 to %d.", s.at(key), maxCount)
	}
	return n
}

// texts returns a list of texts. It must have one if it is there.
func (c *lifecycleCheck) texts(s section, key string) (texts []string) {
	list := c.list(s.at(key), c.value(s, key, '['))
	for i, value := range list {
		texts = append(texts, textOf(c.ofKind(fmt.Sprintf("%s[%d]", s.at(key), i), value, '"')))
	}
	return texts
}

// list returns the elements of an array, or nothing for nil.
func (c *lifecycleCheck) list(place string, value jsontext.Value) (list []jsontext.Value) {
	if value == nil || json.Unmarshal(value, &list) != nil {
		return nil
	}
	if len(list) == 0 {
		c.refuse("%s must not be empty.", place)
	}
	return list
}

// A lifecycleRule is a rule of the document.
type lifecycleRule struct {
	section
	selection, action section
	priority          int64
	tagStatus         string
	prefixes          []string // sorted, each once
	storageClass      string
	countType         string
	actionType        string
}

// rules reads and checks each rule by itself.
func (c *lifecycleCheck) rules(document jsontext.Value) (rules []lifecycleRule) {
	whole := c.section("", document, "rules")
	list := c.list("rules", c.needed(whole, "rules", '['))
	if len(list) > maxRules {
		c.refuse("rules has %d rules, and may have %d.", len(list), maxRules)
		return nil
	}
	for i, value := range list {
		rules = append(rules, c.rule(fmt.Sprintf("rules[%d]", i), value))
	}
	return rules
}

func (c *lifecycleCheck) rule(place string, value jsontext.Value) lifecycleRule {
	r := lifecycleRule{section: c.section(place, c.ofKind(place, value, '{'), "rulePriority", "description", "selection", "action")}
	r.priority = c.count(r.section, "rulePriority")
	c.value(r.section, "description", '"')
	r.selection = c.section(r.at("selection"), c.needed(r.section, "selection", '{'),
		"tagStatus", "tagPatternList", "tagPrefixList", "storageClass", "countType", "countUnit", "countNumber")
	r.action = c.section(r.at("action"), c.needed(r.section, "action", '{'), "type", "targetStorageClass")
	c.checkTagLists(&r)
	c.checkCount(&r)
	c.checkAction(&r)
	return r
}

// checkTagLists checks which images the rule selects by their tags.
func (c *lifecycleCheck) checkTagLists(r *lifecycleRule) {
	s := r.selection
	r.tagStatus = c.word(s, "tagStatus")
	const patterns, prefixes = "tagPatternList", "tagPrefixList"
	switch r.tagStatus {
	case "tagged":
		if s.has(patterns) && s.has(prefixes) {
			c.refuse("%s has %s and %s, and takes only one of them.", s.place, patterns, prefixes)
		}
		if !s.has(patterns) && !s.has(prefixes) {
			c.refuse("%s or %s is needed with tagged.", s.at(patterns), prefixes)
		}
	case "untagged", "any":
		for _, key := range []string{patterns, prefixes} {
			if s.has(key) {
				c.refuse("%s goes with tagged, not with %s.", s.at(key), r.tagStatus)
			}
		}
	}
	for i, pattern := range c.texts(s, patterns) {
		if n := strings.Count(pattern, "*"); n > maxWildcards {
			c.refuse("%s[%d] has %d wildcards (*), and may have %d.", s.at(patterns), i, n, maxWildcards)
		}
	}
	r.prefixes = slices.Compact(slices.Sorted(slices.Values(c.texts(s, prefixes))))
}

// countTypes are those that AWS documents. All of them need a number.
var countTypes = []string{"imageCountMoreThan", "sinceImagePushed", "sinceImagePulled", "sinceImageTransitioned"}

// checkCount checks how old or how many the images must be.
func (c *lifecycleCheck) checkCount(r *lifecycleRule) {
	s := r.selection
	r.countType = c.word(s, "countType")
	r.storageClass = "standard"
	if s.has("storageClass") {
		r.storageClass = textOf(c.value(s, "storageClass", '"'))
	}
	unit := textOf(c.value(s, "countUnit", '"'))
	switch r.countType {
	case "imageCountMoreThan":
		if s.has("countUnit") {
			c.refuse("%s does not go with %s.", s.at("countUnit"), r.countType)
		}
	case "sinceImagePushed", "sinceImagePulled", "sinceImageTransitioned":
		if !s.has("countUnit") {
			c.refuse("%s is needed with %s.", s.at("countUnit"), r.countType)
		}
		if unit != "days" {
			c.refuse("%s must be days.", s.at("countUnit"))
		}
	}
	c.checkStorageClass(r)
	if !s.has("countNumber") && !slices.Contains(countTypes, r.countType) {
		return // perhaps it does not go with a new type
	}
	n := c.count(s, "countNumber")
	if r.countType == "sinceImageTransitioned" && n < leastArchived {
		c.refuse("%s must be %d at least with %s.", s.at("countNumber"), leastArchived, r.countType)
	}
}

// checkStorageClass checks that archived images are selected by the time since
// they were archived, and no others.
func (c *lifecycleCheck) checkStorageClass(r *lifecycleRule) {
	place := r.selection.at("storageClass")
	switch r.countType {
	case "sinceImageTransitioned":
		if !r.selection.has("storageClass") {
			c.refuse("%s is needed with %s, and must be archive.", place, r.countType)
		}
		if r.storageClass == "standard" {
			c.refuse("%s must be archive with %s.", place, r.countType)
		}
	case "imageCountMoreThan", "sinceImagePushed", "sinceImagePulled":
		if r.storageClass == "archive" {
			c.refuse("%s may be archive with sinceImageTransitioned only, not with %s.", place, r.countType)
		}
	}
}

// checkAction checks what happens to the images.
func (c *lifecycleCheck) checkAction(r *lifecycleRule) {
	r.actionType = c.word(r.action, "type")
	c.value(r.action, "targetStorageClass", '"')
	target := r.action.at("targetStorageClass")
	switch r.actionType {
	case "expire":
		if r.action.has("targetStorageClass") {
			c.refuse("%s goes with transition, not with expire.", target)
		}
		if r.countType == "sinceImagePulled" {
			c.refuse("%s must be transition with sinceImagePulled.", r.action.at("type"))
		}
	case "transition":
		if !r.action.has("targetStorageClass") {
			c.refuse("%s is needed with transition.", target)
		}
		if textOf(r.action.members["targetStorageClass"]) == "standard" {
			c.refuse("%s must be archive.", target)
		}
		if r.countType == "sinceImageTransitioned" {
			c.refuse("%s must be expire with sinceImageTransitioned.", r.action.at("type"))
		}
	}
}

// checkPair checks what two rules may not have in common. Most of that is only
// for rules about the same storage class.
func (c *lifecycleCheck) checkPair(earlier, r lifecycleRule) {
	if earlier.priority == r.priority {
		c.refuse("%s is that of %s too, and each rule needs its own.", r.at("rulePriority"), earlier.place)
	}
	if earlier.storageClass != r.storageClass {
		return
	}
	if earlier.tagStatus == r.tagStatus && (r.tagStatus == "any" || r.tagStatus == "untagged") {
		c.refuse("%s is %s in %s too, and only one rule of a storage class may have that.", r.selection.at("tagStatus"), r.tagStatus, earlier.place)
	}
	c.checkLast(earlier, r)
	c.checkLast(r, earlier)
	if len(r.prefixes) > 0 && slices.Equal(earlier.prefixes, r.prefixes) {
		c.refuse("%s has the same prefixes as that of %s, and each rule of a storage class needs its own.", r.selection.at("tagPrefixList"), earlier.place)
	}
}

// checkLast checks that a rule about any image acts after another one.
func (c *lifecycleCheck) checkLast(r, other lifecycleRule) {
	if r.tagStatus == "any" && r.priority < other.priority {
		c.refuse("%s must be the highest number of its storage class, since its tagStatus is any.", r.at("rulePriority"))
	}
}
