package gokernel

import "unsafe"

// Conv is a 2-D cross-correlation of x `[n, h, w, c]` by a kernel `[kh, kw, c, o]` to y `[n, oh, ow, o]`: stride S, P zeros
// before rows and columns (negative: cropped). What the window reads beyond the input is 0.
type Conv struct {
	N, H, W, C int
	KH, KW, O  int
	OH, OW     int
	S, P       [2]int
}

// plane is a correlation at unit dilation with a packed kernel: the common form of the forward pass and of the input's adjoint.
type plane struct {
	n, h, w, c            int // input
	kh, kw, o             int
	oh, ow                int
	s, p                  [2]int
	image, row, col, base int // steps of the output in floats
}

// padded copies the window's reach of one image to dst [ph, pw, c], or returns the image itself where that is the same.
func (g plane) padded(dst, x []float32) ([]float32, int) {
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

// correlate runs the plane; packed holds the kernel in panels [kh*kw*c, nr].
func (g plane) correlate(threads int, dst, x, packed []float32) {
	nr := micro.nr
	k := g.kh * g.kw * g.c
	panels := (g.o + nr - 1) / nr
	size := g.h * g.w * g.c
	Parallel(threads, g.n, func(i int) {
		s := Scratch(g.reach() + 8*nr)
		defer Release(s)
		buf, pad := (*s)[:8*nr], (*s)[8*nr:]
		in, pw := g.padded(pad, x[i*size:(i+1)*size])
		t := &tile{rs: 4 * g.s[1] * g.c, cs: 4, k0: g.kw * g.c, k1: g.kh, aJump: 4 * (pw - g.kw) * g.c, ldb: 4 * nr}
		for p := range panels {
			for r := range g.oh {
				t.a = unsafe.Pointer(&in[r*g.s[0]*pw*g.c])
				t.b = unsafe.Pointer(&packed[p*k*nr])
				t.rowsOf(g.ow, g.o-p*nr, dst[g.base+i*g.image+r*g.row+p*nr:], g.col, buf)
			}
		}
	})
}

// Forward sets y to the correlation of x by w.
func (c Conv) Forward(threads int, y, x, w []float32) {
	if len(y) == 0 {
		return
	}
	if c.C == 0 || c.KH == 0 || c.KW == 0 {
		clear(y)
		return
	}
	g := plane{n: c.N, h: c.H, w: c.W, c: c.C, kh: c.KH, kw: c.KW, o: c.O, oh: c.OH, ow: c.OW, s: c.S, p: c.P,
		image: c.OH * c.OW * c.O, row: c.OW * c.O, col: c.O}
	k, nr := c.KH*c.KW*c.C, micro.nr
	panels := (c.O + nr - 1) / nr
	packed := Scratch(panels * k * nr)
	defer Release(packed)
	Parallel(threads, panels, func(p int) { pack((*packed)[p*k*nr:(p+1)*k*nr], w, p*nr, k, c.O, c.O, 1, nr) })
	g.correlate(threads, y, x, *packed)
}

// Input sets dx to the adjoint of the input for the adjoint v of the output.
func (c Conv) Input(threads int, dx, v, w []float32) {
	if len(dx) == 0 {
		return
	}
	covered := c.S[0] <= c.KH && c.S[1] <= c.KW && c.O > 0 && c.OH > 0 && c.OW > 0
	if !covered {
		clear(dx)
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
				image: c.H * c.W * c.C, row: c.S[0] * c.W * c.C, col: c.S[1] * c.C, base: (a*c.W + b) * c.C}
			k, nr := qi*qj*c.O, micro.nr
			panels := (c.C + nr - 1) / nr
			packed := Scratch(panels * k * nr)
			Parallel(threads, panels, func(p int) {
				for q := range qi * qj {
					i, j := i0+c.S[0]*(qi-1-q/qj), j0+c.S[1]*(qj-1-q%qj)
					to := (*packed)[(p*k+q*c.O)*nr:]
					pack(to, w[(i*c.KW+j)*c.C*c.O:(i*c.KW+j+1)*c.C*c.O], p*nr, c.O, c.C, 1, c.O, nr)
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

// Kernel sets dw `[kh, kw, c, o]` to the adjoint of the kernel for the adjoint v of the output.
func (c Conv) Kernel(threads int, dw, x, v []float32) {
	if len(dw) == 0 {
		return
	}
	if c.N == 0 || c.OH == 0 || c.OW == 0 {
		clear(dw)
		return
	}
	nr := micro.nr
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
	clear(*sums)
	g := plane{n: c.N, h: c.H, w: c.W, c: c.C, kh: c.KH, kw: c.KW, o: c.O, oh: c.OH, ow: c.OW, s: c.S, p: c.P}
	run := max(256/c.OW, 1) // rows of v at a time
	Parallel(threads, parts*split, func(task int) {
		part, si := task/split, task%split
		sum := (*sums)[part*size : (part+1)*size]
		vPack := 0
		if c.O != ld {
			vPack = c.OH * c.OW * ld
		}
		s := Scratch(g.reach() + vPack)
		defer Release(s)
		pad, vp := (*s)[:g.reach()], (*s)[g.reach():]
		t := &tile{rs: 4, cs: 4 * c.S[1] * c.C, k0: c.OW, add: 1}
		for n := part * c.N / parts; n < (part+1)*c.N/parts; n++ {
			in, pw := g.padded(pad, x[n*c.H*c.W*c.C:(n+1)*c.H*c.W*c.C])
			vi := v[n*c.OH*c.OW*c.O : (n+1)*c.OH*c.OW*c.O]
			if vPack > 0 {
				pixels := c.OH * c.OW
				for i := range pixels {
					clear(vp[i*ld+c.O : (i+1)*ld])
					copy(vp[i*ld:i*ld+c.O], vi[i*c.O:])
				}
				vi = vp
			}
			t.aJump = 4 * (c.S[0]*pw - c.OW*c.S[1]) * c.C
			t.ldb = 4 * ld
			for r := 0; r < c.OH; r += run {
				t.k1 = min(run, c.OH-r)
				for p := range panels {
					for i := si; i < c.KH; i += split {
						t.a = unsafe.Pointer(&in[(r*c.S[0]+i)*pw*c.C])
						t.b = unsafe.Pointer(&vi[r*c.OW*ld+p*nr])
						t.rowsOf(rows, nr, sum[i*rows*ld+p*nr:], ld, nil)
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
