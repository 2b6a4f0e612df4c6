package extract

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/secret"
)

// ldapServer is a directory that knows bind, StartTLS and search with pages. It
// finds all of its entries, whatever the filter.
type ldapServer struct {
	entries  int
	entry    func(i int) []*ldap.EntryAttribute // nil: an id
	unpaged  bool                               // it does not know the control
	referral string                             // given with the first page
	breaks   int                                // of which entry the line breaks; 0: none
	result   func(page int) uint16              // of a page; nil: success
	cookie   string                             // always the same one, and the same page

	tls   *tls.Config
	pages int
}

// serveLDAP returns the server's address, ldap://127.0.0.1:port, and a file with
// its certificate.
func serveLDAP(t testing.TB, s *ldapServer, encrypted bool) (host, ca string) {
	t.Helper()
	lender := httptest.NewTLSServer(nil) // of a certificate for 127.0.0.1
	s.tls = &tls.Config{Certificates: lender.TLS.Certificates}
	ca = t.TempDir() + "/ca.pem"
	write(t, "", ca, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: lender.Certificate().Raw})))
	lender.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if encrypted {
		listener = tls.NewListener(listener, s.tls)
	}
	var lines sync.WaitGroup
	lines.Go(func() {
		for {
			line, err := listener.Accept()
			if err != nil {
				return
			}
			lines.Go(func() { s.serve(line) })
		}
	})
	t.Cleanup(func() { listener.Close(); lines.Wait() })
	return listener.Addr().String(), ca
}

func response(id int64, op ber.Tag, code uint16, controls ...ldap.Control) *ber.Packet {
	p := ber.NewSequence("")
	p.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id, ""))
	body := ber.Encode(ber.ClassApplication, ber.TypeConstructed, op, nil, "")
	body.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, int64(code), ""))
	body.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, "", ""))
	body.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, "", ""))
	p.AppendChild(body)
	if len(controls) > 0 {
		list := ber.Encode(ber.ClassContext, ber.TypeConstructed, 0, nil, "")
		for _, c := range controls {
			list.AppendChild(c.Encode())
		}
		p.AppendChild(list)
	}
	return p
}

func (s *ldapServer) serve(line net.Conn) {
	defer func() { line.Close() }()
	for {
		p, err := ber.ReadPacket(line)
		if err != nil {
			return
		}
		id, op := p.Children[0].Value.(int64), p.Children[1]
		switch op.Tag {
		case ldap.ApplicationBindRequest:
			code := uint16(ldap.LDAPResultSuccess)
			if op.Children[1].Value != "cn=reader" || op.Children[2].Data.String() != "open sesame" {
				code = ldap.LDAPResultInvalidCredentials
			}
			line.Write(response(id, ldap.ApplicationBindResponse, code).Bytes())
		case ldap.ApplicationExtendedRequest:
			line.Write(response(id, ldap.ApplicationExtendedResponse, ldap.LDAPResultSuccess).Bytes())
			line = tls.Server(line, s.tls)
		case ldap.ApplicationSearchRequest:
			if !s.search(line, id, p) {
				return
			}
		default:
			return
		}
	}
}

// search answers one page.
func (s *ldapServer) search(line net.Conn, id int64, p *ber.Packet) bool {
	s.pages++
	from, to := 0, s.entries
	var paging *ldap.ControlPaging
	if !s.unpaged {
		control, err := ldap.DecodeControl(p.Children[2].Children[0])
		if err != nil {
			return false
		}
		paging = control.(*ldap.ControlPaging)
		if s.cookie == "" {
			fmt.Sscan(string(paging.Cookie), &from)
		}
		to = min(from+int(paging.PagingSize), s.entries)
	}
	if s.referral != "" && from == 0 {
		r := ber.NewSequence("")
		r.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id, ""))
		body := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchResultReference, nil, "")
		body.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, s.referral, ""))
		r.AppendChild(body)
		line.Write(r.Bytes())
	}
	for i := from; i < to; i++ {
		if i == s.breaks && i > 0 {
			return false
		}
		attributes := []*ldap.EntryAttribute{ldap.NewEntryAttribute("id", []string{fmt.Sprint(i)})}
		if s.entry != nil {
			attributes = s.entry(i)
		}
		e := ber.NewSequence("")
		e.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id, ""))
		body := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchResultEntry, nil, "")
		body.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, fmt.Sprintf("cn=%d,dc=example", i), ""))
		list := ber.NewSequence("")
		for _, a := range attributes {
			one := ber.NewSequence("")
			one.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, a.Name, ""))
			set := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSet, nil, "")
			for _, v := range a.Values {
				set.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, v, ""))
			}
			one.AppendChild(set)
			list.AppendChild(one)
		}
		body.AppendChild(list)
		e.AppendChild(body)
		if _, err := line.Write(e.Bytes()); err != nil {
			return false
		}
	}
	code := uint16(ldap.LDAPResultSuccess)
	if s.result != nil {
		code = s.result(s.pages)
	}
	if s.unpaged {
		line.Write(response(id, ldap.ApplicationSearchResultDone, code).Bytes())
		return true
	}
	next := &ldap.ControlPaging{}
	if to < s.entries {
		next.Cookie = []byte(fmt.Sprint(to))
		if s.cookie != "" {
			next.Cookie = []byte(s.cookie)
		}
	}
	line.Write(response(id, ldap.ApplicationSearchResultDone, code, next).Bytes())
	return true
}

