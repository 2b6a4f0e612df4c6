package plan

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/arazzo"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/openapi"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/sources"
)

// Loader reads the sources of a document. *sources.Loader is one.
type Loader interface {
	// Load returns the source that ref names. Needs in ref are the operations
	// that will be asked of it.
	Load(ctx context.Context, ref sources.Ref) (*sources.Source, error)
}

// Request asks for the plan of one document.
type Request struct {
	File     string // path or URL; relative sources are resolved against it
	Data     []byte // its text
	Dialect  arazzo.Dialect
	Workflow string // the workflow to start with; empty: the first
	Profile  Profile
}

// Result is what Build found out. Plan is nil when a diagnostic is an error.
type Result struct {
	Plan        *Plan
	Document    *arazzo.Document
	Diagnostics []arazzo.Diagnostic
	Notices     []string // what the user should know about the sources
	Sources     []*sources.Source
}

// OK reports whether the document can run.
func (r *Result) OK() bool { return r.Plan != nil }

// Err returns an error that carries the diagnostics when there is no plan.
func (r *Result) Err() error {
	if r.Plan != nil {
		return nil
	}
	return &RefusedError{Diagnostics: r.Diagnostics}
}

// RefusedError says why a document cannot run.
type RefusedError struct{ Diagnostics []arazzo.Diagnostic }

// Error lists the errors, one in a line.
func (e *RefusedError) Error() string { return fault.Public(e.Unwrap()) }

// Unwrap returns a fault for each error.
func (e *RefusedError) Unwrap() error {
	var errs []error
	for _, d := range e.Diagnostics {
		if d.Severity == arazzo.Error {
			errs = append(errs, fault.New(fault.Invalid, "%s", d.String()))
		}
	}
	return fault.Join(errs...)
}

// Build reads a document and its sources and returns the plan, or every reason
// why there is none. The error is for what stops it half-way, such as a
// cancelled context; a document's faults are Diagnostics.
func Build(ctx context.Context, loader Loader, req Request) (*Result, error) {
	b := newBuilder(ctx, loader)
	b.dialect = req.Dialect
	b.bundle = &Bundle{Format: bundleFormat, Workflow: req.Workflow, Profile: req.Profile}
	if err := req.Profile.Check(); err != nil {
		return nil, err
	}
	b.document(req.File, req.Data)
	res := &Result{Diagnostics: b.diags, Notices: b.notices, Sources: b.sources}
	if len(b.docs) > 0 {
		res.Document = b.docs[0]
	}
	if err := ctx.Err(); err != nil {
		return res, err
	}
	if failed(b.diags) {
		return res, nil
	}
	if b.bundle.Workflow == "" {
		b.bundle.Workflow = b.docs[0].Workflows[0].ID.Value
	}
	p, diags := compile(b.bundle, b.docs)
	res.Diagnostics = append(res.Diagnostics, diags...)
	if p == nil {
		return res, nil
	}
	against := lint{dialect: req.Dialect}
	against.plan(p)
	res.Diagnostics = append(res.Diagnostics, against.diags...)
	if !failed(against.diags) {
		res.Plan = p
	}
	return res, nil
}

// maxDocuments bounds how many Arazzo documents one plan may consist of.
const maxDocuments = 100

type builder struct {
	ctx     context.Context
	loader  Loader
	dialect arazzo.Dialect
	bundle  *Bundle
	docs    []*arazzo.Document
	byURI   map[string]int
	loaded  map[string]*sources.Source // by document and source name
	sources []*sources.Source
	urls    map[string]string // in full, where they may not be stored; by document and source name
	diags   []arazzo.Diagnostic
	notices []string
}

func newBuilder(ctx context.Context, loader Loader) *builder {
	return &builder{ctx: ctx, loader: loader, byURI: map[string]int{}, loaded: map[string]*sources.Source{}, urls: map[string]string{}}
}

// Finder returns a function that names the sources of a document which have an
// operation. Sources are read when it is first called; those that cannot be
// read have none.
func Finder(ctx context.Context, loader Loader, doc *arazzo.Document) func(operationID string) []string {
	return newBuilder(ctx, loader).finder(doc)
}

// Refs returns what a document asks its loader for.
func Refs(doc *arazzo.Document) []sources.Ref {
	b := newBuilder(context.Background(), nil)
	needs := b.references(doc)
	var out []sources.Ref
	for _, src := range doc.Sources {
		out = append(out, b.ref(doc, src, append(needs[src.Name.Value], needs[""]...)))
	}
	return out
}

func (b *builder) report(pos arazzo.Pos, code, format string, args ...any) {
	b.diags = append(b.diags, arazzo.Diagnostic{Pos: pos, Severity: arazzo.Error, Code: code, Message: fmt.Sprintf(format, args...)})
}

