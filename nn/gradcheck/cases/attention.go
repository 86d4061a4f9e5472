package cases

import (
	"math"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/nn"
	"github.com/selfsame-ml/selfsame/nn/gradcheck"
)

// refRotary turns rows of x [heads, length, d].
func refRotary(x []float64, length, d int, base float64) []float64 {
	y := make([]float64, len(x))
	for r := range len(x) / d {
		for i := range d / 2 {
			s, c := math.Sincos(float64(r%length) * math.Pow(base, -2*float64(i)/float64(d)))
			a, b := x[r*d+i], x[r*d+i+d/2]
			y[r*d+i], y[r*d+i+d/2] = a*c-b*s, a*s+b*c
		}
	}
	return y
}

// refAttention is Vaswani et al. 2017, eq. 1, for q [b, h, nq, d], k and v [b, h, nk, d].
func refAttention(q, k, v []float64, b, h, nq, nk, d int, causal bool, mask []float64) []float64 {
	y := make([]float64, b*h*nq*d)
	for n := range b * h {
		for i := range nq {
			score := make([]float64, nk)
			for j := range nk {
				if causal && j > i || mask != nil && mask[n/h*nk+j] == 0 {
					score[j] = -1e9
					continue
				}
				for a := range d {
					score[j] += q[(n*nq+i)*d+a] * k[(n*nk+j)*d+a] / math.Sqrt(float64(d))
				}
			}
			if highest(score) == -1e9 { // sees no key
				continue
			}
			for j, p := range refSoftmax(score) {
				for a := range d {
					y[(n*nq+i)*d+a] += p * v[(n*nk+j)*d+a]
				}
			}
		}
	}
	return y
}

func refLinear(x, w, b []float64, in, out int) []float64 {
	y := make([]float64, len(x)/in*out)
	for r := range len(x) / in {
		for o := range out {
			y[r*out+o] = b[o]
			for i := range in {
				y[r*out+o] += x[r*in+i] * w[i*out+o]
			}
		}
	}
	return y
}

// refSelfAttention is the module with parameters qkv weight, bias, out weight, bias.
func refSelfAttention(x []float64, p [][]float64, b, n, c, h int) []float64 {
	qkv := refLinear(x, p[0], p[1], c, 3*c)
	var part [3][]float64
	for k := range part {
		for i := range b {
			for a := range h {
				for t := range n {
					from := (i*n+t)*3*c + k*c + a*(c/h)
					part[k] = append(part[k], qkv[from:from+c/h]...)
				}
			}
		}
	}
	y := refAttention(part[0], part[1], part[2], b, h, n, n, c/h, true, nil)
	merged := make([]float64, b*n*c)
	for i := range b {
		for a := range h {
			for t := range n {
				copy(merged[(i*n+t)*c+a*(c/h):][:c/h], y[((i*h+a)*n+t)*(c/h):])
			}
		}
	}
	return refLinear(merged, p[2], p[3], c, c)
}

func init() {
	mask := []float32{1, 0, 1, 1, 1, 0}
	for _, c := range []struct {
		name   string
		nq, nk int
		opt    nn.AttentionOptions
		mask   bool
	}{
		{"full", 3, 3, nn.AttentionOptions{}, false},
		{"one query", 1, 3, nn.AttentionOptions{}, false},
		{"causal", 3, 3, nn.AttentionOptions{Causal: true}, false},
		{"key mask", 2, 3, nn.AttentionOptions{}, true},
		{"causal, key mask, rotary", 3, 3, nn.AttentionOptions{Causal: true, Rotary: 100}, true},
	} {
		in := []gradcheck.Input{gradcheck.F(2, 2, c.nq, 4), gradcheck.F(2, 2, c.nk, 4), gradcheck.F(2, 2, c.nk, 4)}
		if c.mask {
			in = append(in, gradcheck.Input{Dims: []int{2, 3}, Values: mask, Const: true})
		}
		gradcheck.Register(gradcheck.Case{Layer: "ScaledDotProduct", Name: c.name, Inputs: in,
			Forward: func(in nodes) *graph.Node {
				opt := c.opt
				if c.mask {
					opt.KeyMask = in[3]
				}
				return nn.ScaledDotProduct(in[0], in[1], in[2], opt)
			},
			Reference: func(in [][]float64) []float64 {
				q, k := in[0], in[1]
				if c.opt.Rotary > 0 {
					q, k = refRotary(q, c.nq, 4, c.opt.Rotary), refRotary(k, c.nk, 4, c.opt.Rotary)
				}
				var m []float64
				if c.mask {
					m = in[3]
				}
				return refAttention(q, k, in[2], 2, 2, c.nq, c.nk, 4, c.opt.Causal, m)
			}})
	}
	attention := []gradcheck.Input{gradcheck.F(2, 3, 4), gradcheck.F(4, 12), gradcheck.F(12), gradcheck.F(4, 4), gradcheck.F(4)}
	gradcheck.Register(
		gradcheck.Case{Layer: "RotaryPositions", Name: "rank 3", Inputs: []gradcheck.Input{gradcheck.F(2, 3, 4)},
			Forward:   func(in nodes) *graph.Node { return nn.RotaryPositions(in[0], 10) },
			Reference: func(in [][]float64) []float64 { return refRotary(in[0], 3, 4, 10) }},
		gradcheck.Case{Layer: "Scope.Attention", Name: "causal", Inputs: attention,
			Forward: scoped(true, 4, func(s *nn.Scope, in nodes) *graph.Node {
				return s.Attention("a", in[0], 2, nn.AttentionOptions{Causal: true})
			}),
			Reference: func(in [][]float64) []float64 { return refSelfAttention(in[0], in[1:], 2, 3, 4, 2) }},
	)
	// The large block is there for XLA's rewrites of layer norm, softmax and GELU to library calls, which need not match small ones.
	transformerBlock("small", 2, 3, 4, 2, 5)
	transformerBlock("large", 2, 32, 64, 4, 128)
}

func transformerBlock(name string, b, n, c, heads, width int) {
	w := func(dims ...int) gradcheck.Input {
		return gradcheck.Input{Dims: dims, Scale: 1 / math.Sqrt(float64(dims[0]))}
	}
	in := []gradcheck.Input{gradcheck.F(b, n, c), gradcheck.F(c), gradcheck.F(c), w(c, 3*c), gradcheck.F(3 * c), w(c, c), gradcheck.F(c),
		gradcheck.F(c), gradcheck.F(c), w(c, width), gradcheck.F(width), w(width, c), gradcheck.F(c)}
	gradcheck.Register(gradcheck.Case{Layer: "Scope.TransformerBlock", Name: name, Inputs: in,
		Forward: scoped(true, len(in)-1, func(s *nn.Scope, in nodes) *graph.Node {
			return s.TransformerBlock("b", in[0], heads, width, nn.AttentionOptions{Causal: true})
		}),
		Reference: func(in [][]float64) []float64 {
			p := in[1:]
			ln := func(x, gain, bias []float64) []float64 {
				return affine(rowwise(x, c, refStandardise(true)), gain, bias)
			}
			a := refSelfAttention(ln(in[0], p[0], p[1]), p[2:6], b, n, c, heads)
			x := pointwise(in[0], func(i int, v float64) float64 { return v + a[i] })
			h := pointwise(refLinear(ln(x, p[6], p[7]), p[8], p[9], c, width), func(_ int, v float64) float64 { return v / 2 * (1 + math.Erf(v/math.Sqrt2)) })
			y := refLinear(h, p[10], p[11], width, c)
			return pointwise(x, func(i int, v float64) float64 { return v + y[i] })
		}})
}
