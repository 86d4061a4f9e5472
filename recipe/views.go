package recipe

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/view"
)

// Keys of a transformation beside its parameters.
const (
	keyP        = "p"
	keyContract = "contract"
	keyWeight   = "weight"
)

// views decodes the views, in the short form (a list) or the long one (a mapping
// with the key transforms), against the transformations of the recipe's domain.
func (d *decoder) views(r *Recipe, specs Specs) {
	n := d.viewsNode
	if n == nil || isNull(n) {
		return // Validate asks for at least one
	}
	list, path := n, "views"
	switch n.Kind {
	case yaml.SequenceNode:
	case yaml.MappingNode:
		list = nil
		v := reflect.ValueOf(&r.Views).Elem()
		keys := keysOf(v.Type())
		for i := 0; i+1 < len(n.Content); i += 2 {
			k, c := n.Content[i], n.Content[i+1]
			p := join("views", clip(k.Value))
			at := slices.Index(keys, k.Value)
			switch {
			case at < 0:
				d.fail(k, p, suggest(k.Value, keys)+"; transformations are a list", "unknown key")
			case k.Value == "transforms":
				d.nodes[p] = c
				list, path = c, p
			default:
				d.nodes[p] = c
				d.value(c, p, v.Field(at))
			}
		}
	}
	if list == nil || isNull(list) {
		return
	}
	if list.Kind != yaml.SequenceNode {
		d.fail(list, path, "write a line such as - crop: {scale: 0.3..1}", "want a list of transformations, got %s", describe(list))
		return
	}
	if specs == nil {
		d.fail(list, path, "", "no list of transformations to check against")
		return
	}
	known, err := specs(r.Domain)
	if err != nil {
		if !d.reported("domain") {
			d.fail(d.nodes["domain"], "domain", "", "%v", err)
		}
		return
	}
	d.columnWords = map[string]bool{}
	for _, s := range known {
		if w, ok := strings.CutPrefix(s.Name, ColumnTransform); ok {
			d.columnWords[w] = true
		}
	}
	known = slices.DeleteFunc(slices.Clone(known), func(s view.Spec) bool { return strings.HasPrefix(s.Name, ColumnTransform) })
	first := map[string]bool{}
	for i, e := range list.Content {
		p := fmt.Sprintf("%s[%d]", path, i)
		d.nodes[p] = e
		c, ok := d.transform(e, p, known)
		if !ok {
			continue
		}
		if first[c.Name] {
			d.fail(e, p, "give several contracts as a list: "+c.Name+": [{...}, {...}]", "%s is declared twice", c.Name)
		}
		first[c.Name] = true
		r.Views.Transforms = append(r.Views.Transforms, c)
	}
}

// transform decodes one entry: a bare name, or NAME: {...}, or NAME: [{...}, ...].
func (d *decoder) transform(n *yaml.Node, path string, known []view.Spec) (c view.Config, ok bool) {
	name, body := n, (*yaml.Node)(nil)
	if n.Kind == yaml.MappingNode && len(n.Content) > 0 {
		name, body = n.Content[0], n.Content[1]
		if len(n.Content) > 2 {
			d.fail(n.Content[2], join(path, clip(n.Content[2].Value)), "indent parameters below the transformation, or start a new entry with -",
				"an entry holds one transformation, here %s", clip(name.Value))
			return c, false
		}
	}
	if name.Kind != yaml.ScalarNode || isNull(name) {
		d.fail(n, path, "write - hflip, or - crop: {scale: 0.3..1}", "want a transformation, got %s", describe(n))
		return c, false
	}
	names := make([]string, len(known))
	var spec *view.Spec
	for i := range known {
		names[i] = known[i].Name
		if known[i].Name == name.Value {
			spec = &known[i]
		}
	}
	path = join(path, clip(name.Value))
	if spec == nil && d.columnWords[name.Value] {
		d.fail(name, path, "write it below the column: columns: {NAME: {"+clip(name.Value)+": ...}}", "acts on one column")
		return c, false
	}
	if spec == nil {
		d.fail(name, path, suggest(name.Value, names), "unknown transformation")
		return c, false
	}
	d.nodes[path] = name
	before := len(d.errs)
	c = d.config(body, name, path, spec)
	return c, len(d.errs) == before
}