// document reads one Arazzo document and, depth first, those it refers to. It
// returns its index in the bundle, or false when it cannot be read.
func (b *builder) document(uri string, data []byte) (int, bool) {
	if i, ok := b.byURI[uri]; ok {
		return i, true
	}
	if len(b.docs) == maxDocuments {
		b.report(arazzo.Pos{File: uri}, "unsupported-step", "more than %d documents refer to each other", maxDocuments)
		return 0, false
	}
	doc, ok := b.parse(uri, data)
	if !ok {
		return 0, false
	}
	doc = b.withhold(doc)
	index := len(b.docs)
	b.byURI[uri] = index
	b.docs = append(b.docs, doc)
	b.bundle.Documents = append(b.bundle.Documents, Document{URI: uri, Text: string(doc.Text)})
	refs := b.references(doc)
	var bundled []Source
	for _, src := range doc.Sources {
		bundled = append(bundled, b.source(doc, src, refs[src.Name.Value]))
	}
	b.bundle.Documents[index].Sources = bundled
	return index, true
}

// parse reads and checks a document by the dialect. A compat document comes
// back as the strict one that it means.
func (b *builder) parse(uri string, data []byte) (*arazzo.Document, bool) {
	var doc *arazzo.Document
	var diags []arazzo.Diagnostic
	if b.dialect == arazzo.Compat {
		raw, first := arazzo.Parse(uri, data)
		if failed(first) {
			b.diags = append(b.diags, first...)
			return nil, false
		}
		doc, diags = arazzo.ReadCompat(uri, data, arazzo.FixOptions{FindOperation: b.finder(raw)})
	} else {
		doc, diags = arazzo.Parse(uri, data)
	}
	b.diags = append(b.diags, diags...)
	if doc == nil || failed(diags) {
		return doc, false
	}
	// What is wrong with the meaning does not keep the sources from being read:
	// all errors are reported at once.
	b.diags = append(b.diags, arazzo.Check(doc, arazzo.CheckOptions{Dialect: b.dialect})...)
	return doc, true
}

// withhold returns a document whose source URLs may be stored: a plan is kept
// with its runs, and a token in a URL must not be. The full URLs stay with the
// builder, for reading.
func (b *builder) withhold(doc *arazzo.Document) *arazzo.Document {
	text := string(doc.Text)
	var changed bool
	for _, src := range doc.Sources {
		full := src.URL.Value
		masked := storable(full)
		if masked == full {
			continue
		}
		changed = true
		b.urls[doc.File+"\x00"+src.Name.Value] = full
		for _, spelled := range []string{full, strings.ReplaceAll(full, "/", `\/`)} { // JSON may escape slashes
			text = strings.ReplaceAll(text, spelled, masked)
		}
	}
	if !changed {
		return doc
	}
	shown, diags := arazzo.Parse(doc.File, []byte(text))
	if shown == nil || failed(diags) || slices.ContainsFunc(shown.Sources, func(s arazzo.Source) bool { return storable(s.URL.Value) != s.URL.Value }) {
		for _, src := range doc.Sources {
			if storable(src.URL.Value) != src.URL.Value {
				b.report(src.URL.Pos, "source-unreadable", "the URL of the source %s has a query that must not be stored, and it is written with escapes; give it with --source instead", src.Name.Value)
			}
		}
		return doc
	}
	return shown
}

// storable is sources.Shown with a mask that needs no quotes in YAML.
func storable(url string) string {
	return strings.ReplaceAll(sources.Shown(url), secret.Mask, withheld)
}

// withheld stands in a stored URL for what may not be stored.
const withheld = "masked"

// finder answers which sources have an operation, loading them when first asked.
func (b *builder) finder(doc *arazzo.Document) func(string) []string {
	needs := b.references(doc)
	return func(id string) []string {
		var in []string
		for _, src := range doc.Sources {
			if src.Type.Value == "arazzo" {
				continue
			}
			loaded, err := b.load(doc, src, needs[src.Name.Value])
			if err == nil && loaded.Index != nil && loaded.Index.Has(id) {
				in = append(in, src.Name.Value)
			}
		}
		return in
	}
}

// references collects the operations that a document's steps use, by source.
// Unqualified ones belong to the only source there is, else to every source
// that may have them.
func (b *builder) references(doc *arazzo.Document) map[string][]opRef {
	out := map[string][]opRef{}
	add := func(ref opRef) {
		if ref.source == "" {
			if only := onlyAPISource(doc); only != nil {
				ref.source = only.Name.Value
			}
		}
		out[ref.source] = append(out[ref.source], ref)
	}
	for _, w := range doc.Workflows {
		for _, s := range w.Steps {
			if s.OperationID.Node != nil || s.OperationPath.Node != nil {
				if ref, err := stepOperation(s, doc); err == nil {
					add(ref)
				}
			}
			if ref, ok, err := lookupRef(s, doc); ok && err == nil {
				add(ref)
			}
		}
	}
	return out
}

