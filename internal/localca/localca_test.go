package localca_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/localca"
)

func open(t *testing.T, dir string, now time.Time) *localca.Authority {
	t.Helper()
	a, err := localca.Open(dir, func() time.Time { return now })
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return a
}

// serve starts an HTTPS server and returns its port.
func serve(t *testing.T, a *localca.Authority) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }),
		TLSConfig:         a.ServerConfig(),
		ReadHeaderTimeout: time.Minute,
		ErrorLog:          log.New(io.Discard, "", 0), // handshakes are meant to fail
	}
	ended := make(chan error, 1)
	go func() { ended <- s.ServeTLS(l, "", "") }()
	t.Cleanup(func() {
		_ = s.Close()
		<-ended
	})
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// get calls a host on a port of this machine, trusting only the file ca.pem.
func get(t *testing.T, dir, host, port string) error {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, localca.CertFile))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		t.Fatal("ca.pem holds no certificate")
	}
	dialer := &net.Dialer{}
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, "127.0.0.1:"+port)
		},
	}}
	defer client.CloseIdleConnections()
	resp, err := client.Get("https://" + net.JoinHostPort(host, port))
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

func TestServe(t *testing.T) {
	dir := t.TempDir()
	port := serve(t, open(t, dir, time.Now()))
	for _, host := range []string{"127.0.0.1", "localhost", "okta.localhost", "tenant.auth0.test"} {
		if err := get(t, dir, host, port); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	for _, host := range []string{"example.com", "nottest", "login.okta.com"} {
		if err := get(t, dir, host, port); err == nil {
			t.Errorf("%s is served: the authority can pose as anybody", host)
		}
	}
	info, err := os.Stat(filepath.Join(dir, "ca-key.pem"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's file: %v, %v; only the owner may read it", info, err)
	}
}

// Even with the key in hand, nobody who trusts the file can be made to believe
// in another site.
func TestConstraints(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, time.Now())
	text, err := os.ReadFile(filepath.Join(dir, localca.CertFile))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if !cert.PermittedDNSDomainsCritical || len(cert.PermittedDNSDomains) == 0 || len(cert.PermittedIPRanges) == 0 || !cert.MaxPathLenZero {
		t.Errorf("the authority is not bound to local names: %v %v", cert.PermittedDNSDomains, cert.PermittedIPRanges)
	}
}

func TestReopen(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, time.Now())
	before, err := os.ReadFile(filepath.Join(dir, localca.CertFile))
	if err != nil {
		t.Fatal(err)
	}
	port := serve(t, open(t, dir, time.Now()))
	if err := get(t, dir, "localhost", port); err != nil {
		t.Errorf("after reopening: %v", err)
	}
	after, err := os.ReadFile(filepath.Join(dir, localca.CertFile))
	if err != nil || string(before) != string(after) {
		t.Errorf("the authority was made anew, clients would have to trust it again (%v)", err)
	}
	// Killed between the two files: only the key is there.
	if err := os.Remove(filepath.Join(dir, localca.CertFile)); err != nil {
		t.Fatal(err)
	}
	open(t, dir, time.Now())
}

func TestBroken(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, time.Now())
	if _, err := localca.Open(dir, func() time.Time { return time.Now().Add(11 * 365 * 24 * time.Hour) }); !fault.Is(err, fault.Invalid) {
		t.Errorf("an expired authority = %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, localca.CertFile), []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := localca.Open(dir, time.Now)
	if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "remove") {
		t.Errorf("a broken authority = %v, want what to do", err)
	}
}

// A server's certificate is replaced before it ends.
func TestRenewal(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	a, err := localca.Open(dir, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	config := a.ServerConfig()
	leaf := func() *tls.Certificate {
		c, err := config.GetCertificate(&tls.ClientHelloInfo{ServerName: "localhost"})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	first := leaf()
	if leaf() != first {
		t.Error("a certificate is made for every connection")
	}
	now = now.Add(25 * 24 * time.Hour)
	if leaf() == first {
		t.Error("five days before its end the certificate is not replaced")
	}
}
