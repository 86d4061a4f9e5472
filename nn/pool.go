package nn

import (
	"fmt"
	"math"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
)

// PoolOptions describe the window of a pooling; entries are {rows, columns}. A zero Stride is the kernel.
type PoolOptions struct {
	Kernel, Stride [2]int
	Pad            [2][2]int // {before, after} on rows and on columns
}

// window resolves the defaults and the output size for x [n, h, w, c].
func (o PoolOptions) window(x *graph.Node) (opt PoolOptions, oh, ow int) {
	if x.Rank() != 4 {
		panic(fmt.Errorf("nn: pooling of %s, want rank 4", x.Shape()))
	}
	for i := range 2 {
		o.Kernel[i] = max(o.Kernel[i], 1)
		if o.Stride[i] < 1 {
			o.Stride[i] = o.Kernel[i]
		}
		if o.Pad[i][0] < 0 || o.Pad[i][1] < 0 || max(o.Pad[i][0], o.Pad[i][1]) >= o.Kernel[i] {
			panic(fmt.Errorf("nn: pooling pad %v with kernel %v, want 0 <= pad < kernel", o.Pad, o.Kernel))
		}
	}
	oh = outSize(x.Shape().Dim(1), o.Kernel[0], o.Stride[0], 1, o.Pad[0])
	ow = outSize(x.Shape().Dim(2), o.Kernel[1], o.Stride[1], 1, o.Pad[1])
	if oh < 1 || ow < 1 {
		panic(fmt.Errorf("nn: pooling kernel %v exceeds %s", o.Kernel, x.Shape()))
	}
	return o, oh, ow
}

// tiled reports windows that cut the input into equal tiles without rest.
func (o PoolOptions) tiled(x *graph.Node) bool {
	return o.Kernel == o.Stride && o.Pad == [2][2]int{} && x.Shape().Dim(1)%o.Kernel[0] == 0 && x.Shape().Dim(2)%o.Kernel[1] == 0
}

// MeanPool averages windows of x `[batch, height, width, c]`: `[batch, outHeight, outWidth, c]`. Padded zeros count, as in
// torch.nn.AvgPool2d.
func MeanPool(x *graph.Node, opt PoolOptions) *graph.Node {
	o, oh, ow := opt.window(x)
	d := x.Shape().Dimensions
	kh, kw := o.Kernel[0], o.Kernel[1]
	scale := 1 / float64(kh*kw)
	if o.tiled(x) {
		return CustomVJP([]*graph.Node{x},
			func() *graph.Node {
				return graph.MulScalar(graph.ReduceSum(graph.Reshape(x, d[0], oh, kh, ow, kw, d[3]), 2, 4), scale)
			},
			func(_, v *graph.Node) []*graph.Node {
				v = graph.Reshape(graph.MulScalar(v, scale), d[0], oh, 1, ow, 1, d[3])
				return []*graph.Node{graph.Reshape(graph.BroadcastToDims(v, d[0], oh, kh, ow, kw, d[3]), d...)}
			})
	}
	return CustomVJP([]*graph.Node{x},
		func() *graph.Node {
			xp := padCrop(x, o.Pad)
			var sum *graph.Node
			for i := range kh {
				for j := range kw {
					sum = plus(sum, tap(xp, i, j, oh, ow, o.Stride, Square(1)))
				}
			}
			return graph.MulScalar(sum, scale)
		},
		func(_, v *graph.Node) []*graph.Node {
			v = graph.MulScalar(v, scale)
			return []*graph.Node{o.spread(x, oh, ow, func(int) *graph.Node { return v })}
		})
}

// spread adds for each kernel cell t the plane v(t) [n, oh, ow, c] to the places of x that the cell saw.
func (o PoolOptions) spread(x *graph.Node, oh, ow int, v func(t int) *graph.Node) *graph.Node {
	size := [2]int{x.Shape().Dim(1), x.Shape().Dim(2)}
	var dx *graph.Node
	for i := range o.Kernel[0] {
		for j := range o.Kernel[1] {
			d := dilate(v(i*o.Kernel[1]+j), o.Stride)
			start := [2]int{i - o.Pad[0][0], j - o.Pad[1][0]}
			if start[0] <= -d.Shape().Dim(1) || start[1] <= -d.Shape().Dim(2) || start[0] >= size[0] || start[1] >= size[1] {
				continue // the cell sees padding only
			}
			var p [2][2]int
			for a := range 2 {
				p[a] = [2]int{start[a], size[a] - d.Shape().Dim(a+1) - start[a]}
			}
			dx = plus(dx, padCrop(d, p))
		}
	}
	return dx
}

