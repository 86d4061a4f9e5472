package view

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/selfsame-ml/selfsame/contract"
)

// ErrConfig is wrapped by every error about a declared transformation.
var ErrConfig = errors.New("view: bad transformation")

// Parametric is a Transform whose principal parameter can be given. A Pipeline
// needs it, because it draws that parameter from the ranges of one contract.
type Parametric[S any] interface {
	Transform[S]
	// DrawAt fills p with V[0] = v and draws everything else from r. It returns false
	// where v cannot be had with what was drawn (a crop that does not fit); p is then
	// the nearest that can be had, and a caller may try again.
	DrawAt(r *rand.Rand, v float64, p *Params) bool
}

// Masker is a Parametric that removes information in known places. MaskOf sets the
// elements of dst (shaped as the sample) that Apply replaces to 1 and the others to 0.
type Masker interface {
	MaskOf(dst []uint8, p *Params)
}

// Tries is how often a draw that does not fit is repeated, as in torchvision's RandomResizedCrop.
const Tries = 10

// Resolve returns c with every parameter and term written out, checked against s.
//
// A parameter that is not declared gets its default; the principal one gets the hull of the
// terms that may be drawn (not Protected), where there are any. A transformation without terms promises the default
// contract of its Spec over the declared range. P is left as it is.
func (s Spec) Resolve(c Config) (Config, error) {
	if c.Name != s.Name {
		return c, fmt.Errorf("%w: %q is not %q", ErrConfig, c.Name, s.Name)
	}
	if len(s.Params) == 0 || len(s.Kinds) == 0 {
		return c, fmt.Errorf("%w: %s has no parameter or no contract", ErrConfig, s.Name)
	}
	if c.P < 0 || c.P > 1 || math.IsNaN(c.P) {
		return c, fmt.Errorf("%w: %s: p is %g, want 0..1", ErrConfig, s.Name, c.P)
	}
	if err := c.Terms.Validate(); err != nil {
		return c, fmt.Errorf("%w: %s: %w", ErrConfig, s.Name, err)
	}
	params := make(map[string]contract.Range, len(s.Params))
	for i, ps := range s.Params {
		r, ok := c.Params[ps.Name]
		if !ok {
			r = ps.Default
			if i == 0 && len(c.Terms) > 0 {
				r = hull(c.Terms)
			}
		}
		if err := r.Validate(); err != nil {
			return c, fmt.Errorf("%w: %s: %s: %w", ErrConfig, s.Name, ps.Name, err)
		}
		if r.From < ps.Min || r.To > ps.Max {
			return c, fmt.Errorf("%w: %s: %s is %s, allowed is %g..%g %s", ErrConfig, s.Name, ps.Name, r, ps.Min, ps.Max, ps.Unit)
		}
		if ps.Integer && math.Floor(r.To) < math.Ceil(r.From) {
			return c, fmt.Errorf("%w: %s: %s is %s, which holds no whole number", ErrConfig, s.Name, ps.Name, r)
		}
		params[ps.Name] = r
	}
	for name := range c.Params {
		if _, ok := params[name]; !ok {
			return c, fmt.Errorf("%w: %s has no parameter %q", ErrConfig, s.Name, name)
		}
	}
	c.Params = params
	for _, o := range s.Options {
		if _, ok := c.Options[o.Name]; !ok {
			c.Options = maps.Clone(c.Options) // the caller's is not changed
			if c.Options == nil {
				c.Options = map[string]string{}
			}
			c.Options[o.Name] = o.Default
		}
	}
	if len(c.Terms) == 0 {
		c.Terms = contract.Terms{{Kind: s.Kinds[0], Range: params[s.Params[0].Name]}}
	}
	for _, t := range c.Terms {
		if t.Kind != contract.Protected && !slices.Contains(s.Kinds, t.Kind) {
			return c, fmt.Errorf("%w: %s cannot be %s (want one of %v)", ErrConfig, s.Name, t.Kind, s.Kinds)
		}
		if ps := s.Params[0]; t.Range.From < ps.Min || t.Range.To > ps.Max {
			return c, fmt.Errorf("%w: %s: the range %s of %s leaves %s %g..%g", ErrConfig, s.Name, t.Range, t.Kind, ps.Name, ps.Min, ps.Max)
		}
	}
	return c, nil
}

// hull is the smallest range around the terms that may be drawn from; around the Protected
// ones only where there are no others.
func hull(ts contract.Terms) contract.Range {
	var drawn contract.Terms
	for _, t := range ts {
		if t.Kind != contract.Protected {
			drawn = append(drawn, t)
		}
	}
	if len(drawn) == 0 {
		drawn = ts
	}
	h := drawn[0].Range
	for _, t := range drawn[1:] {
		h.From, h.To = min(h.From, t.Range.From), max(h.To, t.Range.To)
	}
	return h
}

