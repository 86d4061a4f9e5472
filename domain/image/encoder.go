package image

import (
	"errors"
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/nn"
	"github.com/selfsame-ml/selfsame/objective"
	"github.com/selfsame-ml/selfsame/recipe"
)

// ErrEncoder is wrapped by every error about an encoder that cannot be built.
var ErrEncoder = errors.New("image: bad encoder")

// Encoder is a network from pixels to features: "resnet", "vit" or "mlp".
type Encoder struct {
	cfg recipe.Encoder
	in  domain.Field // [height, width, channels]
}

var (
	_ domain.Encoder  = (*Encoder)(nil)
	_ domain.Restorer = (*Encoder)(nil)
)

// NewEncoder checks cfg against the input field.
func NewEncoder(cfg recipe.Encoder, in domain.Field) (*Encoder, error) {
	if len(in.Dims) != 3 {
		return nil, fmt.Errorf("%w: input %v is not [height, width, channels]", ErrEncoder, in.Dims)
	}
	h, w := in.Dims[0], in.Dims[1]
	if cfg.Width < 1 || cfg.Depth < 1 {
		return nil, fmt.Errorf("%w: width %d and depth %d must be positive", ErrEncoder, cfg.Width, cfg.Depth)
	}
	switch cfg.Kind {
	case "resnet":
		if cfg.Stages < 1 {
			return nil, fmt.Errorf("%w: resnet needs at least 1 stage, got %d", ErrEncoder, cfg.Stages)
		}
		if small := min(h, w) >> (cfg.Stages - 1); small < 1 {
			return nil, fmt.Errorf("%w: %d stages halve %dx%d pixels to nothing (encoder.stages)", ErrEncoder, cfg.Stages, h, w)
		}
	case "vit":
		if cfg.Patch < 1 || h%cfg.Patch != 0 || w%cfg.Patch != 0 {
			return nil, fmt.Errorf("%w: patches of %d do not tile %dx%d pixels (encoder.patch)", ErrEncoder, cfg.Patch, h, w)
		}
		if cfg.Heads < 1 || cfg.Width%cfg.Heads != 0 {
			return nil, fmt.Errorf("%w: width %d is not a multiple of %d heads (encoder.heads)", ErrEncoder, cfg.Width, cfg.Heads)
		}
	case "mlp":
	default:
		return nil, fmt.Errorf("%w: kind %q is not resnet, vit or mlp", ErrEncoder, cfg.Kind)
	}
	return &Encoder{cfg: cfg, in: in}, nil
}

// Dim is the width of the pooled features.
func (e *Encoder) Dim() int {
	if e.cfg.Kind == "resnet" {
		return e.cfg.Width << (e.cfg.Stages - 1)
	}
	return e.cfg.Width
}

// pixels scales stored values to float32 in [0, 1]; float32 values are taken as they are.
func (e *Encoder) pixels(x *graph.Node) *graph.Node {
	if e.in.DType == domain.F32 {
		return x
	}
	scale := 1.0 / 255
	if e.in.DType == domain.U16 {
		scale = 1.0 / 65535
	}
	return graph.MulScalar(graph.ConvertDType(x, dtypes.Float32), scale)
}

// Encode maps x [batch, height, width, channels] to features; a resnet takes any height and width.
func (e *Encoder) Encode(s *nn.Scope, x *graph.Node) domain.Features {
	x = e.pixels(x)
	switch e.cfg.Kind {
	case "resnet":
		return e.resnet(s, x)
	case "vit":
		return e.vit(s, x)
	}
	return e.mlp(s, x)
}

var same3x3 = nn.ConvOptions{Pad: nn.PadSquare(1)}

// resnet has a 3x3 stem without stride (small images), then stages of basic blocks (He et al.
// 2016); each stage after the first begins with a 2x2 mean-pool and doubles the width.
func (e *Encoder) resnet(s *nn.Scope, x *graph.Node) domain.Features {
	conv := func(s *nn.Scope, name string, x *graph.Node, out int) *graph.Node {
		return s.Conv2D(name, x, out, nn.Square(3), false, same3x3)
	}
	x = s.BatchNormReLU("stem_norm", conv(s, "stem", x, e.cfg.Width), nil)
	for stage := range e.cfg.Stages {
		if stage > 0 {
			x = nn.MeanPool(x, nn.PoolOptions{Kernel: nn.Square(2), Stride: nn.Square(2)})
		}
		out := e.cfg.Width << stage
		for block := range e.cfg.Depth {
			b := s.In("stage%d", stage).In("block%d", block)
			short := x
			if x.Shape().Dimensions[3] != out {
				short = b.BatchNorm("short_norm", b.Conv2D("short", x, out, nn.Square(1), false, nn.ConvOptions{}))
			}
			y := b.BatchNormReLU("norm1", conv(b, "conv1", x, out), nil)
			x = b.BatchNormReLU("norm2", conv(b, "conv2", y, out), short)
		}
	}
	d := x.Shape().Dimensions
	return domain.Features{Pooled: nn.GlobalMeanPool(x), Tokens: graph.Reshape(x, d[0], d[1]*d[2], d[3])}
}

