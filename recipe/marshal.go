package recipe

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"reflect"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"

	"github.com/selfsame-ml/selfsame/view"
)

// Marshal writes the recipe as YAML with every default written out; [Parse] of
// the result gives r back. The same recipe always gives the same bytes.
func Marshal(r *Recipe) ([]byte, error) {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(encoder{r.Domain}.node(reflect.ValueOf(r).Elem(), "")); err != nil {
		return nil, fmt.Errorf("recipe: %w", err)
	}
	if err := enc.Close(); err != nil {
		return nil, fmt.Errorf("recipe: %w", err)
	}
	return b.Bytes(), nil
}

// num writes the shortest text that gives f back.
func num(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

func scalar(tag, value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: value}
}

func text(s string) *yaml.Node {
	n := scalar("!!str", s)
	if s == "" {
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}

func number(f float64) *yaml.Node {
	s := num(f)
	if _, err := strconv.ParseInt(s, 10, 64); err == nil {
		return scalar("!!int", s)
	}
	return scalar("!!float", s)
}

// encoder writes the recipes of one domain.
type encoder struct{ domain string }

// omit reports whether a key is left out: it means nothing in this domain (or came later than recipes that are stored), and is empty.
func (e encoder) omit(v reflect.Value, path string) bool {
	return (e.domain != DomainTable && tableOnly[path] || genomesOnly[path]) && (v.IsZero() || v.Kind() == reflect.Slice && v.Len() == 0)
}

func (e encoder) node(v reflect.Value, path string) *yaml.Node {
	if v.Type() == reflect.TypeFor[view.Config]() {
		return encodeConfig(v.Interface().(view.Config))
	}
	if v.Type() == reflect.TypeFor[Columns]() {
		return encodeColumns(v.Interface().(Columns))
	}
	switch v.Kind() {
	case reflect.Struct:
		n := &yaml.Node{Kind: yaml.MappingNode}
		for i, k := range keysOf(v.Type()) {
			if p := join(path, k); !e.omit(v.Field(i), p) {
				n.Content = append(n.Content, text(k), e.node(v.Field(i), p))
			}
		}
		return n
	case reflect.Slice:
		n := &yaml.Node{Kind: yaml.SequenceNode}
		for i := range v.Len() {
			n.Content = append(n.Content, e.node(v.Index(i), path))
		}
		if v.Len() == 0 || v.Type().Elem().Kind() == reflect.Int || v.Type().Elem().Kind() == reflect.Float64 {
			n.Style = yaml.FlowStyle
		}
		return n
	case reflect.Map:
		n := &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
		for _, k := range sortedKeys(v.Interface().(map[string]float64)) {
			n.Content = append(n.Content, text(k), number(v.MapIndex(reflect.ValueOf(k)).Float()))
		}
		return n
	case reflect.String:
		return text(v.String())
	case reflect.Bool:
		return scalar("!!bool", strconv.FormatBool(v.Bool()))
	case reflect.Int:
		return scalar("!!int", strconv.FormatInt(v.Int(), 10))
	case reflect.Uint64:
		return scalar("!!int", strconv.FormatUint(v.Uint(), 10))
	case reflect.Float64:
		return number(v.Float())
	}
	panic("recipe: field type " + v.Type().String() + " has no encoder") // programming error, held by a test
}

// encodeConfig writes NAME: {parameters, p, contract, weight}; several contracts
// become the list form of contract.
func encodeConfig(c view.Config) *yaml.Node {
	body := &yaml.Node{Kind: yaml.MappingNode}
	add := func(k string, v *yaml.Node) { body.Content = append(body.Content, text(k), v) }
	for _, k := range sortedKeys(c.Params) {
		if rg := c.Params[k]; rg.From == rg.To {
			add(k, number(rg.From))
		} else {
			add(k, text(RangeString(rg)))
		}
	}
	for _, k := range sortedKeys(c.Options) {
		add(k, text(c.Options[k]))
	}
	add(keyP, number(c.P))
	weight := func(w float64) *yaml.Node {
		if w == 0 {
			w = 1
		}
		return number(w)
	}
	if len(c.Terms) == 1 {
		add(keyContract, text(c.Terms[0].Kind.String()))
		add(keyWeight, weight(c.Terms[0].Weight))
	} else if len(c.Terms) > 1 {
		list := &yaml.Node{Kind: yaml.SequenceNode}
		for _, t := range c.Terms {
			list.Content = append(list.Content, &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle, Content: []*yaml.Node{
				text("range"), text(RangeString(t.Range)), text("kind"), text(t.Kind.String()), text(keyWeight), weight(t.Weight)}})
		}
		add(keyContract, list)
	}
	return &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{text(c.Name), body}}
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	out := make([]K, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// Hash returns the sha256 (hex) of the resolved recipe, or of the named sections only
// ("data", "views", "train", "seed", ...): a stage is keyed by the sections it reads, so that
// a change of adapt.draws does not train anew. Where data is named, columns and rules are meant too: they say how
// the data are read. An unknown section is an error of the caller and panics.
func (r *Recipe) Hash(sections ...string) string {
	v := reflect.ValueOf(r).Elem()
	keys := keysOf(v.Type())
	switch i := slices.Index(sections, "data"); {
	case len(sections) == 0:
		sections = keys
	case i >= 0 && !slices.Contains(sections, "columns"):
		sections = slices.Insert(slices.Clone(sections), i+1, "columns", "rules")
	}
	e := encoder{r.Domain}
	h := sha256.New()
	for _, s := range sections {
		i := slices.Index(keys, s)
		if i < 0 {
			panic("recipe: no section " + s)
		}
		if e.omit(v.Field(i), s) {
			continue
		}
		b, err := yaml.Marshal(e.node(v.Field(i), s))
		if err != nil {
			panic("recipe: " + err.Error()) // a tree of scalars that encode has made
		}
		fmt.Fprintf(h, "%s %d\n%s", s, len(b), b)
	}
	return hex.EncodeToString(h.Sum(nil))
}
