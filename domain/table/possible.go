package table

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/internal/rowrule"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/view"
)

// judgement is what a view of a row may be.
type judgement struct {
	m       *maker
	columns []Column
	allowed []bool // columns that something declared may change
	drops   []bool // columns that may be dropped
	masks   bool   // cells may be masked
}

// judgementOf says what views of the given steps may be.
func (m *maker) judgementOf(steps []*step, masks bool) *judgement {
	n := len(m.t.Columns)
	q := &judgement{m: m, columns: m.t.Columns, allowed: make([]bool, n), drops: make([]bool, n), masks: masks}
	for _, s := range steps {
		if s.op.row() {
			for _, j := range m.touch {
				q.allowed[j] = true
			}
			continue
		}
		q.allowed[s.column] = true
		q.drops[s.column] = q.drops[s.column] || s.op == opDrop
	}
	for _, d := range m.book.derivations {
		for _, in := range d.inputs {
			q.allowed[d.target] = q.allowed[d.target] || q.allowed[in]
			q.drops[d.target] = q.drops[d.target] || q.drops[in]
		}
	}
	return q
}

func (q *judgement) words(r *Row, j int) string { return q.columns[j].CellWords(r.V[j], r.S[j]) }

// quoted is a cell in a sentence: levels stand in quotes.
func (q *judgement) quoted(r *Row, j int) string {
	if s := q.words(r, j); r.S[j] == Present && q.columns[j].Kind.Coded() {
		return strconv.Quote(s)
	}
	return q.words(r, j)
}

// breach tells of a view that is no possible row.
func (q *judgement) breach(src, r *Row, rule, format string, args ...any) *domain.Breach {
	b := &domain.Breach{Rule: rule, Text: fmt.Sprintf(format, args...)}
	for j := range q.columns {
		b.Names = append(b.Names, q.columns[j].Name)
		b.Original = append(b.Original, q.words(src, j))
		b.View = append(b.View, q.words(r, j))
	}
	return b
}

// judge holds a view against the row that it is of.
func (q *judgement) judge(src, r *Row) *domain.Breach {
	for j := range q.columns {
		if same(r, src, j) {
			continue
		}
		if b := q.cell(src, r, j); b != nil {
			return b
		}
	}
	book := q.m.book
	for k := range book.derivations {
		d := &book.derivations[k]
		j := d.target
		if !differs(r, src, d.inputs) || r.S[j] == Missing && src.S[j] == Missing {
			continue
		}
		if x, ok := rowrule.Value(d.rule, r.V, r.S); ok && (r.S[j] != Present || math.Float64bits(x) != math.Float64bits(r.V[j])) {
			return q.breach(src, r, d.rule.Rule().Text(), "%s is %s, but follows from the other cells as %s.",
				q.columns[j].Name, q.quoted(r, j), q.columns[j].CellWords(x, Present))
		}
	}
	for k := range book.rules {
		u := &book.rules[k]
		if !differs(r, src, u.columns) || rowrule.Holds(u.rule, r.V, r.S) || !rowrule.Holds(u.rule, src.V, src.S) {
			continue
		}
		var parts []string
		for _, j := range u.columns {
			s := q.columns[j].Name + " is " + q.quoted(r, j)
			if !same(r, src, j) {
				s += " (was " + q.quoted(src, j) + ")"
			}
			parts = append(parts, s)
		}
		return q.breach(src, r, u.text, "The view breaks the rule: %s.", strings.Join(parts, ", "))
	}
	return nil
}

