package gokernel

import "unsafe"

// Conv is a 2-D cross-correlation of x `[n, h, w, c]` by a kernel `[kh, kw, c, o]` to y `[n, oh, ow, o]`: stride S, P zeros
// before rows and columns (negative: cropped). What the window reads beyond the input is 0.
type Conv struct {
	N, H, W, C int
	KH, KW, O  int
	OH, OW     int
	S, P       [2]int
	Half       bool // round the operands to bfloat16 where HasBF16 (not where channels do not come in pairs)
}

// plane is a correlation at unit dilation with a packed kernel: the common form of the forward pass and of the input's adjoint.
type plane struct {
	n, h, w, c            int // input
	kh, kw, o             int
	oh, ow                int
	s, p                  [2]int
	image, row, col, base int // steps of the output in floats
	half                  bool
}

// half reports that runs of c channels are rounded to pairs.
func (c Conv) half(channels int) bool { return c.Half && HasBF16() && channels%2 == 0 }

// padded copies the window's reach of one image to dst [ph, pw, c], or returns the image itself where that is the same.
func padded[T float32 | uint16](g plane, dst, x []T) ([]T, int) {
	ph, pw := (g.oh-1)*g.s[0]+g.kh, (g.ow-1)*g.s[1]+g.kw
	if g.p == [2]int{} && ph <= g.h && pw <= g.w {
		return x, g.w
	}
	c := g.c
	for r := range ph {
		row := dst[r*pw*c : (r+1)*pw*c]
		in := r - g.p[0]
		if in < 0 || in >= g.h {
			clear(row)
			continue
		}
		from, to := max(g.p[1], 0), min(g.p[1]+g.w, pw) // columns of dst that the image fills
		if from >= to {
			clear(row)
			continue
		}
		clear(row[:from*c])
		copy(row[from*c:to*c], x[(in*g.w+from-g.p[1])*c:])
		clear(row[to*c:])
	}
	return dst, pw
}

func (g plane) reach() int {
	return ((g.oh-1)*g.s[0] + g.kh) * ((g.ow-1)*g.s[1] + g.kw) * g.c
}

// words is padded in words as the kernel reads them: floats, or with half pairs of bfloat16, half as many.
func (g plane) words(dst []float32, v Values) ([]float32, int) {
	switch {
	case !g.half:
		return padded(g, dst, v.Floats)
	case v.Halves != nil:
		h, pw := padded(g, halves(dst), v.Halves)
		return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(h))), len(h)/2), pw
	}
	x := v.Floats
	ph, pw := (g.oh-1)*g.s[0]+g.kh, (g.ow-1)*g.s[1]+g.kw
	c := g.c / 2
	from, to := max(g.p[1], 0), min(g.p[1]+g.w, pw)
	for r := range ph {
		row := dst[r*pw*c : (r+1)*pw*c]
		in := r - g.p[0]
		if in < 0 || in >= g.h || from >= to {
			clear(row)
			continue
		}
		clear(row[:from*c])
		roundTo(row[from*c:to*c], x[(in*g.w+from-g.p[1])*g.c:][:(to-from)*g.c])
		clear(row[to*c:])
	}
	return dst, pw
}

// correlate runs the plane; packed holds the kernel in panels [kh*kw*c, nr], or with half as many terms in pairs. Columns of dst in
// bfloat16 must follow each other (col is o).
func (g plane) correlate(threads int, dst, x Values, packed []float32) {
	mk := micro.of(g.o)
	nr := mk.nr
	c := g.c // words of a pixel
	if g.half {
		c /= 2
	}
	k := g.kh * g.kw * c
	panels := (g.o + nr - 1) / nr
	size := g.h * g.w * g.c
	Parallel(threads, g.n, func(i int) {
		line := (g.ow*nr + 15) &^ 15 // of a panel, before it is rounded
		s := Scratch(g.reach() + room + line)
		defer Release(s)
		buf, row, pad := (*s)[:room], (*s)[room:room+line], (*s)[room+line:]
		in, pw := g.words(pad, x.part(i*size, size))
		t := &tile{rs: 4 * g.s[1] * c, cs: 4, k0: g.kw * c, k1: g.kh, aJump: 4 * (pw - g.kw) * c, ldb: 4 * nr, kernel: mk, half: g.half}
		for p := range panels {
			for r := range g.oh {
				t.a = unsafe.Pointer(&in[r*g.s[0]*pw*c])
				t.b = unsafe.Pointer(&packed[p*k*nr])
				at := g.base + i*g.image + r*g.row + p*nr
				if dst.Halves == nil {
					t.rowsOf(g.ow, g.o-p*nr, dst.Floats[at:], g.col, buf)
					continue
				}
				cols := min(nr, g.o-p*nr)
				t.rowsOf(g.ow, cols, row, cols, buf)
				if cols == g.o {
					Round(dst.Halves[at:at+g.ow*cols], row)
					continue
				}
				for q := range g.ow {
					Round(dst.Halves[at+q*g.col:][:cols], row[q*cols:])
				}
			}
		}
	})
}

