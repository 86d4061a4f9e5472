// Package certify tries to break every declared contract before any training.
//
// [Run] is the one call. For each transformation it tests identity, determinism, bounds,
// strength and protected parts, and, where labels exist, whether a held-out probe changes
// its answer under the view: the rate with its Clopper-Pearson bound and the worst
// counter-example, which anyone can replay from (seed, sample, parameters).
package certify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/internal/rng"
	"github.com/selfsame-ml/selfsame/metric"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/supervise"
	"github.com/selfsame-ml/selfsame/view"
)

// ErrViolated says that a contract was broken: exit code 4. The certificate holds the proof.
var ErrViolated = errors.New("certify: a contract is violated")

// The words of a finding.
const (
	Kept     = "kept"      // the bound lies below the limit
	NotShown = "not shown" // neither kept nor violated with the confidence asked for
	Violated = "violated"  // the lower bound lies above the limit, or an exact check failed
)

// Check is one exact test of a transformation.
type Check struct {
	Name   string  `json:"name"`
	Passed bool    `json:"passed"`
	Warn   bool    `json:"warn"`  // not passed, but no violation
	Value  float64 `json:"value"` // what was measured
	Limit  float64 `json:"limit"`
	Text   string  `json:"text"`
}

// Param is a named value of a draw.
type Param struct {
	Name  string  `json:"name"`
	Unit  string  `json:"unit"`
	Value float64 `json:"value"`
}

// CounterExample is a draw that broke, or came nearest to breaking, a contract. Replay gives the draw
// again.
type CounterExample struct {
	Seed     uint64      `json:"seed"`
	Epoch    uint64      `json:"epoch"` // key of the draw, where it was drawn and not set
	Part     domain.Part `json:"part"`
	Sample   int         `json:"sample"`
	Params   []Param     `json:"params"`
	Values   []float64   `json:"values"`   // all that was drawn: Params, then what has no name (positions, seeds)
	Label    string      `json:"label"`    // true class
	Answer   string      `json:"answer"`   // of the probe for the view
	Before   float64     `json:"before"`   // probe's probability of the true class, undisturbed
	After    float64     `json:"after"`    // the same under the view
	Original []byte      `json:"original"` // PNG; nil where the domain draws none
	View     []byte      `json:"view"`     // PNG
	// Of samples that are rows, in the user's own units; View of a whole view has no parameters: Epoch, Seed and Sample replay it.
	Place          string   `json:"place,omitempty"` // of the sample in the source
	Rule           string   `json:"rule,omitempty"`  // that the view breaks
	Text           string   `json:"text,omitempty"`  // how, in a sentence
	Names          []string `json:"names,omitempty"` // of the columns
	OriginalValues []string `json:"original_values,omitempty"`
	ViewValues     []string `json:"view_values,omitempty"`
}

// Replay returns the draw: Transformation.Fill with it gives the view of the counter-example, bit for bit.
func (c *CounterExample) Replay() view.Params {
	p := view.Params{N: len(c.Values), Applied: true}
	copy(p.V[:], c.Values)
	return p
}

// Finding is the result for one transformation and one of its terms.
type Finding struct {
	Transform string          `json:"transform"`
	Parameter string          `json:"parameter"` // principal parameter and its unit
	Term      contract.Term   `json:"term"`
	Outcome   string          `json:"outcome"`
	Why       string          `json:"why"`
	Checks    []Check         `json:"checks"`
	Possible  *Possible       `json:"possible,omitempty"` // whether views are possible samples, where the domain knows
	Probe     *ProbeFinding   `json:"probe,omitempty"`
	Counter   *CounterExample `json:"counter,omitempty"`
}

// ProbeFinding is what the label-preservation probe saw.
type ProbeFinding struct {
	Trials  int              `json:"trials"`  // held-out samples that the probe answers rightly when undisturbed
	Changed int              `json:"changed"` // of them, answered otherwise under the view
	Rate    float64          `json:"rate"`
	Lower   float64          `json:"lower"` // one-sided Clopper-Pearson bounds at Confidence
	Upper   float64          `json:"upper"`
	Limit   float64          `json:"limit"`
	Safe    []contract.Range `json:"safe"` // parts of the range in which the rate is shown to stay at or below the limit
	Bins    []Bin            `json:"bins"`
}

// Bin is the rate in one part of the parameter's range.
type Bin struct {
	Range   contract.Range `json:"range"`
	Trials  int            `json:"trials"`
	Changed int            `json:"changed"`
	Lower   float64        `json:"lower"` // Clopper-Pearson bounds that hold at Confidence for all parts at once
	Upper   float64        `json:"upper"`
}

