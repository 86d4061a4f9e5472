package image

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"io"

	"github.com/klauspost/compress/zlib"
)

// pngReader reads the plain kinds of PNG (8 bits; grey, RGB, RGBA; not interlaced; no transparent colour) into memory that it
// keeps: image/png makes some 80 KB anew for each picture, which for small ones takes longer than their pixels.
// Everything else, and everything that is not whole, is left to image/png and its errors.
type pngReader struct {
	file  []byte
	input bytes.Reader
	data  []byte // the compressed pixels, where they lie in several chunks
	zlib  io.ReadCloser
	raw   []byte // filtered rows
	tail  [1]byte
	grey  image.Gray
	rgb   image.RGBA
	rgba  image.NRGBA
}

const pngSignature = "\x89PNG\r\n\x1a\n"

// maxPNG bounds the files that are read whole.
const maxPNG = 8 << 20

// chunk splits a chunk off b; ok is false where it is cut off or its checksum is wrong.
func chunk(b []byte) (kind string, body, rest []byte, ok bool) {
	if len(b) < 12 {
		return "", nil, nil, false
	}
	n := binary.BigEndian.Uint32(b)
	if uint64(n)+12 > uint64(len(b)) || crc32.ChecksumIEEE(b[4:8+n]) != binary.BigEndian.Uint32(b[8+n:]) {
		return "", nil, nil, false
	}
	return string(b[4:8]), b[8 : 8+n], b[12+n:], true
}

// decode reads a picture of the width and height given. What it returns is overwritten by the next one.
func (p *pngReader) decode(file []byte, width, height int) (image.Image, bool) {
	rest, ok := bytes.CutPrefix(file, []byte(pngSignature))
	if !ok {
		return nil, false
	}
	kind, head, rest, ok := chunk(rest)
	if !ok || kind != "IHDR" || len(head) != 13 || int64(binary.BigEndian.Uint32(head)) != int64(width) || int64(binary.BigEndian.Uint32(head[4:])) != int64(height) ||
		head[8] != 8 || head[10] != 0 || head[11] != 0 || head[12] != 0 {
		return nil, false
	}
	channels := 1
	switch head[9] {
	case 0:
	case 2:
		channels = 3
	case 6:
		channels = 4
	default:
		return nil, false
	}
	var pixels []byte
	pieces, ended := 0, false
	for !ended {
		last := kind
		var body []byte
		if kind, body, rest, ok = chunk(rest); !ok {
			return nil, false
		}
		switch kind {
		case "IDAT":
			switch {
			case pieces == 0:
				pixels = body
			case last != "IDAT":
				return nil, false
			case pieces == 1:
				p.data = append(append(p.data[:0], pixels...), body...)
				pixels = p.data
			default:
				p.data = append(p.data, body...)
				pixels = p.data
			}
			pieces++
		case "IEND":
			ended = true
		case "IHDR", "PLTE", "tRNS":
			return nil, false
		}
	}
	if pieces == 0 {
		return nil, false
	}
	p.input.Reset(pixels)
	if p.zlib == nil {
		z, err := zlib.NewReader(&p.input)
		if err != nil {
			return nil, false
		}
		p.zlib = z
	} else if err := p.zlib.(zlib.Resetter).Reset(&p.input, nil); err != nil {
		return nil, false
	}
	row := width * channels
	if p.raw = resized(p.raw, height*(row+1)); len(p.raw) == 0 {
		return nil, false
	}
	if _, err := io.ReadFull(p.zlib, p.raw); err != nil {
		return nil, false
	}
	if n, err := p.zlib.Read(p.tail[:]); n != 0 || err != io.EOF { // the checksum of the pixels too
		return nil, false
	}
	var before []byte
	for y := range height {
		line := p.raw[y*(row+1):][:row+1]
		if !unfilter(line[0], line[1:], before, channels) {
			return nil, false
		}
		before = line[1:]
	}
	place := image.Rect(0, 0, width, height)
	switch channels {
	case 1:
		p.grey.Pix, p.grey.Stride, p.grey.Rect = p.raw[1:], row+1, place
		return &p.grey, true
	case 4:
		p.rgba.Pix, p.rgba.Stride, p.rgba.Rect = resized(p.rgba.Pix, 4*width*height), 4*width, place
		for y := range height {
			copy(p.rgba.Pix[y*4*width:][:4*width], p.raw[y*(row+1)+1:])
		}
		return &p.rgba, true
	}
	p.rgb.Pix, p.rgb.Stride, p.rgb.Rect = resized(p.rgb.Pix, 4*width*height), 4*width, place
	for y := range height {
		from, to := p.raw[y*(row+1)+1:][:row], p.rgb.Pix[y*4*width:][:4*width]
		for x := range width {
			to[4*x], to[4*x+1], to[4*x+2], to[4*x+3] = from[3*x], from[3*x+1], from[3*x+2], 0xff
		}
	}
	return &p.rgb, true
}

func resized(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}

// unfilter undoes the filter of a row (PNG specification, 3rd edition, section 9); before is the row above it, nil at the top.
func unfilter(filter byte, line, before []byte, step int) bool {
	switch filter {
	case 0:
	case 1:
		for i := step; i < len(line); i++ {
			line[i] += line[i-step]
		}
	case 2:
		for i, v := range before {
			line[i] += v
		}
	case 3:
		for i := range line {
			left, up := 0, 0
			if i >= step {
				left = int(line[i-step])
			}
			if before != nil {
				up = int(before[i])
			}
			line[i] += byte((left + up) / 2)
		}
	case 4:
		for i := range line {
			var left, up, corner int
			if i >= step {
				left = int(line[i-step])
			}
			if before != nil {
				if up = int(before[i]); i >= step {
					corner = int(before[i-step])
				}
			}
			a, b, c := distance(up, corner), distance(left, corner), distance(left+up, 2*corner)
			switch {
			case a <= b && a <= c:
				line[i] += byte(left)
			case b <= c:
				line[i] += byte(up)
			default:
				line[i] += byte(corner)
			}
		}
	default:
		return false
	}
	return true
}

func distance(a, b int) int {
	if a < b {
		return b - a
	}
	return a - b
}

// read reads the whole of a file of the size given.
func (p *pngReader) read(f io.Reader, size int64) ([]byte, bool) {
	if size < 1 || size > maxPNG {
		return nil, false
	}
	p.file = resized(p.file, int(size))
	if _, err := io.ReadFull(f, p.file); err != nil {
		return nil, false
	}
	if n, _ := f.Read(p.tail[:]); n != 0 { // longer than it was
		return nil, false
	}
	return p.file, true
}