// Forward sets y to the correlation of x by w. x may be bfloat16 where c.Half and C is even, y
// always.
func (c Conv) Forward(threads int, y, x Values, w []float32) {
	if y.len() == 0 {
		return
	}
	if c.C == 0 || c.KH == 0 || c.KW == 0 {
		y.clear()
		return
	}
	g := plane{n: c.N, h: c.H, w: c.W, c: c.C, kh: c.KH, kw: c.KW, o: c.O, oh: c.OH, ow: c.OW, s: c.S, p: c.P,
		image: c.OH * c.OW * c.O, row: c.OW * c.O, col: c.O, half: c.half(c.C)}
	k, nr := c.KH*c.KW*c.C, micro.of(c.O).nr
	terms := k
	if g.half {
		terms /= 2
	}
	panels := (c.O + nr - 1) / nr
	packed := Scratch(panels * terms * nr)
	defer Release(packed)
	Parallel(threads, panels, func(p int) {
		to := (*packed)[p*terms*nr : (p+1)*terms*nr]
		if g.half {
			packPairs(to, w, p*nr, terms, k, c.O, c.O, 1, nr)
		} else {
			pack(to, w, p*nr, k, c.O, c.O, 1, nr)
		}
	})
	g.correlate(threads, y, x, *packed)
}

// Input sets dx to the adjoint of the input for the adjoint v of the output. v may be bfloat16 where c.Half and O is even, dx where
// the stride is 1 besides.
func (c Conv) Input(threads int, dx, v Values, w []float32) {
	if dx.len() == 0 {
		return
	}
	covered := c.S[0] <= c.KH && c.S[1] <= c.KW && c.O > 0 && c.OH > 0 && c.OW > 0
	if !covered {
		dx.clear()
		if c.O == 0 || c.OH == 0 || c.OW == 0 {
			return
		}
	}
	// Each residue of rows and columns modulo the stride is a correlation of v by the cells of the kernel that meet it.
	for a := range min(c.S[0], c.H) {
		for b := range min(c.S[1], c.W) {
			i0, qi := cells(a+c.P[0], c.S[0], c.KH)
			j0, qj := cells(b+c.P[1], c.S[1], c.KW)
			if qi == 0 || qj == 0 {
				continue
			}
			g := plane{n: c.N, h: c.OH, w: c.OW, c: c.O, kh: qi, kw: qj, o: c.C,
				oh: (c.H - a + c.S[0] - 1) / c.S[0], ow: (c.W - b + c.S[1] - 1) / c.S[1], s: [2]int{1, 1},
				p:     [2]int{qi - 1 - (a+c.P[0]-i0)/c.S[0], qj - 1 - (b+c.P[1]-j0)/c.S[1]},
				image: c.H * c.W * c.C, row: c.S[0] * c.W * c.C, col: c.S[1] * c.C, base: (a*c.W + b) * c.C, half: c.half(c.O)}
			terms, nr := c.O, micro.of(c.C).nr // of a cell
			if g.half {
				terms /= 2
			}
			k := qi * qj * terms
			panels := (c.C + nr - 1) / nr
			packed := Scratch(panels * k * nr)
			Parallel(threads, panels, func(p int) {
				for q := range qi * qj {
					i, j := i0+c.S[0]*(qi-1-q/qj), j0+c.S[1]*(qj-1-q%qj)
					to, cell := (*packed)[(p*k+q*terms)*nr:], w[(i*c.KW+j)*c.C*c.O:(i*c.KW+j+1)*c.C*c.O]
					if g.half {
						packPairs(to, cell, p*nr, terms, c.O, c.C, 1, c.O, nr)
					} else {
						pack(to, cell, p*nr, c.O, c.C, 1, c.O, nr)
					}
				}
			})
			g.correlate(threads, dx, v, *packed)
			Release(packed)
		}
	}
}

