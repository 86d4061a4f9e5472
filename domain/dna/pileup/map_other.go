//go:build !unix

package pileup

import (
	"io"
	"os"
)

// mapFile reads the first size bytes of a file; ok is false where that fails.
func mapFile(f *os.File, size int) (b []byte, unmap func() error, ok bool) {
	b = make([]byte, size)
	if _, err := f.ReadAt(b, 0); err != nil && err != io.EOF {
		return nil, nil, false
	}
	return b, func() error { return nil }, true
}
