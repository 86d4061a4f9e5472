package rowrule

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of a rule: a longer or deeper one is surely a mistake.
const (
	MaxLength = 4096 // bytes
	maxDepth  = 64
	maxNodes  = 1024
)

// Error is a fault of a rule with its place.
type Error struct {
	Rule string // the text
	Pos  int    // byte offset in Rule
	Msg  string
	Hint string // what to do; may be ""
}

// Error names the place as a character counted from 1.
func (e *Error) Error() string {
	s := fmt.Sprintf("rowrule: character %d: %s", e.Char(), e.Msg)
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

// Char is the place as a character of the rule, from 1.
func (e *Error) Char() int { return 1 + utf8.RuneCountInString(e.Rule[:min(e.Pos, len(e.Rule))]) }

// Caret shows the rule and a caret below the place, as two lines.
func (e *Error) Caret() string {
	return e.Rule + "\n" + strings.Repeat(" ", e.Char()-1) + "^"
}

type op uint8

const (
	opNumber op = iota // val; dur says that it was a duration
	opString           // str
	opColumn           // str
	opNeg
	opAdd
	opSub
	opMul
	opDiv
	opMin // any number of arguments >= 1
	opMax
	opAbs
	opRound // x, digits
	opEq
	opNe
	opLt
	opLe
	opGt
	opGe
	opAnd
	opOr
	opNot
	opIf // condition, consequence
	opTrue
	opFalse
)

var opWords = [...]string{opNeg: "-", opAdd: "+", opSub: "-", opMul: "*", opDiv: "/", opMin: "min", opMax: "max", opAbs: "abs", opRound: "round",
	opEq: "==", opNe: "!=", opLt: "<", opLe: "<=", opGt: ">", opGe: ">=", opAnd: "and", opOr: "or", opNot: "not", opIf: "if", opTrue: "true", opFalse: "false"}

// logical reports whether the operator gives true or false.
func (o op) logical() bool { return o >= opEq && o <= opIf }

type node struct {
	op   op
	pos  int // byte offset
	val  float64
	dur  bool // val was written as a duration
	str  string
	args []*node
}

// Rule is one parsed rule.
type Rule struct {
	text    string
	root    *node // a logical expression; for a derivation opEq of the column and its expression
	derived bool  // written with a single =
	columns []string
}

// Parse reads one rule. Errors are *Error values.
func Parse(text string) (*Rule, error) {
	if len(text) > MaxLength {
		return nil, &Error{Rule: text, Msg: fmt.Sprintf("the rule has %d bytes, more than %d", len(text), MaxLength)}
	}
	if !utf8.ValidString(text) {
		return nil, &Error{Rule: strings.ToValidUTF8(text, "\uFFFD"), Msg: "not UTF-8 text"}
	}
	p := &parser{text: text}
	p.next()
	root := p.rule()
	if p.err == nil && p.tok.kind != tokEnd {
		p.unexpected("the end of the rule")
	}
	if p.err != nil {
		return nil, p.err
	}
	r := &Rule{text: text, root: root, derived: p.derived}
	r.collect(root)
	if len(r.columns) == 0 {
		return nil, &Error{Rule: text, Msg: "names no column", Hint: "a text is quoted by \", a column of a strange name by `"}
	}
	if p.derived && slices.Contains(r.inputs(), root.args[0].str) {
		return nil, &Error{Rule: text, Pos: root.args[1].pos, Msg: fmt.Sprintf("%s is derived from itself", quoteColumn(root.args[0].str)), Hint: "== compares"}
	}
	return r, nil
}

func (r *Rule) collect(n *node) {
	if n.op == opColumn && !slices.Contains(r.columns, n.str) {
		r.columns = append(r.columns, n.str)
	}
	for _, a := range n.args {
		r.collect(a)
	}
}

// Columns names the columns in the order of their first appearance.
func (r *Rule) Columns() []string { return slices.Clone(r.columns) }

// Text is the rule as it was written.
func (r *Rule) Text() string { return r.text }

// Derives names the column on the left of "name = expression" (explicit) or of "name == expression". ok is false
// for every other rule, and where the column stands on both sides.
func (r *Rule) Derives() (column string, explicit, ok bool) {
	n := r.root
	if n.op != opEq || n.args[0].op != opColumn {
		return "", false, false
	}
	column = n.args[0].str
	if in := r.inputs(); slices.Contains(in, column) || (len(in) == 0 && !r.derived) {
		return "", false, false
	}
	return column, r.derived, true
}

// inputs are the columns on the right of a derivation.
func (r *Rule) inputs() []string {
	var in Rule
	in.collect(r.root.args[1])
	return in.columns
}

// Inputs names the columns from which [Rule.Derives] computes; nil for other rules.
func (r *Rule) Inputs() []string {
	if _, _, ok := r.Derives(); !ok {
		return nil
	}
	return r.inputs()
}

// String writes the rule in its canonical form; [Parse] of it gives the same rule.
func (r *Rule) String() string {
	var b strings.Builder
	if r.derived {
		write(&b, r.root.args[0], precSum)
		b.WriteString(" = ")
		write(&b, r.root.args[1], precSum)
		return b.String()
	}
	write(&b, r.root, 0)
	return b.String()
}

// Binding strength of operators.
const (
	precIf = iota
	precOr
	precAnd
	precNot
	precCompare
	precSum
	precProduct
	precUnary
	precAtom
)

func (n *node) prec() int {
	switch n.op {
	case opIf:
		return precIf
	case opOr:
		return precOr
	case opAnd:
		return precAnd
	case opNot:
		return precNot
	case opEq, opNe, opLt, opLe, opGt, opGe:
		return precCompare
	case opAdd, opSub:
		return precSum
	case opMul, opDiv:
		return precProduct
	case opNeg:
		return precUnary
	}
	return precAtom
}

// write writes n, in parentheses where it binds weaker than prec asks for.
func write(b *strings.Builder, n *node, prec int) {
	if n.prec() < prec {
		b.WriteByte('(')
		defer b.WriteByte(')')
	}
	switch n.op {
	case opNumber:
		if n.dur {
			b.WriteString(FormatDuration(n.val))
		} else {
			b.WriteString(strconv.FormatFloat(n.val, 'g', -1, 64))
		}
	case opString:
		b.WriteString(quoteString(n.str))
	case opColumn:
		b.WriteString(quoteColumn(n.str))
	case opTrue, opFalse:
		b.WriteString(opWords[n.op])
	case opNeg:
		b.WriteByte('-')
		write(b, n.args[0], precUnary)
	case opNot:
		b.WriteString("not ")
		write(b, n.args[0], precNot)
	case opIf:
		b.WriteString("if ")
		write(b, n.args[0], precOr)
		b.WriteString(" then ")
		write(b, n.args[1], precIf)
	case opMin, opMax, opAbs, opRound:
		b.WriteString(opWords[n.op] + "(")
		for i, a := range n.args {
			if i > 0 {
				b.WriteString(", ")
			}
			write(b, a, precSum)
		}
		b.WriteByte(')')
	default:
		p := n.prec()
		left := p
		if p == precCompare {
			left++ // comparisons are no chains
		}
		write(b, n.args[0], left)
		b.WriteString(" " + opWords[n.op] + " ")
		write(b, n.args[1], p+1)
	}
}

// quoteString quotes a text as Parse reads it: doubled quotes, no escapes.
func quoteString(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// quoteColumn writes a column's name, in backticks where it is no identifier.
func quoteColumn(s string) string {
	if isIdentifier(s) && !keywords[strings.ToLower(s)] && !functionWord(s) {
		return s
	}
	return "`" + strings.ReplaceAll(s, "`", "``") + "`"
}

// Quote writes the name of a column so that a rule can hold it.
func Quote(column string) string { return quoteColumn(column) }

func functionWord(s string) bool { _, ok := functions[s]; return ok }

func isIdentifier(s string) bool {
	for i, r := range s {
		if !(r == '_' || unicode.IsLetter(r) || (i > 0 && unicode.IsDigit(r))) {
			return false
		}
	}
	return s != ""
}

var keywords = map[string]bool{"and": true, "or": true, "not": true, "if": true, "then": true, "true": true, "false": true}

var functions = map[string]struct {
	op       op
	min, max int // arguments
}{"min": {opMin, 1, 16}, "max": {opMax, 1, 16}, "abs": {opAbs, 1, 1}, "round": {opRound, 1, 2}}

type tokKind uint8

const (
	tokEnd tokKind = iota
	tokNumber
	tokString
	tokColumn // quoted by backticks
	tokWord
	tokOp
)

type token struct {
	kind tokKind
	pos  int
	text string // word, name, operator, content of a string
	val  float64
	dur  bool
}

type parser struct {
	text    string
	at      int // of the next token
	tok     token
	err     error
	derived bool
	nodes   int
	depth   int
}

func (p *parser) fail(pos int, hint, format string, args ...any) {
	if p.err == nil {
		p.err = &Error{Rule: p.text, Pos: pos, Msg: fmt.Sprintf(format, args...), Hint: hint}
	}
	p.tok = token{kind: tokEnd, pos: len(p.text)}
	p.at = len(p.text)
}

func (p *parser) unexpected(want string) {
	got := "the end"
	switch p.tok.kind {
	case tokEnd:
	case tokString:
		got = "the text " + quoteString(clip(p.tok.text))
	default:
		got = strconv.Quote(clip(p.text[p.tok.pos:p.at]))
	}
	hint := ""
	if p.tok.kind == tokOp && p.tok.text == "=" {
		hint = "== compares; a single = stands only after the one column that is derived"
	}
	if p.tok.kind == tokWord || p.tok.kind == tokColumn {
		hint = "a column whose name holds spaces or signs is quoted by `"
	}
	p.fail(p.tok.pos, hint, "got %s, want %s", got, want)
}

func clip(s string) string {
	if r := []rune(s); len(r) > 30 {
		return string(r[:30]) + "..."
	}
	return s
}

// next reads the next token.
func (p *parser) next() {
	for p.at < len(p.text) {
		r, n := utf8.DecodeRuneInString(p.text[p.at:])
		if !unicode.IsSpace(r) {
			break
		}
		p.at += n
	}
	start := p.at
	p.tok = token{kind: tokEnd, pos: start}
	if start == len(p.text) {
		return
	}
	rest := p.text[start:]
	r, _ := utf8.DecodeRuneInString(rest)
	switch {
	case r == '"' || r == '\'' || r == '`':
		s, n, ok := quoted(rest, byte(r))
		if !ok {
			p.fail(start, "", "the quotation %c has no end", r)
			return
		}
		p.tok.kind, p.tok.text, p.at = tokString, s, start+n
		if r == '`' {
			p.tok.kind = tokColumn
			if s == "" {
				p.fail(start, "", "the name of a column is empty")
			}
		}
	case r >= '0' && r <= '9' || r == '.':
		n := numberLength(rest)
		unit := n
		for unit < len(rest) {
			r, w := utf8.DecodeRuneInString(rest[unit:])
			if !(unicode.IsLetter(r) || unicode.IsDigit(r) || r == '.' || r == '_') {
				break
			}
			unit += w
		}
		word := rest[:unit]
		p.at = start + unit
		p.tok.kind, p.tok.text = tokNumber, word
		if f, err := strconv.ParseFloat(strings.ReplaceAll(rest[:n], "_", ""), 64); unit == n && err == nil && !math.IsInf(f, 0) {
			p.tok.val = f
		} else if f, ok := ParseDuration(word); ok {
			p.tok.val, p.tok.dur = f, true
		} else {
			p.fail(start, "durations are written 90s, 10m, 36h, 30d, 2w", "%q is neither a number nor a duration", clip(word))
		}
	case r == '_' || unicode.IsLetter(r):
		n := 0
		for n < len(rest) {
			r, w := utf8.DecodeRuneInString(rest[n:])
			if !(r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r)) {
				break
			}
			n += w
		}
		p.tok.kind, p.tok.text, p.at = tokWord, rest[:n], start+n
	default:
		for _, o := range []string{"==", "!=", "<=", ">=", "<>", "&&", "||", "<", ">", "=", "+", "-", "*", "/", "(", ")", ",", "!"} {
			if strings.HasPrefix(rest, o) {
				p.tok.kind, p.tok.text, p.at = tokOp, o, start+len(o)
				if hint := map[string]string{"<>": "write !=", "&&": "write and", "||": "write or", "!": "write not"}[o]; hint != "" {
					p.fail(start, hint, "%q is no operator", o)
				}
				return
			}
		}
		p.fail(start, "", "the sign %q has no meaning here", r)
	}
}

// quoted reads a quotation in which a doubled quote stands for one; n is its length with quotes.
func quoted(s string, q byte) (text string, n int, ok bool) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] != q {
			b.WriteByte(s[i])
			continue
		}
		if i+1 < len(s) && s[i+1] == q {
			b.WriteByte(q)
			i++
			continue
		}
		return b.String(), i + 1, true
	}
	return "", 0, false
}

