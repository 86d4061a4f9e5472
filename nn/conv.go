package nn

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/engine"
)

// ConvOptions describe the window of a 2-D convolution. The zero value is stride 1,
// no padding, dilation 1, one group. Entries are {rows, columns}.
type ConvOptions struct {
	Stride   [2]int
	Pad      [2][2]int // zeros {before, after} on rows and on columns
	Dilation [2]int
	Groups   int // input channels are split into so many independent groups
}

// Square is {n, n}.
func Square(n int) [2]int { return [2]int{n, n} }

// PadSquare pads n zeros on each side of rows and columns.
func PadSquare(n int) [2][2]int { return [2][2]int{{n, n}, {n, n}} }

// conv is one resolved convolution.
type conv struct {
	n, h, w, c     int // input
	kh, kw, cg, o  int // kernel
	oh, ow, groups int
	s, d           [2]int
	p              [2][2]int
	mode           engine.Mode
}

func resolve(x, w *graph.Node, opt ConvOptions) conv {
	if x.Rank() != 4 || w.Rank() != 4 {
		panic(fmt.Errorf("nn: convolution of input %s by kernel %s, want rank 4 each", x.Shape(), w.Shape()))
	}
	xd, wd := x.Shape().Dimensions, w.Shape().Dimensions
	k := conv{
		n: xd[0], h: xd[1], w: xd[2], c: xd[3], kh: wd[0], kw: wd[1], cg: wd[2], o: wd[3],
		groups: max(opt.Groups, 1), p: opt.Pad, mode: engine.ModeOf(x.Graph()),
	}
	for i := range 2 {
		k.s[i], k.d[i] = max(opt.Stride[i], 1), max(opt.Dilation[i], 1)
	}
	if k.c != k.cg*k.groups || k.o%k.groups != 0 {
		panic(fmt.Errorf("nn: convolution of %d channels in %d groups by kernel %v", k.c, k.groups, wd))
	}
	k.oh = outSize(k.h, k.kh, k.s[0], k.d[0], k.p[0])
	k.ow = outSize(k.w, k.kw, k.s[1], k.d[1], k.p[1])
	if k.oh < 1 || k.ow < 1 {
		panic(fmt.Errorf("nn: convolution kernel %v (dilation %v) exceeds input %v with padding %v", wd[:2], k.d, xd[1:3], k.p))
	}
	return k
}

func outSize(n, k, s, d int, p [2]int) int {
	n += p[0] + p[1] - d*(k-1) - 1
	if n < 0 {
		return 0
	}
	return n/s + 1
}

// Conv2D is the 2-D cross-correlation of x `[batch, height, width, in]` by w
// `[kernelHeight, kernelWidth, in/groups, out]`, plus bias b `[out]` (may be nil):
// `[batch, outHeight, outWidth, out]`, as torch.nn.functional.conv2d in channels-last layout.
func Conv2D(x, w, b *graph.Node, opt ConvOptions) *graph.Node {
	k := resolve(x, w, opt)
	y := CustomVJP([]*graph.Node{x, w},
		func() *graph.Node { return k.forward(x, w) },
		func(_, v *graph.Node) []*graph.Node { return []*graph.Node{k.dx(v, w), k.dw(x, v)} })
	if b != nil {
		y = AddBias(y, b)
	}
	return y
}

// Conv1DOptions describe the window of a 1-D convolution; see ConvOptions.
type Conv1DOptions struct {
	Stride   int
	Pad      [2]int
	Dilation int
	Groups   int
}

// Conv1D is the 1-D cross-correlation of x `[batch, length, in]` by w `[kernel, in/groups, out]`,
// plus bias b `[out]` (may be nil): `[batch, outLength, out]`.
func Conv1D(x, w, b *graph.Node, opt Conv1DOptions) *graph.Node {
	xd, wd := x.Shape().Dimensions, w.Shape().Dimensions
	if len(xd) != 3 || len(wd) != 3 {
		panic(fmt.Errorf("nn: 1-D convolution of input %s by kernel %s, want rank 3 each", x.Shape(), w.Shape()))
	}
	y := Conv2D(graph.Reshape(x, xd[0], xd[1], 1, xd[2]), graph.Reshape(w, wd[0], 1, wd[1], wd[2]), b, ConvOptions{
		Stride: [2]int{opt.Stride, 1}, Pad: [2][2]int{opt.Pad}, Dilation: [2]int{opt.Dilation, 1}, Groups: opt.Groups,
	})
	yd := y.Shape().Dimensions
	return graph.Reshape(y, yd[0], yd[1], yd[3])
}

