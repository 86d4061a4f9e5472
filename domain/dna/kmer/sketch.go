package kmer

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/twmb/murmur3"
)

// What mash 2.3 does unless told otherwise.
const (
	SketchK    = 21   // bases a word
	SketchSize = 1000 // hashes a sketch
	hashSeed   = 42
)

const (
	maxSketchK    = 32      // two bits a base in one word
	maxSketchSize = 1 << 24 // 256 MiB of hashes
	narrow        = 16      // up to this k mash keeps 32 bits of a hash
)

// Sketch is the bottom-s MinHash sketch of a genome (Broder 1997; Ondov et al. 2016, Genome Biology 17:132): the s smallest distinct
// hashes of its canonical words of k bases, the ones mash 2.3 prints. A word is canonical if it is not behind its reverse complement in the
// order of letters. Its hash is the low 64 bits of MurmurHash3_x64_128 with seed 42 on the k letters, of these the low 32 where k <= 16.
// Methods that only read may run at once.
type Sketch struct {
	k, size int
	limit   uint64   // hashes from here on are not among the smallest
	kept    int      // hashes[:kept] are sorted and distinct, size at most; those behind them are yet to be merged
	hashes  []uint64 // room for more than size, so that merging is rare
	letters [maxSketchK]byte
}

// NewSketch returns an empty sketch of size hashes (1..2^24) of words of k bases (1..32). [SketchK] and [SketchSize] are usual.
func NewSketch(k, size int) (*Sketch, error) {
	if k < 1 || k > maxSketchK {
		return nil, fmt.Errorf("kmer: sketch of words of %d bases, want 1..%d", k, maxSketchK)
	}
	if size < 1 || size > maxSketchSize {
		return nil, fmt.Errorf("kmer: sketch of %d hashes, want 1..%d", size, maxSketchSize)
	}
	return &Sketch{k: k, size: size, limit: math.MaxUint64, hashes: make([]uint64, 0, 2*size)}, nil
}

// K is the length of the words, bases.
func (s *Sketch) K() int { return s.k }

// Hashes are the hashes of the sketch, rising and distinct: as many as its size, or one for every different canonical word if there
// are fewer. The slice belongs to the sketch until the next Add.
func (s *Sketch) Hashes() []uint64 { return s.hashes[:s.kept:s.kept] }

// spelled is the letters of four bases, the first lowest: binary.LittleEndian writes them in order.
var spelled = func() (t [256]uint64) {
	for w := range t {
		for j := range 4 {
			t[w] |= uint64("ACGT"[w>>(6-2*j)&3]) << (8 * j)
		}
	}
	return t
}()

// hash is the hash of a word of k bases, the first at the highest of its 2k bits.
func (s *Sketch) hash(word uint64) uint64 {
	word <<= 64 - 2*s.k
	for j := 0; j < s.k; j += 8 { // eight letters a store: the hash loads eight at a time, and would wait for two stores
		binary.LittleEndian.PutUint64(s.letters[j:], spelled[word>>56]|spelled[word>>48&255]<<32)
		word <<= 16
	}
	h := murmur3.SeedSum64(hashSeed, s.letters[:s.k])
	if s.k <= narrow {
		h &= math.MaxUint32
	}
	return h
}

// Add takes the words of one contig (codes as in the package comment) into the sketch. The order of contigs and their strands do not matter.
// It does not allocate.
func (s *Sketch) Add(codes []uint8) {
	top := 2 * (s.k - 1)
	mask := uint64(math.MaxUint64) >> (64 - 2*s.k)
	var ahead, back uint64 // the word and its reverse complement
	known := 0
	for _, b := range codes {
		b &^= soft
		if b >= bases {
			known = 0
			continue
		}
		ahead = ahead<<2&mask | uint64(b)
		back = back>>2 | uint64(3-b)<<top
		if known++; known < s.k {
			continue
		}
		h := s.hash(min(ahead, back)) // codes rise as letters do
		if h > s.limit {
			continue
		}
		if len(s.hashes) == cap(s.hashes) {
			s.merge()
			if h > s.limit {
				continue
			}
		}
		s.hashes = append(s.hashes, h)
	}
	s.merge() // so that readers find a sketch, and none of them writes
}

// merge keeps the smallest distinct hashes.
func (s *Sketch) merge() {
	if len(s.hashes) == s.kept {
		return
	}
	slices.Sort(s.hashes)
	s.hashes = slices.Compact(s.hashes)
	if len(s.hashes) >= s.size {
		s.hashes = s.hashes[:s.size]
		s.limit = s.hashes[s.size-1]
	}
	s.kept = len(s.hashes)
}

// Distance is the Mash distance of two sketches of equal k,
//
//	D = -1/k ln(2j / (1 + j)),   j = shared / of,
//
// 0 where j is 1, 1 where j is 0, and never above 1 (Ondov et al. 2016, Genome Biology 17:132). j estimates the Jaccard
// index of the sets of words: of the smallest hashes of the union, as many as the smaller sketch may hold or all if there are fewer,
// it is the share that both sketches have. Two sketches without any word have distance 1 here with 0 of 0 shared, where mash prints 0; such a
// genome equals nothing. [ErrMismatch] where k differs.
func (s *Sketch) Distance(other *Sketch) (d float64, shared, of int, err error) {
	if s.k != other.k {
		return 0, 0, 0, fmt.Errorf("kmer: sketches of words of %d and %d bases: %w", s.k, other.k, ErrMismatch)
	}
	size := min(s.size, other.size)
	a, b := s.Hashes(), other.Hashes()
	for of < size && len(a) > 0 && len(b) > 0 {
		switch x, y := a[0], b[0]; {
		case x < y:
			a = a[1:]
		case y < x:
			b = b[1:]
		default:
			a, b = a[1:], b[1:]
			shared++
		}
		of++
	}
	of = min(of+len(a)+len(b), size) // where the union is smaller, the rest of it is in one sketch only
	switch shared {
	case 0:
		return 1, shared, of, nil
	case of:
		return 0, shared, of, nil
	}
	j := float64(shared) / float64(of)
	return min(-math.Log(2*j/(1+j))/float64(s.k), 1), shared, of, nil
}
