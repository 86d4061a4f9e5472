// Package pretrain is the stage that trains an encoder from views, without labels.
//
// [Run] is the one call: it compiles the step, resumes from the newest checkpoint, watches
// the encoder's health and returns its weights. A run that was interrupted, killed or
// resumed ends with the same weights, bit for bit, as one that was not.
package pretrain

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/nn"
	"github.com/selfsame-ml/selfsame/optim"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/train"
)

// ErrInterrupted says that the context ended; a checkpoint was written first.
var ErrInterrupted = errors.New("interrupted") // no package name: other stages are interrupted too

// Checkpoints keeps the states from which a run can go on.
type Checkpoints interface {
	// Save stores a state durably before it returns.
	Save(st *train.State) error
	// Latest returns the newest valid state, or nil.
	Latest() (*train.State, error)
}

// Config is what the stage needs.
type Config struct {
	Recipe      *recipe.Recipe
	Engine      *engine.Engine
	Samples     domain.Samples
	Checkpoints Checkpoints // nil: none are kept
	// Only trains the streams of one kind of contract; 0: all of them. See Arms.
	Only contract.Kind
	// Event receives Compiled, Resumed, Progress, Health and Saved values as they happen; may be nil.
	Event func(any)
}

// Compiled is sent once the step is ready.
type Compiled struct {
	Seconds    float64 `json:"seconds"`
	Parameters int     `json:"parameters"` // trained elements
	Steps      int     `json:"steps"`      // of the whole run
	Engine     string  `json:"engine"`
}

// Resumed is sent when a checkpoint was found.
type Resumed struct {
	Step int `json:"step"`
}

// Progress is sent about every second and with the last step.
type Progress struct {
	Step        int                `json:"step"`
	Steps       int                `json:"steps"`
	Epoch       float64            `json:"epoch"`
	Loss        float64            `json:"loss"` // mean since the last Progress
	Parts       map[string]float64 `json:"parts"`
	LR          float64            `json:"lr"`
	SamplesPerS float64            `json:"samples_per_s"` // samples, each with all its views
	Seconds     float64            `json:"seconds"`       // since this process began to train
	Left        float64            `json:"left_s"`        // estimate
}

// Saved is sent when a checkpoint was written.
type Saved struct {
	Step int `json:"step"`
}

// Result is what the stage gives.
type Result struct {
	Steps   int
	Weights map[string]train.Value // of the student: "encoder/...", "projector/...", "head/..."
	Seconds float64
	Health  []Health
}

// Total returns the number of optimiser steps and of steps in an epoch that a recipe asks for.
func Total(r *recipe.Recipe, samples int) (steps, perEpoch int) {
	perEpoch = max(1, samples/r.Train.Batch)
	steps = perEpoch * r.Train.Epochs
	if r.Train.MaxSteps > 0 {
		steps = min(steps, r.Train.MaxSteps)
	}
	return steps, perEpoch
}

// optimizer is the recipe's optimiser and its schedule.
func optimizer(t recipe.Train, steps, perEpoch int) (optim.Config, optim.Schedule) {
	o := optim.Defaults(t.Optimizer)
	o.Momentum, o.WeightDecay, o.Clip = t.Momentum, t.WeightDecay, t.Clip
	o.DecayAll = t.Optimizer == optim.SGD
	if t.Beta2 > 0 {
		o.Beta2 = t.Beta2
	}
	base := t.LR * float64(t.Batch) / 256
	return o, optim.Schedule{Base: base, Warm: int(math.Round(t.WarmupEpochs * float64(perEpoch))), Total: steps}
}

// filler adds the label field of SupCon to a sampler.
type filler struct {
	domain.Sampler
	label  int // index of the label field, -1: none
	labels []int32
}

func (f filler) Fill(dst []domain.Array, row int, seed, epoch uint64, i int, scratch any) error {
	if f.label < 0 {
		return f.Sampler.Fill(dst, row, seed, epoch, i, scratch)
	}
	dst[f.label].I32[row] = f.labels[i]
	return f.Sampler.Fill(dst[:f.label], row, seed, epoch, i, scratch)
}

