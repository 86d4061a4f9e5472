package audit

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/domain/domaintest"
	"github.com/selfsame-ml/selfsame/engine/enginetest"
	"github.com/selfsame-ml/selfsame/internal/rng"
	"github.com/selfsame-ml/selfsame/nn"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/train"
	"github.com/selfsame-ml/selfsame/view"
)

const width = domaintest.Width

type vec = domaintest.Vec

func value(dims []int, data ...float32) train.Value { return train.Value{Dims: dims, Data: data} }

// repeat is n times x.
func repeat(n int, x float32) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = x
	}
	return out
}

// weights are those of domaintest.Same at its start: features are the values.
func weights() map[string]train.Value {
	return map[string]train.Value{
		"encoder/scale": value([]int{width}, repeat(width, 1)...),
		"encoder/shift": value([]int{width}, repeat(width, 0)...),
	}
}

func fake(classes int, changes ...*domaintest.Change) *domaintest.Fake {
	r := recipe.Default()
	r.Domain, r.Seed, r.Audit.Samples = "fake", 11, 200
	f := domaintest.NewFake(r, classes, [3]int{120, 200, 0}, changes...)
	f.Enc = domaintest.Same{}
	return f
}

func run(t *testing.T, s domain.Samples, r *recipe.Recipe, w map[string]train.Value) *Result {
	t.Helper()
	res, err := Run(context.Background(), Config{Recipe: r, Engine: enginetest.Engines(t)[0], Samples: s, Weights: w})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := json.Marshal(res); err != nil {
		t.Error(err)
	}
	return res
}

// first is the row that belongs to a contract, not to decoding.
func first(t *testing.T, res *Result) Row {
	t.Helper()
	if len(res.Rows) == 0 {
		t.Fatal("no row")
	}
	return res.Rows[0]
}

// last adds its parameter to the last value only.
func last(to float64) *domaintest.Change {
	return domaintest.NewChange("last", contract.Invariant, 0, to, func(dst, src *vec, p *view.Params) {
		*dst = *src
		dst[width-1] += float32(p.V[0])
	})
}

func TestInvariant(t *testing.T) {
	for _, c := range []struct {
		name         string
		scale, shift float32 // of the last value; of all
		others       float32
		want, why    string
	}{
		{"exactly invariant", 0, 0, 1, Kept, "0.00 of the distance"},
		{"not invariant", 1, 0, 1, NotKept, "the limit is 0.50"},
		{"collapsed", 0, 1, 0, NotKept, "collapsed"},
		{"collapsed to zero", 0, 0, 0, NotKept, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := fake(4, last(50))
			w := weights()
			w["encoder/scale"] = value([]int{width}, append(repeat(width-1, c.others), c.scale)...)
			w["encoder/shift"] = value([]int{width}, repeat(width, c.shift)...)
			res := run(t, f, f.Recipe, w)
			r := first(t, res)
			if r.Outcome != c.want || !strings.Contains(r.Why, c.why) || r.Samples != 200 || r.Better != "lower" {
				t.Errorf("%+v", r)
			}
			if res.Failed() != nil {
				t.Errorf("self-checks failed: %+v", res.Failed())
			}
			if c.name == "exactly invariant" {
				if r.Value > 1e-6 || *r.Untrained < 0.5 {
					t.Errorf("trained %g, untrained %g", r.Value, *r.Untrained)
				}
				if d := res.Rows[1]; d.Outcome != Kept || d.Value > 0.05 || *d.Untrained < 0.9 {
					t.Errorf("the nuisance is gone from the features: %+v", d)
				}
			}
			if c.name == "not invariant" {
				if d := res.Rows[1]; d.Outcome != NotShown || d.Value < 0.9 {
					t.Errorf("the nuisance can be read: %+v", d)
				}
			}
		})
	}
}

// mark writes ten times its class into the first value.
func mark() *domaintest.Change {
	c := domaintest.NewChange("mark", contract.Equivariant, 0, 3, func(dst, src *vec, p *view.Params) {
		*dst = *src
		dst[0] = float32(10 * p.V[0])
	})
	c.S.Classes, c.S.Params[0].Integer = 4, true
	c.C.Params = map[string]contract.Range{"amount": {From: 1, To: 1}} // what views would draw; targets come from the term
	return c
}

