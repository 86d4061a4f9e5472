// Package supervise trains a classifier (or the prediction of a number) on an encoder: from
// pretrained weights (fine-tuning) or from scratch. adapt measures encoders with it, certify uses it as the probe that
// tries to break Invariant contracts.
//
// Most users need [New], [Tuner.Tune] (numbers: [Tuner.TuneValues]) and [Tuner.Predict].
package supervise

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/internal/rng"
	"github.com/selfsame-ml/selfsame/nn"
	"github.com/selfsame-ml/selfsame/optim"
	"github.com/selfsame-ml/selfsame/train"
)

// headName is the scope of the linear head beside the encoder.
const headName = "head"

// Row addresses one sample of one part.
type Row struct {
	Part  domain.Part
	Index int
}

// Network is a trained classifier: weights by name and how it was chosen.
type Network struct {
	Weights map[string]train.Value
	Val     float64 // accuracy (or Config.Judge) on the rows that chose; the training rows where no others were given
	Epoch   int     // chosen epoch, from 1
	Steps   int     // steps run
	Cut     bool    // Config.MaxSteps ended the training before Config.Epochs did
	// Mean and Std of the training targets: a network of numbers predicts (y-Mean)/Std. 0 and 1 for classes.
	Mean, Std float64
}

// Config of a tuner.
type Config struct {
	Classes     int  // 0 with Regress
	Regress     bool // one output, squared error on the standardised target
	Batch       int
	Epochs      int
	MaxSteps    int // 0: epochs decide
	LR          float64
	WeightDecay float64
	Seed        uint64
	// Judge scores outputs [len(rows), Classes] (logits; numbers in the units of the target) on the rows that choose the
	// epoch; higher is better. nil is the accuracy, for numbers the negative mean squared error.
	Judge func(outputs []float32, rows []Row) float64
	// Refit trains a second time after the epoch is chosen: that many epochs on the training rows and those that chose.
	Refit bool
}

// outputs is the width of the head.
func (c Config) outputs() int {
	if c.Regress {
		return 1
	}
	return c.Classes
}

// FillFunc writes a training row; it may draw a view keyed by (epoch, i).
type FillFunc func(dst *domain.Array, row int, epoch uint64, i int, r Row) error

// Tuner trains one classifier after another with compiled graphs that are made once. It is not
// safe for concurrent use.
type Tuner struct {
	e       *engine.Engine
	samples domain.Samples
	enc     domain.Encoder
	cfg     Config
	steps   map[int]*train.Step // by batch size
	forward *train.Forward
}

// New returns a tuner of the recipe's encoder on samples.
func New(e *engine.Engine, s domain.Samples, cfg Config) (*Tuner, error) {
	if cfg.Classes < 2 && !cfg.Regress {
		return nil, fmt.Errorf("supervise: %d classes, want at least 2", cfg.Classes)
	}
	enc, err := s.Encoder()
	if err != nil {
		return nil, err
	}
	return &Tuner{e: e, samples: s, enc: enc, cfg: cfg, steps: map[int]*train.Step{}}, nil
}

// Close frees the device memory.
func (t *Tuner) Close() {
	for _, s := range t.steps {
		s.Close()
	}
	if t.forward != nil {
		t.forward.Close()
	}
}

func (t *Tuner) fields() []domain.Field {
	label := domain.Field{Name: "label", DType: domain.I32}
	if t.cfg.Regress {
		label.DType = domain.F32
	}
	return []domain.Field{t.samples.Input(), label}
}

func (t *Tuner) logits(s *nn.Scope, x *graph.Node) *graph.Node {
	return s.Linear(headName, t.enc.Encode(s.In(train.EncoderScope), x).Pooled, t.cfg.outputs(), true)
}

func (t *Tuner) step(batch int) (*train.Step, error) {
	if s := t.steps[batch]; s != nil {
		return s, nil
	}
	o := optim.Defaults(optim.AdamW)
	o.WeightDecay, o.DecayAll = t.cfg.WeightDecay, true // as torch.optim.AdamW does
	input := t.samples.Input().Name
	s, err := train.New(t.e, train.Config{Name: "fine-tune", Fields: t.fields(), Batch: batch, Optim: o, Seed: t.cfg.Seed}, func(sc *nn.Scope, in map[string]*graph.Node) train.Out {
		out := t.logits(sc, in[input])
		if t.cfg.Regress {
			e := graph.Sub(graph.Reshape(out, out.Shape().Dimensions[0]), in["label"])
			return train.Out{Loss: graph.ReduceAllMean(graph.Mul(e, e))}
		}
		return train.Out{Loss: nn.CrossEntropy(out, in["label"], nil)}
	})
	if err != nil {
		return nil, err
	}
	t.steps[batch] = s
	return s, nil
}

