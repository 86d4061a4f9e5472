package denoise

import (
	"fmt"
	"math"
)

// Qualities says what becomes of the quality string.
type Qualities string

// The ways with qualities.
const (
	// KeepQualities leaves the quality of every base that stays or is substituted, drops that of a deleted base, and
	// gives an inserted one the mean of its two neighbours in the read, rounded down.
	KeepQualities Qualities = "keep"
	// PosteriorQualities writes -10 log10 of one minus the calibrated posterior of every base, from 2 to 60. An ambiguous letter
	// that stays keeps its quality.
	PosteriorQualities Qualities = "posterior"
)

// The limits of a written posterior quality, in Phred.
const (
	leastPhred = 2
	mostPhred  = 60
	phredZero  = 33
)

// Change is one change of a read.
type Change struct {
	Position int // in the raw read, from 1; an inserted base comes after it
	Kind     Kind
	From, To byte    // letters; '-' where there is none
	P        float64 // calibrated posterior
	Depth    int     // reads that overlap the position
	Support  int     // those of them that say the same
}

// evidence is what the pile-up says of a read.
type evidence interface {
	// depth is the number of other reads over position j.
	depth(j int) int
	// support is the number of those that agree with a change of kind k to base b (4 where there is none) at j.
	support(j int, k Kind, b uint8) int
}

// alone is the evidence of a read without others.
type alone struct{}

func (alone) depth(int) int                { return 0 }
func (alone) support(int, Kind, uint8) int { return 0 }

var codes = func() (t [256]uint8) {
	for i := range t {
		t[i] = 4
	}
	for i, b := range []byte("ACGT") {
		t[b], t[b|0x20] = uint8(i), uint8(i)
	}
	t['U'], t['u'] = 3, 3
	return t
}()

// members are the bases that an ambiguous letter stands for, as a bit set (IUPAC-IUB 1970, Cornish-Bowden 1985).
var members = func() (t [256]uint8) {
	for l, bases := range map[byte]string{'R': "AG", 'Y': "CT", 'S': "CG", 'W': "AT", 'K': "GT", 'M': "AC", 'B': "CGT", 'D': "AGT", 'H': "ACT", 'V': "ACG", 'N': "ACGT"} {
		for _, b := range []byte(bases) {
			t[l] |= 1 << codes[b]
		}
		t[l|0x20] = t[l]
	}
	return t
}()

// encode writes base codes of letters: A, C, G, T or U as 0..3, all else 4.
func encode(dst []uint8, letters []byte) {
	for i, b := range letters {
		dst[i] = codes[b]
	}
}

// iupacLeast is the threshold at which a letter that names some bases, but not all, becomes one of them.
const iupacLeast = 0.99

// decoder turns calls into a corrected read. It belongs to one goroutine.
type decoder struct {
	table     *table
	policy    Policy
	minDepth  int
	qualities Qualities
	stats     *Stats
	changes   []Change // of the read at hand
	seq, qual []byte
}

// decode corrects one read. calls has a call for each letter of seq; qual may be nil. The results are overwritten by the
// next call. Nothing is changed in a read of which nothing would stay.
func (d *decoder) decode(seq, qual []byte, calls []call, ev evidence) (newSeq, newQual []byte, changes []Change, err error) {
	if len(calls) != len(seq) || qual != nil && len(qual) != len(seq) {
		return nil, nil, nil, fmt.Errorf("denoise: %d bases, %d qualities, %d calls", len(seq), len(qual), len(calls))
	}
	d.seq, d.qual, d.changes = d.seq[:0], d.qual[:0], d.changes[:0]
	st := d.stats
	thymine := byte('T')
	for _, b := range seq {
		switch b {
		case 'T', 't':
			thymine = 'T'
		case 'U', 'u':
			thymine = 'U'
		default:
			continue
		}
		break
	}
	for j, letter := range seq {
		c := &calls[j]
		own, depth := codes[letter], ev.depth(j)
		bin := DepthBin(depth)
		st.Depths[bin].Bases++
		st.Depths[bin].Depth += int64(depth)
		k := hereKind(c.here, own)
		p := d.table.p[k][bin][c.hereBin]
		out, gone := letter, false
		if k != Keep {
			least := d.policy.Least[bin]
			reason := belowThreshold
			if k == Resolve && members[letter] != 0b1111 {
				least, reason = max(least, iupacLeast), iupacUnsure
			}
			switch {
			case depth < d.minDepth:
				st.Abstained[tooShallow]++
			case k == Resolve && members[letter]&(1<<c.here) == 0:
				st.Abstained[iupacOther]++
			case p < least:
				if d.policy.Abstains[bin] != "" {
					reason = noPromise
				}
				st.Abstained[reason]++
			case k == Delete:
				gone = true
				d.changes = append(d.changes, Change{Position: j + 1, Kind: k, From: letter, To: '-', P: p, Depth: depth, Support: ev.support(j, k, 4)})
			default:
				out = letterOf(c.here, letter, thymine)
				d.changes = append(d.changes, Change{Position: j + 1, Kind: k, From: letter, To: out, P: p, Depth: depth, Support: ev.support(j, k, c.here)})
			}
		}
		if !gone {
			d.seq = append(d.seq, out)
			if qual != nil {
				q := qual[j]
				if d.qualities == PosteriorQualities {
					switch {
					case out != letter || k == Keep:
						q = phred(p)
					case own < 4: // the network prefers another base: what it leaves to this one
						q = phred(min(1-p, 0.5))
					}
				}
				d.qual = append(d.qual, q)
			}
		}
		if c.after == 0 {
			continue
		}
		if depth < d.minDepth {
			st.Abstained[tooShallow]++
			continue
		}
		p = d.table.p[Insert][bin][c.afterBin]
		if p < d.policy.Least[bin] {
			if d.policy.Abstains[bin] != "" {
				st.Abstained[noPromise]++
			} else {
				st.Abstained[belowThreshold]++
			}
			continue
		}
		b := c.after - 1
		in := letterOf(b, letter, thymine)
		d.changes = append(d.changes, Change{Position: j + 1, Kind: Insert, From: '-', To: in, P: p, Depth: depth, Support: ev.support(j, Insert, b)})
		d.seq = append(d.seq, in)
		if qual != nil {
			q := phred(p)
			if d.qualities != PosteriorQualities {
				next := qual[min(j+1, len(qual)-1)]
				q = byte((int(qual[j]) + int(next)) / 2)
			}
			d.qual = append(d.qual, q)
		}
	}
	if len(d.seq) == 0 && len(seq) > 0 {
		st.Abstained[wouldEmpty]++
		d.changes = d.changes[:0]
		d.seq = append(d.seq, seq...)
		d.qual = append(d.qual, qual...)
	}
	for i := range d.changes {
		st.add(&d.changes[i])
	}
	if qual == nil {
		return d.seq, nil, d.changes, nil
	}
	return d.seq, d.qual, d.changes, nil
}

// letterOf is the letter of a base in the case of another letter; thymine is T, or U in RNA.
func letterOf(b uint8, like, thymine byte) byte {
	l := "ACGT"[b]
	if l == 'T' {
		l = thymine
	}
	if like >= 'a' && like <= 'z' {
		l |= 0x20
	}
	return l
}

// phred is the quality letter of a posterior.
func phred(p float64) byte {
	q := mostPhred
	if p < 1 {
		q = int(math.Floor(-10*math.Log10(1-p) + 1e-9))
	}
	return byte(phredZero + min(max(q, leastPhred), mostPhred))
}
