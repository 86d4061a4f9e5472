package pretrain_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/domain/domaintest"
	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/engine/enginetest"
	"github.com/selfsame-ml/selfsame/nn"
	"github.com/selfsame-ml/selfsame/pretrain"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/train"
)

// tiny is a recipe of 24 small steps.
func tiny(objective string) *recipe.Recipe {
	r := recipe.Default()
	r.Domain, r.Seed = "fake", 3
	r.Objective.Invariant = objective
	r.Objective.ProjectorDim, r.Objective.ProjectorHidden, r.Objective.Queue = 8, 16, 32
	r.Objective.ProjectorNorm = objective != "ntxent"
	r.Train.Batch, r.Train.Epochs, r.Train.MaxSteps, r.Train.WarmupEpochs = 16, 100, 24, 0
	r.Train.Optimizer, r.Train.LR, r.Train.WeightDecay = "adamw", 0.08, 0
	r.Train.CheckpointSteps, r.Train.HealthSteps, r.Train.Workers = 8, 12, 2
	return r
}

func fake(r *recipe.Recipe, changes ...*domaintest.Change) *domaintest.Fake {
	return domaintest.NewFake(r, 3, [3]int{40, 30, 0}, changes...)
}

// memory keeps checkpoints as they are.
type memory struct{ states []*train.State }

func (m *memory) Save(st *train.State) error {
	c := &train.State{Step: st.Step, Values: maps.Clone(st.Values)}
	m.states = append(m.states, c)
	return nil
}

func (m *memory) Latest() (*train.State, error) {
	if len(m.states) == 0 {
		return nil, nil
	}
	last := m.states[len(m.states)-1]
	return &train.State{Step: last.Step, Values: maps.Clone(last.Values)}, nil
}

// events sorts what a run tells.
type events struct {
	last   pretrain.Progress
	health []pretrain.Health
	saved  []int
	from   int // resumed at; -1: not
	on     func(any)
}

func (e *events) take(v any) {
	switch v := v.(type) {
	case pretrain.Progress:
		e.last = v
	case pretrain.Health:
		e.health = append(e.health, v)
	case pretrain.Saved:
		e.saved = append(e.saved, v.Step)
	case pretrain.Resumed:
		e.from = v.Step
	}
	if e.on != nil {
		e.on(v)
	}
}

func run(e *engine.Engine, r *recipe.Recipe, s domain.Samples, ck pretrain.Checkpoints, ev *events) (*pretrain.Result, error) {
	ev.from = -1
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	on := ev.on
	return pretrain.Run(ctx, pretrain.Config{Recipe: r, Engine: e, Samples: s, Checkpoints: ck, Event: func(v any) {
		ev.take(v)
		if on == nil {
			return
		}
		if sv, ok := v.(pretrain.Saved); ok && sv.Step == stopAt {
			cancel()
		}
	}})
}

// stopAt is the checkpoint at which a run with events.on set is interrupted.
const stopAt = 16

func sameWeights(a, b map[string]train.Value) error {
	if len(a) != len(b) {
		return fmt.Errorf("%d and %d weights", len(a), len(b))
	}
	for _, n := range slices.Sorted(maps.Keys(a)) {
		if !slices.Equal(a[n].Data, b[n].Data) {
			return fmt.Errorf("%s: %v and %v", n, a[n].Data[:1], b[n].Data[:min(1, len(b[n].Data))])
		}
	}
	return nil
}

