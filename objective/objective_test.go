package objective

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/engine/enginetest"
	"github.com/selfsame-ml/selfsame/internal/rng"
)

// in is one input of a loss under test.
type in struct {
	dims    []int
	ints    []int32 // set: an int32 input that keeps this value
	stopped bool    // no gradient may reach it
}

// check is what every loss passes on every engine: at several random points the value equals a slow
// float64 reference, and the gradient equals the central differences of that reference in every
// element (differences of the float32 graph itself would drown in rounding).
type check struct {
	in    []in
	scale float64 // of the random inputs; 0 is 1
	loss  func(x []*graph.Node) *graph.Node
	want  func(x [][]float64) float64 // x: the float inputs, flat; ints are nil
	tol   float64                     // relative; 0 is 2e-5
}

// at evaluates a compiled check: the loss and the gradient of each float input.
type at func(t testing.TB, x [][]float32) (loss float64, grads [][]float32)

// compile builds the loss and its gradients as one program.
func (c check) compile(t testing.TB, e *engine.Engine) at {
	t.Helper()
	p, err := e.Compile(t.Name(), func(g *graph.Graph) []*graph.Node {
		var nodes, float []*graph.Node
		for i, x := range c.in {
			dt := dtypes.Float32
			if x.ints != nil {
				dt = dtypes.Int32
			}
			n := graph.Parameter(g, string(rune('a'+i)), shapes.Make(dt, x.dims...))
			nodes = append(nodes, n)
			if x.ints == nil {
				float = append(float, n)
			}
		}
		l := c.loss(nodes)
		return append([]*graph.Node{l}, graph.Gradient(l, float...)...)
	})
	if err != nil {
		t.Fatal(err)
	}
	return func(t testing.TB, x [][]float32) (float64, [][]float32) {
		args := make([]any, len(c.in))
		for i := range c.in {
			if args[i] = x[i]; c.in[i].ints != nil {
				args[i] = c.in[i].ints
			}
		}
		out, err := p.Floats(args...)
		if err != nil {
			t.Fatal(err)
		}
		return float64(out[0][0]), out[1:]
	}
}

// draw returns random inputs.
func (c check) draw(r *rand.Rand) [][]float32 {
	scale := c.scale
	if scale == 0 {
		scale = 1
	}
	out := make([][]float32, len(c.in))
	for i, x := range c.in {
		if x.ints == nil {
			out[i] = make([]float32, size(x.dims))
			for j := range out[i] {
				out[i][j] = float32(scale * r.NormFloat64())
			}
		}
	}
	return out
}

// run does the check on every engine and then hands the compiled loss to more, if any.
func (c check) run(t *testing.T, more ...func(t *testing.T, f at)) {
	t.Helper()
	enginetest.Each(t, func(t *testing.T, e *engine.Engine) {
		f := c.compile(t, e)
		r := probe(1)
		for range 3 {
			x := c.draw(r)
			got, grads := f(t, x)
			c.compare(t, x, got, grads)
		}
		for _, m := range more {
			m(t, f)
		}
	})
}

func (c check) compare(t *testing.T, x [][]float32, got float64, grads [][]float32) {
	t.Helper()
	tol := c.tol
	if tol == 0 {
		tol = 2e-5
	}
	xs := make([][]float64, len(x))
	for i := range x {
		for _, v := range x[i] {
			xs[i] = append(xs[i], float64(v))
		}
	}
	want := c.want(xs)
	near(t, "loss", got, want, tol*max(1, math.Abs(want)))
	k := 0
	for i, s := range c.in {
		if s.ints != nil {
			continue
		}
		g := grads[k]
		k++
		fd := make([]float64, len(xs[i]))
		if !s.stopped {
			for j, v := range xs[i] {
				h := 1e-5 * max(1, math.Abs(v))
				xs[i][j] = v + h
				up := c.want(xs)
				xs[i][j] = v - h
				fd[j] = (up - c.want(xs)) / (2 * h)
				xs[i][j] = v
			}
		}
		var top float64
		for _, v := range fd {
			top = max(top, math.Abs(v))
		}
		for j := range fd {
			if math.IsNaN(float64(g[j])) || math.Abs(float64(g[j])-fd[j]) > 10*tol*max(top, 1e-2) {
				t.Errorf("gradient of input %d at %d: %g, finite difference %g (greatest %g)", i, j, g[j], fd[j], top)
				break
			}
		}
	}
}

// closed evaluates loss once on the inputs x, on every engine, for closed forms.
func closed(t *testing.T, name string, want, tol float64, loss func(x []*graph.Node) *graph.Node, x ...any) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		enginetest.Each(t, func(t *testing.T, e *engine.Engine) {
			near(t, name, float64(eval(t, e, func(x []*graph.Node) []*graph.Node { return []*graph.Node{loss(x)} }, x...)[0][0]), want, tol)
		})
	})
}

// literal is an input written out.
type literal struct {
	dims []int
	f    []float32
	i    []int32
}

