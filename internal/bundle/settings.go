package bundle

import (
	"bytes"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/strict"
	"github.com/lanyard-id/lanyard/internal/value"
)

// sections are the parts of lanyard.yaml that travel, in the order in which they
// are written. run has the budgets that flows were made with.
var sections = []string{"sources", "imports", "run", "triggers"}

// setting is one entry of a section.
type setting struct {
	section, name string
	node          *yaml.Node // its value
}

// settingsOf lists the entries of the sections in a tree; nil has none.
func settingsOf(root *yaml.Node) []setting {
	var out []setting
	for _, section := range sections {
		n := member(root, section)
		if n == nil || n.Kind != yaml.MappingNode {
			continue
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			out = append(out, setting{section, strict.Follow(n.Content[i]).Value, strict.Follow(n.Content[i+1])})
		}
	}
	return out
}

// member returns the value of a key; nil when there is none.
func member(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if strict.Follow(n.Content[i]).Value == key {
			return strict.Follow(n.Content[i+1])
		}
	}
	return nil
}

// plain copies a tree without anchors, aliases and comments. ParseYAML has
// bounded what aliases can add.
func plain(n *yaml.Node) *yaml.Node {
	n = strict.Follow(n)
	c := &yaml.Node{Kind: n.Kind, Style: n.Style, Tag: n.Tag, Value: n.Value}
	for _, child := range n.Content {
		c.Content = append(c.Content, plain(child))
	}
	return c
}

// assemble writes entries as sections.
func assemble(list []setting) ([]byte, error) {
	root := &yaml.Node{Kind: yaml.MappingNode}
	for _, section := range sections {
		in := &yaml.Node{Kind: yaml.MappingNode}
		for _, s := range list {
			if s.section == section {
				in.Content = append(in.Content, scalar(s.name), plain(s.node))
			}
		}
		if len(in.Content) > 0 {
			root.Content = append(root.Content, scalar(section), in)
		}
	}
	if len(root.Content) == 0 {
		return nil, nil
	}
	return encode(root)
}

func scalar(text string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(text)
	return n
}

func encode(n *yaml.Node) ([]byte, error) {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(n); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the settings cannot be written")
	}
	return b.Bytes(), nil
}

func same(a, b *yaml.Node) bool { return reflect.DeepEqual(value.FromYAML(a), value.FromYAML(b)) }

// readRoot reads a configuration; nil for one in which nothing stands.
func readRoot(file string, text []byte) (*yaml.Node, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err == nil && doc.Kind == 0 {
		return nil, nil
	}
	root, err := value.ParseYAML(text, file)
	if err != nil || root.Kind == yaml.ScalarNode && value.FromYAML(root) == nil {
		return nil, err
	}
	return root, nil
}

// merge puts entries into the text of a configuration, which keeps everything
// else. Where it can, it adds lines and leaves all others as they are; otherwise
// the text is laid out anew, with its comments.
func merge(file string, text []byte, list []setting) ([]byte, error) {
	if len(list) == 0 {
		return text, nil
	}
	root, err := readRoot(file, text)
	if err != nil {
		return nil, err
	}
	want := map[string]any{}
	if root != nil {
		var ok bool
		if want, ok = value.FromYAML(root).(map[string]any); !ok {
			return nil, fault.New(fault.Invalid, "the configuration must be a mapping").At("%s", file)
		}
	}
	for _, s := range list {
		in, ok := want[s.section].(map[string]any)
		if !ok {
			in = map[string]any{}
			want[s.section] = in
		}
		in[s.name] = value.FromYAML(s.node)
	}
	for _, way := range []func(*yaml.Node, []byte, []setting) ([]byte, error){insert, rewrite} {
		out, err := way(root, text, list)
		if err != nil {
			return nil, err
		}
		got, err := readRoot(file, out)
		if out == nil || err != nil || got == nil || !reflect.DeepEqual(value.FromYAML(got), any(want)) {
			continue
		}
		if _, err := config.Parse(file, out); err != nil {
			return nil, err
		}
		return out, nil
	}
	return nil, fault.New(fault.Internal, "the settings cannot be put into the configuration").At("%s", file).Fix("add them by hand: the file holds them in settings.yaml")
}

