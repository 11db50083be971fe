package roles

import (
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go/aws/endpoints"
)

// NearestRegion tells whether the SDK knows the region. If it does not, the
// region may be newer than the SDK, or written wrongly: then it also returns the
// known region that looks most like it, if one does.
func NearestRegion(region string) (nearest string, known bool) {
	const maxEdits = 2
	best := maxEdits + 1
	for _, candidate := range regions() {
		edits := editDistance(region, candidate)
		if edits == 0 {
			return region, true
		}
		if edits < best {
			nearest, best = candidate, edits
		}
	}
	return nearest, false
}

// regions returns the regions of all partitions, sorted.
func regions() []string {
	var all []string
	for _, partition := range endpoints.DefaultPartitions() {
		all = slices.AppendSeq(all, maps.Keys(partition.Regions()))
	}
	slices.Sort(all)
	return all
}

// editDistance returns how many letters must be added, removed or changed to
// make one text of the other (Levenshtein).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1) // from the beginning of a so far to each beginning of b
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
