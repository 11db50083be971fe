package roles

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	ecrclient "github.com/YaleSpinup/ecr-api/ecr"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/aws/aws-sdk-go/service/ecr"
)

// BenchmarkSign signs a request in a session, with the SDK's signer and with
// ours.
func BenchmarkSign(b *testing.B) {
	w := newWorld(b)
	s := w.listSession(account)
	w.get(s)
	for name, option := range map[string]request.Option{
		"SDK":  func(r *request.Request) { r.Config.Credentials = s.Credentials },
		"Ours": s.Apply,
	} {
		b.Run(name, func(b *testing.B) {
			r, _ := ecr.New(w.session).DescribeRepositoriesRequest(&ecr.DescribeRepositoriesInput{RepositoryNames: aws.StringSlice([]string{"g/a"})})
			r.ApplyOptions(option)
			b.ReportAllocs()
			for b.Loop() {
				if err := r.Sign(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCall makes one call to ECR in a session. The times include a server
// that does nothing.
func BenchmarkCall(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"tags":[{"Key":"spinup:org","Value":"spindev"}]}`)
	}))
	b.Cleanup(server.Close)
	w := newWorld(b)
	s := w.listSession(account)
	w.get(s)
	w.session.Config.HTTPClient.Transport = newHTTPClient(0).Transport
	w.session.Config.Endpoint = &server.URL
	client := ecrclient.New(w.session).Client(registryOf(account), s.Apply)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.Tags(b.Context(), "g/a"); err != nil {
			b.Fatal(err)
		}
	}
}