// CausalConv1D is the dilated causal convolution of van den Oord et al. 2016 (WaveNet): output t of
// x `[batch, length, in]` sees inputs t, t-dilation, ..., t-(kernel-1)*dilation only. The length is kept.
func CausalConv1D(x, w, b *graph.Node, dilation, groups int) *graph.Node {
	d := max(dilation, 1)
	return Conv1D(x, w, b, Conv1DOptions{Pad: [2]int{(w.Shape().Dim(0) - 1) * d, 0}, Dilation: d, Groups: groups})
}

// AddBias adds b `[c]` to the last axis of x `[..., c]`.
func AddBias(x, b *graph.Node) *graph.Node {
	return CustomVJP([]*graph.Node{x, b},
		func() *graph.Node { return graph.Add(x, expandLeft(b, x.Rank())) },
		func(_, v *graph.Node) []*graph.Node {
			return []*graph.Node{v, sumRows(v)}
		})
}

// expandLeft reshapes a vector [c] to [1, ..., 1, c].
func expandLeft(b *graph.Node, rank int) *graph.Node {
	dims := make([]int, rank)
	for i := range dims {
		dims[i] = 1
	}
	dims[rank-1] = b.Shape().Dim(0)
	return graph.Reshape(b, dims...)
}

// rows flattens x [..., c] to [rows, c].
func rows(x *graph.Node) *graph.Node {
	if x.Rank() == 2 {
		return x
	}
	return graph.Reshape(x, -1, x.Shape().Dim(-1))
}

// sumRows sums x [..., c] over all axes but the last.
func sumRows(x *graph.Node) *graph.Node {
	axes := make([]int, x.Rank()-1)
	for i := range axes {
		axes[i] = i
	}
	if len(axes) == 0 {
		return x
	}
	return graph.ReduceSum(x, axes...)
}

// divisor is the largest divisor of n up to limit.
func divisor(n, limit int) int {
	for d := min(n, limit); d > 1; d-- {
		if n%d == 0 {
			return d
		}
	}
	return 1
}

// dot is DotGeneral; in bf16 mode the operands are rounded to bfloat16 and the products
// accumulated in float32.
func dot(mode engine.Mode, a *graph.Node, aContract, aBatch []int, b *graph.Node, bContract, bBatch []int) *graph.Node {
	if mode.BF16 && a.DType() == dtypes.Float32 {
		a, b = half(a), half(b)
	}
	if a.DType() != dtypes.BFloat16 {
		return graph.Dot(a, b).General(aContract, aBatch, bContract, bBatch)
	}
	if mode.CUDA {
		return graph.Dot(a, b).WithAccumulatorDType(dtypes.Float32).WithOutputDType(dtypes.Float32).General(aContract, aBatch, bContract, bBatch)
	}
	// A product of bfloat16 with a float32 result would be computed in float32 by XLA on a CPU; oneDNN accumulates in float32
	// and rounds once.
	return full(graph.Dot(a, b).General(aContract, aBatch, bContract, bBatch))
}

func half(x *graph.Node) *graph.Node { return graph.ConvertDType(x, dtypes.BFloat16) }

func full(x *graph.Node) *graph.Node { return graph.ConvertDType(x, dtypes.Float32) }

// padCrop pads the two spatial axes of x [n, h, w, c] with zeros; negative amounts crop.
func padCrop(x *graph.Node, p [2][2]int) *graph.Node {
	xd := x.Shape().Dimensions
	crop := p[0][0] < 0 || p[0][1] < 0 || p[1][0] < 0 || p[1][1] < 0
	if crop {
		r := func(i int) graph.SliceAxisSpec {
			return graph.AxisRange(max(-p[i][0], 0), xd[i+1]-max(-p[i][1], 0))
		}
		x = graph.Slice(x, graph.AxisRange(), r(0), r(1))
	}
	pos := func(v int) int { return max(v, 0) }
	if pos(p[0][0])+pos(p[0][1])+pos(p[1][0])+pos(p[1][1]) == 0 {
		return x
	}
	return graph.Pad(x, graph.ScalarZero(x.Graph(), x.DType()), compute.PadAxis{},
		compute.PadAxis{Start: pos(p[0][0]), End: pos(p[0][1])},
		compute.PadAxis{Start: pos(p[1][0]), End: pos(p[1][1])})
}

