package sequencer

import (
	"errors"
	"io"
	"math"
	"slices"
	"testing"

	"github.com/selfsame-ml/selfsame/internal/rng"
	"pgregory.net/rapid"
)

func randomGenome(seed uint64, n int) []uint8 {
	r := rng.New(seed, rng.Generate, 1)
	out := make([]uint8, n)
	for i := range out {
		out[i] = uint8(r.IntN(4))
	}
	return out
}

// stretch is what stands at From..To of a contig, in the direction of the mate.
func stretch(ref []uint8, m *Mate) []uint8 {
	var out []uint8
	for k := m.From; k < m.To; k++ {
		out = append(out, ref[k%len(ref)])
	}
	if m.Reverse {
		return ReverseComplement(nil, out)
	}
	return out
}

// TestSimulator: the truth of a read is what stands at its place, whatever the profile, the contig and the strand; mates face
// each other inside their fragment; the same index gives the same read.
func TestSimulator(t *testing.T) {
	with := randomGenome(3, 900)
	for i := 300; i < 420; i++ {
		with[i] = N
	}
	contigs := []Contig{{"long", randomGenome(1, 5000)}, {"empty", nil}, {"tiny", randomGenome(2, 60)}, {"holes", with}}
	rapid.Check(t, func(t *rapid.T) {
		p, err := Find(rapid.SampledFrom([]string{"illumina", "nanopore", "pacbio", "rate:0.02,0.05,0.1", "rate:0,0,0"}).Draw(t, "profile"))
		if err != nil {
			t.Fatal(err)
		}
		cfg := SimulateConfig{Profile: p, Length: rapid.IntRange(1, 400).Draw(t, "length"), Paired: rapid.Bool().Draw(t, "paired"),
			Insert: 250, InsertSD: 60, Adapters: rapid.Bool().Draw(t, "adapters"), Circular: rapid.Bool().Draw(t, "circular"), Seed: rapid.Uint64().Draw(t, "seed")}
		s, err := NewSimulator(contigs, cfg)
		if err != nil {
			t.Fatal(err)
		}
		if want := 5000 + 60 + 900 - 120; s.Known() != want {
			t.Fatalf("%d known bases, want %d", s.Known(), want)
		}
		var f, again Fragment
		for i := range uint64(20) {
			if err := s.Draw(i, &f); err != nil {
				t.Fatal(err)
			}
			ref := s.Contigs()[f.Contig].Bases
			for k := range f.Mates {
				m := &f.Mates[k]
				if got := stretch(ref, m); !slices.Equal(got, m.Truth) {
					t.Fatalf("fragment %d, mate %d at %d..%d: truth %v, the contig has %v", i, k, m.From, m.To, m.Truth, got)
				}
				if slices.Contains(m.Truth, N) || m.From < 0 || !cfg.Circular && m.To > len(ref) || len(m.Truth) != m.Used {
					t.Fatalf("fragment %d, mate %d: %d..%d of %d, truth %v", i, k, m.From, m.To, len(ref), m.Truth)
				}
				if !cfg.Adapters && len(m.Bases) != m.Body {
					t.Fatalf("%d bases of adapter", len(m.Bases)-m.Body)
				}
				if len(m.Bases) > min(cfg.Length, len(ref)) {
					t.Fatalf("a read of %d bases, want %d", len(m.Bases), cfg.Length)
				}
			}
			if cfg.Paired {
				a, b := &f.Mates[0], &f.Mates[1]
				if a.Reverse == b.Reverse {
					t.Fatalf("fragment %d: both mates on one strand", i)
				}
				if a.Reverse {
					a, b = b, a
				}
				if !cfg.Circular && (a.From > b.To || b.To-a.From > 600) {
					t.Fatalf("fragment %d from %d to %d", i, a.From, b.To)
				}
			}
		}
		if err := s.Draw(7, &f); err != nil {
			t.Fatal(err)
		}
		if err := s.Draw(7, &again); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(f.Mates[0].Bases, again.Mates[0].Bases) || !slices.Equal(f.Mates[0].Quals, again.Mates[0].Quals) {
			t.Fatal("the same fragment twice, two reads")
		}
	})
}

// TestSimulatorCovers: every base of a circular genome is read about alike, on both strands.
func TestSimulatorCovers(t *testing.T) {
	ref := randomGenome(4, 1000)
	s, err := NewSimulator([]Contig{{"c", ref}}, SimulateConfig{Profile: Rate(0, 0, 0), Length: 100, Circular: true})
	if err != nil {
		t.Fatal(err)
	}
	var depth [1000]float64
	var f Fragment
	reverse := 0
	const n = 20_000
	for i := range uint64(n) {
		if err := s.Draw(i, &f); err != nil {
			t.Fatal(err)
		}
		m := &f.Mates[0]
		if m.Reverse {
			reverse++
		}
		for k := m.From; k < m.To; k++ {
			depth[k%1000]++
		}
	}
	for k, d := range depth {
		if math.Abs(d-n/10) > 6*math.Sqrt(n/10) {
			t.Fatalf("depth %g at %d, want about %d", d, k, n/10)
		}
	}
	if math.Abs(float64(reverse)-n/2) > 4*math.Sqrt(n/4) {
		t.Errorf("%d of %d reads are of the other strand", reverse, n)
	}
}