// numberLength is the length of the decimal number with which s begins.
func numberLength(s string) int {
	i := 0
	digits := func() {
		for i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i] == '_') {
			i++
		}
	}
	digits()
	if i < len(s) && s[i] == '.' {
		i++
		digits()
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		j := i + 1
		if j < len(s) && (s[j] == '+' || s[j] == '-') {
			j++
		}
		if j < len(s) && s[j] >= '0' && s[j] <= '9' {
			i = j
			digits()
		}
	}
	return i
}

func (p *parser) is(text string) bool { return p.tok.kind == tokOp && p.tok.text == text }

func (p *parser) word(w string) bool {
	return p.tok.kind == tokWord && strings.EqualFold(p.tok.text, w)
}

func (p *parser) make(o op, pos int, args ...*node) *node {
	if p.nodes++; p.nodes > maxNodes {
		p.fail(pos, "", "the rule has more than %d parts", maxNodes)
	}
	return &node{op: o, pos: pos, args: args}
}

// enter guards against rules that are nested too deeply.
func (p *parser) enter() bool {
	if p.depth++; p.depth > maxDepth {
		p.fail(p.tok.pos, "", "the rule is nested more than %d deep", maxDepth)
		return false
	}
	return true
}

// rule is a derivation, an implication or a condition.
func (p *parser) rule() *node {
	n := p.implication()
	if p.err == nil && n.op == opColumn && p.is("=") {
		pos := p.tok.pos
		p.next()
		p.derived = true
		e := p.sum()
		if p.err == nil && e.op == opString {
			p.fail(e.pos, "", "a column is derived from numbers, not from a text")
		}
		return p.make(opEq, pos, n, e)
	}
	if p.err == nil && !n.op.logical() {
		if p.is("=") {
			p.unexpected("a comparison")
		} else if p.tok.kind == tokEnd {
			p.fail(len(p.text), "a rule is a condition such as total == quantity * price", "nothing is compared")
		}
	}
	return n
}

