package dna

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/audit"
	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/domain/dna/sequencer"
	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/engine/enginetest"
	"github.com/selfsame-ml/selfsame/internal/rng"
	"github.com/selfsame-ml/selfsame/nn"
	"github.com/selfsame-ml/selfsame/pretrain"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/train"
)

// TestLearns: after some hundred steps on a random genome of 200,000 bases the network restores held-out stretches, and another
// genome, better than naive Bayes by a margin that is shown. One engine; the suite runs both.
func TestLearns(t *testing.T) {
	for _, c := range []struct {
		profile string
		steps   int
		share   float64 // of the trivial loss that may be left
	}{{"illumina", 400, 0.95}} {
		t.Run(c.profile, func(t *testing.T) {
			r := recipeOf(write(t, "g.fa", ">one\n"+genome(21, 200_000)+"\n"), sequencerConfig(c.profile, map[string]contract.Range{"depth": rg(0, 12), "length": rg(90, 96)}))
			r.Data.Test = write(t, "o.fa", ">other\n"+genome(22, 100_000)+"\n")
			r.Data.Val = 0.2
			r.Encoder = recipe.Encoder{Kind: recipe.EncoderPileup, Width: 24, Depth: 2}
			r.Train = recipe.Train{Epochs: 1000, MaxSteps: c.steps, Batch: 32, Accumulate: 1, Optimizer: "adamw", LR: 0.024, Momentum: 0.9, Beta2: 0.999, WeightDecay: 0.01, Clip: 1, HealthSteps: 1_000_000, Workers: 1}
			r.Audit.Samples = 1500
			s := opened(t, r)
			e, err := engine.Open(engine.Config{Kind: engine.Go})
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			var health pretrain.Health
			res, err := pretrain.Run(context.Background(), pretrain.Config{Recipe: r, Engine: e, Samples: s, Event: func(v any) {
				if h, ok := v.(pretrain.Health); ok {
					health = h
				}
			}})
			if err != nil {
				t.Fatal(err)
			}
			if health.Verdict != pretrain.Healthy {
				t.Errorf("health: %s: %s", health.Verdict, health.Why)
			}
			a, err := audit.Run(context.Background(), audit.Config{Recipe: r, Engine: e, Samples: s, Weights: res.Weights})
			if err != nil {
				t.Fatal(err)
			}
			if len(a.Rows) != 2 || a.Rows[0].Measure == a.Rows[1].Measure || !strings.Contains(a.Rows[1].Measure, "test part") {
				t.Fatalf("rows %+v, want the validation and the test part", a.Rows)
			}
			for _, row := range a.Rows {
				share := row.Value / *row.Reference
				t.Logf("%s: %.5f, trivial %.5f: %.2f; %s", row.Measure, row.Value, *row.Reference, share, row.Outcome)
				if share > c.share || row.Outcome != audit.Kept {
					t.Errorf("%s is %.2f of the trivial one, want at most %.2f: %s", row.Measure, share, c.share, row.Why)
				}
			}
		})
	}
}

// TestRestore holds the losses against plain Go from the logits, which are found under the scopes that pretraining uses; the
// untrained network is naive Bayes.
func TestRestore(t *testing.T) {
	path := write(t, "g.fa", ">one\n"+genome(31, 60_000)+"\n")
	r := recipeOf(path, sequencerConfig("rate:0.03,0.02,0.02", map[string]contract.Range{"depth": rg(0, 6), "length": rg(60, 140)}))
	s := opened(t, r)
	v, err := s.sampler()
	if err != nil {
		t.Fatal(err)
	}
	const rows = 4
	enc, err := s.Encoder()
	if err != nil {
		t.Fatal(err)
	}
	e, ok := enc.(*Encoder)
	if !ok {
		t.Fatalf("encoder %T", enc)
	}
	enginetest.Each(t, func(t *testing.T, eng *engine.Engine) {
		f, err := train.NewForwardMode(eng, "test", eng.Mode().FP32(), v.Fields(), rows, func(sc *nn.Scope, in map[string]*graph.Node) []*graph.Node {
			logits := e.Logits(sc, in["sequencer.input"])
			loss, trivial := e.Restore(sc.In("restorer").In(Sequencer), e.Encode(sc.In("encoder"), in["sequencer.input"]), in["sequencer.clean"], in["sequencer.mask"])
			return []*graph.Node{logits, loss, trivial}
		})
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		weights := map[string]train.Value{}
		draw := rng.New(1, rng.Init)
		for _, d := range f.Decls() {
			w := train.Value{Dims: d.Dims, Data: d.Start(3)}
			if strings.HasPrefix(d.Name, "restorer/sequencer/") {
				for i := range w.Data {
					w.Data[i] += float32(draw.NormFloat64()) * 0.3
				}
			} else if !strings.HasPrefix(d.Name, train.EncoderScope+"/") {
				t.Errorf("parameter %s", d.Name)
			}
			weights[d.Name] = w
		}
		w := s.set.window
		for _, trained := range []bool{true, false} {
			if !trained {
				for _, d := range f.Decls() {
					weights[d.Name] = train.Value{Dims: d.Dims, Data: d.Start(3)}
				}
			}
			if err := f.Bind(weights); err != nil {
				t.Fatal(err)
			}
			scratch, x := v.NewScratch(), f.Slot().Arrays
			for row := range rows {
				if err := v.Fill(x, row, 1, 0, row, scratch); err != nil {
					t.Fatal(err)
				}
			}
			out, err := f.Run()
			if err != nil {
				t.Fatal(err)
			}
			for row := range rows {
				var want, trivial, n float64
				for j := range w {
					at := row*w + j
					logits := out[0][at*Outputs : (at+1)*Outputs]
					bayes := x[fieldInput].F32[at*32+bayesAt:][:bayesWidth]
					if !trained {
						for b := range bayesWidth {
							if d := float64(logits[b] - (bayes[b]-1)*bayesScale); math.Abs(d) > 1e-4 {
								t.Fatalf("logit %d of position %d is %g from naive Bayes", b, j, d)
							}
						}
					}
					if x[fieldMask].U8[at] == 0 {
						continue
					}
					here, after := int(x[fieldClean].U8[2*at]), int(x[fieldClean].U8[2*at+1])
					want += surprise(logits[:HereClasses], here) + surprise(logits[HereClasses:], after)
					if here == 4 {
						trivial -= math.Log(e.rates.Deleted)
					} else {
						p := math.Exp(float64(bayes[here]-1) * bayesScale)
						trivial -= math.Log((1 - e.rates.Deleted) * ((1-e.rates.Wrong)*p + e.rates.Wrong/4))
					}
					if after == 0 {
						trivial -= math.Log(1 - e.rates.Missing)
					} else {
						trivial -= math.Log(e.rates.Missing / 4)
					}
					n++
				}
				for k, want := range map[int]float64{1: want / n, 2: trivial / n} {
					if got := float64(out[k][row]); math.Abs(got-want) > 1e-4*(1+want) {
						t.Errorf("row %d: loss %d is %g, want %g", row, k, got, want)
					}
				}
			}
		}
	})
}