// cell judges cell j, which differs.
func (q *judgement) cell(src, r *Row, j int) *domain.Breach {
	c, l := &q.columns[j], &q.m.limits[j]
	was, is := q.quoted(src, j), q.quoted(r, j)
	switch {
	case c.Protected:
		return q.breach(src, r, "protected column "+c.Name, "%s was %s and became %s, but no view may change it.", c.Name, was, is)
	case j == q.m.book.target:
		return q.breach(src, r, "target "+c.Name, "%s was %s and became %s, but it is the target.", c.Name, was, is)
	case !q.allowed[j]:
		return q.breach(src, r, "column "+c.Name, "%s was %s and became %s, but nothing that is declared changes it.", c.Name, was, is)
	}
	switch r.S[j] {
	case Present:
	case Missing:
		if q.m.book.derived[j] || q.everMissing(j) {
			return nil
		}
		return q.breach(src, r, "missing values of "+c.Name, "%s was %s and is missing, which no row of the training part is.", c.Name, was)
	case Dropped:
		if q.drops[j] {
			return nil
		}
		return q.breach(src, r, "state of "+c.Name, "%s was %s and was dropped, but no drop is declared.", c.Name, was)
	case Masked:
		if q.masks {
			return nil
		}
		return q.breach(src, r, "state of "+c.Name, "%s was %s and was masked, but this view is not restored.", c.Name, was)
	default:
		return q.breach(src, r, "state of "+c.Name, "%s has the state %d, which there is not.", c.Name, r.S[j])
	}
	v := r.V[j]
	if c.Kind.Coded() {
		if v != math.Trunc(v) || !(v >= 0 && v < float64(len(c.Levels))) {
			if c.Kind != Ordinal && v == Unknown {
				return q.breach(src, r, "levels of "+c.Name, "%s was %s and became a level that the training part does not hold.", c.Name, was)
			}
			return q.breach(src, r, "levels of "+c.Name, "%s was %s and became code %g of %d levels.", c.Name, was, v, len(c.Levels))
		}
		return nil
	}
	if !(v >= l.lo && v <= l.hi) {
		return q.breach(src, r, q.boundsOf(j), "%s was %s and became %s, which is out of %s.", c.Name, was, is, q.boundsOf(j))
	}
	if x, _ := l.fit(v); x != v && !q.m.book.derived[j] {
		grid := map[Kind]string{Integer: "a whole number", Money: "a whole number of its smallest unit", Timestamp: "as exact as the data"}[c.Kind]
		if y, _ := l.fit(src.V[j]); src.S[j] != Present || y == src.V[j] {
			return q.breach(src, r, "precision of "+c.Name, "%s was %s and became %s, which is not %s.", c.Name, was, is, grid)
		}
	}
	return nil
}

// everMissing reports whether a cell of column j is missing in the training part.
func (q *judgement) everMissing(j int) bool {
	for _, i := range q.m.train {
		if q.m.t.States[j][i] != Present {
			return true
		}
	}
	return false
}

// boundsOf says which bounds column j keeps.
func (q *judgement) boundsOf(j int) string {
	c, l := &q.columns[j], &q.m.limits[j]
	if !c.Bounded && l.lo > -math.MaxFloat64 {
		return "bounds " + c.CellText(l.lo, Present) + ".. (the training part has nothing below)"
	}
	s := "bounds " + recipe.BoundsString(rg(l.lo, l.hi), c.Kind == Timestamp)
	if c.Unit != "" && c.Kind != Timestamp {
		s += " " + c.Unit
	}
	return s
}

