package extract

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"iter"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"
	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/strict"
)

// ldapOrigin is a search in an LDAP directory.
type ldapOrigin struct {
	server     string // ldaps://host:port, ldap://host:port
	startTLS   bool
	plaintext  bool   // said explicitly: a password may go over a line that is not encrypted
	ca         string // file of certificates that are trusted instead of the system's
	bindDN     string // empty: nobody
	password   secret.Ref
	base       string
	scope      string
	filter     string
	attributes []string
	lists      []string // attributes that are lists even with one value
	size       int
	referrals  string
}

// The choices of ldap.
const (
	scopeSub        = "sub"
	scopeOne        = "one"
	scopeBase       = "base"
	referralsRefuse = "refuse"
	referralsIgnore = "ignore"
)

// Limits of LDAP. Active Directory gives at most a thousand entries a page.
const (
	ldapPage    = 500
	ldapMaxPage = 10_000
	ldapTimeout = 60 * time.Second // for an answer
)

// usualLists are attributes that hold lists wherever they are defined.
func usualLists() []string {
	return []string{"objectClass", "memberOf", "member", "proxyAddresses", "otherMailbox", "directReports"}
}

// ldap reads ldap.
func (s *section) ldap(n *yaml.Node) origin {
	o := &ldapOrigin{scope: scopeSub, filter: "(objectClass=person)", size: ldapPage, referrals: referralsRefuse, lists: usualLists()}
	written := s.Mapping(n, "ldap", map[string]strict.Field{
		"server":     s.ldapServer(&o.server),
		"startTls":   s.Flag(&o.startTLS),
		"plaintext":  s.Flag(&o.plaintext),
		"ca":         s.path(&o.ca),
		"bindDn":     s.Text(&o.bindDN),
		"password":   s.credential(&o.password),
		"base":       s.distinguishedName(&o.base),
		"scope":      s.Choice(&o.scope, scopeSub, scopeOne, scopeBase),
		"filter":     s.ldapFilter(&o.filter),
		"attributes": s.Texts(&o.attributes),
		"lists":      s.Texts(&o.lists),
		"size":       s.Between(&o.size, 1, ldapMaxPage),
		"referrals":  s.Choice(&o.referrals, referralsRefuse, referralsIgnore),
	})
	s.required(n, "ldap", written, "server", "base")
	if written == nil {
		return o
	}
	if (written["bindDn"] == nil) != (written["password"] == nil) {
		s.Wrong(n, "", "bindDn and password belong together")
	}
	secure := strings.HasPrefix(o.server, "ldaps://") || o.startTLS
	switch {
	case strings.HasPrefix(o.server, "ldaps://") && o.startTLS:
		s.Wrong(written["startTls"], "remove it, or write ldap://", "ldaps is encrypted from its start")
	case !secure && written["password"] != nil && !o.plaintext && o.server != "":
		s.Wrong(written["server"], "use ldaps:// or startTls: true; if the line is safe, say plaintext: true", "the password would be sent in the clear")
	case !secure && written["ca"] != nil:
		s.Wrong(written["ca"], "use ldaps:// or startTls: true", "ca is of no use without encryption")
	}
	return o
}

func (s *section) ldapServer(into *string) strict.Field {
	return func(n *yaml.Node) {
		u, err := url.Parse(n.Value)
		if n.Kind != yaml.ScalarNode || err != nil || u.Scheme != "ldap" && u.Scheme != "ldaps" || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
			s.Wrong(n, "write it as ldaps://host or ldap://host:389", "this is not an LDAP server")
			return
		}
		*into = u.Scheme + "://" + u.Host
	}
}

func (s *section) distinguishedName(into *string) strict.Field {
	return func(n *yaml.Node) {
		if s.Text(into)(n); n.Kind == yaml.ScalarNode {
			if _, err := ldap.ParseDN(*into); err != nil {
				s.Wrong(n, "write it as ou=people,dc=example,dc=com", "this is not a distinguished name")
			}
		}
	}
}

