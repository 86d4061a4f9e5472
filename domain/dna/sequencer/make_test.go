package sequencer

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The built-in profiles are made by
//
//	go test ./domain/dna/sequencer -run TestMakeProfiles -reads DIR
//
// where DIR holds hs25.sam and msv3.sam (art_illumina -sam -ss HS25 -p -l 150 -f 10 -m 350 -s 50, and -ss MSv3 -l 250 -m 500 -s 60,
// of ecoli.fa), pacbio.sam (6,000 reads of Debian's wtdbg2-examples, minimap2 -ax map-pb) and nanopore.sam (seqkit-examples,
// minimap2 -ax splice -k14 --eqx against sirv.fa), the last two without secondary and supplementary alignments.
var readsDir = flag.String("reads", "", "folder of alignments from which TestMakeProfiles fits the built-in profiles")

// samText is a Source over SAM text without checks: for this command alone.
type samText struct {
	s    *bufio.Reader
	refs map[string][]uint8
}

func (s *samText) Next(a *Alignment) error {
	for {
		line, err := s.s.ReadBytes('\n')
		if len(line) == 0 {
			return err
		}
		if line[0] == '@' {
			continue
		}
		f := bytes.Split(bytes.TrimSpace(line), []byte("\t"))
		flag, _ := strconv.Atoi(string(f[1]))
		if flag&0x904 != 0 {
			continue
		}
		pos, _ := strconv.Atoi(string(f[3]))
		a.Ref, a.Start, a.Reverse = s.refs[string(f[2])], pos-1, flag&16 != 0
		if a.Ref == nil {
			return fmt.Errorf("no reference %s", f[2])
		}
		a.Query = Encode(a.Query, f[9])
		a.Quals = a.Quals[:0]
		if string(f[10]) != "*" {
			for _, c := range f[10] {
				a.Quals = append(a.Quals, c-33)
			}
		}
		a.Cigar = a.Cigar[:0]
		n := 0
		for _, c := range f[5] {
			if c >= '0' && c <= '9' {
				n = n*10 + int(c-'0')
				continue
			}
			a.Cigar = append(a.Cigar, Op{n, c})
			n = 0
		}
		return nil
	}
}

func fasta(t *testing.T, path string) map[string][]uint8 {
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	refs := map[string][]uint8{}
	for _, rec := range bytes.Split(b, []byte(">"))[1:] {
		head, body, _ := bytes.Cut(rec, []byte("\n"))
		name, _, _ := bytes.Cut(bytes.TrimSpace(head), []byte(" "))
		refs[string(name)] = Encode(nil, bytes.ReplaceAll(body, []byte("\n"), nil))
	}
	return refs
}

func samFile(t *testing.T, sam, ref string) (*samText, io.Closer) {
	f, err := os.Open(filepath.Join(*readsDir, sam))
	if err != nil {
		t.Fatal(err)
	}
	return &samText{bufio.NewReaderSize(f, 1<<20), fasta(t, filepath.Join(*readsDir, ref))}, f
}

