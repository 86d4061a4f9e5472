package table

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"sync"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/nn"
)

// restoreClip bounds the standardised numbers that are to be restored: the square of an absurd one would outweigh a batch.
const restoreClip = 5

// mostCounted is how many training rows the trivial predictor is made of.
const mostCounted = 1_000_000

// marginals are what can be said of a masked cell without looking at its row. By cell of an Encoding.
type marginals struct {
	mean   []float64    // NumberCell: mean of the clipped standardised values
	circle [][2]float64 // PhaseCell: mean sine and cosine
	counts [][]int      // CodeCell: training rows by level, unknown ones (index 0) left out
}

type lazyMarginals struct {
	marginalsOnce sync.Once
	marginalsOf   *marginals
}

// marginals counts the training part, once.
func (s *Samples) marginals() *marginals {
	s.marginalsOnce.Do(func() { s.marginalsOf = s.encoding.count(s.table, s.parts[domain.Train]) })
	return s.marginalsOf
}

func newMarginals(e *Encoding) *marginals {
	n := len(e.Cells)
	m := &marginals{mean: make([]float64, n), circle: make([][2]float64, n), counts: make([][]int, n)}
	for k := range e.Cells {
		if e.Cells[k].Kind == CodeCell {
			m.counts[k] = make([]int, e.Cells[k].Levels)
		}
	}
	return m
}

// count makes the marginals of rows of t; of very many, of evenly spread ones.
func (e *Encoding) count(t *Table, rows []int32) *marginals {
	m := newMarginals(e)
	seen := make([]int, len(e.Cells))
	r, buf := NewRow(len(t.Columns)), make([]float32, e.Size())
	step := max(1, (len(rows)+mostCounted-1)/mostCounted)
	for i := 0; i < len(rows); i += step {
		t.Read(int(rows[i]), &r)
		e.Put(buf, &r)
		for k := range e.Cells {
			if State(buf[2*k+1]) != Present {
				continue
			}
			seen[k]++
			switch v := float64(buf[2*k]); e.Cells[k].Kind {
			case NumberCell:
				m.mean[k] += min(max(v, -restoreClip), restoreClip)
			case PhaseCell:
				sin, cos := math.Sincos(2 * math.Pi * v)
				m.circle[k][0] += sin
				m.circle[k][1] += cos
			case CodeCell:
				if v > 0 {
					m.counts[k][int(v)]++
				}
			}
		}
	}
	for k, n := range seen {
		d := float64(max(n, 1))
		m.mean[k] /= d
		m.circle[k][0] /= d
		m.circle[k][1] /= d
	}
	return m
}

// surprise is -log of the frequency of each level but the unknown one, in nats, with one row added to each.
func (m *marginals) surprise(cell int) []float32 {
	counts := m.counts[cell][1:]
	total := len(counts)
	for _, n := range counts {
		total += n
	}
	out := make([]float32, len(counts))
	for i, n := range counts {
		out[i] = float32(math.Log(float64(total) / float64(n+1)))
	}
	return out
}

// group is the size class of a code cell: cells of one class are restored together, padded to the largest of them,
// so that four times its own levels are the most that a cell pays for.
func group(levels int) int { return (bits.Len(uint(max(levels-2, 0))) + 1) / 2 }

// order sorts code cells by size class, so that a class is a slice of the tokens.
func (e *Encoder) order(codes []int) {
	slices.SortStableFunc(codes, func(a, b int) int { return group(e.enc.Cells[a].Levels) - group(e.enc.Cells[b].Levels) })
}

