package recipe

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/internal/rowrule"
	"github.com/selfsame-ml/selfsame/view"
)

// Columns are the declared columns of a table, in the order of the recipe. A column of the data
// that is not declared gets the kind that is found and no transformation.
type Columns []Column

// Column says what one column means and what may change in it without changing the meaning of a row.
//
//	customer_id: {kind: identifier, drop: invariant}
//	bought_at:   {kind: timestamp, jitter: 10m, contract: invariant}
//	category:    {contract: protected}
//	amount:      [{kind: money, unit: EUR, bounds: 0..1e6}, {scale: 0.95..1.05, contract: invariant}, {scale: 0.5..2, contract: equivariant}]
type Column struct {
	Name      string          `json:"name"`                // header in the data
	Kind      string          `json:"kind,omitempty"`      // one of ColumnKinds; "" is found from the data
	Unit      string          `json:"unit,omitempty"`      // shown to people ("EUR", "years")
	Bounds    *contract.Range `json:"bounds,omitempty"`    // closed; a cell outside is bad data, a view outside is impossible; an open end is ±math.MaxFloat64
	Missing   []string        `json:"missing,omitempty"`   // texts that mean "missing" beside the empty cell
	Levels    []string        `json:"levels,omitempty"`    // ordinal: the levels in rising order; category, boolean: the support; empty is found
	Format    string          `json:"format,omitempty"`    // timestamp: Go layout or strftime; "" is found
	Input     string          `json:"input,omitempty"`     // "" (by kind), "yes" or "no": whether the encoder sees the column
	Protected bool            `json:"protected,omitempty"` // no view may change it, bit for bit
	// Transforms act on this column alone. Their names are COLUMN.TRANSFORMATION ("amount.scale"); the
	// ranges of the principal parameter are in the column's unit (timestamps: seconds).
	Transforms []view.Config `json:"transforms,omitempty"`
}

// ColumnKinds are the kinds of a column. Number, integer, money and ordinal have an order; the encoder sees category,
// boolean, text and identifier by embedding.
var ColumnKinds = []string{"number", "integer", "money", "ordinal", "category", "boolean", "timestamp", "identifier", "text"}

// ColumnTransform is the prefix of the names of specs that act on one column: a domain whose Specs hold "*.scale"
// takes "scale" below a column in `columns`.
const ColumnTransform = "*."

// Options of the transformations of columns, as in [view.Config].
const (
	OptionKeep   = "keep"   // of *.shift: "weekday" or "hour" stays as it is
	OptionWithin = "within" // of *.swap_within: the column whose cells must be equal
)

// columnOptions are the options that a transformation takes; nil takes the name of a column.
var columnOptions = map[string]map[string][]string{
	"shift":       {OptionKeep: {"weekday", "hour"}},
	"swap_within": {OptionWithin: nil},
}

// inUnit are the transformations whose parameter is in the unit of the column; they need a column that can be
// calculated with.
var inUnit = []string{"jitter", "shift", "noise"}

const (
	keyBy     = "by"
	timestamp = "timestamp"
)

var columnAttributes = []string{"kind", "unit", "bounds", "missing", "levels", "format", "input"}

// AllTransforms lists the transformations of columns, then those of `views`: all that views are made of.
func (r *Recipe) AllTransforms() []view.Config {
	var out []view.Config
	for _, c := range r.Columns {
		out = append(out, c.Transforms...)
	}
	return append(out, r.Views.Transforms...)
}

// Column returns the declared column of a name, or nil.
func (r *Recipe) Column(name string) *Column {
	for i := range r.Columns {
		if r.Columns[i].Name == name {
			return &r.Columns[i]
		}
	}
	return nil
}

func columnPath(name string) string { return join("columns", clip(name)) }

// columns decodes the columns against the transformations of the recipe's domain.
func (d *decoder) columns(r *Recipe, specs Specs) {
	n := d.columnsNode
	if n == nil || isNull(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		d.fail(n, "columns", "write a line such as amount: {kind: money, scale: 0.95..1.05}", "want a mapping of columns, got %s", describe(n))
		return
	}
	if len(n.Content) == 0 {
		return
	}
	if specs == nil {
		d.fail(n, "columns", "", "no list of transformations to check against")
		return
	}
	known, err := specs(r.Domain)
	if err != nil {
		d.fail(d.nodes["domain"], "domain", "", "%v", err)
		return
	}
	var words []view.Spec
	for _, s := range known {
		if w, ok := strings.CutPrefix(s.Name, ColumnTransform); ok {
			s.Name = w
			words = append(words, s)
		}
	}
	if len(words) == 0 {
		d.fail(n, "columns", "write domain: table for rows", "the domain %s has no columns", clip(r.Domain))
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if c, ok := d.column(n.Content[i], n.Content[i+1], words); ok {
			r.Columns = append(r.Columns, c)
		}
	}
}

