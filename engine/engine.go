// Package engine is the only room that knows which back end computes: `go`, the
// embedded pure-Go one, or `xla`, a PJRT plugin (CPU, CUDA).
//
// Most users need [Open] and [Engine.Compile]; stages hold a [Program] and run it.
// Graph functions panic by design of GoMLX; this package is the one place that
// turns these panics into errors.
package engine

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/gobackend"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/klauspost/cpuid/v2"

	"github.com/selfsame-ml/selfsame/internal/gokernel"
)

// The kinds of engine.
const (
	Auto = "auto"
	Go   = "go"
	XLA  = "xla"
)

// The precisions of the arithmetic inside convolutions, matrix products and attention.
// Weights, statistics and losses are float32 in every one of them.
const (
	FP32 = "fp32"
	BF16 = "bf16"
)

// ErrUnavailable says that an engine cannot be had on this machine; the text says why.
var ErrUnavailable = errors.New("engine: not available")

var errFusion = errors.New("engine: GOMLX_FUSION=0 is set; the layers' adjoints need it unset")

// Config chooses an engine.
type Config struct {
	Kind      string `json:"kind" yaml:"kind"`           // "auto", "go" or "xla"; "" is auto
	Plugin    string `json:"plugin" yaml:"plugin"`       // path of a PJRT plugin; "" searches (see Plugins)
	Precision string `json:"precision" yaml:"precision"` // "auto", "fp32" or "bf16"; "" is auto: bf16 where the processor multiplies it fast (AVX512-BF16; for the go engine AMD's only), else fp32
	Threads   int    `json:"threads" yaml:"threads"`     // 0: all cores
}

// Mode is what a layer may branch on while it builds its graph.
type Mode struct {
	Engine string // "go" or "xla"
	BF16   bool   // compute products in bfloat16
	CUDA   bool   // the xla engine runs on a CUDA device
}

// Engine is one open back end. It is safe for concurrent use.
type Engine struct {
	kind    string
	plugin  string
	mode    Mode
	flags   string
	ownFlag bool   // the flags for the CPU are the user's
	asked   string // precision of the configuration
	why     string // why auto did not take xla
	threads int
	backend compute.Backend

	mu          sync.Mutex
	compileTime time.Duration
	compiled    int
	fallbacks   []string
}

// Open opens the engine that cfg asks for. "auto" takes xla where this program was built
// with cgo and a plugin is found, else go. Nothing is ever downloaded here.
func Open(cfg Config) (*Engine, error) {
	if cfg.Threads < 0 {
		return nil, fmt.Errorf("engine: threads %d is negative", cfg.Threads)
	}
	switch cfg.Precision {
	case "", Auto, FP32, BF16:
	default:
		return nil, fmt.Errorf("engine: precision %q is not auto, fp32 or bf16", cfg.Precision)
	}
	if os.Getenv("GOMLX_FUSION") == "0" { // it would silently replace every adjoint of package nn by a carrier op
		return nil, errFusion
	}
	switch cfg.Kind {
	case Go:
		return openGo(cfg)
	case XLA:
		return openXLA(cfg)
	case "", Auto:
		e, err := openXLA(cfg)
		if errors.Is(err, ErrUnavailable) {
			if cfg.Plugin != "" || os.Getenv(PluginEnv) != "" { // named by the user: not to be passed over in silence
				return nil, err
			}
			g, goErr := openGo(cfg)
			if goErr == nil {
				g.why = strings.TrimPrefix(err.Error(), ErrUnavailable.Error()+": ")
			}
			return g, goErr
		}
		return e, err
	}
	return nil, fmt.Errorf("engine: kind %q is not auto, go or xla", cfg.Kind)
}