// insert adds the lines of new entries right below the key of their section, and
// those of new sections at the end. It returns nil where that is not possible.
func insert(root *yaml.Node, text []byte, list []setting) ([]byte, error) {
	lines := strings.SplitAfter(string(text), "\n")
	below := map[int]string{} // what follows a line
	var fresh []setting
	for _, section := range sections {
		of := slices.DeleteFunc(slices.Clone(list), func(s setting) bool { return s.section != section })
		key, n := keyOf(root, section)
		if len(of) == 0 {
			continue
		}
		if key == nil {
			fresh = append(fresh, of...)
			continue
		}
		if n.Kind != yaml.MappingNode || n.Style&yaml.FlowStyle != 0 || len(n.Content) == 0 || n.Content[0].Line <= key.Line {
			return nil, nil
		}
		for _, s := range of {
			if member(n, s.name) != nil {
				return nil, nil
			}
			one, err := encode(&yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{scalar(s.name), plain(s.node)}})
			if err != nil {
				return nil, err
			}
			below[key.Line] += indented(string(one), n.Content[0].Column-1)
		}
	}
	var b strings.Builder
	for i, line := range lines {
		b.WriteString(line)
		b.WriteString(below[i+1])
	}
	added, err := assemble(fresh)
	if err != nil || added == nil {
		return []byte(b.String()), err
	}
	out := b.String()
	if out != "" && !strings.HasSuffix(out, "\n") {
		out += "\n"
	}
	if out != "" {
		out += "\n"
	}
	return append([]byte(out), added...), nil
}

func keyOf(root *yaml.Node, name string) (key, n *yaml.Node) {
	if root == nil || root.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value == name {
			return root.Content[i], root.Content[i+1]
		}
	}
	return nil, nil
}

func indented(text string, by int) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) != "" {
			b.WriteString(strings.Repeat(" ", by))
		}
		b.WriteString(line)
	}
	return b.String()
}

// rewrite changes the tree and lays it out anew.
func rewrite(_ *yaml.Node, text []byte, list []setting) ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the configuration cannot be read")
	}
	if doc.Kind == 0 || len(doc.Content) == 0 || doc.Content[0].Kind != yaml.MappingNode {
		doc = yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{{Kind: yaml.MappingNode}}}
	}
	root := doc.Content[0]
	for _, s := range list {
		_, in := keyOf(root, s.section)
		switch {
		case in == nil:
			in = &yaml.Node{Kind: yaml.MappingNode}
			root.Content = append(root.Content, scalar(s.section), in)
		case in.Kind == yaml.ScalarNode: // a key without a value
			*in = yaml.Node{Kind: yaml.MappingNode, HeadComment: in.HeadComment, LineComment: in.LineComment, FootComment: in.FootComment}
		case in.Kind == yaml.AliasNode: // what it stands for is shared
			*in = *plain(in)
		}
		put(in, s.name, plain(s.node))
	}
	return encode(&doc)
}

// put sets a key of a mapping; the key keeps its comments.
func put(in *yaml.Node, name string, n *yaml.Node) {
	for i := 0; i+1 < len(in.Content); i += 2 {
		if strict.Follow(in.Content[i]).Value == name {
			comment := in.Content[i+1].LineComment
			if n.Kind == yaml.ScalarNode || n.Style&yaml.FlowStyle != 0 {
				n.LineComment = comment
			} else if in.Content[i].LineComment == "" { // behind a block, it would slip to what follows
				in.Content[i].LineComment = comment
			}
			in.Content[i+1] = n
			return
		}
	}
	in.Content = append(in.Content, scalar(name), n)
}
