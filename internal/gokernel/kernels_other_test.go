//go:build !amd64

package gokernel

func kernels() []microKernel { return []microKernel{plain} }
