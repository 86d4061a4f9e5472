package table

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/nn"
	"github.com/selfsame-ml/selfsame/recipe"
)

// ErrEncoder is wrapped by every error about an encoder that cannot be built.
var ErrEncoder = errors.New("table: bad encoder")

// Encoder is a network from the cells of a row to features: "mlp" or "transformer". Each cell becomes a token first:
//
//   - a number by the piecewise-linear encoding of Gorishniy et al. 2022 (arXiv:2203.05556, eq. 1) over the bins
//     b_0 < ... < b_T of its column,
//
//     e_t = (x - b_(t-1)) / (b_t - b_(t-1)), at most 1 except in the last bin and at least 0 except in the first,
//
//     or by sines and cosines of trained frequencies (section 3.3 of the same paper); beside either stands
//     sign(x)*log(1+|x|), which keeps apart what lies far outside the training part;
//
//   - a place in a cycle by sine and cosine of 1, 2 and 4 turns;
//
//   - a level by embedding, with a row for levels that the training part does not hold.
//
// A linear map of each cell's own makes these into a token. A cell that is missing, dropped or masked has a trained token of its
// column and state instead. All cells of one kind go through one operation, however many they are.
type Encoder struct {
	cfg     recipe.Encoder
	enc     *Encoding
	token   int
	numbers []int // cells by kind: tokens stand in the order numbers, phases, codes
	phases  []int
	codes   []int
	offset  []int // first row of each code cell in the embedding table
	rows    int   // of the embedding table
	// of the trivial predictor; nil: it knows nothing, as an encoder that only embeds does
	marginals *marginals
}

var (
	_ domain.Encoder  = (*Encoder)(nil)
	_ domain.Restorer = (*Encoder)(nil)
)

// Sizes that recipes leave open.
const (
	mlpToken = 16 // the paper's MLPs do well with narrow tokens, and the first layer is as wide as all of them
	states   = 4  // present, missing, dropped, masked
	harmonic = 3  // 1, 2 and 4 turns of a cycle

	// frequencyScale is the standard deviation of the start of trained frequencies (sigma of the paper's section 3.3),
	// for values with standard deviation 1.
	frequencyScale = 0.5
	// periodicClip bounds what goes through sines: beyond, they would be noise.
	periodicClip = 5
)

// NewEncoder checks cfg against the cells of an encoding. Encoder.Bins counts where cfg.Numeric is "periodic";
// piecewise encoding takes the edges of the cells.
func NewEncoder(cfg recipe.Encoder, enc *Encoding) (*Encoder, error) {
	if enc == nil || len(enc.Cells) == 0 {
		return nil, fmt.Errorf("%w: the encoder sees no column", ErrEncoder)
	}
	if cfg.Width < 1 || cfg.Depth < 1 {
		return nil, fmt.Errorf("%w: width %d and depth %d must be positive", ErrEncoder, cfg.Width, cfg.Depth)
	}
	if cfg.Token < 0 {
		return nil, fmt.Errorf("%w: token width %d is negative (encoder.token)", ErrEncoder, cfg.Token)
	}
	e := &Encoder{cfg: cfg, enc: enc, token: cfg.Token}
	switch cfg.Kind {
	case "mlp":
		if e.token == 0 {
			e.token = mlpToken
		}
	case "transformer":
		if e.token == 0 {
			e.token = cfg.Width
		}
		if cfg.Heads < 1 || e.token%cfg.Heads != 0 {
			return nil, fmt.Errorf("%w: token width %d is not a multiple of %d heads (encoder.heads)", ErrEncoder, e.token, cfg.Heads)
		}
	default:
		return nil, fmt.Errorf("%w: kind %q is not mlp or transformer", ErrEncoder, cfg.Kind)
	}
	switch cfg.Numeric {
	case "", "piecewise":
	case "periodic":
		if cfg.Bins < 1 {
			return nil, fmt.Errorf("%w: %d frequencies, want at least 1 (encoder.bins)", ErrEncoder, cfg.Bins)
		}
	default:
		return nil, fmt.Errorf("%w: numeric %q is not piecewise or periodic", ErrEncoder, cfg.Numeric)
	}
	for k := range enc.Cells {
		switch c := &enc.Cells[k]; c.Kind {
		case NumberCell:
			e.numbers = append(e.numbers, k)
		case PhaseCell:
			e.phases = append(e.phases, k)
		case CodeCell:
			if c.Levels < 1 {
				return nil, fmt.Errorf("%w: column %q has an embedding of %d levels", ErrEncoder, enc.Columns[c.Column].Name, c.Levels)
			}
			e.codes = append(e.codes, k)
		}
	}
	e.order(e.codes)
	for _, k := range e.codes {
		e.offset = append(e.offset, e.rows)
		e.rows += enc.Cells[k].Levels + states - 1
	}
	return e, nil
}

