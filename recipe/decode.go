package recipe

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/selfsame-ml/selfsame/view"
)

// MaxSize is the largest recipe in bytes; a bigger file is surely not a recipe.
const MaxSize = 1 << 20

// Specs lists the transformations of a domain, for the check of the views.
type Specs = func(domain string) ([]view.Spec, error)

// Load reads the recipe at path strictly, applies overrides of the form
// "train.epochs=3" (see [Parse]), writes every default out and validates the result.
// A recipe without a name is named after its file.
//
// An error of the content is an [Errors] value with the places of all that is wrong;
// a file that cannot be read gives the error of package os, wrapped.
func Load(path string, specs func(domain string) ([]view.Spec, error), sets ...string) (*Recipe, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("recipe: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("recipe: %w", err)
	}
	r, err := Parse(path, b, specs, sets...)
	if err != nil {
		return nil, err
	}
	base := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	if r.Name == "" && utf8.ValidString(base) && strings.IndexFunc(base, unicode.IsControl) < 0 {
		r.Name = base
	}
	return r, nil
}

// Parse is [Load] on bytes; name stands for the file in errors.
//
// Each of sets is "KEY=VALUE" with a dotted KEY and a YAML value, put into the YAML
// tree before it is decoded, so that the same checks hold:
//
//	train.epochs=3   adapt.budgets=[20,100]   views.crop.scale=0.5..1   views.count=2
func Parse(name string, b []byte, specs func(domain string) ([]view.Spec, error), sets ...string) (*Recipe, error) {
	d := &decoder{file: name, sets: sets, nodes: map[string]*yaml.Node{}}
	root := d.tree(b)
	if len(d.errs) > 0 {
		return nil, d.errs.err()
	}
	for i := range sets {
		d.set(root, i)
	}
	if len(d.errs) > 0 {
		return nil, d.errs.err()
	}
	r := Default()
	d.value(root, "", reflect.ValueOf(r).Elem())
	r.dependent(func(p string) bool { return d.nodes[p] != nil })
	before := len(d.errs)
	d.columns(r, specs)
	d.views(r, specs)
	partial := len(d.errs) > before // what is missing was written, but wrong
	if err := r.Validate(); err != nil {
		var es Errors
		errors.As(err, &es)
		for _, e := range es {
			if partial && (e.Path == "views" || strings.HasPrefix(e.Path, "objective.weights")) {
				continue
			}
			if !d.reported(e.Path) {
				d.place(e)
				d.errs = append(d.errs, e)
			}
		}
	}
	if err := d.errs.err(); err != nil {
		return nil, err
	}
	return r, nil
}

// decoder walks a YAML tree and collects errors.
type decoder struct {
	file        string
	sets        []string
	errs        Errors
	nodes       map[string]*yaml.Node // key or element by dotted path
	viewsNode   *yaml.Node            // value of views, decoded after domain is known
	columnsNode *yaml.Node            // value of columns, likewise
	columnWords map[string]bool       // transformations that stand below columns
	col         *Column               // whose transformations are decoded; nil outside of columns
}

const kindFloat = reflect.Float64

// fail records an error at a node; n may be nil.
func (d *decoder) fail(n *yaml.Node, path, hint, format string, args ...any) {
	e := &Error{File: d.file, Path: path, Msg: fmt.Sprintf(format, args...), Hint: hint}
	d.at(e, n)
	d.errs = append(d.errs, e)
}

// at sets the place of e. Nodes of override i carry the line -(i+1).
func (d *decoder) at(e *Error, n *yaml.Node) {
	switch {
	case n == nil:
	case n.Line < 0:
		e.File, e.Line, e.Column = "--set "+clip(d.sets[-n.Line-1]), 0, 0
	default:
		e.Line, e.Column = n.Line, n.Column
	}
}

// place finds the node of an error's path, or of its nearest written ancestor.
func (d *decoder) place(e *Error) {
	e.File = d.file
	for p := e.Path; p != ""; {
		if n := d.nodes[p]; n != nil {
			d.at(e, n)
			return
		}
		i := strings.LastIndexAny(p, ".[")
		if i < 0 {
			return
		}
		p = p[:i]
	}
}

// reported says whether an error was recorded for the path or a part of it.
func (d *decoder) reported(path string) bool {
	for _, e := range d.errs {
		if e.Path == path || strings.HasPrefix(e.Path, path+".") || strings.HasPrefix(e.Path, path+"[") {
			return true
		}
	}
	return false
}

var yamlLine = regexp.MustCompile(`^line (\d+): `)

