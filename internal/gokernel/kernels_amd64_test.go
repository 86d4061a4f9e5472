package gokernel

import "golang.org/x/sys/cpu"

// kernels are the micro-kernels that this machine can run.
func kernels() []microKernel {
	out := []microKernel{plain}
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		out = append(out, avx2)
		if cpu.X86.HasAVX512F {
			out = append(out, avx512)
		}
		if HasBF16() {
			out = append(out, avx512BF16)
		}
	}
	return out
}

// curvesOf are the functions that go with a micro-kernel.
func curvesOf(kernel string) curveSet {
	switch kernel {
	case avx2.name:
		return curvesAVX2
	case avx512.name, avx512BF16.name:
		return curvesAVX512
	}
	return curveSet{}
}
