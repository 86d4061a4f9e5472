package metric

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
	"pgregory.net/rapid"
)

func normals(seed uint64, n int) []float32 {
	r := rand.New(rand.NewPCG(seed, 1))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// eachKernel runs f with the vector kernels (where the processor has them) and
// with the plain ones.
func eachKernel(t *testing.T, f func(t *testing.T)) {
	if withVector(true) {
		t.Run("vector", f)
	}
	defer withVector(true)
	withVector(false)
	t.Run("plain", f)
}

func TestMulAgainstFloat64(t *testing.T) {
	eachKernel(t, func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			m, n := rapid.IntRange(1, 19).Draw(t, "m"), rapid.IntRange(1, 40).Draw(t, "n")
			k := rapid.IntRange(1, 70).Draw(t, "k")
			a, b := normals(1, m*k), normals(2, n*k)
			got := make([]float32, m*n)
			Mul(got, a, b, m, k, n)
			for i := range m {
				for j := range n {
					var want float64
					for p := range k {
						want += float64(a[i*k+p]) * float64(b[j*k+p])
					}
					if math.Abs(float64(got[i*n+j])-want) > 1e-4 {
						t.Fatalf("m=%d n=%d k=%d: [%d,%d] = %v, want %v", m, n, k, i, j, got[i*n+j], want)
					}
				}
			}
			g := normals(3, n*k)
			want := make([]float64, n*k)
			d := normals(4, m*n)
			for i := range want {
				want[i] = float64(g[i])
			}
			for i := range m {
				for j := range n {
					for p := range k {
						want[j*k+p] += float64(d[i*n+j]) * float64(a[i*k+p])
					}
				}
			}
			addOuter(g, d, a, m, n, k)
			for i := range want {
				if math.Abs(float64(g[i])-want[i]) > 1e-4 {
					t.Fatalf("outer m=%d c=%d k=%d: %d = %v, want %v", m, n, k, i, g[i], want[i])
				}
			}
		})
	})
}

func BenchmarkMul(b *testing.B) {
	const m, n = 256, 2048
	for _, k := range []int{64, 784} {
		x, y, d := normals(1, m*k), normals(2, n*k), make([]float32, m*n)
		run := func(name string, f func()) {
			b.Run(fmt.Sprintf("%s/k=%d", name, k), func(b *testing.B) {
				for b.Loop() {
					f()
				}
				b.ReportMetric(2*m*n*float64(k)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOPS")
			})
		}
		if withVector(true) {
			run("vector", func() { Mul(d, x, y, m, k, n) })
		}
		withVector(false)
		run("plain", func() { Mul(d, x, y, m, k, n) })
		withVector(true)
		run("gonum", func() {
			blas32.Gemm(blas.NoTrans, blas.Trans, 1, blas32.General{Rows: m, Cols: k, Stride: k, Data: x},
				blas32.General{Rows: n, Cols: k, Stride: k, Data: y}, 0, blas32.General{Rows: m, Cols: n, Stride: n, Data: d})
		})
	}
}