// tree parses b to the root mapping and refuses what a recipe may not hold.
func (d *decoder) tree(b []byte) *yaml.Node {
	whole := func(line, col int, hint, format string, args ...any) *yaml.Node {
		d.errs = append(d.errs, &Error{File: d.file, Line: line, Column: col, Hint: hint, Msg: fmt.Sprintf(format, args...)})
		return nil
	}
	if len(b) > MaxSize {
		return whole(0, 0, "is this a recipe?", "larger than %d bytes", MaxSize)
	}
	if i, l, c := invalidUTF8(b); i >= 0 {
		return whole(l, c, "save the file as UTF-8", "byte 0x%02x is not UTF-8 text", b[i])
	}
	var doc yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(b))
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return whole(0, 0, "recipe init FOLDER drafts one", "the recipe is empty")
	case err != nil:
		msg, line := strings.TrimPrefix(err.Error(), "yaml: "), 0
		if m := yamlLine.FindStringSubmatch(msg); m != nil {
			line, _ = strconv.Atoi(m[1])
			msg = msg[len(m[0]):]
		}
		if l, c := tabIndent(b); l > 0 {
			return whole(l, c, "indent with spaces", "a tab indents this line; %s", msg)
		}
		return whole(line, 0, "", "not YAML: %s", msg)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return whole(0, 0, "a file holds one recipe: remove what follows ---", "more than one YAML document")
	}
	if len(doc.Content) != 1 {
		return whole(0, 0, "recipe init FOLDER drafts one", "the recipe is empty")
	}
	root := doc.Content[0]
	d.strict(root, "")
	if len(d.errs) > 0 {
		return nil
	}
	if isNull(root) {
		return whole(0, 0, "recipe init FOLDER drafts one", "the recipe is empty")
	}
	if root.Kind != yaml.MappingNode {
		d.fail(root, "", "start with a key such as data:", "a recipe is a mapping of keys, got %s", describe(root))
		return nil
	}
	return root
}

// strict refuses anchors, aliases, tags, keys that are not words, and keys given twice.
func (d *decoder) strict(n *yaml.Node, path string) {
	switch {
	case n.Kind == yaml.AliasNode:
		d.fail(n, path, "write the value out", "aliases (*%s) are not used in recipes", clip(n.Value))
		return // never followed: an alias may point to its own ancestor
	case n.Anchor != "":
		d.fail(n, path, "write the value out where it is needed", "anchors (&%s) are not used in recipes", clip(n.Anchor))
	case n.Style&yaml.TaggedStyle != 0:
		d.fail(n, path, "remove the tag", "tags (%s) are not used in recipes", clip(n.Tag))
	}
	switch n.Kind {
	case yaml.SequenceNode:
		for i, c := range n.Content {
			d.strict(c, fmt.Sprintf("%s[%d]", path, i))
		}
	case yaml.MappingNode:
		seen := map[string]int{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			k, v := n.Content[i], n.Content[i+1]
			if k.Kind != yaml.ScalarNode {
				d.fail(k, path, "", "a key must be a word, got %s", describe(k))
				continue
			}
			p := join(path, clip(k.Value))
			if l, dup := seen[k.Value]; dup {
				d.fail(k, p, "", "given twice, first at line %d", l)
			} else {
				seen[k.Value] = k.Line
			}
			if k.Anchor != "" || k.Style&yaml.TaggedStyle != 0 {
				d.fail(k, p, "", "anchors and tags are not used in recipes")
			}
			d.strict(v, p)
		}
	}
}

// value decodes n into v by v's type. Limits are Validate's.
func (d *decoder) value(n *yaml.Node, path string, v reflect.Value) {
	if v.Type() == reflect.TypeFor[Views]() {
		d.viewsNode = n
		return
	}
	if v.Type() == reflect.TypeFor[Columns]() {
		d.columnsNode = n
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.mapping(n, path, v)
		return
	case reflect.Slice:
		if n.Kind != yaml.SequenceNode {
			d.fail(n, path, "write it as [a, b]", "want a list, got %s", describe(n))
			return
		}
		out := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
		for i, c := range n.Content {
			p := fmt.Sprintf("%s[%d]", path, i)
			d.nodes[p] = c
			d.value(c, p, out.Index(i))
		}
		if len(n.Content) == 0 {
			out = reflect.Zero(v.Type())
		}
		v.Set(out)
		return
	case reflect.Map: // map[string]float64
		if n.Kind != yaml.MappingNode {
			d.fail(n, path, "write it as {views: 1}", "want a mapping of numbers, got %s", describe(n))
			return
		}
		out := map[string]float64{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			p := join(path, n.Content[i].Value)
			d.nodes[p] = n.Content[i+1]
			out[n.Content[i].Value], _ = d.number(n.Content[i+1], p, v.Kind())
		}
		if len(out) == 0 {
			out = nil
		}
		v.Set(reflect.ValueOf(out))
		return
	}
	if n.Kind != yaml.ScalarNode {
		d.fail(n, path, "", "want %s, got %s", want(v.Kind()), describe(n))
		return
	}
	if isNull(n) {
		d.fail(n, path, "remove the key to get the default", "has no value")
		return
	}
	switch v.Kind() {
	case reflect.String:
		if strings.IndexFunc(n.Value, unicode.IsControl) >= 0 {
			d.fail(n, path, "", "%s holds a control character", describe(n))
			return
		}
		v.SetString(n.Value)
	case reflect.Bool:
		var b bool
		if n.ShortTag() != "!!bool" || n.Decode(&b) != nil {
			d.fail(n, path, "", "want true or false, got %s", describe(n))
			return
		}
		v.SetBool(b)
	case reflect.Int:
		f, ok := d.number(n, path, v.Kind())
		if ok && (f != math.Trunc(f) || math.Abs(f) > 1<<53) {
			d.fail(n, path, "", "want a whole number, got %s", describe(n))
			ok = false
		}
		if ok {
			v.SetInt(int64(f))
		}
	case reflect.Uint64:
		u, err := strconv.ParseUint(n.Value, 0, 64)
		if err != nil || n.ShortTag() != "!!int" {
			d.fail(n, path, "", "want a whole number in 0..%d, got %s", uint64(math.MaxUint64), describe(n))
			return
		}
		v.SetUint(u)
	case reflect.Float64:
		if f, ok := d.number(n, path, v.Kind()); ok {
			v.SetFloat(f)
		}
	default:
		panic("recipe: field type " + v.Type().String() + " of " + path + " has no decoder") // programming error, held by a test
	}
}

