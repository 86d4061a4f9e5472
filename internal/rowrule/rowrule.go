// Package rowrule reads and checks rules between the columns of a table, such as
//
//	total == quantity * price
//	shipped_at >= bought_at and shipped_at - bought_at <= 30d
//	if status == "paid" then paid_at >= bought_at
//	tax = round(net * 0.19, 2)
//
// A comparison is one of == != < <= > >= between expressions of columns, numbers, durations (90s, 10m, 36h, 30d, 2w:
// seconds), + - * / and min, max, abs, round(x, digits). A column whose name is no identifier stands in `backticks`; a
// text in quotes is a level of the column it is compared with. Conditions are joined by and, or, not and "if A then B".
// A single = derives the column on its left: it is computed anew in every view.
//
// A comparison that touches a missing cell is neither true nor false, and a rule is broken only where it is false
// (the three values of SQL and of Kleene): what is not known breaks no rule.
//
// Most users need [Parse], [Rule.Bind] and [Holds].
package rowrule

import (
	"fmt"
	"math"
	"slices"
)

// Kind says how the cells of a column are compared.
type Kind uint8

// The kinds of columns.
const (
	Number Kind = iota // numbers: compared with numbers
	Time               // seconds since 1970: compared with times, and after a difference with durations
	Coded              // codes of levels: compared for being equal, with a text or with a column of the same levels
	Ranked             // codes of ordered levels: < and > compare ranks
)

// Column is what a rule must know of a column.
type Column struct {
	Index int // into the values of a row
	Kind  Kind
	// Code gives the code of a level; ok is false where the column has no such level. Coded and Ranked.
	Code func(level string) (code float64, ok bool)
	// Tolerance is added to the relative tolerance of == and of the edges of <= and >=: half a cent (0.005) for money,
	// 0 for most.
	Tolerance float64
	// Decimals rounds what is derived for this column; -1 does not round.
	Decimals int
}

// Relative is the relative tolerance of == and != between numbers that are not both whole.
const Relative = 1e-9

// relativeTime is the same for times, whose seconds count from 1970: two milliseconds today.
const relativeTime = 1e-12

// Resolver finds a column by its name; ok is false where the table has none.
type Resolver func(name string) (c Column, ok bool)

// noCode is the code of a level that the column does not hold: equal to nothing.
var noCode = math.NaN()

// Bound is a rule compiled for the columns of one table. It is safe for concurrent use and does not allocate.
type Bound struct {
	rule   *Rule
	root   *code
	target int // of a derivation; -1
	column Column
	levels []string
}

// code is a node whose columns and levels are resolved.
type code struct {
	op    op
	val   float64
	index int
	tol   float64 // comparisons: absolute tolerance
	rel   float64 // comparisons: relative tolerance
	args  []*code
}

// shape is what static checking knows of an expression.
type shape struct {
	kind     Kind
	duration bool    // a difference of times, or a duration
	levels   *Column // Coded, Ranked: of this column
	tol      float64 // largest tolerance of the columns within
	name     string  // of a bare column
	literal  bool    // a number: fits every kind of number
}

// Bind compiles the rule for a table. An unknown column and a comparison of kinds that cannot be compared are *Error
// values; a level that the column does not hold is equal to no cell, see [Bound.Unknown].
func (r *Rule) Bind(resolve Resolver) (*Bound, error) {
	b := &binder{rule: r, resolve: resolve}
	root, _ := b.bind(r.root)
	if b.err != nil {
		return nil, b.err
	}
	out := &Bound{rule: r, root: root, target: -1, levels: b.levels}
	if name, _, ok := r.Derives(); ok {
		c, _ := resolve(name)
		if c.Kind == Number || c.Kind == Time {
			out.target, out.column = c.Index, c
		} else if r.derived {
			return nil, &Error{Rule: r.text, Pos: r.root.args[0].pos, Msg: fmt.Sprintf("%s holds levels: only numbers and times can be derived", quoteColumn(name))}
		}
	}
	return out, nil
}

type binder struct {
	rule    *Rule
	resolve Resolver
	levels  []string
	err     error
}

func (b *binder) fail(n *node, hint, format string, args ...any) (*code, shape) {
	if b.err == nil {
		b.err = &Error{Rule: b.rule.text, Pos: n.pos, Msg: fmt.Sprintf(format, args...), Hint: hint}
	}
	return &code{}, shape{}
}

