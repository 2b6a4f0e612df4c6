package openapi

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

func decoded(t *testing.T, text string) any {
	t.Helper()
	v, err := value.Decode([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

func TestBody(t *testing.T) {
	const form, xml = "application/x-www-form-urlencoded", "application/xml"
	encoded := []Media{{Type: form, Encoding: map[string]Encoding{
		"ids":    {Style: "form"},
		"spaced": {Style: "spaceDelimited"},
		"deep":   {Style: "deepObject", Explode: true},
		"json":   {ContentType: "application/json"},
		"spread": {Style: "form", Explode: true},
	}}}
	for _, tt := range []struct {
		name, contentType, value string
		jsonText                 bool
		declared                 []Media
		want, wantType, problem  string
	}{
		{name: "json", contentType: "application/json", value: `{"b":[1,2.50,9007199254740993,null],"a":"<&>"}`, want: `{"a":"<&>","b":[1,2.50,9007199254740993,null]}`},
		{name: "json by default", value: `[true]`, want: `[true]`, wantType: "application/json"},
		{name: "scim", contentType: "application/scim+json", value: `{"a":1}`, want: `{"a":1}`},
		{name: "json with charset", contentType: "application/json; charset=utf-8", value: `1`, want: `1`},
		{name: "null", contentType: "application/json", value: `null`, want: `null`},
		{name: "text as a JSON string", contentType: "application/json", value: `"{}"`, want: `"{}"`},
		{name: "text as JSON", contentType: "application/json", value: `"{ \"a\": 1.0 }"`, jsonText: true, want: `{ "a": 1.0 }`},
		{name: "JSON text for a structure", contentType: "application/json", value: `{}`, jsonText: true, want: `{}`},
		{name: "text that is not JSON", contentType: "application/json", value: `"{a}"`, jsonText: true, problem: "request body: the text is not well-formed JSON"},
		{name: "two JSON texts", contentType: "application/json", value: `"{} {}"`, jsonText: true, problem: "not well-formed JSON"},

		{name: "form", contentType: form, value: `{"grant_type":"client credentials","a":[1,2],"o":{"x":1},"l":[{"y":2}],"t":true,"e":""}`,
			want: `a=1&a=2&e=&grant_type=client%20credentials&l=%5B%7B%22y%22%3A2%7D%5D&o=%7B%22x%22%3A1%7D&t=true`},
		{name: "form encoding", contentType: form, declared: encoded, value: `{"ids":["a","b"],"spaced":["a","b"],"deep":{"k":"v"},"json":"s","spread":{"x":1,"y":2}}`,
			want: `deep%5Bk%5D=v&ids=a,b&json=%22s%22&spaced=a%20b&x=1&y=2`},
		{name: "form text", contentType: form, value: `"a=b&c=d"`, want: `a=b&c=d`},
		{name: "form list", contentType: form, value: `[1]`, problem: "a list cannot be written as a form"},
		{name: "form nested", contentType: form, declared: encoded, value: `{"ids":[["a"]]}`, problem: "property ids: style form cannot carry a list of lists"},
		{name: "form null", contentType: form, declared: encoded, value: `{"spread":null}`, problem: "property spread: style form cannot carry null"},

		{name: "text", contentType: "text/plain", value: `"a\nb"`, want: "a\nb"},
		{name: "number as text", contentType: "text/plain; charset=UTF-8", value: `1.0`, want: "1.0"},
		{name: "csv", contentType: "text/csv", value: `"a,b\n"`, want: "a,b\n"},
		{name: "object as text", contentType: "text/plain", value: `{}`, problem: "an object cannot be written as text/plain"},
		{name: "null as text", contentType: "text/plain", value: `null`, problem: "null cannot be written as text/plain"},
		{name: "other charset", contentType: "text/plain; charset=iso-8859-1", value: `"a"`, problem: "bodies are sent as UTF-8"},

		{name: "xml text", contentType: xml, value: `"<a/>"`, want: "<a/>"},
		{name: "xml", contentType: "application/soap+xml", value: `{"user":{"name":"a<b","tag":["x",1],"none":null,"more":{"k":true}}}`,
			want: `<user><more><k>true</k></more><name>a&lt;b</name><none></none><tag>x</tag><tag>1</tag></user>`},
		{name: "xml two roots", contentType: xml, value: `{"a":1,"b":2}`, problem: "an object cannot be written as XML"},
		{name: "xml list root", contentType: xml, value: `{"a":[1]}`, problem: "a list cannot be the root"},
		{name: "xml bad name", contentType: xml, value: `{"a":{"b c":1}}`, problem: `"b c" cannot be the name of an XML element`},
		{name: "xml injection", contentType: xml, value: `{"a><b":1}`, problem: "cannot be the name of an XML element"},
		{name: "xml lists of lists", contentType: xml, value: `{"a":{"b":[[1]]}}`, problem: "a list of lists"},

		{name: "octets", contentType: "application/octet-stream", value: `"abc"`, want: "abc"},
		{name: "octets base64", contentType: "image/png", value: `{"base64":"AP8="}`, want: "\x00\xff"},
		{name: "octets base64url", contentType: "image/png", value: `{"base64":" -_8 \n"}`, want: "\xfb\xff"},
		{name: "octets bad base64", contentType: "image/png", value: `{"base64":"?"}`, problem: "not base64"},
		{name: "octets structure", contentType: "image/png", value: `{"x":1}`, problem: "an object cannot be written as image/png"},
		{name: "empty text", contentType: "text/plain", value: `""`, want: ""},

		{name: "not a media type", contentType: "json", value: `1`, problem: `"json" is not a media type`},
		{name: "a media type with a line break", contentType: "text/plain\r\nX: 1", value: `"a"`, problem: "is not a media type"},
		{name: "only ranges", declared: []Media{{Type: "image/*"}}, value: `"a"`, problem: "one type must be chosen"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			op := &Operation{Method: "POST", Path: "/", Body: &Body{Media: tt.declared}}
			req, err := op.Render(nil, &Content{Type: tt.contentType, Value: decoded(t, tt.value), JSONText: tt.jsonText})
			if tt.problem != "" {
				if err == nil || !strings.Contains(fault.Public(err), tt.problem) {
					t.Fatalf("got %v, want error with %q", err, tt.problem)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if tt.wantType == "" {
				tt.wantType = tt.contentType
			}
			if string(req.Body) != tt.want || req.ContentType != tt.wantType {
				t.Errorf("got %s %q\nwant %s %q", req.ContentType, req.Body, tt.wantType, tt.want)
			}
			if req.Body == nil {
				t.Error("a body that was given is nil")
			}
		})
	}
}

func TestBodyRaw(t *testing.T) {
	op := &Operation{Method: "POST", Path: "/"}
	req, err := op.Render(nil, &Content{Type: "application/json", Raw: []byte("not json")})
	if err != nil || string(req.Body) != "not json" || req.ContentType != "application/json" {
		t.Errorf("got %v, %v", req, err)
	}
}

// A Content-Type header parameter is the body's type, not a second header.
func TestBodyContentTypeHeader(t *testing.T) {
	op := &Operation{Method: "POST", Path: "/"}
	param := []Param{{"content-type", "header", "application/scim+json"}}
	req, err := op.Render(param, &Content{Value: map[string]any{}})
	if err != nil || req.ContentType != "application/scim+json" || len(req.Header) != 0 {
		t.Errorf("without a type of its own: %v, %v", req, err)
	}
	if req, err = op.Render(param, &Content{Type: "application/SCIM+json; charset=utf-8", Value: map[string]any{}}); err != nil || req.ContentType != "application/SCIM+json; charset=utf-8" {
		t.Errorf("with the same type: %v, %v", req, err)
	}
	if _, err = op.Render(param, &Content{Type: "text/plain", Value: "a"}); err == nil {
		t.Error("two different types were accepted")
	}
	if req, err = op.Render(param, nil); err != nil || req.Header["Content-Type"][0] != "application/scim+json" || req.Body != nil {
		t.Errorf("without a body: %v, %v", req, err)
	}
}

func TestMultipart(t *testing.T) {
	op := &Operation{Method: "POST", Path: "/", Body: &Body{Media: []Media{{
		Type: "multipart/form-data", Encoding: map[string]Encoding{"meta": {ContentType: "application/json"}, "any": {ContentType: "image/png, image/gif"}},
	}}}}
	v := decoded(t, `{
		"users": {"filename": "u\"s\r\ners.csv", "contentType": "text/csv", "content": "a,b"},
		"logo": {"base64": "AP8="},
		"ids": ["1", 2],
		"meta": "text",
		"data": {"content": "plain data"},
		"any": "x",
		"n\"ame": true
	}`)
	render := func() *Request {
		req, err := op.Render(nil, &Content{Value: value.Clone(v)})
		if err != nil {
			t.Fatal(err)
		}
		return req
	}
	req := render()
	if again := render(); !bytes.Equal(again.Body, req.Body) || again.ContentType != req.ContentType {
		t.Error("the same content gave other bytes")
	}
	_, params, err := mime.ParseMediaType(req.ContentType)
	if err != nil {
		t.Fatal(err)
	}
	type part struct{ Disposition, Type, Data string }
	var got []part
	for r := multipart.NewReader(bytes.NewReader(req.Body), params["boundary"]); ; {
		p, err := r.NextRawPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, part{p.Header.Get("Content-Disposition"), p.Header.Get("Content-Type"), string(data)})
	}
	want := []part{
		{`form-data; name="any"`, "", "x"},
		{`form-data; name="data"`, "application/json", `{"content":"plain data"}`},
		{`form-data; name="ids"`, "", "1"},
		{`form-data; name="ids"`, "", "2"},
		{`form-data; name="logo"; filename=""`, "application/octet-stream", "\x00\xff"},
		{`form-data; name="meta"`, "application/json", `"text"`},
		{`form-data; name="n%22ame"`, "", "true"},
		{`form-data; name="users"; filename="u%22s%0D%0Aers.csv"`, "text/csv", "a,b"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("parts (-want +got):\n%s", diff)
	}
}

func TestMultipartErrors(t *testing.T) {
	op := &Operation{Method: "POST", Path: "/"}
	for text, problem := range map[string]string{
		`[1]`:                                "a list cannot be written as multipart/form-data",
		`{"a":null}`:                         "property a: a part cannot be null",
		`{"a":{"filename":1,"content":"x"}}`: "filename of a file must be text",
		`{"a":{"base64":"?"}}`:               "not base64",
		`{"a":{"content":"x","contentType":"text/plain\r\nX-Evil: 1"}}`: "is not a media type",
	} {
		_, err := op.Render(nil, &Content{Type: "multipart/form-data", Value: decoded(t, text)})
		if err == nil || !strings.Contains(fault.Public(err), problem) {
			t.Errorf("%s: got %v, want error with %q", text, err, problem)
		}
	}
}

func TestMediaType(t *testing.T) {
	op := func(types ...string) *Operation {
		o := &Operation{Body: &Body{}}
		for _, m := range types {
			o.Body.Media = append(o.Body.Media, Media{Type: m})
		}
		return o
	}
	for _, tt := range []struct {
		op                     *Operation
		wanted, want, declared string
	}{
		{&Operation{}, "", "application/json", ""},
		{op(), "", "application/json", ""},
		{op("text/plain", "application/scim+json"), "", "application/scim+json", "application/scim+json"},
		{op("text/plain", "text/csv"), "", "text/plain", "text/plain"},
		{op("*/*"), "", "application/json", "*/*"},
		{op("image/*", "*/*"), "image/png", "image/png", "image/*"},
		{op("application/json"), "Application/JSON; charset=utf-8", "Application/JSON; charset=utf-8", "application/json"},
		{op("application/json; charset=utf-8"), "application/json", "application/json", "application/json; charset=utf-8"},
		{op("application/json"), "text/plain", "text/plain", ""},
	} {
		got, media, err := tt.op.MediaType(tt.wanted)
		declared := ""
		if media != nil {
			declared = media.Type
		}
		if err != nil || got != tt.want || declared != tt.declared {
			t.Errorf("MediaType(%q) of %v = %q, %q, %v; want %q, %q", tt.wanted, tt.op.Body, got, declared, err, tt.want, tt.declared)
		}
	}
}

func TestDecodeBody(t *testing.T) {
	png := "\x89PNG\r\n\xff"
	for _, tt := range []struct {
		contentType, data string
		want              any
		text              string
	}{
		{"application/json", `{"id": 9007199254740993}`, map[string]any{"id": decoded(t, "9007199254740993")}, `{"id": 9007199254740993}`},
		{"application/json; charset=UTF-8", "\ufeff[1]", []any{decoded(t, "1")}, "[1]"},
		{"application/problem+json", `"x"`, "x", `"x"`},
		{"application/json; charset=utf-8; ;;", `1`, decoded(t, "1"), "1"},
		{"application/json", `<html>`, "<html>", "<html>"},
		{"application/json", ``, nil, ""},
		{"application/json; charset=iso-8859-1", `{}`, map[string]any{}, "{}"},
		{"text/html", `<p>`, "<p>", "<p>"},
		{"application/xml", `<p/>`, "<p/>", "<p/>"},
		{"text/plain", "caf\xe9", base64.StdEncoding.EncodeToString([]byte("caf\xe9")), ""},
		{"text/plain; charset=iso-8859-1", "cafe", base64.StdEncoding.EncodeToString([]byte("cafe")), ""},
		{"image/png", png, base64.StdEncoding.EncodeToString([]byte(png)), ""},
		{"", `{"a":1}`, map[string]any{"a": decoded(t, "1")}, `{"a":1}`},
		{"", `hello`, "hello", "hello"},
		{"", png, base64.StdEncoding.EncodeToString([]byte(png)), ""},
		{"application/json", strings.Repeat("[", 600) + strings.Repeat("]", 600), strings.Repeat("[", 600) + strings.Repeat("]", 600), strings.Repeat("[", 600) + strings.Repeat("]", 600)},
	} {
		v, text := DecodeBody(tt.contentType, []byte(tt.data))
		if diff := cmp.Diff(tt.want, v); diff != "" || text != tt.text {
			t.Errorf("DecodeBody(%q, %q): text %q, want %q; value (-want +got):\n%s", tt.contentType, tt.data, text, tt.text, diff)
		}
	}
}

// Whatever text a query or form is given must come out of a standard decoder
// as it went in.
func FuzzRoundTrip(f *testing.F) {
	f.Add("a", "b&c=d+e%f/ü\x00")
	f.Add("x[y]", "")
	f.Fuzz(func(t *testing.T, name, text string) {
		if name == "" {
			return
		}
		op := &Operation{Method: "POST", Path: "/a/{p}/b"}
		params := []Param{{"p", "path", text}, {name, "query", text}}
		req, err := op.Render(params, &Content{Type: "application/x-www-form-urlencoded", Value: map[string]any{name: text}})
		if text == "" || text == "." || text == ".." {
			if err == nil {
				t.Fatalf("path value %q was accepted", text)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, encoded := range []string{req.Query, string(req.Body)} {
			values, err := url.ParseQuery(encoded)
			if err != nil || values.Get(name) != text || len(values) != 1 {
				t.Errorf("%q: %v, %v; want %q = %q", encoded, values, err, name, text)
			}
		}
		u, err := url.Parse("https://example.com" + req.Path + "?" + req.Query)
		if err != nil || u.Path != "/a/"+text+"/b" || strings.Count(u.EscapedPath(), "/") != 3 || u.Fragment != "" {
			t.Errorf("path %q does not carry %q: %v, %v", req.Path, text, u, err)
		}
	})
}
