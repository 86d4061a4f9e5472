package adapt_test

import (
	"context"
	"encoding/json"
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
	"github.com/selfsame-ml/selfsame/train"
)

func small() *recipe.Recipe {
	r := tiny()
	ad := &r.Adapt
	ad.Budgets, ad.Draws, ad.Epochs, ad.MaxSteps, ad.K = []int{20, 60, 0}, 3, 10, 0, 50
	return r
}

// rowsOf has two classes, one of them rare, told by the sign of the sum of the first three values (xor: by the sign of the product of
// the first two); the other values are large noise. numbers adds a number to be predicted instead, a seventh of them missing.
func rowsOf(r *recipe.Recipe, xor, numbers bool) *domaintest.Tabular {
	f := &domaintest.Tabular{Fake: domaintest.NewFake(r, 2, [3]int{240, 80, 200})}
	f.Enc = domaintest.Same{}
	for p := range f.X {
		if numbers {
			f.Numbers[p] = make([]float64, f.Count[p])
		}
		for i := range f.X[p] {
			g := rng.New(r.Seed, rng.Split, 8, uint64(p), uint64(i))
			x := &f.X[p][i]
			for k := range width {
				x[k] = float32(g.NormFloat64())
				if k >= 3 {
					x[k] *= 6
				}
			}
			v := float64(x[0]+x[1]+x[2])/math.Sqrt(3) + 0.3*g.NormFloat64()
			if xor {
				v = 2*float64(x[0]*x[1]) + 0.2*g.NormFloat64()
			}
			f.Y[p][i] = 0
			if v > 0.8 {
				f.Y[p][i] = 1
			}
			if numbers {
				f.Numbers[p][i] = 100 + 10*v
				if i%7 == 3 {
					f.Numbers[p][i] = math.NaN()
				}
			}
		}
	}
	if numbers {
		f.Y, f.ClassNames = [3][]int32{}, nil
	}
	f.Missing = func(p domain.Part, i int) bool { return i%11 == 0 }
	return f
}

func runTable(t *testing.T, f *domaintest.Tabular, w map[string]train.Value, arms map[string]map[string]train.Value) *adapt.Result {
	t.Helper()
	res, err := adapt.Run(context.Background(), adapt.Config{Recipe: f.Recipe, Engine: enginetest.Engines(t)[0], Samples: f, Weights: w, Arms: arms})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := json.Marshal(res); err != nil {
		t.Error(err)
	}
	return res
}

