package image

import (
	"math"
	"math/rand/v2"

	"github.com/selfsame-ml/selfsame/view"
)

// Weights of luminance (ITU-R BT.601, as in PIL and torchvision), of 65536.
const (
	lumR = 19595
	lumG = 38470
	lumB = 7471
)

// mean8 is the mean luminance (3 channels) or the mean of all values, after a table.
func mean8(pix []uint8, c int, table *[256]uint8) float64 {
	if len(pix) == 0 {
		return 0
	}
	if c != 3 {
		sum := 0
		for _, v := range pix {
			sum += int(table[v])
		}
		return float64(sum) / float64(len(pix))
	}
	var r, g, b, i int
	if n := min(len(pix)/24, 1<<24); haveVector && n > 0 && table == unchanged {
		var sums [24]uint32
		sumsAVX2(&pix[0], n, &sums)
		for k := range 8 {
			r, g, b = r+int(sums[k]), g+int(sums[8+k]), b+int(sums[16+k])
		}
		i = 24 * n
	}
	for ; i+2 < len(pix); i += 3 {
		p := pix[i : i+3 : i+3]
		r += int(table[p[0]])
		g += int(table[p[1]])
		b += int(table[p[2]])
	}
	return (lumR*float64(r) + lumG*float64(g) + lumB*float64(b)) / 65536 / float64(len(pix)/3)
}

func mean16(pix []uint16, c int) float64 {
	if len(pix) == 0 {
		return 0
	}
	if c != 3 {
		sum := 0
		for _, v := range pix {
			sum += int(v)
		}
		return float64(sum) / float64(len(pix))
	}
	var r, g, b int
	for i := 0; i+2 < len(pix); i += 3 {
		r += int(pix[i])
		g += int(pix[i+1])
		b += int(pix[i+2])
	}
	return (lumR*float64(r) + lumG*float64(g) + lumB*float64(b)) / 65536 / float64(len(pix)/3)
}

func identityTable(t *[256]uint8) {
	for i := range t {
		t[i] = uint8(i)
	}
}

// unchanged is the table that does nothing.
var unchanged = func() *[256]uint8 {
	t := new([256]uint8)
	identityTable(t)
	return t
}()

// compose makes t the table of round(factor*t + offset), clipped.
func compose(t *[256]uint8, factor, offset float64) {
	f, o := int(math.Round(factor*65536)), int(math.Round(offset*65536))+1<<15
	for i, v := range t {
		t[i] = uint8(min(max(f*int(v)+o, 0)>>16, 255))
	}
}

func lookup(dst, src []uint8, t *[256]uint8) {
	dst = dst[:len(src)]
	if n := len(src) / 64; haveVBMI && n > 0 {
		lookupVBMI(&dst[0], &src[0], n, t)
		dst, src = dst[64*n:], src[64*n:]
	}
	for i, v := range src {
		dst[i] = t[v]
	}
}

// linear16 writes round(factor*src + offset), clipped; dst may be src.
func linear16(dst, src []uint16, factor, offset float64) {
	f, o := int(math.Round(factor*(1<<24))), int(math.Round(offset*(1<<24)))+1<<23
	dst = dst[:len(src)]
	for i, v := range src {
		dst[i] = uint16(min(max(f*int(v)+o, 0)>>24, 65535))
	}
}

func applyBrightness(t *Transform, dst, src *Image, p *view.Params) {
	dst.Reset(src.W, src.H, src.C, src.Bits)
	if src.Bits == 16 {
		linear16(dst.Pix16, src.Pix16, p.V[0], 0)
		return
	}
	identityTable(&t.work.table)
	compose(&t.work.table, p.V[0], 0)
	lookup(dst.Pix, src.Pix, &t.work.table)
}

func applyContrast(t *Transform, dst, src *Image, p *view.Params) {
	dst.Reset(src.W, src.H, src.C, src.Bits)
	if src.Bits == 16 {
		linear16(dst.Pix16, src.Pix16, p.V[0], (1-p.V[0])*mean16(src.Pix16, src.C))
		return
	}
	tab := &t.work.table
	identityTable(tab)
	compose(tab, p.V[0], (1-p.V[0])*mean8(src.Pix, src.C, unchanged))
	lookup(dst.Pix, src.Pix, tab)
}

