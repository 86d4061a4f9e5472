package report

import (
	"encoding/json"
	"html"
	"html/template"
	"strconv"
	"strings"
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
			s.say("A contract is broken: ", c.Kind, " “", clip(c.Transformation, 80), "” at ")
			s.span(c.From, c.To, c.Unit)
			if c.Rate != nil {
				s.say(" changed the answer in ")
				s.num(*c.Rate, percent(*c.Rate))
				s.say(" of the views tried")
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
				s.num(Num(*r.Health.CollapseStep), thousands(*r.Health.CollapseStep))
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
		s.num(Num(v.Budget), thousands(v.Budget))
		s.say(" labels")
	case v.Budgets > 1:
		s.say(", averaged over ")
		s.num(Num(v.Budgets), thousands(v.Budgets))
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
	s.num(Num(best.Budget), thousands(best.Budget))
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
			s.num(Num(v.Budget), thousands(v.Budget))
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
		s.num(Num(v.Draws), thousands(v.Draws))
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