// config resolves the body of a transformation against its Spec.
func (d *decoder) config(body, name *yaml.Node, path string, spec *view.Spec) view.Config {
	c := view.Config{Name: spec.Name, P: spec.P, Params: map[string]contract.Range{}}
	if c.P == 0 {
		c.P = 1
	}
	var items []*yaml.Node
	several := false
	switch {
	case body == nil || isNull(body):
		items = []*yaml.Node{nil}
	case body.Kind == yaml.MappingNode:
		items = []*yaml.Node{body}
	case body.Kind == yaml.SequenceNode && len(body.Content) > 0:
		items, several = body.Content, len(body.Content) > 1
	default:
		d.fail(body, path, "write its parameters as {"+exampleOf(spec)+"}", "want a mapping of parameters, got %s", describe(body))
		return c
	}
	principal := ""
	if len(spec.Params) > 0 {
		principal = spec.Params[0].Name
	} else if several {
		d.fail(body, path, "", "has no parameter by which contracts could differ")
		return c
	}
	given := map[string]bool{}
	for i, it := range items {
		p := path
		if several {
			p = fmt.Sprintf("%s[%d]", path, i)
		}
		d.item(it, p, spec, principal, several, given, &c)
	}
	for _, ps := range spec.Params {
		if _, ok := c.Params[ps.Name]; !ok {
			c.Params[ps.Name] = ps.Default
		}
	}
	for _, o := range spec.Options {
		if _, ok := c.Options[o.Name]; !ok && o.Default != "" {
			if c.Options == nil {
				c.Options = map[string]string{}
			}
			c.Options[o.Name] = o.Default
		}
	}
	// Terms without a range of their own hold over the whole drawn range.
	for i := range c.Terms {
		if math.IsNaN(c.Terms[i].Range.From) {
			c.Terms[i].Range = c.Params[principal]
		}
	}
	at := name
	if body != nil {
		at = body
	}
	d.covered(at, path, spec, principal, &c)
	return c
}

// item decodes one mapping of parameters, probability and contract into c.
func (d *decoder) item(it *yaml.Node, path string, spec *view.Spec, principal string, several bool, given map[string]bool, c *view.Config) {
	whole := contract.Range{From: math.NaN(), To: math.NaN()} // "the drawn range", filled in later
	term := contract.Term{Kind: defaultKind(spec), Range: whole, Weight: 1}
	var list contract.Terms
	if it != nil && it.Kind != yaml.MappingNode {
		d.fail(it, path, "write its parameters as {"+exampleOf(spec)+"}", "want a mapping of parameters, got %s", describe(it))
		return
	}
	weighted := false
	for i := 0; it != nil && i+1 < len(it.Content); i += 2 {
		k, v := it.Content[i], it.Content[i+1]
		p := join(path, clip(k.Value))
		d.nodes[p] = v
		ps := paramOf(spec, k.Value)
		switch {
		case ps != nil:
			rg, ok := d.rangeOf(v, p, ps)
			if !ok {
				continue
			}
			if several && ps.Name == principal {
				term.Range = rg
				continue
			}
			if given[k.Value] {
				d.fail(k, p, "", "given twice for %s", spec.Name)
				continue
			}
			given[k.Value] = true
			c.Params[ps.Name] = rg
		case optionOf(spec, k.Value) != nil:
			if v.Kind != yaml.ScalarNode || isNull(v) || v.Value == "" || strings.IndexFunc(v.Value, unicode.IsControl) >= 0 {
				d.fail(v, p, "", "want a word, got %s", describe(v))
				continue
			}
			if given[k.Value] {
				d.fail(k, p, "", "given twice for %s", spec.Name)
				continue
			}
			given[k.Value] = true
			if c.Options == nil {
				c.Options = map[string]string{}
			}
			c.Options[k.Value] = v.Value
		case k.Value == keyP:
			f, ok := d.number(v, p, reflect.Float64)
			if ok && (f < 0 || f > 1) {
				d.fail(v, p, "", "%s is not a probability in 0..1", num(f))
			}
			if given[keyP] {
				d.fail(k, p, "", "given twice for %s", spec.Name)
			}
			given[keyP] = true
			c.P = f
		case k.Value == keyWeight:
			weighted = true
			term.Weight = d.weight(v, p)
		case k.Value == keyContract && v.Kind == yaml.SequenceNode && !several && principal != "":
			for j, e := range v.Content {
				if t, ok := d.term(e, fmt.Sprintf("%s[%d]", p, j), spec); ok {
					list = append(list, t)
				}
			}
			if len(v.Content) == 0 {
				d.fail(v, p, "", "the list of contracts is empty")
			}
		case k.Value == keyContract:
			if kind, ok := d.kind(v, p, spec); ok {
				term.Kind = kind
			}
		default:
			d.fail(k, p, suggest(k.Value, paramNames(spec)), "unknown key of %s", spec.Name)
		}
	}
	switch {
	case list != nil:
		if weighted {
			d.fail(it, path, "give the weight in each contract of the list", "weight beside a list of contracts")
		}
		c.Terms = append(c.Terms, list...)
		hull := list[0].Range
		for _, t := range list {
			hull = contract.Range{From: min(hull.From, t.Range.From), To: max(hull.To, t.Range.To)}
		}
		if !given[principal] {
			given[principal], c.Params[principal] = true, hull
		}
		return
	case several:
		if math.IsNaN(term.Range.From) {
			d.fail(it, path, "", "several contracts differ by the range of %s, which is missing here", principal)
			return
		}
		hull, ok := c.Params[principal]
		if !ok {
			hull = term.Range
		}
		c.Params[principal] = contract.Range{From: min(hull.From, term.Range.From), To: max(hull.To, term.Range.To)}
	case principal == "":
		term.Range = contract.Range{}
	}
	c.Terms = append(c.Terms, term)
}

