package gokernel

import "golang.org/x/sys/cpu"

func kernels() []microKernel {
	out := []microKernel{plain}
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		out = append(out, avx2)
	}
	if cpu.X86.HasAVX512F {
		out = append(out, avx512)
	}
	return out
}
