package objective

import (
	"math"
	"testing"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/engine/enginetest"
)

func TestClassify(t *testing.T) {
	for _, labels := range [][]int32{{0, 2, 1, 2, 0}, {1, -1, 2, -1, 0}, {2}} {
		n := len(labels)
		check{
			in:   []in{{dims: []int{n, 3}}, {dims: []int{n}, ints: labels}},
			loss: func(x []*graph.Node) *graph.Node { return Classify(x[0], x[1]).Loss },
			want: func(x [][]float64) float64 {
				var sum, count float64
				for i, row := range unflat(x[0], 3) {
					if labels[i] >= 0 {
						sum += lse(row) - row[labels[i]]
						count++
					}
				}
				return sum / count
			},
		}.run(t)
	}
}

func TestClassifyClosedForms(t *testing.T) {
	all := func(x []*graph.Node) []*graph.Node {
		c := Classify(x[0], x[1])
		return []*graph.Node{c.Loss, c.Correct, c.Count}
	}
	for name, c := range map[string]struct {
		logits literal
		labels literal
		want   [3]float64
	}{
		"uniform":      {rows([]float32{7, 7, 7, 7}), ints(3), [3]float64{math.Log(4), 0, 1}},
		"certain":      {rows([]float32{1e4, 0}, []float32{0, 1e4}), ints(0, 1), [3]float64{0, 2, 2}},
		"wrong":        {rows([]float32{1e4, 0}, []float32{0, 1e4}), ints(1, 1), [3]float64{5e3, 1, 2}},
		"no label":     {rows([]float32{1, 2}, []float32{2, 1}), ints(-1, -1), [3]float64{0, 0, 0}},
		"padding":      {rows([]float32{0, 0}, []float32{9, 1}), ints(0, -1), [3]float64{math.Log(2), 1, 1}},
		"one class":    {rows([]float32{3}), ints(0), [3]float64{0, 1, 1}},
		"large logits": {rows([]float32{1e30, 1e30}), ints(0), [3]float64{0, 1, 1}},
	} {
		if name == "large logits" { // log 2 is lost beside 1e30: the value must stay finite
			c.want[0] = 0
		}
		t.Run(name, func(t *testing.T) {
			enginetest.Each(t, func(t *testing.T, e *engine.Engine) {
				out := eval(t, e, all, c.logits, c.labels)
				for i, w := range c.want {
					near(t, []string{"loss", "correct", "count"}[i], float64(out[i][0]), w, 1e-5)
				}
			})
		})
	}
}

func TestRegress(t *testing.T) {
	check{
		in:   []in{{dims: []int{4, 2}}, {dims: []int{4, 2}, stopped: true}},
		loss: func(x []*graph.Node) *graph.Node { return Regress(x[0], x[1]).Loss },
		want: func(x [][]float64) float64 {
			var sum float64
			for i := range x[0] {
				sum += (x[0][i] - x[1][i]) * (x[0][i] - x[1][i])
			}
			return sum / 8
		},
	}.run(t)
	enginetest.Each(t, func(t *testing.T, e *engine.Engine) {
		out := eval(t, e, func(x []*graph.Node) []*graph.Node {
			r := Regress(x[0], x[1])
			return []*graph.Node{r.Loss, r.Squares, r.Sum, r.SumSq}
		}, literal{dims: []int{3}, f: []float32{1, 2, 2}}, literal{dims: []int{3}, f: []float32{1, 2, 3}})
		for i, w := range []float64{1. / 3, 1, 6, 14} {
			near(t, "output", float64(out[i][0]), w, 1e-6)
		}
	})
	refuses(t, func(x []*graph.Node) *graph.Node { return Regress(x[0], x[1]).Loss }, []int{4}, []int{4, 1})
}

func TestR2(t *testing.T) {
	near(t, "R2", R2(1, 6, 14, 3), 0.5, 1e-12)            // SST of {1, 2, 3} is 2
	near(t, "R2 of the mean", R2(2, 6, 14, 3), 0, 1e-12)  // predicting the mean explains nothing
	near(t, "R2 of the truth", R2(0, 6, 14, 3), 1, 1e-12) // no error
	if got := R2(1, 4, 16, 1); !math.IsNaN(got) {
		t.Errorf("R2 of one target is %g, want NaN", got)
	}
}
