package table

import (
	"fmt"
	"math"
	"sync"

	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/internal/rowrule"
	"github.com/selfsame-ml/selfsame/view"
)

// maker applies the transformations of a recipe to rows. It is safe for concurrent use.
type maker struct {
	t      *Table
	enc    *Encoding
	limits []limits
	steps  []*step
	touch  []int32 // the M columns that row-wise transformations choose from
	train  []int32 // rows of the training part: the donors
	book   *rulebook
	pack   []float64 // [train, columns]: the training part row by row, see packed; nil where that would be large

	trainSet  sync.Once
	trainRows []bool // by row of the table; see inTrain
}

// limits are what a calculated cell of a column must keep.
type limits struct {
	lo, hi float64
	round  rounding
	by     float64 // decimals: power of ten; grid: its width
	coded  bool
}

type rounding uint8

const (
	roundNot      rounding = iota
	roundDecimals          // to 1/by
	roundGrid              // to multiples of by
)

func newMaker(s *Samples) (*maker, error) {
	m := &maker{t: s.table, enc: s.encoding, train: s.parts[domain.Train]}
	if len(m.train) == 0 {
		return nil, fmt.Errorf("table: %w: the training part has no row to draw from", view.ErrConfig)
	}
	m.packTrain()
	m.limits = make([]limits, len(m.t.Columns))
	for j := range m.limits {
		m.limits[j] = limitsOf(m.t, m.train, j)
	}
	var err error
	if m.book, err = newRulebook(s, m.limits); err != nil {
		return nil, err
	}
	for j := range m.t.Columns {
		if c := &m.t.Columns[j]; c.Input && !c.Protected && j != m.book.target && !m.book.derived[j] {
			m.touch = append(m.touch, int32(j))
		}
	}
	by := map[int]*groups{}
	for _, c := range s.recipe.AllTransforms() {
		st, err := newStep(c, m.t)
		if err != nil {
			return nil, err
		}
		st.at = len(m.steps)
		switch {
		case st.column >= 0 && st.column == m.book.target:
			return nil, fmt.Errorf("table: %w: %s: the column is the target", view.ErrConfig, c.Name)
		case st.column >= 0 && m.book.derived[st.column]:
			return nil, fmt.Errorf("table: %w: %s: the column is derived from others by a rule", view.ErrConfig, c.Name)
		case st.op.row():
			if hi := st.cfg.Params["share"].To; m.chosen(hi, len(m.touch)) == 0 && hi > 0 {
				return nil, fmt.Errorf("table: %w: %s: a share of %g of the %d columns that may change is none of them", view.ErrConfig, c.Name, hi, len(m.touch))
			}
		case st.op == opSwapWithin:
			if by[st.within] == nil {
				by[st.within] = newGroups(m.t, m.train, st.within)
			}
			st.groups = by[st.within]
		}
		m.steps = append(m.steps, st)
	}
	return m, nil
}

// maxPack is the largest number of cells that are held row by row beside the table (256 MiB).
const maxPack = 32 << 20

// packed is a cell as one number: its value, or a NaN that carries the state. No cell that is present is a NaN.
func packed(v float64, s State) float64 {
	if s == Present {
		return v
	}
	return math.Float64frombits(0x7ff8<<48 | uint64(s))
}

// unpacked is the inverse of packed.
func unpacked(x float64) (float64, State) {
	if x == x {
		return x, Present
	}
	return 0, State(math.Float64bits(x))
}

// packTrain lays the training part out row by row: a view reads one row and single cells of many others, each a miss of the
// cache.
func (m *maker) packTrain() {
	n := len(m.t.Columns)
	if n*len(m.train) > maxPack {
		return
	}
	m.pack = make([]float64, n*len(m.train))
	for j := range n {
		v, st := m.t.Values[j], m.t.States[j]
		for k, i := range m.train {
			m.pack[k*n+j] = packed(v[i], st[i])
		}
	}
}

// read copies training row k into r.
func (m *maker) read(k int, r *Row) {
	if m.pack == nil {
		m.t.Read(int(m.train[k]), r)
		return
	}
	n := len(r.V)
	for j, x := range m.pack[k*n : (k+1)*n] {
		if x == x {
			r.V[j], r.S[j] = x, Present
		} else {
			r.V[j], r.S[j] = unpacked(x)
		}
	}
}

// cell is cell j of training row k, packed.
func (m *maker) cell(j, k int) float64 {
	if m.pack == nil {
		i := m.train[k]
		return packed(m.t.Values[j][i], m.t.States[j][i])
	}
	return m.pack[k*len(m.t.Columns)+j]
}

