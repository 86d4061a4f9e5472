package recipe

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/selfsame-ml/selfsame/internal/rowrule"
	"github.com/selfsame-ml/selfsame/view"
)

// TableInfo is what is known of a table for which a recipe is drafted. Counts are of all rows that were read.
type TableInfo struct {
	Source    string // as data.source will name it
	Query     string // as data.query will; "" for files
	Delimiter string // as data.delimiter will; "" = found at each reading
	Encoding  string // as data.encoding will; "" = found at each reading
	Describe  string // one line of what was found ("CSV, utf-8, comma"); may be ""
	Rows      int
	HasTest   bool // the source brings its own test part
	Columns   []ColumnInfo
	// Candidates; "" where there is none. The reasons become comments.
	Target, TargetReason   string
	Task                   string // "classify" | "regress"; "" = by the kind of Target
	Time, TimeReason       string // timestamp by which parts are split
	GroupBy, GroupByReason string // identifier that repeats
	Rules                  []RuleInfo
	Specs                  []view.Spec // transformations of the domain
}

// ColumnInfo is what was seen in one column.
type ColumnInfo struct {
	Name   string
	Kind   string // one of ColumnKinds
	Reason string // why it is of that kind, in a few words ("whole numbers, 3 values")
	Unit   string // a guess ("EUR", "years"); "" = none
	Format string // timestamp: Go layout
	// Least and greatest value; timestamps in seconds since 1970 UTC. Meaningless for kinds without an order.
	Min, Max float64
	Gap      float64  // timestamp: median distance in seconds of neighbours in time, within GroupBy where there is one
	Decimals int      // number, money: most decimals seen
	Distinct int      // different values; may be capped
	Missing  int      // empty cells and cells of MissingTexts
	Share    float64  // share of the rows with a value that hold the most frequent one
	Examples []string // a few values as they stand in the source
	Levels   []string // ordinal, boolean, category: all values where they are few; ordinal: rising
	// MissingTexts are texts beside the empty cell that seem to mean "missing" ("NA", "?", "-").
	MissingTexts []string
}

// RuleInfo is a rule between columns that holds on every row that was read.
type RuleInfo struct {
	Text string // in the language of rules: "total == quantity * price"
	Rows int    // rows without a missing cell on which it was checked
}

// DraftTable writes a commented recipe for a table: what each column seems to be, careful contracts with the reason for
// each, and the rules that hold on every row. No contract of a draft says that a category may change, and the target and
// derived columns get none.
func DraftTable(info TableInfo) []byte {
	d := &tableDrafter{info: info}
	for _, s := range info.Specs {
		d.specs = append(d.specs, s.Name)
	}
	d.derived = map[string]string{}
	for _, r := range info.Rules {
		if rule, err := rowrule.Parse(r.Text); err == nil {
			if name, _, ok := rule.Derives(); ok && d.derived[name] == "" {
				d.derived[name] = r.Text
			}
		}
	}
	d.write()
	return []byte(d.b.String())
}

type tableDrafter struct {
	info    TableInfo
	specs   []string
	derived map[string]string // column -> the rule that computes it
	b       strings.Builder
	count   int // transformations written
}

func (d *tableDrafter) line(format string, args ...any) { fmt.Fprintf(&d.b, format+"\n", args...) }

func (d *tableDrafter) knows(name string) bool { return slices.Contains(d.specs, name) }

// quoted writes a text of the data as a YAML scalar; comment makes it fit for a comment.
func quoted(s string) string { return strconv.Quote(s) }

func comment(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == utf8.RuneError { // line separators too
			return ' '
		}
		return r
	}, s)
}

