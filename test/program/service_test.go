package program

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/google/go-cmp/cmp"
)

// The configuration comes from API_CONFIG or from a file.
func TestConfiguredService(t *testing.T) {
	t.Parallel()
	local, url := newAWS(t, nil)
	if err := local.AddRepository("012345678901", "us-east-1", "g/one", nil); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(file, []byte(configuration(url, "127.0.0.1:0")), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		env  string
		args []string
	}{
		"API_CONFIG":                           {configuration(url, "127.0.0.1:0"), nil},
		"file":                                 {"", []string{"-config", file}},
		"-listen instead of the listenAddress": {configuration(url, "nowhere:0"), []string{"-listen", "127.0.0.1:0"}},
		"API_CONFIG instead of the file":       {configuration(url, "127.0.0.1:0"), []string{"-config", "none.json"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, test.env, test.args...)
			base, valid := "http://"+p.address()+"/v1/ecr/", token(t)
			for _, request := range []struct {
				path, token string
				status      int
				want        string // the body; empty if another test looks at it
			}{
				{"ping", "", 200, "pong"},
				{"012345678901/repositories", valid, 200, `["g/one"]` + "\n"},
				{"012345678901/repositories", preShared, 403, ""},
				{"210987654321/repositories", valid, 403, ""},
			} {
				status, body := get(t, base+request.path, request.token)
				if status != request.status || request.want != "" && body != request.want {
					t.Errorf("%s: %d %q, want %d %q", request.path, status, body, request.status, request.want)
				}
			}
			p.stop()
			p.wantEnd()
			for _, secret := range []string{preShared, secretKey, valid} {
				if strings.Contains(p.stdout.String()+p.stderr.String(), secret) {
					t.Errorf("%q was printed:\n%s", secret, p.stderr)
				}
			}
			if diff := cmp.Diff("", p.stdout.String()); diff != "" {
				t.Errorf("stdout (-want +got):\n%s", diff)
			}
		})
	}
}

// The document has the answer to a header that is too large, although it does
// not come from the service but from net/http.
func TestHeaderTooLarge(t *testing.T) {
	t.Parallel()
	_, url := newAWS(t, nil)
	p := start(t, configuration(url, "127.0.0.1:0"))
	for _, path := range []string{"/metrics", "/v1/ecr/ping", "/v1/ecr/ready", "/v1/ecr/version", "/v1/ecr/metrics", "/v1/ecr/openapi.json", "/v1/ecr/docs", "/docs", "/"} {
		answer := sendLargeHeader(t, p.address(), path)
		if err := document().Check(answer); answer.StatusCode != 431 || err != nil {
			t.Errorf("%s: status %d, %v", path, answer.StatusCode, err)
		}
	}
}

// sendLargeHeader returns the answer to a header of 32 KiB. The server does not
// read the whole header. The end of the answer must arrive all the same, before
// the connection is reset.
func sendLargeHeader(t *testing.T, address, path string) *http.Response {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("X-Request-Id", strings.Repeat("x", 32<<10))
	if err := r.Write(conn); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(conn)
	if err != nil {
		t.Errorf("%s: %v", path, err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(text)), r)
	if err != nil {
		t.Fatalf("%s: %v in %q", path, err, text)
	}
	return answer
}

// Without akid and secret the SDK uses credentials from the environment.
func TestCredentialsOfTheEnvironment(t *testing.T) {
	t.Parallel()
	keys := make(chan string, 10)
	_, url := newAWS(t, func(c localaws.Call) {
		if c.Operation == "AssumeRole" {
			keys <- c.AccessKey
		}
	})
	c := strings.Replace(configuration(url, "127.0.0.1:0"), fmt.Sprintf(`"akid": "AKID", "secret": %q, `, secretKey), "", 1)
	command, _, stderr := process(t, []string{"API_CONFIG=" + c, "AWS_ACCESS_KEY_ID=AKIDOFTHEENVIRONMENT", "AWS_SECRET_ACCESS_KEY=hush"})
	address := stderr.waitFor(t, listening)
	status, body := get(t, "http://"+address+"/v1/ecr/012345678901/repositories", token(t))
	if status != http.StatusOK || body != "[]\n" {
		t.Fatalf("answer %d %q", status, body)
	}
	if key := <-keys; key != "AKIDOFTHEENVIRONMENT" {
		t.Errorf("the service calls AWS with the access key %s", key)
	}
	wantExit(t, command, os.Interrupt)
}

func TestProfiler(t *testing.T) {
	t.Parallel()
	_, url := newAWS(t, nil)
	p := start(t, with(configuration(url, "127.0.0.1:0"), `"pprofAddress": "127.0.0.1:0"`))
	profiler := p.stderr.waitFor(t, `"msg":"profiling".*"url":"(.*?)"`)
	if status, body := get(t, profiler+"goroutine?debug=1", ""); status != http.StatusOK || !strings.Contains(body, "goroutine profile:") {
		t.Errorf("profile: %d %q", status, body)
	}
	wantGuarded(t, profiler)
	if status, _ := get(t, "http://"+p.address()+"/debug/pprof/", token(t)); status != http.StatusNotFound {
		t.Errorf("the service's own address serves profiles: %d", status)
	}
	p.stop()
	p.wantEnd()
}

func TestTLS(t *testing.T) {
	t.Parallel()
	issuer, certificate, key := newCertificate(t)
	secured := with(configuration("http://127.0.0.1:1", "127.0.0.1:0"), fmt.Sprintf(`"tlsCertificate": %q, "tlsKey": %q`, certificate, key))
	p := start(t, secured)
	url := p.stderr.waitFor(t, `"url":"(https://[^"]+)"`)
	answer, err := issuer.Client().Get(url + "/v1/ecr/ping")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if err := document().Check(answer); err != nil {
		t.Error(err)
	}
	if body, err := io.ReadAll(answer.Body); err != nil || string(body) != "pong" {
		t.Errorf("ping by TLS: %q, %v", body, err)
	}
	if answer.TLS == nil || answer.TLS.Version < tls.VersionTLS12 {
		t.Errorf("TLS %+v", answer.TLS)
	}
	if plain, err := client.Get(strings.Replace(url, "https", "http", 1) + "/v1/ecr/ping"); err == nil {
		plain.Body.Close()
		if plain.StatusCode != http.StatusBadRequest {
			t.Errorf("ping without TLS: %s", plain.Status)
		}
	}
	p.stop()
	p.wantEnd()

	p = start(t, strings.Replace(secured, "tls.key", "none.key", 1))
	if err := p.waitForEnd(); err == nil || !strings.Contains(p.stderr.String(), `"msg":"tlsKey: stat `) || !strings.Contains(p.stderr.String(), "none.key: no such file or directory") {
		t.Errorf("without the key file: %v:\n%s", err, p.stderr)
	}
}

// newCertificate writes a certificate for 127.0.0.1 and its key. The HTTP
// client of the issuer trusts the certificate.
func newCertificate(t *testing.T) (issuer *httptest.Server, certificateFile, keyFile string) {
	t.Helper()
	issuer = httptest.NewTLSServer(nil)
	t.Cleanup(issuer.Close)
	pair := issuer.TLS.Certificates[0]
	private, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	certificateFile, keyFile = filepath.Join(t.TempDir(), "tls.crt"), filepath.Join(t.TempDir(), "tls.key")
	for file, block := range map[string]*pem.Block{
		certificateFile: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, keyFile: {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return issuer, certificateFile, keyFile
}