func (b *binder) bind(n *node) (*code, shape) {
	if b.err != nil {
		return &code{}, shape{}
	}
	c := &code{op: n.op, val: n.val, rel: Relative}
	switch n.op {
	case opNumber:
		return c, shape{kind: Number, duration: n.dur, literal: !n.dur}
	case opTrue, opFalse:
		return c, shape{}
	case opColumn:
		col, ok := b.resolve(n.str)
		if !ok {
			return b.fail(n, "a text is quoted by \"", "the table has no column %s", quoteColumn(n.str))
		}
		c.index = col.Index
		s := shape{kind: col.Kind, tol: col.Tolerance, name: n.str}
		if col.Kind == Coded || col.Kind == Ranked {
			s.levels = &col
		}
		return c, s
	case opEq, opNe, opLt, opLe, opGt, opGe:
		return b.comparison(n, c)
	}
	shapes := make([]shape, len(n.args))
	for i, a := range n.args {
		var arg *code
		arg, shapes[i] = b.bind(a)
		c.args = append(c.args, arg)
		if b.err != nil {
			return c, shape{}
		}
		if !n.op.logical() && shapes[i].levels != nil {
			return b.fail(a, "", "%s holds levels: nothing is calculated with them", quoteColumn(shapes[i].name))
		}
	}
	if n.op.logical() {
		return c, shape{}
	}
	s := shape{kind: Number}
	times := 0
	for _, a := range shapes {
		s.tol = max(s.tol, a.tol)
		s.duration = s.duration || a.duration
		if a.kind == Time {
			times++
		}
	}
	switch {
	case times == 0:
		s.duration = s.duration && n.op != opMul && n.op != opDiv // of these nobody knows whether they are seconds still
		s.literal = !s.duration && s.tol == 0 && literals(shapes)
	case n.op == opSub && shapes[0].kind == Time && shapes[1].kind == Time:
		s.duration = true
	case n.op == opSub && shapes[0].kind == Time, n.op == opAdd && times == 1: // a time moved by a duration
		s.kind, s.duration = Time, false
	case (n.op == opMin || n.op == opMax) && times == len(shapes):
		s.kind, s.duration = Time, false
	default:
		return b.fail(n, "subtract two times, or move one by a duration such as 30d", "%s of a time has no meaning", opWords[n.op])
	}
	return c, s
}

func literals(shapes []shape) bool {
	return !slices.ContainsFunc(shapes, func(s shape) bool { return !s.literal })
}

func (b *binder) comparison(n *node, c *code) (*code, shape) {
	order := n.op != opEq && n.op != opNe
	for i, a := range n.args {
		if text, column := a, n.args[1-i]; a.op == opString {
			col, s := b.bind(column)
			if b.err != nil {
				return c, s
			}
			if s.kind == Time {
				at, ok := ParseTime(text.str)
				if !ok {
					return b.fail(a, "write \"2024-12-31\" or \"2024-12-31 23:59\"", "%q is no date", clip(text.str))
				}
				lit := &code{op: opNumber, val: at}
				c.args = []*code{col, lit}
				if i == 0 {
					c.args = []*code{lit, col}
				}
				return c, shape{}
			}
			if s.levels == nil {
				return b.fail(a, "", "%s holds no levels to compare a text with", quoteColumn(column.str))
			}
			if order && s.kind != Ranked {
				return b.fail(n, "declare kind: ordinal with levels", "the levels of %s have no order", quoteColumn(column.str))
			}
			v, ok := s.levels.Code(text.str)
			if !ok {
				if order {
					return b.fail(text, "", "%s has no level %q", quoteColumn(column.str), clip(text.str))
				}
				b.levels = append(b.levels, fmt.Sprintf("%s has no level %q", quoteColumn(column.str), text.str))
				v = noCode // possible in other data: equal to no cell that is here
			}
			lit := &code{op: opNumber, val: v}
			c.args = []*code{col, lit}
			if i == 0 {
				c.args = []*code{lit, col}
			}
			return c, shape{}
		}
	}
	x, xs := b.bind(n.args[0])
	y, ys := b.bind(n.args[1])
	if b.err != nil {
		return c, shape{}
	}
	truth := func(a *node) bool { return a.op == opTrue || a.op == opFalse }
	for i, a := range n.args {
		if !truth(a) {
			continue
		}
		s, col := ys, y
		if i == 1 {
			s, col = xs, x
		}
		if s.levels == nil || order {
			return b.fail(a, "", "%s is compared by == or != with a column of levels", opWords[a.op])
		}
		v, ok := s.levels.Code(opWords[a.op])
		if !ok {
			return b.fail(a, "write the level as it stands in the data, quoted", "%s has no level %s", quoteColumn(s.name), opWords[a.op])
		}
		c.args = []*code{col, {op: opNumber, val: v}}
		return c, shape{}
	}
	switch {
	case (xs.levels == nil) != (ys.levels == nil):
		return b.fail(n, "quote the level", "compares levels with numbers")
	case xs.levels != nil && order:
		return b.fail(n, "", "the levels of two columns have no common order")
	case xs.levels != nil && xs.levels.Index != ys.levels.Index:
		return b.fail(n, "", "the codes of %s and %s are not of one list of levels", quoteColumn(xs.name), quoteColumn(ys.name))
	case (xs.kind == Time && ys.kind == Number || xs.kind == Number && ys.kind == Time) && (xs.duration || ys.duration || xs.literal || ys.literal):
		return b.fail(n, "compare a difference: shipped_at - bought_at <= 30d", "compares a time with a duration or a number")
	case xs.duration && plain(ys, y) || ys.duration && plain(xs, x):
		return b.fail(n, "write its unit: 30d, 36h", "compares a duration with a number")
	case (xs.kind == Time) != (ys.kind == Time):
		return b.fail(n, "", "compares a time with a number")
	}
	c.args, c.tol = []*code{x, y}, max(xs.tol, ys.tol)
	if xs.kind == Time {
		c.rel = relativeTime
	}
	return c, shape{}
}

