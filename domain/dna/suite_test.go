package dna

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/domain/domaintest"
	"github.com/selfsame-ml/selfsame/internal/rng"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/view"
)

// genome is random sequence of n bases, in lines of 70.
func genome(seed uint64, n int) string {
	r := rng.New(seed, rng.Generate, uint64(n))
	var b strings.Builder
	for i := range n {
		if i > 0 && i%70 == 0 {
			b.WriteByte('\n')
		}
		b.WriteByte("ACGT"[r.IntN(4)])
	}
	return b.String()
}

func write(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func sequencerConfig(profile string, params map[string]contract.Range) view.Config {
	return view.Config{Name: Sequencer, P: 1, Params: params, Options: map[string]string{optionProfile: profile}}
}

func recipeOf(source string, cfg view.Config) *recipe.Recipe {
	r := recipe.Default()
	r.Domain, r.Data.Source, r.Data.Task, r.Data.Size = recipe.DomainDNA, source, recipe.TaskReads, 96
	r.Encoder = recipe.Encoder{Kind: recipe.EncoderPileup, Width: 8, Depth: 2}
	r.Views.Transforms = []view.Config{cfg}
	return r
}

func opened(t testing.TB, r *recipe.Recipe) *Samples {
	t.Helper()
	s, err := Open(context.Background(), r, domain.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func rg(a, b float64) contract.Range { return contract.Range{From: a, To: b} }

// TestSuite runs the shared suite on short and long reads.
func TestSuite(t *testing.T) {
	domaintest.Specs(t, Specs())
	path := write(t, "g.fa", ">one\n"+genome(1, 40_000)+"\n>two\n"+genome(2, 20_000)+"\n")
	for _, c := range []struct {
		profile string
		params  map[string]contract.Range
	}{
		{"illumina", map[string]contract.Range{"depth": rg(0, 8), "length": rg(80, 120), "repeats": rg(0.5, 0.5), "alleles": rg(0.5, 0.5)}},
		{"pacbio", map[string]contract.Range{"depth": rg(0, 3), "length": rg(200, 300)}},
		{"rate:0.01,0.005,0.005", map[string]contract.Range{"noise": rg(1, 1), "depth": rg(2, 4), "length": rg(60, 60), "variants": rg(0, 0)}},
	} {
		t.Run(c.profile, func(t *testing.T) {
			domaintest.Run(t, func(t *testing.T) domain.Samples {
				return opened(t, recipeOf(path, sequencerConfig(c.profile, c.params)))
			})
		})
	}
}

// TestViewsVerify: every simulated read of every profile gives its template back.
func TestViewsVerify(t *testing.T) {
	path := write(t, "g.fa", ">one\n"+genome(3, 30_000)+strings.Repeat("N", 500)+genome(4, 30_000)+"\n")
	for _, profile := range []string{"illumina", "miseq", "pacbio", "nanopore", "rate:0.02,0.03,0.03"} {
		s := opened(t, recipeOf(path, sequencerConfig(profile, map[string]contract.Range{"depth": rg(0, 5), "length": rg(100, 250)})))
		for i := range 60 {
			if b := s.VerifyView(1, uint64(i), i%s.Len(domain.Train)); b != nil {
				t.Fatalf("%s, sample %d: %s: %s\n%v\n%v", profile, i, b.Rule, b.Text, b.Original, b.View)
			}
		}
	}
}

// TestParts: no base of one part lies in what another part's views are made from.
func TestParts(t *testing.T) {
	var text strings.Builder
	for k := range 5 {
		fmt.Fprintf(&text, ">c%d\n%s\n", k, genome(uint64(10+k), 9_000+1_700*k))
	}
	r := recipeOf(write(t, "g.fa", text.String()), sequencerConfig("illumina", nil))
	s := opened(t, r)
	owner := map[int]int{}
	for p := range s.parts {
		if s.Len(domain.Part(p)) == 0 {
			t.Errorf("part %d is empty", p)
		}
		for _, b := range s.parts[p].blocks {
			for at := b.from; at < b.to; at++ {
				if was, ok := owner[at]; ok {
					t.Fatalf("base %d belongs to parts %d and %d", at, was, p)
				}
				owner[at] = p
			}
		}
		for i, at := range s.parts[p].places {
			if b := s.parts[p].block(at); at < b.from || at+s.set.window > b.to {
				t.Fatalf("sample %d of part %d lies at %d, its block is %v", i, p, at, b)
			}
		}
	}
	if n := s.Len(domain.Val); math.Abs(float64(n)/float64(s.Len(0)+s.Len(1)+s.Len(2))-0.1) > 0.08 {
		t.Errorf("%d of %d samples are the validation part", n, s.Len(0)+s.Len(1)+s.Len(2))
	}
	if !strings.HasPrefix(s.Name(domain.Test, 0), "c") {
		t.Errorf("name %q", s.Name(domain.Test, 0))
	}
	// Another source as test part: nothing is taken from the first.
	r.Data.Test = write(t, "other.fa", ">x\n"+genome(77, 8_000)+"\n")
	o := opened(t, r)
	if o.Len(domain.Test) != 8_000/96 || o.Hash() == s.Hash() || o.Len(domain.Train) <= s.Len(domain.Train) {
		t.Errorf("%d test samples, %d training samples (%d)", o.Len(domain.Test), o.Len(domain.Train), s.Len(domain.Train))
	}
}

// TestDepth: as many reads lie over the window as are drawn, and none where none are.
func TestDepth(t *testing.T) {
	path := write(t, "g.fa", ">one\n"+genome(5, 200_000)+"\n")
	for _, want := range []float64{0, 4, 16} {
		s := opened(t, recipeOf(path, sequencerConfig("rate:0.005,0,0", map[string]contract.Range{"depth": rg(want, want), "length": rg(100, 140), "repeats": rg(0, 0), "alleles": rg(0.5, 0.5)})))
		v, err := s.sampler()
		if err != nil {
			t.Fatal(err)
		}
		w, _ := v.NewScratch().(*workspace)
		dst := make([]domain.Array, len(v.Fields()))
		for k, f := range v.Fields() {
			dst[k] = domain.NewArray(f, 1)
		}
		sum, n := 0.0, 0
		for i := range 200 {
			if err := v.Fill(dst, 0, 1, 0, i, w); err != nil {
				t.Fatal(err)
			}
			for j := range w.island.columns.Len {
				c := w.island.columns.At(j)
				sum += float64(c.Depth())
				n++
			}
		}
		// Overlaps below the shortest that are looked for are not seen: 30 of 120 bases at either end.
		if mean := sum / float64(n); mean > want*1.1 || mean < want*0.7 {
			t.Errorf("depth %g, drawn %g", mean, want)
		}
	}
}

// TestShared: a test part with stretches of the training part says so, on either strand; random sequence shares nothing.
func TestShared(t *testing.T) {
	text := strings.ReplaceAll(genome(8, 60_000), "\n", "")
	codes := make([]uint8, 0, 30_000)
	for _, b := range text[:30_000] {
		codes = append(codes, codeOf[b])
	}
	var turned []uint8
	reverseComplement(&turned, codes)
	r := recipeOf(write(t, "g.fa", ">one\n"+text+"\n"), sequencerConfig("illumina", map[string]contract.Range{"length": rg(60, 60)}))
	r.Data.Val = 0
	for name, c := range map[string]struct {
		test string
		want bool
	}{"other": {genome(9, 30_000), false}, "same, turned": {spell(turned), true}} {
		r.Data.Test = write(t, "test.fa", ">x\n"+c.test+"\n")
		s := opened(t, r)
		shared, looked := sharedWith(&s.parts[domain.Train], &s.parts[domain.Test], s.set.window)
		if said := strings.Contains(strings.Join(s.Describe().Warnings, "\n"), "of the test part share"); said != c.want || looked != s.Len(domain.Test) || (shared > looked*9/10) != c.want || !c.want && shared > 0 {
			t.Errorf("%s: %d of %d windows are shared; said: %v", name, shared, looked, s.Describe().Warnings)
		}
	}
}

// TestGaps: as many insertions and deletions are added as are asked for.
func TestGaps(t *testing.T) {
	path := write(t, "g.fa", ">one\n"+genome(6, 100_000)+"\n")
	for _, gaps := range []float64{0, 0.004} {
		s := opened(t, recipeOf(path, sequencerConfig("rate:0.01,0.001,0.001", map[string]contract.Range{"noise": rg(1, 1), "gaps": rg(gaps, gaps), "length": rg(90, 96)})))
		v, err := s.sampler()
		if err != nil {
			t.Fatal(err)
		}
		r, err := v.measure()
		if err != nil {
			t.Fatal(err)
		}
		for name, got := range map[string]float64{"deleted": r.Deleted, "missing": r.Missing} {
			if want := 0.001 + gaps; math.Abs(got-want) > 0.3*want+2e-4 { // 400 windows
				t.Errorf("gaps %g: %s %g, want %g", gaps, name, got, want)
			}
		}
	}
}

// TestOpenBad: what is no reference says so, with the file.
func TestOpenBad(t *testing.T) {
	good := write(t, "g.fa", ">one\n"+genome(1, 60_000)+"\n")
	for name, c := range map[string]struct {
		source string
		change func(r *recipe.Recipe)
		want   string
	}{
		"nothing there": {source: "no/such.fa", want: "no/such.fa"},
		"only N":        {source: write(t, "n.fa", ">n\n"+strings.Repeat("N", 50_000)+"\n"), want: "0 known bases"},
		"too short":     {source: write(t, "s.fa", ">s\nACGTACGT\n"), want: "8 known bases"},
		"empty":         {source: write(t, "e.fa", ""), want: "no sequence"},
		"reads":         {source: write(t, "r.fq", "@a\nACGT\n+\nIIII\n"), want: "FASTQ"},
		"no FASTA":      {source: t.TempDir(), want: "no FASTA file"},
		"window":        {source: good, change: func(r *recipe.Recipe) { r.Data.Size = 7 }, want: "data.size"},
		"profile":       {source: good, change: func(r *recipe.Recipe) { r.Views.Transforms[0].Options[optionProfile] = "magic" }, want: "magic"},
		"rate":          {source: good, change: func(r *recipe.Recipe) { r.Views.Transforms[0].Options[optionProfile] = "rate:1,2" }, want: "rate:SUB,INS,DEL"},
		"kind":          {source: good, change: func(r *recipe.Recipe) { r.Views.Transforms[0].Options[optionKind] = "middling" }, want: "middling"},
		"gaps": {source: good, change: func(r *recipe.Recipe) {
			r.Views.Transforms[0].Params = map[string]contract.Range{"gaps": rg(0, 0.1e-3)}
		}, want: "gaps"},
		"two views": {source: good, change: func(r *recipe.Recipe) { r.Views.Transforms = append(r.Views.Transforms, r.Views.Transforms[0]) }, want: "sequencer"},
	} {
		r := recipeOf(c.source, sequencerConfig("illumina", nil))
		if c.change != nil {
			c.change(r)
		}
		if _, err := Open(context.Background(), r, domain.OpenOptions{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q in it", name, err, c.want)
		}
	}
}