func applySaturation(t *Transform, dst, src *Image, p *view.Params) {
	dst.Reset(src.W, src.H, src.C, src.Bits)
	if src.Bits == 16 {
		saturate16(dst.Pix16, src.Pix16, p.V[0])
		return
	}
	saturate8(dst.Pix, src.Pix, p.V[0], nil)
}

func applyGrey(t *Transform, dst, src *Image, p *view.Params) {
	q := view.Params{N: 1, Applied: true}
	q.V[0] = 1 - p.V[0]
	applySaturation(t, dst, src, &q)
}

// saturate8 blends every pixel with its luminance, after an optional table; dst may be src.
func saturate8(dst, src []uint8, factor float64, tab *[256]uint8) {
	dst = dst[:len(src)]
	f := int(math.Round(factor * 4096))
	i := 0
	if n := len(src) / 24; haveVector && n > 0 {
		if tab != nil {
			lookup(dst, src, tab)
			src = dst
		}
		saturateAVX2(&dst[0], &src[0], n, int32(f))
		i, tab = 24*n, nil
	}
	if tab == nil {
		tab = unchanged
	}
	for ; i+2 < len(src); i += 3 {
		p, o := src[i:i+3:i+3], dst[i:i+3:i+3]
		r, g, b := int(tab[p[0]]), int(tab[p[1]]), int(tab[p[2]])
		y := (lumR*r+lumG*g+lumB*b+1<<15)>>16*(4096-f) + 2048
		o[0] = uint8(min(max(y+f*r, 0)>>12, 255))
		o[1] = uint8(min(max(y+f*g, 0)>>12, 255))
		o[2] = uint8(min(max(y+f*b, 0)>>12, 255))
	}
}

func saturate16(dst, src []uint16, factor float64) {
	f := int(math.Round(factor * (1 << 24)))
	for i := 0; i+2 < len(src); i += 3 {
		r, g, b := int(src[i]), int(src[i+1]), int(src[i+2])
		y := (lumR*r+lumG*g+lumB*b+1<<15)>>16*(1<<24-f) + 1<<23
		dst[i] = uint16(min(max(y+f*r, 0)>>24, 65535))
		dst[i+1] = uint16(min(max(y+f*g, 0)>>24, 65535))
		dst[i+2] = uint16(min(max(y+f*b, 0)>>24, 65535))
	}
}

func applyHue(t *Transform, dst, src *Image, p *view.Params) {
	dst.Reset(src.W, src.H, src.C, src.Bits)
	if src.Bits == 16 {
		hue16(dst.Pix16, src.Pix16, p.V[0])
		return
	}
	hue8(dst.Pix, src.Pix, p.V[0], nil)
}

// turnHue moves the hue of one pixel by shift/65536 sixths of the circle. A shift of hue keeps the largest
// and the smallest channel value; in units of their difference (chroma) the hue is a whole
// number, so that one multiplication and no division is needed.
func turnHue(r, g, b, shift int) (int, int, int) {
	hi, lo := max(r, g, b), min(r, g, b)
	c := hi - lo
	h := 4*c + r - g // of 6c
	if hi == g {
		h = 2*c + b - r
	}
	if hi == r {
		h = g - b
	}
	h += (shift*c + 1<<15) >> 16
	if h < 0 {
		h += 6 * c
	}
	if h >= 6*c {
		h -= 6 * c
	}
	x, y, z := h-3*c, h-2*c, h-4*c
	x, y, z = max(x, -x)-c, 2*c-max(y, -y), 2*c-max(z, -z)
	return lo + min(max(x, 0), c), lo + min(max(y, 0), c), lo + min(max(z, 0), c)
}

// hue8 turns the hue of every pixel, after an optional table; dst may be src.
func hue8(dst, src []uint8, shift float64, tab *[256]uint8) {
	dst = dst[:len(src)]
	d := int(math.Round(shift * 6 * 65536))
	i := 0
	if n := len(src) / 24; haveVector && n > 0 {
		if tab != nil {
			lookup(dst, src, tab)
			src = dst
		}
		hueAVX2(&dst[0], &src[0], n, int32(d))
		i, tab = 24*n, nil
	}
	if tab == nil {
		tab = unchanged
	}
	for ; i+2 < len(src); i += 3 {
		p, o := src[i:i+3:i+3], dst[i:i+3:i+3]
		r, g, b := turnHue(int(tab[p[0]]), int(tab[p[1]]), int(tab[p[2]]), d)
		o[0], o[1], o[2] = uint8(r), uint8(g), uint8(b)
	}
}

