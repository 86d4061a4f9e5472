package dna

import (
	"errors"
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/domain/dna/pileup"
	"github.com/selfsame-ml/selfsame/nn"
	"github.com/selfsame-ml/selfsame/recipe"
)

// ErrEncoder is wrapped by every error about an encoder that cannot be built.
var ErrEncoder = errors.New("dna: bad encoder")

// The classes of a position.
const (
	HereClasses  = 5 // A, C, G, T, delete
	AfterClasses = 5 // nothing, A, C, G, T
	Outputs      = HereClasses + AfterClasses
)

// The convolutions of the pile-up network.
const (
	kernel = 5
	// The naive-Bayes posterior among the features: 1 + ln P/6, see package pileup.
	bayesAt, bayesScale = 18, 6
	bayesWidth          = 4
	// rare is the logit at the start of what hardly ever happens: a base too much, a base missing.
	rare = -6
)

// Encoder is a convolutional network over the positions of a window: one convolution of 5 positions to the width, and depth
// residual ones, x += Conv(ReLU(x)), of the same kernel (He et al. 2016, arXiv:1603.05027, without norm layers: windows are padded
// with zeros, and a position must not depend on how full its window is).
//
// Its restorer adds what a linear map says of the result to the naive-Bayes log posterior among the features, which has a trained
// scale, so that the untrained network is naive Bayes, and training learns what qualities, repeats and
// homopolymers do to it.
type Encoder struct {
	cfg    recipe.Encoder
	window int
	rates  rates // of the trivial predictor
}

var (
	_ domain.Encoder  = (*Encoder)(nil)
	_ domain.Restorer = (*Encoder)(nil)
)

// NewEncoder checks cfg for windows of some positions.
func NewEncoder(cfg recipe.Encoder, window int) (*Encoder, error) {
	switch {
	case cfg.Kind != recipe.EncoderPileup:
		return nil, fmt.Errorf("%w: kind %q is not %s (encoder.kind)", ErrEncoder, cfg.Kind, recipe.EncoderPileup)
	case cfg.Width < 1 || cfg.Depth < 1:
		return nil, fmt.Errorf("%w: width %d and depth %d must be positive", ErrEncoder, cfg.Width, cfg.Depth)
	}
	e := &Encoder{cfg: cfg, window: window, rates: rates{1e-3, 1e-4, 1e-4}}
	if 2*e.Margin() >= window {
		return nil, fmt.Errorf("%w: depth %d: an output depends on %d positions to either side, more than a window of %d holds (encoder.depth, data.size)", ErrEncoder, cfg.Depth, e.Margin(), window)
	}
	return e, nil
}

// Dim is the width of the pooled features.
func (e *Encoder) Dim() int { return e.cfg.Width }

// Margin is the number of positions to either side that an output depends on.
func (e *Encoder) Margin() int { return kernel / 2 * (e.cfg.Depth + 1) }

// MACs is the number of multiply-adds a position of the encoder and its restorer.
func (e *Encoder) MACs() int {
	w := e.cfg.Width
	return kernel*w*(pileup.Channels+e.cfg.Depth*w) + w*Outputs
}

// Encode maps windows x [batch, window, pileup.Channels] to features: Tokens [batch, window, width+4], of which the last
// four are the naive-Bayes log posteriors as they were among the features, and Pooled [batch, width], the token of the window's
// middle: what a denoiser knows is of places, and the mean over a window is much the same for all of them.
func (e *Encoder) Encode(s *nn.Scope, x *graph.Node) domain.Features {
	if d := x.Shape().Dimensions; len(d) != 3 || d[2] != pileup.Channels {
		panic(fmt.Errorf("dna: windows %s, want [batch, positions, %d]", x.Shape(), pileup.Channels))
	}
	x = graph.StopGradient(x)
	same := nn.Conv1DOptions{Pad: [2]int{kernel / 2, kernel / 2}}
	h := s.Conv1D("in", x, e.cfg.Width, kernel, true, same)
	for k := range e.cfg.Depth {
		h = graph.Add(h, s.In("layer%d", k).Conv1D("conv", nn.ReLU(h), e.cfg.Width, kernel, true, same))
	}
	h = nn.ReLU(h)
	bayes := graph.SliceAxis(x, 2, graph.AxisRange(bayesAt, bayesAt+bayesWidth))
	middle := x.Shape().Dim(1) / 2
	pooled := graph.Reshape(graph.SliceAxis(h, 1, graph.AxisRange(middle, middle+1)), x.Shape().Dim(0), e.cfg.Width)
	return domain.Features{Pooled: pooled, Tokens: graph.Concatenate([]*graph.Node{h, bayes}, -1)}
}

// Logits gives the logits [batch, window, Outputs] of windows x [batch, window, pileup.Channels]: of what stands at each
// position (A, C, G, T, delete) and of what is missing behind it (nothing, A, C, G, T). s is the root scope: the weights are
// "encoder/..." and "restorer/sequencer/...", as pretraining names them.
func (e *Encoder) Logits(s *nn.Scope, x *graph.Node) *graph.Node {
	return e.logits(s.In("restorer").In(Sequencer), e.Encode(s.In("encoder"), x))
}

