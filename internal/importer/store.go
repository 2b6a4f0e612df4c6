package importer

import (
	"context"
	"iter"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/reconcile"
)

// Store keeps sessions and links beside the directory, in the same transactions.
// What it promises is that of directory.Store; internal/store/storetest tests it.
type Store interface {
	Update(ctx context.Context, f func(Tx) error) error
	View(ctx context.Context, f func(Reader) error) error
}

// Reader reads what a Store keeps. As of the directory, no other method may be
// called while a sequence is being ranged over.
type Reader interface {
	directory.BulkReader

	// ImportSession returns a session, or *directory.Missing with SessionNoun.
	ImportSession(id string) (*Session, error)
	// ImportSessions returns sessions, the one that was begun last first, whatever its id.
	ImportSessions(q SessionQuery) ([]*Session, error)
	// ImportBlock returns one block of the records of a session.
	ImportBlock(session string, seq int) ([]byte, error)

	// ImportLinks returns the links of those externalIds that have one, in any order.
	ImportLinks(source string, kind Kind, externalIDs []string) ([]Link, error)
	// ImportLinksTo returns the links of all sources to accounts or groups.
	ImportLinksTo(accounts []string) ([]Link, error)
	// EachImportLink yields links ordered by externalId.
	EachImportLink(q LinkQuery) iter.Seq2[Link, error]
	// ImportIndex yields all people of a source in short, in any order.
	ImportIndex(source string) iter.Seq2[Indexed, error]
	// ImportAssigned yields the accounts that have the application of a source, in
	// any order.
	ImportAssigned(realm, source string) iter.Seq2[string, error]
	// CountImportLinks counts the people of a source by the state of their links.
	CountImportLinks(source string) (map[reconcile.LinkState]int, error)
	// ImportsDue returns the sources that have people who are due.
	ImportsDue(now time.Time) (sources []string, err error)

	// ImportEntities returns entities in their order, without Done.
	ImportEntities(q EntityQuery) ([]Entity, error)
	// LastChange is the number of the newest entry of the change log.
	LastChange() (int64, error)
	// CountImportEntities counts the entities that a query selects; its After and
	// Limit do not matter.
	CountImportEntities(q EntityQuery) (int, error)
}

// Tx reads and writes what a Store keeps, and the directory.
type Tx interface {
	Reader
	directory.BulkTx

	InsertImportSession(s *Session) error
	// UpdateImportSession replaces the session whose version is s.Version-1, else
	// fault.Stale.
	UpdateImportSession(s *Session) error
	// DeleteImportSession removes a session with its records and entities.
	DeleteImportSession(id string) error
	// PutImportBlock stores a block of the records of a session, over one that is there.
	PutImportBlock(session string, seq int, body []byte) error

	// PutImportLinks stores links, over what is there.
	PutImportLinks(links []Link) error
	DeleteImportLinks(source string, kind Kind, externalIDs []string) error
	// DoubtImportLinks has the other sources of a source's linked people look at them
	// again, whatever they say of them: fingerprints of theirs are lost.
	DoubtImportLinks(source string) error
	// ForgetImportSource removes all links of a source.
	ForgetImportSource(source string) error

	InsertImportEntities(session string, entities []Entity) error
	UpdateImportEntity(session string, e *Entity) error
	// DeleteImportEntities removes entities of a session, at most so many, and reports
	// whether there may be more.
	DeleteImportEntities(session string, most int) (more bool, err error)
}

// Link is what is known of a person or group of a source.
type Link struct {
	reconcile.Link        // Account: or the id of the group
	Source         string `json:"source"`
	Kind           Kind   `json:"kind"`
	Place          string `json:"place,omitempty"` // in the source, of people with dates to come
	// Note says why somebody waits to be confirmed, and Candidate whom they
	// were matched with, if anybody.
	Note      string `json:"note,omitempty"`
	Candidate string `json:"candidate,omitempty"`
}

// LinkQuery selects links of a source.
type LinkQuery struct {
	Source string
	Kind   Kind
	State  reconcile.LinkState // empty: all
	Due    time.Time           // due by then; zero: all
	After  string              // externalId
	Limit  int                 // 0: no limit
}

// Indexed is a link in short.
type Indexed struct {
	ExternalID  string
	Account     string
	State       reconcile.LinkState
	Fingerprint reconcile.Fingerprint
	Due         time.Time
}
