package importer

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"io"
	"slices"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/reconcile"
)

// item is one record of a session as it is kept.
type item struct {
	Kind   Kind   `json:"kind"`
	Place  string `json:"place,omitempty"`
	Delete bool   `json:"delete,omitempty"`
	Absent bool   `json:"absent,omitempty"` // of a plan: the source did not have the person

	Person *reconcile.Person `json:"person,omitempty"` // of a user: what is to be read, at least the externalId
	Group  *Record           `json:"group,omitempty"`
	Member string            `json:"member,omitempty"` // of a membership, with the externalId of Group

	// Error is why a row could not be read.
	Error  string `json:"error,omitempty"`
	Remedy string `json:"remedy,omitempty"`
	// Again says that the session had the externalId before, with something else.
	Again bool `json:"again,omitempty"`
}

// id is the external id that the item is about.
func (it *item) id() string {
	switch {
	case it.Person != nil:
		return it.Person.ExternalID
	case it.Group != nil:
		return it.Group.ExternalID
	}
	return ""
}

// at brings a person up to a time: a session may have waited since the source was read.
func (it *item) at(now time.Time) {
	if it.Person != nil {
		it.Person = it.Person.At(now)
	}
}

// leaves reports whether somebody leaves by what the record says.
func (it *item) leaves() bool {
	return it.Kind == UserKind && (it.Absent || it.Person != nil && it.Error == "" && it.Person.Presence == reconcile.Leaving)
}

// block is a part of the records of a session: as much as is kept and decided
// about at once.
type block struct {
	Items []item `json:"items,omitempty"`
	// Same are those of whom nothing is new: eight bytes for each, idHash.
	Same string `json:"same,omitempty"`
}

// The sizes of blocks.
const (
	itemsInBlock = 500
	sameInBlock  = 64 << 10
)

// encode is the stored form of a block: JSON, compressed at the least effort,
// which costs a tenth of writing it as it is (measured with 30 attributes).
func (b *block) encode() ([]byte, error) {
	text, err := json.Marshal(b)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "records cannot be kept")
	}
	return compress(text)
}

func compress(text []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.BestSpeed)
	if err == nil {
		_, err = w.Write(text)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "records cannot be kept")
	}
	return out.Bytes(), nil
}

func decodeBlock(body []byte) (*block, error) {
	var b block
	if err := inflate(body, &b); err != nil {
		return nil, err
	}
	return &b, nil
}

func inflate(body []byte, into any) error {
	r := flate.NewReader(bytes.NewReader(body))
	text, err := io.ReadAll(r)
	if err == nil {
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.UseNumber()
		err = dec.Decode(into)
	}
	if err != nil {
		return fault.Wrap(fault.Internal, err, "records that were kept cannot be read")
	}
	return nil
}

// idHash stands for an external id where there are millions of them. Two of a
// million are alike once in forty million sessions; what follows then is that
// somebody who is absent is taken to be there.
func idHash(id string) uint64 {
	h := uint64(14695981039346656037) // FNV-1a
	for i := 0; i < len(id); i++ {
		h = (h ^ uint64(id[i])) * 1099511628211
	}
	// FNV leaves the high bits of short texts alike.
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	return h ^ h>>32
}

// packHashes is the stored form of a list of idHash.
func packHashes(list []uint64) string {
	b := make([]byte, 0, 8*len(list))
	for _, h := range list {
		b = binary.BigEndian.AppendUint64(b, h)
	}
	return base64.StdEncoding.EncodeToString(b)
}

func unpackHashes(text string, into []uint64) ([]uint64, error) {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(b)%8 != 0 {
		return nil, fault.Wrap(fault.Internal, err, "records that were kept cannot be read")
	}
	into = slices.Grow(into, len(b)/8)
	for ; len(b) > 0; b = b[8:] {
		into = append(into, binary.BigEndian.Uint64(b))
	}
	return into, nil
}

// index is what is known of the people of a source while a session is loaded, by
// idHash: slots of 40 bytes, of which a quarter at least is free. It is an
// open-addressed table because a map of the language takes twice that.
type index struct {
	slots []slot
	used  int
}

type slot struct {
	hash        uint64
	due         int64 // microseconds
	fingerprint reconcile.Fingerprint
	state       byte
	set         bool
	seen        bool // by this session
}

// The states in a slot.
var linkStates = [...]reconcile.LinkState{"", reconcile.Linked, reconcile.Unconfirmed, reconcile.Ignored, reconcile.Removed, reconcile.Awaited}

func newIndex(people int) *index {
	size := 1024
	for size*3 < people*4 {
		size *= 2
	}
	return &index{slots: make([]slot, size)}
}

// at returns the slot of a hash, which is made when it is missing. It is good
// until the next call.
func (x *index) at(hash uint64) *slot {
	if x.used*4 >= len(x.slots)*3 {
		x.grow()
	}
	s := x.find(hash)
	if !s.set {
		x.used++
		s.set, s.hash = true, hash
	}
	return s
}

func (x *index) find(hash uint64) *slot {
	mask := uint64(len(x.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		if s := &x.slots[i]; !s.set || s.hash == hash {
			return s
		}
	}
}

func (x *index) grow() {
	old := x.slots
	x.slots = make([]slot, 2*len(old))
	for i := range old {
		if old[i].set {
			*x.find(old[i].hash) = old[i]
		}
	}
}