// columnItem is one mapping below a column that holds a transformation.
type columnItem struct {
	word, body *yaml.Node
	path       string
	keys       [][2]*yaml.Node // p, contract, weight and options beside the transformation
}

// column decodes one column: a mapping, or a list of mappings.
func (d *decoder) column(name, body *yaml.Node, words []view.Spec) (c Column, ok bool) {
	before := len(d.errs)
	c.Name = name.Value
	path := columnPath(c.Name)
	d.nodes[path] = name
	if strings.IndexFunc(c.Name, unicode.IsControl) >= 0 {
		d.fail(name, path, "", "the name holds a control character")
	}
	items, several := []*yaml.Node{body}, false
	switch {
	case isNull(body):
		items = nil
	case body.Kind == yaml.SequenceNode:
		items, several = body.Content, true
	case body.Kind == yaml.ScalarNode && slices.Contains(ColumnKinds, body.Value):
		d.fail(body, path, "write {kind: "+body.Value+"}", "want a mapping, got %s", describe(body))
		return c, false
	}
	transforms := make([]string, len(words))
	for i, w := range words {
		transforms[i] = w.Name
	}
	all := append(append(slices.Clone(columnAttributes), transforms...), keyP, keyContract, keyWeight, OptionKeep, OptionWithin)
	given := map[string]bool{}
	groups := map[string][]columnItem{}
	var order []string
	for i, it := range items {
		p := path
		if several {
			p = fmt.Sprintf("%s[%d]", path, i)
		}
		if it.Kind != yaml.MappingNode {
			d.fail(it, p, "write {kind: number, scale: 0.95..1.05, contract: invariant}", "want a mapping, got %s", describe(it))
			continue
		}
		item := columnItem{path: p}
		for j := 0; j+1 < len(it.Content); j += 2 {
			k, v := it.Content[j], it.Content[j+1]
			kp := join(p, clip(k.Value))
			d.nodes[kp] = v
			switch {
			case slices.Contains(columnAttributes, k.Value):
				d.nodes[join(path, k.Value)] = v
				if given[k.Value] {
					d.fail(k, kp, "", "given twice for this column")
					continue
				}
				given[k.Value] = true
				d.attribute(k.Value, v, kp, &c)
			case slices.Contains(transforms, k.Value):
				if item.word != nil {
					d.fail(k, kp, "write a list: "+columnExample(c.Name)+": [{"+item.word.Value+": ...}, {"+k.Value+": ...}]", "an item holds one transformation, here %s", item.word.Value)
					continue
				}
				item.word, item.body = k, v
				d.nodes[join(path, k.Value)] = k
			case slices.Contains([]string{keyP, keyContract, keyWeight, OptionKeep, OptionWithin}, k.Value):
				item.keys = append(item.keys, [2]*yaml.Node{k, v})
			default:
				d.fail(k, kp, suggest(k.Value, all), "unknown key of a column")
			}
		}
		if item.word == nil {
			d.bare(item, &c)
			continue
		}
		if groups[item.word.Value] == nil {
			order = append(order, item.word.Value)
		}
		groups[item.word.Value] = append(groups[item.word.Value], item)
	}
	for _, w := range order {
		spec := words[slices.Index(transforms, w)]
		c.Transforms = append(c.Transforms, d.columnConfig(&c, &spec, groups[w]))
	}
	return c, len(d.errs) == before
}

func columnExample(name string) string {
	b, err := yaml.Marshal(text(name))
	if err != nil || len(name) > 40 {
		return "NAME"
	}
	return strings.TrimSpace(string(b))
}

// bare decodes contract: protected, which needs no transformation.
func (d *decoder) bare(item columnItem, c *Column) {
	for _, kv := range item.keys {
		k, v := kv[0], kv[1]
		p := join(item.path, k.Value)
		if k.Value != keyContract {
			d.fail(k, p, "", "%s of no transformation", k.Value)
			continue
		}
		d.nodes[join(columnPath(c.Name), keyContract)] = v
		kind, ok := d.kind(v, p, &view.Spec{})
		if !ok {
			continue
		}
		if kind != contract.Protected {
			d.fail(v, p, "name what may change, e.g. {scale: 0.95..1.05, contract: "+kind.String()+"}; only protected stands alone", "%s under no transformation", kind)
			continue
		}
		c.Protected = true
	}
}