func (b *builder) load(doc *arazzo.Document, src arazzo.Source, refs []opRef) (*sources.Source, error) {
	key := doc.File + "\x00" + src.Name.Value
	if loaded, ok := b.loaded[key]; ok {
		return loaded, nil
	}
	loaded, err := b.loader.Load(b.ctx, b.ref(doc, src, refs))
	if err != nil {
		return nil, err
	}
	b.loaded[key] = loaded
	b.sources = append(b.sources, loaded)
	if loaded.Notice != "" {
		b.notices = append(b.notices, loaded.Notice)
	}
	return loaded, nil
}

func (b *builder) ref(doc *arazzo.Document, src arazzo.Source, refs []opRef) sources.Ref {
	url := src.URL.Value
	if full, ok := b.urls[doc.File+"\x00"+src.Name.Value]; ok {
		url = full
	}
	ref := sources.Ref{Name: src.Name.Value, URL: url, Type: src.Type.Value, BaseFile: baseOf(doc), Pos: src.URL.Pos}
	for _, r := range refs {
		ref.Needs = append(ref.Needs, r.key())
	}
	return ref
}

// baseOf is what relative source URLs are resolved against: $self when it is
// absolute, else where the document was read (N5).
func baseOf(doc *arazzo.Document) string {
	if strings.Contains(doc.Self.Value, "://") {
		return doc.Self.Value
	}
	return doc.File
}

// source loads one source description and keeps what the steps use of it.
func (b *builder) source(doc *arazzo.Document, src arazzo.Source, refs []opRef) Source {
	out := Source{Name: src.Name.Value, Type: src.Type.Value, URL: src.URL.Value}
	if out.Type == "" {
		out.Type = "openapi"
	}
	switch {
	case out.Type == "asyncapi":
		return out // its steps are refused by compile
	case out.Type == "arazzo" && !refersTo(doc, out.Name):
		return out
	case out.Type == "openapi" && len(refs) == 0 && !b.unqualified(doc):
		return out // nothing is asked of it
	}
	loaded, err := b.load(doc, src, refs)
	if err != nil {
		b.failed(src.URL.Pos, sources.Code(err), err)
		return out
	}
	out.Location, out.Digest = loaded.Location, loaded.Digest
	if out.Type == "arazzo" {
		if i, ok := b.document(loaded.Location, loaded.Data); ok {
			out.Document = i
		}
		return out
	}
	out.Title, out.Base, out.Schemes = loaded.Index.Title, loaded.Index.URL, map[string]openapi.Scheme{}
	out.Operations = map[string]*openapi.Operation{}
	for _, ref := range refs {
		b.operation(&out, loaded, ref)
	}
	for _, ref := range b.references(doc)[""] {
		if loaded.Index.Has(ref.id) {
			b.operation(&out, loaded, ref)
		}
	}
	return out
}

// unqualified reports whether any step leaves open which source it means.
func (b *builder) unqualified(doc *arazzo.Document) bool { return len(b.references(doc)[""]) > 0 }

// operation copies one operation, and the security schemes it names, into the bundle.
func (b *builder) operation(out *Source, loaded *sources.Source, ref opRef) {
	if _, ok := out.Operations[ref.key()]; ok {
		return
	}
	op, err := loaded.Operation(ref.key())
	if err != nil {
		code := "unknown-operation"
		if fault.Is(err, fault.Conflict) {
			code = "ambiguous-operation"
		}
		b.failed(ref.pos, code, err)
		return
	}
	out.Operations[ref.key()] = op
	for _, alternative := range op.Security {
		for name := range alternative {
			if scheme, ok := loaded.Index.Schemes[name]; ok {
				out.Schemes[name] = scheme
			}
		}
	}
}

// failed turns an error into a diagnostic that keeps its remedy.
func (b *builder) failed(pos arazzo.Pos, code string, err error) {
	d := arazzo.Diagnostic{Pos: pos, Severity: arazzo.Error, Code: code, Message: fault.Public(err)}
	var f *fault.Error
	if errors.As(err, &f) {
		d.Message, d.Remedy = f.Msg, f.Remedy
	}
	b.diags = append(b.diags, d)
}

// refersTo reports whether any step, action or dependency uses a workflow of
// the named source.
func refersTo(doc *arazzo.Document, source string) bool {
	uses := func(ref arazzo.Str) bool {
		s, _ := workflowRef(ref.Value)
		return s == source
	}
	inActions := func(actions []arazzo.Action) bool {
		for _, a := range actions {
			if uses(a.WorkflowID) {
				return true
			}
		}
		return false
	}
	for _, w := range doc.Workflows {
		for _, d := range w.DependsOn {
			if uses(d) {
				return true
			}
		}
		if inActions(w.SuccessActions) || inActions(w.FailureActions) {
			return true
		}
		for _, s := range w.Steps {
			if uses(s.WorkflowID) || inActions(s.OnSuccess) || inActions(s.OnFailure) {
				return true
			}
		}
	}
	for _, c := range doc.Components.SuccessActions {
		if uses(c.Item.WorkflowID) {
			return true
		}
	}
	for _, c := range doc.Components.FailureActions {
		if uses(c.Item.WorkflowID) {
			return true
		}
	}
	return false
}
