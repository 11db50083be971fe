package api

import (
	"cmp"
	"slices"
	"testing"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/aws/aws-sdk-go/aws"
	awsecr "github.com/aws/aws-sdk-go/service/ecr"
)

// imageID names an image for AWS by its digest.
func imageID(digest string) *awsecr.ImageIdentifier {
	return &awsecr.ImageIdentifier{ImageDigest: aws.String(digest)}
}

// ofA returns an id in the answer of a deletion, of the image digestA.
func ofA(tag string) string { return `{"ImageDigest": "` + digestA + `", "ImageTag": "` + tag + `"}` }

// lostTag returns the answer for a tag that is gone, if AWS's answer was lost and
// the image that had the tag is there: perhaps another image had it by then.
func lostTag(tag string) string {
	return `{"ImageIds": [{"ImageDigest": null, "ImageTag": "` + tag + `"}], "Failures": [], "DeletedImages": null}`
}

// tagMoved returns the answer for the tag v1 that another image has got, if AWS
// did not say whether it deleted the tag before.
func tagMoved(digest string) string {
	return with(problemOf("tag-moved", "The image "+digest+" has the tag v1 now, and keeps it. It is not known whether this was done: Tag v1. "+
		"The same request, sent again, would take the tag from that image."), `"unknown": ["Tag v1"]`)
}

func TestLostDeletionOfAnImage(t *testing.T) {
	t.Parallel()
	for name, fault := range lostAnswerFaults {
		for _, test := range []struct {
			tags  []string
			image string
			want  string
			found string // the answer if the deletion is found by a look
		}{
			{[]string{"v1", "v2"}, "v2", deletion(ofA("v2")), lostTag("v2")},
			{[]string{"v1"}, "v1", deletion(ofA("v1"), digestA), ""},
			{[]string{"v1", "v2"}, digestA, deletion(ofA("v1")+", "+ofA("v2"), digestA), ""},
			{nil, digestA, deletion(`{"ImageDigest": "`+digestA+`", "ImageTag": null}`, digestA), ""},
		} {
			for _, afterWork := range []bool{true, false} {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					w := newDeleteWorld(t, test.tags...)
					w.loseAnswer("ecr:BatchDeleteImage", fault, afterWork)
					want, deletions := cmp.Or(test.found, test.want), 1
					if !afterWork {
						want, deletions = test.want, 2
					}
					w.run(deleteOf(test.image, 200, want), showOf(test.image, 404))
					if got := w.deletions(); got != deletions {
						t.Errorf("%d deletions, want %d", got, deletions)
					}
					looks := 0
					for _, operation := range w.called() {
						if operation == "ecr:DescribeImages" {
							looks++
						}
					}
					most := 3 // before, after the lost answer, and that of the second request
					if test.image != digestA {
						most = 4 // whether the image is gone with the tag
					}
					if looks != most {
						t.Errorf("%d looks, want %d: %v", looks, most, w.called())
					}
					w.loseAnswer("ecr:BatchDeleteImage", fault, false)
					w.run(deleteOf(test.image, 404, "-"))
				})
			}
		}
	}
}

// deletions returns how many calls of the service were to delete images.
func (w *world) deletions() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, c := range w.calls {
		if c.Operation == "BatchDeleteImage" && c.Policy != "" {
			n++
		}
	}
	return n
}