// compileForward makes the inference graph once.
func (t *Tuner) compileForward() error {
	if t.forward != nil {
		return nil
	}
	input := t.samples.Input()
	var err error
	t.forward, err = train.NewForward(t.e, "classifier", []domain.Field{input}, forwardRows, func(sc *nn.Scope, in map[string]*graph.Node) []*graph.Node {
		return []*graph.Node{t.logits(sc, in[input.Name])}
	})
	return err
}

// forwardRows is the batch of the inference graph.
const forwardRows = 250

// Predict returns the logits [n, classes] (with Config.Regress the numbers [n], in the units of the target) of n samples
// that fill writes, under a network's weights.
func (t *Tuner) Predict(net *Network, n int, fill func(dst *domain.Array, row, i int) error) ([]float32, error) {
	if err := t.compileForward(); err != nil {
		return nil, err
	}
	if err := t.forward.Bind(net.Weights); err != nil {
		return nil, err
	}
	return t.predict(n, net, fill)
}

// Rows returns a fill function for the undisturbed samples of rows.
func (t *Tuner) Rows(rows []Row) func(dst *domain.Array, row, i int) error {
	return func(dst *domain.Array, row, i int) error {
		return t.samples.Fill(dst, row, rows[i].Part, rows[i].Index)
	}
}

func (t *Tuner) predict(n int, net *Network, fill func(dst *domain.Array, row, i int) error) ([]float32, error) {
	c := t.cfg.outputs()
	out := make([]float32, n*c)
	err := t.forward.All(n, func(dst []domain.Array, row, i int) error {
		return fill(&dst[0], row, i)
	}, func(i int, o [][]float32) error { copy(out[i*c:(i+1)*c], o[0]); return nil })
	if t.cfg.Regress {
		for i, v := range out {
			out[i] = float32(net.Mean + net.Std*float64(v))
		}
	}
	return out, err
}

// Argmax returns the class of greatest logit of each row; the lowest index wins ties.
func Argmax(logits []float32, classes int) []int32 {
	out := make([]int32, len(logits)/classes)
	for i := range out {
		row := logits[i*classes : (i+1)*classes]
		for c, v := range row {
			if v > row[out[i]] {
				out[i] = int32(c)
			}
		}
	}
	return out
}

// Tune trains all weights from start (nil: seeded, from scratch) on the rows tr and chooses the
// epoch on the rows va (on tr where va is empty). Weights are looked up by name; others are seeded.
// draw keys the order of the samples and the seeded weights. fill nil means undisturbed samples.
func (t *Tuner) Tune(ctx context.Context, start map[string]train.Value, tr, va []Row, label func(Row) int32, draw uint64, fill FillFunc) (*Network, error) {
	if t.cfg.Regress {
		return nil, errors.New("supervise: this tuner predicts numbers: TuneValues takes them")
	}
	return t.tune(ctx, start, tr, va, target{label: label}, draw, fill)
}

// TuneValues is Tune for a tuner with Config.Regress. The numbers are standardised by the mean and the standard
// deviation of the training rows; none may be NaN or infinite.
func (t *Tuner) TuneValues(ctx context.Context, start map[string]train.Value, tr, va []Row, value func(Row) float64, draw uint64, fill FillFunc) (*Network, error) {
	if !t.cfg.Regress {
		return nil, errors.New("supervise: this tuner predicts classes: Tune takes them")
	}
	for _, rows := range [][]Row{tr, va} {
		for _, r := range rows {
			if v := value(r); math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, fmt.Errorf("supervise: the target of sample %d of part %d is %g, want a finite number", r.Index, r.Part, v)
			}
		}
	}
	return t.tune(ctx, start, tr, va, target{value: value}, draw, fill)
}

// target is what is to be predicted: one of the two.
type target struct {
	label func(Row) int32
	value func(Row) float64
}

func (t *Tuner) tune(ctx context.Context, start map[string]train.Value, tr, va []Row, y target, draw uint64, fill FillFunc) (*Network, error) {
	net, err := t.fit(ctx, start, tr, va, y, draw, fill, 0)
	if err != nil || !t.cfg.Refit || len(va) == 0 {
		return net, err
	}
	final, err := t.fit(ctx, start, append(slices.Clone(tr), va...), nil, y, draw, fill, net.Epoch)
	if err != nil {
		return nil, err
	}
	final.Val, final.Epoch, final.Cut = net.Val, net.Epoch, net.Cut
	return final, nil
}

