package cases

import (
	"fmt"
	"math"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/nn"
	"github.com/selfsame-ml/selfsame/nn/gradcheck"
)

// refAdaptive reduces the bins of x [n, h, w, c] by torch.nn.AdaptiveAvgPool2d's rule: start floor(i*h/oh), end ceil((i+1)*h/oh).
func refAdaptive(x []float64, n, h, w, c, oh, ow int, reduce func(v []float64) float64) []float64 {
	bin := func(i, n, bins int) (from, to int) {
		return int(math.Floor(float64(i*n) / float64(bins))), int(math.Ceil(float64((i+1)*n) / float64(bins)))
	}
	var y []float64
	for b := range n {
		for i := range oh {
			for j := range ow {
				for f := range c {
					var v []float64
					r0, r1 := bin(i, h, oh)
					c0, c1 := bin(j, w, ow)
					for r := r0; r < r1; r++ {
						for q := c0; q < c1; q++ {
							v = append(v, x[((b*h+r)*w+q)*c+f])
						}
					}
					y = append(y, reduce(v))
				}
			}
		}
	}
	return y
}

func mean(v []float64) float64 { return sum(v) / float64(len(v)) }

func highest(v []float64) float64 {
	m := v[0]
	for _, x := range v {
		m = max(m, x)
	}
	return m
}

func init() {
	for _, c := range []struct {
		name   string
		xd     [4]int
		oh, ow int
	}{
		{"tiles", [4]int{2, 4, 6, 2}, 2, 3},
		{"overlapping bins", [4]int{2, 5, 4, 2}, 3, 3},
		{"one bin", [4]int{2, 5, 4, 2}, 1, 1},
		{"as many bins as cells", [4]int{1, 3, 4, 2}, 3, 4},
		{"more bins than cells", [4]int{2, 5, 3, 2}, 7, 8},
		{"more rows, fewer columns", [4]int{1, 3, 7, 1}, 5, 2},
		{"width 1 batch 1", [4]int{1, 7, 1, 2}, 4, 1},
		{"one cell to many", [4]int{1, 1, 1, 2}, 2, 3},
		{"10 to 7", [4]int{1, 10, 2, 1}, 7, 2},
	} {
		for layer, l := range map[string]struct {
			f   func(x *graph.Node, oh, ow int) *graph.Node
			ref func(v []float64) float64
		}{
			"AdaptiveMeanPool": {nn.AdaptiveMeanPool, mean},
			"AdaptiveMaxPool":  {nn.AdaptiveMaxPool, highest},
		} {
			gradcheck.Register(gradcheck.Case{Layer: layer, Name: c.name + fmt.Sprintf(" %dx%d", c.oh, c.ow), Inputs: []gradcheck.Input{gradcheck.F(c.xd[:]...)},
				Forward: func(in nodes) *graph.Node { return l.f(in[0], c.oh, c.ow) },
				Reference: func(in [][]float64) []float64 {
					return refAdaptive(in[0], c.xd[0], c.xd[1], c.xd[2], c.xd[3], c.oh, c.ow, l.ref)
				}})
		}
	}
	for _, c := range []struct {
		name   string
		xd     [3]int
		length int
	}{
		{"overlapping bins", [3]int{2, 7, 3}, 3},
		{"more bins than cells", [3]int{2, 3, 2}, 5},
		{"one bin, batch 1, one channel", [3]int{1, 6, 1}, 1},
		{"length 1", [3]int{2, 1, 2}, 2},
	} {
		for layer, l := range map[string]struct {
			f   func(x *graph.Node, out int) *graph.Node
			ref func(v []float64) float64
		}{
			"AdaptiveMeanPool1D": {nn.AdaptiveMeanPool1D, mean},
			"AdaptiveMaxPool1D":  {nn.AdaptiveMaxPool1D, highest},
		} {
			gradcheck.Register(gradcheck.Case{Layer: layer, Name: c.name, Inputs: []gradcheck.Input{gradcheck.F(c.xd[:]...)},
				Forward: func(in nodes) *graph.Node { return l.f(in[0], c.length) },
				Reference: func(in [][]float64) []float64 {
					return refAdaptive(in[0], c.xd[0], c.xd[1], 1, c.xd[2], c.length, 1, l.ref)
				}})
		}
	}
}