// TestTable: every method, metric, budget and draw of a table stands in the scores, with plausible values, and
// the advice follows from them.
func TestTable(t *testing.T) {
	for _, numbers := range []bool{false, true} {
		t.Run(fmt.Sprintf("numbers=%v", numbers), func(t *testing.T) {
			r := small()
			f := rowsOf(r, false, numbers)
			res := runTable(t, f, scaled(1, 0), map[string]map[string]train.Value{"contrast": scaled(1, 0), "ssl-restore": scaled(0, 1)})
			task, primary, names, all := adapt.Task, adapt.AUC, []string{adapt.AUC, adapt.Accuracy, adapt.LogLoss}, 320
			if numbers {
				task, primary, names = adapt.Regress, adapt.R2, []string{adapt.R2, adapt.RMSE, adapt.MAE}
				all = 0
				for p := range 2 {
					for _, v := range f.Numbers[p] {
						if !math.IsNaN(v) {
							all++
						}
					}
				}
				if res.Unit != "m" || res.Head.Target.Name != "height" || res.Head.Classes != nil || res.Head.Linear.Classes != 1 {
					t.Errorf("unit %q, head %+v", res.Unit, res.Head)
				}
			}
			if res.Task != task || res.Primary != primary || res.Head == nil || res.Head.Labels != all || res.Test == "" || res.Parts != [2]int{320, 200} {
				t.Fatalf("task %s by %s, head %+v, parts %v", res.Task, res.Primary, res.Head, res.Parts)
			}
			tuned := []string{adapt.Scratch, adapt.SSL, "ssl-contrast", "ssl-restore"}
			frozen := []string{adapt.Trees, adapt.LinearModel, adapt.RawKNN, "untrained-probe", "untrained-knn", "ssl-probe", "ssl-knn", "ssl-contrast-probe", "ssl-restore-probe"}
			for _, b := range []int{20, 60, all} {
				for _, name := range names {
					for _, m := range append(slices.Clone(tuned), frozen...) {
						want := 3
						if b == all && slices.Contains(frozen, m) {
							want = 1 // nothing is drawn
						}
						if n := len(scores(res, m, name, b)); n != want {
							t.Errorf("%s: %d values of %s at %d labels, want %d", m, n, name, b, want)
						}
					}
				}
			}
			if n := len(res.Scores); n != 3*(2*13*3+4*3+9) {
				t.Errorf("%d scores", n)
			}
			at := func(m string, b int) float64 { return mean(scores(res, m, primary, b)) }
			t.Logf("trees %.3f, linear %.3f, ssl-probe %.3f, ssl %.3f, scratch %.3f, restore %.3f at 20", at("trees", 20), at("linear", 20), at("ssl-probe", 20), at("ssl", 20), at("scratch", 20), at("ssl-restore-probe", 20))
			if at("ssl-probe", 20) < at("linear", 20) || at("linear", all) < 0.8 || at("trees", all) < 0.7 || at("ssl-restore-probe", all) > 0.6 {
				t.Error("scores do not follow what the encoders keep")
			}
			if len(res.Verdicts) != 3 || len(res.Against) != 3*4 || len(res.Advice) != 3 || len(res.LEM) != 3 {
				t.Fatalf("%d verdicts, %d comparisons, %d pieces of advice, %d multipliers", len(res.Verdicts), len(res.Against), len(res.Advice), len(res.LEM))
			}
			for _, v := range res.Against {
				d := at(v.Method, v.Budget) - at(v.Reference, v.Budget)
				if math.Abs(v.Judgement.Mean-d) > 1e-9 || v.Judgement.Adjusted == nil || v.Judgement.Items == 0 {
					t.Errorf("%s against %s at %d: %+v, want a difference of %g", v.Method, v.Reference, v.Budget, v.Judgement, d)
				}
				for _, m := range []string{adapt.Trees, adapt.LinearModel, adapt.RawKNN} {
					if at(m, v.Budget) > at(v.Reference, v.Budget) {
						t.Errorf("%s is better than the reference %s at %d", m, v.Reference, v.Budget)
					}
				}
			}
			for _, v := range res.Verdicts {
				if d := at(adapt.SSL, v.Budget) - at(adapt.Scratch, v.Budget); math.Abs(v.Judgement.Mean-d) > 1e-9 {
					t.Errorf("verdict at %d: %g, want %g", v.Budget, v.Judgement.Mean, d)
				}
			}
			for _, x := range res.Advice {
				if math.Abs(x.Score-at(x.Use, x.Budget)) > 1e-12 || math.Abs(x.Other-at(x.Against, x.Budget)) > 1e-12 || x.Classical != adapt.Classical(x.Use) || x.Classical == adapt.Classical(x.Against) {
					t.Errorf("advice %+v", x)
				}
			}
		})
	}
}

// Where only trees can learn, they are advised at every budget at which they have learnt; where the encoder has thrown the
// noise away, it is advised at few labels.
func TestAdvice(t *testing.T) {
	r := small()
	r.Adapt.Budgets, r.Adapt.Draws = []int{100, 0}, 3
	res := runTable(t, rowsOf(r, true, false), scaled(1, 0), nil)
	for _, x := range res.Advice {
		t.Logf("%+v", x)
	}
	if last := res.Advice[len(res.Advice)-1]; last.Use != adapt.Trees || !last.Classical || !last.Shown || last.Score < 0.85 || last.Pays {
		t.Errorf("advice %+v", last)
	}
	// Features that are the answer.
	r = small()
	r.Adapt.Budgets, r.Adapt.FineTune, r.Adapt.Draws = []int{16}, false, 5
	f := rowsOf(r, false, false)
	for p := range f.X {
		for i := range f.X[p] {
			f.X[p][i][0] = 2*float32(f.Y[p][i]) - 1 + 0.8*f.X[p][i][0]
		}
	}
	w := scaled(0, 0)
	w["encoder/scale"].Data[0] = 1
	res = runTable(t, f, w, nil)
	if len(res.Advice) != 1 || res.Advice[0].Use != "ssl-probe" || res.Advice[0].Classical || !res.Advice[0].Shown || res.Advice[0].Pays || res.Verdicts != nil {
		t.Errorf("advice %+v", res.Advice)
	}
}

// Labels that carry nothing: no method is better than chance, and no network is advised.
func TestTableChance(t *testing.T) {
	r := small()
	f := rowsOf(r, false, false)
	for p := range f.Y {
		f.Y[p] = baseline.Shuffled(f.Y[p], 5)
	}
	res := runTable(t, f, scaled(1, 0.1), nil)
	for _, s := range res.Scores {
		if s.Metric == adapt.AUC && math.Abs(s.Value-0.5) > 4*math.Sqrt(1./12/40) {
			t.Errorf("%+v on shuffled labels", s)
		}
	}
	if res.Overall != metric.NoDifference {
		t.Errorf("overall %q", res.Overall)
	}
	for _, x := range res.Advice {
		if !x.Classical {
			t.Errorf("%+v on shuffled labels", x)
		}
	}
}

