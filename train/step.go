// Package train runs one compiled training step after another: parameters, gradients,
// optimiser, running statistics and teachers live on the device, batches come from
// workers that prepare the next one while the device computes.
//
// Most users need [New], [Step.Run] and [Feed].
package train

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/nn"
	"github.com/selfsame-ml/selfsame/optim"
)

// TeacherPrefix marks the parameters of a momentum encoder: "teacher/X" follows "X" by an
// exponential moving average and gets no gradient (BYOL, Grill et al. 2020; MoCo, He et al. 2020).
const TeacherPrefix = "teacher/"

// ErrNotFinite says that the loss or a gradient became NaN or infinite. The step keeps the
// weights from before.
var ErrNotFinite = errors.New("train: loss or gradient is not finite")

// Metric is one scalar that a step reports.
type Metric struct {
	Name string
	Node *graph.Node // float32 scalar
}

// Out is what a loss function builds.
type Out struct {
	Loss    *graph.Node // float32 scalar, minimised
	Metrics []Metric
}

// LossFunc builds the loss of one (micro-)batch; in holds the batch fields by name, [batch, Dims...].
type LossFunc func(s *nn.Scope, in map[string]*graph.Node) Out

// Config of a step.
type Config struct {
	Name       string
	Fields     []domain.Field
	Batch      int // rows of a micro-batch
	Accumulate int // micro-batches a step; 0 is 1
	Optim      optim.Config
	Seed       uint64                 // of the start values
	Start      map[string][]float32   // start values that replace the seeded ones
	Freeze     func(name string) bool // parameters that are not trained; may be nil
	Ring       int                    // batches in preparation; 0 is 3
}

// Step is a compiled training step and the state that it advances.
type Step struct {
	e       *engine.Engine
	cfg     Config
	decls   []nn.Decl
	metrics []string
	fused   *engine.Program // forward, backward, update
	apply   *engine.Program // update from accumulated gradients (Accumulate > 1)
	fusedIO layout
	applyIO layout
	state   map[string]compute.Buffer
	order   []string // names of state in a fixed order
	slots   []*Slot
	out     []float32
	in      []compute.Buffer
	n       int // steps done
	acc     int // micro-batches accumulated
}

// layout maps program inputs and outputs to state names.
type layout struct {
	in  []string
	out []string // state name; "" for the metrics vector
}

// Slot is the host memory of one batch.
type Slot struct {
	Arrays []domain.Array // as Config.Fields
	bufs   []compute.Buffer
	shared []bool
}

const (
	gradPrefix   = "accumulated/"
	scalarsInput = "scalars" // [lr, step, teacher momentum]
)

func slotName(i int, name string) string { return fmt.Sprintf("optimizer%d/%s", i, name) }

func trained(d nn.Decl, freeze func(string) bool) bool {
	return d.Role != nn.Statistic && !strings.HasPrefix(d.Name, TeacherPrefix) && (freeze == nil || !freeze(d.Name))
}

