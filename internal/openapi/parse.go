package openapi

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Parse reads an OpenAPI description: Swagger 2.0 or OpenAPI 3.x, YAML or
// JSON. location is the URL or path it was retrieved from; it is named in
// errors and relative servers are resolved against it.
//
// An error means that the document as a whole is unreadable, too large or not
// an OpenAPI description. What is wrong with one operation is said when that
// operation is asked for.
func Parse(data []byte, location string) (*Index, error) {
	root, err := readTree(data, location)
	if err != nil {
		return nil, err
	}
	version, bad := specVersion(root)
	if bad != nil {
		return nil, bad.At("%s", location)
	}
	x := &Index{
		Version:    version,
		Title:      root.get("info").get("title").text(),
		APIVersion: root.get("info").get("version").text(),
		URL:        location,
	}
	r := &reader{resolver: newResolver(root), index: x, swagger: version[0] == '2'}
	r.secrets = newSecretFinder(r.resolver)
	r.document()
	if r.exhausted() {
		return nil, fault.New(fault.TooLarge, "the description's references unfold into too much").At("%s", location).
			Fix("name a description with only the operations that are needed")
	}
	x.link()
	return x, nil
}

// Digest returns the content digest by which descriptions are pinned and
// cached: "sha256:" and 64 hexadecimal digits.
func Digest(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func readTree(data []byte, location string) (node, error) {
	text := bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\ufeff")))
	switch {
	case len(text) > value.MaxYAML:
		return node{}, fault.New(fault.TooLarge, "the description has %d bytes, the limit is %d", len(text), value.MaxYAML).At("%s", location)
	case bytes.HasPrefix(text, []byte("<")):
		return node{}, fault.New(fault.Invalid, "this is a web page or XML, not an OpenAPI description").At("%s", location).
			Fix("name the raw file")
	case bytes.HasPrefix(text, []byte("{")):
		t, ok, err := newTape(text)
		if err != nil {
			return node{}, err.At("%s", location)
		}
		if ok {
			return node{json: t}, nil
		}
	}
	tree, err := value.ParseYAML(data, location)
	if err != nil {
		return node{}, err
	}
	return yamlNode(tree), nil
}

// specVersion returns the version as written when it is one we read.
func specVersion(root node) (string, *fault.Error) {
	openapi, swagger := root.get("openapi").text(), root.get("swagger").text()
	switch {
	case strings.HasPrefix(openapi, "3."):
		return openapi, nil
	case swagger == "2.0" || swagger == "2":
		return "2.0", nil
	case openapi != "" || swagger != "":
		return "", fault.New(fault.Unsupported, "version %q of OpenAPI is not supported", clip(openapi+swagger)).
			Fix("use a description in OpenAPI 3.x or Swagger 2.0")
	case root.get("arazzo").exists():
		return "", fault.New(fault.Invalid, "this is an Arazzo document, not an OpenAPI description").
			Fix("write type: arazzo in the source description")
	case root.get("asyncapi").exists():
		return "", fault.New(fault.Unsupported, "this is an AsyncAPI document; AsyncAPI sources are not supported")
	}
	return "", fault.New(fault.Invalid, "this is not an OpenAPI description: it has neither an openapi nor a swagger field")
}
