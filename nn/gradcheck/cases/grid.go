package cases

import (
	"fmt"
	"math"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/nn"
	"github.com/selfsame-ml/selfsame/nn/gradcheck"
)

// pairwise returns few rows so that every pair of levels of two factors, as far as ok allows it, is in one of them: a bug
// that needs one or two settings at once is met without running the whole product. levels are the numbers of levels.
func pairwise(levels []int, ok func(row []int) bool) [][]int {
	all := [][]int{nil}
	for _, n := range levels {
		var next [][]int
		for _, row := range all {
			for v := range n {
				next = append(next, append(append([]int(nil), row...), v))
			}
		}
		all = next
	}
	type pair struct{ i, a, j, b int }
	pairs := func(row []int, f func(p pair)) {
		for i := range row {
			for j := range i {
				f(pair{i, row[i], j, row[j]})
			}
		}
	}
	open := map[pair]bool{}
	var allowed, out [][]int
	for _, row := range all {
		if ok(row) {
			allowed = append(allowed, row)
			pairs(row, func(p pair) { open[p] = true })
		}
	}
	for len(open) > 0 {
		var best []int
		most := 0
		for _, row := range allowed {
			n := 0
			pairs(row, func(p pair) {
				if open[p] {
					n++
				}
			})
			if n > most {
				best, most = row, n
			}
		}
		out = append(out, best)
		pairs(best, func(p pair) { delete(open, p) })
	}
	return out
}

func init() {
	kernels := [][2]int{{3, 3}, {2, 2}, {4, 1}, {1, 2}}
	strides := [][2]int{{1, 1}, {2, 1}, {4, 3}}
	pads := [][2][2]int{{}, nn.PadSquare(1), {{0, 2}, {1, 0}}}
	dilations := [][2]int{{1, 1}, {2, 3}}
	groups := []int{1, 2, 4}
	widths := []int{8, 1}
	conv := func(r []int) (xd, wd [4]int, o nn.ConvOptions) {
		k := kernels[r[0]]
		o = nn.ConvOptions{Stride: strides[r[1]], Pad: pads[r[2]], Dilation: dilations[r[3]], Groups: groups[r[4]]}
		xd = [4]int{1 + r[5], 9, widths[r[6]], 4}
		return xd, [4]int{k[0], k[1], 4 / o.Groups, 4}, o
	}
	rows := pairwise([]int{len(kernels), len(strides), len(pads), len(dilations), len(groups), 2, len(widths)}, func(r []int) bool {
		xd, wd, o := conv(r)
		for a := range 2 {
			if xd[a+1]+o.Pad[a][0]+o.Pad[a][1] < o.Dilation[a]*(wd[a]-1)+1 {
				return false
			}
		}
		return true
	})
	for _, r := range rows {
		xd, wd, o := conv(r)
		gradcheck.Register(gradcheck.Case{Layer: "Conv2D", Inputs: []gradcheck.Input{gradcheck.F(xd[:]...), gradcheck.F(wd[:]...)},
			Name:      fmt.Sprintf("grid x%v k%v s%v p%v d%v g%d", xd, wd[:2], o.Stride, o.Pad, o.Dilation, o.Groups),
			Forward:   func(in nodes) *graph.Node { return nn.Conv2D(in[0], in[1], nil, o) },
			Reference: func(in [][]float64) []float64 { return refConv2D(in[0], in[1], xd, wd, o) }})
	}
	// Sizes at which XLA may rewrite to library calls.
	for _, s := range []int{1, 2} {
		xd, wd := [4]int{2, 12, 12, 16}, [4]int{3, 3, 16, 32}
		o := nn.ConvOptions{Stride: nn.Square(s), Pad: nn.PadSquare(1)}
		gradcheck.Register(gradcheck.Case{Layer: "Conv2D", Name: fmt.Sprintf("large k3s%dp1", s), Inputs: []gradcheck.Input{gradcheck.F(xd[:]...), gradcheck.F(wd[:]...)},
			Forward:   func(in nodes) *graph.Node { return nn.Conv2D(in[0], in[1], nil, o) },
			Reference: func(in [][]float64) []float64 { return refConv2D(in[0], in[1], xd, wd, o) }})
	}

	kernels1, strides1, pads1 := []int{3, 2, 4}, []int{1, 2, 5}, [][2]int{{}, {1, 1}, {0, 2}}
	conv1 := func(r []int) (n, l, k int, o nn.Conv1DOptions) {
		return 1 + r[5], []int{9, 1}[r[6]], kernels1[r[0]], nn.Conv1DOptions{Stride: strides1[r[1]], Pad: pads1[r[2]], Dilation: 1 + r[3], Groups: groups[r[4]]}
	}
	for _, r := range pairwise([]int{len(kernels1), len(strides1), len(pads1), 2, len(groups), 2, 2}, func(r []int) bool {
		_, l, k, o := conv1(r)
		return l+o.Pad[0]+o.Pad[1] >= o.Dilation*(k-1)+1
	}) {
		n, l, k, o := conv1(r)
		gradcheck.Register(gradcheck.Case{Layer: "Conv1D", Inputs: []gradcheck.Input{gradcheck.F(n, l, 4), gradcheck.F(k, 4/o.Groups, 4)},
			Name:    fmt.Sprintf("grid x[%d %d] k%d s%d p%v d%d g%d", n, l, k, o.Stride, o.Pad, o.Dilation, o.Groups),
			Forward: func(in nodes) *graph.Node { return nn.Conv1D(in[0], in[1], nil, o) },
			Reference: func(in [][]float64) []float64 {
				return refConv2D(in[0], in[1], [4]int{n, l, 1, 4}, [4]int{k, 1, 4 / o.Groups, 4},
					nn.ConvOptions{Stride: [2]int{o.Stride, 1}, Pad: [2][2]int{o.Pad}, Dilation: [2]int{o.Dilation, 1}, Groups: o.Groups})
			}})
	}
	for _, c := range []struct {
		name               string
		n, l, ci, co, k, d int
		groups             int
	}{
		{"k1 batch 1", 1, 4, 2, 3, 1, 1, 1},
		{"length 1", 2, 1, 2, 2, 3, 2, 1},
		{"dilation over length, batch 1", 1, 3, 2, 2, 4, 5, 1},
		{"depthwise k2 dilation 2", 2, 6, 3, 3, 2, 2, 3},
		{"2 groups k3", 1, 5, 4, 2, 3, 1, 2},
	} {
		gradcheck.Register(gradcheck.Case{Layer: "CausalConv1D", Name: c.name, Inputs: []gradcheck.Input{gradcheck.F(c.n, c.l, c.ci), gradcheck.F(c.k, c.ci/c.groups, c.co), gradcheck.F(c.co)},
			Forward: func(in nodes) *graph.Node { return nn.CausalConv1D(in[0], in[1], in[2], c.d, c.groups) },
			Reference: func(in [][]float64) []float64 {
				return addBias(refCausalGroups(in[0], in[1], c.n, c.l, c.ci, c.co, c.k, c.d, c.groups), in[2])
			}})
	}
}

