package optim

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestScheduleKnownValues(t *testing.T) {
	s := Schedule{Base: 0.06, Warm: 4, Total: 12}
	for step, want := range map[int]float64{
		0: 0, 1: 0.015, 2: 0.03, 4: 0.06, 6: 0.06 * 0.5 * (1 + math.Sqrt2/2), 8: 0.03, 12: 0, 100: 0, -1: 0,
	} {
		near(t, "rate", s.LR(step), want, 1e-15)
	}
	near(t, "no warm-up", Schedule{Base: 2, Total: 4}.LR(0), 2, 0)
	near(t, "warm-up only", Schedule{Base: 2, Warm: 4, Total: 4}.LR(3), 1.5, 0)
}

func TestScheduleIsThePeers(t *testing.T) {
	// lr = base * (step / warm if step < warm else 0.5 * (1 + cos(pi * (step - warm) / (total - warm))))
	rapid.Check(t, func(t *rapid.T) {
		warm := rapid.IntRange(0, 50).Draw(t, "warm")
		s := Schedule{Base: rapid.Float64Range(1e-4, 10).Draw(t, "base"), Warm: warm, Total: warm + rapid.IntRange(1, 500).Draw(t, "rest")}
		if err := s.Validate(); err != nil {
			t.Fatal(err)
		}
		prev := math.Inf(1)
		for step := range s.Total {
			var want float64
			if step < warm {
				want = s.Base * (float64(step) / float64(warm))
			} else {
				want = s.Base * (0.5 * (1 + math.Cos(math.Pi*float64(step-warm)/float64(s.Total-warm))))
			}
			got := s.LR(step)
			if math.Abs(got-want) > 1e-14*s.Base {
				t.Fatalf("step %d: %g, want %g", step, got, want)
			}
			if step >= warm && got > prev {
				t.Fatalf("step %d: the rate rises from %g to %g", step, prev, got)
			}
			if step >= warm {
				prev = got
			}
		}
	})
}

func TestScheduleValidate(t *testing.T) {
	for _, s := range []Schedule{{}, {Base: 1}, {Base: -1, Total: 3}, {Base: math.NaN(), Total: 3}, {Base: 1, Warm: 4, Total: 3}, {Base: 1, Warm: -1, Total: 3}} {
		if s.Validate() == nil {
			t.Errorf("%+v was accepted", s)
		}
	}
}

func TestTeacherMomentum(t *testing.T) {
	near(t, "start", TeacherMomentum(0.99, 0, 100), 0.99, 1e-15)
	near(t, "half", TeacherMomentum(0.99, 50, 100), 0.995, 1e-15)
	near(t, "end", TeacherMomentum(0.99, 100, 100), 1, 1e-15)
	near(t, "after the end", TeacherMomentum(0.99, 200, 100), 1, 1e-15)
}
