package nn

import (
	"fmt"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/engine"
)

// Affine is x*a + b with a, b `[c]` on the last axis of x `[..., c]`.
func Affine(x, a, b *graph.Node) *graph.Node {
	return CustomVJP([]*graph.Node{x, a, b},
		func() *graph.Node {
			return graph.Add(graph.Mul(x, expandLeft(a, x.Rank())), expandLeft(b, x.Rank()))
		},
		func(_, v *graph.Node) []*graph.Node {
			return []*graph.Node{graph.Mul(v, expandLeft(a, x.Rank())), columnSums(graph.Mul(v, x)), columnSums(v)}
		})
}

// Scale is x*a with a `[c]` on the last axis of x `[..., c]`.
func Scale(x, a *graph.Node) *graph.Node {
	return CustomVJP([]*graph.Node{x, a},
		func() *graph.Node { return graph.Mul(x, expandLeft(a, x.Rank())) },
		func(_, v *graph.Node) []*graph.Node {
			return []*graph.Node{graph.Mul(v, expandLeft(a, x.Rank())), columnSums(graph.Mul(v, x))}
		})
}

// BatchNorm normalises x `[..., c]` over all axes but the last (Ioffe & Szegedy 2015) and returns
// y = (x-mean)/sqrt(variance+eps)*gain + bias with the batch mean and the biased batch variance, both
// `[c]` and without gradient. shift `[c]` (may be nil) is any guess of the mean, such as the running one: the variance is
// computed in one pass over x-shift, which is exact to rounding where shift is within a few deviations of the mean.
func BatchNorm(x, gain, bias, shift *graph.Node, eps float64) (y, mean, variance *graph.Node) {
	return batchNorm(x, gain, bias, shift, nil, eps, false)
}

// BatchNormReLU is ReLU(BatchNorm(x) + residual) with one fused adjoint; residual (shape of x) may be nil.
func BatchNormReLU(x, gain, bias, shift, residual *graph.Node, eps float64) (y, mean, variance *graph.Node) {
	return batchNorm(x, gain, bias, shift, residual, eps, true)
}

func batchNorm(x, gain, bias, shift, residual *graph.Node, eps float64, relu bool) (y, mean, variance *graph.Node) {
	if x.Rank() < 2 {
		panic(fmt.Errorf("nn: batch norm of %s, want rank 2 or more", x.Shape()))
	}
	rank := x.Rank()
	n := float64(x.Shape().Size() / x.Shape().Dim(-1))
	centred := graph.StopGradient(x)
	if shift != nil {
		shift = graph.StopGradient(shift)
		centred = graph.Sub(centred, expandLeft(shift, rank))
	}
	m1 := graph.MulScalar(foldedSums(centred), 1/n)
	variance = graph.Sub(graph.MulScalar(foldedSums(graph.Square(centred)), 1/n), graph.Square(m1))
	variance = graph.StopGradient(graph.Max(variance, graph.ScalarZero(x.Graph(), x.DType())))
	mean = m1
	if shift != nil {
		mean = graph.Add(m1, shift)
	}
	mean = graph.StopGradient(mean)
	r := graph.StopGradient(graph.Reciprocal(graph.Sqrt(graph.AddScalar(variance, eps))))

	in := []*graph.Node{x, gain, bias}
	if residual != nil {
		in = append(in, residual)
	}
	y = CustomVJP(in,
		func() *graph.Node {
			a := graph.Mul(gain, r)
			b := graph.Sub(bias, graph.Mul(mean, a))
			y := graph.Add(graph.Mul(x, expandLeft(a, rank)), expandLeft(b, rank))
			if residual != nil {
				y = graph.Add(y, residual)
			}
			if relu {
				y = graph.Max(y, graph.ScalarZero(y.Graph(), y.DType()))
			}
			return y
		},
		func(y, v *graph.Node) []*graph.Node {
			if relu {
				v = keepPositive(y, v)
			}
			sv := foldedSums(v)
			svx := graph.Mul(r, foldedSums(graph.Mul(v, graph.Sub(x, expandLeft(mean, rank)))))
			// dx = gain*r*(v - sv/n - xhat*svx/n) = v*a + x*p + q with a, p, q of shape [c].
			a := graph.Mul(gain, r)
			p := graph.MulScalar(graph.Mul(graph.Mul(a, r), svx), -1/n)
			q := graph.Sub(graph.MulScalar(graph.Mul(a, sv), -1/n), graph.Mul(p, mean))
			dx := graph.Add(graph.Mul(v, expandLeft(a, rank)), graph.Add(graph.Mul(x, expandLeft(p, rank)), expandLeft(q, rank)))
			out := []*graph.Node{dx, svx, sv}
			if residual != nil {
				out = append(out, v)
			}
			return out
		})
	return y, mean, variance
}

