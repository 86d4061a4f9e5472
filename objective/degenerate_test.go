package objective

import (
	"math"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/engine/enginetest"
)

// TestDegenerateInputs: a collapsed, dead or wild encoder gives finite losses and gradients, so that
// the health watch can name it before NaN does.
func TestDegenerateInputs(t *testing.T) {
	names := []string{"ntxent", "supcon", "vicreg", "barlow", "simsiam", "byol", "moco", "classify", "regress", "restore"}
	enginetest.Each(t, func(t *testing.T, e *engine.Engine) {
		p, err := e.Compile("degenerate", func(g *graph.Graph) []*graph.Node {
			s := shapes.Make(dtypes.Float32, 4, 3)
			z, k := graph.Parameter(g, "z", s), graph.Parameter(g, "k", s)
			labels := graph.Const(g, []int32{0, 1})
			moco, _ := MoCo(z, k, k, 0.07)
			out := []*graph.Node{
				NTXent(z, 2, 0.07), SupCon(z, labels, 2, 0.07), VICReg(z, 2, VICRegDefaults), Barlow(z, 2, BarlowLambda),
				SimSiam(z, k, 2), BYOL(z, k, 2), moco,
				Classify(z, graph.Const(g, []int32{0, 1, 2, -1})).Loss, Regress(z, k).Loss,
				MaskedMSE(graph.Reshape(z, 2, 2, 3), NormalizePatches(graph.Reshape(k, 2, 2, 3)), graph.Const(g, [][]float32{{1, 0}, {1, 1}})).Loss,
			}
			for _, l := range out[:len(names)] {
				out = append(out, graph.Gradient(l, z)[0])
			}
			return out
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			name string
			at   func(i int) float64
		}{
			{"zero", func(int) float64 { return 0 }},
			{"one point", func(i int) float64 { return float64(i%3 + 1) }},
			{"one value", func(int) float64 { return -3 }},
			{"tiny", func(i int) float64 { return 1e-20 * float64(i-5) }},
			{"great", func(i int) float64 { return 1e4 * float64(i*i%7-3) }},
			{"one dead row", func(i int) float64 { return float64(i/3) * float64(i%3-1) }},
		} {
			x := make([]float32, 12)
			for i := range x {
				x[i] = float32(c.at(i))
			}
			out, err := p.Floats(x, x)
			if err != nil {
				t.Fatal(err)
			}
			for i, o := range out {
				what := "loss"
				if i >= len(names) {
					what = "gradient"
				}
				for _, v := range o {
					if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
						t.Errorf("%s: %s of %s is %v", c.name, what, names[i%len(names)], o)
						break
					}
				}
			}
		}
	})
}

// BenchmarkNTXent is the loss with its gradient for 256 samples in two views of 64 numbers.
func BenchmarkNTXent(b *testing.B) {
	const rows, dim = 512, 64
	for _, e := range enginetest.Engines(b) {
		b.Run(e.Kind(), func(b *testing.B) {
			c := check{in: []in{{dims: []int{rows, dim}}}, loss: ntxent(2, 0.2)}
			f := c.compile(b, e)
			x := c.draw(probe(1))
			for b.Loop() {
				f(b, x)
			}
			b.ReportMetric(float64(b.N)*rows/2/b.Elapsed().Seconds(), "images/s")
		})
	}
}
