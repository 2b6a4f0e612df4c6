package extract

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-ldap/ldap/v3"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/reconcile"
)

// entry turns an entry into a row. An attribute with one value is a text, and
// one with more a list; names are written as the configuration writes them.
func (l *ldapReader) entry(e *ldap.Entry) (reconcile.Row, error) {
	row := make(reconcile.Row, len(e.Attributes)+1)
	row["dn"] = e.DN
	for _, a := range e.Attributes {
		name, options, _ := strings.Cut(a.Name, ";")
		if strings.HasPrefix(strings.ToLower(options), "range=") && !strings.EqualFold(options, "range=0-*") {
			return nil, fault.New(fault.Invalid, "%s has more values than the server gives at once", name).At("%s", e.DN).
				Fix("leave it out: name the attributes that are needed")
		}
		name = l.spelled(name)
		values := make([]any, len(a.ByteValues))
		for i, raw := range a.ByteValues {
			values[i] = ldapValue(name, raw)
		}
		switch {
		case len(values) == 1 && !slices.ContainsFunc(l.lists, func(list string) bool { return strings.EqualFold(list, name) }):
			row[name] = values[0]
		case len(values) > 0:
			row[name] = values
		}
		if strings.EqualFold(name, "userAccountControl") && len(a.Values) == 1 {
			accountControl(row, name, a.Values[0])
		}
	}
	return row, nil
}

// spelled gives an attribute the name that it has in the configuration: servers
// may answer with another case.
func (l *ldapReader) spelled(name string) string {
	if i := slices.IndexFunc(l.attributes, func(a string) bool { return strings.EqualFold(a, name) }); i >= 0 {
		return l.attributes[i]
	}
	return name
}

// generalized matches a point in time of LDAP (RFC 4517 3.3.13) in UTC.
var generalized = regexp.MustCompile(`^(\d{14})(?:[.,]\d+)?Z$`)

// ldapValue turns a value into text: identifiers and times of Active Directory
// into what everybody reads, bytes into base64. A time of "never" is nil.
func ldapValue(name string, raw []byte) any {
	switch strings.ToLower(name) {
	case "objectguid", "msexchmailboxguid", "ms-ds-consistencyguid", "msds-consistencyguid":
		if text, ok := guid(raw); ok {
			return text
		}
	case "objectsid", "sidhistory", "msexchmasteraccountsid":
		if text, ok := sid(raw); ok {
			return text
		}
	case "jpegphoto", "thumbnailphoto", "usercertificate", "userpkcs12", "usersmimecertificate":
		return base64.StdEncoding.EncodeToString(raw)
	case "accountexpires", "pwdlastset", "lastlogon", "lastlogoff", "lastlogontimestamp", "badpasswordtime", "lockouttime", "msds-userpasswordexpirytimecomputed":
		if v, ok := fileTime(string(raw)); ok {
			return v
		}
	}
	if !utf8.Valid(raw) {
		return base64.StdEncoding.EncodeToString(raw)
	}
	text := string(raw)
	if m := generalized.FindStringSubmatch(text); m != nil {
		if at, err := time.Parse("20060102150405", m[1]); err == nil {
			return at.Format(time.RFC3339)
		}
	}
	return text
}

// guid writes an identifier as Microsoft does: the first three groups are little
// endian ([MS-DTYP] 2.3.4.2).
func guid(b []byte) (string, bool) {
	if len(b) != 16 {
		return "", false
	}
	var w [16]byte
	binary.BigEndian.PutUint32(w[0:], binary.LittleEndian.Uint32(b[0:]))
	binary.BigEndian.PutUint16(w[4:], binary.LittleEndian.Uint16(b[4:]))
	binary.BigEndian.PutUint16(w[6:], binary.LittleEndian.Uint16(b[6:]))
	copy(w[8:], b[8:])
	s := hex.EncodeToString(w[:])
	return strings.Join([]string{s[:8], s[8:12], s[12:16], s[16:20], s[20:]}, "-"), true
}

// sid writes a security identifier: S-1-5-21-... ([MS-DTYP] 2.4.2).
func sid(b []byte) (string, bool) {
	if len(b) < 8 || len(b) != 8+4*int(b[1]) {
		return "", false
	}
	var authority uint64
	for _, c := range b[2:8] {
		authority = authority<<8 | uint64(c)
	}
	text := "S-" + strconv.Itoa(int(b[0])) + "-" + strconv.FormatUint(authority, 10)
	for i := 8; i < len(b); i += 4 {
		text += "-" + strconv.FormatUint(uint64(binary.LittleEndian.Uint32(b[i:])), 10)
	}
	return text, true
}

// fileTime reads a count of 100 nanoseconds since 1601 ([MS-DTYP] 2.3.3). Zero
// and the largest number mean never.
func fileTime(text string) (any, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return nil, false
	}
	const never, perSecond, epoch = 1<<63 - 1, 10_000_000, 11_644_473_600
	if n == 0 || n == never {
		return nil, true
	}
	at := time.Unix(n/perSecond-epoch, n%perSecond*100).UTC()
	if at.Year() > 9999 {
		return nil, true
	}
	return at.Format(time.RFC3339Nano), true
}

// accountControl adds what the bits of userAccountControl say ([MS-ADTS] 2.2.16).
func accountControl(row reconcile.Row, name, text string) {
	bits, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return
	}
	for _, flag := range []struct {
		bit  int64
		name string
	}{
		{0x2, "disabled"}, {0x10, "lockedOut"}, {0x20, "passwordNotRequired"}, {0x200, "normalAccount"},
		{0x10000, "passwordNeverExpires"}, {0x40000, "smartcardRequired"}, {0x800000, "passwordExpired"},
	} {
		row[name+"."+flag.name] = bits&flag.bit != 0
	}
}
