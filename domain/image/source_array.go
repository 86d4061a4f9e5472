package image

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"

	"github.com/selfsame-ml/selfsame/dataset"
)

// memOrigin is 8-bit grey images in memory, [n, h, w].
type memOrigin struct {
	title string
	h, w  int
	px    []uint8
}

func (o *memOrigin) len() int          { return len(o.px) / (o.h * o.w) }
func (o *memOrigin) name(i int) string { return o.title + ": row " + strconv.Itoa(i) }
func (o *memOrigin) stamp(w *stamper)  { w.add("memory", o.title, o.px) }

func (o *memOrigin) scan(_ context.Context, _ *loadEnv, into *extent) error {
	into.add(o.h, o.w, 1, false, o.len())
	return nil
}

func (o *memOrigin) open(_ *loadEnv, p plan) (readRun, func() error, error) {
	read := func(_ context.Context, from, to int, dst []byte, bad []error) error {
		n, size := o.h*o.w, p.imageBytes()
		var rs resampler
		for i := from; i < to; i++ {
			src := o.px[i*n:][:n]
			rs.run(o.h, o.w, 1, func(y int, row []float32) {
				for x, v := range src[y*o.w:][:o.w] {
					row[x] = float32(v)
				}
			}, 255, p, dst[(i-from)*size:][:size])
		}
		return nil
	}
	return read, func() error { return nil }, nil
}

// arrayOrigin is the rows of an IDX or .npy file as images: [n, h, w], [n, h, w, c], [n, c, h, w] (where only
// the second axis is 1 to 4) or [n, d] with d a square number.
type arrayOrigin struct {
	path       string
	fixed      string // sha256 where known, instead of the modification time
	n, h, w, c int
	planar     bool // [c, h, w]
	elem       dataset.Elem
	mask       bool // 0 and 1 become black and white
	size       int64
	mtime      int64
}

func newArrayOrigin(path string) (*arrayOrigin, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, &dataset.Error{Path: path, Err: err}
	}
	a, err := dataset.OpenArray(path)
	if err != nil {
		return nil, err
	}
	defer a.Close()
	o := &arrayOrigin{path: path, n: a.Rows(), elem: a.Elem, mask: a.Bool, size: st.Size(), mtime: st.ModTime().UnixNano(), c: 1}
	switch d := a.Dims; len(d) {
	case 2:
		side := int(math.Sqrt(float64(d[1])))
		if side*side != d[1] {
			return nil, dataset.Bad(path, "header", "shape %v: a row of %d values is no square image, want [n, h, w] or [n, h, w, c]", d, d[1])
		}
		o.h, o.w = side, side
	case 3:
		o.h, o.w = d[1], d[2]
	case 4:
		if o.planar = d[3] > 4 && d[1] <= 4; o.planar {
			o.c, o.h, o.w = d[1], d[2], d[3]
		} else {
			o.h, o.w, o.c = d[1], d[2], d[3]
		}
	default:
		return nil, dataset.Bad(path, "header", "shape %v is no set of images, want [n, h, w], [n, h, w, c] or [n, c, h, w]", d)
	}
	if o.n == 0 {
		return nil, dataset.Bad(path, "header", "shape %v holds no image", a.Dims)
	}
	if o.h < 1 || o.w < 1 || o.c < 1 {
		return nil, dataset.Bad(path, "header", "shape %v: images without pixels", a.Dims)
	}
	return o, nil
}

func (o *arrayOrigin) len() int          { return o.n }
func (o *arrayOrigin) name(i int) string { return o.path + ": row " + strconv.Itoa(i) }

func (o *arrayOrigin) stamp(w *stamper) {
	if o.fixed != "" {
		w.add("array", o.fixed)
		return
	}
	w.add("array", o.path, o.size, o.mtime)
}

// block is the rows read at once: about 4 MiB.
func (o *arrayOrigin) block(a *dataset.Array) int { return max(1, (4<<20)/max(1, a.RowBytes())) }

