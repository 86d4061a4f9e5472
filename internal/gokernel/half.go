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

// Values are the elements of an operand: float32, or bfloat16 where Halves is not nil.
type Values struct {
	Floats []float32
	Halves []uint16
}

// F is x as Values.
func F(x []float32) Values { return Values{Floats: x} }

func (v Values) len() int {
	if v.Halves != nil {
		return len(v.Halves)
	}
	return len(v.Floats)
}

func (v Values) clear() {
	clear(v.Floats)
	clear(v.Halves)
}

// part is v[from : from+n].
func (v Values) part(from, n int) Values {
	if v.Halves != nil {
		return Values{Halves: v.Halves[from : from+n]}
	}
	return Values{Floats: v.Floats[from : from+n]}
}

// Widen sets dst to what a holds in bfloat16.
func Widen(dst []float32, a []uint16) {
	i := 0
	if n := len(dst) / 16; micro.widen != nil && n > 0 {
		_ = a[16*n-1]
		micro.widen(&dst[0], &a[0], n)
		i = 16 * n
	}
	for ; i < len(dst); i++ {
		dst[i] = math.Float32frombits(uint32(a[i]) << 16)
	}
}

// Round sets dst to a in bfloat16.
func Round(dst []uint16, a []float32) {
	i := 0
	if n := len(dst) / 32; micro.convert != nil && n > 0 {
		_ = a[32*n-1]
		micro.convert((*uint32)(unsafe.Pointer(&dst[0])), &a[0], n)
		i = 32 * n
	}
	for ; i < len(dst); i++ {
		dst[i] = uint16(bf16(a[i]))
	}
}

// halves is the memory of words as twice as many bfloat16.
func halves(x []float32) []uint16 {
	return unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(x))), 2*len(x))
}

// zip is interleave of what is bfloat16 already.
func zip(dst []float32, a, b []uint16) {
	d := words(dst)
	i := 0
	if n := len(dst) / 16; micro.zip != nil && n > 0 {
		_, _ = a[16*n-1], b[16*n-1]
		micro.zip(&d[0], &a[0], &b[0], n)
		i = 16 * n
	}
	for ; i < len(d); i++ {
		d[i] = uint32(a[i]) | uint32(b[i])<<16
	}
}

// zipLast sets dst[i] to the pair of a[i] and 0.
func zipLast(dst []float32, a []uint16) {
	d := words(dst)
	for i := range d {
		d[i] = uint32(a[i])
	}
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

// zipPairs is packPairs of rows of b `[k, n]` in bfloat16.
func zipPairs(dst []float32, b []uint16, from, terms, k, n, nr int) {
	cols := min(nr, n-from)
	if cols < nr {
		clear(dst[:terms*nr])
	}
	for i := range terms {
		to, lo := dst[i*nr:i*nr+cols], b[2*i*n+from:][:cols]
		if 2*i+1 < k {
			zip(to, lo, b[(2*i+1)*n+from:][:cols])
		} else {
			zipLast(to, lo)
		}
	}
}
