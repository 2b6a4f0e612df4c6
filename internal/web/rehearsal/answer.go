package rehearsal

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
)

// answer is an http.ResponseWriter that keeps what a façade answers.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

// Write implements http.ResponseWriter.
func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

// send passes the answer on.
func (a *answer) send(w http.ResponseWriter) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body.Bytes()) // the client is gone, or the status allows no body
}

// replace puts another body in place of the façade's.
func (a *answer) replace(body []byte) {
	a.header.Del("Content-Length")
	a.body.Reset()
	a.body.Write(body)
}

// object is a JSON object whose members keep their order and their exact text:
// what a fault does not touch stays as the façade wrote it.
type object []member

type member struct {
	Key   string
	Value json.RawMessage
}

// isArray reports whether a JSON text is an array.
func isArray(text []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(text), []byte("[")) }

// readObjects reads a JSON array of objects.
func readObjects(text []byte) ([]object, bool) {
	var items []json.RawMessage
	if json.Unmarshal(text, &items) != nil {
		return nil, false
	}
	var out []object
	for _, item := range items {
		o, ok := readObject(item)
		if !ok {
			return nil, false
		}
		out = append(out, o)
	}
	return out, true
}

// readObject reads a JSON object.
func readObject(text []byte) (object, bool) {
	dec := json.NewDecoder(bytes.NewReader(text))
	if begin, err := dec.Token(); err != nil || begin != json.Delim('{') {
		return nil, false
	}
	o := object{}
	for dec.More() {
		key, err := dec.Token()
		name, isText := key.(string)
		var raw json.RawMessage
		if err != nil || !isText || dec.Decode(&raw) != nil {
			return nil, false
		}
		o = append(o, member{name, raw})
	}
	if _, err := dec.Token(); err != nil {
		return nil, false
	}
	_, err := dec.Token()
	return o, err == io.EOF
}

// text is the object as JSON.
func (o object) text() []byte {
	b := []byte("{")
	for i, m := range o {
		if i > 0 {
			b = append(b, ',')
		}
		key, _ := json.Marshal(m.Key) // a string can always be written
		b = append(append(append(b, key...), ':'), m.Value...)
	}
	return append(b, '}')
}

// textOf is a list of objects as JSON.
func textOf(list []object) []byte {
	b := []byte("[")
	for i, o := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, o.text()...)
	}
	return append(b, ']')
}