// foldedSums sums x `[..., c]` over all axes but the last, as sumRows. XLA's CPU compiler writes the operand of a long
// reduction to memory first and then sums by windows; a sum of 8 rows it computes in one vectorised loop together
// with the operand. So rows are summed by 8, then what is left: a tenth of the time.
func foldedSums(x *graph.Node) *graph.Node {
	const fold = 8
	n, c := x.Shape().Size()/x.Shape().Dim(-1), x.Shape().Dim(-1)
	k := divisor(n, fold)
	if k == 1 || !onXLACPU(engine.ModeOf(x.Graph())) {
		return columnSums(x)
	}
	return graph.ReduceSum(apart(graph.ReduceSum(graph.Reshape(x, n/k, k, c), 1)), 0)
}

// BatchNormInference normalises x `[..., c]` by stored statistics mean and variance `[c]`, which are constants
// for the gradient: (x-mean)/sqrt(variance+eps)*gain + bias.
func BatchNormInference(x, gain, bias, mean, variance *graph.Node, eps float64) *graph.Node {
	r := graph.Reciprocal(graph.Sqrt(graph.AddScalar(graph.StopGradient(variance), eps)))
	a := graph.Mul(gain, r)
	return Affine(x, a, graph.Sub(bias, graph.Mul(graph.StopGradient(mean), a)))
}

// standardise subtracts the mean over the axes (where centre is set) and divides by sqrt(mean square + eps).
func standardise(x *graph.Node, eps float64, centre bool, axes ...int) *graph.Node {
	mean := func(x *graph.Node) *graph.Node { return graph.ReduceAndKeep(x, graph.ReduceMean, axes...) }
	var r *graph.Node
	return CustomVJP([]*graph.Node{x},
		func() *graph.Node {
			c := x
			if centre {
				c = graph.Sub(x, mean(x))
			}
			r = graph.Reciprocal(graph.Sqrt(graph.AddScalar(mean(graph.Square(c)), eps)))
			return graph.Mul(c, r)
		},
		func(y, v *graph.Node) []*graph.Node {
			d := graph.Sub(v, graph.Mul(y, mean(graph.Mul(v, y))))
			if centre {
				d = graph.Sub(d, mean(v))
			}
			return []*graph.Node{graph.Mul(d, r)}
		})
}

// LayerNorm normalises each row of x `[..., c]` to mean 0, variance 1 (Ba et al. 2016), times gain plus bias `[c]`.
func LayerNorm(x, gain, bias *graph.Node, eps float64) *graph.Node {
	return Affine(standardise(x, eps, true, -1), gain, bias)
}

// RMSNorm divides each row of x `[..., c]` by its root mean square (Zhang & Sennrich 2019), times gain `[c]`.
func RMSNorm(x, gain *graph.Node, eps float64) *graph.Node {
	return Scale(standardise(x, eps, false, -1), gain)
}

// GroupNorm normalises x `[batch, ..., c]` within each sample and each of groups runs of c/groups channels
// (Wu & He 2018), times gain plus bias `[c]`.
func GroupNorm(x, gain, bias *graph.Node, groups int, eps float64) *graph.Node {
	d := x.Shape().Dimensions
	c := d[len(d)-1]
	if len(d) < 2 || groups < 1 || c%groups != 0 {
		panic(fmt.Errorf("nn: group norm of %s in %d groups", x.Shape(), groups))
	}
	y := standardise(graph.Reshape(x, d[0], x.Shape().Size()/(d[0]*c), groups, c/groups), eps, true, 1, 3)
	return Affine(graph.Reshape(y, d...), gain, bias)
}
