package objective

import (
	"math"
	"testing"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/engine/enginetest"
)

func TestMaskedMSE(t *testing.T) {
	weight := literal{dims: []int{2, 3}, f: []float32{1, 0, 2, 0, 0.5, 0}}
	for _, c := range []struct {
		name   string
		weight []float32
	}{{"both", []float32{1, 0, 2, 0, 0.5, 0}}, {"one sample unmasked", []float32{1, 1, 1, 0, 0, 0}}} {
		t.Run(c.name, func(t *testing.T) {
			d := []int{2, 3, 4}
			check{
				in: []in{{dims: d}, {dims: d, stopped: true}},
				loss: func(x []*graph.Node) *graph.Node {
					w := graph.Reshape(graph.Const(x[0].Graph(), c.weight), weight.dims...)
					return MaskedMSE(x[0], x[1], w).Loss
				},
				want: func(x [][]float64) float64 {
					var sum, total float64
					for i := range x[0] {
						w := float64(c.weight[i/4])
						sum += w * (x[0][i] - x[1][i]) * (x[0][i] - x[1][i]) / 4
						total += w / 4
					}
					return sum / total
				},
			}.run(t)
		})
	}
}

func TestMaskedMSEClosedForms(t *testing.T) {
	enginetest.Each(t, func(t *testing.T, e *engine.Engine) {
		all := func(x []*graph.Node) []*graph.Node {
			r := MaskedMSE(x[0], x[1], x[2])
			return []*graph.Node{r.Loss, r.Trivial, r.PerSample, r.TrivialPerSample, r.Weight}
		}
		// Sample 0: places 1, 3 visible with mean 2; place 5 is restored as 4: error 1, trivial 9.
		// Sample 1: nothing visible, the trivial answer is 0. Sample 2: nothing to restore.
		out := eval(t, e, all,
			literal{dims: []int{3, 3, 1}, f: []float32{9, 9, 4, 1, 1, 1, 5, 5, 5}},
			literal{dims: []int{3, 3, 1}, f: []float32{1, 3, 5, 1, 2, 3, 7, 7, 7}},
			literal{dims: []int{3, 3}, f: []float32{0, 0, 1, 1, 1, 1, 0, 0, 0}})
		for i, want := range [][]float64{
			{(1 + 0 + 1 + 4) / 4.}, {(9 + 1 + 4 + 9) / 4.}, {1, 5. / 3, 0}, {9, 14. / 3, 0}, {1, 3, 0},
		} {
			for j, w := range want {
				near(t, []string{"loss", "trivial", "each", "trivial each", "weight"}[i], float64(out[i][j]), w, 1e-6)
			}
		}
		// No weight at all: zero, not NaN.
		out = eval(t, e, all, literal{dims: []int{1, 1, 1}, f: []float32{3}}, literal{dims: []int{1, 1, 1}, f: []float32{1}}, literal{dims: []int{1, 1}, f: []float32{0}})
		for i := range out {
			near(t, "without weight", float64(out[i][0]), 0, 0)
		}
	})
	refuses(t, func(x []*graph.Node) *graph.Node { return MaskedMSE(x[0], x[1], x[2]).Loss }, []int{2, 3, 4}, []int{2, 3, 4}, []int{3, 2})
}

func TestNormalizePatches(t *testing.T) {
	enginetest.Each(t, func(t *testing.T, e *engine.Engine) {
		out := eval(t, e, func(x []*graph.Node) []*graph.Node { return []*graph.Node{NormalizePatches(x[0])} },
			literal{dims: []int{1, 2, 3}, f: []float32{1, 2, 3, 5, 5, 5}}) // unbiased variance of 1, 2, 3 is 1
		for i, w := range []float64{-1, 0, 1, 0, 0, 0} {
			near(t, "patch", float64(out[0][i]), w/math.Sqrt(1+1e-6), 1e-6)
		}
	})
}