func (p *parser) implication() *node {
	if !p.word("if") {
		return p.disjunction()
	}
	if !p.enter() {
		return nil
	}
	defer func() { p.depth-- }()
	pos := p.tok.pos
	p.next()
	a := p.condition(p.disjunction())
	if p.err == nil && !p.word("then") {
		p.unexpected(`"then"`)
	}
	p.next()
	b := p.condition(p.implication())
	return p.make(opIf, pos, a, b)
}

// condition asks that n is true or false.
func (p *parser) condition(n *node) *node {
	if p.err == nil && !n.op.logical() {
		p.fail(n.pos, `compare it, e.g. paid == "yes"`, "want a comparison, got a value")
	}
	return n
}

// value asks that n is a number or a text.
func (p *parser) value(n *node) *node {
	if p.err == nil && n.op.logical() {
		p.fail(n.pos, "", "want a value, got a comparison")
	}
	return n
}

func (p *parser) disjunction() *node {
	n := p.conjunction()
	for p.err == nil && p.word("or") {
		pos := p.tok.pos
		p.next()
		n = p.make(opOr, pos, p.condition(n), p.condition(p.conjunction()))
	}
	return n
}

func (p *parser) conjunction() *node {
	n := p.negation()
	for p.err == nil && p.word("and") {
		pos := p.tok.pos
		p.next()
		n = p.make(opAnd, pos, p.condition(n), p.condition(p.negation()))
	}
	return n
}

