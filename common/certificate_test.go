package common

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

// writePair writes a new certificate for localhost and its key.
func writePair(t *testing.T, certificate, key, name string) {
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
	for file, block := range map[string]*pem.Block{certificate: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCertificateFollowsItsFiles(t *testing.T) {
	t.Parallel()
	certificate, key := filepath.Join(t.TempDir(), "tls.crt"), filepath.Join(t.TempDir(), "tls.key")
	if _, err := LoadCertificate(certificate, key, nil); err == nil {
		t.Fatal("missing files are no error")
	}
	writePair(t, certificate, key, "first")
	failures := 0
	c, err := LoadCertificate(certificate, key, func(error) { failures++ })
	if err != nil {
		t.Fatal(err)
	}
	// want looks as if the last look was long ago.
	want := func(when, name string, failed int) {
		t.Helper()
		c.mu.Lock()
		c.looked = time.Time{}
		c.mu.Unlock()
		got, err := c.Get(nil)
		if err != nil {
			t.Fatal(err)
		}
		if got.Leaf.Subject.CommonName != name || failures != failed {
			t.Errorf("%s: %s after %d failures, want %s after %d", when, got.Leaf.Subject.CommonName, failures, name, failed)
		}
	}
	later := func(n int, files ...string) { // file systems may tell times by the second
		for _, file := range files {
			when := time.Now().Add(time.Duration(n) * time.Minute)
			if err := os.Chtimes(file, when, when); err != nil {
				t.Fatal(err)
			}
		}
	}
	want("at first", "first", 0)
	writePair(t, certificate, key, "second")
	later(1, certificate, key)
	want("renewed", "second", 0)
	writePair(t, certificate, filepath.Join(t.TempDir(), "elsewhere"), "third")
	later(2, certificate)
	want("a certificate without its key yet", "second", 1)
	want("still so", "second", 2)
	writePair(t, certificate, key, "fourth")
	later(3, certificate, key)
	want("whole again", "fourth", 2)
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	want("the key is gone", "fourth", 3)
}
