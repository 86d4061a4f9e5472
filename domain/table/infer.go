package table

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/selfsame-ml/selfsame/dataset"
	"github.com/selfsame-ml/selfsame/internal/rng"
	"github.com/selfsame-ml/selfsame/internal/rowrule"
	"github.com/selfsame-ml/selfsame/recipe"
)

// distinctCap bounds the different texts that are counted exactly in a column.
const distinctCap = 1 << 16

// tolerated is the share of cells that may contradict a kind: each of them is then a named error when the table is read.
const tolerated = 0.02

// layouts of times that are tried, each with a twin that reads day and month the other way round ("" = none).
var layouts = []struct{ layout, twin string }{
	{"2006-01-02", ""}, {"2006-01-02 15:04:05", ""}, {"2006-01-02T15:04:05", ""}, {"2006-01-02T15:04:05Z07:00", ""}, {"2006-01-02 15:04:05Z07:00", ""},
	{"2006-01-02 15:04:05Z07", ""}, {"2006-01-02 15:04", ""}, {"2006-01-02T15:04", ""}, {"2006-01-02T15:04Z07:00", ""}, {"2006-01-02T15:04:05Z0700", ""},
	{"2006-01-02 15:04:05 Z0700", ""}, {"2006-01-02 15:04:05 -0700 MST", ""},
	{"2006/01/02", ""}, {"2006/01/02 15:04:05", ""}, {"2006/01/02 15:04", ""}, {"2006.01.02", ""}, {"20060102", ""},
	{"02.01.2006", ""}, {"02.01.2006 15:04:05", ""}, {"02.01.2006 15:04", ""}, {"2.1.2006", ""}, {"02.01.06", ""},
	{"2/1/2006", "1/2/2006"}, {"2/1/2006 15:04:05", "1/2/2006 15:04:05"}, {"2/1/2006 15:04", "1/2/2006 15:04"}, {"2/1/2006 3:04:05 PM", "1/2/2006 3:04:05 PM"},
	{"2/1/2006 3:04 PM", "1/2/2006 3:04 PM"}, {"2/1/06", "1/2/06"}, {"2/1/06 15:04", "1/2/06 15:04"}, {"2-1-2006", "1-2-2006"}, {"2-1-2006 15:04", "1-2-2006 15:04"},
	{"2-Jan-2006", ""}, {"2-Jan-06", ""}, {"2 Jan 2006", ""}, {"2 January 2006", ""}, {"Jan 2, 2006", ""}, {"January 2, 2006", ""}, {"2006-01", ""},
	{time.RFC1123, ""}, {time.RFC1123Z, ""}, {time.ANSIC, ""}, {time.UnixDate, ""},
}

// layoutFit is how well one layout fits a column.
type layoutFit struct {
	layout, twin     string
	isTwin           bool
	fits, gone       int // gone: dates of that form which do not exist
	fails            int
	first, last      float64
	rising, falling  int
	badExample       string
	fractionOfSecond bool
}

// profile is what was seen in one column.
type profile struct {
	name           string
	cells          int // with a value
	empty          int
	words          map[string]int // texts that often mean "missing"
	numbers        int
	whole          int
	decimals       int
	exponent       bool
	leadingZero    int
	units          map[string]int
	min, max       float64
	rising         int // steps of exactly one
	lastNumber     float64
	typedNumbers   int
	typedTimes     int
	layouts        []layoutFit
	index          map[string]int32 // levels counted, by text
	levels         []string
	counts         []int
	capped         int // cells with a value when the cap was reached; 0: it was not
	length, spaces int64
	longest        int
}

func newProfile(name string) *profile {
	p := &profile{name: name, words: map[string]int{}, units: map[string]int{}, index: map[string]int32{}, min: math.Inf(1), max: math.Inf(-1)}
	for _, l := range layouts {
		p.layouts = append(p.layouts, layoutFit{layout: l.layout, twin: l.twin})
		if l.twin != "" {
			p.layouts = append(p.layouts, layoutFit{layout: l.twin, twin: l.layout, isTwin: true})
		}
	}
	return p
}