// refCausalGroups is refCausal with the channels in groups.
func refCausalGroups(x, w []float64, n, l, ci, co, k, dilation, groups int) []float64 {
	y := make([]float64, n*l*co)
	cg, og := ci/groups, co/groups
	for b := range n {
		for t := range l {
			for i := range k {
				s := t - (k-1-i)*dilation
				if s < 0 {
					continue
				}
				for o := range co {
					for a := range cg {
						y[(b*l+t)*co+o] += x[(b*l+s)*ci+o/og*cg+a] * w[(i*cg+a)*co+o]
					}
				}
			}
		}
	}
	return y
}

func init() { // pooling
	kernels := [][2]int{{2, 2}, {3, 3}, {1, 2}}
	strides := [][2]int{{}, {1, 1}, {5, 4}}
	pads := [][2][2]int{{}, {{0, 1}, {1, 0}}}
	pool := func(r []int) (xd [4]int, o nn.PoolOptions) {
		o = nn.PoolOptions{Kernel: kernels[r[0]], Stride: strides[r[1]], Pad: pads[r[2]]}
		return [4]int{1 + r[3], 8, []int{6, 1}[r[4]], 2}, o
	}
	for _, r := range pairwise([]int{len(kernels), len(strides), len(pads), 2, 2}, func(r []int) bool {
		xd, o := pool(r)
		for a := range 2 {
			if max(o.Pad[a][0], o.Pad[a][1]) >= o.Kernel[a] || xd[a+1]+o.Pad[a][0]+o.Pad[a][1] < o.Kernel[a] {
				return false
			}
		}
		return true
	}) {
		xd, o := pool(r)
		name := fmt.Sprintf("grid x%v k%v s%v p%v", xd, o.Kernel, o.Stride, o.Pad)
		gradcheck.Register(
			gradcheck.Case{Layer: "MeanPool", Name: name, Inputs: []gradcheck.Input{gradcheck.F(xd[:]...)},
				Forward:   func(in nodes) *graph.Node { return nn.MeanPool(in[0], o) },
				Reference: func(in [][]float64) []float64 { return refPool(in[0], xd, o, poolMean) }},
			gradcheck.Case{Layer: "MaxPool", Name: name, Inputs: []gradcheck.Input{gradcheck.F(xd[:]...)},
				Forward:   func(in nodes) *graph.Node { return nn.MaxPool(in[0], o) },
				Reference: func(in [][]float64) []float64 { return refPool(in[0], xd, o, poolMax) }})
	}
}

