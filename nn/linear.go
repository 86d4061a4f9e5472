package nn

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/engine"
)

// MatMul is a·b of a `[m, k]` and b `[k, n]`: `[m, n]`. In bf16 mode the operands are rounded to bfloat16
// and the products accumulated in float32.
func MatMul(a, b *graph.Node) *graph.Node {
	mode := engine.ModeOf(a.Graph())
	return CustomVJP([]*graph.Node{a, b},
		func() *graph.Node { return dot(mode, a, []int{1}, nil, b, []int{0}, nil) },
		func(_, v *graph.Node) []*graph.Node {
			return []*graph.Node{dot(mode, v, []int{1}, nil, b, []int{1}, nil), dot(mode, a, []int{0}, nil, v, []int{0}, nil)}
		})
}

// Linear is x·w + b of x `[..., in]`, w `[in, out]` and b `[out]` (may be nil): `[..., out]`.
func Linear(x, w, b *graph.Node) *graph.Node {
	d := append([]int(nil), x.Shape().Dimensions...)
	if len(d) == 0 || w.Rank() != 2 || d[len(d)-1] != w.Shape().Dim(0) {
		panic(fmt.Errorf("nn: linear of %s by %s", x.Shape(), w.Shape()))
	}
	d[len(d)-1] = w.Shape().Dim(1)
	y := linear(graph.Reshape(x, -1, w.Shape().Dim(0)), w, b)
	return graph.Reshape(y, d...)
}

// linear is x·w + b of x `[n, in]`; b may be nil.
func linear(x, w, b *graph.Node) *graph.Node {
	mode := engine.ModeOf(x.Graph())
	if !onXLACPU(mode) {
		y := MatMul(x, w)
		if b != nil {
			y = AddBias(y, b)
		}
		return y
	}
	in := []*graph.Node{x, w}
	if b != nil {
		in = append(in, b)
	}
	return CustomVJP(in,
		func() *graph.Node {
			y := dot(mode, x, []int{1}, nil, w, []int{0}, nil)
			if b != nil {
				y = graph.Add(y, expandLeft(b, 2))
			}
			return y
		},
		func(_, v *graph.Node) []*graph.Node {
			var dw *graph.Node
			if w.Shape().Dim(0) > w.Shape().Dim(1) { // the product is up to twice as fast where its longer side is the last
				dw = graph.Transpose(apart(dot(mode, v, []int{0}, nil, x, []int{0}, nil)), 0, 1)
			} else {
				dw = dot(mode, x, []int{0}, nil, v, []int{0}, nil)
			}
			out := []*graph.Node{dot(mode, v, []int{1}, nil, w, []int{1}, nil), dw}
			if b != nil {
				out = append(out, columnSums(v))
			}
			return out
		})
}

// onXLACPU says that XLA compiles for a CPU, whose emitters want some operations in a form of their own.
func onXLACPU(mode engine.Mode) bool { return mode.Engine == engine.XLA && !mode.CUDA }

// apart is x behind a barrier over which XLA neither fuses nor simplifies. The second operand is there because
// the back end drops a barrier of one.
func apart(x *graph.Node) *graph.Node {
	return graph.OptimizationBarriers(x, graph.ScalarZero(x.Graph(), dtypes.Float32))[0]
}

// columnSums sums x `[..., c]` over all axes but the last, as sumRows. XLA's CPU compiler merges a reshape into a reduction
// that follows it, and sums over several leading axes ten times slower than over one: the barrier keeps them apart.
func columnSums(x *graph.Node) *graph.Node {
	if x.Rank() < 2 || !onXLACPU(engine.ModeOf(x.Graph())) {
		return sumRows(x)
	}
	return graph.ReduceSum(apart(rows(x)), 0)
}

// rowMax is the maximum over the last axis of x, kept as an axis of 1. XLA's CPU compiler vectorises a maximum only
// over an axis that is not the last: a long row is folded to 16 columns first.
func rowMax(x *graph.Node) *graph.Node {
	const lanes = 16
	n := x.Shape().Dim(-1)
	if n < 4*lanes || n%lanes != 0 || !onXLACPU(engine.ModeOf(x.Graph())) {
		return keepLast(graph.ReduceMax, x)
	}
	d := append([]int(nil), x.Shape().Dimensions...)
	folded := graph.Reshape(x, append(d[:len(d)-1], n/lanes, lanes)...)
	return keepLast(graph.ReduceMax, apart(graph.ReduceMax(folded, -2)))
}

