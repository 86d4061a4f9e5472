package train_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/engine/enginetest"
	"github.com/selfsame-ml/selfsame/nn"
	"github.com/selfsame-ml/selfsame/optim"
	"github.com/selfsame-ml/selfsame/train"
)

// A step that fails (not finite, a batch of another shape, a context that ends) leaves a model that goes on to the weights
// of a run in which nothing failed, bit for bit.
func TestFailedStepNeverLosesTheModel(t *testing.T) {
	enginetest.Each(t, func(t *testing.T, e *engine.Engine) {
		for _, accumulate := range []int{1, 2} {
			whole, f := newStep(t, e, accumulate, 8)
			runSteps(t, whole, f, 0, 8*accumulate)

			s, f := newStep(t, e, accumulate, 8)
			runSteps(t, s, f, 0, 3*accumulate)
			rates := train.Rates{LR: 0.1, Momentum: 0.9}
			sl := s.Slots()[0]
			sl.Arrays[1].F32[2] = float32(math.Inf(1))
			if _, err := s.Run(sl, rates); !errors.Is(err, train.ErrNotFinite) {
				t.Fatalf("infinite input: %v", err)
			}
			other, _ := newStep(t, e, accumulate, 4)
			if _, err := s.Run(other.Slots()[0], rates); err == nil {
				t.Error("a batch of 4 rows was taken for one of 8")
			}
			ctx, cancel := context.WithCancel(context.Background())
			err := f.Run(ctx, 3*accumulate, 8*accumulate, func(n int, sl *train.Slot) error {
				if n == 5*accumulate-1 {
					cancel()
				}
				_, err := s.Run(sl, rates)
				return err
			})
			if !errors.Is(err, context.Canceled) || s.Steps() != 5 {
				t.Fatalf("cancelled at step %d: %v", s.Steps(), err)
			}
			runSteps(t, s, f, 5*accumulate, 8*accumulate)
			if err := same(state(t, whole), state(t, s)); err != nil {
				t.Errorf("accumulate %d: %v", accumulate, err)
			}
		}
	})
}

// A state that is put back in the middle of a step forgets the step's first micro-batches.
func TestSetStateDropsGradients(t *testing.T) {
	enginetest.Each(t, func(t *testing.T, e *engine.Engine) {
		a, f := newStep(t, e, 2, 8)
		start := state(t, a)
		runSteps(t, a, f, 0, 4)
		b, g := newStep(t, e, 2, 8)
		runSteps(t, b, g, 5, 6)
		if _, err := b.State(); err == nil {
			t.Error("a state was given in the middle of a step")
		}
		if err := b.SetState(start); err != nil {
			t.Fatal(err)
		}
		runSteps(t, b, g, 0, 4)
		if err := same(state(t, a), state(t, b)); err != nil {
			t.Error(err)
		}
	})
}

var netFields = []domain.Field{{Name: "x", DType: domain.F32, Dims: []int{8, 8, 3}}, {Name: "y", DType: domain.I32}}

func netSample(dst []domain.Array, row int, seed, epoch uint64, i int) error {
	y := i % 3
	for k := range 192 {
		dst[0].F32[row*192+k] = float32(math.Sin(float64(k*(y+1))/9+float64(epoch)) + 0.3*math.Sin(float64(i*k)))
	}
	dst[1].I32[row] = int32(y)
	return nil
}

// netLoss is a small network of most kinds of layers; with rows set, of those only that see one sample at a time.
func netLoss(rows bool) train.LossFunc {
	return func(s *nn.Scope, in map[string]*Node) train.Out {
		x := s.Conv2D("conv1", in["x"], 8, nn.Square(3), false, nn.ConvOptions{Pad: nn.PadSquare(1)})
		if rows {
			x = nn.ReLU(s.GroupNorm("norm1", x, 2))
		} else {
			x = s.BatchNormReLU("norm1", x, nil)
		}
		x = nn.MaxPool(x, nn.PoolOptions{Kernel: nn.Square(2)})
		x = nn.SiLU(s.Conv2D("conv2", x, 8, nn.Square(2), true, nn.ConvOptions{Stride: nn.Square(2), Groups: 2}))
		d := x.Shape().Dimensions
		x = s.TransformerBlock("block", Reshape(x, d[0], d[1]*d[2], d[3]), 2, 16, nn.AttentionOptions{Causal: true, Rotary: 100})
		return train.Out{Loss: nn.CrossEntropy(s.Linear("out", nn.GlobalMeanPool(x), 3, true), in["y"], nil)}
	}
}

func netStep(t *testing.T, e *engine.Engine, o optim.Config, accumulate, batch, workers int, rows bool) (*train.Step, *train.Feed) {
	t.Helper()
	s, err := train.New(e, train.Config{Name: "net", Fields: netFields, Batch: batch, Accumulate: accumulate, Optim: o, Seed: 11}, netLoss(rows))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, &train.Feed{Filler: train.FillFunc(netSample), Slots: s.Slots(), Samples: 48, Batch: batch, Group: accumulate, Seed: 3, Workers: workers}
}