func openGo(cfg Config) (*Engine, error) {
	threads := cfg.Threads
	if threads == 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	// ops_sequential: with concurrent operations the pool deadlocks when as many
	// large matmuls as it has workers become ready at once.
	b, err := gobackend.New("ops_sequential")
	if err != nil {
		return nil, fmt.Errorf("engine: go back end: %w", err)
	}
	limitWorkers(b, threads)
	precision, why := goPrecision(cfg.Precision)
	if precision == "" {
		return nil, fmt.Errorf("engine: go: %s", why)
	}
	return &Engine{kind: Go, backend: &goBackend{Backend: b, threads: threads}, mode: Mode{Engine: Go, BF16: precision == BF16}, threads: threads, asked: cfg.Precision}, nil
}

// limitWorkers bounds the workers of the inner back end. Its configuration has an option for that which also prints a line to the standard
// output.
func limitWorkers(b compute.Backend, threads int) {
	v := reflect.Indirect(reflect.ValueOf(b))
	if v.Kind() != reflect.Struct {
		return
	}
	if f := v.FieldByName("Workers"); f.IsValid() && f.CanInterface() {
		if w, ok := f.Interface().(interface{ SetMaxParallelism(n int) }); ok {
			w.SetMaxParallelism(threads)
		}
	}
}

// goPrecision decides between fp32 and bf16 for the go engine and says why; "" where bf16 was asked for in vain. "auto" takes bf16 on AMD's processors: Zen 4
// and later multiply it at twice the rate of fp32. Intel's VDPBF16PS (Cooper Lake to Emerald Rapids; their AMX is not used here) starts on one port where fp32
// starts on two: the same rate, and rounding comes on top (0.7 of the speed was measured).
func goPrecision(asked string) (precision, why string) {
	precision, why = choosePrecision(false, asked)
	if precision == BF16 && !gokernel.HasBF16() {
		if asked == BF16 {
			return "", "bf16 was asked for, which needs a processor that multiplies bfloat16 (AVX512-BF16); this one computes in fp32 only"
		}
		return FP32, "this processor does not multiply bfloat16 (no AVX512-BF16)"
	}
	if precision == BF16 && asked != BF16 && cpuid.CPU.VendorID != cpuid.AMD {
		return FP32, "this processor multiplies bfloat16 no faster than fp32 (AVX512-BF16 of " + cpuid.CPU.VendorString + ")"
	}
	return precision, why
}

// Kind is "go" or "xla".
func (e *Engine) Kind() string { return e.kind }

// Plugin is the path of the PJRT plugin in use, or "".
func (e *Engine) Plugin() string { return e.plugin }

// Flags are the XLA flags in use, or "".
func (e *Engine) Flags() string { return e.flags }

// Why says why "auto" took the go engine; "" where xla runs or go was asked for.
func (e *Engine) Why() string { return e.why }

// Device describes device i in the words of its back end.
func (e *Engine) Device(i int) string { return e.backend.DeviceDescription(compute.DeviceNum(i)) }

// Mode is what layers branch on.
func (e *Engine) Mode() Mode { return e.mode }

// Threads is the number of threads that the engine may use.
func (e *Engine) Threads() int { return e.threads }

// Precision is "fp32" or "bf16".
func (e *Engine) Precision() string {
	if e.mode.BF16 {
		return BF16
	}
	return FP32
}

// Backend is the GoMLX back end, for graph-level tests.
func (e *Engine) Backend() compute.Backend { return e.backend }

// Devices is the number of devices that the back end reports; one is used.
func (e *Engine) Devices() int { return e.backend.NumDevices() }

// String names the engine for people: "go", "go (bf16)", "xla (cpu, fp32)".
func (e *Engine) String() string {
	if e.kind == Go {
		if e.mode.BF16 {
			return Go + " (bf16)"
		}
		return Go
	}
	device := "cpu"
	if e.mode.CUDA {
		device = "cuda"
	}
	return fmt.Sprintf("%s (%s, %s)", e.kind, device, e.Precision())
}

// CompileTime is the time spent in Compile so far, and the number of graphs.
func (e *Engine) CompileTime() (time.Duration, int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.compileTime, e.compiled
}

// Close releases the back end. Programs of it must not be used afterwards.
func (e *Engine) Close() {
	if e.kind == Go { // the process keeps one XLA client: see openXLA
		e.backend.Finalize()
	}
}

