package denoise

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/selfsame-ml/selfsame/dataset"
	"github.com/selfsame-ml/selfsame/domain/dna/fastx"
	"github.com/selfsame-ml/selfsame/domain/dna/pileup"
)

// memory is an indexer over pileup.MemIndex.
type memory struct{ x *pileup.MemIndex }

func newMemory(t testing.TB) *memory {
	x, err := pileup.NewMemIndex(pileup.DefaultConfig(pileup.Short))
	if err != nil {
		t.Fatal(err)
	}
	return &memory{x}
}

func (m *memory) add(bases, quals []uint8) error { return m.x.Add(bases, quals) }
func (m *memory) finish(context.Context) error   { return m.x.Finish() }
func (m *memory) close() error                   { return nil }
func (m *memory) worker() (pile, error)          { return &columns{x: m.x}, nil }

// sample is a file of reads of a random genome with known truth.
type sample struct {
	fastq []byte
	truth []string
	raw   []string
}

// readsOf makes n reads of 100 bases of a genome at a depth; one base in rate is wrong, and then of low quality most times.
func readsOf(depth float64, n, rate int) *sample {
	r := rand.New(rand.NewPCG(5, uint64(n)))
	genome := make([]byte, max(int(float64(n*100)/depth), 200))
	for i := range genome {
		genome[i] = "ACGT"[r.IntN(4)]
	}
	s := &sample{}
	for i := range n {
		at := r.IntN(len(genome) - 99)
		truth := slices.Clone(genome[at : at+100])
		if r.IntN(2) == 1 {
			slices.Reverse(truth)
			for j, b := range truth {
				truth[j] = "TGCA"[codes[b]]
			}
		}
		raw, qual := slices.Clone(truth), make([]byte, 100)
		for j := range raw {
			qual[j] = 'I'
			if r.IntN(rate) == 0 {
				raw[j] = "ACGT"[(codes[raw[j]]+1+uint8(r.IntN(3)))%4]
				qual[j] = "+5I"[r.IntN(3)]
			}
		}
		fmt.Fprintf(bytesWriter{&s.fastq}, "@read%d %d:N:0\n%s\n+\n%s\n", i/2, i%2+1, raw, qual)
		s.truth, s.raw = append(s.truth, string(truth)), append(s.raw, string(raw))
	}
	return s
}

type bytesWriter struct{ b *[]byte }

func (w bytesWriter) Write(p []byte) (int, error) { *w.b = append(*w.b, p...); return len(p), nil }

