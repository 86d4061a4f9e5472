package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/domain/image"
	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/internal/rng"
	"github.com/selfsame-ml/selfsame/internal/term"
	"github.com/selfsame-ml/selfsame/nn"
	"github.com/selfsame-ml/selfsame/nn/gradcheck"
	_ "github.com/selfsame-ml/selfsame/nn/gradcheck/cases" // registers the layers' cases
	"github.com/selfsame-ml/selfsame/objective"
	"github.com/selfsame-ml/selfsame/optim"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/train"
)

// timed is how long each measurement of `engine check` lasts after its warm-up.
const timed = 600 * time.Millisecond

// checked is what `engine check` found.
type checked struct {
	listed
	OK        bool          `json:"ok"`
	Gradients gradients     `json:"gradients"`
	Speed     []measurement `json:"speed"`
	Other     *measurement  `json:"other,omitempty"` // the SimCLR step on the engine that auto did not take
	RSS       float64       `json:"memory_mib"`      // of the process, at the end
	Peak      float64       `json:"peak_mib"`
	Seconds   float64       `json:"seconds"`
}

type gradients struct {
	Layers   int                 `json:"layers"`
	Right    int                 `json:"right"`
	Cases    int                 `json:"cases"`
	Seconds  float64             `json:"seconds"`
	BF16     int                 `json:"bf16_cases,omitempty"` // compared with fp32
	Failures []gradcheck.Failure `json:"failures"`
}

type measurement struct {
	Name      string  `json:"name"`
	What      string  `json:"what"`
	Precision string  `json:"precision"`
	Rate      float64 `json:"rate"` // units a second
	Unit      string  `json:"unit"`
	Compile   float64 `json:"compile_s"`
	Runs      int     `json:"runs"`
}

func engineCheck(a *app) *cobra.Command {
	cfg := engine.Config{}
	quick := false
	c := &cobra.Command{
		Use:   "check",
		Short: "Check an engine in ten seconds: gradients, speed, memory",
		Long: `check loads the engine that --engine names ("auto": the one that a run would take)
and compares the gradients of every layer with finite differences and its values with
plain Go, in small, under the XLA flags in use. Then it times a matrix product, a
convolution with its gradients and a SimCLR step, and says how long compiling
took and how much memory the process has. Where "auto" takes xla, the SimCLR step
is timed on the go engine too, and the faster one is named. It ends with exit
code 1 where a layer is wrong or the engine cannot be loaded.`,
		Example: "  selfsame engine check\n  selfsame engine check --engine xla --plugin ./pjrt_c_api_cuda_plugin.so",
		Args:    args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			start := time.Now()
			if err := a.beforeLoading(cmd, cfg); err != nil {
				return err
			}
			e, err := engine.Open(cfg)
			if err != nil {
				return err
			}
			defer e.Close()
			r := checked{listed: listed{Info: e.Describe(), Devices: devices(e), SIMD: e.Kind() == engine.Go && buildOf().SIMD}}
			r.Auto = cfg.Kind == engine.Auto || cfg.Kind == ""
			if err := r.gradients(e, quick); err != nil {
				return fmt.Errorf("engine: %s: %w", e, err)
			}
			if !quick {
				if err := r.speed(e); err != nil {
					return fmt.Errorf("engine: %s: %w", e, err)
				}
			}
			r.RSS, r.Peak = memory()
			if r.Auto && e.Kind() == engine.XLA && !quick {
				if err := r.other(cfg); err != nil {
					return err
				}
			}
			r.OK, r.Seconds = len(r.Gradients.Failures) == 0, time.Since(start).Seconds()
			if err := a.result(r, r.write); err != nil {
				return err
			}
			if !r.OK {
				f := r.Gradients.Failures[0]
				return &hinted{fmt.Errorf("engine: %s: %d of %d layers are wrong, %s first", e, r.Gradients.Layers-r.Gradients.Right, r.Gradients.Layers, f.Layer),
					[]string{"do not train on this engine; unset XLA_FLAGS where it is yours, or take --engine go"}}
			}
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&cfg.Kind, "engine", engine.Auto, "auto, go or xla")
	f.StringVar(&cfg.Plugin, "plugin", "", "`path` of a PJRT plugin")
	f.StringVar(&cfg.Precision, "precision", engine.Auto, "auto, fp32 or bf16")
	f.BoolVar(&quick, "quick", false, "one case a layer, no speed")
	completeValues(c, "engine", engineKinds)
	completeValues(c, "precision", []string{engine.Auto, engine.FP32, engine.BF16})
	return c
}