func (e *Encoder) logits(s *nn.Scope, f domain.Features) *graph.Node {
	d := f.Tokens.Shape().Dimensions
	w := e.cfg.Width
	h := graph.SliceAxis(f.Tokens, 2, graph.AxisRange(0, w))
	bayes := nn.Scale(logPosterior(f.Tokens, w), s.Param("evidence", nn.Bias, nn.Ones, bayesWidth))
	g := h.Graph()
	fixed := func(n int, v float64) *graph.Node {
		return graph.MulScalar(graph.Ones(g, shapes.Make(dtypes.Float32, d[0], d[1], n)), v)
	}
	start := graph.Concatenate([]*graph.Node{bayes, fixed(1, rare), fixed(1, 0), fixed(AfterClasses-1, rare)}, -1)
	// No weight at the start: the untrained network is naive Bayes.
	return graph.Add(start, nn.Linear(h, s.Param("weight", nn.Weight, nn.Zeros, w, Outputs), s.Param("bias", nn.Bias, nn.Zeros, Outputs)))
}

// logPosterior is the naive-Bayes posterior of A, C, G, T in nats [batch, window, 4] from tokens.
func logPosterior(tokens *graph.Node, width int) *graph.Node {
	return graph.MulScalar(graph.AddScalar(graph.SliceAxis(tokens, 2, graph.AxisRange(width, width+bayesWidth)), -1), bayesScale)
}

// Restore gives the loss of each window [batch]: the mean over its positions that mask names of the cross-entropies in nats of
// Here and of After. clean is [batch, window, 2], mask [batch, window]. A window without such a position has loss 0.
//
// The trivial predictor is naive Bayes: the posterior of each base under independent errors as the qualities claim them, from the read
// and the reads close to it, mixed with the training part's share of bases that are another, too much, or missing.
func (e *Encoder) Restore(s *nn.Scope, f domain.Features, clean, mask *graph.Node) (loss, trivial *graph.Node) {
	d := f.Tokens.Shape().Dimensions
	if c := clean.Shape().Dimensions; len(c) != 3 || c[1] != d[1] || c[2] != 2 {
		panic(fmt.Errorf("dna: truth %s, want [batch, %d, 2]", clean.Shape(), d[1]))
	}
	if m := mask.Shape().Dimensions; len(m) != 2 || m[1] != d[1] {
		panic(fmt.Errorf("dna: mask %s, want [batch, %d]", mask.Shape(), d[1]))
	}
	g := clean.Graph()
	weight := graph.ConvertDType(graph.NotEqual(mask, graph.ScalarZero(g, mask.DType())), dtypes.Float32) // [batch, window]
	count := graph.MaxScalar(graph.ReduceSum(weight, 1), 1)
	labels := graph.ConvertDType(graph.StopGradient(clean), dtypes.Int32)
	label := func(k, classes int) *graph.Node {
		return graph.OneHot(graph.Reshape(graph.SliceAxis(labels, 2, graph.AxisRange(k, k+1)), d[0], d[1]), classes, dtypes.Float32)
	}
	here, after := label(0, HereClasses), label(1, AfterClasses)
	mean := func(logp, hot *graph.Node) *graph.Node {
		each := graph.Neg(graph.ReduceSum(graph.Mul(hot, logp), -1))
		return graph.Div(graph.ReduceSum(graph.Mul(each, weight), 1), count)
	}
	logits := e.logits(s, f)
	loss = graph.Add(
		mean(nn.LogSoftmax(graph.SliceAxis(logits, 2, graph.AxisRange(0, HereClasses))), here),
		mean(nn.LogSoftmax(graph.SliceAxis(logits, 2, graph.AxisRange(HereClasses, Outputs))), after))

	// Of trivial: P = (1-deleted) * ((1-wrong) * Bayes + wrong/4), in the logarithm.
	p := graph.Exp(graph.StopGradient(logPosterior(f.Tokens, e.cfg.Width)))
	p = graph.Log(graph.AddScalar(graph.MulScalar(p, 1-e.rates.Wrong), e.rates.Wrong/4))
	p = graph.AddScalar(p, math.Log1p(-e.rates.Deleted))
	gone := graph.MulScalar(graph.Ones(g, shapes.Make(dtypes.Float32, d[0], d[1], 1)), math.Log(e.rates.Deleted))
	rest := make([]float32, AfterClasses)
	rest[0] = float32(math.Log1p(-e.rates.Missing))
	for k := 1; k < AfterClasses; k++ {
		rest[k] = float32(math.Log(e.rates.Missing / 4))
	}
	flat := graph.BroadcastToDims(graph.Reshape(graph.Const(g, rest), 1, 1, AfterClasses), d[0], d[1], AfterClasses)
	trivial = graph.Add(mean(graph.Concatenate([]*graph.Node{p, gone}, -1), here), mean(flat, after))
	return loss, trivial
}