// TestScaled: twice the noise gives twice the errors.
func TestScaled(t *testing.T) {
	p, err := Builtin("illumina")
	if err != nil {
		t.Fatal(err)
	}
	ref := randomGenome(5, 20_000)
	errs := func(noise float64) (n float64) {
		q, err := p.Scaled(noise)
		if err != nil {
			t.Fatal(err)
		}
		s, err := NewSimulator([]Contig{{"c", ref}}, SimulateConfig{Profile: q, Length: 150})
		if err != nil {
			t.Fatal(err)
		}
		var f Fragment
		for i := range uint64(6000) {
			if err := s.Draw(i, &f); err != nil {
				t.Fatal(err)
			}
			m := &f.Mates[0]
			for j := range m.Body {
				if m.Bases[j] < N && m.Here[j] != m.Bases[j] {
					n++
				}
			}
		}
		return n
	}
	if a, b := errs(1), errs(2); b < 1.7*a || b > 2.3*a {
		t.Errorf("%g errors, with twice the noise %g", a, b)
	}
	if n := errs(0); n != 0 {
		t.Errorf("%g errors without noise", n)
	}
	if _, err := p.Scaled(math.NaN()); !errors.Is(err, ErrProfile) {
		t.Errorf("noise NaN: %v", err)
	}
}

// TestSimulateBad: what cannot be simulated says why.
func TestSimulateBad(t *testing.T) {
	for _, word := range []string{"magic", "rate:1", "rate:0.1,x,0", "rate:0.1,0.5,0", "no/such/file.json"} {
		if _, err := Find(word); err == nil {
			t.Errorf("%s is a profile", word)
		}
	}
	onlyN := slices.Repeat([]uint8{N}, 500)
	if _, err := NewSimulator([]Contig{{"n", onlyN}}, SimulateConfig{Profile: Rate(0, 0, 0)}); !errors.Is(err, ErrNoPlace) {
		t.Errorf("only N: %v", err)
	}
	few := slices.Concat(onlyN, []uint8{A, C, G}, onlyN)
	s, err := NewSimulator([]Contig{{"few", few}}, SimulateConfig{Profile: Rate(0, 0, 0), Length: 50})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Draw(0, &Fragment{}); !errors.Is(err, ErrNoPlace) {
		t.Errorf("3 bases for reads of 50: %v", err)
	}
	for _, cfg := range []SimulateConfig{{}, {Profile: Rate(0, 0, 0), Length: -1}, {Profile: Rate(0, 0, 0), Paired: true}, {Profile: Rate(0, 0, 0), Paired: true, Insert: math.NaN()}} {
		if _, err := NewSimulator([]Contig{{"c", randomGenome(1, 100)}}, cfg); err == nil {
			t.Errorf("%+v is taken", cfg)
		}
	}
}

// drawnReads gives reads without gaps as alignments.
type drawnReads struct {
	s   *Simulator
	f   Fragment
	i   uint64
	n   uint64
	end error
}

func (x *drawnReads) Next(a *Alignment) error {
	if x.i == x.n {
		return x.end
	}
	if err := x.s.Draw(x.i, &x.f); err != nil {
		return err
	}
	x.i++
	m := &x.f.Mates[0]
	*a = Alignment{Ref: x.s.Contigs()[x.f.Contig].Bases, Start: m.From, Query: m.Bases, Quals: m.Quals, Reverse: m.Reverse}
	if m.Reverse {
		a.Query = ReverseComplement(nil, m.Bases)
		a.Quals = slices.Clone(m.Quals)
		slices.Reverse(a.Quals)
	}
	a.Cigar = []Op{{len(m.Bases), 'M'}}
	return nil
}

// TestFitBase: where few errors are seen, a base profile says how they depend on scores and runs; its adapter is taken over.
func TestFitBase(t *testing.T) {
	base := Rate(0.01, 0, 0)
	base.Quality.Phred = []int{10, 30}
	base.Sub.ByQuality = []float64{0.2, 0.001}
	base.Classes[0].Marginal = [][]float64{{1, 1}}
	base.Adapter = Adapter{Seq: "ACGT", Rate: 0.1, Shortest: 20}
	s, err := NewSimulator([]Contig{{"c", randomGenome(9, 50_000)}}, SimulateConfig{Profile: base, Length: 100})
	if err != nil {
		t.Fatal(err)
	}
	fit := func(base *Profile) *Profile {
		p, rep, err := Fit(&drawnReads{s: s, n: 200, end: io.EOF}, FitOptions{Base: base, Pseudo: 1e6})
		if err != nil {
			t.Fatal(err)
		}
		if rep.SubEvents < 1000 || len(rep.ByScore) != 2 || rep.ByScore[0].Wrong < 10*rep.ByScore[1].Wrong || len(rep.ByRun) != 8 || rep.ByRun[0].Bases == 0 {
			t.Fatalf("report %+v", rep)
		}
		var all, wrong int64
		for _, c := range rep.ByCycle {
			all, wrong = all+c.Bases, wrong+c.Wrong
		}
		if wrong != rep.SubEvents || all != rep.ByScore[0].Bases+rep.ByScore[1].Bases {
			t.Fatalf("%d of %d bases by cycle, %d substitutions", wrong, all, rep.SubEvents)
		}
		return p
	}
	with, without := fit(base), fit(nil)
	ratio := func(p *Profile) float64 { return p.Sub.ByQuality[0] / p.Sub.ByQuality[1] }
	if r := ratio(with); math.Abs(r-200) > 20 {
		t.Errorf("with a base: a ratio of %g between the scores, want that of the base, 200", r)
	}
	if r := ratio(without); math.Abs(r-100) > 10 {
		t.Errorf("without a base: %g, want what the scores say, 100", r)
	}
	if with.Adapter != base.Adapter || without.Adapter.Seq != "" {
		t.Errorf("adapters %v and %v", with.Adapter, without.Adapter)
	}
}
