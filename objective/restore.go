package objective

import (
	"github.com/gomlx/gomlx/core/graph"
)

// Restored is what [MaskedMSE] gives, for the prediction and for the trivial predictor.
type Restored struct {
	Loss, Trivial               *graph.Node // float32 scalars: weighted means over all places of the batch
	PerSample, TrivialPerSample *graph.Node // float32 [batch]: weighted means over the places of a sample
	Weight                      *graph.Node // float32 [batch]: sum of the weights of a sample
}

// MaskedMSE restores what was removed, as masked autoencoders do (He et al. 2022,
// arXiv:2111.06377): the mean squared error of the places that were masked.
//
//	e_bp = 1/dim sum_j (pred_bpj - target_bpj)^2,   L = sum w_bp e_bp / sum w_bp
//
// pred and target are [batch, places, dim], weight is float32 [batch, places], >= 0: 1 for a place to
// restore, 0 for a visible one. A sample (or batch) without weight has loss zero. The paper's
// better variant restores [NormalizePatches] of the target.
//
// Trivial is the same loss of the predictor that answers each place of a sample with the mean of
// its places of weight zero, or with zero where it has none: what can be had without understanding.
func MaskedMSE(pred, target, weight *graph.Node) Restored {
	same("MaskedMSE", pred, target)
	need(pred.Rank() == 3, "MaskedMSE: pred is %s, want [batch, places, dim]", pred.Shape())
	dims := pred.Shape().Dimensions
	need(weight.Rank() == 2 && weight.DType() == pred.DType() && weight.Shape().Dimensions[0] == dims[0] && weight.Shape().Dimensions[1] == dims[1],
		"MaskedMSE: weight is %s, want float32 [%d, %d]", weight.Shape(), dims[0], dims[1])
	target, weight = graph.StopGradient(target), graph.StopGradient(weight)

	total := graph.ReduceSum(weight, -1) // [batch]
	mean := func(p *graph.Node) (all, each *graph.Node) {
		e := graph.ReduceSum(graph.Mul(weight, graph.ReduceMean(graph.Square(graph.Sub(p, target)), -1)), -1)
		return safeDiv(graph.ReduceAllSum(e), graph.ReduceAllSum(total)), safeDiv(e, total)
	}
	visible := float(graph.Equal(weight, graph.ZerosLike(weight)))
	sum := graph.ReduceSum(graph.Mul(target, graph.Reshape(visible, dims[0], dims[1], 1)), 1) // [batch, dim]
	count := graph.MaxScalar(graph.ReduceAndKeep(visible, graph.ReduceSum, -1), 1)
	guess := graph.BroadcastToDims(graph.Reshape(graph.Div(sum, count), dims[0], 1, dims[2]), dims...)

	r := Restored{Weight: total}
	r.Loss, r.PerSample = mean(pred)
	r.Trivial, r.TrivialPerSample = mean(guess)
	return r
}

// safeDiv is a/b, and 0 where b is not positive.
func safeDiv(a, b *graph.Node) *graph.Node {
	zero, one := graph.ZerosLike(b), graph.OnesLike(b)
	ok := graph.GreaterThan(b, zero)
	return graph.Where(ok, graph.Div(a, graph.Where(ok, b, one)), zero)
}

// NormalizePatches standardises each place of x [batch, places, dim] by its own mean and unbiased
// variance plus 1e-6, the target of He et al. 2022, section 4 ("normalized pixels").
func NormalizePatches(x *graph.Node) *graph.Node {
	dim := x.Shape().Dimensions[x.Rank()-1]
	c := graph.Sub(x, graph.ReduceAndKeep(x, graph.ReduceMean, -1))
	variance := graph.MulScalar(graph.ReduceAndKeep(graph.Square(c), graph.ReduceSum, -1), 1/float64(max(dim-1, 1)))
	return graph.Mul(c, inverseRoot(graph.AddScalar(variance, 1e-6)))
}
