package registry_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

func TestTags(t *testing.T) {
	t.Parallel()
	b, c := start(t)
	const name = `{"name":"012345678901/us-east-1/group/one","tags":`
	for i := range 3 {
		awstest.Must(t, b.AddImage(localaws.AdministratorAccount, awstest.Here, "group/one", localaws.Image{MediaType: ociManifest,
			Manifest: fmt.Sprintf(`{"mediaType":%q,"layers":[{"size":%d}]}`, ociManifest, i), Tags: []string{fmt.Sprintf("a%d", 9-i), fmt.Sprintf("b%d", i)}}))
	}
	for _, test := range []struct{ name, query, want, link string }{
		{"all", "", `["a7","a8","a9","b0","b1","b2"]`, ""},
		{"more than there are", "?n=7", `["a7","a8","a9","b0","b1","b2"]`, ""},
		{"as many as there are", "?n=6", `["a7","a8","a9","b0","b1","b2"]`, ""},
		{"first page", "?n=4", `["a7","a8","a9","b0"]`, `</v2/012345678901/us-east-1/group/one/tags/list?last=b0&n=4>; rel="next"`},
		{"second page", "?last=b0&n=4", `["b1","b2"]`, ""},
		{"after what is not there", "?last=a", `["a7","a8","a9","b0","b1","b2"]`, ""},
		{"after the last one", "?last=b2", `[]`, ""},
		{"none", "?n=0", `[]`, ""},
		{"more than a page may have", "?n=1000000", `["a7","a8","a9","b0","b1","b2"]`, ""},
	} {
		link := ""
		if test.link != "" {
			link = "Link: " + test.link + "\n"
		}
		body := name + test.want + "}"
		c.want(test.name, c.send("GET", one+"/tags/list"+test.query, ""), fmt.Sprintf("200\nContent-Length: %d\nContent-Type: application/json\n%s\n%s", len(body), link, body))
	}
	for _, n := range []string{"-1", "x", "1.5", "99999999999999999999"} {
		c.wantError("n="+n, c.send("GET", one+"/tags/list?n="+n, ""), 400, "UNSUPPORTED", `n is a number of tags, not "`+n+`"`)
	}
}

// A repository with many tags has pages without being asked for them.
func TestManyTags(t *testing.T) {
	t.Parallel()
	b, c := start(t)
	for i := range 3 {
		var tags []string
		for n := range 700 {
			tags = append(tags, fmt.Sprintf("t%d-%03d", i, n))
		}
		awstest.Must(t, b.AddImage(localaws.AdministratorAccount, awstest.Here, "group/one", localaws.Image{MediaType: ociManifest,
			Manifest: fmt.Sprintf(`{"mediaType":%q,"layers":[{"size":%d}]}`, ociManifest, i), Tags: tags}))
	}
	path, pages, seen := one+"/tags/list", 0, 0
	for path != "" {
		page := c.send("GET", path, "")
		c.wantStatus(path, page, 200)
		pages, seen = pages+1, seen+strings.Count(page.body, `"t`)-1 // and the key "tags"
		link, _, _ := strings.Cut(page.header.Get("Link"), ">")
		path = strings.TrimPrefix(link, "<")
	}
	if pages != 3 || seen != 2100 {
		t.Errorf("%d pages with %d tags, want 3 with 2100", pages, seen)
	}
}

// referrer returns a manifest that refers to the image of this test.
func referrer(artifactType, note string) string {
	return fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"artifactType":%q,"config":{"mediaType":"application/vnd.oci.empty.v1+json",`+
		`"digest":%q,"size":2},"layers":[],"subject":{"mediaType":%q,"digest":%q,"size":398},"annotations":{"note":%q}}`,
		ociManifest, artifactType, configDigest, ociManifest, manifestDigest, note)
}

func TestReferrers(t *testing.T) {
	t.Parallel()
	_, c := start(t)
	const empty = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}`
	const headers = "Content-Type: application/vnd.oci.image.index.v1+json\n"
	path := one + "/referrers/" + manifestDigest
	c.want("none", c.send("GET", path, ""), "200\nContent-Length: 88\n"+headers+"\n"+empty)
	c.pushBlob(one, config, configDigest)
	signature := c.pushManifest(one, "signature", ociManifest, referrer("application/signature", "one"))
	const signatureDigest = "sha256:94cd82e7c5fd4876dbee6d0509d6775db981a05385e8d297f1dfe6ba513483af"
	c.want("push", signature, `201
Content-Length: 0
Docker-Content-Digest: `+signatureDigest+`
Location: /v2/012345678901/us-east-1/group/one/manifests/`+signatureDigest+`
Oci-Subject: `+manifestDigest+`

`)
	c.wantStatus("push another", c.pushManifest(one, "sbom", ociManifest, referrer("application/sbom", "two")), 201)
	entry := `{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"` + signatureDigest + `","size":470,` +
		`"artifactType":"application/signature","annotations":{"note":"one"}}`
	body := `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[` + entry + `]}`
	c.want("one kind", c.send("GET", path+"?artifactType=application/signature", ""), fmt.Sprintf(
		"200\nContent-Length: %d\n%sOci-Filters-Applied: artifactType\n\n%s", len(body), headers, body))
	c.want("no kind", c.send("GET", path+"?artifactType=x", ""), "200\nContent-Length: 88\n"+headers+"Oci-Filters-Applied: artifactType\n\n"+empty)
	c.want("one kind, and an empty one", c.send("GET", path+"?artifactType=&artifactType=application/signature", ""), fmt.Sprintf(
		"200\nContent-Length: %d\n%sOci-Filters-Applied: artifactType\n\n%s", len(body), headers, body))
	for _, query := range []string{"", "?artifactType=", "?artifactType"} {
		if all := c.send("GET", path+query, ""); strings.Count(all.body, `"digest":`) != 2 || all.header.Get("Oci-Filters-Applied") != "" {
			t.Errorf("all referrers, by %q: %v", query, all)
		}
	}
	c.wantError("bad digest", c.send("GET", one+"/referrers/v1", ""), 400, "DIGEST_INVALID", `a digest is sha256: and 64 hexadecimal digits, not "v1"`)
	c.wantStatus("forged page", c.send("GET", path+"?nextToken=x", ""), 400)
}

// Referrers come in pages of fifty.
func TestManyReferrers(t *testing.T) {
	t.Parallel()
	_, c := start(t)
	c.pushBlob(one, config, configDigest)
	for i := range 120 {
		c.wantStatus("push", c.pushManifest(one, fmt.Sprint("t", i), ociManifest, referrer(fmt.Sprint("application/", i%2), fmt.Sprint(i))), 201)
	}
	for query, want := range map[string]int{"": 120, "?artifactType=application/1": 60} {
		path, seen, pages := one+"/referrers/"+manifestDigest+query, map[string]bool{}, 0
		for path != "" {
			page := c.send("GET", path, "")
			c.wantStatus(path, page, 200)
			for _, part := range strings.Split(page.body, `"digest":"`)[1:] {
				seen[part[:71]] = true
			}
			pages++
			link, _, _ := strings.Cut(page.header.Get("Link"), ">")
			path = strings.TrimPrefix(link, "<")
		}
		if len(seen) != want || pages != (want+49)/50 {
			t.Errorf("%q: %d referrers on %d pages, want %d", query, len(seen), pages, want)
		}
	}
}
