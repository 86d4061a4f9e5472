package adapt_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/selfsame-ml/selfsame/adapt"
	"github.com/selfsame-ml/selfsame/baseline"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/domain/domaintest"
	"github.com/selfsame-ml/selfsame/engine/enginetest"
	"github.com/selfsame-ml/selfsame/internal/rng"
	"github.com/selfsame-ml/selfsame/metric"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/store"
	"github.com/selfsame-ml/selfsame/train"
)

const width = domaintest.Width

func tiny() *recipe.Recipe {
	r := recipe.Default()
	r.Domain, r.Seed = "fake", 2
	ad := &r.Adapt
	ad.Budgets, ad.Draws, ad.Epochs, ad.MaxSteps, ad.Batch, ad.LR, ad.Bootstrap = []int{6, 30, 0}, 3, 10, 12, 16, 0.02, 200
	return r
}

// noisy has three classes, told by the first three values; the others are large noise.
func noisy(r *recipe.Recipe) *domaintest.Fake {
	f := domaintest.NewFake(r, 3, [3]int{60, 30, 60})
	f.Enc = domaintest.Same{}
	for p := range f.X {
		for i := range f.X[p] {
			g := rng.New(r.Seed, rng.Split, 7, uint64(p), uint64(i))
			for k := range width {
				f.X[p][i][k] = float32(0.2 * g.NormFloat64())
				if k >= 3 {
					f.X[p][i][k] = float32(4 * g.NormFloat64())
				}
			}
			f.X[p][i][f.Y[p][i]]++
		}
	}
	return f
}

// scaled are weights that keep the class by signal and the noise by noise.
func scaled(signal, noise float32) map[string]train.Value {
	s := make([]float32, width)
	for k := range s {
		s[k] = signal
		if k >= 3 {
			s[k] = noise
		}
	}
	return map[string]train.Value{
		"encoder/scale":    {Dims: []int{width}, Data: s},
		"encoder/shift":    {Dims: []int{width}, Data: make([]float32, width)},
		"projector/weight": {Dims: []int{1}, Data: []float32{1}}, // of pretraining: not the encoder's
	}
}

func run(t *testing.T, f *domaintest.Fake, w map[string]train.Value, progress func(string, int, int)) *adapt.Result {
	t.Helper()
	res, err := adapt.Run(context.Background(), adapt.Config{Recipe: f.Recipe, Engine: enginetest.Engines(t)[0], Samples: f, Weights: w, Progress: progress})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := json.Marshal(res); err != nil {
		t.Error(err)
	}
	return res
}

func scores(res *adapt.Result, method, name string, budget int) (out []float64) {
	for _, s := range res.Scores {
		if s.Method == method && s.Metric == name && s.Budget == budget {
			out = append(out, s.Value)
		}
	}
	return out
}

func mean(x []float64) float64 {
	var s float64
	for _, v := range x {
		s += v
	}
	return s / float64(len(x))
}