// limitsOf says what calculated cells of column j keep: its bounds, and the grid on which the training part lies (whole numbers, cents,
// whole seconds, minutes or days). Whole numbers and amounts that are
// never negative, or always positive, stay so.
func limitsOf(t *Table, train []int32, j int) limits {
	c := &t.Columns[j]
	l := limits{lo: -math.MaxFloat64, hi: math.MaxFloat64, coded: c.Kind.Coded()}
	all := func(ok func(v float64) bool) bool {
		for _, i := range train {
			if t.States[j][i] == Present && !ok(t.Values[j][i]) {
				return false
			}
		}
		return true
	}
	switch c.Kind {
	case Ordinal:
		l.lo, l.hi, l.round, l.by = 0, float64(len(c.Levels)-1), roundGrid, 1
		return l
	case Integer:
		l.round, l.by = roundGrid, 1
	case Money:
		l.round = roundDecimals
		for d := max(c.Decimals, 0); ; d++ {
			if l.by = pow10[d]; d >= 2 || all(func(v float64) bool { return math.RoundToEven(v*l.by)/l.by == v }) {
				break
			}
		}
	case Timestamp:
		for _, by := range []float64{daySeconds, 60, 1} {
			if all(func(v float64) bool { return math.Mod(v, by) == 0 }) {
				l.round, l.by = roundGrid, by
				break
			}
		}
	}
	if c.Bounded {
		l.lo, l.hi = c.Bounds.From, c.Bounds.To
	} else if c.Kind == Integer || c.Kind == Money {
		switch {
		case all(func(v float64) bool { return v > 0 }):
			l.lo, _ = l.fit(1 / l.by) // the smallest there is: 1, or a cent
		case all(func(v float64) bool { return v >= 0 }):
			l.lo = 0
		}
	}
	return l
}

// fit rounds a calculated value; ok is false where it leaves the bounds.
func (l *limits) fit(v float64) (float64, bool) {
	switch l.round {
	case roundGrid:
		if l.by == 1 {
			v = math.RoundToEven(v)
		} else {
			v = math.RoundToEven(v/l.by) * l.by
		}
	case roundDecimals:
		v = math.RoundToEven(v*l.by) / l.by
	}
	return v, v >= l.lo && v <= l.hi
}

// there reports whether a cell has a value to calculate with.
func (m *maker) there(r *Row, j int) bool {
	return r.S[j] == Present && (r.V[j] >= 0 || !m.limits[j].coded)
}

// chosen is floor(share*n), of what is meant by the decimal share.
func (m *maker) chosen(share float64, n int) int { return int(share*float64(n) + 1e-9) }

// pick chooses the columns of a row-wise draw into w.perm and returns them; g goes on.
func (m *maker) pick(w *workspace, g *splitmix, d *drawn) []int32 {
	perm := w.perm[:copy(w.perm, m.touch)]
	if d.spared >= 0 {
		for k, j := range perm {
			if j == d.spared {
				perm[k] = perm[len(perm)-1]
				perm = perm[:len(perm)-1]
				break
			}
		}
	}
	n := m.chosen(d.v, len(perm))
	for k := range n {
		q := k + g.intn(len(perm)-k)
		perm[k], perm[q] = perm[q], perm[k]
	}
	return perm[:n]
}

// apply changes w.row as drawn; it is pure in the row and the draw. It returns false, and leaves the row as it is, where
// the result leaves the bounds of the column.
func (m *maker) apply(w *workspace, s *step, d *drawn) bool {
	if d.v == s.spec.Identity {
		return true
	}
	r, j := &w.row, s.column
	switch s.op {
	case opDrop:
		m.write(w, s, j, -1, 0, Dropped)
	case opMask:
		m.write(w, s, j, -1, 0, Masked)
	case opJitter, opShift, opScale, opNoise:
		if !m.there(r, j) {
			return true
		}
		v := r.V[j]
		switch s.op {
		case opScale:
			v *= d.v
		case opNoise:
			g := d.key
			v += d.v * g.normal()
		default:
			v += d.v
		}
		v, ok := m.limits[j].fit(v)
		if !ok {
			return false
		}
		m.write(w, s, j, -1, v, Present)
	case opSwap:
		g := d.key
		m.give(w, s, j, g.intn(len(m.train)))
	case opSwapWithin:
		g := d.key
		if r.S[s.within] != Present {
			return true
		}
		if donor := s.groups.donor(&g, r.V[s.within]); donor >= 0 {
			m.give(w, s, j, donor)
		}
	case opCorrupt:
		g := d.key
		chosen := m.pick(w, &g, d)
		rows, cells := w.donors[:len(chosen)], w.cells[:len(chosen)]
		for q := range rows {
			rows[q] = g.intn(len(m.train))
		}
		// All cells are fetched before the first is looked at: the misses of the cache overlap.
		if n := len(m.t.Columns); m.pack != nil {
			for q, j := range chosen {
				cells[q] = m.pack[rows[q]*n+int(j)]
			}
		} else {
			for q, j := range chosen {
				cells[q] = m.cell(int(j), rows[q])
			}
		}
		for q, j := range chosen {
			m.put(w, s, int(j), rows[q], cells[q])
		}
	case opMaskRows:
		g := d.key
		for _, j := range m.pick(w, &g, d) {
			m.write(w, s, int(j), -1, 0, Masked)
		}
	}
	return true
}

