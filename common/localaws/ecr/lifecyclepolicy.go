package ecr

import (
	"cmp"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// Values in a lifecycle policy.
const (
	tagStatusAny      = "any"
	tagStatusTagged   = "tagged"
	tagStatusUntagged = "untagged"

	classStandard = "standard"
	classArchive  = "archive"

	countMoreThan     = "imageCountMoreThan"
	sincePushed       = "sinceImagePushed"
	sincePulled       = "sinceImagePulled"
	sinceTransitioned = "sinceImageTransitioned"

	actionExpire     = "expire"
	actionTransition = "transition"
)

const (
	maxWildcards   = 4  // of a pattern
	leastInArchive = 90 // days that an image stays in the archive
	unitDays       = "days"
)

// lifecyclePolicy is the rules of a lifecycle policy, by rising priority.
type lifecyclePolicy []lifecycleRule

// lifecycleRule is a rule of a lifecycle policy.
type lifecycleRule struct {
	priority  int64
	tagStatus string
	// patterns are those of the tags. Each must match one of the image's tags.
	patterns  []*regexp.Regexp
	tagLists  string // the lists as a text, to compare them
	class     string // storage class of the images
	countType string
	number    int64
	action    string
	target    string // storage class to which a transition leads
}

// parseLifecycle reads the text of a policy, and returns ECR's answer to what is
// wrong with it.
func parseLifecycle(text string) (lifecyclePolicy, error) {
	policy, fault := readLifecycle(text)
	if fault != "" {
		return nil, invalidParameter("LifecyclePolicyText", "Lifecycle policy validation failure: "+fault)
	}
	return policy, nil
}

// readLifecycle reads the text of a policy, or says what is wrong with it. It says
// so in ECR's words, as far as they are known.
func readLifecycle(text string) (policy lifecyclePolicy, fault string) {
	var document map[string]any
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&document); err != nil || document == nil || !json.Valid([]byte(text)) {
		return nil, "Could not map policyString into LifecyclePolicy."
	}
	if fault := lifecycleSchema.fault(document); fault != "" {
		return nil, fault
	}
	for _, rule := range document["rules"].([]any) {
		r, fault := readRule(rule.(map[string]any))
		if fault != "" {
			return nil, fault
		}
		policy = append(policy, r)
	}
	slices.SortStableFunc(policy, func(a, b lifecycleRule) int { return cmp.Compare(a.priority, b.priority) })
	return policy, policy.fault()
}

// readRule reads a rule that fits the schema, and says what is wrong with it.
func readRule(rule map[string]any) (r lifecycleRule, fault string) {
	selection, action := rule["selection"].(map[string]any), rule["action"].(map[string]any)
	return lifecycleRule{
		priority:  numberOf(rule, "rulePriority"),
		tagStatus: textOf(selection, "tagStatus"),
		patterns:  tagPatterns(selection),
		tagLists:  tagLists(selection),
		class:     classOf(selection),
		countType: textOf(selection, "countType"),
		number:    numberOf(selection, "countNumber"),
		action:    textOf(action, "type"),
		target:    textOf(action, "targetStorageClass"),
	}, cmp.Or(faultOfCount(selection), faultOfTags(selection), faultOfAction(action, textOf(selection, "countType")))
}

// faultOfCount checks the properties that depend on the type of the count.
func faultOfCount(selection map[string]any) string {
	unit, given := selection["countUnit"]
	if text, ok := unit.(string); ok && text != unitDays {
		return "instance value (" + text + `) not found in enum :(possible values: ["days"])`
	}
	inDays, class := unit == unitDays, classOf(selection)
	var fits bool
	switch textOf(selection, "countType") {
	case countMoreThan:
		fits = !given && class == classStandard
	case sincePushed, sincePulled:
		fits = inDays && class == classStandard
	case sinceTransitioned:
		fits = inDays && class == classArchive
		if fault := faultBelow(leastInArchive, selection["countNumber"].(json.Number)); fits && fault != "" {
			return fault
		}
	}
	if !fits {
		return "instance failed to match exactly one schema (matched 0 out of 4)"
	}
	return ""
}