// plain reports a number of which nobody knows the unit; 0 needs none.
func plain(s shape, c *code) bool { return s.literal && !(c.op == opNumber && c.val == 0) }

// truth is a value of Kleene's logic.
type truth int8

const (
	no      truth = -1
	unknown truth = 0
	yes     truth = 1
)

func is(b bool) truth {
	if b {
		return yes
	}
	return no
}

// Holds reports whether a row keeps the rule: values[j] is the number, the seconds or the code of column j, and counts
// only where absent[j] is 0 (table.State: present). What touches an absent cell is unknown, and only what is known to be
// false breaks a rule. A value that is not a number is absent too.
func Holds[S ~uint8](b *Bound, values []float64, absent []S) bool {
	return judge(b.root, values, absent) != no
}

// Known reports whether the rule is true or false of the row, not unknown.
func Known[S ~uint8](b *Bound, values []float64, absent []S) bool {
	return judge(b.root, values, absent) != unknown
}

func judge[S ~uint8](c *code, v []float64, absent []S) truth {
	switch c.op {
	case opAnd:
		return min(judge(c.args[0], v, absent), judge(c.args[1], v, absent))
	case opOr:
		return max(judge(c.args[0], v, absent), judge(c.args[1], v, absent))
	case opNot:
		return -judge(c.args[0], v, absent)
	case opIf:
		return max(-judge(c.args[0], v, absent), judge(c.args[1], v, absent))
	}
	x, ok := value(c.args[0], v, absent)
	y, too := value(c.args[1], v, absent)
	if !ok || !too {
		return unknown
	}
	if math.IsNaN(x) || math.IsNaN(y) { // a level that the column does not hold
		return is(c.op == opNe)
	}
	d := x - y
	if x == y {
		d = 0 // infinities too
	}
	// Beyond the tolerance of the column (plus one rounding) and of the arithmetic: whole numbers compare exactly.
	slack := c.tol * (1 + Relative)
	if x != math.Trunc(x) || y != math.Trunc(y) {
		slack += c.rel * max(math.Abs(x), math.Abs(y))
	} else if c.tol == 0 && max(math.Abs(x), math.Abs(y)) >= 1<<53 {
		slack = c.rel * max(math.Abs(x), math.Abs(y))
	}
	equal := math.Abs(d) <= slack
	switch c.op {
	case opEq:
		return is(equal)
	case opNe:
		return is(!equal)
	case opLt:
		return is(d < 0 && !equal)
	case opLe:
		return is(d <= 0 || equal)
	case opGt:
		return is(d > 0 && !equal)
	default:
		return is(d >= 0 || equal)
	}
}

// value is the number of an expression; ok is false where it touches an absent cell, or divides by 0.
func value[S ~uint8](c *code, v []float64, absent []S) (x float64, ok bool) {
	switch c.op {
	case opNumber:
		return c.val, true
	case opColumn:
		if absent[c.index] != 0 || math.IsNaN(v[c.index]) {
			return 0, false
		}
		return v[c.index], true
	}
	x, ok = value(c.args[0], v, absent)
	if !ok {
		return 0, false
	}
	switch c.op {
	case opNeg:
		return -x, true
	case opAbs:
		return math.Abs(x), true
	case opRound:
		digits := 0.0
		if len(c.args) == 2 {
			digits = c.args[1].val
		}
		return round(x, int(digits)), true
	}
	for _, a := range c.args[1:] {
		y, ok := value(a, v, absent)
		if !ok {
			return 0, false
		}
		switch c.op {
		case opAdd:
			x += y
		case opSub:
			x -= y
		case opMul:
			x *= y
		case opDiv:
			if y == 0 {
				return 0, false
			}
			x /= y
		case opMin:
			x = min(x, y)
		case opMax:
			x = max(x, y)
		}
	}
	return x, !math.IsNaN(x)
}