// add looks at one cell.
func (p *profile) add(c *Cell, comma bool) {
	if c.Null || c.Text == "" && !c.IsNum || c.IsNum && math.IsNaN(c.Num) {
		p.empty++
		return
	}
	if c.IsNum {
		p.cells++
		if c.IsTime {
			p.typedTimes++
			p.min, p.max = min(p.min, c.Num), max(p.max, c.Num)
		} else {
			p.typedNumbers++
			p.number(c.Num, decimalsOf(c.Num))
		}
		if len(p.levels) < distinctCap {
			p.level(cellText(c))
		}
		return
	}
	text := c.Text
	if text[0] == ' ' || text[len(text)-1] == ' ' || text[0] == '\t' {
		if text = strings.TrimSpace(text); text == "" {
			p.empty++
			return
		}
	}
	if len(text) <= 5 && isMissingWord(text) {
		if _, ok := p.words[text]; !ok {
			text = strings.Clone(text)
		}
		p.words[text]++
		return
	}
	p.cells++
	p.length += int64(len(text))
	p.longest = max(p.longest, len(text))
	p.spaces += int64(strings.Count(text, " "))
	p.level(text)
	v, d, ok := parseDecimal(text, comma)
	if !ok && (p.numbers > 0 || p.cells < 100) {
		if t, unit := splitUnit(text); unit != "" {
			if v, d, ok = parseDecimal(t, comma); ok {
				p.units[unit]++
			}
		}
	}
	if ok {
		p.number(v, d)
		if t := strings.TrimLeft(text, "+-"); len(t) > 1 && t[0] == '0' && t[1] >= '0' && t[1] <= '9' {
			p.leadingZero++
		}
	}
	p.time(text)
}

func (p *profile) number(v float64, d int) {
	if d < 0 {
		p.exponent = true
	}
	if p.numbers > 0 && v == p.lastNumber+1 {
		p.rising++
	}
	p.lastNumber = v
	p.numbers++
	p.decimals = max(p.decimals, d)
	if v == math.Trunc(v) && d <= 0 {
		p.whole++
	}
	p.min, p.max = min(p.min, v), max(p.max, v)
}

func (p *profile) level(text string) {
	if i, ok := p.index[text]; ok {
		p.counts[i]++
		return
	}
	if p.capped > 0 {
		return
	}
	text = strings.Clone(text)
	p.index[text] = int32(len(p.levels))
	p.levels, p.counts = append(p.levels, text), append(p.counts, 1)
	if len(p.levels) == distinctCap {
		p.capped = p.cells
	}
}

func (p *profile) time(text string) {
	for i := 0; i < len(p.layouts); {
		l := &p.layouts[i]
		t, err := time.Parse(l.layout, text)
		switch {
		case err == nil:
			s := seconds(t)
			if l.fits == 0 {
				l.first = s
			} else if s > l.last {
				l.rising++
			} else if s < l.last {
				l.falling++
			}
			l.fractionOfSecond = l.fractionOfSecond || s != math.Trunc(s)
			l.last = s
			l.fits++
		case outOfRange(err):
			if l.gone++; l.gone == 1 {
				l.badExample = strings.Clone(text)
			}
		default:
			l.fails++
		}
		if bad := l.fails + l.gone; bad > 3 && float64(bad) > 0.1*float64(l.fits+bad) {
			p.layouts = slices.Delete(p.layouts, i, i+1)
			continue
		}
		i++
	}
}

// share of the cells with a value.
func (p *profile) share(n int) float64 {
	if p.cells == 0 {
		return 0
	}
	return float64(n) / float64(p.cells)
}

func (p *profile) mostly(n int) bool { return p.cells > 0 && p.share(p.cells-n) <= tolerated }

// distinct estimates the number of different values.
func (p *profile) distinct() int {
	if p.capped == 0 {
		return len(p.levels)
	}
	return int(float64(len(p.levels)) / float64(p.capped) * float64(p.cells))
}

// unique is the share of cells that are a new value.
func (p *profile) unique() float64 {
	n := p.cells
	if p.capped > 0 {
		n = p.capped
	}
	if n == 0 {
		return 0
	}
	return float64(len(p.levels)) / float64(n)
}

// nameWords splits a column's name: "customerID" and "customer_id" give customer, id.
func nameWords(name string) []string {
	var out []string
	var b []rune
	flush := func() {
		if len(b) > 0 {
			out = append(out, strings.ToLower(string(b)))
			b = b[:0]
		}
	}
	lower := false
	for _, r := range name {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			flush()
			lower = false
			continue
		}
		if unicode.IsUpper(r) && lower {
			flush()
		}
		lower = unicode.IsLower(r) || unicode.IsDigit(r)
		b = append(b, r)
	}
	flush()
	return out
}

func hints(name string, words ...string) bool {
	return slices.ContainsFunc(nameWords(name), func(w string) bool { return slices.Contains(words, w) })
}

