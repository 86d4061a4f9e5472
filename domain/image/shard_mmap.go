//go:build unix

package image

import (
	"os"
	"syscall"
)

// mapFile maps a file read-only; unmap releases it. ok is false where the system refuses.
func mapFile(f *os.File, size int) (b []byte, unmap func() error, ok bool) {
	if size <= 0 {
		return nil, nil, false
	}
	b, err := syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil, nil, false
	}
	return b, func() error { return syscall.Munmap(b) }, true
}
