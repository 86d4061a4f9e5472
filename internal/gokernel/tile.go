package gokernel

import "unsafe"

// tile is one call of a micro-kernel: rows of C, two vectors wide, get (or, where add is set, get added) the sum
// over k1 runs of k0 terms a[row]*b[columns]. All steps are in bytes.
type tile struct {
	a     unsafe.Pointer
	rs    int // from a row of the tile to the next
	cs    int // from a term to the next
	k0    int // terms in a run
	k1    int // runs
	aJump int // added to a after each run
	b     unsafe.Pointer
	ldb   int // from the columns of a term to those of the next
	c     unsafe.Pointer
	ldc   int
	add   int // 1: add to C

	// What kernels do not see:
	kernel *microKernel
	half   bool // terms are pairs of bfloat16
}

const room = 256 // floats of a tile, mr*nr at most

// micro is the micro-kernel in use: tiles of up to mr rows and nr columns.
var micro = plain

type microKernel struct {
	name   string
	mr, nr int
	run    [17]func(t *tile) // by rows
	narrow *microKernel      // of half as many columns, one vector wide, for the last of them; nil where there is none

	// Of products of bfloat16, nil where the processor has none: a term of a tile is then a pair of bfloat16, the first in the
	// lower half of 4 bytes.
	pairs      *[17]func(t *tile)
	interleave func(dst *uint32, a, b *float32, n int) // pairs of elements of a and b, by 16
	convert    func(dst *uint32, a *float32, n int)    // by 32
	widen      func(dst *float32, a *uint16, n int)    // by 16
	zip        func(dst *uint32, a, b *uint16, n int)  // interleave of what is bfloat16 already, by 16
}

// of is the micro-kernel for so many columns in all.
func (k *microKernel) of(columns int) *microKernel {
	if k.narrow != nil && columns <= k.narrow.nr {
		return k.narrow
	}
	return k
}

// HasBF16 reports that products of bfloat16 have a kernel on this processor (AVX512-BF16).
func HasBF16() bool { return micro.pairs != nil }

// plain is the micro-kernel in Go.
var plain = microKernel{name: "go", mr: 4, nr: 4, run: [17]func(t *tile){1: tileGo1, 2: tileGo2, 3: tileGo3, 4: tileGo4}}

func at(p unsafe.Pointer, off int) *float32 { return (*float32)(unsafe.Add(p, off)) }

func tileGo1(t *tile) { tileGo(t, 1) }
func tileGo2(t *tile) { tileGo(t, 2) }
func tileGo3(t *tile) { tileGo(t, 3) }

func tileGo(t *tile, rows int) {
	for m := range rows {
		var s [4]float32
		a, b := unsafe.Add(t.a, m*t.rs), t.b
		for range t.k1 {
			for range t.k0 {
				x := *(*float32)(a)
				v := (*[4]float32)(b)
				s[0] += x * v[0]
				s[1] += x * v[1]
				s[2] += x * v[2]
				s[3] += x * v[3]
				a, b = unsafe.Add(a, t.cs), unsafe.Add(b, t.ldb)
			}
			a = unsafe.Add(a, t.aJump)
		}
		t.put(m, s[0], s[1], s[2], s[3])
	}
}

func (t *tile) put(m int, s0, s1, s2, s3 float32) {
	c := (*[4]float32)(unsafe.Add(t.c, m*t.ldc))
	if t.add != 0 {
		s0, s1, s2, s3 = s0+c[0], s1+c[1], s2+c[2], s3+c[3]
	}
	c[0], c[1], c[2], c[3] = s0, s1, s2, s3
}

func tileGo4(t *tile) {
	var a00, a01, a02, a03, a10, a11, a12, a13, a20, a21, a22, a23, a30, a31, a32, a33 float32
	a, b, rs := t.a, t.b, t.rs
	for range t.k1 {
		for range t.k0 {
			v := (*[4]float32)(b)
			v0, v1, v2, v3 := v[0], v[1], v[2], v[3]
			x := *(*float32)(a)
			a00 += x * v0
			a01 += x * v1
			a02 += x * v2
			a03 += x * v3
			x = *at(a, rs)
			a10 += x * v0
			a11 += x * v1
			a12 += x * v2
			a13 += x * v3
			x = *at(a, 2*rs)
			a20 += x * v0
			a21 += x * v1
			a22 += x * v2
			a23 += x * v3
			x = *at(a, 3*rs)
			a30 += x * v0
			a31 += x * v1
			a32 += x * v2
			a33 += x * v3
			a, b = unsafe.Add(a, t.cs), unsafe.Add(b, t.ldb)
		}
		a = unsafe.Add(a, t.aJump)
	}
	t.put(0, a00, a01, a02, a03)
	t.put(1, a10, a11, a12, a13)
	t.put(2, a20, a21, a22, a23)
	t.put(3, a30, a31, a32, a33)
}

// pack copies columns from..from+nr of the k x n matrix b, whose steps are brs and bcs, to dst [k, nr]; columns beyond n are 0.
func pack(dst, b []float32, from, k, n, brs, bcs, nr int) {
	cols := min(nr, n-from)
	if cols < nr && nr <= 32 { // rows of A need no filling
		clear(dst[:k*nr])
	}
	switch {
	case bcs == 1:
		for i := range k {
			copy(dst[i*nr:i*nr+cols], b[i*brs+from:])
		}
	default:
		for j := range cols {
			src := b[(from+j)*bcs:]
			for i := range k {
				dst[i*nr+j] = src[i*brs]
			}
		}
	}
}

// rowsOf runs the tiles of m rows for the columns of one panel: c gets (or is added) the product; cols is the
// number of columns that exist, ldc in floats. buf has room for room floats.
func (t *tile) rowsOf(m, cols int, c []float32, ldc int, buf []float32) {
	mk := t.kernel
	run := &mk.run
	if t.half {
		run = mk.pairs
	}
	a := t.a
	for r := 0; r < m; r += mk.mr {
		n := min(mk.mr, m-r)
		t.a = unsafe.Add(a, r*t.rs)
		if cols >= mk.nr {
			t.c, t.ldc = unsafe.Pointer(&c[r*ldc]), 4*ldc
			run[n](t)
			continue
		}
		add := t.add
		t.c, t.ldc, t.add = unsafe.Pointer(&buf[0]), 4*mk.nr, 0
		run[n](t)
		t.add = add
		for i := range n {
			to, from := c[(r+i)*ldc:(r+i)*ldc+cols], buf[i*mk.nr:]
			if add == 0 {
				copy(to, from)
				continue
			}
			for j := range to {
				to[j] += from[j]
			}
		}
	}
	t.a = a
}
