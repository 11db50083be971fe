package ecr

import (
	"slices"

	"github.com/aws/aws-sdk-go/aws"
)

// wildcard is the only type of filter that ECR has.
const wildcard = "WILDCARD"

// awsFilters returns nil for no patterns: ECR refuses an empty list.
func awsFilters(patterns []string) []exclusionFilter {
	var list []exclusionFilter
	for _, p := range patterns {
		list = append(list, exclusionFilter{Filter: aws.String(p), FilterType: aws.String(wildcard)})
	}
	return list
}

// filterTexts returns the patterns of filters.
func filterTexts(filters []exclusionFilter) []string {
	var patterns []string
	for _, f := range filters {
		patterns = append(patterns, aws.StringValue(f.Filter))
	}
	return patterns
}

// samePatterns tells whether two lists have the same patterns. Neither their
// order nor repetitions make a difference to ECR.
func samePatterns(a, b []string) bool { return slices.Equal(sortedOnce(a), sortedOnce(b)) }

func sortedOnce(list []string) []string { return slices.Compact(slices.Sorted(slices.Values(list))) }
