package objective

import (
	"testing"

	"github.com/gomlx/gomlx/core/graph"
)

func refSimSiam(p, t [][]float64, n, views int) float64 {
	var sum, count float64
	for v := range views {
		for w := range views {
			if v == w {
				continue
			}
			for i := range n {
				sum -= cosine(p[v*n+i], t[w*n+i])
				count++
			}
		}
	}
	return sum / count
}

func TestRegression(t *testing.T) {
	for _, c := range []struct {
		name              string
		batch, views, dim int
	}{{"two views", 3, 2, 4}, {"three views", 2, 3, 3}, {"batch of one", 1, 2, 3}} {
		t.Run(c.name, func(t *testing.T) {
			dims := []int{c.batch * c.views, c.dim}
			k := check{
				in:   []in{{dims: dims}, {dims: dims, stopped: true}},
				loss: func(x []*graph.Node) *graph.Node { return SimSiam(x[0], x[1], c.views) },
				want: func(x [][]float64) float64 {
					return refSimSiam(unflat(x[0], c.dim), unflat(x[1], c.dim), c.batch, c.views)
				},
			}
			k.run(t, symmetric(k, c.batch, c.views), scaleFree(k))
			k.loss = func(x []*graph.Node) *graph.Node { return BYOL(x[0], x[1], c.views) }
			siam := k.want
			k.want = func(x [][]float64) float64 { return 4 + 4*siam(x) }
			k.run(t)
		})
	}
}

func TestRegressionClosedForms(t *testing.T) {
	siam := func(x []*graph.Node) *graph.Node { return SimSiam(x[0], x[1], 2) }
	byol := func(x []*graph.Node) *graph.Node { return BYOL(x[0], x[1], 2) }
	a, b, c := []float32{2, 0}, []float32{0, 3}, []float32{-1, 0}
	closed(t, "siam aligned", -1, 1e-6, siam, rows(a, b, a, b), rows(a, b, a, b))
	closed(t, "siam orthogonal", 0, 1e-6, siam, rows(a, a), rows(b, b))
	closed(t, "byol aligned", 0, 1e-6, byol, rows(a, b), rows(b, a)) // a row predicts the other view
	closed(t, "byol opposite", 8, 1e-6, byol, rows(a, a), rows(c, c))
	closed(t, "byol one way", 4, 1e-6, byol, rows(a, a), rows(c, a))
	refuses(t, siam, []int{4, 2}, []int{4, 3})
}
