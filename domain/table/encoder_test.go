package table

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/engine/enginetest"
	"github.com/selfsame-ml/selfsame/nn"
	"github.com/selfsame-ml/selfsame/recipe"
)

// measured gives the columns of hand-made samples the statistics of their training part, as Open does.
func measured(s *Samples, bins int) *Samples {
	for j := range s.table.Columns {
		var v []float64
		for _, i := range s.parts[domain.Train] {
			if s.table.States[j][i] == Present {
				v = append(v, s.table.Values[j][i])
			}
		}
		s.table.Columns[j].measure(v, bins)
	}
	s.encoding = NewEncoding(s.table.Columns)
	return s
}

func mlpOf(width, depth int) recipe.Encoder {
	return recipe.Encoder{Kind: "mlp", Width: width, Depth: depth, Heads: 4, Numeric: "piecewise", Bins: 8}
}

func transformerOf(width, depth int) recipe.Encoder {
	return recipe.Encoder{Kind: "transformer", Width: width, Depth: depth, Heads: 2, Numeric: "piecewise", Bins: 8}
}

// everyEncoder lists the kinds with small sizes.
func everyEncoder() map[string]recipe.Encoder {
	periodic, narrow := transformerOf(8, 1), transformerOf(12, 1)
	periodic.Numeric, narrow.Token = "periodic", 4
	wide := mlpOf(8, 1)
	wide.Numeric = "periodic"
	return map[string]recipe.Encoder{"mlp": mlpOf(16, 2), "mlp periodic": wide, "transformer": transformerOf(8, 2), "transformer periodic": periodic, "transformer, narrow tokens": narrow}
}

// encoded are the first n training rows as the encoder takes them.
func encoded(t testing.TB, s *Samples, n int) []float32 {
	t.Helper()
	a := domain.NewArray(s.Input(), n)
	for i := range n {
		if err := s.Fill(&a, i, domain.Train, i); err != nil {
			t.Fatal(err)
		}
	}
	return a.F32
}

