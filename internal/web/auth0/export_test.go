package auth0

import (
	"net/http"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/tenant"
)

// CheckPayload reads and checks the body of POST /api/v2/users.
func CheckPayload(r *http.Request) (map[string]any, error) {
	p, err := readPayload(r, createProperties, "connection")
	if err == nil {
		err = p.checkIdentifiers(&tenant.Connection{Strategy: directory.Auth0Provider(p.text("connection"))})
	}
	return p.profile(), err
}

// Translate returns the status that an error is answered with.
func Translate(err error) int { return translate(err).status }

// ReadMark and WriteMark are the two ways of a checkpoint.
var (
	ReadMark  = readMark
	WriteMark = writeMark
)

// ReadLogID reads the id of an entry of the logs.
func ReadLogID(id string) (at time.Time, seq int64, exchange string, ok bool) { return readLogID(id) }

// ReadImport reads the form of an import and returns how many users it has.
func ReadImport(r *http.Request) (int, error) {
	f, err := readImport(r)
	return len(f.users), err
}

// LimitSearch says how long searches may take.
func (a *API) LimitSearch(d time.Duration) { a.searchTime = d }