// poolMean counts padding, which is NaN, as zeros.
func poolMean(v []float64) float64 {
	var s float64
	for _, x := range v {
		if !math.IsNaN(x) {
			s += x
		}
	}
	return s / float64(len(v))
}

func poolMax(v []float64) float64 {
	m := math.Inf(-1)
	for _, x := range v {
		if x > m {
			m = x
		}
	}
	return m
}

func init() { // activations: batch 1 width 1, and the value far out
	far := []float32{-90, -20, -5, -1e-3, 0, 1e-3, 5, 20, 90}
	for layer, l := range map[string]struct {
		f   func(x *graph.Node) *graph.Node
		ref func(x float64) float64
	}{
		"ReLU": {nn.ReLU, func(x float64) float64 { return max(x, 0) }},
		"GELU": {nn.GELU, func(x float64) float64 { return x / 2 * (1 + math.Erf(x/math.Sqrt2)) }},
		"GELUTanh": {nn.GELUTanh, func(x float64) float64 {
			return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
		}},
		"SiLU": {nn.SiLU, func(x float64) float64 { return x / (1 + math.Exp(-x)) }},
	} {
		ref := func(in [][]float64) []float64 {
			return pointwise(in[0], func(_ int, x float64) float64 { return l.ref(x) })
		}
		gradcheck.Register(
			gradcheck.Case{Layer: layer, Name: "1x1", Inputs: []gradcheck.Input{gradcheck.F(1, 1)}, Forward: func(in nodes) *graph.Node { return l.f(in[0]) }, Reference: ref},
			gradcheck.Case{Layer: layer, Name: "far from 0", Inputs: []gradcheck.Input{{Dims: []int{len(far)}, Values: far, Const: true}},
				Forward: func(in nodes) *graph.Node { return l.f(in[0]) }, Reference: ref})
	}
}

func init() { // norms
	gradcheck.Register(
		gradcheck.Case{Layer: "BatchNorm", Name: "one row", Inputs: []gradcheck.Input{gradcheck.F(1, 3), gradcheck.F(3), gradcheck.F(3)},
			Forward: func(in nodes) *graph.Node {
				y, _, _ := nn.BatchNorm(in[0], in[1], in[2], nil, 1e-5)
				return y
			},
			Reference: func(in [][]float64) []float64 { y, _, _ := refBatchNorm(in[0], in[1], in[2]); return y }},
		gradcheck.Case{Layer: "BatchNormReLU", Name: "rank 2, width 1", Inputs: []gradcheck.Input{gradcheck.F(6, 1), gradcheck.F(1), gradcheck.F(1)},
			Forward: func(in nodes) *graph.Node {
				y, _, _ := nn.BatchNormReLU(in[0], in[1], in[2], nil, nil, 1e-5)
				return y
			},
			Reference: func(in [][]float64) []float64 {
				y, _, _ := refBatchNorm(in[0], in[1], in[2])
				return pointwise(y, func(_ int, v float64) float64 { return max(v, 0) })
			}},
		gradcheck.Case{Layer: "GroupNorm", Name: "batch 1, one cell", Inputs: []gradcheck.Input{gradcheck.F(1, 6), gradcheck.F(6), gradcheck.F(6)},
			Forward:   func(in nodes) *graph.Node { return nn.GroupNorm(in[0], in[1], in[2], 2, 1e-5) },
			Reference: func(in [][]float64) []float64 { return refGroupNorm(in[0], in[1], in[2], 1, 1, 6, 2) }},
	)
	for name, dims := range map[string][]int{"width 1": {4, 1}, "large": {48, 64}} {
		c := dims[1]
		gradcheck.Register(
			gradcheck.Case{Layer: "LayerNorm", Name: name, Inputs: []gradcheck.Input{gradcheck.F(dims...), gradcheck.F(c), gradcheck.F(c)},
				Forward: func(in nodes) *graph.Node { return nn.LayerNorm(in[0], in[1], in[2], 1e-5) },
				Reference: func(in [][]float64) []float64 {
					return affine(rowwise(in[0], c, refStandardise(true)), in[1], in[2])
				}},
			gradcheck.Case{Layer: "RMSNorm", Name: name, Inputs: []gradcheck.Input{{Dims: dims, Shift: 1}, gradcheck.F(c)},
				Forward:   func(in nodes) *graph.Node { return nn.RMSNorm(in[0], in[1], 1e-5) },
				Reference: func(in [][]float64) []float64 { return affine(rowwise(in[0], c, refStandardise(false)), in[1], nil) }},
			gradcheck.Case{Layer: "Softmax", Name: name, Inputs: []gradcheck.Input{gradcheck.F(dims...)},
				Forward:   func(in nodes) *graph.Node { return nn.Softmax(in[0]) },
				Reference: func(in [][]float64) []float64 { return rowwise(in[0], c, refSoftmax) }},
			gradcheck.Case{Layer: "GELU", Name: name, Inputs: []gradcheck.Input{gradcheck.F(dims...)},
				Forward: func(in nodes) *graph.Node { return nn.GELU(in[0]) },
				Reference: func(in [][]float64) []float64 {
					return pointwise(in[0], func(_ int, x float64) float64 { return x / 2 * (1 + math.Erf(x/math.Sqrt2)) })
				}})
	}
}

