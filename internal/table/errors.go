package table

import (
	"errors"
	"fmt"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// placed says of every failure in err where it is, in front of what is known
// already: "row 3, column age".
func placed(err error, format string, args ...any) error {
	where := fmt.Sprintf(format, args...)
	var list *fault.List
	if errors.As(err, &list) {
		out := make([]error, len(list.Errors))
		for i, one := range list.Errors {
			out[i] = placed(one, "%s", where)
		}
		return fault.Join(out...)
	}
	var f *fault.Error
	if !errors.As(err, &f) {
		return err
	}
	if f.Place != "" {
		where += ", " + f.Place
	}
	return f.At("%s", where)
}

// faults are the failures in err, apart.
func faults(err error) []*fault.Error {
	var list *fault.List
	if errors.As(err, &list) {
		var out []*fault.Error
		for _, one := range list.Errors {
			out = append(out, faults(one)...)
		}
		return out
	}
	var f *fault.Error
	if !errors.As(err, &f) {
		f = fault.Wrap(fault.Internal, err, "%s", fault.Public(err))
	}
	return []*fault.Error{f}
}
