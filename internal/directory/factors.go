package directory

import (
	"context"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // RFC 6238: what authenticator apps compute
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"maps"
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// FactorStatus is where an enrolment stands.
type FactorStatus string

// The statuses.
const (
	PendingFactor FactorStatus = "PENDING_ACTIVATION"
	ActiveFactor  FactorStatus = "ACTIVE"
)

// Factor is one further proof of identity that a person has enrolled.
type Factor struct {
	Meta
	Account  string         `json:"account"`
	Type     string         `json:"type"`     // sms, question, token:software:totp ...
	Provider string         `json:"provider"` // OKTA, GOOGLE ...
	Status   FactorStatus   `json:"status"`
	Profile  map[string]any `json:"profile"` // what may be shown: a phone number, a question
}

func (f *Factor) Place() Place {
	key := f.Account + " " + f.Type + " " + f.Provider
	if f.Type == "sms" || f.Type == "call" || f.Type == "u2f" || f.Type == "webauthn" {
		key += " " + f.ID // several of these may be enrolled
	}
	return Place{Noun: FactorNoun, Subject: f.Account, Key: key}
}

// factorSecret is what a factor is checked against, apart from it so that no
// answer and no log can show it.
type factorSecret struct {
	Meta
	Answer string `json:"answer,omitempty"` // hash of the answer to a question
	Seed   string `json:"seed,omitempty"`   // of one-time passwords, base32
	Sealed []byte `json:"sealed,omitempty"` // Seed, when the directory can seal it
}

// seal hides the seed before the record is stored.
func (s *factorSecret) seal(by Sealer) (err error) {
	if by == nil || s.Seed == "" {
		return nil
	}
	s.Sealed, err = by.Seal([]byte(s.Seed), s.sealName())
	s.Seed = ""
	return err
}

// seed returns the seed of one-time passwords.
func (s *factorSecret) seed(by Sealer) ([]byte, error) {
	text := []byte(s.Seed)
	if len(s.Sealed) > 0 {
		if by == nil {
			return nil, fault.New(fault.Internal, "there is no key to read the factor's seed with")
		}
		var err error
		if text, err = by.Open(s.Sealed, s.sealName()); err != nil {
			return nil, err
		}
	}
	seed, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(string(text))
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the factor's seed cannot be read")
	}
	return seed, nil
}

func (s *factorSecret) sealName() []byte { return []byte("factor/" + s.Realm + "/" + s.ID) }

func (s *factorSecret) Place() Place { return Place{Noun: factorSecretNoun} }

const factorSecretNoun Noun = "factor secret"

// FactorDraft is a factor as asked for.
type FactorDraft struct {
	Type, Provider string
	Profile        map[string]any
	Answer         string // to the question
	Activate       bool   // at once, without a pass code
}

// WrongPassCode is the cause of a fault.Refused for a code that does not match.
type WrongPassCode struct{}

func (WrongPassCode) Error() string { return "the pass code does not match" }

// FactorKind is a sort of factor that an org offers.
type FactorKind struct {
	Type, Provider, Vendor string
	Prefix                 string // of ids
	Immediate              bool   // active without a pass code
}

// FactorKinds are those that can be enrolled here (Okta OpenAPI 2026.06.3,
// factors catalog).
var FactorKinds = []FactorKind{
	{"question", "OKTA", "OKTA", "ufs", true},
	{"sms", "OKTA", "OKTA", "sms", false},
	{"call", "OKTA", "OKTA", "clf", false},
	{"email", "OKTA", "OKTA", "emf", false},
	{"push", "OKTA", "OKTA", "opf", false},
	{"token:software:totp", "OKTA", "OKTA", "ost", false},
	{"token:software:totp", "GOOGLE", "GOOGLE", "uft", false},
	{"token:hotp", "CUSTOM", "CUSTOM", "chf", true},
	{"u2f", "FIDO", "FIDO", "fuf", false},
	{"webauthn", "FIDO", "FIDO", "fwf", false},
}

// factorKind finds a kind; an empty provider is Okta's own.
func factorKind(typ, provider string) (FactorKind, bool) {
	if provider == "" {
		provider = "OKTA"
	}
	for _, k := range FactorKinds {
		if k.Type == typ && k.Provider == provider {
			return k, true
		}
	}
	return FactorKind{}, false
}

