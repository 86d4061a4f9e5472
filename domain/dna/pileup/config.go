package pileup

import (
	"errors"
	"fmt"
	"math"

	"github.com/selfsame-ml/selfsame/domain/dna/align"
)

// Kinds of reads that DefaultConfig knows.
const (
	Short = "short" // Illumina-like: 50 to 600 bases, substitutions
	Long  = "long"  // PacBio- and Nanopore-like: thousands of bases, insertions and deletions
)

// Limits of what an index can hold.
const (
	MinK       = 11
	MaxK       = 19
	MaxW       = 64
	MaxQuality = 93      // Phred, the highest that FASTQ can write
	MaxLen     = 1 << 28 // bases of one read
	MaxReads   = 1 << 31 // reads of one index
)

// N is the code of a base that is not known; 0, 1, 2, 3 are A, C, G, T.
const N = 4

// Config says which reads overlap and which of them are used.
type Config struct {
	// K is the length of a seed in bases, MinK..MaxK; W the number of neighbouring seeds of which the one with the
	// smallest hash is kept (a minimizer; Roberts et al. 2004, Li 2016). Two reads that share K+W-1 equal bases
	// in a row are always found, unless these bases are of low complexity or too frequent.
	K, W int
	// MaxOccurrence is how often a seed may occur in the whole index before it is ignored as a repeat.
	// 0: chosen from the data, see Index.Limit.
	MaxOccurrence int
	// MinOverlap is the length of the shortest overlap in bases.
	MinOverlap int
	// MaxReads is how many overlapping reads are used for one read; the best are, by number of equal bases.
	MaxReads int
	// MaxDivergence is the highest accepted share of differences in an overlap that the qualities do not explain.
	// A mismatch between bases of error probability p and q counts as MaxDivergence / (MaxDivergence + p + q), the
	// probability that it is a difference and no error; an overlap of n bases may hold 1 + MaxDivergence * n of them.
	MaxDivergence float64
	// HighQuality is the Phred quality that both bases of a mismatch must reach before it can tell copies of a repeat apart.
	HighQuality int
	// CloseDivergence is the share of telling mismatches (see Columns) that a close read may hold; 0 for accurate reads.
	CloseDivergence float64
	// SupportDepth: a base is supported at depth d where at least 1 + d/SupportDepth other reads say it.
	SupportDepth int
	// Band is the widest drift between two reads by insertions and deletions, in bases; 0: overlaps without gaps only.
	Band int
	// MinSeeds is how many seeds two reads must share, on diagonals within Band of each other where it is above 1; 0 is 1.
	MinSeeds int
	// MaxOverhang is by how many bases both reads may go on beyond an end of an overlap with gaps: a true overlap ends where
	// a read ends. One that goes on for longer is a copy of a repeat, or one of the reads is a chimera: it is not close,
	// see the package comment. Negative: no limit.
	MaxOverhang int
	// PreferGaps takes a deletion before a mismatch where both cost the same, for sequencers whose errors are mostly gaps.
	PreferGaps bool
	// NoQuality is the Phred quality of reads that have none (FASTA).
	NoQuality int
}

// DefaultConfig returns the defaults of a kind of reads, Short or Long. The Config of any other kind is zero and not valid.
func DefaultConfig(kind string) Config {
	switch kind {
	case Short:
		return Config{K: 17, W: 7, MinOverlap: 30, MaxReads: 64, MaxDivergence: 0.04, HighQuality: 15,
			SupportDepth: 16, Band: 16, MinSeeds: 1, MaxOverhang: 10, NoQuality: 20}
	case Long:
		return Config{K: 15, W: 5, MinOverlap: 500, MaxReads: 64, MaxDivergence: 0.3, HighQuality: 5,
			CloseDivergence: 0.02, SupportDepth: 4, Band: 256, MinSeeds: 3, MaxOverhang: 500,
			PreferGaps: true, NoQuality: 9}
	}
	return Config{}
}

// Validate names every field that is out of its limits.
func (c Config) Validate() error {
	var errs []error
	bad := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("pileup: "+format, args...))
		}
	}
	between := func(name string, v, lo, hi int) {
		bad(v >= lo && v <= hi, "%s %d, must be %d to %d", name, v, lo, hi)
	}
	between("K", c.K, MinK, MaxK)
	between("W", c.W, 1, MaxW)
	between("MaxOccurrence", c.MaxOccurrence, 0, hardLimit)
	between("MinOverlap", c.MinOverlap, 1, MaxLen)
	between("MaxReads", c.MaxReads, 1, 10000)
	between("HighQuality", c.HighQuality, 0, MaxQuality)
	between("SupportDepth", c.SupportDepth, 1, 1<<20)
	between("Band", c.Band, 0, 1<<20)
	between("MinSeeds", c.MinSeeds, 0, 1000)
	between("NoQuality", c.NoQuality, 0, MaxQuality)
	bad(c.MaxDivergence > 0 && c.MaxDivergence <= 0.5, "MaxDivergence %v, must be above 0 and at most 0.5", c.MaxDivergence)
	bad(c.CloseDivergence >= 0 && c.CloseDivergence <= 0.5, "CloseDivergence %v, must be 0 to 0.5", c.CloseDivergence)
	return errors.Join(errs...)
}

// hardLimit is the number of places of one seed that are kept at all.
const hardLimit = 4096

// Fixed point: sums of integers do not depend on the order of reads, and are exact.
const (
	evidenceUnit = 64   // of a nat
	weightUnit   = 1024 // of a difference
)

// errorOf is the error probability of a Phred quality; a guess among four bases is wrong three times of four at worst.
// Claims beyond Q40 are not believed.
func errorOf(q uint8) float64 {
	return min(0.75, math.Pow(10, -float64(min(q, 40))/10))
}

// evidence[q] is ln((1-e)/(e/3)) in units of 1/64: what a base of error e says for itself against each other base.
// A base of quality 0 (and N) says nothing.
var evidence = func() (t [256]int32) {
	for q := range t {
		e := errorOf(uint8(q))
		t[q] = int32(math.Round(evidenceUnit * max(0, math.Log((1-e)/(e/3)))))
	}
	return t
}()

// packed[q] adds one read of quality q to a cell: count in the low 32 bits, evidence in the high.
var packed = func() (t [256]uint64) {
	for q := range t {
		t[q] = 1 + uint64(evidence[q])<<32
	}
	return t
}()

// rules are what follows from a Config.
type rules struct {
	Config
	align  align.Options
	weight [(MaxQuality + 1) * (MaxQuality + 1)]int32 // of a mismatch by both qualities, 1/1024
}

func (r *rules) set(c Config) error {
	if err := c.Validate(); err != nil {
		return err
	}
	r.Config = c
	// The share of edits there takes no account of qualities: what is allowed here is seen after it.
	r.align = align.Options{MinOverlap: c.MinOverlap, MaxDivergence: min(0.5, c.MaxDivergence+0.1), Band: max(1, c.Band),
		XDrop: 30 + c.Band/2, MaxOverhang: -1, PreferGaps: c.PreferGaps}
	for p := range MaxQuality + 1 {
		for q := range MaxQuality + 1 {
			e := errorOf(uint8(p)) + errorOf(uint8(q))
			r.weight[p*(MaxQuality+1)+q] = int32(math.Round(weightUnit * c.MaxDivergence / (c.MaxDivergence + e)))
		}
	}
	return nil
}

// bound is how much weight of mismatches an overlap of n bases may hold.
func (r *rules) bound(n int) int64 {
	return weightUnit + int64(weightUnit*r.MaxDivergence*float64(n))
}
