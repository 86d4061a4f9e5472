package sequencer

import (
	"math"
	"math/bits"
)

// contexts is how many (previous template base or none, template base) there are.
const contexts = 5 * 4

// tables is the compiled form of a Profile: what Read draws from.
type tables struct {
	k    int // scores
	bits uint
	size int // slots of an alias row: the power of two from k on
	end  []int
	q    [128]uint8 // score of each of the k states
	nq   uint8

	classes []classTables
	pick    []uint32 // alias row over the classes
	pbits   uint

	insQ, delQ    []uint32 // alias rows, or nil
	insRun        []float64
	delRun        []float64
	insExt        float64
	delExt        float64
	repeat        float64
	to            [contexts][2]uint32 // thresholds of the other three bases in ascending order
	amb           float64             // 1/-log(1-rate), 0: never
	ambRate       float64
	ambExt        float64
	adapter, tail []uint8
	adapt, trunc  float64
	adaptMin      int
	truncMin      int
}

// classTables are the tables of one class.
type classTables struct {
	chain [][]uint32 // [bin] alias rows [k+1, size]: the last is that of the first base
	sub   [][]uint32 // [bin][k, contexts] probability · 2^32
	// Candidates of an indel come at the highest rate of all homopolymers; 1/-log(1-rate), 0: never.
	insMax, delMax   float64
	insSkip, delSkip float64
	ins, del         float64 // factor
}

// skipOf is the scale of the geometric distribution of successes at rate p.
func skipOf(p float64) float64 {
	if p <= 0 {
		return 0
	}
	return -1 / math.Log1p(-min(p, 1-1e-9))
}

// alias fills row (len a power of two, at least len(w)) with Walker's alias table in Vose's form (1991):
// slot i holds its own share · 2^16 in the upper half and the alias in the lower. The
// weights need not sum to 1.
func alias(row []uint32, w []float64) {
	n := len(row)
	var sum float64
	for _, x := range w {
		sum += x
	}
	share := make([]float64, n)
	small, large := make([]int, 0, n), make([]int, 0, n)
	for i := range share {
		if i < len(w) {
			share[i] = w[i] / sum * float64(n)
		}
		if share[i] < 1 {
			small = append(small, i)
		} else {
			large = append(large, i)
		}
	}
	for len(small) > 0 && len(large) > 0 {
		s, l := small[len(small)-1], large[len(large)-1]
		small = small[:len(small)-1]
		row[s] = uint32(math.Round(share[s]*65536))<<16 | uint32(l)
		if math.Round(share[s]*65536) >= 65536 {
			row[s] = uint32(s)
		}
		share[l] -= 1 - share[s]
		if share[l] < 1 {
			large = large[:len(large)-1]
			small = append(small, l)
		}
	}
	for _, i := range append(small, large...) { // what is left is 1 but for rounding
		row[i] = uint32(i)
	}
	// Rounding may leave a slot without weight as its own alias.
	for i := range row {
		if j := row[i] & 0xffff; int(j) >= len(w) || w[j] == 0 {
			for b := range w {
				if w[b] > 0 {
					row[i] = row[i]&^0xffff | uint32(b)
				}
			}
		}
	}
}

// draw takes a state from an alias row of 1<<bits slots, with the low bits+16 bits of u.
func draw(row []uint32, bits uint, u uint64) uint32 {
	i := uint32(u) & (1<<bits - 1)
	e := row[i]
	if uint32(u>>bits)&0xffff < e>>16 {
		return i
	}
	return e & 0xffff
}

// joint returns the k by k table with the odds ratios of link and the marginals from and to (each summing to 1).
func joint(link [][]float64, from, to []float64) [][]float64 {
	k := len(from)
	x, y := make([]float64, k), make([]float64, k)
	for i := range y {
		y[i] = to[i]
	}
	for range 60 {
		far := 0.0
		for i := range x {
			var s float64
			for j := range y {
				s += link[i][j] * y[j]
			}
			was := x[i]
			x[i] = 0
			if s > 0 {
				x[i] = from[i] / s
			}
			far = max(far, math.Abs(x[i]-was)*s)
		}
		for j := range y {
			var s float64
			for i := range x {
				s += link[i][j] * x[i]
			}
			y[j] = 0
			if s > 0 {
				y[j] = to[j] / s
			}
		}
		if far < 1e-9 {
			break
		}
	}
	out := make([][]float64, k)
	for i := range out {
		out[i] = make([]float64, k)
		for j := range y {
			out[i][j] = x[i] * link[i][j] * y[j]
		}
	}
	return out
}

func normalised(w []float64) []float64 {
	var sum float64
	for _, x := range w {
		sum += x
	}
	out := make([]float64, len(w))
	for i, x := range w {
		out[i] = x / sum
	}
	return out
}

// compiled returns the tables of p, made on first use; nil where p is not valid.
func (p *Profile) compiled() *tables {
	if t := p.tab.Load(); t != nil {
		return t
	}
	if p.Validate() != nil {
		return nil
	}
	t := p.compile()
	p.tab.Store(t) // two goroutines may both have made one: they are equal
	return t
}

