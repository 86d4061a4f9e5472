package gokernel

import (
	"math"
	"unsafe"
)

// Words that hold a pair of bfloat16, the first in the lower half, are kept in slices of float32, whose memory is as good as any other.

// bf16 rounds to bfloat16 as the processor does: to the nearest, ties to even, subnormal numbers to 0.
func bf16(x float32) uint32 {
	b := math.Float32bits(x)
	switch {
	case b>>23&255 == 255 && b<<9 != 0: // NaN
		return b>>16 | 64
	case b>>23&255 == 0:
		return b >> 16 & 0x8000
	}
	return (b + 0x7fff + b>>16&1) >> 16
}

func words(x []float32) []uint32 {
	return unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(x))), len(x))
}

// interleave sets dst[i] to the pair of a[i] and b[i].
func interleave(dst, a, b []float32) {
	d := words(dst)
	i := 0
	if n := len(dst) / 16; micro.interleave != nil && n > 0 {
		_, _ = a[16*n-1], b[16*n-1]
		micro.interleave(&d[0], &a[0], &b[0], n)
		i = 16 * n
	}
	for ; i < len(d); i++ {
		d[i] = bf16(a[i]) | bf16(b[i])<<16
	}
}

// roundTo rounds a to pairs; dst has one word for two elements, the last filled up with 0.
func roundTo(dst, a []float32) {
	d := words(dst)
	i := 0
	if n := len(a) / 32; micro.convert != nil && n > 0 {
		_ = d[16*n-1]
		micro.convert(&d[0], &a[0], n)
		i = 16 * n
	}
	for ; i < len(d); i++ {
		d[i] = 0
		if 2*i < len(a) {
			d[i] = bf16(a[2*i])
		}
		if 2*i+1 < len(a) {
			d[i] |= bf16(a[2*i+1]) << 16
		}
	}
}

// roundLast sets dst[i] to the pair of a[i] and 0.
func roundLast(dst, a []float32) {
	d := words(dst)
	for i := range d {
		d[i] = bf16(a[i])
	}
}

var zeros [256]float32

// packPairs is pack for pairs: terms pairs of rows of b, which has k rows from there on (an odd one is paired with 0), columns
// from..from+min(nr, n-from) of it; dst [terms, nr].
func packPairs(dst, b []float32, from, terms, k, n, brs, bcs, nr int) {
	cols := min(nr, n-from)
	if cols < nr && nr <= 32 { // rows of A need no filling
		clear(dst[:terms*nr])
	}
	switch {
	case bcs == 1:
		for i := range terms {
			lo := b[2*i*brs+from:][:cols]
			hi := zeros[:]
			if 2*i+1 < k {
				hi = b[(2*i+1)*brs+from:][:cols]
			}
			interleave(dst[i*nr:i*nr+cols], lo, hi)
		}
	case brs == 1:
		s := Scratch(terms)
		defer Release(s)
		for j := range cols {
			roundTo(*s, b[(from+j)*bcs:][:min(2*terms, k)])
			for i, x := range *s {
				dst[i*nr+j] = x
			}
		}
	default:
		d := words(dst)
		for j := range cols {
			src := b[(from+j)*bcs:]
			for i := range terms {
				x := bf16(src[2*i*brs])
				if 2*i+1 < k {
					x |= bf16(src[(2*i+1)*brs]) << 16
				}
				d[i*nr+j] = x
			}
		}
	}
}
