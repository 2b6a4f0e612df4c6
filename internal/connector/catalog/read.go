package catalog

import (
	"bytes"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

const profileFile = "profile.yaml"

// authTypes are the kinds of credential in lanyard.yaml, and whether they are
// exchanged for a token. A test compares them with package config.
var authTypes = map[string]bool{
	"ssws": false, "apiKey": false, "bearer": false, "basic": false,
	"client_credentials": true, "private_key_jwt": true, "authorization_code": true,
}

// read reads every folder of the file system. All mistakes are reported at once.
func read(fsys fs.FS) ([]*Entry, error) {
	profiles, err := fs.Glob(fsys, "*/"+profileFile)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the catalogue cannot be listed")
	}
	var list []*Entry
	var bad []error
	for _, file := range profiles { // in order: Glob sorts
		e, err := readEntry(fsys, file)
		if err != nil {
			bad = append(bad, err)
			continue
		}
		list = append(list, e)
	}
	if err := fault.Join(bad...); err != nil {
		return nil, err
	}
	return list, nil
}

// readEntry reads one folder. Keys that the profile does not have, and values
// that cannot be meant, are errors: a misspelt rule must not become no rule.
func readEntry(fsys fs.FS, file string) (*Entry, error) {
	data, err := fs.ReadFile(fsys, file)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the profile cannot be read").At("%s", file)
	}
	if _, err := value.ParseYAML(data, file); err != nil { // one document, no key twice
		return nil, err
	}
	e := &Entry{Name: path.Dir(file)}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(e); err != nil {
		return nil, fault.New(fault.Internal, "%s", strings.TrimPrefix(err.Error(), "yaml: ")).At("%s", file)
	}
	c := checker{file: file}
	c.entry(e)
	if e.DescriptionFile != "" {
		text, err := fs.ReadFile(fsys, path.Join(e.Name, e.DescriptionFile))
		c.need(err == nil, "description: there is no file %q", e.DescriptionFile)
		e.description = text
	}
	c.readActions(fsys, e)
	if err := fault.Join(c.errors...); err != nil {
		return nil, err
	}
	return e, nil
}

// checker gathers what is wrong with one profile.
type checker struct {
	file   string
	errors []error
}

func (c *checker) need(ok bool, format string, args ...any) {
	if !ok {
		c.errors = append(c.errors, fault.New(fault.Internal, format, args...).At("%s", c.file))
	}
}

