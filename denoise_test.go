package selfsame

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/selfsame-ml/selfsame/domain/dna/fastx"
	"github.com/selfsame-ml/selfsame/domain/dna/sequencer"
	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/internal/rng"
)

// randomGenome are n random base codes.
func randomGenome(seed uint64, n int) []uint8 {
	r := rng.New(seed, rng.Generate, uint64(n))
	g := make([]uint8, n)
	for i := range g {
		g[i] = uint8(r.IntN(4))
	}
	return g
}

func letters(codes []uint8) string {
	b := make([]byte, len(codes))
	for i, c := range codes {
		b[i] = "ACGTN"[c]
	}
	return string(b)
}

// simulated are reads of a genome by a profile, as FASTQ, with the truth of those that have no insertion or deletion.
func simulated(t testing.TB, genome []uint8, profile *sequencer.Profile, n, length int) (fastq []byte, truth []string) {
	t.Helper()
	r := rng.New(11, rng.Generate, uint64(n))
	back := make([]uint8, len(genome))
	for i, b := range genome {
		back[len(back)-1-i] = 3 - b
	}
	var b bytes.Buffer
	var read sequencer.Read
	for i := range n {
		strand := genome
		if r.IntN(2) == 1 {
			strand = back
		}
		at := r.IntN(len(genome) - length - 50)
		profile.Read(r, strand[at:], length, &read)
		fmt.Fprintf(&b, "@r%d\n%s\n+\n", i, letters(read.Bases))
		plain := read.Body == len(read.Bases)
		for j, q := range read.Quals {
			b.WriteByte('!' + q)
			plain = plain && read.Here[j] < 4 && read.After[j] == 0
		}
		b.WriteByte('\n')
		text := ""
		if plain {
			text = letters(read.Here)
		}
		truth = append(truth, text)
	}
	return b.Bytes(), truth
}

