package sequencer

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// truths counts the truth of reads: bases of the template, substitutions, inserted and missing bases, and those of them that After cannot
// tell; and the error rate of every read.
func truths(p *Profile, r *rand.Rand, g []uint8, reads, n int) (rates [4]float64, each []float64) {
	var o Read
	var used float64
	for range reads {
		at := r.IntN(len(g) - 2*n)
		p.Read(r, g[at:at+2*n], n, &o)
		var c [4]float64
		last := int32(-1)
		for j, q := range o.Pos {
			switch {
			case q < 0:
				c[1]++
				continue
			case o.Bases[j] != o.Here[j]:
				c[0]++
			}
			c[2] += float64(q - last - 1)
			last = q
		}
		c[3] = float64(o.Lost)
		used += float64(o.Used)
		for i := range c {
			rates[i] += c[i]
		}
		each = append(each, (c[0]+c[1]+c[2])/float64(o.Used))
	}
	for i := range rates {
		rates[i] /= used
	}
	slices.Sort(each)
	return rates, each
}

// The long-read profiles beside the real reads that they were fitted on, per template base; "aligned" are our reads after minimap2, as
// TestMakeProfiles last saw them. (minimap2 reads an insertion beside a deletion as a substitution; the truth holds fewer of them.)
//
//	          substitutions           inserted bases          missing bases
//	          real   aligned truth    real   aligned truth    real   aligned truth
//	pacbio    0.0222 0.0273  0.0137   0.0801 0.0816  0.0928   0.0369 0.0377  0.0487
//	nanopore  0.0254 0.0293  0.0292   0.0243 0.0241  0.0271   0.0300 0.0300  0.0326
//
// Errors of a read, quantiles 5, 25, 50, 75 and 95 %: real pacbio 0.101 0.114 0.131 0.170 0.262, nanopore 0.034 0.054 0.073 0.102 0.159
// (of at least 200 aligned bases).
func TestLongReads(t *testing.T) {
	for _, c := range []struct {
		name      string
		want      [4]float64 // sub, ins, del, lost
		quantiles [3]float64 // 5, 50, 95 %
	}{
		{"pacbio", [4]float64{0.0137, 0.0928, 0.0487, 0.00524}, [3]float64{0.111, 0.145, 0.237}},
		{"nanopore", [4]float64{0.0292, 0.0271, 0.0326, 0.0123}, [3]float64{0.041, 0.083, 0.155}},
	} {
		r := rand.New(rand.NewPCG(30, 1))
		g := make([]uint8, 300_000) // no more homopolymers than chance
		for i := range g {
			g[i] = uint8(r.IntN(4))
		}
		rates, each := truths(builtins(t)[c.name], r, g, 400, 3000)
		for i, want := range c.want {
			if math.Abs(rates[i]-want) > 0.06*want {
				t.Errorf("%s: rates of substitution, insertion, deletion, lost bases %.5f, want %v", c.name, rates, c.want)
				break
			}
		}
		n := len(each)
		got := [3]float64{each[n/20], each[n/2], each[n*19/20]}
		for i, want := range c.quantiles {
			if math.Abs(got[i]-want) > 0.1*want {
				t.Errorf("%s: errors of a read at 5, 50, 95 %%: %.4f, want %v", c.name, got, c.quantiles)
				break
			}
		}
	}
}
