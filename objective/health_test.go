package objective

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

func gauss(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

func must(t testing.TB) func(v float64, err error) float64 {
	return func(v float64, err error) float64 {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestEffectiveRankClosedForms(t *testing.T) {
	get := must(t)
	for _, c := range []struct {
		name string
		x    []float32
		dim  int
		want float64
	}{
		{"identity", []float32{1, 0, 0, 0, 1, 0, 0, 0, 1}, 3, 3},
		{"one direction", []float32{1, 2, 2, 4, -3, -6}, 2, 1},
		{"one row", []float32{3, 4, 5}, 3, 1},
		{"wide", []float32{2, 0, 0, 0, 0, 2, 0, 0}, 4, 2},
		{"zero", []float32{0, 0, 0, 0}, 2, 0},
		// Singular values 3 and 1: p = 3/4, 1/4.
		{"three to one", []float32{3, 0, 0, 1, 0, 0}, 2, math.Exp(-.75*math.Log(.75) - .25*math.Log(.25))},
		{"tiny", []float32{1e-30, 0, 0, 1e-30}, 2, 2},
		{"huge", []float32{1e30, 0, 0, 1e30}, 2, 2},
	} {
		near(t, c.name, get(EffectiveRank(c.x, c.dim)), c.want, 1e-6)
	}
}

func TestEffectiveRankAgainstSVD(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows, dim := rapid.IntRange(1, 12).Draw(t, "rows"), rapid.IntRange(1, 12).Draw(t, "dim")
		x := gauss(probe(rapid.Uint64().Draw(t, "seed")), rows*dim)
		f := make([]float64, len(x))
		for i := range x {
			f[i] = float64(x[i])
		}
		var svd mat.SVD
		if !svd.Factorize(mat.NewDense(rows, dim, f), mat.SVDNone) {
			t.Skip()
		}
		s, sum, h := svd.Values(nil), 0.0, 0.0
		for _, v := range s {
			sum += v
		}
		for _, v := range s {
			h -= v / sum * math.Log(v/sum+1e-300)
		}
		got, err := EffectiveRank(x, dim)
		if err != nil || math.Abs(got-math.Exp(h)) > 1e-5 {
			t.Fatalf("effective rank %g (%v), by SVD %g", got, err, math.Exp(h))
		}
		if got < 1-1e-9 || got > float64(min(rows, dim))+1e-9 {
			t.Fatalf("effective rank %g of a %dx%d matrix", got, rows, dim)
		}
	})
}

func TestSpread(t *testing.T) {
	get := must(t)
	near(t, "collapsed", get(Spread([]float32{1, 2, 2, 4, 3, 6}, 2)), 0, 1e-7)
	near(t, "both ways", get(Spread([]float32{5, 0, -1, 0}, 2)), 0.5, 1e-9) // sd 1 and 0
	near(t, "cross", get(Spread([]float32{1, 0, -1, 0, 0, 2, 0, -2}, 2)), 1/math.Sqrt2, 1e-9)
	for _, dim := range []int{8, 64} {
		near(t, "sphere", get(Spread(gauss(probe(5), 2000*dim), dim))*math.Sqrt(float64(dim)), 1, 0.02)
	}
}

func TestAlignmentAndUniformity(t *testing.T) {
	get := must(t)
	a := []float32{1, 0, 0, 3}
	near(t, "aligned", get(Alignment(a, []float32{9, 0, 0, 1}, 2)), 0, 1e-9)
	near(t, "orthogonal and opposite", get(Alignment(a, []float32{0, 1, 0, -1}, 2)), (2+4)/2., 1e-9)
	near(t, "uniformity, collapsed", get(Uniformity([]float32{1, 1, 2, 2, 3, 3}, 2)), 0, 1e-6)
	near(t, "uniformity, orthogonal", get(Uniformity(a, 2)), -4, 1e-9)
	near(t, "uniformity, opposite", get(Uniformity([]float32{1, 0, -1, 0}, 2)), -8, 1e-9)
	// Three points: distances^2 2, 2 and 4.
	near(t, "uniformity, three", get(Uniformity([]float32{1, 0, 0, 1, -1, 0}, 2)), math.Log((2*math.Exp(-4)+math.Exp(-8))/3), 1e-9)
	near(t, "uniformity, one row", get(Uniformity([]float32{1, 0}, 2)), 0, 0)
	if _, err := Alignment(a, a[:2], 2); !errors.Is(err, ErrFeatures) {
		t.Errorf("views of two sizes: %v", err)
	}
}

// TestHealthSymmetries: no measure depends on the order of rows or features, nor, but for the rank, on lengths.
func TestHealthSymmetries(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := probe(rapid.Uint64().Draw(t, "seed"))
		rows, dim := rapid.IntRange(2, 9).Draw(t, "rows"), rapid.IntRange(2, 6).Draw(t, "dim")
		a, b := gauss(r, rows*dim), gauss(r, rows*dim)
		pr, pd := r.Perm(rows), r.Perm(dim)
		move := func(x []float32) []float32 {
			out := make([]float32, len(x))
			for i := range rows {
				for j := range dim {
					out[i*dim+j] = 3 * x[pr[i]*dim+pd[j]]
				}
			}
			return out
		}
		want, err := Measure(a, b, dim)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Measure(move(a), move(b), dim)
		if err != nil {
			t.Fatal(err)
		}
		for i, d := range []float64{got.EffectiveRank - want.EffectiveRank, got.Spread - want.Spread, got.Alignment - want.Alignment, got.Uniformity - want.Uniformity} {
			if !(math.Abs(d) < 1e-5) {
				t.Fatalf("measure %d moved by %g", i, d)
			}
		}
	})
}

func TestVerdict(t *testing.T) {
	r := probe(6)
	sphere := gauss(r, 200*32)
	point := make([]float32, 200*32)
	plane := make([]float32, 200*64) // all features in one line, both ways
	for i := range 200 {
		k := float32(r.NormFloat64())
		for j := range 32 {
			point[i*32+j] = float32(j+1) + 1e-3*float32(r.NormFloat64())
		}
		for j := range 64 {
			plane[i*64+j] = k*float32(j+1) + 1e-4*float32(r.NormFloat64())
		}
	}
	for _, c := range []struct {
		x    []float32
		dim  int
		want string
	}{{sphere, 32, Healthy}, {point, 32, Collapsed}, {plane, 64, LowRank}, {make([]float32, 64), 32, Collapsed}} {
		h, err := Measure(c.x, nil, c.dim)
		if err != nil {
			t.Fatal(err)
		}
		if got := h.Verdict(); got != c.want || !strings.HasPrefix(h.String(), c.want) {
			t.Errorf("%v, want %s", h, c.want)
		}
		if h.Alignment != -1 {
			t.Errorf("alignment %g without a second view", h.Alignment)
		}
	}
}

func TestMeasureRefuses(t *testing.T) {
	for want, x := range map[string][]float32{
		"0 numbers": {}, "3 numbers": {1, 2, 3}, "NaN in row 1, feature 0": {1, 2, float32(math.NaN()), 3}, "Inf in row 0": {1, float32(math.Inf(1))},
	} {
		_, err := Measure(x, nil, 2)
		if !errors.Is(err, ErrFeatures) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: error %v, want %q", x, err, want)
		}
	}
	if _, err := Measure([]float32{1}, nil, 0); err == nil {
		t.Error("dim 0 was accepted")
	}
}
