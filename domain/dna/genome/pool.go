package genome

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/selfsame-ml/selfsame/dataset"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/domain/dna/fastx"
	"github.com/selfsame-ml/selfsame/internal/rng"
)

// Codes of bases in memory: A 0, C 1, G 2, T 3, all else 4; soft marks lower case.
const (
	unknown = 4
	soft    = 8
	letter  = 7 // the bits of the code
)

// gap is the length from which a run of unknown bases divides a sequence. Shorter ones stay in the windows; they are seen, but not
// predicted.
const gap = 16

// Genome is one file of the pool, for people.
type Genome struct {
	Name      string `json:"name"` // of the file, without its endings
	Path      string `json:"path"`
	Bases     int    `json:"bases"` // A, C, G and T
	Sequences int    `json:"sequences"`
	Held      bool   `json:"held"` // a held-out species: no window of it is trained on
}

// stretch is a run of bases [from, to) of one genome.
type stretch struct{ from, to int }

// sequence is what is known of a genome.
type sequence struct {
	Genome
	codes   []uint8
	contigs []stretch
	digest  [sha256.Size]byte
}

// Name is the name of a genome by its file: without folder, .gz and the ending behind the name.
func Name(path string) string {
	name := filepath.Base(path)
	for _, z := range []string{".gz", ".xz", ".zst", ".bz2"} {
		name = strings.TrimSuffix(name, z)
	}
	if stem := strings.TrimSuffix(name, filepath.Ext(name)); stem != "" {
		return stem
	}
	return name
}

// read reads a file of a genome.
func read(path string, held bool, warn func(string, ...any), stop func() error) (*sequence, error) {
	f, err := fastx.Open(path, fastx.Options{Warn: warn})
	if err != nil {
		return nil, err
	}
	defer f.Close()
	g := &sequence{Genome: Genome{Name: Name(path), Path: path, Held: held}}
	if info, err := os.Stat(path); err == nil && !f.Compressed() {
		g.codes = make([]uint8, 0, info.Size())
	}
	h := sha256.New()
	var size [8]byte
	var rec fastx.Record
	for {
		if err := stop(); err != nil {
			return nil, err
		}
		err := f.Read(&rec)
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		if rec.Qual != nil {
			return nil, &dataset.Error{Path: path, Err: errors.New("a FASTQ file, not a genome"), Hint: "the pool is one FASTA file a species"}
		}
		from := len(g.codes)
		for _, b := range rec.Seq {
			c := fastx.Code(b)
			if c < unknown {
				g.Bases++
			}
			if b >= 'a' {
				c |= soft
			}
			g.codes = append(g.codes, c)
		}
		g.contigs = append(g.contigs, stretch{from, len(g.codes)})
		binary.LittleEndian.PutUint64(size[:], uint64(len(g.codes)-from))
		h.Write(size[:])
		h.Write(g.codes[from:])
	}
	g.Sequences = len(g.contigs)
	h.Sum(g.digest[:0])
	if g.Bases == 0 {
		return nil, &dataset.Error{Path: path, Err: fmt.Errorf("%d sequences with 0 known bases", len(g.contigs)), Hint: "a genome of N only, or an empty file"}
	}
	return g, nil
}

// readPool reads the files, and puts the genomes in the order of their content, so that nothing depends on what they are called.
func readPool(pool, held, holdOut []string, opt domain.OpenOptions, stop func() error) ([]*sequence, error) {
	names := map[string]string{}
	out := make([]*sequence, 0, len(pool)+len(held))
	left := map[string]bool{}
	for _, n := range holdOut {
		left[n] = true
	}
	for k, path := range append(slices.Clone(pool), held...) {
		if opt.Progress != nil {
			opt.Progress("read "+filepath.Base(path), k, len(pool)+len(held))
		}
		name := Name(path)
		if other, ok := names[name]; ok {
			return nil, &dataset.Error{Path: path, Err: fmt.Errorf("the genome %q is named twice, first by %s", name, other), Hint: "a file is a species: rename one, or put the sequences of both into one file"}
		}
		names[name] = path
		g, err := read(path, k >= len(pool) || slices.Contains(holdOut, name), opt.Warn, stop)
		if err != nil {
			return nil, err
		}
		delete(left, name)
		out = append(out, g)
	}
	for _, n := range holdOut {
		if left[n] {
			known := make([]string, 0, len(out))
			for _, g := range out {
				known = append(known, g.Name)
			}
			return nil, &dataset.Error{Err: fmt.Errorf("data.hold_out: no genome is called %q", n), Hint: "there are " + strings.Join(known, ", ")}
		}
	}
	slices.SortFunc(out, func(a, b *sequence) int { return bytes.Compare(a.digest[:], b.digest[:]) })
	return out, nil
}

