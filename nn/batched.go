package nn

import (
	"fmt"
	"math"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/engine"
)

// BatchedMatMul multiplies n pairs of matrices: a `[n, m, k]` and b `[n, k, p]` give `[n, m, p]`. With a row of weights for
// every column of a table it is one operation instead of n. Precision as MatMul.
func BatchedMatMul(a, b *graph.Node) *graph.Node {
	if a.Rank() != 3 || b.Rank() != 3 || a.Shape().Dim(0) != b.Shape().Dim(0) || a.Shape().Dim(2) != b.Shape().Dim(1) {
		panic(fmt.Errorf("nn: batched product of %s and %s, want [n, m, k] and [n, k, p]", a.Shape(), b.Shape()))
	}
	mode := engine.ModeOf(a.Graph())
	product := func(x *graph.Node, cx int, y *graph.Node, cy int) *graph.Node {
		return dot(mode, x, []int{cx}, []int{0}, y, []int{cy}, []int{0})
	}
	return CustomVJP([]*graph.Node{a, b},
		func() *graph.Node { return product(a, 2, b, 1) },
		func(_, v *graph.Node) []*graph.Node { return []*graph.Node{product(v, 2, b, 2), product(a, 1, v, 1)} })
}

// Periodic is the periodic encoding of numbers (Gorishniy et al. 2022, arXiv:2203.05556, section 3.3): for each
// x `[n, m]` and each of the k frequencies of its row of c `[n, k]`
//
//	[sin(2 pi c x), cos(2 pi c x)]
//
// as `[n, m, 2k]`, the sines first.
func Periodic(x, c *graph.Node) *graph.Node {
	if x.Rank() != 2 || c.Rank() != 2 || x.Shape().Dim(0) != c.Shape().Dim(0) {
		panic(fmt.Errorf("nn: periodic encoding of %s with frequencies %s, want [n, m] and [n, k]", x.Shape(), c.Shape()))
	}
	n, m, k := x.Shape().Dim(0), x.Shape().Dim(1), c.Shape().Dim(1)
	wide := graph.Reshape(x, n, m, 1)
	row := graph.Reshape(graph.MulScalar(c, 2*math.Pi), n, 1, k)
	var sin, cos *graph.Node
	return CustomVJP([]*graph.Node{x, c},
		func() *graph.Node {
			angle := graph.Mul(wide, row)
			sin, cos = graph.Sin(angle), graph.Cos(angle)
			return graph.Concatenate([]*graph.Node{sin, cos}, -1)
		},
		func(_, v *graph.Node) []*graph.Node {
			ds, dc := graph.SliceAxis(v, -1, graph.AxisRange(0, k)), graph.SliceAxis(v, -1, graph.AxisRange(k, 2*k))
			angle := graph.Sub(graph.Mul(ds, cos), graph.Mul(dc, sin)) // adjoint of the angle [n, m, k]
			return []*graph.Node{
				graph.ReduceSum(graph.Mul(angle, row), -1),
				graph.MulScalar(graph.ReduceSum(graph.Mul(angle, wide), 1), 2*math.Pi),
			}
		})
}