// far names the state whose relative distance in the 2-norm is above limit.
func far(a, b *train.State, limit float64) error {
	for name, v := range a.Values {
		var d, n float64
		for i, x := range v.Data {
			y := float64(b.Values[name].Data[i])
			d, n = d+(float64(x)-y)*(float64(x)-y), n+float64(x)*float64(x)
		}
		if !(math.Sqrt(d) <= limit*math.Sqrt(n)+limit*1e-2) {
			return fmt.Errorf("%s: distance %.3g of %.3g", name, math.Sqrt(d), math.Sqrt(n))
		}
	}
	return nil
}

// Accumulated gradients give the step of the large batch to 1e-5, for every optimiser and with clipping.
func TestAccumulateEveryOptimiser(t *testing.T) {
	enginetest.Each(t, func(t *testing.T, e *engine.Engine) {
		for _, name := range []string{optim.SGD, optim.AdamW, optim.LARS} {
			o := optim.Defaults(name)
			o.Clip = 0.5
			if name == optim.AdamW {
				o.Eps = 1e-4 // at 1e-8 the first step is the sign of the gradient, rounding included
			}
			whole, f := netStep(t, e, o, 1, 16, 1, true)
			parts, g := netStep(t, e, o, 4, 4, 2, true)
			runSteps(t, whole, f, 0, 3)
			runSteps(t, parts, g, 0, 12)
			if err := far(state(t, whole), state(t, parts), 1e-5); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// Two runs of one seed are bit-equal on each engine, whatever the workers, and the engines agree to 1e-4 after 20 steps of a
// network with convolutions, batch norm, pooling and attention.
func TestEnginesAgreeOnANetwork(t *testing.T) {
	got := map[string]*train.State{}
	enginetest.Each(t, func(t *testing.T, e *engine.Engine) {
		a, f := netStep(t, e, optim.Defaults(optim.SGD), 1, 16, 1, false)
		first := runSteps(t, a, f, 0, 1)
		last := runSteps(t, a, f, 1, 20)
		b, g := netStep(t, e, optim.Defaults(optim.SGD), 1, 16, 3, false)
		runSteps(t, b, g, 0, 20)
		if err := same(state(t, a), state(t, b)); err != nil {
			t.Errorf("two runs differ: %v", err)
		}
		if last > first/2 {
			t.Errorf("loss %g at first, %g after 20 steps: nothing to compare", first, last)
		}
		got[e.Kind()] = state(t, a)
	})
	if len(got) < 2 {
		t.Log("one engine at hand: nothing to compare")
		return
	}
	if err := far(got[engine.Go], got[engine.XLA], 1e-4); err != nil {
		t.Error(err)
	}
}

// The teacher after several steps is the moving average of the students, in plain Go.
func TestTeacherOverSteps(t *testing.T) {
	enginetest.Each(t, func(t *testing.T, e *engine.Engine) {
		s, f := newStep(t, e, 1, 16)
		var want []float64
		for _, v := range state(t, s).Values["student/w"].Data {
			want = append(want, float64(v))
		}
		for k := range 8 {
			m := optim.TeacherMomentum(0.5, k, 8)
			err := f.Run(context.Background(), k, k+1, func(_ int, sl *train.Slot) error {
				_, err := s.Run(sl, train.Rates{LR: 0.1, Momentum: m})
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			st := state(t, s)
			for i, w := range st.Values["student/w"].Data {
				want[i] = m*want[i] + (1-m)*float64(w)
				if got := float64(st.Values["teacher/student/w"].Data[i]); math.Abs(got-want[i]) > 1e-5 {
					t.Errorf("step %d: teacher %g, want %g", k, got, want[i])
				}
			}
		}
	})
}

// usage is what may grow: the resident set (0 where it is not known), the Go heap, goroutines.
func usage() (rss, heap int64, goroutines int) {
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if b, err := os.ReadFile("/proc/self/statm"); err == nil {
		var total int64
		if _, err := fmt.Sscan(string(b), &total, &rss); err != nil {
			rss = 0
		}
		rss *= int64(os.Getpagesize())
	}
	return rss, int64(m.HeapAlloc), runtime.NumGoroutine()
}

const (
	flat  = 64 << 20 // bytes that 10,000 steps may add
	width = 8192     // weights of the network whose memory is watched: a buffer of 32 KiB
)

func wide(s *nn.Scope, in map[string]*Node) train.Out {
	x := MulScalar(ConvertDType(in["x"], dtypes.Float32), 1./255)
	w := s.Param("w", nn.Weight, nn.KaimingUniform(width), width, 1)
	return train.Out{Loss: ReduceAllMean(Square(nn.MatMul(x, w)))}
}

// Ten thousand steps grow neither the resident set, nor the Go heap, nor the number of goroutines. Every buffer of a step but
// that of its three scalars has 32 KiB; the control shows that one a step that nobody finalises would be seen (a smaller one
// may hide in what the compiler has left free).
func TestFlatMemory(t *testing.T) {
	enginetest.Each(t, func(t *testing.T, e *engine.Engine) {
		s, err := train.New(e, train.Config{Name: "wide", Fields: []domain.Field{{Name: "x", DType: domain.U8, Dims: []int{width}}}, Batch: 4, Optim: optim.Defaults(optim.AdamW)}, wide)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		f := &train.Feed{Slots: s.Slots(), Samples: 64, Batch: 4, Workers: 2,
			Filler: train.FillFunc(func(dst []domain.Array, row int, _, _ uint64, i int) error {
				for k := range 16 {
					dst[0].U8[row*width+k] = uint8(i + k)
				}
				return nil
			})}
		runSteps(t, s, f, 0, 1000)
		rss, heap, goroutines := usage()
		runSteps(t, s, f, 1000, 11_000)
		rss2, heap2, goroutines2 := usage()
		t.Logf("10,000 steps: resident set %+d KiB, Go heap %+d KiB, goroutines %+d", (rss2-rss)>>10, (heap2-heap)>>10, goroutines2-goroutines)
		if rss2-rss > flat || heap2-heap > 1<<20 || goroutines2 > goroutines {
			t.Errorf("resident set grew by %d bytes, Go heap by %d, goroutines from %d to %d", rss2-rss, heap2-heap, goroutines, goroutines2)
		}
		var kept []compute.Buffer // the control
		data := make([]float32, width)
		for i := range 10_000 {
			data[0] = float32(i)
			b, err := engine.Upload(e, data, width)
			if err != nil {
				t.Fatal(err)
			}
			kept = append(kept, b)
		}
		if leaked, _, _ := usage(); rss > 0 && leaked-rss2 < 2*flat {
			t.Errorf("a leaked buffer a step adds %d bytes only: this test would not see one", leaked-rss2)
		}
		engine.FreeAll(kept)
	})
}

// More large independent matrix products than the go back end has workers become ready at once, and none waits for another for
// ever. Run concurrently they were seen to deadlock in other graphs, not in this one, so this does not test the guard alone.
func TestManyProductsAtOnce(t *testing.T) {
	enginetest.Each(t, func(t *testing.T, e *engine.Engine) {
		const n = 192
		products := 8 * runtime.GOMAXPROCS(0)
		p, err := e.Compile("products", func(g *Graph) []*Node {
			x := Parameter(g, "x", shapes.Make(dtypes.Float32, n, n))
			var sum *Node
			for i := range products {
				y := ReduceAllMean(nn.MatMul(x, AddScalar(x, float64(i))))
				if sum == nil {
					sum = y
				} else {
					sum = Add(sum, y)
				}
			}
			return []*Node{sum}
		})
		if err != nil {
			t.Fatal(err)
		}
		x := make([]float32, n*n)
		for i := range x {
			x[i] = 1
		}
		done := make(chan error, 1)
		go func() {
			for range 5 {
				out, err := p.Floats(x)
				if want := float64(n * products * (products + 1) / 2); err == nil && math.Abs(float64(out[0][0])-want) > 1e-4*want {
					err = fmt.Errorf("sum %g, want %g", out[0][0], want)
				}
				if err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(time.Minute):
			t.Fatal("the products wait for each other")
		}
	})
}

// Batches are written into the memory of the slots, over and over; the last incomplete batch of an epoch is dropped, or filled up.
func TestFeedReusesSlots(t *testing.T) {
	for _, ceil := range []bool{false, true} {
		slots := make([]*train.Slot, 3)
		mem := map[*float32]int{}
		for i := range slots {
			slots[i] = &train.Slot{Arrays: []domain.Array{{F32: make([]float32, 4)}}}
			mem[&slots[i].Arrays[0].F32[0]] = 0
		}
		f := &train.Feed{Slots: slots, Samples: 10, Batch: 4, Seed: 1, Workers: 2, Ceil: ceil,
			Filler: train.FillFunc(func(dst []domain.Array, row int, _, _ uint64, i int) error {
				dst[0].F32[row] = float32(i)
				return nil
			})}
		per := 2
		if ceil {
			per = 3
		}
		if f.PerEpoch() != per {
			t.Fatalf("ceil %v: %d batches an epoch, want %d", ceil, f.PerEpoch(), per)
		}
		var got []int
		err := f.Run(context.Background(), 0, 4*per, func(_ int, s *train.Slot) error {
			a := s.Arrays[0].F32
			if _, ok := mem[&a[0]]; !ok || len(a) != 4 {
				return errors.New("a batch is not in the memory of a slot")
			}
			mem[&a[0]]++
			for _, v := range a {
				got = append(got, int(v))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for p, n := range mem {
			if n < 2 {
				t.Errorf("slot %p was used %d times", p, n)
			}
		}
		for e := range 4 {
			epoch := got[e*per*4 : (e+1)*per*4]
			once := slices.Clone(epoch)
			slices.Sort(once)
			once = slices.Compact(once)
			if want := min(10, per*4); len(once) != want {
				t.Errorf("ceil %v epoch %d: %d samples seen, want %d: %v", ceil, e, len(once), want, epoch)
			}
			if ceil && !slices.Equal(epoch[10:], epoch[:2]) {
				t.Errorf("epoch %d is filled up with %v, want its beginning %v", e, epoch[10:], epoch[:2])
			}
		}
	}
}
