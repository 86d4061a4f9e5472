package image

import (
	"math"

	"github.com/selfsame-ml/selfsame/view"
)

// axis holds the taps of one direction of a resampling: output i is the sum of
// weight[i*stride+j]*in[start[i]+j] over j < count[i]; the weights of an output add up to 1<<bits.
type axis struct {
	start, count []int32
	weight       []uint32
	float        []float64
	stride       int
}

// set computes the triangle filter of n inputs to m outputs, widened where it shrinks
// (antialiasing), cut off and normalised at the border as in PIL and PyTorch.
func (a *axis) set(n, m int, bits uint) {
	scale := float64(n) / float64(m)
	wide := max(scale, 1)
	a.stride = 2*int(math.Ceil(wide)) + 1
	a.start, a.count = grow(a.start, m), grow(a.count, m)
	a.weight, a.float = grow(a.weight, m*a.stride), grow(a.float, a.stride)
	one := float64(uint(1) << bits)
	for i := range m {
		centre := (float64(i) + 0.5) * scale
		from := max(int(centre-wide+0.5), 0)
		k := min(int(centre+wide+0.5), n) - from
		sum := 0.0
		for j := range k {
			v := max(0, 1-math.Abs((float64(from+j)-centre+0.5)/wide))
			a.float[j] = v
			sum += v
		}
		w, left, best := a.weight[i*a.stride:(i+1)*a.stride], int(one), 0
		w[1] = 0 // read even where there is one tap
		for j := range k {
			w[j] = uint32(a.float[j]/sum*one + 0.5)
			left -= int(w[j])
			if w[j] > w[best] {
				best = j
			}
		}
		w[best] = uint32(int(w[best]) + left) // rounding must not change the sum: a flat picture stays flat
		a.start[i], a.count[i] = int32(from), int32(k)
	}
}

// pair returns the at most two taps of output i where nothing shrinks: places and the weight of the second.
func (a *axis) pair(i, n int) (lo, hi int, second uint32) {
	lo = int(a.start[i])
	hi = min(lo+1, n-1)
	if a.count[i] > 1 {
		second = a.weight[i*a.stride+1]
	}
	return lo, hi, second
}

// Weights for 8-bit values have 13 bits, so that three channels share one 64-bit word in lanes of
// 21 bits, and a weight fits the 16-bit factors of vector instructions; the general path has 20 bits.
const (
	laneBits  = 13
	lane      = 21
	laneOnes  = 1 | 1<<lane | 1<<(2*lane)
	laneHalf  = laneOnes << (laneBits - 1)
	tapBits   = 20
	fracBits  = 8 // of the values between the two passes
	laneWhole = 1 << laneBits
)

// resample writes the w x h part of src at (x, y), resized to dst's shape.
func resample(s *scratch, dst, src *Image, x, y, w, h int) {
	n := src.C
	if w == dst.W && h == dst.H {
		for r := range h {
			a, b, k := r*w*n, ((y+r)*src.W+x)*n, w*n
			if src.Bits == 16 {
				copy(dst.Pix16[a:a+k], src.Pix16[b:b+k])
			} else {
				copy(dst.Pix[a:a+k], src.Pix[b:b+k])
			}
		}
		return
	}
	if src.Bits == 8 && w <= dst.W && h <= dst.H {
		s.ax.set(w, dst.W, laneBits)
		s.ay.set(h, dst.H, laneBits)
		enlarge(s, dst.Pix, src.Pix[(y*src.W+x)*n:], dst.W, dst.H, src.W, n, w, h)
		return
	}
	s.ax.set(w, dst.W, tapBits)
	s.ay.set(h, dst.H, tapBits)
	at := (y*src.W + x) * n
	if src.Bits == 16 {
		resize(s, dst.Pix16, src.Pix16[at:], dst.W, dst.H, src.W, n, w, h)
	} else {
		resize(s, dst.Pix, src.Pix[at:], dst.W, dst.H, src.W, n, w, h)
	}
}

