package kmer

import (
	"errors"
	"fmt"
	"math/bits"
)

// MaxK is the longest word of a [Counter]: 4^12 counts are 128 MiB, and so is each profile.
const MaxK = 12

// Errors that a caller may want to tell apart.
var (
	// ErrEmpty is wrapped where there is nothing to compare: no word of k known bases, or a vector of zeros.
	ErrEmpty = errors.New("nothing to compare")
	// ErrMismatch is wrapped where two operands do not belong together: different k or length.
	ErrMismatch = errors.New("operands differ in shape")
)

const (
	soft  = 8 // the mark of lower case in a code
	bases = 4
)

// Counter counts the words of k bases of a genome on both strands. It is not safe for concurrent use while [Counter.Add] runs.
type Counter struct {
	k      int
	counts []uint64 // [4^k], of the strand that was given; the first base of a word is its highest digit
}

// NewCounter returns a counter of words of k bases, 1..[MaxK]. It takes 8 * 4^k bytes.
func NewCounter(k int) (*Counter, error) {
	if k < 1 || k > MaxK {
		return nil, fmt.Errorf("kmer: words of %d bases, want 1..%d", k, MaxK)
	}
	return &Counter{k: k, counts: make([]uint64, 1<<(2*k))}, nil
}

// K is the length of the words, bases.
func (c *Counter) K() int { return c.k }

// Add counts the words of one contig (codes as in the package comment). The order of contigs and their strands do not matter. It does
// not allocate.
func (c *Counter) Add(codes []uint8) {
	counts, k := c.counts, c.k
	mask := uint(len(counts) - 1)
	word, known := uint(0), 0
	for _, b := range codes {
		b &^= soft
		if b >= bases {
			known = 0
			continue
		}
		word = word<<2 | uint(b)
		if known++; known >= k {
			counts[word&mask]++
		}
	}
}

// Profile is the share of each word among all words of both strands: [4^k], sum 1, word w at the number that its bases are in base 4
// (A 0, C 1, G 2, T 3; the first base is the highest digit). The share of a word equals that of its reverse complement. A word
// that is its own reverse complement is seen on both strands wherever it stands, as every other word is. [ErrEmpty] where
// no contig held k known bases in a row.
func (c *Counter) Profile() ([]float64, error) {
	var total uint64
	for _, n := range c.counts {
		total += n
	}
	if total == 0 {
		return nil, fmt.Errorf("kmer: no word of %d known bases: %w", c.k, ErrEmpty)
	}
	p := make([]float64, len(c.counts))
	for w := range p {
		p[w] = float64(c.counts[w]+c.counts[reverse(uint32(w), c.k)]) / (2 * float64(total))
	}
	return p, nil
}

// reverse is the reverse complement of a word of k <= 16 bases.
func reverse(w uint32, k int) uint32 {
	w = ^bits.Reverse32(w)
	return (w>>1&0x55555555 | w&0x55555555<<1) >> (32 - 2*k) // the two bits of a base keep their order
}

// GC is the share of G and C among the known bases, from the profile of words of one base, [4].
func GC(profile []float64) (float64, error) {
	if len(profile) != bases {
		return 0, fmt.Errorf("kmer: GC of a profile of %d words, want %d: %w", len(profile), bases, ErrMismatch)
	}
	return profile[1] + profile[2], nil
}
