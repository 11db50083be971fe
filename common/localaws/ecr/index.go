package ecr

import "slices"

// index keeps names in order. It sorts only when it is read after a name was
// added, so that adding many names is cheap.
type index struct {
	names  []string
	sorted bool
}

func (x *index) add(name string) {
	last := len(x.names) - 1
	x.sorted = last < 0 || x.sorted && x.names[last] < name
	x.names = append(x.names, name)
}

func (x *index) remove(name string) {
	if i, found := slices.BinarySearch(x.all(), name); found {
		x.names = slices.Delete(x.names, i, i+1)
	}
}

// all returns the names in order.
func (x *index) all() []string {
	if !x.sorted {
		slices.Sort(x.names)
		x.sorted = true
	}
	return x.names
}

// from returns the names in order, from the first one that is not less than
// start.
func (x *index) from(start string) []string {
	i, _ := slices.BinarySearch(x.all(), start)
	return x.names[i:]
}
