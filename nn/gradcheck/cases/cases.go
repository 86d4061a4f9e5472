// Package cases registers the cases by which the gradient and the value of every layer of package nn are checked,
// the awkward shapes among them (even kernels, stride over kernel, width 1, batch 1). It is imported for its effect, by
// the tests of nn and by `selfsame engine check`; gradcheck.Registered lists the cases.
package cases

import (
	"fmt"
	"math"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/nn"
	"github.com/selfsame-ml/selfsame/nn/gradcheck"
)

type nodes = []*graph.Node

// refConv2D is the definition of torch.nn.functional.conv2d in channels-last layout.
func refConv2D(x, w []float64, xd, wd [4]int, o nn.ConvOptions) []float64 {
	s, d, g := [2]int{max(o.Stride[0], 1), max(o.Stride[1], 1)}, [2]int{max(o.Dilation[0], 1), max(o.Dilation[1], 1)}, max(o.Groups, 1)
	size := func(a int) int { return (xd[a+1]+o.Pad[a][0]+o.Pad[a][1]-d[a]*(wd[a]-1)-1)/s[a] + 1 }
	oh, ow := size(0), size(1)
	og := wd[3] / g
	y := make([]float64, xd[0]*oh*ow*wd[3])
	for n := range xd[0] {
		for r := range oh {
			for c := range ow {
				for f := range wd[3] {
					var sum float64
					for i := range wd[0] {
						for j := range wd[1] {
							a, b := r*s[0]+i*d[0]-o.Pad[0][0], c*s[1]+j*d[1]-o.Pad[1][0]
							if a < 0 || b < 0 || a >= xd[1] || b >= xd[2] {
								continue
							}
							for k := range wd[2] {
								sum += x[((n*xd[1]+a)*xd[2]+b)*xd[3]+f/og*wd[2]+k] * w[((i*wd[1]+j)*wd[2]+k)*wd[3]+f]
							}
						}
					}
					y[((n*oh+r)*ow+c)*wd[3]+f] = sum
				}
			}
		}
	}
	return y
}

func addBias(y, b []float64) []float64 {
	for i := range y {
		y[i] += b[i%len(b)]
	}
	return y
}

