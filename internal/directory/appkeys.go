package directory

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"math/big"
	"net"
	"slices"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// SigningKey is the public half of a key by which an application's statements
// would be signed, as a self-signed certificate. Nothing here signs, so the
// private half is not kept.
type SigningKey struct {
	ID          string    `json:"id"` // kid
	Created     time.Time `json:"created"`
	Expires     time.Time `json:"expires"`
	Certificate []byte    `json:"certificate"` // DER
	Modulus     []byte    `json:"modulus"`
	Exponent    int       `json:"exponent"`
}

// Thumbprint is the SHA-256 of the certificate.
func (k SigningKey) Thumbprint() []byte {
	sum := sha256.Sum256(k.Certificate)
	return sum[:]
}

// SigningCSR is a request for a certificate of a key that an application would
// sign with. Its certificate cannot be brought back, so the key is not kept.
type SigningCSR struct {
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
	DER     []byte    `json:"der"`
}

// The validity of certificates, in years (Okta: keys/generate).
const (
	defaultValidity = 10
	minValidity     = 2
	maxValidity     = 10
)

const keyBits = 2048

// newSigningKey makes a key and its certificate. It takes some tenths of a
// second, so it must run outside transactions.
func (d *Directory) newSigningKey(app *App, years int) (SigningKey, error) {
	private, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return SigningKey{}, fault.Wrap(fault.Internal, err, "the signing key cannot be made")
	}
	now := d.now().Truncate(time.Second)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixMilli()),
		Subject:      pkix.Name{CommonName: app.Realm, Organization: []string{"Lanyard"}, OrganizationalUnit: []string{"SSOProvider"}},
		NotBefore:    now, NotAfter: now.AddDate(years, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		return SigningKey{}, fault.Wrap(fault.Internal, err, "the certificate cannot be made")
	}
	modulus := private.N.Bytes()
	sum := sha256.Sum256(modulus)
	return SigningKey{
		ID: base64.RawURLEncoding.EncodeToString(sum[:]), Created: now, Expires: template.NotAfter,
		Certificate: der, Modulus: modulus, Exponent: private.E,
	}, nil
}

// GenerateKey makes another signing key for an application, valid for some
// years. The application goes on signing with the key that it has.
func (d *Directory) GenerateKey(ctx context.Context, actor Actor, realm, appID string, years int) (SigningKey, error) {
	if years < minValidity || years > maxValidity {
		return SigningKey{}, Violations{{Field: "validityYears", Rule: WrongType}}.err()
	}
	app, err := d.App(ctx, realm, appID)
	if err != nil {
		return SigningKey{}, err
	}
	key, err := d.newSigningKey(app, years)
	if err != nil {
		return SigningKey{}, err
	}
	_, _, err = d.EditApp(ctx, actor, realm, appID, AppEdit{Kind: "app.keys.generate", Change: func(a *App) error {
		a.addKey(key)
		return nil
	}})
	return key, err
}

// addKey puts a key in front, so that the one that signs stays the last.
func (a *App) addKey(k SigningKey) {
	if !slices.ContainsFunc(a.Keys, func(o SigningKey) bool { return o.ID == k.ID }) {
		a.Keys = slices.Insert(a.Keys, 0, k)
	}
}

// CloneKey gives a signing key of an application to another one too.
func (d *Directory) CloneKey(ctx context.Context, actor Actor, realm, appID, keyID, target string) (SigningKey, error) {
	app, err := d.App(ctx, realm, appID)
	if err != nil {
		return SigningKey{}, err
	}
	key, err := app.Key(keyID)
	if err != nil {
		return SigningKey{}, err
	}
	_, _, err = d.EditApp(ctx, actor, realm, target, AppEdit{Kind: "app.keys.clone", Change: func(a *App) error {
		a.addKey(key)
		return nil
	}})
	return key, err
}

// Key returns a signing key of the application by its id.
func (a *App) Key(id string) (SigningKey, error) {
	for _, k := range a.Keys {
		if k.ID == id {
			return k, nil
		}
	}
	return SigningKey{}, NotFound(SigningKeyNoun, id)
}

// SignsWith returns the id of the key that signs the application's statements,
// "" when it has none of its own.
func (a *App) SignsWith() string {
	if len(a.Keys) == 0 {
		return ""
	}
	return a.Keys[len(a.Keys)-1].ID
}

// CSRSubject is whom a certificate is asked for.
type CSRSubject struct {
	Name     pkix.Name
	DNSNames []string
	Emails   []string
	IPs      []net.IP
}

// CreateCSR makes a key for an application and a request to certify it.
func (d *Directory) CreateCSR(ctx context.Context, actor Actor, realm, appID string, s CSRSubject) (SigningCSR, error) {
	private, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return SigningCSR{}, fault.Wrap(fault.Internal, err, "the signing key cannot be made")
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: s.Name, DNSNames: s.DNSNames, EmailAddresses: s.Emails, IPAddresses: s.IPs,
	}, private)
	if err != nil {
		return SigningCSR{}, fault.Wrap(fault.Invalid, err, "the subject cannot be written into a request")
	}
	sum := sha256.Sum256(der)
	csr := SigningCSR{ID: base64.RawURLEncoding.EncodeToString(sum[:]), Created: d.now(), DER: der}
	_, _, err = d.EditApp(ctx, actor, realm, appID, AppEdit{Change: func(a *App) error {
		a.CSRs = append(a.CSRs, csr)
		return nil
	}})
	return csr, err
}

// CSR returns a certificate request of the application by its id.
func (a *App) CSR(id string) (SigningCSR, error) {
	for _, c := range a.CSRs {
		if c.ID == id {
			return c, nil
		}
	}
	return SigningCSR{}, NotFound(SigningCSRNoun, id)
}

// DeleteCSR removes a certificate request.
func (d *Directory) DeleteCSR(ctx context.Context, actor Actor, realm, appID, id string) error {
	_, _, err := d.EditApp(ctx, actor, realm, appID, AppEdit{Change: func(a *App) error {
		if _, err := a.CSR(id); err != nil {
			return err
		}
		a.CSRs = slices.DeleteFunc(a.CSRs, func(c SigningCSR) bool { return c.ID == id })
		return nil
	}})
	return err
}
