package filter_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-id/lanyard/internal/filter"
)

func lower(_, text string) string { return strings.ToLower(text) }

// mailbox is an element of emails.
func mailbox(kind, address string) filter.Subject {
	return filter.Subject{Fold: lower, Get: func(path string) []any {
		switch path {
		case "type":
			return []any{kind}
		case "value":
			return []any{address}
		}
		return nil
	}}
}

// owner has two mailboxes.
var owner = filter.Subject{
	Fold: lower,
	Get: func(path string) []any {
		switch path {
		case "emails.type":
			return []any{"work", "home"}
		case "emails.value":
			return []any{"ann@x.org", "ann@home.net"}
		}
		return nil
	},
	Each: func(path string) []filter.Subject {
		if path != "emails" {
			return nil
		}
		return []filter.Subject{mailbox("work", "ann@x.org"), mailbox("home", "ann@home.net")}
	},
}

func TestMatchSCIM(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`emails.type eq "work" and emails.value eq "ann@home.net"`: true, // by different elements
		`emails[type eq "work" and value eq "ann@home.net"]`:       false,
		`emails[type eq "WORK" and value co "@X."]`:                true,
		`emails[type eq "other" or value ew ".net"]`:               true,
		`emails[not (type eq "work")]`:                             true,
		`not (emails[type eq "work"])`:                             false,
		`not (emails[type eq "other"])`:                            true,
		`not (emails.type eq "work" or emails.type eq "x")`:        false,
		`emails[display pr]`:                                       false,
		`emails[not (display pr)]`:                                 true,
		`phones[type pr]`:                                          false,
		`emails.value ne null`:                                     true,
		`emails.display ne null`:                                   false,
		`emails.display eq null`:                                   true,
		`emails.value ne "ann@x.org"`:                              false,
	} {
		e, _, err := filter.ParseSCIM(text, filter.SCIMOptions{})
		if err != nil {
			t.Errorf("ParseSCIM(%q): %v", text, err)
			continue
		}
		if got := filter.Match(e, owner); got != want {
			t.Errorf("%s = %v, want %v", text, got, want)
		}
	}
	e, _, _ := filter.ParseSCIM(`emails[type pr]`, filter.SCIMOptions{})
	if filter.Match(e, filter.Subject{Get: owner.Get}) {
		t.Error("a subject without elements has an element")
	}
}

// account is what an Auth0 search sees.
var account = filter.Subject{
	Fold:  lower,
	Loose: true,
	Get: func(path string) []any {
		switch path {
		case "name":
			return []any{"Jane Ann Smith"}
		case "zip":
			return []any{"00501"}
		case "badge":
			return []any{"42"}
		case "logins_count":
			return []any{json.Number("100")}
		case "blocked":
			return []any{true}
		case "last_login":
			return []any{time.Date(2017, 12, 31, 23, 59, 59, 999e6, time.UTC)}
		case "tags":
			return []any{"red", "blue"}
		case filter.AnyField:
			return []any{"Jane Ann Smith", "42"}
		}
		return nil
	},
}

