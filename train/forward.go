package train

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/nn"
)

// ForwardFunc builds what is computed from a batch without training.
type ForwardFunc func(s *nn.Scope, in map[string]*graph.Node) []*graph.Node

// Forward is a compiled graph in inference mode: norm layers use their running statistics.
type Forward struct {
	e      *engine.Engine
	p      *engine.Program
	fields []domain.Field
	rows   int
	decls  []nn.Decl
	names  []string
	bound  map[string]compute.Buffer
	owned  []compute.Buffer
	slots  [2]*Slot // the second one is made when it is needed: while a batch is computed the next one is filled
	in     []compute.Buffer
	out    [][]float32
	widths []int
}

// NewForward compiles fn for batches of rows samples in the engine's precision.
func NewForward(e *engine.Engine, name string, fields []domain.Field, rows int, fn ForwardFunc) (*Forward, error) {
	return NewForwardMode(e, name, e.Mode(), fields, rows, fn)
}

// NewForwardMode is NewForward in a mode of its own; measurements are made in float32.
func NewForwardMode(e *engine.Engine, name string, mode engine.Mode, fields []domain.Field, rows int, fn ForwardFunc) (*Forward, error) {
	f := &Forward{e: e, fields: fields, rows: rows, bound: map[string]compute.Buffer{}}
	var err error
	f.p, err = e.CompileMode(name, mode, func(g *graph.Graph) []*graph.Node {
		net := nn.NewNet(g, false, nil)
		in := map[string]*graph.Node{}
		for _, fl := range fields {
			in[fl.Name] = graph.Parameter(g, "batch/"+fl.Name, shapes.Make(dtype(fl.DType), append([]int{rows}, fl.Dims...)...))
		}
		outs := fn(net.Scope(), in)
		for _, o := range outs {
			if o.Rank() < 1 || o.Shape().Dimensions[0] != rows {
				panic(fmt.Errorf("train: forward output %s does not start with the batch axis %d", o.Shape(), rows))
			}
			f.widths = append(f.widths, o.Shape().Size()/rows)
			f.out = append(f.out, make([]float32, o.Shape().Size()))
		}
		f.decls = net.Decls()
		return outs
	})
	if err != nil {
		return nil, err
	}
	f.names = f.p.Names()
	f.in = make([]compute.Buffer, len(f.names))
	if f.slots[0], err = newSlot(e, fields, rows); err != nil {
		f.p.Finalize()
		return nil, err
	}
	return f, nil
}

// Decls lists the parameters that the graph reads.
func (f *Forward) Decls() []nn.Decl { return f.decls }

// Start returns the seeded start values of all weights: the untrained network.
func (f *Forward) Start(seed uint64) map[string]Value {
	out := map[string]Value{}
	for _, d := range f.decls {
		out[d.Name] = Value{Dims: d.Dims, Data: d.Start(seed)}
	}
	return out
}

// Rows is the batch size.
func (f *Forward) Rows() int { return f.rows }

// Widths are the elements per sample of every output.
func (f *Forward) Widths() []int { return f.widths }

// Slot is the host memory of the batch.
func (f *Forward) Slot() *Slot { return f.slots[0] }

// BindStep makes the forward graph read the current weights of a step; the parameter "X" here is
// "X" there. It must be called again after the step has run.
func (f *Forward) BindStep(s *Step) error {
	for _, d := range f.decls {
		b, ok := s.state[d.Name]
		if !ok {
			return fmt.Errorf("train: the step has no parameter %q", d.Name)
		}
		f.bound[d.Name] = b
	}
	return nil
}

