package objective

import (
	"math"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
)

func TestSupCon(t *testing.T) {
	for _, c := range []struct {
		name   string
		labels []int32
		views  int
	}{
		{"two views", []int32{1, 0, 1}, 2},
		{"one view", []int32{1, 0, 1, 2}, 1}, // 0 and 2 have no positive
		{"unlabelled", []int32{4, -1, 4, -1}, 2},
		{"batch of one", []int32{3}, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := len(c.labels)
			k := check{
				in:   []in{{dims: []int{n * c.views, 4}}, {dims: []int{n}, ints: c.labels}},
				loss: func(x []*graph.Node) *graph.Node { return SupCon(x[0], x[1], c.views, 0.3) },
				want: func(x [][]float64) float64 {
					return refContrast(unflat(x[0], 4), 0.3, func(i, j int) bool {
						a, b := c.labels[i%n], c.labels[j%n]
						return i%n == j%n || a >= 0 && a == b
					})
				},
			}
			// Labels stay where they are, so only the order of the views may change.
			k.run(t, scaleFree(k), func(t *testing.T, f at) {
				x := k.draw(probe(4))
				want, _ := f(t, x)
				perm, order := make([]int, n), make([]int, c.views)
				for i := range perm {
					perm[i] = i
				}
				for i := range order {
					order[i] = (i + 1) % c.views
				}
				got, _ := f(t, [][]float32{permuted(x[0], 4, perm, order), nil})
				near(t, "views turned", got, want, 1e-5)
			})
		})
	}
}

func TestSupConClosedForms(t *testing.T) {
	supcon := func(views int) func(x []*graph.Node) *graph.Node {
		return func(x []*graph.Node) *graph.Node { return SupCon(x[0], x[1], views, 0.5) }
	}
	a, b := []float32{1, 0}, []float32{0, 2}
	closed(t, "one class", math.Log(3), 1e-6, supcon(1), rows(a, a, a, a), ints(7, 7, 7, 7))
	closed(t, "two classes", math.Log(1+2*math.Exp(-2)), 1e-6, supcon(1), rows(a, b, a, b), ints(0, 1, 0, 1))
	closed(t, "no positives", 0, 0, supcon(1), rows(a, b), ints(0, 1))
	// Without labels it is NT-Xent of the same rows.
	closed(t, "without labels", 0, 1e-6, func(x []*graph.Node) *graph.Node {
		return graph.Sub(SupCon(x[0], x[1], 2, 0.2), NTXent(x[0], 2, 0.2))
	}, rows([]float32{1, 2}, []float32{-1, 3}, []float32{0.5, 2}, []float32{1, -1}), ints(-1, -1))
	refuses(t, func(x []*graph.Node) *graph.Node { return SupCon(x[0], x[1], 2, 0.2) }, []int{4, 2}, []int{2}) // float labels
}
