package cases

import (
	"math"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/nn"
	"github.com/selfsame-ml/selfsame/nn/gradcheck"
)

// rowwise applies f to each run of c values.
func rowwise(x []float64, c int, f func(row []float64) []float64) []float64 {
	var y []float64
	for i := 0; i < len(x); i += c {
		y = append(y, f(x[i:i+c])...)
	}
	return y
}

func refStandardise(centre bool) func(v []float64) []float64 {
	return func(v []float64) []float64 {
		var mean, sq float64
		for _, x := range v {
			if centre {
				mean += x / float64(len(v))
			}
		}
		for _, x := range v {
			sq += (x - mean) * (x - mean) / float64(len(v))
		}
		return pointwise(v, func(_ int, x float64) float64 { return (x - mean) / math.Sqrt(sq+1e-5) })
	}
}

func refSoftmax(v []float64) []float64 {
	top, sum := math.Inf(-1), 0.0
	for _, x := range v {
		top = max(top, x)
	}
	for _, x := range v {
		sum += math.Exp(x - top)
	}
	return pointwise(v, func(_ int, x float64) float64 { return math.Exp(x-top) / sum })
}

func affine(y, gain, bias []float64) []float64 {
	return pointwise(y, func(i int, x float64) float64 {
		if bias == nil {
			return x * gain[i%len(gain)]
		}
		return x*gain[i%len(gain)] + bias[i%len(bias)]
	})
}

// refGroupNorm is Wu & He 2018 on x [n, cells, c].
func refGroupNorm(x, gain, bias []float64, n, cells, c, groups int) []float64 {
	y := make([]float64, len(x))
	per := c / groups
	for b := range n {
		for g := range groups {
			var at []int
			var v []float64
			for s := range cells {
				for k := range per {
					at = append(at, (b*cells+s)*c+g*per+k)
					v = append(v, x[at[len(at)-1]])
				}
			}
			for i, r := range refStandardise(true)(v) {
				y[at[i]] = r
			}
		}
	}
	return affine(y, gain, bias)
}

func init() {
	norm := func(layer string, f func(in nodes) *graph.Node, bias bool, dims ...int) {
		c := dims[len(dims)-1]
		in := []gradcheck.Input{{Dims: dims, Shift: 3}, gradcheck.F(c)}
		if bias {
			in = append(in, gradcheck.F(c))
		}
		name := "rank 3"
		if len(dims) == 2 {
			name = "batch 1"
		}
		gradcheck.Register(gradcheck.Case{Layer: layer, Name: name, Inputs: in, Forward: f,
			Reference: func(in [][]float64) []float64 {
				y := rowwise(in[0], c, refStandardise(bias))
				if bias {
					return affine(y, in[1], in[2])
				}
				return affine(y, in[1], nil)
			}})
	}
	ln := func(in nodes) *graph.Node { return nn.LayerNorm(in[0], in[1], in[2], 1e-5) }
	norm("LayerNorm", ln, true, 2, 3, 5)
	norm("LayerNorm", ln, true, 1, 3)
	rms := func(in nodes) *graph.Node { return nn.RMSNorm(in[0], in[1], 1e-5) }
	norm("RMSNorm", rms, false, 2, 3, 5)
	norm("RMSNorm", rms, false, 1, 3)
	softmaxCase := func(layer string, f func(x *graph.Node) *graph.Node, log bool) {
		for name, dims := range map[string][]int{"rank 3": {2, 3, 4}, "batch 1": {1, 5}} {
			gradcheck.Register(gradcheck.Case{Layer: layer, Name: name, Inputs: []gradcheck.Input{{Dims: dims, Scale: 3}},
				Forward: func(in nodes) *graph.Node { return f(in[0]) },
				Reference: func(in [][]float64) []float64 {
					y := rowwise(in[0], dims[len(dims)-1], refSoftmax)
					if log {
						return pointwise(y, func(_ int, x float64) float64 { return math.Log(x) })
					}
					return y
				}})
		}
	}
	softmaxCase("Softmax", nn.Softmax, false)
	softmaxCase("LogSoftmax", nn.LogSoftmax, true)
	for _, groups := range []int{1, 2, 6} {
		gradcheck.Register(gradcheck.Case{Layer: "GroupNorm", Name: []string{"", "1 group", "2 groups", "", "", "", "a group a channel"}[groups],
			Inputs:    []gradcheck.Input{gradcheck.F(2, 3, 2, 6), gradcheck.F(6), gradcheck.F(6)},
			Forward:   func(in nodes) *graph.Node { return nn.GroupNorm(in[0], in[1], in[2], groups, 1e-5) },
			Reference: func(in [][]float64) []float64 { return refGroupNorm(in[0], in[1], in[2], 2, 6, 6, groups) }})
	}
	refCE := func(x []float64, classes int, labels []int32, weights []float64) []float64 {
		var sum, total float64
		for i, l := range labels {
			p := refSoftmax(x[i*classes : (i+1)*classes])
			w := 1.0
			if weights != nil {
				w = weights[i]
			}
			sum, total = sum-w*math.Log(p[l]), total+w
		}
		return []float64{sum / total}
	}
	gradcheck.Register(
		gradcheck.Case{Layer: "CrossEntropy", Name: "plain", Inputs: []gradcheck.Input{gradcheck.F(4, 3), gradcheck.I(0, 2, 1, 2)},
			Forward:   func(in nodes) *graph.Node { return nn.CrossEntropy(in[0], in[1], nil) },
			Reference: func(in [][]float64) []float64 { return refCE(in[0], 3, []int32{0, 2, 1, 2}, nil) }},
		gradcheck.Case{Layer: "CrossEntropy", Name: "weights with a zero", Inputs: []gradcheck.Input{{Dims: []int{3, 5}, Scale: 4}, gradcheck.I(4, 0, 1), {Dims: []int{3}, Values: []float32{0.5, 0, 2}, Const: true}},
			Forward:   func(in nodes) *graph.Node { return nn.CrossEntropy(in[0], in[1], in[2]) },
			Reference: func(in [][]float64) []float64 { return refCE(in[0], 5, []int32{4, 0, 1}, in[2]) }},
		gradcheck.Case{Layer: "CrossEntropy", Name: "one row", Inputs: []gradcheck.Input{gradcheck.F(1, 2), gradcheck.I(1)},
			Forward:   func(in nodes) *graph.Node { return nn.CrossEntropy(in[0], in[1], nil) },
			Reference: func(in [][]float64) []float64 { return refCE(in[0], 2, []int32{1}, nil) }},
	)
}