// New builds and compiles the step and uploads its start values.
func New(e *engine.Engine, cfg Config, loss LossFunc) (*Step, error) {
	if cfg.Batch < 1 {
		return nil, fmt.Errorf("train: batch %d is not positive", cfg.Batch)
	}
	if cfg.Accumulate < 1 {
		cfg.Accumulate = 1
	}
	if cfg.Ring < 1 {
		cfg.Ring = 3
	}
	s := &Step{e: e, cfg: cfg, state: map[string]compute.Buffer{}}
	if err := s.compile(loss); err != nil {
		return nil, err
	}
	if err := s.start(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Step) compile(loss LossFunc) error {
	accumulate := s.cfg.Accumulate > 1
	var err error
	s.fused, err = s.e.Compile(s.cfg.Name+" step", func(g *graph.Graph) []*graph.Node {
		net := nn.NewNet(g, true, nil)
		in := map[string]*graph.Node{}
		for _, f := range s.cfg.Fields {
			in[f.Name] = graph.Parameter(g, "batch/"+f.Name, shapes.Make(dtype(f.DType), append([]int{s.cfg.Batch}, f.Dims...)...))
		}
		out := loss(net.Scope(), in)
		s.decls = net.Decls()
		var params []*graph.Node
		var which []nn.Decl
		for _, d := range s.decls {
			if trained(d, s.cfg.Freeze) {
				params, which = append(params, net.Node(d.Name)), append(which, d)
			}
		}
		if len(params) == 0 {
			panic(errors.New("no parameter is trained"))
		}
		grads := graph.Gradient(out.Loss, params...)
		vec := []*graph.Node{graph.Reshape(out.Loss, 1)}
		s.metrics = []string{"loss"}
		for _, m := range out.Metrics {
			vec = append(vec, graph.Reshape(graph.ConvertDType(m.Node, dtypes.Float32), 1))
			s.metrics = append(s.metrics, m.Name)
		}
		var outs []*graph.Node
		var names []string
		emit := func(name string, n *graph.Node) { names, outs = append(names, name), append(outs, n) }
		for _, d := range s.decls { // running statistics
			if u := net.Update(d.Name); u != nil {
				emit(d.Name, u)
			}
		}
		if accumulate {
			var norm *graph.Node
			for i, d := range which {
				acc := graph.Parameter(g, gradPrefix+d.Name, params[i].Shape())
				emit(gradPrefix+d.Name, graph.Add(acc, graph.MulScalar(grads[i], 1/float64(s.cfg.Accumulate))))
				sq := graph.ReduceAllSum(graph.Square(grads[i]))
				if norm == nil {
					norm = sq
				} else {
					norm = graph.Add(norm, sq)
				}
			}
			vec = append(vec, graph.Reshape(graph.Sqrt(norm), 1))
		} else {
			norm := s.update(g, net, which, params, grads, emit)
			vec = append(vec, graph.Reshape(norm, 1))
		}
		s.metrics = append(s.metrics, "grad_norm")
		emit("", graph.Concatenate(vec, 0))
		s.fusedIO.out = names
		return outs
	})
	if err != nil {
		return err
	}
	s.fusedIO.in = s.fused.Names()
	s.out = make([]float32, len(s.metrics))
	if !accumulate {
		return nil
	}
	s.apply, err = s.e.Compile(s.cfg.Name+" apply", func(g *graph.Graph) []*graph.Node {
		net := nn.NewNet(g, true, nil)
		var which []nn.Decl
		var params, grads []*graph.Node
		for _, d := range s.decls {
			node := graph.Parameter(g, d.Name, shapes.Make(dtypes.Float32, d.Dims...))
			if trained(d, s.cfg.Freeze) {
				which, params = append(which, d), append(params, node)
			}
		}
		var outs []*graph.Node
		var names []string
		emit := func(name string, n *graph.Node) { names, outs = append(names, name), append(outs, n) }
		for _, d := range which {
			acc := graph.Parameter(g, gradPrefix+d.Name, shapes.Make(dtypes.Float32, d.Dims...))
			grads = append(grads, acc)
			emit(gradPrefix+d.Name, graph.ZerosLike(acc))
		}
		norm := s.update(g, net, which, params, grads, emit)
		emit("", graph.Reshape(norm, 1))
		s.applyIO.out = names
		return outs
	})
	if err == nil {
		s.applyIO.in = s.apply.Names()
	}
	return err
}

// update emits the new weights, optimiser slots and teachers, and returns the norm of the gradient before clipping.
func (s *Step) update(g *graph.Graph, net *nn.Net, which []nn.Decl, params, grads []*graph.Node, emit func(string, *graph.Node)) *graph.Node {
	scalars := graph.Parameter(g, scalarsInput, shapes.Make(dtypes.Float32, 3))
	at := func(i int) *graph.Node { return graph.Reshape(graph.Slice(scalars, graph.AxisRange(i, i+1))) }
	lr, step, momentum := at(0), at(1), at(2)
	grads, norm := optim.ClipGlobalNorm(grads, s.cfg.Optim.Clip)
	updated := map[string]*graph.Node{}
	for i, d := range which {
		slots := make([]*graph.Node, s.cfg.Optim.Slots())
		for j := range slots {
			slots[j] = graph.Parameter(g, slotName(j, d.Name), params[i].Shape())
		}
		w, next := s.cfg.Optim.Update(d, params[i], grads[i], slots, lr, step)
		updated[d.Name] = w
		emit(d.Name, w)
		for j := range next {
			emit(slotName(j, d.Name), next[j])
		}
	}
	for _, d := range s.decls {
		student, ok := strings.CutPrefix(d.Name, TeacherPrefix)
		if !ok || net.Update(d.Name) != nil {
			continue
		}
		new := updated[student]
		if new == nil {
			if new = net.Update(student); new == nil { // a statistic of the student
				continue
			}
		}
		old := net.Node(d.Name)
		if old == nil {
			old = g.GetParameterByName(d.Name)
		}
		emit(d.Name, optim.EMA(old, new, momentum))
	}
	return norm
}

func dtype(d domain.DType) dtypes.DType {
	switch d {
	case domain.U8:
		return dtypes.Uint8
	case domain.U16:
		return dtypes.Uint16
	case domain.I32:
		return dtypes.Int32
	}
	return dtypes.Float32
}

// start uploads the start values and makes the host memory of the batches.
func (s *Step) start() error {
	put := func(name string, data []float32, dims []int) error {
		b, err := engine.Upload(s.e, data, dims...)
		if err != nil {
			return err
		}
		s.state[name] = b
		s.order = append(s.order, name)
		return nil
	}
	for _, d := range s.decls {
		seeded := d
		seeded.Name = strings.TrimPrefix(d.Name, TeacherPrefix) // a teacher starts as its student
		data, given := s.cfg.Start[seeded.Name]
		if !given {
			data = seeded.Start(s.cfg.Seed)
		}
		if len(data) != d.Size() {
			return fmt.Errorf("train: start value of %q has %d elements, want %d %v", d.Name, len(data), d.Size(), d.Dims)
		}
		if err := put(d.Name, data, d.Dims); err != nil {
			return err
		}
		if !trained(d, s.cfg.Freeze) {
			continue
		}
		zero := make([]float32, d.Size())
		for j := range s.cfg.Optim.Slots() {
			if err := put(slotName(j, d.Name), zero, d.Dims); err != nil {
				return err
			}
		}
		if s.cfg.Accumulate > 1 {
			if err := put(gradPrefix+d.Name, zero, d.Dims); err != nil {
				return err
			}
		}
	}
	for range s.cfg.Ring {
		slot, err := newSlot(s.e, s.cfg.Fields, s.cfg.Batch)
		if err != nil {
			return err
		}
		s.slots = append(s.slots, slot)
	}
	s.in = make([]compute.Buffer, max(len(s.fusedIO.in), len(s.applyIO.in)))
	return nil
}

func newSlot(e *engine.Engine, fields []domain.Field, rows int) (*Slot, error) {
	s := &Slot{Arrays: make([]domain.Array, len(fields)), bufs: make([]compute.Buffer, len(fields)), shared: make([]bool, len(fields))}
	for i, f := range fields {
		dims := append([]int{rows}, f.Dims...)
		n := rows * f.Size()
		a := &s.Arrays[i]
		switch f.DType {
		case domain.U8:
			if s.bufs[i], a.U8, s.shared[i] = engine.Shared[uint8](e, dims...); !s.shared[i] {
				a.U8 = make([]uint8, n)
			}
		case domain.U16:
			if s.bufs[i], a.U16, s.shared[i] = engine.Shared[uint16](e, dims...); !s.shared[i] {
				a.U16 = make([]uint16, n)
			}
		case domain.I32:
			if s.bufs[i], a.I32, s.shared[i] = engine.Shared[int32](e, dims...); !s.shared[i] {
				a.I32 = make([]int32, n)
			}
		case domain.F32:
			if s.bufs[i], a.F32, s.shared[i] = engine.Shared[float32](e, dims...); !s.shared[i] {
				a.F32 = make([]float32, n)
			}
		default:
			return nil, fmt.Errorf("train: field %q has an unknown type %d", f.Name, f.DType)
		}
	}
	return s, nil
}

// upload brings the host memory of a slot to the device where it is not shared.
func (sl *Slot) upload(e *engine.Engine, fields []domain.Field, rows int) error {
	for i, f := range fields {
		if sl.shared[i] {
			continue
		}
		if sl.bufs[i] != nil {
			_ = sl.bufs[i].Finalize()
			sl.bufs[i] = nil
		}
		dims := append([]int{rows}, f.Dims...)
		var err error
		switch a := sl.Arrays[i]; f.DType {
		case domain.U8:
			sl.bufs[i], err = engine.Upload(e, a.U8, dims...)
		case domain.U16:
			sl.bufs[i], err = engine.Upload(e, a.U16, dims...)
		case domain.I32:
			sl.bufs[i], err = engine.Upload(e, a.I32, dims...)
		case domain.F32:
			sl.bufs[i], err = engine.Upload(e, a.F32, dims...)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Slots returns the host memory of the batches, to be filled and given to Run in turn.
func (s *Step) Slots() []*Slot { return s.slots }

// Metrics names the values that Run returns: "loss", the loss function's metrics, "grad_norm".
func (s *Step) Metrics() []string { return s.metrics }

// Decls lists the parameters.
func (s *Step) Decls() []nn.Decl { return s.decls }

// Steps is the number of optimiser steps done.
func (s *Step) Steps() int { return s.n }

// Rates are the scalars that may change with every step.
type Rates struct {
	LR       float64
	Momentum float64 // of the teacher
}

// Run computes one micro-batch, and with the last one of a step updates the weights. It returns
// the metrics in a slice that the next Run overwrites. On an error, ErrNotFinite included,
// the weights are those from before.
func (s *Step) Run(batch *Slot, r Rates) ([]float32, error) {
	if err := batch.upload(s.e, s.cfg.Fields, s.cfg.Batch); err != nil {
		return nil, err
	}
	scal := [3]float32{float32(r.LR), float32(s.n), float32(r.Momentum)} // optim counts updates from 0
	sb, err := engine.Upload(s.e, scal[:], 3)
	if err != nil {
		return nil, err
	}
	defer func() { _ = sb.Finalize() }()
	if err := s.exec(s.fused, s.fusedIO, batch, sb, s.out); err != nil {
		return nil, err
	}
	if s.cfg.Accumulate > 1 {
		if s.acc++; s.acc < s.cfg.Accumulate {
			return s.out, nil
		}
		s.acc = 0
		var norm [1]float32
		if err := s.exec(s.apply, s.applyIO, nil, sb, norm[:]); err != nil {
			return nil, errors.Join(err, s.dropGradients()) // else the next step would add to what is left of this one
		}
		s.out[len(s.out)-1] = norm[0]
	}
	s.n++
	return s.out, nil
}

func (s *Step) exec(p *engine.Program, io layout, batch *Slot, scalars compute.Buffer, out []float32) error {
	in := s.in[:len(io.in)]
	for i, name := range io.in {
		switch {
		case name == scalarsInput:
			in[i] = scalars
		case strings.HasPrefix(name, "batch/"):
			j := slices.IndexFunc(s.cfg.Fields, func(f domain.Field) bool { return f.Name == name[len("batch/"):] })
			in[i] = batch.bufs[j]
		default:
			if in[i] = s.state[name]; in[i] == nil {
				return fmt.Errorf("train: no state %q", name)
			}
		}
	}
	outs, err := p.Exec(in)
	if err != nil {
		return err
	}
	last := len(outs) - 1
	err = engine.Download(outs[last], out)
	if err == nil {
		for i, v := range out {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				name := "gradient norm"
				if len(out) == len(s.metrics) {
					name = s.metrics[i]
				}
				err = fmt.Errorf("%w: %s = %g at step %d", ErrNotFinite, name, v, s.n+1)
				break
			}
		}
	}
	if err != nil {
		engine.FreeAll(outs)
		return err
	}
	for i, name := range io.out[:last] {
		_ = s.state[name].Finalize()
		s.state[name] = outs[i]
	}
	_ = outs[last].Finalize()
	return nil
}

// State copies everything that a resumed run needs to the host: weights, statistics, optimiser
// slots, teachers, accumulated gradients. Names sort stably.
type State struct {
	Step   int
	Values map[string]Value
}

// Value is a named float32 array.
type Value struct {
	Dims []int
	Data []float32
}

// State returns a copy of the state. It must be called between steps.
func (s *Step) State() (*State, error) {
	if s.acc != 0 {
		return nil, fmt.Errorf("train: state asked for after %d of %d micro-batches", s.acc, s.cfg.Accumulate)
	}
	st := &State{Step: s.n, Values: map[string]Value{}}
	for _, name := range s.order {
		if strings.HasPrefix(name, gradPrefix) { // zero between steps
			continue
		}
		v, err := s.value(name)
		if err != nil {
			return nil, err
		}
		st.Values[name] = v
	}
	return st, nil
}

func (s *Step) value(name string) (Value, error) {
	b := s.state[name]
	sh, err := b.Shape()
	if err != nil {
		return Value{}, fmt.Errorf("train: %s: %w", name, err)
	}
	v := Value{Dims: slices.Clone(sh.Dimensions), Data: make([]float32, sh.Size())}
	return v, engine.Download(b, v.Data)
}

// Weights copies the parameters whose name starts with prefix, statistics included, with the prefix cut off.
func (s *Step) Weights(prefix string) (map[string]Value, error) {
	out := map[string]Value{}
	for _, d := range s.decls {
		if rest, ok := strings.CutPrefix(d.Name, prefix); ok {
			v, err := s.value(d.Name)
			if err != nil {
				return nil, err
			}
			out[rest] = v
		}
	}
	return out, nil
}

// SetState puts back a state that State returned. Every name must be there with its size.
func (s *Step) SetState(st *State) error {
	for _, name := range s.order {
		if strings.HasPrefix(name, gradPrefix) {
			continue
		}
		v, ok := st.Values[name]
		if !ok {
			return fmt.Errorf("train: state lacks %q", name)
		}
		sh, err := s.state[name].Shape()
		if err != nil {
			return fmt.Errorf("train: %s: %w", name, err)
		}
		if !slices.Equal(sh.Dimensions, v.Dims) {
			return fmt.Errorf("train: state %q is %v, want %v", name, v.Dims, sh.Dimensions)
		}
	}
	for _, name := range s.order {
		if strings.HasPrefix(name, gradPrefix) {
			continue
		}
		v := st.Values[name]
		b, err := engine.Upload(s.e, v.Data, v.Dims...)
		if err != nil {
			return err
		}
		_ = s.state[name].Finalize()
		s.state[name] = b
	}
	s.n = st.Step
	return s.dropGradients()
}

// dropGradients forgets the micro-batches of an unfinished step.
func (s *Step) dropGradients() error {
	s.acc = 0
	for _, d := range s.decls {
		if s.cfg.Accumulate < 2 || !trained(d, s.cfg.Freeze) {
			continue
		}
		b, err := engine.Upload(s.e, make([]float32, d.Size()), d.Dims...)
		if err != nil {
			return err
		}
		_ = s.state[gradPrefix+d.Name].Finalize()
		s.state[gradPrefix+d.Name] = b
	}
	return nil
}

// ZeroSlots adds what an optimiser starts with to a state that holds weights only.
func (s *Step) ZeroSlots(st *State) {
	for _, d := range s.decls {
		if !trained(d, s.cfg.Freeze) {
			continue
		}
		for j := range s.cfg.Optim.Slots() {
			st.Values[slotName(j, d.Name)] = Value{Dims: d.Dims, Data: make([]float32, d.Size())}
		}
	}
}

// Close frees the device memory.
func (s *Step) Close() {
	for _, b := range s.state {
		_ = b.Finalize()
	}
	s.state = nil
	for _, sl := range s.slots {
		engine.FreeAll(sl.bufs)
	}
	if s.fused != nil {
		s.fused.Finalize()
	}
	if s.apply != nil {
		s.apply.Finalize()
	}
}
