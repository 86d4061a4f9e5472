// Package sam reads alignments of reads to a reference, one after the other: SAM and BAM, and PAF
// with the FASTQ of its reads. Memory does not grow with the file.
//
// Most users need [Open] (or [OpenPAF]) and [Reader.Read]; [NewSource] hands alignments with their reference to the fit of a sequencer model:
//
//	r, err := sam.Open("reads.bam", sam.Options{})
//	...
//	defer r.Close()
//	var a sam.Alignment
//	for {
//		if err := r.Read(&a); err == io.EOF {
//			break
//		} else if err != nil {
//			return err // *dataset.Error with file and line, or number of the record
//		}
//	}
//
// The formats are those of the SAM specification (Li et al. 2009; hts-specs, SAMv1, sections 1.4, 4.2) and of minimap2's manual
// (PAF with a "cg:Z:" or "cs:Z:" tag: `minimap2 -c`, or `--cs`). Which of them a file is, and whether it is gzip, is known by the first bytes. CRAM is refused.
//
// Every record is checked: the CIGAR string must be as long as the sequence, qualities as many as letters, the alignment
// inside its reference where the header says how long that is. What is passed over (unmapped, secondary and supplementary
// alignments, those without bases) is counted in [Skipped].
// A record that contradicts itself is an error; [Options].MaxBad lets a few of them pass, since some programs (ART) write some.
//
// github.com/biogo/hts was not linked: the formats are small, the unpacking of BGZF is there already (package fastx, in parallel),
// and errors must name the record.
package sam

import (
	"fmt"
	"strconv"
)

// Op is one operation of a CIGAR string: its kind is one of M I D N S H P = X.
type Op struct {
	Len  int
	Kind byte
}

// String is the operation as in SAM, "10M".
func (o Op) String() string { return strconv.Itoa(o.Len) + string(rune(o.Kind)) }

// Query reports whether the operation takes bases of the read.
func (o Op) Query() bool { return takes[o.Kind]&1 != 0 }

// Reference reports whether the operation takes bases of the reference.
func (o Op) Reference() bool { return takes[o.Kind]&2 != 0 }

// takes: bit 0 the read, bit 1 the reference, bit 2 a kind of operation at all.
var takes = [256]uint8{'M': 7, '=': 7, 'X': 7, 'I': 5, 'S': 5, 'D': 6, 'N': 6, 'H': 4, 'P': 4}

// opKinds are the kinds by their number in BAM.
const opKinds = "MIDNSHP=X"

// Flags of an alignment (SAM specification, section 1.4).
const (
	FlagPaired        = 0x1
	FlagProper        = 0x2
	FlagUnmapped      = 0x4
	FlagMateUnmapped  = 0x8
	FlagReverse       = 0x10
	FlagMateReverse   = 0x20
	FlagFirst         = 0x40
	FlagLast          = 0x80
	FlagSecondary     = 0x100
	FlagFail          = 0x200
	FlagDuplicate     = 0x400
	FlagSupplementary = 0x800
)

// Alignment is one aligned read, in the direction of the reference. [Reader.Read] reuses the memory of its slices.
type Alignment struct {
	Name   []byte // of the read
	Flag   uint16
	Ref    string // name of the reference sequence
	RefLen int    // its length; 0 where the file does not say
	Pos    int    // first aligned base in the reference, from 0
	MapQ   uint8  // 255: not known
	Cigar  []Op
	Bases  []uint8 // codes: A 0, C 1, G 2, T 3, all else 4; soft-clipped bases included, hard-clipped ones not
	Quals  []uint8 // Phred scores as Bases; empty where the file has none
	Record int64   // in the file, from 1; all records count
	Line   int64   // in the file, from 1; 0 in BAM
}

// Reverse reports whether the read is the reverse complement of Bases.
func (a *Alignment) Reverse() bool { return a.Flag&FlagReverse != 0 }

// End is the position behind the last aligned base in the reference.
func (a *Alignment) End() int {
	n := a.Pos
	for _, o := range a.Cigar {
		if o.Reference() {
			n += o.Len
		}
	}
	return n
}

// Walk calls fn with every operation but clips and padding, with the place in Bases and in the reference where it begins. It ends
// early where fn returns false.
func (a *Alignment) Walk(fn func(op Op, query, ref int) bool) {
	q, r := 0, a.Pos
	for _, o := range a.Cigar {
		switch o.Kind {
		case 'S':
			q += o.Len
			continue
		case 'H', 'P':
			continue
		}
		if !fn(o, q, r) {
			return
		}
		if o.Query() {
			q += o.Len
		}
		if o.Reference() {
			r += o.Len
		}
	}
}