func testConfig(t testing.TB) Config {
	p, err := Choose(nil, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	return Config{Qualities: KeepQualities, Network: NewBayes(), Policy: p, Pileup: pileup.DefaultConfig(pileup.Short), Threads: 2, index: newMemory(t), Tmp: t.TempDir()}
}

func write(t testing.TB, name string, b []byte) string {
	t.Helper()
	if err := os.WriteFile(name, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// gain is (TP-FP)/(TP+FN) of Mitchell et al. 2020 over reads of unchanged length.
func gain(t *testing.T, s *sample, recs []fastx.Record) float64 {
	t.Helper()
	if len(recs) != len(s.truth) {
		t.Fatalf("%d records, want %d", len(recs), len(s.truth))
	}
	tp, fp, errs := 0, 0, 0
	for i := range recs {
		got := string(recs[i].Seq)
		if len(got) != 100 {
			fp += 100
			continue
		}
		for j := range got {
			switch {
			case s.raw[i][j] != s.truth[i][j]:
				errs++
				if got[j] == s.truth[i][j] {
					tp++
				}
			case got[j] != s.truth[i][j]:
				fp++
			}
		}
	}
	return float64(tp-fp) / float64(errs)
}

func TestRunCorrects(t *testing.T) {
	dir := t.TempDir()
	s := readsOf(10, 2000, 100)
	in := write(t, filepath.Join(dir, "in.fq"), s.fastq)
	var first []byte
	for _, threads := range []int{1, 3, 8, 0} {
		cfg := testConfig(t)
		if threads == 0 { // the index on the disk
			cfg.index, cfg.Memory = nil, pileup.MinMemory
		}
		cfg.In, cfg.Out, cfg.Threads, cfg.Interleaved = []string{in}, []string{filepath.Join(dir, "out.fq")}, threads, true
		cfg.Changes = filepath.Join(dir, "changes.tsv")
		rep, err := Run(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		out, err := os.ReadFile(cfg.Out[0])
		if err != nil {
			t.Fatal(err)
		}
		tsv, err := os.ReadFile(cfg.Changes)
		if err != nil {
			t.Fatal(err)
		}
		all := append(out, tsv...)
		if first == nil {
			first = all
		} else if !bytes.Equal(first, all) {
			t.Errorf("%d threads write other bytes than one", threads)
		}
		recs, err := fastx.ReadAll(cfg.Out[0], fastx.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range recs {
			if want := fmt.Sprintf("read%d %d:N:0", i/2, i%2+1); string(recs[i].Name) != want {
				t.Fatalf("record %d is %q, want %q", i, recs[i].Name, want)
			}
		}
		g := gain(t, s, recs)
		if g < 0.85 {
			t.Errorf("gain %.3f at depth 10, want 0.85", g)
		}
		if rep.Reads != 2000 || rep.Bases != 200_000 || !rep.Pairs || rep.ReadsChanged == 0 || rep.MeanDepth < 6 {
			t.Errorf("report %+v", rep)
		}
		if lines := bytes.Count(tsv, []byte("\n")) - 1; int64(lines) != rep.Changes.Total {
			t.Errorf("%d lines of changes, %d in the report", lines, rep.Changes.Total)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Every way in and every way out gives the same records.
func TestRunWays(t *testing.T) {
	dir := t.TempDir()
	s := readsOf(8, 400, 100)
	r1, r2 := &bytes.Buffer{}, &bytes.Buffer{}
	lines := bytes.SplitAfter(s.fastq, []byte("\n"))
	for i := 0; i+4 <= len(lines); i += 4 {
		w := r1
		if i/4%2 == 1 {
			w = r2
		}
		w.Write(bytes.Join(lines[i:i+4], nil))
	}
	plain := write(t, filepath.Join(dir, "in.fq"), s.fastq)
	a, b := write(t, filepath.Join(dir, "r1.fq"), r1.Bytes()), write(t, filepath.Join(dir, "r2.fq"), r2.Bytes())
	run := func(change func(*Config)) *Report {
		t.Helper()
		cfg := testConfig(t)
		cfg.In, cfg.Out = []string{plain}, []string{filepath.Join(dir, "out.fq")}
		change(&cfg)
		rep, err := Run(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		return rep
	}
	text := func(names ...string) (out string) {
		t.Helper()
		var all [][]fastx.Record
		for _, n := range names {
			recs, err := fastx.ReadAll(n, fastx.Options{})
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, recs)
		}
		for i := range all[0] {
			for _, f := range all {
				out += fmt.Sprintf("%s %s %s\n", f[i].Name, f[i].Seq, f[i].Qual)
			}
		}
		return out
	}
	run(func(*Config) {})
	want := text(filepath.Join(dir, "out.fq"))
	if strings.Contains(string(s.fastq), want) {
		t.Fatal("nothing was corrected")
	}
	run(func(c *Config) { c.Out[0] = filepath.Join(dir, "out.fq.gz") })
	if got := text(filepath.Join(dir, "out.fq.gz")); got != want {
		t.Error("gzip: other reads")
	}
	run(func(c *Config) {
		c.In, c.Out = []string{a, b}, []string{filepath.Join(dir, "o1.fq"), filepath.Join(dir, "o2.fq")}
	})
	if got := text(filepath.Join(dir, "o1.fq"), filepath.Join(dir, "o2.fq")); got != want {
		t.Error("pairs: other reads")
	}
	var stdout bytes.Buffer
	run(func(c *Config) {
		c.In, c.Out, c.Stdin, c.Stdout = []string{"-"}, []string{"-"}, bytes.NewReader(s.fastq), &stdout
	})
	if got := text(write(t, filepath.Join(dir, "piped.fq"), stdout.Bytes())); got != want {
		t.Error("standard input and output: other reads")
	}
	rep := run(func(c *Config) { c.Thorough = true })
	if rep.QuietWindows != 0 {
		t.Errorf("thorough, but %d windows were not computed", rep.QuietWindows)
	}
	if got := text(filepath.Join(dir, "out.fq")); got != want {
		t.Error("thorough: other reads")
	}
	rep = run(func(c *Config) { c.DryRun, c.Out = true, nil })
	if rep.QuietWindows == 0 || rep.QuietWindows >= rep.Windows {
		t.Errorf("%d quiet windows of %d", rep.QuietWindows, rep.Windows)
	}
	if rep.Changes.Total == 0 || !rep.DryRun {
		t.Errorf("dry run: %+v", rep)
	}
	run(func(c *Config) { c.Tags = true })
	tagged, err := fastx.ReadAll(filepath.Join(dir, "out.fq"), fastx.Options{})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for i := range tagged {
		var k int
		name, tag, ok := strings.Cut(string(tagged[i].Name), " ec:i:")
		if _, err := fmt.Sscan(tag, &k); !ok || err != nil || name != fmt.Sprintf("read%d %d:N:0", i/2, i%2+1) {
			t.Fatalf("tagged header %q", tagged[i].Name)
		}
		n += k
	}
	if int64(n) != rep.Changes.Total {
		t.Errorf("tags count %d changes, the report %d", n, rep.Changes.Total)
	}
	// Alone, nothing is known: naive Bayes keeps every base.
	for _, stdin := range []bool{false, true} {
		rep = run(func(c *Config) {
			c.Alone, c.index = true, nil
			if stdin {
				c.In, c.Stdin = []string{"-"}, bytes.NewReader(s.fastq)
			}
		})
		if out, err := os.ReadFile(filepath.Join(dir, "out.fq")); err != nil || !bytes.Equal(out, s.fastq) || rep.MeanDepth != 0 {
			t.Errorf("alone: %v, changed %d reads", err, rep.ReadsChanged)
		}
	}
}

func TestRunRefuses(t *testing.T) {
	dir := t.TempDir()
	s := readsOf(8, 40, 100)
	in := write(t, filepath.Join(dir, "in.fq"), s.fastq)
	other := write(t, filepath.Join(dir, "other.fq"), s.fastq)
	link := filepath.Join(dir, "link.fq")
	if err := os.Symlink(in, link); err != nil {
		t.Skip(err)
	}
	out := filepath.Join(dir, "out.fq")
	cut := write(t, filepath.Join(dir, "cut.fq"), s.fastq[:len(s.fastq)-30])
	odd := write(t, filepath.Join(dir, "odd.fq"), s.fastq[:bytes.LastIndexByte(s.fastq, '@')])
	for name, c := range map[string]struct {
		change func(*Config)
		paths  bool
		data   bool
		text   string
	}{
		"onto the input":        {func(c *Config) { c.Out = []string{in} }, true, false, "is the input"},
		"onto it by a link":     {func(c *Config) { c.Out = []string{link} }, true, false, "is the input"},
		"by another way":        {func(c *Config) { c.Out = []string{filepath.Join(dir, ".", "x", "..", "in.fq")} }, true, false, "is the input"},
		"one output twice":      {func(c *Config) { c.In, c.Out = []string{in, other}, []string{out, out} }, true, false, "same output"},
		"changes onto output":   {func(c *Config) { c.Changes = out }, true, false, "same output"},
		"one input twice":       {func(c *Config) { c.In, c.Out = []string{in, link}, []string{out, out + "2"} }, true, false, "same file"},
		"output missing":        {func(c *Config) { c.In = []string{in, other} }, true, false, "as many outputs"},
		"interleaved and two":   {func(c *Config) { c.In, c.Interleaved = []string{in, other}, true }, true, false, "interleaved"},
		"absent":                {func(c *Config) { c.In = []string{filepath.Join(dir, "absent.fq")} }, false, true, "absent.fq"},
		"cut off":               {func(c *Config) { c.In = []string{cut} }, false, true, "cut.fq"},
		"unpaired":              {func(c *Config) { c.In, c.Interleaved = []string{odd}, true }, false, true, "no mate"},
		"no folder":             {func(c *Config) { c.Out = []string{filepath.Join(dir, "no", "out.fq")} }, false, false, "no such file"},
		"depth alone":           {func(c *Config) { c.Alone, c.MinDepth = true, 3 }, false, false, "depth 0"},
		"qualities":             {func(c *Config) { c.Qualities = "best" }, false, false, `"best"`},
		"network of other size": {func(c *Config) { c.Network.Channels = 7 }, false, false, "7 features"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig(t)
			cfg.In, cfg.Out = []string{in}, []string{out}
			c.change(&cfg)
			_, err := Run(t.Context(), cfg)
			var bad *dataset.Error
			if err == nil || errors.Is(err, ErrPaths) != c.paths || errors.As(err, &bad) != c.data || !strings.Contains(err.Error(), c.text) {
				t.Errorf("%v; paths %v, data %v, want %q", err, errors.Is(err, ErrPaths), errors.As(err, &bad), c.text)
			}
			if _, err := os.Stat(out); err == nil {
				t.Error("an output was left")
			}
			if got, _ := os.ReadFile(in); !bytes.Equal(got, s.fastq) {
				t.Error("the input was touched")
			}
			if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// failing gives an error after some bytes, as a full disk does.
type failing struct{ left int }

var errFull = errors.New("no space left on device")

func (f *failing) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestRunStops(t *testing.T) {
	dir := t.TempDir()
	s := readsOf(8, 6000, 100)
	in := write(t, filepath.Join(dir, "in.fq"), s.fastq)
	old := []byte("@old\nA\n+\nI\n")
	out := write(t, filepath.Join(dir, "out.fq"), old)
	t.Run("full disk", func(t *testing.T) {
		cfg := testConfig(t)
		cfg.In, cfg.Out, cfg.Stdout = []string{in}, []string{"-"}, &failing{left: 300_000}
		_, err := Run(t.Context(), cfg)
		if !errors.Is(err, errFull) || !strings.Contains(err.Error(), "of 6000 reads") {
			t.Errorf("%v", err)
		}
	})
	for _, pass := range []string{"read", "correct"} {
		t.Run("cancelled in "+pass, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			cfg := testConfig(t)
			cfg.In, cfg.Out = []string{in}, []string{out}
			cfg.Progress = func(p string, done, total int64) {
				if p == pass && done >= 512 {
					cancel()
				}
			}
			_, err := Run(ctx, cfg)
			if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "the input is untouched, "+out+" was not written") {
				t.Errorf("%v", err)
			}
		})
	}
	for _, alone := range []bool{false, true} {
		t.Run(fmt.Sprintf("cancelled on a silent pipe, alone %v", alone), func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			r, w := io.Pipe()
			defer w.Close()
			go func() {
				w.Write(s.fastq[:len(s.fastq)/2]) // then nothing more comes, and no end
				cancel()
			}()
			cfg := testConfig(t)
			cfg.In, cfg.Out, cfg.Stdin, cfg.Alone = []string{"-"}, []string{out}, r, alone
			if alone {
				cfg.index = nil
			}
			if _, err := Run(ctx, cfg); !errors.Is(err, context.Canceled) {
				t.Errorf("%v", err)
			}
		})
	}
	t.Run("network fails", func(t *testing.T) {
		broken := errors.New("broken")
		cfg := testConfig(t)
		cfg.In, cfg.Out = []string{in}, []string{out}
		cfg.Network.Open = func() (Forward, func(), error) {
			return func([]float32, int, []float32) error { return broken }, func() {}, nil
		}
		if _, err := Run(t.Context(), cfg); !errors.Is(err, broken) {
			t.Errorf("%v", err)
		}
	})
	t.Run("input changes", func(t *testing.T) {
		cfg := testConfig(t)
		moving := write(t, filepath.Join(dir, "moving.fq"), s.fastq)
		cfg.In, cfg.Out = []string{moving}, []string{out}
		cfg.Progress = func(p string, done, total int64) {
			if p == "read" && done == 6000 {
				write(t, moving, readsOf(8, 40, 100).fastq)
			}
		}
		if _, err := Run(t.Context(), cfg); !errors.Is(err, ErrChanged) {
			t.Errorf("%v", err)
		}
	})
	if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, old) {
		t.Error("what was there before is gone")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Empty files, empty records, FASTA, case, long reads and letters that are no base go through.
func TestRunOddReads(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	long := make([]byte, 300_000)
	for i := range long {
		long[i] = "ACGTacgt"[r.IntN(8)]
	}
	for name, text := range map[string]string{
		"empty":   "",
		"nothing": "@a\n\n+\n\n@b x y\n\n+b x y\n\n",
		"iupac":   "@a\nACGTRYKMSWBDHVNacgtrykmswbdhvn\n+\nIIIIIIIIIIIIIIIIIIIIIIIIIIIIII\n",
		"rna":     ">a\nACGUUGCAUUUUUUUUUUUUUUUUUUUUUUUUUUUUUU\n",
		"same":    "@a\nACGT\n+\nIIII\n@a\nACGT\n+\nIIII\n",
		"long":    ">long\n" + string(long) + "\n>short\nacgt\n",
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			cfg := testConfig(t)
			cfg.In, cfg.Out, cfg.Stdin, cfg.Stdout = []string{"-"}, []string{"-"}, strings.NewReader(text), &out
			rep, err := Run(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			if out.String() != text {
				t.Errorf("%d changes: %s", rep.Changes.Total, cmp.Diff(text, out.String()))
			}
		})
	}
}

// The report is one JSON object without NaN, whatever the input.
func TestReportJSON(t *testing.T) {
	cfg := testConfig(t)
	cfg.In, cfg.DryRun, cfg.Stdin, cfg.Stdout = []string{"-"}, true, strings.NewReader(""), io.Discard
	rep, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := json.Marshal(rep); err != nil {
		t.Error(err)
	}
}
