package align

import (
	"math/bits"
	"slices"
)

// lookback is h of minimap2's chaining: how many earlier seeds each seed is tried to follow.
const lookback = 64

// chain leaves in s.anchors the best chain of seeds, checked against the reads, without overlaps and with touching seeds of
// one diagonal joined. It reports whether one seed at least is left. Score as in minimap2 (Li 2018, equation 1), in
// sixty-fourths of a base: new bases, less 0.01·length·|gap| + 0.5·log2|gap|.
func (s *Scratch) chain(a, b []uint8, seeds []Seed, band int) bool {
	s.anchors = s.anchors[:0]
	sorted := true
	for _, x := range seeds {
		if x.A < 0 || x.B < 0 || x.Len <= 0 || int(x.A)+int(x.Len) > len(a) || int(x.B)+int(x.Len) > len(b) ||
			mismatches(a[x.A:x.A+x.Len], b[x.B:x.B+x.Len], 0) != 0 {
			continue
		}
		if n := len(s.anchors); n > 0 {
			y := &s.anchors[n-1]
			if x.B-x.A == y.B-y.A && x.A >= y.A && x.A <= y.A+y.Len {
				y.Len = max(y.Len, x.A+x.Len-y.A)
				continue
			}
			sorted = sorted && before(*y, x) < 0
		}
		s.anchors = append(s.anchors, x)
	}
	n := len(s.anchors)
	if n == 0 {
		return false
	}
	if n == 1 {
		return true
	}
	if !sorted {
		slices.SortFunc(s.anchors, before)
	}
	s.score = grow(s.score, n)
	s.from = grow(s.from, n)
	best := 0
	for i, x := range s.anchors {
		score, from := x.Len<<6, int32(-1)
		for j := i - 1; j >= 0 && j >= i-lookback; j-- {
			y := s.anchors[j]
			// Both ends must advance.
			da, db := x.A+x.Len-y.A-y.Len, x.B+x.Len-y.B-y.Len
			if da <= 0 || db <= 0 || x.A <= y.A || x.B <= y.B {
				continue
			}
			gap := da - db
			if gap < 0 {
				gap = -gap
			}
			if int(gap) > band {
				continue
			}
			v := s.score[j] + min(da, db, x.Len)<<6
			if gap > 0 {
				v -= 64*gap*x.Len/100 + 32*int32(bits.Len32(uint32(gap))-1)
			}
			if v > score {
				score, from = v, int32(j)
			}
		}
		s.score[i], s.from[i] = score, from
		if score > s.score[best] {
			best = i
		}
	}
	// The chain is walked back to front: marked in place, then gathered in order.
	for i := best; i >= 0; {
		next := int(s.from[i])
		s.from[i] = -2
		i = next
	}
	kept := s.anchors[:0]
	for i := range best + 1 {
		if s.from[i] != -2 {
			continue
		}
		x := s.anchors[i]
		if len(kept) > 0 {
			y := &kept[len(kept)-1]
			if over := max(y.A+y.Len-x.A, y.B+y.Len-x.B); over > 0 || over == 0 && x.B-x.A == y.B-y.A {
				if x.B-x.A == y.B-y.A {
					y.Len = max(y.Len, x.A+x.Len-y.A)
					continue
				}
				x.A, x.B, x.Len = x.A+over, x.B+over, x.Len-over
				if x.Len <= 0 {
					continue
				}
			}
		}
		kept = append(kept, x)
	}
	s.anchors = kept
	return true
}

// before orders seeds by their ends in a, then in b, then by length.
func before(x, y Seed) int {
	if d := int(x.A+x.Len) - int(y.A+y.Len); d != 0 {
		return d
	}
	if d := int(x.B+x.Len) - int(y.B+y.Len); d != 0 {
		return d
	}
	return int(x.Len) - int(y.Len)
}

// grow returns a slice of length n, with s's memory if that suffices; its contents mean nothing.
func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+n/4)
	}
	return s[:n]
}
