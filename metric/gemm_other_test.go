//go:build !amd64

package metric

func withVector(bool) bool { return false }