// TestObjectives: every objective lowers its loss, and a run that is interrupted and resumed ends with
// the weights of one that is not, bit for bit: teachers, queue, moments and data position included.
func TestObjectives(t *testing.T) {
	noise := func() *domaintest.Change { return domaintest.Noise(0.3) }
	for _, c := range []struct {
		name, objective string
		changes         []*domaintest.Change
		set             func(r *recipe.Recipe)
		parts           []string
		gain            float64 // mean loss of all steps less that of the last third
	}{
		{name: "ntxent", objective: "ntxent", changes: []*domaintest.Change{noise()}, parts: []string{"loss/views", "spread"}, gain: 0.1},
		{name: "supcon", objective: "supcon", changes: []*domaintest.Change{noise()}, gain: 0.015},
		{name: "vicreg", objective: "vicreg", changes: []*domaintest.Change{noise()}, gain: 0.5},
		{name: "barlow", objective: "barlow", changes: []*domaintest.Change{noise()}, gain: 0.01},
		{name: "byol", objective: "byol", changes: []*domaintest.Change{noise()}, gain: 0.1},
		{name: "simsiam", objective: "simsiam", changes: []*domaintest.Change{noise()}, gain: 0.05},
		{name: "moco", objective: "moco", changes: []*domaintest.Change{noise()}, gain: 0.05},
		{name: "no projector", objective: "byol", changes: []*domaintest.Change{noise()}, set: func(r *recipe.Recipe) { r.Objective.ProjectorLayers = 0 }, gain: 0.1},
		{name: "predict a class", objective: "ntxent", changes: []*domaintest.Change{domaintest.Roll()}, parts: []string{"loss/roll", "accuracy/roll"}, gain: 0.1},
		{name: "predict a number", objective: "ntxent", changes: []*domaintest.Change{domaintest.Lift(-1, 1)}, parts: []string{"loss/lift"}, gain: 0.04},
		{name: "restore", objective: "ntxent", changes: []*domaintest.Change{domaintest.Hide(4)}, parts: []string{"loss/hide", "trivial/hide"}, gain: 0.1},
		{name: "sum", objective: "ntxent", changes: []*domaintest.Change{noise(), domaintest.Roll(), domaintest.Hide(4)},
			set: func(r *recipe.Recipe) {
				r.Objective.Kind, r.Objective.Weights = "sum", map[string]float64{"views": 0.5, "roll": 2}
			}, parts: []string{"loss/views", "loss/roll", "accuracy/roll", "spread"}, gain: 0.2},
		{name: "micro-batches", objective: "ntxent", changes: []*domaintest.Change{noise()}, set: func(r *recipe.Recipe) { r.Train.Accumulate = 2 }, gain: 0.05},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := enginetest.Engines(t)[0]
			r := tiny(c.objective)
			if c.set != nil {
				c.set(r)
			}
			s := fake(r, c.changes...)
			var all, first, rest events
			whole, err := run(e, r, s, nil, &all)
			if err != nil {
				t.Fatal(err)
			}
			ck := &memory{}
			first.on = func(any) {}
			if _, err := run(e, r, s, ck, &first); !errors.Is(err, pretrain.ErrInterrupted) || !strings.Contains(err.Error(), "step 16 of 24") {
				t.Fatalf("the interrupted run ended with %v", err)
			}
			resumed, err := run(e, r, s, ck, &rest)
			if err != nil {
				t.Fatal(err)
			}
			if rest.from != stopAt || !slices.Equal(first.saved, []int{8, 16}) || !slices.Equal(rest.saved, []int{24}) {
				t.Errorf("resumed at %d; saved %v and %v", rest.from, first.saved, rest.saved)
			}
			if err := sameWeights(whole.Weights, resumed.Weights); err != nil {
				t.Errorf("whole and resumed run differ: %v", err)
			}
			if gain := all.last.Loss - rest.last.Loss; !(gain > c.gain) {
				t.Errorf("mean loss %.4f, of the last third %.4f: want at least %g less", all.last.Loss, rest.last.Loss, c.gain)
			}
			for _, p := range c.parts {
				if _, ok := all.last.Parts[p]; !ok {
					t.Errorf("%s is not logged alone: %v", p, all.last.Parts)
				}
			}
			for name := range all.last.Parts {
				if c.parts != nil && !slices.Contains(append(c.parts, "grad_norm"), name) {
					t.Errorf("%s is logged, which was not asked for", name)
				}
			}
			if c.name == "sum" {
				want := 0.5*all.last.Parts["loss/views"] + 2*all.last.Parts["loss/roll"]
				if math.Abs(want-all.last.Loss) > 1e-4*want {
					t.Errorf("sum is %g, want %g", all.last.Loss, want)
				}
			}
			if len(whole.Health) != 3 || whole.Health[0].Step != 0 || whole.Health[1].Step != 12 || whole.Health[2].Step != 24 {
				t.Errorf("health looks %+v", whole.Health)
			}
		})
	}
}

// A stream of weight 0 is left out of the sum, and the run goes on.
func TestWeightZero(t *testing.T) {
	r := tiny("ntxent")
	r.Train.MaxSteps = 3
	r.Objective.Weights = map[string]float64{"roll": 0}
	var ev events
	res, err := run(enginetest.Engines(t)[0], r, fake(r, domaintest.Noise(0.3), domaintest.Roll()), nil, &ev)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := ev.last.Loss, ev.last.Parts["loss/views"]; math.Abs(got-want) > 1e-6 {
		t.Errorf("loss %g, of the views %g", got, want)
	}
	for name := range res.Weights { // a head that nothing trains would be audited as if it were
		if strings.HasPrefix(name, "head/") {
			t.Errorf("weight 0, but there is %s", name)
		}
	}
	r.Objective.Weights["views"] = 0
	if _, err := run(enginetest.Engines(t)[0], r, fake(r, domaintest.Noise(0.3), domaintest.Roll()), nil, &ev); err == nil || !strings.Contains(err.Error(), "no contract gives an objective") {
		t.Errorf("all weights 0: %v", err)
	}
}

