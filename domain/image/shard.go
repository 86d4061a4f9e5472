package image

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"unsafe"
)

// A shard holds the decoded pixels of a run of source items:
//
//	 0  8  magic "SSMSHRD1"
//	 8  4  uint32 little-endian: length m of the JSON header
//	12  4  uint32 little-endian: CRC-32C of everything from byte 16 to the end
//	16  m  JSON header (shardHeader)
//	    .  zeros up to the next multiple of 64
//	    n  pixels, count images of h*w*c elements of 1 or 2 little-endian bytes
//
// It is written to a temporary file, synced and renamed, so a file under its name is whole unless
// the disk damaged it, which the checksum shows.
const (
	shardMagic     = "SSMSHRD1"
	shardAlign     = 64
	maxShardHeader = 1 << 28
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// digest identifies the pixels of one image: the first 16 bytes of their sha256.
type digest [16]byte

// badItem is a source item that could not be decoded.
type badItem struct {
	Item int    `json:"item"` // index in the listing
	Name string `json:"name"`
	Why  string `json:"why"`
}

type shardHeader struct {
	Key    string    `json:"key"`   // of the cache folder
	First  int       `json:"first"` // first item of the listing
	Items  int       `json:"items"` // items covered, good and bad
	H      int       `json:"h"`
	W      int       `json:"w"`
	C      int       `json:"c"`
	Bits   int       `json:"bits"`
	Bad    []badItem `json:"bad,omitempty"`
	Hashes []byte    `json:"hashes"` // 16 bytes an image
}

func (h *shardHeader) count() int      { return len(h.Hashes) / len(digest{}) }
func (h *shardHeader) imageBytes() int { return h.H * h.W * h.C * h.Bits / 8 }
func (h *shardHeader) digest(i int) (d digest) {
	copy(d[:], h.Hashes[i*len(d):])
	return d
}

func hashPixels(b []byte) (d digest) {
	s := sha256.Sum256(b)
	copy(d[:], s[:])
	return d
}

// errShard marks a shard that must be built anew.
var errShard = errors.New("image: damaged shard")

// writeShard writes header and pixels to path atomically.
func writeShard(path string, h *shardHeader, pixels []byte) (err error) {
	if len(pixels) != h.count()*h.imageBytes() {
		return fmt.Errorf("image: shard of %d bytes, want %d images of %d", len(pixels), h.count(), h.imageBytes())
	}
	js, err := json.Marshal(h)
	if err != nil {
		return err
	}
	pad := make([]byte, shardPad(len(js)))
	crc := crc32.Update(0, castagnoli, js)
	crc = crc32.Update(crc, castagnoli, pad)
	crc = crc32.Update(crc, castagnoli, pixels)
	var head [16]byte
	copy(head[:], shardMagic)
	binary.LittleEndian.PutUint32(head[8:], uint32(len(js)))
	binary.LittleEndian.PutUint32(head[12:], crc)
	return writeAtomic(path, head[:], js, pad, pixels)
}

// shardPad is the number of zeros after a header of n bytes.
func shardPad(n int) int { return (shardAlign - (16+n)%shardAlign) % shardAlign }

// tempPrefix begins the names of files that are being written.
const tempPrefix = ".tmp-"

// writeAtomic writes parts to path: temporary file, fsync, rename.
func writeAtomic(path string, parts ...[]byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), tempPrefix)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	for _, p := range parts {
		if _, err = f.Write(p); err != nil {
			return err
		}
	}
	if err = f.Chmod(0o644); err != nil { // a cache may be shared
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// shard is an open shard. Its pixels lie in mapped memory where the system can map files, else
// they are read when asked for.
type shard struct {
	shardHeader
	path  string
	off   int64  // of the pixels
	crc   uint32 // of the content from byte 16
	size  int64
	data  []byte // mapped file; nil: use f
	unmap func() error
	f     *os.File // nil where mapped
}

// parseShard reads the fixed part and the header from r, which holds size bytes.
func parseShard(r io.ReaderAt, size int64) (h shardHeader, off int64, crc uint32, err error) {
	var head [16]byte
	if _, err := r.ReadAt(head[:], 0); err != nil {
		return h, 0, 0, fmt.Errorf("%w: %d bytes, too short for a header", errShard, size)
	}
	if string(head[:8]) != shardMagic {
		return h, 0, 0, fmt.Errorf("%w: starts with %q, want %q", errShard, head[:8], shardMagic)
	}
	n := int64(binary.LittleEndian.Uint32(head[8:]))
	crc = binary.LittleEndian.Uint32(head[12:])
	if n > maxShardHeader || 16+n > size {
		return h, 0, 0, fmt.Errorf("%w: header of %d bytes in a file of %d", errShard, n, size)
	}
	js := make([]byte, n)
	if _, err := r.ReadAt(js, 16); err != nil {
		return h, 0, 0, fmt.Errorf("%w: header: %w", errShard, err)
	}
	dec := json.NewDecoder(bytes.NewReader(js))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&h); err != nil {
		return h, 0, 0, fmt.Errorf("%w: header: %w", errShard, err)
	}
	const side = 1 << 20
	if h.H < 1 || h.W < 1 || h.C < 1 || h.H > side || h.W > side || h.C > side || h.Bits != 8 && h.Bits != 16 ||
		len(h.Hashes)%len(digest{}) != 0 || h.First < 0 || h.Items != h.count()+len(h.Bad) {
		return h, 0, 0, fmt.Errorf("%w: header %dx%dx%d of %d bits, %d items, %d bad, %d bytes of hashes", errShard, h.H, h.W, h.C, h.Bits, h.Items, len(h.Bad), len(h.Hashes))
	}
	off = 16 + n + int64(shardPad(int(n)))
	if int64(h.count()) > 0 && int64(h.H)*int64(h.W)*int64(h.C) > size { // also keeps the product below from overflowing
		return h, 0, 0, fmt.Errorf("%w: images of %dx%dx%d in a file of %d bytes", errShard, h.H, h.W, h.C, size)
	}
	if want := off + int64(h.count())*int64(h.imageBytes()); want != size {
		return h, 0, 0, fmt.Errorf("%w: %d bytes, want %d", errShard, size, want)
	}
	return h, off, crc, nil
}

