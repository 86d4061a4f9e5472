package gokernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestCurves compares with float64 over the whole range of float32: random bit patterns, values of usual size, special values.
func TestCurves(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	x := []float32{0, float32(math.Copysign(0, -1)), 1, -1, 88.7, 88.73, 89, 90, -87.3, -87.4, -103, -103.9, -104.5, -200, 1e-45, -1e-45, 1e-38, 0.625, 0.6251, 0.92773, 0.92774, 0.92775, 4, 10,
		math.MaxFloat32, -math.MaxFloat32, float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN())}
	for range 100000 {
		x = append(x, math.Float32frombits(r.Uint32()), float32(r.NormFloat64()), float32(100*r.NormFloat64()))
	}
	each(t, func(t *testing.T) {
		for _, f := range []struct {
			name string
			run  func(dst, a []float32)
			want func(x float64) float64
		}{
			{"exp", Exp, math.Exp}, {"erf", Erf, math.Erf}, {"tanh", Tanh, math.Tanh},
			{"rsqrt", Rsqrt, func(x float64) float64 { return 1 / math.Sqrt(x) }},
			{"logistic", Logistic, func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }},
		} {
			got := make([]float32, len(x))
			f.run(got, x)
			worst, at := 0.0, float32(0)
			for i, y := range got {
				w := f.want(float64(x[i]))
				g := float64(y)
				switch {
				case math.IsNaN(w):
					if !math.IsNaN(g) {
						t.Fatalf("%s(%g) is %g, want NaN", f.name, x[i], y)
					}
				case math.Abs(w) < 0x1p-126: // a subnormal result, or 0: to one unit
					if !(math.Abs(g-w) <= 0x1p-149) {
						t.Fatalf("%s(%g) is %g, want %g", f.name, x[i], y, w)
					}
				case float32(w) == y: // infinities too
				default:
					if e := math.Abs(g-w) / math.Abs(w); !(e <= worst) {
						worst, at = e, x[i]
					}
				}
			}
			if !(worst <= 3e-7) {
				t.Errorf("%s(%g) is off by %.3g of itself", f.name, at, worst)
			}
			t.Logf("%s: at most %.3g of itself, at %g", f.name, worst, at)
			for _, n := range []int{0, 1, 7, 16, 33} { // wherever an element stands, its result is the same
				part := make([]float32, n)
				f.run(part, x[100:])
				for i, y := range part {
					if y != got[100+i] && y == y {
						t.Fatalf("%s: element %d of %d is %g, in a longer run %g", f.name, i, n, y, got[100+i])
					}
				}
			}
		}
	})
}

func TestUnaries(t *testing.T) {
	each(t, func(t *testing.T) {
		for _, n := range []int{0, 1, 7, 8, 21, 64} {
			a, z, m := normals(n, 1), make([]float32, n), make([]float32, n)
			if n > 3 {
				a[2], a[3] = float32(math.NaN()), float32(math.Inf(-1))
			}
			Greater(m, a, z)
			b, back, neg, abs, not, one := make([]bool, n), make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n)
			Bools(b, m)
			Masks(back, b)
			Neg(neg, a)
			Abs(abs, a)
			Not(not, m)
			Ones(one, m)
			bits := math.Float32bits
			for i, x := range a {
				want := float32(0)
				if x > 0 {
					want = 1
				}
				if b[i] != (x > 0) || bits(back[i]) != bits(m[i]) || bits(neg[i]) != bits(x)^1<<31 || bits(abs[i]) != bits(x)&^(1<<31) || bits(not[i]) != ^bits(m[i]) || one[i] != want {
					t.Fatalf("of %g: bool %t, mask %x, negative %g, absolute %g, not %x, one %g", x, b[i], bits(back[i]), neg[i], abs[i], bits(not[i]), one[i])
				}
			}
		}
	})
}

func TestRows(t *testing.T) {
	const rows = 5
	each(t, func(t *testing.T) {
		for _, d := range []int{1, 7, 8, 33, 70} {
			x, u := normals(rows*d, 1), normals(9*d, 2)
			index := []int32{0, 4, 2, 2, 9, -3, 1, 4, 4}
			got := make([]float32, 9*d)
			Gather(2, got, x, index, rows, d)
			sum, top := append([]float32(nil), x...), append([]float32(nil), x...)
			Scatter(3, sum, u, index, rows, d, false)
			Scatter(1, top, u, index, rows, d, true)
			wantSum, wantTop := append([]float32(nil), x...), append([]float32(nil), x...)
			for i, at := range index {
				clamped := max(min(int(at), rows-1), 0)
				for j := range d {
					if got[i*d+j] != x[clamped*d+j] {
						t.Fatalf("row %d element %d is %g, want %g", i, j, got[i*d+j], x[clamped*d+j])
					}
					if at >= 0 && at < rows {
						k := int(at)*d + j
						wantSum[k] += u[i*d+j]
						wantTop[k] = max(wantTop[k], u[i*d+j])
					}
				}
			}
			for i := range wantSum {
				if sum[i] != wantSum[i] || top[i] != wantTop[i] {
					t.Fatalf("element %d: sum %g, want %g; maximum %g, want %g", i, sum[i], wantSum[i], top[i], wantTop[i])
				}
			}
			c := make([]float32, len(u))
			Copy(2, c, u)
			s := make([]float32, len(u))
			Same(s, c, u)
			for i := range s {
				if math.Float32bits(s[i]) != math.MaxUint32 {
					t.Fatalf("copied element %d is %g, want %g", i, c[i], u[i])
				}
			}
		}
	})
}
