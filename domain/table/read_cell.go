package table

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Formats of timestamps that are no layouts: numbers since 1970-01-01T00:00:00Z.
const (
	UnixSeconds = "unix"
	UnixMillis  = "unix-ms"
)

var pow10 = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// plainNumber reads digits with at most one decimal separator: exact, as up to 15 digits and a power of ten up to 22
// are exact in float64 and a quotient is rounded once (Clinger 1990).
func plainNumber(s string, sep byte) (v float64, decimals int, ok bool) {
	i, neg := 0, false
	if len(s) > 0 && (s[0] == '-' || s[0] == '+') {
		neg = s[0] == '-'
		i = 1
	}
	var m uint64
	point, digits := -1, 0
	for ; i < len(s); i++ {
		c := s[i]
		switch {
		case c >= '0' && c <= '9':
			m = m*10 + uint64(c-'0')
			if digits++; digits > 15 {
				return 0, 0, false
			}
		case c == sep && point < 0:
			point = i
		default:
			return 0, 0, false
		}
	}
	if digits == 0 {
		return 0, 0, false
	}
	v = float64(m)
	if point >= 0 {
		decimals = len(s) - point - 1
		v /= pow10[decimals]
	}
	if neg {
		v = -v
	}
	return v, decimals, true
}

// parseNumber reads a number as people write it: 1234.5, 1e-3, 1,234.50 (with a decimal comma 1.234,50), with spaces
// around it. Infinities and hexadecimal are none; "NaN" is none either.
func parseNumber(s string, comma bool) (float64, bool) {
	v, _, ok := parseDecimal(s, comma)
	return v, ok
}

// parseDecimal is parseNumber with the number of decimals; -1 where an exponent is written.
func parseDecimal(s string, comma bool) (v float64, decimals int, ok bool) {
	sep := byte('.')
	if comma {
		sep = ','
	}
	if v, d, ok := plainNumber(s, sep); ok {
		return v, d, true
	}
	s = strings.TrimSpace(s)
	if s == "" || len(s) > 400 {
		return 0, 0, false
	}
	group := byte(',')
	if comma {
		group = '.'
	}
	exponent, hasSep := false, false
	grouped := -1 // place of the last separator of thousands
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= '0' && c <= '9':
		case (c == '+' || c == '-') && (i == 0 || s[i-1] == 'e' || s[i-1] == 'E'):
		case (c == 'e' || c == 'E') && !exponent && i > 0:
			exponent = true
		case c == sep && !hasSep && !exponent:
			hasSep = true
			if grouped >= 0 && i-grouped != 4 {
				return 0, 0, false
			}
			decimals = len(s) - i - 1
		case c == group && !hasSep && !exponent && i > 0:
			if grouped >= 0 && i-grouped != 4 || grouped < 0 && len(strings.TrimLeft(s[:i], "+-")) > 3 {
				return 0, 0, false
			}
			grouped = i
		default:
			return 0, 0, false
		}
	}
	if grouped >= 0 {
		if exponent || !hasSep && len(s)-grouped != 4 || strings.TrimLeft(s[:1], "+-0123456789") != "" {
			return 0, 0, false
		}
		s = strings.ReplaceAll(s, string(group), "")
	}
	if comma {
		s = strings.Replace(s, ",", ".", 1)
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(v, 0) || math.IsNaN(v) {
		return 0, 0, false
	}
	if exponent {
		decimals = -1
	}
	return v, decimals, true
}

// currencies are signs and codes that may stand before or behind an amount.
var currencies = map[string]string{
	"$": "USD", "US$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR", "₽": "RUB", "₩": "KRW", "zł": "PLN", "kr": "kr", "Fr.": "CHF",
	"USD": "USD", "EUR": "EUR", "GBP": "GBP", "JPY": "JPY", "CHF": "CHF", "CNY": "CNY", "INR": "INR", "CAD": "CAD", "AUD": "AUD", "SEK": "SEK", "NOK": "NOK", "DKK": "DKK", "PLN": "PLN", "%": "%",
}

