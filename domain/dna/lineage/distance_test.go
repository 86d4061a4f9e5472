package lineage

import (
	"errors"
	"math"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/selfsame-ml/selfsame/internal/rng"
	"github.com/selfsame-ml/selfsame/phylo"
)

func hasText(err error, text string) bool { return err != nil && strings.Contains(err.Error(), text) }

// stated is a summary of one layer with the given states [genomes][width]; the scores are twice as large. A nil covariance is the identity.
func stated(states [][]float64, cov mat.Symmetric) *Summary {
	n, w := len(states), len(states[0])
	s := &Summary{Layers: 1, Width: [kinds]int{w, w}, Windows: make([]int, n)}
	for f := range kinds {
		s.Mean[f] = make([]float32, n*w)
		s.Cov[f] = make([]float32, w*w)
		for i := range w {
			for j := range w {
				if cov != nil {
					s.Cov[f][i*w+j] = float32(cov.At(i, j))
				} else if i == j {
					s.Cov[f][i*w+j] = 1
				}
			}
		}
	}
	for g, x := range states {
		s.Names = append(s.Names, string(rune('a'+g)))
		for j, v := range x {
			s.Mean[State][g*w+j], s.Mean[Score][g*w+j] = float32(v), float32(2*v)
		}
	}
	return s
}