// MaxPool takes the maximum of windows of x `[batch, height, width, c]`: `[batch, outHeight, outWidth, c]`. Padding never wins.
// The first of equal maxima gets the gradient, as in PyTorch.
func MaxPool(x *graph.Node, opt PoolOptions) *graph.Node {
	o, oh, ow := opt.window(x)
	kh, kw := o.Kernel[0], o.Kernel[1]
	taps := make([]*graph.Node, kh*kw)
	return CustomVJP([]*graph.Node{x},
		func() *graph.Node {
			xp := x
			if o.Pad != [2][2]int{} {
				xp = graph.Pad(x, graph.Scalar(x.Graph(), x.DType(), -math.MaxFloat32), compute.PadAxis{},
					compute.PadAxis{Start: o.Pad[0][0], End: o.Pad[0][1]}, compute.PadAxis{Start: o.Pad[1][0], End: o.Pad[1][1]})
			}
			var y *graph.Node
			for t := range taps {
				taps[t] = tap(xp, t/kw, t%kw, oh, ow, o.Stride, Square(1))
				if y == nil {
					y = graph.Identity(taps[t])
				} else {
					y = graph.Max(y, taps[t])
				}
			}
			return y
		},
		func(y, v *graph.Node) []*graph.Node {
			var taken *graph.Node
			return []*graph.Node{o.spread(x, oh, ow, func(t int) *graph.Node {
				hit := graph.Equal(taps[t], y)
				first := hit
				if taken == nil {
					taken = hit
				} else {
					first = graph.LogicalAnd(hit, graph.LogicalNot(taken))
					taken = graph.LogicalOr(taken, hit)
				}
				return graph.Where(first, v, graph.ZerosLike(v))
			})}
		})
}

// GlobalMeanPool averages x `[batch, ..., c]` over all axes between the first and the last: `[batch, c]`.
func GlobalMeanPool(x *graph.Node) *graph.Node {
	d := x.Shape().Dimensions
	if len(d) < 3 {
		panic(fmt.Errorf("nn: global mean pooling of %s, want rank 3 or more", x.Shape()))
	}
	n, c := d[0], d[len(d)-1]
	cells := x.Shape().Size() / (n * c)
	return CustomVJP([]*graph.Node{x},
		func() *graph.Node {
			return graph.MulScalar(graph.ReduceSum(graph.Reshape(x, n, cells, c), 1), 1/float64(cells))
		},
		func(_, v *graph.Node) []*graph.Node {
			v = graph.Reshape(graph.MulScalar(v, 1/float64(cells)), n, 1, c)
			return []*graph.Node{graph.Reshape(graph.BroadcastToDims(v, n, cells, c), d...)}
		})
}

// AdaptiveMeanPool averages x `[batch, height, width, c]` over oh x ow bins: bin i of n cells spans
// floor(i*n/bins) to ceil((i+1)*n/bins), as torch.nn.AdaptiveAvgPool2d. Result `[batch, oh, ow, c]`.
func AdaptiveMeanPool(x *graph.Node, oh, ow int) *graph.Node {
	if x.Rank() != 4 || oh < 1 || ow < 1 {
		panic(fmt.Errorf("nn: adaptive mean pooling of %s to %dx%d", x.Shape(), oh, ow))
	}
	g := x.Graph()
	weights := func(n, bins int) *graph.Node {
		m := make([][]float32, bins)
		for i := range m {
			m[i] = make([]float32, n)
			from, to := i*n/bins, ((i+1)*n+bins-1)/bins
			for j := from; j < to; j++ {
				m[i][j] = 1 / float32(to-from)
			}
		}
		return graph.Const(g, m)
	}
	a, b := weights(x.Shape().Dim(1), oh), weights(x.Shape().Dim(2), ow)
	pool := func(x, a, b *graph.Node) *graph.Node {
		y := graph.DotGeneral(a, []int{1}, nil, x, []int{1}, nil) // [oh, n, w, c]
		y = graph.DotGeneral(b, []int{1}, nil, y, []int{2}, nil)  // [ow, oh, n, c]
		return graph.TransposeAllAxes(y, 2, 1, 0, 3)
	}
	return CustomVJP([]*graph.Node{x},
		func() *graph.Node { return pool(x, a, b) },
		func(_, v *graph.Node) []*graph.Node {
			return []*graph.Node{pool(v, graph.Transpose(a, 0, 1), graph.Transpose(b, 0, 1))}
		})
}