// Probe says how the probe was made.
type Probe struct {
	Labels   int     `json:"labels"`   // labels it trained and chose on; they count in no budget
	Accuracy float64 `json:"accuracy"` // on the held-out samples, undisturbed
	HeldOut  int     `json:"held_out"`
	Skipped  string  `json:"skipped"` // why there is none
}

// Certificate is the result of the stage.
type Certificate struct {
	Confidence float64   `json:"confidence"`
	Probe      Probe     `json:"probe"`
	Findings   []Finding `json:"findings"`
}

// Violations lists the findings that violate their contract.
func (c *Certificate) Violations() []Finding {
	var out []Finding
	for _, f := range c.Findings {
		if f.Outcome == Violated {
			out = append(out, f)
		}
	}
	return out
}

// Err is nil, or wraps ErrViolated and says which range would be safe.
func (c *Certificate) Err() error {
	v := c.Violations()
	if len(v) == 0 {
		return nil
	}
	var parts []string
	for _, f := range v {
		what := fmt.Sprintf("%s, %s %s", f.Term.Kind, f.Parameter, f.Term.Range)
		if name, ok := strings.CutSuffix(f.Parameter, " ("+Seconds+")"); ok {
			what = fmt.Sprintf("%s, %s %s", f.Term.Kind, name, within(f.Term.Range, Seconds))
		}
		if f.Parameter == "" {
			what = f.Term.Kind.String()
		}
		parts = append(parts, fmt.Sprintf("%s (%s): %s", f.Transform, what, f.Why))
	}
	text := strings.Join(parts, "; ")
	for _, f := range v {
		if rows := f.Counter.Rows(70); len(rows) > 0 { // a terminal has 80 columns, and lines get a prefix
			text += "\n" + strings.Join(rows, "\n")
			break
		}
	}
	return fmt.Errorf("%w: %s", ErrViolated, text)
}

// Config is what the stage needs.
type Config struct {
	Recipe   *recipe.Recipe
	Engine   *engine.Engine
	Samples  domain.Samples
	Progress func(text string, done, total int) // may be nil
}

// Counts of samples for the exact checks.
const (
	exactSamples    = 64
	strengthSamples = 128
	bins            = 6
	forwardChunk    = 512
)

type certifier struct {
	Config
	weak    string // why the probe decides nothing, or ""
	sampler domain.Sampler
	in      domain.Field
	a, b    domain.Array
	of      []domain.Transformation // of the certificate's findings, by position
}

// Run certifies the contracts of a recipe. The error is of the stage, not of a contract: see Err.
func Run(ctx context.Context, cfg Config) (*Certificate, error) {
	sampler, err := cfg.Samples.Views()
	if err != nil {
		return nil, err
	}
	if cfg.Progress == nil {
		cfg.Progress = func(string, int, int) {}
	}
	c := &certifier{Config: cfg, sampler: sampler, in: cfg.Samples.Input()}
	c.a, c.b = domain.NewArray(c.in, 1), domain.NewArray(c.in, 1)
	cert := &Certificate{Confidence: cfg.Recipe.Certify.Confidence}
	ts := sampler.Transforms()
	for i, t := range ts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		cfg.Progress(t.Spec().Name, i, len(ts))
		fs, err := c.exact(t)
		if err != nil {
			return nil, err
		}
		cert.Findings = append(cert.Findings, fs...)
		for range fs {
			c.of = append(c.of, t)
		}
	}
	whole, err := c.whole(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.labels(ctx, cert); err != nil {
		return nil, err
	}
	c.claims(cert)
	cert.Findings = append(cert.Findings, whole...)
	cfg.Progress("done", len(ts), len(ts))
	return cert, nil
}

// sample picks sample number k of a fixed order of the training part.
func (c *certifier) sample(k int) int {
	n := c.Samples.Len(domain.Train)
	return int(rng.New(c.Recipe.Seed, rng.Certify, uint64(k)).Uint64N(uint64(n)))
}

func named(s view.Spec, p view.Params) []Param {
	var out []Param
	for i := range min(p.N, len(s.Params)) {
		out = append(out, Param{s.Params[i].Name, s.Params[i].Unit, p.V[i]})
	}
	return out
}

func label(s view.Spec) string {
	p := s.Params[0]
	if p.Unit == "" || p.Unit == p.Name {
		return p.Name
	}
	return p.Name + " (" + p.Unit + ")"
}

