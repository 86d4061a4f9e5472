package pileup

import "math"

// Channels is the number of features of one position; see the table in the package comment.
const Channels = 32

// Columns is the evidence for every position of one read. Reuse one for many reads: it keeps its memory.
type Columns struct {
	Len        int     // bases of the read
	Bases      []uint8 // [Len] its own base codes
	Quals      []uint8 // [Len] its own qualities
	Reads      int     // overlapping reads that are used
	Overlaps   int     // overlapping reads that were found; more than Reads where Config.MaxReads is passed
	all, close []cells // [Len]
	inserted   []counts
}

// cells counts the reads that say A, C, G, T, N, nothing at one position: count in the low 32 bits, evidence in the
// high; two are never used and make the index of a cell a mask.
type cells [8]uint64

// counts of A, C, G, T.
type counts [4]uint32

// Column is the evidence at one position, in plain numbers.
type Column struct {
	Own, Qual     uint8      // base code and Phred quality of the read itself
	Count         [4]int     // other reads that say A, C, G, T here
	Evidence      [4]float64 // their evidence in nats: sum of ln((1-e)/(e/3)) by quality
	Deleted       int        // other reads that have no base here
	Inserted      [4]int     // other reads that have A, C, G, T directly after this position, the first inserted base
	Close         [4]int     // Count, Evidence, Deleted of close reads alone
	CloseEvidence [4]float64
	CloseDeleted  int
}

// Depth is the number of other reads that say something here.
func (c *Column) Depth() int { return c.Count[0] + c.Count[1] + c.Count[2] + c.Count[3] + c.Deleted }

// CloseDepth is the number of close reads that say something here.
func (c *Column) CloseDepth() int {
	return c.Close[0] + c.Close[1] + c.Close[2] + c.Close[3] + c.CloseDeleted
}

// At returns the evidence at position j, 0 <= j < Len.
func (c *Columns) At(j int) Column {
	out := Column{Own: c.Bases[j], Qual: c.Quals[j]}
	a, n := &c.all[j], &c.close[j]
	for b := range 4 {
		out.Count[b], out.Evidence[b] = int(uint32(a[b])), float64(a[b]>>32)/evidenceUnit
		out.Close[b], out.CloseEvidence[b] = int(uint32(n[b])), float64(n[b]>>32)/evidenceUnit
		out.Inserted[b] = int(c.inserted[j][b])
	}
	out.Deleted, out.CloseDeleted = int(uint32(a[deleted])), int(uint32(n[deleted]))
	return out
}

func (c *Columns) reset(bases, quals []uint8, noQuality int) {
	n := len(bases)
	c.Len, c.Reads, c.Overlaps = n, 0, 0
	c.Bases = append(c.Bases[:0], bases...)
	for i, b := range c.Bases {
		c.Bases[i] = min(b, N)
	}
	if c.Quals = append(c.Quals[:0], quals...); quals == nil {
		for range n {
			c.Quals = append(c.Quals, uint8(noQuality))
		}
	}
	for i, q := range c.Quals {
		c.Quals[i] = min(q, MaxQuality)
	}
	if cap(c.all) < n {
		c.all = make([]cells, n+n/2)
		c.inserted = make([]counts, n+n/2)
	}
	c.all, c.inserted = c.all[:n], c.inserted[:n]
	clear(c.all)
	clear(c.inserted)
}

// add counts one overlap.
func (c *Columns) add(o *overlap, ins []insertion) {
	to := c.all[o.from:o.to]
	obs, qual := o.obs[:len(to)], o.qual[:len(to)]
	for i := range to {
		to[i][obs[i]&7] += packed[qual[i]]
	}
	for _, in := range ins {
		if in.base < N {
			c.inserted[in.pos][in.base]++
		}
	}
}

// remove takes an overlap out of the close cells of [from, to).
func (c *Columns) remove(o *overlap, from, to int) {
	for j := from; j < to; j++ {
		c.close[j][o.obs[j-o.from]&7] -= packed[o.qual[j-o.from]]
	}
}

// logs[n] is ln(1+n)/2.
var logs = func() (t [1024]float32) {
	for n := range t {
		t[n] = float32(math.Log1p(float64(n)) / 2)
	}
	return t
}()

func logCount(n uint32) float32 { return logs[min(n, uint32(len(logs)-1))] }

// clipPosterior is the lowest log posterior that is told apart, in nats.
const clipPosterior = 12

// exps[d] is exp(-d/evidenceUnit).
var exps = func() (t [clipPosterior*evidenceUnit + 1]float64) {
	for d := range t {
		t[d] = math.Exp(-float64(d) / evidenceUnit)
	}
	return t
}()

// probs[q] is the error probability of a quality, phreds[q] is q/40.
var probs, phreds = func() (p, f [MaxQuality + 1]float32) {
	for q := range p {
		p[q], f[q] = float32(errorOf(uint8(q))), float32(q)/40
	}
	return p, f
}()

const (
	capEvidence   = 60 // nats
	capHomopolmer = 16 // bases
	capDistance   = 64 // bases
)

// Features writes the channels of every position to dst, [Len, Channels] row-major; see the table in the package comment.
// dst must have room for Len*Channels values.
func (c *Columns) Features(dst []float32) {
	run, stop := 0, 0 // the homopolymer that holds j is [stop-run, stop)
	for j := range c.Len {
		f := dst[j*Channels : (j+1)*Channels : (j+1)*Channels]
		clear(f)
		own, q := c.Bases[j], c.Quals[j]
		if j >= stop {
			for stop = j + 1; stop < c.Len && c.Bases[stop] == own; stop++ {
			}
			run = stop - j
		}
		a, n := &c.all[j], &c.close[j]
		var total [4]uint64
		var depth, near uint32
		for b := range 4 {
			count, close := uint32(a[b]), uint32(n[b])
			depth, near = depth+count, near+close
			f[6+b], f[10+b] = logCount(count), logCount(close)
			f[14+b] = float32(min(a[b]>>32, capEvidence*evidenceUnit)) * (1.0 / (20 * evidenceUnit))
			total[b] = n[b] >> 32
			f[23+b] = logCount(c.inserted[j][b])
		}
		if own < N {
			f[own] = 1
			f[4] = probs[q]
			f[5] = phreds[q]
			total[own] += uint64(evidence[q])
			f[29] = float32(min(run, capHomopolmer)-1) / (capHomopolmer - 1)
		} else {
			f[4] = probs[0]
		}
		top := max(total[0], total[1], total[2], total[3])
		sum := 0.0
		for b := range 4 {
			sum += exps[min(top-total[b], uint64(len(exps)-1))]
		}
		norm := float32(math.Log(sum))
		for b := range 4 {
			p := -float32(min(top-total[b], clipPosterior*evidenceUnit))*(1.0/evidenceUnit) - norm
			f[18+b] = 1 + max(p, -clipPosterior)*(1.0/6)
		}
		f[22] = logCount(uint32(a[deleted]))
		f[27], f[28] = logCount(depth+uint32(a[deleted])), logCount(near+uint32(n[deleted]))
		f[30] = float32(min(j, capDistance)) / capDistance
		f[31] = float32(min(c.Len-1-j, capDistance)) / capDistance
	}
}
