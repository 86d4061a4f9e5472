package report

import (
	"encoding/json"
	"html"
	"html/template"
	"strconv"
	"strings"

	"github.com/selfsame-ml/selfsame/internal/term"
)

// sentence is text whose numbers stay tied to the fields that they come from.
type sentence []piece

type piece struct {
	text string
	num  *Num // nil: plain words
}

func (s *sentence) say(words ...string) {
	for _, w := range words {
		*s = append(*s, piece{text: w})
	}
}

func (s *sentence) num(v Num, printed string) { *s = append(*s, piece{printed, &v}) }

// String is the sentence for a terminal.
func (s sentence) String() string {
	var b strings.Builder
	for _, p := range s {
		b.WriteString(p.text)
	}
	return strings.ReplaceAll(b.String(), "\u00a0", " ")
}

// HTML is the sentence for the page.
func (s sentence) HTML() template.HTML {
	var b strings.Builder
	for _, p := range s {
		if p.num == nil {
			b.WriteString(html.EscapeString(p.text))
		} else {
			b.WriteString(string(datum(*p.num, p.text)))
		}
	}
	return template.HTML(b.String())
}

// datum prints a number together with its full value, so that the page can be
// checked against the JSON and read by machines.
func datum(v Num, printed string) template.HTML {
	if !v.finite() {
		return template.HTML(`<span class="nf">` + notFinite + `</span>`)
	}
	raw, err := json.Marshal(float64(v))
	if err != nil {
		raw = strconv.AppendFloat(nil, float64(v), 'g', -1, 64)
	}
	return template.HTML(`<data value="` + string(raw) + `">` + html.EscapeString(printed) + `</data>`)
}

// score prints a value of a metric: three decimals for a fraction, about four
// digits where the metric has a unit.
func (m Metric) score(v Num) string {
	if m.Unit != "" {
		return short(v)
	}
	return fixed(v, 3)
}

func (m Metric) diff(v Num) string {
	s := m.score(v)
	if v.finite() && v > 0 && strings.Trim(s, "0.") != "" {
		s = "+" + s
	}
	return s
}

func (m Metric) unit() string {
	if m.Unit == "" {
		return ""
	}
	return " " + m.Unit
}

// outcome is the plain word of the report, in one of the verdict constants or
// what stopped the run.
func (r *Report) outcome() string {
	switch {
	case len(r.Advice) > 0:
		return r.decision()
	case r.Overall != nil:
		return r.Overall.Verdict
	case r.violated() != nil:
		return "contract violated"
	case r.Health.Verdict == Collapsed:
		return Collapsed
	}
	return "no verdict"
}

func (r *Report) violated() *Certificate {
	for i := range r.Certificates {
		if !r.Certificates[i].Pass {
			return &r.Certificates[i]
		}
	}
	return nil
}

