package nn_test

import (
	"math"
	"runtime"
	"strings"
	"testing"
	"weak"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/engine/enginetest"
	"github.com/selfsame-ml/selfsame/nn"
)

func vector(g *graph.Graph, name string, n int) *graph.Node {
	return graph.Parameter(g, name, shapes.Make(dtypes.Float32, n))
}

// product is a*b with adjoints that are recognisably not those of autodiff: 10*v*b and nil or 100*v*a.
func product(a, b *graph.Node, both bool) *graph.Node {
	return nn.CustomVJP([]*graph.Node{a, b},
		func() *graph.Node { return graph.Mul(a, b) },
		func(y, v *graph.Node) []*graph.Node {
			if !y.Shape().Equal(v.Shape()) {
				panic("adjoint of another shape")
			}
			out := []*graph.Node{graph.MulScalar(graph.Mul(v, b), 10), nil}
			if both {
				out[1] = graph.MulScalar(graph.Mul(v, a), 100)
			}
			return out
		})
}

func TestCustomVJPReplacesTheAdjoint(t *testing.T) {
	enginetest.Each(t, func(t *testing.T, e *engine.Engine) {
		p, err := e.Compile("vjp", func(g *graph.Graph) []*graph.Node {
			a, b := vector(g, "a", 2), vector(g, "b", 2)
			y := product(a, b, true)
			z := product(a, b, false)
			concatenated := graph.Concatenate([]*graph.Node{y, a}, 0) // an ordinary one keeps its own adjoint
			outs := graph.Gradient(graph.ReduceAllSum(concatenated), a, b)
			outs = append(outs, graph.Gradient(graph.ReduceAllSum(z), a, b)...)
			// The same nodes twice: the first gradient must not use anything up.
			return append(outs, graph.Gradient(graph.ReduceAllSum(graph.MulScalar(y, 2)), a, b)...)
		})
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.Floats([]float32{1, 2}, []float32{3, 5})
		if err != nil {
			t.Fatal(err)
		}
		want := [][]float32{{31, 51}, {100, 200}, {30, 50}, {0, 0}, {60, 100}, {200, 400}}
		for i := range want {
			for j := range want[i] {
				if got[i][j] != want[i][j] {
					t.Errorf("output %d is %v, want %v", i, got[i], want[i])
					break
				}
			}
		}
	})
}

func TestCustomVJPRefuses(t *testing.T) {
	e := enginetest.Engines(t)[0]
	compile := func(f func(a, b *graph.Node) *graph.Node) error {
		_, err := e.Compile("refuse", func(g *graph.Graph) []*graph.Node {
			a, b := vector(g, "a", 2), vector(g, "b", 2)
			return graph.Gradient(graph.ReduceAllSum(f(a, b)), a, b)
		})
		return err
	}
	bad := func(adjoints func(v *graph.Node) []*graph.Node) func(a, b *graph.Node) *graph.Node {
		return func(a, b *graph.Node) *graph.Node {
			return nn.CustomVJP([]*graph.Node{a, b}, func() *graph.Node { return graph.Mul(a, b) },
				func(_, v *graph.Node) []*graph.Node { return adjoints(v) })
		}
	}
	for name, c := range map[string]struct {
		f    func(a, b *graph.Node) *graph.Node
		want string
	}{
		"one adjoint for two inputs": {bad(func(v *graph.Node) []*graph.Node { return []*graph.Node{v} }), "1 adjoints for 2 inputs"},
		"another shape":              {bad(func(v *graph.Node) []*graph.Node { return []*graph.Node{graph.Reshape(v, 2, 1), v} }), "adjoint 0 has shape"},
		"two types": {func(a, b *graph.Node) *graph.Node {
			return nn.CustomVJP([]*graph.Node{a, graph.ConvertDType(b, dtypes.Int32)}, func() *graph.Node { return graph.Mul(a, b) }, nil)
		}, "inputs of types"},
		"no input": {func(_, b *graph.Node) *graph.Node { return nn.CustomVJP(nil, func() *graph.Node { return b }, nil) }, "at least one input"},
	} {
		if err := compile(c.f); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
	t.Setenv(graph.FusionEnv, "0") // the carrier would be returned in place of the result
	if err := compile(func(a, b *graph.Node) *graph.Node { return product(a, b, true) }); err == nil || !strings.Contains(err.Error(), "fusion") {
		t.Errorf("with fusion off: error %v, want a refusal", err)
	}
}

func TestGraphsAreNotPinned(t *testing.T) {
	e := enginetest.Engines(t)[0]
	var graphs []weak.Pointer[graph.Graph]
	for _, differentiate := range []bool{false, true} {
		p, err := e.Compile("pin", func(g *graph.Graph) []*graph.Node {
			graphs = append(graphs, weak.Make(g))
			a, b := vector(g, "a", 2), vector(g, "b", 2)
			y := graph.ReduceAllSum(product(a, b, true))
			if differentiate {
				return graph.Gradient(y, a)
			}
			return []*graph.Node{y}
		})
		if err != nil {
			t.Fatal(err)
		}
		p.Finalize()
	}
	runtime.GC()
	runtime.GC()
	for i, w := range graphs {
		if w.Value() != nil {
			t.Errorf("graph %d is still reachable after its program was dropped", i)
		}
	}
}

func TestBatchNormRunningStatistics(t *testing.T) {
	x := []float32{1, 2, 3, 6, 8, 4}
	mean, variance := []float64{4, 4}, []float64{26. / 3, 8. / 3} // of 1, 3, 8 and 2, 6, 4
	enginetest.Each(t, func(t *testing.T, e *engine.Engine) {
		var names []string
		p, err := e.Compile("running", func(g *graph.Graph) []*graph.Node {
			in := graph.Parameter(g, "x", shapes.Make(dtypes.Float32, 3, 2))
			net := nn.NewNet(g, true, nil)
			net.Scope().BatchNorm("n", in)
			for _, d := range net.Decls() {
				names = append(names, d.Name)
			}
			return []*graph.Node{net.Update("n/running_mean"), net.Update("n/running_var")}
		})
		if err != nil {
			t.Fatal(err)
		}
		if want := "n/weight n/bias n/running_mean n/running_var"; strings.Join(names, " ") != want {
			t.Fatalf("parameters %v, want %s", names, want)
		}
		got, err := p.Floats(x, []float32{1, 1}, []float32{0, 0}, []float32{10, -3}, []float32{2, 4})
		if err != nil {
			t.Fatal(err)
		}
		for c := range 2 {
			m := 0.9*[]float64{10, -3}[c] + 0.1*mean[c]
			v := 0.9*[]float64{2, 4}[c] + 0.1*variance[c]*3/2 // unbiased
			if math.Abs(float64(got[0][c])-m) > 1e-5 || math.Abs(float64(got[1][c])-v) > 1e-5 {
				t.Errorf("channel %d: running statistics %v, %v, want %v, %v", c, got[0][c], got[1][c], m, v)
			}
		}
	})
}
