package objective

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
)

// Class is what [Classify] gives: float32 scalars.
type Class struct {
	Loss    *graph.Node // mean cross-entropy in nats over the labelled rows; 0 if there are none
	Correct *graph.Node // rows whose greatest logit is the label
	Count   *graph.Node // rows with a label >= 0
}

// Classify predicts a class, for instance the quarter turn of RotNet (Gidaris, Singh & Komodakis
// 2018, arXiv:1803.07728) or the permutation of a jigsaw (Noroozi & Favaro 2016,
// arXiv:1603.09246):
//
//	L = -mean_i log softmax(logits_i)[label_i]
//
// logits are [rows, classes], labels int32 [rows]; rows with a negative label do not count, which
// also serves padding and unmasked tokens. Chance is log(classes) nats and accuracy 1/classes.
// A label >= classes matches no logit: the caller validates labels on the host.
func Classify(logits, labels *graph.Node) Class {
	n := batch("Classify", logits, 1)
	need(labels.DType() == dtypes.Int32 && labels.Rank() == 1 && labels.Shape().Dimensions[0] == n,
		"Classify: labels are %s, want int32 [%d]", labels.Shape(), n)
	classes := logits.Shape().Dimensions[1]
	_, col := indices(logits.Graph(), n, classes)
	hot := float(graph.Equal(col, graph.BroadcastToDims(graph.Reshape(labels, n, 1), n, classes)))
	count := float(graph.GreaterOrEqual(labels, graph.ZerosLike(labels)))
	each := graph.Mul(count, graph.Sub(logSumExp(logits), graph.ReduceSum(graph.Mul(hot, logits), -1)))
	hit := graph.Equal(graph.ArgMax(graph.StopGradient(logits), -1, dtypes.Int32), labels)
	total := graph.ReduceAllSum(count)
	return Class{
		Loss:    graph.Div(graph.ReduceAllSum(each), graph.MaxScalar(total, 1)),
		Correct: graph.ReduceAllSum(float(hit)),
		Count:   total,
	}
}

// Regression is what [Regress] gives: float32 scalars from which [R2] follows over any number of batches.
type Regression struct {
	Loss    *graph.Node // mean squared error
	Squares *graph.Node // sum of squared errors
	Sum     *graph.Node // sum of the targets
	SumSq   *graph.Node // sum of the squared targets
}

// Regress predicts a continuous parameter (an angle, a scale) by least squares:
//
//	L = mean (pred - target)^2
//
// pred and target have the same shape, [rows] or [rows, k]; targets are scaled to about [-1, 1].
func Regress(pred, target *graph.Node) Regression {
	same("Regress", pred, target)
	target = graph.StopGradient(target)
	sq := graph.Square(graph.Sub(pred, target))
	return Regression{
		Loss:    graph.ReduceAllMean(sq),
		Squares: graph.ReduceAllSum(sq),
		Sum:     graph.ReduceAllSum(target),
		SumSq:   graph.ReduceAllSum(graph.Square(target)),
	}
}

// R2 is the coefficient of determination 1 - SSE/SST from sums over n targets, all k parameters
// pooled. It is NaN where the targets do not vary.
func R2(squares, sum, sumSq float64, n int) float64 {
	total := sumSq - sum*sum/float64(n)
	if !(total > 0) {
		return math.NaN()
	}
	return 1 - squares/total
}
