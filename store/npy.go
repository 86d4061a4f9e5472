package store

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
)

// npyHeader is the whole length of the header, magic included: room for any row count.
const npyHeader = 128

// NPYWriter streams rows of float32 to a .npy file (format 1.0, numpy.lib.format),
// with constant memory. The row count is patched into the header at Commit; the file
// appears at its path only then.
type NPYWriter struct {
	p    *pending
	w    *bufio.Writer
	dims []int // of one row
	size int
	rows int64
	buf  []byte
}

// CreateNPY starts a file of shape [rows, dims...] at path; dims may be empty for [rows].
func CreateNPY(path string, dims ...int) (*NPYWriter, error) {
	n, err := elements(dims)
	if err != nil || n > math.MaxInt32 {
		return nil, fmt.Errorf("store: %s: row shape %v: %w", path, dims, errors.Join(err, errShape))
	}
	p, err := createPending(path)
	if err != nil {
		return nil, err
	}
	w := &NPYWriter{p: p, w: bufio.NewWriterSize(p.f, 1<<16), dims: dims, size: int(n)}
	if _, err := w.w.Write(make([]byte, npyHeader)); err != nil { // patched at Commit
		p.Abort()
		return nil, fmt.Errorf("store: write %s: %w", path, err)
	}
	return w, nil
}

var errShape = errors.New("not a legal row")

// Write appends whole rows; len(rows) must be a multiple of the row size.
func (w *NPYWriter) Write(rows []float32) error {
	if w.size == 0 || len(rows)%w.size != 0 {
		return fmt.Errorf("store: %s: %d values are no multiple of the row size %d", w.p.path, len(rows), w.size)
	}
	for part := rows; len(part) > 0; {
		n := min(len(part), chunk)
		w.buf = w.buf[:0]
		for _, v := range part[:n] {
			w.buf = binary.LittleEndian.AppendUint32(w.buf, math.Float32bits(v))
		}
		if _, err := w.w.Write(w.buf); err != nil {
			return fmt.Errorf("store: write %s: %w", w.p.path, err)
		}
		part = part[n:]
	}
	w.rows += int64(len(rows) / w.size)
	return nil
}

// Commit patches the row count and makes the file appear at its path.
func (w *NPYWriter) Commit() error {
	defer w.p.Abort()
	if err := w.w.Flush(); err != nil {
		return fmt.Errorf("store: write %s: %w", w.p.path, err)
	}
	shape := fmt.Sprintf("%d,", w.rows)
	for i, d := range w.dims {
		shape += fmt.Sprintf(" %d", d)
		if i < len(w.dims)-1 {
			shape += ","
		}
	}
	head := "{'descr': '<f4', 'fortran_order': False, 'shape': (" + shape + "), }"
	if len(head) > npyHeader-11 {
		return fmt.Errorf("store: %s: header of %d bytes, limit %d", w.p.path, len(head), npyHeader-11)
	}
	head += strings.Repeat(" ", npyHeader-11-len(head)) + "\n"
	b := append([]byte("\x93NUMPY\x01\x00"), byte(npyHeader-10), 0)
	if _, err := w.p.f.WriteAt(append(b, head...), 0); err != nil {
		return fmt.Errorf("store: write %s: %w", w.p.path, err)
	}
	return w.p.Commit()
}

// Abort removes the unfinished file; after Commit it does nothing.
func (w *NPYWriter) Abort() { w.p.Abort() }
