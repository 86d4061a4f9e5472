// Package objective holds the losses of self-supervised learning, one file a loss, as
// graph functions on float32 nodes. None knows a domain.
//
// Most users need [NTXent], the contrastive loss of SimCLR, and [Classify], which
// predicts a drawn parameter. [Measure] tells on the host whether features have collapsed.
//
// # Shapes
//
// Several views of a batch come stacked in view-major order as z [views*batch, dim]:
// rows i, i+batch, i+2*batch, ... are the views of sample i. Losses return a float32
// scalar. Graph functions panic on wrong shapes, as those of GoMLX do; package engine
// turns that into an error.
//
// # Adding a loss
//
// Write NAME.go with one graph function (paper, equations and shapes in its comment), a
// slow reference, a closed form, its symmetries, a batch of one and a gradient check in
// NAME_test.go (see check in objective_test.go). Recipes reach it by one case where package
// pretrain picks the loss of a contract, and its name in the list that package recipe validates.
package objective

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// normEps is the length below which a row has no direction.
const normEps = 1e-12

// Normalize divides each row of x [rows, dim] by its Euclidean length. A row shorter than 1e-12
// becomes zero and gets no gradient (dividing by the floor instead, as PyTorch does, would
// multiply its gradient by 1e12).
func Normalize(x *graph.Node) *graph.Node {
	sq := graph.ReduceAndKeep(graph.Square(x), graph.ReduceSum, -1)
	long := graph.GreaterThan(sq, constant(sq, normEps*normEps))
	inv := graph.Where(long, inverseRoot(graph.Where(long, sq, graph.OnesLike(sq))), graph.ZerosLike(sq))
	return graph.Mul(x, inv)
}

// inverseRoot is 1/sqrt(x); graph.Rsqrt has no gradient in GoMLX.
func inverseRoot(x *graph.Node) *graph.Node { return graph.Reciprocal(graph.Sqrt(x)) }

// logSumExp reduces the last axis of x [rows, cols] to [rows]. The maximum is subtracted
// first, so that no exponential overflows.
func logSumExp(x *graph.Node) *graph.Node {
	top := graph.StopGradient(graph.ReduceAndKeep(x, graph.ReduceMax, -1))
	sum := graph.ReduceSum(graph.Exp(graph.Sub(x, top)), -1)
	return graph.Add(graph.Log(sum), graph.Reshape(top, sum.Shape().Dimensions...))
}

// masked is what a similarity becomes when it must not count: its exponential is zero.
const masked = -1e9

// products is a b^T: [n, dim], [m, dim] -> [n, m].
func products(a, b *graph.Node) *graph.Node { return graph.Einsum("id,jd->ij", a, b) }

// indices returns the row and the column number of an [n, m] matrix as int32.
func indices(g *graph.Graph, n, m int) (row, col *graph.Node) {
	s := shapes.Make(dtypes.Int32, n, m)
	return graph.Iota(g, s, 0), graph.Iota(g, s, 1)
}

func constant(like *graph.Node, v float64) *graph.Node {
	return graph.Scalar(like.Graph(), like.DType(), v)
}

func float(x *graph.Node) *graph.Node { return graph.ConvertDType(x, dtypes.Float32) }

// split checks a view-major node and returns its views, each [batch, dim].
func split(name string, z *graph.Node, views int) []*graph.Node {
	n := batch(name, z, views)
	out := make([]*graph.Node, views)
	for v := range out {
		out[v] = graph.Slice(z, graph.AxisRange(v*n, (v+1)*n), graph.AxisRange())
	}
	return out
}

// batch checks that z is float32 [views*batch, dim] and returns batch.
func batch(name string, z *graph.Node, views int) int {
	need(z.DType() == dtypes.Float32 && z.Rank() == 2, "%s: z is %s, want float32 [views*batch, dim]", name, z.Shape())
	rows := z.Shape().Dimensions[0]
	need(views > 0 && rows%views == 0, "%s: %d rows do not divide into %d views", name, rows, views)
	return rows / views
}

func same(name string, a, b *graph.Node) {
	need(a.DType() == b.DType() && slices.Equal(a.Shape().Dimensions, b.Shape().Dimensions),
		"%s: shapes %s and %s differ", name, a.Shape(), b.Shape())
}

func need(ok bool, format string, args ...any) {
	if !ok {
		panic(fmt.Errorf("objective: "+format, args...))
	}
}