type modeKey struct{}

// ModeOf returns the mode of the engine for which g is built.
func ModeOf(g *graph.Graph) Mode {
	if m, ok := g.State(modeKey{}).(Mode); ok {
		return m
	}
	return Mode{Engine: Go}
}

// Program is a compiled graph.
type Program struct {
	e      *Engine
	g      *graph.Graph
	name   string
	names  []string
	shapes []shapes.Shape
	outs   []shapes.Shape
	donate []bool
	took   time.Duration

	fallback string
}

// Compile builds a graph and compiles it. The parameters of the program are the
// graph.Parameter nodes in the order of their creation.
func (e *Engine) Compile(name string, build func(g *graph.Graph) []*graph.Node) (p *Program, err error) {
	return e.CompileMode(name, e.mode, build)
}

// FP32 is the engine's mode with float32 products, for measurements.
func (m Mode) FP32() Mode {
	m.BF16 = false
	return m
}

// CompileMode compiles with another mode than the engine's own, for instance fp32 for evaluation.
func (e *Engine) CompileMode(name string, mode Mode, build func(g *graph.Graph) []*graph.Node) (p *Program, err error) {
	start := time.Now()
	g := graph.NewGraph(e.backend, name)
	g.AttachState(modeKey{}, mode)
	err = try(func() error {
		outs := build(g)
		for _, o := range outs {
			if o == nil {
				return errors.New("an output is nil")
			}
		}
		if err := g.Compile(outs...); err != nil {
			return err
		}
		p = &Program{e: e, g: g, name: name}
		for _, o := range outs {
			p.outs = append(p.outs, o.Shape())
		}
		for i := range g.NumParameters() {
			n := g.GetParameterByHandle(graph.ParameterHandle(i))
			p.names = append(p.names, n.GetParameterName())
			p.shapes = append(p.shapes, n.Shape())
		}
		p.donate = make([]bool, len(p.shapes))
		if f, ok := g.Executable().(*goFallback); ok {
			p.fallback = f.why
		}
		return nil
	})
	if err != nil {
		g.Finalize()
		return nil, fmt.Errorf("engine: compile %s: %w", name, err)
	}
	p.took = time.Since(start)
	e.mu.Lock()
	e.compileTime += p.took
	e.compiled++
	if p.fallback != "" {
		e.fallbacks = append(e.fallbacks, name+": "+p.fallback)
	}
	e.mu.Unlock()
	return p, nil
}

// try runs f and turns a panic of graph building or of a back end into an error. The go back end
// panics with errors of the Go run time too (an index out of range in its executor).
func try(f func() error) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case error:
			err = r
		default:
			err = fmt.Errorf("%v", r)
		}
	}()
	return f()
}

// Names are the parameters' names in order.
func (p *Program) Names() []string { return p.names }

// Took is the time that building and compiling took.
func (p *Program) Took() time.Duration { return p.took }

// Fallback says why the go engine leaves this program to the slow portable back end; "" where it runs on its own kernels, and
// on every other engine.
func (p *Program) Fallback() string { return p.fallback }

// Fallbacks are the programs compiled so far that [Program.Fallback] is about, each as "name: why".
func (e *Engine) Fallbacks() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.fallbacks)
}

// Outputs is the number of outputs.
func (p *Program) Outputs() int { return len(p.outs) }

// Finalize frees the program's memory.
func (p *Program) Finalize() { p.g.Finalize() }