// attribute decodes what a column is.
func (d *decoder) attribute(key string, v *yaml.Node, path string, c *Column) {
	word := func(to *string) {
		switch {
		case v.Kind != yaml.ScalarNode || isNull(v):
			d.fail(v, path, "", "want text, got %s", describe(v))
		case strings.IndexFunc(v.Value, unicode.IsControl) >= 0:
			d.fail(v, path, "", "%s holds a control character", describe(v))
		default:
			*to = v.Value
		}
	}
	list := func(to *[]string) {
		items := []*yaml.Node{v}
		if v.Kind == yaml.SequenceNode {
			items = v.Content
		}
		for i, e := range items {
			if e.Kind != yaml.ScalarNode || isNull(e) {
				d.fail(e, fmt.Sprintf("%s[%d]", path, i), "quote it where it is a text: \"~\", \"null\"", "want text, got %s", describe(e))
				continue
			}
			if strings.IndexFunc(e.Value, unicode.IsControl) >= 0 {
				d.fail(e, fmt.Sprintf("%s[%d]", path, i), "", "%s holds a control character", describe(e))
				continue
			}
			*to = append(*to, e.Value)
		}
	}
	switch key {
	case "kind":
		word(&c.Kind)
	case "unit":
		word(&c.Unit)
	case "format":
		word(&c.Format)
	case "missing":
		list(&c.Missing)
	case "levels":
		list(&c.Levels)
	case "input":
		switch strings.ToLower(v.Value) {
		case "true", "yes":
			c.Input = "yes"
		case "false", "no":
			c.Input = "no"
		default:
			d.fail(v, path, "", "want true or false, got %s", describe(v))
		}
	case "bounds":
		s := v.Value
		if v.Kind == yaml.SequenceNode && len(v.Content) == 2 {
			s = v.Content[0].Value + ".." + v.Content[1].Value
		}
		rg, dates, err := ParseBounds(s)
		switch {
		case err != nil:
			d.fail(v, path, "write 0..1e6, 0.. or 2020-01-01..2024-12-31", "%s", strings.TrimPrefix(err.Error(), "recipe: "))
		case rg.From > rg.To:
			d.fail(v, path, "", "the range %s is reversed", clip(s))
		default:
			c.Bounds = &rg
			if dates {
				d.impliesTime(v, path, "a date", c)
			}
		}
	}
}

// impliesTime notes that a column holds times, because what is said of it speaks of time.
func (d *decoder) impliesTime(n *yaml.Node, path, what string, c *Column) {
	switch c.Kind {
	case "", timestamp:
		c.Kind = timestamp
	default:
		d.fail(n, path, "", "%s, but the column is declared as %s", what, c.Kind)
	}
}

// columnConfig resolves all items of one transformation of a column.
func (d *decoder) columnConfig(c *Column, spec *view.Spec, group []columnItem) view.Config {
	out := view.Config{Name: c.Name + "." + spec.Name, P: spec.P, Params: map[string]contract.Range{}}
	if out.P == 0 {
		out.P = 1
	}
	path := join(columnPath(c.Name), spec.Name)
	principal := ""
	if len(spec.Params) > 0 {
		principal = spec.Params[0].Name
	}
	// A list of mappings below the word is the same as several items.
	var forms []columnItem
	for _, it := range group {
		if b := it.body; b.Kind == yaml.SequenceNode && len(b.Content) > 0 && b.Content[0].Kind == yaml.MappingNode {
			for j, e := range b.Content {
				f := columnItem{word: it.word, body: e, path: fmt.Sprintf("%s.%s[%d]", it.path, spec.Name, j)}
				if j == 0 {
					f.keys = it.keys
				}
				forms = append(forms, f)
			}
			continue
		}
		it.path = join(it.path, spec.Name)
		forms = append(forms, it)
	}
	several := len(forms) > 1
	if several && principal == "" {
		d.fail(forms[1].word, path, "", "has no parameter by which contracts could differ")
		return out
	}
	d.col = c
	defer func() { d.col = nil }()
	given := map[string]bool{}
	for _, f := range forms {
		d.columnForm(f, spec, principal, several, given, &out)
	}
	for _, ps := range spec.Params {
		if _, ok := out.Params[ps.Name]; !ok {
			out.Params[ps.Name] = ps.Default
		}
	}
	for i := range out.Terms {
		if math.IsNaN(out.Terms[i].Range.From) {
			out.Terms[i].Range = out.Params[principal]
		}
	}
	if _, within := columnOptions[spec.Name][OptionWithin]; within && out.Options[OptionWithin] == "" && !d.reported(path) {
		d.fail(forms[0].word, path, "write {within: COLUMN}", "names no column within whose equal cells it swaps")
	}
	d.covered(forms[0].word, path, spec, principal, &out)
	return out
}