func init() {
	two := func(a, b int) [2]int { return [2]int{a, b} }
	pad := func(a, b, c, d int) [2][2]int { return [2][2]int{{a, b}, {c, d}} }
	for _, c := range []struct {
		name   string
		xd, wd [4]int
		o      nn.ConvOptions
		bias   bool
	}{
		{"k3s1p1", [4]int{2, 5, 4, 3}, [4]int{3, 3, 3, 4}, nn.ConvOptions{Pad: nn.PadSquare(1)}, true},
		{"k1s1", [4]int{2, 3, 4, 3}, [4]int{1, 1, 3, 2}, nn.ConvOptions{}, false},
		{"k1s2", [4]int{2, 5, 4, 3}, [4]int{1, 1, 3, 2}, nn.ConvOptions{Stride: nn.Square(2)}, false},
		{"k1s2p1", [4]int{1, 5, 4, 3}, [4]int{1, 1, 3, 2}, nn.ConvOptions{Stride: nn.Square(2), Pad: nn.PadSquare(1)}, false},
		{"k2s1 even kernel", [4]int{2, 4, 5, 2}, [4]int{2, 2, 2, 3}, nn.ConvOptions{}, false},
		{"k4s2p1 even kernel", [4]int{2, 6, 7, 2}, [4]int{4, 4, 2, 3}, nn.ConvOptions{Stride: nn.Square(2), Pad: nn.PadSquare(1)}, false},
		{"k2s2 patches", [4]int{2, 4, 6, 2}, [4]int{2, 2, 2, 3}, nn.ConvOptions{Stride: nn.Square(2)}, true},
		{"k2s3 stride over kernel", [4]int{2, 8, 7, 2}, [4]int{2, 2, 2, 3}, nn.ConvOptions{Stride: nn.Square(3)}, false},
		{"k3s2p1 odd size", [4]int{2, 7, 6, 2}, [4]int{3, 3, 2, 3}, nn.ConvOptions{Stride: nn.Square(2), Pad: nn.PadSquare(1)}, false},
		{"k7s2p3", [4]int{1, 9, 8, 2}, [4]int{7, 7, 2, 2}, nn.ConvOptions{Stride: nn.Square(2), Pad: nn.PadSquare(3)}, false},
		{"width 1 batch 1", [4]int{1, 6, 1, 2}, [4]int{3, 1, 2, 2}, nn.ConvOptions{Pad: pad(1, 1, 0, 0)}, false},
		{"one cell", [4]int{1, 1, 1, 2}, [4]int{3, 3, 2, 2}, nn.ConvOptions{Pad: nn.PadSquare(1)}, false},
		{"one channel", [4]int{2, 4, 4, 1}, [4]int{3, 3, 1, 1}, nn.ConvOptions{Pad: nn.PadSquare(1)}, false},
		{"uneven stride pad kernel", [4]int{2, 7, 5, 2}, [4]int{2, 3, 2, 3}, nn.ConvOptions{Stride: two(3, 1), Pad: pad(0, 2, 1, 0)}, false},
		{"pad over kernel", [4]int{1, 3, 3, 2}, [4]int{2, 2, 2, 2}, nn.ConvOptions{Pad: nn.PadSquare(3)}, false},
		{"dilation 2", [4]int{2, 7, 6, 2}, [4]int{3, 2, 2, 3}, nn.ConvOptions{Dilation: two(2, 3), Pad: pad(2, 1, 0, 1)}, false},
		{"dilation 2 stride 2", [4]int{2, 8, 7, 2}, [4]int{3, 2, 2, 3}, nn.ConvOptions{Dilation: two(2, 2), Stride: two(2, 2)}, false},
		{"2 groups", [4]int{2, 4, 5, 4}, [4]int{3, 3, 2, 6}, nn.ConvOptions{Groups: 2, Pad: nn.PadSquare(1)}, true},
		{"2 groups k2s2", [4]int{2, 4, 5, 4}, [4]int{2, 2, 2, 2}, nn.ConvOptions{Groups: 2, Stride: nn.Square(2)}, false},
		{"depthwise", [4]int{2, 5, 4, 3}, [4]int{3, 3, 1, 3}, nn.ConvOptions{Groups: 3, Pad: nn.PadSquare(1)}, true},
		{"depthwise k4s2d2", [4]int{1, 9, 8, 3}, [4]int{4, 2, 1, 3}, nn.ConvOptions{Groups: 3, Stride: nn.Square(2), Dilation: nn.Square(2), Pad: nn.PadSquare(1)}, false},
		{"depth multiplier 2", [4]int{2, 5, 4, 3}, [4]int{3, 3, 1, 6}, nn.ConvOptions{Groups: 3, Pad: nn.PadSquare(1)}, false},
	} {
		in := []gradcheck.Input{gradcheck.F(c.xd[:]...), gradcheck.F(c.wd[:]...)}
		if c.bias {
			in = append(in, gradcheck.F(c.wd[3]))
		}
		gradcheck.Register(gradcheck.Case{Layer: "Conv2D", Name: c.name, Inputs: in,
			Forward: func(in nodes) *graph.Node {
				var b *graph.Node
				if c.bias {
					b = in[2]
				}
				return nn.Conv2D(in[0], in[1], b, c.o)
			},
			Reference: func(in [][]float64) []float64 {
				y := refConv2D(in[0], in[1], c.xd, c.wd, c.o)
				if c.bias {
					y = addBias(y, in[2])
				}
				return y
			}})
	}
}

