package engine_test

import (
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/engine/enginetest"
)

func TestCompileAndRun(t *testing.T) {
	enginetest.Each(t, func(t *testing.T, e *engine.Engine) {
		p, err := e.Compile("axpb", func(g *Graph) []*Node {
			if m := engine.ModeOf(g); m.Engine != e.Kind() {
				t.Errorf("mode %+v on engine %s", m, e.Kind())
			}
			x := Parameter(g, "x", shapes.Make(dtypes.Float32, 3))
			b := Parameter(g, "b", shapes.Make(dtypes.Float32))
			return []*Node{Add(MulScalar(x, 2), b), ReduceAllSum(x)}
		})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Finalize()
		got, err := p.Floats([]float32{1, 2, 3}, []float32{10})
		if err != nil {
			t.Fatal(err)
		}
		if want := []float32{12, 14, 16}; got[0][0] != want[0] || got[0][1] != want[1] || got[0][2] != want[2] || got[1][0] != 6 {
			t.Errorf("got %v", got)
		}
		if _, err := p.Floats([]float32{1, 2, 3}); err == nil || !strings.Contains(err.Error(), "takes 2 inputs") {
			t.Errorf("missing input: %v", err)
		}
	})
}

func TestGraphPanicBecomesError(t *testing.T) {
	enginetest.Each(t, func(t *testing.T, e *engine.Engine) {
		_, err := e.Compile("bad", func(g *Graph) []*Node {
			x := Parameter(g, "x", shapes.Make(dtypes.Float32, 3))
			y := Parameter(g, "y", shapes.Make(dtypes.Float32, 4))
			return []*Node{Add(x, y)}
		})
		if err == nil || !strings.Contains(err.Error(), "compile bad") {
			t.Errorf("got %v", err)
		}
	})
}

func TestSharedBuffer(t *testing.T) {
	enginetest.Each(t, func(t *testing.T, e *engine.Engine) {
		p, err := e.Compile("sum", func(g *Graph) []*Node {
			return []*Node{ReduceAllSum(ConvertDType(Parameter(g, "x", shapes.Make(dtypes.Uint8, 4)), dtypes.Float32))}
		})
		if err != nil {
			t.Fatal(err)
		}
		b, flat, ok := engine.Shared[uint8](e, 4)
		if !ok {
			t.Fatal("no shared buffer on a CPU")
		}
		for round := range 3 { // written again between runs: the device must see it
			for i := range flat {
				flat[i] = uint8(round + i)
			}
			out, err := p.Floats(b)
			if err != nil {
				t.Fatal(err)
			}
			if want := float32(6 + 4*round); out[0][0] != want {
				t.Errorf("round %d: got %v want %v", round, out[0][0], want)
			}
		}
	})
}

func TestOpenRejects(t *testing.T) {
	for _, c := range []struct {
		cfg  engine.Config
		want string
	}{
		{engine.Config{Kind: "tpu"}, "not auto, go or xla"},
		{engine.Config{Precision: "fp8"}, "not auto, fp32 or bf16"},
		{engine.Config{Kind: engine.Go, Precision: engine.BF16}, "fp32 only"},
		{engine.Config{Threads: -1}, "negative"},
		{engine.Config{Kind: engine.XLA, Plugin: "no/such/plugin.so"}, "not available"},
	} {
		if _, err := engine.Open(c.cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.cfg, err, c.want)
		}
	}
}
