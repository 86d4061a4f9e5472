// Package supervise trains a classifier on an encoder: from pretrained weights (fine-tuning)
// or from scratch. adapt measures encoders with it, certify uses it as the probe that
// tries to break Invariant contracts.
//
// Most users need [New], [Tuner.Tune] and [Tuner.Predict].
package supervise

import (
	"context"
	"fmt"
	"maps"

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
	Val     float64 // accuracy on the rows that chose; the training rows where no others were given
	Epoch   int     // chosen epoch, from 1
	Steps   int     // steps run
	Cut     bool    // Config.MaxSteps ended the training before Config.Epochs did
}

// Config of a tuner.
type Config struct {
	Classes     int
	Batch       int
	Epochs      int
	MaxSteps    int // 0: epochs decide
	LR          float64
	WeightDecay float64
	Seed        uint64
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
	if cfg.Classes < 2 {
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
	return []domain.Field{t.samples.Input(), {Name: "label", DType: domain.I32}}
}

func (t *Tuner) logits(s *nn.Scope, x *graph.Node) *graph.Node {
	return s.Linear(headName, t.enc.Encode(s.In(train.EncoderScope), x).Pooled, t.cfg.Classes, true)
}

func (t *Tuner) step(batch int) (*train.Step, error) {
	if s := t.steps[batch]; s != nil {
		return s, nil
	}
	o := optim.Defaults(optim.AdamW)
	o.WeightDecay, o.DecayAll = t.cfg.WeightDecay, true // as torch.optim.AdamW does
	input := t.samples.Input().Name
	s, err := train.New(t.e, train.Config{Name: "fine-tune", Fields: t.fields(), Batch: batch, Optim: o, Seed: t.cfg.Seed}, func(sc *nn.Scope, in map[string]*graph.Node) train.Out {
		return train.Out{Loss: nn.CrossEntropy(t.logits(sc, in[input]), in["label"], nil)}
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

// Predict returns the logits [n, classes] of n samples that fill writes, under a network's weights.
func (t *Tuner) Predict(net *Network, n int, fill func(dst *domain.Array, row, i int) error) ([]float32, error) {
	if err := t.compileForward(); err != nil {
		return nil, err
	}
	if err := t.forward.Bind(net.Weights); err != nil {
		return nil, err
	}
	return t.predict(n, fill)
}

// Rows returns a fill function for the undisturbed samples of rows.
func (t *Tuner) Rows(rows []Row) func(dst *domain.Array, row, i int) error {
	return func(dst *domain.Array, row, i int) error {
		return t.samples.Fill(dst, row, rows[i].Part, rows[i].Index)
	}
}

func (t *Tuner) predict(n int, fill func(dst *domain.Array, row, i int) error) ([]float32, error) {
	c := t.cfg.Classes
	out := make([]float32, n*c)
	err := t.forward.All(n, func(dst []domain.Array, row, i int) error {
		return fill(&dst[0], row, i)
	}, func(i int, o [][]float32) error { copy(out[i*c:(i+1)*c], o[0]); return nil })
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
	perEpoch := (len(tr) + batch - 1) / batch
	total := perEpoch * t.cfg.Epochs
	cut := t.cfg.MaxSteps > 0 && t.cfg.MaxSteps < total
	if cut {
		total = t.cfg.MaxSteps
	}
	// The rows that choose are read after every epoch, or 6 times in all where epochs are fewer.
	every := perEpoch
	if total < perEpoch*6 {
		every = max(1, total/6)
	}
	net := &Network{Val: -1, Cut: cut}
	feed := &train.Feed{Slots: step.Slots(), Samples: len(tr), Batch: batch, Seed: t.cfg.Seed<<16 ^ draw, Workers: 1,
		Ceil: true, Filler: train.FillFunc(func(dst []domain.Array, row int, _, epoch uint64, i int) error {
			dst[1].I32[row] = label(tr[i])
			return fill(&dst[0], row, epoch, i, tr[i])
		})}
	best := map[string]train.Value{}
	err = feed.Run(ctx, 0, total, func(_ int, s *train.Slot) error {
		if _, err := step.Run(s, train.Rates{LR: t.cfg.LR}); err != nil {
			return err
		}
		done := step.Steps()
		if done%every != 0 && done != total {
			return nil
		}
		if err := t.forward.BindStep(step); err != nil {
			return err
		}
		logits, err := t.predict(len(choose), t.Rows(choose))
		if err != nil {
			return err
		}
		hit := 0
		for i, c := range Argmax(logits, t.cfg.Classes) {
			if c == label(choose[i]) {
				hit++
			}
		}
		if acc := float64(hit) / float64(len(choose)); acc >= net.Val { // ties: the later epoch, as the peer does
			net.Val, net.Epoch = acc, (done+perEpoch-1)/perEpoch
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