// EnrollFactor enrols a factor and returns the seed of one-time passwords where
// it has one: it is shown this once.
func (d *Directory) EnrollFactor(ctx context.Context, actor Actor, realm, ref string, draft FactorDraft) (f *Factor, seed string, err error) {
	kind, ok := factorKind(draft.Type, draft.Provider)
	if !ok {
		return nil, "", Violations{{Field: "factorType", Rule: WrongValue}}.err()
	}
	secret, err := d.factorSecret(kind, draft)
	if err != nil {
		return nil, "", err
	}
	err = d.Store.Update(ctx, func(tx Tx) error {
		a, err := find(tx, realm, ref)
		if err != nil {
			return err
		}
		if a.Status == Deprovisioned {
			return refused(a, "enroll_factor")
		}
		f = &Factor{
			Meta:    Meta{Realm: realm, ID: d.IDs.Okta(kind.Prefix)},
			Account: a.ID, Type: kind.Type, Provider: kind.Provider, Status: PendingFactor,
			Profile: factorProfile(kind, a, draft.Profile),
		}
		now := d.now()
		// The log tells of an activation once, when it happens.
		c := change{at: now, actor: actor, kind: "user.mfa.factor.update", target: a.ID, targets: []Target{a.target()}}
		if kind.Immediate || draft.Activate {
			f.Status, c.kind = ActiveFactor, "user.mfa.factor.activate"
		}
		if secret != nil {
			secret.Meta, seed = Meta{Realm: realm, ID: f.ID}, secret.Seed
			if err := secret.seal(d.Sealer); err != nil {
				return err
			}
			if err := putObject(tx, secret, now); err != nil {
				return err
			}
		}
		return d.insertObject(tx, f, c)
	})
	if err != nil {
		return nil, "", err
	}
	return f, seed, nil
}

// factorSecret makes what the factor will be checked against, nil when that is
// not ours to check. Hashing takes its time, so it is done outside transactions.
func (d *Directory) factorSecret(kind FactorKind, draft FactorDraft) (*factorSecret, error) {
	switch kind.Type {
	case "question":
		question, _ := draft.Profile["question"].(string)
		v := (&RecoveryQuestion{Question: question, Answer: draft.Answer}).check()
		if err := v.err(); err != nil {
			return nil, err
		}
		hash, err := d.Hash(answerDigest(draft.Answer))
		return &factorSecret{Answer: hash}, err
	case "token:software:totp":
		return &factorSecret{Seed: base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte(d.IDs.Token(20)))}, nil
	}
	return nil, nil
}

// factorProfile is what a factor shows. Published workflows enrol without any
// profile: the address of the account is taken then.
func factorProfile(kind FactorKind, a *Account, given map[string]any) map[string]any {
	profile := maps.Clone(given)
	if profile == nil {
		profile = map[string]any{}
	}
	delete(profile, "answer")
	fill := func(name, value string) {
		if profile[name] == nil && value != "" {
			profile[name] = value
		}
	}
	switch kind.Type {
	case "sms", "call":
		fill("phoneNumber", a.Text("mobilePhone"))
	case "email":
		fill("email", a.Email())
	default:
		if kind.Type != "question" {
			fill("credentialId", a.Login())
		}
	}
	return profile
}

// Factors returns the factors of an account.
func (d *Directory) Factors(ctx context.Context, realm, ref string) (out []*Factor, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		a, err := find(r, realm, ref)
		if err != nil {
			return err
		}
		out, err = all[Factor](r, RecordQuery{Realm: realm, Subject: a.ID}, 0, nil)
		return err
	})
	return out, err
}

// Factor returns one factor of an account.
func (d *Directory) Factor(ctx context.Context, realm, ref, id string) (f *Factor, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		_, f, err = factorOf(r, realm, ref, id)
		return err
	})
	return f, err
}

func factorOf(r Reader, realm, ref, id string) (*Account, *Factor, error) {
	a, err := find(r, realm, ref)
	if err != nil {
		return nil, nil, err
	}
	f, err := get[Factor](r, realm, id)
	if err != nil {
		return nil, nil, err
	}
	if f.Account != a.ID {
		return nil, nil, NotFound(FactorNoun, id)
	}
	return a, f, nil
}

// ActivateFactor completes an enrolment with the code that the person has. A
// code that does not match is fault.Refused with WrongPassCode.
func (d *Directory) ActivateFactor(ctx context.Context, actor Actor, realm, ref, id, code string) (after *Factor, err error) {
	err = d.Store.Update(ctx, func(tx Tx) error {
		a, before, err := factorOf(tx, realm, ref, id)
		if err != nil {
			return err
		}
		if before.Status != PendingFactor {
			return refused(a, "activate_factor")
		}
		if err := d.checkPassCode(tx, before, code); err != nil {
			return err
		}
		c := change{at: d.now(), actor: actor, kind: "user.mfa.factor.activate", target: a.ID, targets: []Target{a.target()}}
		after, err = amend(d, tx, before, c, func(f *Factor) error {
			f.Status = ActiveFactor
			return nil
		})
		return err
	})
	return after, err
}

// VerifyFactor checks a code or, for a question, an answer against a factor. One
// that does not match is fault.Refused with WrongPassCode.
func (d *Directory) VerifyFactor(ctx context.Context, realm, ref, id, code, answer string) error {
	var question *factorSecret
	err := d.Store.View(ctx, func(r Reader) error {
		_, f, err := factorOf(r, realm, ref, id)
		if err != nil {
			return err
		}
		if f.Type != "question" {
			return d.checkPassCode(r, f, code)
		}
		question, err = get[factorSecret](r, realm, f.ID)
		return err
	})
	if err != nil || question == nil {
		return err
	}
	return matchesHash(question.Answer, answerDigest(answer)) // slow, so outside the transaction
}