// donors holds the written cells against the rows that they are said to come from.
func (q *judgement) donors(src, r *Row, changes []Change, steps []*step) *domain.Breach {
	t := q.m.t
	cur := NewRow(len(q.columns))
	CopyRow(&cur, src)
	for _, ch := range changes {
		s, j := steps[ch.Step], ch.Column
		if ch.Donor >= 0 {
			name := q.columns[j].Name
			if ch.Donor >= t.Rows || !q.m.inTrain(ch.Donor) {
				return q.breach(src, r, "donor of "+name, "%s was taken from row %d, which is not of the training part.", name, ch.Donor)
			}
			if t.States[j][ch.Donor] != ch.NewState || math.Float64bits(t.Values[j][ch.Donor]) != math.Float64bits(ch.New) {
				return q.breach(src, r, "donor of "+name, "%s became %s, which is not the cell of its donor, row %d.",
					name, q.columns[j].CellWords(ch.New, ch.NewState), ch.Donor)
			}
			if w := s.within; s.op == opSwapWithin && (t.States[w][ch.Donor] != cur.S[w] || t.Values[w][ch.Donor] != cur.V[w]) {
				return q.breach(src, r, s.cfg.Name+" within "+q.columns[w].Name, "%s was taken from a row with %s %s, but the row has %s.",
					name, q.columns[w].Name, q.columns[w].CellWords(t.Values[w][ch.Donor], t.States[w][ch.Donor]), q.quoted(&cur, w))
			}
		}
		cur.V[j], cur.S[j] = ch.New, ch.NewState
	}
	return nil
}

// inTrain reports whether a row of the table is of the training part, whose rows rise or not.
func (m *maker) inTrain(row int) bool {
	m.trainSet.Do(func() {
		m.trainRows = make([]bool, m.t.Rows)
		for _, i := range m.train {
			m.trainRows[i] = true
		}
	})
	return m.trainRows[row]
}

func failed(what string, err error) *domain.Breach {
	return &domain.Breach{Rule: what, Text: "The view cannot be made: " + err.Error() + "."}
}

// VerifyView checks every view that Fill makes of training sample i for (seed, epoch), cell by cell and exactly; nil is possible.
//
// Protected columns and the target are equal bit for bit; cells change only where something declared may change them; levels are
// those of the training part; bounds, precision, derived columns and rules hold; every swapped cell is that of its donor, a row of the
// training part (of swap_within: of the same group); masked cells occur in Restorable streams only, dropped ones where a drop is declared.
func (s *Samples) VerifyView(seed, epoch uint64, i int) (out *domain.Breach) {
	v, err := s.sampler()
	if err != nil {
		return failed("views", err)
	}
	var own Row
	v.each(seed, epoch, i, func(st *stream, _ int, w *workspace) {
		if out != nil {
			return
		}
		q := v.judges[0]
		if st.Kind == contract.Restorable {
			q = v.judges[1]
		}
		own = w.row
		if out = q.judge(&w.src, &own); out == nil {
			out = q.donors(&w.src, &own, *w.trace, v.m.steps)
		}
	})
	return out
}

// Verify checks row i of a part under one transformation alone; nil is possible. Masked cells are allowed to what may be Restorable.
// Transformations that are no RowTransformation are judged by their protected columns alone.
func (s *Samples) Verify(t domain.Transformation, p domain.Part, i int, params view.Params) *domain.Breach {
	v, err := s.sampler()
	if err != nil {
		return failed("views", err)
	}
	m, n := v.m, len(s.table.Columns)
	src, r := NewRow(n), NewRow(n)
	if err := s.Row(p, i, &src); err != nil {
		return failed("views", err)
	}
	rt, ok := t.(RowTransformation)
	if !ok {
		return s.verifyEncoded(v, t, p, i, params, &src)
	}
	if err := rt.ViewRow(&r, p, i, params); err != nil {
		return failed(t.Config().Name, err)
	}
	at := slices.IndexFunc(m.steps, func(s *step) bool { return s.cfg.Name == t.Config().Name })
	if at < 0 {
		return m.judgementOf(nil, false).judge(&src, &r)
	}
	q := m.judgementOf(m.steps[at:at+1], m.steps[at].cfg.Terms.Has(contract.Restorable))
	if b := q.judge(&src, &r); b != nil {
		return b
	}
	changes, err := rt.Details(p, i, params)
	if err != nil {
		return failed(t.Config().Name, err)
	}
	return q.donors(&src, &r, changes, m.steps)
}

