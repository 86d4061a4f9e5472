package nn_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/engine/enginetest"
	"github.com/selfsame-ml/selfsame/nn"
)

// benchmarked is a compiled program with its inputs on the device.
type benchmarked struct {
	p  *engine.Program
	in []compute.Buffer
}

// prepare compiles f with the parameters of a net and one gradient each, and uploads zero-mean inputs.
func prepare(b *testing.B, e *engine.Engine, mode engine.Mode, dims []int, f func(s *nn.Scope, x *graph.Node) *graph.Node) benchmarked {
	b.Helper()
	var decls []nn.Decl
	p, err := e.CompileMode(b.Name(), mode, func(g *graph.Graph) []*graph.Node {
		x := graph.Parameter(g, "x", shapes.Make(dtypes.Float32, dims...))
		net := nn.NewNet(g, true, nil)
		loss := f(net.Scope(), x)
		decls = net.Decls()
		wrt := []*graph.Node{}
		for _, d := range decls {
			if d.Role != nn.Statistic {
				wrt = append(wrt, net.Node(d.Name))
			}
		}
		if b.Name() != "" && strings.Contains(b.Name(), "Layer") { // one layer alone: the adjoint of its input counts
			wrt = append(wrt, x)
		}
		return append([]*graph.Node{loss}, graph.Gradient(loss, wrt...)...)
	})
	if err != nil {
		b.Fatal(err)
	}
	out := benchmarked{p: p}
	put := func(v []float32, dims ...int) {
		buf, err := engine.Upload(e, v, dims...)
		if err != nil {
			b.Fatal(err)
		}
		out.in = append(out.in, buf)
	}
	put(nn.Decl{Name: "x", Dims: dims, Init: nn.Init{Kind: nn.Normal, Scale: 1}}.Start(1), dims...)
	byName := map[string]nn.Decl{}
	for _, d := range decls {
		byName[d.Name] = d
	}
	for _, name := range p.Names()[1:] {
		d := byName[name]
		put(d.Start(1), d.Dims...)
	}
	return out
}

func (r benchmarked) step(b *testing.B) {
	b.Helper()
	out, err := r.p.Exec(r.in)
	if err != nil {
		b.Fatal(err)
	}
	var loss [1]float32
	if err := engine.Download(out[0], loss[:]); err != nil { // waits for the step
		b.Fatal(err)
	}
	engine.FreeAll(out)
}

// cpuTime is the processor time that the process has used so far; nil where it is not known.
var cpuTime func() time.Duration

// run times steps and reports units per second, those of the best step, and units per second of processor time.
func (r benchmarked) run(b *testing.B, units int, name string) {
	b.Helper()
	for range 2 { // warm up
		r.step(b)
	}
	b.ResetTimer()
	best := time.Duration(0)
	var used time.Duration
	if cpuTime != nil {
		used = cpuTime()
	}
	for b.Loop() {
		start := time.Now()
		r.step(b)
		if d := time.Since(start); best == 0 || d < best {
			best = d
		}
	}
	b.ReportMetric(float64(units)*float64(b.N)/b.Elapsed().Seconds(), name)
	b.ReportMetric(float64(units)/best.Seconds(), "best-"+name)
	if cpuTime != nil {
		b.ReportMetric(float64(units)*float64(b.N)/(cpuTime()-used).Seconds(), "cpu-"+name)
	}
	b.ReportMetric(r.p.Took().Seconds(), "compile-s")
	engine.FreeAll(r.in)
	r.p.Finalize()
}

