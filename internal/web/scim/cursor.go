package scim

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"time"

	"github.com/lanyard-id/lanyard/internal/scim"
)

// cursor is what a sealed cursor holds (RFC 9865 2). It opens only for the
// caller and the query that it was made for.
type cursor struct {
	Inner   string    `json:"i"` // the endpoint's own cursor, or an offset
	Count   int       `json:"c"`
	Expires time.Time `json:"e"`
}

// paging is how a search is cut into pages.
type paging struct {
	count  int
	cursor *string // nil: by index
	inner  string  // what was in the cursor; "" for the first page

	sealer  Sealer
	binding []byte
	expires time.Time
}

// paging reads count and cursor. A count of less than 0 means 0, one that is too
// high the most there is (RFC 7644 3.4.2.4).
func (c *call) paging(s search, typ string) (*paging, error) {
	f := c.config.Features
	p := &paging{count: cmp.Or(f.DefaultPageSize, defaultPage), sealer: c.Sealer}
	if s.count != nil {
		p.count = min(max(0, *s.count), cmp.Or(f.MaxPageSize, maxPage))
	}
	if !f.Cursor || s.cursor == nil {
		return p, nil
	}
	life := f.CursorTimeout
	if life == 0 {
		life = cursorLife
	}
	now := c.Now()
	p.cursor, p.expires = s.cursor, now.Add(life)
	p.binding = c.binding(s, typ)
	if *s.cursor == "" {
		return p, nil
	}
	return p, p.open(now, s.count != nil)
}

// binding is what a cursor belongs to: another caller's, or another query's, does
// not open.
func (c *call) binding(s search, typ string) []byte {
	filter := []string{}
	if s.filter != nil {
		filter = append(filter, *s.filter)
	}
	caller := sha256.Sum256([]byte(c.token))
	text, _ := json.Marshal([]any{c.connection, caller[:], typ, filter, s.sortBy, s.descending}) // texts: nothing can fail
	sum := sha256.Sum256(text)
	return append([]byte("scim-cursor:"), sum[:]...)
}

// open reads the cursor of a request.
func (p *paging) open(now time.Time, counted bool) error {
	var in cursor
	sealed, err := base64.RawURLEncoding.DecodeString(*p.cursor)
	if err == nil {
		var plain []byte
		if plain, err = p.sealer.Open(sealed, p.binding); err == nil {
			err = json.Unmarshal(plain, &in)
		}
	}
	switch {
	case err != nil:
		return scim.Fail(scim.InvalidCursor, "the cursor is none of this server for this query and this token")
	case !now.Before(in.Expires):
		return scim.Fail(scim.ExpiredCursor, "the cursor has expired; begin again without one")
	case counted && p.count != in.Count:
		return scim.Fail(scim.InvalidCount, "count must stay the same from page to page")
	}
	p.inner, p.count = in.Inner, in.Count
	return nil
}

// seal makes a cursor of the endpoint's own, "" of none. Its characters are of
// URI's unreserved set.
func (p *paging) seal(inner string) (string, error) {
	if p.cursor == nil || inner == "" {
		return "", nil
	}
	plain, err := json.Marshal(cursor{inner, p.count, p.expires})
	if err != nil {
		return "", err
	}
	sealed, err := p.sealer.Seal(plain, p.binding)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(sealed), nil
}

// offset reads an index that stands for a place in the resources of all types.
func (p *paging) offset() (int, error) {
	if p.inner == "" {
		return 1, nil
	}
	n, err := strconv.Atoi(p.inner)
	if err != nil || n < 1 {
		return 0, scim.Fail(scim.InvalidCursor, "the cursor is none of this server for this query and this token")
	}
	return n, nil
}

// sealOffsets puts cursors that hold an index on a page.
func (p *paging) sealOffsets(page *scim.Page) (err error) {
	at := page.StartIndex
	page.StartIndex = 0
	if next := at + len(page.Resources); p.count > 0 && next <= page.Total {
		if page.Next, err = p.seal(strconv.Itoa(next)); err != nil {
			return err
		}
	}
	if at > 1 {
		page.Previous, err = p.seal(strconv.Itoa(max(1, at-p.count)))
	}
	return err
}
