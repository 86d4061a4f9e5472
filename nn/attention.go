package nn

import (
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/engine"
)

// AttentionOptions say which keys a query sees.
type AttentionOptions struct {
	Causal  bool        // query t sees keys 0..t only
	KeyMask *graph.Node // `[batch, keys]`, not 0 where the key may be seen; nil: all. A query that sees none gets 0, and passes no gradient on
	Rotary  float64     // base of rotary positions (Su et al. 2021), usually 10000; 0: none
}

const hidden = -1e9 // added to the score of a key that is not seen; finite, so that no row becomes NaN

// ScaledDotProduct is softmax(q·kᵀ/sqrt(d))·v (Vaswani et al. 2017) of q `[batch, heads, queries, d]` and k, v
// `[batch, heads, keys, d]`: `[batch, heads, queries, d]`. Softmax and masks are float32 in every mode.
func ScaledDotProduct(q, k, v *graph.Node, opt AttentionOptions) *graph.Node {
	if q.Rank() != 4 || !k.Shape().Equal(v.Shape()) {
		panic(fmt.Errorf("nn: attention of q %s, k %s, v %s", q.Shape(), k.Shape(), v.Shape()))
	}
	mode := engine.ModeOf(q.Graph())
	if opt.Rotary > 0 {
		q, k = RotaryPositions(q, opt.Rotary), RotaryPositions(k, opt.Rotary)
	}
	b, h, s, d := q.Shape().Dim(0), q.Shape().Dim(1), q.Shape().Dim(2), q.Shape().Dim(3)
	keys := k.Shape().Dim(2)
	scale := 1 / math.Sqrt(float64(d))
	mask := opt.bias(q.Graph(), s, keys)
	// One batch axis: back ends run [batch*heads, s, d] as plain batched matrix products.
	q, k, v = graph.Reshape(q, b*h, s, d), graph.Reshape(k, b*h, keys, d), graph.Reshape(v, b*h, keys, d)
	bmm := func(a *graph.Node, ca int, x *graph.Node, cx int) *graph.Node {
		return dot(mode, a, []int{ca}, []int{0}, x, []int{cx}, []int{0})
	}
	var scaled, e, inverse *graph.Node // q*scale, exp(score - max), 1/sum(e)
	y := CustomVJP([]*graph.Node{q, k, v},
		func() *graph.Node {
			scaled = graph.MulScalar(q, scale)
			score := bmm(scaled, 2, k, 2)
			if mask != nil {
				score = graph.Reshape(graph.Add(graph.Reshape(score, b, h, s, keys), mask), b*h, s, keys)
			}
			top := rowMax(score)
			e = graph.Exp(graph.Sub(score, top))
			inverse = graph.Reciprocal(keepLast(graph.ReduceSum, e))
			if opt.KeyMask != nil {
				// A row whose scores are all hidden becomes 0: it would be an average over keys that must not be seen.
				seen := graph.GreaterThan(top, graph.Scalar(q.Graph(), top.DType(), hidden/2))
				inverse = graph.Where(seen, inverse, graph.ZerosLike(inverse))
			}
			return graph.Mul(bmm(e, 2, v, 1), inverse) // the softmax is divided after the product, which is smaller
		},
		func(y, dy *graph.Node) []*graph.Node {
			// sum_j p_ij dp_ij = dy_i·y_i, as in FlashAttention (Dao et al. 2022, appendix B). The 1/sum of p goes to dy, which is smaller.
			dy = graph.Mul(dy, inverse)
			delta := keepLast(graph.ReduceSum, graph.Mul(dy, y))
			ds := graph.Mul(e, graph.Sub(bmm(dy, 2, v, 2), delta))
			return []*graph.Node{graph.MulScalar(bmm(ds, 2, k, 1), scale), bmm(ds, 1, scaled, 1), bmm(e, 1, dy, 1)}
		})
	return graph.Reshape(y, b, h, s, d)
}

// bias is what is added to the scores [batch, heads, queries, keys], or nil.
func (o AttentionOptions) bias(g *graph.Graph, queries, keys int) *graph.Node {
	var out *graph.Node
	zero, low := graph.ScalarZero(g, dtypes.Float32), graph.Scalar(g, dtypes.Float32, hidden)
	if o.Causal {
		shape := shapes.Make(dtypes.Int32, 1, 1, queries, keys)
		seen := graph.GreaterOrEqual(graph.Iota(g, shape, 2), graph.Iota(g, shape, 3))
		out = graph.Where(seen, zero, low)
	}
	if o.KeyMask != nil {
		m := o.KeyMask
		if m.Rank() != 2 || m.Shape().Dim(1) != keys {
			panic(fmt.Errorf("nn: attention key mask %s for %d keys", m.Shape(), keys))
		}
		if m.DType() != dtypes.Bool {
			m = graph.NotEqual(m, graph.ScalarZero(g, m.DType()))
		}
		m = graph.Reshape(graph.Where(m, zero, low), m.Shape().Dim(0), 1, 1, keys)
		out = plus(out, m)
	}
	if out == nil {
		return nil
	}
	return graph.StopGradient(out)
}