func TestMatchLucene(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`name:"jane ann smith"`:  true,
		`name:jane`:              false,
		`name:jane*`:             true,
		`name:*SMITH`:            true,
		`name:*ann*`:             true,
		`name:jane*smith`:        true,
		`name:j*a*n*h`:           true,
		`name:jane*ann*jane`:     false,
		`name:jane\ *ann*smith`:  true,
		`name:jane\ ann\ *smith`: true,
		`name:*mith*x`:           false,
		`name:jane*jane*smith`:   false,
		`badge:4*2`:              true,
		`badge:42*2`:             false, // the 2 counts once
		`jane*`:                  true,
		`42`:                     true,
		`joe`:                    false,
		`NOT name:joe*`:          true,
		`-name:jane*`:            false,
		`nick:joe`:               false,
		`NOT nick:joe`:           true,

		// Values decide on the type.
		`zip:00501`:            true,
		`zip:501`:              false,
		`badge:42`:             true,
		`badge:"42"`:           true,
		`logins_count:"100"`:   true,
		`logins_count:"1e2"`:   true,
		`logins_count:x`:       false,
		`blocked:"true"`:       true,
		`blocked:1`:            false,
		`last_login:2017`:      true,
		`last_login:"2017-12"`: true,
		`last_login:2018`:      false,
		`last_login:today`:     false,

		`logins_count:[100 TO 200]`: true,
		`logins_count:{100 TO 200]`: false,
		`logins_count:[99 TO 100}`:  false,
		`logins_count:[99 TO 100]`:  true,
		`logins_count:[9 TO 1000]`:  true, // not as text
		`logins_count:[* TO *]`:     true,
		`logins_count:[101 TO *]`:   false,
		`logins_count:[* TO 99]`:    false,
		`logins_count:[a TO *]`:     false,
		`logins_count:[* TO z]`:     false,
		`name:[JANE TO k]`:          true,
		`name:[k TO *]`:             false,
		`blocked:[false TO true]`:   false,
		`nick:[* TO *]`:             false,
		`tags:[c TO z]`:             true,
		`tags:[c TO d]`:             false,

		// A date without its end is the whole of that time.
		`last_login:[2017-12-01 TO 2017-12-31]`:                true,
		`last_login:[* TO 2017-12-31}`:                         false,
		`last_login:[2017-11 TO 2017-12]`:                      true,
		`last_login:{2017-12 TO *]`:                            false,
		`last_login:{2017-11 TO 2018}`:                         true,
		`last_login:[* TO 2017]`:                               true,
		`last_login:[2017-12-31T23\:59\:59.999Z TO *]`:         true,
		`last_login:{"2017-12-31T23:59:59.999Z" TO *]`:         false,
		`last_login:["2017-12-31T23:59" TO "2017-12-31T23"]`:   true,
		`last_login:[* TO "2017-12-31T23:59:59.999+01:00"]`:    false,
		`last_login:["2018-01-01T00:59:59.999+01:00" TO *]`:    true,
		`last_login:["2017-12-31T23:59:59" TO "2018-01-01Z"]`:  false,
		`last_login:[now-1d TO *]`:                             false,
		`last_login:[2017-13 TO *]`:                            false,
		`last_login:["2017-12-31T23:59:59.998" TO 2018]`:       true,
		`last_login:[2018 TO *] OR last_login:[* TO 2016]`:     false,
		`last_login:[2017-12-31 TO *] AND NOT last_login:2016`: true,
	} {
		e, err := filter.ParseLucene(text)
		if err != nil {
			t.Errorf("ParseLucene(%q): %v", text, err)
			continue
		}
		if got := filter.Match(e, account); got != want {
			t.Errorf("%s = %v, want %v", text, got, want)
		}
	}
	strict := account
	strict.Loose = false
	for _, text := range []string{`badge:42`, `logins_count:"100"`, `blocked:"true"`, `last_login:2017`} {
		if e, err := filter.ParseLucene(text); err != nil || filter.Match(e, strict) {
			t.Errorf("%s matches a value of another type, or %v", text, err)
		}
	}
}

// Store plans look at what a value path says from outside.
func TestWalkPinnedNeeded(t *testing.T) {
	t.Parallel()
	e, _, err := filter.ParseSCIM(`a pr and emails[type eq "work" and value co "long text"] and not (b eq "1")`, filter.SCIMOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	err = filter.Walk(e, func(c *filter.Compare) error {
		paths = append(paths, c.Path)
		return nil
	})
	if got := strings.Join(paths, " "); err != nil || got != "a emails.type emails.value b" {
		t.Errorf("Walk: %q, %v", got, err)
	}
	if got, ok := filter.Pinned(e, "emails.type"); got != "work" || !ok {
		t.Errorf("Pinned(emails.type) = %q, %v", got, ok)
	}
	for _, path := range []string{"type", "b", "emails.value"} {
		if got, ok := filter.Pinned(e, path); ok {
			t.Errorf("Pinned(%s) = %q", path, got)
		}
	}
	if got := filter.Needed(e, func(path string) bool { return path != "emails.type" }); got != "long text" {
		t.Errorf("Needed = %q", got)
	}
	like, err := filter.ParseLucene(`name:jane*smithy*x`)
	if got := filter.Needed(like, func(string) bool { return true }); err != nil || got != "smithy" {
		t.Errorf("Needed(%v) = %q, %v", like, got, err)
	}
}