// columnForm decodes one form of a transformation below a column.
func (d *decoder) columnForm(f columnItem, spec *view.Spec, principal string, several bool, given map[string]bool, out *view.Config) {
	term := contract.Term{Kind: defaultKind(spec), Range: contract.Range{From: math.NaN(), To: math.NaN()}, Weight: 1}
	var list contract.Terms
	var ps *view.ParamSpec
	if principal != "" {
		ps = &spec.Params[0]
	}
	fail := func(n *yaml.Node, p, hint, format string, args ...any) { d.fail(n, p, hint, format, args...) }
	once := func(n *yaml.Node, p, key string) bool {
		if given[key] {
			fail(n, p, "", "given twice for %s", spec.Name)
			return false
		}
		given[key] = true
		return true
	}
	option := func(k string, v *yaml.Node, p string) {
		words, ok := columnOptions[spec.Name][k]
		switch {
		case !ok:
			fail(v, p, suggest(k, columnKeys(spec)), "%s has no %s", spec.Name, k)
		case v.Kind != yaml.ScalarNode || isNull(v) || v.Value == "":
			fail(v, p, "", "want a word, got %s", describe(v))
		case words != nil && !slices.Contains(words, v.Value):
			fail(v, p, "known: "+strings.Join(words, ", "), "%q is not known", clip(v.Value))
		case strings.IndexFunc(v.Value, unicode.IsControl) >= 0:
			fail(v, p, "", "%s holds a control character", describe(v))
		case k == OptionWithin && v.Value == d.col.Name:
			fail(v, p, "", "a column is not swapped within itself")
		case once(v, p, k):
			if out.Options == nil {
				out.Options = map[string]string{}
			}
			out.Options[k] = v.Value
		}
	}
	ranged := func(v *yaml.Node, p string) {
		rg, ok := d.rangeOf(v, p, ps)
		switch {
		case !ok:
		case several:
			term.Range = rg
		case once(v, p, principal):
			out.Params[principal] = rg
		}
	}
	contracted := false
	common := func(k, v *yaml.Node, p string) {
		switch k.Value {
		case keyP:
			x, ok := d.number(v, p, kindFloat)
			if ok && (x < 0 || x > 1) {
				fail(v, p, "", "%s is not a probability in 0..1", num(x))
			}
			if once(k, p, keyP) {
				out.P = x
			}
		case keyWeight:
			term.Weight = d.weight(v, p)
		case keyContract:
			if contracted {
				fail(k, p, "", "the contract is given twice")
				return
			}
			contracted = true
			if v.Kind == yaml.SequenceNode && !several && principal != "" {
				for j, e := range v.Content {
					if t, ok := d.term(e, fmt.Sprintf("%s[%d]", p, j), spec); ok {
						list = append(list, t)
					}
				}
				if len(v.Content) == 0 {
					fail(v, p, "", "the list of contracts is empty")
				}
				return
			}
			if kind, ok := d.kind(v, p, spec); ok {
				term.Kind = kind
			}
		default:
			option(k.Value, v, p)
		}
	}
	switch b := f.body; {
	case isNull(b):
	case b.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(b.Content); i += 2 {
			k, v := b.Content[i], b.Content[i+1]
			p := join(f.path, clip(k.Value))
			d.nodes[p] = v
			switch other := paramOf(spec, k.Value); {
			case principal != "" && (k.Value == keyBy || k.Value == principal):
				ranged(v, p)
			case other != nil:
				if rg, ok := d.rangeOf(v, p, other); ok && once(k, p, k.Value) {
					out.Params[k.Value] = rg
				}
			case slices.Contains(columnKeys(spec), k.Value):
				common(k, v, p)
			default:
				fail(k, p, suggest(k.Value, columnKeys(spec)), "unknown key of %s", spec.Name)
			}
		}
	case b.Kind == yaml.ScalarNode && b.ShortTag() == "!!bool":
		if b.Value != "true" {
			fail(b, f.path, "remove it: what is not declared does not happen", "%s is not %s", b.Value, spec.Name)
		}
	case b.Kind == yaml.ScalarNode && isContract(b.Value):
		contracted = true
		if kind, ok := d.kind(b, f.path, spec); ok {
			term.Kind = kind
		}
	case principal == "":
		fail(b, f.path, "write "+spec.Name+": invariant", "has no parameter, got %s", describe(b))
	default:
		ranged(b, f.path)
	}
	for _, kv := range f.keys {
		p := join(strings.TrimSuffix(f.path, "."+spec.Name), kv[0].Value)
		if kv[0].Value != keyP && several && f.body.Kind == yaml.MappingNode && strings.HasSuffix(f.path, "]") && (kv[0].Value == keyContract || kv[0].Value == keyWeight) {
			fail(kv[0], p, "give it in each item of the list", "%s beside a list", kv[0].Value)
			continue
		}
		common(kv[0], kv[1], p)
	}
	switch {
	case list != nil:
		hull := list[0].Range
		for _, t := range list {
			hull = contract.Range{From: min(hull.From, t.Range.From), To: max(hull.To, t.Range.To)}
		}
		if !given[principal] {
			given[principal], out.Params[principal] = true, hull
		}
		out.Terms = append(out.Terms, list...)
		return
	case several:
		if math.IsNaN(term.Range.From) {
			if !d.reported(f.path) {
				fail(f.word, f.path, "", "several contracts differ by the range of %s, which is missing here", principal)
			}
			return
		}
		hull, ok := out.Params[principal]
		if !ok {
			hull = term.Range
		}
		out.Params[principal] = contract.Range{From: min(hull.From, term.Range.From), To: max(hull.To, term.Range.To)}
	case principal == "":
		term.Range = contract.Range{}
	}
	out.Terms = append(out.Terms, term)
}