var (
	variable = regexp.MustCompile(`\{([^{}]*)\}`)
	envName  = regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`)
	facade   = regexp.MustCompile(`^[a-z][a-z0-9]*$`)
)

func (c *checker) entry(e *Entry) {
	c.need(e.Title != "", "title is missing")
	c.need(e.DescriptionFile != "", "description is missing")
	c.need(e.BasePath == "" || isPath(e.BasePath) && !strings.HasSuffix(e.BasePath, "/"), "basePath: %q must begin with a slash and not end with one", e.BasePath)
	c.need(e.Sandbox == "" || facade.MatchString(e.Sandbox), "sandbox: %q is not the name of a façade", e.Sandbox)
	c.patterns(e.Match)
	c.need(len(e.Auth) > 0, "auth is missing")
	seen := map[string]bool{}
	for _, a := range e.Auth {
		c.need(!seen[a.Type], "auth: %q stands twice", a.Type)
		seen[a.Type] = true
		c.auth(a)
	}
	for larger, smaller := range e.ScopeIncludes {
		c.need(larger != "" && smaller != "" && larger != smaller, "scopeIncludes: %q and %q are not the ends of scopes", larger, smaller)
	}
	c.environment(e)
	c.rateLimit(e.RateLimit)
	for _, status := range e.NotProcessed {
		c.need(isRefusal(status), "notProcessed: %d is not the status of a refusal", status)
	}
	for _, p := range e.Probes {
		c.probe(e, p)
	}
	c.forecast(e.Forecast)
	_, err := value.ParsePointer(e.ErrorCode)
	c.need(err == nil && (e.ErrorCode != "" || len(e.Remedies) == 0), "remedies need errorCode, a JSON Pointer")
}

func (c *checker) patterns(p Patterns) {
	all := slices.Concat(p.Hosts, p.Titles, p.Names)
	c.need(len(all) > 0, "match is missing")
	for _, pattern := range all {
		c.need(strings.Trim(pattern, "*. ") != "", "match: %q would match anything", pattern)
	}
	for _, h := range p.Hosts {
		// "*okta.com" would take notokta.com for Okta.
		name := strings.TrimPrefix(h, "*.")
		c.need(!strings.Contains(name, "*"), "match: write the host %q as *.domain", h)
	}
}

func (c *checker) auth(a Auth) {
	oauth, known := authTypes[a.Type]
	c.need(known, "auth: the type %q is not known", a.Type)
	c.need(a.Header != "", "auth %s: header is missing", a.Type)
	c.need(a.OAuth() == oauth, "auth %s: tokenUrl belongs to OAuth 2.0 and nothing else", a.Type)
	c.need(oauth || a.Audience == "" && !a.SendScopes && len(a.Answers) == 0, "auth %s: audience, sendScopes and answers belong to OAuth 2.0", a.Type)
	c.need((a.AuthorizeURL != "") == (a.Type == "authorization_code"), "auth %s: authorizeUrl belongs to authorization_code", a.Type)
	c.need(a.AuthorizeURL != "" || len(a.Scopes) == 0, "auth %s: scopes belong to authorization_code", a.Type)
	for _, template := range []string{a.TokenURL, a.Audience, a.AuthorizeURL} {
		rest := withOrigin(template, "")
		c.need(template == "" || rest != template && isPath(rest), "auth %s: %q must be {origin} and a path", a.Type, template)
	}
	c.answers("auth "+a.Type, a.Answers)
}

func (c *checker) environment(e *Entry) {
	env := e.Environment
	used := map[string]bool{}
	for _, m := range variable.FindAllStringSubmatch(env.Server, -1) {
		used[m[1]] = true
	}
	for name := range env.Defaults {
		c.need(used[name], "environment: %s has a default and is not used in server", name)
	}
	for _, name := range env.Credential {
		used[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(used)) {
		c.need(envName.MatchString(name), "environment: %q is not the name of a variable", name)
	}
	c.need(env.Server == "" || strings.HasPrefix(env.Server, "https://"), "environment: server must begin with https://")
	c.need(env.Server == "" || strings.HasSuffix(env.Server, e.BasePath), "environment: server must end with the basePath")
	_, known := e.Credential(env.Auth)
	c.need(known == (len(env.Credential) > 0) && known == (env.Auth != ""), "environment: auth and credential belong together, and the type must stand in auth")
}

func (c *checker) rateLimit(r RateLimit) {
	set := 0
	for _, header := range []string{r.Limit, r.Remaining, r.Reset} {
		if header != "" {
			set++
		}
	}
	c.need(set == 0 || set == 3, "rateLimit: limit, remaining and reset belong together")
	c.need(r.Margin >= 0 && r.Concurrency >= 0, "rateLimit: less than none makes no sense")
	c.need(set == 3 || !r.ZeroIsConcurrency && r.Margin == 0, "rateLimit: zeroIsConcurrency and marginSeconds need the headers")
}

func (c *checker) probe(e *Entry, p Probe) {
	c.need(p.Method == "GET" || p.Method == "HEAD", "probes: %q may change something", p.Method)
	c.need(isPath(p.Path) && !strings.ContainsAny(p.Path, "?#{}"), "probes: %q is not a path that can be called", p.Path)
	if _, err := value.ParsePointer(p.Identity); err != nil {
		c.need(false, "probes: identity: %s", fault.Public(err))
	}
	for _, authType := range p.Auth {
		_, ok := e.Credential(authType)
		c.need(ok, "probes: the type %q does not stand in auth", authType)
	}
	c.answers("probes", p.Answers)
	if p.Role != nil {
		c.need(p.Role.Meaning != "" && p.Role.Remedy != "" && p.Role.Mark == "", "probes: role needs a meaning and a remedy, and has its own mark")
	}
}

func (c *checker) answers(where string, answers map[int]Answer) {
	for status, a := range answers {
		c.need(isRefusal(status), "%s: %d is not the status of a refusal", where, status)
		c.need(a.Meaning != "" && a.Remedy != "", "%s: the answer %d needs a meaning and a remedy", where, status)
		c.need(a.Mark == "" || a.Mark == MissingScopes, "%s: the answer %d has the unknown mark %q", where, status, a.Mark)
	}
}

func (c *checker) forecast(f Forecast) {
	c.need(f.CredentialShare >= 0 && f.CredentialShare <= 100, "forecast: credentialShare must be a percentage")
	for _, b := range f.Buckets {
		c.need(isPath(b.Path), "forecast: %q is not a path", b.Path)
		c.need(b.PerMinute > 0 && b.Burst >= 0, "forecast: the bucket %s allows nothing", b.Path)
		for _, m := range b.Methods {
			c.need(m != "" && m == strings.ToUpper(m), "forecast: the method %q must be in upper case", m)
		}
	}
}

// withOrigin fills in {origin}.
func withOrigin(template, origin string) string {
	return strings.Replace(template, "{origin}", origin, 1)
}

func isPath(s string) bool { return strings.HasPrefix(s, "/") }

func isRefusal(status int) bool { return status >= 400 && status <= 599 }