// TestRun: good weights pay and bad ones hurt; every score, verdict and multiplier stands at its budget and draw.
func TestRun(t *testing.T) {
	for _, c := range []struct {
		name    string
		weights map[string]train.Value
		want    metric.Outcome
	}{{"good", scaled(3, 0), metric.Pays}, {"bad", scaled(0, 3), metric.Hurts}} {
		t.Run(c.name, func(t *testing.T) {
			r := tiny()
			r.Adapt.Draws, r.Adapt.Epochs, r.Adapt.MaxSteps = 5, 40, 50 // three draws of 60 test rows show nothing
			f := noisy(r)
			res := run(t, f, c.weights, nil)
			if res.Overall != c.want {
				t.Errorf("overall %q, want %q: %+v", res.Overall, c.want, res.Verdicts)
			}
			budgets := []int{6, 30, 90}                      // all: training and validation labels
			if len(res.Verdicts) != 3 || len(res.LEM) != 2 { // all labels: 50 steps end before 40 epochs do
				t.Fatalf("%d verdicts, %d multipliers", len(res.Verdicts), len(res.LEM))
			}
			if len(res.Notes) != 1 || !strings.Contains(res.Notes[0], "At 90 labels fine-tuning stopped at adapt.max_steps = 50") {
				t.Errorf("notes %v", res.Notes)
			}
			for i, b := range budgets {
				ssl, scratch := scores(res, adapt.SSL, adapt.FineTune, b), scores(res, adapt.Scratch, adapt.FineTune, b)
				if len(ssl) != 5 || len(scratch) != 5 {
					t.Fatalf("%d labels: %d and %d fine-tunes, want 5", b, len(ssl), len(scratch))
				}
				v := res.Verdicts[i]
				if d := mean(ssl) - mean(scratch); v.Budget != b || v.Judgement.Draws != 5 || math.Abs(v.Judgement.Mean-d) > 1e-9 {
					t.Errorf("verdict at %d: %+v, want a mean difference of %g", b, v, d)
				}
				if v.Judgement.Adjusted == nil {
					t.Errorf("verdict at %d is not adjusted for %d budgets", b, len(budgets))
				}
				if i < len(res.LEM) { // the last budget is left out of the multiplier
					if m := res.LEM[i]; m.Labels != b || math.Abs(m.Score-mean(ssl)) > 1e-9 || m.Interval == nil {
						t.Errorf("multiplier at %d: %+v", b, m)
					}
				}
				draws := 5
				if b == 90 {
					draws = 1 // nothing is drawn
				}
				for _, m := range []string{adapt.Raw, adapt.Untrained, adapt.SSL} {
					if n := len(scores(res, m, adapt.Linear, b)); n != draws {
						t.Errorf("%s: %d linear probes at %d labels, want %d", m, n, b, draws)
					}
				}
			}
			raw, untrained, ssl := scores(res, adapt.Raw, adapt.KNN, 60), scores(res, adapt.Untrained, adapt.KNN, 60), scores(res, adapt.SSL, adapt.KNN, 60)
			if len(raw) != 1 || len(ssl) != 1 || raw[0] != untrained[0] { // this encoder starts as the identity
				t.Fatalf("kNN with the 60 training labels: %v, %v, %v", raw, untrained, ssl)
			}
			if good := ssl[0] > raw[0]+0.2; good != (c.want == metric.Pays) {
				t.Errorf("kNN of SSL %g, of raw values %g", ssl[0], raw[0])
			}
			if res.Head == nil || res.Head.Labels != 90 || len(res.Map.X) != 60 {
				t.Errorf("head %+v", res.Head)
			}
			if c.want == metric.Pays && res.LEM[0].LEM <= 1 {
				t.Errorf("multiplier %+v", res.LEM[0])
			}
		})
	}
}

// TestBudgetCounts: a fine-tune at n labels reads n labelled rows, those that choose included, and only then the test part.
func TestBudgetCounts(t *testing.T) {
	r := tiny()
	r.Adapt.Draws = 2
	f := noisy(r)
	for i := range 20 { // a third of the training part is unlabelled
		f.Y[domain.Train][3*i] = -1
	}
	for i := range 6 {
		f.Y[domain.Test][i] = -1
	}
	seen := map[string]bool{}
	labels, measured, tested := 0, 0, 0
	f.OnFill = func(p domain.Part, i int) {
		if labels == 0 {
			return
		}
		if p == domain.Test {
			tested++
			return
		}
		if tested > 0 {
			t.Error("rows are read after the test part")
		}
		if f.Y[p][i] < 0 {
			t.Errorf("unlabelled row %d of part %d is read", i, p)
		}
		seen[fmt.Sprint(p, i)] = true
	}
	check := func() {
		if labels > 0 && len(seen) != labels {
			t.Errorf("%d rows were read for a budget of %d", len(seen), labels)
		}
		if labels > 0 && tested != 54 { // the labelled ones, each once
			t.Errorf("%d reads of the test part", tested)
		}
	}
	res := run(t, f, scaled(3, 0), func(text string, _, _ int) {
		check()
		labels, tested = 0, 0
		clear(seen)
		var method string
		if _, err := fmt.Sscanf(text, "fine-tune from %s %d labels", &method, &labels); err == nil {
			measured++
		}
	})
	check()
	if measured != 3*2*2 {
		t.Errorf("%d fine-tunes, want 12", measured)
	}
	for _, b := range []int{6, 30, 70} { // 40 + 30 labels
		if len(scores(res, adapt.SSL, adapt.FineTune, b)) != 2 {
			t.Errorf("no scores at %d labels: %v", b, res.Scores)
		}
	}
}

// TestTestLabels: no prediction depends on a test label. If the test part is said to be all of class c, an
// accuracy is the share of predictions of c; over the classes these shares sum to 1.
func TestTestLabels(t *testing.T) {
	var all []*adapt.Result
	for c := range int32(3) {
		f := noisy(tiny())
		for i := range f.Y[domain.Test] {
			f.Y[domain.Test][i] = c
		}
		all = append(all, run(t, f, scaled(1, 0.5), nil))
	}
	for i, s := range all[0].Scores {
		sum := 0.0
		for _, r := range all {
			o := r.Scores[i]
			o.Value, s.Value = 0, 0
			if o != s {
				t.Fatalf("row %d is %+v and %+v", i, o, s)
			}
			sum += r.Scores[i].Value
		}
		if math.Abs(sum-1) > 1e-9 {
			t.Errorf("%+v: the shares of the predictions sum to %g: they depend on test labels", s, sum)
		}
	}
	if !slices.Equal(all[0].Head.Linear.W, all[1].Head.Linear.W) {
		t.Error("the head depends on test labels")
	}
}