func isContract(s string) bool {
	_, err := contract.ParseKind(s)
	return err == nil
}

// columnKeys are the keys of a transformation's mapping below a column.
func columnKeys(s *view.Spec) []string {
	var out []string
	if len(s.Params) > 0 {
		out = append(out, keyBy)
	}
	for _, p := range s.Params {
		out = append(out, p.Name)
	}
	out = append(out, sortedKeys(columnOptions[s.Name])...)
	return append(out, keyP, keyContract, keyWeight)
}

// columnRange reads the text of a range below a column: numbers, or durations of a time; one number above 0 of a
// parameter whose limits are symmetric stands for both signs.
func (d *decoder) columnRange(n *yaml.Node, path string, ps *view.ParamSpec) (contract.Range, error) {
	a, b, two := strings.Cut(n.Value, "..")
	if !two {
		b = a
	}
	one := func(s string) (float64, bool) {
		if f, ok := parseNumber(s); ok {
			return f, true
		}
		f, ok := rowrule.ParseDuration(s)
		if ok {
			if d.col.Kind != "" && d.col.Kind != timestamp {
				d.fail(n, path, "", "%q is a duration, but %s is declared as %s", clip(strings.TrimSpace(s)), clip(d.col.Name), d.col.Kind)
			} else {
				d.col.Kind = timestamp
			}
		}
		return f, ok
	}
	from, ok := one(a)
	to, too := one(b)
	if !ok || !too {
		return contract.Range{}, fmt.Errorf("recipe: %q is not a range", clip(n.Value))
	}
	if !two && from > 0 && ps.Min < 0 && ps.Min == -ps.Max {
		from = -from
	}
	return contract.Range{From: from, To: to}, nil
}

// ParseBounds reads the limits of a column: "0..1e6", "0.." and "..0" with an open end (±math.MaxFloat64), or dates,
// "2020-01-01..2024-12-31", as seconds since 1970 UTC. The last day counts whole.
func ParseBounds(s string) (rg contract.Range, dates bool, err error) {
	a, b, two := strings.Cut(s, "..")
	a, b = strings.TrimSpace(a), strings.TrimSpace(b)
	if !two {
		return rg, false, fmt.Errorf("recipe: %q has not two ends", clip(s))
	}
	numbers := 0
	end := func(s string, open, day float64) float64 {
		if s == "" {
			return open
		}
		if f, ok := parseNumber(s); ok {
			numbers++
			return f
		}
		f, ok := rowrule.ParseTime(s)
		if !ok {
			err = fmt.Errorf("recipe: %q is neither a number nor a date that exists", clip(s))
		}
		dates = true
		if len(s) == len("2006-01-02") {
			f += day
		}
		return f
	}
	rg = contract.Range{From: end(a, -math.MaxFloat64, 0), To: end(b, math.MaxFloat64, 86399)}
	if err == nil && dates && numbers > 0 && (yearLike(rg.From) || yearLike(rg.To)) {
		err = fmt.Errorf("recipe: %q mixes a date and a number", clip(s))
	}
	return rg, dates, err
}