func (m *maker) give(w *workspace, s *step, j, k int) { m.put(w, s, j, k, m.cell(j, k)) }

// put writes x, the packed cell j of training row k.
func (m *maker) put(w *workspace, s *step, j, k int, x float64) {
	r := &w.row
	if w.trace != nil {
		v, st := unpacked(x)
		m.write(w, s, j, int(m.train[k]), v, st)
		return
	}
	if x == x {
		r.V[j], r.S[j] = x, Present
	} else {
		r.V[j], r.S[j] = unpacked(x)
	}
}

func (m *maker) write(w *workspace, s *step, j, donor int, v float64, st State) {
	r := &w.row
	if w.trace != nil {
		*w.trace = append(*w.trace, Change{Step: s.at, Column: j, Donor: donor, Old: r.V[j], New: v, OldState: r.S[j], NewState: st})
	}
	r.V[j], r.S[j] = v, st
}

// maskOf sets the elements of dst [cells] that a draw replaces, and the derived ones that follow them, to 1 and the
// others to 0.
func (m *maker) maskOf(dst []uint8, s *step, d *drawn, w *workspace) {
	clear(dst)
	hit := w.blame
	clear(hit)
	switch {
	case d.v == s.spec.Identity:
	case s.op.row():
		g := d.key
		for _, j := range m.pick(w, &g, d) {
			hit[j] = true
		}
	default:
		hit[s.column] = true
	}
	for _, d := range m.book.derivations {
		for _, in := range d.inputs {
			hit[d.target] = hit[d.target] || hit[in]
		}
	}
	for k := range m.enc.Cells {
		if hit[m.enc.Cells[k].Column] {
			dst[k] = 1
		}
	}
}

// rulebook are the rules between the columns of a table.
type rulebook struct {
	any         bool
	target      int // the column that is to be predicted; -1
	derived     []bool
	derivations []derivation
	rules       []bound
	limits      []limits
}

type derivation struct {
	rule   *rowrule.Bound
	target int
	inputs []int
}

type bound struct {
	rule    *rowrule.Bound
	text    string
	columns []int
}

// newRulebook binds the rules of the samples' recipe.
func newRulebook(s *Samples, lim []limits) (*rulebook, error) {
	t, r := s.table, s.recipe
	b := &rulebook{target: -1, derived: make([]bool, len(t.Columns)), limits: lim}
	if r.Data.Target != "" {
		b.target = t.Lookup(r.Data.Target)
	}
	resolve := func(name string) (rowrule.Column, bool) {
		j := t.Lookup(name)
		if j < 0 {
			return rowrule.Column{}, false
		}
		return ruleColumn(t, j, &lim[j]), true
	}
	var rules []*rowrule.Rule
	for _, text := range r.Rules {
		rule, err := rowrule.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("table: rule %q: %w", text, err)
		}
		bd, err := rule.Bind(resolve)
		if err != nil {
			return nil, fmt.Errorf("table: rule %q: %w", text, err)
		}
		rules = append(rules, rule)
		b.rules = append(b.rules, bound{rule: bd, text: text, columns: places(t, rule.Columns())})
	}
	order, err := rowrule.Order(rules, func(name string) bool {
		j := t.Lookup(name)
		c := r.Column(name)
		return j >= 0 && j != b.target && !t.Columns[j].Protected && (c == nil || len(c.Transforms) == 0)
	})
	if err != nil {
		return nil, fmt.Errorf("table: %w", err)
	}
	for _, k := range order {
		j, ok := b.rules[k].rule.Derived()
		if !ok || j == b.target {
			continue
		}
		b.derived[j] = true
		b.derivations = append(b.derivations, derivation{rule: b.rules[k].rule, target: j, inputs: places(t, rules[k].Inputs())})
	}
	b.any = len(b.rules) > 0
	return b, nil
}