// faultOfTags checks the lists of tags. Of its texts, only the one about no lists
// is known to be ECR's.
func faultOfTags(selection map[string]any) string {
	patterns, hasPatterns := selection["tagPatternList"].([]any)
	prefixes, hasPrefixes := selection["tagPrefixList"].([]any)
	switch {
	case textOf(selection, "tagStatus") != tagStatusTagged:
		if hasPatterns || hasPrefixes {
			return "Must specify tagPrefixList or tagPatternList only when tagStatus=TAGGED."
		}
	case len(patterns) == 0 && len(prefixes) == 0:
		return "Must specify tagPrefixList or tagPatternList when tagStatus=TAGGED."
	case hasPatterns && hasPrefixes:
		return "Must specify either tagPrefixList or tagPatternList, not both."
	}
	for _, pattern := range patterns {
		if strings.Count(pattern.(string), "*") > maxWildcards {
			return "A tag pattern must have no more than 4 wildcards."
		}
	}
	return ""
}

// faultOfAction checks the action, and whether it is one for the type of the
// count. What ECR says of the latter is not known.
func faultOfAction(action map[string]any, countType string) string {
	target, given := action["targetStorageClass"]
	expires := action["type"] == actionExpire
	switch {
	case expires && given, !expires && target != classArchive:
		return "instance failed to match exactly one schema (matched 0 out of 2)"
	case expires && countType == sincePulled:
		return "The action EXPIRE is not supported for the countType sinceImagePulled"
	case !expires && countType == sinceTransitioned:
		return "The action TRANSITION is not supported for the countType sinceImageTransitioned"
	}
	return ""
}

// fault checks the rules together. What ECR says of equal priorities and equal tags
// is not known.
func (p lifecyclePolicy) fault() string {
	untagged, done, lists := make(map[string]bool), make(map[string]bool), make(map[string]bool)
	for i, r := range p {
		switch {
		case i > 0 && p[i-1].priority == r.priority:
			return "Each rule must have a unique rulePriority"
		case r.tagStatus == tagStatusUntagged && untagged[r.class]:
			return "Only one rule can select Untagged images per storage class"
		case done[r.class]:
			return "Rule for tagStatus=ANY must have the lowest priority per storage class"
		case r.tagLists != "" && lists[r.class+r.tagLists]:
			return "Each rule must have a unique set of tags per storage class"
		}
		untagged[r.class] = untagged[r.class] || r.tagStatus == tagStatusUntagged
		done[r.class] = done[r.class] || r.tagStatus == tagStatusAny
		lists[r.class+r.tagLists] = true
	}
	return ""
}

// tagPatterns returns the patterns of the lists. A prefix is one with an open end.
func tagPatterns(selection map[string]any) []*regexp.Regexp {
	var patterns []*regexp.Regexp
	for _, pattern := range textsOf(selection, "tagPatternList") {
		patterns = append(patterns, wildcard(pattern))
	}
	for _, prefix := range textsOf(selection, "tagPrefixList") {
		patterns = append(patterns, regexp.MustCompile("^"+regexp.QuoteMeta(prefix)))
	}
	return patterns
}

// tagLists returns a text that is the same for the same set of tags.
func tagLists(selection map[string]any) string {
	var lists string
	for _, name := range []string{"tagPatternList", "tagPrefixList"} {
		if texts := textsOf(selection, name); len(texts) > 0 {
			slices.Sort(texts)
			lists += name + quoted(slices.Compact(texts))
		}
	}
	return lists
}

// classOf returns the storage class of the images that are selected.
func classOf(selection map[string]any) string {
	return cmp.Or(textOf(selection, "storageClass"), classStandard)
}

func textOf(object map[string]any, name string) string {
	text, _ := object[name].(string)
	return text
}

func numberOf(object map[string]any, name string) int64 {
	number, _ := object[name].(json.Number)
	n, _ := number.Int64() // it fits the schema
	return n
}

func textsOf(object map[string]any, name string) []string {
	list, _ := object[name].([]any)
	var texts []string
	for _, item := range list {
		texts = append(texts, item.(string))
	}
	return texts
}
