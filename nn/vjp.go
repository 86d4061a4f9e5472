package nn

import (
	"errors"
	"fmt"
	"sync"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// pending holds, in the short time between the adjoint of a carrier's identity and that
// of the carrier itself, the gradients of the inputs; the key is the dummy adjoint that
// travels from one to the other. It is empty outside graph.Gradient, so it pins no graph.
var pending sync.Map // *graph.Node -> []*graph.Node

func init() {
	concatenate := graph.VJPRegistration[graph.NodeTypeConcatenate]
	graph.VJPRegistration[graph.NodeTypeConcatenate] = func(n *graph.Node, vs []*graph.Node, s shapes.Shape) []*graph.Node {
		if len(vs) == 1 {
			if gs, ok := pending.LoadAndDelete(vs[0]); ok {
				return gs.([]*graph.Node)
			}
		}
		return concatenate(n, vs, s)
	}
}

// CustomVJP returns fwd() with an adjoint of its own: where a loss is differentiated,
// vjp(y, v) is called with the output y and the adjoint v of y (same shape) and
// returns the adjoint of each input in order, nil for an input that has none.
//
// All inputs must be of one data type; integer inputs and constants are simply
// captured by the closures. fwd must return a node that it made itself.
// Intermediate nodes of fwd may be used in vjp. It panics, as graph functions do, where
// GoMLX's fusion is switched off (GOMLX_FUSION=0), since the adjoint would be lost.
//
// How it works: InternalFusedOpCaller moves the adjoint of a "fused" output to that of
// an equivalent decomposed graph. Here the decomposed graph is a dead carrier: the
// concatenation of the inputs under an identity whose custom gradient calls vjp.
func CustomVJP(in []*graph.Node, fwd func() *graph.Node, vjp func(y, v *graph.Node) []*graph.Node) *graph.Node {
	if len(in) == 0 {
		panic(errors.New("nn: CustomVJP needs at least one input"))
	}
	g := in[0].Graph()
	var y *graph.Node
	backward := func(c, v *graph.Node) *graph.Node {
		gs := vjp(y, v)
		if len(gs) != len(in) {
			panic(fmt.Errorf("nn: CustomVJP returned %d adjoints for %d inputs", len(gs), len(in)))
		}
		out := make([]*graph.Node, len(c.Inputs()[0].Inputs()))
		for i, d := range gs {
			if d == nil {
				continue
			}
			if !d.Shape().Equal(in[i].Shape()) { // equal sizes would pass the reshape below
				panic(fmt.Errorf("nn: CustomVJP adjoint %d has shape %s, its input %s", i, d.Shape(), in[i].Shape()))
			}
			out[i] = graph.Reshape(d, -1)
		}
		dummy := graph.Identity(graph.Zeros(g, c.Shape())) // dead: never executed
		pending.Store(dummy, out)
		return dummy
	}
	y, fused := graph.InternalFusedOpCaller(fwd, func() *graph.Node {
		flat := make([]*graph.Node, 0, len(in)+1)
		for _, x := range in {
			if x.DType() != in[0].DType() {
				panic(fmt.Errorf("nn: CustomVJP inputs of types %s and %s", in[0].DType(), x.DType()))
			}
			flat = append(flat, graph.Reshape(x, -1))
		}
		if len(flat) == 1 { // a concatenation of one node would be that node
			flat = append(flat, graph.Zeros(g, shapes.Make(in[0].DType(), 1)))
		}
		return graph.IdentityWithCustomGradient(graph.Concatenate(flat, 0), backward)
	}, true)
	if !fused {
		panic(errors.New("nn: CustomVJP needs GoMLX's fusion (GOMLX_FUSION unset) and a forward that the back end has"))
	}
	return y
}
