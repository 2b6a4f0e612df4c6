package tenant

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // fingerprints of certificates are made with it; nothing is protected by it
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// Keys that sign: those of the tenant sign tokens, those of a connection what is
// sent to its identity provider. Each owner has one that signs now, one that
// comes next, so that others can learn it in time, and the one before.

// KeyState is where in its life a key is.
type KeyState string

// The states.
const (
	CurrentKey  KeyState = "current"
	NextKey     KeyState = "next"
	PreviousKey KeyState = "previous"
)

// TenantKeys is the owner of the keys that sign the tenant's tokens.
const TenantKeys = "tenant"

const (
	keyBits = 2048
	keyLife = 13 * 365 * 24 * time.Hour // of the certificate
)

// SigningKey is a key with its certificate. The private half is kept apart.
type SigningKey struct {
	directory.Meta // the id is the thumbprint of the key (RFC 7638)

	Owner       string    `json:"owner"`
	State       KeyState  `json:"state"`
	Since       time.Time `json:"since"`
	Subject     string    `json:"subject"`
	Certificate string    `json:"certificate"` // PEM, with the line ends that Auth0 writes
}

// Place says where the key is found.
func (k *SigningKey) Place() directory.Place {
	return directory.Place{Noun: directory.TenantKeyNoun, Parent: k.Owner}
}

// ShownKey is a key with what Auth0 shows of it.
type ShownKey struct {
	*SigningKey
	Fingerprint string // SHA-1 of the certificate, with colons
	PKCS7       string // PEM
}

// keyPath is where the private half of a key is among the secrets of its record.
const keyPath = "pkcs8"

// ConnectionKeys returns the keys of a connection, the current one first, making
// them when there are none. Connections whose strategy has no keys have none
// either.
func (t *Tenant) ConnectionKeys(ctx context.Context, id string) ([]ShownKey, error) {
	c, err := t.Connection(ctx, id)
	if err != nil {
		return nil, err
	}
	if !strategies()[c.Strategy].Keys {
		return nil, mistake("Connection strategy %s does not support keys", c.Strategy)
	}
	return t.ShownKeys(ctx, id, c.Name)
}

// ShownKeys returns the keys of an owner as Keys does, with what Auth0 shows of
// them.
func (t *Tenant) ShownKeys(ctx context.Context, owner, subject string) ([]ShownKey, error) {
	keys, err := t.Keys(ctx, owner, subject)
	if err != nil {
		return nil, err
	}
	out := make([]ShownKey, len(keys))
	for i, k := range keys {
		if out[i], err = k.shown(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// RotateConnectionKeys lets the key that comes next sign, and returns the one that
// comes after it.
func (t *Tenant) RotateConnectionKeys(ctx context.Context, actor directory.Actor, id string) (ShownKey, error) {
	if _, err := t.ConnectionKeys(ctx, id); err != nil {
		return ShownKey{}, err
	}
	c, err := t.Connection(ctx, id)
	if err != nil {
		return ShownKey{}, err
	}
	next, err := t.RotateKeys(ctx, actor, id, c.Name)
	if err != nil {
		return ShownKey{}, err
	}
	return next.shown()
}

// Keys returns the keys of an owner, the current one first, making the first two
// when there are none. subject is whom their certificates name.
func (t *Tenant) Keys(ctx context.Context, owner, subject string) ([]*SigningKey, error) {
	keys, err := t.storedKeys(ctx, owner)
	if err != nil || len(keys) > 0 {
		return keys, err
	}
	first, err := t.makeKey(owner, subject, CurrentKey)
	if err != nil {
		return nil, err
	}
	second, err := t.makeKey(owner, subject, NextKey)
	if err != nil {
		return nil, err
	}
	err = t.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		had, err := directory.All[SigningKey](tx, directory.RecordQuery{Realm: t.Realm, Parent: owner}, 1, nil)
		if err != nil || len(had) > 0 {
			return err // another was faster: take its keys
		}
		for _, k := range []madeKey{first, second} {
			if err := t.putKey(tx, k); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return t.storedKeys(ctx, owner)
}

func (t *Tenant) storedKeys(ctx context.Context, owner string) ([]*SigningKey, error) {
	keys, err := list[SigningKey](ctx, t, directory.RecordQuery{Parent: owner}, nil)
	order := []KeyState{CurrentKey, PreviousKey, NextKey}
	slices.SortFunc(keys, func(a, b *SigningKey) int { return slices.Index(order, a.State) - slices.Index(order, b.State) })
	return keys, err
}

// RotateKeys lets the key that comes next sign, and returns the one that comes
// after it. The one before the last is forgotten.
func (t *Tenant) RotateKeys(ctx context.Context, actor directory.Actor, owner, subject string) (*SigningKey, error) {
	made, err := t.makeKey(owner, subject, NextKey)
	if err != nil {
		return nil, err
	}
	err = t.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		keys, err := directory.All[SigningKey](tx, directory.RecordQuery{Realm: t.Realm, Parent: owner}, 0, nil)
		if err != nil {
			return err
		}
		for _, k := range keys {
			if err := t.moveOn(tx, k); err != nil {
				return err
			}
		}
		if err := t.putKey(tx, made); err != nil {
			return err
		}
		return t.Directory.Log(tx, t.Realm, t.event(actor, "auth0.keys.rotate", directory.Target{Type: "Keys", ID: owner, DisplayName: subject}), nil, nil)
	})
	return made.SigningKey, err
}

// moveOn moves a key to the state that follows its own.
func (t *Tenant) moveOn(tx directory.Tx, k *SigningKey) error {
	switch k.State {
	case CurrentKey:
		k.State = PreviousKey
	case NextKey:
		k.State, k.Since = CurrentKey, t.Directory.Now()
	default:
		if err := t.forget(tx, k.ID); err != nil {
			return err
		}
		return tx.DeleteRecord(t.Realm, directory.TenantKeyNoun, k.ID)
	}
	return t.Directory.ReplaceObject(tx, k)
}

// PrivateKey returns the private half of a key.
func (t *Tenant) PrivateKey(ctx context.Context, id string) (*rsa.PrivateKey, error) {
	secrets, err := t.Secrets(ctx, id)
	if err != nil {
		return nil, err
	}
	text, _ := secrets[keyPath].(string)
	plain, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the key %s cannot be read", id)
	}
	key, err := x509.ParsePKCS8PrivateKey(plain)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the key %s cannot be read", id)
	}
	private, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, fault.New(fault.Internal, "the key %s is not an RSA key", id)
	}
	return private, nil
}

