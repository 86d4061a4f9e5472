package report

import (
	"slices"
	"strings"

	"github.com/selfsame-ml/selfsame/internal/term"
)

// Advice says what to use at one label budget: the best classical method on the raw values, or a pretrained network
// that is shown better than it.
type Advice struct {
	Task      string `json:"task"`
	Metric    string `json:"metric"`
	Budget    int    `json:"budget"`
	Use       string `json:"use"`       // method
	Score     Num    `json:"score"`     // its mean
	Against   string `json:"against"`   // best of the other kind
	Other     Num    `json:"other"`     // its mean
	Shown     bool   `json:"shown"`     // the difference is significant
	Classical bool   `json:"classical"` // Use trains no network
	Pays      bool   `json:"pays"`      // pretraining is shown better than training from scratch here too
}

// Word is the outcome of the report in one word or a few: the verdict on pretraining, what to use instead, or what
// stopped the run.
func (r *Report) Word() string { return r.outcome() }

// decision is the outcome where classical methods were measured: "pays" only where a pretrained network is shown better
// than them and than the same network from scratch.
func (r *Report) decision() string {
	var use []string
	classical := true
	for _, a := range r.Advice {
		if !a.Classical && a.Pays {
			return Pays
		}
		classical = classical && a.Classical
		if l := methodLabel(a.Use); !slices.Contains(use, l) {
			use = append(use, l)
		}
	}
	if classical {
		return "use " + strings.Join(use, " or ")
	}
	if r.Overall != nil && r.Overall.Verdict == Hurts {
		return Hurts
	}
	return NoDifference
}

// advice is the first sentence of a report with classical methods: what to use at which budgets.
func (r *Report) advice() sentence {
	var s sentence
	n := len(r.Advice)
	for i := 0; i < n; {
		j := i + 1
		for j < n && r.Advice[j].Use == r.Advice[i].Use {
			j++
		}
		a, last := r.Advice[i], r.Advice[j-1]
		m := r.metricInfo(a.Task, a.Metric)
		if s != nil {
			s.say(" ")
		}
		labels := func(b int) { s.num(Num(b), term.Thousands(b)) }
		whole := i == 0 && j == n
		switch {
		case whole && a.Classical:
			s.say("Use ", methodLabel(a.Use), " here: ")
		case whole && n > 1:
			s.say("At every budget measured, ")
		case j == n && n > 1:
			s.say("At ")
			labels(a.Budget)
			s.say(" labels and above, ")
		case j-i > 1:
			s.say("At ")
			labels(a.Budget)
			s.say(" to ")
			labels(last.Budget)
			s.say(" labels, ")
		default:
			s.say("At ")
			labels(a.Budget)
			s.say(" labels, ")
		}
		if a.Classical && !whole {
			s.say("use ", methodLabel(a.Use), ": ")
		} else if !a.Classical {
			s.say("use ", methodLabel(a.Use), ", which is better than ", methodLabel(a.Against), ": ")
		}
		s.say(m.Label, " ")
		s.num(a.Score, m.score(a.Score)+m.unit())
		s.say(" against ")
		s.num(a.Other, m.score(a.Other)+m.unit())
		if a.Classical {
			s.say(" of ", methodLabel(a.Against))
		}
		if whole && a.Classical || j-i > 1 {
			s.say(" at ")
			labels(a.Budget)
			s.say(" labels")
		}
		if j-i > 1 {
			s.say(", ")
			s.num(last.Score, m.score(last.Score)+m.unit())
			s.say(" against ")
			s.num(last.Other, m.score(last.Other)+m.unit())
			s.say(" at ")
			labels(last.Budget)
		}
		switch shown := a.Shown && last.Shown; {
		case a.Classical && !shown:
			s.say(" (no pretrained network is shown better)")
		case a.Classical:
			s.say(" (shown better)")
		case !a.Classical && !a.Pays:
			s.say("; pretraining itself is not shown to pay against the same network from scratch")
		}
		s.say(".")
		i = j
	}
	return s
}

// over says what spreads are taken over.
func (r *Report) over() string {
	if r.Over == "" {
		return "draws"
	}
	return r.Over
}
