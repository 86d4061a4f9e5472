package nn

import (
	"fmt"
	"math"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// Message passing is a gather of node rows along edges and a segment reduction of edge rows by
// target node. Indices are integers in [0, n); pad graphs with a spare node that takes the spare edges.

func checkIndex(what string, x, index *graph.Node) {
	if x.Rank() != 2 || index.Rank() != 1 {
		panic(fmt.Errorf("nn: %s of %s by index %s, want rank 2 and 1", what, x.Shape(), index.Shape()))
	}
}

func gather(x, index *graph.Node) *graph.Node { return graph.Gather(x, graph.InsertAxes(index, -1)) }

func scatter(x, index *graph.Node, n int) *graph.Node {
	return graph.ScatterSum(graph.Zeros(x.Graph(), shapes.Make(x.DType(), n, x.Shape().Dim(1))), graph.InsertAxes(index, -1), x, false, false)
}

// GatherRows is x[index] of x `[n, d]` by index `[e]`: `[e, d]`. Its adjoint is SegmentSum.
func GatherRows(x, index *graph.Node) *graph.Node {
	checkIndex("gather", x, index)
	return CustomVJP([]*graph.Node{x},
		func() *graph.Node { return gather(x, index) },
		func(_, v *graph.Node) []*graph.Node { return []*graph.Node{scatter(v, index, x.Shape().Dim(0))} })
}

// SegmentSum sums the rows of x `[e, d]` by segment `[e]`: `[n, d]`. Empty segments are 0.
func SegmentSum(x, segment *graph.Node, n int) *graph.Node {
	checkIndex("segment sum", x, segment)
	return CustomVJP([]*graph.Node{x},
		func() *graph.Node { return scatter(x, segment, n) },
		func(_, v *graph.Node) []*graph.Node { return []*graph.Node{gather(v, segment)} })
}

// SegmentMean is SegmentSum divided by the number of rows in the segment; empty segments are 0.
func SegmentMean(x, segment *graph.Node, n int) *graph.Node {
	checkIndex("segment mean", x, segment)
	one := graph.Ones(x.Graph(), shapes.Make(x.DType(), x.Shape().Dim(0), 1))
	count := scatter(one, segment, n)
	return graph.Div(SegmentSum(x, segment, n), graph.StopGradient(graph.Max(count, graph.ScalarOne(x.Graph(), x.DType()))))
}

func segmentMax(x, segment *graph.Node, n int) *graph.Node {
	// A finite floor: -Inf - -Inf would be NaN.
	low := graph.FillScalar(x.Graph(), shapes.Make(x.DType(), n, x.Shape().Dim(1)), -math.MaxFloat32)
	return graph.ScatterMax(low, graph.InsertAxes(segment, -1), x, false, false)
}

// SegmentMax is the maximum of the rows of x `[e, d]` by segment `[e]`: `[n, d]`. Empty segments are 0. Equal maxima share the
// gradient in equal parts.
func SegmentMax(x, segment *graph.Node, n int) *graph.Node {
	checkIndex("segment max", x, segment)
	return CustomVJP([]*graph.Node{x},
		func() *graph.Node {
			y := segmentMax(x, segment, n)
			return graph.Where(graph.GreaterThan(y, graph.Scalar(y.Graph(), y.DType(), -math.MaxFloat32)), y, graph.ZerosLike(y))
		},
		func(y, v *graph.Node) []*graph.Node {
			top := graph.ConvertDType(graph.Equal(x, gather(y, segment)), x.DType())
			share := graph.Div(v, graph.Max(scatter(top, segment, n), graph.ScalarOne(x.Graph(), x.DType())))
			return []*graph.Node{graph.Mul(top, gather(share, segment))}
		})
}

// SegmentSoftmax is the softmax of each column of x `[e, d]` within each segment `[e]`: `[e, d]` (graph attention,
// Velickovic et al. 2018).
func SegmentSoftmax(x, segment *graph.Node, n int) *graph.Node {
	checkIndex("segment softmax", x, segment)
	return CustomVJP([]*graph.Node{x},
		func() *graph.Node {
			e := graph.Exp(graph.Sub(x, gather(segmentMax(x, segment, n), segment)))
			return graph.Div(e, gather(scatter(e, segment, n), segment))
		},
		func(y, v *graph.Node) []*graph.Node {
			mean := gather(scatter(graph.Mul(y, v), segment, n), segment)
			return []*graph.Node{graph.Mul(y, graph.Sub(v, mean))}
		})
}

// MessagePass sums, for each node, the rows of x `[n, d]` of the nodes with an edge into it: edge i goes from
// source[i] to target[i] (both `[e]`), with weight[i] where weight `[e, 1]` or `[e, d]` is not nil. Result `[n, d]`.
func MessagePass(x, source, target, weight *graph.Node) *graph.Node {
	m := GatherRows(x, source)
	if weight != nil {
		m = graph.Mul(m, graph.BroadcastToDims(weight, m.Shape().Dimensions...))
	}
	return SegmentSum(m, target, x.Shape().Dim(0))
}