// Uniform draws from a closed range; whole numbers only where integer is set.
func Uniform(r *rand.Rand, g contract.Range, integer bool) float64 {
	if integer {
		lo := math.Ceil(g.From)
		n := int(math.Floor(g.To)-lo) + 1
		if n <= 1 {
			return lo
		}
		return lo + float64(r.IntN(n))
	}
	if g.From == g.To {
		return g.From
	}
	return g.Lerp(r.Float64())
}

// Set is the part of a principal parameter's range in which one contract holds.
type Set struct {
	Ranges  []contract.Range // disjoint, rising
	Integer bool
	sizes   []float64
	total   float64
}

// SetOf returns where, inside the declared range, the promise of terms is of kind k.
// The narrowest term rules, as in contract.Terms.At.
func SetOf(terms contract.Terms, k contract.Kind, declared contract.Range, integer bool) Set {
	s := Set{Integer: integer}
	is := func(v float64) bool { t, ok := terms.At(v); return ok && t.Kind == k }
	if integer && declared.Width() <= 1<<16 {
		for v := math.Ceil(declared.From); v <= declared.To; v++ {
			if !is(v) {
				continue
			}
			if n := len(s.Ranges); n > 0 && s.Ranges[n-1].To == v-1 {
				s.Ranges[n-1].To = v
			} else {
				s.Ranges = append(s.Ranges, contract.Range{From: v, To: v})
			}
		}
	} else {
		cuts := []float64{declared.From, declared.To}
		for _, t := range terms {
			for _, v := range []float64{t.Range.From, t.Range.To} {
				if declared.Contains(v) {
					cuts = append(cuts, v)
				}
			}
		}
		slices.Sort(cuts)
		for i := range cuts[:len(cuts)-1] {
			a, b := cuts[i], cuts[i+1]
			if a == b || !is(a+(b-a)/2) {
				continue
			}
			if n := len(s.Ranges); n > 0 && s.Ranges[n-1].To == a {
				s.Ranges[n-1].To = b
			} else {
				s.Ranges = append(s.Ranges, contract.Range{From: a, To: b})
			}
		}
		if len(s.Ranges) == 0 { // promises for single values only
			for i, v := range cuts {
				if is(v) && (i == 0 || cuts[i-1] != v) {
					s.Ranges = append(s.Ranges, contract.Range{From: v, To: v})
				}
			}
		}
	}
	for _, r := range s.Ranges {
		size := r.Width()
		if integer {
			size++
		}
		s.sizes = append(s.sizes, size)
		s.total += size
	}
	return s
}

// Empty reports a contract that holds nowhere in the declared range.
func (s *Set) Empty() bool { return len(s.Ranges) == 0 }

// Hull is the smallest range that contains the set.
func (s *Set) Hull() contract.Range {
	if s.Empty() {
		return contract.Range{}
	}
	return contract.Range{From: s.Ranges[0].From, To: s.Ranges[len(s.Ranges)-1].To}
}

// Contains reports whether v lies in the set.
func (s *Set) Contains(v float64) bool {
	for _, r := range s.Ranges {
		if r.Contains(v) {
			return true
		}
	}
	return false
}

// Draw is uniform over the set, which must not be empty.
func (s *Set) Draw(r *rand.Rand) float64 {
	if len(s.Ranges) == 1 {
		return Uniform(r, s.Ranges[0], s.Integer)
	}
	if s.total == 0 {
		return s.Ranges[r.IntN(len(s.Ranges))].From
	}
	u := r.Float64() * s.total
	for i, g := range s.Ranges {
		if u < s.sizes[i] || i == len(s.Ranges)-1 {
			return Uniform(r, g, s.Integer)
		}
		u -= s.sizes[i]
	}
	return s.Ranges[0].From
}

// Step is one declared transformation of a Pipeline.
type Step[S any] struct {
	Transform Parametric[S]
	Config    Config // resolved
	Invariant Set    // where views of the Invariant stream draw from
	Equi      Set    // where the target of an Equivariant stream is drawn from
	Restore   Set    // where the damage of a Restorable stream is drawn from
}

