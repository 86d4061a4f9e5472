package objective

import (
	"math"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
)

// refContrast is L_out of Khosla et al. 2020 in loops. same reports a positive pair.
func refContrast(z [][]float64, temperature float64, same func(i, j int) bool) float64 {
	var sum, n float64
	for i := range z {
		var all, pos []float64
		for j := range z {
			if j == i {
				continue
			}
			s := cosine(z[i], z[j]) / temperature
			all = append(all, s)
			if same(i, j) {
				pos = append(pos, s)
			}
		}
		if len(pos) == 0 {
			continue
		}
		n++
		for _, s := range pos {
			sum -= (s - lse(all)) / float64(len(pos))
		}
	}
	return sum / max(n, 1)
}

func ntxent(views int, temperature float64) func(x []*graph.Node) *graph.Node {
	return func(x []*graph.Node) *graph.Node { return NTXent(x[0], views, temperature) }
}

func TestNTXent(t *testing.T) {
	for _, c := range []struct {
		name              string
		batch, views, dim int
		temperature       float64
	}{
		{"two views", 4, 2, 5, 0.5},
		{"cold", 3, 2, 4, 0.05},
		{"three views", 3, 3, 4, 0.2},
		{"batch of one", 1, 2, 4, 0.5},
		{"batch of one, three views", 1, 3, 4, 0.5},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := check{
				in:   []in{{dims: []int{c.batch * c.views, c.dim}}},
				loss: ntxent(c.views, c.temperature),
				want: func(x [][]float64) float64 {
					return refContrast(unflat(x[0], c.dim), c.temperature, func(i, j int) bool { return i%c.batch == j%c.batch })
				},
			}
			k.run(t, symmetric(k, c.batch, c.views), scaleFree(k))
		})
	}
}

func TestNTXentClosedForms(t *testing.T) {
	a, b := []float32{1, 0}, []float32{0, 2}
	// n orthogonal samples, both views equal: log(1 + (2n-2) e^(-1/T)).
	closed(t, "aligned", math.Log(1+2*math.Exp(-2)), 1e-6, ntxent(2, 0.5), rows(a, b, a, b))
	// All rows equal (collapse): every answer is as good: log(2n-1).
	closed(t, "collapsed", math.Log(5), 1e-6, ntxent(2, 0.5), rows(a, a, a, a, a, a))
	closed(t, "batch of one", 0, 1e-6, ntxent(2, 0.5), rows(a, b))
	// 1/T = 1000 would overflow exp without the maximum subtracted.
	closed(t, "freezing", 1000, 1e-3, ntxent(2, 0.001), rows(a, b, b, a))
	refuses(t, ntxent(2, 0.5), []int{3, 2})
	refuses(t, ntxent(1, 0.5), []int{4, 2})
	refuses(t, ntxent(2, 0), []int{4, 2})
	refuses(t, ntxent(2, 0.5), []int{2, 2, 2})
}
