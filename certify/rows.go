package certify

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/internal/rng"
	"github.com/selfsame-ml/selfsame/metric"
	"github.com/selfsame-ml/selfsame/view"
)

// Possible says how many views are possible samples (rows that keep their protected cells, bounds, levels and rules).
type Possible struct {
	Trials   int     `json:"trials"`   // views of one transformation, or samples with all their views
	Breaches int     `json:"breaches"` // of them
	Rate     float64 `json:"rate"`
	Upper    float64 `json:"upper"` // one-sided Clopper-Pearson bound at Confidence
}

// WholeViews is the name of the findings about whole views: all that one draw of the sampler makes of a sample.
const WholeViews = "whole views"

func (c *certifier) verifier() domain.Verifier {
	v, _ := c.Samples.(domain.Verifier)
	return v
}

func (c *certifier) comparer() domain.Comparer {
	v, _ := c.Samples.(domain.Comparer)
	return v
}

// rate gives the counts their rate and bound.
func (c *certifier) rate(trials, breaches int) (*Possible, error) {
	p := &Possible{Trials: trials, Breaches: breaches, Upper: 1}
	if trials == 0 {
		return p, nil
	}
	p.Rate = float64(breaches) / float64(trials)
	var err error
	p.Upper, err = metric.ClopperPearsonUpper(breaches, trials, c.Recipe.Certify.Confidence)
	return p, err
}

func (c *certifier) possibleCheck(p *Possible, what string, worst *domain.Breach) Check {
	ch := Check{Name: "possible sample", Passed: p.Breaches == 0, Value: p.Rate,
		Text: fmt.Sprintf("%d of %d %s are none (at most %.2g %% with confidence %g %%)", p.Breaches, p.Trials, what, 100*p.Upper, 100*c.Recipe.Certify.Confidence)}
	if worst != nil {
		ch.Text += fmt.Sprintf("; %s: %s", worst.Rule, worst.Text)
	}
	return ch
}

// possible checks draws of one term: every view must be a possible sample. A Protected range is never drawn in
// training, so a breach there is no violation; it shows what the protection is for.
func (c *certifier) possible(f *Finding, t domain.Transformation, term contract.Term, add func(Check)) error {
	v := c.verifier()
	if v == nil {
		return nil
	}
	trials, breaches := 0, 0
	var first *domain.Breach
	var example *CounterExample
	for k := range c.Recipe.Certify.Samples {
		i := c.sample(k)
		p, epoch, ok := c.draw(t, term, 1<<24+uint64(k), i)
		if !ok {
			continue
		}
		trials++
		if b := v.Verify(t, domain.Train, i, p); b != nil {
			if breaches++; breaches == 1 {
				first, example = b, c.counter(t, domain.Train, i, p, epoch)
				example.breach(b)
			}
		}
	}
	p, err := c.rate(trials, breaches)
	if err != nil || trials == 0 {
		return err
	}
	f.Possible = p
	before := f.Outcome
	ch := c.possibleCheck(p, "views", first)
	ch.Warn = term.Kind == contract.Protected
	add(ch)
	if first != nil && !ch.Warn && before != Violated {
		f.Counter = example
	}
	return nil
}

// whole checks all views that the sampler makes of samples over seeds and epochs: one finding for each protected column,
// and one for all else.
func (c *certifier) whole(ctx context.Context) ([]Finding, error) {
	v := c.verifier()
	if v == nil || len(c.sampler.Streams()) == 0 {
		return nil, nil
	}
	n := c.Recipe.Certify.Samples
	hits := map[string]int{}
	firsts := map[string]*domain.Breach{}
	examples := map[string]*CounterExample{}
	note := func(what string, b *domain.Breach, seed, epoch uint64, i int) {
		if hits[what]++; hits[what] == 1 {
			ce := &CounterExample{Seed: seed, Epoch: epoch, Part: domain.Train, Sample: i}
			c.words(ce, nil, view.Params{})
			ce.breach(b)
			firsts[what], examples[what] = b, ce
		}
	}
	var protected []string
	for _, p := range v.Properties() {
		if p.Kind == contract.Protected {
			protected = append(protected, p.Name)
		}
	}
	for k := range n {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		seed := c.Recipe.Seed
		if k%2 == 1 { // the seed of the recipe counts most; others must keep the rules too
			seed = rng.New(c.Recipe.Seed, rng.Certify, 10, uint64(k)).Uint64()
		}
		i, epoch := c.sample(k), uint64(k/2)
		b := v.VerifyView(seed, epoch, i)
		if b == nil {
			continue
		}
		note(WholeViews, b, seed, epoch, i)
		for j, name := range b.Names {
			if slices.Contains(protected, name) && j < len(b.Original) && j < len(b.View) && b.Original[j] != b.View[j] {
				note(name, b, seed, epoch, i)
			}
		}
	}
	var out []Finding
	for _, name := range append([]string{WholeViews}, protected...) {
		p, err := c.rate(n, hits[name])
		if err != nil {
			return nil, err
		}
		f := Finding{Transform: name, Term: contract.Term{Kind: contract.Protected}, Outcome: Kept, Possible: p, Counter: examples[name]}
		ch := c.possibleCheck(p, "samples, with all their views,", firsts[name])
		if name != WholeViews {
			ch.Name = "protected column"
			ch.Text = fmt.Sprintf("changed in the views of %d of %d samples (at most %.2g %% with confidence %g %%)", p.Breaches, p.Trials, 100*p.Upper, 100*c.Recipe.Certify.Confidence)
		}
		f.Why = ch.Name + ": " + ch.Text
		if !ch.Passed {
			f.Outcome = Violated
		}
		f.Checks = []Check{ch}
		out = append(out, f)
	}
	return out, nil
}

