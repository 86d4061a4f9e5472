package metric

import "golang.org/x/sys/cpu"

// haveVector says whether dot4x3 and axpy4 may be called.
var haveVector = cpu.X86.HasAVX2 && cpu.X86.HasFMA

// dot4x3 sets t to the inner products of 4 rows of a (lda apart) with 3 rows of
// b (ldb apart) over the first k values; k is a positive multiple of 8.
//
//go:noescape
func dot4x3(a *float32, lda int, b *float32, ldb, k int, t *[12]float32)

// axpy4 adds w[0]*x[0] + .. + w[3]*x[3] to dst, where x[i] is the i-th row of x
// (ld apart), over the first k values; k is a positive multiple of 8.
//
//go:noescape
func axpy4(dst, x *float32, ld, k int, w *[4]float32)
