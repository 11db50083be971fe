package ecr

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/google/go-cmp/cmp"
)

// ECR promises no order, and the names of two pages have none together.
func TestOrderOfRepositories(t *testing.T) {
	t.Parallel()
	pages := []string{
		`{"repositories": [{"repositoryName": "g/b"}, {"repositoryName": "h/a"}], "nextToken": "more"}`,
		`{"repositories": [{"repositoryName": "g/c"}, {"repositoryName": "g/a"}]}`,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, pages[0])
		pages = pages[1:]
	}))
	t.Cleanup(server.Close)
	sdk, err := session.NewSession(&aws.Config{Region: aws.String("us-east-1"), Endpoint: aws.String(server.URL), HTTPClient: &http.Client{}})
	if err != nil {
		t.Fatal(err)
	}
	client := New(sdk).Client(common.Registry{}, func(*request.Request) {})
	got, err := client.Repositories(t.Context(), "g/")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"g/a", "g/b", "g/c"}, got); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}