// term decodes {range: a..b, kind: word, weight: w} of a list of contracts.
func (d *decoder) term(n *yaml.Node, path string, spec *view.Spec) (t contract.Term, ok bool) {
	before := len(d.errs)
	if n.Kind != yaml.MappingNode {
		d.fail(n, path, "write {range: 0..1, kind: invariant}", "want a contract, got %s", describe(n))
		return t, false
	}
	t.Weight = 1
	haveRange := false
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		p := join(path, clip(k.Value))
		switch k.Value {
		case "range":
			t.Range, haveRange = d.rangeOf(v, p, &spec.Params[0])
		case "kind":
			t.Kind, _ = d.kind(v, p, spec)
		case keyWeight:
			t.Weight = d.weight(v, p)
		default:
			d.fail(k, p, suggest(k.Value, []string{"range", "kind", keyWeight}), "unknown key of a contract")
		}
	}
	if len(d.errs) == before && (!haveRange || t.Kind == 0) {
		d.fail(n, path, "write {range: 0..1, kind: invariant}", "a contract needs range and kind")
	}
	return t, len(d.errs) == before
}

func (d *decoder) weight(n *yaml.Node, path string) float64 {
	f, ok := d.number(n, path, reflect.Float64)
	if ok && (f <= 0 || f > 1e6) {
		d.fail(n, path, "remove the transformation to switch it off", "weight %s is not above 0 (at most 1e+06)", num(f))
	}
	return f
}

// kind decodes the word of a contract and checks that it makes sense for the transformation.
func (d *decoder) kind(n *yaml.Node, path string, spec *view.Spec) (contract.Kind, bool) {
	if n.Kind != yaml.ScalarNode || isNull(n) {
		d.fail(n, path, "", "want invariant, equivariant, restorable or protected, got %s", describe(n))
		return 0, false
	}
	k, err := contract.ParseKind(n.Value)
	if err != nil {
		words := make([]string, len(contract.Kinds))
		for i, k := range contract.Kinds {
			words[i] = k.String()
		}
		d.fail(n, path, suggest(n.Value, words), "unknown contract %q", clip(n.Value))
		return 0, false
	}
	if len(spec.Kinds) > 0 && !slices.Contains(spec.Kinds, k) {
		words := make([]string, len(spec.Kinds))
		for i, k := range spec.Kinds {
			words[i] = k.String()
		}
		d.fail(n, path, "possible: "+strings.Join(words, ", "), "%s cannot be %s", spec.Name, k)
		return 0, false
	}
	return k, true
}

// rangeOf decodes "from..to", [from, to] or one number and checks it against the parameter.
func (d *decoder) rangeOf(n *yaml.Node, path string, ps *view.ParamSpec) (contract.Range, bool) {
	var rg contract.Range
	var err error
	switch {
	case n.Kind == yaml.ScalarNode && !isNull(n) && d.col != nil:
		before := len(d.errs)
		if rg, err = d.columnRange(n, path, ps); len(d.errs) > before {
			return rg, false
		}
	case n.Kind == yaml.ScalarNode && !isNull(n):
		rg, err = ParseRange(n.Value)
	case n.Kind == yaml.SequenceNode && len(n.Content) == 2:
		var ok, too bool
		rg.From, ok = d.number(n.Content[0], path, reflect.Float64)
		rg.To, too = d.number(n.Content[1], path, reflect.Float64)
		if !ok || !too {
			return rg, false
		}
	default:
		err = fmt.Errorf("got %s", describe(n))
	}
	if err != nil {
		d.fail(n, path, "", "want a range such as %s, %s", limitsOf(ps, "0.3..1"), strings.TrimPrefix(err.Error(), "recipe: "))
		return rg, false
	}
	if rg.From > rg.To {
		d.fail(n, path, fmt.Sprintf("write %s..%s", num(rg.To), num(rg.From)), "the range %s is reversed", RangeString(rg))
		return rg, false
	}
	if bounded(ps) && (rg.From < ps.Min || rg.To > ps.Max) {
		d.fail(n, path, "", "%s is outside %s..%s%s", RangeString(rg), num(ps.Min), num(ps.Max), unit(ps))
		return rg, false
	}
	if ps.Integer && (rg.From != math.Trunc(rg.From) || rg.To != math.Trunc(rg.To)) {
		d.fail(n, path, "", "%s: only whole numbers are drawn", RangeString(rg))
		return rg, false
	}
	return rg, true
}

