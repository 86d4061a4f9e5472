package image

import (
	"math"
	"math/rand/v2"
	"sync"

	"github.com/selfsame-ml/selfsame/view"
)

// normals are 4096 equally likely quantiles of the standard normal distribution, scaled to
// variance 1, in units of 1/65536. They reach 3.7 standard deviations.
var normals = sync.OnceValue(func() *[4096]int32 {
	var q [4096]float64
	sum := 0.0
	for i := range q {
		q[i] = math.Sqrt2 * math.Erfinv(2*(float64(i)+0.5)/float64(len(q))-1)
		sum += q[i] * q[i]
	}
	scale := 65536 / math.Sqrt(sum/float64(len(q)))
	t := new([4096]int32)
	for i, v := range q {
		t[i] = int32(math.Round(v * scale))
	}
	return t
})

func applyNoise(_ *Transform, dst, src *Image, p *view.Params) {
	dst.Reset(src.W, src.H, src.C, src.Bits)
	if src.Bits == 16 {
		noise(dst.Pix16, src.Pix16, p.V[0], uint64(p.V[1]), 65535)
	} else {
		noise(dst.Pix, src.Pix, p.V[0], uint64(p.V[1]), 255)
	}
}

func noise[T pixel](dst, src []T, sigma float64, seed uint64, hi int) {
	rnd, q := splitmix(seed), normals()
	scale := int(math.Round(sigma * float64(hi) * 65536))
	dst = dst[:len(src)]
	for i := 0; i < len(src); {
		bits := rnd.next()
		for end := min(i+5, len(src)); i < end; i++ {
			v := int(src[i])<<32 + int(q[bits&4095])*scale + 1<<31
			dst[i] = T(min(max(v, 0)>>32, hi))
			bits >>= 12
		}
	}
}

// drawCutout records the centre in pixels.
func drawCutout(t *Transform, r *rand.Rand, p *view.Params) bool {
	push(p, float64(r.IntN(t.w)))
	push(p, float64(r.IntN(t.h)))
	return true
}

// hole is the square that a cutout fills, cut at the border: columns x0..x1-1, rows y0..y1-1.
func hole(w, h int, p *view.Params) (x0, y0, x1, y1 int) {
	side := int(math.Round(p.V[0] * float64(min(w, h))))
	x, y := int(p.V[2])-side/2, int(p.V[3])-side/2
	return max(x, 0), max(y, 0), min(x+side, w), min(y+side, h)
}

func applyCutout(_ *Transform, dst, src *Image, p *view.Params) {
	dst.CopyFrom(src)
	fill := clampRound(p.V[1]*float64(src.Max()), src.Max())
	x0, y0, x1, y1 := hole(src.W, src.H, p)
	for y := y0; y < y1 && x0 < x1; y++ {
		fillRow(dst, (y*src.W+x0)*src.C, (y*src.W+x1)*src.C, fill)
	}
}

func fillRow(m *Image, from, to, v int) {
	if m.Bits == 16 {
		row := m.Pix16[from:to]
		for i := range row {
			row[i] = uint16(v)
		}
		return
	}
	row := m.Pix[from:to]
	for i := range row {
		row[i] = uint8(v)
	}
}

// chosen returns the masked cells of the patch grid (numbered by row), the patch side and the cells in a row.
func (t *Transform) chosen(w, h int, p *view.Params) (cells []int, side, across int) {
	side = max(int(p.V[1]), 1)
	across = (w + side - 1) / side
	n := across * ((h + side - 1) / side)
	t.work.ints = grow(t.work.ints, n)
	cells = t.work.ints
	for i := range cells {
		cells[i] = i
	}
	k := int(math.Round(p.V[0] * float64(n)))
	rnd := splitmix(uint64(p.V[3]))
	for i := range k {
		j := i + rnd.intn(n-i)
		cells[i], cells[j] = cells[j], cells[i]
	}
	return cells[:k], side, across
}

func applyMask(t *Transform, dst, src *Image, p *view.Params) {
	dst.CopyFrom(src)
	fill := clampRound(p.V[2]*float64(src.Max()), src.Max())
	cells, side, across := t.chosen(src.W, src.H, p)
	for _, cell := range cells {
		x, y := cell%across*side, cell/across*side
		x1, y1 := min(x+side, src.W), min(y+side, src.H)
		for ; y < y1; y++ {
			fillRow(dst, (y*src.W+x)*src.C, (y*src.W+x1)*src.C, fill)
		}
	}
}

// MaskOf sets dst [H, W, C] to 1 where Apply destroys what was there and to 0 elsewhere: the masked
// patches, the cut-out square; everything for noise, blur and greyscale.
func (t *Transform) MaskOf(dst []uint8, p *view.Params) {
	w, h := t.w, t.h
	box := func(x0, y0, x1, y1 int) {
		for y := y0; y < y1 && x0 < x1; y++ {
			row := dst[(y*w+x0)*t.c : (y*w+x1)*t.c]
			for i := range row {
				row[i] = 1
			}
		}
	}
	switch t.def.spec.Name {
	case "mask":
		clear(dst)
		cells, side, across := t.chosen(w, h, p)
		for _, cell := range cells {
			x, y := cell%across*side, cell/across*side
			box(x, y, min(x+side, w), min(y+side, h))
		}
	case "cutout":
		clear(dst)
		box(hole(w, h, p))
	default:
		box(0, 0, w, h)
	}
}
