package provision

import (
	"context"
	"iter"
)

// Links is the part of the Store that tells what is linked to what; imports and
// dry runs use it.
type Links interface {
	// Link returns what is known of a person; zero but for its key when nothing is.
	Link(ctx context.Context, realm, app, account string) (Link, error)
	// LinkByRemote returns the link that has an id of the application; ok is
	// false when none has.
	LinkByRemote(ctx context.Context, realm, app, remoteID string) (l Link, ok bool, err error)
	// Links yields the links of an application ordered by account.
	Links(ctx context.Context, realm, app string) iter.Seq2[Link, error]
	// PutLink stores a link. A RemoteID that another account has is a fault.Conflict.
	PutLink(ctx context.Context, l Link) error
	// GroupLinks yields the pushed groups of an application ordered by group.
	GroupLinks(ctx context.Context, realm, app string) iter.Seq2[GroupLink, error]
}