// resize is the general separable resampling: rows first, into 32-bit values with fracBits more bits.
func resize[T pixel](s *scratch, dst, src []T, dw, dh, sw, c, w, h int) {
	s.u32 = grow(s.u32, h*dw*c)
	mid, ax, ay := s.u32, &s.ax, &s.ay
	const half = 1 << (tapBits - fracBits - 1)
	for y := range h {
		in, out := src[y*sw*c:y*sw*c+w*c], mid[y*dw*c:(y+1)*dw*c]
		for i := range dw {
			wt := ax.weight[i*ax.stride:][:ax.count[i]]
			for k := range c {
				sum, at := uint64(half), int(ax.start[i])*c+k
				for _, v := range wt {
					sum += uint64(in[at]) * uint64(v)
					at += c
				}
				out[i*c+k] = uint32(sum >> (tapBits - fracBits))
			}
		}
	}
	n := dw * c
	for y := range dh {
		out := dst[y*n : (y+1)*n]
		wt, from := ay.weight[y*ay.stride:][:ay.count[y]], int(ay.start[y])
		if len(wt) <= 2 {
			lo, hi, second := ay.pair(y, h)
			a, b := mid[lo*n : (lo+1)*n][:len(out)], mid[hi*n : (hi+1)*n][:len(out)]
			wa, wb := uint64(1<<tapBits-second), uint64(second)
			for i := range out {
				out[i] = T((uint64(a[i])*wa + uint64(b[i])*wb + 1<<(tapBits+fracBits-1)) >> (tapBits + fracBits))
			}
			continue
		}
		for i := range out {
			sum, at := uint64(1<<(tapBits+fracBits-1)), from*n+i
			for _, v := range wt {
				sum += uint64(mid[at]) * uint64(v)
				at += n
			}
			out[i] = T(sum >> (tapBits + fracBits))
		}
	}
}

// pack3 puts the three channels of one pixel into lanes.
func pack3(p []uint8) uint64 {
	_ = p[2]
	return uint64(p[0]) | uint64(p[1])<<lane | uint64(p[2])<<(2*lane)
}

// enlarge is the bilinear enlargement of 8-bit pictures, rounded to 8 bits between the passes as in PIL.
// Two filtered rows are kept.
func enlarge(s *scratch, dst, src []uint8, dw, dh, sw, c, w, h int) {
	n := dw * c
	s.bytes = grow(s.bytes, 2*n)
	s.rows = grow(s.rows, w)
	rows := [2][]uint8{s.bytes[:n], s.bytes[n : 2*n]}
	have := [2]int{-1, -1}
	for r := range dh {
		lo, hi, second := s.ay.pair(r, h)
		for _, k := range [2]int{lo, hi} {
			if have[k&1] != k {
				have[k&1] = k
				widen(s, rows[k&1], src[k*sw*c:][:w*c], c)
			}
		}
		lerp(dst[r*n:(r+1)*n], rows[lo&1], rows[hi&1], second)
	}
}

// widen filters one row.
func widen(s *scratch, out, in []uint8, c int) {
	w, stride, weight := len(in)/c, s.ax.stride, s.ax.weight
	start := s.ax.start[:len(out)/c]
	switch c {
	case 1:
		for i, lo := range start {
			b := weight[i*stride+1]
			hi := min(int(lo)+1, w-1)
			out[i] = uint8((uint32(in[lo])*(laneWhole-b) + uint32(in[hi])*b + laneWhole/2) >> laneBits)
		}
	case 3:
		line := s.rows[:w]
		for i := range line {
			line[i] = pack3(in[3*i : 3*i+3])
		}
		for i, lo := range start {
			b := uint64(weight[i*stride+1])
			hi := min(int(lo)+1, len(line)-1)
			v := (line[lo]*(laneWhole-b) + line[hi]*b + laneHalf) >> laneBits
			o := out[3*i : 3*i+3 : 3*i+3]
			o[0], o[1], o[2] = uint8(v), uint8(v>>lane), uint8(v>>(2*lane))
		}
	default:
		for i, lo := range start {
			b := weight[i*stride+1]
			hi := min(int(lo)+1, w-1)
			for k := range c {
				out[i*c+k] = uint8((uint32(in[int(lo)*c+k])*(laneWhole-b) + uint32(in[hi*c+k])*b + laneWhole/2) >> laneBits)
			}
		}
	}
}