// Exec runs the program on device buffers. The inputs stay valid: nothing is donated, so a
// failed run loses nothing. The caller finalises the outputs.
func (p *Program) Exec(in []compute.Buffer) (out []compute.Buffer, err error) {
	if len(in) != len(p.shapes) {
		return nil, fmt.Errorf("engine: %s takes %d inputs, %d given", p.name, len(p.shapes), len(in))
	}
	err = try(func() error {
		out, err = p.g.Executable().Execute(in, p.donate, 0)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("engine: run %s: %w", p.name, err)
	}
	return out, nil
}

// Run uploads flat Go slices (or takes *tensors.Tensor or compute.Buffer), runs the program and
// returns tensors on the host side. It is the convenient form; hot loops use Exec.
func (p *Program) Run(inputs ...any) ([]*tensors.Tensor, error) {
	if len(inputs) != len(p.shapes) {
		return nil, fmt.Errorf("engine: %s takes %d inputs %v, %d given", p.name, len(p.shapes), p.names, len(inputs))
	}
	bufs := make([]compute.Buffer, len(inputs))
	var own []compute.Buffer
	defer func() {
		for _, b := range own {
			_ = b.Finalize()
		}
	}()
	for i, in := range inputs {
		switch v := in.(type) {
		case compute.Buffer:
			bufs[i] = v
		case *tensors.Tensor:
			b, err := v.Buffer(p.e.backend, 0)
			if err != nil {
				return nil, fmt.Errorf("engine: %s input %q: %w", p.name, p.names[i], err)
			}
			bufs[i] = b
		default:
			b, err := p.e.backend.BufferFromFlatData(0, v, p.shapes[i])
			if err != nil {
				return nil, fmt.Errorf("engine: %s input %q: %w", p.name, p.names[i], err)
			}
			bufs[i] = b
			own = append(own, b)
		}
	}
	outs, err := p.Exec(bufs)
	if err != nil {
		return nil, err
	}
	ts := make([]*tensors.Tensor, len(outs))
	for i, o := range outs {
		if ts[i], err = tensors.FromBuffer(o); err != nil {
			return nil, fmt.Errorf("engine: %s output %d: %w", p.name, i, err)
		}
	}
	return ts, nil
}

// Floats runs the program like Run and copies every output to a flat []float32.
func (p *Program) Floats(inputs ...any) ([][]float32, error) {
	ts, err := p.Run(inputs...)
	if err != nil {
		return nil, err
	}
	out := make([][]float32, len(ts))
	for i, t := range ts {
		if out[i], err = tensors.CopyFlatData[float32](t); err != nil {
			return nil, fmt.Errorf("engine: %s output %d: %w", p.name, i, err)
		}
		if err := t.FinalizeAll(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Upload copies a flat slice to a device buffer of the dimensions given.
func Upload[T float32 | uint8 | uint16 | int32](e *Engine, flat []T, dims ...int) (compute.Buffer, error) {
	b, err := e.backend.BufferFromFlatData(0, flat, shapes.Make(dtypes.FromGenericsType[T](), dims...))
	if err != nil {
		return nil, fmt.Errorf("engine: upload %v: %w", dims, err)
	}
	return b, nil
}

// Shared returns a buffer that the device reads and the host writes without a copy; ok is
// false where the back end has none (then use Upload).
func Shared[T float32 | uint8 | uint16 | int32](e *Engine, dims ...int) (b compute.Buffer, flat []T, ok bool) {
	if !e.backend.HasSharedBuffers() {
		return nil, nil, false
	}
	b, data, err := e.backend.NewSharedBuffer(0, shapes.Make(dtypes.FromGenericsType[T](), dims...))
	if err != nil {
		return nil, nil, false
	}
	flat, ok = data.([]T)
	return b, flat, ok
}

// Download copies a device buffer to dst, which must have its size.
func Download[T float32 | uint8 | int32](b compute.Buffer, dst []T) error {
	if err := b.ToFlatData(dst); err != nil {
		return fmt.Errorf("engine: download: %w", err)
	}
	return nil
}

// FreeAll finalises buffers at once, nil ones skipped: waiting for the garbage collector would let
// device memory grow, since Go does not see it.
func FreeAll(bufs []compute.Buffer) {
	for _, b := range bufs {
		if b != nil {
			_ = b.Finalize()
		}
	}
}

// cause shortens a GoMLX error, whose first cause stands at the end of a long text.
func cause(err error) string {
	s := strings.TrimSpace(err.Error())
	if len(s) > 300 {
		s = s[:300] + "..."
	}
	return s
}