func init() {
	for _, c := range []struct {
		name           string
		rows, c        int
		residual, relu bool
		shift          float64
	}{
		{"plain", 12, 3, false, false, 0},
		{"batch 2", 2, 3, false, false, 0},
		{"one channel", 9, 1, false, false, 0},
		{"mean far from 0", 12, 3, false, false, 20},
	} {
		shift := make([]float32, c.c)
		for i := range shift {
			shift[i] = float32(c.shift) - 0.5
		}
		gradcheck.Register(gradcheck.Case{Layer: "BatchNorm", Name: c.name,
			Inputs: []gradcheck.Input{{Dims: []int{c.rows, 1, c.c}, Shift: c.shift}, gradcheck.F(c.c), gradcheck.F(c.c), {Dims: []int{c.c}, Values: shift, Const: true}},
			Forward: func(in nodes) *graph.Node {
				y, _, _ := nn.BatchNorm(in[0], in[1], in[2], in[3], 1e-5)
				return y
			},
			Reference: func(in [][]float64) []float64 { y, _, _ := refBatchNorm(in[0], in[1], in[2]); return y }})
	}
	for _, residual := range []bool{false, true} {
		in := []gradcheck.Input{gradcheck.F(4, 3, 2, 3), gradcheck.F(3), gradcheck.F(3)}
		if residual {
			in = append(in, gradcheck.F(4, 3, 2, 3))
		}
		gradcheck.Register(gradcheck.Case{Layer: "BatchNormReLU", Name: fmt.Sprintf("residual %v", residual), Inputs: in, Tolerance: 0.02,
			Forward: func(in nodes) *graph.Node {
				var r *graph.Node
				if residual {
					r = in[3]
				}
				y, _, _ := nn.BatchNormReLU(in[0], in[1], in[2], nil, r, 1e-5)
				return y
			},
			Reference: func(in [][]float64) []float64 {
				y, _, _ := refBatchNorm(in[0], in[1], in[2])
				for i := range y {
					if residual {
						y[i] += in[3][i]
					}
					y[i] = max(y[i], 0)
				}
				return y
			}})
	}
	gradcheck.Register(
		gradcheck.Case{Layer: "BatchNormInference", Name: "plain",
			Inputs: []gradcheck.Input{gradcheck.F(3, 2, 2), gradcheck.F(2), gradcheck.F(2), {Dims: []int{2}, Const: true}, {Dims: []int{2}, Values: []float32{0.5, 2}, Const: true}},
			Forward: func(in nodes) *graph.Node {
				return nn.BatchNormInference(in[0], in[1], in[2], in[3], in[4], 1e-5)
			},
			Reference: func(in [][]float64) []float64 {
				y := make([]float64, len(in[0]))
				for i, x := range in[0] {
					y[i] = (x-in[3][i%2])/math.Sqrt(in[4][i%2]+1e-5)*in[1][i%2] + in[2][i%2]
				}
				return y
			}},
		gradcheck.Case{Layer: "Affine", Name: "plain", Inputs: []gradcheck.Input{gradcheck.F(2, 3, 4), gradcheck.F(4), gradcheck.F(4)},
			Forward: func(in nodes) *graph.Node { return nn.Affine(in[0], in[1], in[2]) },
			Reference: func(in [][]float64) []float64 {
				return pointwise(in[0], func(i int, x float64) float64 { return x*in[1][i%4] + in[2][i%4] })
			}},
		gradcheck.Case{Layer: "Scale", Name: "plain", Inputs: []gradcheck.Input{gradcheck.F(2, 3, 4), gradcheck.F(4)},
			Forward: func(in nodes) *graph.Node { return nn.Scale(in[0], in[1]) },
			Reference: func(in [][]float64) []float64 {
				return pointwise(in[0], func(i int, x float64) float64 { return x * in[1][i%4] })
			}},
		gradcheck.Case{Layer: "AddBias", Name: "vector", Inputs: []gradcheck.Input{gradcheck.F(2, 4), gradcheck.F(4)},
			Forward:   func(in nodes) *graph.Node { return nn.AddBias(in[0], in[1]) },
			Reference: func(in [][]float64) []float64 { return addBias(in[0], in[1]) }},
	)
}

func pointwise(x []float64, f func(i int, x float64) float64) []float64 {
	y := make([]float64, len(x))
	for i := range x {
		y[i] = f(i, x[i])
	}
	return y
}

// refBatchNorm is Ioffe & Szegedy 2015, algorithm 1, over the last axis.
func refBatchNorm(x, gain, bias []float64) (y, mean, variance []float64) {
	c := len(gain)
	mean, variance = make([]float64, c), make([]float64, c)
	n := float64(len(x) / c)
	for i, v := range x {
		mean[i%c] += v / n
	}
	for i, v := range x {
		variance[i%c] += (v - mean[i%c]) * (v - mean[i%c]) / n
	}
	y = pointwise(x, func(i int, v float64) float64 {
		return (v-mean[i%c])/math.Sqrt(variance[i%c]+1e-5)*gain[i%c] + bias[i%c]
	})
	return y, mean, variance
}

func init() {
	unary := func(layer string, f func(x *graph.Node) *graph.Node, ref func(x float64) float64) {
		gradcheck.Register(gradcheck.Case{Layer: layer, Name: "plain", Inputs: []gradcheck.Input{{Dims: []int{3, 5}, Scale: 2}},
			Forward: func(in nodes) *graph.Node { return f(in[0]) },
			Reference: func(in [][]float64) []float64 {
				return pointwise(in[0], func(_ int, x float64) float64 { return ref(x) })
			}})
	}
	unary("ReLU", nn.ReLU, func(x float64) float64 { return max(x, 0) })
	unary("GELU", nn.GELU, func(x float64) float64 { return x / 2 * (1 + math.Erf(x/math.Sqrt2)) })
	unary("GELUTanh", nn.GELUTanh, func(x float64) float64 {
		return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
	})
	unary("SiLU", nn.SiLU, func(x float64) float64 { return x / (1 + math.Exp(-x)) })
	matmul := func(a, b []float64, m, k, n int) []float64 {
		y := make([]float64, m*n)
		for i := range m {
			for j := range n {
				for l := range k {
					y[i*n+j] += a[i*k+l] * b[l*n+j]
				}
			}
		}
		return y
	}
	gradcheck.Register(
		gradcheck.Case{Layer: "MatMul", Name: "3x4x2", Inputs: []gradcheck.Input{gradcheck.F(3, 4), gradcheck.F(4, 2)},
			Forward:   func(in nodes) *graph.Node { return nn.MatMul(in[0], in[1]) },
			Reference: func(in [][]float64) []float64 { return matmul(in[0], in[1], 3, 4, 2) }},
		gradcheck.Case{Layer: "Linear", Name: "rank 3 with bias", Inputs: []gradcheck.Input{gradcheck.F(2, 3, 4), gradcheck.F(4, 5), gradcheck.F(5)},
			Forward:   func(in nodes) *graph.Node { return nn.Linear(in[0], in[1], in[2]) },
			Reference: func(in [][]float64) []float64 { return addBias(matmul(in[0], in[1], 6, 4, 5), in[2]) }},
		gradcheck.Case{Layer: "Linear", Name: "1x1 without bias", Inputs: []gradcheck.Input{gradcheck.F(1, 1), gradcheck.F(1, 1)},
			Forward:   func(in nodes) *graph.Node { return nn.Linear(in[0], in[1], nil) },
			Reference: func(in [][]float64) []float64 { return []float64{in[0][0] * in[1][0]} }},
	)
}