// splitUnit takes a currency or a per cent sign off a number.
func splitUnit(s string) (number, unit string) {
	s = strings.TrimSpace(s)
	i, j := 0, len(s)
	numeric := func(c byte) bool { return c >= '0' && c <= '9' || c == '.' || c == ',' || c == '-' || c == '+' }
	for i < len(s) && !numeric(s[i]) {
		i++
	}
	for j > i && !(s[j-1] >= '0' && s[j-1] <= '9') {
		j--
	}
	head, tail := strings.TrimSpace(s[:i]), strings.TrimSpace(s[j:])
	if i == 0 && j == len(s) || head != "" && tail != "" {
		return s, ""
	}
	if head == "-" || head == "+" {
		return s, ""
	}
	if neg, cut := strings.CutPrefix(head, "-"); cut { // -$5
		if u, ok := currencies[neg]; ok {
			return "-" + s[i:j], u
		}
	}
	if u, ok := currencies[head+tail]; ok {
		return s[i:j], u
	}
	return s, ""
}

// strftime are the verbs that layouts of time take in the manner of C and Python.
var strftime = map[byte]string{
	'Y': "2006", 'y': "06", 'm': "01", 'd': "02", 'e': "_2", 'H': "15", 'I': "03", 'M': "04", 'S': "05", 'p': "PM", 'b': "Jan", 'B': "January",
	'a': "Mon", 'A': "Monday", 'z': "-0700", 'Z': "MST", 'f': "000000", 'j': "002", 'F': "2006-01-02", 'T': "15:04:05", 'R': "15:04", '%': "%",
}

// goLayout turns a layout of columns.*.format (Go or strftime) to Go's.
func goLayout(f string) (string, error) {
	if !strings.Contains(f, "%") {
		return f, nil
	}
	var b strings.Builder
	for i := 0; i < len(f); i++ {
		if f[i] != '%' {
			b.WriteByte(f[i])
			continue
		}
		i++
		if i == len(f) || strftime[f[i]] == "" {
			return "", fmt.Errorf("table: format %q: %%%s is not known", f, f[i:min(i+1, len(f))])
		}
		b.WriteString(strftime[f[i]])
	}
	return b.String(), nil
}

// parseTime reads a timestamp in a format: a Go layout, UnixSeconds or UnixMillis, or "" for ISO 8601. Without an offset
// it is UTC.
func parseTime(s, format string) (float64, error) {
	s = strings.TrimSpace(s)
	switch format {
	case UnixSeconds, UnixMillis:
		v, ok := parseNumber(s, false)
		if !ok {
			return 0, errors.New("is no number of seconds since 1970")
		}
		if format == UnixMillis {
			v /= 1000
		}
		return v, nil
	case "":
		for _, l := range isoLayouts {
			if t, err := time.Parse(l, s); err == nil {
				return seconds(t), nil
			} else if outOfRange(err) {
				return 0, errNoDate
			}
		}
		return 0, errors.New("is no date of the form 2006-01-02 or 2006-01-02T15:04:05")
	}
	t, err := time.Parse(format, s)
	if err == nil {
		return seconds(t), nil
	}
	if outOfRange(err) {
		return 0, errNoDate
	}
	return 0, fmt.Errorf("is no date of the form %s", format)
}

var errNoDate = errors.New("is a date that does not exist")

func outOfRange(err error) bool {
	var pe *time.ParseError
	return errors.As(err, &pe) && strings.Contains(pe.Message, "out of range")
}

func seconds(t time.Time) float64 { return float64(t.Unix()) + float64(t.Nanosecond())/1e9 }

var isoLayouts = []string{
	"2006-01-02", "2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02T15:04:05Z07:00", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05Z07",
	"2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05Z0700", "2006-01-02 15:04:05 Z0700", "2006-01-02 15:04:05 -0700 MST",
}

