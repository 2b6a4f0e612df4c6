package cli

import (
	"strconv"

	"github.com/spf13/pflag"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// count is the value of a flag that says how many: a negative number is a mistake
// that would else mean all, or none.
type count struct {
	into        *int
	least, most int // most 0: no limit
}

// bindCount gives a command a flag for how many.
func bindCount(flags *pflag.FlagSet, into *int, name string, value int, usage string) {
	bindRange(flags, count{into: into}, name, value, usage)
}

// bindRange is bindCount with bounds of its own.
func bindRange(flags *pflag.FlagSet, c count, name string, value int, usage string) {
	*c.into = value
	flags.Var(c, name, usage)
}

// String implements pflag.Value.
func (c count) String() string {
	if c.into == nil {
		return "0"
	}
	return strconv.Itoa(*c.into)
}

// Set implements pflag.Value.
func (c count) Set(text string) error {
	n, err := strconv.Atoi(text)
	switch {
	case err == nil && n >= c.least && (c.most == 0 || n <= c.most):
		*c.into = n
		return nil
	case c.most > 0:
		return fault.New(fault.Usage, "this must be a whole number from %d to %d", c.least, c.most)
	}
	return fault.New(fault.Usage, "this must be a whole number of at least %d", c.least)
}

// Type implements pflag.Value.
func (c count) Type() string { return "int" }