func (d *tableDrafter) write() {
	in := &d.info
	d.line("# Drafted by selfsame recipe init. Read it: only you know what may change in a row")
	d.line("# without changing its meaning. Look at the views first: selfsame views THIS_FILE")
	d.line("#")
	seen := fmt.Sprintf("%d rows, %d columns", in.Rows, len(in.Columns))
	if in.Describe != "" {
		seen += "; " + comment(in.Describe)
	}
	d.line("# Seen: %s", seen)
	d.line("domain: table")
	d.line("seed: 1")
	d.line("")
	d.line("data:")
	d.line("  source: %s", quoted(in.Source))
	for _, kv := range [][2]string{{"query", in.Query}, {"delimiter", in.Delimiter}, {"encoding", in.Encoding}} {
		if kv[1] != "" {
			d.line("  %s: %s", kv[0], quoted(kv[1]))
		}
	}
	if in.Target != "" {
		d.line("  target: %s   # %s", quoted(in.Target), orElse(comment(in.TargetReason), "to be predicted: never an input"))
		if in.Task != "" {
			d.line("  task: %s", in.Task)
		}
	} else {
		d.line("  # target: COLUMN   # none was found: without it the encoder is trained and audited, but not measured")
	}
	if in.Time != "" && in.Time != in.Target {
		d.line("  time: %s   # %s; the past is learnt from, the future is tested", quoted(in.Time), orElse(comment(in.TimeReason), "a timestamp"))
	}
	if in.GroupBy != "" && in.GroupBy != in.Target {
		d.line("  group_by: %s   # %s; one never sits in two parts", quoted(in.GroupBy), orElse(comment(in.GroupByReason), "it repeats"))
	}
	d.line("  val: 0.1")
	if !in.HasTest {
		d.line("  test_share: 0.2   # looked at once")
	}
	d.line("")
	d.line("columns:")
	if len(in.Columns) == 0 {
		d.line("  {}")
	}
	for i := range in.Columns {
		d.column(&in.Columns[i])
	}
	d.line("")
	if len(in.Rules) > 0 {
		d.line("# These hold on every row without a missing cell that was read. Remove what holds by accident.")
		d.line("rules:")
		for _, r := range in.Rules {
			d.line("  - %s   # %d rows", quoted(r.Text), r.Rows)
		}
		d.line("")
	}
	d.views()
	d.rest()
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// column writes one column: what was seen, what it is, what may change and why.
func (d *tableDrafter) column(c *ColumnInfo) {
	in := &d.info
	what := []string{comment(c.Reason)}
	if c.Reason == "" {
		what = []string{c.Kind}
	}
	if c.Missing > 0 {
		what = append(what, fmt.Sprintf("%d of %d missing", c.Missing, in.Rows))
	}
	if len(c.Examples) > 0 {
		var ex []string
		for _, e := range c.Examples[:min(3, len(c.Examples))] {
			ex = append(ex, strconv.Quote(clip(e)))
		}
		what = append(what, "e.g. "+strings.Join(ex, ", "))
	}
	d.line("  # %s", strings.Join(what, "; "))
	attrs := []string{"kind: " + c.Kind}
	if c.Unit != "" {
		attrs = append(attrs, "unit: "+quoted(c.Unit))
	}
	if c.Format != "" && c.Kind == timestamp {
		attrs = append(attrs, "format: "+quoted(c.Format))
	}
	list := func(key string, l []string) {
		if len(l) == 0 {
			return
		}
		q := make([]string, len(l))
		for i, s := range l {
			q[i] = quoted(s)
		}
		attrs = append(attrs, key+": ["+strings.Join(q, ", ")+"]")
	}
	list("missing", c.MissingTexts)
	if c.Kind == "ordinal" {
		list("levels", c.Levels)
	}
	numeric := slices.Contains([]string{"number", "integer", "money"}, c.Kind)
	if numeric && c.Min >= 0 && c.Distinct > 1 {
		attrs = append(attrs, "bounds: 0..")
	}
	var items []string
	reason := ""
	transform := func(name, body, why string) bool {
		if !d.knows(ColumnTransform + name) {
			return false
		}
		items, reason = append(items, body), why
		d.count++
		return true
	}
	switch {
	case c.Name == in.Target:
		reason = "the target: never an input, and no view changes it"
	case c.Missing >= in.Rows || c.Distinct == 0:
		attrs, reason = append(attrs, "input: false"), "no cell has a value: nothing to learn from"
	case c.Distinct == 1:
		attrs, reason = append(attrs, "input: false"), "one value only: nothing to learn from"
	case d.derived[c.Name] != "":
		reason = "computed anew in every view by the rule " + comment(d.derived[c.Name])
	case c.Kind == "identifier":
		if !transform("drop", "{drop: invariant}", "which one it is says nothing of what the row means") {
			attrs = append(attrs, "input: false")
		}
	case c.Kind == timestamp:
		by := c.Gap / 10 // far below the usual distance, so that the order mostly stays
		if by <= 0 || by > 3600 {
			by = 3600
		}
		text := rowrule.FormatDuration(roundDuration(by))
		transform("jitter", "{jitter: "+text+", contract: invariant}", "moved by "+text+" it is the same event; the usual distance of two is "+gapText(c.Gap))
	case c.Kind == "money":
		if transform("scale", "{scale: 0.97..1.03, contract: invariant}", "3 % is noise; half or double is information, which the encoder is asked to see") {
			items = append(items, "{scale: 0.5..2, contract: equivariant}")
		}
	case c.Kind == "number" && c.Min < 0:
		sd := (c.Max - c.Min) / 100
		if sd > 0 && !math.IsInf(sd, 0) {
			transform("jitter", "{jitter: "+num(twoDigits(sd))+", contract: invariant}", "about 1 % of what was seen is noise; values have both signs, so a factor has no meaning")
		}
	case c.Kind == "number":
		transform("scale", "{scale: 0.97..1.03, contract: invariant}", "3 % is noise of a measurement; remove it where the value is exact")
	case c.Kind == "integer":
		reason = "a count is exact: no change is proposed; add jitter: 1 where one more or less means the same"
	case c.Kind == "ordinal":
		reason = "a level up or down may be another thing: no change is proposed"
	case c.Kind == "text":
		reason = "words carry the meaning: no change is proposed"
	default: // category, boolean
		attrs = append(attrs, "contract: protected")
		reason = "another value is another thing: swap is left out, and no view may change it"
	}
	if reason != "" {
		d.line("  # %s", reason)
	}
	body := "{" + strings.Join(attrs, ", ") + "}"
	if len(items) > 0 {
		body = "[" + body + ", " + strings.Join(items, ", ") + "]"
	}
	d.line("  %s: %s", quoted(c.Name), body)
}

// roundDuration cuts seconds to a round number of a unit.
func roundDuration(s float64) float64 {
	for _, u := range []float64{3600, 60, 1} {
		if s >= u {
			return math.Floor(s/u) * u
		}
	}
	return 1
}

func gapText(s float64) string {
	if s <= 0 {
		return "not known"
	}
	return rowrule.FormatDuration(roundDuration(s))
}

// twoDigits cuts to two significant digits.
func twoDigits(f float64) float64 {
	r, err := strconv.ParseFloat(strconv.FormatFloat(f, 'g', 2, 64), 64)
	if err != nil {
		return f
	}
	return r
}

func (d *tableDrafter) views() {
	if d.knows("mask") {
		d.line("views:")
		d.line("  # a hidden cell can be told from the others of its row, as far as they say anything of it")
		d.line("  - mask: {share: 0.2..0.4, contract: restorable}")
		d.count++
		d.line("")
	}
	if d.knows("corrupt") {
		d.line("# left out: corrupt (SCARF). It puts cells of other rows into a row and says that it means the same: of a category that is wrong.")
		d.line("")
	}
}

func (d *tableDrafter) rest() {
	in := &d.info
	train := in.Rows
	if !in.HasTest {
		train = int(float64(in.Rows) * 0.8)
	}
	train = max(1, int(float64(train)*0.9))
	width, depth := 128, 3
	switch {
	case train < 2000:
		width, depth = 64, 2
	case train > 200_000:
		width = 256
	}
	d.line("encoder: {kind: mlp, width: %d, depth: %d, numeric: piecewise, bins: 16}   # kind: transformer (width: 64, heads: 4) takes ten times as long", width, depth)
	d.line("objective: {kind: auto, invariant: ntxent, temperature: 0.2}   # auto: what follows from the contracts")
	d.line("")
	batch := 256
	for batch > 2 && batch*4 > train {
		batch /= 2
	}
	epochs := min(max(int(math.Ceil(3000*float64(batch)/float64(train))), 3), 100)
	d.line("train:")
	d.line("  epochs: %d        # about %d steps", epochs, max(1, train/batch)*epochs)
	d.line("  batch: %d", batch)
	if batch < 64 {
		d.line("  # %d rows are few: expect little, and read the verdict's interval", in.Rows)
	}
	d.line("")
	budgets := []string{}
	for _, b := range []int{50, 200, 1000} {
		if b < train && in.Target != "" {
			budgets = append(budgets, strconv.Itoa(b))
		}
	}
	d.line("adapt:")
	d.line("  budgets: [%s]   # labels, validation labels counted in; 0 = all", strings.Join(append(budgets, "0"), ", "))
	d.line("  draws: 5")
	d.line("  baselines: [trees, linear]   # boosted trees are the ones to beat on tables")
	d.line("  max_steps: 1000   # of one fine-tune")
	d.line("  k: %d", min(200, max(1, train/10)))
}
