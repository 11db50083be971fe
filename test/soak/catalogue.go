package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
)

// manifest is an image that workers push.
type manifest struct {
	digest, text, mediaType string
	parts                   []string // digests of the images that an index names
	subject                 string   // digest of the image that a signature or the like refers to
}

const (
	plainImages = 14  // of those that are pushed one by one
	bulkImages  = 120 // more than one call of the service can delete
)

// catalogue has all images that workers push: plain ones, indexes with parts and
// attestations, an index of indexes, signatures, and a signature of a signature.
// The first ones are pushed one by one. The last bulkImages are pushed together.
var catalogue = newCatalogue()

// manifests has the images of the catalogue by their digests.
var manifests = byDigest(catalogue)

func newCatalogue() []manifest {
	var all []manifest
	add := func(m manifest) string {
		all = append(all, m)
		return m.digest
	}
	var plain, attestations []string
	for n := range plainImages {
		plain = append(plain, add(newImage(fmt.Sprint("plain ", n), "")))
	}
	for n := range 2 {
		attestations = append(attestations, add(newImage(fmt.Sprint("attestation ", n), "")))
	}
	platforms := add(newIndex("", plain[0], plain[1], attestations[0]))
	add(newIndex("", plain[1], plain[2])) // shares a part with the one before
	attested := add(newIndex("", plain[3], plain[4], attestations[1]))
	add(newIndex("", platforms, plain[5]))
	add(newIndex(plain[6], plain[7])) // an index that refers to an image
	signature := add(newImage("signature of an image", plain[0]))
	add(newImage("signature of a signature", signature))
	add(newImage("signature of an image in no index", plain[8]))
	add(newImage("another signature of it", plain[8]))
	add(newImage("signature of an index", platforms))
	add(newImage("signature of another index", attested))
	for n := range bulkImages {
		add(newImage(fmt.Sprint("bulk ", n), ""))
	}
	return all
}

func byDigest(all []manifest) map[string]manifest {
	found := map[string]manifest{}
	for _, m := range all {
		found[m.digest] = m
	}
	return found
}

// Media types.
const (
	ociManifest = "application/vnd.oci.image.manifest.v1+json"
	ociIndex    = "application/vnd.oci.image.index.v1+json"
	ociConfig   = "application/vnd.oci.image.config.v1+json"
	ociLayer    = "application/vnd.oci.image.layer.v1.tar+gzip"
)

// ociText is the text of a manifest.
// https://github.com/opencontainers/image-spec/blob/main/manifest.md
type ociText struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Config        *descriptor  `json:"config,omitempty"`
	Layers        []descriptor `json:"layers,omitempty"`
	Manifests     []descriptor `json:"manifests,omitempty"`
	Subject       *descriptor  `json:"subject,omitempty"`
}

type descriptor struct {
	MediaType string `json:"mediaType"`
	Digest    string `json:"digest"`
	Size      int    `json:"size"`
}

// newImage returns an image with a layer of that content. The subject may be
// empty.
func newImage(content, subject string) manifest {
	return newManifest(ociText{
		Config:  &descriptor{ociConfig, digestOf("configuration of " + content), 100},
		Layers:  []descriptor{{ociLayer, digestOf(content), len(content)}},
		Subject: subjectOf(subject),
	}, ociManifest)
}

func newIndex(subject string, parts ...string) manifest {
	text := ociText{Subject: subjectOf(subject)}
	for _, part := range parts {
		text.Manifests = append(text.Manifests, descriptor{ociManifest, part, 500})
	}
	return newManifest(text, ociIndex)
}

func subjectOf(digest string) *descriptor {
	if digest == "" {
		return nil
	}
	return &descriptor{ociManifest, digest, 500}
}

func newManifest(text ociText, mediaType string) manifest {
	text.SchemaVersion, text.MediaType = 2, mediaType
	encoded, _ := json.Marshal(text) // does not fail for strings and numbers
	m := manifest{digest: digestOf(string(encoded)), text: string(encoded), mediaType: mediaType}
	for _, part := range text.Manifests {
		m.parts = append(m.parts, part.Digest)
	}
	if text.Subject != nil {
		m.subject = text.Subject.Digest
	}
	return m
}

func digestOf(text string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(text))) }
