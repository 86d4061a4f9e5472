package genome

import (
	"errors"
	"fmt"
	"math"
	"math/bits"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/nn"
	"github.com/selfsame-ml/selfsame/recipe"
)

// ErrEncoder is wrapped by every error about an encoder that cannot be built.
var ErrEncoder = errors.New("genome: bad encoder")

const (
	bases  = 4
	recent = 8     // tokens that the first layer of conv-lm and gru sees
	rotary = 10000 // base of rotary positions
	mlp    = 4     // hidden units of the transformer's second half, in widths
	oldest = 6     // gru: the slowest channel forgets with sigmoid(-6) a base at the start, after about 400 bases
)

// Encoder is a causal network over the tokens of a window: what it says of a place depends on the tokens up to there.
//
//   - conv-lm: a linear map of the last 8 tokens, then depth residual blocks of gated dilated causal convolutions of 2 taps (van den Oord
//     et al. 2016, WaveNet; gated linear units of Dauphin et al. 2017): x += Linear(GLU(Conv(RMSNorm(x)))). The dilation grows
//     from block to block, from 1 to about half a window, and begins again there (Dilation).
//   - gru: the same first map, then depth residual blocks of a minimal gated recurrence (minGRU of Feng et al. 2024, arXiv:2410.01201),
//     which is linear in its state and so computed by a parallel scan: h(t) = (1-z(t)) h(t-1) + z(t) c(t), x += Linear(h * SiLU(g)); z, c and
//     g are linear in RMSNorm(x) at t and t-1.
//   - transformer: pre-norm blocks with causal attention and rotary positions (Su et al. 2021) on embedded tokens.
type Encoder struct {
	cfg    recipe.Encoder
	window int
	logp   [bases]float32 // of the trivial predictor, nats
}

var (
	_ domain.Encoder  = (*Encoder)(nil)
	_ domain.Restorer = (*Encoder)(nil)
)

// NewEncoder checks cfg for windows of some bases; composition holds the shares of A, C, G, T, which the trivial predictor gives.
func NewEncoder(cfg recipe.Encoder, window int, composition [4]float64) (*Encoder, error) {
	switch cfg.Kind {
	case recipe.EncoderConvLM, recipe.EncoderGRU:
	case recipe.EncoderTransformer:
		if cfg.Heads < 1 || cfg.Width%cfg.Heads != 0 || cfg.Width/cfg.Heads%2 != 0 {
			return nil, fmt.Errorf("%w: width %d in %d heads: rotary positions want an even number of channels a head (encoder.heads)", ErrEncoder, cfg.Width, cfg.Heads)
		}
	default:
		return nil, fmt.Errorf("%w: kind %q is not %s, %s or %s (encoder.kind)", ErrEncoder, cfg.Kind, recipe.EncoderConvLM, recipe.EncoderGRU, recipe.EncoderTransformer)
	}
	if cfg.Width < 1 || cfg.Depth < 1 || window < 2 {
		return nil, fmt.Errorf("%w: width %d, depth %d and window %d must be positive", ErrEncoder, cfg.Width, cfg.Depth, window)
	}
	e := &Encoder{cfg: cfg, window: window}
	for b, p := range composition {
		if !(p > 0 && p <= 1) {
			return nil, fmt.Errorf("%w: share %g of base %d", ErrEncoder, p, b)
		}
		e.logp[b] = float32(math.Log(p))
	}
	return e, nil
}

// Dim is the width of the features.
func (e *Encoder) Dim() int { return e.cfg.Width }

// Dilation is how far back the second tap of block k of conv-lm reaches, in bases: a power of 2, from 1 to the largest below half of a window. Few blocks
// leave some out, so that the last state sees most of a window whatever the depth: what genome it is of shows in the whole of it.
func (e *Encoder) Dilation(k int) int {
	cycle := max(bits.Len(uint(e.window))-1, 1) // the last of a cycle is between a quarter of a window and a half
	if n := e.cfg.Depth; n > 1 && n < cycle {
		return 1 << ((2*k*(cycle-1) + n - 1) / (2 * (n - 1))) // rounded
	}
	return 1 << (k % cycle)
}

