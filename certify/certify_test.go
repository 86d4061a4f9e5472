package certify_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/selfsame-ml/selfsame/certify"
	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/domain/domaintest"
	"github.com/selfsame-ml/selfsame/engine/enginetest"
	"github.com/selfsame-ml/selfsame/metric"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/view"
)

type vec = domaintest.Vec

func tiny() *recipe.Recipe {
	r := recipe.Default()
	r.Domain, r.Seed = "fake", 5
	r.Certify.Samples, r.Certify.Labels, r.Certify.MaxChange = 150, 60, 0.2
	return r
}

func run(t *testing.T, r *recipe.Recipe, s domain.Samples) *certify.Certificate {
	t.Helper()
	c, err := certify.Run(context.Background(), certify.Config{Recipe: r, Engine: enginetest.Engines(t)[0], Samples: s})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := json.Marshal(c); err != nil { // NaN or infinity somewhere
		t.Error(err)
	}
	return c
}

// replays reports whether the counter-example gives the view that the domain drew.
func replays(t *testing.T, f *domaintest.Fake, x *certify.CounterExample) {
	t.Helper()
	v, err := f.Views()
	if err != nil {
		t.Fatal(err)
	}
	tr := v.Transforms()[0]
	p := x.Replay()
	if x.Epoch != 0 {
		if q := tr.Draw(x.Seed, x.Epoch, x.Sample); p != q {
			t.Errorf("replay draws %v, the domain %v", p, q)
		}
	}
	var got [2]domain.Array
	for k, q := range []view.Params{p, x.Replay()} {
		got[k] = domain.NewArray(f.Input(), 1)
		if err := tr.Fill(&got[k], 0, x.Part, x.Sample, q); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(got[0].F32, got[1].F32) {
		t.Error("one counter-example gives two views")
	}
	if len(x.Params) == 0 || x.Params[0].Value != p.V[0] {
		t.Errorf("named parameters %v of %v", x.Params, p)
	}
}

// guarded protects the first value.
type guarded struct{ *domaintest.Fake }

func (guarded) Guards() bool { return true }
func (guarded) Touched(a, b *domain.Array, row int) string {
	if a.F32[row*domaintest.Width] != b.F32[row*domaintest.Width] {
		return "the first value"
	}
	return ""
}

// TestExact plants one violation after another, with contracts that hold beside them. There are no labels.
func TestExact(t *testing.T) {
	calls := 0
	add := func(dst, src *vec, by float64) {
		for k := range dst {
			dst[k] = src[k] + float32(by)
		}
	}
	for _, c := range []struct {
		name, check string
		change      *domaintest.Change
		guard       bool
	}{
		{"harmless", "", domaintest.Noise(0.2), false},
		{"changes its identity", "identity", domaintest.NewChange("x", contract.Invariant, 0.1, 1, func(dst, src *vec, p *view.Params) { add(dst, src, p.V[0]+0.01) }), false},
		{"not deterministic", "determinism", domaintest.NewChange("x", contract.Invariant, 0.1, 1, func(dst, src *vec, p *view.Params) {
			calls++
			add(dst, src, p.V[0]*float64(calls))
		}), false},
		{"not finite", "bounds", domaintest.NewChange("x", contract.Invariant, 0.1, 1, func(dst, src *vec, p *view.Params) {
			add(dst, src, 0)
			if p.V[0] > 0.5 {
				dst[3] = float32(math.Inf(1))
			}
		}), false},
		{"touches what is protected", "protected parts", domaintest.NewChange("x", contract.Invariant, 0.1, 1, func(dst, src *vec, p *view.Params) { add(dst, src, p.V[0]) }), true},
		{"leaves what is protected", "", domaintest.NewChange("x", contract.Invariant, 0.1, 1, func(dst, src *vec, p *view.Params) {
			add(dst, src, p.V[0])
			dst[0] = src[0]
		}), true},
		{"equivariant", "", domaintest.Roll(), false},
		{"restorable", "", domaintest.Hide(4), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := domaintest.NewFake(tiny(), 0, [3]int{50, 10, 0}, c.change)
			var s domain.Samples = f
			if c.guard {
				s = guarded{f}
			}
			cert := run(t, f.Recipe, s)
			if want := "labels"; c.check == "" && c.change.C.Terms.Has(contract.Invariant) && !strings.Contains(cert.Probe.Skipped, want) {
				t.Errorf("without labels the probe says %q", cert.Probe.Skipped)
			}
			x := cert.Findings[0]
			if c.check == "" {
				if x.Outcome != certify.Kept || cert.Err() != nil || x.Counter != nil {
					t.Errorf("%+v", x)
				}
				return
			}
			if err := cert.Err(); !errors.Is(err, certify.ErrViolated) || !strings.Contains(err.Error(), c.check) {
				t.Fatalf("%v: %+v", err, x)
			}
			failed := 0
			for _, ch := range x.Checks {
				if !ch.Passed && !ch.Warn {
					failed++
					if ch.Name != c.check {
						t.Errorf("check %s failed too: %s", ch.Name, ch.Text)
					}
				}
			}
			if failed != 1 {
				t.Errorf("%d checks failed, want 1: %+v", failed, x.Checks)
			}
			if x.Counter == nil {
				t.Fatal("no counter-example")
			}
			if c.check != "determinism" {
				replays(t, f, x.Counter)
			}
		})
	}
}

