package recipe

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// set puts override i, "KEY=VALUE", into the tree.
func (d *decoder) set(root *yaml.Node, i int) {
	at := &yaml.Node{Line: -(i + 1)}
	key, value, ok := strings.Cut(d.sets[i], "=")
	segs := strings.Split(strings.TrimSpace(key), ".")
	if !ok || slices.Contains(segs, "") {
		d.fail(at, "", "write --set train.epochs=3", "want KEY=VALUE with a dotted key")
		return
	}
	if !utf8.ValidString(d.sets[i]) {
		d.fail(at, "", "", "not UTF-8 text")
		return
	}
	v, err := parseValue(value)
	if err != nil {
		d.fail(at, strings.Join(segs, "."), "", "the value is not YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
		return
	}
	mark(v, at.Line)
	before := len(d.errs)
	d.strict(v, strings.Join(segs, "."))
	if len(d.errs) > before {
		return
	}
	switch {
	case segs[0] == "columns" && len(segs) > 1:
		d.setColumn(root, segs, v, at)
		return
	case len(segs) > 3 && segs[0] == "objective" && segs[1] == "weights": // amount.scale is one name
		segs = []string{segs[0], segs[1], strings.Join(segs[2:], ".")}
	}
	if segs[0] == "views" && len(segs) > 1 {
		d.setView(root, segs, v, at)
		return
	}
	d.put(root, segs, v, at, "")
}

// put walks or makes mappings along segs below n and sets the last key to v.
func (d *decoder) put(n *yaml.Node, segs []string, v, at *yaml.Node, path string) {
	for j, s := range segs {
		path = join(path, s)
		val := find(n, s)
		if j == len(segs)-1 {
			if val != nil {
				*val = *v
			} else {
				n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s, Line: at.Line}, v)
			}
			return
		}
		if val == nil {
			val = &yaml.Node{Kind: yaml.MappingNode, Line: at.Line}
			n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s, Line: at.Line}, val)
		}
		if isNull(val) {
			*val = yaml.Node{Kind: yaml.MappingNode, Line: at.Line}
		}
		if val.Kind != yaml.MappingNode {
			d.fail(at, path, "", "holds %s, so %s cannot be set below it", describe(val), strings.Join(segs[j+1:], "."))
			return
		}
		n = val
	}
}

// setView sets views.count and its like, or views.TRANSFORMATION[.PARAMETER].
func (d *decoder) setView(root *yaml.Node, segs []string, v, at *yaml.Node) {
	long := keysOf(reflect.TypeFor[Views]())
	views := find(root, "views")
	if slices.Contains(long, segs[1]) {
		if views != nil && views.Kind == yaml.SequenceNode { // short form to long form
			list := *views
			*views = yaml.Node{Kind: yaml.MappingNode, Line: list.Line, Column: list.Column, Content: []*yaml.Node{
				{Kind: yaml.ScalarNode, Tag: "!!str", Value: "transforms", Line: list.Line, Column: list.Column}, &list}}
		}
		d.put(root, segs, v, at, "")
		return
	}
	list := views
	if views != nil && views.Kind == yaml.MappingNode {
		list = find(views, "transforms")
	}
	var names []string
	if list != nil && list.Kind == yaml.SequenceNode {
		for _, e := range list.Content {
			name := e
			if e.Kind == yaml.MappingNode && len(e.Content) > 0 {
				name = e.Content[0]
			}
			names = append(names, name.Value)
			if name.Value != segs[1] {
				continue
			}
			if e.Kind == yaml.ScalarNode { // - hflip: a bare name
				word := *e
				*e = yaml.Node{Kind: yaml.MappingNode, Line: e.Line, Column: e.Column, Content: []*yaml.Node{&word, {Kind: yaml.MappingNode, Line: at.Line}}}
			}
			if e.Content[1].Kind == yaml.SequenceNode && len(segs) > 2 {
				d.fail(at, strings.Join(segs[:2], "."), "set the whole list: views."+segs[1]+"=[{...}, {...}]", "has several contracts")
				return
			}
			d.put(e, segs[1:], v, at, "views")
			return
		}
	}
	d.fail(at, strings.Join(segs, "."), suggest(segs[1], append(names, long...)), "the recipe declares no transformation %s", clip(segs[1]))
}