// MACs is the number of multiply-adds a base of the forward pass, with the head; attention counts all keys of a window.
func (e *Encoder) MACs() int {
	w := e.cfg.Width
	first := recent * Tokens * w
	block := 0
	switch e.cfg.Kind {
	case recipe.EncoderConvLM:
		block = 5 * w * w
	case recipe.EncoderGRU:
		block = 7 * w * w
	case recipe.EncoderTransformer:
		first, block = Tokens*w, (4+2*mlp)*w*w+2*e.window*w
	}
	return first + e.cfg.Depth*block + bases*w
}

// Encode maps windows x [batch, length] (U8 tokens) to features: Tokens [batch, length, width], the hidden states of the last block, and
// Pooled [batch, width], their mean over the positions.
func (e *Encoder) Encode(s *nn.Scope, x *graph.Node) domain.Features {
	all := e.states(s, x)
	last := all[len(all)-1]
	return domain.Features{Pooled: graph.ReduceMean(last, 1), Tokens: last}
}

// Layers gives two means over the positions of windows x [batch, length] for every layer: of the first map, then of each block. The hidden state h is the
// one [batch, width]; of the last layer it is Features.Pooled. The other [batch, 4*width] is the Fisher score (Jaakkola & Haussler 1998),
//
//	U = mean over t of (e(t) - p(t)) h(t)',
//
// with e(t) 1 for the base behind token t, else 0, and p(t) the four probabilities that the network gives: row by row the gradient of the mean log-likelihood (in nats) with respect to the
// weights [4, width] of a linear map of the layer that is added to the logits, where these are 0. The last token, whose next base x does not hold, and those with an
// unknown base behind them are left out. s is the root scope, as for Logits.
func (e *Encoder) Layers(s *nn.Scope, x *graph.Node) (states, scores []*graph.Node) {
	all := e.states(s.In("encoder"), x)
	logits := e.logits(s.In("restorer").In(Next), domain.Features{Tokens: all[len(all)-1]})
	batch, n := x.Shape().Dimensions[0], x.Shape().Dimensions[1]-1
	cut := func(v *graph.Node) *graph.Node { return graph.SliceAxis(v, 1, graph.AxisRange(0, n)) }
	next := graph.ConvertDType(graph.StopGradient(graph.SliceAxis(x, 1, graph.AxisRange(1, n+1))), dtypes.Int32)
	hot := graph.SliceAxis(graph.OneHot(next, Tokens, dtypes.Float32), -1, graph.AxisRange(0, bases)) // of an unknown base: zeros
	known := graph.ReduceSum(hot, -1)
	miss := graph.Sub(hot, graph.Mul(graph.Exp(nn.LogSoftmax(cut(logits))), graph.InsertAxes(known, -1)))
	miss = graph.Div(miss, graph.Reshape(graph.MaxScalar(graph.ReduceSum(known, 1), 1), batch, 1, 1))
	for _, h := range all {
		states = append(states, graph.ReduceMean(h, 1))
		scores = append(scores, graph.Reshape(graph.Einsum("btc,btw->bcw", miss, cut(h)), batch, bases*e.cfg.Width))
	}
	return states, scores
}

// Depth is the number of layers that Layers gives.
func (e *Encoder) Depth() int { return e.cfg.Depth + 1 }

// states are the hidden states [batch, length, width] of the first map and of each block.
func (e *Encoder) states(s *nn.Scope, x *graph.Node) []*graph.Node {
	if d := x.Shape().Dimensions; len(d) != 2 {
		panic(fmt.Errorf("genome: windows %s, want [batch, length]", x.Shape()))
	}
	hot := graph.OneHot(graph.ConvertDType(graph.StopGradient(x), dtypes.Int32), Tokens, dtypes.Float32)
	if e.cfg.Kind != recipe.EncoderTransformer {
		seen := make([]*graph.Node, recent)
		for k := range seen {
			seen[k] = shift(hot, k, 1, 0, false)
		}
		hot = graph.Concatenate(seen, -1)
	}
	h := s.Linear("in", graph.StopGradient(hot), e.cfg.Width, true)
	out := []*graph.Node{h}
	for k := range e.cfg.Depth {
		p := s.In("layer%d", k)
		switch e.cfg.Kind {
		case recipe.EncoderConvLM:
			y := glu(p.Linear("conv", taps(p.RMSNorm("norm", h), e.Dilation(k)), 2*e.cfg.Width, true))
			h = graph.Add(h, p.Linear("out", y, e.cfg.Width, true))
		case recipe.EncoderGRU:
			h = graph.Add(h, p.Linear("out", e.recur(p.Linear("in", taps(p.RMSNorm("norm", h), 1), 3*e.cfg.Width, true)), e.cfg.Width, true))
		default:
			h = s.TransformerBlock(fmt.Sprintf("layer%d", k), h, e.cfg.Heads, mlp*e.cfg.Width, nn.AttentionOptions{Causal: true, Rotary: rotary})
		}
		out = append(out, h)
	}
	return out
}