// A transformation without an identity is not asked for it, and its certificate can be written.
func TestNoIdentity(t *testing.T) {
	c := domaintest.NewChange("x", contract.Invariant, 0.1, 1, func(dst, src *vec, p *view.Params) {
		*dst = *src
		dst[0] = float32(math.NaN())
	})
	c.S.Identity = math.NaN()
	cert := run(t, tiny(), domaintest.NewFake(tiny(), 0, [3]int{50, 0, 0}, c))
	if x := cert.Findings[0]; x.Outcome != certify.Violated || !strings.Contains(x.Why, "bounds") {
		t.Errorf("%+v", x)
	}
}

// A narrow range is tested too, although hardly a draw of the declared range falls into it.
func TestNarrowTerm(t *testing.T) {
	c := domaintest.NewChange("x", contract.Invariant, 0, 1, func(dst, src *vec, p *view.Params) {
		*dst = *src
		if p.V[0] > 0.5 && p.V[0] < 0.5001 {
			dst[0] = float32(math.Inf(1))
		}
	})
	narrow := contract.Range{From: 0.50001, To: 0.50005}
	c.C.Terms = append(c.C.Terms, contract.Term{Kind: contract.Invariant, Range: narrow})
	cert := run(t, tiny(), domaintest.NewFake(tiny(), 0, [3]int{50, 0, 0}, c))
	for _, x := range cert.Findings {
		if (x.Outcome == certify.Violated) != (x.Term.Range == narrow) {
			t.Errorf("%s: %s %s", x.Term.Range, x.Outcome, x.Why)
		}
		if x.Counter != nil && !narrow.Contains(x.Counter.Replay().V[0]) {
			t.Errorf("the counter-example of %s lies at %g", narrow, x.Counter.Replay().V[0])
		}
	}
}

// other goes towards the centre of the next class: from half way on the label is another.
func other(f *domaintest.Fake) *domaintest.Change {
	centre := func(c int) (m vec) {
		n := 0
		for i, l := range f.Y[domain.Train] {
			if int(l) == c {
				n++
				for k, v := range f.X[domain.Train][i] {
					m[k] += v
				}
			}
		}
		for k := range m {
			m[k] /= float32(n)
		}
		return m
	}
	all := []vec{centre(0), centre(1), centre(2)}
	return domaintest.NewChange("other", contract.Invariant, 0, 1, func(dst, src *vec, p *view.Params) {
		best, at := math.Inf(1), 0
		for c := range all {
			d := 0.0
			for k := range src {
				d += math.Pow(float64(src[k]-all[c][k]), 2)
			}
			if d < best {
				best, at = d, c
			}
		}
		to := all[(at+1)%3]
		for k := range dst {
			dst[k] = src[k] + float32(p.V[0])*(to[k]-all[at][k])
		}
	})
}