// openShard opens a shard and, when verify is set, checks its checksum. Anything wrong with the
// content wraps errShard.
func openShard(path string, verify bool) (s *shard, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	h, off, crc, err := parseShard(f, st.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	s = &shard{shardHeader: h, path: path, off: off, crc: crc, size: st.Size(), f: f}
	if verify {
		if err := s.verify(); err != nil {
			return nil, err
		}
	}
	// Pixels of 16 bits are used in place, which needs the file's byte order.
	if h.Bits == 8 || littleEndian {
		if b, unmap, ok := mapFile(f, int(st.Size())); ok {
			s.data, s.unmap, s.f = b, unmap, nil
			f.Close() // the mapping outlives the descriptor
		}
	}
	return s, nil
}

// verify compares the checksum of the content.
func (s *shard) verify() error {
	c := crc32.New(castagnoli)
	if _, err := io.Copy(c, io.NewSectionReader(s.f, 16, s.size-16)); err != nil {
		return err
	}
	if c.Sum32() != s.crc {
		return fmt.Errorf("%s: %w: checksum %08x, want %08x", s.path, errShard, c.Sum32(), s.crc)
	}
	return nil
}

// bytes returns image i: mapped memory, or buf grown and filled.
func (s *shard) bytes(i int, buf []byte) ([]byte, error) {
	n := s.imageBytes()
	at := s.off + int64(i)*int64(n)
	if s.data != nil {
		return s.data[at : at+int64(n) : at+int64(n)], nil
	}
	if cap(buf) < n {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	if _, err := s.f.ReadAt(buf, at); err != nil {
		return nil, fmt.Errorf("image: %s: image %d: %w", s.path, i, err)
	}
	return buf, nil
}

func (s *shard) close() error {
	var err error
	if s.unmap != nil {
		err = s.unmap()
	}
	if s.f != nil {
		err = errors.Join(err, s.f.Close())
	}
	s.unmap, s.data, s.f = nil, nil, nil
	return err
}

var littleEndian = func() bool {
	v := uint16(1)
	return *(*byte)(unsafe.Pointer(&v)) == 1
}()

// asU16 reads little-endian bytes as 16-bit elements: in place where memory has that order and is
// aligned, else by a copy into dst.
func asU16(b []byte, dst []uint16) []uint16 {
	n := len(b) / 2
	if n > 0 && littleEndian && uintptr(unsafe.Pointer(&b[0]))%2 == 0 {
		return unsafe.Slice((*uint16)(unsafe.Pointer(&b[0])), n)
	}
	if cap(dst) < n {
		dst = make([]uint16, n)
	}
	dst = dst[:n]
	for i := range dst {
		dst[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return dst
}
