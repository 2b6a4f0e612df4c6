package okta_test

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/web/webtest"
)

// tree is a JSON value that keeps the order of its keys.
type tree struct {
	kind  byte // '{', '[', 's' for a string, 'v' for other values
	keys  []string
	items []*tree // of an object beside its keys
	text  string
}

func (t *tree) get(key string) *tree {
	if t == nil || t.kind != '{' {
		return nil
	}
	if i := slices.Index(t.keys, key); i >= 0 {
		return t.items[i]
	}
	return nil
}

func parseTree(text string) (*tree, error) {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	t, err := readTree(dec)
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("something follows the JSON value: %v", err)
	}
	return t, nil
}

func readTree(dec *json.Decoder) (*tree, error) {
	token, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch v := token.(type) {
	case string:
		return &tree{kind: 's', text: v}, nil
	case json.Delim:
		t := &tree{kind: byte(v)}
		for dec.More() {
			if v == '{' {
				key, err := dec.Token()
				if err != nil {
					return nil, err
				}
				t.keys = append(t.keys, fmt.Sprint(key))
			}
			item, err := readTree(dec)
			if err != nil {
				return nil, err
			}
			t.items = append(t.items, item)
		}
		_, err := dec.Token()
		return t, err
	default:
		return &tree{kind: 'v', text: fmt.Sprint(v)}, nil
	}
}

// left are members that recorded orgs have or have not by their settings:
// realms, recovery by mail, factors, group owners, the opt-in of apps to
// entitlements; and the address of logos.
var left = []string{"realmId", "emails", "resetFactors", "owners", "emOptInStatus", "logo"}

// random are members whose values are made up.
var random = []string{"errorId", "activationToken", "recoveryToken", "tempPassword", "client_secret", "kid"}

// vary are texts that differ from org to org and from time to time.
var vary = []struct {
	pattern *regexp.Regexp
	by      string
}{
	{regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$`), "TIME"},
	{regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.0$`), "TIME OF AN OWNER"},
	{regexp.MustCompile(`^[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d UTC \d{4}$`), "TIME OF A NEW OWNER"},
	{regexp.MustCompile(`https://[a-z0-9-]+?(-admin)?\.okta(preview)?\.com\b`), "HOST$1"}, // where a recording did not make all the same
	{regexp.MustCompile(`(reset_password|reset-password|tokens|welcome)/[A-Za-z0-9_-]{20}`), "$1/TOKEN"},
	{regexp.MustCompile(`^orn:okta(preview)?:idp:00o[A-Za-z0-9]{17}:`), "orn:okta:idp:ORG:"},
	{regexp.MustCompile(`\bafter=[A-Za-z0-9_-]{26}\b`), "after=CURSOR"},
}

func normal(text, host string) string {
	text = strings.ReplaceAll(text, host, "HOST")
	for _, v := range vary {
		text = v.pattern.ReplaceAllString(text, v.by)
	}
	return text
}

// page writes an answer with one member a line, in the order of keys, without
// what differs from org to org. Lists are sorted: their order is that of ids.
func page(status int, body, host string) string {
	head := fmt.Sprintf("%d %s\n", status, http.StatusText(status))
	body = strings.TrimSpace(body)
	if body == "" {
		return head
	}
	t, err := parseTree(body)
	if err != nil {
		return head + "not JSON: " + body
	}
	if t.kind != '[' {
		return head + t.lines("", "", host)
	}
	list := make([]string, len(t.items))
	for i, item := range t.items {
		list[i] = item.lines("", "- ", host)
	}
	slices.Sort(list)
	return head + fmt.Sprintf("%d items\n", len(list)) + strings.Join(list, "")
}

