//go:build unix

package pileup

import (
	"os"
	"syscall"
)

// mapFile maps the first size bytes of a file for reading; ok is false where the system refuses.
func mapFile(f *os.File, size int) (b []byte, unmap func() error, ok bool) {
	b, err := syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil, nil, false
	}
	return b, func() error { return syscall.Munmap(b) }, true
}
