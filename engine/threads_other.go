//go:build !linux || !cgo

package engine

// onThreads cannot limit the threads of a plugin here.
func onThreads(_ int, f func() error) error { return f() }
