package filter

import (
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// SCIMOptions relax the grammar of RFC 7644 for clients that do not keep to it.
// The zero value is the RFC.
type SCIMOptions struct {
	// ValuePathSuffix accepts a sub-attribute after a value path, as in
	// emails[type eq "work"].value eq "x", and reads it as one more term inside:
	// emails[type eq "work" and value eq "x"]. Entra matches people by such filters.
	ValuePathSuffix bool

	// Unquoted accepts a bare word where a JSON value belongs: True and FALSE are
	// read as booleans, everything else as text. Microsoft's collection of tests
	// sends userName sw O.
	Unquoted bool

	// Blanks accepts more or fewer blanks than the grammar has, also tabs.
	Blanks bool
}

var scim = dialect{term: (*parser).scimTerm, negation: (*parser).scimNot, strict: true}

// scimElement is what stands in the brackets of a value path. A sub-attribute
// has no sub-attributes (RFC 7643 2.3.8), hence no brackets in brackets.
var scimElement = dialect{term: (*parser).elementTerm, negation: (*parser).scimNot, strict: true}

// ParseSCIM reads a filter of RFC 7644 3.4.2.2. Not binds more tightly than
// and, and more tightly than or. Attributes stay as they were written, with
// the URN in front if there is one (SplitName takes it off).
//
// The texts say in a sentence each where an option was needed; they name no
// values. Errors are fault.Invalid (or fault.TooLarge) and name the place.
func ParseSCIM(text string, o SCIMOptions) (Expr, []string, error) {
	p := newParser(text, scim)
	p.relax = o
	e, err := p.whole()
	if err != nil {
		return nil, nil, err
	}
	return e, p.notes, nil
}

// Path is what a PATCH operation changes (RFC 7644 3.5.2, figure 7). Only the
// schema can say where a URN ends, so the name is kept as it was written.
type Path struct {
	// Name is attr, attr.sub or a URN, or a URN with ":attr" or ":attr.sub".
	Name string

	// Filter selects elements of the attribute: what stands in [ ]. Its own paths
	// are relative to the element. Nil when there is none.
	Filter Expr

	// Sub is the sub-attribute behind the filter, without its dot.
	Sub string
}

// String writes the path as ParsePath reads it.
func (p Path) String() string {
	text := p.Name
	if p.Filter != nil {
		text += "[" + p.Filter.String() + "]"
	}
	if p.Sub != "" {
		text += "." + p.Sub
	}
	return text
}

// ParsePath reads the path of a PATCH operation: attr, attr.sub, attr[filter],
// attr[filter].sub, each also with a URN and a colon in front, or a URN alone.
// Options, texts and errors are those of ParseSCIM; ValuePathSuffix changes
// nothing here, because paths have a sub-attribute there by the RFC.
func ParsePath(text string, o SCIMOptions) (Path, []string, error) {
	p := newParser(text, scimElement)
	p.relax = o
	path, err := p.patchPath()
	if err != nil {
		return Path{}, nil, err
	}
	return path, p.notes, nil
}

func (p *parser) patchPath() (Path, error) {
	var path Path
	if err := p.check(); err != nil {
		return path, err
	}
	if err := p.blanks(0, 0); err != nil {
		return path, err
	}
	start := p.at
	path.Name = p.run(isName)
	if !isAttribute(path.Name) && !isURI(path.Name) {
		p.at = start
		return path, p.fail("an attribute is expected, not %q", p.rest())
	}
	if p.take('[') {
		if !isAttribute(path.Name) {
			p.at = start
			return path, p.fail("%q is not an attribute with elements to select", path.Name)
		}
		var err error
		if path.Filter, err = p.enclosed(']'); err != nil {
			return path, err
		}
		if path.Sub, err = p.suffix(); err != nil {
			return path, err
		}
	}
	return path, p.end()
}

// suffix reads the sub-attribute behind a bracket: "" when there is none.
func (p *parser) suffix() (string, error) {
	if !p.take('.') {
		return "", nil
	}
	start := p.at
	sub := p.run(isName)
	if !isSimple(sub) {
		p.at = start
		return "", p.fail("a sub-attribute is expected, not %q", p.rest())
	}
	return sub, nil
}

// scimNot takes "not" when a parenthesis follows it; otherwise it is the name
// of an attribute. RFC 7644's figure 1 has no blank between them, its examples
// have one.
func (p *parser) scimNot() (bool, error) {
	start := p.at
	word := p.run(isLetter)
	end := p.at
	p.space()
	fits := strings.EqualFold(word, "not") && p.peek() == '('
	p.at = start
	if !fits {
		return false, nil
	}
	p.at = end
	return true, p.blanks(0, 1)
}

// scimTerm reads a comparison or a value path.
func (p *parser) scimTerm() (Expr, error) {
	start := p.at
	name, err := p.attribute()
	if err != nil {
		return nil, err
	}
	if !p.take('[') {
		c := &Compare{Path: name, At: start}
		return c, p.comparison(c)
	}
	outer := p.dialect
	p.dialect = scimElement
	term, err := p.enclosed(']')
	p.dialect = outer
	if err != nil {
		return nil, err
	}
	has := &Has{Path: name, Term: term, At: start}
	if p.peek() == '.' {
		err = p.suffixed(has)
	}
	return has, err
}

// suffixed reads .sub operator literal behind a value path as one more term for
// the element.
func (p *parser) suffixed(has *Has) error {
	if !p.relax.ValuePathSuffix {
		return p.fail("a value path ends with its bracket; what the element has to satisfy stands inside, joined by and")
	}
	c := &Compare{At: p.at + 1}
	var err error
	if c.Path, err = p.suffix(); err != nil {
		return err
	}
	if p.terms++; p.terms > maxTerms {
		return p.fault(fault.TooLarge, "the search expression has more than %d terms", maxTerms)
	}
	if err := p.comparison(c); err != nil {
		return err
	}
	p.note("The sub-attribute after a value path of the filter was read as one more term inside it.")
	if and, ok := has.Term.(*And); ok {
		and.Terms = append(and.Terms, c)
		return nil
	}
	has.Term = &And{[]Expr{has.Term, c}}
	return nil
}

func (p *parser) elementTerm() (Expr, error) {
	c := &Compare{At: p.at}
	var err error
	if c.Path, err = p.attribute(); err != nil {
		return nil, err
	}
	if p.peek() == '[' {
		return nil, p.fail("a value path cannot stand inside another")
	}
	return c, p.comparison(c)
}

// attribute reads attrPath: an attribute, perhaps with a URN in front and a
// sub-attribute behind it.
func (p *parser) attribute() (string, error) {
	start := p.at
	name := p.run(isName)
	if !isAttribute(name) {
		p.at = start
		return "", p.fail("an attribute is expected, not %q", p.rest())
	}
	return name, nil
}

// SplitName takes a name apart at its last colon and the first dot behind it.
// The URN of a schema on its own is split too: whoever knows the schemas looks
// for the whole name among them first.
func SplitName(name string) (urn, attribute, sub string) {
	if i := strings.LastIndexByte(name, ':'); i >= 0 {
		urn, name = name[:i], name[i+1:]
	}
	attribute, sub, _ = strings.Cut(name, ".")
	return urn, attribute, sub
}

// isName accepts what attributes and URIs consist of (RFC 3986 2, without
// parentheses and brackets).
func isName(c byte) bool {
	return isPath(c) || strings.IndexByte(`:~!&'*+,;=@/?#%`, c) >= 0
}

// isAttribute accepts [URI ":"] ATTRNAME *1subAttr.
func isAttribute(name string) bool {
	if i := strings.LastIndexByte(name, ':'); i >= 0 {
		if !isURI(name[:i]) {
			return false
		}
		name = name[i+1:]
	}
	attribute, sub, dotted := strings.Cut(name, ".")
	return isSimple(attribute) && (!dotted || isSimple(sub))
}

// isSimple accepts ATTRNAME, with the $ that RFC 7643 2.1 has in names, and also
// one in front: RFC 7643 2.4 names $ref against its own grammar.
func isSimple(name string) bool {
	name = strings.TrimPrefix(name, "$")
	if name == "" || !isLetter(name[0]) {
		return false
	}
	for i := 1; i < len(name); i++ {
		if c := name[i]; c == '.' || !isPath(c) {
			return false
		}
	}
	return true
}

// isURI accepts a scheme, a colon and something.
func isURI(text string) bool {
	scheme, rest, ok := strings.Cut(text, ":")
	if !ok || rest == "" || scheme == "" || !isLetter(scheme[0]) {
		return false
	}
	for i := 1; i < len(scheme); i++ {
		if c := scheme[i]; !isLetter(c) && !isDigit(c) && strings.IndexByte("+-.", c) < 0 {
			return false
		}
	}
	return true
}