// Bind uploads weights by name. A missing or wrongly shaped one is an error that names all of them.
func (f *Forward) Bind(weights map[string]Value) error {
	engine.FreeAll(f.owned)
	f.owned = f.owned[:0]
	var bad []string
	for _, d := range f.decls {
		v, ok := weights[d.Name]
		switch {
		case !ok:
			bad = append(bad, d.Name+" (missing)")
		case !slices.Equal(v.Dims, d.Dims):
			bad = append(bad, fmt.Sprintf("%s (%v, want %v)", d.Name, v.Dims, d.Dims))
		}
	}
	if bad != nil {
		return fmt.Errorf("train: weights do not fit the network: %s", strings.Join(bad, ", "))
	}
	for _, d := range f.decls {
		b, err := engine.Upload(f.e, weights[d.Name].Data, d.Dims...)
		if err != nil {
			return err
		}
		f.owned = append(f.owned, b)
		f.bound[d.Name] = b
	}
	return nil
}

// Run computes the batch in Slot. The slices returned, one an output as [rows, width], are
// overwritten by the next Run.
func (f *Forward) Run() ([][]float32, error) { return f.run(f.slots[0]) }

func (f *Forward) run(slot *Slot) ([][]float32, error) {
	if err := slot.upload(f.e, f.fields, f.rows); err != nil {
		return nil, err
	}
	for i, name := range f.names {
		if rest, ok := strings.CutPrefix(name, "batch/"); ok {
			f.in[i] = slot.bufs[slices.IndexFunc(f.fields, func(fl domain.Field) bool { return fl.Name == rest })]
			continue
		}
		if f.in[i] = f.bound[name]; f.in[i] == nil {
			return nil, fmt.Errorf("train: parameter %q is not bound", name)
		}
	}
	outs, err := f.p.Exec(f.in)
	if err != nil {
		return nil, err
	}
	defer engine.FreeAll(outs)
	for i, o := range outs {
		if err := engine.Download(o, f.out[i]); err != nil {
			return nil, err
		}
	}
	return f.out, nil
}

// All runs n samples through the graph: fill writes sample i to a row of the slot's arrays,
// take receives the outputs of sample i (slices that are overwritten later). fill is called in the order of the
// samples by one goroutine, which prepares a batch while the device computes the one before: it runs beside take. The last
// batch is padded with its first sample, whose extra results are dropped.
func (f *Forward) All(n int, fill func(dst []domain.Array, row, i int) error, take func(i int, out [][]float32) error) error {
	if f.slots[1] == nil && n > f.rows {
		s, err := newSlot(f.e, f.fields, f.rows)
		if err != nil {
			return err
		}
		f.slots[1] = s
	}
	prepare := func(s *Slot, base int) error {
		for row := range f.rows {
			if base+row >= n {
				for k, fl := range f.fields {
					domain.CopyRow(fl, &s.Arrays[k], row, &s.Arrays[k], 0)
				}
				continue
			}
			if err := fill(s.Arrays, row, base+row); err != nil {
				return err
			}
		}
		return nil
	}
	res := make([][]float32, len(f.widths))
	finish := func(s *Slot, base int) error {
		out, err := f.run(s)
		if err != nil {
			return err
		}
		for row := 0; row < f.rows && base+row < n; row++ {
			for j, w := range f.widths {
				res[j] = out[j][row*w : (row+1)*w]
			}
			if err := take(base+row, res); err != nil {
				return err
			}
		}
		return nil
	}
	// next is the batch that is being filled: one at a time, in the slot that the device does not read.
	next := make(chan error, 1)
	start := func(base int) {
		go func() { next <- prepare(f.slots[base/f.rows%2], base) }()
	}
	if n > 0 {
		start(0)
	}
	for base := 0; base < n; base += f.rows {
		if err := <-next; err != nil {
			return err
		}
		more := base+f.rows < n
		if more {
			start(base + f.rows)
		}
		if err := finish(f.slots[base/f.rows%2], base); err != nil {
			if more {
				err = errors.Join(err, <-next) // fill must not run on after the return
			}
			return err
		}
	}
	return nil
}

// Close frees the device memory that the graph owns.
func (f *Forward) Close() {
	engine.FreeAll(f.owned)
	for _, s := range f.slots {
		if s != nil {
			engine.FreeAll(s.bufs)
		}
	}
	f.p.Finalize()
}
