// Package localca owns a small certificate authority that lives in a data
// folder, so that clients that insist on HTTPS can be served on this machine
// without anybody's help: the operator trusts one file, ca.pem.
//
// The authority is bound to names of the local machine and to private networks:
// who steals its key cannot use it to pose as a site of the Internet, not even
// to those who trust the file. Certificates of servers are made in memory, last
// a month and are renewed while the process runs.
//
// Left to others: which hosts are served, and telling people what to trust.
package localca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/lanyard-id/lanyard/internal/durable"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// Files of the authority.
const (
	CertFile = "ca.pem"     // for everybody
	keyFile  = "ca-key.pem" // for the owner of the folder
)

const (
	authorityLife = 10 * 365 * 24 * time.Hour
	serverLife    = 30 * 24 * time.Hour
	// early is how long before its end a certificate is replaced.
	early = 10 * 24 * time.Hour
	// maxIssued is how many certificates are kept; a server has a few names.
	maxIssued = 100
	// backdated lets clients accept a certificate whose clocks are behind.
	backdated = time.Hour
)

// Authority signs certificates for servers of this machine. It is safe for
// concurrent use.
type Authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	now  func() time.Time

	mu     sync.Mutex
	issued map[string]*tls.Certificate // by host
}

// Open reads the authority of a folder, making it when there is none. The folder
// must exist.
func Open(dir string, now func() time.Time) (*Authority, error) {
	a := &Authority{now: now, issued: map[string]*tls.Certificate{}}
	err := a.read(dir)
	if errors.Is(err, fs.ErrNotExist) {
		err = a.create(dir)
	}
	if err != nil {
		return nil, err
	}
	if now().After(a.cert.NotAfter) {
		return nil, fault.New(fault.Invalid, "the local certificate authority has expired").At("%s", filepath.Join(dir, CertFile)).
			Fix("remove %s and %s; new ones are made, which clients have to trust anew", CertFile, keyFile)
	}
	return a, nil
}

func (a *Authority) read(dir string) error {
	certText, err := os.ReadFile(filepath.Join(dir, CertFile))
	if err != nil {
		return err
	}
	keyText, err := os.ReadFile(filepath.Join(dir, keyFile))
	if err != nil {
		return err
	}
	pair, err := tls.X509KeyPair(certText, keyText)
	if err == nil {
		a.cert, err = x509.ParseCertificate(pair.Certificate[0])
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if err != nil || !ok {
		return fault.Wrap(fault.Invalid, err, "the local certificate authority does not read").At("%s", filepath.Join(dir, CertFile)).
			Fix("remove %s and %s; new ones are made, which clients have to trust anew", CertFile, keyFile)
	}
	a.key = key
	return nil
}

// create makes an authority. The key is written first: without its certificate
// it is made anew.
func (a *Authority) create(dir string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "no key can be made")
	}
	now := a.now()
	template := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{CommonName: "Lanyard local authority", Organization: []string{"Lanyard"}},
		NotBefore:             now.Add(-backdated),
		NotAfter:              now.Add(authorityLife),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign,

		PermittedDNSDomainsCritical: true,
		PermittedDNSDomains:         []string{"localhost", "local", "internal", "test", "home.arpa"},
		PermittedIPRanges:           privateRanges(),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "no certificate can be made")
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "the key cannot be written")
	}
	for _, file := range []struct {
		name, kind string
		der        []byte
	}{{keyFile, "PRIVATE KEY", secret}, {CertFile, "CERTIFICATE", der}} {
		text := pem.EncodeToMemory(&pem.Block{Type: file.kind, Bytes: file.der})
		if err := durable.Write(filepath.Join(dir, file.name), text); err != nil {
			return err
		}
	}
	a.key = key
	a.cert, err = x509.ParseCertificate(der)
	return err
}

// privateRanges are the addresses of this machine and of private networks.
func privateRanges() []*net.IPNet {
	var out []*net.IPNet
	for _, text := range []string{"127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "::1/128", "fc00::/7", "fe80::/10"} {
		if _, network, err := net.ParseCIDR(text); err == nil {
			out = append(out, network)
		}
	}
	return out
}

func serial() *big.Int {
	b := make([]byte, 16)
	rand.Read(b) // never fails (Go 1.24)
	return new(big.Int).SetBytes(b)
}

// ServerConfig returns the TLS settings of a server. A client that names no host
// gets the certificate of the address that it has connected to.
func (a *Authority) ServerConfig() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: a.certificate}
}

func (a *Authority) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	host := hello.ServerName
	if host == "" {
		host, _, _ = net.SplitHostPort(hello.Conn.LocalAddr().String()) // "" is refused below
	}
	if !a.permits(host) {
		return nil, fault.New(fault.Refused, "the local authority has no certificate for %q", host)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if c := a.issued[host]; c != nil && a.now().Before(c.Leaf.NotAfter.Add(-early)) {
		return c, nil
	}
	c, err := a.issue(host)
	if err != nil {
		return nil, err
	}
	if len(a.issued) >= maxIssued { // somebody asks for made-up names
		clear(a.issued)
	}
	a.issued[host] = c
	return c, nil
}

// permits reports whether clients that trust the authority would believe a
// certificate for a host.
func (a *Authority) permits(host string) bool {
	if ip := net.ParseIP(host); ip != nil {
		for _, network := range a.cert.PermittedIPRanges {
			if network.Contains(ip) {
				return true
			}
		}
		return false
	}
	for _, domain := range a.cert.PermittedDNSDomains {
		if host == domain || len(host) > len(domain) && host[len(host)-len(domain)-1:] == "."+domain {
			return len(host) <= 253
		}
	}
	return false
}

func (a *Authority) issue(host string) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "no key can be made")
	}
	now := a.now()
	template := &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{CommonName: "Lanyard"},
		NotBefore:    now.Add(-backdated),
		NotAfter:     now.Add(serverLife),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "no certificate can be made for %q", host)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "no certificate can be made for %q", host)
	}
	return &tls.Certificate{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: key, Leaf: leaf}, nil
}
