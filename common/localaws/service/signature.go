package service

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
)

const algorithm = "AWS4-HMAC-SHA256"

// signature is what the header Authorization says in Signature Version 4.
type signature struct {
	accessKey             string
	date, region, service string // the scope
	headers               []string
	value                 string
}

// parseSignature reads the header
//
//	AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, SignedHeaders=a;b, Signature=HEX
func parseSignature(header string) (signature, error) {
	if header == "" {
		return signature{}, Errorf(codeMissingAuth, "Missing Authentication Token")
	}
	rest, ok := strings.CutPrefix(header, algorithm+" ")
	if !ok {
		return signature{}, Errorf(codeIncomplete, "Authorization header requires the algorithm %s", algorithm)
	}
	fields := make(map[string]string)
	for field := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		fields[name] = value
	}
	scope := strings.Split(fields["Credential"], "/")
	if len(scope) != 5 || scope[0] == "" || scope[4] != "aws4_request" {
		return signature{}, Errorf(codeIncomplete, "Credential must have exactly 5 slash-delimited elements, "+
			"e.g. keyid/date/region/service/term, got '%s'", fields["Credential"])
	}
	if fields["SignedHeaders"] == "" || fields["Signature"] == "" {
		return signature{}, Errorf(codeIncomplete, "Authorization header requires 'SignedHeaders' and 'Signature' parameters")
	}
	return signature{
		accessKey: scope[0],
		date:      scope[1],
		region:    scope[2],
		service:   scope[3],
		headers:   strings.Split(fields["SignedHeaders"], ";"),
		value:     fields["Signature"],
	}, nil
}

// verify returns an error unless the request was signed with the secret, and
// its token, if it has one, too. A signature may have any age, because the
// clocks of the client and of this server may differ.
func (s signature) verify(r *http.Request, body []byte, secret string) error {
	for _, must := range []string{"host", "x-amz-date", "x-amz-security-token"} {
		needed := must != "x-amz-security-token" || r.Header.Get(must) != ""
		if needed && !slices.Contains(s.headers, must) {
			return Errorf(codeBadSignature, "'%s' must be a 'SignedHeader' in the AWS Authorization.", must)
		}
	}
	text := strings.Join([]string{
		algorithm,
		r.Header.Get("X-Amz-Date"),
		strings.Join([]string{s.date, s.region, s.service, "aws4_request"}, "/"),
		hash(s.canonicalRequest(r, body)),
	}, "\n")
	key := []byte("AWS4" + secret)
	for _, part := range []string{s.date, s.region, s.service, "aws4_request", text} {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	if !hmac.Equal([]byte(hex.EncodeToString(key)), []byte(s.value)) {
		return Errorf(codeBadSignature, "The request signature we calculated does not match the signature you provided. "+
			"Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
	}
	return nil
}

// canonicalRequest returns the text that is signed. A call has no path and no
// query.
func (s signature) canonicalRequest(r *http.Request, body []byte) string {
	var b strings.Builder
	b.WriteString(r.Method + "\n/\n\n")
	for _, name := range s.headers {
		value := strings.Join(r.Header.Values(name), ",")
		if name == "host" {
			value = r.Host
		}
		b.WriteString(name + ":" + strings.Join(strings.Fields(value), " ") + "\n")
	}
	b.WriteString("\n" + strings.Join(s.headers, ";") + "\n" + hash(string(body)))
	return b.String()
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
