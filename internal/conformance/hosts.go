package conformance

import (
	"cmp"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
)

// hosts stands in for the servers that a case names, such as http://api.test:
// each is a listener of its own on loopback, and all play the one script.
// Documents, inputs and answers get the address in place of the name on their
// way to the runner; what comes back gets the name again.
type hosts struct {
	servers []*httptest.Server
	out     *strings.Replacer // names to addresses
	back    *strings.Replacer
	api     string // the address of http://api.test
}

// originName is a server's name in the documents of a case.
var originName = regexp.MustCompile(`https?://[a-z0-9][a-z0-9.-]*\.test(?::[0-9]+)?`)

// newHosts starts a listener for every server that the texts name.
func newHosts(s *scripted, texts []string) *hosts {
	h := &hosts{}
	addresses := map[string]string{}
	for _, text := range append([]string{origin}, texts...) {
		for _, name := range originName.FindAllString(text, -1) {
			if addresses[name] != "" {
				continue
			}
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.play(name, w, r) }))
			h.servers = append(h.servers, server)
			addresses[name] = server.URL
		}
	}
	// A name may be the beginning of another, with a port: the longer goes first.
	names := slices.SortedFunc(maps.Keys(addresses), func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	var out, back []string
	for _, name := range names {
		out = append(out, name, addresses[name])
		back = append(back, addresses[name], name)
	}
	h.out, h.back = strings.NewReplacer(out...), strings.NewReplacer(back...)
	h.api = addresses[origin]
	s.hosts = h
	return h
}

func (h *hosts) close() {
	for _, s := range h.servers {
		s.Close()
	}
}