// Dim is the width of the pooled features.
func (e *Encoder) Dim() int { return e.cfg.Width }

// bins are the edges b_0 < ... < b_T of a number cell: the least and the greatest value of the training part around the inner ones.
// A constant column has one bin around its value.
func (e *Encoder) bins(cell int) []float32 {
	s := &e.enc.Cells[cell]
	c := &e.enc.Columns[s.Column]
	lo, hi := c.standard(c.Min), c.standard(c.Max)
	out := []float32{lo}
	for _, b := range s.Edges {
		if b > out[len(out)-1] && b < hi {
			out = append(out, b)
		}
	}
	if hi > lo {
		return append(out, hi)
	}
	return []float32{lo - 1, lo + 1}
}

// pick takes cells of x [batch, cells, 2] apart: values and states, each [len(cells), batch].
func pick(x *graph.Node, cells []int) (value, state *graph.Node) {
	d := x.Shape().Dimensions
	x = graph.TransposeAllAxes(x, 1, 2, 0) // [cells, 2, batch]
	if !inOrder(cells, d[1]) {
		at := make([][]int32, len(cells))
		for i, k := range cells {
			at[i] = []int32{int32(k)}
		}
		x = graph.Gather(x, graph.Const(x.Graph(), at))
	}
	part := func(i int) *graph.Node {
		return graph.Reshape(graph.SliceAxis(x, 1, graph.AxisRange(i, i+1)), len(cells), d[0])
	}
	return part(0), part(1)
}

func inOrder(cells []int, n int) bool {
	return len(cells) == n && slices.IsSorted(cells)
}

// asIs is 1 where a state is s, else 0.
func asIs(state *graph.Node, s State) *graph.Node {
	return graph.ConvertDType(graph.Equal(state, graph.Scalar(state.Graph(), state.DType(), float64(s))), dtypes.Float32)
}

// flags are one-hot states [n, batch, states]: the weights of the present one are a bias, those of the others the tokens of
// cells without a value.
func flags(state *graph.Node) *graph.Node {
	var out []*graph.Node
	for s := range State(states) {
		out = append(out, graph.InsertAxes(asIs(state, s), -1))
	}
	return graph.Concatenate(out, -1)
}

// perCell is the linear map of each cell's own: features [n, batch, f] of cells that are present, to tokens [n, batch, token].
func (e *Encoder) perCell(s *nn.Scope, features, state *graph.Node) *graph.Node {
	present := graph.InsertAxes(asIs(state, Present), -1)
	x := graph.Concatenate([]*graph.Node{graph.Mul(features, graph.BroadcastToDims(present, features.Shape().Dimensions...)), flags(state)}, -1)
	n, f := x.Shape().Dim(0), x.Shape().Dim(2)
	return nn.BatchedMatMul(x, s.Param("weight", nn.Weight, nn.KaimingUniform(f), n, f, e.token))
}

func signedLog(x *graph.Node) *graph.Node {
	return graph.Mul(graph.Sign(x), graph.Log1P(graph.Abs(x)))
}