// A transformation that is Equivariant in one range and Restorable in another logs both losses.
func TestOneTransformTwoStreams(t *testing.T) {
	c := domaintest.Hide(4)
	c.S.Kinds = append(c.S.Kinds, contract.Equivariant)
	c.C.Terms = contract.Terms{{Kind: contract.Restorable, Range: contract.Range{From: 3, To: 4}}, {Kind: contract.Equivariant, Range: contract.Range{From: 1, To: 2}}}
	r := tiny("ntxent")
	r.Train.MaxSteps = 2
	var ev events
	if _, err := run(enginetest.Engines(t)[0], r, fake(r, c), nil, &ev); err != nil {
		t.Fatal(err)
	}
	a, ok := ev.last.Parts["loss/hide"]
	b, ok2 := ev.last.Parts["loss/hide.restore"]
	if !ok || !ok2 || math.Abs(a+b-ev.last.Loss) > 1e-4 {
		t.Errorf("parts %v of loss %g", ev.last.Parts, ev.last.Loss)
	}
}

// An absurd rate ends with ErrNotFinite, names step and checkpoint, and no checkpoint holds a value that is not finite.
func TestNotFinite(t *testing.T) {
	for _, c := range []struct {
		lr   float64
		from int // checkpoint to start at; 0: none
	}{{1e38, 0}, {1e38, 8}, {1e20, 8}} {
		r := tiny("ntxent")
		r.Train.Optimizer, r.Train.CheckpointSteps, r.Train.MaxSteps = "sgd", 1, 12
		ck := &memory{}
		s := fake(r, domaintest.Noise(0.3))
		if c.from > 0 {
			good := *r
			good.Train.LR, good.Train.MaxSteps = 0.1, c.from
			if _, err := run(enginetest.Engines(t)[0], &good, s, ck, &events{}); err != nil {
				t.Fatal(err)
			}
		}
		r.Train.LR = c.lr
		_, err := run(enginetest.Engines(t)[0], r, s, ck, &events{})
		if !errors.Is(err, train.ErrNotFinite) {
			t.Fatalf("lr %g: %v", c.lr, err)
		}
		want := "no checkpoint was written before"
		last, _ := ck.Latest()
		if last != nil {
			want = fmt.Sprintf("last good checkpoint: step %d)", last.Step)
			for name, v := range last.Values {
				for _, x := range v.Data {
					if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
						t.Fatalf("lr %g: the checkpoint of step %d holds %g in %s", c.lr, last.Step, x, name)
					}
				}
			}
		} else if c.from > 0 {
			t.Errorf("lr %g: the good checkpoint is gone", c.lr)
		}
		if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "step ") {
			t.Errorf("lr %g: error %q does not say %q", c.lr, err, want)
		}
	}
}

// Labels of the training part are asked for by SupCon only.
func TestNoTrainingLabel(t *testing.T) {
	for _, objective := range []string{"ntxent", "byol", "supcon"} {
		for _, val := range []int{30, 0} {
			r := tiny(objective)
			r.Train.MaxSteps = 2
			s := domaintest.NewFake(r, 3, [3]int{40, val, 0}, domaintest.Noise(0.3))
			asked := 0
			s.OnLabels = func(p domain.Part) {
				if p != domain.Val {
					asked++
				}
			}
			res, err := run(enginetest.Engines(t)[0], r, s, nil, &events{})
			if err != nil {
				t.Fatal(err)
			}
			if (asked > 0) != (objective == "supcon") {
				t.Errorf("%s with %d validation samples: labels of another part were read %d times", objective, val, asked)
			}
			if (res.Health[0].KNN != nil) != (val > 0) {
				t.Errorf("kNN of the watch is %v with %d validation samples", res.Health[0].KNN, val)
			}
		}
	}
	r := tiny("supcon")
	s := fake(r, domaintest.Noise(0.3))
	s.Y[domain.Train] = nil
	if _, err := run(enginetest.Engines(t)[0], r, s, nil, &events{}); err == nil || !strings.Contains(err.Error(), "needs labels") {
		t.Errorf("supcon without labels: %v", err)
	}
}