// lerp mixes two rows; second, of 8192, is the weight of b.
func lerp(dst, a, b []uint8, second uint32) {
	a, b = a[:len(dst)], b[:len(dst)]
	if second == 0 {
		copy(dst, a)
		return
	}
	if n := len(dst); haveVector && n >= 16 {
		lerpAVX2(&dst[0], &a[0], &b[0], n/16, second)
		if n&15 != 0 { // the last group again, up to the end
			lerpAVX2(&dst[n-16], &a[n-16], &b[n-16], 1, second)
		}
		return
	}
	for i := range dst {
		dst[i] = uint8((uint32(a[i])*(laneWhole-second) + uint32(b[i])*second + laneWhole/2) >> laneBits)
	}
}

// KernelSide is the side of the blur kernel for a declared one: odd, and by default 10 % of the width,
// at least 3 (SimCLR, Chen et al. 2020).
func KernelSide(declared, width int) int {
	if declared == 0 {
		return max(3, width/10/2*2+1)
	}
	return declared | 1
}

// applyBlur is separable. Borders are reflected without repeating the edge pixel, as often as a
// small picture needs; a side of one pixel is repeated.
func applyBlur(t *Transform, dst, src *Image, p *view.Params) {
	s, sigma := &t.work, p.V[0]
	radius := KernelSide(int(p.V[1]), src.W) / 2
	bits := uint(tapBits)
	if src.Bits == 8 {
		bits = laneBits
	}
	s.weight = grow(s.weight, radius+1)
	radius = gaussian(s.weight, sigma, radius, bits)
	dst.Reset(src.W, src.H, src.C, src.Bits)
	switch {
	case radius == 0:
		copy(dst.Pix, src.Pix)
		copy(dst.Pix16, src.Pix16)
	case src.Bits == 16:
		blur16(s, dst.Pix16, src.Pix16, src.W, src.H, src.C, radius)
	default:
		blur8(s, dst.Pix, src.Pix, src.W, src.H, src.C, radius)
	}
}

// gaussian fills the half kernel w[0..radius] (w[0] the centre) so that the whole adds up to
// 1<<bits, and returns the radius without the outer weights that are zero at that precision.
func gaussian(w []uint32, sigma float64, radius int, bits uint) int {
	f := func(k int) float64 { return math.Exp(-0.5 * float64(k*k) / (sigma * sigma)) }
	sum := 1.0
	for k := 1; k <= radius; k++ {
		sum += 2 * f(k)
	}
	one := 1 << bits
	left, last := one, 0
	for k := 1; k <= radius; k++ {
		w[k] = uint32(f(k)/sum*float64(one) + 0.5)
		left -= 2 * int(w[k])
		if w[k] > 0 {
			last = k
		}
	}
	w[0] = uint32(left)
	return last
}

// reflect maps any place to 0..n-1 by reflection about the edge pixels.
func reflect(i, n int) int {
	if n == 1 {
		return 0
	}
	period := 2 * (n - 1)
	i %= period
	if i < 0 {
		i += period
	}
	if i >= n {
		i = period - i
	}
	return i
}