// cells counts the cells i0, i0+s, ... below k that are congruent to at modulo s.
func cells(at, s, k int) (i0, n int) {
	i0 = ((at % s) + s) % s
	if i0 >= k {
		return i0, 0
	}
	return i0, (k - i0 + s - 1) / s
}

// Kernel sets dw `[kh, kw, c, o]` to the adjoint of the kernel for the adjoint v of the output. Both may be bfloat16 where c.Half.
func (c Conv) Kernel(threads int, dw []float32, x, v Values) {
	if len(dw) == 0 {
		return
	}
	if c.N == 0 || c.OH == 0 || c.OW == 0 {
		clear(dw)
		return
	}
	half := c.Half && HasBF16()
	mk := micro.of(c.O)
	nr, mr := mk.nr, mk.mr
	run := &mk.run
	if half {
		run = mk.pairs
	}
	panels := (c.O + nr - 1) / nr
	ld := panels * nr
	rows := c.KW * c.C // one row of the kernel
	size := c.KH * rows * ld
	parts := max(min(c.N, 16, (1<<22)/size), 1) // of the batch: at most 16 MiB of partial sums
	split := 1
	if parts < 8 {
		split = c.KH
	}
	sums := Scratch(parts * size)
	defer Release(sums)
	g := plane{n: c.N, h: c.H, w: c.W, c: c.C, kh: c.KH, kw: c.KW, o: c.O, oh: c.OH, ow: c.OW, s: c.S, p: c.P}
	ph, pw := (c.OH-1)*c.S[0]+c.KH, (c.OW-1)*c.S[1]+c.KW
	cw, cells := c.C, 1 // words of a pixel, cells of the kernel that are one run of rows
	if c.C%64 == 0 {    // pixels an odd number of cache lines apart do not push each other out of the cache
		cw += 16
	} else {
		cells = c.KW
	}
	ow := c.OW // terms of a row
	if half {
		ow = (c.OW + 1) / 2
	}
	together := max(256/(c.OH*ow), 1) // images between which a tile of sums stays in the cache
	lines := max(256/ow, 1)           // rows of v at a time
	image, packed := ph*pw*cw, c.OH*ow*ld
	Parallel(threads, parts*split, func(task int) {
		part, si := task/split, task%split
		sum := (*sums)[part*size : (part+1)*size]
		for i := si; i < c.KH; i += split {
			clear(sum[i*rows*ld : (i+1)*rows*ld])
		}
		s := Scratch(g.reach() + together*(image+packed))
		defer Release(s)
		pad, in, vp := (*s)[:g.reach()], (*s)[g.reach():][:together*image], (*s)[g.reach()+together*image:]
		t := &tile{rs: 4, cs: 4 * c.S[1] * cw, k0: ow, ldb: 4 * nr, ldc: 4 * ld, add: 1}
		if half {
			t.cs *= 2
		}
		t.aJump = 4*c.S[0]*pw*cw - ow*t.cs
		end := (part + 1) * c.N / parts
		for first := part * c.N / parts; first < end; first += together {
			images := min(together, end-first)
			for n := range images {
				c.pixels(in[n*image:(n+1)*image], pad, x.part((first+n)*c.H*c.W*c.C, c.H*c.W*c.C), g, cw, half)
				c.adjoints(vp[n*packed:(n+1)*packed], v.part((first+n)*c.OH*c.OW*c.O, c.OH*c.OW*c.O), ow, nr, half)
			}
			for r := 0; r < c.OH; r += lines {
				t.k1 = min(lines, c.OH-r)
				for p := range panels {
					for i := si; i < c.KH; i += split {
						for j := 0; j < c.KW; j += cells {
							for m := 0; m < cells*c.C; m += mr {
								call := run[min(mr, cells*c.C-m)]
								t.c = unsafe.Pointer(&sum[(i*rows+j*c.C+m)*ld+p*nr])
								for n := range images {
									t.a = unsafe.Pointer(&in[n*image+((r*c.S[0]+i)*pw+j)*cw+m])
									t.b = unsafe.Pointer(&vp[n*packed+(p*c.OH*ow+r*ow)*nr])
									call(t)
								}
							}
						}
					}
				}
			}
		}
	})
	Parallel(threads, c.KH*c.KW, func(cell int) {
		for r := cell * c.C; r < (cell+1)*c.C; r++ {
			to := dw[r*c.O : (r+1)*c.O]
			copy(to, (*sums)[r*ld:])
			for part := 1; part < parts; part++ {
				Add(to, to, (*sums)[part*size+r*ld:part*size+r*ld+c.O])
			}
		}
	})
}

