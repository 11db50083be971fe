package registry

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/YaleSpinup/ecr-api/common/localaws/ecr"
)

const (
	maxTags      = 1000 // on a page
	maxReferrers = 50   // on a page, as in ECR

	indexMediaType = "application/vnd.oci.image.index.v1+json"
)

// listTags answers with a page of the tags, in their order. ECR lists them in
// the order of their images, so all of them are read for each page.
func (q *request) listTags() error {
	query := q.URL.Query()
	n, err := pageSize(query)
	if err != nil {
		return err
	}
	tags, err := q.tagsAfter(query.Get("last"))
	if err != nil {
		return err
	}
	slices.Sort(tags)
	if n < len(tags) {
		tags = tags[:n]
		if n > 0 {
			q.linkNext("/tags/list", url.Values{"n": {strconv.Itoa(n)}, "last": {tags[n-1]}})
		}
	}
	return writeJSON(q.w, http.StatusOK, "application/json", map[string]any{"name": q.name, "tags": tags})
}

// pageSize returns the number of tags that the client wants.
func pageSize(query url.Values) (int, error) {
	text := query.Get("n")
	if text == "" {
		return maxTags, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, problem{http.StatusBadRequest, codeUnsupported, fmt.Sprintf("n is a number of tags, not %.20q", text)}
	}
	return min(n, maxTags), nil
}

// tagsAfter returns the tags that come after the one given.
func (q *request) tagsAfter(last string) ([]string, error) {
	size := 1000
	in := ecr.ListImagesInput{RepositoryID: q.repository, Paging: ecr.Paging{MaxResults: &size}}
	in.Filter.TagStatus = "TAGGED"
	tags := []string{} // JSON writes [] and not null
	for {
		out, err := do[ecr.ListImagesOutput](q, "ListImages", in)
		if err != nil {
			return nil, err
		}
		for _, id := range out.IDs {
			if id.Tag > last {
				tags = append(tags, id.Tag)
			}
		}
		if in.NextToken = out.NextToken; in.NextToken == "" {
			return tags, nil
		}
	}
}

// listReferrers answers with a page of the images that refer to an image, as an
// index of them.
func (q *request) listReferrers() error {
	if err := checkDigest(q.reference); err != nil {
		return err
	}
	query := q.URL.Query()
	size := maxReferrers
	in := ecr.ListImageReferrersInput{RepositoryID: q.repository, Paging: ecr.Paging{NextToken: query.Get("nextToken"), MaxResults: &size}}
	in.Subject.Digest = q.reference
	in.Filter.ArtifactTypes = slices.DeleteFunc(query["artifactType"], func(kind string) bool { return kind == "" })
	query["artifactType"] = in.Filter.ArtifactTypes
	out, err := do[ecr.ListImageReferrersOutput](q, "ListImageReferrers", in)
	if err != nil {
		return err
	}
	if len(in.Filter.ArtifactTypes) > 0 {
		q.w.Header().Set("OCI-Filters-Applied", "artifactType")
	}
	if out.NextToken != "" {
		query.Set("nextToken", out.NextToken)
		q.linkNext("/referrers/"+q.reference, query)
	}
	return writeJSON(q.w, http.StatusOK, indexMediaType, indexOf(out.Referrers))
}

type index struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Manifests     []descriptor `json:"manifests"`
}

type descriptor struct {
	MediaType    string            `json:"mediaType"`
	Digest       string            `json:"digest"`
	Size         int64             `json:"size"`
	ArtifactType string            `json:"artifactType,omitempty"`
	Annotations  map[string]string `json:"annotations,omitempty"`
}

func indexOf(referrers []ecr.Referrer) index {
	list := index{2, indexMediaType, []descriptor{}} // JSON writes [] and not null
	for _, r := range referrers {
		list.Manifests = append(list.Manifests, descriptor{r.MediaType, r.Digest, r.Size, r.ArtifactType, r.Annotations})
	}
	return list
}

// linkNext says where the next page is (RFC 8288).
func (q *request) linkNext(end string, query url.Values) {
	q.w.Header().Set("Link", fmt.Sprintf(`<%s?%s>; rel="next"`, q.path(end), query.Encode()))
}