// yearLike reports a number that is surely a year, not seconds since 1970.
func yearLike(f float64) bool { return f == math.Trunc(f) && f >= 1000 && f <= 9999 }

// BoundsString writes bounds so that [ParseBounds] gives them back exactly; times as dates.
func BoundsString(rg contract.Range, times bool) string {
	one := func(f, open float64, last bool) string {
		if f == open {
			return ""
		}
		if times && last {
			if d := rowrule.FormatTime(f - 86399); len(d) == len("2006-01-02") {
				return d
			}
		}
		if s := rowrule.FormatTime(f); times && s != "" {
			if last && len(s) == len("2006-01-02") {
				s += "T00:00:00"
			}
			return s
		}
		return num(f)
	}
	return one(rg.From, -math.MaxFloat64, false) + ".." + one(rg.To, math.MaxFloat64, true)
}

// encodeColumns writes columns so that they are read back as they are.
func encodeColumns(cs Columns) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for _, c := range cs {
		n.Content = append(n.Content, text(c.Name), encodeColumn(&c))
	}
	if len(cs) == 0 {
		n.Style = yaml.FlowStyle
	}
	return n
}

func encodeColumn(c *Column) *yaml.Node {
	flow := func() *yaml.Node { return &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle} }
	attrs := flow()
	add := func(n *yaml.Node, k string, v *yaml.Node) { n.Content = append(n.Content, text(k), v) }
	word := func(k, s string) {
		if s != "" {
			add(attrs, k, text(s))
		}
	}
	list := func(k string, l []string) {
		if len(l) == 0 {
			return
		}
		v := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, s := range l {
			v.Content = append(v.Content, text(s))
		}
		add(attrs, k, v)
	}
	word("kind", c.Kind)
	word("unit", c.Unit)
	if c.Bounds != nil {
		add(attrs, "bounds", text(BoundsString(*c.Bounds, c.Kind == timestamp)))
	}
	list("missing", c.Missing)
	list("levels", c.Levels)
	word("format", c.Format)
	if c.Input != "" {
		add(attrs, "input", scalar("!!bool", strconv.FormatBool(c.Input == "yes")))
	}
	if c.Protected {
		add(attrs, keyContract, text(contract.Protected.String()))
	}
	var items []*yaml.Node
	if len(attrs.Content) > 0 || len(c.Transforms) == 0 {
		items = append(items, attrs)
	}
	moves := false // the parameter is in the unit of the column
	rangeText := func(rg contract.Range) *yaml.Node {
		if c.Kind == timestamp && moves {
			a, b := rowrule.FormatDuration(rg.From), rowrule.FormatDuration(rg.To)
			return text(a + ".." + b)
		}
		return text(num(rg.From) + ".." + num(rg.To)) // always two: one number would stand for both signs
	}
	weight := func(w float64) *yaml.Node {
		if w == 0 {
			w = 1
		}
		return number(w)
	}
	for _, t := range c.Transforms {
		name := strings.TrimPrefix(t.Name, c.Name+".")
		moves = slices.Contains(inUnit, name)
		common := func(n *yaml.Node) {
			add(n, keyP, number(t.P))
			for _, k := range sortedKeys(t.Options) {
				add(n, k, text(t.Options[k]))
			}
		}
		if len(t.Params) == 1 && len(t.Terms) > 0 {
			for i, term := range t.Terms {
				rg := term.Range
				if len(t.Terms) == 1 {
					rg = t.Params[sortedKeys(t.Params)[0]]
				}
				it := flow()
				add(it, name, rangeText(rg))
				if i == 0 {
					common(it)
				}
				add(it, keyContract, text(term.Kind.String()))
				add(it, keyWeight, weight(term.Weight))
				items = append(items, it)
			}
			continue
		}
		body := flow()
		for _, k := range sortedKeys(t.Params) {
			add(body, k, rangeText(t.Params[k]))
		}
		common(body)
		switch len(t.Terms) {
		case 0:
		case 1:
			add(body, keyContract, text(t.Terms[0].Kind.String()))
			add(body, keyWeight, weight(t.Terms[0].Weight))
		default:
			l := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
			for _, term := range t.Terms {
				e := flow()
				add(e, "range", rangeText(term.Range))
				add(e, "kind", text(term.Kind.String()))
				add(e, keyWeight, weight(term.Weight))
				l.Content = append(l.Content, e)
			}
			add(body, keyContract, l)
		}
		it := flow()
		add(it, name, body)
		items = append(items, it)
	}
	if len(items) == 1 {
		return items[0]
	}
	return &yaml.Node{Kind: yaml.SequenceNode, Content: items}
}

