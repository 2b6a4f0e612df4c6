package expr

import (
	"errors"
	"fmt"
	"time"

	"github.com/dlclark/regexp2"
)

// maxMatchTime bounds one match of a backtracking expression.
const maxMatchTime = 250 * time.Millisecond

// regexProgram is a regular expression of ECMA-262 with the u flag (A12).
type regexProgram struct{ re *regexp2.Regexp }

func compileRegex(pattern string) (program, error) {
	var re *regexp2.Regexp
	err := guard(func() (err error) {
		re, err = regexp2.Compile(pattern, regexp2.ECMAScript|regexp2.Unicode)
		return err
	})
	if err != nil {
		return nil, &ConditionError{Kind: ErrRegex, Msg: fmt.Sprintf("%s is not a regular expression of ECMA-262: %s", abbreviate(pattern), err)}
	}
	re.MatchTimeout = maxMatchTime
	return regexProgram{re}, nil
}

// test searches the text of the subject (N47).
func (p regexProgram) test(s subject) (bool, string, error) {
	var found bool
	err := guard(func() (err error) {
		found, err = p.re.MatchString(s.text())
		return err
	})
	switch {
	case err != nil:
		// The library's message quotes the text, so it is not passed on.
		return false, "", &ConditionError{Kind: ErrRegex,
			Msg: fmt.Sprintf("the regular expression took longer than %s; simplify nested repetitions", maxMatchTime)}
	case !found:
		return false, "the text does not match", nil
	}
	return true, "", nil
}

func (regexProgram) find(subject) (any, bool, error) {
	return nil, false, errors.New("a regular expression selects nothing")
}

// guard turns a panic of a library that reads hostile text into an error.
func guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	return f()
}
