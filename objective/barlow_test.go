package objective

import (
	"math"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
)

func refBarlow(z [][]float64, n, views int, lambda float64) float64 {
	dim := len(z[0])
	standard := func(v int) [][]float64 {
		out := make([][]float64, n)
		for i := range out {
			out[i] = make([]float64, dim)
		}
		for j := range dim {
			var m, s float64
			for i := range n {
				m += z[v*n+i][j] / float64(n)
			}
			for i := range n {
				s += (z[v*n+i][j] - m) * (z[v*n+i][j] - m) / float64(n)
			}
			for i := range n {
				out[i][j] = (z[v*n+i][j] - m) / math.Sqrt(s+1e-5)
			}
		}
		return out
	}
	var sum, pairs float64
	for v := range views {
		for w := v + 1; w < views; w++ {
			a, b := standard(v), standard(w)
			pairs++
			for j := range dim {
				for k := range dim {
					var c float64
					for i := range n {
						c += a[i][j] * b[i][k] / float64(n)
					}
					if j == k {
						sum += (1 - c) * (1 - c)
					} else {
						sum += lambda * c * c
					}
				}
			}
		}
	}
	return sum / pairs
}

func TestBarlow(t *testing.T) {
	for _, c := range []struct {
		name              string
		batch, views, dim int
		lambda            float64
	}{
		{"two views", 5, 2, 3, BarlowLambda},
		{"heavy", 4, 2, 3, 2},
		{"three views", 4, 3, 2, 0.5},
		{"batch of one", 1, 2, 3, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := check{
				in:   []in{{dims: []int{c.batch * c.views, c.dim}}},
				tol:  1e-4, // the standardisation loses a digit where a feature hardly varies
				loss: func(x []*graph.Node) *graph.Node { return Barlow(x[0], c.views, c.lambda) },
				want: func(x [][]float64) float64 { return refBarlow(unflat(x[0], c.dim), c.batch, c.views, c.lambda) },
			}
			k.run(t, symmetric(k, c.batch, c.views))
		})
	}
}

func TestBarlowClosedForms(t *testing.T) {
	barlow := func(x []*graph.Node) *graph.Node { return Barlow(x[0], 2, 0.5) }
	p, q, r, s := []float32{1, 1}, []float32{1, -1}, []float32{-1, 1}, []float32{-1, -1}
	closed(t, "identity", 0, 1e-5, barlow, rows(p, q, r, s, p, q, r, s))
	closed(t, "features swapped", 2+0.5*2, 1e-4, barlow, rows(p, q, r, s, p, r, q, s))
	closed(t, "redundant", 0.5*2, 1e-4, barlow, rows(p, s, p, s))
	closed(t, "opposite", 2*4, 1e-3, barlow, rows(p, q, r, s, s, r, q, p))
	closed(t, "lambda by default", 2*BarlowLambda, 1e-4, func(x []*graph.Node) *graph.Node { return Barlow(x[0], 2, 0) }, rows(p, s, p, s))
	closed(t, "collapsed", 2, 1e-6, barlow, rows(p, p, p, p))
	closed(t, "batch of one", 2, 1e-6, barlow, rows(p, s))
}