// readGain is (TP-FP)/(TP+FN) over the reads whose truth is known, of Mitchell et al. 2020.
func readGain(t testing.TB, raw, corrected string, truth []string) float64 {
	t.Helper()
	a, err := fastx.ReadAll(raw, fastx.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := fastx.ReadAll(corrected, fastx.Options{})
	if err != nil || len(a) != len(b) || len(a) != len(truth) {
		t.Fatalf("%v: %d and %d records of %d", err, len(a), len(b), len(truth))
	}
	tp, fp, errs := 0, 0, 0
	for i, want := range truth {
		if want == "" {
			continue
		}
		got := b[i].Seq
		if len(got) != len(want) {
			fp++
			continue
		}
		for j := range want {
			switch {
			case a[i].Seq[j] != want[j]:
				errs++
				if got[j] == want[j] {
					tp++
				}
			case got[j] != want[j]:
				fp++
			}
		}
	}
	return float64(tp-fp) / float64(errs)
}

// A denoiser is trained, calibrated, exported and used; the file and the run directory give the same bytes, on any number of threads.
func TestDenoiseTrained(t *testing.T) {
	if testing.Short() {
		t.Skip("trains")
	}
	dir := t.TempDir()
	fasta := filepath.Join(dir, "genome.fa")
	if err := os.WriteFile(fasta, []byte(">one\n"+letters(randomGenome(1, 120_000))+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	recipe := filepath.Join(dir, "reads.yaml")
	text := `domain: dna
data: {source: ` + fasta + `, task: reads, size: 96, val: 0.2, test_share: 0.1}
views:
  - sequencer: {profile: "rate:0.01,0.001,0.001", depth: 0..12, length: 90, contract: restorable}
encoder: {kind: pileup, width: 12, depth: 2}
engine: {kind: go, precision: fp32}
train: {max_steps: 150, batch: 32}
certify: {samples: 16}
audit: {samples: 100}
`
	if err := os.WriteFile(recipe, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	run := filepath.Join(dir, "run")
	if _, err := Run(t.Context(), recipe, Options{Dir: run, Until: StagePretrain, CacheDir: dir}); err != nil {
		t.Fatal(err)
	}
	goEngine := engine.Config{Kind: engine.Go}
	profile := sequencer.Rate(0.01, 0.001, 0.001)
	raw, truth := simulated(t, randomGenome(2, 12_000), profile, 1200, 100)
	in := filepath.Join(dir, "raw.fq")
	if err := os.WriteFile(in, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out.fq")
	cfg := DenoiseConfig{Model: run, In: []string{in}, Out: []string{out}, Engine: goEngine, Tmp: dir}
	if _, err := Denoise(t.Context(), DenoiseConfig{Model: run, In: cfg.In, Out: cfg.Out, Engine: goEngine, MaxFalse: 100}); err == nil || !strings.Contains(err.Error(), "no calibration") {
		t.Errorf("a promise without a calibration: %v", err)
	}
	cal, err := CalibrateDenoiser(t.Context(), run, CalibrateConfig{Windows: 2500, Engine: goEngine, CacheDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if len(cal.Promises) == 0 || len(cal.Reliability) == 0 || cal.Bases < 100_000 {
		t.Fatalf("calibration of %d bases: %d promises, %d bars", cal.Bases, len(cal.Promises), len(cal.Reliability))
	}
	for _, bar := range cal.Reliability {
		if bar.Depth == "" && bar.Calls > 2000 && bar.Kind == "keep" && (bar.Mean-bar.Right > 0.01 || bar.Right-bar.Mean > 0.01) {
			t.Errorf("bar %+v of a calibrated model", bar)
		}
	}
	rep, err := Denoise(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	first, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	g := readGain(t, in, out, truth)
	t.Logf("gain %.3f at depth %.1f, %d changes, %.1f expected false per Mb", g, rep.MeanDepth, rep.Changes.Total, rep.ExpectedFalsePerMb)
	if g < 0.8 || !rep.Calibrated || rep.Changes.Total == 0 {
		t.Errorf("gain %.3f, calibrated %v", g, rep.Calibrated)
	}
	// One file holds the same model.
	file := filepath.Join(dir, "model.safetensors")
	if err := ExportDenoiser(run, file); err != nil {
		t.Fatal(err)
	}
	cfg.Model, cfg.Threads = file, 3
	if _, err := Denoise(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if again, err := os.ReadFile(out); err != nil || !bytes.Equal(first, again) {
		t.Errorf("the exported model with three threads gives other bytes: %v", err)
	}
	// A promise takes changes away, never adds any; a promise that cannot be kept is not made.
	cfg.DryRun, cfg.Out = true, nil
	last := rep.Changes.Total
	for _, most := range []float64{3000, 300, 0.01} {
		cfg.MaxFalse = most
		rep, err := Denoise(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if rep.Changes.Total > last {
			t.Errorf("at most %g per Mb: %d changes, more than %d", most, rep.Changes.Total, last)
		}
		last = rep.Changes.Total
		if most == 0.01 {
			if rep.Changes.Total != 0 {
				t.Errorf("%d changes, though 0.01 per Mb cannot be promised from %d bases", rep.Changes.Total, cal.Bases)
			}
			for _, d := range rep.Depth {
				if d.Why == "" {
					t.Errorf("depth %s does not say why it abstains", d.Depth)
				}
			}
		}
	}
	// Another domain's model, a file that is none, no card.
	bad := filepath.Join(dir, "bad.safetensors")
	if err := os.WriteFile(bad, []byte("no tensors"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{bad, filepath.Join(run, pretrainFile), dir, "nobody"} {
		cfg.Model = name
		if _, err := Denoise(t.Context(), cfg); err == nil {
			t.Errorf("model %s is no denoiser, but was taken", name)
		}
	}
}

func TestDenoiseReport(t *testing.T) {
	dir := t.TempDir()
	raw, _ := simulated(t, randomGenome(3, 2000), sequencer.Rate(0.01, 0, 0), 200, 100)
	var stdout bytes.Buffer
	rep, err := Denoise(t.Context(), DenoiseConfig{Model: "bayes", In: []string{"-"}, Out: []string{"-"}, Stdin: bytes.NewReader(raw), Stdout: &stdout,
		Report: filepath.Join(dir, "report.json"), Seed: 5, Tmp: dir})
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	var back DenoiseReport
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if back.Reads != 200 || back.Seed != 5 || back.Model != "bayes" || back.Changes.Total != rep.Changes.Total || bytes.Count(stdout.Bytes(), []byte("\n")) != 800 {
		t.Errorf("report %+v", back)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Denoise(ctx, DenoiseConfig{Model: "bayes", In: []string{"-"}, Out: []string{"-"}, Stdin: bytes.NewReader(raw), Stdout: &stdout, Tmp: dir}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "selfsame-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
