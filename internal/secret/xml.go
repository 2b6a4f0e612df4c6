package secret

import (
	"encoding/xml"
	"io"
	"regexp"
	"strings"
)

// xmlAttribute is an attribute as it stands in a start tag.
var xmlAttribute = regexp.MustCompile(`([^\s=<>"'/]+)(\s*=\s*)("[^"]*"|'[^']*')`)

// XML returns an XML text as it may be shown: secrets masked, and the text of
// elements and the values of attributes with names that speak of one. The rest
// stays as it is written. Prefixes of names do not count. It works on a nil
// Redactor.
func (r *Redactor) XML(text string) string {
	masked, _ := scanXML(text)
	return r.Text(masked)
}

// XMLValues returns what XML would mask because of its name.
func XMLValues(text string) []string {
	_, found := scanXML(text)
	return found
}

// scanXML walks over the tokens of a text. Where it is not well-formed, it ends:
// the names of what follows mean nothing then.
func scanXML(text string) (masked string, found []string) {
	dec := xml.NewDecoder(strings.NewReader(text))
	dec.Strict = false
	dec.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil } // it is UTF-8 by now
	var out strings.Builder
	inside := 0 // depth below an element with a secret's name
	for {
		begin := dec.InputOffset()
		token, err := dec.RawToken()
		if err != nil {
			out.WriteString(text[min(int(begin), len(text)):])
			return out.String(), found
		}
		raw := text[begin:dec.InputOffset()]
		switch token := token.(type) {
		case xml.StartElement:
			if inside > 0 || SecretName(token.Name.Local) {
				inside++
			}
			for _, a := range token.Attr {
				if a.Value != "" && SecretName(a.Name.Local) {
					found = append(found, a.Value)
				}
			}
			raw = maskAttributes(raw)
		case xml.EndElement:
			inside = max(0, inside-1)
		case xml.CharData:
			if plain := strings.TrimSpace(string(token)); inside > 0 && plain != "" {
				found, raw = append(found, plain), Mask
			}
		}
		out.WriteString(raw)
	}
}

func maskAttributes(tag string) string {
	return xmlAttribute.ReplaceAllStringFunc(tag, func(attribute string) string {
		parts := xmlAttribute.FindStringSubmatch(attribute)
		name := parts[1][strings.LastIndexByte(parts[1], ':')+1:]
		if len(parts[3]) == 2 || !SecretName(name) {
			return attribute
		}
		quote := parts[3][:1]
		return parts[1] + parts[2] + quote + Mask + quote
	})
}
