//go:build !amd64

package gokernel

func kernels() []microKernel { return []microKernel{plain} }

func curvesOf(string) curveSet { return curveSet{} }