// verifyEncoded compares the protected cells as the encoder sees them.
func (s *Samples) verifyEncoded(v *Sampler, t domain.Transformation, p domain.Part, i int, params view.Params, src *Row) *domain.Breach {
	in := s.Input()
	a, b := domain.NewArray(in, 1), domain.NewArray(in, 1)
	if err := s.Fill(&a, 0, p, i); err != nil {
		return failed("views", err)
	}
	if err := t.Fill(&b, 0, p, i, params); err != nil {
		return failed(t.Config().Name, err)
	}
	for k, c := range s.encoding.Cells {
		if col := &s.table.Columns[c.Column]; col.Protected && (a.F32[2*k] != b.F32[2*k] || a.F32[2*k+1] != b.F32[2*k+1]) {
			q := v.m.judgementOf(nil, false)
			return q.breach(src, src, "protected column "+col.Name, "%s is changed in what the encoder sees, but no view may change it.", col.Name)
		}
	}
	return nil
}

// Levels of a property: fewer are classes, of more the frequent ones.
const (
	maxClassesOfProperty = 64
	minRowsOfClass       = 20
)

// Properties are the columns that an audit can try to decode: protected ones, which must be decodable still, and columns with an
// Invariant drop, swap or swap_within, which should not be. Columns of levels are classes (of more than 64 levels those 64
// that most training rows have, 20 rows or more each), others numbers. Columns that the encoder does not see are none.
func (s *Samples) Properties() []domain.Property {
	kinds := map[int]contract.Kind{}
	for j := range s.table.Columns {
		if c := &s.table.Columns[j]; c.Protected && c.Input {
			kinds[j] = contract.Protected
		}
	}
	for _, t := range s.recipe.AllTransforms() {
		dot := strings.LastIndexByte(t.Name, '.')
		if dot < 0 || !t.Terms.Has(contract.Invariant) || !slices.Contains([]string{"drop", "swap", "swap_within"}, t.Name[dot+1:]) {
			continue
		}
		if j := s.table.Lookup(t.Name[:dot]); j >= 0 && s.table.Columns[j].Input {
			kinds[j] = contract.Invariant
		}
	}
	var out []domain.Property
	for j := range s.table.Columns {
		if k, ok := kinds[j]; ok {
			if p, ok := s.property(j, k); ok {
				out = append(out, p)
			}
		}
	}
	return out
}

func (s *Samples) property(j int, kind contract.Kind) (domain.Property, bool) {
	c := &s.table.Columns[j]
	p := domain.Property{Name: c.Name, Kind: kind}
	v, st := s.table.Values[j], s.table.States[j]
	if !c.Kind.Coded() {
		p.Value = func(part domain.Part, i int) (float64, bool) {
			at := s.parts[part][i]
			return v[at], st[at] == Present
		}
		return p, true
	}
	if c.Kind == Text {
		return p, false
	}
	count := make([]int, len(c.Levels))
	for _, i := range s.parts[domain.Train] {
		if k := int(v[i]); st[i] == Present && v[i] >= 0 && k < len(count) {
			count[k]++
		}
	}
	var frequent []int
	for k, n := range count {
		if len(count) <= maxClassesOfProperty || n >= minRowsOfClass {
			frequent = append(frequent, k)
		}
	}
	slices.SortStableFunc(frequent, func(a, b int) int { return count[b] - count[a] })
	frequent = frequent[:min(len(frequent), maxClassesOfProperty)]
	slices.Sort(frequent)
	if len(frequent) < 2 {
		return p, false
	}
	class := make(map[int]float64, len(frequent))
	for n, k := range frequent {
		class[k] = float64(n)
	}
	p.Classes = len(frequent)
	p.Value = func(part domain.Part, i int) (float64, bool) {
		at := s.parts[part][i]
		if st[at] != Present {
			return 0, false
		}
		k, ok := class[int(v[at])]
		return k, ok
	}
	return p, true
}

var _ domain.Verifier = (*Samples)(nil)