// crossColumns checks what must fit together in columns and rules.
func (r *Recipe) crossColumns(add adder) {
	seen := map[string]bool{}
	for i := range r.Columns {
		c := &r.Columns[i]
		p := columnPath(c.Name)
		if c.Name == "" {
			add(p, "write the header of the column", "the name is empty")
		}
		if seen[c.Name] {
			add(p, "", "declared twice")
		}
		seen[c.Name] = true
		r.crossColumn(c, p, add)
	}
	if t := r.Data.Target; t != "" {
		for key, other := range map[string]string{"group_by": r.Data.GroupBy, "time": r.Data.Time} {
			if other == t {
				add("data."+key, "", "%q is the target", clip(t))
			}
		}
		if c := r.Column(t); c != nil && c.Input == "yes" {
			add(join(columnPath(t), "input"), "remove input: true, or name another target", "%q is the target: the encoder never sees it", clip(t))
		} else if c != nil && len(c.Transforms) > 0 {
			add(join(columnPath(t), strings.TrimPrefix(c.Transforms[0].Name, t+".")), "remove it, or name another target", "%q is the target: no view changes it", clip(t))
		}
	}
	if c := r.Column(r.Data.Time); c != nil && c.Kind != "" && slices.Contains([]string{"category", "boolean", "identifier", "text", "money", "ordinal"}, c.Kind) {
		add("data.time", "declare it as timestamp", "%q is declared as %s", clip(c.Name), c.Kind)
	}
	if len(r.Data.Buckets) > 0 {
		if r.Data.Target == "" {
			add("data.buckets", "name data.target", "limits of a target that is not named")
		}
		if r.Data.Task == "regress" {
			add("data.buckets", "remove task: regress", "limits make classes of a number")
		}
		for i, b := range r.Data.Buckets {
			if i > 0 && b <= r.Data.Buckets[i-1] {
				add(fmt.Sprintf("data.buckets[%d]", i), "", "%s after %s: limits must rise", num(b), num(r.Data.Buckets[i-1]))
			}
		}
	}
	if len([]rune(r.Data.Delimiter)) > 1 && r.Data.Delimiter != "tab" && r.Data.Delimiter != `\t` {
		add("data.delimiter", "write one sign, or tab", "%q is not one sign", clip(r.Data.Delimiter))
	}
	r.crossRules(add)
}