// headline is the first sentence of the page.
func (r *Report) headline() sentence {
	var s sentence
	v := r.Overall
	if v == nil {
		switch c := r.violated(); {
		case c != nil:
			if c.Property {
				s.impossible(c)
				break
			}
			s.say("A contract is broken: ", c.Kind, " “", clip(c.Transformation, 80), "” at ")
			s.span(c.From, c.To, c.Unit)
			if c.Rate != nil {
				s.say(" changed the answer in ")
				s.num(*c.Rate, percent(*c.Rate))
				s.say(" of the views tried")
			} else if p := c.Possible; p != nil && p.Breaches > 0 {
				s.say(" made ")
				s.num(Num(p.Breaches), term.Thousands(p.Breaches))
				s.say(" of ")
				s.num(Num(p.Trials), term.Thousands(p.Trials))
				s.say(" views impossible")
			}
			s.say(".")
			if c.SafeFrom != nil && c.SafeTo != nil {
				s.say(" A safe range would be ")
				s.span(*c.SafeFrom, *c.SafeTo, c.Unit)
				s.say(".")
			}
		case r.Health.Verdict == Collapsed:
			s.say("The encoder collapsed")
			if r.Health.CollapseStep != nil {
				s.say(" at step ")
				s.num(Num(*r.Health.CollapseStep), term.Thousands(*r.Health.CollapseStep))
			}
			s.say(": its embeddings no longer tell samples apart.")
		default:
			s.say("No verdict on pretraining: ", r.skippedReason(SectionAdapt, "the scores that it needs were not measured"), ".")
		}
		return s
	}
	m := r.metricInfo(v.Task, v.Metric)
	switch v.Verdict {
	case Pays:
		s.say("Pretraining pays: ")
	case Hurts:
		s.say("Pretraining hurts: ")
	default:
		s.say("No difference shown: ")
	}
	s.say(m.Label, " after pretraining is ")
	switch {
	case v.Difference > 0 || v.Difference < 0:
		abs := v.Difference
		word := " higher than "
		if abs < 0 {
			abs, word = -abs, " lower than "
		}
		s.num(v.Difference, m.score(abs)+m.unit())
		s.say(word)
	default:
		s.num(v.Difference, m.score(v.Difference)+m.unit())
		s.say(" above ")
	}
	if v.Reference == Scratch {
		s.say("training the same network from scratch")
	} else {
		s.say("that of ", methodLabel(v.Reference))
	}
	switch {
	case v.Budget > 0:
		s.say(" at ")
		s.num(Num(v.Budget), term.Thousands(v.Budget))
		s.say(" labels")
	case v.Budgets > 1:
		s.say(", averaged over ")
		s.num(Num(v.Budgets), term.Thousands(v.Budgets))
		s.say(" label budgets")
	}
	if v.Lo != nil && v.Hi != nil {
		s.say(" (")
		s.num(v.Confidence, percent(v.Confidence))
		s.say(" interval ")
		s.num(*v.Lo, m.diff(*v.Lo))
		s.say(" to ")
		s.num(*v.Hi, m.diff(*v.Hi))
		s.say(").")
	} else {
		s.say("; no interval could be measured.")
	}
	return s
}

// impossible says which rule views break.
func (s *sentence) impossible(c *Certificate) {
	if c.Transformation == WholeViews {
		s.say("A contract is broken: ")
	} else {
		s.say("A contract is broken: the column “", clip(c.Transformation, 80), "” is ", c.Kind, ", but ")
	}
	if p := c.Possible; p != nil {
		s.say("views of ")
		s.num(Num(p.Breaches), term.Thousands(p.Breaches))
		s.say(" of ")
		s.num(Num(p.Trials), term.Thousands(p.Trials))
		s.say(" samples ")
	} else {
		s.say("views ")
	}
	if c.Transformation == WholeViews {
		s.say("are not possible")
	} else {
		s.say("change it")
	}
	if x := c.Counter; x != nil && x.Rule != "" {
		s.say("; the first breaks “", clip(x.Rule, 120), "”")
		if x.Text != "" {
			s.say(": ", clip(x.Text, 300))
		}
	}
	if n := len(*s); !strings.HasSuffix((*s)[n-1].text, ".") {
		s.say(".")
	}
}

// extent says where a promise holds.
func extent(property bool, kind string, from, to Num, unit string) sentence {
	if !property {
		var s sentence
		s.say(kind, ", ")
		s.span(from, to, unit)
		return s
	}
	return sentence{{text: kind + " column"}}
}

// Property reports whether it is a column that no view may change, with no range.
func (c Promise) Property() bool {
	return c.Parameter == "" && c.Kind == "protected" && c.From == 0 && c.To == 0
}

// Extent is the kind and range of the term.
func (c Certificate) Extent() template.HTML {
	if c.Property && c.Transformation == WholeViews {
		return "all that is declared, together"
	}
	return extent(c.Property, c.Kind, c.From, c.To, c.Unit).HTML()
}

// Extent is the kind and range of the term.
func (a AuditRow) Extent() template.HTML {
	return extent(a.Property, a.Kind, a.From, a.To, a.Unit).HTML()
}

