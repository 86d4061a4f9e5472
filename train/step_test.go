package train_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/engine/enginetest"
	"github.com/selfsame-ml/selfsame/internal/rng"
	"github.com/selfsame-ml/selfsame/nn"
	"github.com/selfsame-ml/selfsame/optim"
	"github.com/selfsame-ml/selfsame/train"
)

var fields = []domain.Field{{Name: "x", DType: domain.U8, Dims: []int{3}}, {Name: "y", DType: domain.F32}}

// sample is a noisy linear law of three bytes.
func sample(dst []domain.Array, row int, seed, epoch uint64, i int) error {
	r := rng.New(seed, rng.Views, epoch, uint64(i))
	var y float64
	for j, w := range []float64{0.5, -1, 2} {
		b := uint8(r.IntN(256))
		dst[0].U8[3*row+j] = b
		y += w * float64(b) / 255
	}
	dst[1].F32[row] = float32(y)
	return nil
}

func linear(s *nn.Scope, x *Node) *Node {
	w := s.Param("w", nn.Weight, nn.KaimingUniform(3), 3)
	b := s.Param("b", nn.Bias, nn.Zeros)
	return Add(Dot(MulScalar(ConvertDType(x, w.DType()), 1.0/255), w).Product(), b)
}

func loss(s *nn.Scope, in map[string]*Node) train.Out {
	d := Sub(linear(s.In("student"), in["x"]), in["y"])
	// a teacher and a running statistic, to be advanced beside the weights
	_ = linear(s.In("teacher").In("student"), in["x"])
	mean := s.Statistic("mean", nn.Zeros)
	s.SetStatistic("mean", Add(MulScalar(mean, 0.9), MulScalar(ReduceAllMean(in["y"]), 0.1)))
	l := ReduceAllMean(Square(d))
	return train.Out{Loss: l, Metrics: []train.Metric{{Name: "rmse", Node: Sqrt(StopGradient(l))}}}
}

func newStep(t *testing.T, e *engine.Engine, accumulate, batch int) (*train.Step, *train.Feed) {
	t.Helper()
	o := optim.Defaults(optim.SGD)
	o.Momentum = 0.9
	s, err := train.New(e, train.Config{Name: "test", Fields: fields, Batch: batch, Accumulate: accumulate, Optim: o, Seed: 7}, loss)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, &train.Feed{Filler: train.FillFunc(sample), Slots: s.Slots(), Samples: 64, Batch: batch, Seed: 3, Workers: 2}
}