func hintsID(name string) bool {
	w := nameWords(name)
	return len(w) > 0 && (slices.Contains([]string{"id", "ids", "uuid", "guid", "key", "identifier", "index", "idx", "rownames", "nr", "no"}, w[len(w)-1]) ||
		slices.Contains(w, "uuid") || w[0] == "id" || len(w) == 2 && w[0] == "row" && w[1] == "name" || strings.HasSuffix(w[len(w)-1], "id") && len(w[len(w)-1]) > 4 && slices.Contains([]string{"customerid", "userid", "orderid", "productid", "clientid", "sessionid", "accountid", "itemid"}, w[len(w)-1]))
}

func hintsMoney(name string) bool {
	return hints(name, "price", "prices", "amount", "cost", "costs", "revenue", "paid", "fee", "fees", "salary", "income", "charge", "charges", "balance", "spend", "spent",
		"dollars", "dollar", "euro", "euros", "eur", "usd", "gbp", "payment", "payments", "monetary", "budget", "wage", "loan", "debt", "savings", "expenses", "assets", "turnover", "sales", "total", "subtotal", "discount", "tax")
}

func hintsTime(name string) bool {
	w := nameWords(name)
	return hints(name, "time", "date", "timestamp", "ts", "datetime", "when", "day", "created", "updated", "modified", "since", "until", "epoch") ||
		len(w) > 1 && (w[len(w)-1] == "at" || w[len(w)-1] == "on")
}

// finding is the kind of a column and why.
type finding struct {
	kind      Kind
	reason    string
	unit      string
	format    string
	levels    []string // boolean, ordinal
	missing   []string
	ambiguous string // why the column cannot be read without its format
	bad       int    // cells that contradict the kind
}

// decide finds the kind of a column.
func (p *profile) decide() finding {
	f := p.kind()
	for w := range p.words {
		if f.kind == Category || f.kind == Text || f.kind == Identifier {
			if low := strings.ToLower(w); low == "none" || low == "." || low == "nil" || low == "--" || w == "NA" && p.codesOfTwoLetters() {
				p.cells += p.words[w] // may well be a level
				p.levels, p.counts = append(p.levels, w), append(p.counts, p.words[w])
				continue
			}
		}
		f.missing = append(f.missing, w)
	}
	slices.Sort(f.missing)
	return f
}

// codesOfTwoLetters reports levels such as country codes, where NA is Namibia.
func (p *profile) codesOfTwoLetters() bool {
	n := 0
	for _, l := range p.levels {
		if len(l) == 2 && unicode.IsUpper(rune(l[0])) && unicode.IsUpper(rune(l[1])) {
			n++
		}
	}
	return len(p.levels) > 5 && n*10 >= 8*len(p.levels)
}

