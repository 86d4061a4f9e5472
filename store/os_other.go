//go:build !unix

package store

import (
	"errors"
	"os"
)

func flock(*os.File) (bool, error) { return false, errors.ErrUnsupported }

func isInvalid(error) bool { return true }

func unsupportedLock(err error) bool { return errors.Is(err, errors.ErrUnsupported) }

// alive reports whether a process with this id can be found.
func alive(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	p.Release()
	return true
}