var (
	trueWords  = map[string]bool{"true": true, "t": true, "yes": true, "y": true, "1": true}
	falseWords = map[string]bool{"false": true, "f": true, "no": true, "n": true, "0": true}
)

// rowParser turns records of a source to rows of fixed columns.
type rowParser struct {
	cols    []Column
	from    []int // field of the record by column
	comma   bool
	grow    bool // levels that are not known are added
	levels  []map[string]int32
	missing []map[string]bool
	units   []bool // amounts with a sign were seen in the column
	source  string
	// what was seen
	decimals []int
	unseen   []int
	example  []string
}

// newParser matches columns with the header of a reader; a column that the source lacks is an error unless it may be
// absent, when all its cells are missing.
func newParser(rd Reader, cols []Column, source string, grow bool, absent func(c *Column) bool) (*rowParser, error) {
	p := &rowParser{cols: cols, grow: grow, source: source}
	header := rd.Header()
	at := map[string]int{}
	for i, h := range header {
		at[h] = i
	}
	if d, ok := rd.(interface{ DecimalComma() bool }); ok {
		p.comma = d.DecimalComma()
	}
	n := len(cols)
	p.from, p.levels, p.missing = make([]int, n), make([]map[string]int32, n), make([]map[string]bool, n)
	p.units, p.decimals, p.unseen, p.example = make([]bool, n), make([]int, n), make([]int, n), make([]string, n)
	for j := range cols {
		c := &cols[j]
		i, ok := at[c.Name]
		if !ok {
			if absent == nil || !absent(c) {
				return nil, fmt.Errorf("no column %.60q; it has %s", c.Name, nameList(header))
			}
			i = -1
		}
		p.from[j] = i
		if c.Kind.Coded() {
			p.levels[j] = make(map[string]int32, len(c.Levels))
			for k, l := range c.Levels {
				p.levels[j][l] = int32(k)
			}
		}
		if len(c.Missing) > 0 {
			p.missing[j] = map[string]bool{}
			for _, m := range c.Missing {
				p.missing[j][m] = true
			}
		}
	}
	return p, nil
}

func nameList(names []string) string {
	const most = 12
	q := make([]string, 0, most+1)
	for _, n := range names[:min(len(names), most)] {
		q = append(q, fmt.Sprintf("%.40q", n))
	}
	s := strings.Join(q, ", ")
	if len(names) > most {
		s += fmt.Sprintf(" and %d more", len(names)-most)
	}
	return s
}

// cell reads one cell as column j.
func (p *rowParser) cell(j int, c *Cell) (v float64, s State, err error) {
	col := &p.cols[j]
	if c.Null || c.Text == "" && !c.IsNum {
		return 0, Missing, nil
	}
	if m := p.missing[j]; m != nil && (m[c.Text] || m[strings.TrimSpace(c.Text)]) {
		return 0, Missing, nil
	}
	if c.IsNum {
		return p.typed(j, col, c)
	}
	switch col.Kind {
	case Number, Integer, Money:
		v, d, ok := parseDecimal(c.Text, p.comma)
		if !ok {
			text, unit := splitUnit(c.Text)
			if unit != "" {
				v, d, ok = parseDecimal(text, p.comma)
			}
		}
		if !ok {
			return p.noNumber(col, c.Text)
		}
		if d > p.decimals[j] || d < 0 {
			p.decimals[j] = max(d, p.decimals[j])
			if d < 0 {
				p.decimals[j] = maxDecimals + 1
			}
		}
		return p.bounded(col, v)
	case Timestamp:
		v, err := parseTime(c.Text, col.Format)
		if err != nil {
			if strings.TrimSpace(c.Text) == "" {
				return 0, Missing, nil
			}
			if !errors.Is(err, errNoDate) && col.Format != "" {
				if iso, ierr := parseTime(c.Text, ""); ierr == nil {
					return p.bounded(col, iso)
				}
			}
			return 0, 0, err
		}
		return p.bounded(col, v)
	}
	return p.level(j, col, c.Text)
}

const maxDecimals = 9