func (p *profile) kind() finding {
	if p.cells == 0 {
		return finding{kind: Category, reason: "no value at all"}
	}
	distinct := p.distinct()
	values := fmt.Sprintf("%d values", distinct)
	switch {
	case distinct == 1:
		values = "the same value everywhere"
	case p.capped > 0:
		values = fmt.Sprintf("about %d values", distinct)
	}
	if p.typedTimes > 0 && p.mostly(p.typedTimes) {
		return finding{kind: Timestamp, reason: "times, typed so in the source"}
	}
	if lv, ok := p.truth(); ok {
		return finding{kind: Boolean, reason: fmt.Sprintf("only %s and %s", lv[0], lv[1]), levels: lv}
	}
	if f, ok := p.asTime(); ok {
		return f
	}
	words := nameWords(p.name)
	last := ""
	if len(words) > 0 {
		last = words[len(words)-1]
	}
	if p.mostly(p.numbers) {
		f := finding{bad: p.cells - p.numbers}
		for u, n := range p.units {
			if p.mostly(n) || n*2 > p.numbers {
				f.unit = u
			}
		}
		whole := p.whole == p.numbers && !p.exponent
		switch {
		case f.unit != "" && f.unit != "%":
			f.kind, f.reason = Money, "amounts with the sign of a currency"
		case whole && p.leadingZero > 0:
			f.kind, f.reason = Category, "digits with leading zeros, which are codes: "+values
			if hintsID(p.name) || p.unique() > 0.95 && p.cells >= 20 {
				f.kind, f.reason = Identifier, "digits with leading zeros, nearly all different"
			}
		case whole && hintsID(p.name):
			f.kind, f.reason = Identifier, "the name says so: "+values
		case whole && p.cells >= 20 && p.rising >= p.numbers-1 && p.unique() > 0.99:
			f.kind, f.reason = Identifier, "counts the rows"
		case p.unixTime(whole) != "":
			f.kind, f.format = Timestamp, p.unixTime(whole)
			f.reason = "seconds since 1970, by name and range"
			if f.format == UnixMillis {
				f.reason = "milliseconds since 1970, by name and range"
			}
		case whole && distinct <= 12 && p.cells >= 2*distinct && hints(p.name, "rating", "stars", "grade", "level", "stage", "quality", "satisfaction", "priority", "severity", "rank", "likert", "education"):
			f.kind, f.reason = Ordinal, fmt.Sprintf("%d whole numbers %g..%g, and the name speaks of an order", distinct, p.min, p.max)
			f.levels = p.sortedLevels()
		case whole && distinct <= 200 && p.cells >= 2*distinct && hints(p.name, "type", "code", "region", "zip", "postcode", "department", "store", "shop", "category", "group", "cluster", "segment", "class", "brand", "area", "city", "state", "country", "channel"):
			f.kind, f.reason = Category, "whole numbers that the name calls a code: "+values
		case !whole && p.decimals <= 2 && !p.exponent && hintsMoney(p.name):
			f.kind, f.reason = Money, "at most two decimals, and the name speaks of money"
		case whole:
			f.kind, f.reason = Integer, "whole numbers, "+values
		default:
			f.kind, f.reason = Number, "numbers, "+values
		}
		if f.unit == "" {
			f.unit = unitOf(p.name, f.kind)
		}
		return f
	}
	words1 := float64(p.spaces+int64(p.cells)) / float64(p.cells) // words a cell
	switch {
	case hintsID(p.name) && words1 < 1.5:
		return finding{kind: Identifier, reason: "the name says so: " + values}
	case p.unique() > 0.95 && p.cells >= 20 && words1 < 1.2 && p.longest <= 64:
		return finding{kind: Identifier, reason: "nearly all different, one word each"}
	case p.cells >= 20 && words1 >= 3 && p.unique() > 0.5, p.longest > 200, p.cells >= 20 && p.unique() > 0.95:
		return finding{kind: Text, reason: fmt.Sprintf("%.0f words a cell, %s", words1, values)}
	case hints(last, "comment", "comments", "description", "text", "message", "note", "notes", "review", "title") && p.unique() > 0.3:
		return finding{kind: Text, reason: "free text, by name: " + values}
	}
	reason := "texts, " + values
	if p.numbers > 0 {
		reason += fmt.Sprintf(" (%d of them numbers)", p.numbers)
	}
	return finding{kind: Category, reason: reason}
}

// unitOf guesses a unit from the name.
func unitOf(name string, k Kind) string {
	switch {
	case hints(name, "eur", "euro", "euros"):
		return "EUR"
	case hints(name, "usd", "dollar", "dollars"):
		return "USD"
	case hints(name, "gbp"):
		return "GBP"
	case k == Money:
		return ""
	case hints(name, "age", "years"):
		return "years"
	case hints(name, "months", "tenure"):
		return "months"
	case hints(name, "days"):
		return "days"
	case hints(name, "minutes", "mins"):
		return "minutes"
	case hints(name, "km"):
		return "km"
	case hints(name, "kg"):
		return "kg"
	case hints(name, "percent", "percentage", "pct"):
		return "%"
	}
	return ""
}

// truth finds the two levels of a boolean, the false one first.
func (p *profile) truth() ([]string, bool) {
	if p.capped > 0 || len(p.levels) == 0 || len(p.levels) > 4 {
		return nil, false
	}
	out := make([]string, 2)
	for _, l := range p.levels {
		low := strings.ToLower(l)
		k := -1
		switch {
		case falseWords[low]:
			k = 0
		case trueWords[low]:
			k = 1
		}
		if k < 0 || out[k] != "" && !strings.EqualFold(out[k], l) {
			return nil, false
		}
		if out[k] == "" {
			out[k] = l
		}
	}
	return out, out[0] != "" && out[1] != ""
}

// sortedLevels are the levels of whole numbers, rising.
func (p *profile) sortedLevels() []string {
	out := slices.Clone(p.levels)
	slices.SortFunc(out, func(a, b string) int {
		x, _ := parseNumber(a, false)
		y, _ := parseNumber(b, false)
		return cmp.Compare(x, y)
	})
	return out
}

// unixTime is the format of whole numbers that are times: the name must say so, and the range lie in 1990..2040.
func (p *profile) unixTime(whole bool) string {
	const from, to = 631152000, 2208988800
	switch {
	case !hintsTime(p.name):
		return ""
	case p.min >= from && p.max <= to && (whole || p.decimals > 0):
		return UnixSeconds
	case p.min >= from*1000. && p.max <= to*1000. && whole:
		return UnixMillis
	}
	return ""
}

