package image

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"io"
)

// orientation reads the EXIF orientation (1 to 8) of a JPEG: how the camera was held. It is 1, as stored,
// where there is none or it cannot be read (CIPA DC-008, tag 0x0112).
func orientation(r io.Reader) int {
	br := bufio.NewReader(r)
	var b [4]byte
	if _, err := io.ReadFull(br, b[:2]); err != nil || b[0] != 0xff || b[1] != 0xd8 {
		return 1
	}
	for {
		if _, err := io.ReadFull(br, b[:]); err != nil || b[0] != 0xff || b[1] == 0xda { // the pixels begin
			return 1
		}
		n := int(binary.BigEndian.Uint16(b[2:])) - 2
		if n < 0 {
			return 1
		}
		if b[1] != 0xe1 {
			if _, err := br.Discard(n); err != nil {
				return 1
			}
			continue
		}
		seg := make([]byte, n)
		if _, err := io.ReadFull(br, seg); err != nil {
			return 1
		}
		if t, ok := bytes.CutPrefix(seg, []byte("Exif\x00\x00")); ok {
			return tiffOrientation(t)
		}
	}
}

// tiffOrientation looks the tag up in the first directory of a TIFF block.
func tiffOrientation(t []byte) int {
	if len(t) < 8 {
		return 1
	}
	var order binary.ByteOrder = binary.LittleEndian
	if t[0] == 'M' {
		order = binary.BigEndian
	}
	at := int64(order.Uint32(t[4:]))
	if at+2 > int64(len(t)) {
		return 1
	}
	n := int(order.Uint16(t[at:]))
	for i := range n {
		e := at + 2 + int64(12*i)
		if e+12 > int64(len(t)) {
			return 1
		}
		if order.Uint16(t[e:]) == 0x0112 {
			if v := int(order.Uint16(t[e+8:])); v >= 1 && v <= 8 {
				return v
			}
			return 1
		}
	}
	return 1
}

// upright is an image shown as its EXIF orientation says.
type upright struct {
	image.RGBA64Image
	o    int
	w, h int // as stored
}

// uprighted returns m the right way up.
func uprighted(m image.Image, o int) image.Image {
	s, ok := m.(image.RGBA64Image)
	if !ok || o <= 1 {
		return m
	}
	return &upright{s, o, m.Bounds().Dx(), m.Bounds().Dy()}
}

// Bounds starts at (0, 0).
func (u *upright) Bounds() image.Rectangle {
	if u.o >= 5 {
		return image.Rect(0, 0, u.h, u.w)
	}
	return image.Rect(0, 0, u.w, u.h)
}

// At is RGBA64At.
func (u *upright) At(x, y int) color.Color { return u.RGBA64At(x, y) }

// RGBA64At returns the pixel that the viewer sees at (x, y).
func (u *upright) RGBA64At(x, y int) color.RGBA64 {
	switch u.o {
	case 2: // mirrored
		x = u.w - 1 - x
	case 3: // half a turn
		x, y = u.w-1-x, u.h-1-y
	case 4: // upside down, mirrored
		y = u.h - 1 - y
	case 5: // transposed
		x, y = y, x
	case 6: // to be turned a quarter clockwise
		x, y = y, u.h-1-x
	case 7: // transposed along the other diagonal
		x, y = u.w-1-y, u.h-1-x
	case 8: // to be turned a quarter anticlockwise
		x, y = u.w-1-y, x
	}
	b := u.RGBA64Image.Bounds().Min
	return u.RGBA64Image.RGBA64At(b.X+x, b.Y+y)
}
