package image

import (
	"math"
	"math/rand/v2"

	"github.com/selfsame-ml/selfsame/view"
)

// drawCrop follows torchvision's RandomResizedCrop.get_params. Recorded behind scale and
// ratio: x, y, w, h in pixels. Where nothing fits in view.Tries attempts, the crop is central, with the
// drawn area and the picture's own aspect ratio, moved into the declared ratios: torchvision takes the whole
// picture instead, which could leave the range in which the contract was stated.
func drawCrop(t *Transform, r *rand.Rand, p *view.Params) bool {
	lo, hi := math.Log(t.ranges[1].From), math.Log(t.ranges[1].To)
	p.V[1] = math.Exp(lo + r.Float64()*(hi-lo))
	if p.V[0] == 1 { // the whole picture, though on small ones another crop rounds to that area
		p.V[1] = float64(t.w) / float64(t.h)
		push(p, 0)
		push(p, 0)
		push(p, float64(t.w))
		push(p, float64(t.h))
		return true
	}
	area := float64(t.w*t.h) * p.V[0]
	w, h := int(math.RoundToEven(math.Sqrt(area*p.V[1]))), int(math.RoundToEven(math.Sqrt(area/p.V[1])))
	if w >= 1 && w <= t.w && h >= 1 && h <= t.h {
		push(p, float64(r.IntN(t.w-w+1)))
		push(p, float64(r.IntN(t.h-h+1)))
		push(p, float64(w))
		push(p, float64(h))
		return true
	}
	ratio := min(max(float64(t.w)/float64(t.h), t.ranges[1].From), t.ranges[1].To)
	w = min(max(int(math.RoundToEven(math.Sqrt(area*ratio))), 1), t.w)
	h = min(max(int(math.RoundToEven(math.Sqrt(area/ratio))), 1), t.h)
	p.V[1] = ratio
	push(p, float64((t.w-w)/2))
	push(p, float64((t.h-h)/2))
	push(p, float64(w))
	push(p, float64(h))
	return false
}

func applyCrop(t *Transform, dst, src *Image, p *view.Params) {
	x, y, w, h := int(p.V[2]), int(p.V[3]), int(p.V[4]), int(p.V[5])
	if !p.Applied {
		x, y, w, h = 0, 0, src.W, src.H
	}
	x, y = min(max(x, 0), src.W-1), min(max(y, 0), src.H-1)
	w, h = min(w, src.W-x), min(h, src.H-y)
	dst.Reset(t.outW, t.outH, src.C, src.Bits)
	resample(&t.work, dst, src, x, y, w, h)
}

func applyHFlip(_ *Transform, dst, src *Image, _ *view.Params) {
	dst.Reset(src.W, src.H, src.C, src.Bits)
	if src.Bits == 16 {
		hflip(dst.Pix16, src.Pix16, src.W, src.H, src.C)
	} else {
		hflip(dst.Pix, src.Pix, src.W, src.H, src.C)
	}
}

func hflip[T pixel](dst, src []T, w, h, c int) {
	for y := range h {
		d, s := dst[y*w*c:(y+1)*w*c], src[y*w*c:(y+1)*w*c]
		switch c {
		case 1:
			for i, j := 0, len(s)-1; j >= 0 && i < len(d); i, j = i+1, j-1 {
				d[i] = s[j]
			}
		case 3:
			i, j := 0, len(s)-3
			if n := len(s) / 24; haveVector && n > 0 {
				if d8, ok := any(d).([]uint8); ok {
					mirrorAVX2(&d8[0], &any(s).([]uint8)[len(s)-24], n)
					i, j = 24*n, len(s)-3-24*n
				}
			}
			for ; i+2 < len(d) && j >= 0; i += 3 {
				a, b := d[i:i+3:i+3], s[j:j+3:j+3]
				a[0], a[1], a[2] = b[0], b[1], b[2]
				j -= 3
			}
		default:
			for x := range w {
				copy(d[x*c:(x+1)*c], s[(w-1-x)*c:(w-x)*c])
			}
		}
	}
}

