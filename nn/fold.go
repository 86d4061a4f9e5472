package nn

import "github.com/gomlx/gomlx/core/graph"

// made says how a layer made its output, so that a norm layer behind it can be folded into its weights.
type made struct {
	w, b *graph.Node // kernel [..., out] and bias [out], nil where it has none
	redo func(w, b *graph.Node) *graph.Node
}

// remember applies a layer that is linear in its kernel, and keeps how for a norm layer that may follow. In training
// nothing is kept: statistics of the batch cannot be folded.
func (s *Scope) remember(w, b *graph.Node, apply func(w, b *graph.Node) *graph.Node) *graph.Node {
	y := apply(w, b)
	if !s.Train() {
		s.net.made[y] = made{w: w, b: b, redo: apply}
	}
	return y
}

// foldNorm is BatchNormInference of x where x came from a convolution or linear map of this net: the same layer with
// the kernel times gain/sqrt(variance+eps) and the bias moved accordingly (Jacob et al. 2018, section 3.2), in float32 whatever
// the products are computed in. It returns nil where x came from something else. The layer's first output is then dead, and back ends drop it.
func (s *Scope) foldNorm(x, gain, bias, mean, variance *graph.Node, eps float64) *graph.Node {
	m, ok := s.net.made[x]
	if !ok || s.net.unfolded {
		return nil
	}
	a := graph.Mul(gain, graph.Reciprocal(graph.Sqrt(graph.AddScalar(graph.StopGradient(variance), eps))))
	mean = graph.StopGradient(mean)
	if m.b != nil {
		mean = graph.Sub(mean, m.b)
	}
	return m.redo(Scale(m.w, a), graph.Sub(bias, graph.Mul(mean, a)))
}

// Unfolded makes the norm layers that follow in this net stay layers of their own, for comparison with folded ones. It
// returns s.
func (s *Scope) Unfolded() *Scope {
	s.net.unfolded = true
	return s
}
