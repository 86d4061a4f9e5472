package pileup

import (
	"encoding/binary"
	"fmt"
	"os"
	"syscall"
)

// temp is a temporary file that only grows. Where the system allows (Unix) it has no name from the first moment on, so
// that nothing stays behind however the process ends.
type temp struct {
	f      *os.File
	name   string // to be removed by close, if it could not be at once
	size   int64  // with what is in buf
	buf    []byte // not written yet
	space  *int64 // tests: bytes left on the disk
	mapped []byte
	unmap  func() error
}

func newTemp(dir, what string, buffer int, space *int64) (*temp, error) {
	f, err := os.CreateTemp(dir, ".selfsame-"+what+"-*")
	if err != nil {
		return nil, err
	}
	t := &temp{f: f, buf: make([]byte, 0, buffer), space: space}
	if os.Remove(f.Name()) != nil {
		t.name = f.Name()
	}
	return t, nil
}

// write adds p, through the buffer unless p is larger.
func (t *temp) write(p []byte) error {
	if len(t.buf)+len(p) > cap(t.buf) {
		if err := t.flush(); err != nil {
			return err
		}
	}
	t.size += int64(len(p))
	if len(p) > cap(t.buf) {
		return t.put(p)
	}
	t.buf = append(t.buf, p...)
	return nil
}

func (t *temp) flush() error {
	if len(t.buf) == 0 {
		return nil
	}
	err := t.put(t.buf)
	t.buf = t.buf[:0]
	return err
}

func (t *temp) put(p []byte) error {
	if t.space != nil {
		if *t.space -= int64(len(p)); *t.space < 0 {
			return syscall.ENOSPC
		}
	}
	_, err := t.f.Write(p)
	return err
}

// done writes what is left and gives the buffer back.
func (t *temp) done() error {
	err := t.flush()
	t.buf = nil
	return err
}

// pin keeps the first bytes of the file in memory, at most budget, and returns how many.
func (t *temp) pin(budget int64) int64 {
	n := min(t.size, budget)
	if n < 4096 {
		return 0
	}
	if b, unmap, ok := mapFile(t.f, int(n)); ok {
		t.mapped, t.unmap = b, unmap
		return n
	}
	return 0
}

// view returns a piece of the file: of the memory, or read into *buf.
func (t *temp) view(p span, buf *[]byte) ([]byte, error) {
	if p.to <= int64(len(t.mapped)) {
		return t.mapped[p.from:p.to:p.to], nil
	}
	n := int(p.to - p.from)
	if cap(*buf) < n {
		*buf = make([]byte, n+n/2+256)
	}
	b := (*buf)[:n]
	if _, err := t.f.ReadAt(b, p.from); err != nil {
		return nil, fmt.Errorf("pileup: temporary file, %d bytes at %d of %d: %w", n, p.from, t.size, err)
	}
	return b, nil
}

// span returns the i-th and the next of the offsets that a file holds.
func (t *temp) span(i int64, s *Scratch) (span, error) {
	b, err := t.view(span{8 * i, 8*i + 16}, &s.buf)
	if err != nil {
		return span{}, err
	}
	return span{int64(binary.LittleEndian.Uint64(b)), int64(binary.LittleEndian.Uint64(b[8:]))}, nil
}

func (t *temp) close() error {
	if t == nil {
		return nil
	}
	if t.unmap != nil {
		_ = t.unmap()
		t.mapped, t.unmap = nil, nil
	}
	err := t.f.Close()
	if t.name != "" {
		if e := os.Remove(t.name); err == nil {
			err = e
		}
	}
	return err
}