func (p *parser) negation() *node {
	if !p.word("not") {
		return p.comparison()
	}
	if !p.enter() {
		return nil
	}
	defer func() { p.depth-- }()
	pos := p.tok.pos
	p.next()
	return p.make(opNot, pos, p.condition(p.negation()))
}

var comparisons = map[string]op{"==": opEq, "!=": opNe, "<": opLt, "<=": opLe, ">": opGt, ">=": opGe}

func (p *parser) comparison() *node {
	a := p.sum()
	o, ok := comparisons[p.tok.text]
	if p.err != nil || p.tok.kind != tokOp || !ok {
		return a
	}
	pos := p.tok.pos
	p.next()
	b := p.sum()
	if p.err != nil {
		return nil
	}
	p.value(a)
	p.value(b)
	if a.op == opString && b.op == opString {
		p.fail(pos, "a column is written without quotes, or in `backticks`", "compares two texts")
	}
	if (a.op == opString || b.op == opString) && o != opEq && o != opNe {
		if c := a.op == opColumn || b.op == opColumn; !c {
			p.fail(pos, "", "a text is compared with a column only")
		}
	}
	for _, s := range []*node{a, b} {
		other := b
		if s == b {
			other = a
		}
		if p.err == nil && s.op == opString && other.op != opColumn {
			p.fail(s.pos, "", "a text is compared with a column only")
		}
	}
	n := p.make(o, pos, a, b)
	if _, chain := comparisons[p.tok.text]; p.err == nil && p.tok.kind == tokOp && chain {
		p.fail(p.tok.pos, "write a < b and b < c", "comparisons are no chains")
	}
	return n
}

