package nn

import (
	"math"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/engine"
)

// keepPositive is v where y > 0, else 0.
func keepPositive(y, v *graph.Node) *graph.Node {
	zero := graph.ScalarZero(y.Graph(), y.DType())
	return graph.Where(graph.GreaterThan(y, zero), v, graph.ZerosLike(v))
}

// ReLU is max(x, 0); its gradient at 0 is 0.
func ReLU(x *graph.Node) *graph.Node {
	return CustomVJP([]*graph.Node{x},
		func() *graph.Node { return graph.Max(x, graph.ScalarZero(x.Graph(), x.DType())) },
		func(y, v *graph.Node) []*graph.Node { return []*graph.Node{keepPositive(y, v)} })
}

// GELU is x*Phi(x) with the exact normal distribution function (Hendrycks & Gimpel 2016).
func GELU(x *graph.Node) *graph.Node {
	var cdf *graph.Node
	return CustomVJP([]*graph.Node{x},
		func() *graph.Node {
			cdf = graph.MulScalar(graph.AddScalar(graph.Erf(graph.MulScalar(x, math.Sqrt2/2)), 1), 0.5)
			return graph.Mul(x, cdf)
		},
		func(_, v *graph.Node) []*graph.Node {
			pdf := graph.MulScalar(graph.Exp(graph.MulScalar(graph.Square(x), -0.5)), 1/math.Sqrt(2*math.Pi))
			if onXLACPU(engine.ModeOf(x.Graph())) {
				// Computed again, and written otherwise than in the forward: XLA would share an equal expression, and store it.
				cdf = graph.OneMinus(graph.MulScalar(graph.AddScalar(graph.Erf(graph.MulScalar(x, -math.Sqrt2/2)), 1), 0.5))
			}
			return []*graph.Node{graph.Mul(v, graph.Add(cdf, graph.Mul(x, pdf)))}
		})
}

// GELUTanh is the tanh approximation of GELU: x/2*(1+tanh(sqrt(2/pi)*(x+0.044715*x^3))).
func GELUTanh(x *graph.Node) *graph.Node {
	k, c := math.Sqrt(2/math.Pi), 0.044715
	var t *graph.Node
	return CustomVJP([]*graph.Node{x},
		func() *graph.Node {
			t = graph.Tanh(graph.Mul(x, graph.AddScalar(graph.MulScalar(graph.Square(x), k*c), k)))
			return graph.Mul(graph.MulScalar(x, 0.5), graph.AddScalar(t, 1))
		},
		func(_, v *graph.Node) []*graph.Node {
			inner := graph.AddScalar(graph.MulScalar(graph.Square(x), 3*k*c), k)
			slope := graph.Mul(graph.Mul(x, graph.OneMinus(graph.Square(t))), inner)
			return []*graph.Node{graph.Mul(v, graph.MulScalar(graph.Add(graph.AddScalar(t, 1), slope), 0.5))}
		})
}

// SiLU is x*sigmoid(x), also called swish (Elfwing et al. 2017).
func SiLU(x *graph.Node) *graph.Node {
	var s *graph.Node
	return CustomVJP([]*graph.Node{x},
		func() *graph.Node {
			s = graph.Logistic(x)
			return graph.Mul(x, s)
		},
		func(y, v *graph.Node) []*graph.Node {
			return []*graph.Node{graph.Mul(v, graph.Add(s, graph.Mul(y, graph.OneMinus(s))))}
		})
}