// covered checks that the contracts together cover exactly the drawn range.
func (d *decoder) covered(n *yaml.Node, path string, spec *view.Spec, principal string, c *view.Config) {
	if len(c.Terms) == 0 || d.reported(path) {
		return
	}
	if principal == "" {
		return
	}
	drawn := c.Params[principal]
	step := 0.0
	if spec.Params[0].Integer || spec.Classes > 0 {
		step = 1
	}
	ts := slices.Clone(c.Terms)
	slices.SortStableFunc(ts, func(a, b contract.Term) int { return cmpFloat(a.Range.From, b.Range.From) })
	if ts[0].Range.From < drawn.From {
		d.fail(n, path, "", "a contract is stated from %s on, but %s is drawn from %s", num(ts[0].Range.From), principal, RangeString(drawn))
		return
	}
	end := drawn.From - step
	for _, t := range ts {
		if t.Range.From > end+step {
			d.fail(n, path, "", "%s is drawn from %s, but no contract is stated for %s..%s", principal, RangeString(drawn), num(end+step), num(t.Range.From))
			return
		}
		end = max(end, t.Range.To)
	}
	switch {
	case end < drawn.To:
		d.fail(n, path, "", "%s is drawn from %s, but no contract is stated for %s..%s", principal, RangeString(drawn), num(end), num(drawn.To))
	case end > drawn.To:
		d.fail(n, path, "", "a contract is stated up to %s, but %s is drawn from %s", num(end), principal, RangeString(drawn))
	}
	for _, t := range c.Terms {
		if t.Kind == contract.Equivariant && t.Range.Width() == 0 {
			d.fail(n, path, "give a range", "equivariant over the single value %s of %s: nothing could be predicted", num(t.Range.From), principal)
		}
	}
}

// ParseRange reads "from..to" or one number (from and to equal), in the unit of the parameter.
func ParseRange(s string) (contract.Range, error) {
	a, b, two := strings.Cut(s, "..")
	from, ok := parseNumber(a)
	to := from
	if ok && two {
		to, ok = parseNumber(b)
	}
	if !ok {
		return contract.Range{}, fmt.Errorf("recipe: %q is not a range", clip(s))
	}
	return contract.Range{From: from, To: to}, nil
}

// RangeString writes a range so that [ParseRange] gives it back exactly.
func RangeString(r contract.Range) string {
	if r.From == r.To {
		return num(r.From)
	}
	return num(r.From) + ".." + num(r.To)
}

func defaultKind(s *view.Spec) contract.Kind {
	if len(s.Kinds) > 0 {
		return s.Kinds[0]
	}
	return contract.Invariant
}

func paramOf(s *view.Spec, name string) *view.ParamSpec {
	for i := range s.Params {
		if s.Params[i].Name == name {
			return &s.Params[i]
		}
	}
	return nil
}

func optionOf(s *view.Spec, name string) *view.OptionSpec {
	for i := range s.Options {
		if s.Options[i].Name == name {
			return &s.Options[i]
		}
	}
	return nil
}

func paramNames(s *view.Spec) []string {
	var out []string
	for _, p := range s.Params {
		out = append(out, p.Name)
	}
	for _, o := range s.Options {
		out = append(out, o.Name)
	}
	return append(out, keyP, keyContract, keyWeight)
}

func exampleOf(s *view.Spec) string {
	if len(s.Params) == 0 {
		return "p: 0.5"
	}
	return s.Params[0].Name + ": " + RangeString(s.Params[0].Default)
}

// bounded reports whether the parameter states limits at all.
func bounded(ps *view.ParamSpec) bool { return ps.Min != 0 || ps.Max != 0 }

func limitsOf(ps *view.ParamSpec, other string) string {
	if bounded(ps) {
		return num(ps.Min) + ".." + num(ps.Max)
	}
	return other
}

func unit(ps *view.ParamSpec) string {
	if ps.Unit == "" {
		return ""
	}
	return " (" + ps.Unit + ")"
}

func cmpFloat(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
