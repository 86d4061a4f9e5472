package align

import (
	"encoding/binary"
	"math/bits"
)

const (
	low7 = 0x7f7f7f7f7f7f7f7f
	high = 0x8080808080808080
)

// differing returns the number of bytes in which two words differ, of which x is the exclusive or.
func differing(x uint64) int { return bits.OnesCount64(((x & low7) + low7 | x) & high) }

// mismatches counts the positions in which a and b differ. b is at least as long as a. It may stop as soon as the count
// exceeds limit; it then returns some number above limit.
func mismatches(a, b []uint8, limit int) int {
	b = b[:len(a)]
	n := 0
	for len(a) >= 32 && len(b) >= 32 {
		n += differing(binary.LittleEndian.Uint64(a)^binary.LittleEndian.Uint64(b)) +
			differing(binary.LittleEndian.Uint64(a[8:])^binary.LittleEndian.Uint64(b[8:])) +
			differing(binary.LittleEndian.Uint64(a[16:])^binary.LittleEndian.Uint64(b[16:])) +
			differing(binary.LittleEndian.Uint64(a[24:])^binary.LittleEndian.Uint64(b[24:]))
		if n > limit {
			return n
		}
		a, b = a[32:], b[32:]
	}
	for len(a) >= 8 && len(b) >= 8 {
		n += differing(binary.LittleEndian.Uint64(a) ^ binary.LittleEndian.Uint64(b))
		a, b = a[8:], b[8:]
	}
	for i, x := range a {
		if x != b[i] {
			n++
		}
	}
	return n
}

// common returns the length of the longest common prefix of a and b.
func common(a, b []uint8) int {
	n := min(len(a), len(b))
	a, b = a[:n], b[:n]
	i := 0
	for ; i+8 <= n; i += 8 {
		if x := binary.LittleEndian.Uint64(a[i:]) ^ binary.LittleEndian.Uint64(b[i:]); x != 0 {
			return i + bits.TrailingZeros64(x)/8
		}
	}
	for i < n && a[i] == b[i] {
		i++
	}
	return i
}

// commonEnd returns the length of the longest common suffix of a and b.
func commonEnd(a, b []uint8) int {
	n := min(len(a), len(b))
	a, b = a[len(a)-n:], b[len(b)-n:]
	i := n
	for ; i >= 8; i -= 8 {
		if x := binary.LittleEndian.Uint64(a[i-8:]) ^ binary.LittleEndian.Uint64(b[i-8:]); x != 0 {
			return n - i + bits.LeadingZeros64(x)/8
		}
	}
	for i > 0 && a[i-1] == b[i-1] {
		i--
	}
	return n - i
}