// simCLR is the encoder, projector and NT-Xent loss of a two-view batch x [2n, 32, 32, 3]: rows i and i+n are one image.
func simCLR(blocks int) func(s *nn.Scope, x *graph.Node) *graph.Node {
	pad := nn.ConvOptions{Pad: nn.PadSquare(1)}
	return func(s *nn.Scope, x *graph.Node) *graph.Node {
		h := s.BatchNormReLU("bn", s.Conv2D("stem", x, 32, nn.Square(3), false, pad), nil)
		for stage, width := range []int{32, 64, 128} {
			if stage > 0 {
				h = nn.MeanPool(h, nn.PoolOptions{Kernel: nn.Square(2)})
			}
			for i := range blocks {
				p := s.In("s%d.%d", stage, i)
				short := h
				if h.Shape().Dim(-1) != width {
					short = p.BatchNorm("bns", p.Conv2D("short", h, width, nn.Square(1), false, nn.ConvOptions{}))
				}
				y := p.BatchNormReLU("bn1", p.Conv2D("conv1", h, width, nn.Square(3), false, pad), nil)
				h = p.BatchNormReLU("bn2", p.Conv2D("conv2", y, width, nn.Square(3), false, pad), short)
			}
		}
		z := s.Linear("p2", nn.ReLU(s.Linear("p1", nn.GlobalMeanPool(h), 128, true)), 64, true)
		z = graph.L2Normalize(z, -1)
		n := z.Shape().Dim(0)
		g := z.Graph()
		sim := graph.MulScalar(nn.MatMul(z, graph.Transpose(z, 0, 1)), 2)
		shape := shapes.Make(dtypes.Int32, n, n)
		sim = graph.Where(graph.Equal(graph.Iota(g, shape, 0), graph.Iota(g, shape, 1)), graph.FillScalar(g, sim.Shape(), -1e9), sim)
		i := graph.Iota(g, shapes.Make(dtypes.Int32, n), 0)
		return nn.CrossEntropy(sim, graph.Mod(graph.AddScalar(i, float64(n/2)), graph.Scalar(g, dtypes.Int32, n)), nil)
	}
}

// precisions are the modes that an engine has.
func precisions(e *engine.Engine) map[string]engine.Mode {
	m := e.Mode()
	out := map[string]engine.Mode{"fp32": m}
	if e.Kind() == engine.XLA {
		m.BF16 = true
		out["bf16"] = m
	}
	return out
}

func each(b *testing.B, f func(b *testing.B, e *engine.Engine, mode engine.Mode)) {
	for _, e := range enginetest.Engines(b) {
		for name, mode := range precisions(e) {
			b.Run(e.Kind()+"/"+name, func(b *testing.B) { f(b, e, mode) })
		}
	}
}

// BenchmarkSimCLR is forward and backward of a SimCLR step with one block a stage (98 MFLOP a view), without optimiser; an image is two
// views. SIMCLR_BATCH sets the number of images.
func BenchmarkSimCLR(b *testing.B) {
	batch := 32
	if v := os.Getenv("SIMCLR_BATCH"); v != "" {
		if _, err := fmt.Sscan(v, &batch); err != nil {
			b.Fatal(err)
		}
	}
	each(b, func(b *testing.B, e *engine.Engine, mode engine.Mode) {
		prepare(b, e, mode, []int{2 * batch, 32, 32, 3}, simCLR(1)).run(b, batch, "images/s")
	})
}

func BenchmarkLayerConv(b *testing.B) {
	each(b, func(b *testing.B, e *engine.Engine, mode engine.Mode) {
		prepare(b, e, mode, []int{32, 16, 16, 64}, func(s *nn.Scope, x *graph.Node) *graph.Node {
			return graph.ReduceAllSum(graph.Square(s.Conv2D("c", x, 64, nn.Square(3), false, nn.ConvOptions{Pad: nn.PadSquare(1)})))
		}).run(b, 32, "images/s")
	})
}

func BenchmarkLayerBatchNormReLU(b *testing.B) {
	each(b, func(b *testing.B, e *engine.Engine, mode engine.Mode) {
		prepare(b, e, mode, []int{32, 16, 16, 64}, func(s *nn.Scope, x *graph.Node) *graph.Node {
			return graph.ReduceAllSum(graph.Square(s.BatchNormReLU("n", x, nil)))
		}).run(b, 32, "images/s")
	})
}

func BenchmarkLayerAttention(b *testing.B) {
	each(b, func(b *testing.B, e *engine.Engine, mode engine.Mode) {
		prepare(b, e, mode, []int{4, 128, 128}, func(s *nn.Scope, x *graph.Node) *graph.Node {
			return graph.ReduceAllSum(graph.Square(s.Attention("a", x, 4, nn.AttentionOptions{})))
		}).run(b, 4*128, "tokens/s")
	})
}