func TestEquivariantClass(t *testing.T) {
	good, chance := weights(), weights()
	w := make([]float32, width*4)
	b := make([]float32, 4)
	for c := range 4 { // 20 c x - 100 c^2 is greatest where x is 10 c
		w[c], b[c] = float32(20*c), float32(-100*c*c)
	}
	good["head/mark/weight"], good["head/mark/bias"] = value([]int{width, 4}, w...), value([]int{4}, b...)
	chance["head/mark/weight"], chance["head/mark/bias"] = value([]int{width, 4}, repeat(width*4, 0)...), value([]int{4}, 0, 1, 0, 0)
	f := fake(0, mark())
	if r := first(t, run(t, f, f.Recipe, good)); r.Outcome != Kept || r.Value != 1 || *r.Reference > 0.4 {
		t.Errorf("a perfect head: %+v", r)
	}
	if r := first(t, run(t, f, f.Recipe, chance)); r.Outcome != NotKept || r.Value > 0.4 {
		t.Errorf("a head at chance: %+v", r)
	}
	// No head: the objective left the stream out. Then a probe answers.
	if r := first(t, run(t, f, f.Recipe, weights())); r.Outcome != Kept || !strings.Contains(r.Measure, "decodable") {
		t.Errorf("no head: %+v", r)
	}
}

// The declared range is narrower than the term: the head was trained on the narrow one.
func TestEquivariantNumber(t *testing.T) {
	lift := domaintest.Lift(-5, 5)
	lift.C.Terms[0].Range = contract.Range{From: -9, To: 9}
	f := fake(0, lift)
	head := func(v float32) map[string]train.Value {
		w := weights()
		w["head/lift/weight"], w["head/lift/bias"] = value([]int{width, 1}, repeat(width, v/width/5)...), value([]int{1}, -v*mean64(f)/5)
		return w
	}
	r := first(t, run(t, f, f.Recipe, head(1)))
	if r.Outcome != Kept || r.Value < 0.95 {
		t.Errorf("a good head: %+v", r)
	}
	if r := first(t, run(t, f, f.Recipe, head(0))); r.Outcome != NotKept || r.Value > 0.05 {
		t.Errorf("a head that answers the middle: %+v", r)
	}
}

// mean64 is the mean value of the held-out samples.
func mean64(f *domaintest.Fake) float32 {
	var s float32
	for _, v := range f.X[domain.Val] {
		for _, x := range v {
			s += x
		}
	}
	return s / float32(len(f.X[domain.Val])*width)
}

func TestRestorable(t *testing.T) {
	f := fake(1, domaintest.Hide(4))
	guess := func(by float32) map[string]train.Value {
		w := weights()
		g := f.X[domain.Train][0]
		for k := range g {
			g[k] = g[k]*by + 3*(1-by)
		}
		w["restorer/hide/guess"] = value([]int{width}, g[:]...)
		return w
	}
	if r := first(t, run(t, f, f.Recipe, guess(1))); r.Outcome != Kept || !(r.Value < *r.Reference) {
		t.Errorf("a good restorer: %+v", r)
	}
	if r := first(t, run(t, f, f.Recipe, guess(-3))); r.Outcome != NotKept || !(r.Value > *r.Reference) {
		t.Errorf("worse than trivial: %+v", r)
	}
	if res := run(t, f, f.Recipe, weights()); len(res.Rows) != 0 {
		t.Errorf("no restorer was trained: %+v", res.Rows)
	}
}

// Protected: the amount must still be told from the features.
func TestProtected(t *testing.T) {
	c := last(5)
	c.C.Terms[0].Kind = contract.Protected
	f := fake(0, c)
	blind := weights()
	blind["encoder/scale"] = value([]int{width}, append(repeat(width-1, 1), 0)...)
	if r := first(t, run(t, f, f.Recipe, weights())); r.Outcome != Kept || r.Better != "higher" {
		t.Errorf("%+v", r)
	}
	if r := first(t, run(t, f, f.Recipe, blind)); r.Outcome != NotKept {
		t.Errorf("%+v", r)
	}
}

