package sequencer

import (
	"bytes"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// simulated is a Source of reads that p makes of both strands of sample, aligned to ref as their truth says.
type simulated struct {
	p           *Profile
	r           *rand.Rand
	ref, sample []uint8 // of one length
	n, reads    int
	noQuals     bool

	o  Read
	rc []uint8
}

func (s *simulated) Next(a *Alignment) error {
	if s.reads--; s.reads < 0 {
		return io.EOF
	}
	span := min(2*s.n+50, len(s.sample))
	at := s.r.IntN(len(s.sample) - span + 1)
	template := s.sample[at : at+span]
	if a.Reverse = s.reads%2 == 1; a.Reverse {
		s.rc = ReverseComplement(s.rc, template)
		template = s.rc
	}
	o := &s.o
	s.p.Read(s.r, template, s.n, o)
	a.Cigar = a.Cigar[:0]
	add := func(n int, kind byte) {
		if l := len(a.Cigar); l > 0 && a.Cigar[l-1].Kind == kind {
			a.Cigar[l-1].Len += n
		} else if n > 0 {
			a.Cigar = append(a.Cigar, Op{n, kind})
		}
	}
	last, first := int32(-1), int32(-1)
	for j, p := range o.Pos {
		switch {
		case j >= o.Body || p < 0 && last < 0:
			add(1, 'S')
		case p < 0:
			add(1, 'I')
		default:
			if first < 0 {
				first = p
			} else {
				add(int(p-last-1), 'D')
			}
			add(1, 'M')
			last = p
		}
	}
	if l := len(a.Cigar); a.Cigar[l-1].Kind == 'I' {
		a.Cigar[l-1].Kind = 'S'
	}
	a.Ref, a.Start = s.ref, at+int(first)
	a.Query, a.Quals = append(a.Query[:0], o.Bases...), append(a.Quals[:0], o.Quals...)
	if s.noQuals {
		a.Quals = nil
	}
	if a.Reverse {
		a.Start = at + span - 1 - int(last)
		a.Query = ReverseComplement(nil, o.Bases)
		slices.Reverse(a.Quals)
		slices.Reverse(a.Cigar)
	}
	return nil
}

// known is a profile in which everything depends on something.
func known() *Profile {
	p := Rate(0, 0, 0)
	p.Name = "known"
	p.Quality = Quality{Phred: []int{5, 15, 30}, Ends: []int{20, 60, 100}, Link: [][]float64{{4, 1, 0.5}, {1, 2, 1}, {0.5, 1, 1.5}}, N: 2}
	p.Sub = Substitution{ByQuality: []float64{0.06, 0.02, 0.004}, ByCycle: []float64{0.8, 1, 1.3}}
	for i := range 16 {
		p.Sub.ByContext = append(p.Sub.ByContext, 0.7+0.04*float64(i))
		row := []float64{0.2, 0.3, 0.4, 0.5}
		row[i&3] = 0
		p.Sub.To = append(p.Sub.To, normalised(row))
	}
	p.Ins = Insertion{ByRun: []float64{0.002, 0.004, 0.008, 0.012}, Extend: 0.2, Repeat: 0.6}
	p.Del = Deletion{ByRun: []float64{0.002, 0.004, 0.01, 0.015}, Extend: 0.15}
	p.Classes[0].Marginal = [][]float64{{0.05, 0.15, 0.8}, {0.1, 0.2, 0.7}, {0.2, 0.3, 0.5}}
	return p
}

// genome has homopolymers of up to a dozen bases.
func genome(r *rand.Rand, n int) []uint8 {
	g := make([]uint8, n)
	for i := range g {
		if i > 0 && r.IntN(3) == 0 {
			g[i] = g[i-1]
		} else {
			g[i] = uint8(r.IntN(4))
		}
	}
	return g
}

// Fit finds the rates that made the reads.
func TestFit(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 5))
	p := known()
	g := genome(r, 100_000)
	got, rep, err := Fit(&simulated{p: p, r: r, ref: g, sample: g, n: 100, reads: 80_000}, FitOptions{Name: "again", Bins: []int{20, 60, 100}, MaxRun: 4, Variant: 2})
	if err != nil {
		t.Fatal(err)
	}
	if rep.Reads != 80_000 || got.Reads != rep.Reads || got.Bases != rep.Bases || rep.Bases < 7_800_000 || got.Name != "again" {
		t.Errorf("%+v", rep)
	}
	near := func(what string, got, want, rel float64) {
		if !(math.Abs(got-want) <= rel*want) {
			t.Errorf("%s is %g, want %g within %g %%", what, got, want, 100*rel)
		}
	}
	each := func(what string, got, want []float64, rel float64) {
		if len(got) != len(want) {
			t.Errorf("%s has %d values, want %d", what, len(got), len(want))
			return
		}
		for i := range got {
			near(what, got[i], want[i], rel)
		}
	}
	if !slices.Equal(got.Quality.Phred, p.Quality.Phred) {
		t.Fatalf("scores %v", got.Quality.Phred)
	}
	// Rate, context and cycle share a factor: compare products.
	for b := range 3 {
		for c := range 16 {
			for q := range 3 {
				near("substitution", got.Sub.ByQuality[q]*got.Sub.ByContext[c]*got.Sub.ByCycle[b], p.Sub.ByQuality[q]*p.Sub.ByContext[c]*p.Sub.ByCycle[b], 0.12)
			}
		}
	}
	for c, row := range got.Sub.To {
		for o, w := range row {
			if math.Abs(w-p.Sub.To[c][o]) > 0.04 {
				t.Errorf("context %d is read as %v, want %v", c, row, p.Sub.To[c])
			}
		}
	}
	// The truth has as few edits as it can: a slip beside a slip is none or a substitution, an inserted base
	// beside a substitution is another inserted base. And the other bases that are inserted count for the homopolymer behind if they equal it.
	each("ins.by_run", got.Ins.ByRun, p.Ins.ByRun, 0.18)
	each("del.by_run", got.Del.ByRun, p.Del.ByRun, 0.15)
	near("ins.extend", got.Ins.Extend, p.Ins.Extend, 0.15)
	near("del.extend", got.Del.Extend, p.Del.Extend, 0.15)
	near("ins.repeat", got.Ins.Repeat, p.Ins.Repeat, 0.1)
	for b := range 3 {
		each("marginal", got.Classes[0].Marginal[b], p.Classes[0].Marginal[b], 0.05)
	}
	odds := func(l [][]float64) float64 { return l[0][0] * l[2][2] / l[0][2] / l[2][0] }
	near("odds of neighbouring scores", odds(got.Quality.Link), odds(p.Quality.Link), 0.15)
	var file, again bytes.Buffer
	if err := got.Save(&file); err != nil {
		t.Fatal(err)
	}
	loaded, err := Load(bytes.NewReader(file.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if err := loaded.Save(&again); err != nil || !bytes.Equal(file.Bytes(), again.Bytes()) {
		t.Errorf("a saved profile is not itself after loading: %v", err)
	}
}

// Differences between the sample and the reference are not the sequencer's.
func TestFitVariants(t *testing.T) {
	r := rand.New(rand.NewPCG(22, 5))
	ref := genome(r, 20_000)
	sample := slices.Clone(ref)
	for i := range sample {
		if r.IntN(100) == 0 {
			sample[i] = (sample[i] + 1 + uint8(r.IntN(3))) & 3
		}
	}
	rates := map[float64]float64{}
	for _, variant := range []float64{0, 2} {
		p, rep, err := Fit(&simulated{p: Rate(0.01, 0.001, 0.001), r: rand.New(rand.NewPCG(3, 3)), ref: ref, sample: sample, n: 100, reads: 4000}, FitOptions{Variant: variant})
		if err != nil {
			t.Fatal(err)
		}
		rates[variant] = p.Sub.ByQuality[0]
		if variant == 0 && (rep.Variants < 150 || rep.Variants > 260) {
			t.Errorf("%d positions left out, some 200 differ", rep.Variants)
		}
	}
	if rates[0] < 0.0092 || rates[0] > 0.0108 || rates[2] < 0.018 {
		t.Errorf("substitutions %g, with variants %g; want 0.01 and 0.02", rates[0], rates[2])
	}
}

// Reads differ in how bad they are.
func TestFitClasses(t *testing.T) {
	r := rand.New(rand.NewPCG(23, 5))
	p := Rate(0.02, 0.03, 0.02)
	good, bad := p.Classes[0], p.Classes[0]
	good.Sub, good.Ins, good.Del = 0.5, 0.5, 0.5
	bad.Sub, bad.Ins, bad.Del = 1.5, 1.5, 1.5
	p.Classes = []Class{good, bad}
	g := genome(r, 50_000)
	got, _, err := Fit(&simulated{p: p, r: r, ref: g, sample: g, n: 1500, reads: 600, noQuals: true}, FitOptions{Classes: 2})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{0.5, 1.5} {
		c := got.Classes[i]
		for _, f := range []float64{c.Sub, c.Ins, c.Del} {
			if math.Abs(f-want) > 0.1 {
				t.Errorf("class %d has the factors %g %g %g, want %g", i, c.Sub, c.Ins, c.Del, want)
			}
		}
	}
	if len(got.Quality.Phred) != 1 || got.Quality.Phred[0] < 10 || got.Quality.Phred[0] > 13 {
		t.Errorf("reads without scores have %v, want the score of an error rate of 7 %%", got.Quality.Phred)
	}
}

type list []Alignment

func (l *list) Next(a *Alignment) error {
	if len(*l) == 0 {
		return io.EOF
	}
	*a, *l = (*l)[0], (*l)[1:]
	return nil
}

func TestFitErrors(t *testing.T) {
	ref := make([]uint8, 100)
	query := make([]uint8, 50)
	for _, c := range []struct {
		name string
		a    Alignment
		opt  FitOptions
		want string
	}{
		{"few", Alignment{Ref: ref, Query: query, Cigar: []Op{{50, 'M'}}}, FitOptions{}, "50 aligned bases in 1 reads, at least 10000"},
		{"cigar", Alignment{Ref: ref, Query: query, Cigar: []Op{{49, 'M'}}}, FitOptions{}, "cigar spans 49 bases of a read of 50"},
		{"outside", Alignment{Ref: ref, Start: 60, Query: query, Cigar: []Op{{50, 'M'}}}, FitOptions{}, "spans 50 bases from 60 of a reference of 100"},
		{"operation", Alignment{Ref: ref, Query: query, Cigar: []Op{{50, 'Z'}}}, FitOptions{}, `operation 'Z'`},
		{"qualities", Alignment{Ref: ref, Query: query, Quals: query[:3], Cigar: []Op{{50, 'M'}}}, FitOptions{}, "3 qualities for 50 bases"},
		{"quality", Alignment{Ref: ref, Query: query[:2], Quals: []uint8{1, 94}, Cigar: []Op{{2, 'M'}}}, FitOptions{}, "quality 94 at base 2"},
		{"code", Alignment{Ref: ref, Query: []uint8{1, 5}, Cigar: []Op{{2, 'M'}}}, FitOptions{}, "code 5"},
		{"options", Alignment{}, FitOptions{Classes: 99}, "99 classes (limit 16)"},
		{"bins", Alignment{}, FitOptions{Bins: []int{5, 3}}, "bin 1 ends at 3"},
		{"only N", Alignment{Ref: bytes.Repeat([]byte{N}, 100), Query: query, Cigar: []Op{{50, 'M'}}}, FitOptions{MinBases: 1}, "left out"},
	} {
		l := list{c.a}
		if _, _, err := Fit(&l, c.opt); err == nil || !strings.Contains(err.Error(), c.want) || c.name != "options" && c.name != "bins" && !errors.Is(err, ErrFit) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestValidate(t *testing.T) {
	for _, c := range []struct {
		want   string
		change func(p *Profile)
	}{
		{"version is 0", func(p *Profile) { p.Version = 0 }},
		{"quality.phred[1] is 5", func(p *Profile) { p.Quality.Phred[1] = 5 }},
		{"quality.ends[2] is 60", func(p *Profile) { p.Quality.Ends[2] = 60 }},
		{"quality.link[0][1] is NaN", func(p *Profile) { p.Quality.Link[0][1] = math.NaN() }},
		{"sub.by_quality has 0 values, want 3", func(p *Profile) { p.Sub.ByQuality = nil }},
		{"sub.to[5][1] is 1: a base is not substituted by itself", func(p *Profile) { p.Sub.To[5][1] = 1 }},
		{"ins.by_run[0] is 0.9", func(p *Profile) { p.Ins.ByRun[0] = 0.9 }},
		{"del.extend[0] is 1", func(p *Profile) { p.Del.Extend = 1 }},
		{"adapter.seq has 'x' at 1", func(p *Profile) { p.Adapter.Seq = "Ax" }},
		{"adapter.rate is 0.5 without adapter.seq", func(p *Profile) { p.Adapter.Rate = 0.5 }},
		{"classes[0].marginal[1] sums to 0", func(p *Profile) { p.Classes[0].Marginal[1] = []float64{0, 0, 0} }},
		{"there are 0 classes", func(p *Profile) { p.Classes = nil }},
		{"length has 1 quantiles", func(p *Profile) { p.Length = []int{3} }},
	} {
		p := known()
		c.change(p)
		if err := p.Validate(); !errors.Is(err, ErrProfile) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
		var o Read
		if p.Read(rand.New(rand.NewPCG(1, 1)), []uint8{1, 2, 3}, 3, &o); len(o.Bases) != 0 {
			t.Errorf("%s: read nevertheless", c.want)
		}
	}
	if err := known().Validate(); err != nil {
		t.Error(err)
	}
	if _, err := Builtin("../x"); err == nil || !strings.Contains(err.Error(), "illumina, miseq, nanopore, pacbio") {
		t.Error(err)
	}
}

// FuzzLoad: what Load takes makes reads whose truth holds, and is itself after Save.
func FuzzLoad(f *testing.F) {
	for _, p := range []*Profile{known(), Rate(0.1, 0.1, 0.1), Rate(0, 0, 0)} {
		var b bytes.Buffer
		if err := p.Save(&b); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Add([]byte(`{"version":1}`))
	f.Add([]byte(`{"version":1,"quality":{"phred":[2],"ends":[9223372036854775807]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Load(bytes.NewReader(data))
		if err != nil {
			if !errors.Is(err, ErrProfile) {
				t.Fatalf("%v", err)
			}
			return
		}
		var b bytes.Buffer
		if err := p.Save(&b); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(&b); err != nil {
			t.Fatalf("saved: %v", err)
		}
		if len(p.Quality.Phred)*len(p.Quality.Phred)*len(p.Quality.Ends) > 1<<12 {
			return // tables that take long
		}
		r := rand.New(rand.NewPCG(1, 2))
		template := random(r, 200)
		template[50] = N
		var o Read
		for range 5 {
			p.Read(r, template, 150, &o)
			if got := rebuild(&o); len(got)+o.Lost != o.Used || o.Lost == 0 && !bytes.Equal(got, template[:o.Used]) {
				t.Fatalf("the truth does not give the template back: %v", o)
			}
			p.DrawLength(r, 5)
		}
	})
}