// refSegment reduces the rows of x [e, d] by segment.
func refSegment(x []float64, d int, segment []int32, n int, f func(v []float64) float64) []float64 {
	y := make([]float64, n*d)
	for s := range n {
		for k := range d {
			var v []float64
			for e, t := range segment {
				if int(t) == s {
					v = append(v, x[e*d+k])
				}
			}
			if len(v) > 0 {
				y[s*d+k] = f(v)
			}
		}
	}
	return y
}

func sum(v []float64) float64 {
	var s float64
	for _, x := range v {
		s += x
	}
	return s
}

func refGather(x []float64, d int, index []int32) []float64 {
	var y []float64
	for _, i := range index {
		y = append(y, x[int(i)*d:(int(i)+1)*d]...)
	}
	return y
}

func init() {
	segment := []int32{2, 0, 2, 4, 0, 2} // unsorted; 1 and 3 are empty
	reduce := func(layer string, f func(x, segment *graph.Node, n int) *graph.Node, ref func(v []float64) float64) {
		gradcheck.Register(gradcheck.Case{Layer: layer, Name: "empty segments", Inputs: []gradcheck.Input{gradcheck.F(6, 2), gradcheck.I(segment...)},
			Forward:   func(in nodes) *graph.Node { return f(in[0], in[1], 5) },
			Reference: func(in [][]float64) []float64 { return refSegment(in[0], 2, segment, 5, ref) }},
			gradcheck.Case{Layer: layer, Name: "one row", Inputs: []gradcheck.Input{gradcheck.F(1, 1), gradcheck.I(0)},
				Forward:   func(in nodes) *graph.Node { return f(in[0], in[1], 1) },
				Reference: func(in [][]float64) []float64 { return in[0] }})
	}
	reduce("SegmentSum", nn.SegmentSum, sum)
	reduce("SegmentMean", nn.SegmentMean, mean)
	reduce("SegmentMax", nn.SegmentMax, highest)
	source, target := []int32{0, 1, 2, 2, 3}, []int32{1, 0, 0, 3, 3}
	gradcheck.Register(
		gradcheck.Case{Layer: "SegmentSoftmax", Name: "empty segments", Inputs: []gradcheck.Input{{Dims: []int{6, 2}, Scale: 2}, gradcheck.I(segment...)},
			Forward: func(in nodes) *graph.Node { return nn.SegmentSoftmax(in[0], in[1], 5) },
			Reference: func(in [][]float64) []float64 {
				e := pointwise(in[0], func(_ int, x float64) float64 { return math.Exp(x) })
				s := refSegment(e, 2, segment, 5, sum)
				return pointwise(e, func(i int, x float64) float64 { return x / s[int(segment[i/2])*2+i%2] })
			}},
		gradcheck.Case{Layer: "GatherRows", Name: "repeated", Inputs: []gradcheck.Input{gradcheck.F(3, 2), gradcheck.I(2, 0, 2, 2)},
			Forward:   func(in nodes) *graph.Node { return nn.GatherRows(in[0], in[1]) },
			Reference: func(in [][]float64) []float64 { return refGather(in[0], 2, []int32{2, 0, 2, 2}) }},
		gradcheck.Case{Layer: "Embedding", Name: "2x2 ids", Inputs: []gradcheck.Input{gradcheck.F(3, 2), {Dims: []int{2, 2}, Ints: []int32{2, 0, 2, 1}}},
			Forward:   func(in nodes) *graph.Node { return nn.Embedding(in[0], in[1]) },
			Reference: func(in [][]float64) []float64 { return refGather(in[0], 2, []int32{2, 0, 2, 1}) }},
		gradcheck.Case{Layer: "MessagePass", Name: "weighted", Inputs: []gradcheck.Input{gradcheck.F(4, 2), gradcheck.F(5, 1), gradcheck.I(source...), gradcheck.I(target...)},
			Forward: func(in nodes) *graph.Node { return nn.MessagePass(in[0], in[2], in[3], in[1]) },
			Reference: func(in [][]float64) []float64 {
				m := pointwise(refGather(in[0], 2, source), func(i int, x float64) float64 { return x * in[1][i/2] })
				return refSegment(m, 2, target, 4, sum)
			}},
		gradcheck.Case{Layer: "MessagePass", Name: "unweighted", Inputs: []gradcheck.Input{gradcheck.F(4, 2), gradcheck.I(source...), gradcheck.I(target...)},
			Forward:   func(in nodes) *graph.Node { return nn.MessagePass(in[0], in[1], in[2], nil) },
			Reference: func(in [][]float64) []float64 { return refSegment(refGather(in[0], 2, source), 2, target, 4, sum) }},
	)
}