var powers = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12}

// round rounds half away from zero to decimal digits; a product that lies a few ulps below the half counts as half, as
// it does on paper (1.005 * 100 is 100.49999999999999 in binary).
func round(x float64, digits int) float64 {
	y := x * powers[digits]
	if math.Abs(y) >= 1<<52 {
		return x // no fraction left
	}
	r := math.Round(y)
	if half := math.Trunc(y) + math.Copysign(0.5, y); r != math.Trunc(y)+math.Copysign(1, y) && math.Abs(y-half) <= 4e-16*math.Abs(y)+1e-300 {
		r = math.Trunc(y) + math.Copysign(1, y)
	}
	return r / powers[digits]
}

// Derived is the column that the rule computes: of "name = expression", and of "name == expression" where the name
// stands alone on the left and not on the right. Whether the second is computed or only checked is for the caller to
// say: a column with transformations of its own is not.
func (b *Bound) Derived() (target int, ok bool) { return b.target, b.target >= 0 }

// Value computes the derived column of a row, rounded to its decimals. ok is false where an absent cell is needed, or
// the result is not finite: the cell is then missing. Only rules with [Bound.Derived] have a value.
func Value[S ~uint8](b *Bound, values []float64, absent []S) (x float64, ok bool) {
	if b.target < 0 {
		return 0, false
	}
	x, ok = value(b.root.args[1], values, absent)
	if !ok || math.IsInf(x, 0) {
		return 0, false
	}
	if d := b.column.Decimals; d >= 0 && d < len(powers) {
		x = round(x, d)
	}
	return x, true
}

// Unknown lists the levels of the rule that its columns do not hold, as sentences: a misspelling, or a level that is rare.
func (b *Bound) Unknown() []string { return b.levels }

// Rule is the rule that was bound.
func (b *Bound) Rule() *Rule { return b.rule }

// Order says in which order rules derive columns, so that each sees what it needs already computed. free says of a rule
// written with == whether its left column may be computed (it has no transformation of its own and is not protected);
// rules written with = always derive. A column is derived by the first of its rules; others, and rules with == that
// would close a circle, only check. Circles and twofold derivations by = are *Error values. The result indexes rules.
func Order(rules []*Rule, free func(column string) bool) ([]int, error) {
	by := map[string]int{} // column -> its rule
	for _, explicit := range []bool{true, false} {
		for i, r := range rules {
			name, ex, ok := r.Derives()
			if !ok || ex != explicit || (!ex && !free(name)) {
				continue
			}
			if j, twice := by[name]; twice {
				if ex {
					return nil, &Error{Rule: r.text, Pos: r.root.pos, Msg: fmt.Sprintf("%s is derived by %q already", quoteColumn(name), clip(rules[j].text))}
				}
				continue
			}
			by[name] = i
			if needs(rules, by, name, name, map[string]bool{}) {
				if ex {
					return nil, &Error{Rule: r.text, Pos: r.root.pos, Msg: fmt.Sprintf("%s is derived from itself by way of other rules", quoteColumn(name))}
				}
				delete(by, name)
			}
		}
	}
	var out []int
	done := map[int]bool{}
	var visit func(i int)
	visit = func(i int) {
		if done[i] {
			return
		}
		done[i] = true
		for _, in := range rules[i].Inputs() {
			if j, ok := by[in]; ok {
				visit(j)
			}
		}
		out = append(out, i)
	}
	for i, r := range rules {
		if name, _, ok := r.Derives(); ok {
			if j, used := by[name]; used && i == j {
				visit(i)
			}
		}
	}
	return out, nil
}

// needs reports whether the derivation of from uses column to.
func needs(rules []*Rule, by map[string]int, from, to string, seen map[string]bool) bool {
	i, ok := by[from]
	if !ok || seen[from] {
		return false
	}
	seen[from] = true
	for _, in := range rules[i].Inputs() {
		if in == to || needs(rules, by, in, to, seen) {
			return true
		}
	}
	return false
}
