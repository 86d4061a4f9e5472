package table

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/view"
)

// op is what a transformation does.
type op uint8

const (
	opDrop op = iota
	opJitter
	opScale
	opShift
	opSwap
	opSwapWithin
	opNoise
	opMask
	opCorrupt  // of the row
	opMaskRows // of the row
)

// row reports whether the transformation acts on the whole row, not on one column.
func (o op) row() bool { return o >= opCorrupt }

// moves reports whether the transformation calculates with the value of a cell.
func (o op) moves() bool { return o == opJitter || o == opScale || o == opShift || o == opNoise }

// keyed reports whether what Apply does follows from a key in the parameters too.
func (o op) keyed() bool {
	return o == opSwap || o == opSwapWithin || o == opNoise || o == opCorrupt || o == opMaskRows
}

// Params.V of the transformations: the principal value, the two halves of the key (where there is one), and of
// row-wise ones the column that is spared, or -1.
const (
	paramKeyHigh = 1
	paramKeyLow  = 2
	paramSpared  = 3
)

// widest bounds parameters in the unit of a column.
const widest = 1e15

var (
	moveKinds   = []contract.Kind{contract.Invariant, contract.Equivariant}
	damageKinds = []contract.Kind{contract.Invariant, contract.Restorable}
	hideKinds   = []contract.Kind{contract.Restorable, contract.Invariant}
)

type def struct {
	op   op
	spec view.Spec
}

func rg(from, to float64) contract.Range { return contract.Range{From: from, To: to} }

func onOff(name, doc string) []view.ParamSpec {
	return []view.ParamSpec{{Name: name, Unit: "0 or 1", Min: 0, Max: 1, Default: rg(1, 1), Integer: true, Doc: doc}}
}

var defs = []def{
	{opDrop, view.Spec{Name: "*.drop", P: 0.5, Kinds: []contract.Kind{contract.Invariant},
		Doc:    "takes the cell away: the encoder sees that nothing is there",
		Params: onOff("drop", "1 drops; p decides how often")}},
	{opJitter, view.Spec{Name: "*.jitter", P: 0.8, Kinds: moveKinds,
		Doc:    "adds a small uniform amount to a number or a time; the cell stays within its bounds",
		Params: []view.ParamSpec{{Name: "jitter", Unit: "unit of the column", Min: -widest, Max: widest, Default: rg(-1, 1), Doc: "what is added; one number stands for both signs"}}}},
	{opScale, view.Spec{Name: "*.scale", P: 0.8, Kinds: moveKinds, Identity: 1,
		Doc:    "multiplies a number; the cell stays within its bounds",
		Params: []view.ParamSpec{{Name: "scale", Unit: "factor", Min: 1e-9, Max: 1e9, Default: rg(0.95, 1.05), Doc: "factor, uniform; 1 changes nothing"}}}},
	{opShift, view.Spec{Name: "*.shift", P: 0.8, Kinds: moveKinds,
		Doc:    "adds a uniform amount; keep: hour moves a time by whole days, keep: weekday by whole weeks",
		Params: []view.ParamSpec{{Name: "shift", Unit: "unit of the column", Min: -widest, Max: widest, Default: rg(-1, 1), Doc: "what is added; one number stands for both signs"}}}},
	{opSwap, view.Spec{Name: "*.swap", P: 0.3, Kinds: damageKinds,
		Doc:    "replaces the cell by that of a training row drawn at random: the column's empirical marginal (VIME, Yoon et al. 2020)",
		Params: onOff("swap", "1 swaps; p decides how often")}},
	{opSwapWithin, view.Spec{Name: "*.swap_within", P: 0.3, Kinds: damageKinds,
		Doc:    "replaces the cell by that of a training row drawn among those with an equal cell in the column that within names",
		Params: onOff("swap", "1 swaps; p decides how often")}},
	{opNoise, view.Spec{Name: "*.noise", P: 0.5, Kinds: damageKinds,
		Doc:    "adds Gaussian noise to a number or a time; the cell stays within its bounds",
		Params: []view.ParamSpec{{Name: "sd", Unit: "unit of the column", Min: 0, Max: widest, Default: rg(1, 1), Doc: "standard deviation"}}}},
	{opMask, view.Spec{Name: "*.mask", P: 1, Kinds: hideKinds,
		Doc:    "hides the cell, for the encoder to restore it",
		Params: onOff("mask", "1 hides")}},
	{opCorrupt, view.Spec{Name: "corrupt", P: 1, Kinds: damageKinds,
		Doc: "SCARF (Bahri et al. 2022, arXiv 2106.15147): exactly floor(share*M) of the M columns that may change, drawn without replacement; each cell becomes " +
			"that of a training row drawn for this row and column: the column's empirical marginal",
		Params: []view.ParamSpec{{Name: "share", Unit: "fraction", Min: 0, Max: 1, Default: rg(0.6, 0.6), Doc: "of the inputs that are neither protected nor derived"}}}},
	{opMaskRows, view.Spec{Name: "mask", P: 1, Kinds: hideKinds,
		Doc:    "hides exactly floor(share*M) of the M columns that may change, drawn without replacement (masked modelling)",
		Params: []view.ParamSpec{{Name: "share", Unit: "fraction", Min: 0, Max: 1, Default: rg(0.3, 0.3), Doc: "of the inputs that are neither protected nor derived"}}}},
}