// An attempt deletes something, and its answer gets lost. Before the next attempt
// somebody pushes again. What was pushed stays.
func TestLostDeletionKeepsWhatIsPushedNext(t *testing.T) {
	t.Parallel()
	lost := localaws.Fault{Drop: true}
	for name, test := range map[string]struct {
		tags     []string
		image    string
		pushed   localaws.Image
		deletion exchange
	}{
		"the same image, deleted by its digest": {[]string{"v1"}, digestA, localaws.Image{Digest: digestA, Tags: []string{"v1"}},
			deleteOf(digestA, 200, deletion(ofA("v1"), digestA))},
		"the same image, deleted by its tag": {[]string{"v1"}, "v1", localaws.Image{Digest: digestA, Tags: []string{"v1"}},
			deleteOf("v1", 200, deletion(ofA("v1"), digestA))},
		"another image of the tag, the last one": {[]string{"v1"}, "v1", localaws.Image{Digest: digestB, Tags: []string{"v1"}},
			deleteOf("v1", 200, deletion(ofA("v1"), digestA))},
		"another image of the tag, not the last one": {[]string{"v1", "v2"}, "v1", localaws.Image{Digest: digestB, Tags: []string{"v1"}},
			deleteOf("v1", 409, tagMoved(digestB))},
		"another image of the tag, after another image's deletion": {[]string{"v1"}, digestA, localaws.Image{Digest: digestB, Tags: []string{"v1"}},
			deleteOf(digestA, 200, deletion(ofA("v1"), digestA))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newDeleteWorld(t, test.tags...)
			w.loseAnswer("ecr:BatchDeleteImage", lost, true)
			w.after = func(c localaws.Call) {
				if c.Operation == "BatchDeleteImage" {
					w.later.Add(1)
					w.addImage(account, "g/a", test.pushed)
				}
			}
			w.run(test.deletion, showOf(test.pushed.Digest, 200), showOf("v1", 200))
			if got := w.deletions(); got != 1 {
				t.Errorf("%d deletions, want 1", got)
			}
		})
	}
}

// The attempt has done nothing, and the tag moves before the next one. It stays,
// and nobody knows that the attempt has done nothing.
func TestLostDeletionOfATagThatMoves(t *testing.T) {
	t.Parallel()
	w := newDeleteWorld(t, "v1")
	w.loseAnswer("ecr:BatchDeleteImage", localaws.Fault{Drop: true}, false)
	w.after = func(c localaws.Call) {
		if c.Operation == "BatchDeleteImage" {
			w.addImage(account, "g/a", localaws.Image{Digest: digestB, Tags: []string{"v1"}})
		}
	}
	w.run(deleteOf("v1", 409, tagMoved(digestB)), showOf("v1", 200), showOf(digestA, 200), showOf(digestB, 200))
}