// TestLabels: the probe finds the transformation that changes the class, bounds the rate above the limit and
// names a range that is safe; noise beside it keeps its contract.
func TestLabels(t *testing.T) {
	r := tiny()
	f := domaintest.NewFake(r, 3, [3]int{90, 150, 0})
	f.Transforms = []*domaintest.Change{other(f), domaintest.Noise(0.1)}
	testRead := false
	f.OnLabels = func(p domain.Part) { testRead = testRead || p == domain.Test }
	cert := run(t, r, f)
	if testRead {
		t.Error("labels of the test part were read")
	}
	if cert.Probe.Skipped != "" || cert.Probe.Accuracy < 0.95 || cert.Probe.Labels != 60 || cert.Probe.HeldOut != 150 {
		t.Fatalf("probe %+v", cert.Probe)
	}
	bad, good := cert.Findings[0], cert.Findings[1]
	if bad.Outcome != certify.Violated || !(bad.Probe.Lower > r.Certify.MaxChange) {
		t.Fatalf("%s %s %+v", bad.Outcome, bad.Why, bad.Probe)
	}
	if n := len(bad.Probe.Safe); n != 1 || bad.Probe.Safe[0].From != 0 || bad.Probe.Safe[0].To < 0.1 || bad.Probe.Safe[0].To > 0.55 {
		t.Errorf("safe is %v", bad.Probe.Safe)
	}
	if !strings.Contains(cert.Err().Error(), "safe would be amount: 0..") {
		t.Errorf("the error names no safe range: %v", cert.Err())
	}
	if good.Outcome != certify.Kept || good.Probe.Upper > r.Certify.MaxChange {
		t.Errorf("noise: %s %s", good.Outcome, good.Why)
	}
	for _, x := range []certify.Finding{bad, good} {
		p := x.Probe
		lo, _ := metric.ClopperPearsonLower(p.Changed, p.Trials, r.Certify.Confidence)
		hi, _ := metric.ClopperPearsonUpper(p.Changed, p.Trials, r.Certify.Confidence)
		if p.Lower != lo || p.Upper != hi || p.Rate != float64(p.Changed)/float64(p.Trials) || p.Limit != r.Certify.MaxChange {
			t.Errorf("%s: %+v, want bounds %g..%g", x.Transform, p, lo, hi)
		}
		for _, b := range p.Bins { // all parts at once (Bonferroni)
			lo, _ := metric.ClopperPearsonLower(b.Changed, b.Trials, 1-(1-r.Certify.Confidence)/float64(len(p.Bins)))
			if b.Lower != lo || b.Trials == 0 {
				t.Errorf("%s: bin %+v, want lower bound %g", x.Transform, b, lo)
			}
		}
	}
	replays(t, f, bad.Counter)
	if x := bad.Counter; x.Part != domain.Val || x.Label == x.Answer || x.Before <= x.After {
		t.Errorf("counter-example %+v", x)
	}
	again := run(t, r, f)
	a, _ := json.Marshal(cert)
	b, _ := json.Marshal(again)
	if string(a) != string(b) {
		t.Error("one seed gives two certificates")
	}
}

// What the probe cannot do without is said.
func TestSkipped(t *testing.T) {
	for _, c := range []struct {
		classes int
		n       [3]int
		set     func(f *domaintest.Fake)
		want    string
	}{
		{0, [3]int{50, 50, 0}, nil, "fewer than two classes"},
		{1, [3]int{50, 50, 0}, nil, "fewer than two classes"},
		{2, [3]int{50, 10, 0}, nil, "10 labelled validation"},
		{2, [3]int{50, 50, 0}, func(f *domaintest.Fake) { f.Recipe.Certify.Probe = "off" }, "certify.probe is off"},
		{2, [3]int{50, 50, 0}, func(f *domaintest.Fake) {
			for i := range f.Y[0][:45] {
				f.Y[0][i] = -1
			}
		}, "5 labelled training"},
		{2, [3]int{50, 50, 0}, func(f *domaintest.Fake) { f.Transforms = []*domaintest.Change{domaintest.Roll()} }, "no transformation is declared Invariant"},
	} {
		f := domaintest.NewFake(tiny(), c.classes, c.n, domaintest.Noise(0.1))
		if c.set != nil {
			c.set(f)
		}
		if cert := run(t, f.Recipe, f); !strings.Contains(cert.Probe.Skipped, c.want) || cert.Err() != nil {
			t.Errorf("skipped %q, want %q", cert.Probe.Skipped, c.want)
		} else if x := cert.Findings[0]; x.Term.Kind == contract.Invariant && !strings.Contains(x.Why, "was not tested: "+cert.Probe.Skipped) {
			t.Errorf("the finding hides that no probe was there: %q", x.Why)
		}
	}
}

// A Protected range is drawn nowhere; a sampler that draws there is caught.
func TestProtected(t *testing.T) {
	c := domaintest.NewChange("x", contract.Invariant, 0, 1, func(dst, src *vec, p *view.Params) { *dst = *src; dst[0] += float32(p.V[0]) })
	c.C.Terms = contract.Terms{{Kind: contract.Invariant, Range: contract.Range{From: 0, To: 0.5}}, {Kind: contract.Protected, Range: contract.Range{From: 0.5, To: 1}}}
	f := domaintest.NewFake(tiny(), 0, [3]int{50, 0, 0}, c)
	if cert := run(t, f.Recipe, f); cert.Err() != nil || cert.Findings[1].Outcome != certify.Kept {
		t.Errorf("%+v", cert.Findings)
	}
	if cert := run(t, f.Recipe, careless{f}); cert.Err() == nil || cert.Findings[1].Outcome != certify.Violated {
		t.Errorf("a sampler that draws what is protected passes: %+v", cert.Findings[1])
	}
}

// careless records draws from the whole declared range.
type careless struct{ *domaintest.Fake }

func (c careless) Views() (domain.Sampler, error) {
	s, err := c.Fake.Views()
	return carelessSampler{s}, err
}

type carelessSampler struct{ domain.Sampler }

func (s carelessSampler) Drawn(seed, epoch uint64, i int) []domain.Draw {
	t := s.Transforms()[0]
	return []domain.Draw{{Stream: "views", Transform: t.Spec().Name, Params: t.Draw(seed, epoch, i)}}
}
