package genome

import (
	"cmp"
	"container/heap"
	"fmt"
	"slices"

	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/internal/rng"
)

// anchorWord is the length of the words that windows are anchored to: at a few percent of substitutions between relatives about
// half of all words of 16 bases are the same.
const anchorWord = 16

// Anchor is a window of a genome that begins with a word.
type Anchor struct {
	Hash uint64 // of the word: the same in every genome
	At   int    // of the first base on the strand of the file
	Back bool   // it is read on the other strand
}

// Anchors chooses n windows of genome g by what they begin with: the distinct words of 16 bases with the lowest hashes on either strand, as a
// bottom sketch does (Broder 1997; Ondov et al. 2016, Mash). Relatives are so read at homologous places without any alignment, which
// takes most of the sampling error out of what is between them; and neither the strand nor the order of the sequences of a file matters.
// Of a word that occurs again, or that is its own reverse complement, the window counts whose bases come first (A, C, G, T, unknown). No
// window reaches over the end of a sequence or holds a run of 16 unknown bases. It returns fewer than n where a genome has fewer
// words. They stand in the order of their hashes, which are distinct.
func (s *Samples) Anchors(g, n int, seed uint64) ([]Anchor, error) {
	if g < 0 || g >= len(s.pool) || n < 1 {
		return nil, fmt.Errorf("genome: %d windows of genome %d of %d", n, g, len(s.pool))
	}
	q := s.pool[g]
	word := min(anchorWord, s.window)
	key, _ := rng.Key(seed, rng.Probe, 12)
	mask := uint64(1)<<(2*word) - 1
	top := uint(2 * (word - 1))
	h := &bottom{n: n, in: map[uint64]*Anchor{}}
	p, all := &part{window: s.window}, newShare(q, q.contigs, s.window, false)
	for _, r := range all.runs {
		var fwd, rev uint64
		have := 0
		for i := r.from; i < r.to; i++ {
			c := uint64(q.codes[i] & letter)
			if c >= unknown {
				have = 0
				continue
			}
			fwd, rev = (fwd<<2|c)&mask, rev>>2|(3-c)<<top
			if have++; have < word {
				continue
			}
			hash := scatter(min(fwd, rev) ^ key)
			if !h.wants(hash) {
				continue
			}
			for _, back := range []bool{false, true} {
				a := Anchor{hash, i + 1 - word, back}
				if back {
					a.At = i + 1 - s.window
				}
				if back && fwd < rev || !back && rev < fwd || a.At < r.from || a.At+s.window > r.to {
					continue
				}
				if old := h.in[hash]; old == nil {
					h.add(a)
				} else if p.before(&all, a, *old) {
					*old = a
				}
			}
		}
	}
	out := make([]Anchor, len(h.list))
	for k, a := range h.list {
		out[k] = *a
	}
	slices.SortFunc(out, func(a, b Anchor) int { return cmp.Compare(a.Hash, b.Hash) })
	return out, nil
}

// before orders windows by their bases.
func (p *part) before(s *share, a, b Anchor) bool {
	for j := range p.window {
		x, _ := p.base(s, a.At, j, a.Back)
		y, _ := p.base(s, b.At, j, b.Back)
		if x != y {
			return x < y
		}
	}
	return false
}

// FillAnchor writes the window at an anchor as the encoder takes it: row of dst (field Input()).
func (s *Samples) FillAnchor(dst *domain.Array, row, g int, a Anchor) {
	p := &part{window: s.window}
	p.fill(dst.U8[row*s.window:(row+1)*s.window], &share{codes: s.pool[g].codes}, a.At, a.Back)
}

// scatter is a bijection of words to hashes (the finaliser of MurmurHash3, Appleby).
func scatter(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// bottom keeps the n anchors of distinct words with the lowest hashes, the highest of them first.
type bottom struct {
	n    int
	list []*Anchor
	in   map[uint64]*Anchor
}

// wants tells whether a word is among the lowest so far, in the list or not.
func (b *bottom) wants(hash uint64) bool { return len(b.list) < b.n || hash <= b.list[0].Hash }

// add takes an anchor of a new word.
func (b *bottom) add(a Anchor) {
	b.in[a.Hash] = &a
	if len(b.list) < b.n {
		heap.Push(b, &a)
		return
	}
	delete(b.in, b.list[0].Hash)
	b.list[0] = &a
	heap.Fix(b, 0)
}

func (b *bottom) Len() int           { return len(b.list) }
func (b *bottom) Less(i, j int) bool { return b.list[i].Hash > b.list[j].Hash }
func (b *bottom) Swap(i, j int)      { b.list[i], b.list[j] = b.list[j], b.list[i] }
func (b *bottom) Push(x any)         { b.list = append(b.list, x.(*Anchor)) }
func (b *bottom) Pop() any {
	a := b.list[len(b.list)-1]
	b.list = b.list[:len(b.list)-1]
	return a
}

// Contigs gives the sequences of genome g one by one as codes: 0..3 A, C, G, T, 8 more where soft-masked, all else unknown. They must not be changed.
func (s *Samples) Contigs(g int, each func(codes []uint8)) {
	for _, c := range s.pool[g].contigs {
		each(s.pool[g].codes[c.from:c.to])
	}
}