// Logits gives the logits [batch, length, 4] of A, C, G, T at each position of windows x [batch, length]: row t is of the base behind token t. s is
// the root scope: the weights are "encoder/..." and "restorer/next/...", as pretraining names them.
func (e *Encoder) Logits(s *nn.Scope, x *graph.Node) *graph.Node {
	return e.logits(s.In("restorer").In(Next), e.Encode(s.In("encoder"), x))
}

func (e *Encoder) logits(s *nn.Scope, f domain.Features) *graph.Node {
	return s.Linear("head", s.RMSNorm("norm", f.Tokens), bases, true)
}

// Restore gives the loss of each window [batch]: the mean over the bases that mask names of -ln P(base | tokens before), in nats; Bits turns it
// into bits per base. clean and mask are [batch, length]. A window without such a base has loss 0. The trivial predictor
// is the composition of the pool.
func (e *Encoder) Restore(s *nn.Scope, f domain.Features, clean, mask *graph.Node) (loss, trivial *graph.Node) {
	d := f.Tokens.Shape().Dimensions
	for _, x := range []*graph.Node{clean, mask} {
		if c := x.Shape().Dimensions; len(c) != 2 || c[0] != d[0] || c[1] != d[1] {
			panic(fmt.Errorf("genome: truth %s, want [%d, %d]", x.Shape(), d[0], d[1]))
		}
	}
	g := clean.Graph()
	weight := graph.ConvertDType(graph.NotEqual(mask, graph.ScalarZero(g, mask.DType())), dtypes.Float32)
	count := graph.MaxScalar(graph.ReduceSum(weight, 1), 1)
	hot := graph.OneHot(graph.ConvertDType(graph.StopGradient(clean), dtypes.Int32), bases, dtypes.Float32) // of an unknown base: zeros
	hot = graph.Mul(hot, graph.InsertAxes(graph.Div(weight, graph.InsertAxes(count, -1)), -1))
	hot = graph.StopGradient(hot)
	mean := func(logp *graph.Node) *graph.Node { return graph.Neg(graph.ReduceSum(graph.Mul(hot, logp), 1, 2)) }
	loss = mean(nn.LogSoftmax(e.logits(s, f)))
	trivial = mean(graph.BroadcastToDims(graph.Reshape(graph.Const(g, e.logp[:]), 1, 1, bases), d[0], d[1], bases))
	return loss, trivial
}

// Bits is a loss in nats as bits.
func Bits(nats float64) float64 { return nats / math.Ln2 }

// shift moves x by n places along an axis, to the back (later) or, where ahead is set, to the front, and fills with a value.
func shift(x *graph.Node, n, axis int, fill float64, ahead bool) *graph.Node {
	if n == 0 {
		return x
	}
	size := x.Shape().Dim(axis)
	n = min(n, size)
	dims := append([]int(nil), x.Shape().Dimensions...)
	dims[axis] = n
	empty := graph.BroadcastToDims(graph.Scalar(x.Graph(), x.DType(), fill), dims...)
	if n == size {
		return empty
	}
	if ahead {
		return graph.Concatenate([]*graph.Node{graph.SliceAxis(x, axis, graph.AxisRange(n, size)), empty}, axis)
	}
	return graph.Concatenate([]*graph.Node{empty, graph.SliceAxis(x, axis, graph.AxisRange(0, size-n))}, axis)
}

// taps puts x(t) and x(t-d) side by side: x [batch, length, c] to [batch, length, 2c]. A product with it is a causal convolution of
// 2 taps with dilation d, which is faster so than as a convolution on either engine.
func taps(x *graph.Node, d int) *graph.Node {
	c := x.Shape().Dim(-1)
	return nn.CustomVJP([]*graph.Node{x},
		func() *graph.Node { return graph.Concatenate([]*graph.Node{x, shift(x, d, 1, 0, false)}, -1) },
		func(_, v *graph.Node) []*graph.Node {
			here, before := graph.SliceAxis(v, -1, graph.AxisRange(0, c)), graph.SliceAxis(v, -1, graph.AxisRange(c, 2*c))
			return []*graph.Node{graph.Add(here, shift(before, d, 1, 0, true))}
		})
}