func places(t *Table, names []string) []int {
	out := make([]int, len(names))
	for k, n := range names {
		out[k] = t.Lookup(n)
	}
	return out
}

// ruleColumn is what rules know of column j.
func ruleColumn(t *Table, j int, l *limits) rowrule.Column {
	c := &t.Columns[j]
	out := rowrule.Column{Index: j, Decimals: -1}
	switch {
	case c.Kind == Timestamp:
		out.Kind = rowrule.Time
	case c.Kind == Ordinal:
		out.Kind = rowrule.Ranked
	case c.Kind.Coded():
		out.Kind = rowrule.Coded
	case c.Kind == Integer:
		out.Decimals = 0
	case c.Kind == Money:
		out.Tolerance = 0.5 / l.by
		out.Decimals = int(math.Round(math.Log10(l.by)))
	}
	if c.Kind.Coded() {
		levels := c.Levels
		out.Code = func(level string) (float64, bool) {
			for k, l := range levels {
				if l == level {
					return float64(k), true
				}
			}
			return 0, false
		}
	}
	return out
}

// same reports whether cell j of two rows is equal, bit for bit.
func same(a, b *Row, j int) bool {
	return a.S[j] == b.S[j] && math.Float64bits(a.V[j]) == math.Float64bits(b.V[j])
}

// differs reports whether two rows differ in one of the columns.
func differs(a, b *Row, columns []int) bool {
	for _, j := range columns {
		if !same(a, b, j) {
			return true
		}
	}
	return false
}

// derive computes the derived columns of r of which an input differs from src; the others keep their cells. Where an input was
// dropped or masked, what follows from it is too; a cell that is missing in src stays missing.
func (b *rulebook) derive(r, src *Row) {
	for k := range b.derivations {
		d := &b.derivations[k]
		j := d.target
		r.V[j], r.S[j] = src.V[j], src.S[j]
		if r.S[j] == Missing || !differs(r, src, d.inputs) {
			continue
		}
		if x, ok := rowrule.Value(d.rule, r.V, r.S); ok {
			r.V[j], r.S[j] = x, Present
			continue
		}
		st := Missing
		for _, in := range d.inputs {
			st = max(st, r.S[in])
		}
		r.V[j], r.S[j] = 0, st
	}
}

// broken finds the first rule that r breaks and src keeps, or the first derived cell out of bounds (by number of
// derivation); -1 where there is none.
func (b *rulebook) broken(r, src *Row) (rule, derived int) {
	for k := range b.derivations {
		j := b.derivations[k].target
		if l := &b.limits[j]; r.S[j] == Present && !(r.V[j] >= l.lo && r.V[j] <= l.hi) && !same(r, src, j) {
			return -1, k
		}
	}
	for k := range b.rules {
		q := &b.rules[k]
		if differs(r, src, q.columns) && !rowrule.Holds(q.rule, r.V, r.S) && rowrule.Holds(q.rule, src.V, src.S) {
			return k, -1
		}
	}
	return -1, -1
}

func (b *rulebook) possible(r, src *Row) bool {
	rule, derived := b.broken(r, src)
	return rule < 0 && derived < 0
}

// repair gives the columns of r that break something their cells of src back, until r is possible, and returns how many cells
// that were. It does so in a fixed order: the same row gives the same result.
func (b *rulebook) repair(r, src *Row, blame []bool) (kept int64) {
	for range len(blame) + 1 {
		rule, derived := b.broken(r, src)
		if rule < 0 && derived < 0 {
			return kept
		}
		clear(blame)
		if rule >= 0 {
			for _, j := range b.rules[rule].columns {
				blame[j] = true
			}
		} else {
			blame[b.derivations[derived].target] = true
		}
		for k := len(b.derivations) - 1; k >= 0; k-- { // what a blamed column follows from is to blame
			if d := &b.derivations[k]; blame[d.target] {
				for _, in := range d.inputs {
					blame[in] = true
				}
			}
		}
		back := int64(0)
		for j, is := range blame {
			if is && !b.derived[j] && !same(r, src, j) {
				r.V[j], r.S[j] = src.V[j], src.S[j]
				back++
			}
		}
		kept += back
		if back == 0 {
			break
		}
		b.derive(r, src)
	}
	CopyRow(r, src)
	return kept + 1
}