func blur16(s *scratch, dst, src []uint16, w, h, c, radius int) {
	n := w * c
	s.u32 = grow(s.u32, h*n+(w+2*radius)*c)
	mid, line := s.u32[:h*n], s.u32[h*n:]
	wt := s.weight[:radius+1]
	const half = 1 << (tapBits - fracBits - 1)
	for y := range h {
		in, out := src[y*n:(y+1)*n], mid[y*n:(y+1)*n]
		for k := range radius {
			l, r := reflect(-1-k, w), reflect(w+k, w)
			for ch := range c {
				line[(radius-1-k)*c+ch] = uint32(in[l*c+ch])
				line[(radius+w+k)*c+ch] = uint32(in[r*c+ch])
			}
		}
		body := line[radius*c:][:n]
		for i, v := range in {
			body[i] = uint32(v)
		}
		for i := range out {
			at := i + radius*c
			sum := uint64(line[at])*uint64(wt[0]) + half
			for k := 1; k < len(wt); k++ {
				sum += uint64(line[at-k*c]+line[at+k*c]) * uint64(wt[k])
			}
			out[i] = uint32(sum >> (tapBits - fracBits))
		}
	}
	s.ints = grow(s.ints, 2*radius)
	for y := range h {
		out, b := dst[y*n:(y+1)*n], mid[y*n:(y+1)*n]
		for k := range radius {
			s.ints[2*k], s.ints[2*k+1] = reflect(y-1-k, h)*n, reflect(y+1+k, h)*n
		}
		for i := range out {
			sum := uint64(b[i])*uint64(wt[0]) + 1<<(tapBits+fracBits-1)
			for k := 1; k < len(wt); k++ {
				sum += (uint64(mid[s.ints[2*k-2]+i]) + uint64(mid[s.ints[2*k-1]+i])) * uint64(wt[k])
			}
			out[i] = uint16(sum >> (tapBits + fracBits))
		}
	}
}

// blur8 rounds to 8 bits between the passes.
func blur8(s *scratch, dst, src []uint8, w, h, c, radius int) {
	n, pad := w*c, radius|1 // the kernel takes taps in pairs: an even number of them with the centre
	s.taps = grow(s.taps, pad+1)
	s.taps[pad] = 0
	for k := range radius + 1 {
		s.taps[k] = uint16(s.weight[k])
	}
	s.bytes = grow(s.bytes, (h+2*pad)*n+n+2*pad*c)
	mid, line := s.bytes[:(h+2*pad)*n], s.bytes[(h+2*pad)*n:]
	for y := range h {
		in := src[y*n : (y+1)*n]
		copy(line[pad*c:], in)
		for k := range pad {
			l, r := reflect(-1-k, w), reflect(w+k, w)
			copy(line[(pad-1-k)*c:(pad-k)*c], in[l*c:(l+1)*c])
			copy(line[(pad+w+k)*c:(pad+w+k+1)*c], in[r*c:(r+1)*c])
		}
		fir(mid[(y+pad)*n:(y+pad+1)*n], line, pad*c, c, s.taps)
	}
	for k := range pad {
		up, down := pad+reflect(-1-k, h), pad+reflect(h+k, h)
		copy(mid[(pad-1-k)*n:(pad-k)*n], mid[up*n:(up+1)*n])
		copy(mid[(pad+h+k)*n:(pad+h+k+1)*n], mid[down*n:(down+1)*n])
	}
	fir(dst, mid, pad*n, n, s.taps)
}

// fir filters src[at:at+len(dst)] with the symmetric half kernel w of taps that are stride apart.
func fir(dst, src []uint8, at, stride int, w []uint16) {
	n := len(dst)
	_ = src[at-(len(w)-1)*stride]
	_ = src[at+n-1+(len(w)-1)*stride]
	if haveVector && n >= 16 {
		firAVX2(&dst[0], &src[at], n/16, stride, &w[0], len(w)/2)
		if n&15 != 0 {
			firAVX2(&dst[n-16], &src[at+n-16], 1, stride, &w[0], len(w)/2)
		}
		return
	}
	for i := range dst {
		sum := uint32(src[at+i])*uint32(w[0]) + laneWhole/2
		for k := 1; k < len(w); k++ {
			sum += (uint32(src[at+i-k*stride]) + uint32(src[at+i+k*stride])) * uint32(w[k])
		}
		dst[i] = uint8(sum >> laneBits)
	}
}