func init() {
	gradcheck.Register(
		gradcheck.Case{Layer: "GlobalMeanPool", Name: "rank 4", Inputs: []gradcheck.Input{gradcheck.F(2, 3, 5, 2)},
			Forward:   func(in nodes) *graph.Node { return nn.GlobalMeanPool(in[0]) },
			Reference: func(in [][]float64) []float64 { return refAdaptive(in[0], 2, 3, 5, 2, 1, 1, mean) }},
		gradcheck.Case{Layer: "GlobalMeanPool", Name: "rank 3, one cell", Inputs: []gradcheck.Input{gradcheck.F(2, 1, 2)},
			Forward:   func(in nodes) *graph.Node { return nn.GlobalMeanPool(in[0]) },
			Reference: func(in [][]float64) []float64 { return in[0] }})

	for _, c := range []struct {
		name         string
		n, l, ci, co int
		k            int
		o            nn.Conv1DOptions
	}{
		{"k10s5", 2, 23, 1, 3, 10, nn.Conv1DOptions{Stride: 5}},
		{"k2s2", 2, 7, 3, 2, 2, nn.Conv1DOptions{Stride: 2}},
		{"length 1", 1, 1, 2, 2, 3, nn.Conv1DOptions{Pad: [2]int{1, 1}}},
		{"2 groups dilation 2", 2, 9, 4, 4, 3, nn.Conv1DOptions{Groups: 2, Dilation: 2, Pad: [2]int{2, 1}}},
	} {
		g := max(c.o.Groups, 1)
		gradcheck.Register(gradcheck.Case{Layer: "Conv1D", Name: c.name, Inputs: []gradcheck.Input{gradcheck.F(c.n, c.l, c.ci), gradcheck.F(c.k, c.ci/g, c.co), gradcheck.F(c.co)},
			Forward: func(in nodes) *graph.Node { return nn.Conv1D(in[0], in[1], in[2], c.o) },
			Reference: func(in [][]float64) []float64 {
				return addBias(refConv2D(in[0], in[1], [4]int{c.n, c.l, 1, c.ci}, [4]int{c.k, 1, c.ci / g, c.co},
					nn.ConvOptions{Stride: [2]int{c.o.Stride, 1}, Pad: [2][2]int{c.o.Pad}, Dilation: [2]int{c.o.Dilation, 1}, Groups: g}), in[2])
			}})
	}
	gradcheck.Register(gradcheck.Case{Layer: "CausalConv1D", Name: "k2 dilation 4", Inputs: []gradcheck.Input{gradcheck.F(2, 6, 2), gradcheck.F(2, 2, 3)},
		Forward:   func(in nodes) *graph.Node { return nn.CausalConv1D(in[0], in[1], nil, 4, 1) },
		Reference: func(in [][]float64) []float64 { return refCausal(in[0], in[1], 2, 6, 2, 3, 2, 4) }})
}

