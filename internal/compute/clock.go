package compute

import (
	"encoding/json"
	"strconv"
	"time"
)

// iso8601 is how times are written.
const iso8601 = "2006-01-02T15:04:05.000Z07:00"

// windowsEpoch is 1601-01-01, from which Windows counts in steps of 100 ns, in
// seconds before 1970.
const windowsEpoch = 11_644_473_600

const windowsTicks = 10_000_000 // per second

// whole is an argument that is a whole number or the text of one.
func (i *invocation) whole() (n int64, absent bool, err error) {
	if i.args[0] == nil {
		return 0, true, nil
	}
	s, err := i.text(0)
	if err != nil {
		return 0, false, err
	}
	if n, err = strconv.ParseInt(s, 10, 64); err != nil {
		return 0, false, i.fail("%q is not a whole number", s)
	}
	return n, false, nil
}

// moment is an argument that is a time in ISO 8601.
func (i *invocation) moment() (t time.Time, absent bool, err error) {
	s, absent, err := i.texts(1)
	if err != nil || absent {
		return t, absent, err
	}
	if t, err = time.Parse(time.RFC3339, s[0]); err != nil {
		return t, false, i.fail("%q is not a time such as 2026-01-31T00:00:00.000Z", s[0])
	}
	return t, false, nil
}

func (i *invocation) fromUnix() (any, error) {
	n, absent, err := i.whole()
	if err != nil || absent {
		return nil, err
	}
	return time.Unix(n, 0).UTC().Format(iso8601), nil
}

func (i *invocation) toUnix() (any, error) {
	t, absent, err := i.moment()
	if err != nil || absent {
		return nil, err
	}
	return strconv.FormatInt(t.Unix(), 10), nil
}

func (i *invocation) fromWindows() (any, error) {
	n, absent, err := i.whole()
	if err != nil || absent {
		return nil, err
	}
	return time.Unix(n/windowsTicks-windowsEpoch, n%windowsTicks*100).UTC().Format(iso8601), nil
}

func (i *invocation) toWindows() (any, error) {
	t, absent, err := i.moment()
	if err != nil || absent {
		return nil, err
	}
	ticks := (t.Unix()+windowsEpoch)*windowsTicks + int64(t.Nanosecond()/100)
	return json.Number(strconv.FormatInt(ticks, 10)).String(), nil
}