// blockSize is the length of the blocks that are given to parts, where a genome is long enough.
const blockSize = 20_000

// blocks cuts the sequences into blocks of about blockSize bases, a fortieth of the genome or four windows, that hold a window.
func (g *sequence) blocks(window int) []stretch {
	size := max(min(blockSize, len(g.codes)/40), 4*window)
	size = max(min(size, len(g.codes)/8), window) // a small genome has blocks for every part, if it can
	var out []stretch
	for _, c := range g.contigs {
		n := max(1, (c.to-c.from)/size)
		for k := range n {
			b := stretch{c.from + k*(c.to-c.from)/n, c.from + (k+1)*(c.to-c.from)/n}
			if len(g.runs(nil, b, window)) > 0 {
				out = append(out, b)
			}
		}
	}
	return out
}

// runs appends the stretches of a block between runs of N that hold a window.
func (g *sequence) runs(dst []stretch, b stretch, window int) []stretch {
	from, n := b.from, 0 // n: unknown bases up to here
	for at := b.from; at <= b.to; at++ {
		if at < b.to && g.codes[at]&letter == unknown {
			n++
			continue
		}
		if n >= gap || at == b.to {
			if end := at - n; end-from >= window {
				dst = append(dst, stretch{from, end})
			}
			from = at
		} else if n > 0 && from == at-n { // no window begins with N
			from = at
		}
		n = 0
	}
	return dst
}

// split gives the blocks of a genome to the parts by a draw keyed by the seed and by its content.
func (g *sequence) split(window int, seed uint64, val, test float64) (parts [3][]stretch) {
	blocks := g.blocks(window)
	if g.Held {
		parts[domain.Test] = blocks
		return parts
	}
	take := func(share float64, left int) int {
		if share <= 0 {
			return 0
		}
		return min(max(1, int(share*float64(len(blocks))+0.5)), left)
	}
	left := len(blocks) - 1 // one is trained on, whatever else
	nVal := take(val, left)
	nTest := take(test, left-nVal)
	for k, b := range rng.New(seed, rng.Split, binary.LittleEndian.Uint64(g.digest[:8])).Perm(len(blocks)) {
		p := domain.Train
		switch {
		case k < nVal:
			p = domain.Val
		case k < nVal+nTest:
			p = domain.Test
		}
		parts[p] = append(parts[p], blocks[b])
	}
	for p := range parts {
		slices.SortFunc(parts[p], func(a, b stretch) int { return a.from - b.from })
	}
	return parts
}

// share is what one genome gives to a part: bases, where its windows may begin, and how many samples it has. There is no name in it.
type share struct {
	codes  []uint8
	size   int // known bases of the whole genome
	runs   []stretch
	starts []int // starts[k]: places of windows in the runs before run k; one more than runs
	first  int   // sample
	n      int   // samples
}

// part is where the samples of a part lie.
type part struct {
	window int
	skip   bool // soft-masked bases are not predicted
	shares []share
	weight []float64 // of each share, sum 1
	len    int
}

// windows is how many lie side by side.
func (s *share) windows(window int) int {
	n := 0
	for _, r := range s.runs {
		n += (r.to - r.from) / window
	}
	return n
}

// newShare finds the runs of the blocks of a genome; where soft-masked bases are not predicted, runs of little else are left out.
func newShare(g *sequence, blocks []stretch, window int, skip bool) share {
	s := share{codes: g.codes, size: g.Bases}
	for _, b := range blocks {
		s.runs = g.runs(s.runs, b, window)
	}
	if skip {
		s.runs = slices.DeleteFunc(s.runs, func(r stretch) bool {
			n := 0
			for _, c := range g.codes[r.from:r.to] {
				if c < unknown {
					n++
				}
			}
			return 2*n < r.to-r.from
		})
	}
	s.starts = make([]int, len(s.runs)+1)
	for k, r := range s.runs {
		s.starts[k+1] = s.starts[k] + r.to - r.from - window + 1
	}
	return s
}

