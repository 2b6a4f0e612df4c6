package store

import (
	"cmp"
	"iter"
	"slices"
	"sync"

	"github.com/lanyard-id/lanyard/internal/directory"
)

// positions remembers who stands where in the lists of connections. OFFSET alone
// has the database walk past everybody in front of a page; from somebody whose
// place is known it is not far.
//
// A place is that of one version of a list, which changes whenever somebody comes
// or goes. Only what is committed is remembered: a version that is undone is given
// once more to other people.
type positions struct {
	mu    sync.Mutex
	lists map[listKey]*placeList
}

type listKey struct{ realm, connection string }

// placeList holds the known places of one version of a list, in their order.
type placeList struct {
	version int64
	places  []place
}

type place struct {
	index int // from 0
	id    string
}

const (
	// walkable is how many rows are skipped without further ado, and how far
	// places that are remembered lie apart.
	walkable = 200
	// maxLists bounds the connections whose places are remembered.
	maxLists = 64
)

// before returns the last place that is known up to an index, zero for none.
func (p *positions) before(key listKey, version int64, index int) place {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.lists[key]
	if list == nil || list.version != version {
		return place{}
	}
	i, found := list.find(index)
	switch {
	case found:
		return list.places[i]
	case i > 0:
		return list.places[i-1]
	}
	return place{}
}

// remember keeps a place, unless one near it is known already.
func (p *positions) remember(key listKey, version int64, at place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.lists[key]
	if list == nil || list.version < version {
		if list == nil && len(p.lists) >= maxLists {
			clear(p.lists)
		}
		if p.lists == nil {
			p.lists = map[listKey]*placeList{}
		}
		list = &placeList{version: version}
		p.lists[key] = list
	}
	if list.version > version { // read by somebody who began long ago
		return
	}
	i, found := list.find(at.index)
	near := found || i > 0 && at.index-list.places[i-1].index < walkable
	if !near {
		list.places = slices.Insert(list.places, i, at)
	}
}

// find returns where an index is among the places, or would be.
func (l *placeList) find(index int) (int, bool) {
	return slices.BinarySearchFunc(l.places, index, func(at place, index int) int { return cmp.Compare(at.index, index) })
}

// far lists the accounts of a connection from a place far down.
func (t *directoryTx) far(q directory.AccountQuery) iter.Seq2[*directory.Account, error] {
	return func(yield func(*directory.Account, error) bool) {
		key := listKey{q.Realm, q.Connection}
		_, version, err := t.tallied(q.Realm, q.Connection)
		if err != nil {
			yield(nil, err)
			return
		}
		near := t.db.positions.before(key, version, q.Skip)
		index := q.Skip
		q.Skip -= near.index
		first := true
		for a, err := range t.accounts(q, near.id) {
			if first && err == nil {
				t.db.positions.remember(key, version, place{index, a.ID})
			}
			first = false
			if !yield(a, err) {
				return
			}
		}
	}
}

// isFar reports whether a query begins far down the whole list of a connection,
// as it is on disk.
func (t *directoryTx) isFar(q directory.AccountQuery) bool {
	return q.Skip > walkable && t.batch == nil && q.Realm != "" && q.Connection != "" &&
		q == (directory.AccountQuery{Realm: q.Realm, Connection: q.Connection, Skip: q.Skip})
}
