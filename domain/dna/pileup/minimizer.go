package pileup

// seed is a minimizer of a read.
type seed struct {
	key uint64 // of the canonical k-mer; equal keys, equal k-mers
	pos uint32 // first base
	rev uint32 // 1: the canonical k-mer is the reverse complement of the read's
}

// none is the hash of a k-mer that is no seed.
const none = ^uint64(0)

// hashKmer is the invertible integer hash of minimap2 (Li 2016, after Thomas Wang) over 2k bits: an order of k-mers
// that does not follow their letters.
func hashKmer(x, mask uint64) uint64 {
	x = (^x + x<<21) & mask
	x ^= x >> 24
	x = (x + x<<3 + x<<8) & mask
	x ^= x >> 14
	x = (x + x<<2 + x<<4) & mask
	x ^= x >> 28
	return (x + x<<31) & mask
}

// spread makes a key of a hash: minimizers are the small hashes, keys are even over 2k bits. Odd factor: invertible.
func spread(h, mask uint64) uint64 { return h * 0x9e3779b97f4a7c15 & mask }

// simple tells k-mers of period 1, 2 or 3 (homopolymers, microsatellites): they say nothing of where a read comes from.
func simple(x uint64, k int) bool {
	return (x^x>>2)&(1<<(2*k-2)-1) == 0 || (x^x>>4)&(1<<(2*k-4)-1) == 0 || (x^x>>6)&(1<<(2*k-6)-1) == 0
}

// minimizers appends to dst the seeds of a read. In every run of w neighbouring k-mers without N (all of them, where
// the stretch between two N is shorter) the one of the smallest hash is a seed, the leftmost of equals.
// K-mers of low complexity, and those that are their own reverse complement, never are. ring holds MaxW places.
func minimizers(dst []seed, bases []uint8, k, w int, ring *[MaxW]uint64) []seed {
	mask, top := uint64(1)<<(2*k)-1, uint(2*(k-1))
	var fwd, rev uint64
	var revs uint64      // strand of the last 64 k-mers, the newest in bit 0
	have := 0            // known bases since the last N
	best, at := none, -1 // smallest hash of the window and the place of its k-mer
	first := 0           // first k-mer of the stretch
	for i := 0; i <= len(bases); i++ {
		if i == len(bases) || bases[i] > 3 {
			// A stretch of fewer than w k-mers has one window.
			if n := have - k + 1; n > 0 && n < w && at >= 0 {
				dst = append(dst, seed{spread(best, mask), uint32(at), uint32(revs >> uint(i-k-at) & 1)})
			}
			have, best, at = 0, none, -1
			continue
		}
		c := uint64(bases[i])
		fwd = (fwd<<2 | c) & mask
		rev = rev>>2 | (3-c)<<top
		if have++; have < k {
			continue
		}
		p := i - k + 1
		if have == k {
			first = p
		}
		h, r := none, uint64(0)
		if fwd != rev && !simple(fwd, k) {
			x := fwd
			if rev < fwd {
				x, r = rev, 1
			}
			h = hashKmer(x, mask)
		}
		revs = revs<<1 | r
		ring[p%MaxW] = h
		switch {
		case h < best:
			best, at = h, p
		case at >= 0 && at <= p-w: // left the window
			best, at = none, -1
			for q := max(first, p-w+1); q <= p; q++ {
				if ring[q%MaxW] < best {
					best, at = ring[q%MaxW], q
				}
			}
		default:
			if p-first+1 != w { // only the first full window still has to emit what it holds
				continue
			}
		}
		if at >= 0 && p-first+1 >= w {
			dst = append(dst, seed{spread(best, mask), uint32(at), uint32(revs >> uint(p-at) & 1)})
		}
	}
	return dst
}