func (o *arrayOrigin) scan(ctx context.Context, env *loadEnv, into *extent) error {
	if px := int64(o.h) * int64(o.w); px > env.maxPixels() {
		return dataset.Bad(o.path, "header", "images of %dx%d pixels, the limit max_pixels is %d", o.h, o.w, env.maxPixels())
	}
	into.add(o.h, o.w, o.c, false, o.n)
	if o.elem == dataset.U1 {
		return nil
	}
	if o.elem == dataset.U2 { // a fixed range of its own
		into.bits16 = true
		return nil
	}
	a, err := dataset.OpenArray(o.path)
	if err != nil {
		return err
	}
	defer a.Close()
	lo, hi := math.Inf(1), math.Inf(-1)
	var buf []byte
	for row := 0; ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		b, err := a.Next(o.block(a), buf)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		buf = b
		n := len(b) / a.Elem.Size()
		for i := range n {
			v := a.Elem.At(b, i)
			lo, hi = min(lo, v), max(hi, v)
		}
		row += n / a.RowLen()
		env.report("scan", row, o.n)
	}
	into.addRange(lo, hi, o.elem.Float())
	return nil
}

func (o *arrayOrigin) open(env *loadEnv, p plan) (readRun, func() error, error) {
	a, err := dataset.OpenArray(o.path)
	if err != nil {
		return nil, nil, err
	}
	at := 0 // next row of a
	var buf []byte
	var rs resampler
	read := func(ctx context.Context, from, to int, dst []byte, bad []error) error {
		if from < at {
			return fmt.Errorf("image: %s: row %d asked for after row %d", o.path, from, at)
		}
		size := p.imageBytes()
		for at < to {
			if err := ctx.Err(); err != nil {
				return err
			}
			limit := to
			if at < from {
				limit = from
			}
			b, err := a.Next(min(o.block(a), limit-at), buf)
			if err != nil {
				return err
			}
			buf = b
			k := len(b) / a.RowBytes()
			if at >= from {
				for i := range k {
					o.convert(b[i*a.RowBytes():][:a.RowBytes()], p, &rs, dst[(at+i-from)*size:][:size])
				}
			}
			at += k
		}
		if to == o.n { // what follows the last row, and a gzip checksum, show only now
			if _, err := a.Next(1, buf); !errors.Is(err, io.EOF) {
				return err
			}
		}
		return nil
	}
	return read, a.Close, nil
}

// convert makes one row of the file an image of plan p.
func (o *arrayOrigin) convert(b []byte, p plan, rs *resampler, dst []byte) {
	// Values that are pixels already are copied as they are.
	if o.h == p.H && o.w == p.W && o.c == p.C && !o.planar && !o.mask && (o.elem == dataset.U1 && p.Bits == 8 || o.elem == dataset.U2 && p.Bits == 16) {
		copy(dst, b)
		return
	}
	unit := float32(1) // full scale of the values handed to the resampler
	switch {
	case o.mask:
	case o.elem == dataset.U1:
		unit = 255
	default:
		unit = float32(int(1)<<p.Bits - 1)
	}
	rs.run(o.h, o.w, o.c, func(y int, row []float32) {
		for x := range o.w {
			for c := range o.c {
				i := (y*o.w+x)*o.c + c
				if o.planar {
					i = (c*o.h+y)*o.w + x
				}
				v := o.elem.At(b, i)
				if o.elem != dataset.U1 && o.elem != dataset.U2 {
					v = (v - p.Lo) * p.Scale
				}
				row[x*o.c+c] = float32(v)
			}
		}
	}, unit, p, dst)
}

// resampler turns an image of any size and channels into one of a plan: centre crop of the largest
// region with the plan's aspect, then a separable triangle filter whose support grows with the
// reduction (antialiased bilinear, as Pillow's resize).
type resampler struct {
	row, tmp []float32
	wx, wy   []tap
}

// tap is the source positions and weights of one target position.
type tap struct {
	first int
	w     []float32
}

