package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// writePair writes a new certificate for localhost, with that common name, and
// its key.
func writePair(t *testing.T, certificateFile, keyFile, name string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: name},
		DNSNames:     []string{"localhost"},
		NotAfter:     time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{certificateFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCertificateFollowsItsFiles(t *testing.T) {
	t.Parallel()
	certificateFile, keyFile := filepath.Join(t.TempDir(), "tls.crt"), filepath.Join(t.TempDir(), "tls.key")
	if _, err := loadCertificate(certificateFile, keyFile, nil); err == nil {
		t.Fatal("there is no error without the files")
	}
	writePair(t, certificateFile, keyFile, "first")
	failures := 0
	c, err := loadCertificate(certificateFile, keyFile, func(error) { failures++ })
	if err != nil {
		t.Fatal(err)
	}
	// want compares the common name and the number of failures. It pretends
	// that the files were last checked long ago.
	want := func(when, name string, failed int) {
		t.Helper()
		c.mu.Lock()
		c.looked = time.Time{}
		c.mu.Unlock()
		got, err := c.get(nil)
		if err != nil {
			t.Fatal(err)
		}
		if got.Leaf.Subject.CommonName != name || failures != failed {
			t.Errorf("%s: %s after %d failures, want %s after %d", when, got.Leaf.Subject.CommonName, failures, name, failed)
		}
	}
	// later sets when the files changed to n minutes from now: some file
	// systems only keep seconds.
	later := func(n int, files ...string) {
		for _, file := range files {
			when := time.Now().Add(time.Duration(n) * time.Minute)
			if err := os.Chtimes(file, when, when); err != nil {
				t.Fatal(err)
			}
		}
	}
	want("at first", "first", 0)
	writePair(t, certificateFile, keyFile, "second")
	later(1, certificateFile, keyFile)
	want("after both files are renewed", "second", 0)
	writePair(t, certificateFile, filepath.Join(t.TempDir(), "elsewhere"), "third")
	later(2, certificateFile)
	want("with a new certificate and the old key", "second", 1)
	want("with the old key still", "second", 2)
	writePair(t, certificateFile, keyFile, "fourth")
	later(3, certificateFile, keyFile)
	want("with a matching key again", "fourth", 2)
	if err := os.Remove(keyFile); err != nil {
		t.Fatal(err)
	}
	want("without the key file", "fourth", 3)
}