func (s *section) ldapFilter(into *string) strict.Field {
	return func(n *yaml.Node) {
		if s.Text(into)(n); n.Kind == yaml.ScalarNode {
			if _, err := ldap.CompileFilter(*into); err != nil {
				s.Wrong(n, "write it as (&(objectClass=user)(mail=*)); RFC 4515", "this is not an LDAP filter")
			}
		}
	}
}

func (o *ldapOrigin) open(ctx context.Context, env Env) (Reader, error) {
	password, err := env.resolve(ctx, o.password)
	if err != nil {
		return nil, err
	}
	r := &ldapReader{ldapOrigin: o, password: password}
	if o.ca != "" {
		pem, err := os.ReadFile(o.ca)
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "the certificates cannot be read").At("%s", o.ca).Fix("check the path, and its permissions")
		}
		r.roots = x509.NewCertPool()
		if !r.roots.AppendCertsFromPEM(pem) {
			return nil, fault.New(fault.Invalid, "there is no certificate in the file").At("%s", o.ca).Fix("write certificates as PEM")
		}
	}
	return r, nil
}

// ldapReader reads the entries that a search finds.
type ldapReader struct {
	*ldapOrigin
	password secret.Value
	roots    *x509.CertPool
}

// Describe implements Reader.
func (l *ldapReader) Describe() string { return l.server + "/" + l.base }

// Identity implements Reader: a directory tells nothing.
func (l *ldapReader) Identity() string { return "" }

func (l *ldapReader) wrong(kind fault.Kind, err error, remedy, format string, args ...any) *fault.Error {
	return fault.Wrap(kind, err, format, args...).At("%s", l.Describe()).Fix("%s", remedy)
}

// Rows implements Reader.
func (l *ldapReader) Rows(ctx context.Context) iter.Seq2[Located, error] {
	return rows(func(yield func(Located) bool) error {
		conn, err := l.dial(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }() // nothing is under way
		stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
		defer stop()
		if err := l.bind(ctx, conn); err != nil {
			return err
		}
		s := &ldapSearch{ldapReader: l, conn: conn, paging: ldap.NewControlPaging(uint32(l.size)), yield: yield}
		for {
			more, err := s.page(ctx)
			if err != nil || !more {
				return err
			}
		}
	})
}

// dial connects, and encrypts what is to be encrypted.
func (l *ldapReader) dial(ctx context.Context) (*ldap.Conn, error) {
	u, err := url.Parse(l.server)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	unreachable := func(err error) error {
		return l.wrong(fault.Unavailable, err, "check server and network; for TLS, that its certificate is known here (ca) and names the host", "the server cannot be reached")
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"ldap": "389", "ldaps": "636"}[u.Scheme]
	}
	line, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return nil, unreachable(err)
	}
	secure := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: u.Hostname(), RootCAs: l.roots}
	if u.Scheme == "ldaps" {
		encrypted := tls.Client(line, secure)
		if err := encrypted.HandshakeContext(ctx); err != nil {
			_ = line.Close()
			return nil, unreachable(err)
		}
		line = encrypted
	}
	conn := ldap.NewConn(line, u.Scheme == "ldaps")
	conn.SetTimeout(dialTimeout)
	defer conn.SetTimeout(ldapTimeout)
	conn.Start()
	if l.startTLS {
		if err := conn.StartTLS(secure); err != nil {
			_ = conn.Close()
			return nil, unreachable(err)
		}
	}
	return conn, nil
}

func (l *ldapReader) bind(ctx context.Context, conn *ldap.Conn) error {
	if l.bindDN == "" {
		return nil
	}
	err := conn.Bind(l.bindDN, l.password.Reveal())
	if ldap.IsErrorWithCode(err, ldap.LDAPResultInvalidCredentials) {
		return l.wrong(fault.Unauthorized, err, "check bindDn and password", "the server refuses the password of %s", l.bindDN)
	}
	if err != nil {
		return l.refused(ctx, err)
	}
	return nil
}