func applyVFlip(_ *Transform, dst, src *Image, _ *view.Params) {
	dst.Reset(src.W, src.H, src.C, src.Bits)
	n := src.W * src.C
	for y := range src.H {
		z := src.H - 1 - y
		if src.Bits == 16 {
			copy(dst.Pix16[y*n:(y+1)*n], src.Pix16[z*n:(z+1)*n])
		} else {
			copy(dst.Pix[y*n:(y+1)*n], src.Pix[z*n:(z+1)*n])
		}
	}
}

func applyQuarter(_ *Transform, dst, src *Image, p *view.Params) {
	turns := int(p.V[0]) & 3
	w, h := src.W, src.H
	if turns&1 == 1 {
		w, h = h, w
	}
	dst.Reset(w, h, src.C, src.Bits)
	if src.Bits == 16 {
		quarter(dst.Pix16, src.Pix16, src.W, src.H, src.C, turns)
	} else {
		quarter(dst.Pix, src.Pix, src.W, src.H, src.C, turns)
	}
}

// quarter walks dst in order; base, dx and dy say where in src (in pixels) it reads.
func quarter[T pixel](dst, src []T, w, h, c, turns int) {
	base, dx, dy, dw, dh := 0, 1, w, w, h
	switch turns {
	case 1: // counter-clockwise: dst(y, x) = src(x, w-1-y)
		base, dx, dy, dw, dh = w-1, w, -1, h, w
	case 2:
		base, dx, dy = w*h-1, -1, -w
	case 3:
		base, dx, dy, dw, dh = (h-1)*w, -w, 1, h, w
	}
	i := 0
	for y := range dh {
		at := base + y*dy
		for range dw {
			for k := range c {
				dst[i] = src[at*c+k]
				i++
			}
			at += dx
		}
	}
}

// sincos is exact at multiples of 90 degrees.
func sincos(degrees float64) (sin, cos float64) {
	switch d := math.Mod(degrees+720, 360); d {
	case 0:
		return 0, 1
	case 90:
		return 1, 0
	case 180:
		return 0, -1
	case 270:
		return -1, 0
	default:
		return math.Sincos(d * math.Pi / 180)
	}
}

func applyRotate(_ *Transform, dst, src *Image, p *view.Params) {
	dst.Reset(src.W, src.H, src.C, src.Bits)
	sin, cos := sincos(p.V[0])
	fill := clampRound(p.V[1]*float64(src.Max()), src.Max())
	if src.Bits == 16 {
		rotate(dst.Pix16, src.Pix16, src.W, src.H, src.C, sin, cos, fill)
	} else {
		rotate(dst.Pix, src.Pix, src.W, src.H, src.C, sin, cos, fill)
	}
}

// rotate reads src at the rotated place of every pixel of dst; what lies outside is fill, and mixes in at the border.
func rotate[T pixel](dst, src []T, w, h, c int, sin, cos float64, fill int) {
	const one = 1 << 20
	cx, cy := float64(w-1)/2, float64(h-1)/2
	i := 0
	for y := range h {
		for x := range w {
			u, v := float64(x)-cx, float64(y)-cy
			fx, fy := cos*u-sin*v+cx, sin*u+cos*v+cy
			ix, iy := int(math.Floor(fx)), int(math.Floor(fy))
			wx, wy := int((fx-float64(ix))*one+0.5), int((fy-float64(iy))*one+0.5)
			if ix < -1 || iy < -1 || ix >= w || iy >= h {
				for range c {
					dst[i] = T(fill)
					i++
				}
				continue
			}
			x0, x1, y0, y1 := ix >= 0, ix+1 < w, iy >= 0, iy+1 < h
			at := (iy*w + ix) * c
			for k := range c {
				a, b, e, f := fill, fill, fill, fill
				if y0 && x0 {
					a = int(src[at+k])
				}
				if y0 && x1 {
					b = int(src[at+c+k])
				}
				if y1 && x0 {
					e = int(src[at+w*c+k])
				}
				if y1 && x1 {
					f = int(src[at+w*c+c+k])
				}
				top, bottom := a*(one-wx)+b*wx, e*(one-wx)+f*wx
				dst[i] = T((top*(one-wy) + bottom*wy + 1<<39) >> 40)
				i++
			}
		}
	}
}