// Specs lists the transformations of rows: those named "*.NAME" act on one column and are declared below it.
func Specs() []view.Spec {
	out := make([]view.Spec, len(defs))
	for i := range defs {
		out[i] = defs[i].spec
	}
	return out
}

func defOf(name string) (*def, bool) {
	for i := range defs {
		if defs[i].spec.Name == name {
			return &defs[i], true
		}
	}
	return nil, false
}

// step is one declared transformation, compiled for the columns of a table.
type step struct {
	op     op
	spec   view.Spec // of the declared name
	cfg    view.Config
	at     int     // in the order of the recipe
	column int     // -1: the row
	within int     // of swap_within
	grid   float64 // of shift: the shift is a multiple of it; 0: any
	groups *groups // of swap_within

	invariant, equi, restore view.Set
	threshold                uint64 // applied where a draw of 63 bits is below
}

// words are the kinds whose cells a transformation can calculate with.
func (o op) fits(k Kind) bool {
	switch o {
	case opScale:
		return k.Numeric()
	case opJitter, opShift, opNoise:
		return k.Numeric() || k == Timestamp || k == Ordinal
	}
	return true
}

// newStep resolves a declaration. Errors wrap view.ErrConfig.
func newStep(c view.Config, t *Table) (*step, error) {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("table: %w: %s: "+format, append([]any{view.ErrConfig, c.Name}, args...)...)
	}
	s := &step{column: -1, within: -1}
	d, ok := defOf(c.Name)
	if !ok || d.spec.Name != c.Name || !d.op.row() {
		dot := strings.LastIndexByte(c.Name, '.')
		if dot < 0 {
			return nil, bad("unknown transformation")
		}
		if d, ok = defOf(recipe.ColumnTransform + c.Name[dot+1:]); !ok {
			return nil, bad("unknown transformation of a column")
		}
		if s.column = t.Lookup(c.Name[:dot]); s.column < 0 {
			return nil, bad("the table has no column %q", c.Name[:dot])
		}
	}
	s.op, s.spec = d.op, d.spec
	s.spec.Name = c.Name
	if s.column >= 0 {
		col := &t.Columns[s.column]
		switch {
		case col.Protected:
			return nil, bad("the column is protected: nothing may change in it")
		case !s.op.fits(col.Kind):
			return nil, bad("the column is of kind %s, with which nothing is calculated (possible: drop, mask, swap, swap_within)", col.Kind)
		}
	}
	if o := c.Options[recipe.OptionWithin]; s.op == opSwapWithin {
		if s.within = t.Lookup(o); s.within < 0 {
			return nil, bad("the table has no column %q to swap within", o)
		}
		if s.within == s.column {
			return nil, bad("a column is not swapped within itself")
		}
	}
	if o := c.Options[recipe.OptionKeep]; o != "" {
		grid := map[string]float64{"hour": daySeconds, "weekday": 7 * daySeconds}[o]
		if s.op != opShift || grid == 0 || t.Columns[s.column].Kind != Timestamp {
			return nil, bad("keep: %s is of the shift of a timestamp (hour or weekday)", o)
		}
		s.grid = grid
	}
	c, err := s.spec.Resolve(c)
	if err != nil {
		return nil, fmt.Errorf("table: %w", err)
	}
	s.cfg = c
	ps := s.spec.Params[0]
	declared := c.Params[ps.Name]
	s.invariant = view.SetOf(c.Terms, contract.Invariant, declared, ps.Integer)
	s.equi = view.SetOf(c.Terms, contract.Equivariant, declared, ps.Integer)
	s.restore = view.SetOf(c.Terms, contract.Restorable, declared, ps.Integer)
	for _, k := range []struct {
		kind contract.Kind
		set  *view.Set
	}{{contract.Invariant, &s.invariant}, {contract.Equivariant, &s.equi}, {contract.Restorable, &s.restore}} {
		if !c.Terms.Has(k.kind) {
			continue
		}
		if k.set.Empty() {
			return nil, bad("no value of the declared range %s is %s", declared, k.kind)
		}
		h := k.set.Hull()
		if lo, hi := math.Ceil(h.From/s.grid), math.Floor(h.To/s.grid); s.grid > 0 && (lo > hi || lo == 0 && hi == 0) {
			return nil, bad("keep: %s moves by whole multiples of %g days, of which the %s range %g..%g days holds none but 0",
				c.Options[recipe.OptionKeep], s.grid/daySeconds, k.kind, h.From/daySeconds, h.To/daySeconds)
		}
	}
	s.threshold = uint64(c.P * (1 << 63))
	return s, nil
}