// refCausal is y[t] = sum_i x[t-(k-1-i)*dilation]·w[i].
func refCausal(x, w []float64, n, l, ci, co, k, dilation int) []float64 {
	y := make([]float64, n*l*co)
	for b := range n {
		for t := range l {
			for i := range k {
				s := t - (k-1-i)*dilation
				if s < 0 {
					continue
				}
				for a := range ci {
					for o := range co {
						y[(b*l+t)*co+o] += x[(b*l+s)*ci+a] * w[(i*ci+a)*co+o]
					}
				}
			}
		}
	}
	return y
}

// scoped builds a layer of a scope whose parameters are the last inputs, in the order of their declaration.
func scoped(train bool, params int, f func(s *nn.Scope, in nodes) *graph.Node) func(in nodes) *graph.Node {
	return func(in nodes) *graph.Node {
		next := len(in) - params
		net := nn.NewNet(in[0].Graph(), train, func(nn.Decl) *graph.Node {
			next++
			return in[next-1]
		})
		return f(net.Scope(), in[:len(in)-params])
	}
}

func init() {
	stats := []gradcheck.Input{{Dims: []int{2}, Const: true}, {Dims: []int{2}, Values: []float32{0.5, 2}, Const: true}}
	infer := func(in [][]float64) []float64 {
		return pointwise(in[0], func(i int, x float64) float64 {
			return (x-in[3][i%2])/math.Sqrt(in[4][i%2]+1e-5)*in[1][i%2] + in[2][i%2]
		})
	}
	positive := func(_ int, x float64) float64 { return max(x, 0) }
	bn := func(s *nn.Scope, in nodes) *graph.Node { return s.BatchNorm("bn", in[0]) }
	bnr := func(s *nn.Scope, in nodes) *graph.Node { return s.BatchNormReLU("bn", in[0], nil) }
	bnIn := append([]gradcheck.Input{gradcheck.F(3, 2, 2), gradcheck.F(2), gradcheck.F(2)}, stats...)
	batch := func(in [][]float64) []float64 { y, _, _ := refBatchNorm(in[0], in[1], in[2]); return y }
	conv := nn.ConvOptions{Stride: nn.Square(2)}
	gradcheck.Register(
		gradcheck.Case{Layer: "Scope.BatchNorm", Name: "train", Inputs: bnIn, Forward: scoped(true, 4, bn), Reference: batch},
		gradcheck.Case{Layer: "Scope.BatchNorm", Name: "inference", Inputs: bnIn, Forward: scoped(false, 4, bn), Reference: infer},
		gradcheck.Case{Layer: "Scope.BatchNormReLU", Name: "train", Inputs: bnIn, Forward: scoped(true, 4, bnr),
			Reference: func(in [][]float64) []float64 { return pointwise(batch(in), positive) }},
		gradcheck.Case{Layer: "Scope.BatchNormReLU", Name: "inference with residual", Inputs: append([]gradcheck.Input{gradcheck.F(3, 2, 2)}, bnIn...),
			Forward: scoped(false, 4, func(s *nn.Scope, in nodes) *graph.Node { return s.BatchNormReLU("bn", in[1], in[0]) }),
			Reference: func(in [][]float64) []float64 {
				return pointwise(infer(in[1:]), func(i int, x float64) float64 { return max(x+in[0][i], 0) })
			}},
		gradcheck.Case{Layer: "Scope.Conv2D", Name: "2x2s2", Inputs: []gradcheck.Input{gradcheck.F(2, 4, 5, 2), gradcheck.F(2, 2, 2, 3), gradcheck.F(3)},
			Forward: scoped(true, 2, func(s *nn.Scope, in nodes) *graph.Node {
				return s.Conv2D("c", in[0], 3, nn.Square(2), true, conv)
			}),
			Reference: func(in [][]float64) []float64 {
				return addBias(refConv2D(in[0], in[1], [4]int{2, 4, 5, 2}, [4]int{2, 2, 2, 3}, conv), in[2])
			}},
		gradcheck.Case{Layer: "Scope.Conv1D", Name: "k2s2", Inputs: []gradcheck.Input{gradcheck.F(2, 5, 2), gradcheck.F(2, 2, 3)},
			Forward: scoped(true, 1, func(s *nn.Scope, in nodes) *graph.Node {
				return s.Conv1D("c", in[0], 3, 2, false, nn.Conv1DOptions{Stride: 2})
			}),
			Reference: func(in [][]float64) []float64 {
				return refConv2D(in[0], in[1], [4]int{2, 5, 1, 2}, [4]int{2, 1, 2, 3}, nn.ConvOptions{Stride: [2]int{2, 1}})
			}},
		gradcheck.Case{Layer: "Scope.CausalConv1D", Name: "k2 dilation 2", Inputs: []gradcheck.Input{gradcheck.F(2, 5, 2), gradcheck.F(2, 2, 3)},
			Forward:   scoped(true, 1, func(s *nn.Scope, in nodes) *graph.Node { return s.CausalConv1D("c", in[0], 3, 2, 2, false) }),
			Reference: func(in [][]float64) []float64 { return refCausal(in[0], in[1], 2, 5, 2, 3, 2, 2) }},
		gradcheck.Case{Layer: "Scope.Linear", Name: "bias", Inputs: []gradcheck.Input{gradcheck.F(3, 1), gradcheck.F(1, 2), gradcheck.F(2)},
			Forward: scoped(true, 2, func(s *nn.Scope, in nodes) *graph.Node { return s.Linear("l", in[0], 2, true) }),
			Reference: func(in [][]float64) []float64 {
				return addBias(pointwise(make([]float64, 6), func(i int, _ float64) float64 { return in[0][i/2] * in[1][i%2] }), in[2])
			}},
		gradcheck.Case{Layer: "Scope.LayerNorm", Name: "plain", Inputs: []gradcheck.Input{gradcheck.F(2, 3), gradcheck.F(3), gradcheck.F(3)},
			Forward: scoped(true, 2, func(s *nn.Scope, in nodes) *graph.Node { return s.LayerNorm("n", in[0]) }),
			Reference: func(in [][]float64) []float64 {
				return affine(rowwise(in[0], 3, refStandardise(true)), in[1], in[2])
			}},
		gradcheck.Case{Layer: "Scope.RMSNorm", Name: "plain", Inputs: []gradcheck.Input{gradcheck.F(2, 3), gradcheck.F(3)},
			Forward:   scoped(true, 1, func(s *nn.Scope, in nodes) *graph.Node { return s.RMSNorm("n", in[0]) }),
			Reference: func(in [][]float64) []float64 { return affine(rowwise(in[0], 3, refStandardise(false)), in[1], nil) }},
		gradcheck.Case{Layer: "Scope.GroupNorm", Name: "plain", Inputs: []gradcheck.Input{gradcheck.F(2, 3, 4), gradcheck.F(4), gradcheck.F(4)},
			Forward:   scoped(true, 2, func(s *nn.Scope, in nodes) *graph.Node { return s.GroupNorm("n", in[0], 2) }),
			Reference: func(in [][]float64) []float64 { return refGroupNorm(in[0], in[1], in[2], 2, 3, 4, 2) }},
		gradcheck.Case{Layer: "Scope.Embedding", Name: "plain", Inputs: []gradcheck.Input{gradcheck.I(1, 1, 0), gradcheck.F(2, 3)},
			Forward:   scoped(true, 1, func(s *nn.Scope, in nodes) *graph.Node { return s.Embedding("e", in[0], 2, 3) }),
			Reference: func(in [][]float64) []float64 { return refGather(in[1], 3, []int32{1, 1, 0}) }},
	)
}