// vit is a vision transformer (Dosovitskiy et al. 2021): linear patch embedding, learnt positions,
// pre-norm layers, mean of the tokens.
func (e *Encoder) vit(s *nn.Scope, x *graph.Node) domain.Features {
	x = patches(x, e.cfg.Patch)
	n := x.Shape().Dimensions[1]
	x = s.Linear("patch", x, e.cfg.Width, true)
	x = graph.Add(x, s.Param("position", nn.Bias, nn.Init{Kind: nn.Normal, Scale: 0.02}, 1, n, e.cfg.Width))
	for layer := range e.cfg.Depth {
		x = s.TransformerBlock(fmt.Sprintf("layer%d", layer), x, e.cfg.Heads, 4*e.cfg.Width, nn.AttentionOptions{})
	}
	x = s.LayerNorm("norm", x)
	return domain.Features{Pooled: graph.ReduceMean(x, 1), Tokens: x}
}

// mlp flattens the image and applies depth layers of linear map, batch norm and ReLU.
func (e *Encoder) mlp(s *nn.Scope, x *graph.Node) domain.Features {
	d := x.Shape().Dimensions
	x = graph.Reshape(x, d[0], d[1]*d[2]*d[3])
	for layer := range e.cfg.Depth {
		x = s.BatchNormReLU(fmt.Sprintf("norm%d", layer), s.Linear(fmt.Sprintf("linear%d", layer), x, e.cfg.Width, true), nil)
	}
	return domain.Features{Pooled: x}
}

// patches cuts [batch, height, width, channels] into [batch, places, side*side*channels].
func patches(x *graph.Node, side int) *graph.Node {
	d := x.Shape().Dimensions
	h, w := d[1]/side, d[2]/side
	x = graph.Reshape(x, d[0], h, side, w, side, d[3])
	x = graph.TransposeAllAxes(x, 0, 1, 3, 2, 4, 5)
	return graph.Reshape(x, d[0], h*w, side*side*d[3])
}

// cell is the side of the square that one token stands for.
func (e *Encoder) cell() int {
	switch e.cfg.Kind {
	case "vit":
		return e.cfg.Patch
	case "resnet":
		return 1 << (e.cfg.Stages - 1)
	}
	return 1
}

// Restore predicts the pixels of masked cells from their tokens (from the pooled features for an
// mlp) by one hidden layer, with the mean squared error of masked autoencoders (He et al. 2022).
// clean and mask are [batch, height, width, channels]; a cell counts by its share of masked pixels.
func (e *Encoder) Restore(s *nn.Scope, f domain.Features, clean, mask *graph.Node) (loss, trivial *graph.Node) {
	h, w, c := e.in.Dims[0], e.in.Dims[1], e.in.Dims[2]
	clean = e.pixels(clean)
	weight := graph.ConvertDType(mask, dtypes.Float32)
	if weight.Rank() == 3 {
		weight = graph.BroadcastToDims(graph.InsertAxes(weight, -1), clean.Shape().Dimensions...)
	}
	batch := clean.Shape().Dimensions[0]
	hidden := 2 * e.Dim()
	if f.Tokens == nil {
		y := s.Linear("out", nn.GELU(s.Linear("hidden", f.Pooled, hidden, true)), h*w*c, true)
		r := objective.MaskedMSE(graph.Reshape(y, batch, h*w, c), graph.Reshape(clean, batch, h*w, c), graph.ReduceMean(graph.Reshape(weight, batch, h*w, c), -1))
		return r.PerSample, r.TrivialPerSample
	}
	side := e.cell()
	if th, tw := h/side*side, w/side*side; th != h || tw != w { // pooling dropped the rim
		cut := func(x *graph.Node) *graph.Node {
			return graph.Slice(x, graph.AxisRange(), graph.AxisRange(0, th), graph.AxisRange(0, tw), graph.AxisRange())
		}
		clean, weight = cut(clean), cut(weight)
	}
	y := s.Linear("out", nn.GELU(s.Linear("hidden", f.Tokens, hidden, true)), side*side*c, true)
	r := objective.MaskedMSE(y, patches(clean, side), graph.ReduceMean(patches(weight, side), -1))
	return r.PerSample, r.TrivialPerSample
}