// The targets of the test part choose nothing: hyper-parameters, epochs and the head are the same whatever they are.
func TestTableTestLabels(t *testing.T) {
	r := small()
	r.Adapt.Budgets, r.Adapt.Draws, r.Adapt.Epochs = []int{20, 0}, 2, 4
	for _, numbers := range []bool{false, true} {
		a, b := rowsOf(r, false, numbers), rowsOf(r, false, numbers)
		for i := range b.X[domain.Test] {
			if numbers {
				b.Numbers[domain.Test][i] = 100 - b.Numbers[domain.Test][i]
			} else {
				b.Y[domain.Test][i] = 1 - b.Y[domain.Test][i]
			}
		}
		x, y := runTable(t, a, scaled(1, 1), nil), runTable(t, b, scaled(1, 1), nil)
		if !slices.Equal(x.Chosen, y.Chosen) || !slices.Equal(x.Head.Linear.W, y.Head.Linear.W) || len(x.Chosen) == 0 {
			t.Error("the targets of the test part choose")
		}
		if x.Test == y.Test {
			t.Error("two test parts have one identity")
		}
		for i, s := range x.Scores { // one answer, opposite truth
			if o := y.Scores[i]; s.Metric == adapt.AUC && math.Abs(s.Value+o.Value-1) > 1e-9 || s.Method != o.Method {
				t.Errorf("%+v and %+v", s, o)
			}
		}
	}
}

// A fine-tune at n labels reads n rows that have a target, those that choose included.
func TestTableBudgetCounts(t *testing.T) {
	r := small()
	r.Adapt.Draws, r.Adapt.Epochs = 2, 2
	f := rowsOf(r, false, true)
	seen := map[string]bool{}
	labels, measured := 0, 0
	f.OnFill = func(p domain.Part, i int) {
		if labels == 0 || p == domain.Test {
			return
		}
		if math.IsNaN(f.Numbers[p][i]) {
			t.Errorf("row %d of part %d, which has no target, is read", i, p)
		}
		seen[fmt.Sprint(p, i)] = true
	}
	check := func() {
		if labels > 0 && len(seen) != labels {
			t.Errorf("%d rows were read for a budget of %d", len(seen), labels)
		}
		labels = 0
		clear(seen)
	}
	_, err := adapt.Run(context.Background(), adapt.Config{Recipe: r, Engine: enginetest.Engines(t)[0], Samples: f, Weights: scaled(1, 0), Progress: func(text string, done, total int) {
		check()
		if done >= total {
			t.Errorf("%s: %d of %d", text, done, total)
		}
		var method string
		if _, err := fmt.Sscanf(text, "fine-tune from %s %d labels", &method, &labels); err == nil {
			measured++
		}
	}})
	check()
	if err != nil || measured != 3*2*2 {
		t.Errorf("%d fine-tunes, %v", measured, err)
	}
}

// recipe.Adapt.Baselines selects; three even classes are judged by accuracy; without a validation part the budget is dealt.
func TestTableChoices(t *testing.T) {
	r := small()
	r.Adapt.Budgets, r.Adapt.Draws, r.Adapt.FineTune, r.Adapt.Baselines = []int{0}, 2, false, []string{adapt.LinearModel}
	f := &domaintest.Tabular{Fake: noisy(r)}
	f.Count[domain.Val], f.X[domain.Val], f.Y[domain.Val] = 0, nil, nil
	res := runTable(t, f, scaled(1, 0), nil)
	if res.Primary != adapt.Accuracy || math.Abs(*res.Chance-1./3) > 1e-12 {
		t.Errorf("judged by %s", res.Primary)
	}
	if len(scores(res, adapt.Trees, adapt.AUC, 60)) != 0 || len(scores(res, adapt.LinearModel, adapt.AUC, 60)) != 2 {
		t.Errorf("baselines %v", res.Scores)
	}
	for _, c := range res.Chosen {
		if !strings.HasSuffix(c.Chosen, "by 30 rows") {
			t.Errorf("%+v: half of 60 labels choose", c)
		}
	}
	for what, change := range map[string]func(f *domaintest.Tabular){
		"want at least 10": func(f *domaintest.Tabular) { f.Y[domain.Test] = f.Y[domain.Test][:4] },
		"no number":        func(f *domaintest.Tabular) { f.ClassNames = nil },
		"of the test part": func(f *domaintest.Tabular) { clear(f.Y[domain.Test]) },
		"the same":         func(f *domaintest.Tabular) { clear(f.Y[domain.Train]) },
	} {
		f := &domaintest.Tabular{Fake: noisy(r)}
		change(f)
		if res := runTable(t, f, scaled(1, 0), nil); !strings.Contains(res.Skipped, what) || res.Scores != nil {
			t.Errorf("%q, want %q", res.Skipped, what)
		}
	}
}