// NewStep checks a declaration and works out where each contract holds.
//
// Protected ranges are drawn nowhere: they are a guard, which certify checks.
// The target of an Equivariant term over classes comes from the term alone, so that a
// flip declared 1..1 (always flip) can still be told from no flip.
func NewStep[S any](t Parametric[S], c Config) (Step[S], error) {
	spec := t.Spec()
	c, err := spec.Resolve(c)
	if err != nil {
		return Step[S]{}, err
	}
	declared, integer := c.Params[spec.Params[0].Name], spec.Params[0].Integer
	s := Step[S]{Transform: t, Config: c,
		Invariant: SetOf(c.Terms, contract.Invariant, declared, integer),
		Equi:      SetOf(c.Terms, contract.Equivariant, declared, integer),
		Restore:   SetOf(c.Terms, contract.Restorable, declared, integer),
	}
	if spec.Classes > 0 && c.Terms.Has(contract.Equivariant) {
		s.Equi = SetOf(c.Terms, contract.Equivariant, hull(c.Terms), integer)
	}
	for _, k := range []struct {
		kind contract.Kind
		set  *Set
	}{{contract.Invariant, &s.Invariant}, {contract.Equivariant, &s.Equi}, {contract.Restorable, &s.Restore}} {
		if c.Terms.Has(k.kind) && k.set.Empty() {
			return s, fmt.Errorf("%w: %s: no value of the declared range %s is %s", ErrConfig, c.Name, declared, k.kind)
		}
	}
	return s, nil
}

// Draw fills p from the set of one contract; it tries again where a draw does not fit.
func (s *Step[S]) Draw(r *rand.Rand, set *Set, p *Params) {
	for range Tries {
		if s.Transform.DrawAt(r, set.Draw(r), p) {
			break
		}
	}
	p.Applied = true
}

// Pipeline draws and applies the declared transformations in their order. It holds
// the memory of one worker: not safe for concurrent use.
type Pipeline[S any] struct {
	Steps []Step[S]
	copy  func(dst, src *S)
	keep  func(target, other string) bool
	buf   [2]S
}

// NewPipeline returns a pipeline over samples that copyTo copies. keep says which
// transformations may be drawn before the target of an Equivariant stream, without
// blurring what is to be predicted; nil keeps all.
func NewPipeline[S any](steps []Step[S], copyTo func(dst, src *S), keep func(target, other string) bool) *Pipeline[S] {
	return &Pipeline[S]{Steps: steps, copy: copyTo, keep: keep}
}

// DrawInvariant draws every transformation with its probability, from its Invariant
// range only. ps has one element a step.
func (l *Pipeline[S]) DrawInvariant(r *rand.Rand, ps []Params) {
	for k := range l.Steps {
		l.drawOne(r, k, &ps[k])
	}
}

func (l *Pipeline[S]) drawOne(r *rand.Rand, k int, p *Params) {
	s := &l.Steps[k]
	p.Applied = false
	if s.Invariant.Empty() || s.Config.P <= 0 || s.Config.P < 1 && r.Float64() >= s.Config.P {
		return
	}
	s.Draw(r, &s.Invariant, p)
}

// DrawEquivariant draws for the Equivariant stream of step target: first the other
// transformations from their Invariant ranges, less those that keep excludes, then the target
// (always applied) from its Equivariant range. Apply puts the target last.
func (l *Pipeline[S]) DrawEquivariant(r *rand.Rand, target int, ps []Params) {
	for k := range l.Steps {
		ps[k].Applied = false
		if k != target && (l.keep == nil || l.keep(l.Steps[target].Config.Name, l.Steps[k].Config.Name)) {
			l.drawOne(r, k, &ps[k])
		}
	}
	s := &l.Steps[target]
	s.Draw(r, &s.Equi, &ps[target])
}

// DrawRestorable draws the damage of step target and nothing else.
func (l *Pipeline[S]) DrawRestorable(r *rand.Rand, target int, p *Params) {
	s := &l.Steps[target]
	s.Draw(r, &s.Restore, p)
}

// Apply writes the view of src under ps to dst: the applied steps in their order, with
// step last (or none: -1) moved to the end. dst and src must not share memory.
func (l *Pipeline[S]) Apply(dst, src *S, ps []Params, last int) {
	left := 0
	for k := range l.Steps {
		if ps[k].Applied {
			left++
		}
	}
	if left == 0 {
		l.copy(dst, src)
		return
	}
	cur, next := src, 0
	apply := func(k int) {
		out := dst
		if left--; left > 0 {
			out, next = &l.buf[next], 1-next
		}
		l.Steps[k].Transform.Apply(out, cur, &ps[k])
		cur = out
	}
	for k := range l.Steps {
		if ps[k].Applied && k != last {
			apply(k)
		}
	}
	if last >= 0 && ps[last].Applied {
		apply(last)
	}
}