// spread widens x [n, batch] to [n, batch, width].
func spread(x *graph.Node, width int) *graph.Node {
	return graph.BroadcastToDims(graph.InsertAxes(x, -1), x.Shape().Dim(0), x.Shape().Dim(1), width)
}

// piecewise is the encoding of numbers x [n, batch] by the edges of their cells: [n, batch, bins]. A cell with
// fewer bins than another has zeros at the end.
func (e *Encoder) piecewise(x *graph.Node) *graph.Node {
	edges := make([][]float32, len(e.numbers))
	width := 0
	for i, k := range e.numbers {
		edges[i] = e.bins(k)
		width = max(width, len(edges[i])-1)
	}
	// Beyond the first and the last edge the encoding goes on for one bin's length: the paper has no limit there, but
	// one absurd number must not drown a batch.
	var left, inverse, low, high [][]float32
	for _, b := range edges {
		l, v, lo, hi := make([]float32, width), make([]float32, width), make([]float32, width), make([]float32, width)
		for t := range len(b) - 1 {
			l[t], v[t], hi[t] = b[t], 1/(b[t+1]-b[t]), 1
		}
		lo[0], hi[len(b)-2] = -1, 2
		left, inverse, low, high = append(left, l), append(inverse, v), append(low, lo), append(high, hi)
	}
	g := x.Graph()
	row := func(v [][]float32) *graph.Node {
		return graph.BroadcastToDims(graph.InsertAxes(graph.Const(g, v), 1), len(v), x.Shape().Dim(1), width)
	}
	y := graph.Mul(graph.Sub(spread(x, width), row(left)), row(inverse))
	return graph.Max(graph.Min(y, row(high)), row(low))
}

// tokens maps x [batch, cells, 2] to [batch, cells, token], in the order numbers, phases, codes.
func (e *Encoder) tokens(s *nn.Scope, x *graph.Node) *graph.Node {
	x = graph.StopGradient(x)
	g := x.Graph()
	var out []*graph.Node
	if len(e.numbers) > 0 {
		p := s.In("number")
		value, state := pick(x, e.numbers)
		var features *graph.Node
		if e.cfg.Numeric == "periodic" {
			c := p.Param("frequency", nn.Bias, nn.Init{Kind: nn.Normal, Scale: frequencyScale}, len(e.numbers), e.cfg.Bins)
			limit := graph.Scalar(g, dtypes.Float32, periodicClip)
			features = nn.Periodic(graph.Max(graph.Min(value, limit), graph.Neg(limit)), c)
		} else {
			features = e.piecewise(value)
		}
		features = graph.Concatenate([]*graph.Node{features, graph.InsertAxes(signedLog(value), -1)}, -1)
		out = append(out, e.perCell(p, features, state))
	}
	if len(e.phases) > 0 {
		value, state := pick(x, e.phases)
		out = append(out, e.perCell(s.In("phase"), cycle(value, harmonic), state))
	}
	if len(e.codes) > 0 {
		value, state := pick(x, e.codes)
		levels, offset := make([][]float32, len(e.codes)), make([][]float32, len(e.codes))
		for i, k := range e.codes {
			levels[i], offset[i] = []float32{float32(e.enc.Cells[k].Levels)}, []float32{float32(e.offset[i])}
		}
		wide := func(v [][]float32) *graph.Node {
			return graph.BroadcastToDims(graph.Const(g, v), value.Shape().Dimensions...)
		}
		size, zero := wide(levels), graph.ZerosLike(value)
		known := graph.And(graph.GreaterOrEqual(value, zero), graph.LessThan(value, size))
		value = graph.Where(known, value, zero)
		// The rows after the levels are the tokens of cells without a value.
		value = graph.Where(graph.GreaterThan(state, zero), graph.Add(size, graph.AddScalar(state, -1)), value)
		ids := graph.ConvertDType(graph.Add(value, wide(offset)), dtypes.Int32)
		table := s.In("code").Param("weight", nn.Weight, nn.Init{Kind: nn.Uniform, Scale: 1 / math.Sqrt(float64(e.token))}, e.rows, e.token)
		out = append(out, nn.Embedding(table, ids))
	}
	y := out[0]
	if len(out) > 1 {
		y = graph.Concatenate(out, 0)
	}
	return graph.TransposeAllAxes(y, 1, 0, 2)
}