// A range into which hardly a draw falls is measured all the same.
func TestNarrow(t *testing.T) {
	c := last(50)
	narrow := contract.Range{From: 49.999, To: 49.9999}
	c.C.Terms = append(c.C.Terms, contract.Term{Kind: contract.Invariant, Range: narrow})
	f := fake(0, c)
	found := false
	for _, r := range run(t, f, f.Recipe, weights()).Rows {
		found = found || r.Term.Range == narrow && strings.HasPrefix(r.Measure, "view distance") && r.Outcome == NotKept
	}
	if !found {
		t.Error("the narrow range has no row")
	}
}

// neighbourly lets features see the batch, as norm layers in training mode do.
type neighbourly struct{ domaintest.Same }

func (n neighbourly) Encode(s *nn.Scope, x *graph.Node) domain.Features {
	f := n.Same.Encode(s, x).Pooled
	return domain.Features{Pooled: graph.Add(f, graph.BroadcastToDims(graph.ReduceAndKeep(f, graph.ReduceMean, 0), f.Shape().Dimensions...))}
}

// TestSelfChecks: each check of the evaluation fails where it should, and only that one.
func TestSelfChecks(t *testing.T) {
	const weightsCheck, normCheck, leakCheck = "frozen weights unchanged", "norm layers in inference mode", "shuffled labels at chance"
	for _, want := range []string{"", weightsCheck, normCheck, leakCheck} {
		t.Run(want, func(t *testing.T) {
			f := fake(4, last(1))
			f.OnLabels = func(p domain.Part) {
				if p != domain.Train {
					t.Errorf("labels of part %d were read", p)
				}
			}
			w := weights()
			switch want {
			case weightsCheck:
				n := 0
				f.OnFill = func(domain.Part, int) {
					if n++; n == 300 {
						w["encoder/shift"].Data[0] = 0.25
					}
				}
			case normCheck:
				f.Enc = neighbourly{}
			case leakCheck: // samples that carry the shuffled labels
				order := rng.New(f.Recipe.Seed, rng.Probe, 3).Perm(120)
				y := make([]int32, len(order))
				for k, i := range order {
					y[k] = f.Y[domain.Train][i]
				}
				rng.New(f.Recipe.Seed, rng.Probe, 5).Shuffle(len(y), func(i, j int) { y[i], y[j] = y[j], y[i] })
				for k, i := range order {
					f.X[domain.Train][i][y[k]] += 20
				}
			}
			res := run(t, f, f.Recipe, w)
			if len(res.Checks) != 3 {
				t.Fatalf("checks %+v", res.Checks)
			}
			for _, c := range res.Checks {
				if c.Passed == (c.Name == want) {
					t.Errorf("%+v", c)
				}
			}
		})
	}
}

func TestTooFew(t *testing.T) {
	f := fake(2, last(1))
	f.Count = [3]int{120, 39, 39}
	if res := run(t, f, f.Recipe, weights()); !strings.Contains(res.Skipped, "39 held-out samples") || res.Rows != nil {
		t.Errorf("%+v", res)
	}
	f = domaintest.NewFake(f.Recipe, 2, [3]int{120, 10, 60}, last(1))
	f.Enc = domaintest.Same{}
	if res := run(t, f, f.Recipe, weights()); res.Part != domain.Test || len(res.Rows) == 0 {
		t.Errorf("the test part serves where the validation part is small: %+v", res)
	}
}

// TestBeside: a head that was trained on the view beside the undisturbed sample is measured on both.
func TestBeside(t *testing.T) {
	s := fake(0, domaintest.Lift(-1, 1))
	s.Beside = true
	w := weights()
	w["head/lift/weight"] = value([]int{2 * width, 1}, append(repeat(width, 1.0/width), repeat(width, -1.0/width)...)...)
	w["head/lift/bias"] = value([]int{1}, 0)
	res := run(t, s, s.Recipe, w)
	for _, r := range res.Rows {
		if r.Transform == "lift" && strings.Contains(r.Measure, "predicted (R2)") {
			if r.Value < 0.999 || r.Outcome != Kept {
				t.Errorf("mean difference to the sample: R2 %g, %s", r.Value, r.Outcome)
			}
			return
		}
	}
	t.Errorf("no row of the head: %+v", res.Rows)
}