func runSteps(t *testing.T, s *train.Step, f *train.Feed, from, to int) (last float32) {
	t.Helper()
	err := f.Run(context.Background(), from, to, func(_ int, sl *train.Slot) error {
		out, err := s.Run(sl, train.Rates{LR: 0.1, Momentum: 0.9})
		if err == nil {
			last = out[0]
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return last
}

func same(a, b *train.State) error {
	for name, v := range a.Values {
		if !slices.Equal(v.Data, b.Values[name].Data) {
			return fmt.Errorf("%s: %v and %v", name, v.Data, b.Values[name].Data)
		}
	}
	return nil
}

func state(t *testing.T, s *train.Step) *train.State {
	t.Helper()
	st, err := s.State()
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func TestStepLearns(t *testing.T) {
	enginetest.Each(t, func(t *testing.T, e *engine.Engine) {
		s, f := newStep(t, e, 1, 16)
		if last := runSteps(t, s, f, 0, 200); last > 1e-4 {
			t.Errorf("loss after 200 steps is %g", last)
		}
		w, err := s.Weights("student/")
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []float64{0.5, -1, 2} {
			if got := float64(w["w"].Data[i]); math.Abs(got-want) > 0.05 {
				t.Errorf("w[%d] = %g, want %g", i, got, want)
			}
		}
	})
}

// A run that is stopped and resumed from its state ends bit for bit where one that was not does.
func TestResumeBitForBit(t *testing.T) {
	enginetest.Each(t, func(t *testing.T, e *engine.Engine) {
		whole, f := newStep(t, e, 1, 16)
		runSteps(t, whole, f, 0, 13)
		first, f1 := newStep(t, e, 1, 16)
		runSteps(t, first, f1, 0, 6)
		second, f2 := newStep(t, e, 1, 16)
		if err := second.SetState(state(t, first)); err != nil {
			t.Fatal(err)
		}
		f2.Workers = 1
		runSteps(t, second, f2, 6, 13)
		if err := same(state(t, whole), state(t, second)); err != nil {
			t.Error(err)
		}
	})
}

// Four micro-batches of 4 give the step of one batch of 16.
func TestAccumulate(t *testing.T) {
	enginetest.Each(t, func(t *testing.T, e *engine.Engine) {
		whole, f := newStep(t, e, 1, 16)
		runSteps(t, whole, f, 0, 3)
		parts, g := newStep(t, e, 4, 4)
		runSteps(t, parts, g, 0, 12)
		a, b := state(t, whole), state(t, parts)
		if b.Step != 3 {
			t.Fatalf("%d steps, want 3", b.Step)
		}
		for _, name := range []string{"student/w", "student/b", "teacher/student/w"} {
			for i := range a.Values[name].Data {
				if d := math.Abs(float64(a.Values[name].Data[i] - b.Values[name].Data[i])); d > 1e-5 {
					t.Errorf("%s[%d]: %g and %g", name, i, a.Values[name].Data[i], b.Values[name].Data[i])
				}
			}
		}
	})
}

func TestTeacherFollows(t *testing.T) {
	enginetest.Each(t, func(t *testing.T, e *engine.Engine) {
		s, f := newStep(t, e, 1, 16)
		start := state(t, s)
		if !slices.Equal(start.Values["teacher/student/w"].Data, start.Values["student/w"].Data) {
			t.Error("a teacher must start as its student")
		}
		runSteps(t, s, f, 0, 1)
		end := state(t, s)
		for i, w0 := range start.Values["student/w"].Data {
			want := 0.9*w0 + 0.1*end.Values["student/w"].Data[i]
			if got := end.Values["teacher/student/w"].Data[i]; math.Abs(float64(got-want)) > 1e-6 {
				t.Errorf("teacher %g, want %g", got, want)
			}
		}
		if end.Values["mean"].Data[0] == 0 {
			t.Error("the running statistic did not move")
		}
	})
}

// NaN input stops the run and leaves the weights as they were.
func TestNotFiniteKeepsWeights(t *testing.T) {
	enginetest.Each(t, func(t *testing.T, e *engine.Engine) {
		s, f := newStep(t, e, 1, 16)
		runSteps(t, s, f, 0, 2)
		before := state(t, s)
		sl := s.Slots()[0]
		sl.Arrays[1].F32[3] = float32(math.NaN())
		_, err := s.Run(sl, train.Rates{LR: 0.1, Momentum: 0.9})
		if !errors.Is(err, train.ErrNotFinite) {
			t.Fatalf("got %v", err)
		}
		if err := same(before, state(t, s)); err != nil {
			t.Error(err)
		}
	})
}

func TestFeedErrorStops(t *testing.T) {
	e := enginetest.Engines(t)[0]
	_, f := newStep(t, e, 1, 16)
	broken := errors.New("sample 5 is broken")
	f.Filler = train.FillFunc(func(dst []domain.Array, row int, seed, epoch uint64, i int) error {
		if i == 5 {
			return broken
		}
		return sample(dst, row, seed, epoch, i)
	})
	if err := f.Run(context.Background(), 0, 8, func(int, *train.Slot) error { return nil }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

func TestForwardMatchesStep(t *testing.T) {
	enginetest.Each(t, func(t *testing.T, e *engine.Engine) {
		s, f := newStep(t, e, 1, 16)
		runSteps(t, s, f, 0, 50)
		fw, err := train.NewForward(e, "forward", fields[:1], 8, func(sc *nn.Scope, in map[string]*Node) []*Node {
			return []*Node{linear(sc.In("student"), in["x"])}
		})
		if err != nil {
			t.Fatal(err)
		}
		defer fw.Close()
		if err := fw.BindStep(s); err != nil {
			t.Fatal(err)
		}
		collect := func() (out []float32) {
			err := fw.All(11, func(dst []domain.Array, row, i int) error {
				for j := range 3 {
					dst[0].U8[3*row+j] = uint8(20*i + j)
				}
				return nil
			}, func(_ int, o [][]float32) error { out = append(out, o[0]...); return nil })
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		bound := collect()
		w, err := s.Weights("")
		if err != nil {
			t.Fatal(err)
		}
		if err := fw.Bind(w); err != nil {
			t.Fatal(err)
		}
		if len(bound) != 11 || !slices.Equal(bound, collect()) {
			t.Errorf("%d outputs of the step's weights differ from those uploaded", len(bound))
		}
		delete(w, "student/b")
		if err := fw.Bind(w); err == nil {
			t.Error("missing weights must be an error")
		}
	})
}
