package genome

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
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
// It returns fewer than n where a genome has fewer words. They stand in the order of their hashes.
func (s *Samples) Anchors(g, n int, seed uint64) ([]Anchor, error) {
	if g < 0 || g >= len(s.pool) || n < 1 {
		return nil, fmt.Errorf("genome: %d windows of genome %d of %d", n, g, len(s.pool))
	}
	q := s.pool[g]
	word := min(anchorWord, s.window)
	key, _ := rng.Key(seed, rng.Probe, 12)
	mask := uint64(1)<<(2*word) - 1
	top := uint(2 * (word - 1))
	h := &bottom{n: n, in: map[uint64]bool{}}
	for _, r := range newShare(q, q.contigs, s.window, false).runs {
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
			a := Anchor{At: i + 1 - word}
			w := fwd
			if rev < fwd {
				w, a.Back, a.At = rev, true, i+1-s.window
			}
			if a.Hash = scatter(w ^ key); !h.wants(a.Hash) || a.At < r.from || a.At+s.window > r.to {
				continue
			}
			h.add(a)
		}
	}
	slices.SortFunc(h.list, func(a, b Anchor) int {
		if a.Hash < b.Hash {
			return -1
		}
		return 1
	})
	return h.list, nil
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
	list []Anchor
	in   map[uint64]bool
}

func (b *bottom) wants(hash uint64) bool {
	return (len(b.list) < b.n || hash < b.list[0].Hash) && !b.in[hash]
}

func (b *bottom) add(a Anchor) {
	b.in[a.Hash] = true
	if len(b.list) < b.n {
		heap.Push(b, a)
		return
	}
	delete(b.in, b.list[0].Hash)
	b.list[0] = a
	heap.Fix(b, 0)
}

func (b *bottom) Len() int           { return len(b.list) }
func (b *bottom) Less(i, j int) bool { return b.list[i].Hash > b.list[j].Hash }
func (b *bottom) Swap(i, j int)      { b.list[i], b.list[j] = b.list[j], b.list[i] }
func (b *bottom) Push(x any)         { b.list = append(b.list, x.(Anchor)) }
func (b *bottom) Pop() any {
	a := b.list[len(b.list)-1]
	b.list = b.list[:len(b.list)-1]
	return a
}

// MaxBackground is the highest order of Background.
const MaxBackground = 4

// Background redraws a window of tokens (Begin, then bases) in place from the Markov chain of an order whose transitions are those of the window
// itself, each as often as it occurs there: words of order+1 bases stay about as frequent, and all that is longer is lost. Order 0 keeps the composition only.
func Background(tokens []uint8, order int, r *rand.Rand) {
	const letters = 5 // with unknown bases
	b := tokens[1:]
	if order < 0 || order > MaxBackground || len(b) <= order {
		return
	}
	contexts := 1
	for range order {
		contexts *= letters
	}
	first := make([]int32, contexts+1) // of each context among next
	context := func(at int) int {
		k := 0
		for _, c := range b[at-order : at] {
			k = k*letters + int(min(c, unknown))
		}
		return k
	}
	for i := order; i < len(b); i++ {
		first[context(i)+1]++
	}
	for k := range contexts {
		first[k+1] += first[k]
	}
	next, at := make([]uint8, len(b)-order), slices.Clone(first)
	for i := order; i < len(b); i++ {
		k := context(i)
		next[at[k]] = b[i]
		at[k]++
	}
	src := slices.Clone(b)
	if start := r.IntN(len(b) - order); order > 0 {
		copy(b, src[start:start+order])
	}
	for i := order; i < len(b); {
		k := context(i)
		if n := int(first[k+1] - first[k]); n > 0 {
			b[i] = next[int(first[k])+r.IntN(n)]
			i++
			continue
		}
		// The last word of the window, seen nowhere else: go on from anywhere.
		start := r.IntN(len(b) - order)
		i += copy(b[i:], src[start:start+order])
	}
}

// Contigs gives the sequences of genome g one by one as codes: 0..3 A, C, G, T, 8 more where soft-masked, all else unknown. They must not be changed.
func (s *Samples) Contigs(g int, each func(codes []uint8)) {
	for _, c := range s.pool[g].contigs {
		each(s.pool[g].codes[c.from:c.to])
	}
}
