package objective

import (
	"fmt"
	"math"
	"testing"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/engine/enginetest"
)

func refMoCo(q, k, queue [][]float64, temperature float64) float64 {
	var sum float64
	for i := range q {
		all := []float64{cosine(q[i], k[i]) / temperature}
		for _, m := range queue { // as stored, not normalised again
			all = append(all, dot(q[i], m)/math.Sqrt(dot(q[i], q[i]))/temperature)
		}
		sum += lse(all) - all[0]
	}
	return sum / float64(len(q))
}

func TestMoCo(t *testing.T) {
	for _, c := range []struct{ batch, keys, dim int }{{3, 5, 4}, {1, 2, 3}, {4, 3, 2}} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			d := []int{c.batch, c.dim}
			check{
				in:   []in{{dims: d}, {dims: d, stopped: true}, {dims: []int{c.keys, c.dim}, stopped: true}},
				loss: func(x []*graph.Node) *graph.Node { l, _ := MoCo(x[0], x[1], x[2], 0.2); return l },
				want: func(x [][]float64) float64 {
					return refMoCo(unflat(x[0], c.dim), unflat(x[1], c.dim), unflat(x[2], c.dim), 0.2)
				},
			}.run(t)
		})
	}
	t.Run("symmetric", func(t *testing.T) {
		d := []int{4, 3}
		check{
			in:   []in{{dims: d}, {dims: d, stopped: true}, {dims: []int{3, 3}, stopped: true}},
			loss: func(x []*graph.Node) *graph.Node { l, _ := MoCoSymmetric(x[0], x[1], x[2], 2, 0.5); return l },
			want: func(x [][]float64) float64 {
				q, k, m := unflat(x[0], 3), unflat(x[1], 3), unflat(x[2], 3)
				return (refMoCo(q[:2], k[2:], m, 0.5) + refMoCo(q[2:], k[:2], m, 0.5)) / 2
			},
		}.run(t)
	})
}

func TestMoCoClosedForms(t *testing.T) {
	moco := func(x []*graph.Node) *graph.Node { l, _ := MoCo(x[0], x[1], x[2], 0.5); return l }
	a, b := []float32{3, 0}, []float32{0, 1}
	closed(t, "told apart", math.Log(1+2*math.Exp(-2)), 1e-6, moco, rows(a), rows(a), rows(b, b))
	closed(t, "collapsed", math.Log(4), 1e-6, moco, rows(b, b), rows(b, b), rows(b, b, b))
}

func TestMoCoQueue(t *testing.T) {
	enginetest.Each(t, func(t *testing.T, e *engine.Engine) {
		for _, c := range []struct {
			keys, queue literal
			want        []float32
		}{
			{rows([]float32{3, 4}), rows([]float32{1, 0}, []float32{0, 1}), []float32{.6, .8, 1, 0}},                    // the oldest is dropped
			{rows([]float32{2, 0}, []float32{0, 2}), rows([]float32{.6, .8}, []float32{.8, .6}), []float32{1, 0, 0, 1}}, // all replaced
			{rows([]float32{2, 0}, []float32{0, 2}, []float32{1, 0}), rows([]float32{.6, .8}), []float32{1, 0}},         // batch longer than the queue
			{rows([]float32{0, -5}), rows([]float32{1, 0}, []float32{0, 1}, []float32{.6, .8}), []float32{0, -1, 1, 0, 0, 1}},
		} {
			out := eval(t, e, func(x []*graph.Node) []*graph.Node {
				_, next := MoCo(x[0], x[0], x[1], 0.2)
				return []*graph.Node{next}
			}, c.keys, c.queue)
			if len(out[0]) != len(c.want) {
				t.Fatalf("queue of %d numbers, want %d", len(out[0]), len(c.want))
			}
			for i, w := range c.want {
				near(t, "queue", float64(out[0][i]), float64(w), 1e-6)
			}
		}
	})
}