// calculate runs a graph on rows [n, cells, 2] (and more inputs of the same shape) with the start values of seed 1.
func calculate(t testing.TB, e *engine.Engine, train bool, cells, n int, fn func(s *nn.Scope, in []*graph.Node) []*graph.Node, rows ...[]float32) [][]float32 {
	t.Helper()
	var decls []nn.Decl
	p, err := e.Compile("table test", func(g *graph.Graph) []*graph.Node {
		net := nn.NewNet(g, train, nil)
		var in []*graph.Node
		for i := range rows {
			in = append(in, graph.Parameter(g, fmt.Sprintf("batch/%d", i), shapes.Make(dtypes.Float32, n, cells, len(rows[i])/n/cells)))
		}
		out := fn(net.Scope(), in)
		decls = net.Decls()
		return out
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Finalize()
	var args []any
	for _, name := range p.Names() {
		var k int
		if _, err := fmt.Sscanf(name, "batch/%d", &k); err == nil {
			args = append(args, rows[k])
			continue
		}
		args = append(args, decls[slices.IndexFunc(decls, func(d nn.Decl) bool { return d.Name == name })].Start(1))
	}
	out, err := p.Floats(args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func mustEncoder(t testing.TB, s *Samples, cfg recipe.Encoder) *Encoder {
	t.Helper()
	e, err := NewEncoder(cfg, s.encoding)
	if err != nil {
		t.Fatal(err)
	}
	e.marginals = s.marginals()
	return e
}

// TestPiecewise holds the encoding of numbers against equation 1 of Gorishniy et al. 2022, term by term.
func TestPiecewise(t *testing.T) {
	cols := []Column{
		{Name: "a", Kind: Number, Input: true, Mean: 0, Std: 1, Min: -2, Max: 3, Quantiles: []float64{-1, 0, 0.5}},
		{Name: "b", Kind: Number, Input: true, Mean: 10, Std: 2, Min: 8, Max: 12},                                 // one bin
		{Name: "c", Kind: Number, Input: true, Mean: 5, Std: 0, Min: 5, Max: 5},                                   // constant
		{Name: "d", Kind: Number, Input: true, Mean: 0, Std: 1, Min: 0, Max: 9, Quantiles: []float64{0, 1, 1, 9}}, // edges that repeat
	}
	enc := NewEncoding(cols)
	e, err := NewEncoder(mlpOf(4, 1), enc)
	if err != nil {
		t.Fatal(err)
	}
	want := [][]float32{{-2, -1, 0, 0.5, 3}, {-1, 1}, {-1, 1}, {0, 1, 9}}
	for k := range want {
		if got := e.bins(k); !slices.Equal(got, want[k]) {
			t.Errorf("bins of %s are %v, want %v", cols[k].Name, got, want[k])
		}
	}
	x := []float64{-5, -2, -1.5, -1, 0.25, 0.5, 1, 3, 7, 1000}
	rows := make([]float32, len(x)*len(cols)*2)
	for i, v := range x {
		for k := range cols {
			rows[(i*len(cols)+k)*2] = float32(v)
		}
	}
	const width = 4
	enginetest.Each(t, func(t *testing.T, eng *engine.Engine) {
		out := calculate(t, eng, false, len(cols), len(x), func(_ *nn.Scope, in []*graph.Node) []*graph.Node {
			value, _ := pick(in[0], e.numbers)
			return []*graph.Node{e.piecewise(value)}
		}, rows)[0]
		for k, b := range want {
			for i, v := range x {
				for bin := range width {
					y := 0.0
					if bin+1 < len(b) {
						y = (v - float64(b[bin])) / float64(b[bin+1]-b[bin])
						if bin > 0 {
							y = max(y, 0)
						}
						if bin+2 < len(b) {
							y = min(y, 1)
						}
						y = min(max(y, -1), 2) // where the paper goes on for ever
					}
					if got := out[(k*len(x)+i)*width+bin]; math.Abs(float64(got)-y) > 1e-5 {
						t.Errorf("%s: bin %d of %g is %g, want %g", cols[k].Name, bin, v, got, y)
					}
				}
			}
		}
	})
}

// TestTokens: a token depends on its own cell alone, on its value where it is present and on nothing but its state elsewhere; features
// are finite on absurd rows.
func TestTokens(t *testing.T) {
	s := measured(mixedSamples(t, 60, nil), 8)
	cells := len(s.encoding.Cells)
	const n = 6
	base := encoded(t, s, 1)
	for k := range cells {
		base[2*k+1] = 0
	}
	rows := slices.Repeat(base, n)
	row := func(i int) []float32 { return rows[i*2*cells : (i+1)*2*cells] }
	for k := range cells {
		v := &row(1)[2*k]
		switch s.encoding.Cells[k].Kind {
		case NumberCell:
			*v += 0.7
		case PhaseCell:
			*v = float32(math.Mod(float64(*v)+0.3, 1))
		case CodeCell:
			*v = float32(math.Mod(float64(*v)+1, float64(s.encoding.Cells[k].Levels)))
		}
		row(2)[2*k+1], row(3)[2*k+1], row(4)[2*k+1] = float32(Missing), float32(Dropped), float32(Masked)
		row(4)[2*k] = 0
		row(5)[2*k+1] = float32(Masked) // the value behind a mask must not show
	}
	for name, cfg := range everyEncoder() {
		e := mustEncoder(t, s, cfg)
		t.Run(name, func(t *testing.T) {
			enginetest.Each(t, func(t *testing.T, eng *engine.Engine) {
				tokens := calculate(t, eng, false, cells, n, func(sc *nn.Scope, in []*graph.Node) []*graph.Node {
					return []*graph.Node{e.tokens(sc, in[0])}
				}, rows)[0]
				at := func(i, k int) []float32 { return tokens[(i*cells+k)*e.token:][:e.token] }
				for k := range cells {
					for i := range 5 {
						for j := range i {
							if slices.Equal(at(i, k), at(j, k)) {
								t.Errorf("token %d is the same in rows %d and %d", k, i, j)
							}
						}
					}
					if !slices.Equal(at(4, k), at(5, k)) {
						t.Errorf("token %d shows the value behind a mask", k)
					}
				}
				one := slices.Clone(base) // one cell changed: one token changes
				where := e.numbers[len(e.numbers)-1]
				one[2*where] += 1
				two := append(slices.Clone(base), one...)
				tokens = calculate(t, eng, false, cells, 2, func(sc *nn.Scope, in []*graph.Node) []*graph.Node {
					return []*graph.Node{e.tokens(sc, in[0])}
				}, two)[0]
				for k := range cells {
					if same := slices.Equal(at(0, k), at(1, k)); same != (k != len(e.numbers)-1) {
						t.Errorf("one number changed: token %d is equal: %v", k, same)
					}
				}
				absurd := slices.Repeat(base, 2)
				for k := range cells {
					absurd[2*k], absurd[2*cells+2*k] = Clip, -Clip
				}
				pooled := calculate(t, eng, true, cells, 2, func(sc *nn.Scope, in []*graph.Node) []*graph.Node {
					return []*graph.Node{e.Encode(sc, in[0]).Pooled}
				}, absurd)[0]
				if len(pooled) != 2*e.Dim() {
					t.Fatalf("%d features, want 2 x %d", len(pooled), e.Dim())
				}
				for _, v := range pooled {
					if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
						t.Fatalf("features of absurd rows: %v", pooled)
					}
				}
			})
		})
	}
}

func TestNewEncoderErrors(t *testing.T) {
	enc := NewEncoding([]Column{{Name: "a", Kind: Number, Input: true, Std: 1, Max: 1}})
	good := transformerOf(8, 1)
	if _, err := NewEncoder(good, enc); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(c *recipe.Encoder){
		"kind": func(c *recipe.Encoder) { c.Kind = "resnet" }, "width": func(c *recipe.Encoder) { c.Width = 0 }, "depth": func(c *recipe.Encoder) { c.Depth = 0 },
		"heads": func(c *recipe.Encoder) { c.Heads = 3 }, "no heads": func(c *recipe.Encoder) { c.Heads = 0 }, "numeric": func(c *recipe.Encoder) { c.Numeric = "log" },
		"frequencies": func(c *recipe.Encoder) { c.Numeric, c.Bins = "periodic", 0 }, "token": func(c *recipe.Encoder) { c.Token = -1 },
	} {
		c := good
		change(&c)
		if _, err := NewEncoder(c, enc); !errors.Is(err, ErrEncoder) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewEncoder(good, NewEncoding(nil)); !errors.Is(err, ErrEncoder) {
		t.Errorf("no cell: %v", err)
	}
}

// TestRestoreReference holds the trivial loss against a plain calculation, and the restorer's loss with weights of zero, which answers
// 0, 0 and evenly spread levels.
func TestRestoreReference(t *testing.T) {
	s := measured(mixedSamples(t, 200, nil), 8)
	enc := s.encoding
	cells := len(enc.Cells)
	const n = 24
	clean := encoded(t, s, n)
	mask := make([]float32, n*cells)
	for i := range mask {
		if (i*7+i/cells)%3 == 0 && i/cells != 5 { // row 5 has no masked cell
			mask[i] = 1
		}
	}
	m := s.marginals()
	var want, even [n]float64
	for i := range n {
		count := 0.0
		for k := range cells {
			v, st := float64(clean[(i*cells+k)*2]), clean[(i*cells+k)*2+1]
			if mask[i*cells+k] == 0 || st != 0 || enc.Cells[k].Kind == CodeCell && v == 0 {
				continue
			}
			count++
			switch enc.Cells[k].Kind {
			case NumberCell:
				v = min(max(v, -5), 5)
				want[i] += (v - m.mean[k]) * (v - m.mean[k])
				even[i] += v * v
			case PhaseCell:
				sin, cos := math.Sincos(2 * math.Pi * v)
				ds, dc := sin-m.circle[k][0], cos-m.circle[k][1]
				want[i] += ds*ds + dc*dc
				even[i]++
			case CodeCell:
				total := 0
				for _, c := range m.counts[k][1:] {
					total += c + 1
				}
				want[i] -= math.Log(float64(m.counts[k][int(v)]+1) / float64(total))
				even[i] += math.Log(float64(enc.Cells[k].Levels - 1))
			}
		}
		want[i] /= max(count, 1)
		even[i] /= max(count, 1)
	}
	for name, cfg := range map[string]recipe.Encoder{"mlp": mlpOf(8, 1), "transformer": transformerOf(8, 1)} {
		e := mustEncoder(t, s, cfg)
		t.Run(name, func(t *testing.T) {
			enginetest.Each(t, func(t *testing.T, eng *engine.Engine) {
				out := calculate(t, eng, true, cells, n, func(sc *nn.Scope, in []*graph.Node) []*graph.Node {
					f := e.Encode(sc.In("encoder"), in[0])
					zero := domain.Features{Pooled: graph.ZerosLike(f.Pooled)}
					if f.Tokens != nil {
						zero.Tokens = graph.ZerosLike(f.Tokens)
					}
					net := nn.NewNet(sc.Graph(), true, func(d nn.Decl) *graph.Node {
						return graph.Zeros(sc.Graph(), shapes.Make(dtypes.Float32, d.Dims...))
					})
					loss, trivial := e.Restore(net.Scope(), zero, in[0], graph.Reshape(in[1], n, cells))
					return []*graph.Node{loss, trivial}
				}, clean, mask)
				for i := range n {
					if math.Abs(float64(out[1][i])-want[i]) > 1e-4*(1+want[i]) || math.Abs(float64(out[0][i])-even[i]) > 1e-4*(1+even[i]) {
						t.Errorf("row %d: loss %g, want %g; trivial %g, want %g", i, out[0][i], even[i], out[1][i], want[i])
					}
				}
				if out[0][5] != 0 || out[1][5] != 0 {
					t.Errorf("a row without masked cells has loss %g, %g", out[0][5], out[1][5])
				}
			})
		})
	}
}

// TestWideTable: 200 columns of all kinds compile as fast as 20 do, forward, restorer and gradient: there is no operation for each column.
func TestWideTable(t *testing.T) {
	nodes := func(columns int) (int, time.Duration) {
		var cols []Column
		for j := range columns {
			c := Column{Name: fmt.Sprint("c", j), Kind: Kind(j % 9), Input: true, Mean: 0, Std: 1, Min: -3, Max: 3, Quantiles: []float64{-1, 0, 1}}
			for l := range 2 + j%37 {
				c.Levels = append(c.Levels, fmt.Sprint("level ", l))
			}
			cols = append(cols, c)
		}
		e, err := NewEncoder(mlpOf(16, 1), NewEncoding(cols))
		if err != nil {
			t.Fatal(err)
		}
		eng := enginetest.Engines(t)[0]
		count := 0
		begin := time.Now()
		p, err := eng.Compile("wide", func(g *graph.Graph) []*graph.Node {
			net := nn.NewNet(g, true, nil)
			x := graph.Parameter(g, "x", shapes.Make(dtypes.Float32, 8, len(e.enc.Cells), 2))
			mask := graph.Parameter(g, "mask", shapes.Make(dtypes.Uint8, 8, len(e.enc.Cells)))
			f := e.Encode(net.Scope(), x)
			loss, _ := e.Restore(net.Scope().In("restorer"), f, x, mask)
			var params []*graph.Node
			for _, d := range net.Decls() {
				params = append(params, net.Node(d.Name))
			}
			out := graph.Gradient(graph.ReduceAllMean(loss), params...)
			count = len(g.Nodes())
			return out
		})
		if err != nil {
			t.Fatal(err)
		}
		p.Finalize()
		return count, time.Since(begin)
	}
	small, a := nodes(20)
	wide, b := nodes(200)
	t.Logf("20 columns: %d nodes, %v; 200 columns: %d nodes, %v", small, a, wide, b)
	if wide > small*3/2 { // more size classes of levels, but no node for each column
		t.Errorf("%d nodes for 200 columns, %d for 20", wide, small)
	}
}