// dilate puts s-1 zeros after each row and column of x [n, h, w, c]: [n, h*s, w*s, c].
// Reshape and a pad at the end are on every back end; interior padding is not.
func dilate(x *graph.Node, s [2]int) *graph.Node {
	if s == [2]int{1, 1} {
		return x
	}
	d := x.Shape().Dimensions
	x = graph.Reshape(x, d[0], d[1], 1, d[2], 1, d[3])
	x = graph.Pad(x, graph.ScalarZero(x.Graph(), x.DType()), compute.PadAxis{}, compute.PadAxis{}, compute.PadAxis{End: s[0] - 1},
		compute.PadAxis{}, compute.PadAxis{End: s[1] - 1})
	return graph.Reshape(x, d[0], d[1]*s[0], d[2]*s[1], d[3])
}

// tap is the strided slice of a padded input that kernel cell (i, j) sees: [n, oh, ow, c].
func tap(x *graph.Node, i, j, oh, ow int, s, d [2]int) *graph.Node {
	if i == 0 && j == 0 && s == [2]int{1, 1} && x.Shape().Dim(1) == oh && x.Shape().Dim(2) == ow {
		return x
	}
	r, c := i*d[0], j*d[1]
	return graph.Slice(x, graph.AxisRange(),
		graph.AxisRange(r, r+(oh-1)*s[0]+1).Stride(s[0]), graph.AxisRange(c, c+(ow-1)*s[1]+1).Stride(s[1]))
}

var nhwc = engine.ConvAxes

func (k conv) depthwise() bool { return k.cg == 1 && k.groups == k.c && k.o == k.c && k.c > 1 }

func (k conv) forward(x, w *graph.Node) *graph.Node {
	return correlate(k.mode, x, w, k.s, k.d, k.p, k.oh, k.ow, k.groups)
}

// correlate is the cross-correlation in the form that is fastest on the engine.
func correlate(mode engine.Mode, x, w *graph.Node, s, d [2]int, p [2][2]int, oh, ow, groups int) *graph.Node {
	wd := w.Shape().Dimensions
	kh, kw, cg, o := wd[0], wd[1], wd[2], wd[3]
	n := x.Shape().Dim(0)
	direct := direct(mode, d, groups)
	if kh == 1 && kw == 1 && groups == 1 && !(direct && s != Square(1)) { // a matrix product
		x = tap(padCrop(x, p), 0, 0, oh, ow, s, d)
		y := dot(mode, rows(x), []int{1}, nil, graph.Reshape(w, cg, o), []int{0}, nil)
		return graph.Reshape(y, n, oh, ow, o)
	}
	if cg == 1 && groups == o && groups > 1 && !mode.CUDA { // depthwise: sum of scaled slices
		x = padCrop(x, p)
		var y *graph.Node
		for i := range kh {
			for j := range kw {
				wij := graph.Reshape(graph.Slice(w, graph.AxisElem(i), graph.AxisElem(j)), 1, 1, 1, o)
				y = plus(y, graph.Mul(tap(x, i, j, oh, ow, s, d), wij))
			}
		}
		return y
	}
	if mode.Engine == engine.XLA || direct {
		var crop [2][2]int
		for i := range p {
			for j := range p[i] {
				crop[i][j], p[i][j] = min(p[i][j], 0), max(p[i][j], 0)
			}
		}
		x = padCrop(x, crop)
		if mode.BF16 {
			x, w = half(x), half(w)
		}
		y := graph.ConvGeneral(x, w, nhwc, s[:], p[:], nil, d[:], groups, 1)
		if p2 := y.Shape().Dimensions; p2[1] != oh || p2[2] != ow {
			y = graph.Slice(y, graph.AxisRange(), graph.AxisRange(0, oh), graph.AxisRange(0, ow))
		}
		return full(y)
	}
	cols := im2col(padCrop(x, p), kh, kw, oh, ow, s, d)
	if groups == 1 {
		y := dot(mode, rows(cols), []int{1}, nil, graph.Reshape(w, kh*kw*cg, o), []int{0}, nil)
		return graph.Reshape(y, n, oh, ow, o)
	}
	a := graph.Reshape(cols, n*oh*ow, kh*kw, groups, cg)
	y := dot(mode, a, []int{1, 3}, []int{2}, graph.Reshape(w, kh*kw, cg, groups, o/groups), []int{0, 1}, []int{2})
	return graph.Reshape(graph.TransposeAllAxes(y, 1, 0, 2), n, oh, ow, o)
}