// asTime finds the layout of a column of times.
func (p *profile) asTime() (finding, bool) {
	var best *layoutFit
	for i := range p.layouts {
		l := &p.layouts[i]
		if !p.mostly(l.fits) || l.layout == "20060102" && (len(p.levels) < 5 && !hintsTime(p.name) || p.min < 19000101 || p.max > 21001231) ||
			(l.layout == "2.1.2006" || l.layout == "02.01.06") && len(p.levels) < 2 {
			continue
		}
		if best == nil || l.fits > best.fits {
			best = l
		}
	}
	if best == nil {
		return finding{}, false
	}
	f := finding{kind: Timestamp, reason: "dates such as " + p.levels[0], format: best.layout, bad: p.cells - best.fits}
	if best.twin == "" {
		return f, true
	}
	for i := range p.layouts {
		t := &p.layouts[i]
		if t.layout != best.twin || t.fits != best.fits {
			continue
		}
		// Both readings fit every cell. Rows in the order of time give it away.
		sorted := func(l *layoutFit) bool { return l.fits > 10 && (l.rising == 0 || l.falling == 0) }
		switch {
		case sorted(best) && !sorted(t):
			f.reason += ", day and month told apart by the order of the rows"
			return f, true
		case sorted(t) && !sorted(best):
			f.format = t.layout
			f.reason += ", day and month told apart by the order of the rows"
			return f, true
		}
		f.format = ""
		f.ambiguous = fmt.Sprintf("dates such as %s: no cell tells day and month apart; write format: %s or %s", p.levels[0], best.layout, t.layout)
		f.reason = f.ambiguous
	}
	return f, true
}

// findings are what is known of a source after reading it whole.
type findings struct {
	header   []string
	columns  []finding
	profiles []*profile
	rows     int
	bad      []*RecordError // first of the records that cannot be read
	badCount int
	sample   [][]Cell // rows for the search of rules, spread over the source
	comma    bool
}

// maxBadKept bounds the records that cannot be read which are kept for messages.
const maxBadKept = 50