func matrix(t testing.TB, s *Summary, v Variant) *phylo.Matrix {
	t.Helper()
	m, err := s.Matrix(v)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// normal draws states.
func normal(seed uint64, n, w int) [][]float64 {
	r := rng.New(seed, rng.Generate, uint64(n), uint64(w))
	out := make([][]float64, n)
	for g := range out {
		for range w {
			out[g] = append(out[g], r.NormFloat64())
		}
	}
	return out
}

// TestDistancesClosed holds each distance against numbers worked out by hand, of states and of scores.
func TestDistancesClosed(t *testing.T) {
	states := [][]float64{{3, 0}, {0, 4}, {-3, 2}} // mean (0, 2): centred (3, -2), (0, 2), (-3, 0)
	cov := mat.NewSymDense(2, []float64{4, 0, 0, 1})
	r := 1e-3 * 2.5 // ridge
	a, b := 4+r, 1+r
	r13 := math.Sqrt(13)
	wc01 := 1 + 4/b/math.Sqrt((9/a+4/b)*4/b)
	for _, c := range []struct {
		name         string
		want         [3]float64 // (1,0), (2,0), (2,1)
		proportional bool       // to the states
	}{
		{Euclidean, [3]float64{5, math.Sqrt(40), r13}, true},
		{Cosine, [3]float64{1, 1 + 3/r13, 1 - 2/r13}, false},
		{Centred, [3]float64{1 + 2/r13, 1 + 3/r13, 1}, false},
		{Whitened, [3]float64{math.Sqrt(9/a + 16/b), math.Sqrt(36/a + 4/b), math.Sqrt(9/a + 4/b)}, true},
		{Standardised, [3]float64{math.Sqrt(9/a + 16/b), math.Sqrt(36/a + 4/b), math.Sqrt(9/a + 4/b)}, true},
		{WhitenedCosine, [3]float64{wc01, 1 + 9/a/math.Sqrt((9/a+4/b)*9/a), 1}, false},
	} {
		for kind := range kinds {
			m := matrix(t, stated(states, cov), Variant{0, kind, c.name})
			scale := 1.0
			if kind == Score && c.proportional {
				scale = 2
			}
			for k, ij := range [][2]int{{1, 0}, {2, 0}, {2, 1}} {
				if got := m.At(ij[0], ij[1]); !near(got, scale*c.want[k], 1e-6) || m.At(ij[1], ij[0]) != got {
					t.Errorf("%s %v, %s: %g and %g, want %g", c.name, ij, kind, got, m.At(ij[1], ij[0]), scale*c.want[k])
				}
			}
			if m.At(0, 0) != 0 || m.At(2, 2) != 0 {
				t.Errorf("%s: a diagonal that is not 0", c.name)
			}
		}
	}
}

// TestDistancesCorrelated: standardised takes the variances alone, whitened the covariance too.
func TestDistancesCorrelated(t *testing.T) {
	s := stated([][]float64{{0, 0}, {2, 1}}, mat.NewSymDense(2, []float64{4, 1, 1, 1}))
	a, b := 4+2.5e-3, 1+2.5e-3
	for name, want := range map[string]float64{
		Standardised: math.Sqrt(4/a + 1/b),
		Whitened:     math.Sqrt((4*b - 4 + a) / (a*b - 1)), // d' S^-1 d of S = (a 1; 1 b), d = (2, 1)
	} {
		if got := matrix(t, s, Variant{0, State, name}).At(1, 0); !near(got, want, 1e-6) {
			t.Errorf("%s: %g, want %g", name, got, want)
		}
	}
}

// TestDistancesZero: a state without a direction is as far from others as a right angle, and not at all from another one.
func TestDistancesZero(t *testing.T) {
	m := matrix(t, stated([][]float64{{0, 0}, {0, 0}, {1, 2}}, nil), Variant{0, State, Cosine})
	if m.At(0, 1) != 0 || m.At(0, 2) != 1 || m.At(1, 2) != 1 {
		t.Errorf("cosine distances of states of 0: %v", m.Data)
	}
	m = matrix(t, stated([][]float64{{1, 1}, {-1, 1}, {0, 1}}, nil), Variant{0, State, Centred}) // the last one is the mean
	if m.At(0, 1) != 2 || m.At(0, 2) != 1 {
		t.Errorf("centred cosine distances from the mean: %v", m.Data)
	}
}

// TestDistancesIdentities: what leaves a distance as it is.
func TestDistancesIdentities(t *testing.T) {
	const n, w = 7, 5
	x := normal(1, n, w)
	change := func(f func(g, j int, v float64) float64) [][]float64 {
		out := make([][]float64, n)
		for g := range out {
			for j, v := range x[g] {
				out[g] = append(out[g], f(g, j, v))
			}
		}
		return out
	}
	same := func(what, name string, a, b [][]float64, scale float64) {
		t.Helper()
		ma, mb := matrix(t, stated(a, nil), Variant{0, State, name}), matrix(t, stated(b, nil), Variant{0, State, name})
		for k, v := range ma.Data {
			if !near(mb.Data[k], scale*v, 2e-5) {
				t.Fatalf("%s, %s: %g, want %g", name, what, mb.Data[k], scale*v)
			}
		}
	}
	shifted := change(func(_, j int, v float64) float64 { return v + float64(j) })
	tripled := change(func(_, _ int, v float64) float64 { return 3 * v })
	each := change(func(g, _ int, v float64) float64 { return float64(g+1) * v })
	for _, name := range []string{Euclidean, Centred, Whitened, WhitenedCosine} {
		same("shifted", name, x, shifted, 1)
	}
	for name, scale := range map[string]float64{Cosine: 1, Centred: 1, WhitenedCosine: 1, Euclidean: 3, Whitened: 3} {
		same("tripled", name, x, tripled, scale)
	}
	same("each its own length", Cosine, x, each, 1)
	unit := change(func(g, _ int, v float64) float64 {
		l := 0.0
		for _, u := range x[g] {
			l += u * u
		}
		return v / math.Sqrt(l)
	})
	e, c := matrix(t, stated(unit, nil), Variant{0, State, Euclidean}), matrix(t, stated(x, nil), Variant{0, State, Cosine})
	for k, v := range e.Data { // |a - b|^2 = 2 (1 - cos) of unit vectors
		if !near(v*v/2, c.Data[k], 1e-5) {
			t.Fatalf("euclidean %g of unit vectors, cosine %g", v, c.Data[k])
		}
	}
	e, c = matrix(t, stated(x, nil), Variant{0, State, Euclidean}), matrix(t, stated(x, nil), Variant{0, State, Whitened})
	for k, v := range e.Data { // S is the identity, and so is all but the ridge
		if !near(c.Data[k]*math.Sqrt(1+ridge), v, 1e-6) {
			t.Fatalf("whitened by the identity %g, euclidean %g", c.Data[k], v)
		}
	}
}

// TestWhitenedInvariant: an invertible linear map of the states, and with it of their covariance, leaves whitened distances as they are but for the ridge; a
// rotation leaves them altogether. The Euclidean distance is not so.
func TestWhitenedInvariant(t *testing.T) {
	const n, w = 6, 4
	x, noise := mat.NewDense(n, w, nil), mat.NewDense(40, w, nil)
	for g, row := range normal(2, n, w) {
		x.SetRow(g, row)
	}
	for g, row := range normal(3, 40, w) {
		noise.SetRow(g, row)
	}
	a, turn := mat.NewDense(w, w, nil), mat.NewDense(w, w, nil)
	for i, row := range normal(4, w, w) {
		for j, v := range row {
			a.Set(i, j, 0.5*v)
		}
		a.Set(i, i, a.At(i, i)+1.5)
	}
	var qr mat.QR
	qr.Factorize(a)
	qr.QTo(turn)
	of := func(m *mat.Dense) *Summary {
		var y, z mat.Dense
		y.Mul(x, m)
		z.Mul(noise, m)
		cov := mat.NewSymDense(w, nil)
		cov.SymOuterK(1.0/40, z.T())
		states := make([][]float64, n)
		for g := range states {
			states[g] = mat.Row(nil, g, &y)
		}
		return stated(states, cov)
	}
	one := mat.NewDense(w, w, nil)
	for i := range w {
		one.Set(i, i, 1)
	}
	most := func(name string, m *mat.Dense) float64 {
		d := 0.0
		p, q := matrix(t, of(one), Variant{0, State, name}), matrix(t, of(m), Variant{0, State, name})
		for k, v := range p.Data {
			if v > 0 {
				d = math.Max(d, math.Abs(q.Data[k]/v-1))
			}
		}
		return d
	}
	for _, name := range []string{Whitened, WhitenedCosine} {
		if d := most(name, turn); d > 1e-5 {
			t.Errorf("%s changes by %g under a rotation", name, d)
		}
		if d := most(name, a); d > 0.01 { // the ridge is 0.001 of the mean variance
			t.Errorf("%s changes by %g under a linear map", name, d)
		}
	}
	if d := most(Euclidean, a); d < 0.1 {
		t.Errorf("the Euclidean distance changes by %g only: the map shows nothing", d)
	}
}

// TestSpaceBad: names, layers and covariances that give no distance.
func TestSpaceBad(t *testing.T) {
	s := stated(normal(1, 4, 3), nil)
	for v, want := range map[Variant]string{
		{0, State, "manhattan"}: `"manhattan"`, {1, Score, Euclidean}: "layer 1", {-1, Score, Euclidean}: "layer -1", {0, kinds, Euclidean}: "neither state nor score", {0, -1, Cosine}: "neither state nor score",
	} {
		if _, err := s.Matrix(v); !hasText(err, want) {
			t.Errorf("%v: %v", v, err)
		}
	}
	flat := stated(normal(1, 4, 3), mat.NewSymDense(3, nil))
	for _, d := range Distances() {
		_, err := flat.Matrix(Variant{0, State, d})
		if white := d == Standardised || d == Whitened || d == WhitenedCosine; white != errors.Is(err, ErrStates) || !white && err != nil {
			t.Errorf("%s without any variance of windows: %v", d, err)
		}
	}
	// A covariance of rank 1 has an inverse by its ridge.
	if _, err := stated(normal(1, 4, 3), mat.NewSymDense(3, []float64{1, 1, 1, 1, 1, 1, 1, 1, 1})).Matrix(Variant{0, Score, Whitened}); err != nil {
		t.Error(err)
	}
}

// TestVariants: every combination once, the default among them, with names of their own.
func TestVariants(t *testing.T) {
	for layers := 1; layers < 5; layers++ {
		seen := map[string]bool{}
		found := false
		for _, v := range Variants(layers, State, Score) {
			seen[v.String()] = true
			found = found || v == Default(layers)
			if v.Layer < 0 || v.Layer >= layers {
				t.Errorf("%v of %d layers", v, layers)
			}
		}
		if want := layers * 2 * len(Distances()); len(seen) != want || !found {
			t.Errorf("%d variants of %d layers, want %d; the default among them: %t", len(seen), layers, want, found)
		}
	}
}
