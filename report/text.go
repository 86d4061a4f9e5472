package report

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/selfsame-ml/selfsame/internal/term"
)

// Text writes the closing summary for a terminal: verdict, means with their
// spread, audit and paths, in lines of at most width columns (80 if 0; never
// less than 40, paths excepted).
func Text(w io.Writer, r *Report, width int) error {
	c, err := complete(r)
	if err != nil {
		return err
	}
	if width <= 0 {
		width = 80
	}
	t := &texter{width: max(width, 40)}
	p := &page{Report: c}

	t.line("VERDICT: " + strings.ToUpper(c.outcome()))
	if s := c.advice(); s != nil {
		t.wrap("", s.String())
	}
	t.wrap("", c.headline().String())
	if v := c.violated(); v != nil && c.Overall == nil && len(c.Advice) == 0 {
		t.cells(v.Counter)
	}
	if s := p.worth(); s != nil {
		t.wrap("", s.String())
	}
	if s := p.byBudget(); s != nil {
		t.wrap("", s.String())
	}
	if s := p.basis(); s != nil {
		t.wrap("", s.String())
	}
	for _, k := range p.metrics() {
		m := c.metricInfo(k.task, k.metric)
		var methods []string
		for _, name := range c.methods() {
			for _, s := range c.Summary {
				if s.Task == k.task && s.Metric == k.metric && s.Method == name {
					methods = append(methods, name)
					break
				}
			}
		}
		var budgets []int
		for _, s := range c.Summary {
			if s.Task == k.task && s.Metric == k.metric && !slices.Contains(budgets, s.Budget) {
				budgets = append(budgets, s.Budget)
			}
		}
		slices.Sort(budgets)
		title := capital(m.Label) + m.unit() + ", mean ± standard deviation over " + c.over()
		if len(methods) >= turnAt {
			p.turned(t, k, m, title, methods, budgets)
			continue
		}
		const cell = 17
		per := max(1, (t.width-13)/cell)
		for len(methods) > 0 {
			part := methods[:min(per, len(methods))]
			methods = methods[len(part):]
			t.blank()
			t.wrap("", title)
			line := pad("labels", 13, true)
			for _, name := range part {
				line += pad(clip(flat(methodLabel(name)), cell-1), cell, true)
			}
			t.line(line)
			for _, b := range budgets {
				label := term.Thousands(b)
				if p.isAll(b) {
					label = "all, " + label
				}
				line, any := pad(label, 13, true), false
				for _, name := range part {
					text := "-"
					if s := p.find(k.task, k.metric, name, b); s != nil {
						any = true
						text = m.score(s.Mean)
						if s.Spread != nil {
							text += " ± " + m.score(*s.Spread)
						}
					}
					line += pad(clip(text, cell-1), cell, true)
				}
				if any {
					t.line(line)
				}
			}
		}
	}
	if len(c.Audit.Rows) > 0 {
		t.blank()
		t.wrap("", "Audit: is the contract kept on held-out data?")
		for _, a := range c.Audit.Rows {
			text := fmt.Sprintf("%s %s %s: %s %s", a.Kind, a.Transformation, rangeOf(a.From, a.To, a.Unit), a.Measure, decimal(a.Value))
			if a.Property {
				text = fmt.Sprintf("%s column %s: %s %s", a.Kind, a.Transformation, strings.TrimPrefix(a.Measure, "column "), decimal(a.Value))
			}
			if a.Reference != nil {
				text += ", untrained " + decimal(*a.Reference)
			}
			if a.Ceiling != nil {
				text += ", raw values " + decimal(*a.Ceiling)
			}
			t.wrap(pad(sign(a.Verdict)+" "+a.Verdict, 13, false), text)
		}
	} else if c.Contract != nil {
		t.blank()
		t.wrap("", "Audit: "+p.Reason(SectionAudit))
	}
	for _, a := range c.Audit.Checks {
		if !a.Pass {
			t.wrap("✗ FAILED     ", "check of the measurement: "+a.Name+" "+a.Detail)
		}
	}
	if c.Health.Verdict != "" && c.Health.Verdict != Healthy {
		t.blank()
		t.wrap("", "Health: "+c.Health.Verdict+". "+c.Health.Text)
	}
	if len(c.Files) > 0 {
		t.blank()
		n := 0
		for _, f := range c.Files {
			n = max(n, min(utf8.RuneCountInString(f.Path), t.width/2))
		}
		for _, f := range c.Files {
			if line := pad(f.Path, n+2, false) + flat(f.What); utf8.RuneCountInString(line) <= t.width {
				t.line(line)
			} else { // a path is never cut: people copy it
				t.line(f.Path)
			}
		}
	}
	if _, err := io.WriteString(w, t.b.String()); err != nil {
		return fmt.Errorf("report: summary: %w", err)
	}
	return nil
}

