// Package bench holds the benchmarks of whole training steps, shaped as common programs of PyTorch:
// same networks, batches and units, so that the figures can be laid side by side.
package bench

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/domain/image"
	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/internal/rng"
	"github.com/selfsame-ml/selfsame/nn"
	"github.com/selfsame-ml/selfsame/objective"
	"github.com/selfsame-ml/selfsame/optim"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/train"
)

// open takes the engine that SELFSAME_BENCH_ENGINE and SELFSAME_BENCH_PRECISION name; auto without them.
// The process keeps one XLA client with one set of flags, so each measurement has a process of its own.
func open(b *testing.B) *engine.Engine {
	b.Helper()
	e, err := engine.Open(engine.Config{Kind: os.Getenv("SELFSAME_BENCH_ENGINE"), Precision: os.Getenv("SELFSAME_BENCH_PRECISION")})
	if err != nil {
		b.Fatal(err)
	}
	return e
}

// steps warms up three steps, then times the loop and reports items a second, the seconds from begin to
// the end of the first step (opening the engine, compiling, running) and the peak memory.
func steps(b *testing.B, begin time.Time, s *train.Step, fill func(a []domain.Array), items int, unit string) {
	b.Helper()
	slots := s.Slots()
	for _, sl := range slots {
		fill(sl.Arrays)
	}
	run := func(i int) {
		if _, err := s.Run(slots[i%len(slots)], train.Rates{LR: 0.01}); err != nil {
			b.Fatal(err)
		}
	}
	run(0)
	first := time.Since(begin)
	for i := range 2 {
		run(i + 1)
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		run(n)
		n++
	}
	b.ReportMetric(float64(items*n)/b.Elapsed().Seconds(), unit)
	b.ReportMetric(first.Seconds(), "first-step-s")
	reportPeak(b)
}

// reportPeak reports the process's largest resident memory so far, where the system tells it (Linux).
func reportPeak(b *testing.B) {
	b.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			var kib float64
			if _, err := fmt.Sscanf(rest, "%f kB", &kib); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(kib/1024, "peak-MiB")
		}
	}
}

func goBatch(b *testing.B, few int) int {
	b.Helper()
	v := os.Getenv("SELFSAME_BENCH_BATCH")
	if v == "" {
		return few
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 {
		b.Fatalf("SELFSAME_BENCH_BATCH is %q, not a positive number", v)
	}
	return n
}

// simCLR is the loss of two views by an encoder and a projector of 128 and 64 units.
func simCLR(enc domain.Encoder) func(sc *nn.Scope, in map[string]*graph.Node) train.Out {
	return func(sc *nn.Scope, in map[string]*graph.Node) train.Out {
		f := enc.Encode(sc.In("encoder"), in["views"]).Pooled
		z := sc.Linear("project2", nn.ReLU(sc.Linear("project1", f, 128, true)), 64, true)
		return train.Out{Loss: objective.NTXent(z, 2, 0.5)}
	}
}

// BenchmarkSimCLRStep is one SimCLR step on 256 images of 3x32x32 (512 views), ResNet of 32, 64 and 128
// channels, projector 128-128-64, NT-Xent at T = 0.5, SGD with momentum. An image is counted once.
func BenchmarkSimCLRStep(b *testing.B) {
	for _, blocks := range []int{1, 2} {
		name := map[int]string{1: "blocks=1", 2: "blocks=2"}[blocks]
		b.Run(name, func(b *testing.B) {
			begin := time.Now()
			e := open(b)
			batch := 256
			if e.Kind() == engine.Go {
				batch = goBatch(b, 256)
			}
			enc, err := image.NewEncoder(recipe.Encoder{Kind: "resnet", Width: 32, Depth: blocks, Stages: 3}, domain.Field{DType: domain.F32, Dims: []int{32, 32, 3}})
			if err != nil {
				b.Fatal(err)
			}
			o := optim.Defaults(optim.SGD)
			o.Momentum = 0.9
			s, err := train.New(e, train.Config{Name: "SimCLR", Batch: 2 * batch, Optim: o, Ring: 2, Fields: []domain.Field{{Name: "views", DType: domain.F32, Dims: []int{32, 32, 3}}}},
				simCLR(enc))
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			steps(b, begin, s, func(a []domain.Array) {
				r := rng.New(1, rng.Views, uint64(blocks))
				for i := range a[0].F32 {
					a[0].F32[i] = float32(r.NormFloat64())
				}
			}, batch, "images/s")
		})
	}
}

const vocabulary, mask = 8, 8

func maskedLM(batch, seq int) func(sc *nn.Scope, in map[string]*graph.Node) train.Out {
	const width, heads, layers = 128, 4, 4
	return func(sc *nn.Scope, in map[string]*graph.Node) train.Out {
		x := sc.Embedding("token", in["ids"], vocabulary+1, width)
		x = graph.Add(x, sc.Param("position", nn.Bias, nn.Init{Kind: nn.Normal, Scale: 0.02}, 1, seq, width))
		for l := range layers {
			x = sc.In("layer%d", l).TransformerBlock("block", x, heads, 4*width, nn.AttentionOptions{})
		}
		logits := sc.Linear("head", sc.LayerNorm("norm", x), vocabulary, true)
		n := batch * seq
		return train.Out{Loss: nn.CrossEntropy(graph.Reshape(logits, n, vocabulary), graph.Reshape(in["target"], n), graph.Reshape(graph.ConvertDType(in["weight"], dtypes.Float32), n))}
	}
}

func maskedLMFields(seq int) []domain.Field {
	return []domain.Field{{Name: "ids", DType: domain.I32, Dims: []int{seq}}, {Name: "target", DType: domain.I32, Dims: []int{seq}}, {Name: "weight", DType: domain.F32, Dims: []int{seq}}}
}

// BenchmarkMaskedLMStep is one masked-language-model step: vocabulary 8 and mask, 32 sequences of 256,
// width 128, 4 pre-norm layers of 4 heads and 512 hidden units, cross-entropy at 15 % of the positions, Adam.
// All positions are counted.
func BenchmarkMaskedLMStep(b *testing.B) {
	begin := time.Now()
	e := open(b)
	batch, seq := 32, 256
	if e.Kind() == engine.Go {
		batch = goBatch(b, 32)
	}
	fields := maskedLMFields(seq)
	s, err := train.New(e, train.Config{Name: "masked LM", Batch: batch, Optim: optim.Defaults(optim.Adam), Ring: 2, Fields: fields},
		maskedLM(batch, seq))
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	steps(b, begin, s, func(a []domain.Array) {
		r := rng.New(2, rng.Mask)
		for i := range a[0].I32 {
			a[1].I32[i] = int32(r.IntN(vocabulary))
			a[0].I32[i], a[2].F32[i] = a[1].I32[i], 0
			if r.Float64() < 0.15 {
				a[0].I32[i], a[2].F32[i] = mask, 1
			}
		}
	}, batch*seq, "tokens/s")
}