// Unlabelled validation samples neither vote nor count in the kNN of the watch.
func TestWatchUnlabelled(t *testing.T) {
	r := tiny("ntxent")
	r.Train.MaxSteps = 1
	s := fake(r, domaintest.Noise(0.1))
	for i := range s.Y[domain.Val] {
		if i%3 != 0 { // class 0 alone is known: every answer is right
			s.Y[domain.Val][i] = -1
		}
	}
	res, err := run(enginetest.Engines(t)[0], r, s, nil, &events{})
	if err != nil {
		t.Fatal(err)
	}
	if k := res.Health[0].KNN; k == nil || *k != 1 {
		t.Errorf("kNN of one known class is %v, want 1", k)
	}
	for i := range s.Y[domain.Val] {
		s.Y[domain.Val][i] = -1
	}
	if res, err = run(enginetest.Engines(t)[0], r, s, nil, &events{}); err != nil || res.Health[0].KNN != nil {
		t.Errorf("kNN without a known label is %v, %v", res, err)
	}
}

// constant gives the same features whatever the sample, as a collapsed encoder does.
type constant struct{ domaintest.Net }

func (c constant) Encode(s *nn.Scope, x *graph.Node) domain.Features {
	f := c.Net.Encode(s, x).Pooled
	one := s.Param("one", nn.Bias, nn.Ones, c.Out)
	return domain.Features{Pooled: graph.Add(graph.MulScalar(f, 1e-9), graph.BroadcastToDims(graph.Reshape(one, 1, c.Out), f.Shape().Dimensions...))}
}

// The watch looks at the untrained encoder first, and names collapse.
func TestCollapseIsNamed(t *testing.T) {
	r := tiny("ntxent")
	r.Train.MaxSteps, r.Train.HealthSteps, r.Train.LR = 4, 2, 1e-6
	s := fake(r, domaintest.Noise(0.3))
	s.Enc = constant{domaintest.Net{Out: 8}}
	res, err := run(enginetest.Engines(t)[0], r, s, nil, &events{})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{pretrain.AtRisk, pretrain.Collapsed, pretrain.Collapsed} {
		if h := res.Health[i]; h.Verdict != want || h.Step != 2*i || h.Why == "" {
			t.Errorf("look %d: %+v, want %s", i, h, want)
		}
	}
	s.Enc = nil
	r.Train.LR = 0.08
	if res, err = run(enginetest.Engines(t)[0], r, s, nil, &events{}); err != nil {
		t.Fatal(err)
	}
	for _, h := range res.Health {
		if h.Verdict != pretrain.Healthy || h.Alignment == nil || h.EffectiveRank < 1 || h.Dim != 16 {
			t.Errorf("a healthy encoder: %+v", h)
		}
	}
	if res.Health[0].Projections != nil || res.Health[1].Projections == nil {
		t.Error("the spread of the projections is known after the first step, not before")
	}
}

// Two runs of one seed are bit-equal on each engine, whatever the number of workers; another seed differs;
// the engines agree to 1e-4 after 20 steps in float32.
func TestEnginesAgree(t *testing.T) {
	got := map[string]map[string]train.Value{}
	enginetest.Each(t, func(t *testing.T, e *engine.Engine) {
		r := tiny("ntxent")
		r.Train.MaxSteps = 20
		r.Train.Optimizer, r.Train.LR, r.Train.Momentum = "sgd", 0.5, 0.9
		s := fake(r, domaintest.Noise(0.3), domaintest.Roll())
		one, err := run(e, r, s, nil, &events{})
		if err != nil {
			t.Fatal(err)
		}
		r.Train.Workers = 5
		two, err := run(e, r, s, nil, &events{})
		if err != nil {
			t.Fatal(err)
		}
		if err := sameWeights(one.Weights, two.Weights); err != nil {
			t.Errorf("two runs differ: %v", err)
		}
		got[e.Kind()] = one.Weights
		if e.Kind() == engine.Go {
			r.Seed++
			other, err := run(e, r, s, nil, &events{})
			if err != nil {
				t.Fatal(err)
			}
			if sameWeights(one.Weights, other.Weights) == nil {
				t.Error("another seed gives the same weights")
			}
		}
	})
	if len(got) < 2 {
		t.Log("one engine at hand: nothing to compare")
		return
	}
	for name, a := range got[engine.Go] {
		b := got[engine.XLA][name]
		var d, n float64
		for i := range a.Data {
			x, y := float64(a.Data[i]), float64(b.Data[i])
			d, n = d+(x-y)*(x-y), n+x*x
		}
		if math.Sqrt(d) > 1e-4*math.Sqrt(n)+1e-6 {
			t.Errorf("%s: engines differ by %.2g of %.2g", name, math.Sqrt(d), math.Sqrt(n))
		}
	}
}