// Check reports what keeps a recipe from being trained on these samples, as [recipe.Errors]. It
// computes nothing, so that a run can end before its first stage.
func Check(r *recipe.Recipe, samples domain.Samples) error {
	if _, _, err := build(r, samples, 0); err != nil {
		return err
	}
	for i, arm := range r.Train.Arms {
		if _, _, err := build(r, samples, Arms[arm]); err != nil {
			return recipe.Errors{{Path: fmt.Sprintf("train.arms[%d]", i), Msg: fmt.Sprintf("%s: no stream of %s views is trained", arm, Arms[arm]), Hint: "declare a transformation with this contract, or remove the arm"}}
		}
	}
	return nil
}

// Arms are the encoders that a recipe can train beside the whole objective (train.arms), and the one kind of contract
// that each learns from: with as many steps, from the same seed.
var Arms = map[string]contract.Kind{"contrast": contract.Invariant, "restore": contract.Restorable, "predict": contract.Equivariant}

// build makes the model and the sampler of a recipe, of the streams of one kind where only is one. What does not fit together is a recipe.Errors.
func build(r *recipe.Recipe, samples domain.Samples, only contract.Kind) (*Model, domain.Sampler, error) {
	wrong := func(path, hint string, err error) error {
		return recipe.Errors{{Path: path, Msg: err.Error(), Hint: hint}}
	}
	sampler, err := samples.Views()
	if err != nil {
		return nil, nil, wrong("views", "", err)
	}
	enc, err := samples.Encoder()
	if err != nil {
		return nil, nil, wrong("encoder", "", err)
	}
	if n := samples.Len(domain.Train); n < r.Train.Batch {
		return nil, nil, wrong("train.batch", "make it smaller, or train on more data", fmt.Errorf("%d samples a step, the training part has %d", r.Train.Batch, n))
	}
	model := &Model{Encoder: enc, Objective: r.Objective, Streams: streams(r.Objective, sampler.Streams()), Seed: r.Seed}
	if only != 0 {
		model.Streams = slices.DeleteFunc(model.Streams, func(st domain.Stream) bool { return st.Kind != only })
	}
	if err := model.Validate(); err != nil {
		return nil, nil, wrong("views", "", err)
	}
	for _, st := range model.Streams {
		if st.Locals != "" && model.Teacher() {
			return nil, nil, wrong("views.locals", "use ntxent, vicreg or barlow", fmt.Errorf("%s does not take multi-crop views", r.Objective.Invariant))
		}
	}
	if model.ReadsLabels() && samples.Labels(domain.Train) == nil {
		return nil, nil, wrong("objective.invariant", "use ntxent", errors.New("supcon needs labels, the training part has none"))
	}
	return model, sampler, nil
}

