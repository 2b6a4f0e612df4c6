package reconcile

import (
	"strings"
	"sync"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// zones keeps the time zones that were asked for: there are few, and reading one
// takes as long as shaping a hundred people.
type zones struct{ known sync.Map } // name -> *time.Location

func (z *zones) find(name string) (*time.Location, error) {
	if known, ok := z.known.Load(name); ok {
		return known.(*time.Location), nil
	}
	zone, err := readZone(name)
	if err == nil {
		z.known.Store(name, zone)
	}
	return zone, err
}

// readZone reads the name of a zone, or an offset such as +02:00.
func readZone(name string) (*time.Location, error) {
	if name == "" || name == "Z" {
		return time.UTC, nil
	}
	if strings.ContainsAny(name, "+-") && strings.ContainsAny(name, "0123456789") && !strings.Contains(name, "/") {
		if seconds, ok := readOffset(strings.ToUpper(name)); ok {
			return time.FixedZone(name, seconds), nil
		}
	}
	if zone, err := time.LoadLocation(name); err == nil && name != "Local" {
		return zone, nil
	}
	return nil, fault.New(fault.Invalid, "there is no time zone %q", shorten(name)).Fix("use a name such as Europe/Berlin, or an offset such as +02:00")
}