// setColumn sets columns.NAME or columns.NAME.KEY[.KEY]; a name may hold dots. Of a list of items that with the key is
// meant.
func (d *decoder) setColumn(root *yaml.Node, segs []string, v, at *yaml.Node) {
	columns := find(root, "columns")
	n := 1 // segments of the name: the longest that is declared, else all but the key
	if len(segs) > 3 {
		n = len(segs) - 2
	}
	var names []string
	if columns != nil && columns.Kind == yaml.MappingNode {
		for i := 0; i < len(columns.Content); i += 2 {
			names = append(names, columns.Content[i].Value)
		}
	}
	for k := len(segs) - 1; k > 0; k-- {
		if slices.Contains(names, strings.Join(segs[1:1+k], ".")) {
			n = k
			break
		}
	}
	name := strings.Join(segs[1:1+n], ".")
	keys := segs[1+n:]
	path := join("columns", name)
	body := (*yaml.Node)(nil)
	if columns != nil {
		body = find(columns, name)
	}
	if len(keys) > 0 && body != nil && body.Kind == yaml.SequenceNode {
		var hits []*yaml.Node
		for _, it := range body.Content {
			if find(it, keys[0]) != nil {
				hits = append(hits, it)
			}
		}
		switch {
		case len(hits) == 1:
			d.put(hits[0], d.wide(hits[0], keys), v, at, path)
		case len(hits) > 1:
			d.fail(at, join(path, keys[0]), "set the whole list: columns."+clip(name)+"=[{...}, {...}]", "has several contracts")
		default:
			item := &yaml.Node{Kind: yaml.MappingNode, Line: at.Line}
			body.Content = append(body.Content, item)
			d.put(item, keys, v, at, path)
		}
		return
	}
	if len(keys) > 0 && body != nil {
		keys = d.wide(body, keys)
	}
	d.put(root, append([]string{"columns", name}, keys...), v, at, "")
}

// wide turns "scale: 0.9..1.1" into "scale: {by: 0.9..1.1}" where a key below it is to be set.
func (d *decoder) wide(item *yaml.Node, keys []string) []string {
	b := find(item, keys[0])
	if len(keys) > 1 && b != nil && b.Kind == yaml.ScalarNode && !isNull(b) {
		old := *b
		key := keyBy
		if isContract(old.Value) {
			key = keyContract
		}
		*b = yaml.Node{Kind: yaml.MappingNode, Line: old.Line, Column: old.Column}
		if old.ShortTag() != "!!bool" {
			b.Content = []*yaml.Node{{Kind: yaml.ScalarNode, Tag: "!!str", Value: key, Line: old.Line, Column: old.Column}, &old}
		}
	}
	return keys
}

// find returns the value of a key of a mapping, or nil.
func find(n *yaml.Node, key string) *yaml.Node {
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// parseValue reads one YAML value; nothing is the empty text.
func parseValue(s string) (*yaml.Node, error) {
	if len(s) > MaxSize {
		return nil, fmt.Errorf("longer than %d bytes", MaxSize)
	}
	dec := yaml.NewDecoder(bytes.NewReader([]byte(s)))
	var doc yaml.Node
	err := dec.Decode(&doc)
	if errors.Is(err, io.EOF) || (err == nil && len(doc.Content) == 0) {
		return text(""), nil
	}
	if err != nil {
		return nil, err
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one document")
	}
	return doc.Content[0], nil
}

// mark gives every node of a tree the line of its override.
func mark(n *yaml.Node, line int) {
	n.Line, n.Column = line, 0
	for _, c := range n.Content {
		mark(c, line)
	}
}