// pixels brings the window's reach of an image to dst `[ph, pw, cw]` for the adjoint of the kernel: words are elements, or pairs
// of an element and the one that the window sees next.
func (c Conv) pixels(dst, pad []float32, v Values, g plane, cw int, half bool) {
	if v.Halves != nil {
		c.zipped(dst, pad, v.Halves, g, cw)
		return
	}
	in, iw := padded(g, pad, v.Floats)
	ph, pw := (c.OH-1)*c.S[0]+c.KH, (c.OW-1)*c.S[1]+c.KW
	next := c.S[1] * c.C
	for r := range ph {
		src := in[r*iw*c.C:][:pw*c.C]
		row := dst[r*pw*cw : (r+1)*pw*cw]
		switch {
		case !half && cw == c.C:
			copy(row, src)
		case !half:
			for q := range pw {
				copy(row[q*cw:q*cw+c.C], src[q*c.C:])
			}
		case cw == c.C:
			n := max(len(src)-next, 0)
			interleave(row[:n], src, src[min(next, len(src)):])
			roundLast(row[n:], src[n:])
		default:
			for q := range pw {
				if q+c.S[1] < pw {
					interleave(row[q*cw:q*cw+c.C], src[q*c.C:], src[q*c.C+next:])
				} else {
					roundLast(row[q*cw:q*cw+c.C], src[q*c.C:])
				}
			}
		}
	}
}

// zipped is pixels of an image in bfloat16.
func (c Conv) zipped(dst, pad []float32, x []uint16, g plane, cw int) {
	in, iw := padded(g, halves(pad), x)
	ph, pw := (c.OH-1)*c.S[0]+c.KH, (c.OW-1)*c.S[1]+c.KW
	next := c.S[1] * c.C
	for r := range ph {
		src := in[r*iw*c.C:][:pw*c.C]
		row := dst[r*pw*cw : (r+1)*pw*cw]
		if cw == c.C {
			n := max(len(src)-next, 0)
			zip(row[:n], src, src[min(next, len(src)):])
			zipLast(row[n:], src[n:])
			continue
		}
		for q := range pw {
			if q+c.S[1] < pw {
				zip(row[q*cw:q*cw+c.C], src[q*c.C:], src[q*c.C+next:])
			} else {
				zipLast(row[q*cw:q*cw+c.C], src[q*c.C:])
			}
		}
	}
}

// adjoints brings v `[oh, ow, o]` to panels dst `[panels, oh, terms, nr]`, terms being pixels or pairs of pixels of a row.
func (c Conv) adjoints(dst []float32, v Values, terms, nr int, half bool) {
	for p := 0; p*nr < c.O; p++ {
		for r := range c.OH {
			to := dst[(p*c.OH+r)*terms*nr:][:terms*nr]
			if v.Halves != nil {
				zipPairs(to, v.Halves[r*c.OW*c.O:(r+1)*c.OW*c.O], p*nr, terms, c.OW, c.O, nr)
				continue
			}
			from := v.Floats[r*c.OW*c.O : (r+1)*c.OW*c.O]
			if half {
				packPairs(to, from, p*nr, terms, c.OW, c.O, c.O, 1, nr)
			} else {
				pack(to, from, p*nr, terms, c.O, c.O, 1, nr)
			}
		}
	}
}
