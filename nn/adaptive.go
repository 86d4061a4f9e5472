package nn

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// adaptiveBin is the run of cells [from, to) that bin i of bins sees of n cells: PyTorch's rule. Bins overlap where
// bins does not divide n, and repeat cells where there are more bins than cells.
func adaptiveBin(i, n, bins int) (from, to int) {
	return i * n / bins, ((i+1)*n + bins - 1) / bins
}

// AdaptiveMaxPool takes the maximum of x `[batch, height, width, c]` over oh x ow bins: bin i of n cells spans
// floor(i*n/bins) to ceil((i+1)*n/bins), as torch.nn.AdaptiveMaxPool2d. Result `[batch, oh, ow, c]`. The first of equal maxima
// of a bin, row by row, gets the gradient, as in PyTorch.
func AdaptiveMaxPool(x *graph.Node, oh, ow int) *graph.Node {
	if x.Rank() != 4 || oh < 1 || ow < 1 {
		panic(fmt.Errorf("nn: adaptive max pooling of %s to %dx%d", x.Shape(), oh, ow))
	}
	// A bin is a rectangle, so its maximum is one of row maxima. Columns come first: the winner is then the first row by row.
	return adaptiveMax(adaptiveMax(x, 2, ow), 1, oh)
}

// AdaptiveMaxPool1D is AdaptiveMaxPool of x `[batch, length, c]`: `[batch, out, c]`, as torch.nn.AdaptiveMaxPool1d.
func AdaptiveMaxPool1D(x *graph.Node, out int) *graph.Node {
	if x.Rank() != 3 || out < 1 {
		panic(fmt.Errorf("nn: adaptive max pooling of %s to %d", x.Shape(), out))
	}
	return adaptiveMax(x, 1, out)
}

// AdaptiveMeanPool1D is AdaptiveMeanPool of x `[batch, length, c]`: `[batch, out, c]`, as torch.nn.AdaptiveAvgPool1d.
func AdaptiveMeanPool1D(x *graph.Node, out int) *graph.Node {
	if x.Rank() != 3 || out < 1 {
		panic(fmt.Errorf("nn: adaptive mean pooling of %s to %d", x.Shape(), out))
	}
	d := x.Shape().Dimensions
	return graph.Reshape(AdaptiveMeanPool(graph.Reshape(x, d[0], d[1], 1, d[2]), out, 1), d[0], out, d[2])
}

// adaptiveMax is the maximum over the bins of one axis.
func adaptiveMax(x *graph.Node, axis, bins int) *graph.Node {
	g, dims := x.Graph(), x.Shape().Dimensions
	n := dims[axis]
	if bins == n {
		return x
	}
	before, after := 1, 1
	for i, d := range dims {
		switch {
		case i < axis:
			before *= d
		case i > axis:
			after *= d
		}
	}
	// Every bin gets width cells; a shorter one repeats its last, which never is the first of its maxima.
	width := 0
	for i := range bins {
		from, to := adaptiveBin(i, n, bins)
		width = max(width, to-from)
	}
	cells := make([]int32, 0, bins*width)
	place := make([][]float32, n) // [n, bins*width]: 1 where the cell is put
	for i := range place {
		place[i] = make([]float32, bins*width)
	}
	for i := range bins {
		from, to := adaptiveBin(i, n, bins)
		for k := range width {
			c := min(from+k, to-1)
			place[c][i*width+k] = 1
			cells = append(cells, int32(c))
		}
	}
	tiled := bins*width == n
	out := append([]int(nil), dims...)
	out[axis] = bins

	var seen *graph.Node // [bins, width, before, after]
	return CustomVJP([]*graph.Node{x},
		func() *graph.Node {
			rows := graph.TransposeAllAxes(graph.Reshape(x, before, n, after), 1, 0, 2)
			if !tiled {
				rows = graph.Reshape(gather(graph.Reshape(rows, n, before*after), graph.Const(g, cells)), bins*width, before, after)
			}
			seen = graph.Reshape(rows, bins, width, before, after)
			return graph.Reshape(graph.TransposeAllAxes(graph.ReduceMax(seen, 1), 1, 0, 2), out...)
		},
		func(y, v *graph.Node) []*graph.Node {
			byBin := func(x *graph.Node) *graph.Node { // [bins, 1, before, after]
				return graph.Reshape(graph.TransposeAllAxes(graph.Reshape(x, before, bins, after), 1, 0, 2), bins, 1, before, after)
			}
			all := func(x *graph.Node) *graph.Node { return graph.BroadcastToDims(x, seen.Shape().Dimensions...) }
			order := graph.Iota(g, shapes.Make(dtypes.Float32, seen.Shape().Dimensions...), 1)
			hit := graph.Equal(seen, all(byBin(y)))
			first := graph.ReduceAndKeep(graph.Where(hit, order, graph.AddScalar(graph.ZerosLike(order), float64(width))), graph.ReduceMin, 1)
			won := graph.Where(graph.Equal(order, all(first)), all(byBin(v)), graph.ZerosLike(seen))
			d := graph.Reshape(won, bins*width, before*after)
			if !tiled { // a product with 0 and 1: a scatter's order of additions may change from run to run on a GPU
				d = graph.DotGeneral(graph.Const(g, place), []int{1}, nil, d, []int{0}, nil)
			}
			return []*graph.Node{graph.Reshape(graph.TransposeAllAxes(graph.Reshape(d, n, before, after), 1, 0, 2), dims...)}
		})
}
