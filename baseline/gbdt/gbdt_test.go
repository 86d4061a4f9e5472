package gbdt

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/selfsame-ml/selfsame/internal/rng"
)

type golden struct {
	Name        string
	Classes     int
	Dim         int
	Categorical bool
	Args        struct {
		MaxIter int     `json:"max_iter"`
		Leaves  int     `json:"max_leaf_nodes"`
		MinLeaf int     `json:"min_samples_leaf"`
		MaxBins int     `json:"max_bins"`
		L2      float64 `json:"l2_regularization"`
	}
	X, Y, Test, Want []*float64
}

func values(v []*float64) []float32 {
	out := make([]float32, len(v))
	for i, p := range v {
		if out[i] = float32(math.NaN()); p != nil {
			out[i] = float32(*p)
		}
	}
	return out
}

func numbers(v []*float64) []float64 {
	out := make([]float64, len(v))
	for i, p := range v {
		out[i] = *p
	}
	return out
}

// Predictions are those of scikit-learn's HistGradientBoosting on the same rows, to the last digits.
func TestGolden(t *testing.T) {
	f, err := os.Open("testdata/golden.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var all struct{ Cases []golden }
	if err := json.NewDecoder(z).Decode(&all); err != nil {
		t.Fatal(err)
	}
	if len(all.Cases) != 6 {
		t.Fatalf("%d cases", len(all.Cases))
	}
	for _, c := range all.Cases {
		t.Run(c.Name, func(t *testing.T) {
			cfg := Config{Classes: c.Classes, Rounds: c.Args.MaxIter, MaxLeaves: c.Args.Leaves, MinLeaf: c.Args.MinLeaf, L2: c.Args.L2, MaxBins: c.Args.MaxBins}
			if c.Categorical {
				cfg.Categorical = []bool{false, false, false, true, false}
			}
			m, err := Fit(context.Background(), Rows{X: values(c.X), Y: numbers(c.Y), Dim: c.Dim}, Rows{}, cfg)
			if err != nil {
				t.Fatal(err)
			}
			got, err := m.Score(values(c.Test))
			if c.Classes > 0 {
				got, err = m.Proba(values(c.Test))
			}
			if err != nil {
				t.Fatal(err)
			}
			want := numbers(c.Want)
			if len(got) != len(want) {
				t.Fatalf("%d predictions, want %d", len(got), len(want))
			}
			for i := range got {
				if math.Abs(got[i]-want[i]) > 1e-12*(1+math.Abs(want[i])) {
					t.Fatalf("prediction %d is %.17g, scikit-learn gives %.17g", i, got[i], want[i])
				}
			}
		})
	}
}

// rowsOf are rows whose class is a rule with noise.
func rowsOf(n int, seed uint64) Rows {
	r := rng.New(seed, rng.Probe)
	rows := Rows{Dim: 4}
	for range n {
		x := []float32{float32(r.NormFloat64()), float32(r.NormFloat64()), float32(r.IntN(5)), float32(math.NaN())}
		if r.Float64() < 0.8 {
			x[3] = float32(r.NormFloat64())
		}
		y := 0.0
		if float64(x[0]*x[1])+0.3*r.NormFloat64() > 0 != (x[2] == 3) {
			y = 1
		}
		rows.X, rows.Y = append(rows.X, x...), append(rows.Y, y)
	}
	return rows
}

func accuracy(t *testing.T, m *Model, r Rows) float64 {
	t.Helper()
	p, err := m.Proba(r.X)
	if err != nil {
		t.Fatal(err)
	}
	hit := 0
	for i, y := range r.Y {
		if (p[2*i+1] > 0.5) == (y == 1) {
			hit++
		}
	}
	return float64(hit) / float64(len(r.Y))
}

// Trees learn an interaction, validation rows stop them, threads change nothing.
func TestFit(t *testing.T) {
	train, val, test := rowsOf(4000, 1), rowsOf(500, 2), rowsOf(1000, 3)
	cfg := Config{Classes: 2, Categorical: []bool{false, false, true, false}, Threads: 1}
	one, err := Fit(context.Background(), train, val, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if acc := accuracy(t, one, test); acc < 0.8 {
		t.Errorf("accuracy %g", acc)
	}
	if one.Rounds() < 5 || one.Rounds() > 100 {
		t.Errorf("%d rounds", one.Rounds())
	}
	cfg.Threads = 3
	three, err := Fit(context.Background(), train, val, cfg)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := one.Score(test.X)
	b, _ := three.Score(test.X)
	if !slices.Equal(a, b) {
		t.Error("the number of threads changes the model")
	}
	noise, r := rowsOf(400, 4), rng.New(9, rng.Probe)
	for i := range noise.Y { // nothing to learn: the validation rows keep few rounds
		noise.Y[i] = float64(r.IntN(2))
	}
	m, err := Fit(context.Background(), noise, Rows{X: val.X[:1200], Y: noise.Y[100:400], Dim: 4}, Config{Classes: 2})
	if err != nil {
		t.Fatal(err)
	}
	if m.Rounds() > 5 {
		t.Errorf("%d rounds on noise", m.Rounds())
	}
}

// With fewer rows than two leaves need, or one value only, the model is the constant.
func TestConstant(t *testing.T) {
	for _, r := range []Rows{
		{X: []float32{1, 2, 3, 4}, Y: []float64{1, 1, 3, 3}, Dim: 1},
		{X: make([]float32, 100), Y: append(make([]float64, 50), slices.Repeat([]float64{4}, 50)...), Dim: 1},
		{X: slices.Repeat([]float32{float32(math.NaN())}, 100), Y: append(make([]float64, 50), slices.Repeat([]float64{4}, 50)...), Dim: 1},
	} {
		m, err := Fit(context.Background(), r, Rows{}, Config{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := m.Score([]float32{7})
		if err != nil || math.Abs(got[0]-2) > 1e-12 {
			t.Errorf("%v %v, want the mean 2", got, err)
		}
	}
}

// A code that training has not seen, negative or too large, goes where missing values go, and never out of bounds.
func TestUnseen(t *testing.T) {
	train := rowsOf(500, 5)
	m, err := Fit(context.Background(), train, Rows{}, Config{Classes: 2, Categorical: []bool{false, false, true, false}, Rounds: 5})
	if err != nil {
		t.Fatal(err)
	}
	nan := float32(math.NaN())
	want, _ := m.Proba([]float32{0.5, 0.5, nan, nan})
	for _, c := range []float32{-1, 255, 1e9} {
		got, err := m.Proba([]float32{0.5, 0.5, c, nan})
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("code %g: %v %v, want %v", c, got, err, want)
		}
	}
}

func TestErrors(t *testing.T) {
	ok := rowsOf(50, 6)
	inf := Rows{X: slices.Clone(ok.X), Y: ok.Y, Dim: 4}
	inf.X[9] = float32(math.Inf(1))
	for text, c := range map[string]struct {
		r Rows
		c Config
	}{
		"1 classes":         {ok, Config{Classes: 1}},
		"want 2..255":       {ok, Config{MaxBins: 300}},
		"1 training rows":   {Rows{X: []float32{1}, Y: []float64{1}, Dim: 1}, Config{}},
		"not 50 rows of 3":  {Rows{X: ok.X, Y: ok.Y, Dim: 3}, Config{}},
		"a class in 0..1":   {Rows{X: ok.X, Y: slices.Repeat([]float64{0.5}, 50), Dim: 4}, Config{Classes: 2}},
		"feature 1 is +Inf": {inf, Config{}},
		"2 categorical":     {ok, Config{Categorical: make([]bool, 2)}},
	} {
		if _, err := Fit(context.Background(), c.r, Rows{}, c.c); !errors.Is(err, ErrData) || !strings.Contains(err.Error(), text) {
			t.Errorf("%q: %v", text, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Fit(ctx, ok, Rows{}, Config{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v", err)
	}
}

func BenchmarkFit(b *testing.B) {
	r := rowsOf(20000, 8)
	for b.Loop() {
		if _, err := Fit(context.Background(), r, Rows{}, Config{Classes: 2, Categorical: []bool{false, false, true, false}}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(r.Y)*b.N)/b.Elapsed().Seconds(), "rows/s")
}