// Somebody moves the tag, or pushes another tag of the image, right before the
// deletion whose answer gets lost. The answer does not say that an image is gone
// that is still there.
func TestLostDeletionOfATagThatIsNotTheLast(t *testing.T) {
	t.Parallel()
	for name, pushed := range map[string]func(*world){
		"the tag moves": func(w *world) { w.addImage(account, "g/a", localaws.Image{Digest: digestB, Tags: []string{"v1"}}) },
		"there is another tag": func(w *world) {
			w.removeImage(imageID(digestA))
			w.addImage(account, "g/a", localaws.Image{Digest: digestA, Tags: []string{"v1", "v2"}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newDeleteWorld(t, "v1")
			w.aws.Inject(localaws.Fault{Operation: "ecr:BatchDeleteImage", Drop: true, AfterWork: true, Times: 1, When: func(c localaws.Call) bool {
				if c.Policy == "" { // the administrator's
					return false
				}
				pushed(w)
				return true
			}})
			w.run(deleteOf("v1", 200, lostTag("v1")), showOf(digestA, 200), showOf("v1", 404))
		})
	}
}

// The repository goes with the image.
func TestLostDeletionBeforeTheRepositoryGoes(t *testing.T) {
	t.Parallel()
	w := newDeleteWorld(t, "v1")
	w.loseAnswer("ecr:BatchDeleteImage", localaws.Fault{Drop: true}, true)
	w.after = func(c localaws.Call) {
		if c.Operation == "BatchDeleteImage" {
			w.must(w.administrator().DeleteRepository(&awsecr.DeleteRepositoryInput{RepositoryName: aws.String("g/a"), Force: aws.Bool(true)}))
		}
	}
	w.run(deleteOf("v1", 200, deletion(ofA("v1"), digestA)))
}

// The second attempt is sent, and finds that the first one, which was slow, has
// done the work.
func TestLostDeletionThatIsLate(t *testing.T) {
	t.Parallel()
	w := newDeleteWorld(t, "v1")
	w.loseAnswer("ecr:BatchDeleteImage", localaws.Fault{Drop: true}, false)
	w.afterLook(func() { w.removeImage(imageID(digestA)) })
	w.run(deleteOf("v1", 200, deletion(ofA("v1"), digestA)))
	if got := w.deletions(); got != 2 {
		t.Errorf("%d deletions, want 2", got)
	}
}

// A deletion is not repeated if the service cannot find out whether the image is
// still the same.
func TestLostDeletionWhenLookingFailsToo(t *testing.T) {
	t.Parallel()
	for image, part := range map[string]string{digestA: "Image", "v1": "Tag v1"} {
		tags := []string{"v1"}
		w := newDeleteWorld(t, tags...)
		w.loseAnswer("ecr:BatchDeleteImage", localaws.Fault{Drop: true}, true)
		mend := func() {}
		w.after = func(c localaws.Call) {
			if c.Operation == "BatchDeleteImage" {
				w.later.Add(1)
				w.addImage(account, "g/a", localaws.Image{Digest: digestA, Tags: tags})
				mend = w.aws.Inject(localaws.Fault{Operation: "ecr:DescribeImages", Code: "ServerException", Status: 500})
			}
		}
		w.run(deleteOf(image, 500, failedChange("internal", internalError, nil, []string{part})))
		mend()
		w.run(showOf(image, 200))
	}
}

// An answer that is cut off before its body, or that says nothing, counts as
// lost.
func TestLostDeletionWithAnEmptyAnswer(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{"", "{}", `{"imageIds": [], "failures": []}`, `{"imageIds": null}`} {
		w := newWorld(t, changeAnswers(t, func(operation, body string) string {
			if operation == "BatchDeleteImage" {
				return answer
			}
			return body
		}))
		w.addRepository(account, "g/a", org)
		w.addImage(account, "g/a", localaws.Image{Digest: digestA, Tags: []string{"v1"}})
		w.run(deleteOf("v1", 200, deletion(ofA("v1"), digestA)), showOf(digestA, 404))
	}
}

// An image that an index names is still there, also if an attempt was lost
// before.
func TestLostDeletionOfAPartOfAnIndex(t *testing.T) {
	t.Parallel()
	w := newDeleteWorld(t)
	w.addIndexOf("g/a", indexDigest, []string{"v1"}, digestA)
	w.loseAnswer("ecr:BatchDeleteImage", localaws.Fault{Drop: true}, false)
	w.run(deleteOf(digestA, 409, inIndex(digestA, "the index "+indexDigest+" (v1)")))
}

// If the image is still there, the answer says that it is not known: AWS may do
// the work later.
func TestDeletionOfAnImageThatStaysUnknown(t *testing.T) {
	t.Parallel()
	w := newDeleteWorld(t, "v1")
	w.aws.Inject(localaws.Fault{Operation: "ecr:BatchDeleteImage", Code: "ServerException", Status: 500})
	w.run(deleteOf("v1", 500, failedChangeByAWS("internal", internalError, nil, []string{"Tag v1"}, "ServerException")))
	w.run(showOf("v1", 200))
	if line := w.lastAudit(t); line["outcome"] != "unknown" || !slices.Equal(line["unknown"].([]any), []any{"Tag v1"}) {
		t.Errorf("the line is %v", line)
	}
}

// lastAudit returns the last audit line.
func (w *world) lastAudit(t *testing.T) map[string]any {
	t.Helper()
	lines := slices.DeleteFunc(w.logged(t), func(line map[string]any) bool { return line["msg"] != "audit" })
	return lines[len(lines)-1]
}