func matchesHash(hash, text string) error {
	ok, err := CheckPassword(hash, text)
	if err == nil && !ok {
		return fault.Wrap(fault.Refused, WrongPassCode{}, "the answer does not match")
	}
	return err
}

// checkPassCode checks a one-time code. Apps compute theirs from the seed. What
// would go to a phone or a mailbox goes nowhere in a rehearsal, so any six
// digits do, and six zeros stand for a wrong code; 123456 does everywhere.
func (d *Directory) checkPassCode(r Reader, f *Factor, code string) error {
	wrong := fault.Wrap(fault.Refused, WrongPassCode{}, "the pass code does not match")
	if len(code) != 6 || strings.Trim(code, "0123456789") != "" || code == "000000" {
		return wrong
	}
	if f.Type != "token:software:totp" || code == "123456" {
		return nil
	}
	secret, err := get[factorSecret](r, f.Realm, f.ID)
	if err != nil {
		return err
	}
	seed, err := secret.seed(d.Sealer)
	if err != nil {
		return err
	}
	for _, drift := range []int64{0, -1, 1} { // RFC 6238 5.2: one step of delay
		if code == oneTimeCode(seed, d.now().Unix()/30+drift) {
			return nil
		}
	}
	return wrong
}

// oneTimeCode is the code of six digits for a counter (RFC 4226 5.3).
func oneTimeCode(seed []byte, counter int64) string {
	mac := hmac.New(sha1.New, seed)
	_ = binary.Write(mac, binary.BigEndian, counter) // a hash takes everything
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 0xf
	n := binary.BigEndian.Uint32(sum[at:]) & 0x7fffffff
	return fmt.Sprintf("%06d", n%1_000_000)
}

// ReplaceQuestion changes the question and answer of a question factor.
func (d *Directory) ReplaceQuestion(ctx context.Context, actor Actor, realm, ref, id string, q RecoveryQuestion) (after *Factor, err error) {
	if err := q.check().err(); err != nil {
		return nil, err
	}
	hash, err := d.Hash(answerDigest(q.Answer))
	if err != nil {
		return nil, err
	}
	err = d.Store.Update(ctx, func(tx Tx) error {
		a, before, err := factorOf(tx, realm, ref, id)
		if err != nil {
			return err
		}
		if before.Type != "question" {
			return fault.New(fault.Unsupported, "a %s factor cannot be changed", before.Type)
		}
		now := d.now()
		secret, err := get[factorSecret](tx, realm, id)
		if err != nil {
			return err
		}
		secret.Answer = hash
		if err := replaceObject(tx, secret, now); err != nil {
			return err
		}
		c := change{at: now, actor: actor, kind: "user.mfa.factor.update", target: a.ID, targets: []Target{a.target()}}
		after, err = amend(d, tx, before, c, func(f *Factor) error {
			f.Profile = map[string]any{"question": q.Question}
			return nil
		})
		return err
	})
	return after, err
}

// RemoveFactor ends one enrolment.
func (d *Directory) RemoveFactor(ctx context.Context, actor Actor, realm, ref, id string) error {
	return d.Store.Update(ctx, func(tx Tx) error {
		a, f, err := factorOf(tx, realm, ref, id)
		if err != nil {
			return err
		}
		if err := endFactorSecret(tx, f); err != nil {
			return err
		}
		return d.deleteObject(tx, f, change{at: d.now(), actor: actor, kind: "user.mfa.factor.deactivate", target: a.ID, targets: []Target{a.target()}})
	})
}

// ResetFactors ends every enrolment of an account. That it has none is no error
// (recorded).
func (d *Directory) ResetFactors(ctx context.Context, actor Actor, realm, ref string) error {
	return d.Store.Update(ctx, func(tx Tx) error {
		a, err := find(tx, realm, ref)
		if err != nil {
			return err
		}
		if err := endFactors(tx, a); err != nil {
			return err
		}
		return d.log(tx, change{at: d.now(), actor: actor, kind: "user.mfa.factor.reset_all", realm: realm, target: a.ID, targets: []Target{a.target()}})
	})
}

// endFactors removes all factors of an account with their secrets.
func endFactors(tx Tx, a *Account) error {
	factors, err := all[Factor](tx, RecordQuery{Realm: a.Realm, Subject: a.ID}, 0, nil)
	if err != nil {
		return err
	}
	for _, f := range factors {
		if err := endFactorSecret(tx, f); err != nil {
			return err
		}
	}
	return endRecords(tx, a.Realm, a.ID, []Noun{FactorNoun})
}

func endFactorSecret(tx Tx, f *Factor) error {
	err := tx.DeleteRecord(f.Realm, factorSecretNoun, f.ID)
	if fault.Is(err, fault.NotFound) {
		return nil // most kinds have none
	}
	return err
}