func init() { // softmax, cross-entropy, linear, embedding
	minus := float32(math.Inf(-1))
	masked := []float32{0.5, minus, -1, 2, 1, minus}
	logSoftmax := func(c int) func(in [][]float64) []float64 {
		return func(in [][]float64) []float64 {
			return rowwise(in[0], c, func(v []float64) []float64 {
				return pointwise(refSoftmax(v), func(_ int, p float64) float64 { return math.Log(p) })
			})
		}
	}
	gradcheck.Register(
		gradcheck.Case{Layer: "Softmax", Name: "a class at -Inf", Inputs: []gradcheck.Input{{Dims: []int{2, 3}, Values: masked}},
			Forward:   func(in nodes) *graph.Node { return nn.Softmax(in[0]) },
			Reference: func(in [][]float64) []float64 { return rowwise(in[0], 3, refSoftmax) }},
		gradcheck.Case{Layer: "Softmax", Name: "logits of 10000", Inputs: []gradcheck.Input{{Dims: []int{2, 3}, Values: []float32{9999, 10000, 9998, -10000, -10001, 0}, Const: true}},
			Forward:   func(in nodes) *graph.Node { return nn.Softmax(in[0]) },
			Reference: func(in [][]float64) []float64 { return rowwise(in[0], 3, refSoftmax) }},
		gradcheck.Case{Layer: "LogSoftmax", Name: "logits of 10000", Inputs: []gradcheck.Input{{Dims: []int{1, 3}, Values: []float32{9999, 10000, 9998}, Const: true}},
			Forward: func(in nodes) *graph.Node { return nn.LogSoftmax(in[0]) }, Reference: logSoftmax(3)},
		gradcheck.Case{Layer: "CrossEntropy", Name: "another class at -Inf", Inputs: []gradcheck.Input{{Dims: []int{2, 3}, Values: masked}, gradcheck.I(0, 1)},
			Forward: func(in nodes) *graph.Node { return nn.CrossEntropy(in[0], in[1], nil) },
			Reference: func(in [][]float64) []float64 {
				return []float64{-(math.Log(refSoftmax(in[0][:3])[0]) + math.Log(refSoftmax(in[0][3:])[1])) / 2}
			}},
		gradcheck.Case{Layer: "CrossEntropy", Name: "all rows ignored", Inputs: []gradcheck.Input{gradcheck.F(2, 3), gradcheck.I(0, 1), {Dims: []int{2}, Values: []float32{0, 0}, Const: true}},
			Forward:   func(in nodes) *graph.Node { return nn.CrossEntropy(in[0], in[1], in[2]) },
			Reference: func([][]float64) []float64 { return []float64{0} }},
		gradcheck.Case{Layer: "CrossEntropy", Name: "one class", Inputs: []gradcheck.Input{gradcheck.F(2, 1), gradcheck.I(0, 0)},
			Forward:   func(in nodes) *graph.Node { return nn.CrossEntropy(in[0], in[1], nil) },
			Reference: func([][]float64) []float64 { return []float64{0} }},
		gradcheck.Case{Layer: "Linear", Name: "batch 1, large", Inputs: []gradcheck.Input{gradcheck.F(1, 96), gradcheck.F(96, 64), gradcheck.F(64)},
			Forward:   func(in nodes) *graph.Node { return nn.Linear(in[0], in[1], in[2]) },
			Reference: func(in [][]float64) []float64 { return refLinear(in[0], in[1], in[2], 96, 64) }},
		gradcheck.Case{Layer: "Embedding", Name: "one id, a vocabulary of one", Inputs: []gradcheck.Input{gradcheck.F(1, 3), gradcheck.I(0)},
			Forward:   func(in nodes) *graph.Node { return nn.Embedding(in[0], in[1]) },
			Reference: func(in [][]float64) []float64 { return in[0] }},
		gradcheck.Case{Layer: "Embedding", Name: "one id many times", Inputs: []gradcheck.Input{gradcheck.F(4, 2), {Dims: []int{1, 5}, Ints: []int32{3, 3, 3, 3, 3}}},
			Forward:   func(in nodes) *graph.Node { return nn.Embedding(in[0], in[1]) },
			Reference: func(in [][]float64) []float64 { return refGather(in[0], 2, []int32{3, 3, 3, 3, 3}) }},
	)
}