// beforeLoading loads the plugin in another process first, so that one that crashes does not take this one along.
func (a *app) beforeLoading(cmd *cobra.Command, cfg engine.Config) error {
	if cfg.Kind == engine.Go || !slices.Contains([]string{"", engine.Auto, engine.XLA}, cfg.Kind) || os.Getenv("GOMLX_FUSION") == "0" {
		return nil
	}
	l := listed{}
	if cfg.Plugin != "" {
		if err := engine.CheckPlugin(cfg.Plugin); err != nil {
			return err
		}
		l.Plugin = cfg.Plugin
	} else {
		for _, i := range engine.List() {
			if i.Kind == engine.XLA && i.Available {
				l.Plugin = i.Plugin
				break
			}
			if i.From == engine.PluginEnv {
				return nil // Open says what is wrong with it
			}
		}
	}
	if l.Plugin == "" {
		return nil
	}
	plugin := l.Plugin
	if err := a.probe(cmd.Context(), &l); err != nil {
		return fmt.Errorf("%w: xla: plugin %s: %w", engine.ErrUnavailable, plugin, err)
	}
	return nil
}

// gradients checks a few cases of every layer.
func (r *checked) gradients(e *engine.Engine, quick bool) error {
	start := time.Now()
	var cases []gradcheck.Case
	few := quick || e.Kind() == engine.XLA // which compiles for most of the time: one case a layer fits into ten seconds
	seen := map[string]int{}
	for _, c := range gradcheck.Sample(gradcheck.Registered(), 2) {
		// A method of Scope declares parameters and calls the layer of the same name: once is enough.
		if seen[c.Layer]++; seen[c.Layer] == 1 || !few && !strings.HasPrefix(c.Layer, "Scope.") {
			cases = append(cases, c)
		}
	}
	// Compiling takes most of the time: several graphs at once.
	var half [2][]gradcheck.Failure
	var group errgroup.Group
	for i := range half {
		part := cases[i*len(cases)/len(half) : (i+1)*len(cases)/len(half)]
		group.Go(func() (err error) {
			half[i], err = gradcheck.Check(e, e.Mode(), part)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	failures := slices.Concat(half[:]...)
	if e.Precision() == engine.BF16 {
		var products []gradcheck.Case
		for _, c := range gradcheck.Registered() {
			if slices.Contains([]string{"Conv2D/k1s1", "Conv2D/k3s1p1", "Linear/rank 3 with bias"}, c.String()) {
				products = append(products, c)
			}
		}
		f, err := gradcheck.CheckBF16(e, e.Mode(), products)
		if err != nil {
			return err
		}
		failures, r.Gradients.BF16 = append(failures, f...), len(products)
	}
	layers, wrong := map[string]bool{}, map[string]bool{}
	for _, c := range cases {
		layers[c.Layer] = true
	}
	for _, f := range failures {
		wrong[f.Layer] = true
	}
	g := &r.Gradients
	g.Layers, g.Right, g.Cases, g.Failures = len(layers), len(layers)-len(wrong), len(cases), append([]gradcheck.Failure{}, failures...)
	g.Seconds = time.Since(start).Seconds()
	return nil
}

func (r *checked) speed(e *engine.Engine) error {
	modes := []engine.Mode{e.Mode().FP32()}
	if e.Precision() == engine.BF16 {
		modes = append(modes, e.Mode())
	}
	const n = 1024
	for _, m := range modes {
		err := r.measure(e, "matmul", "1024 x 1024 x 1024", m, 2*n*n*n, [][]int{{n, n}, {n, n}}, func(in []*graph.Node) []*graph.Node {
			y := nn.MatMul(in[0], in[1])
			return []*graph.Node{graph.Slice(y, graph.AxisElem(0), graph.AxisElem(0)), y}
		})
		if err != nil {
			return err
		}
	}
	x, w := []int{32, 16, 16, 64}, []int{3, 3, 64, 64}
	err := r.measure(e, "convolution", "with its gradients, 3 x 3, 64 channels", e.Mode(), 3*2*32*16*16*64*64*9, [][]int{x, w, x}, func(in []*graph.Node) []*graph.Node {
		y := nn.Conv2D(in[0], in[1], nil, nn.ConvOptions{Pad: nn.PadSquare(1)})
		loss := graph.ReduceAllSum(graph.Mul(y, in[2]))
		return append([]*graph.Node{loss}, graph.Gradient(loss, in[0], in[1])...)
	})
	if err != nil {
		return err
	}
	return r.step(e)
}

// measure times a graph of N(0, 1) inputs of the dimensions given; its first output is one number.
func (r *checked) measure(e *engine.Engine, name, what string, mode engine.Mode, flop float64, dims [][]int, f func(in []*graph.Node) []*graph.Node) error {
	p, err := e.CompileMode(name, mode, func(g *graph.Graph) []*graph.Node {
		var in []*graph.Node
		for i, d := range dims {
			in = append(in, graph.Parameter(g, "x"+strconv.Itoa(i), shapes.Make(dtypes.Float32, d...)))
		}
		return f(in)
	})
	if err != nil {
		return err
	}
	defer p.Finalize()
	var in []compute.Buffer
	defer func() { engine.FreeAll(in) }()
	for i, d := range dims {
		v := make([]float32, shapes.Make(dtypes.Float32, d...).Size())
		normal(v, uint64(i))
		b, err := engine.Upload(e, v, d...)
		if err != nil {
			return err
		}
		in = append(in, b)
	}
	rate, runs, err := repeat(func() error {
		out, err := p.Exec(in)
		if err != nil {
			return err
		}
		defer engine.FreeAll(out)
		var first [1]float32
		if err := engine.Download(out[0], first[:]); err != nil { // waits for the end
			return err
		}
		if math.IsNaN(float64(first[0])) || math.IsInf(float64(first[0]), 0) {
			return fmt.Errorf("%s gives %g", name, first[0])
		}
		return nil
	})
	r.Speed = append(r.Speed, measurement{name, what, precisionOf(mode), rate * flop / 1e9, "GFLOP/s", p.Took().Seconds(), runs})
	return err
}

// step times a whole SimCLR step: 32 images of 32 x 32, two views each, a ResNet of one block in each of two stages.
func (r *checked) step(e *engine.Engine) error {
	const images = 32
	enc, err := image.NewEncoder(recipe.Encoder{Kind: "resnet", Width: 32, Depth: 1, Stages: 2}, domain.Field{DType: domain.F32, Dims: []int{32, 32, 3}})
	if err != nil {
		return err
	}
	start := time.Now()
	s, err := train.New(e, train.Config{Name: "check", Batch: 2 * images, Optim: optim.Defaults(optim.SGD), Ring: 1,
		Fields: []domain.Field{{Name: "views", DType: domain.F32, Dims: []int{32, 32, 3}}}},
		func(sc *nn.Scope, in map[string]*graph.Node) train.Out {
			z := sc.Linear("project", enc.Encode(sc.In("encoder"), in["views"]).Pooled, 64, true)
			return train.Out{Loss: objective.NTXent(z, 2, 0.5)}
		})
	if err != nil {
		return err
	}
	defer s.Close()
	compile := time.Since(start).Seconds()
	slot := s.Slots()[0]
	normal(slot.Arrays[0].F32, 7)
	rate, runs, err := repeat(func() error {
		_, err := s.Run(slot, train.Rates{LR: 0.01})
		return err
	})
	r.Speed = append(r.Speed, measurement{"SimCLR step", "32 images of 32 x 32", e.Precision(), rate * images, "images/s", compile, runs})
	return err
}

// other times the SimCLR step on the go engine.
func (r *checked) other(cfg engine.Config) error {
	cfg.Kind, cfg.Plugin = engine.Go, ""
	g, err := engine.Open(cfg)
	if err != nil { // a precision that it has not
		r.Other = &measurement{Name: "SimCLR step", What: err.Error()}
		return nil //nolint:nilerr // told in the result
	}
	defer g.Close()
	o := checked{}
	if err := o.step(g); err != nil {
		return fmt.Errorf("engine: %s: %w", g, err)
	}
	r.Other = &o.Speed[0]
	return nil
}

func normal(v []float32, key uint64) {
	g := rng.New(1, rng.Views, key)
	for i := range v {
		v[i] = float32(g.NormFloat64())
	}
}

func precisionOf(m engine.Mode) string {
	if m.BF16 {
		return engine.BF16
	}
	return engine.FP32
}

// repeat runs f twice to warm up, then for the time of a measurement, and returns runs a second.
func repeat(f func() error) (rate float64, runs int, err error) {
	for range 2 {
		if err := f(); err != nil {
			return 0, 0, err
		}
	}
	start := time.Now()
	for time.Since(start) < timed {
		if err := f(); err != nil {
			return 0, runs, err
		}
		runs++
	}
	return float64(runs) / time.Since(start).Seconds(), runs, nil
}

// memory is the resident memory of this process and its peak, in MiB. Where the system does not tell, it is what the
// Go run time has.
func memory() (rss, peak float64) {
	b, err := os.ReadFile("/proc/self/status")
	if errors.Is(err, os.ErrNotExist) {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.Sys) / (1 << 20), float64(m.Sys) / (1 << 20)
	}
	for _, line := range strings.Split(string(b), "\n") {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		kb, _ := strconv.ParseFloat(f[1], 64)
		switch f[0] {
		case "VmRSS:":
			rss = kb / 1024
		case "VmHWM:":
			peak = kb / 1024
		}
	}
	return rss, peak
}

// write shows the result to people.
func (r *checked) write(w io.Writer) error {
	t := &term.Table{}
	t.Row("engine", r.Kind)
	r.rows(t)
	g := r.Gradients
	text := fmt.Sprintf("%d of %d layers right (%d cases, %.1f s)", g.Right, g.Layers, g.Cases, g.Seconds)
	if g.BF16 > 0 {
		text += fmt.Sprintf("; %d products in bf16 against fp32", g.BF16)
	}
	t.Row("gradients", text)
	for _, f := range g.Failures {
		t.Row("  wrong", fmt.Sprintf("%s/%s %v: %s", f.Layer, f.Case, f.Dims, f.Text))
	}
	for _, m := range r.Speed {
		t.Row(m.Name, fmt.Sprintf("%.3g %s in %s (%s; compiled in %.1f s)", m.Rate, m.Unit, m.Precision, m.What, m.Compile))
	}
	if o := r.Other; o != nil && o.Rate == 0 {
		t.Row("same on go", o.What)
	} else if o != nil {
		own, more := r.Speed[len(r.Speed)-1].Rate, ""
		if o.Rate > own*1.1 {
			more = fmt.Sprintf("; %.1f times as fast here: --set engine.kind=go", o.Rate/own)
		}
		t.Row("same on go", fmt.Sprintf("%.3g %s in %s (compiled in %.1f s%s)", o.Rate, o.Unit, o.Precision, o.Compile, more))
	}
	t.Row("memory", fmt.Sprintf("%.0f MiB, at most %.0f MiB", r.RSS, r.Peak))
	t.Row("took", fmt.Sprintf("%.1f s", r.Seconds))
	return t.Write(w)
}