// refused words an answer that is not what was asked for.
func (l *ldapReader) refused(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return broken(ctx, err, "the directory").At("%s", l.Describe())
	}
	var e *ldap.Error
	if !errors.As(err, &e) || e.ResultCode >= ldap.ErrorNetwork {
		return broken(ctx, err, "the directory").At("%s", l.Describe())
	}
	kind, remedy := fault.Unavailable, "nothing was taken over; read it again"
	switch e.ResultCode {
	case ldap.LDAPResultNoSuchObject:
		kind, remedy = fault.NotFound, "check base"
	case ldap.LDAPResultInsufficientAccessRights, ldap.LDAPResultOperationsError, ldap.LDAPResultStrongAuthRequired, ldap.LDAPResultConfidentialityRequired:
		kind, remedy = fault.Forbidden, "sign in with bindDn and password, over ldaps:// or startTls, as somebody who may read the people"
	case ldap.LDAPResultSizeLimitExceeded, ldap.LDAPResultAdminLimitExceeded, ldap.LDAPResultTimeLimitExceeded:
		kind, remedy = fault.TooLarge, "use a smaller size, a narrower filter, or raise the server's limits for the account"
	}
	return l.wrong(kind, err, remedy, "the server answers %s (%d)", ldap.LDAPResultCodeMap[e.ResultCode], e.ResultCode)
}

// ldapSearch is a search that is being read, page by page (RFC 2696).
type ldapSearch struct {
	*ldapReader
	conn   *ldap.Conn
	paging *ldap.ControlPaging
	yield  func(Located) bool
	number int    // of the page, from 1
	first  string // entry of the page before
}

func (s *ldapSearch) request() *ldap.SearchRequest {
	scope := map[string]int{scopeSub: ldap.ScopeWholeSubtree, scopeOne: ldap.ScopeSingleLevel, scopeBase: ldap.ScopeBaseObject}[s.scope]
	return ldap.NewSearchRequest(s.base, scope, ldap.NeverDerefAliases, 0, 0, false, s.filter, s.attributes, []ldap.Control{s.paging})
}

// page reads a page, and reports whether there is another one to be read.
func (s *ldapSearch) page(ctx context.Context) (more bool, err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop() // of a search that is left early
	s.number++
	const ahead = 32
	found := s.conn.SearchAsync(ctx, s.request(), ahead)
	var answer ldap.Control
	for i := 0; found.Next(); {
		if referral := found.Referral(); referral != "" && s.referrals != referralsIgnore {
			return false, s.wrong(fault.Invalid, nil, "narrow base to what this server has, or say referrals: ignore", "a part of what was asked for is on another server: %s", referral)
		}
		if control := ldap.FindControl(found.Controls(), ldap.ControlTypePaging); control != nil {
			answer = control
		}
		entry := found.Entry()
		if entry == nil {
			continue
		}
		if i == 0 && s.repeats(entry.DN) {
			return false, s.wrong(fault.Unavailable, nil, "the server does not go on; nothing was taken over", "page %d begins like the one before", s.number)
		}
		row, err := s.entry(entry)
		if err != nil {
			return false, err
		}
		place := "items[" + strconv.Itoa(i) + "] of page " + strconv.Itoa(s.number)
		if i++; !s.yield(Located{Place: place, Row: row}) {
			return false, nil
		}
	}
	if err := found.Err(); err != nil {
		return false, s.refused(ctx, err)
	}
	return s.next(ctx, answer)
}

func (s *ldapSearch) repeats(dn string) bool {
	again := s.number > 1 && dn == s.first
	s.first = dn
	return again
}

// next judges the end of a page. Without the control in the answer a page may
// have ended because the line did, which the library does not tell.
func (s *ldapSearch) next(ctx context.Context, answer ldap.Control) (more bool, err error) {
	paging, ok := answer.(*ldap.ControlPaging)
	switch {
	case ctx.Err() != nil || !ok && (s.conn.IsClosing() || s.conn.GetLastError() != nil):
		return false, broken(ctx, s.conn.GetLastError(), "the directory").At("%s", s.Describe())
	case !ok && s.number > 1:
		return false, s.wrong(fault.Unavailable, nil, "nothing was taken over; read it again", "the server stopped to give pages in the middle")
	case !ok || len(paging.Cookie) == 0:
		return false, nil
	}
	s.paging.SetCookie(bytes.Clone(paging.Cookie))
	return true, nil
}