func init() { // attention
	for _, c := range []struct {
		name            string
		b, h, nq, nk, d int
		opt             nn.AttentionOptions
		mask            []float32 // [b, nk]
	}{
		{"one of each", 1, 1, 1, 1, 2, nn.AttentionOptions{}, nil},
		{"width 1", 2, 1, 3, 3, 1, nn.AttentionOptions{Causal: true}, nil},
		{"rotary", 1, 2, 4, 4, 4, nn.AttentionOptions{Rotary: 10}, nil},
		{"causal, rotary, batch 1", 1, 1, 4, 4, 2, nn.AttentionOptions{Causal: true, Rotary: 10000}, nil},
		{"rotary, 2 queries of 5 keys", 2, 1, 2, 5, 4, nn.AttentionOptions{Rotary: 100}, nil},
		{"causal, key mask", 2, 2, 4, 4, 2, nn.AttentionOptions{Causal: true}, []float32{1, 1, 0, 1, 1, 0, 1, 0}},
		{"rotary, key mask", 2, 1, 3, 4, 4, nn.AttentionOptions{Rotary: 100}, []float32{0, 1, 0, 1, 1, 1, 1, 0}},
		{"a sample without a key", 2, 1, 2, 3, 2, nn.AttentionOptions{}, []float32{0, 0, 0, 1, 0, 1}},
		{"causal, first key hidden", 1, 2, 3, 3, 2, nn.AttentionOptions{Causal: true}, []float32{0, 1, 1}},
		{"large, causal, key mask", 2, 4, 32, 32, 16, nn.AttentionOptions{Causal: true}, ones(64, 40, 50)},
	} {
		in := []gradcheck.Input{gradcheck.F(c.b, c.h, c.nq, c.d), gradcheck.F(c.b, c.h, c.nk, c.d), gradcheck.F(c.b, c.h, c.nk, c.d)}
		if c.mask != nil {
			in = append(in, gradcheck.Input{Dims: []int{c.b, c.nk}, Values: c.mask, Const: true})
		}
		gradcheck.Register(gradcheck.Case{Layer: "ScaledDotProduct", Name: c.name, Inputs: in,
			Forward: func(in nodes) *graph.Node {
				opt := c.opt
				if c.mask != nil {
					opt.KeyMask = graph.GreaterThan(in[3], graph.ZerosLike(in[3])) // of booleans
				}
				return nn.ScaledDotProduct(in[0], in[1], in[2], opt)
			},
			Reference: func(in [][]float64) []float64 {
				q, k := in[0], in[1]
				if c.opt.Rotary > 0 {
					q, k = refRotary(q, c.nq, c.d, c.opt.Rotary), refRotary(k, c.nk, c.d, c.opt.Rotary)
				}
				var m []float64
				if c.mask != nil {
					m = in[3]
				}
				return refAttention(q, k, in[2], c.b, c.h, c.nq, c.nk, c.d, c.opt.Causal, m)
			}})
	}
	gradcheck.Register(gradcheck.Case{Layer: "RotaryPositions", Name: "length 1, width 2", Inputs: []gradcheck.Input{gradcheck.F(1, 2)},
		Forward:   func(in nodes) *graph.Node { return nn.RotaryPositions(in[0], 10) },
		Reference: func(in [][]float64) []float64 { return in[0] }})
}