func (p *rowParser) noNumber(col *Column, text string) (float64, State, error) {
	t := strings.TrimSpace(text)
	switch strings.ToLower(t) {
	case "":
		return 0, Missing, nil
	case "nan":
		return 0, Missing, nil
	case "inf", "+inf", "-inf", "infinity", "+infinity", "-infinity":
		return 0, 0, errors.New("is infinite")
	}
	if f, err := strconv.ParseFloat(t, 64); err != nil && math.IsInf(f, 0) {
		return 0, 0, fmt.Errorf("is beyond %g", math.MaxFloat64)
	}
	if isMissingWord(t) {
		return 0, 0, fmt.Errorf("is no number (where it means missing, write missing: [%q] in the column)", t)
	}
	return 0, 0, errors.New("is no number")
}

func (p *rowParser) bounded(col *Column, v float64) (float64, State, error) {
	if col.Kind == Integer && v != math.Trunc(v) {
		return 0, 0, errors.New("is no whole number")
	}
	if col.Bounded && !(v >= col.Bounds.From && v <= col.Bounds.To) {
		return 0, 0, fmt.Errorf("is outside of the bounds %s", boundsText(col))
	}
	return v, Present, nil
}

func boundsText(c *Column) string {
	one := func(v, open float64) string {
		switch {
		case v == open:
			return ""
		case c.Kind == Timestamp:
			return TimeOf(v).Format("2006-01-02T15:04:05Z")
		}
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	s := one(c.Bounds.From, -math.MaxFloat64) + ".." + one(c.Bounds.To, math.MaxFloat64)
	if c.Unit != "" {
		s += " " + c.Unit
	}
	return s
}

// typed reads a cell whose source knows that it is a number or a time.
func (p *rowParser) typed(j int, col *Column, c *Cell) (float64, State, error) {
	switch {
	case math.IsNaN(c.Num):
		return 0, Missing, nil
	case math.IsInf(c.Num, 0):
		return 0, 0, errors.New("is infinite")
	}
	switch col.Kind {
	case Number, Integer, Money:
		if c.IsTime {
			return 0, 0, errors.New("is a time, not a number")
		}
		if d := decimalsOf(c.Num); d > p.decimals[j] {
			p.decimals[j] = d
		}
		return p.bounded(col, c.Num)
	case Timestamp:
		v := c.Num
		if !c.IsTime && col.Format == UnixMillis {
			v /= 1000
		}
		return p.bounded(col, v)
	}
	return p.level(j, col, cellText(c))
}

// decimalsOf counts the decimals that a typed number needs; maxDecimals+1 where there are more.
func decimalsOf(v float64) int {
	if v == math.Trunc(v) {
		return 0
	}
	for d := 1; d <= maxDecimals && math.Abs(v) < 1e15; d++ {
		if x := v * pow10[d]; math.Abs(x-math.Round(x)) < 1e-6 && math.Round(x)/pow10[d] == v {
			return d
		}
	}
	return maxDecimals + 1
}

// cellText is the text of a cell as a level.
func cellText(c *Cell) string {
	switch {
	case c.Text != "" || !c.IsNum:
		return c.Text
	case c.IsTime:
		return timeText(c.Num)
	}
	return strconv.FormatFloat(c.Num, 'f', -1, 64)
}

// timeText writes a time as ISO 8601 in UTC.
func timeText(v float64) string {
	t := TimeOf(v)
	if v == math.Trunc(v) {
		if int64(v)%86400 == 0 {
			return t.Format("2006-01-02")
		}
		return t.Format("2006-01-02T15:04:05Z")
	}
	return t.Format("2006-01-02T15:04:05.999999Z")
}

// level finds the code of a text.
func (p *rowParser) level(j int, col *Column, text string) (float64, State, error) {
	m := p.levels[j]
	if k, ok := m[text]; ok {
		return float64(k), Present, nil
	}
	t := strings.TrimSpace(text)
	if t == "" && col.Kind != Text {
		return 0, Missing, nil
	}
	if k, ok := m[t]; ok {
		return float64(k), Present, nil
	}
	if k, ok := p.booleanCode(col, t); ok {
		m[strings.Clone(t)] = int32(k)
		return float64(k), Present, nil
	}
	if p.grow && !col.fixed {
		k := len(col.Levels)
		t = strings.Clone(t)
		col.Levels = append(col.Levels, t)
		m[t] = int32(k)
		return float64(k), Present, nil
	}
	if p.unseen[j]++; p.unseen[j] == 1 {
		p.example[j] = strings.Clone(t)
	}
	if col.Kind == Ordinal { // has no place in the order
		return 0, Missing, nil
	}
	return Unknown, Present, nil
}

// booleanCode finds the code of another spelling of a truth value: TRUE for true, 1 for yes.
func (p *rowParser) booleanCode(col *Column, t string) (int, bool) {
	if col.Kind != Boolean || len(col.Levels) != 2 || len(t) > 5 {
		return 0, false
	}
	low := strings.ToLower(t)
	for k, l := range col.Levels {
		l = strings.ToLower(l)
		if l == low || trueWords[l] && trueWords[low] || falseWords[l] && falseWords[low] {
			return k, true
		}
	}
	return 0, false
}

// row reads a record. The first cell that does not fit its column is the error.
func (p *rowParser) row(cells []Cell, place int, v []float64, s []State) *RecordError {
	for j := range p.cols {
		i := p.from[j]
		if i < 0 {
			v[j], s[j] = 0, Missing
			continue
		}
		x, st, err := p.cell(j, &cells[i])
		if err != nil {
			return &RecordError{Source: p.source, Place: place, Column: p.cols[j].Name, Value: strings.Clone(cellText(&cells[i])), Err: err}
		}
		v[j], s[j] = x, st
	}
	return nil
}

// Builder reads records of a source as rows of fixed columns, for use with a trained model: levels that the columns do
// not hold become Unknown. It is not safe for concurrent use.
type Builder struct {
	rd     Reader
	parser *rowParser
	cells  []Cell
	row    Row
	source string
}

// NewBuilder matches the columns of a model with a source. Columns that are not Input may be absent: their cells are Missing.
func NewBuilder(rd Reader, cols []Column, source string) (*Builder, error) {
	p, err := newParser(rd, slices.Clone(cols), source, false, func(c *Column) bool { return !c.Input })
	if err != nil {
		return nil, fmt.Errorf("table: %s: %w", source, err)
	}
	return &Builder{rd: rd, parser: p, cells: make([]Cell, len(rd.Header())), row: NewRow(len(cols)), source: source}, nil
}

// Parse reads the cells of one record as a row; place is for the message.
func (b *Builder) Parse(cells []Cell, place int, r *Row) error {
	if err := b.parser.row(cells, place, r.V, r.S); err != nil {
		return err
	}
	return nil
}

// Unseen counts the cells of column j whose level the model does not know, with one of them.
func (b *Builder) Unseen(j int) (n int, example string) {
	return b.parser.unseen[j], b.parser.example[j]
}

// Next reads the next record into r. After a *RecordError it goes on with the next record; io.EOF ends.
func (b *Builder) Next(ctx context.Context, r *Row) (place int, err error) {
	if place, err = b.rd.Next(ctx, b.cells); err != nil {
		return place, err
	}
	return place, b.Parse(b.cells, place, r)
}

// Cells are the cells of the record that Next gave last.
func (b *Builder) Cells() []Cell { return b.cells }

// ReadChunk replaces the rows of dst by at most n further ones, using its memory again. Records that cannot be read go to
// bad and into no row: places rise in dst.Places and over the calls of bad, so both can be merged. It returns the number of
// rows and io.EOF at the end of the source (with the last rows).
func (b *Builder) ReadChunk(ctx context.Context, dst *Table, n int, bad func(*RecordError)) (int, error) {
	dst.Columns, dst.Source = b.parser.cols, b.source
	dst.resize(len(dst.Columns), n)
	for dst.Rows < n {
		place, err := b.Next(ctx, &b.row)
		if err != nil {
			var re *RecordError
			if errors.As(err, &re) {
				if bad != nil {
					bad(re)
				}
				continue
			}
			return dst.Rows, err
		}
		dst.add(&b.row, place)
	}
	return dst.Rows, nil
}

// ReadChunk replaces the rows of dst by at most n further records of rd, read as cols; see [Builder.ReadChunk]. For many
// chunks of one source a Builder, which keeps its index of levels, is faster.
func ReadChunk(ctx context.Context, rd Reader, cols []Column, dst *Table, n int, bad func(*RecordError)) (int, error) {
	b := dst.builder
	if b == nil || b.rd != rd || len(cols) != len(b.parser.cols) || len(cols) > 0 && &cols[0] != dst.built {
		var err error
		if b, err = NewBuilder(rd, cols, sourceOf(rd)); err != nil {
			return 0, err
		}
		dst.builder = b
		if len(cols) > 0 {
			dst.built = &cols[0]
		}
	}
	return b.ReadChunk(ctx, dst, n, bad)
}

func sourceOf(rd Reader) string {
	if n, ok := rd.(interface{ Source() string }); ok {
		return n.Source()
	}
	return rd.Describe()
}

// resize empties the table and gives every column room for n rows.
func (t *Table) resize(cols, n int) {
	if len(t.Values) != cols {
		t.Values, t.States = make([][]float64, cols), make([][]State, cols)
	}
	for j := range cols {
		t.Values[j] = slices.Grow(t.Values[j][:0], n)
		t.States[j] = slices.Grow(t.States[j][:0], n)
	}
	t.Places, t.Rows = slices.Grow(t.Places[:0], n), 0
}

func (t *Table) add(r *Row, place int) {
	for j := range t.Columns {
		t.Values[j] = append(t.Values[j], r.V[j])
		t.States[j] = append(t.States[j], r.S[j])
	}
	t.Places = append(t.Places, place)
	t.Rows++
}

// Build reads a whole source as rows of cols. With grow, levels that the columns lack are added in the order of their
// first appearance, except where Levels are declared. More than maxBad records that cannot be read end it with the last of them.
func Build(ctx context.Context, rd Reader, cols []Column, source string, grow bool, maxBad int, progress func(rows int)) (*Table, []*RecordError, error) {
	p, err := newParser(rd, cols, source, grow, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("table: %s: %w", source, err)
	}
	t := &Table{Columns: cols, Source: source}
	t.resize(len(cols), 1024)
	cells, row := make([]Cell, len(rd.Header())), NewRow(len(cols))
	var bad []*RecordError
	for {
		place, err := rd.Next(ctx, cells)
		if err == nil {
			if re := p.row(cells, place, row.V, row.S); re != nil {
				err = re
			}
		}
		var re *RecordError
		switch {
		case err == nil:
			t.add(&row, place)
			if progress != nil && t.Rows%65536 == 0 {
				progress(t.Rows)
			}
			continue
		case errors.Is(err, io.EOF):
			for j := range cols {
				if c := &cols[j]; c.Decimals == unknownDecimals {
					if c.Decimals = p.decimals[j]; c.Decimals > maxDecimals {
						c.Decimals = -1
					}
				}
			}
			t.unseen, t.example = p.unseen, p.example
			return t, bad, nil
		case errors.As(err, &re):
			if bad = append(bad, re); len(bad) > maxBad {
				return nil, bad, tooMany(bad, maxBad)
			}
		default:
			return nil, bad, err
		}
	}
}

// unknownDecimals asks Build to count.
const unknownDecimals = math.MinInt

// isMissingWord reports texts that often mean "no value".
func isMissingWord(s string) bool {
	switch strings.ToLower(s) {
	case "na", "n/a", "#n/a", "?", "-", "--", "null", "none", "nan", "nil", `\n`, ".", "<na>", "nat":
		return true
	}
	return false
}