// weigh divides samples over the shares of a part: weight proportional to (known bases of the genome)^alpha. A training part has as many samples as
// windows lie side by side in it, or limit; a genome with more of them than windows is seen more often. In a
// held-out part no two samples overlap much: a genome has at most as many as windows, and the weights hold as far as that leaves 2,000.
func (p *part) weigh(alpha float64, train bool, limit int) {
	total, sum, least := 0, 0.0, math.Inf(1)
	p.weight = make([]float64, len(p.shares))
	for k := range p.shares {
		s := &p.shares[k]
		total += s.windows(p.window)
		p.weight[k] = math.Pow(float64(s.size), alpha)
		sum += p.weight[k]
	}
	for k := range p.shares {
		p.weight[k] /= sum
		least = min(least, float64(p.shares[k].windows(p.window))/p.weight[k])
	}
	n := float64(total)
	if train && limit > 0 {
		n = float64(limit)
	}
	if !train {
		n = max(least, min(2000, float64(total)))
	}
	p.len = 0
	for k := range p.shares {
		s := &p.shares[k]
		s.first, s.n = p.len, max(1, int(n*p.weight[k]+0.5))
		if !train {
			s.n = min(s.n, s.windows(p.window))
		}
		p.len += s.n
	}
}

// of finds the share of a sample.
func (p *part) of(i int) *share {
	k := sort.Search(len(p.shares), func(k int) bool { return p.shares[k].first > i })
	return &p.shares[k-1]
}

// place is where the window of sample i begins: samples divide the places of a genome evenly, and shift in [0, 1) moves a window up to the next
// sample's, so that every place of a genome is as likely as any other.
func (p *part) place(i int, shift float64) (*share, int) {
	s := p.of(i)
	all := s.starts[len(s.runs)]
	at := min(int((float64(i-s.first)+shift)/float64(s.n)*float64(all)), all-1)
	k := sort.Search(len(s.runs), func(k int) bool { return s.starts[k+1] > at })
	return s, s.runs[k].from + at - s.starts[k]
}

// base is base j of a window that begins at a place, on either strand, and whether it is predicted.
func (p *part) base(s *share, at, j int, back bool) (code uint8, predicted bool) {
	if back {
		j = p.window - 1 - j
	}
	c := s.codes[at+j]
	code = c & letter
	if back && code < unknown {
		code = 3 - code
	}
	return code, code < unknown && !(p.skip && c&soft != 0)
}

// fill writes what stands before each base of a window: Begin, then the bases but for the last.
func (p *part) fill(dst []uint8, s *share, at int, back bool) {
	dst[0] = Begin
	for j := range p.window - 1 {
		dst[j+1], _ = p.base(s, at, j, back)
	}
}

// truth writes the bases of a window and which of them are predicted.
func (p *part) truth(clean, mask []uint8, s *share, at int, back bool) {
	for j := range p.window {
		c, ok := p.base(s, at, j, back)
		clean[j], mask[j] = c, 0
		if ok {
			mask[j] = 1
		}
	}
}

// composition is the share of each base among those that are predicted, by the weights of the genomes; of both strands where both are read.
func (p *part) composition(both bool) [4]float64 {
	var out [4]float64
	for k := range p.shares {
		s := &p.shares[k]
		var n [4]float64
		for _, r := range s.runs {
			for _, c := range s.codes[r.from:r.to] {
				if b := c & letter; b < unknown && !(p.skip && c&soft != 0) {
					n[b]++
				}
			}
		}
		if both {
			n = [4]float64{n[0] + n[3], n[1] + n[2], n[1] + n[2], n[0] + n[3]}
		}
		total := n[0] + n[1] + n[2] + n[3] + 4 // one more of each, so that nothing is impossible
		for b := range n {
			out[b] += p.weight[k] * (n[b] + 1) / total
		}
	}
	return out
}
