package openapi

import "encoding/json"

// Operation is everything that a caller needs of one operation.
type Operation struct {
	ID          string                `json:"id,omitempty"` // operationId, may be empty
	Method      string                `json:"method"`       // upper case
	Path        string                `json:"path"`         // templated, "/users/{id}"
	Parameters  []Parameter           `json:"parameters,omitempty"`
	Body        *Body                 `json:"body,omitempty"`
	Responses   map[string]*Response  `json:"responses,omitempty"`   // by status: "200", "2XX", "default"
	Servers     []Server              `json:"servers,omitempty"`     // operation over path item over document; never empty after Index.Operation
	Security    []map[string][]string `json:"security,omitempty"`    // alternatives: scheme name to scopes
	HasSecurity bool                  `json:"hasSecurity,omitempty"` // the operation or document declares security, maybe none
	Deprecated  bool                  `json:"deprecated,omitempty"`

	// Problems are parts of the description that could not be read, as public
	// sentences: a dangling reference of a parameter, say. The operation can be
	// called without them, at the caller's risk; a linter should show them.
	Problems []string `json:"problems,omitempty"`
}

// Parameter is one declared parameter with its serialisation (OpenAPI 3.x
// Parameter Object; Swagger 2.0 collectionFormat is translated to style).
type Parameter struct {
	Name          string          `json:"name"`
	In            string          `json:"in"` // path, query, querystring, header, cookie
	Required      bool            `json:"required,omitempty"`
	Style         string          `json:"style,omitempty"`   // always set; "tabDelimited" is Swagger's collectionFormat tsv
	Explode       bool            `json:"explode,omitempty"` // resolved default
	AllowReserved bool            `json:"allowReserved,omitempty"`
	ContentType   string          `json:"contentType,omitempty"` // from content, instead of style
	Type          string          `json:"type,omitempty"`        // first JSON type of its schema
	Default       json.RawMessage `json:"default,omitempty"`
	Secret        bool            `json:"secret,omitempty"` // format: password or writeOnly
}

// Body is a request body: its media types in document order.
type Body struct {
	Required bool    `json:"required,omitempty"`
	Media    []Media `json:"media,omitempty"`
}

// Media is one media type of a body, with what encoding and linting need.
type Media struct {
	Type     string              `json:"type"`               // "application/json"
	Required []string            `json:"required,omitempty"` // required top-level properties
	Props    []string            `json:"props,omitempty"`    // declared top-level properties, nil when unknown or open
	Encoding map[string]Encoding `json:"encoding,omitempty"`
	Secrets  []string            `json:"secrets,omitempty"` // JSON Pointers of properties marked format: password or writeOnly, "*" for any index
}

// Encoding is OpenAPI's Encoding Object for form and multipart bodies.
type Encoding struct {
	ContentType string `json:"contentType,omitempty"`
	Style       string `json:"style,omitempty"`
	Explode     bool   `json:"explode,omitempty"`
}

// Response says what an operation may answer.
type Response struct {
	Media   []string `json:"media,omitempty"`
	Secrets []string `json:"secrets,omitempty"` // as in Media, of its first JSON media type
}

// Server is a base URL with variables.
type Server struct {
	URL       string              `json:"url"` // as written; relative ones are resolved against the document's URL by Resolve
	Variables map[string]Variable `json:"variables,omitempty"`
}

// Variable is a server variable.
type Variable struct {
	Default string   `json:"default"`
	Enum    []string `json:"enum,omitempty"`
}

// Scheme is a security scheme.
type Scheme struct {
	Name         string            `json:"name"`               // its key in the document
	Type         string            `json:"type"`               // apiKey, http, oauth2, openIdConnect, mutualTLS
	In           string            `json:"in,omitempty"`       // apiKey: header, query, cookie
	Param        string            `json:"param,omitempty"`    // apiKey: the header's, parameter's or cookie's name
	HTTP         string            `json:"http,omitempty"`     // http: basic, bearer, lower case
	TokenURL     string            `json:"tokenUrl,omitempty"` // oauth2 client credentials, else the first flow that has one
	Scopes       map[string]string `json:"scopes,omitempty"`
	OpenIDConfig string            `json:"openIdConfig,omitempty"`
}