// profileSource reads a source whole. sample is how many rows are kept from its start, and as many again spread over the rest.
func profileSource(ctx context.Context, rd Reader, sample int, draw func(n int) int, progress func(rows int)) (*findings, error) {
	f := &findings{header: rd.Header()}
	if d, ok := rd.(interface{ DecimalComma() bool }); ok {
		f.comma = d.DecimalComma()
	}
	for _, h := range f.header {
		f.profiles = append(f.profiles, newProfile(h))
	}
	cells := make([]Cell, len(f.header))
	for {
		_, err := rd.Next(ctx, cells)
		if errors.Is(err, io.EOF) {
			break
		}
		var re *RecordError
		if errors.As(err, &re) {
			if f.badCount++; len(f.bad) < maxBadKept {
				f.bad = append(f.bad, re)
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		for j := range cells {
			f.profiles[j].add(&cells[j], f.comma)
		}
		if sample > 0 {
			f.keep(cells, sample, draw)
		}
		if f.rows++; progress != nil && f.rows%65536 == 0 {
			progress(f.rows)
		}
	}
	for _, p := range f.profiles {
		f.columns = append(f.columns, p.decide())
	}
	return f, nil
}

// keep holds the first rows and a reservoir of the rest (Vitter 1985, algorithm R).
func (f *findings) keep(cells []Cell, sample int, draw func(n int) int) {
	at := len(f.sample)
	if at >= 2*sample {
		k := draw(f.rows - sample + 1)
		if k >= sample {
			return
		}
		at = sample + k
	}
	row := make([]Cell, len(cells))
	for j, c := range cells {
		c.Text = strings.Clone(c.Text)
		row[j] = c
	}
	if at == len(f.sample) {
		f.sample = append(f.sample, row)
	} else {
		f.sample[at] = row
	}
}

// kindWord is the word of a recipe for a kind.
func kindWord(k Kind) string { return recipe.ColumnKinds[k] }

// InferOptions is what Infer needs beside a reader.
type InferOptions struct {
	Source   string // as data.source will name it
	Query    string // as data.query will
	Seed     uint64
	Progress func(rows int) // may be nil
}

const (
	inferRows  = 10_000 // kept from the start of a source, and as many again spread over the rest
	maxLevelsN = 64     // levels that a draft lists
	// Columns among which rules are sought; the search of a == b*c costs their third power.
	ruleColumns = 24
)

// Infer reads a source whole and says what a recipe for it can be drafted from: kinds with their reasons, candidates for the
// target, time and group, and rules between columns. Kinds are judged by all rows; rules are found on the first 10,000
// rows and as many drawn from the rest, and hold there on every row without a missing cell.
func Infer(ctx context.Context, rd Reader, opt InferOptions) (recipe.TableInfo, error) {
	draw := rng.New(opt.Seed, rng.Split, 99)
	f, err := profileSource(ctx, rd, inferRows, draw.IntN, opt.Progress)
	if err != nil {
		return recipe.TableInfo{}, err
	}
	if f.rows == 0 {
		if len(f.bad) > 0 {
			return recipe.TableInfo{}, tooMany(f.bad, 0)
		}
		return recipe.TableInfo{}, &dataset.Error{Path: opt.Source, Err: errors.New("there is no row below the header")}
	}
	info := recipe.TableInfo{Source: opt.Source, Query: opt.Query, Describe: rd.Describe(), Rows: f.rows}
	t := f.sampleTable(opt.Source)
	for j, p := range f.profiles {
		d := &f.columns[j]
		c := recipe.ColumnInfo{
			Name: p.name, Kind: kindWord(d.kind), Reason: d.reason, Unit: d.unit, Format: d.format, Decimals: p.decimals, Distinct: p.distinct(),
			Missing: p.empty, MissingTexts: d.missing,
		}
		if d.bad > 0 {
			c.Reason += fmt.Sprintf("; %d cells do not fit", d.bad)
		}
		for _, m := range d.missing {
			c.Missing += p.words[m]
		}
		most := 0
		for _, n := range p.counts {
			most = max(most, n)
		}
		c.Share = p.share(most)
		c.Examples = slices.Clone(p.levels[:min(len(p.levels), 3)])
		switch d.kind {
		case Category:
			if p.capped == 0 && len(p.levels) <= maxLevelsN {
				c.Levels = slices.Clone(p.levels)
			}
		case Boolean, Ordinal:
			c.Levels = slices.Clone(d.levels)
		}
		if v := t.present(j); len(v) > 0 && !d.kind.Coded() {
			c.Min, c.Max = slices.Min(v), slices.Max(v)
			if d.kind != Timestamp && p.numbers > 0 {
				c.Min, c.Max = p.min, p.max // of all rows
			}
		}
		info.Columns = append(info.Columns, c)
	}
	f.candidates(&info)
	for j := range info.Columns {
		if f.columns[j].kind == Timestamp {
			info.Columns[j].Gap = t.gap(j, t.Lookup(info.GroupBy))
		}
	}
	if lost := t.groupLoss(t.Lookup(info.Time), t.Lookup(info.GroupBy)); lost > mostLost {
		info.TimeReason += fmt.Sprintf("; group_by: %s beside it would leave out %.0f %% of the rows, since it comes back over time", info.GroupBy, 100*lost)
		info.GroupBy, info.GroupByReason = "", ""
	}
	info.Rules = t.findRules(info.Target)
	return info, nil
}

// mostLost is the share of rows that a drafted split may leave out.
const mostLost = 0.2

// groupLoss is the share of rows that a split by time and groups leaves out.
func (t *Table) groupLoss(time, group int) float64 {
	if time < 0 || group < 0 {
		return 0
	}
	q := &splitRequest{val: 0.1, test: 0.2}
	for i := range t.Rows {
		if t.States[time][i] == Present && t.States[group][i] == Present {
			q.times, q.groups = append(q.times, t.Values[time][i]), append(q.groups, int32(t.Values[group][i]))
		}
	}
	if q.rows = len(q.times); q.rows == 0 {
		return 0
	}
	if _, err := splitRows(q); err != nil {
		return 1
	}
	return float64(q.leftOut) / float64(q.rows)
}

// sampleTable reads the kept rows as the kinds that were found; cells that do not fit are missing.
func (f *findings) sampleTable(source string) *Table {
	t := &Table{Source: source}
	for j, h := range f.header {
		c, err := resolveColumn(h, nil, &f.columns[j])
		if err != nil { // a time whose format is open
			c = Column{Name: h, Kind: Text}
		}
		t.Columns = append(t.Columns, c)
	}
	p, err := newParser(&headerOnly{f.header, f.comma}, t.Columns, source, true, nil)
	if err != nil {
		return t
	}
	t.resize(len(t.Columns), len(f.sample))
	row := NewRow(len(t.Columns))
	for i, cells := range f.sample {
		for j := range cells {
			var err error
			if row.V[j], row.S[j], err = p.cell(j, &cells[j]); err != nil {
				row.V[j], row.S[j] = 0, Missing
			}
		}
		t.add(&row, i+1)
	}
	return t
}

// headerOnly is a reader without records.
type headerOnly struct {
	names []string
	comma bool
}

func (h *headerOnly) Header() []string                          { return h.names }
func (h *headerOnly) DecimalComma() bool                        { return h.comma }
func (h *headerOnly) Next(context.Context, []Cell) (int, error) { return 0, io.EOF }
func (h *headerOnly) Describe() string                          { return "" }
func (h *headerOnly) Close() error                              { return nil }

// present are the values of a column.
func (t *Table) present(j int) []float64 {
	var out []float64
	for i, s := range t.States[j] {
		if s == Present {
			out = append(out, t.Values[j][i])
		}
	}
	return out
}

// gap is the median distance of neighbours in time, within a group where there is one.
func (t *Table) gap(j, group int) float64 {
	by := map[float64][]float64{}
	for i, s := range t.States[j] {
		if s != Present {
			continue
		}
		g := 0.0
		if group >= 0 {
			if t.States[group][i] != Present {
				continue
			}
			g = t.Values[group][i]
		}
		by[g] = append(by[g], t.Values[j][i])
	}
	var gaps []float64
	for _, v := range by {
		slices.Sort(v)
		for i := 1; i < len(v); i++ {
			gaps = append(gaps, v[i]-v[i-1])
		}
	}
	if len(gaps) == 0 {
		return 0
	}
	slices.Sort(gaps)
	return gaps[len(gaps)/2]
}

// candidates names columns for target, time and group.
func (f *findings) candidates(info *recipe.TableInfo) {
	best := 0
	for j, p := range f.profiles {
		d := &f.columns[j]
		words := nameWords(p.name)
		if len(words) == 0 || p.cells == 0 {
			continue
		}
		distinct := p.distinct()
		score := 0
		switch {
		case d.kind == Identifier || d.kind == Text || d.kind == Timestamp || distinct < 2:
			continue
		case hints(p.name, "label", "target", "outcome", "churn", "churned", "y"), len(words) == 1 && words[0] == "class":
			score = 3
		case hints(p.name, "class", "default", "response", "result", "fraud", "converted", "conversion", "cancelled", "canceled", "bad", "survived", "diagnosis", "attrition", "status") && (d.kind.Coded() || distinct <= 10):
			score = 2
		case j == len(f.profiles)-1 && d.kind.Coded() && distinct <= 10:
			score = 1
		}
		if score > best {
			best = score
			info.Target = p.name
			info.TargetReason = map[int]string{3: "the name says so", 2: "the name suggests it", 1: fmt.Sprintf("the last column, with %d levels", distinct)}[score]
			info.Task = "classify"
			if !d.kind.Coded() && distinct > 20 {
				info.Task = "regress"
			}
		}
	}
	bestTime, bestGroup := 0, 0
	for j, p := range f.profiles {
		d := &f.columns[j]
		switch {
		case d.kind == Timestamp && d.ambiguous == "" && p.distinct() > 2:
			score := 1
			if hints(p.name, "ordered", "order", "bought", "created", "event", "transaction", "purchase", "invoice", "timestamp", "time", "date") {
				score = 2
			}
			if hints(p.name, "birth", "birthday", "birthdate", "dob", "born") {
				continue // no row was made then
			}
			if score > bestTime {
				bestTime = score
				info.Time, info.TimeReason = p.name, "a model is used on rows that come later than those it learnt from"
			}
		case d.kind == Identifier && p.unique() < 0.9 && p.distinct() > 1:
			score := 1
			if hints(p.name, "customer", "user", "client", "patient", "household", "member", "account", "person", "subject") {
				score = 2
			}
			if score > bestGroup {
				bestGroup = score
				info.GroupBy, info.GroupByReason = p.name, fmt.Sprintf("its about %d values come back, %.1f rows each", p.distinct(), float64(p.cells)/float64(max(1, p.distinct())))
			}
		}
	}
}

// findRules seeks a == b*c, a == b+c and, where a is computed by another rule, c == a-b between numbers, and a <= b between times. A rule must hold
// on every sampled row with values, on at least 20 rows, and must not hold by accident: all three columns vary, and neither
// factor is 1 nor a summand 0 throughout.
func (t *Table) findRules(target string) []recipe.RuleInfo {
	var numbers, times []int
	for j := range t.Columns {
		c := &t.Columns[j]
		if c.Name == target {
			continue
		}
		v := t.present(j)
		if len(v) < 20 || slices.Min(v) == slices.Max(v) {
			continue
		}
		switch {
		case c.Kind == Timestamp:
			times = append(times, j)
		case c.Kind.Numeric() && len(numbers) < ruleColumns:
			numbers = append(numbers, j)
		}
	}
	bound := func(text string) *rowrule.Bound {
		r, err := rowrule.Parse(text)
		if err != nil {
			return nil
		}
		b, err := r.Bind(t.ruleColumn)
		if err != nil {
			return nil
		}
		return b
	}
	var out []recipe.RuleInfo
	row := NewRow(len(t.Columns))
	// holds counts the rows on which all columns have values; 0 where the rule fails on one.
	holds := func(text string, cols ...int) int {
		b := bound(text)
		if b == nil {
			return 0
		}
		n := 0
	rows:
		for i := range t.Rows {
			for _, j := range cols {
				if t.States[j][i] != Present {
					continue rows
				}
			}
			t.Read(i, &row)
			if !rowrule.Holds(b, row.V, row.S) {
				return 0
			}
			n++
		}
		return n
	}
	name := func(j int) string { return rowrule.Quote(t.Columns[j].Name) }
	trivial := func(j int, v float64) bool { // nearly every cell is v
		n, k := 0, 0
		for i, s := range t.States[j] {
			if s == Present {
				n++
				if t.Values[j][i] == v {
					k++
				}
			}
		}
		return k*10 > n*9
	}
	derived := map[int]bool{}
	try := func(text string, cols ...int) bool {
		if n := holds(text, cols...); n >= 20 {
			out = append(out, recipe.RuleInfo{Text: text, Rows: n})
			return true
		}
		return false
	}
	for _, a := range numbers {
		for x, b := range numbers {
			for _, c := range numbers[x+1:] {
				if a == b || a == c || derived[b] && derived[c] || trivial(b, 0) || trivial(c, 0) {
					continue
				}
				if derived[a] { // a sum that is computed otherwise: one of its parts follows
					part, rest := max(b, c), min(b, c)
					if derived[part] {
						part, rest = rest, part
					}
					if t.near(a, b, c, '+') && try(name(part)+" == "+name(a)+" - "+name(rest), a, b, c) {
						derived[part] = true
					}
					continue
				}
				if !trivial(b, 1) && !trivial(c, 1) && t.near(a, b, c, '*') && try(name(a)+" == "+name(b)+" * "+name(c), a, b, c) {
					derived[a] = true
				} else if t.near(a, b, c, '+') && try(name(a)+" == "+name(b)+" + "+name(c), a, b, c) {
					derived[a] = true
				}
			}
		}
	}
	for _, a := range times {
		for _, b := range times {
			if a != b && !t.sameOrder(a, b) {
				try(name(a)+" <= "+name(b), a, b)
			}
		}
	}
	return out
}

// ruleColumn is what a rule must know of a column of numbers or times.
func (t *Table) ruleColumn(name string) (rowrule.Column, bool) {
	j := t.Lookup(name)
	if j < 0 {
		return rowrule.Column{}, false
	}
	c := rowrule.Column{Index: j, Decimals: -1}
	switch t.Columns[j].Kind {
	case Timestamp:
		c.Kind = rowrule.Time
	case Money:
		c.Tolerance = 0.005 // half a cent
	}
	return c, true
}

// near reports that the first rows with values satisfy a == b*c or a == b+c to a part in a hundred: cheap, before a rule is
// judged exactly.
func (t *Table) near(a, b, c int, op byte) bool {
	n := 0
	for i := range t.Rows {
		if t.States[a][i] != Present || t.States[b][i] != Present || t.States[c][i] != Present {
			continue
		}
		x, y := t.Values[a][i], t.Values[b][i]*t.Values[c][i]
		if op == '+' {
			y = t.Values[b][i] + t.Values[c][i]
		}
		if math.Abs(x-y) > 0.01*math.Abs(x)+0.01 {
			return false
		}
		if n++; n == 50 {
			return true
		}
	}
	return n >= 20
}

// sameOrder reports two times that are equal everywhere: a <= b then says nothing.
func (t *Table) sameOrder(a, b int) bool {
	for i := range t.Rows {
		if t.States[a][i] == Present && t.States[b][i] == Present && t.Values[a][i] != t.Values[b][i] {
			return false
		}
	}
	return true
}