// judge scores the outputs on rows.
func (t *Tuner) judge(out []float32, rows []Row, y target) float64 {
	switch {
	case t.cfg.Judge != nil:
		return t.cfg.Judge(out, rows)
	case t.cfg.Regress:
		var sum float64
		for i, r := range rows {
			e := float64(out[i]) - y.value(r)
			sum += e * e
		}
		return -sum / float64(len(rows))
	}
	hit := 0
	for i, c := range Argmax(out, t.cfg.Classes) {
		if c == y.label(rows[i]) {
			hit++
		}
	}
	return float64(hit) / float64(len(rows))
}

// fit trains once. epochs 0: Config.Epochs, of which the best on va (on tr where va is empty) is kept; else so many,
// and the last is kept.
func (t *Tuner) fit(ctx context.Context, start map[string]train.Value, tr, va []Row, y target, draw uint64, fill FillFunc, epochs int) (*Network, error) {
	batch := min(t.cfg.Batch, len(tr))
	if batch < 2 {
		return nil, fmt.Errorf("supervise: %d training rows are too few to fine-tune a network with batch norm, want 2", len(tr))
	}
	step, err := t.step(batch)
	if err != nil {
		return nil, err
	}
	if err := t.compileForward(); err != nil {
		return nil, err
	}
	if fill == nil {
		fill = func(dst *domain.Array, row int, _ uint64, _ int, r Row) error {
			return t.samples.Fill(dst, row, r.Part, r.Index)
		}
	}
	if err := step.SetState(t.start(step, start, draw)); err != nil {
		return nil, err
	}
	choose := va
	if len(choose) == 0 {
		choose = tr
	}
	last := epochs > 0
	if !last {
		epochs = t.cfg.Epochs
	}
	perEpoch := (len(tr) + batch - 1) / batch
	total := perEpoch * epochs
	cut := t.cfg.MaxSteps > 0 && t.cfg.MaxSteps < total
	if cut {
		total = t.cfg.MaxSteps
	}
	// The rows that choose are read after every epoch, or 6 times in all where epochs are fewer.
	every := perEpoch
	if total < perEpoch*6 {
		every = max(1, total/6)
	}
	net := &Network{Val: math.Inf(-1), Cut: cut, Std: 1}
	if t.cfg.Regress {
		for _, r := range tr {
			net.Mean += y.value(r) / float64(len(tr))
		}
		var sum float64
		for _, r := range tr {
			d := y.value(r) - net.Mean
			sum += d * d / float64(len(tr))
		}
		if std := math.Sqrt(sum); std > 1e-12*math.Abs(net.Mean) { // else all are equal up to rounding: nothing to scale
			net.Std = std
		}
	}
	feed := &train.Feed{Slots: step.Slots(), Samples: len(tr), Batch: batch, Seed: t.cfg.Seed<<16 ^ draw, Workers: 1,
		Ceil: true, Filler: train.FillFunc(func(dst []domain.Array, row int, _, epoch uint64, i int) error {
			if t.cfg.Regress {
				dst[1].F32[row] = float32((y.value(tr[i]) - net.Mean) / net.Std)
			} else {
				dst[1].I32[row] = y.label(tr[i])
			}
			return fill(&dst[0], row, epoch, i, tr[i])
		})}
	best := map[string]train.Value{}
	err = feed.Run(ctx, 0, total, func(_ int, s *train.Slot) error {
		if _, err := step.Run(s, train.Rates{LR: t.cfg.LR}); err != nil {
			return err
		}
		done := step.Steps()
		if done != total && (last || done%every != 0) {
			return nil
		}
		score := 0.0
		if !last {
			if err := t.forward.BindStep(step); err != nil {
				return err
			}
			out, err := t.predict(len(choose), net, t.Rows(choose))
			if err != nil {
				return err
			}
			score = t.judge(out, choose, y)
		}
		if score >= net.Val || len(best) == 0 { // ties: the later epoch, as the peer does
			net.Val, net.Epoch = score, (done+perEpoch-1)/perEpoch
			w, err := step.Weights("")
			if err != nil {
				return err
			}
			maps.Copy(best, w)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("supervise: fine-tune: %w", err)
	}
	net.Weights, net.Steps = best, step.Steps()
	return net, nil
}

// start is the state of a fresh step: seeded values, replaced by those of start by name. The head
// and, from scratch, every weight are keyed by the draw too, so that draws differ in both.
func (t *Tuner) start(step *train.Step, from map[string]train.Value, draw uint64) *train.State {
	hi, _ := rng.Key(t.cfg.Seed, rng.Init, draw)
	st := &train.State{Values: map[string]train.Value{}}
	for _, d := range step.Decls() {
		v, ok := from[d.Name]
		if !ok {
			v = train.Value{Dims: d.Dims, Data: d.Start(hi)}
		}
		st.Values[d.Name] = v
	}
	step.ZeroSlots(st)
	return st
}