// Shown is the value and its unit.
func (p Param) Shown() template.HTML {
	var s sentence
	if s.num(p.Value, short(p.Value)); p.Unit == Seconds {
		s = sentence{{duration(p.Value), &p.Value}}
	} else if p.Unit != "" {
		s.say(" ", p.Unit)
	}
	return s.HTML()
}

// worth says in labels what pretraining bought, at the smallest budget; nothing where no
// difference is shown, since a multiplier would say otherwise.
func (r *Report) worth() sentence {
	if r.Overall == nil || r.Overall.Verdict == NoDifference {
		return nil
	}
	var best *LEM
	for i, l := range r.LEM {
		if l.Task != r.Overall.Task || l.Metric != r.Overall.Metric {
			continue
		}
		if best == nil || l.Budget < best.Budget {
			best = &r.LEM[i]
		}
	}
	if best == nil {
		return nil
	}
	var s sentence
	s.say("With ")
	s.num(Num(best.Budget), term.Thousands(best.Budget))
	s.say(" labels it is worth ")
	switch best.Beyond {
	case Above:
		s.say("more than ")
	case Below:
		s.say("less than ")
	}
	s.num(best.Value, factor(best.Value))
	s.say(" times as many labels")
	if best.Lo != nil && best.Hi != nil {
		s.say(" (")
		s.num(best.Confidence, percent(best.Confidence))
		s.say(" interval ")
		s.num(*best.Lo, factor(*best.Lo))
		s.say(" to ")
		s.num(*best.Hi, factor(*best.Hi))
		if best.HiBeyond {
			s.say(" or beyond the curve")
		}
		s.say(")")
	}
	s.say(".")
	return s
}

// byBudget says what holds at each budget alone.
func (r *Report) byBudget() sentence {
	if r.Overall == nil || r.Overall.Budget != 0 {
		return nil
	}
	var s sentence
	for _, word := range []string{Pays, NoDifference, Hurts} {
		first := true
		for _, v := range r.Verdicts {
			if v.Verdict != word || v.Budget == 0 || v.Task != r.Overall.Task || v.Metric != r.Overall.Metric {
				continue
			}
			switch {
			case !first:
				s.say(", ")
			case s == nil:
				s.say("Each budget alone: ", word, " at ")
			default:
				s.say(" labels; ", word, " at ")
			}
			first = false
			s.num(Num(v.Budget), term.Thousands(v.Budget))
		}
	}
	if s != nil {
		s.say(" labels.")
	}
	return s
}

// basis says which test stands behind the headline.
func (r *Report) basis() sentence {
	v := r.Overall
	if v == nil {
		return nil
	}
	var s sentence
	s.say("Test: ", v.Test)
	p := func(v Num) {
		printed := pvalue(v)
		if !strings.HasPrefix(printed, "<") {
			s.say("= ")
		}
		s.num(v, printed)
	}
	if v.P != nil {
		s.say(", p ")
		p(*v.P)
	}
	if v.Adjusted != nil { // the one that decides; the interval above is of this budget alone
		s.say(", adjusted for several budgets (Holm) ")
		p(*v.Adjusted)
	}
	if v.Draws > 0 {
		s.say(", ")
		s.num(Num(v.Draws), term.Thousands(v.Draws))
		if r.Over != "" {
			s.say(" ", r.Over)
		} else {
			s.say(" paired draws of the labels")
		}
	}
	s.say(".")
	if v.Text != "" {
		s.say(" ", v.Text)
	}
	return s
}

// span prints a range of a parameter.
func (s *sentence) span(from, to Num, unit string) {
	if unit == Seconds {
		switch {
		case from == -to && to > 0:
			s.say("±")
		case from != to:
			s.num(from, duration(from))
			s.say("\u2009…\u2009")
		}
		s.num(to, duration(to))
		return
	}
	s.num(from, short(from))
	if from != to {
		s.say("\u2009…\u2009")
		s.num(to, short(to))
	}
	if unit != "" {
		s.say(" ", unit)
	}
}

func rangeOf(from, to Num, unit string) sentence {
	var s sentence
	s.span(from, to, unit)
	return s
}