// ldapEnv resolves the password of cn=reader.
func ldapEnv() Env {
	return Env{Secrets: &secret.Resolver{Env: func(name string) (string, bool) { return "open sesame", name == "LDAP" }}}
}

const reader = ", bindDn: cn=reader, password: env:LDAP"

func TestLDAP(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, scheme, options string
		encrypted             bool
		server                *ldapServer
	}{
		{"plain", "ldap", reader + ", plaintext: true", false, &ldapServer{}},
		{"nobody", "ldap", "", false, &ldapServer{}},
		{"StartTLS", "ldap", reader + ", startTls: true, ca: CA", false, &ldapServer{}},
		{"LDAPS", "ldaps", reader + ", ca: CA", true, &ldapServer{}},
		{"no pages", "ldap", "", false, &ldapServer{unpaged: true}},
		{"referrals", "ldap", ", referrals: ignore", false, &ldapServer{referral: "ldap://other/dc=example"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.server.entries = 7
			host, ca := serveLDAP(t, test.server, test.encrypted)
			from := "ldap: {server: '" + test.scheme + "://" + host + "', base: 'dc=example', size: 3" + strings.Replace(test.options, "CA", ca, 1) + "}"
			r := open(t, ldapEnv(), "", from)
			got, places, err := all(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range got {
				delete(row.(map[string]any), "dn")
			}
			want(t, got, list(0, 7))
			if !test.server.unpaged && (places[4] != "items[1] of page 2" || test.server.pages != 3) || r.Identity() != "" || r.Describe() != test.scheme+"://"+host+"/dc=example" {
				t.Errorf("%v, %s, %d pages", places, r.Describe(), test.server.pages)
			}
		})
	}
}

func TestLDAPRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, options, want string
		server              *ldapServer
	}{
		{"password", ", bindDn: cn=nobody, password: env:LDAP, plaintext: true", "the server refuses the password of cn=nobody; check bindDn and password", &ldapServer{}},
		{"referral", "", "a part of what was asked for is on another server: ldap://other/dc=example; narrow base to what this server has, or say referrals: ignore", &ldapServer{referral: "ldap://other/dc=example"}},
		{"limit", "", "the server answers Size Limit Exceeded (4); use a smaller size, a narrower filter, or raise the server's limits for the account", &ldapServer{result: func(page int) uint16 { return uint16(4 * min(page/2, 1)) }}},
		{"base", "", "the server answers No Such Object (32); check base", &ldapServer{result: func(int) uint16 { return 32 }}},
		{"rights", "", "the server answers Insufficient Access Rights (50); sign in with bindDn and password, over ldaps:// or startTls, as somebody who may read the people", &ldapServer{result: func(int) uint16 { return 50 }}},
		{"the same page", "", "page 2 begins like the one before; the server does not go on; nothing was taken over", &ldapServer{cookie: "x"}},
		{"line breaks", "", "the directory broke off while it was read; nothing was taken over; read it again", &ldapServer{breaks: 5}},
		{"line breaks without pages", "", "the directory broke off while it was read; nothing was taken over; read it again", &ldapServer{breaks: 5, unpaged: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.server.entries = 7
			host, _ := serveLDAP(t, test.server, false)
			_, _, err := all(t.Context(), open(t, ldapEnv(), "", "ldap: {server: 'ldap://"+host+"', base: 'dc=example', size: 3"+test.options+"}"))
			wantFault(t, err, "ldap://"+host+"/dc=example: "+test.want)
		})
	}
	host, ca := serveLDAP(t, &ldapServer{}, true)
	for _, options := range []string{"", ", startTls: true, ca: " + ca} { // a certificate that is not known; TLS twice
		scheme := map[bool]string{true: "ldaps", false: "ldap"}[options == ""]
		_, _, err := all(t.Context(), open(t, ldapEnv(), "", "ldap: {server: '"+scheme+"://"+host+"', base: 'dc=example'"+options+"}"))
		if !fault.Is(err, fault.Unavailable) {
			t.Errorf("%s: %v", scheme+options, err)
		}
	}
	write(t, "", ca, "no certificate")
	_, err := tryOpen(t, ldapEnv(), "", "ldap: {server: 'ldaps://h', base: 'dc=example', ca: "+ca+"}")
	wantFault(t, err, ca+": there is no certificate in the file; write certificates as PEM")
	if _, err := tryOpen(t, Env{}, "", "ldap: {server: 'ldaps://h', base: 'dc=example', bindDn: cn=reader, password: env:LDAP}"); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("a password that is not there: %v", err)
	}
}