// cells writes the row of a counter-example beside its view, a line a column; * marks what differs.
func (t *texter) cells(x *CounterExample) {
	if x == nil || len(x.Cells) == 0 {
		return
	}
	t.blank()
	t.wrap("", fmt.Sprintf("%s (* differs; seed %d, epoch %d, sample %d)", x.place(), x.Seed, x.Epoch, x.Sample))
	lines := [][3]string{{"column", "original", "view"}}
	for _, c := range x.Cells {
		lines = append(lines, [3]string{flat(c.Name), flat(c.Original), flat(c.View)})
	}
	var wide [3]int
	for _, l := range lines {
		for k, s := range l {
			wide[k] = min(max(wide[k], utf8.RuneCountInString(s)), (t.width-6)/3)
		}
	}
	for i, l := range lines {
		line := "  "
		if i > 0 && x.Cells[i-1].Changed {
			line = "* "
		}
		for k, s := range l {
			if r := []rune(s); len(r) > wide[k] {
				s = string(r[:max(wide[k]-1, 0)]) + "…"
			}
			line += pad(s, wide[k]+2, false)
		}
		t.line(line)
	}
}

// turned writes a table with one row a method.
func (p *page) turned(t *texter, k taskMetric, m Metric, title string, methods []string, budgets []int) {
	const cell = 13
	first := min(28, t.width-cell)
	per := max(1, (t.width-first)/cell)
	for len(budgets) > 0 {
		part := budgets[:min(per, len(budgets))]
		budgets = budgets[len(part):]
		t.blank()
		t.wrap("", title)
		line := pad("labels", first, false)
		for _, b := range part {
			label := term.Thousands(b)
			if p.isAll(b) {
				label = "all, " + label
			}
			line += pad(clip(label, cell-1), cell, true)
		}
		t.line(line)
		for _, name := range methods {
			line := pad(clip(flat(methodLabel(name)), first-1), first, false)
			for _, b := range part {
				text := "-"
				if s := p.find(k.task, k.metric, name, b); s != nil {
					text = m.score(s.Mean)
					decimals := 3
					if v := math.Abs(float64(s.Mean)); m.Unit != "" && v >= 1 && v < 1e6 { // four digits, the spread to the same place
						decimals = max(0, 3-int(math.Log10(v)))
						text = fixed(s.Mean, decimals)
					}
					if s.Spread != nil {
						for { // a large spread needs no third decimal
							spread := strings.TrimPrefix(fixed(*s.Spread, decimals), "0")
							if decimals--; decimals < 0 || utf8.RuneCountInString(text+spread) <= cell-4 {
								text += " ± " + spread
								break
							}
						}
					}
				}
				line += pad(clip(text, cell-1), cell, true)
			}
			t.line(line)
		}
	}
}

type texter struct {
	b     strings.Builder
	width int
}

func (t *texter) blank() { t.b.WriteByte('\n') }

func (t *texter) line(s string) { t.b.WriteString(strings.TrimRight(flat(s), " ") + "\n") }

// wrap writes words after a prefix; further lines are indented by its width.
func (t *texter) wrap(prefix, s string) {
	indent := strings.Repeat(" ", utf8.RuneCountInString(prefix))
	line, used := prefix, 0
	limit := t.width - len(indent)
	for _, word := range strings.Fields(flat(s)) {
		for utf8.RuneCountInString(word) > limit { // a name without spaces
			if used > 0 {
				t.line(line)
				line, used = indent, 0
			}
			r := []rune(word)
			t.line(line + string(r[:limit]))
			line, word = indent, string(r[limit:])
		}
		n := utf8.RuneCountInString(word)
		switch {
		case used == 0:
			line, used = line+word, n
		case used+1+n <= limit:
			line, used = line+" "+word, used+1+n
		default:
			t.line(line)
			line, used = indent+word, n
		}
	}
	t.line(line)
}

// flat makes one line of a string.
func flat(s string) string {
	return strings.Map(func(c rune) rune {
		switch c {
		case '\n', '\t', '\r', '\u2028', '\u2029', '\u00a0', '\u2009':
			return ' '
		}
		return c
	}, s)
}

func pad(s string, n int, right bool) string {
	k := n - utf8.RuneCountInString(s)
	if k <= 0 {
		return s
	}
	if right {
		return strings.Repeat(" ", k) + s
	}
	return s + strings.Repeat(" ", k)
}