// direct reports the convolutions for which the go engine has kernels of its own.
func direct(mode engine.Mode, d [2]int, groups int) bool {
	return mode.Engine == engine.Go && d == Square(1) && groups == 1
}

func plus(a, b *graph.Node) *graph.Node {
	if a == nil {
		return b
	}
	return graph.Add(a, b)
}

// im2col stacks the taps of a padded input on the channel axis: [n, oh, ow, kh*kw*c].
func im2col(x *graph.Node, kh, kw, oh, ow int, s, d [2]int) *graph.Node {
	var taps []*graph.Node
	for i := range kh {
		for j := range kw {
			taps = append(taps, tap(x, i, j, oh, ow, s, d))
		}
	}
	if len(taps) == 1 {
		return taps[0]
	}
	return graph.Concatenate(taps, 3)
}

// dx is the adjoint of the input: the correlation of the dilated v with the kernel turned
// by 180 degrees, its channel axes exchanged within each group.
func (k conv) dx(v, w *graph.Node) *graph.Node {
	if k.kh == 1 && k.kw == 1 && k.groups == 1 && k.s == [2]int{1, 1} && k.p == [2][2]int{} {
		y := dot(k.mode, rows(v), []int{1}, nil, graph.Reshape(w, k.cg, k.o), []int{1}, nil)
		return graph.Reshape(y, k.n, k.h, k.w, k.c)
	}
	size := [2]int{k.h, k.w}
	kernel := [2]int{k.kh, k.kw}
	w = graph.Reverse(w, 0, 1)
	og := k.o / k.groups
	w = graph.Reshape(w, k.kh, k.kw, k.cg, k.groups, og)
	w = graph.TransposeAllAxes(w, 0, 1, 4, 3, 2)
	w = graph.Reshape(w, k.kh, k.kw, og, k.c)
	pads := func(v *graph.Node, s [2]int) (p [2][2]int) {
		for i := range 2 {
			reach := (kernel[i] - 1) * k.d[i]
			p[i] = [2]int{reach - k.p[i][0], size[i] + k.p[i][0] - (v.Shape().Dim(i+1)-1)*s[i] - 1}
		}
		return p
	}
	if p := pads(v, k.s); direct(k.mode, k.d, k.groups) && min(p[0][0], p[0][1], p[1][0], p[1][1]) >= 0 {
		if k.mode.BF16 {
			v, w = half(v), half(w)
		}
		return full(graph.ConvGeneral(v, w, nhwc, []int{1, 1}, p[:], k.s[:], nil, 1, 1))
	}
	v = dilate(v, k.s)
	return correlate(k.mode, v, w, Square(1), k.d, pads(v, Square(1)), k.h, k.w, k.groups)
}

