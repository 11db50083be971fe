package api

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws"
)

// roundTrips returns how many calls a request had to wait for, one after
// another. That is the length of the longest chain of calls in which each call
// began after the end of the one before.
func roundTrips(calls []localaws.Call) int {
	slices.SortFunc(calls, func(a, b localaws.Call) int { return a.End.Compare(b.End) })
	n, last := 0, time.Time{}
	for _, c := range calls {
		if !c.Start.Before(last) {
			n, last = n+1, c.End
		}
	}
	return n
}

// This test does not run in parallel with others. On a busy machine AWS would
// answer calls that are made at the same time one after another.
func TestRoundTrips(t *testing.T) {
	scans, accesses := 0, []string{"pull", "push"}
	keys := map[bool]string{false: "AKIAIOSFODNN7EXAMPLE", true: "AKIAIOSFODNN7EXAMPL2"} // of users, by kept
	for _, c := range []struct {
		name    string
		request func(group string) exchange
		most    int // if the session is kept; otherwise one more
	}{
		{"list", func(string) exchange { return exchange{method: "GET", path: base} }, 2}, // two pages
		{"list by group", func(group string) exchange { return exchange{method: "GET", path: base + "/" + group} }, 2},
		{"show", func(group string) exchange { return exchange{method: "GET", path: base + "/" + group + "/a"} }, 1},
		{"images", func(group string) exchange { return exchange{method: "GET", path: base + "/" + group + "/a/images"} }, 3}, // two pages, and the tags again
		{"image", func(group string) exchange {
			return exchange{method: "GET", path: base + "/" + group + "/a/images/once"}
		}, 1},
		{"image by digest", func(group string) exchange {
			return exchange{method: "GET", path: base + "/" + group + "/a/images/" + digestNo(1)} // it was not scanned
		}, 1},
		{"image that was not scanned", func(group string) exchange {
			return exchange{method: "GET", path: base + "/" + group + "/a/images/v7"}
		}, 2}, // asked for the scan by the tag, and by the digest
		{"image with two pages of findings", func(group string) exchange {
			return exchange{method: "GET", path: base + "/" + group + "/a/images/scanned"}
		}, 2},
		{"index", func(group string) exchange {
			return exchange{method: "GET", path: base + "/" + group + "/a/images/multi"}
		}, 3}, // its manifest, and the sizes of its parts
		{"a page of images", func(group string) exchange {
			return exchange{method: "GET", path: base + "/" + group + "/a/images?tag=v*&limit=10"}
		}, 3},
		{"create", func(group string) exchange {
			return exchange{method: "POST", path: base + "/" + group, body: fmt.Sprintf(`{"RepositoryName": "new%d", "ScanOnPush": true, "Tags": [{"Key": "k", "Value": "v"}]}`, time.Now().UnixNano())}
		}, 1},
		{"update", func(group string) exchange {
			return exchange{method: "PUT", path: base + "/" + group + "/a", body: `{"ScanOnPush": true, "ImageTagMutability": "IMMUTABLE"}`}
		}, 2},
		{"update tags", func(group string) exchange {
			return exchange{method: "PUT", path: base + "/" + group + "/a", body: `{"Tags": [{"Key": "k", "Value": "v"}]}`}
		}, 2},
		{"update all", func(group string) exchange {
			return exchange{method: "PUT", path: base + "/" + group + "/a", body: updateAll}
		}, 2},
		{"update nothing", func(group string) exchange {
			return exchange{method: "PUT", path: base + "/" + group + "/a", body: `{}`}
		}, 1},
		{"credentials", func(group string) exchange {
			return exchange{method: "POST", path: base + "/" + group + "/a/credentials", body: `{"Access": "push"}`}
		}, 3}, // the second session and the password
		{"scan", func(group string) exchange {
			scans++ // each time another image
			return exchange{method: "POST", path: fmt.Sprintf("%s/%s/a/images/v%d/scan", base, group, scans), status: 202}
		}, 2},
		{"delete image", func(group string) exchange {
			return exchange{method: "DELETE", path: base + "/" + group + "/a/images/" + numbered(1)}
		}, 2},
		{"delete tag", func(group string) exchange {
			return exchange{method: "DELETE", path: base + "/" + group + "/a/images/latest"}
		}, 3}, // and whether the image went with its last tag
		{"delete images", func(group string) exchange {
			return exchange{method: "DELETE", path: base + "/" + group + "/a/images?tag=latest"}
		}, 5}, // two pages, the tags again, the last look and the deletion
		{"lifecycle", func(group string) exchange {
			return exchange{method: "GET", path: base + "/" + group + "/a/lifecycle"}
		}, 1},
		{"lifecycle, put", func(group string) exchange {
			return exchange{method: "PUT", path: base + "/" + group + "/a/lifecycle", body: expireOld}
		}, 2},
		{"lifecycle, deleted", func(group string) exchange {
			return exchange{method: "DELETE", path: base + "/" + group + "/a/lifecycle"}
		}, 2},
		{"lifecycle, last preview", func(group string) exchange {
			return exchange{method: "GET", path: base + "/" + group + "/a/lifecycle/preview"}
		}, 1},
		{"lifecycle, preview", func(group string) exchange {
			return exchange{method: "POST", path: base + "/" + group + "/a/lifecycle/preview", body: expireOld}
		}, 4}, // the tags, the start, a look and the page
		{"sharing", func(group string) exchange { return exchange{method: "GET", path: base + "/" + group + "/a/sharing"} }, 1},
		{"share", func(group string) exchange {
			return exchange{method: "PUT", path: base + "/" + group + "/a/sharing", body: fmt.Sprintf(`{"Groups": ["g%d"], "Accounts": []}`, time.Now().UnixNano())}
		}, 3}, // read, write, read
		{"share by an update", func(group string) exchange {
			return exchange{method: "PUT", path: base + "/" + group + "/a", body: fmt.Sprintf(`{"Groups": ["g%d"]}`, time.Now().UnixNano())}
		}, 4},
		{"share what is created", func(group string) exchange {
			return exchange{method: "POST", path: base + "/" + group, body: fmt.Sprintf(`{"RepositoryName": "new%d", "Groups": ["a"]}`, time.Now().UnixNano())}
		}, 4}, // and each time a session for that repository
		{"delete", func(group string) exchange { return exchange{method: "DELETE", path: base + "/" + group + "/a"} }, 3}, // and the users that came in between
		{"users", func(group string) exchange { return exchange{method: "GET", path: base + "/" + group + "/a/users"} }, 1},
		{"user", func(group string) exchange {
			return exchange{method: "GET", path: base + "/" + group + "/a/users/builder"}
		}, 2}, // and when its keys were used
		{"user, created", func(group string) exchange {
			return exchange{method: "POST", path: base + "/" + group + "/a/users", body: fmt.Sprintf(`{"UserName": "new%d"}`, time.Now().UnixNano())}
		}, 5}, // and each time a session for that user
		{"user, changed", func(group string) exchange {
			accesses = append(accesses[1:], accesses[0])
			body := fmt.Sprintf(`{"Access": %q, "Tags": [{"Key": "k", "Value": "%d"}]}`, accesses[0], time.Now().UnixNano())
			return exchange{method: "PUT", path: base + "/" + group + "/a/users/builder", body: body}
		}, 4},
		{"user, key replaced", func(group string) exchange {
			return exchange{method: "PUT", path: base + "/" + group + "/a/users/builder", body: `{"resetkey": true}`}
		}, 4},
		{"user, key switched off", func(group string) exchange {
			return exchange{method: "PUT", path: base + "/" + group + "/a/users/builder/keys/" + keys[false], body: `{"Status": "Inactive"}`}
		}, 3},
		{"user, deleted", func(group string) exchange {
			return exchange{method: "DELETE", path: base + "/" + group + "/a/users/builder"}
		}, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			for i := range 1001 {
				w.addRepository(account, fmt.Sprintf("other/r%d", i), org)
			}
			w.addRepository(account, "g/a", org)
			w.addImages(account, "g/a", 1001)
			if c.name == "image" || strings.HasPrefix(c.name, "image ") || c.name == "index" {
				w.addImage(account, "g/a", localaws.Image{Tags: []string{"once"}, Scan: &localaws.Scan{CompletedAt: awsClock}})
				w.addImage(account, "g/a", localaws.Image{Tags: []string{"scanned"}, Scan: &localaws.Scan{CompletedAt: awsClock, Findings: findingsOf("CVE-", 1001)}})
				w.addPlatforms("g/a", "multi")
			}
			w.aws.Inject(localaws.Fault{Operation: "*", Delay: 400 * time.Millisecond})
			for _, kept := range []bool{false, true} {
				if kept && c.name == "delete" {
					w.addRepository(account, "g/a", org)
				}
				if strings.HasPrefix(c.name, "delete ") {
					w.addImage(account, "g/a", localaws.Image{Digest: numbered(1), Tags: []string{"latest"}})
				}
				if strings.HasPrefix(c.name, "lifecycle") {
					w.addLifecycle(account, "g/a", keepTen)
					w.addPreview("g/a", expireOld)
				}
				if c.name == "user, deleted" || !kept && strings.HasPrefix(c.name, "user") {
					w.addUser(account, builder("pull"))
					w.must(nil, w.aws.AddUserKeyWithID(account, "g-a-builder", keys[kept]))
				}
				w.forget()
				e := c.request("g")
				e.name, e.status, e.want = fmt.Sprintf("credentials kept: %t", kept), cmp.Or(e.status, 200), "-"
				w.run(e)
				most := c.most
				if !kept {
					most++
				}
				if c.name == "share what is created" || !kept && (c.name == "share by an update" || c.name == "user, key replaced") {
					most++ // the session that writes
				}
				if got := roundTrips(w.calls); got != most {
					t.Errorf("credentials kept: %t: %d round trips, want %d: %v", kept, got, most, w.called())
				}
			}
		})
	}
}