// number asks that n is something to calculate with.
func (p *parser) number(n *node) *node {
	p.value(n)
	if p.err == nil && n.op == opString {
		p.fail(n.pos, "", "nothing is calculated with a text")
	}
	if p.err == nil && (n.op == opTrue || n.op == opFalse) {
		p.fail(n.pos, "", "nothing is calculated with %s", opWords[n.op])
	}
	return n
}

func (p *parser) sum() *node {
	n := p.product()
	for p.err == nil && (p.is("+") || p.is("-")) {
		o, pos := opAdd, p.tok.pos
		if p.is("-") {
			o = opSub
		}
		p.next()
		n = p.make(o, pos, p.number(n), p.number(p.product()))
	}
	return n
}

func (p *parser) product() *node {
	n := p.unary()
	for p.err == nil && (p.is("*") || p.is("/")) {
		o, pos := opMul, p.tok.pos
		if p.is("/") {
			o = opDiv
		}
		p.next()
		n = p.make(o, pos, p.number(n), p.number(p.unary()))
	}
	return n
}

func (p *parser) unary() *node {
	if !p.is("-") && !p.is("+") {
		return p.atom()
	}
	if !p.enter() {
		return nil
	}
	defer func() { p.depth-- }()
	pos, minus := p.tok.pos, p.is("-")
	p.next()
	n := p.number(p.unary())
	if p.err != nil || !minus {
		return n
	}
	return p.make(opNeg, pos, n)
}

func (p *parser) atom() *node {
	t := p.tok
	switch {
	case p.err != nil:
		return nil
	case t.kind == tokNumber:
		p.next()
		n := p.make(opNumber, t.pos)
		n.val, n.dur = t.val, t.dur
		return n
	case t.kind == tokString:
		p.next()
		n := p.make(opString, t.pos)
		n.str = t.text
		return n
	case t.kind == tokColumn:
		p.next()
		n := p.make(opColumn, t.pos)
		n.str = t.text
		return n
	case t.kind == tokWord && keywords[strings.ToLower(t.text)]:
		switch {
		case p.word("true"):
			p.next()
			return p.make(opTrue, t.pos)
		case p.word("false"):
			p.next()
			return p.make(opFalse, t.pos)
		}
	case t.kind == tokWord:
		p.next()
		f, isFunction := functions[t.text]
		if !isFunction || !p.is("(") {
			if p.is("(") {
				p.fail(t.pos, "known: min, max, abs, round", "unknown function %q", clip(t.text))
				return nil
			}
			n := p.make(opColumn, t.pos)
			n.str = t.text
			return n
		}
		if !p.enter() {
			return nil
		}
		defer func() { p.depth-- }()
		n := p.make(f.op, t.pos)
		for {
			p.next()
			n.args = append(n.args, p.number(p.sum()))
			if p.err != nil {
				return nil
			}
			if !p.is(",") {
				break
			}
		}
		if !p.is(")") {
			p.unexpected(`"," or ")"`)
			return nil
		}
		p.next()
		if k := len(n.args); k < f.min || k > f.max {
			p.fail(t.pos, "", "%s has %d to %d arguments, here %d", t.text, f.min, f.max, k)
			return nil
		}
		if f.op == opRound && len(n.args) == 2 {
			if d := n.args[1]; !(d.op == opNumber && !d.dur && d.val == math.Trunc(d.val) && d.val >= 0 && d.val <= 12) {
				p.fail(d.pos, "", "the digits of round are a number in 0..12")
				return nil
			}
		}
		return n
	case p.is("("):
		if !p.enter() {
			return nil
		}
		defer func() { p.depth-- }()
		p.next()
		n := p.implication()
		if p.err == nil && !p.is(")") {
			p.unexpected(`")"`)
			return nil
		}
		p.next()
		return n
	}
	p.unexpected("a column, a number or a text")
	return nil
}
