// Package gokernel holds the float32 kernels of the go engine: [MatMul], convolution ([Conv]) with both
// adjoints, element-wise loops and strided copies. It knows nothing of graphs.
//
// The inner loops are assembly for AVX2 or AVX-512 where the processor has it and plain Go elsewhere. Work is
// cut into tasks by sizes alone, and partial sums are added in the order of the tasks: results do not depend on
// the number of threads. They may differ in the last bits from one instruction set to another.
package gokernel

//go:generate go run ./gen