func hue16(dst, src []uint16, shift float64) {
	d := int(math.Round(shift * 6 * 65536))
	for i := 0; i+2 < len(src); i += 3 {
		r, g, b := turnHue(int(src[i]), int(src[i+1]), int(src[i+2]), d)
		dst[i], dst[i+1], dst[i+2] = uint16(r), uint16(g), uint16(b)
	}
}

// Recorded behind jitter's declared parameters: three factors, a shift, and the order as 0..23.
const (
	jitterBright = 5 + iota
	jitterContrast
	jitterSaturation
	jitterHue
	jitterOrder
)

func drawJitter(_ *Transform, r *rand.Rand, p *view.Params) bool {
	for k := 1; k <= 3; k++ {
		d := p.V[k] * p.V[0]
		lo := max(0, 1-d)
		push(p, lo+r.Float64()*(1+d-lo))
	}
	push(p, (2*r.Float64()-1)*p.V[4]*p.V[0])
	push(p, float64(r.IntN(24)))
	return true
}

// applyJitter keeps brightness and contrast as one table until colours mix.
func applyJitter(t *Transform, dst, src *Image, p *view.Params) {
	dst.Reset(src.W, src.H, src.C, src.Bits)
	if src.Bits == 16 {
		jitter16(dst, src, p)
		return
	}
	tab, pending, cur := &t.work.table, false, src.Pix
	identityTable(tab)
	for _, op := range perms2[int(p.V[jitterOrder])] {
		v := p.V[jitterBright+op]
		switch {
		case op < 2 && v == 1, op == 2 && (v == 1 || src.C != 3), op == 3 && (v == 0 || src.C != 3):
		case op == 0:
			compose(tab, v, 0)
			pending = true
		case op == 1:
			first := tab
			if !pending {
				first = unchanged
			}
			compose(tab, v, (1-v)*mean8(cur, src.C, first))
			pending = true
		default:
			first := tab
			if !pending {
				first = nil
			}
			if op == 2 {
				saturate8(dst.Pix, cur, v, first)
			} else {
				hue8(dst.Pix, cur, v, first)
			}
			cur = dst.Pix
			if pending {
				identityTable(tab)
				pending = false
			}
		}
	}
	if pending || &cur[0] != &dst.Pix[0] {
		lookup(dst.Pix, cur, tab)
	}
}

func jitter16(dst, src *Image, p *view.Params) {
	copy(dst.Pix16, src.Pix16)
	for _, op := range perms2[int(p.V[jitterOrder])] {
		v := p.V[jitterBright+op]
		switch {
		case op == 0 && v != 1:
			linear16(dst.Pix16, dst.Pix16, v, 0)
		case op == 1 && v != 1:
			linear16(dst.Pix16, dst.Pix16, v, (1-v)*mean16(dst.Pix16, src.C))
		case op == 2 && v != 1 && src.C == 3:
			saturate16(dst.Pix16, dst.Pix16, v)
		case op == 3 && v != 0 && src.C == 3:
			hue16(dst.Pix16, dst.Pix16, v)
		}
	}
}

func applySolarise(_ *Transform, dst, src *Image, p *view.Params) {
	dst.Reset(src.W, src.H, src.C, src.Bits)
	if src.Bits == 16 {
		solarise(dst.Pix16, src.Pix16, p.V[0], 65535)
	} else {
		solarise(dst.Pix, src.Pix, p.V[0], 255)
	}
}

func solarise[T pixel](dst, src []T, threshold float64, hi int) {
	from := int(math.Round(threshold * float64(hi+1)))
	for i, v := range src {
		if int(v) >= from {
			v = T(hi) - v
		}
		dst[i] = v
	}
}

func applyPosterise(_ *Transform, dst, src *Image, p *view.Params) {
	dst.Reset(src.W, src.H, src.C, src.Bits)
	drop := uint(p.V[0])
	for i, v := range src.Pix {
		dst.Pix[i] = v >> drop << drop
	}
	for i, v := range src.Pix16 {
		dst.Pix16[i] = v >> drop << drop
	}
}
