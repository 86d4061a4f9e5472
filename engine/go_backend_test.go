package engine

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// openGoBoth returns the go engine and one whose graphs run on the inner back end alone.
func openGoBoth(t testing.TB, threads int) (own, inner *Engine) {
	t.Helper()
	own, err := Open(Config{Kind: Go, Threads: threads, Precision: FP32})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(own.Close)
	return own, &Engine{kind: Go, mode: own.mode, threads: own.threads, backend: own.backend.(*goBackend).Backend}
}

func draw(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// sameAsInner runs a graph of inputs of the shapes given on both and compares.
func sameAsInner(t *testing.T, name string, ins []shapes.Shape, build func(in []*Node) []*Node) {
	t.Helper()
	own, inner := openGoBoth(t, 2)
	graph := func(g *Graph) []*Node {
		var in []*Node
		for i, s := range ins {
			in = append(in, Parameter(g, fmt.Sprint("x", i), s))
		}
		return build(in)
	}
	r := rand.New(rand.NewPCG(7, 7))
	var args []any
	for _, s := range ins {
		switch s.DType {
		case dtypes.Int32:
			v := make([]int32, s.Size())
			for i := range v {
				v[i] = int32(r.IntN(5))
			}
			args = append(args, v)
		default:
			args = append(args, draw(r, s.Size()))
		}
	}
	var got [2][][]float32
	for i, e := range []*Engine{own, inner} {
		p, err := e.Compile(name, graph)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		defer p.Finalize()
		for range 2 { // twice: memory of the first run is used again
			if got[i], err = p.Floats(args...); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	for o := range got[1] {
		for j, w := range got[1][o] {
			x := got[0][o][j]
			if x != w && !(math.Abs(float64(x-w)) <= 2e-5*(1+math.Abs(float64(w)))) && !(x != x && w != w) {
				t.Fatalf("%s: output %d element %d is %g, on the inner back end %g", name, o, j, x, w)
			}
		}
	}
}

func f32(dims ...int) shapes.Shape { return shapes.Make(dtypes.Float32, dims...) }

func TestGoOperations(t *testing.T) {
	i32 := shapes.Make(dtypes.Int32, 6, 5)
	asFloat := func(x *Node) *Node { return ConvertDType(x, dtypes.Float32) }
	for _, c := range []struct {
		name  string
		in    []shapes.Shape
		build func(in []*Node) []*Node
	}{
		{"element-wise", []shapes.Shape{f32(7, 33), f32(7, 33)}, func(in []*Node) []*Node {
			a, b := in[0], in[1]
			p := AddScalar(Abs(b), 0.5)
			return []*Node{Add(a, b), Sub(a, b), Mul(a, b), Div(a, p), Max(a, b), Min(a, b), Neg(a), Abs(a), Sqrt(p), Rsqrt(p), Exp(a), Log(p),
				Log1p(p), Erf(a), Tanh(a), Logistic(a), Pow(p, b), Sign(a), Sin(a)}
		}},
		{"comparisons", []shapes.Shape{f32(9, 8), f32(9, 8)}, func(in []*Node) []*Node {
			a, b := in[0], in[1]
			c := And(GreaterThan(a, b), LogicalNot(LessThan(a, MulScalar(b, -1))))
			return []*Node{Where(c, a, b), asFloat(c), asFloat(LogicalXor(c, GreaterOrEqual(a, b))), Where(LessOrEqual(a, b), ScalarZero(a.Graph(), dtypes.Float32), a),
				asFloat(Equal(a, a)), asFloat(NotEqual(a, b)), asFloat(LogicalOr(c, Equal(a, b)))}
		}},
		{"broadcasts", []shapes.Shape{f32(4, 6, 5), f32(5), f32(4, 1, 1), f32(1, 6, 1), f32(4, 1, 5), f32()}, func(in []*Node) []*Node {
			x := in[0]
			return []*Node{Add(x, ExpandLeftToRank(in[1], 3)), Mul(x, in[2]), Sub(x, in[3]), Div(x, AddScalar(Abs(in[4]), 1)), Add(x, in[5]),
				BroadcastToDims(in[3], 4, 6, 5), Mul(BroadcastToDims(in[2], 4, 6, 5), BroadcastToDims(in[4], 4, 6, 5)), Add(in[2], in[3])}
		}},
		{"reductions", []shapes.Shape{f32(5, 6, 7, 3)}, func(in []*Node) []*Node {
			x := in[0]
			return []*Node{ReduceSum(x), ReduceSum(x, 0), ReduceSum(x, 3), ReduceSum(x, 1, 2), ReduceSum(x, 0, 2), ReduceSum(x, 0, 1, 2), ReduceSum(x, 2, 3),
				ReduceMax(x), ReduceMax(x, 0), ReduceMax(x, 3), ReduceMax(x, 1, 3), ReduceMean(x, 0, 1, 2), ReduceSum(Square(x), 0, 1, 2), ReduceMin(x, 1)}
		}},
		{"long rows", []shapes.Shape{f32(3, 9000), f32(9000, 3), f32(5000)}, func(in []*Node) []*Node {
			return []*Node{ReduceSum(in[0], 1), ReduceMax(in[0], 1), ReduceSum(in[1], 0), ReduceSum(in[2]), ReduceMax(in[2]), ReduceSum(in[0], 0)}
		}},
		{"softmax", []shapes.Shape{f32(4, 3, 10)}, func(in []*Node) []*Node {
			e := Exp(Sub(in[0], ReduceAndKeep(in[0], ReduceMax, -1)))
			y := Div(e, ReduceAndKeep(e, ReduceSum, -1))
			return []*Node{y, ReduceSum(Mul(y, in[0]), 0), y}
		}},
		{"softmax of long rows", []shapes.Shape{f32(16, 3, 700)}, func(in []*Node) []*Node {
			x := MulScalar(in[0], 3)
			e := Exp(Sub(x, ReduceAndKeep(x, ReduceMax, -1)))
			y := Div(e, ReduceAndKeep(e, ReduceSum, -1))
			return []*Node{y, ReduceAndKeep(Sub(y, ReduceAndKeep(y, ReduceSum, -1)), ReduceMax, 0), Sub(x, ReduceAndKeep(x, ReduceMax, -1))}
		}},
		{"sums of padded parts", []shapes.Shape{f32(2, 4, 3), f32(2, 1, 3), f32(2, 2, 3), f32(2, 3, 3)}, func(in []*Node) []*Node {
			pad := func(x *Node, start, end int, fill float32) *Node {
				return Pad(x, Const(x.Graph(), fill), compute.PadAxis{}, compute.PadAxis{Start: start, End: end}, compute.PadAxis{})
			}
			a, b, c, d := in[0], in[1], in[2], in[3]
			both := Add(pad(c, 5, 0, 0), pad(a, 0, 3, 0))
			return []*Node{Add(both, pad(b, 4, 2, 0)), both, // whole: [a b c]
				Add(pad(a, 0, 2, 0), pad(d, 3, 0, 0)),                          // overlapping
				Add(pad(a, 0, 2, 0), pad(c, 4, 0, 1)),                          // not padded by 0
				Add(pad(a, 1, 2, 0), pad(c, 5, 0, 0)), Add(a, pad(d, 0, 1, 0))} // a hole; not padded
		}},
		{"moves", []shapes.Shape{f32(4, 6, 5), f32(4, 2, 5)}, func(in []*Node) []*Node {
			x := in[0]
			return []*Node{Transpose(x, 0, 2), TransposeAllAxes(x, 1, 2, 0), Slice(x, AxisRange(1, 3), AxisRange(0, 6).Stride(2)), Concatenate([]*Node{x, in[1], x}, 1),
				Reverse(x, 0, 2), Pad(x, Const(x.Graph(), float32(2)), compute.PadAxis{Start: 1}, compute.PadAxis{}, compute.PadAxis{End: 2}),
				Pad(x, Const(x.Graph(), float32(2)), compute.PadAxis{Interior: 1}), Reshape(x, 24, 5), Add(Reshape(x, 120), Reshape(Transpose(x, 0, 1), 120))}
		}},
		{"integers", []shapes.Shape{i32, i32, f32(5, 4)}, func(in []*Node) []*Node {
			a, b := in[0], in[1]
			return []*Node{asFloat(Add(a, b)), asFloat(Transpose(a, 0, 1)), asFloat(Concatenate([]*Node{a, b}, 0)), OneHot(a, 5, dtypes.Float32), asFloat(GreaterThan(a, b)),
				Gather(in[2], Reshape(a, 30, 1)), asFloat(Iota(a.Graph(), i32, 1))}
		}},
		{"products", []shapes.Shape{f32(6, 7), f32(7, 40), f32(3, 6, 7), f32(3, 9, 7), f32(2, 3, 4, 5), f32(2, 4, 3, 6)}, func(in []*Node) []*Node {
			return []*Node{Dot(in[0], in[1]).Product(), DotGeneral(in[1], []int{0}, nil, in[0], []int{1}, nil), DotGeneral(in[2], []int{2}, []int{0}, in[3], []int{2}, []int{0}),
				DotGeneral(in[2], []int{1}, []int{0}, in[2], []int{1}, []int{0}), DotGeneral(in[4], []int{2}, []int{0, 1}, in[5], []int{1}, []int{0, 2}),
				DotGeneral(in[4], []int{1, 3}, []int{0}, in[4], []int{1, 3}, []int{0})}
		}},
		{"convolutions", []shapes.Shape{f32(2, 7, 6, 3), f32(3, 2, 3, 5), f32(2, 4, 3, 5), f32(3, 2, 5, 3)}, func(in []*Node) []*Node {
			x, w := in[0], in[1]
			pads := [][2]int{{1, 1}, {0, 1}}
			return []*Node{
				ConvGeneral(x, w, ConvAxes, []int{1, 1}, pads, nil, nil, 1, 1), ConvGeneral(x, w, ConvAxes, []int{2, 3}, pads, nil, nil, 1, 1),
				ConvGeneral(x, w, ConvAxes, []int{1, 1}, pads, nil, []int{2, 1}, 1, 1),
				ConvGeneral(in[2], in[3], ConvAxes, []int{1, 1}, pads, []int{2, 3}, nil, 1, 1),
				ConvGeneral(x, in[2], KernelAxes, []int{1, 1}, pads, nil, []int{2, 2}, 1, 1),
			}
		}},
		{"outputs", []shapes.Shape{f32(3, 4)}, func(in []*Node) []*Node {
			x := in[0]
			y := Mul(x, x)
			s := Sign(x)
			return []*Node{x, y, y, Reshape(y, 12), Const(x.Graph(), []float32{1, 2}), Reshape(x, 4, 3), s, s, Reshape(s, 12)}
		}},
	} {
		t.Run(c.name, func(t *testing.T) { sameAsInner(t, c.name, c.in, c.build) })
	}
}

// TestGoBarrier checks that barriers do not send a graph to the inner back end.
func TestGoBarrier(t *testing.T) {
	own, _ := openGoBoth(t, 1)
	p, err := own.Compile("barrier", func(g *Graph) []*Node {
		x := Parameter(g, "x", f32(2, 3))
		return []*Node{Add(OptimizationBarrier(Mul(x, x)), x)}
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := p.g.Executable().(*goPlan); !ok {
		t.Fatalf("the graph runs as %T", p.g.Executable())
	}
	got, err := p.Floats([]float32{1, 2, 3, 4, 5, 6})
	if err != nil || !slices.Equal(got[0], []float32{2, 6, 12, 20, 30, 42}) {
		t.Fatal(got, err)
	}
}

// TestGoEmpty runs what has no elements.
func TestGoEmpty(t *testing.T) {
	e, _ := openGoBoth(t, 1)
	p, err := e.Compile("empty", func(g *Graph) []*Node {
		x, y := Parameter(g, "x", f32(0, 4)), Parameter(g, "y", f32(4, 3))
		return []*Node{Dot(x, y).Product(), Mul(x, x), Add(ReduceSum(x, 0), ReduceSum(y, 1)), Transpose(x, 0, 1), DotGeneral(x, []int{0}, nil, x, []int{0}, nil)}
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Floats([]float32{}, []float32{1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 0, 1})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range [][]float32{{}, {}, {6, 15, 24, 1}, {}, make([]float32, 16)} {
		if !slices.Equal(got[i], want) {
			t.Errorf("output %d is %v, want %v", i, got[i], want)
		}
	}
}

// TestGoGroups checks random graphs: what is fused must equal what is not.
func TestGoGroups(t *testing.T) {
	for seed := range uint64(40) {
		build := func(in []*Node) []*Node {
			r := rand.New(rand.NewPCG(seed, 3))
			pool := slices.Clone(in)
			pick := func() *Node { return pool[r.IntN(len(pool))] }
			full := func() *Node { // any value stretched to the full shape
				x := pick()
				switch x.Rank() {
				case 1:
					x = ExpandLeftToRank(x, 3)
				case 2:
					x = Reshape(x, x.Shape().Dim(0), x.Shape().Dim(1), 1)
				}
				return BroadcastToDims(x, 6, 50, 24)
			}
			for range 25 {
				var y *Node
				switch r.IntN(8) {
				case 0:
					y = MulScalar(Add(full(), full()), 0.5)
				case 1:
					y = Tanh(Mul(full(), full()))
				case 2:
					a, b := full(), full() // continuous: rounding must not decide what is taken
					y = Where(GreaterThan(a, b), Sub(a, b), ScalarZero(a.Graph(), dtypes.Float32))
				case 3:
					y = MulScalar(ReduceSum(full(), 0, 1), 1.0/300)
				case 4:
					y = ReduceMax(full(), 2)
				case 5:
					y = MulScalar(ReduceSum(full(), 2), 1.0/24)
				case 6:
					y = Sub(full(), pick3(pool, r))
				case 7:
					y = Reshape(Reshape(Max(full(), full()), 300, 24), 6, 50, 24)
				}
				pool = append(pool, y)
			}
			return pool[len(pool)-8:]
		}
		sameAsInner(t, fmt.Sprint("groups ", seed), []shapes.Shape{f32(6, 50, 24), f32(24), f32(6, 50)}, build)
	}
}

// planOf is the plan of a program of the go engine.
func planOf(t *testing.T, p *Program) *goPlan {
	t.Helper()
	plan, ok := p.g.Executable().(*goPlan)
	if !ok {
		t.Fatal("no plan")
	}
	return plan
}

// TestGoChains checks random graphs around batched matrix products against the inner back end.
func TestGoChains(t *testing.T) {
	const batch, rows, width = 16, 10, 24
	found := 0
	for seed := range uint64(40) {
		build := func(in []*Node) []*Node {
			r := rand.New(rand.NewPCG(seed, 5))
			pool := slices.Clone(in[:2])
			pick := func() *Node { return pool[r.IntN(len(pool))] }
			for range 12 {
				x, y := pick(), pick()
				var z *Node
				switch r.IntN(7) {
				case 0, 1: // scores, softmax, mean of values
					e := DotGeneral(x, []int{2}, []int{0}, y, []int{2}, []int{0})
					switch r.IntN(3) {
					case 0:
						e = Tanh(e)
					case 1:
						e = Add(e, Reshape(in[3], 1, 1, rows)) // read as a whole
					default:
						e = Where(GreaterThan(e, ScalarZero(e.Graph(), dtypes.Float32)), Tanh(e), ScalarZero(e.Graph(), dtypes.Float32))
					}
					e = Exp(Sub(e, ReduceAndKeep(e, ReduceMax, -1)))
					z = DotGeneral(Div(e, ReduceAndKeep(e, ReduceSum, -1)), []int{2}, []int{0}, pick(), []int{1}, []int{0})
				case 2:
					z = MulScalar(DotGeneral(DotGeneral(x, []int{1}, []int{0}, y, []int{1}, []int{0}), []int{2}, []int{0}, pick(), []int{2}, []int{0}), 1.0/rows/width)
					z = Transpose(z, 1, 2)
				case 3:
					z = Tanh(Mul(x, y))
				case 4:
					z = Add(x, ExpandLeftToRank(in[2], 3))
				case 5: // over the batch: no slice knows it
					z = Sub(x, Reshape(MulScalar(ReduceSum(y, 0, 1), 1.0/batch/rows), 1, 1, width))
				case 6:
					z = Mul(Tanh(x), MulScalar(ReduceAndKeep(y, ReduceSum, -1), 1.0/width))
				}
				pool = append(pool, z)
			}
			return pool[len(pool)-4:]
		}
		ins := []shapes.Shape{f32(batch, rows, width), f32(batch, rows, width), f32(width), f32(rows)}
		sameAsInner(t, fmt.Sprint("chain ", seed), ins, build)
		own, _ := openGoBoth(t, 2)
		p, err := own.Compile("chain", func(g *Graph) []*Node {
			var in []*Node
			for i, s := range ins {
				in = append(in, Parameter(g, fmt.Sprint("x", i), s))
			}
			return build(in)
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range planOf(t, p).units {
			if u.group == nil && len(u.nodes) > 1 {
				found++
			}
		}
		p.Finalize()
	}
	if found < 40 {
		t.Errorf("only %d chains in 40 graphs", found)
	}
}

// TestGoHalves checks a step of two convolutions whose values lie in memory as bfloat16 against one whose values are float32.
func TestGoHalves(t *testing.T) {
	e, err := Open(Config{Kind: Go, Precision: BF16, Threads: 2})
	if err != nil {
		t.Skip(err)
	}
	defer e.Close()
	half := func(x *Node) *Node { return ConvertDType(x, dtypes.BFloat16) }
	full := func(x *Node) *Node { return ConvertDType(x, dtypes.Float32) }
	pad := [][2]int{{1, 1}, {1, 1}}
	defer func(n int) { fewHalves = n }(fewHalves)
	var got [2][][]float32
	var size [2]int
	for i, n := range []int{fewHalves, math.MaxInt} {
		fewHalves = n
		p, err := e.Compile("halves", func(g *Graph) []*Node {
			x := Parameter(g, "x", f32(4, 16, 16, 16))
			w1, w2 := Parameter(g, "w1", f32(3, 3, 16, 16)), Parameter(g, "w2", f32(3, 3, 16, 48))
			zero := ScalarZero(g, dtypes.Float32)
			a := full(ConvGeneral(half(x), half(w1), ConvAxes, []int{1, 1}, pad, nil, nil, 1, 1))
			b := Max(Sub(a, Reshape(MulScalar(ReduceSum(a, 0, 1, 2), 1.0/1024), 1, 1, 1, 16)), zero)
			c := full(ConvGeneral(half(b), half(w2), ConvAxes, []int{1, 1}, pad, nil, nil, 1, 1))
			v := Tanh(c)
			turned := Transpose(Reverse(w2, 0, 1), 2, 3)
			db := full(ConvGeneral(half(v), half(turned), ConvAxes, []int{1, 1}, pad, []int{1, 1}, nil, 1, 1))
			dw2 := full(ConvGeneral(half(b), half(v), KernelAxes, []int{1, 1}, pad, nil, []int{1, 1}, 1, 1))
			da := Where(GreaterThan(b, zero), db, zero)
			dw1 := full(ConvGeneral(half(x), half(MulScalar(da, 0.1)), KernelAxes, []int{1, 1}, pad, nil, []int{1, 1}, 1, 1))
			return []*Node{dw1, dw2, ReduceSum(da, 0, 1, 2), ReduceSum(Mul(da, a), 0, 1, 2)}
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range planOf(t, p).values {
			if v.half {
				size[i]++
			}
		}
		r := rand.New(rand.NewPCG(3, 3))
		if got[i], err = p.Floats(draw(r, 4*16*16*16), draw(r, 9*16*16), draw(r, 9*16*48)); err != nil {
			t.Fatal(err)
		}
		p.Finalize()
	}
	if size[0] < 4 || size[1] != 0 {
		t.Errorf("%d and %d values are kept in bfloat16", size[0], size[1])
	}
	for o := range got[1] {
		var norm, diff float64
		for j, w := range got[1][o] {
			norm += float64(w) * float64(w)
			diff += (float64(got[0][o][j]) - float64(w)) * (float64(got[0][o][j]) - float64(w))
		}
		if d := math.Sqrt(diff / norm); !(d < 0.01) {
			t.Errorf("output %d differs by %g of its norm", o, d)
		}
	}
}

// pick3 is a value of the full shape.
func pick3(pool []*Node, r *rand.Rand) *Node {
	for {
		if x := pool[r.IntN(len(pool))]; x.Rank() == 3 {
			return x
		}
	}
}

// TestGoThreads checks that results do not depend on the number of threads.
func TestGoThreads(t *testing.T) {
	var want [][]float32
	for _, threads := range []int{1, 2, 3} {
		e, _ := openGoBoth(t, threads)
		p, err := e.Compile("threads", func(g *Graph) []*Node {
			x := Parameter(g, "x", f32(40, 16, 16, 24))
			w := Parameter(g, "w", f32(3, 3, 24, 24))
			y := ConvGeneral(x, w, ConvAxes, []int{1, 1}, [][2]int{{1, 1}, {1, 1}}, nil, nil, 1, 1)
			dw := ConvGeneral(x, y, KernelAxes, []int{1, 1}, [][2]int{{1, 1}, {1, 1}}, nil, []int{1, 1}, 1, 1)
			return []*Node{ReduceSum(y, 0, 1, 2), dw, ReduceSum(Square(y)), DotGeneral(Reshape(y, -1, 24), []int{0}, nil, Reshape(x, -1, 24), []int{0}, nil)}
		})
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(1, 1))
		got, err := p.Floats(draw(r, 40*16*16*24), draw(r, 9*24*24))
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = got
		}
		for i := range got {
			if !slices.Equal(got[i], want[i]) {
				t.Fatalf("output %d differs with %d threads", i, threads)
			}
		}
	}
}

// TestGoFallbackIsVisible takes an operation that is not recorded.
func TestGoFallbackIsVisible(t *testing.T) {
	own, _ := openGoBoth(t, 1)
	for _, c := range []struct {
		name  string
		build func(x *Node) *Node
		left  bool
	}{
		{"recorded", func(x *Node) *Node { return MulScalar(x, 2) }, false},
		{"bitcast", func(x *Node) *Node { return MulScalar(ConvertDType(Bitcast(x, dtypes.Int32), dtypes.Float32), 2) }, true},
	} {
		p, err := own.Compile(c.name, func(g *Graph) []*Node { return []*Node{c.build(Parameter(g, "x", f32(3)))} })
		if err != nil {
			t.Fatal(err)
		}
		defer p.Finalize()
		if (p.Fallback() != "") != c.left {
			t.Errorf("%s: fallback %q", c.name, p.Fallback())
		}
		if _, err := p.Floats([]float32{1, 2, 3}); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if f := own.Fallbacks(); len(f) != 1 || !strings.HasPrefix(f[0], "bitcast: ConvertDType") {
		t.Errorf("fallbacks %q", f)
	}
}