// Run pretrains. It reads no label of the training part, except for the SupCon objective.
func Run(ctx context.Context, cfg Config) (*Result, error) {
	r := cfg.Recipe
	event := cfg.Event
	if event == nil {
		event = func(any) {}
	}
	model, sampler, err := build(r, cfg.Samples, cfg.Only)
	if err != nil {
		return nil, err
	}
	n := cfg.Samples.Len(domain.Train)
	fields := slices.Clone(sampler.Fields())
	fill := filler{Sampler: sampler, label: -1}
	if model.ReadsLabels() {
		fill.label, fill.labels = len(fields), cfg.Samples.Labels(domain.Train)
		fields = append(fields, domain.Field{Name: labelField, DType: domain.I32})
	}
	steps, perEpoch := Total(r, n)
	opt, schedule := optimizer(r.Train, steps, perEpoch)
	accumulate := max(1, r.Train.Accumulate)
	micro := r.Train.Batch / accumulate // a step of train.batch samples, in less memory
	compiling := time.Now()
	step, err := train.New(cfg.Engine, train.Config{
		Name: "pretrain", Fields: fields, Batch: micro, Accumulate: accumulate, Optim: opt, Seed: r.Seed,
	}, model.Loss)
	if err != nil {
		return nil, err
	}
	defer step.Close()
	watch, err := newWatch(cfg, model, sampler)
	if err != nil {
		return nil, err
	}
	defer watch.close()
	size := 0
	for _, d := range step.Decls() {
		if d.Role != nn.Statistic {
			size += d.Size()
		}
	}
	event(Compiled{Seconds: time.Since(compiling).Seconds(), Parameters: size, Steps: steps, Engine: cfg.Engine.String()})

	if cfg.Checkpoints != nil {
		st, err := cfg.Checkpoints.Latest()
		if err != nil {
			return nil, err
		}
		if st != nil {
			if st.Step > steps {
				return nil, fmt.Errorf("pretrain: checkpoint is at step %d of a run of %d steps", st.Step, steps)
			}
			watch.restore(st)
			if err := step.SetState(st); err != nil {
				return nil, err
			}
			event(Resumed{Step: st.Step})
		}
	}
	lastSaved := step.Steps()
	save := func() error {
		if cfg.Checkpoints == nil || step.Steps() == lastSaved {
			return nil
		}
		st, err := step.State()
		if err != nil {
			return err
		}
		if err := finite(st.Values, st.Step); err != nil { // never over a good one
			return err
		}
		watch.keep(st)
		if err := cfg.Checkpoints.Save(st); err != nil {
			return err
		}
		lastSaved = st.Step
		event(Saved{Step: st.Step})
		return nil
	}
	healthEvery := r.Train.HealthSteps
	if healthEvery <= 0 {
		healthEvery = perEpoch
	}
	res := &Result{}
	spreadAt := slices.Index(step.Metrics(), "spread")
	var projections *float64 // of the newest step
	check := func() error {
		h, err := watch.check(step, perEpoch, projections)
		if err != nil {
			return err
		}
		res.Health = append(res.Health, h)
		event(h)
		return nil
	}
	if step.Steps() == 0 {
		if err := check(); err != nil { // the untrained encoder: what later values are held against
			return nil, err
		}
	}

	begin := time.Now()
	meter := newMeter(step.Metrics(), step.Steps(), begin)
	feed := &train.Feed{Filler: fill, Slots: step.Slots(), Samples: n, Batch: micro, Group: accumulate, Seed: r.Seed, Workers: workers(r.Train.Workers, cfg.Engine)}
	err = feed.Run(context.WithoutCancel(ctx), step.Steps()*accumulate, steps*accumulate, func(_ int, s *train.Slot) error {
		before := step.Steps()
		lr := schedule.LR(before)
		out, err := step.Run(s, train.Rates{LR: lr, Momentum: teacherMomentum(r.Objective, before, steps)})
		if err != nil {
			return err
		}
		meter.add(out)
		if spreadAt >= 0 {
			v := float64(out[spreadAt])
			if projections = &v; watch.projections == nil {
				watch.projections = &v
			}
		}
		if step.Steps() == before {
			return nil // accumulating
		}
		done := step.Steps()
		if p, ok := meter.progress(done, steps, perEpoch, r.Train.Batch, lr); ok {
			event(p)
		}
		if every := r.Train.CheckpointSteps; every > 0 && done%every == 0 {
			if err := save(); err != nil {
				return err
			}
		}
		if done%healthEvery == 0 || done == steps {
			if err := check(); err != nil {
				return err
			}
		}
		if ctx.Err() != nil && done < steps {
			return ErrInterrupted
		}
		return nil
	})
	res.Steps, res.Seconds = step.Steps(), time.Since(begin).Seconds()
	switch {
	case errors.Is(err, ErrInterrupted):
		if serr := save(); errors.Is(serr, train.ErrNotFinite) {
			return nil, notFinite(serr, lastSaved)
		} else if serr != nil {
			return nil, fmt.Errorf("%w at step %d of %d, and the checkpoint failed: %w", ErrInterrupted, step.Steps(), steps, serr)
		}
		return nil, fmt.Errorf("%w at step %d of %d", ErrInterrupted, step.Steps(), steps)
	case errors.Is(err, train.ErrNotFinite):
		return nil, notFinite(err, lastSaved)
	case err != nil:
		return nil, err
	}
	if res.Weights, err = step.Weights(""); err != nil {
		return nil, err
	}
	if err := finite(res.Weights, res.Steps); err != nil { // the last update is seen by no later loss
		return nil, notFinite(err, lastSaved)
	}
	if err := save(); errors.Is(err, train.ErrNotFinite) {
		return nil, notFinite(err, lastSaved)
	} else if err != nil {
		return nil, err
	}
	maps.DeleteFunc(res.Weights, func(name string, _ train.Value) bool { return name == "queue" })
	return res, nil
}

