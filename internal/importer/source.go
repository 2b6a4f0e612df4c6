package importer

import (
	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/reconcile"
)

// AppName is the kind of application that an identity source is.
const AppName = "custom_identity_source"

// Source is an identity source: an application of the realm, whose id it has,
// and what is done with the people that come from it.
type Source struct {
	directory.Meta
	Settings reconcile.Settings `json:"settings"`
	From     string             `json:"from,omitempty"` // name of what it is read from in lanyard.yaml; empty: it is only loaded
	Keep     int                `json:"keep,omitempty"` // days that its sessions are kept; 0: 30, never less than 7
}

// Place implements directory.Object.
func (s *Source) Place() directory.Place {
	return directory.Place{Noun: SourceNoun, Parent: s.ID}
}