func TestLDAPEntry(t *testing.T) {
	t.Parallel()
	attribute := func(name string, values ...string) *ldap.EntryAttribute {
		a := &ldap.EntryAttribute{Name: name, Values: values}
		for _, v := range values {
			a.ByteValues = append(a.ByteValues, []byte(v))
		}
		return a
	}
	l := &ldapReader{ldapOrigin: &ldapOrigin{attributes: []string{"sAMAccountName", "mail"}, lists: usualLists()}}
	row, err := l.entry(&ldap.Entry{DN: "cn=Ada,dc=example", Attributes: []*ldap.EntryAttribute{
		attribute("samaccountname", "ada"), attribute("mail", "a@example.com", "b@example.com"), attribute("memberOf", "cn=x"), attribute("empty"),
		attribute("objectGUID", "\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff"),
		attribute("objectSid", "\x01\x05\x00\x00\x00\x00\x00\x05\x15\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x03\x00\x00\x00\xf4\x01\x00\x00"),
		attribute("accountExpires", "9223372036854775807"), attribute("pwdLastSet", "132223104000000000"), attribute("lastLogon", "0"), attribute("lockoutTime", "soon"),
		attribute("whenCreated", "20260131100000.0Z"), attribute("createTimestamp", "20260131100000Z"), attribute("telephoneNumber", "20260131100000"),
		attribute("thumbnailPhoto", "abc"), attribute("userCertificate;binary", "\xff\x00"), attribute("odd", "\xff"),
		attribute("userAccountControl", "66050"), attribute("member;range=0-*", "cn=y"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := decode(t, `{
		"dn": "cn=Ada,dc=example", "sAMAccountName": "ada", "mail": ["a@example.com", "b@example.com"], "memberOf": ["cn=x"],
		"objectGUID": "33221100-5544-7766-8899-aabbccddeeff", "objectSid": "S-1-5-21-1-2-3-500",
		"accountExpires": null, "pwdLastSet": "2020-01-01T00:00:00Z", "lastLogon": null, "lockoutTime": "soon",
		"whenCreated": "2026-01-31T10:00:00Z", "createTimestamp": "2026-01-31T10:00:00Z", "telephoneNumber": "20260131100000",
		"thumbnailPhoto": "YWJj", "userCertificate": "/wA=", "odd": "/w==", "userAccountControl": "66050",
		"userAccountControl.disabled": true, "userAccountControl.lockedOut": false, "userAccountControl.passwordNotRequired": false,
		"userAccountControl.normalAccount": true, "userAccountControl.passwordNeverExpires": true,
		"userAccountControl.smartcardRequired": false, "userAccountControl.passwordExpired": false, "member": ["cn=y"]
	}`)
	if diff := cmp.Diff(want, any(map[string]any(row))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	_, err = l.entry(&ldap.Entry{DN: "cn=All", Attributes: []*ldap.EntryAttribute{attribute("member;range=0-1499", "cn=x")}})
	wantFault(t, err, "cn=All: member has more values than the server gives at once; leave it out: name the attributes that are needed")
	for _, raw := range []string{"", "\x01", "\x01\x05\x00\x00\x00\x00\x00\x05"} {
		if text, ok := sid([]byte(raw)); ok {
			t.Errorf("%q is %s", raw, text)
		}
	}
}

// TestLDAPLine is about a line that ended before the library noticed that a
// search was under way: it then tells nothing.
func TestLDAPLine(t *testing.T) {
	t.Parallel()
	here, there := net.Pipe()
	there.Close()
	conn := ldap.NewConn(here, false)
	conn.Start()
	conn.Close()
	s := &ldapSearch{ldapReader: &ldapReader{ldapOrigin: &ldapOrigin{server: "ldap://h", base: "dc=x"}}, conn: conn, number: 1}
	more, err := s.next(t.Context(), nil)
	if more || !fault.Is(err, fault.Unavailable) {
		t.Errorf("a page of a closed line ends with %v, %v", more, err)
	}
}

func TestLDAPStops(t *testing.T) {
	t.Parallel()
	host, _ := serveLDAP(t, &ldapServer{entries: 100_000}, false)
	r := open(t, Env{}, "", "ldap: {server: 'ldap://"+host+"', base: 'dc=example'}")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	n := 0
	for _, err := range r.Rows(ctx) {
		last = err
		if n++; n == 10 {
			cancel()
		}
	}
	if !errors.Is(last, context.Canceled) || n > 2_000 {
		t.Errorf("after %d rows: %v", n, last)
	}
	for range r.Rows(t.Context()) {
		break
	}
}

func TestLDAPMemory(t *testing.T) {
	rows := size(t, 20_000)
	host, _ := serveLDAP(t, &ldapServer{entries: rows}, false)
	n, grown := heapWhile(t, open(t, Env{}, "", "ldap: {server: 'ldap://"+host+"', base: 'dc=example'}"), max(rows/16, 1))
	if n != rows || grown > 6<<20 {
		t.Errorf("%d of %d rows, the heap grew by %d KB", n, rows, grown>>10)
	}
}