// glu is the gated linear unit a*sigmoid(b) of the halves a, b of the last axis of x [batch, length, 2c] (Dauphin et al. 2017).
func glu(x *graph.Node) *graph.Node {
	c := x.Shape().Dim(-1) / 2
	var a, gate *graph.Node
	return nn.CustomVJP([]*graph.Node{x},
		func() *graph.Node {
			a = graph.SliceAxis(x, -1, graph.AxisRange(0, c))
			gate = graph.Logistic(graph.SliceAxis(x, -1, graph.AxisRange(c, 2*c)))
			return graph.Mul(a, gate)
		},
		func(y, v *graph.Node) []*graph.Node {
			return []*graph.Node{graph.Concatenate([]*graph.Node{graph.Mul(v, gate), graph.Mul(graph.Mul(v, y), graph.OneMinus(gate))}, -1)}
		})
}

// recur is the recurrence of gru on z, c, g side by side, x [batch, length, 3*width]: [batch, length, width].
func (e *Encoder) recur(x *graph.Node) *graph.Node {
	w := e.cfg.Width
	of := func(k int) *graph.Node { return graph.SliceAxis(x, -1, graph.AxisRange(k*w, (k+1)*w)) }
	slow := make([]float32, w) // channels begin with memories of 2 to 400 bases
	for i := range slow {
		slow[i] = -oldest * float32(i) / float32(max(w-1, 1))
	}
	z := graph.Logistic(graph.Add(of(0), graph.Reshape(graph.Const(x.Graph(), slow), 1, 1, w)))
	return graph.Mul(scan(graph.OneMinus(z), graph.Mul(z, of(1))), nn.SiLU(of(2)))
}

// scan is h(t) = a(t) h(t-1) + b(t), h(-1) = 0, along axis 1 of a and b [batch, length, c] (Blelloch 1990; Martin & Cundy 2018, arXiv:1709.04057). Its
// adjoint is a scan from the other end.
func scan(a, b *graph.Node) *graph.Node {
	return nn.CustomVJP([]*graph.Node{a, b},
		func() *graph.Node { return linearScan(a, b, false) },
		func(h, v *graph.Node) []*graph.Node {
			g := linearScan(shift(a, 1, 1, 0, true), v, true)
			return []*graph.Node{graph.Mul(g, shift(h, 1, 1, 0, false)), g}
		})
}

// chunk is the length of the stretches that are scanned side by side.
const chunk = 16

// linearScan scans by doubling inside of chunks, then over their ends, from the end where back is set.
func linearScan(a, b *graph.Node, back bool) *graph.Node {
	d := a.Shape().Dimensions
	if d[1] <= chunk || d[1]%chunk != 0 {
		_, b = doubling(a, b, 1, back)
		return b
	}
	n := d[1] / chunk
	a, b = doubling(graph.Reshape(a, d[0], n, chunk, d[2]), graph.Reshape(b, d[0], n, chunk, d[2]), 2, back)
	end := graph.AxisRange(chunk-1, chunk)
	if back {
		end = graph.AxisRange(0, 1)
	}
	of := func(x *graph.Node) *graph.Node { return graph.Reshape(graph.SliceAxis(x, 2, end), d[0], n, d[2]) }
	carry := graph.Reshape(shift(linearScan(of(a), of(b), back), 1, 1, 0, back), d[0], n, 1, d[2])
	return graph.Reshape(graph.Add(b, graph.Mul(a, carry)), d...)
}

// doubling scans along an axis in log2(size) steps (Hillis & Steele 1986): the products of a and the states from 0.
func doubling(a, b *graph.Node, axis int, back bool) (pa, pb *graph.Node) {
	for n := 1; n < a.Shape().Dim(axis); n *= 2 {
		b = graph.Add(b, graph.Mul(a, shift(b, n, axis, 0, back)))
		a = graph.Mul(a, shift(a, n, axis, 1, back))
	}
	return a, b
}
