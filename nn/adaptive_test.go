package nn_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/engine/enginetest"
	"github.com/selfsame-ml/selfsame/nn"
)

// valueAndGradient compiles y = f(x) of a float32 x and the gradient of sum(weight*y).
func valueAndGradient(t *testing.T, e *engine.Engine, x, weight []float32, dims []int, f func(x *graph.Node) *graph.Node) (y, dx []float32) {
	t.Helper()
	p, err := e.Compile(t.Name(), func(g *graph.Graph) []*graph.Node {
		in := graph.Parameter(g, "x", shapes.Make(dtypes.Float32, dims...))
		y := f(in)
		w := graph.Parameter(g, "w", y.Shape())
		return []*graph.Node{y, graph.Gradient(graph.ReduceAllSum(graph.Mul(y, w)), in)[0]}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Finalize()
	out, err := p.Floats(x, weight)
	if err != nil {
		t.Fatal(err)
	}
	return out[0], out[1]
}

// Equal maxima: finite differences say nothing there. The first of a window, row by row, gets the whole adjoint, and a
// cell that wins in several windows the sum, as in PyTorch.
func TestMaxPoolTies(t *testing.T) {
	x := []float32{
		1, 3, 3,
		3, 0, 3,
		2, 3, 1,
	}
	enginetest.Each(t, func(t *testing.T, e *engine.Engine) {
		for _, c := range []struct {
			name   string
			f      func(x *graph.Node) *graph.Node
			weight []float32
			want   []float32
		}{
			// windows of 2x2 at stride 1: winners (0,1), (0,1), (1,0), (1,2)
			{"max 2s1", func(x *graph.Node) *graph.Node {
				return nn.MaxPool(x, nn.PoolOptions{Kernel: nn.Square(2), Stride: nn.Square(1)})
			}, []float32{1, 10, 100, 1000}, []float32{0, 11, 0, 100, 0, 1000, 0, 0, 0}},
			// 3 cells to 2 bins: cells 0-1 and 1-2, the same windows
			{"adaptive 2x2", func(x *graph.Node) *graph.Node { return nn.AdaptiveMaxPool(x, 2, 2) }, []float32{1, 10, 100, 1000}, []float32{0, 11, 0, 100, 0, 1000, 0, 0, 0}},
			{"adaptive 1x1", func(x *graph.Node) *graph.Node { return nn.AdaptiveMaxPool(x, 1, 1) }, []float32{5}, []float32{0, 5, 0, 0, 0, 0, 0, 0, 0}},
		} {
			if _, dx := valueAndGradient(t, e, x, c.weight, []int{1, 3, 3, 1}, c.f); !slices.Equal(dx, c.want) {
				t.Errorf("%s: gradient %v, want %v", c.name, dx, c.want)
			}
		}
	})
}

func TestAdaptivePoolRefuses(t *testing.T) {
	e := enginetest.Engines(t)[0]
	for name, f := range map[string]func(x *graph.Node) *graph.Node{
		"max to 0 rows":      func(x *graph.Node) *graph.Node { return nn.AdaptiveMaxPool(x, 0, 1) },
		"mean to 0 columns":  func(x *graph.Node) *graph.Node { return nn.AdaptiveMeanPool(x, 1, 0) },
		"1-D max of rank 4":  func(x *graph.Node) *graph.Node { return nn.AdaptiveMaxPool1D(x, 2) },
		"1-D mean of rank 4": func(x *graph.Node) *graph.Node { return nn.AdaptiveMeanPool1D(x, 2) },
	} {
		_, err := e.Compile("refuse", func(g *graph.Graph) []*graph.Node {
			return []*graph.Node{f(graph.Parameter(g, "x", shapes.Make(dtypes.Float32, 1, 3, 3, 1)))}
		})
		if err == nil || fmt.Sprint(err) == "" {
			t.Errorf("%s: no error", name)
		}
	}
}
