package genome

import (
	"context"
	"math"
	"testing"

	"github.com/selfsame-ml/selfsame/audit"
	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/internal/rng"
	"github.com/selfsame-ml/selfsame/pretrain"
	"github.com/selfsame-ml/selfsame/recipe"
)

// source is a Markov source of order 2.
type source [16][4]float64

// newSource draws conditional distributions that are far from even.
func newSource(seed uint64) (s source) {
	r := rng.New(seed, rng.Generate, 9)
	for c := range s {
		sum := 0.0
		for b := range s[c] {
			s[c][b] = math.Pow(r.Float64(), 3) + 0.02
			sum += s[c][b]
		}
		for b := range s[c] {
			s[c][b] /= sum
		}
	}
	return s
}

func (s *source) text(seed uint64, n int) string {
	r := rng.New(seed, rng.Generate, 10)
	out := make([]byte, n)
	context := 0
	for i := range out {
		u, b := r.Float64(), 0
		for b < 3 && u >= s[context][b] {
			u -= s[context][b]
			b++
		}
		out[i] = "ACGT"[b]
		context = (context<<2 | b) & 15
	}
	return string(out)
}

// rate is the entropy rate in bits (Shannon 1948): the mean entropy of the contexts under their stationary distribution.
func (s *source) rate() float64 {
	var p [16]float64
	p[0] = 1
	for range 2000 {
		var next [16]float64
		for c, row := range s {
			for b, v := range row {
				next[(c<<2|b)&15] += (p[c] + 0.01*(1./16-p[c])) * v // a little mixing: the chain could be periodic
			}
		}
		p = next
	}
	h := 0.0
	for c, row := range s {
		for _, v := range row {
			h -= p[c] * v * math.Log2(v)
		}
	}
	return h
}

// TestLearns: on a Markov source of order 2 the network comes within 0.02 bits a base of the true entropy rate on held-out windows, as the
// Markov model of order 2 does, and that of order 1 does not.
func TestLearns(t *testing.T) {
	src := newSource(3)
	rate := src.rate()
	r := recipeOf(128)
	r.Data.Val, r.Data.TestShare = 0.2, 0
	r.Views.Transforms[0].Params = map[string]contract.Range{"strand": {}}
	r.Encoder = recipe.Encoder{Kind: recipe.EncoderConvLM, Width: 32, Depth: 2}
	r.Train = recipe.Train{Epochs: 1000, MaxSteps: 250, Batch: 16, Accumulate: 1, Optimizer: "adamw", LR: 0.16, Momentum: 0.9, Beta2: 0.99, WeightDecay: 0.01, Clip: 1, HealthSteps: 1_000_000, Workers: 1}
	r.Audit.Samples = 300
	s := opened(t, r, Files{Pool: folder(t, map[string]string{"a.fa": ">a\n" + src.text(1, 150_000) + "\n", "b.fa": ">b\n" + src.text(2, 150_000) + "\n"})})
	e, err := engine.Open(engine.Config{Kind: engine.Go})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	res, err := pretrain.Run(context.Background(), pretrain.Config{Recipe: r, Engine: e, Samples: s})
	if err != nil {
		t.Fatal(err)
	}
	scores, err := Compare(context.Background(), Config{Engine: e, Samples: s, Order: 4, Fit: 250 * 16, Seed: r.Seed, Weight: func(name string) []float32 { return res.Weights[name].Data }})
	if err != nil {
		t.Fatal(err)
	}
	bits := map[string]Score{}
	for _, sc := range scores {
		t.Logf("%s, %s: %.4f bits a base (%.4f), %d bases", sc.Method, sc.Part, sc.Bits, sc.Error, sc.Bases)
		bits[sc.Method] = sc
	}
	for method, want := range map[string]bool{"network": true, "markov-2": true, "markov-1": false, "composition": false} {
		if got := math.Abs(bits[method].Bits-rate) < 0.02; got != want || bits[method].Bases < 20_000 {
			t.Errorf("%s: %.4f bits on %d bases, the entropy rate is %.4f: within 0.02 is %v, want %v", method, bits[method].Bits, bits[method].Bases, rate, got, want)
		}
	}
	a, err := audit.Run(context.Background(), audit.Config{Recipe: r, Engine: e, Samples: s, Weights: res.Weights})
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Rows) != 1 || a.Rows[0].Outcome != audit.Kept {
		t.Fatalf("rows %+v", a.Rows)
	}
	if row := a.Rows[0]; math.Abs(Bits(row.Value)-bits["network"].Bits) > 0.03 || math.Abs(Bits(*row.Reference)-bits["composition"].Bits) > 0.03 {
		t.Errorf("the audit says %.4f and %.4f bits, the comparison %.4f and %.4f", Bits(row.Value), Bits(*row.Reference), bits["network"].Bits, bits["composition"].Bits)
	}
}