// drawTranslate records dx, dy in pixels, to the right and down.
func drawTranslate(t *Transform, r *rand.Rand, p *view.Params) bool {
	push(p, math.RoundToEven((2*r.Float64()-1)*p.V[0]*float64(t.w)))
	push(p, math.RoundToEven((2*r.Float64()-1)*p.V[0]*float64(t.h)))
	return true
}

func applyTranslate(_ *Transform, dst, src *Image, p *view.Params) {
	dst.Reset(src.W, src.H, src.C, src.Bits)
	fill := clampRound(p.V[1]*float64(src.Max()), src.Max())
	dx, dy := int(p.V[2]), int(p.V[3])
	if src.Bits == 16 {
		translate(dst.Pix16, src.Pix16, src.W, src.H, src.C, dx, dy, fill)
	} else {
		translate(dst.Pix, src.Pix, src.W, src.H, src.C, dx, dy, fill)
	}
}

func translate[T pixel](dst, src []T, w, h, c, dx, dy, fill int) {
	for i := range dst {
		dst[i] = T(fill)
	}
	from, to := max(0, dx), min(w, w+dx) // columns of dst that have a source
	for y := max(0, dy); y < min(h, h+dy) && from < to; y++ {
		s := ((y-dy)*w + from - dx) * c
		copy(dst[(y*w+from)*c:(y*w+to)*c], src[s:s+(to-from)*c])
	}
}

// perms2 are the 24 permutations of 4 tiles in lexicographic order. perms3 are 64 maps x -> ax+b of the
// field of 9 elements onto itself. Two different such maps agree in at most one place, so any two of the
// permutations differ in at least 8 of the 9 tiles, the most that more than 9 permutations can have.
var (
	perms2 [24][4]int
	perms3 [64][9]int
)

func init() {
	n := 0
	for k := range 256 {
		p := [4]int{k >> 6, k >> 4 & 3, k >> 2 & 3, k & 3}
		if 1<<p[0]|1<<p[1]|1<<p[2]|1<<p[3] == 15 {
			perms2[n] = p
			n++
		}
	}
	mul := func(a, b int) int { // (a0 + a1 i)(b0 + b1 i) with i*i = -1, modulo 3; a = a0 + 3 a1
		a0, a1, b0, b1 := a%3, a/3, b%3, b/3
		return (a0*b0+2*a1*b1)%3 + 3*((a0*b1+a1*b0)%3)
	}
	for k := range perms3 {
		a, b := 1+k%8, k/8
		for x := range 9 {
			m := mul(a, x)
			perms3[k][x] = (m%3+b%3)%3 + 3*((m/3+b/3)%3)
		}
	}
}

// JigsawPermutation returns what class k of the grid x grid jigsaw (2 or 3) does: tile t of the
// view, counted by row, is tile perm[t] of the source. It is nil for an unknown grid or class.
func JigsawPermutation(grid, k int) []int {
	switch {
	case k < 0:
	case grid == 2 && k < len(perms2):
		return perms2[k][:]
	case grid == 3 && k < len(perms3):
		return perms3[k][:]
	}
	return nil
}

func applyJigsaw(t *Transform, dst, src *Image, p *view.Params) {
	grid := 2
	if t.def.spec.Classes == len(perms3) {
		grid = 3
	}
	dst.CopyFrom(src) // rows and columns left over by the division stay in place
	perm := JigsawPermutation(grid, int(p.V[0]))
	if perm == nil {
		return
	}
	if src.Bits == 16 {
		jigsaw(dst.Pix16, src.Pix16, src.W, src.H, src.C, grid, perm)
	} else {
		jigsaw(dst.Pix, src.Pix, src.W, src.H, src.C, grid, perm)
	}
}

func jigsaw[T pixel](dst, src []T, w, h, c, grid int, perm []int) {
	tw, th := w/grid, h/grid
	for to, from := range perm {
		for y := range th {
			d := ((to/grid*th+y)*w + to%grid*tw) * c
			s := ((from/grid*th+y)*w + from%grid*tw) * c
			copy(dst[d:d+tw*c], src[s:s+tw*c])
		}
	}
}
