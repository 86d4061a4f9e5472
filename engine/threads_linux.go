//go:build linux && cgo

package engine

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// onThreads calls f while the calling thread may run on the first n processors of the process only. XLA sizes its pools
// by this set when the client is made, and their threads keep it.
func onThreads(n int, f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var old, few unix.CPUSet
	if err := unix.SchedGetaffinity(0, &old); err != nil || n <= 0 || n >= old.Count() {
		return f()
	}
	for i := 0; few.Count() < n; i++ {
		if old.IsSet(i) {
			few.Set(i)
		}
	}
	if err := unix.SchedSetaffinity(0, &few); err != nil {
		return f()
	}
	defer func() { _ = unix.SchedSetaffinity(0, &old) }() // it held this set a moment ago
	return f()
}