func rows(x ...[]float32) literal {
	return literal{dims: []int{len(x), len(x[0])}, f: slices.Concat(x...)}
}
func ints(x ...int32) literal { return literal{dims: []int{len(x)}, i: x} }

// eval builds and runs a graph on literal inputs.
func eval(t *testing.T, e *engine.Engine, f func(x []*graph.Node) []*graph.Node, x ...any) [][]float32 {
	t.Helper()
	var args []any
	p, err := e.Compile(t.Name(), func(g *graph.Graph) []*graph.Node {
		var nodes []*graph.Node
		for i, v := range x {
			m := v.(literal)
			dt, arg := dtypes.Float32, any(m.f)
			if m.i != nil {
				dt, arg = dtypes.Int32, any(m.i)
			}
			args = append(args, arg)
			nodes = append(nodes, graph.Parameter(g, string(rune('a'+i)), shapes.Make(dt, m.dims...)))
		}
		return f(nodes)
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.Floats(args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// refuses asserts that the graph function panics with the text.
func refuses(t *testing.T, f func(x []*graph.Node) *graph.Node, dims ...[]int) {
	t.Helper()
	_, err := enginetest.Engines(t)[0].Compile("bad", func(g *graph.Graph) []*graph.Node {
		var nodes []*graph.Node
		for i, d := range dims {
			nodes = append(nodes, graph.Parameter(g, string(rune('a'+i)), shapes.Make(dtypes.Float32, d...)))
		}
		return []*graph.Node{f(nodes)}
	})
	if err == nil {
		t.Errorf("shapes %v were accepted", dims)
	}
}

func probe(n uint64) *rand.Rand { return rng.New(n, rng.Probe) }

func near(t testing.TB, what string, got, want, tol float64) {
	t.Helper()
	if math.IsNaN(got) || math.Abs(got-want) > tol {
		t.Errorf("%s: %.8g, want %.8g within %.2g", what, got, want, tol)
	}
}

func size(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}

// unflat cuts a flat matrix into rows of dim.
func unflat(x []float64, dim int) [][]float64 {
	var out [][]float64
	for ; len(x) > 0; x = x[dim:] {
		out = append(out, x[:dim])
	}
	return out
}

func dot(a, b []float64) (s float64) {
	for i := range a {
		s += a[i] * b[i]
	}
	return s
}

func cosine(a, b []float64) float64 { return dot(a, b) / math.Sqrt(dot(a, a)*dot(b, b)) }

func lse(x []float64) float64 {
	top := slices.Max(x)
	var s float64
	for _, v := range x {
		s += math.Exp(v - top)
	}
	return top + math.Log(s)
}

// permuted reorders the samples of a view-major matrix by perm and its views by order.
func permuted(x []float32, dim int, perm, order []int) []float32 {
	n := len(perm)
	out := make([]float32, len(x))
	for v, w := range order {
		for i, j := range perm {
			copy(out[(v*n+i)*dim:(v*n+i+1)*dim], x[(w*n+j)*dim:])
		}
	}
	return out
}

// symmetric asserts that a loss of one view-major input does not depend on the order of samples and views.
func symmetric(c check, batch, views int) func(t *testing.T, f at) {
	return func(t *testing.T, f at) {
		r := probe(2)
		dim := c.in[0].dims[1]
		for range 5 {
			x := c.draw(r)
			want, _ := f(t, x)
			perm, order := r.Perm(batch), r.Perm(views)
			for i := range x {
				if x[i] != nil && c.in[i].dims[0] == batch*views {
					x[i] = permuted(x[i], dim, perm, order)
				}
			}
			got, _ := f(t, x)
			near(t, "permuted", got, want, 1e-5*max(1, math.Abs(want)))
		}
	}
}

// scaleFree asserts that the length of the rows of every input does not matter.
func scaleFree(c check) func(t *testing.T, f at) {
	return func(t *testing.T, f at) {
		r := probe(3)
		x := c.draw(r)
		want, _ := f(t, x)
		for i := range x {
			for j := range x[i] {
				x[i][j] *= float32(1 + j/c.in[i].dims[1]) // a factor a row
			}
		}
		got, _ := f(t, x)
		near(t, "rows scaled", got, want, 1e-5*max(1, math.Abs(want)))
	}
}

func TestNormalizeZeroRow(t *testing.T) {
	enginetest.Each(t, func(t *testing.T, e *engine.Engine) {
		out := eval(t, e, func(x []*graph.Node) []*graph.Node {
			u := Normalize(x[0])
			return []*graph.Node{u, graph.Gradient(graph.ReduceAllSum(graph.Slice(u, graph.AxisRange(), graph.AxisRange(0, 1))), x[0])[0]}
		}, rows([]float32{0, 0}, []float32{3, 4}, []float32{2, 0}, []float32{0, 1e-18}))
		want := [][]float64{{0, 0, .6, .8, 1, 0, 0, 0}, {0, 0, (1 - .36) / 5, -.48 / 5, 0, 0, 0, 0}}
		for k := range want {
			for i, w := range want[k] {
				near(t, "normalised", float64(out[k][i]), w, 1e-6)
			}
		}
	})
}
