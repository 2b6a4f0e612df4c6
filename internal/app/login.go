package app

import (
	"crypto/x509"
	"net"
	"net/url"
	"os"
	"path/filepath"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/egress"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/login"
	"github.com/lanyard-id/lanyard/internal/tenant"
)

// login signs people in to the Auth0 tenant. Identity providers are on the
// internet, but for the Okta org that is served beside it.
func (s *server) login(box *sandbox, signer login.Signer) (*login.Service, error) {
	policy := egress.Policy{UserAgent: userAgent}
	if file := s.authorityFile(); file != "" {
		pool, err := withAuthority(s.folder.data, file)
		if err != nil {
			return nil, err
		}
		policy.RootCAs = pool
	}
	return login.New(login.Options{
		Tenant: tenant.New(box.directory, directory.Auth0Realm), Client: egress.New(policy), Signer: signer, Sealer: s.folder.key,
		Own: s.ownOrg,
	}), nil
}

// withAuthority is whom the system trusts, and the authority of the folder.
func withAuthority(data, file string) (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // a system without a list: only our own
	}
	text, err := os.ReadFile(filepath.Join(data, file))
	if err != nil || !pool.AppendCertsFromPEM(text) {
		return nil, fault.Wrap(fault.Internal, err, "the certificate of the local authority cannot be read").At("%s", file)
	}
	return pool, nil
}

// ownOrg are the origins of the Okta org that is served.
func (s *server) ownOrg() []string {
	base := s.folder.oktaBase.Load()
	if base == nil {
		return nil
	}
	u, err := url.Parse(*base)
	if err != nil {
		return nil
	}
	out := []string{u.Scheme + "://" + u.Host}
	if ip := net.ParseIP(u.Hostname()); ip != nil && ip.IsLoopback() {
		out = append(out, u.Scheme+"://"+net.JoinHostPort("localhost", u.Port()))
	}
	return out
}
