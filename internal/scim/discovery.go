package scim

import (
	"strings"
	"time"
)

// URNs of the schemas of the discovery documents (RFC 7643 8.7.2).
const (
	ConfigSchema       = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"
	ResourceTypeSchema = "urn:ietf:params:scim:schemas:core:2.0:ResourceType"
	SchemaSchema       = "urn:ietf:params:scim:schemas:core:2.0:Schema"
)

// Features is what a server announces of itself (RFC 7643 5, RFC 9865 4).
type Features struct {
	DocumentationURI string
	Patch            bool
	Bulk             bool
	BulkOperations   int
	BulkPayload      int // bytes
	Filter           bool
	FilterResults    int
	ChangePassword   bool
	Sort             bool
	ETag             bool
	Cursor           bool   // cursor paging beside index paging
	DefaultMethod    string // of paging: "index" or "cursor"; empty means index
	DefaultPageSize  int
	MaxPageSize      int
	CursorTimeout    time.Duration
	Authentication   []AuthenticationScheme
}

// AuthenticationScheme is one way to authenticate.
type AuthenticationScheme struct {
	Type             string // "oauthbearertoken", "oauth2", "httpbasic"
	Name             string
	Description      string
	SpecURI          string
	DocumentationURI string
	Primary          bool
}

// ServiceProviderConfig returns the document of a server whose SCIM root is base.
func (f Features) ServiceProviderConfig(base string) Resource {
	supported := func(b bool) map[string]any { return map[string]any{"supported": b} }
	schemes := []any{}
	for _, a := range f.Authentication {
		schemes = append(schemes, a.document())
	}
	doc := Resource{
		"schemas": []any{ConfigSchema},
		"patch":   supported(f.Patch),
		"bulk": map[string]any{
			"supported": f.Bulk, "maxOperations": number(f.BulkOperations), "maxPayloadSize": number(f.BulkPayload),
		},
		"filter":                map[string]any{"supported": f.Filter, "maxResults": number(f.FilterResults)},
		"changePassword":        supported(f.ChangePassword),
		"sort":                  supported(f.Sort),
		"etag":                  supported(f.ETag),
		"pagination":            f.pagination(),
		"authenticationSchemes": schemes,
		"meta":                  documentMeta("ServiceProviderConfig", base+"/ServiceProviderConfig"),
	}
	put(doc, "documentationUri", f.DocumentationURI)
	return doc
}

// pagination is the complex attribute of RFC 9865 4.
func (f Features) pagination() map[string]any {
	doc := map[string]any{
		"cursor": f.Cursor, "index": true,
		"defaultPaginationMethod": orElse(f.DefaultMethod, "index"),
	}
	for name, n := range map[string]int{
		"defaultPageSize": f.DefaultPageSize, "maxPageSize": f.MaxPageSize, "cursorTimeout": int(f.CursorTimeout / time.Second),
	} {
		if n > 0 {
			doc[name] = number(n)
		}
	}
	return doc
}

func (a AuthenticationScheme) document() map[string]any {
	doc := map[string]any{"type": a.Type, "name": a.Name, "description": a.Description}
	put(doc, "specUri", a.SpecURI)
	put(doc, "documentationUri", a.DocumentationURI)
	if a.Primary {
		doc["primary"] = true
	}
	return doc
}

// put writes a text if there is one.
func put(doc map[string]any, name, text string) {
	if text != "" {
		doc[name] = text
	}
}

func documentMeta(kind, location string) map[string]any {
	return map[string]any{"resourceType": kind, "location": location}
}

// ResourceTypes returns the documents of all resource types (RFC 7643 6).
func (t *Types) ResourceTypes(base string) []Resource {
	docs := make([]Resource, len(t.all))
	for i, r := range t.all {
		docs[i] = r.document(base)
	}
	return docs
}

// ResourceType returns the document of one resource type, nil when there is none.
func (t *Types) ResourceType(base, name string) Resource {
	if r := t.Named(name); r != nil {
		return r.document(base)
	}
	return nil
}

func (t *ResourceType) document(base string) Resource {
	doc := Resource{
		"schemas":  []any{ResourceTypeSchema},
		"id":       t.Name,
		"name":     t.Name,
		"endpoint": t.Endpoint,
		"schema":   t.Schema.ID,
		"meta":     documentMeta("ResourceType", base+"/ResourceTypes/"+t.Name),
	}
	put(doc, "description", t.Description)
	var extensions []any
	for _, e := range t.Extensions {
		extensions = append(extensions, map[string]any{"schema": e.Schema.ID, "required": e.Required})
	}
	if len(extensions) > 0 {
		doc["schemaExtensions"] = extensions
	}
	return doc
}

// Schemas returns the documents of all schemas in use, each once (RFC 7643 7).
func (t *Types) Schemas(base string) []Resource {
	var docs []Resource
	for _, s := range t.schemas() {
		docs = append(docs, s.document(base))
	}
	return docs
}

// Schema returns the document of one schema by its URN without regard to case,
// nil when there is none.
func (t *Types) Schema(base, urn string) Resource {
	for _, s := range t.schemas() {
		if strings.EqualFold(s.ID, urn) {
			return s.document(base)
		}
	}
	return nil
}

func (t *Types) schemas() []Schema {
	var all []Schema
	seen := map[string]bool{}
	add := func(s Schema) {
		if urn := strings.ToLower(s.ID); !seen[urn] {
			seen[urn] = true
			all = append(all, s)
		}
	}
	for _, r := range t.all {
		add(r.Definition.Schema)
		for _, e := range r.Extensions {
			add(e.Schema)
		}
	}
	return all
}

func (s Schema) document(base string) Resource {
	doc := Resource{
		"schemas":    []any{SchemaSchema},
		"id":         s.ID,
		"name":       s.Name,
		"attributes": attributeDocuments(s.Attributes),
		"meta":       documentMeta("Schema", base+"/Schemas/"+s.ID),
	}
	put(doc, "description", s.Description)
	return doc
}

func attributeDocuments(attributes []Attribute) []any {
	docs := []any{}
	for _, a := range attributes {
		doc := map[string]any{
			"name":        a.Name,
			"type":        string(a.Type),
			"multiValued": a.MultiValued,
			"description": a.Description,
			"required":    a.Required,
			"mutability":  string(a.Mutability),
			"returned":    string(a.Returned),
		}
		switch a.Type {
		case Complex:
			doc["subAttributes"] = attributeDocuments(a.Sub)
		case String, Reference, Binary:
			doc["caseExact"] = a.CaseExact
		}
		if a.Type != Boolean && a.Type != Complex {
			doc["uniqueness"] = a.Uniqueness
		}
		if len(a.Canonical) > 0 {
			doc["canonicalValues"] = texts(a.Canonical)
		}
		if len(a.References) > 0 {
			doc["referenceTypes"] = texts(a.References)
		}
		docs = append(docs, doc)
	}
	return docs
}

func texts(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}