// exact runs the checks that need no label, and returns one finding a term.
func (c *certifier) exact(t domain.Transformation) ([]Finding, error) {
	seed := c.Recipe.Seed
	spec, decl := c.spec(t), t.Config()
	var out []Finding
	for _, term := range decl.Terms {
		f := Finding{Transform: spec.Name, Parameter: label(spec), Term: term, Outcome: Kept}
		add := func(ch Check) {
			f.Checks = append(f.Checks, ch)
			if !ch.Passed && !ch.Warn {
				f.Outcome = Violated
				f.Why = ch.Name + ": " + ch.Text
			}
		}
		if term.Kind == contract.Protected {
			ch, err := c.neverDrawn(t, term)
			if err != nil {
				return nil, err
			}
			add(ch)
			if f.Why == "" {
				f.Why = "never drawn"
			}
			if err := c.possible(&f, t, term, add); err != nil {
				return nil, err
			}
			out = append(out, f)
			continue
		}
		var identity, blank, unstable, drawn, touched, wild int
		var worst *CounterExample
		var where string // a protected part that was touched
		var change, peak, apart float64
		var moved int
		guard := c.guard()
		ch := Check{Name: "identity", Passed: true, Text: "has no identity"}
		for k := range exactSamples {
			if math.IsNaN(spec.Identity) {
				break
			}
			i := c.sample(k)
			if err := c.Samples.Fill(&c.a, 0, domain.Train, i); err != nil {
				return nil, err
			}
			p := t.AtValue(spec.Identity, seed, i)
			if err := t.Fill(&c.b, 0, domain.Train, i, p); err != nil {
				return nil, err
			}
			if !equal(c.a, c.b) {
				identity++
				worst = c.counter(t, domain.Train, i, p, 0)
			}
		}
		if !math.IsNaN(spec.Identity) {
			ch = Check{Name: "identity", Passed: identity == 0, Value: float64(identity), Text: fmt.Sprintf("at %s %g, %d of %d samples changed", spec.Params[0].Name, spec.Identity, identity, exactSamples)}
		}
		add(ch)
		for k := range strengthSamples {
			i := c.sample(k)
			p, epoch, ok := c.draw(t, term, uint64(k), i)
			if !ok {
				continue
			}
			drawn++
			q, _, _ := c.draw(t, term, uint64(k), i)
			if err := c.Samples.Fill(&c.a, 0, domain.Train, i); err != nil {
				return nil, err
			}
			if err := t.Fill(&c.b, 0, domain.Train, i, p); err != nil {
				return nil, err
			}
			once := clone(c.b)
			if err := t.Fill(&c.b, 0, domain.Train, i, q); err != nil {
				return nil, err
			}
			if p != q || !equal(once, c.b) {
				unstable++
				if worst == nil {
					worst = c.counter(t, domain.Train, i, p, epoch)
				}
			}
			if !finite(once) {
				wild++
				if worst == nil {
					worst = c.counter(t, domain.Train, i, p, epoch)
				}
				continue // no distance to speak of
			}
			var d float64
			var empty bool
			if cmp := c.comparer(); cmp != nil {
				var by float64
				d, by = cmp.Compare(&c.a, &once, 0)
				if d > 0 {
					apart += by
					moved++
				}
				empty = cmp.Blank(&once, 0) && !cmp.Blank(&c.a, 0)
			} else {
				d = distance(c.a, once)
				empty = flat(once) && !flat(c.a)
			}
			change += d
			peak = max(peak, d)
			if empty {
				blank++
			}
			if guard != nil {
				if at := guard.Touched(&c.a, &once, 0); at != "" {
					touched++
					where = at
					if worst == nil {
						worst = c.counter(t, domain.Train, i, p, epoch)
					}
				}
			}
		}
		if drawn == 0 {
			add(Check{Name: "drawn", Warn: true, Text: fmt.Sprintf("no draw falls into %s", within(term.Range, spec.Params[0].Unit))})
			if f.Outcome == Kept {
				f.Outcome, f.Why = NotShown, "nothing could be drawn there"
			}
		} else {
			add(Check{Name: "determinism", Passed: unstable == 0, Value: float64(unstable), Text: fmt.Sprintf("%d of %d views differ when drawn again", unstable, drawn)})
			ch := Check{Name: "bounds", Passed: wild == 0, Value: float64(wild), Text: "values stay in the range of their type"}
			if wild > 0 {
				ch.Text = fmt.Sprintf("%d of %d views have values that are not finite", wild, drawn)
			}
			add(ch)
			mean := change / float64(max(drawn-wild, 1))
			strength := Check{Name: "strength", Passed: mean > 1e-4, Warn: true, Value: mean, Text: fmt.Sprintf("views differ by %.1f %% of the value range on average, %.1f %% at most", 100*mean, 100*peak)}
			if c.comparer() != nil {
				strength.Passed = moved > 0
				strength.Text = fmt.Sprintf("%d of %d views differ in what the encoder sees: in %.1f %% of the cells on average, %.1f %% at most, and there by %.2g standard deviations (1 for a level or state)",
					moved, drawn, 100*mean, 100*peak, apart/float64(max(moved, 1)))
			}
			add(strength)
			share := float64(blank) / float64(drawn)
			add(Check{Name: "not blank", Passed: share <= 0.05, Warn: true, Value: share, Limit: 0.05, Text: fmt.Sprintf("%d of %d views show nothing", blank, drawn)})
			if guard != nil {
				ch := Check{Name: "protected parts", Passed: touched == 0, Value: float64(touched), Text: fmt.Sprintf("%d of %d views change a protected part", touched, drawn)}
				if touched > 0 {
					ch.Text = fmt.Sprintf("%d of %d views change %s", touched, drawn, where)
				}
				add(ch)
			}
		}
		if f.Outcome == Violated {
			f.Counter = worst
		}
		if err := c.possible(&f, t, term, add); err != nil {
			return nil, err
		}
		if f.Why == "" {
			f.Why = "exact checks passed"
		}
		out = append(out, f)
	}
	return out, nil
}

