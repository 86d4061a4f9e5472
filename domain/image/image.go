// Package image is the domain of pictures: any number of channels, 8 or 16 bit.
//
// Most users need a recipe with `domain: image`. In Go, [NewTransform] makes one
// transformation and [NewSampler] the sampler of a recipe's views.
package image

import "fmt"

// Image is one picture, interleaved by row, column, channel: element (y, x, c) is at
// (y*W+x)*C+c of Pix (Bits 8) or Pix16 (Bits 16).
type Image struct {
	W, H, C int
	Bits    int // 8 or 16
	Pix     []uint8
	Pix16   []uint16
}

// New returns a black image.
func New(w, h, c, bits int) *Image {
	m := &Image{}
	m.Reset(w, h, c, bits)
	return m
}

// Reset gives the image a shape, reusing its memory; the values are left undefined.
func (m *Image) Reset(w, h, c, bits int) {
	m.W, m.H, m.C, m.Bits = w, h, c, bits
	n := w * h * c
	if bits == 16 {
		if cap(m.Pix16) < n {
			m.Pix16 = make([]uint16, n)
		}
		m.Pix, m.Pix16 = nil, m.Pix16[:n]
		return
	}
	if cap(m.Pix) < n {
		m.Pix = make([]uint8, n)
	}
	m.Pix, m.Pix16 = m.Pix[:n], nil
}

// CopyFrom makes m equal to src, reusing m's memory.
func (m *Image) CopyFrom(src *Image) {
	m.Reset(src.W, src.H, src.C, src.Bits)
	copy(m.Pix, src.Pix)
	copy(m.Pix16, src.Pix16)
}

// Max is the largest value an element can have: 255 or 65535.
func (m *Image) Max() int { return 1<<m.Bits - 1 }

// At returns element (x, y) of channel c.
func (m *Image) At(x, y, c int) int {
	if i := (y*m.W+x)*m.C + c; m.Bits == 16 {
		return int(m.Pix16[i])
	} else {
		return int(m.Pix[i])
	}
}

// Equal reports images of the same shape and values.
func (m *Image) Equal(o *Image) bool {
	if m.W != o.W || m.H != o.H || m.C != o.C || m.Bits != o.Bits || len(m.Pix) != len(o.Pix) || len(m.Pix16) != len(o.Pix16) {
		return false
	}
	for i, v := range m.Pix {
		if v != o.Pix[i] {
			return false
		}
	}
	for i, v := range m.Pix16 {
		if v != o.Pix16[i] {
			return false
		}
	}
	return true
}

// Validate reports a shape that does not fit the memory.
func (m *Image) Validate() error {
	if m.Bits != 8 && m.Bits != 16 {
		return fmt.Errorf("image: %d bits an element, want 8 or 16", m.Bits)
	}
	if m.W < 1 || m.H < 1 || m.C < 1 {
		return fmt.Errorf("image: shape %dx%dx%d has no pixels", m.H, m.W, m.C)
	}
	n := len(m.Pix)
	if m.Bits == 16 {
		n = len(m.Pix16)
	}
	if want := m.W * m.H * m.C; n != want {
		return fmt.Errorf("image: %d elements, want %d for %dx%dx%d", n, want, m.H, m.W, m.C)
	}
	return nil
}

type pixel interface{ ~uint8 | ~uint16 }
