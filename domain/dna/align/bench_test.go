package align

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// spaced keeps seeds at least gap apart, as minimizers leave them.
func spaced(seeds []Seed, gap int32) []Seed {
	var out []Seed
	for _, x := range seeds {
		if len(out) == 0 || x.A >= out[len(out)-1].A+gap {
			out = append(out, x)
		}
	}
	return out
}

func benchmarkOverlaps(b *testing.B, pairs [][2][]uint8, seeds [][]Seed, opt Options) {
	var s Scratch
	var o Overlap
	for i, p := range pairs {
		if !s.Overlap(p[0], p[1], seeds[i], opt, &o) {
			b.Fatalf("pair %d: no overlap", i)
		}
	}
	b.ReportAllocs()
	bases, n := 0, 0
	for b.Loop() {
		p := pairs[n%len(pairs)]
		s.Overlap(p[0], p[1], seeds[n%len(pairs)], opt, &o)
		bases += o.ATo - o.AFrom
		n++
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds()/1e6, "Moverlaps/s")
	b.ReportMetric(float64(bases)/b.Elapsed().Seconds()/1e6, "Mb/s")
}

func BenchmarkUngapped100(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	var pairs [][2][]uint8
	var seeds [][]Seed
	for range 1000 {
		x, y, s := pair(r, 150, 100, 0, 0, 0, 15)
		i := int(s[0].B) + 60
		if r.IntN(2) == 0 {
			y[i] ^= 1
		}
		pairs, seeds = append(pairs, [2][]uint8{x, y}), append(seeds, s[10:11])
	}
	benchmarkOverlaps(b, pairs, seeds, Short())
}

// Reads of 150 bases with 1 % substitutions each: 2 mismatches in an overlap of 100, on average.
func BenchmarkSubstitutions100(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	var pairs [][2][]uint8
	var seeds [][]Seed
	for len(pairs) < 1000 {
		x, y, s := pair(r, 150, 100, .01, 0, 0, 15)
		if len(s) > 0 {
			pairs, seeds = append(pairs, [2][]uint8{x, y}), append(seeds, s[len(s)/2:][:1])
		}
	}
	benchmarkOverlaps(b, pairs, seeds, Short())
}

func BenchmarkGapped150(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 3))
	var pairs [][2][]uint8
	var seeds [][]Seed
	for range 1000 {
		x := random(r, 150)
		at := 40 + r.IntN(70)
		y := slices.Delete(slices.Clone(x), at, at+1+r.IntN(3))
		y[10] ^= 1
		pairs, seeds = append(pairs, [2][]uint8{x, y}), append(seeds, []Seed{{15, 15, 15}})
	}
	benchmarkOverlaps(b, pairs, seeds, Short())
}

// Reads of 6 kb with 15 % errors each that overlap by 5 kb; the seeds are what exact matches of 15 bases are left.
func BenchmarkLong5k(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 4))
	var pairs [][2][]uint8
	var seeds [][]Seed
	for len(pairs) < 20 {
		x, y, s := pair(r, 6000, 5000, .02, .08, .05, 15)
		if s = spaced(s, 20); len(s) > 2 {
			pairs, seeds = append(pairs, [2][]uint8{x, y}), append(seeds, s)
		}
	}
	benchmarkOverlaps(b, pairs, seeds, Long())
}

func BenchmarkDistance5k(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 5))
	x := random(r, 5000)
	y, _ := noisy(r, x, .02, .08, .05)
	var s Scratch
	b.ReportAllocs()
	for b.Loop() {
		s.Distance(x, y)
	}
}

func BenchmarkGlobal5k(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 6))
	x := random(r, 5000)
	y, _ := noisy(r, x, .02, .08, .05)
	var s Scratch
	var ops []Op
	b.ReportAllocs()
	for b.Loop() {
		ops = s.Global(x, y, ops[:0])
	}
}
