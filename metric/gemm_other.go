//go:build !amd64

package metric

const haveVector = false

func dot4x3(a *float32, lda int, b *float32, ldb, k int, t *[12]float32) {
	panic("metric: no vector instructions")
}

func axpy4(dst, x *float32, ld, k int, w *[4]float32) { panic("metric: no vector instructions") }