const daySeconds = 86400

// principal draws the principal parameter from the set of one contract. Shifts by whole days or weeks are drawn until
// they lie in the set again.
func (s *step) principal(g *splitmix, set *view.Set) (v float64, ok bool) {
	for range view.Tries {
		v = drawSet(g, set)
		if s.grid == 0 {
			return v, true
		}
		if v = math.RoundToEven(v/s.grid) * s.grid; set.Contains(v) {
			return v, true
		}
	}
	return v, false
}

// drawSet is view.Set.Draw without an interface between.
func drawSet(g *splitmix, set *view.Set) float64 {
	r := set.Ranges[0]
	if n := len(set.Ranges); n > 1 { // ranges of several widths
		total := 0.0
		for _, q := range set.Ranges {
			total += size(q, set.Integer)
		}
		u := g.float() * total
		for i, q := range set.Ranges {
			r = q
			if u -= size(q, set.Integer); u < 0 || i == n-1 {
				break
			}
		}
	}
	switch {
	case r.From == r.To:
		return r.From
	case set.Integer:
		lo := math.Ceil(r.From)
		return lo + float64(g.intn(int(math.Floor(r.To)-lo)+1))
	}
	return r.Lerp(g.float())
}

func size(r contract.Range, integer bool) float64 {
	if integer {
		return r.Width() + 1
	}
	return r.Width()
}

// splitmix is the generator inside of a view, started from a key of internal/rng (Steele, Lea & Flood 2014).
type splitmix uint64

func (s *splitmix) next() uint64 {
	*s += 0x9e3779b97f4a7c15
	z := uint64(*s)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// intn is uniform in 0..n-1 up to n/2^64.
func (s *splitmix) intn(n int) int {
	hi, _ := bits.Mul64(s.next(), uint64(n))
	return int(hi)
}

// float is uniform in [0, 1) with 53 bits.
func (s *splitmix) float() float64 { return float64(s.next()>>11) / (1 << 53) }

// normal is standard Gaussian: the polar method of Marsaglia & Bray 1964, of which one of the pair is used.
func (s *splitmix) normal() float64 {
	for {
		z := s.next()
		a := float64(int32(z))/(1<<31) + 1./(1<<32)
		b := float64(int32(z>>32))/(1<<31) + 1./(1<<32)
		if q := a*a + b*b; q < 1 && q > 0 {
			return a * math.Sqrt(-2*math.Log(q)/q)
		}
	}
}

func keyOf(p *view.Params) splitmix {
	return splitmix(uint64(p.V[paramKeyHigh])<<32 | uint64(p.V[paramKeyLow]))
}

// groups are the training rows by the cell of a column.
type groups struct {
	first  []int32           // rows of group g are rows[first[g]:first[g+1]]
	rows   []int32           // places in the training part
	byCode bool              // group = code of the level
	by     map[float64]int32 // else
}

// newGroups sorts the training rows by column j; missing and unknown cells are in no group.
func newGroups(t *Table, train []int32, j int) *groups {
	g := &groups{byCode: t.Columns[j].Kind.Coded()}
	n := len(t.Columns[j].Levels)
	if !g.byCode {
		g.by = map[float64]int32{}
		var distinct []float64
		for _, i := range train {
			if v := t.Values[j][i]; t.States[j][i] == Present {
				if _, ok := g.by[v]; !ok {
					g.by[v] = 0
					distinct = append(distinct, v)
				}
			}
		}
		slices.Sort(distinct)
		for k, v := range distinct {
			g.by[v] = int32(k)
		}
		n = len(distinct)
	}
	g.first = make([]int32, n+1)
	each := func(fn func(at, k int32)) {
		for at, i := range train {
			if t.States[j][i] == Present {
				if k := g.of(t.Values[j][i]); k >= 0 {
					fn(int32(at), k)
				}
			}
		}
	}
	each(func(_, k int32) { g.first[k+1]++ })
	for k := range n {
		g.first[k+1] += g.first[k]
	}
	at := slices.Clone(g.first)
	g.rows = make([]int32, g.first[n])
	each(func(i, k int32) { g.rows[at[k]] = i; at[k]++ })
	return g
}

// of is the group of a cell, or -1.
func (g *groups) of(v float64) int32 {
	if g.byCode {
		if k := int32(v); k >= 0 && int(k)+1 < len(g.first) {
			return k
		}
		return -1
	}
	if k, ok := g.by[v]; ok {
		return k
	}
	return -1
}

// donor draws (the place of) a training row with the cell v in the group's column; -1 where there is none.
func (g *groups) donor(s *splitmix, v float64) int {
	k := g.of(v)
	if k < 0 || g.first[k] == g.first[k+1] {
		return -1
	}
	return int(g.rows[int(g.first[k])+s.intn(int(g.first[k+1]-g.first[k]))])
}
