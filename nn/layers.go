package nn

import (
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
)

// Defaults of the norm layers, as in PyTorch.
const (
	BatchNormMomentum = 0.1  // weight of the new batch in the running statistics
	NormEps           = 1e-5 // added to variances
)

// Conv2D declares "weight" `[rows, columns, in/groups, out]` and, where bias is set, "bias" `[out]` under name, and
// convolves x `[batch, height, width, in]`. Start values as torch.nn.Conv2d.
func (s *Scope) Conv2D(name string, x *graph.Node, out int, kernel [2]int, bias bool, opt ConvOptions) *graph.Node {
	in := x.Shape().Dim(-1) / max(opt.Groups, 1)
	p := s.In("%s", name)
	init := KaimingUniform(in * kernel[0] * kernel[1])
	w := p.Param("weight", Weight, init, kernel[0], kernel[1], in, out)
	return p.remember(w, p.bias(bias, init, out), func(w, b *graph.Node) *graph.Node { return Conv2D(x, w, b, opt) })
}

// Conv1D declares "weight" `[kernel, in/groups, out]` and "bias" `[out]` and convolves x `[batch, length, in]`.
func (s *Scope) Conv1D(name string, x *graph.Node, out, kernel int, bias bool, opt Conv1DOptions) *graph.Node {
	in := x.Shape().Dim(-1) / max(opt.Groups, 1)
	p := s.In("%s", name)
	init := KaimingUniform(in * kernel)
	w := p.Param("weight", Weight, init, kernel, in, out)
	return p.remember(w, p.bias(bias, init, out), func(w, b *graph.Node) *graph.Node { return Conv1D(x, w, b, opt) })
}

// CausalConv1D is Conv1D in the form of the function CausalConv1D.
func (s *Scope) CausalConv1D(name string, x *graph.Node, out, kernel, dilation int, bias bool) *graph.Node {
	d := max(dilation, 1)
	return s.Conv1D(name, x, out, kernel, bias, Conv1DOptions{Pad: [2]int{(kernel - 1) * d, 0}, Dilation: d})
}

func (s *Scope) bias(use bool, init Init, out int) *graph.Node {
	if !use {
		return nil
	}
	return s.Param("bias", Bias, init, out)
}

// Linear declares "weight" `[in, out]` and, where bias is set, "bias" `[out]` under name: x·w + b of x `[..., in]`.
// Start values as torch.nn.Linear.
func (s *Scope) Linear(name string, x *graph.Node, out int, bias bool) *graph.Node {
	in := x.Shape().Dim(-1)
	p := s.In("%s", name)
	w := p.Param("weight", Weight, KaimingUniform(in), in, out)
	return p.remember(w, p.bias(bias, KaimingUniform(in), out), func(w, b *graph.Node) *graph.Node { return Linear(x, w, b) })
}

// BatchNorm declares gain "weight", "bias" and the statistics "running_mean" and "running_var" `[c]` under name
// (Ioffe & Szegedy 2015; momentum 0.1, eps 1e-5). In training it normalises x `[..., c]` by the batch and moves the statistics
// (with the unbiased variance, as PyTorch); else it uses the statistics.
func (s *Scope) BatchNorm(name string, x *graph.Node) *graph.Node {
	return s.batchNorm(name, x, nil, false)
}

// BatchNormReLU is ReLU(BatchNorm(x) + residual) with one fused adjoint; residual may be nil.
func (s *Scope) BatchNormReLU(name string, x, residual *graph.Node) *graph.Node {
	return s.batchNorm(name, x, residual, true)
}

func (s *Scope) batchNorm(name string, x, residual *graph.Node, relu bool) *graph.Node {
	p, c := s.In("%s", name), x.Shape().Dim(-1)
	gain, bias := p.Param("weight", Bias, Ones, c), p.Param("bias", Bias, Zeros, c)
	mean, variance := p.Statistic("running_mean", Zeros, c), p.Statistic("running_var", Ones, c)
	if !s.Train() {
		y := s.foldNorm(x, gain, bias, mean, variance, NormEps)
		if y == nil {
			y = BatchNormInference(x, gain, bias, mean, variance, NormEps)
		}
		if residual != nil {
			y = graph.Add(y, residual)
		}
		if relu {
			y = ReLU(y)
		}
		return y
	}
	y, m, v := batchNorm(x, gain, bias, mean, residual, NormEps, relu)
	rows := float64(x.Shape().Size() / c)
	unbiased := graph.MulScalar(v, rows/max(rows-1, 1))
	p.SetStatistic("running_mean", blend(mean, m))
	p.SetStatistic("running_var", blend(variance, unbiased))
	return y
}

func blend(old, batch *graph.Node) *graph.Node {
	return graph.Add(graph.MulScalar(old, 1-BatchNormMomentum), graph.MulScalar(batch, BatchNormMomentum))
}

// LayerNorm declares gain "weight" and "bias" `[c]` under name and normalises each row of x `[..., c]` (eps 1e-5).
func (s *Scope) LayerNorm(name string, x *graph.Node) *graph.Node {
	p, c := s.In("%s", name), x.Shape().Dim(-1)
	return LayerNorm(x, p.Param("weight", Bias, Ones, c), p.Param("bias", Bias, Zeros, c), NormEps)
}

// RMSNorm declares gain "weight" `[c]` under name and divides each row of x `[..., c]` by its root mean square.
func (s *Scope) RMSNorm(name string, x *graph.Node) *graph.Node {
	c := x.Shape().Dim(-1)
	return RMSNorm(x, s.In("%s", name).Param("weight", Bias, Ones, c), NormEps)
}

// GroupNorm declares gain "weight" and "bias" `[c]` under name and normalises x `[batch, ..., c]` in groups.
func (s *Scope) GroupNorm(name string, x *graph.Node, groups int) *graph.Node {
	p, c := s.In("%s", name), x.Shape().Dim(-1)
	return GroupNorm(x, p.Param("weight", Bias, Ones, c), p.Param("bias", Bias, Zeros, c), groups, NormEps)
}

// Embedding declares "weight" `[vocabulary, d]` under name, N(0, 0.02^2), and looks up integer ids `[...]`: `[..., d]`.
func (s *Scope) Embedding(name string, ids *graph.Node, vocabulary, d int) *graph.Node {
	if vocabulary < 1 || d < 1 {
		panic(fmt.Errorf("nn: embedding %q of %d rows of %d", name, vocabulary, d))
	}
	return Embedding(s.In("%s", name).Param("weight", Weight, Init{Normal, 0.02}, vocabulary, d), ids)
}