// Public returns the public half of the key.
func (k *SigningKey) Public() (*rsa.PublicKey, error) {
	cert, err := k.parse()
	if err != nil {
		return nil, err
	}
	public, ok := cert.PublicKey.(*rsa.PublicKey)
	if !ok {
		return nil, fault.New(fault.Internal, "the key %s is not an RSA key", k.ID)
	}
	return public, nil
}

func (k *SigningKey) parse() (*x509.Certificate, error) {
	block, _ := pem.Decode([]byte(strings.ReplaceAll(k.Certificate, "\r\n", "\n")))
	if block == nil {
		return nil, fault.New(fault.Internal, "the certificate of the key %s cannot be read", k.ID)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the certificate of the key %s cannot be read", k.ID)
	}
	return cert, nil
}

// madeKey is a new key that is not stored yet.
type madeKey struct {
	*SigningKey
	private []byte // PKCS 8
}

// makeKey makes a key with a certificate that it signs itself, which takes some
// 100 ms.
func (t *Tenant) makeKey(owner, subject string, state KeyState) (madeKey, error) {
	failed := func(err error) (madeKey, error) {
		return madeKey{}, fault.Wrap(fault.Internal, err, "no key to sign with could be made")
	}
	generate := t.NewKey
	if generate == nil {
		generate = func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, keyBits) }
	}
	key, err := generate()
	if err != nil {
		return failed(err)
	}
	now := t.Directory.Now()
	template := x509.Certificate{
		SerialNumber: new(big.Int).SetBytes([]byte(t.Directory.IDs.Token(8))), Subject: pkix.Name{CommonName: subject},
		NotBefore: now, NotAfter: now.Add(keyLife), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		return failed(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return failed(err)
	}
	sum, err := (&jose.JSONWebKey{Key: &key.PublicKey}).Thumbprint(crypto.SHA256)
	if err != nil {
		return failed(err)
	}
	return madeKey{&SigningKey{
		Meta:  directory.Meta{ID: base64.RawURLEncoding.EncodeToString(sum), Realm: t.Realm},
		Owner: owner, State: state, Since: now, Subject: subject, Certificate: block("CERTIFICATE", der),
	}, private}, nil
}

func (t *Tenant) putKey(tx directory.Tx, k madeKey) error {
	if err := t.hide(tx, k.ID, map[string]any{keyPath: base64.StdEncoding.EncodeToString(k.private)}); err != nil {
		return err
	}
	return t.Directory.PutObject(tx, k.SigningKey)
}

// block writes PEM with the line ends that Auth0 writes.
func block(kind string, der []byte) string {
	return strings.ReplaceAll(string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})), "\n", "\r\n")
}

// shown adds what Auth0 shows of a key.
func (k *SigningKey) shown() (ShownKey, error) {
	cert, err := k.parse()
	if err != nil {
		return ShownKey{}, err
	}
	sum := sha1.Sum(cert.Raw) //nolint:gosec // see the import
	parts := make([]string, len(sum))
	for i, b := range sum {
		parts[i] = fmt.Sprintf("%02X", b)
	}
	envelope, err := pkcs7(cert.Raw)
	if err != nil {
		return ShownKey{}, err
	}
	return ShownKey{k, strings.Join(parts, ":"), block("PKCS7", envelope)}, nil
}

// Object identifiers of RFC 2315 14.
var (
	oidData       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidSignedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
)

// pkcs7 wraps a certificate into a message that is not signed (RFC 2315 9.1).
func pkcs7(cert []byte) ([]byte, error) {
	type contentInfo struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue `asn1:"explicit,optional,tag:0"`
	}
	type signedData struct {
		Version     int
		Digests     []asn1.RawValue `asn1:"set"`
		Content     struct{ Type asn1.ObjectIdentifier }
		Certificate asn1.RawValue
		Signers     []asn1.RawValue `asn1:"set"`
	}
	inner := signedData{Version: 1, Digests: []asn1.RawValue{}, Signers: []asn1.RawValue{}}
	inner.Content.Type = oidData
	inner.Certificate = asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: cert}
	body, err := asn1.Marshal(inner)
	if err == nil {
		body, err = asn1.Marshal(contentInfo{oidSignedData, asn1.RawValue{FullBytes: explicit(body)}})
	}
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the certificate cannot be wrapped")
	}
	return body, nil
}

// explicit puts a value behind the tag [0].
func explicit(body []byte) []byte {
	out, err := asn1.Marshal(asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: body})
	if err != nil {
		return nil // a byte string has nothing that cannot be written
	}
	return out
}