// Reference is one sequence that the header names.
type Reference struct {
	Name   string
	Length int
}

// Options say which alignments are wanted. The zero value: primary alignments of mapped reads.
type Options struct {
	Unmapped      bool // also reads without alignment: Ref is "", Cigar empty (never from PAF)
	Secondary     bool // also secondary alignments that hold bases
	Supplementary bool // also supplementary alignments
	Failed        bool // also reads that failed the machine's quality checks (flag 0x200)
	NoDuplicates  bool // no reads that are marked as duplicates (flag 0x400)
	MinMapQ       int  // least mapping quality; 255 ("not known") passes
	Threads       int  // that unpack BGZF; 0 is GOMAXPROCS
	// MaxBad is the share of records that may contradict themselves (a CIGAR that is not as long as the read, an alignment
	// beyond its reference): they are skipped and counted, and Warn hears of the first; above this share reading ends with an
	// error. 0: the first one is an error. What cannot be read at all is one always.
	MaxBad float64
	// Warn hears of things that look wrong but can be read; may be nil.
	Warn func(format string, args ...any)
}

// Skipped counts what was passed over.
type Skipped struct {
	Unmapped, Secondary, Supplementary, Failed, Duplicates, LowMapQ int64
	NoBases                                                         int64 // mapped, but without sequence or without CIGAR
	Bad                                                             int64 // that contradict themselves, see Options.MaxBad
}

// Total is the sum of all.
func (s Skipped) Total() int64 {
	return s.Unmapped + s.Secondary + s.Supplementary + s.Failed + s.Duplicates + s.LowMapQ + s.NoBases + s.Bad
}

// wanted decides by flags and mapping quality, and counts.
func (s *Skipped) wanted(flag uint16, mapq uint8, opt *Options) bool {
	var n *int64
	switch {
	case flag&FlagUnmapped != 0 && !opt.Unmapped:
		n = &s.Unmapped
	case flag&FlagSecondary != 0 && !opt.Secondary:
		n = &s.Secondary
	case flag&FlagSupplementary != 0 && !opt.Supplementary:
		n = &s.Supplementary
	case flag&FlagFail != 0 && !opt.Failed:
		n = &s.Failed
	case flag&FlagDuplicate != 0 && opt.NoDuplicates:
		n = &s.Duplicates
	case flag&FlagUnmapped == 0 && int(mapq) < opt.MinMapQ:
		n = &s.LowMapQ
	default:
		return true
	}
	*n++
	return false
}

// parseCigar appends the operations of a CIGAR string.
func parseCigar(dst []Op, s []byte) ([]Op, error) {
	for i := 0; i < len(s); {
		n, digits := 0, 0
		for ; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
			n = n*10 + int(s[i]-'0')
			if digits++; digits > 9 || n >= 1<<28 {
				return dst, fmt.Errorf("CIGAR: an operation of %d or more", 1<<28)
			}
		}
		if i == len(s) || digits == 0 || takes[s[i]] == 0 {
			return dst, fmt.Errorf("CIGAR: byte %d is no operation (a number and one of %s)", i+1, opKinds)
		}
		if n > 0 {
			dst = append(dst, Op{n, s[i]})
		}
		i++
	}
	return dst, nil
}

// check compares an alignment with itself.
func (a *Alignment) check() error {
	if len(a.Quals) != 0 && len(a.Quals) != len(a.Bases) {
		return fmt.Errorf("%d qualities for %d bases", len(a.Quals), len(a.Bases))
	}
	if a.Flag&FlagUnmapped != 0 {
		return nil
	}
	query, ref := 0, 0
	for i, o := range a.Cigar {
		if o.Query() {
			query += o.Len
		}
		if o.Reference() {
			ref += o.Len
		}
		outer := i == 0 || i == len(a.Cigar)-1
		switch o.Kind {
		case 'H':
			if !outer {
				return fmt.Errorf("CIGAR: %v inside, hard clips stand at the ends", o)
			}
		case 'S':
			if !outer && !(i == 1 && a.Cigar[0].Kind == 'H') && !(i == len(a.Cigar)-2 && a.Cigar[i+1].Kind == 'H') {
				return fmt.Errorf("CIGAR: %v inside, soft clips stand at the ends", o)
			}
		}
	}
	if query != len(a.Bases) {
		return fmt.Errorf("CIGAR takes %d bases, the read has %d", query, len(a.Bases))
	}
	if a.Pos < 0 {
		return fmt.Errorf("position %d, below 0", a.Pos)
	}
	if a.RefLen > 0 && a.Pos+ref > a.RefLen {
		return fmt.Errorf("alignment ends at %d, the reference %q has %d bases", a.Pos+ref, a.Ref, a.RefLen)
	}
	return nil
}
