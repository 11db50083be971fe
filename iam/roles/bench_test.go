package roles

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"testing"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/aws/request"
	v4 "github.com/aws/aws-sdk-go/aws/signer/v4"
	"github.com/aws/aws-sdk-go/service/ecr"
)

// benchWorld is a world whose ECR is at the address and answers with anything.
func benchSession(b *testing.B, fn func(w *world, s *Session)) {
	w := newWorld(b)
	s := w.listSession(account)
	w.get(s)
	fn(w, s)
}

func BenchmarkSign(b *testing.B) {
	benchSession(b, func(w *world, s *Session) {
		api := ecr.New(w.session, aws.NewConfig().WithCredentials(credentials.AnonymousCredentials))
		run := func(b *testing.B, handler request.NamedHandler) {
			r, _ := api.DescribeRepositoriesRequest(&ecr.DescribeRepositoriesInput{RepositoryNames: aws.StringSlice([]string{"g/a"})})
			r.ApplyOptions(s.Apply)
			if handler.Fn != nil {
				r.Handlers.Sign.SwapNamed(handler)
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := r.Sign(); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.Run("SDK", func(b *testing.B) { run(b, v4.SignRequestHandler) })
		b.Run("Own", func(b *testing.B) { run(b, request.NamedHandler{}) })
	})
}

// answering listens and answers every request, as soon as its body has
// arrived, with the body.
func answering(b *testing.B, body string) (url string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	answer := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.1\r\nX-Amzn-Requestid: 0b5c2b0e-5b4b-4b0a-8b0a-0b5c2b0e5b4b\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				buf := make([]byte, 1<<16)
				for {
					n, err := c.Read(buf)
					if err != nil {
						return
					}
					if bytes.HasSuffix(buf[:n], []byte("}")) {
						c.Write(answer)
					}
				}
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

func BenchmarkCall(b *testing.B) {
	benchSession(b, func(w *world, s *Session) {
		url := answering(b, `{"repositories":[]}`)
		c := common.Defaults()
		c.Account = common.Account{Region: "us-east-1", AKID: "AKID", Secret: "hush", Endpoint: url}
		sdk, err := NewSDKSession(c, unobserved{})
		if err != nil {
			b.Fatal(err)
		}
		api := ecr.New(sdk, aws.NewConfig().WithCredentials(credentials.AnonymousCredentials))
		in := &ecr.DescribeRepositoriesInput{RepositoryNames: aws.StringSlice([]string{"g/a"})}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := api.DescribeRepositoriesWithContext(b.Context(), in, s.Apply); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkCredentials(b *testing.B) {
	benchSession(b, func(w *world, s *Session) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.Credentials.GetWithContext(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
}

var _ = http.MethodGet