func (r *Recipe) crossColumn(c *Column, p string, add adder) {
	if c.Kind != "" && !slices.Contains(ColumnKinds, c.Kind) {
		hint := "known: " + strings.Join(ColumnKinds, ", ")
		if k, ok := otherKinds[strings.ToLower(c.Kind)]; ok {
			hint = "did you mean " + k + "?"
		} else if k := nearest(c.Kind, ColumnKinds); k != "" {
			hint = "did you mean " + k + "? " + hint
		}
		add(join(p, "kind"), hint, "%q is not known", clip(c.Kind))
		return
	}
	if !slices.Contains([]string{"", "yes", "no"}, c.Input) {
		add(join(p, "input"), "", "%q is neither yes nor no", clip(c.Input))
	}
	coded := slices.Contains([]string{"category", "boolean", "identifier", "text"}, c.Kind)
	if b := c.Bounds; b != nil {
		switch err := b.Validate(); {
		case err != nil:
			add(join(p, "bounds"), "", "%s", strings.TrimPrefix(err.Error(), "contract: "))
		case coded || c.Kind == "ordinal":
			add(join(p, "bounds"), "levels are what limits it", "a column of kind %s has no bounds", c.Kind)
		case c.Kind == timestamp && yearLike(b.From) && yearLike(b.To):
			add(join(p, "bounds"), fmt.Sprintf("write %04.0f-01-01..%04.0f-12-31", b.From, b.To), "%s are seconds since 1970", RangeString(*b))
		}
	}
	if len(c.Levels) > 0 {
		if !slices.Contains([]string{"", "ordinal", "category", "boolean"}, c.Kind) {
			add(join(p, "levels"), "", "a column of kind %s has no levels", c.Kind)
		}
		if c.Kind == "boolean" && len(c.Levels) != 2 {
			add(join(p, "levels"), "declare kind: category", "%d levels of a boolean, want 2", len(c.Levels))
		}
		seen := map[string]bool{}
		for _, l := range c.Levels {
			if seen[l] {
				add(join(p, "levels"), "", "%q is given twice", clip(l))
			}
			seen[l] = true
			if slices.Contains(c.Missing, l) {
				add(join(p, "levels"), "", "%q is a level and means missing too", clip(l))
			}
		}
	}
	if c.Format != "" && c.Kind != "" && c.Kind != timestamp {
		add(join(p, "format"), "", "a column of kind %s has no format", c.Kind)
	}
	words := map[string]bool{}
	for _, t := range c.Transforms {
		w, ok := strings.CutPrefix(t.Name, c.Name+".")
		tp := join(p, w)
		if !ok || w == "" || strings.Contains(w, ".") {
			add(p, "", "the transformation %q is not named COLUMN.TRANSFORMATION", clip(t.Name))
			continue
		}
		if words[w] {
			add(tp, "", "is declared twice")
		}
		words[w] = true
		if c.Protected {
			add(tp, "remove it, or remove contract: protected", "the column is protected: nothing may change in it")
		} else if t.Terms.Has(contract.Protected) {
			add(tp, "remove it and write contract: protected", "a transformation of a column cannot be protected: without it nothing changes")
		}
		switch {
		case coded && (slices.Contains(inUnit, w) || w == "scale"):
			add(tp, "possible: drop, mask, swap, swap_within", "a column of kind %s holds no numbers", c.Kind)
		case c.Kind == timestamp && w == "scale":
			add(tp, "write jitter or shift", "a time has no scale")
		case c.Kind != "" && c.Kind != timestamp && t.Options[OptionKeep] != "":
			add(tp, "", "keep: %s is of timestamps, but the column is declared as %s", t.Options[OptionKeep], c.Kind)
		}
	}
}

// otherKinds are words of other tools for kinds of columns.
var otherKinds = map[string]string{"float": "number", "numeric": "number", "real": "number", "double": "number", "int": "integer", "count": "integer", "categorical": "category", "factor": "category",
	"enum": "category", "nominal": "category", "bool": "boolean", "date": "timestamp", "time": "timestamp", "datetime": "timestamp", "id": "identifier", "key": "identifier", "string": "text",
	"currency": "money", "price": "money", "amount": "money"}

// crossRules checks the rules as far as that is possible without the data.
func (r *Recipe) crossRules(add adder) {
	var rules []*rowrule.Rule
	ok := true
	for i, s := range r.Rules {
		rule, err := rowrule.Parse(s)
		if err != nil {
			ok = false
			r.ruleError(add, i, err)
			continue
		}
		rules = append(rules, rule)
		name, explicit, derives := rule.Derives()
		if c := r.Column(name); derives && explicit && c != nil {
			switch {
			case c.Protected:
				add(fmt.Sprintf("rules[%d]", i), "write == to check it only", "%s is derived, but declared as protected", clip(name))
			case len(c.Transforms) > 0:
				add(fmt.Sprintf("rules[%d]", i), "write == to check it only, or remove the transformation", "%s is derived, but has the transformation %s of its own", clip(name), clip(c.Transforms[0].Name))
			}
		}
	}
	if !ok {
		return
	}
	if _, err := rowrule.Order(rules, func(string) bool { return false }); err != nil {
		at := len(rules) - 1
		var e *rowrule.Error
		if errors.As(err, &e) {
			at = slices.IndexFunc(r.Rules, func(s string) bool { return s == e.Rule })
		}
		r.ruleError(add, max(at, 0), err)
	}
}

func (r *Recipe) ruleError(add adder, i int, err error) {
	var e *rowrule.Error
	if !errors.As(err, &e) {
		add(fmt.Sprintf("rules[%d]", i), "", "%v", err)
		return
	}
	add(fmt.Sprintf("rules[%d]", i), e.Hint, "character %d: %s", e.Char(), e.Msg)
}