// words gives a counter-example its place in the source and the cells of its row and view; t may be nil.
func (c *certifier) words(ce *CounterExample, t domain.Transformation, p view.Params) {
	if n, ok := c.Samples.(domain.Namer); ok && c.verifier() != nil {
		ce.Place = n.Name(ce.Part, ce.Sample)
	}
	tab, ok := c.Samples.(domain.Tabler)
	if !ok || t == nil {
		return
	}
	if a, b, err := tab.ViewWords(t, ce.Part, ce.Sample, p); err == nil && len(a) == len(b) { // an example without words is one still
		ce.Names, ce.OriginalValues, ce.ViewValues = tab.Header(), a, b
	}
}

func (x *CounterExample) breach(b *domain.Breach) {
	x.Rule, x.Text = b.Rule, b.Text
	if len(b.Names) > 0 {
		x.Names, x.OriginalValues, x.ViewValues = b.Names, b.Original, b.View
	}
}

// Rows writes the row of a counter-example and its view for a terminal, a line a column, "*" before cells that changed; nil
// where the sample is no row. No line is wider than width columns.
func (x *CounterExample) Rows(width int) []string {
	if x == nil || len(x.Names) == 0 || len(x.Names) != len(x.OriginalValues) || len(x.Names) != len(x.ViewValues) {
		return nil
	}
	title := x.Place
	if title == "" {
		title = fmt.Sprintf("sample %d", x.Sample)
	}
	lines := [][3]string{{"column", "original", "view"}}
	marks := []string{" "}
	for k, n := range x.Names {
		mark := " "
		if x.OriginalValues[k] != x.ViewValues[k] {
			mark = "*"
		}
		marks, lines = append(marks, mark), append(lines, [3]string{n, x.OriginalValues[k], x.ViewValues[k]})
	}
	var wide [3]int
	for _, l := range lines {
		for k, s := range l {
			wide[k] = max(wide[k], utf8.RuneCountInString(plain(s)))
		}
	}
	room := max(width-6, 12)
	for k := range wide {
		wide[k] = min(wide[k], room/3)
	}
	out := []string{clip(fmt.Sprintf("%s (seed %d, epoch %d, sample %d)", title, x.Seed, x.Epoch, x.Sample), width)}
	for k, l := range lines {
		line := marks[k] + " " + pad(l[0], wide[0]) + "  " + pad(l[1], wide[1]) + "  " + pad(l[2], wide[2])
		out = append(out, strings.TrimRight(line, " "))
	}
	return out
}

// plain makes one line of a cell.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}

func clip(s string, n int) string {
	r := []rune(plain(s))
	if len(r) <= n {
		return string(r)
	}
	return string(r[:max(n-1, 0)]) + "…"
}

func pad(s string, n int) string {
	s = clip(s, n)
	return s + strings.Repeat(" ", max(0, n-utf8.RuneCountInString(s)))
}

// claims says in words what untested Invariant contracts claim of columns that are no numbers.
func (c *certifier) claims(cert *Certificate) {
	cl, ok := c.Samples.(domain.Claimer)
	if !ok {
		return
	}
	for k := range cert.Findings {
		f := &cert.Findings[k]
		if f.Term.Kind != contract.Invariant || k >= len(c.of) {
			continue
		}
		claim, advice := cl.Claim(c.of[k], f.Term)
		if claim == "" {
			continue
		}
		switch {
		case f.Outcome == Violated && f.Probe != nil:
			f.Why += "; the contract claims that " + claim + ": " + advice
		case f.Outcome != Violated && (f.Probe == nil || c.weak != ""):
			f.Outcome = NotShown
			text := "nothing shows that " + claim + ", which this contract claims; where that is wrong, " + advice
			f.Why += "; " + text
			f.Checks = append(f.Checks, Check{Name: "claim", Warn: true, Text: text})
		}
	}
}