// mapping decodes the keys of n into the fields of the struct v.
func (d *decoder) mapping(n *yaml.Node, path string, v reflect.Value) {
	if isNull(n) {
		return // an empty section: all defaults
	}
	if n.Kind != yaml.MappingNode {
		d.fail(n, path, "write its keys indented below it", "want a mapping, got %s", describe(n))
		return
	}
	keys := keysOf(v.Type())
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, c := n.Content[i], n.Content[i+1]
		p := join(path, clip(k.Value))
		at := -1
		for j, name := range keys {
			if name == k.Value {
				at = j
			}
		}
		if at < 0 {
			d.fail(k, p, d.suggestKey(k.Value, path, keys), "unknown key")
			continue
		}
		d.nodes[p] = c
		d.value(c, p, v.Field(at))
	}
}

// suggestKey names the nearest key of the same section, else the same key in another section.
func (d *decoder) suggestKey(word, path string, keys []string) string {
	if k := nearest(word, keys); k != "" {
		return fmt.Sprintf("did you mean %s?", k)
	}
	for _, p := range sortedKeys(fields) {
		if strings.HasSuffix(p, "."+word) {
			return fmt.Sprintf("did you mean %s?", p)
		}
	}
	return "known: " + strings.Join(keys, ", ")
}

// number reads a finite number; it records an error and returns false for anything else.
func (d *decoder) number(n *yaml.Node, path string, kind reflect.Kind) (float64, bool) {
	if n.Kind == yaml.ScalarNode {
		if f, ok := parseNumber(n.Value); ok && (n.ShortTag() == "!!int" || n.ShortTag() == "!!float") {
			return f, true
		}
	}
	d.fail(n, path, "", "want %s, got %s", want(kind), describe(n))
	return 0, false
}

// parseNumber reads a finite decimal number; digits may be grouped by _ as in Go.
func parseNumber(s string) (float64, bool) {
	s = strings.TrimSpace(s)
	if s == "" || strings.IndexFunc(s, func(r rune) bool { return !strings.ContainsRune("0123456789.+-eE_", r) }) >= 0 {
		return 0, false // no hex, inf or nan
	}
	f, err := strconv.ParseFloat(strings.ReplaceAll(s, "_", ""), 64)
	return f, err == nil && !math.IsInf(f, 0)
}

// keysOf lists the YAML keys of a struct type, by field index.
func keysOf(t reflect.Type) []string {
	out := make([]string, t.NumField())
	for i := range out {
		out[i], _, _ = strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
	}
	return out
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// clip shortens a value for a message.
func clip(s string) string {
	if utf8.RuneCountInString(s) > 40 {
		return string([]rune(s)[:40]) + "..."
	}
	return s
}

// describe says what a node holds.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.ScalarNode:
		switch n.ShortTag() {
		case "!!null":
			return "nothing"
		case "!!str":
			return strconv.Quote(clip(n.Value))
		}
		return clip(n.Value)
	}
	return "an alias"
}

func want(k reflect.Kind) string {
	switch k {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Uint64:
		return "a whole number"
	}
	return "a number"
}

// invalidUTF8 returns the offset, line and column of the first byte that is not UTF-8, or -1.
func invalidUTF8(b []byte) (at, line, col int) {
	line, col = 1, 1
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return i, line, col
		}
		i, col = i+n, col+1
		if r == '\n' {
			line, col = line+1, 1
		}
	}
	return -1, 0, 0
}

// tabIndent returns the place of the first tab in the indentation of a line, or 0.
func tabIndent(b []byte) (line, col int) {
	for i, l := range bytes.Split(b, []byte("\n")) {
		rest := bytes.TrimLeft(l, " \t")
		if j := bytes.IndexByte(l[:len(l)-len(rest)], '\t'); j >= 0 && len(bytes.TrimSpace(rest)) > 0 {
			return i + 1, j + 1
		}
	}
	return 0, 0
}