// RotaryPositions turns each pair (x[i], x[i+d/2]) of x `[..., length, d]`, d even, by the angle
// position*base^(-2i/d) (Su et al. 2021, in the half-split order of GPT-NeoX).
func RotaryPositions(x *graph.Node, base float64) *graph.Node {
	rank := x.Rank()
	length, d := x.Shape().Dim(-2), x.Shape().Dim(-1)
	if rank < 2 || d%2 != 0 {
		panic(fmt.Errorf("nn: rotary positions of %s, want an even last axis", x.Shape()))
	}
	cos, sin := make([][]float32, length), make([][]float32, length)
	for t := range length {
		cos[t], sin[t] = make([]float32, d), make([]float32, d)
		for i := range d / 2 {
			s, c := math.Sincos(float64(t) * math.Pow(base, -2*float64(i)/float64(d)))
			cos[t][i], cos[t][i+d/2] = float32(c), float32(c)
			sin[t][i], sin[t][i+d/2] = float32(-s), float32(s)
		}
	}
	g := x.Graph()
	expand := func(n *graph.Node) *graph.Node { return graph.ExpandLeftToRank(n, rank) }
	c, s := expand(graph.Const(g, cos)), expand(graph.Const(g, sin))
	swap := func(x *graph.Node) *graph.Node {
		lo := graph.SliceAxis(x, -1, graph.AxisRange(0, d/2))
		hi := graph.SliceAxis(x, -1, graph.AxisRange(d/2, d))
		return graph.Concatenate([]*graph.Node{hi, lo}, -1)
	}
	return CustomVJP([]*graph.Node{x},
		func() *graph.Node { return graph.Add(graph.Mul(x, c), graph.Mul(swap(x), s)) },
		func(_, v *graph.Node) []*graph.Node { // the rotation back
			return []*graph.Node{graph.Sub(graph.Mul(v, c), graph.Mul(swap(v), s))}
		})
}

// Attention is multi-head self-attention of x `[batch, length, c]` under name: "qkv" `[c, 3c]` and "out" `[c, c]`, with biases;
// c must be a multiple of heads. Queries, keys and values come from one matrix product.
func (s *Scope) Attention(name string, x *graph.Node, heads int, opt AttentionOptions) *graph.Node {
	d := x.Shape().Dimensions
	if len(d) != 3 || heads < 1 || d[2]%heads != 0 {
		panic(fmt.Errorf("nn: attention %q of %s with %d heads", name, x.Shape(), heads))
	}
	p := s.In("%s", name)
	b, n, c := d[0], d[1], d[2]
	qkv := graph.Reshape(p.Linear("qkv", x, 3*c, true), b, n, 3, heads, c/heads)
	qkv = graph.TransposeAllAxes(qkv, 2, 0, 3, 1, 4)
	part := func(i int) *graph.Node {
		return graph.Reshape(graph.SliceAxis(qkv, 0, graph.AxisElem(i)), b, heads, n, c/heads)
	}
	y := ScaledDotProduct(part(0), part(1), part(2), opt)
	y = graph.Reshape(graph.TransposeAllAxes(y, 0, 2, 1, 3), b, n, c)
	return p.Linear("out", y, c, true)
}

// TransformerBlock is a pre-norm transformer layer of x `[batch, length, c]` under name: x += Attention(LayerNorm(x)), then
// x += Linear(GELU(Linear(LayerNorm(x)))) with a hidden layer of width units. Parts: "norm1", "attention", "norm2",
// "fc1", "fc2".
func (s *Scope) TransformerBlock(name string, x *graph.Node, heads, width int, opt AttentionOptions) *graph.Node {
	p := s.In("%s", name)
	x = graph.Add(x, p.Attention("attention", p.LayerNorm("norm1", x), heads, opt))
	y := GELU(p.Linear("fc1", p.LayerNorm("norm2", x), width, true))
	return graph.Add(x, p.Linear("fc2", y, x.Shape().Dim(-1), true))
}