func surprise(logits []float32, label int) float64 {
	sum := 0.0
	for _, l := range logits {
		sum += math.Exp(float64(l - logits[label]))
	}
	return math.Log(sum)
}

// TestReconstructs: a truth that is wrong anywhere is found.
func TestReconstructs(t *testing.T) {
	r := rng.New(1, rng.Generate)
	p := sequencer.Rate(0.05, 0.05, 0.05)
	template := make([]uint8, 300)
	found, tried := 0, 0
	for k := range 200 {
		for i := range template {
			template[i] = uint8(r.IntN(4))
		}
		var read sequencer.Read
		p.Read(r, template, 150, &read)
		if err := reconstructs(template, &read); err != nil {
			t.Fatalf("read %d: %v", k, err)
		}
		j := 1 + r.IntN(read.Body-2)
		switch k % 3 {
		case 0:
			read.Here[j] = (read.Here[j] + 1) % 5
		case 1:
			if read.After[j] == 0 {
				read.After[j] = 1
			} else {
				read.After[j] = 0
			}
		case 2:
			read.Used++
		}
		tried++
		if reconstructs(template, &read) != nil {
			found++
		}
	}
	if found != tried {
		t.Errorf("%d of %d wrong truths are found", found, tried)
	}
}

// TestMargin: an output depends on exactly Margin positions to either side, so that windows can be cut there.
func TestMargin(t *testing.T) {
	e, err := NewEncoder(recipe.Encoder{Kind: recipe.EncoderPileup, Width: 6, Depth: 2}, 48)
	if err != nil {
		t.Fatal(err)
	}
	eng, err := engine.Open(engine.Config{Kind: engine.Go})
	if err != nil {
		t.Fatal(err)
	}
	defer eng.Close()
	field := domain.Field{Name: "x", DType: domain.F32, Dims: []int{48, 32}}
	f, err := train.NewForwardMode(eng, "margin", eng.Mode().FP32(), []domain.Field{field}, 2, func(s *nn.Scope, in map[string]*graph.Node) []*graph.Node {
		return []*graph.Node{e.Encode(s, in["x"]).Tokens}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Bind(f.Start(1)); err != nil {
		t.Fatal(err)
	}
	x := f.Slot().Arrays[0].F32
	r := rng.New(2, rng.Generate)
	for i := range 48 * 32 {
		x[i] = float32(r.NormFloat64())
		x[48*32+i] = x[i]
	}
	x[48*32+24*32+5] += 1 // position 24 of the second window
	out, err := f.Run()
	if err != nil {
		t.Fatal(err)
	}
	width := len(out[0]) / 2 / 48
	first, last := 48, -1
	for i := range 48 * width {
		if out[0][i] != out[0][48*width+i] {
			first, last = min(first, i/width), max(last, i/width)
		}
	}
	if first != 24-e.Margin() || last != 24+e.Margin() {
		t.Errorf("position 24 changes outputs %d to %d, the margin is %d", first, last, e.Margin())
	}
	for _, bad := range []recipe.Encoder{{Kind: "mlp", Width: 8, Depth: 2}, {Kind: recipe.EncoderPileup, Depth: 1}, {Kind: recipe.EncoderPileup, Width: 8, Depth: 12}} {
		if _, err := NewEncoder(bad, 48); err == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
}