// guard is the domain's knowledge of protected parts, or nil.
func (c *certifier) guard() domain.Guard {
	g, ok := c.Samples.(domain.Guard)
	if !ok || !g.Guards() {
		return nil
	}
	return g
}

// draw draws parameters in the range of a term: epoch counts up until one falls into it. Into a narrow
// range hardly any does; then the parameter is set to a value drawn there, and epoch is 0.
func (c *certifier) draw(t domain.Transformation, term contract.Term, base uint64, i int) (p view.Params, epoch uint64, ok bool) {
	terms := t.Config().Terms
	in := func(p view.Params) bool { at, ok := terms.At(p.V[0]); return p.Applied && ok && at == term }
	for try := range uint64(64) {
		if p := t.Draw(c.Recipe.Seed, base<<8|try, i); in(p) {
			return p, base<<8 | try, true
		}
	}
	r := rng.New(c.Recipe.Seed, rng.Certify, 9, base, uint64(i))
	for range 16 {
		if p := t.AtValue(view.Uniform(r, term.Range, t.Spec().Params[0].Integer), c.Recipe.Seed, i); in(p) {
			return p, 0, true
		}
	}
	return view.Params{}, 0, false
}

// neverDrawn replays the draws of training samples and checks that none falls into a Protected range.
func (c *certifier) neverDrawn(t domain.Transformation, term contract.Term) (Check, error) {
	rec, ok := c.sampler.(domain.Recorder)
	if !ok {
		return Check{}, fmt.Errorf("certify: the sampler of domain %q records no draws, so the protected range of %s cannot be checked", c.Recipe.Domain, t.Spec().Name)
	}
	const replays = 500
	bad, drawn := 0, 0
	for k := range replays {
		for _, d := range rec.Drawn(c.Recipe.Seed, uint64(k), c.sample(k)) {
			if d.Transform != t.Spec().Name || !d.Params.Applied {
				continue
			}
			drawn++
			if at, ok := t.Config().Terms.At(d.Params.V[0]); ok && at.Kind == contract.Protected {
				bad++
			}
		}
	}
	return Check{Name: "protected", Passed: bad == 0, Value: float64(bad), Text: fmt.Sprintf("%d of %d replayed draws fall into the protected range %s", bad, drawn, within(term.Range, c.spec(t).Params[0].Unit))}, nil
}

func (c *certifier) counter(t domain.Transformation, part domain.Part, i int, p view.Params, epoch uint64) *CounterExample {
	ce := &CounterExample{Seed: c.Recipe.Seed, Epoch: epoch, Part: part, Sample: i, Params: named(c.spec(t), p), Values: slices.Clone(p.V[:p.N])}
	c.words(ce, t, p)
	r, ok := c.Samples.(domain.Renderer)
	if !ok {
		return ce
	}
	a, b := domain.NewArray(c.in, 1), domain.NewArray(c.in, 1)
	if c.Samples.Fill(&a, 0, part, i) != nil || t.Fill(&b, 0, part, i, p) != nil {
		return ce
	}
	var w bytes.Buffer
	if r.Render(&w, &a, 0, 112) == nil {
		ce.Original = slices.Clone(w.Bytes())
	}
	w.Reset()
	if r.Render(&w, &b, 0, 112) == nil {
		ce.View = slices.Clone(w.Bytes())
	}
	return ce
}

func equal(a, b domain.Array) bool {
	return bytes.Equal(a.U8, b.U8) && slices.Equal(a.U16, b.U16) && slices.Equal(a.I32, b.I32) && slices.Equal(a.F32, b.F32)
}