func (t *tree) lines(key, indent, host string) string {
	var out strings.Builder
	name := indent
	if key != "" {
		name += key + ": "
	}
	switch t.kind {
	case 's':
		text := normal(t.text, host)
		if slices.Contains(random, key) {
			text = "RANDOM"
		}
		fmt.Fprintf(&out, "%s%q\n", name, text)
	case 'v':
		fmt.Fprintf(&out, "%s%s\n", name, t.text)
	default:
		fmt.Fprintf(&out, "%s%c\n", name, t.kind)
		var custom []string
		for i, item := range t.items {
			member := ""
			if t.kind == '{' {
				member = t.keys[i]
			}
			text := item.lines(member, indent+"  ", host)
			switch {
			case slices.Contains(left, member):
			case key == "profile" && !baseAttributes[member]:
				custom = append(custom, text)
			default:
				out.WriteString(text)
			}
		}
		slices.Sort(custom) // Okta shows them among the others, in the order of a hash table
		out.WriteString(strings.Join(custom, ""))
	}
	return out.String()
}

// baseAttributes are the members of profiles that orgs do not add themselves.
var baseAttributes = func() map[string]bool {
	names := map[string]bool{"name": true, "description": true}
	for _, a := range directory.OktaProfile {
		names[a.Name] = true
	}
	return names
}()

// json writes the value in the order of its keys.
func (t *tree) json() string {
	var out strings.Builder
	switch t.kind {
	case 's':
		text, _ := json.Marshal(t.text) // a string has no value that cannot be written
		out.Write(text)
	case 'v':
		out.WriteString(strings.Replace(t.text, "<nil>", "null", 1))
	default:
		out.WriteByte(t.kind)
		for i, item := range t.items {
			if i > 0 {
				out.WriteByte(',')
			}
			if t.kind == '{' {
				fmt.Fprintf(&out, "%q:", t.keys[i])
			}
			out.WriteString(item.json())
		}
		out.WriteByte(t.kind + 2) // } and ] stand two after { and [
	}
	return out.String()
}

// forms are the headers that are compared where the recording has them. Those
// of the network in front of Okta are not: Server, P3P, cookies ...
var forms = map[string]*regexp.Regexp{
	"Cache-Control":          regexp.MustCompile(`^no-cache, no-store$`),
	"Date":                   regexp.MustCompile(`^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$`),
	"Etag":                   regexp.MustCompile(`^W/"[0-9a-f]{64}"$`),
	"Expires":                regexp.MustCompile(`^0$`),
	"Pragma":                 regexp.MustCompile(`^no-cache$`),
	"X-Content-Type-Options": regexp.MustCompile(`^nosniff$`),
	"X-Okta-Request-Id":      regexp.MustCompile(`^[A-Za-z0-9@_-]{27,32}$`),
	"X-Rate-Limit-Limit":     regexp.MustCompile(`^\d+$`),
	"X-Rate-Limit-Remaining": regexp.MustCompile(`^\d+$`),
	"X-Rate-Limit-Reset":     regexp.MustCompile(`^\d{10}$`),
	"Dpop-Nonce":             regexp.MustCompile(`^\S+$`),
}

// headers returns the headers of both answers in the form that is compared.
func (p *player) headers(i webtest.Interaction, got http.Header) (want, have map[string][]string) {
	want, have = map[string][]string{}, map[string][]string{}
	for name, form := range forms {
		recorded, ours := i.Header.Get(name), got.Get(name)
		if recorded == "" {
			continue
		}
		want[name], have[name] = []string{form.String()}, []string{ours}
		if form.MatchString(ours) {
			have[name] = want[name]
		}
	}
	if got.Get("Etag") != "" && i.Header.Get("Etag") == "" {
		have["Etag"] = []string{got.Get("Etag")}
	}
	if recorded := i.Header.Get("Content-Type"); recorded != "" && i.Body != "" {
		want["Content-Type"], have["Content-Type"] = media(recorded), media(got.Get("Content-Type"))
	}
	for _, link := range i.Header.Values("Link") {
		want["Link"] = append(want["Link"], normal(p.ids.ours(link), i.Host))
	}
	for _, link := range got.Values("Link") {
		have["Link"] = append(have["Link"], normal(link, org))
	}
	return want, have
}

func media(contentType string) []string {
	m, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return []string{contentType}
	}
	return []string{m}
}