// refPool applies reduce to the values of each window; NaN stands for padding.
func refPool(x []float64, xd [4]int, o nn.PoolOptions, reduce func(v []float64) float64) []float64 {
	s := o.Stride
	for i := range s {
		if s[i] == 0 {
			s[i] = o.Kernel[i]
		}
	}
	oh := (xd[1]+o.Pad[0][0]+o.Pad[0][1]-o.Kernel[0])/s[0] + 1
	ow := (xd[2]+o.Pad[1][0]+o.Pad[1][1]-o.Kernel[1])/s[1] + 1
	var y []float64
	for n := range xd[0] {
		for r := range oh {
			for c := range ow {
				for f := range xd[3] {
					var v []float64
					for i := range o.Kernel[0] {
						for j := range o.Kernel[1] {
							a, b := r*s[0]+i-o.Pad[0][0], c*s[1]+j-o.Pad[1][0]
							if a < 0 || b < 0 || a >= xd[1] || b >= xd[2] {
								v = append(v, math.NaN())
								continue
							}
							v = append(v, x[((n*xd[1]+a)*xd[2]+b)*xd[3]+f])
						}
					}
					y = append(y, reduce(v))
				}
			}
		}
	}
	return y
}

func init() {
	mean := func(v []float64) float64 {
		var s float64
		for _, x := range v {
			if !math.IsNaN(x) {
				s += x
			}
		}
		return s / float64(len(v))
	}
	maximum := func(v []float64) float64 {
		m := math.Inf(-1)
		for _, x := range v {
			if x > m {
				m = x
			}
		}
		return m
	}
	for _, c := range []struct {
		name string
		xd   [4]int
		o    nn.PoolOptions
	}{
		{"2s2", [4]int{2, 4, 6, 3}, nn.PoolOptions{Kernel: nn.Square(2)}},
		{"2s2 odd size", [4]int{2, 5, 7, 2}, nn.PoolOptions{Kernel: nn.Square(2)}},
		{"3s2p1 overlapping", [4]int{1, 7, 6, 2}, nn.PoolOptions{Kernel: nn.Square(3), Stride: nn.Square(2), Pad: nn.PadSquare(1)}},
		{"3s1p1", [4]int{2, 4, 3, 1}, nn.PoolOptions{Kernel: nn.Square(3), Stride: nn.Square(1), Pad: nn.PadSquare(1)}},
		{"2s3 stride over kernel", [4]int{1, 8, 7, 2}, nn.PoolOptions{Kernel: nn.Square(2), Stride: nn.Square(3)}},
		{"width 1", [4]int{1, 6, 1, 2}, nn.PoolOptions{Kernel: [2]int{2, 1}, Pad: [2][2]int{{0, 1}}}},
	} {
		gradcheck.Register(
			gradcheck.Case{Layer: "MeanPool", Name: c.name, Inputs: []gradcheck.Input{gradcheck.F(c.xd[:]...)},
				Forward:   func(in nodes) *graph.Node { return nn.MeanPool(in[0], c.o) },
				Reference: func(in [][]float64) []float64 { return refPool(in[0], c.xd, c.o, mean) }},
			gradcheck.Case{Layer: "MaxPool", Name: c.name, Inputs: []gradcheck.Input{gradcheck.F(c.xd[:]...)},
				Forward:   func(in nodes) *graph.Node { return nn.MaxPool(in[0], c.o) },
				Reference: func(in [][]float64) []float64 { return refPool(in[0], c.xd, c.o, maximum) }})
	}
}