func (p *Profile) compile() *tables {
	k, bins := len(p.Quality.Phred), len(p.Quality.Ends)
	t := &tables{
		k: k, bits: uint(bits.Len(uint(k - 1))), end: p.Quality.Ends, nq: p.Quality.N,
		insRun: p.Ins.ByRun, delRun: p.Del.ByRun, insExt: p.Ins.Extend, delExt: p.Del.Extend, repeat: p.Ins.Repeat,
		amb: skipOf(p.N.Rate), ambRate: p.N.Rate, ambExt: p.N.Extend,
		adapt: p.Adapter.Rate, adaptMin: p.Adapter.Shortest, trunc: p.Truncate.Rate, truncMin: p.Truncate.Shortest,
	}
	for i, q := range p.Quality.Phred {
		t.q[i] = uint8(q)
	}
	t.size = 1 << t.bits
	weights := make([]float64, len(p.Classes))
	for i, c := range p.Classes {
		weights[i] = c.Weight
	}
	t.pbits = uint(bits.Len(uint(len(weights) - 1)))
	t.pick = make([]uint32, 1<<t.pbits)
	alias(t.pick, weights)
	row := func(w []float64) []uint32 {
		if w == nil {
			return nil
		}
		r := make([]uint32, t.size)
		alias(r, w)
		return r
	}
	t.insQ, t.delQ = row(p.Ins.Quality), row(p.Del.Quality)

	for ctx := range t.to {
		b := ctx & 3
		w := make([]float64, 4)
		for prev := range 4 { // the first base of a template has no previous one: the mean
			if ctx>>2 != 4 && prev != ctx>>2 {
				continue
			}
			for o := range 4 {
				switch {
				case o == b:
				case p.Sub.To == nil:
					w[o]++
				default:
					w[o] += normalised(p.Sub.To[prev<<2|b])[o]
				}
			}
		}
		w = normalised(append(w[:b:b], w[b+1:]...))
		t.to[ctx] = [2]uint32{share(w[0]), share(w[0] + w[1])}
	}

	for _, c := range p.Classes {
		ct := classTables{ins: c.Ins, del: c.Del}
		for _, r := range p.Ins.ByRun {
			ct.insMax = max(ct.insMax, min(r*c.Ins, maxRate))
		}
		for _, r := range p.Del.ByRun {
			ct.delMax = max(ct.delMax, min(r*c.Del, maxRate))
		}
		ct.insSkip, ct.delSkip = skipOf(ct.insMax), skipOf(ct.delMax)
		for bin := range bins {
			rows := make([]uint32, (k+1)*t.size)
			m := normalised(c.Marginal[bin])
			for i := range k + 1 {
				alias(rows[i*t.size:(i+1)*t.size], m)
			}
			if p.Quality.Link != nil {
				for i, w := range joint(p.Quality.Link, m, m) {
					var sum float64
					for _, x := range w {
						sum += x
					}
					if sum > 0 && !math.IsInf(sum, 0) && !math.IsNaN(sum) { // a score that this bin does not hold goes on by its marginal
						alias(rows[i*t.size:(i+1)*t.size], w)
					}
				}
			}
			sub := make([]uint32, k*contexts)
			for i, rate := range p.Sub.ByQuality {
				rate *= c.Sub
				if p.Sub.ByCycle != nil {
					rate *= p.Sub.ByCycle[bin]
				}
				for ctx := range contexts {
					f := 1.0
					if p.Sub.ByContext != nil && ctx < 16 {
						f = p.Sub.ByContext[ctx]
					} else if p.Sub.ByContext != nil {
						f = 0
						for prev := range 4 {
							f += p.Sub.ByContext[prev<<2|ctx&3] / 4
						}
					}
					sub[i*contexts+ctx] = share(min(rate*f, maxRate))
				}
			}
			ct.chain, ct.sub = append(ct.chain, rows), append(ct.sub, sub)
		}
		t.classes = append(t.classes, ct)
	}
	t.adapter = make([]uint8, len(p.Adapter.Seq))
	for i, b := range []byte(p.Adapter.Seq) {
		t.adapter[i] = Code(b)
	}
	if len(t.adapter) > 0 {
		t.tail = make([]uint8, 256) // A: what four-colour machines call past the end of the adapter
	}
	return t
}

// share is a probability as a threshold of 32 random bits.
func share(p float64) uint32 {
	return uint32(min(math.Round(p*(1<<32)), math.MaxUint32))
}

// codes maps letters to codes; lower case counts as upper case, U as T.
var codes = func() (t [256]uint8) {
	for i := range t {
		t[i] = N
	}
	for i, s := range [...]string{"Aa", "Cc", "Gg", "TtUu"} {
		for _, b := range []byte(s) {
			t[b] = uint8(i)
		}
	}
	return t
}()

// Code returns the code of a letter: 0..3 for A, C, G, T (and U, in either case), else N.
func Code(letter byte) uint8 { return codes[letter] }

// Encode writes the codes of letters to dst, which it grows and returns.
func Encode(dst []uint8, letters []byte) []uint8 {
	dst = dst[:0]
	for _, b := range letters {
		dst = append(dst, codes[b])
	}
	return dst
}

// ReverseComplement writes the other strand of src to dst, which it grows and returns; they must not overlap.
func ReverseComplement(dst, src []uint8) []uint8 {
	dst = dst[:0]
	for i := len(src) - 1; i >= 0; i-- {
		b := src[i]
		if b < 4 {
			b = 3 - b
		}
		dst = append(dst, b)
	}
	return dst
}