// taps fills the weights for n target positions over the source interval [from, from+span) of size src.
func taps(dst []tap, n int, from, span float64, src int) []tap {
	if cap(dst) < n {
		dst = make([]tap, n)
	}
	dst = dst[:n]
	scale := span / float64(n)
	support := max(scale, 1)
	for i := range dst {
		center := from + (float64(i)+0.5)*scale
		lo := max(0, int(math.Ceil(center-support-0.5)))
		hi := min(src-1, int(math.Floor(center+support-0.5)))
		if hi < lo {
			lo = min(max(lo, 0), src-1)
			hi = lo
		}
		w := dst[i].w[:0]
		var sum float64
		for j := lo; j <= hi; j++ {
			v := max(0, 1-math.Abs(float64(j)+0.5-center)/support)
			sum += v
			w = append(w, float32(v))
		}
		if sum == 0 {
			sum = 1
			w[0] = 1
		}
		for j := range w {
			w[j] = float32(float64(w[j]) / sum)
		}
		dst[i] = tap{lo, w}
	}
	return dst
}

// run reads rows of an h*w*c image (interleaved, values 0..unit) and writes the plan's pixels to dst.
// Channels: equal, grey to many by copying, RGB to grey by the BT.601 weights of image/color.
func (rs *resampler) run(h, w, c int, row func(y int, dst []float32), unit float32, p plan, dst []byte) {
	if cap(rs.row) < w*c {
		rs.row = make([]float32, w*c)
	}
	line := rs.row[:w*c]
	gain := float32(int(1)<<p.Bits-1) / unit
	if h == p.H && w == p.W {
		for y := range h {
			row(y, line)
			for x := range w {
				put(dst, (y*w+x)*p.C, p, line[x*c:][:c], gain)
			}
		}
		return
	}
	// Largest region of the target's aspect in the middle: the shorter side decides.
	s := min(float64(h)/float64(p.H), float64(w)/float64(p.W))
	sh, sw := s*float64(p.H), s*float64(p.W)
	rs.wy = taps(rs.wy, p.H, (float64(h)-sh)/2, sh, h)
	rs.wx = taps(rs.wx, p.W, (float64(w)-sw)/2, sw, w)
	n := p.W * c
	y0 := rs.wy[0].first
	last := rs.wy[p.H-1]
	y1 := last.first + len(last.w)
	// Rows reduced in x; only as many are kept as one target row needs.
	keep := 1
	for _, t := range rs.wy {
		keep = max(keep, len(t.w))
	}
	if cap(rs.tmp) < (keep+1)*n {
		rs.tmp = make([]float32, (keep+1)*n)
	}
	ring, acc := rs.tmp[:keep*n], rs.tmp[keep*n:(keep+1)*n]
	next := y0
	for y, t := range rs.wy {
		for ; next < min(t.first+len(t.w), y1); next++ {
			row(next, line)
			out := ring[(next%keep)*n:][:n]
			for x, tx := range rs.wx {
				for ch := range c {
					var sum float32
					for j, wt := range tx.w {
						sum += wt * line[(tx.first+j)*c+ch]
					}
					out[x*c+ch] = sum
				}
			}
		}
		clear(acc)
		for j, wt := range t.w {
			for k, v := range ring[((t.first+j)%keep)*n:][:n] {
				acc[k] += wt * v
			}
		}
		for x := range p.W {
			put(dst, (y*p.W+x)*p.C, p, acc[x*c:][:c], gain)
		}
	}
}

// put writes one pixel with values v (times gain) at element i.
func put(dst []byte, i int, p plan, v []float32, gain float32) {
	top := float32(int(1)<<p.Bits - 1)
	for c := range p.C {
		var f float32
		switch {
		case len(v) == p.C:
			f = v[c]
		case len(v) == 1:
			f = v[0]
		default: // RGB to grey
			f = (19595*v[0] + 38470*v[1] + 7471*v[2]) / 65536
		}
		f = min(max(f*gain+0.5, 0), top)
		if p.Bits == 8 {
			dst[i+c] = uint8(f)
		} else {
			binary.LittleEndian.PutUint16(dst[2*(i+c):], uint16(f))
		}
	}
}
