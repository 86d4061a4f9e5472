package genome

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/nn"
	"github.com/selfsame-ml/selfsame/optim"
	"github.com/selfsame-ml/selfsame/pretrain"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/train"
)

// BenchmarkStep is a training step (forward, backward, AdamW) of each encoder at 1.0 to 1.3 M parameters on windows of 512 and 1,024 bases, 8,192
// tokens a step: tokens/s. SELFSAME_BENCH_ENGINE and SELFSAME_BENCH_PRECISION name the engine; GENOME_TOKENS changes the tokens.
func BenchmarkStep(b *testing.B) {
	e, err := engine.Open(engine.Config{Kind: os.Getenv("SELFSAME_BENCH_ENGINE"), Precision: os.Getenv("SELFSAME_BENCH_PRECISION")})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	tokens := 8192
	if v, err := strconv.Atoi(os.Getenv("GENOME_TOKENS")); err == nil {
		tokens = v
	}
	for _, window := range []int{512, 1024} {
		for _, enc := range []recipe.Encoder{
			{Kind: recipe.EncoderConvLM, Width: 128, Depth: 14},
			{Kind: recipe.EncoderConvLM, Width: 128, Depth: 8},
			{Kind: recipe.EncoderGRU, Width: 128, Depth: 10},
			{Kind: recipe.EncoderTransformer, Width: 128, Depth: 6, Heads: 4},
		} {
			b.Run(fmt.Sprintf("%s/window=%d/depth=%d", enc.Kind, window, enc.Depth), func(b *testing.B) { step(b, e, enc, window, tokens/window) })
		}
	}
}

func step(b *testing.B, e *engine.Engine, enc recipe.Encoder, window, batch int) {
	r := recipeOf(window)
	r.Encoder = enc
	s := opened(b, r, Files{Pool: folder(b, map[string]string{"a.fa": ">a\n" + random(1, 200_000, 0.5) + "\n"})})
	v, err := s.Views()
	if err != nil {
		b.Fatal(err)
	}
	net, err := s.Encoder()
	if err != nil {
		b.Fatal(err)
	}
	m := &pretrain.Model{Encoder: net, Objective: r.Objective, Streams: v.Streams(), Seed: 1}
	params := 0
	st, err := train.New(e, train.Config{Name: "genome", Fields: v.Fields(), Batch: batch, Optim: optim.Config{Name: "adamw", Beta1: 0.9, Beta2: 0.99, Eps: 1e-8, Clip: 1}, Seed: 1},
		func(sc *nn.Scope, in map[string]*graph.Node) train.Out { return m.Loss(sc, in) })
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	for _, d := range st.Decls() {
		params += d.Size()
	}
	scratch := v.NewScratch()
	for k, slot := range st.Slots() {
		for row := range batch {
			if err := v.Fill(slot.Arrays, row, 1, uint64(k), row%s.Len(domain.Train), scratch); err != nil {
				b.Fatal(err)
			}
		}
	}
	run := func(i int) {
		if _, err := st.Run(st.Slots()[i%len(st.Slots())], train.Rates{LR: 1e-3}); err != nil {
			b.Fatal(err)
		}
	}
	for i := range 2 {
		run(i)
	}
	n, before := 0, processor()
	for b.Loop() {
		run(n)
		n++
	}
	if used := processor() - before; used > 0 {
		b.ReportMetric(float64(n*batch*window)/used, "tokens/cpu-s")
	}
	b.ReportMetric(float64(n*batch*window)/b.Elapsed().Seconds(), "tokens/s")
	b.ReportMetric(float64(params), "parameters")
}

// processor is the time in seconds that the process has used on all cores, where the system tells it (Linux): unlike the time that passes, it
// can be compared on a busy machine.
func processor() float64 {
	b, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return 0
	}
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:])) // from field 3 on, see proc(5)
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.ParseFloat(f[11], 64)
	system, _ := strconv.ParseFloat(f[12], 64)
	return (user + system) / 100 // ticks
}
