package table

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/selfsame-ml/selfsame/audit"
	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/engine/enginetest"
	"github.com/selfsame-ml/selfsame/internal/rng"
	"github.com/selfsame-ml/selfsame/pretrain"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/view"
)

// shopSamples are n rows in which columns say something about each other: amount = quantity*price, the category goes with the
// price, the hour with the category.
func shopSamples(n int, transforms ...view.Config) *Samples {
	r := rng.New(3, rng.Split)
	tab := &Table{Rows: n, Source: "shop.csv", Columns: []Column{
		{Name: "quantity", Kind: Integer, Input: true},
		{Name: "price", Kind: Money, Unit: "EUR", Input: true, Decimals: -1},
		{Name: "amount", Kind: Money, Unit: "EUR", Input: true, Decimals: -1},
		{Name: "category", Kind: Category, Input: true, Levels: []string{"book", "game", "garden", "phone"}},
		{Name: "bought_at", Kind: Timestamp, Input: true},
		{Name: "note", Kind: Number, Input: true, Decimals: -1}, // tells nothing
	}}
	for range tab.Columns {
		tab.Values, tab.States = append(tab.Values, make([]float64, n)), append(tab.States, make([]State, n))
	}
	for i := range n {
		category := r.IntN(4)
		price := math.Round(100*math.Exp(1+1.1*float64(category)+0.3*r.NormFloat64())) / 100
		quantity := float64(1 + r.IntN(6))
		hour := float64(4+5*category) + r.NormFloat64()
		for j, v := range []float64{quantity, price, math.Round(100*quantity*price) / 100, float64(category), 1.7e9 + 86400*float64(r.IntN(300)) + 3600*hour, r.NormFloat64()} {
			tab.Values[j][i] = v
		}
	}
	return measured(samplesOf(tab, nil, transforms...), 16)
}

// short is a run of so many steps.
func short(s *Samples, enc recipe.Encoder, steps int) *recipe.Recipe {
	r := s.recipe
	r.Seed, r.Encoder = 5, enc
	r.Objective.ProjectorDim = 32
	r.Train.Batch, r.Train.Epochs, r.Train.MaxSteps, r.Train.WarmupEpochs = 128, 1000, steps, 0
	r.Train.Optimizer, r.Train.LR, r.Train.WeightDecay, r.Train.HealthSteps, r.Train.Workers = "adamw", 6e-3, 0.01, 1_000_000, 1
	r.Audit.Samples = 200
	return r
}

func pretrained(t testing.TB, e *engine.Engine, s *Samples, only contract.Kind) (*pretrain.Result, pretrain.Progress) {
	t.Helper()
	var last pretrain.Progress
	res, err := pretrain.Run(context.Background(), pretrain.Config{Recipe: s.recipe, Engine: e, Samples: s, Only: only, Event: func(v any) {
		if p, ok := v.(pretrain.Progress); ok {
			last = p
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	return res, last
}

// TestLearns: on rows whose columns depend on each other the restorer beats the trivial predictor, the drawn scale of an amount is
// predicted, views are found again; an untrained encoder does none of it. Held-out rows, both engines, both encoders.
func TestLearns(t *testing.T) {
	narrow := transformerOf(24, 2)
	narrow.Heads = 4
	for name, c := range map[string]struct {
		enc   recipe.Encoder
		steps int
		r2    float64 // of the drawn scale, at least; a transformer needs more steps than a test has time for
	}{"mlp": {mlpOf(64, 2), 200, 0.7}, "mlp, periodic": {recipe.Encoder{Kind: "mlp", Width: 64, Depth: 2, Numeric: "periodic", Bins: 8}, 200, 0.7}, "transformer": {narrow, 120, 0.15}} {
		t.Run(name, func(t *testing.T) {
			enginetest.Each(t, func(t *testing.T, e *engine.Engine) {
				if e.Kind() != "go" && (testing.Short() || c.enc.Numeric == "periodic") {
					return // on one engine only: compiling dominates
				}
				s := shopSamples(1200,
					declare("amount.scale", 0.8, "scale", equivariant(0.5, 2)),
					declare("note.noise", 1, "sd", invariant(0.5, 0.5)),
					declare("quantity.swap", 0.3, "swap", invariant(1, 1)),
					declare("mask", 1, "share", restorable(0.2, 0.4)))
				r := short(s, c.enc, c.steps)
				res, last := pretrained(t, e, s, 0)
				a, err := audit.Run(context.Background(), audit.Config{Recipe: r, Engine: e, Samples: s, Weights: res.Weights})
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("%.1f s, %.0f rows/s, %v", res.Seconds, last.SamplesPerS, last.Parts)
				found := map[string]audit.Row{}
				for _, row := range a.Rows {
					found[row.Transform+" "+row.Measure] = row
					t.Logf("%s %s: %.3f (untrained %s, %s %s): %s", row.Transform, row.Measure, row.Value, num(row.Untrained), row.RefName, num(row.Reference), row.Outcome)
				}
				if r2 := found["amount.scale drawn parameter predicted (R2)"].Value; r2 < c.r2 {
					t.Errorf("scale of the amount: R2 %.3f, want %g", r2, c.r2)
				}
				for what, row := range found {
					if strings.HasPrefix(what, "mask ") && (row.Outcome != audit.Kept || row.Reference == nil || row.Value > 0.8**row.Reference) {
						t.Errorf("%s: %.3f, trivial %s: %s", what, row.Value, num(row.Reference), row.Outcome)
					}
				}
				if len(found) < 4 {
					t.Errorf("rows of the audit: %v", found)
				}
				for _, b := range a.Failed() {
					t.Errorf("self-check %s: %s", b.Name, b.Text)
				}
			})
		})
	}
}

func num(v *float64) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprintf("%.3f", *v)
}

// BenchmarkTablePretrain is a step of pretraining on rows of 20 columns, batch 256, with two views, one drawn scale and one mask.
func BenchmarkTablePretrain(b *testing.B) {
	for _, kind := range []string{"mlp", "transformer"} {
		for _, e := range enginetest.Engines(b) {
			b.Run(kind+"/"+e.Kind(), func(b *testing.B) {
				s := measured(mixedSamples(b, 4000, nil, append(benchTransforms(), declare("mask", 1, "share", restorable(0.3, 0.3)))...), 16)
				cfg := recipe.Encoder{Kind: kind, Width: 128, Depth: 3, Heads: 4, Numeric: "piecewise", Bins: 16}
				if kind == "transformer" {
					cfg.Width, cfg.Depth = 64, 2
				}
				r := short(s, cfg, b.N)
				r.Train.Batch = 256
				r.Train.Workers = 0
				res, _ := pretrained(b, e, s, 0)
				b.ReportMetric(float64(b.N*256)/res.Seconds, "rows/s")
			})
		}
	}
}