// finite reports a value that is not: a step with a finite loss and gradient can still overflow its
// weights, which the next loss would show.
func finite(values map[string]train.Value, step int) error {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		for _, v := range values[name].Data {
			if x := float64(v); math.IsNaN(x) || math.IsInf(x, 0) {
				return fmt.Errorf("%w: %s holds %g after step %d", train.ErrNotFinite, name, x, step)
			}
		}
	}
	return nil
}

func notFinite(err error, lastSaved int) error {
	good := "no checkpoint was written before"
	if lastSaved > 0 {
		good = fmt.Sprintf("last good checkpoint: step %d", lastSaved)
	}
	return fmt.Errorf("%w (%s); try a smaller train.lr or train.clip: 1", err, good)
}

// streams leaves out what the objective says is not trained: the views with invariant "none", what has
// weight 0, and with kind "sum" all that has no weight.
func streams(o recipe.Objective, all []domain.Stream) []domain.Stream {
	var out []domain.Stream
	for _, st := range all {
		if st.Name == "views" && o.Invariant == "none" {
			continue
		}
		if w, named := o.Weights[st.Name]; o.Kind == "sum" && !named || named && w == 0 {
			continue
		}
		out = append(out, st)
	}
	return out
}

// teacherMomentum rises to 1 for BYOL and stays constant for MoCo.
func teacherMomentum(o recipe.Objective, step, steps int) float64 {
	if o.Invariant != "byol" {
		return o.Momentum
	}
	return optim.TeacherMomentum(o.Momentum, step, steps)
}

func workers(asked int, e *engine.Engine) int {
	if asked > 0 {
		return asked
	}
	return max(1, e.Threads())
}

// meter averages metrics between two Progress events.
type meter struct {
	names    []string
	sums     []float64
	count    int
	first    int
	begin    time.Time
	last     time.Time
	lastStep int
}

func newMeter(names []string, step int, begin time.Time) *meter {
	return &meter{names: names, sums: make([]float64, len(names)), first: step, begin: begin, last: begin, lastStep: step}
}

func (m *meter) add(out []float32) {
	for i, v := range out {
		m.sums[i] += float64(v)
	}
	m.count++
}

func (m *meter) progress(done, steps, perEpoch, rows int, lr float64) (Progress, bool) {
	now := time.Now()
	if now.Sub(m.last) < time.Second && done != steps {
		return Progress{}, false
	}
	p := Progress{Step: done, Steps: steps, Epoch: float64(done) / float64(perEpoch), LR: lr, Parts: map[string]float64{}, Seconds: now.Sub(m.begin).Seconds()}
	for i, name := range m.names {
		v := m.sums[i] / float64(m.count)
		if i == 0 {
			p.Loss = v
		} else {
			p.Parts[name] = v
		}
		m.sums[i] = 0
	}
	p.SamplesPerS = float64((done-m.lastStep)*rows) / now.Sub(m.last).Seconds()
	p.Left = p.Seconds / float64(done-m.first) * float64(steps-done)
	m.count, m.last, m.lastStep = 0, now, done
	return p, true
}

// encodeInput builds the pooled features of undisturbed samples.
func encodeInput(enc domain.Encoder, input string) train.ForwardFunc {
	return func(s *nn.Scope, in map[string]*graph.Node) []*graph.Node {
		return []*graph.Node{enc.Encode(s.In(EncoderScope), in[input]).Pooled}
	}
}