// Softmax is exp(x)/sum(exp(x)) on the last axis of x.
func Softmax(x *graph.Node) *graph.Node {
	return CustomVJP([]*graph.Node{x},
		func() *graph.Node { return softmax(x) },
		func(y, v *graph.Node) []*graph.Node { return []*graph.Node{softmaxAdjoint(y, v)} })
}

func softmax(x *graph.Node) *graph.Node {
	e := graph.Exp(graph.Sub(x, rowMax(x)))
	return graph.Div(e, keepLast(graph.ReduceSum, e))
}

func softmaxAdjoint(y, v *graph.Node) *graph.Node {
	return graph.Mul(y, graph.Sub(v, keepLast(graph.ReduceSum, graph.Mul(y, v))))
}

func keepLast(reduce func(x *graph.Node, axes ...int) *graph.Node, x *graph.Node) *graph.Node {
	return graph.ReduceAndKeep(x, reduce, -1)
}

// LogSoftmax is x - log(sum(exp(x))) on the last axis of x.
func LogSoftmax(x *graph.Node) *graph.Node {
	return CustomVJP([]*graph.Node{x},
		func() *graph.Node {
			c := graph.Sub(x, keepLast(graph.ReduceMax, x))
			return graph.Sub(c, graph.Log(keepLast(graph.ReduceSum, graph.Exp(c))))
		},
		func(y, v *graph.Node) []*graph.Node {
			return []*graph.Node{graph.Sub(v, graph.Mul(graph.Exp(y), keepLast(graph.ReduceSum, v)))}
		})
}

// CrossEntropy is the weighted mean over rows of -log softmax(logits)[label]: a scalar. logits `[n, classes]`, integer
// labels `[n]` in [0, classes), weights `[n]` (nil: all 1; rows of weight 0 do not count) without gradient. It is 0 where all
// weights are 0.
func CrossEntropy(logits, labels, weights *graph.Node) *graph.Node {
	if logits.Rank() != 2 || labels.Rank() != 1 {
		panic(fmt.Errorf("nn: cross entropy of logits %s and labels %s, want rank 2 and 1", logits.Shape(), labels.Shape()))
	}
	g := logits.Graph()
	n, classes := logits.Shape().Dim(0), logits.Shape().Dim(1)
	if weights == nil {
		weights = graph.Ones(g, shapes.Make(dtypes.Float32, n))
	}
	weights = graph.StopGradient(weights)
	total := graph.ReduceAllSum(weights)
	scale := graph.Where(graph.GreaterThan(total, graph.ScalarZero(g, dtypes.Float32)), graph.Reciprocal(total), graph.ZerosLike(total))
	share := graph.Reshape(graph.Mul(weights, scale), n, 1)
	hot := graph.OneHot(labels, classes, dtypes.Float32)
	var shifted, e, sum *graph.Node
	return CustomVJP([]*graph.Node{logits},
		func() *graph.Node {
			shifted = graph.Sub(logits, keepLast(graph.ReduceMax, logits))
			e = graph.Exp(shifted)
			sum = keepLast(graph.ReduceSum, e)
			// The label's logit by a sum over the one-hot row: -Inf logits of other classes must not turn into NaN.
			own := keepLast(graph.ReduceSum, graph.Where(graph.GreaterThan(hot, graph.ZerosLike(hot)), shifted, graph.ZerosLike(shifted)))
			return graph.ReduceAllSum(graph.Mul(graph.Sub(graph.Log(sum), own), share))
		},
		func(_, v *graph.Node) []*graph.Node {
			return []*graph.Node{graph.Mul(graph.Mul(graph.Sub(graph.Div(e, sum), hot), share), v)}
		})
}

// Embedding looks up rows of table `[vocabulary, d]` by integer ids `[...]`: `[..., d]`.
func Embedding(table, ids *graph.Node) *graph.Node {
	d := append(append([]int(nil), ids.Shape().Dimensions...), table.Shape().Dim(1))
	return graph.Reshape(GatherRows(table, graph.Reshape(ids, -1)), d...)
}