// dw is the adjoint of the kernel.
func (k conv) dw(x, v *graph.Node) *graph.Node {
	og := k.o / k.groups
	switch {
	case k.depthwise() && !k.mode.CUDA:
		x = padCrop(x, k.p)
		var cells []*graph.Node
		for i := range k.kh {
			for j := range k.kw {
				cells = append(cells, graph.ReduceSum(graph.Mul(tap(x, i, j, k.oh, k.ow, k.s, k.d), v), 0, 1, 2))
			}
		}
		return graph.Reshape(graph.Concatenate(cells, 0), k.kh, k.kw, 1, k.o)
	case k.groups > 1:
		cols := im2col(padCrop(x, k.p), k.kh, k.kw, k.oh, k.ow, k.s, k.d)
		a := graph.Reshape(cols, k.n*k.oh*k.ow, k.kh*k.kw, k.groups, k.cg)
		b := graph.Reshape(v, k.n*k.oh*k.ow, k.groups, og)
		y := dot(k.mode, a, []int{0}, []int{2}, b, []int{0}, []int{1}) // [groups, kh*kw, cg, og]
		return graph.Reshape(graph.TransposeAllAxes(y, 1, 2, 0, 3), k.kh, k.kw, k.cg, k.o)
	case k.kh == 1 && k.kw == 1 && (k.s == Square(1) || !direct(k.mode, k.d, k.groups)):
		x = tap(padCrop(x, k.p), 0, 0, k.oh, k.ow, k.s, k.d)
		return graph.Reshape(dot(k.mode, rows(x), []int{0}, nil, rows(v), []int{0}, nil), 1, 1, k.c, k.o)
	case k.mode.Engine == engine.XLA && (!k.mode.BF16 || k.mode.CUDA), direct(k.mode, k.d, k.groups):
		return k.dwConv(x, v)
	case k.mode.Engine == engine.XLA && k.s == [2]int{1, 1}:
		return k.dwShift(x, v)
	}
	// Channels first: the product then needs no transpose of the stack of taps, which is kh*kw times as large as x.
	x = graph.TransposeAllAxes(padCrop(x, k.p), 3, 0, 1, 2)
	var taps []*graph.Node
	for i := range k.kh {
		for j := range k.kw {
			r, c := i*k.d[0], j*k.d[1]
			taps = append(taps, graph.Slice(x, graph.AxisRange(), graph.AxisRange(),
				graph.AxisRange(r, r+(k.oh-1)*k.s[0]+1).Stride(k.s[0]), graph.AxisRange(c, c+(k.ow-1)*k.s[1]+1).Stride(k.s[1])))
		}
	}
	cols := graph.Reshape(cat(taps, 0), k.kh*k.kw*k.c, -1)
	return graph.Reshape(dot(k.mode, cols, []int{1}, nil, rows(v), []int{0}, nil), k.kh, k.kw, k.c, k.o)
}

// dwConv is the adjoint of the kernel as a convolution over the batch: the fastest fp32 form on XLA.
func (k conv) dwConv(x, v *graph.Node) *graph.Node {
	axes := engine.KernelAxes
	size, out, kernel := [2]int{k.h, k.w}, [2]int{k.oh, k.ow}, [2]int{k.kh, k.kw}
	var p, crop [2][2]int
	for i := range 2 {
		// The window of the last kernel cell ends where the last output's window ends.
		end := (kernel[i]-1)*k.d[i] + (out[i]-1)*k.s[i] + 1 - size[i] - k.p[i][0]
		p[i], crop[i] = [2]int{k.p[i][0], max(end, 0)}, [2]int{0, min(end, 0)}
	}
	x = padCrop(x, crop)
	if k.mode.BF16 {
		x, v = half(x), half(v)
	}
	if !k.mode.CUDA {
		// XLA would compute x (batch norm, ReLU) anew within the transposition that this form needs, at a fifth of its speed.
		x, v = apart(x), apart(v)
	}
	return full(graph.ConvGeneral(x, v, axes, k.d[:], p[:], nil, k.s[:], 1, 1))
}

// dwShift is the adjoint of the kernel at stride 1 as one matrix product: kw copies of x
// shifted along the columns against kh copies of v shifted along the rows. It copies kw+kh
// planes where im2col copies kw*kh.
func (k conv) dwShift(x, v *graph.Node) *graph.Node {
	if k.mode.BF16 {
		x, v = half(x), half(v)
	}
	x = padCrop(x, k.p)
	h := x.Shape().Dim(1)
	var xs, vs []*graph.Node
	for j := range k.kw {
		c := j * k.d[1]
		xs = append(xs, graph.Slice(x, graph.AxisRange(), graph.AxisRange(), graph.AxisRange(c, c+k.ow)))
	}
	reach := (k.kh - 1) * k.d[0]
	// h >= oh+reach: rows of v beyond the last window are zero.
	v = padCrop(v, [2][2]int{{reach, h - k.oh}})
	for i := range k.kh {
		r := reach - i*k.d[0]
		vs = append(vs, graph.Slice(v, graph.AxisRange(), graph.AxisRange(r, r+h)))
	}
	// Matrices, not three contracted axes: XLA would write the transpose of the stack of x, at the cost of the product itself.
	y := dot(k.mode, rows(cat(xs, 3)), []int{0}, nil, rows(cat(vs, 3)), []int{0}, nil)
	y = graph.Reshape(y, k.kw, k.c, k.kh, k.o)
	return graph.TransposeAllAxes(y, 2, 0, 1, 3)
}

func cat(xs []*graph.Node, axis int) *graph.Node {
	if len(xs) == 1 {
		return xs[0]
	}
	return graph.Concatenate(xs, axis)
}