// cycle is sine and cosine of 1, 2, 4, ... turns of x [n, batch], 0..1: [n, batch, 2*turns].
func cycle(x *graph.Node, turns int) *graph.Node {
	var out []*graph.Node
	for k := range turns {
		a := graph.InsertAxes(graph.MulScalar(x, 2*math.Pi*float64(int(1)<<k)), -1)
		out = append(out, graph.Sin(a), graph.Cos(a))
	}
	return graph.Concatenate(out, -1)
}

// Encode maps rows x [batch, cells, 2] of values and states to features: Pooled [batch, width], and for a transformer Tokens
// [batch, cells, token], in the order numbers, phases, codes.
func (e *Encoder) Encode(s *nn.Scope, x *graph.Node) domain.Features {
	if d := x.Shape().Dimensions; len(d) != 3 || d[1] != len(e.enc.Cells) || d[2] != 2 {
		panic(fmt.Errorf("table: rows %s, want [batch, %d, 2]", x.Shape(), len(e.enc.Cells)))
	}
	if e.cfg.Kind == "mlp" {
		return e.mlp(s, x)
	}
	return e.transformer(s, x)
}

// mlp joins the tokens to one vector; after a linear map, depth pre-norm residual layers x += Linear(ReLU(LayerNorm(x)))
// follow. Layer norm and not batch norm: rows with masked cells and whole ones share the network, but not their statistics.
func (e *Encoder) mlp(s *nn.Scope, x *graph.Node) domain.Features {
	y := e.tokens(s, x)
	d := y.Shape().Dimensions
	y = s.Linear("in", graph.Reshape(y, d[0], d[1]*d[2]), e.cfg.Width, true)
	for layer := range e.cfg.Depth {
		p := s.In("layer%d", layer)
		y = graph.Add(y, p.Linear("linear", nn.ReLU(p.LayerNorm("norm", y)), e.cfg.Width, true))
	}
	return domain.Features{Pooled: s.LayerNorm("norm", y)}
}

// transformer is the FT-Transformer of Gorishniy et al. 2021 (arXiv:2106.11959): a token more that looks at the others and becomes the
// features; pre-norm layers with twice the token's width in between.
func (e *Encoder) transformer(s *nn.Scope, x *graph.Node) domain.Features {
	y := e.tokens(s, x)
	d := y.Shape().Dimensions
	first := s.Param("class", nn.Bias, nn.Init{Kind: nn.Uniform, Scale: 1 / math.Sqrt(float64(e.token))}, 1, 1, e.token)
	y = graph.Concatenate([]*graph.Node{graph.BroadcastToDims(first, d[0], 1, e.token), y}, 1)
	for layer := range e.cfg.Depth {
		y = s.TransformerBlock(fmt.Sprintf("layer%d", layer), y, e.cfg.Heads, 2*e.token, nn.AttentionOptions{})
	}
	y = s.LayerNorm("norm", y)
	pooled := graph.Reshape(graph.SliceAxis(y, 1, graph.AxisRange(0, 1)), d[0], e.token)
	if e.token != e.cfg.Width {
		pooled = s.Linear("out", pooled, e.cfg.Width, true)
	}
	return domain.Features{Pooled: pooled, Tokens: graph.SliceAxis(y, 1, graph.AxisRange(1, d[1]+1))}
}

// Encoder returns the graph of the recipe's encoder.
func (s *Samples) Encoder() (domain.Encoder, error) {
	e, err := NewEncoder(s.recipe.Encoder, s.encoding)
	if err != nil {
		return nil, err
	}
	e.marginals = s.marginals()
	return e, nil
}