func clone(a domain.Array) domain.Array {
	return domain.Array{U8: slices.Clone(a.U8), U16: slices.Clone(a.U16), I32: slices.Clone(a.I32), F32: slices.Clone(a.F32)}
}

// distance is the mean absolute difference as a share of the value range.
func distance(a, b domain.Array) float64 {
	var sum, scale float64
	var n int
	for i := range a.U8 {
		sum += math.Abs(float64(a.U8[i]) - float64(b.U8[i]))
	}
	for i := range a.U16 {
		sum += math.Abs(float64(a.U16[i]) - float64(b.U16[i]))
	}
	lo, hi := math.Inf(1), math.Inf(-1)
	for i := range a.F32 {
		sum += math.Abs(float64(a.F32[i]) - float64(b.F32[i]))
		lo, hi = min(lo, float64(a.F32[i])), max(hi, float64(a.F32[i]))
	}
	for i := range a.I32 {
		if a.I32[i] != b.I32[i] {
			sum++
		}
	}
	switch {
	case a.U8 != nil:
		n, scale = len(a.U8), 255
	case a.U16 != nil:
		n, scale = len(a.U16), 65535
	case a.F32 != nil:
		n, scale = len(a.F32), max(hi-lo, 1e-9)
	default:
		n, scale = len(a.I32), 1
	}
	return sum / scale / float64(max(n, 1))
}

func flat(a domain.Array) bool {
	return allSame(a.U8) && allSame(a.U16) && allSame(a.I32) && allSame(a.F32)
}

func allSame[T comparable](x []T) bool {
	for _, v := range x {
		if v != x[0] {
			return false
		}
	}
	return true
}

func finite(a domain.Array) bool {
	for _, v := range a.F32 {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return false
		}
	}
	return true
}

// trial is one held-out sample under one view.
type trial struct {
	sample int
	epoch  uint64
	p      view.Params
	right  bool    // undisturbed
	before float64 // probability of the true class
	after  float64
	answer int32
}