// ones is 1 n times but for zeros in [from, to).
func ones(n, from, to int) []float32 {
	out := make([]float32, n)
	for i := range out {
		if i < from || i >= to {
			out[i] = 1
		}
	}
	return out
}

func init() { // message passing
	for name, c := range map[string]struct {
		segment []int32
		n       int
	}{
		"one segment":             {[]int32{0, 0, 0, 0}, 1},
		"one segment among empty": {[]int32{2, 2, 2}, 4},
		"a row a segment":         {[]int32{2, 0, 1}, 3},
		"sorted":                  {[]int32{0, 0, 1, 3, 3, 3}, 5},
	} {
		e := len(c.segment)
		in := []gradcheck.Input{gradcheck.F(e, 3), gradcheck.I(c.segment...)}
		for layer, l := range map[string]struct {
			f   func(x, segment *graph.Node, n int) *graph.Node
			ref func(v []float64) float64
		}{
			"SegmentSum":  {nn.SegmentSum, sum},
			"SegmentMean": {nn.SegmentMean, mean},
			"SegmentMax":  {nn.SegmentMax, highest},
		} {
			gradcheck.Register(gradcheck.Case{Layer: layer, Name: name, Inputs: in,
				Forward:   func(in nodes) *graph.Node { return l.f(in[0], in[1], c.n) },
				Reference: func(in [][]float64) []float64 { return refSegment(in[0], 3, c.segment, c.n, l.ref) }})
		}
		gradcheck.Register(gradcheck.Case{Layer: "SegmentSoftmax", Name: name, Inputs: in,
			Forward: func(in nodes) *graph.Node { return nn.SegmentSoftmax(in[0], in[1], c.n) },
			Reference: func(in [][]float64) []float64 {
				e := pointwise(in[0], func(_ int, x float64) float64 { return math.Exp(x) })
				s := refSegment(e, 3, c.segment, c.n, sum)
				return pointwise(e, func(i int, x float64) float64 { return x / s[int(c.segment[i/3])*3+i%3] })
			}})
	}
	gradcheck.Register(
		gradcheck.Case{Layer: "SegmentSoftmax", Name: "one row", Inputs: []gradcheck.Input{gradcheck.F(1, 1), gradcheck.I(0)},
			Forward:   func(in nodes) *graph.Node { return nn.SegmentSoftmax(in[0], in[1], 1) },
			Reference: func([][]float64) []float64 { return []float64{1} }},
		gradcheck.Case{Layer: "SegmentSoftmax", Name: "scores of 1000", Inputs: []gradcheck.Input{{Dims: []int{3, 1}, Values: []float32{1000, 1001, -1000}, Const: true}, gradcheck.I(0, 0, 1)},
			Forward: func(in nodes) *graph.Node { return nn.SegmentSoftmax(in[0], in[1], 2) },
			Reference: func([][]float64) []float64 {
				return []float64{1 / (1 + math.E), math.E / (1 + math.E), 1}
			}},
		gradcheck.Case{Layer: "GatherRows", Name: "one row of one", Inputs: []gradcheck.Input{gradcheck.F(1, 1), gradcheck.I(0)},
			Forward:   func(in nodes) *graph.Node { return nn.GatherRows(in[0], in[1]) },
			Reference: func(in [][]float64) []float64 { return in[0] }},
		gradcheck.Case{Layer: "MessagePass", Name: "a weight a channel, self loop, parallel edges, lone nodes", Inputs: []gradcheck.Input{gradcheck.F(5, 2), gradcheck.F(4, 2), gradcheck.I(1, 1, 2, 1), gradcheck.I(1, 3, 3, 3)},
			Forward: func(in nodes) *graph.Node { return nn.MessagePass(in[0], in[2], in[3], in[1]) },
			Reference: func(in [][]float64) []float64 {
				m := pointwise(refGather(in[0], 2, []int32{1, 1, 2, 1}), func(i int, x float64) float64 { return x * in[1][i] })
				return refSegment(m, 2, []int32{1, 3, 3, 3}, 5, sum)
			}},
	)
}