// Restore predicts masked cells from their tokens (of an mlp: from the pooled features) through one hidden layer, and
// gives the mean over a row's masked cells [batch] of
//
//   - numbers: the squared error of the standardised value within -5..5,
//   - places in a cycle: the squared error of sine and cosine, added,
//   - levels: the cross-entropy in nats over the cell's own levels.
//
// Cells that hold no value in clean, or a level that the training part does not hold, do not count; a row without a cell
// that counts has loss 0. The trivial predictor answers with the training part's mean and level frequencies (one row added to
// each level). clean is [batch, cells, 2], mask [batch, cells], not 0 where a cell is to be restored.
func (e *Encoder) Restore(s *nn.Scope, f domain.Features, clean, mask *graph.Node) (loss, trivial *graph.Node) {
	cells, batch := len(e.enc.Cells), f.Pooled.Shape().Dim(0)
	if mask.Rank() != 2 || mask.Shape().Dim(1) != cells {
		panic(fmt.Errorf("table: mask %s, want [batch, %d]", mask.Shape(), cells))
	}
	m := e.marginals
	if m == nil {
		m = newMarginals(e.enc)
	}
	g := clean.Graph()
	clean = graph.StopGradient(clean)
	numbers, phases, codes := len(e.numbers), len(e.phases), len(e.codes)
	mask = graph.ConvertDType(graph.NotEqual(mask, graph.ScalarZero(g, mask.DType())), dtypes.Float32)
	both := graph.Concatenate([]*graph.Node{graph.InsertAxes(mask, -1), graph.InsertAxes(mask, -1)}, -1)

	var numberOut, phaseOut, codeOut *graph.Node // [numbers, batch], [phases, batch, 2], [codes, batch, hidden]
	if f.Tokens != nil {
		h := nn.GELU(s.Linear("hidden", f.Tokens, 2*e.token, true))
		h = graph.Concatenate([]*graph.Node{h, graph.Ones(g, shapes.Make(dtypes.Float32, batch, cells, 1))}, -1) // a bias of each cell's own
		h = graph.TransposeAllAxes(h, 1, 0, 2)
		part := func(from, n, out int, name string) *graph.Node {
			x := graph.SliceAxis(h, 0, graph.AxisRange(from, from+n))
			return nn.BatchedMatMul(x, s.In("%s", name).Param("weight", nn.Weight, nn.KaimingUniform(2*e.token), n, 2*e.token+1, out))
		}
		if numbers > 0 {
			numberOut = graph.Reshape(part(0, numbers, 1, "number"), numbers, batch)
		}
		if phases > 0 {
			phaseOut = part(numbers, phases, 2, "phase")
		}
		if codes > 0 {
			codeOut = graph.SliceAxis(h, 0, graph.AxisRange(numbers+phases, cells))
		}
	} else {
		h := nn.GELU(s.Linear("hidden", f.Pooled, 2*e.cfg.Width, true))
		part := func(n, out int, name string) *graph.Node {
			return graph.TransposeAllAxes(graph.Reshape(s.Linear(name, h, n*out, true), batch, n, out), 1, 0, 2)
		}
		if numbers > 0 {
			numberOut = graph.Reshape(part(numbers, 1, "number"), numbers, batch)
		}
		if phases > 0 {
			phaseOut = part(phases, 2, "phase")
		}
		if codes > 0 {
			codeOut = part(codes, 2*e.token, "code")
		}
	}

	var losses, guesses, weights []*graph.Node // [cells of a kind, batch]
	add := func(cells []int, state, l, t *graph.Node) {
		w, _ := pick(both, cells)
		losses, guesses = append(losses, l), append(guesses, t)
		weights = append(weights, graph.Mul(w, asIs(state, Present)))
	}
	if numbers > 0 {
		value, state := pick(clean, e.numbers)
		limit := graph.Scalar(g, dtypes.Float32, restoreClip)
		value = graph.Max(graph.Min(value, limit), graph.Neg(limit))
		mean := make([][]float32, numbers)
		for i, k := range e.numbers {
			mean[i] = []float32{float32(m.mean[k])}
		}
		guess := graph.BroadcastToDims(graph.Const(g, mean), numbers, batch)
		add(e.numbers, state, graph.Square(graph.Sub(numberOut, value)), graph.Square(graph.Sub(guess, value)))
	}
	if phases > 0 {
		value, state := pick(clean, e.phases)
		mean := make([][][]float32, phases)
		for i, k := range e.phases {
			mean[i] = [][]float32{{float32(m.circle[k][0]), float32(m.circle[k][1])}}
		}
		target := cycle(value, 1)
		guess := graph.BroadcastToDims(graph.Const(g, mean), phases, batch, 2)
		each := func(x *graph.Node) *graph.Node { return graph.ReduceSum(graph.Square(graph.Sub(x, target)), -1) }
		add(e.phases, state, each(phaseOut), each(guess))
	}
	for from := 0; from < codes; {
		to := from + 1
		for to < codes && group(e.enc.Cells[e.codes[to]].Levels) == group(e.enc.Cells[e.codes[from]].Levels) {
			to++
		}
		e.restoreCodes(s, codeOut, clean, m, from, to, add)
		from = to
	}

	all := func(xs []*graph.Node) *graph.Node {
		if len(xs) == 1 {
			return xs[0]
		}
		return graph.Concatenate(xs, 0)
	}
	weight := all(weights)
	count := graph.MaxScalar(graph.ReduceSum(weight, 0), 1)
	mean := func(xs []*graph.Node) *graph.Node {
		return graph.Div(graph.ReduceSum(graph.Mul(all(xs), weight), 0), count)
	}
	return mean(losses), mean(guesses)
}

// restoreCodes adds the losses of the code cells from..to, which are of one size class; context is [codes, batch, hidden].
func (e *Encoder) restoreCodes(s *nn.Scope, context, clean *graph.Node, m *marginals, from, to int, add func(cells []int, state, l, t *graph.Node)) {
	cells := e.codes[from:to]
	n, batch := len(cells), context.Shape().Dim(1)
	size := 1
	for _, k := range cells {
		size = max(size, e.enc.Cells[k].Levels-1)
	}
	g := clean.Graph()
	value, state := pick(clean, cells)
	zero := graph.ZerosLike(value)
	known := graph.GreaterThan(value, zero)
	if size == 1 { // nothing to tell apart
		add(cells, graph.OnesLike(state), zero, zero)
		return
	}
	const never = -1e9 // finite, so that nothing becomes NaN
	surprise, padding := make([][][]float32, n), make([][][]float32, n)
	for i, k := range cells {
		row, pad := make([]float32, size), make([]float32, size)
		levels := copy(row, m.surprise(k))
		for t := levels; t < size; t++ {
			pad[t] = never
		}
		surprise[i], padding[i] = [][]float32{row}, [][]float32{pad}
	}
	wide := func(v [][][]float32) *graph.Node {
		return graph.BroadcastToDims(graph.Const(g, v), n, batch, size)
	}
	x := context
	if n < context.Shape().Dim(0) {
		x = graph.SliceAxis(context, 0, graph.AxisRange(from, to))
	}
	hidden := x.Shape().Dim(2)
	w := s.In("code%d", group(size+1)).Param("weight", nn.Weight, nn.KaimingUniform(hidden), n, hidden, size)
	logp := nn.LogSoftmax(graph.Add(nn.BatchedMatMul(x, w), wide(padding)))
	label := graph.ConvertDType(graph.Where(known, graph.AddScalar(value, -1), zero), dtypes.Int32)
	hot := graph.OneHot(label, size, dtypes.Float32)
	own := func(x *graph.Node) *graph.Node { return graph.ReduceSum(graph.Mul(hot, x), -1) }
	state = graph.Where(known, state, graph.OnesLike(state)) // unknown levels count as missing
	add(cells, state, graph.Neg(own(logp)), own(wide(surprise)))
}