// labels trains the probe and measures how often its answer changes.
func (c *certifier) labels(ctx context.Context, cert *Certificate) error {
	r := c.Recipe
	val := c.Samples.Labels(domain.Val)
	tr := c.Samples.Labels(domain.Train)
	var rows []supervise.Row
	for i, l := range tr {
		if l >= 0 {
			rows = append(rows, supervise.Row{Part: domain.Train, Index: i})
		}
	}
	var held []int
	for i, l := range val {
		if l >= 0 {
			held = append(held, i)
		}
	}
	classes := c.Samples.Classes()
	invariant := slices.ContainsFunc(cert.Findings, func(f Finding) bool { return f.Term.Kind == contract.Invariant })
	switch {
	case r.Certify.Probe == "off":
		cert.Probe.Skipped = "certify.probe is off"
	case !invariant:
		cert.Probe.Skipped = "no transformation is declared Invariant"
	case len(classes) < 2:
		cert.Probe.Skipped = "the data has fewer than two classes with labels"
	case len(rows) < 20 || len(held) < 20:
		cert.Probe.Skipped = fmt.Sprintf("%d labelled training and %d labelled validation samples are too few, want 20 each", len(rows), len(held))
	}
	if cert.Probe.Skipped != "" {
		for k := range cert.Findings {
			if f := &cert.Findings[k]; f.Term.Kind == contract.Invariant && f.Outcome == Kept {
				f.Why += "; that the meaning stays was not tested: " + cert.Probe.Skipped
			}
		}
		return nil
	}
	tuneRows, chooseRows := metric.DrawBudget(labelsOf(rows, tr), r.Certify.Labels, r.Seed, 1<<32)
	pick := func(ix []int) (out []supervise.Row) {
		for _, i := range ix {
			out = append(out, rows[i])
		}
		return out
	}
	cert.Probe.Labels = len(tuneRows) + len(chooseRows)
	c.Progress("probe", 0, 1)
	grown, err := c.trees(ctx, pick(tuneRows), pick(chooseRows), tr, len(classes))
	if err != nil {
		return err
	}
	var look seer
	if grown != nil {
		look = grown.see
	} else {
		var done func()
		if look, done, err = c.network(ctx, pick(tuneRows), pick(chooseRows), tr, len(classes)); err != nil {
			return err
		}
		defer done()
	}
	order := rng.New(r.Seed, rng.Certify, 3).Perm(len(held))
	use := make([]int, 0, min(len(held), r.Certify.Samples))
	for _, k := range order[:min(len(order), r.Certify.Samples)] {
		use = append(use, held[k])
	}
	undisturbed := make([]trial, len(use))
	for i, s := range use {
		undisturbed[i].sample = s
	}
	logits, err := look(nil, undisturbed)
	if err != nil {
		return err
	}
	right := make([]bool, len(use))
	before := make([]float64, len(use))
	hits := 0
	for i, a := range supervise.Argmax(logits, len(classes)) {
		right[i] = a == val[use[i]]
		before[i] = probability(logits[i*len(classes):(i+1)*len(classes)], val[use[i]])
		if right[i] {
			hits++
		}
	}
	cert.Probe.HeldOut, cert.Probe.Accuracy = len(use), float64(hits)/float64(len(use))
	if c.weak, err = weak(hits, use, val, len(classes), r.Certify.Confidence); err != nil {
		return err
	}

	for k := range cert.Findings {
		f := &cert.Findings[k]
		if f.Term.Kind != contract.Invariant {
			continue
		}
		t := c.of[k]
		c.Progress("probe: "+f.Transform, k, len(cert.Findings))
		var trials []trial
		for i, s := range use {
			if p, epoch, ok := c.draw(t, f.Term, 1<<30, s); ok {
				trials = append(trials, trial{sample: s, epoch: epoch, p: p, right: right[i], before: before[i]})
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if grown != nil {
			blind, err := grown.blind(t, trials)
			if err != nil {
				return err
			}
			if blind && len(trials) > 0 {
				if f.Why += "; the probe (boosted trees) does not see what it changes, so nothing is shown of labels"; f.Outcome == Kept {
					f.Outcome = NotShown
				}
				continue
			}
		}
		see := func(ts []trial) ([]float32, error) { return look(t, ts) }
		logits, err := see(trials)
		if err != nil {
			return err
		}
		for i, a := range supervise.Argmax(logits, len(classes)) {
			trials[i].answer = a
			trials[i].after = probability(logits[i*len(classes):(i+1)*len(classes)], val[trials[i].sample])
		}
		answer := func(ts []trial) ([]int32, error) {
			logits, err := see(ts)
			return supervise.Argmax(logits, len(classes)), err
		}
		inBins, err := c.binned(t, f.Term, trials, val, answer)
		if err != nil {
			return err
		}
		if err := c.judge(f, t, trials, inBins, val, classes, answer); err != nil {
			return err
		}
	}
	return nil
}

// network trains a probe of the recipe's encoder from scratch; done frees it.
func (c *certifier) network(ctx context.Context, tune, choose []supervise.Row, labels []int32, classes int) (look seer, done func(), err error) {
	r := c.Recipe
	epochs := 40
	tuner, err := supervise.New(c.Engine, c.Samples, supervise.Config{
		Classes: classes, Batch: 64, Epochs: epochs, MaxSteps: 600, LR: 2e-3, WeightDecay: 1e-2, Seed: r.Seed ^ 0xce27,
	})
	if err != nil {
		return nil, nil, err
	}
	ts := c.sampler.Transforms()
	var inv []domain.Transformation
	for _, t := range ts {
		if t.Config().Terms.Has(contract.Invariant) {
			inv = append(inv, t)
		}
	}
	// Half of what the probe trains on are views, one transformation each: a probe that had never
	// seen a crop would change its answer for want of practice, not because the meaning changed.
	fill := func(dst *domain.Array, row int, epoch uint64, i int, at supervise.Row) error {
		k := rng.New(r.Seed, rng.Certify, 7, epoch, uint64(i))
		if t := inv[k.IntN(len(inv))]; k.IntN(2) == 1 {
			terms := t.Config().Terms.Of(contract.Invariant)
			if p, _, ok := c.draw(t, terms[k.IntN(len(terms))], 1<<20+epoch, at.Index); ok {
				return t.Fill(dst, row, at.Part, at.Index, p)
			}
		}
		return c.Samples.Fill(dst, row, at.Part, at.Index)
	}
	net, err := tuner.Tune(ctx, nil, tune, choose, func(s supervise.Row) int32 { return labels[s.Index] }, 0, fill)
	if err != nil {
		tuner.Close()
		return nil, nil, fmt.Errorf("certify: probe: %w", err)
	}
	return func(t domain.Transformation, ts []trial) ([]float32, error) {
		return tuner.Predict(net, len(ts), func(dst *domain.Array, row, i int) error {
			if t == nil {
				return c.Samples.Fill(dst, row, domain.Val, ts[i].sample)
			}
			return t.Fill(dst, row, domain.Val, ts[i].sample, ts[i].p)
		})
	}, func() { tuner.Close() }, nil
}

// weak says why a probe cannot be believed, or is "". The answers of one that is hardly better than the most
// frequent class change at any touch, or never: neither says anything of the contract. It must be right, with
// confidence, more than half of the way from that class to perfect.
func weak(hits int, use []int, val []int32, classes int, conf float64) (string, error) {
	seen := make([]int, classes)
	for _, i := range use {
		seen[val[i]]++
	}
	chance := float64(slices.Max(seen)) / float64(len(use))
	low, err := metric.ClopperPearsonLower(hits, len(use), conf)
	if err != nil || low > (1+chance)/2 {
		return "", err
	}
	return fmt.Sprintf("the probe is right on %d of %d held-out samples (%.1f %%, the most frequent class would be on %.1f %%): too weak to decide",
		hits, len(use), 100*float64(hits)/float64(len(use)), 100*chance), nil
}

func labelsOf(rows []supervise.Row, labels []int32) []int32 {
	out := make([]int32, len(rows))
	for i, r := range rows {
		out[i] = labels[r.Index]
	}
	return out
}

func probability(logits []float32, class int32) float64 {
	top := float64(slices.Max(logits))
	var sum float64
	for _, v := range logits {
		sum += math.Exp(float64(v) - top)
	}
	return math.Exp(float64(logits[class])-top) / sum
}

// judge decides a term from its trials.
func (c *certifier) judge(f *Finding, t domain.Transformation, trials []trial, inBins []Bin, val []int32, classes []string, answer answerer) error {
	r := c.Recipe.Certify
	pf := &ProbeFinding{Limit: r.MaxChange}
	var worst *trial
	changed := func(x *trial) bool { return x.right && x.answer != val[x.sample] }
	for i := range trials {
		x := &trials[i]
		if !x.right {
			continue
		}
		pf.Trials++
		if changed(x) {
			pf.Changed++
		}
		if worst == nil || x.before-x.after > worst.before-worst.after {
			worst = x
		}
	}
	if pf.Trials == 0 {
		f.Why = "the probe answers no held-out sample rightly, so nothing can be said of labels"
		if f.Outcome == Kept {
			f.Outcome = NotShown
		}
		return nil
	}
	pf.Rate = float64(pf.Changed) / float64(pf.Trials)
	var err error
	if pf.Lower, err = metric.ClopperPearsonLower(pf.Changed, pf.Trials, r.Confidence); err != nil {
		return err
	}
	if pf.Upper, err = metric.ClopperPearsonUpper(pf.Changed, pf.Trials, r.Confidence); err != nil {
		return err
	}
	pf.Bins = inBins
	pf.Safe = safe(pf.Bins, r.MaxChange, t.Spec().Identity)
	bad := slices.IndexFunc(pf.Bins, func(b Bin) bool { return b.Lower > pf.Limit })
	if c.weak == "" && len(pf.Safe) == 0 && (bad >= 0 || pf.Lower > pf.Limit) {
		if pf.Safe, err = c.shrunk(t, f.Term, trials, val, answer); err != nil {
			return err
		}
	}
	f.Probe = pf
	if f.Outcome == Violated { // an exact check has failed already
		return nil
	}
	f.Counter = c.counter(t, domain.Val, worst.sample, worst.p, worst.epoch)
	f.Counter.Label, f.Counter.Answer = classes[val[worst.sample]], classes[worst.answer]
	f.Counter.Before, f.Counter.After = worst.before, worst.after
	rate := fmt.Sprintf("the probe's answer changes in %d of %d held-out samples (%.1f %%, bound %.1f..%.1f %%, limit %.0f %%)", pf.Changed, pf.Trials, 100*pf.Rate, 100*pf.Lower, 100*pf.Upper, 100*pf.Limit)
	switch {
	case c.weak != "":
		f.Outcome, f.Why = NotShown, rate+"; "+c.weak
	case pf.Lower > pf.Limit:
		f.Outcome = Violated
		f.Why = rate + "; " + safeText(c.spec(t), pf.Safe)
	case bad >= 0:
		b := pf.Bins[bad]
		f.Outcome = Violated
		f.Why = fmt.Sprintf("%s; at %s %s in %d of %d (bound %.1f %%); %s", rate, t.Spec().Params[0].Name, within(b.Range, c.spec(t).Params[0].Unit), b.Changed, b.Trials, 100*b.Lower, safeText(c.spec(t), pf.Safe))
	case pf.Upper <= pf.Limit:
		f.Why = rate
	default:
		f.Outcome = NotShown
		f.Why = rate
	}
	return nil
}

func safeText(s view.Spec, safe []contract.Range) string {
	if len(safe) == 0 {
		return fmt.Sprintf("no range of %s is shown to be safe", s.Params[0].Name)
	}
	var parts []string
	for _, r := range safe {
		parts = append(parts, within(r, s.Params[0].Unit))
	}
	return fmt.Sprintf("safe would be %s: %s", s.Params[0].Name, strings.Join(parts, ", "))
}

// parts splits a range into equal parts, or single values for whole-number parameters.
func parts(s view.Spec, r contract.Range) []Bin {
	var out []Bin
	switch {
	case s.Params[0].Integer && r.Width() < 64:
		for v := math.Ceil(r.From); v <= r.To; v++ {
			out = append(out, Bin{Range: contract.Range{From: v, To: v}})
		}
	case r.Width() == 0:
		out = []Bin{{Range: r}}
	default:
		for k := range bins {
			out = append(out, Bin{Range: contract.Range{From: r.Lerp(float64(k) / bins), To: r.Lerp(float64(k+1) / bins)}})
		}
	}
	return out
}

// part measures one part of a term's range, with one view of every held-out sample that the probe
// answers rightly. conf is the confidence of each of the two bounds.
func (c *certifier) part(t domain.Transformation, in contract.Range, what uint64, trials []trial, val []int32, conf float64, answer answerer) (Bin, error) {
	b := Bin{Range: in, Upper: 1}
	r := rng.New(c.Recipe.Seed, rng.Certify, 8, what)
	var ts []trial
	for i := range trials {
		if x := &trials[i]; x.right {
			ts = append(ts, trial{sample: x.sample, p: t.AtValue(in.Lerp(r.Float64()), c.Recipe.Seed, x.sample)})
		}
	}
	if len(ts) == 0 {
		return b, nil
	}
	got, err := answer(ts)
	if err != nil {
		return b, err
	}
	b.Trials = len(ts)
	for i, a := range got {
		if a != val[ts[i].sample] {
			b.Changed++
		}
	}
	if b.Lower, err = metric.ClopperPearsonLower(b.Changed, b.Trials, conf); err != nil {
		return b, err
	}
	b.Upper, err = metric.ClopperPearsonUpper(b.Changed, b.Trials, conf)
	return b, err
}

// answerer gives the probe's answer to the views of trials.
type answerer func([]trial) ([]int32, error)

// binned measures each part of a term's range by itself: a contract promises every value of its range,
// and the part that breaks it may be seldom drawn.
func (c *certifier) binned(t domain.Transformation, term contract.Term, trials []trial, val []int32, answer answerer) ([]Bin, error) {
	out := parts(t.Spec(), term.Range)
	conf := 1 - (1-c.Recipe.Certify.Confidence)/float64(max(len(out), 1)) // Bonferroni: the bounds hold for all parts at once
	for k := range out {
		var err error
		if out[k], err = c.part(t, out[k].Range, uint64(k), trials, val, conf, answer); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// halvings is how often a range that breaks its contract is halved towards the identity in search of a safe one.
const halvings = 6

// shrunk looks for a safe range around the identity where no part of the declared range is safe.
func (c *certifier) shrunk(t domain.Transformation, term contract.Term, trials []trial, val []int32, answer answerer) ([]contract.Range, error) {
	s := t.Spec()
	if !term.Range.Contains(s.Identity) || s.Params[0].Integer || term.Range.Width() == 0 {
		return nil, nil
	}
	conf := 1 - (1-c.Recipe.Certify.Confidence)/halvings
	for k := 1; k <= halvings; k++ {
		f := math.Pow(0.5, float64(k))
		in := contract.Range{From: s.Identity + (term.Range.From-s.Identity)*f, To: s.Identity + (term.Range.To-s.Identity)*f}
		b, err := c.part(t, in, uint64(1000+k), trials, val, conf, answer)
		if err != nil {
			return nil, err
		}
		if b.Trials > 0 && b.Upper <= c.Recipe.Certify.MaxChange {
			return []contract.Range{in}, nil
		}
	}
	return nil, nil
}

// safe joins the parts whose rate is shown to stay at or below the limit: the one around the identity
// where the parameter has one in the range, else all.
func safe(parts []Bin, limit, identity float64) []contract.Range {
	good := func(b Bin) bool { return b.Trials > 0 && b.Upper <= limit }
	var out []contract.Range
	for _, b := range parts {
		if !good(b) {
			continue
		}
		if n := len(out); n > 0 && out[n-1].To == b.Range.From {
			out[n-1].To = b.Range.To
		} else {
			out = append(out, b.Range)
		}
	}
	for _, r := range out {
		if r.Contains(identity) { // the part that holds the identity is the one to recommend
			return []contract.Range{r}
		}
	}
	return out
}