func TestMakeProfiles(t *testing.T) {
	if *readsDir == "" {
		t.Skip("makes the built-in profiles: needs -reads")
	}
	const adapter = "AGATCGGAAGAGCACACGTCTGAACTCCAGTCA" // Illumina TruSeq, read 1
	for _, c := range []struct {
		sam, ref string
		opt      FitOptions
		add      func(p *Profile)
		preset   string
		reads    int
	}{
		{"hs25.sam", "ecoli.fa", FitOptions{Name: "illumina", Doc: "pairs of 150 bases simulated by ART 2.5.8 (HS25) from E. coli", Variant: 2}, func(p *Profile) {
			p.Adapter = Adapter{adapter, 0.01, 30}
			p.N = Ambiguous{2e-5, 0.1}
		}, "", 0},
		{"msv3.sam", "ecoli.fa", FitOptions{Name: "miseq", Doc: "pairs of 250 bases simulated by ART 2.5.8 (MSv3) from E. coli", Variant: 2}, func(p *Profile) {
			p.Adapter = Adapter{adapter, 0.01, 30}
			p.N = Ambiguous{2e-5, 0.1}
		}, "", 0},
		{"pacbio.sam", "ecoli.fa", FitOptions{Name: "pacbio", Doc: "real PacBio RS II reads of E. coli K-12 (wtdbg2-examples), aligned by minimap2 -x map-pb; scaled so that its own reads, aligned alike, have the same rates", Classes: 8}, nil, "-ax map-pb", 1000},
		{"nanopore.sam", "sirv.fa", FitOptions{Name: "nanopore", Doc: "real Nanopore R9 cDNA reads of SIRV spike-ins (seqkit-examples), aligned by minimap2 -x splice; scaled so that its own reads, aligned alike, have the same rates", Classes: 6}, nil, "-ax splice -k14 --eqx", 5000},
	} {
		src, f := samFile(t, c.sam, c.ref)
		p, rep, err := Fit(src, c.opt)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %+v", c.opt.Name, *rep)
		if c.add != nil {
			c.add(p)
		}
		if c.preset != "" {
			p = refine(t, p, c.opt, c.ref, c.preset, c.reads)
		}
		out, err := os.Create("profiles/" + c.opt.Name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Save(out); err != nil {
			t.Fatal(err)
		}
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// profileOfReads is what art_test.go compares.
type profileOfReads struct {
	errByCycle, meanQ []float64 // by cycle
	share, errByQ     []float64 // by score
	n, sub, ins, del  float64   // bases; events per base
	seen              []float64 // by score
}

// measureReads counts a source of alignments.
func measureReads(src Source, cycles int) (m profileOfReads, err error) {
	count, bad, sumQ := make([]float64, cycles), make([]float64, cycles), make([]float64, cycles)
	m.seen, m.errByQ, m.share = make([]float64, 94), make([]float64, 94), make([]float64, 94)
	var a Alignment
	for {
		if err = src.Next(&a); err == io.EOF {
			break
		} else if err != nil {
			return m, err
		}
		span := 0
		for _, op := range a.Cigar {
			if op.Kind != 'D' && op.Kind != 'H' {
				span += op.Len
			}
		}
		if span != len(a.Query) {
			continue // ART
		}
		i, j := a.Start, 0
		for _, op := range a.Cigar {
			switch op.Kind {
			case 'S':
				j += op.Len
			case 'I':
				m.ins++
				j += op.Len
			case 'D':
				m.del++
				i += op.Len
			default:
				for range op.Len {
					c := j
					if a.Reverse {
						c = len(a.Query) - 1 - j
					}
					q := a.Quals[j]
					m.n++
					m.seen[q]++
					if c < cycles {
						count[c]++
						sumQ[c] += float64(q)
					}
					if a.Query[j] != a.Ref[i] && a.Query[j] < N {
						m.sub++
						m.errByQ[q]++
						if c < cycles {
							bad[c]++
						}
					}
					i, j = i+1, j+1
				}
			}
		}
	}
	for q, n := range m.seen {
		m.share[q] = n / m.n
		m.errByQ[q] /= max(n, 1)
	}
	for c := range count {
		m.errByCycle = append(m.errByCycle, bad[c]/count[c])
		m.meanQ = append(m.meanQ, sumQ[c]/count[c])
	}
	m.sub, m.ins, m.del = m.sub/m.n, m.ins/m.n, m.del/m.n
	return m, nil
}

// TestBesideART prints ART's numbers, from runs with other seeds than those of the fit, beside ours; art_test.go holds them.
func TestBesideART(t *testing.T) {
	if *readsDir == "" {
		t.Skip("compares with files of ART: needs -reads")
	}
	for _, c := range []struct {
		name, sam string
		n         int
	}{{"illumina", "hs25b.sam", 150}, {"miseq", "msv3b.sam", 250}} {
		src, f := samFile(t, c.sam, "ecoli.fa")
		art, err := measureReads(src, c.n)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		p, err := Builtin(c.name)
		if err != nil {
			t.Fatal(err)
		}
		g := src.refs["ecoliK12_mutated"]
		us, err := measureReads(&simulated{p: p, r: rand.New(rand.NewPCG(1, 9)), ref: g, sample: g, n: c.n, reads: 120_000}, c.n)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: bases %g, ours %g; sub %.5f %.5f, ins %.2g %.2g, del %.2g %.2g", c.name, art.n, us.n, art.sub, us.sub, art.ins, us.ins, art.del, us.del)
		for b := 0; b < c.n; b += 25 {
			var x, y, qx, qy float64
			for i := b; i < b+25; i++ {
				x, y, qx, qy = x+art.errByCycle[i]/25, y+us.errByCycle[i]/25, qx+art.meanQ[i]/25, qy+us.meanQ[i]/25
			}
			t.Logf("cycles %d to %d: errors %.5f %.5f, mean score %.2f %.2f", b+1, b+25, x, y, qx, qy)
		}
		for i := 0; i < c.n; i++ {
			if i < 3 || i%25 == 24 || i == 9 {
				t.Logf("cycle %3d: errors %.5f %.5f, mean score %.2f %.2f", i+1, art.errByCycle[i], us.errByCycle[i], art.meanQ[i], us.meanQ[i])
			}
		}
		for q := range art.share {
			if art.share[q] > 0 || us.share[q] > 0 {
				t.Logf("score %2d: share %.5f %.5f, errors %.5f %.5f", q, art.share[q], us.share[q], art.errByQ[q], us.errByQ[q])
			}
		}
	}
}

// writeReads writes reads of p as FASTQ: n of its lengths, of both strands.
func writeReads(t *testing.T, p *Profile, refs map[string][]uint8, reads int, path string) {
	var out bytes.Buffer
	r := rand.New(rand.NewPCG(4, 4))
	var list [][]uint8
	for _, name := range slices.Sorted(maps.Keys(refs)) {
		list = append(list, refs[name])
	}
	var o Read
	for i := range reads {
		g := list[r.IntN(len(list))]
		n := p.DrawLength(r, 150)
		span := min(len(g), 2*n)
		at := r.IntN(len(g) - span + 1)
		template := g[at : at+span]
		if i%2 == 1 {
			template = ReverseComplement(nil, template)
		}
		p.Read(r, template, n, &o)
		fmt.Fprintf(&out, "@%d\n", i)
		for _, b := range o.Bases {
			out.WriteByte("ACGTN"[b])
		}
		out.WriteString("\n+\n")
		for _, q := range o.Quals {
			out.WriteByte(q + 33)
		}
		out.WriteByte('\n')
	}
	if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// refine corrects a profile for what an aligner makes of indels: reads of p are aligned with the same command as the real ones
// and fitted again, and every rate is scaled by (fit of the real reads) / (fit of its own).
func refine(t *testing.T, p *Profile, opt FitOptions, ref, preset string, reads int) *Profile {
	var b bytes.Buffer
	if err := p.Save(&b); err != nil {
		t.Fatal(err)
	}
	goal := b.Bytes()
	load := func() *Profile {
		q, err := Load(bytes.NewReader(goal))
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	path := filepath.Join(*readsDir, ref)
	real, out := load(), load()
	for range 5 {
		fq := filepath.Join(t.TempDir(), "ours.fq")
		writeReads(t, out, fasta(t, path), reads, fq)
		args := append(strings.Fields(preset), "--secondary=no", "-t1", path, fq)
		sam, err := exec.Command("minimap2", args...).Output()
		if err != nil {
			t.Fatal(err)
		}
		again, rep, err := Fit(&samText{bufio.NewReader(bytes.NewReader(sam)), fasta(t, path)}, opt)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: own reads aligned: sub %.4f ins %.4f del %.4f", opt.Name, rep.Sub, rep.Ins, rep.Del)
		scale := func(dst, goal, got []float64, most float64) {
			for i := range dst {
				if got[i] > 0 {
					dst[i] = min(dst[i]*min(2, max(0.5, goal[i]/got[i])), most)
				}
			}
			digits(dst, 4)
		}
		at := map[int]int{}
		for i, q := range again.Quality.Phred {
			at[q] = i
		}
		for i, q := range real.Quality.Phred { // scores that did not occur stay
			if j, ok := at[q]; ok {
				one := func(dst, goal, got []float64, most float64) {
					if dst != nil && goal != nil && got != nil {
						scale(dst[i:i+1], goal[i:i+1], got[j:j+1], most)
					}
				}
				one(out.Sub.ByQuality, real.Sub.ByQuality, again.Sub.ByQuality, maxRate)
				one(out.Ins.Quality, real.Ins.Quality, again.Ins.Quality, 1)
				one(out.Del.Quality, real.Del.Quality, again.Del.Quality, 1)
				for c := range out.Classes {
					for b := range out.Classes[c].Marginal {
						one(out.Classes[c].Marginal[b], real.Classes[c].Marginal[b], again.Classes[c].Marginal[b], 1)
					}
				}
			}
		}
		scale(out.Sub.ByContext, real.Sub.ByContext, again.Sub.ByContext, 100)
		scale(out.Ins.ByRun, real.Ins.ByRun, again.Ins.ByRun, maxRate)
		scale(out.Del.ByRun, real.Del.ByRun, again.Del.ByRun, maxRate)
		for _, v := range [][3]*float64{{&out.Ins.Extend, &real.Ins.Extend, &again.Ins.Extend}, {&out.Del.Extend, &real.Del.Extend, &again.Del.Extend}, {&out.Ins.Repeat, &real.Ins.Repeat, &again.Ins.Repeat}} {
			x := []float64{*v[0]}
			scale(x, []float64{*v[1]}, []float64{*v[2]}, maxExtend)
			*v[0] = x[0]
		}
		for i := range out.Classes {
			o, r, a := &out.Classes[i], &real.Classes[i], &again.Classes[i]
			x := []float64{o.Sub, o.Ins, o.Del}
			scale(x, []float64{r.Sub, r.Ins, r.Del}, []float64{a.Sub, a.Ins, a.Del}, 10)
			o.Sub, o.Ins, o.Del = x[0], x[1], x[2]
		}
		level(out)
		out = reload(t, out)
	}
	return out
}

// level makes the mean of the factors of contexts and of classes 1, with the same products.
func level(p *Profile) {
	mean := 0.0
	for _, f := range p.Sub.ByContext {
		mean += f / 16
	}
	for i := range p.Sub.ByContext {
		p.Sub.ByContext[i] /= mean
	}
	var w, sub, ins, del float64
	for _, c := range p.Classes {
		w, sub, ins, del = w+c.Weight, sub+c.Weight*c.Sub, ins+c.Weight*c.Ins, del+c.Weight*c.Del
	}
	for i := range p.Classes {
		c := &p.Classes[i]
		v := digits([]float64{c.Sub * w / sub, c.Ins * w / ins, c.Del * w / del}, 4)
		c.Sub, c.Ins, c.Del = v[0], v[1], v[2]
	}
	for _, v := range []struct {
		rate []float64
		by   float64
	}{{p.Sub.ByQuality, mean * sub / w}, {p.Ins.ByRun, ins / w}, {p.Del.ByRun, del / w}} {
		for i := range v.rate {
			v.rate[i] = min(v.rate[i]*v.by, maxRate)
		}
		digits(v.rate, 4)
	}
	digits(p.Sub.ByContext, 4)
}

// reload is a copy without the compiled tables.
func reload(t *testing.T, p *Profile) *Profile {
	var b bytes.Buffer
	if err := p.Save(&b); err != nil {
		t.Fatal(err)
	}
	q, err := Load(&b)
	if err != nil {
		t.Fatal(err)
	}
	return q
}