// TestChance: labels that carry nothing are predicted no better than by chance, and draws differ.
func TestChance(t *testing.T) {
	f := noisy(tiny())
	for p := range f.Y {
		f.Y[p] = baseline.Shuffled(f.Y[p], 5)
	}
	res := run(t, f, scaled(3, 0), nil)
	for _, s := range res.Scores {
		if s.Value > 1./3+4*math.Sqrt(2./9/60) {
			t.Errorf("%+v: better than chance on shuffled labels", s)
		}
	}
	if res.Overall != metric.NoDifference {
		t.Errorf("overall %q on shuffled labels", res.Overall)
	}
	distinct := map[float64]bool{}
	for _, v := range append(scores(res, adapt.SSL, adapt.Linear, 30), scores(res, adapt.Raw, adapt.Linear, 30)...) {
		distinct[v] = true
	}
	if len(distinct) < 2 {
		t.Error("all draws give one score")
	}
}

// Budgets that are larger than the data are measured once, at what there is.
func TestBudgetsBeyondData(t *testing.T) {
	r := tiny()
	r.Adapt.Budgets, r.Adapt.Draws, r.Adapt.Epochs, r.Adapt.MaxSteps = []int{3, 6, 70, 80, 1000, 5000, 0}, 2, 1, 0
	res := run(t, noisy(r), scaled(3, 0), nil)
	var got []int
	for _, v := range res.Verdicts {
		got = append(got, v.Budget)
	}
	if !slices.Equal(got, []int{3, 6, 60, 90}) { // 70 and 80 exceed the 60 training labels
		t.Errorf("budgets %v", got)
	}
	if len(res.Notes) != 3 || !strings.Contains(res.Notes[0], "70 labels is measured as 60") || !strings.Contains(res.Notes[2], "at 3 labels every label trains") {
		t.Errorf("notes %v", res.Notes)
	}
}

// One seed gives one table.
func TestRepeatable(t *testing.T) {
	r := tiny()
	r.Adapt.Draws, r.Adapt.MaxSteps = 2, 4
	a, b := run(t, noisy(r), scaled(1, 1), nil), run(t, noisy(r), scaled(1, 1), nil)
	if !slices.Equal(a.Scores, b.Scores) {
		t.Error("two runs of one seed give two tables")
	}
	s := *r
	s.Seed++
	f := noisy(r) // the same data, other draws
	f.Recipe = &s
	if c := run(t, f, scaled(1, 1), nil); slices.EqualFunc(a.Scores, c.Scores, func(x, y store.Score) bool { return x == y }) {
		t.Error("another seed gives the same table")
	}
}

// Weights that change while they are measured end the stage.
func TestNotFrozen(t *testing.T) {
	f := noisy(tiny())
	w := scaled(1, 1)
	n := 0
	f.OnFill = func(domain.Part, int) {
		if n++; n == 400 {
			w["encoder/shift"].Data[0] = 1
		}
	}
	f.Recipe.Adapt.FineTune = false
	if _, err := adapt.Run(context.Background(), adapt.Config{Recipe: f.Recipe, Engine: enginetest.Engines(t)[0], Samples: f, Weights: w}); !errors.Is(err, adapt.ErrNotFrozen) {
		t.Errorf("after %d reads: %v", n, err)
	}
}

func TestSkipped(t *testing.T) {
	for _, c := range []struct {
		set  func(f *domaintest.Fake)
		want string
	}{
		{func(f *domaintest.Fake) { f.ClassNames, f.Y = nil, [3][]int32{} }, "no labels of two or more classes"},
		{func(f *domaintest.Fake) { f.ClassNames = f.ClassNames[:1] }, "no labels of two or more classes"},
		{func(f *domaintest.Fake) { f.Y[domain.Test] = nil }, "0 labelled samples, want at least 10"},
		{func(f *domaintest.Fake) {
			for i := range f.Y[domain.Train][5:] {
				f.Y[domain.Train][5+i] = -1
			}
		}, "5 labelled samples for 3 classes"},
		{func(f *domaintest.Fake) { clear(f.Y[domain.Train]) }, "are of one class"},
	} {
		f := noisy(tiny())
		c.set(f)
		if res := run(t, f, scaled(1, 1), nil); !strings.Contains(res.Skipped, c.want) || res.Scores != nil {
			t.Errorf("skipped %q, want %q", res.Skipped, c.want)
		}
	}
}
