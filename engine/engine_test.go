package engine_test

import (
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/gomlx/compute/dtypes/bfloat16"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/engine/enginetest"
	"golang.org/x/sys/cpu"
	"slices"
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

// TestGoBF16 checks that the go engine multiplies bfloat16 where the processor does, and elsewhere says why not.
func TestGoBF16(t *testing.T) {
	e, err := engine.Open(engine.Config{Kind: engine.Go, Precision: engine.BF16})
	if !cpu.X86.HasAVX512BF16 || !cpu.X86.HasAVX512BW {
		if err == nil || !strings.Contains(err.Error(), "AVX512-BF16") {
			t.Fatalf("bf16 opens without the instruction: %v", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	p, err := e.Compile("half", func(g *Graph) []*Node {
		x, y := Parameter(g, "x", shapes.Make(dtypes.Float32, 2, 3)), Parameter(g, "y", shapes.Make(dtypes.Float32, 3, 2))
		a, b := ConvertDType(x, dtypes.BFloat16), ConvertDType(y, dtypes.BFloat16)
		product := ConvertDType(Dot(a, b).Product(), dtypes.Float32)
		return []*Node{product, Add(a, Const(g, bfloat16.FromFloat32(1)))}
	})
	if err != nil {
		t.Fatal(err)
	}
	if why := p.Fallback(); why != "" {
		t.Fatal(why)
	}
	out, err := p.Run([]float32{1.001, 2, 3, 4, 5, 6}, []float32{1, 0, 0, 1, 1, 1})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := tensors.CopyFlatData[float32](out[0]); err != nil || !slices.Equal(got, []float32{4, 5, 10, 11}) { // 1.001 is rounded to 1
		t.Errorf("product %v, %v", got, err)
	}
	half, err := tensors.CopyFlatData[bfloat16.BFloat16](out[1])
	if err != nil || half[1].Float32() != 3 || half[5].Float32() != 7 {
		t.Errorf("sum %v, %v", half, err)
	}
}

func TestOpenRejects(t *testing.T) {
	for _, c := range []struct {
		cfg  engine.Config
		want string
	}{
		{engine.Config{Kind: "tpu"}, "not auto, go or xla"},
		{engine.Config{Precision: "fp8"}, "not auto, fp32 or bf16"},
		{engine.Config{Threads: -1}, "negative"},
		{engine.Config{Kind: engine.XLA, Plugin: "no/such/plugin.so"}, "not available"},
	} {
		if _, err := engine.Open(c.cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.cfg, err, c.want)
		}
	}
}
