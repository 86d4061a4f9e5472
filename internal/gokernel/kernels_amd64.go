package gokernel

import "golang.org/x/sys/cpu"

func init() {
	if !cpu.X86.HasAVX2 || !cpu.X86.HasFMA {
		return
	}
	micro = avx2
	if cpu.X86.HasAVX512F {
		micro = avx512
	}
	v := &vectors
	v.add, v.sub, v.mul, v.div, v.max, v.min = addAVX2, subAVX2, mulAVX2, divAVX2, maxAVX2, minAVX2
	v.gt, v.ge, v.eq, v.ne = gtAVX2, geAVX2, eqAVX2, neAVX2
	v.and, v.or, v.xor = andAVX2, orAVX2, xorAVX2
	selectVector, sqrtVector = selectAVX2, sqrtAVX2
	sumColumns32, sumColumns8 = sumColumns32AVX2, sumColumns8AVX2
}

var (
	avx512 = microKernel{name: "avx512", mr: 8, nr: 32, run: [9]func(t *tile){
		1: tile5121, 2: tile5122, 3: tile5123, 4: tile5124, 5: tile5125, 6: tile5126, 7: tile5127, 8: tile5128}}
	avx2 = microKernel{name: "avx2", mr: 6, nr: 16, run: [9]func(t *tile){
		1: tile2561, 2: tile2562, 3: tile2563, 4: tile2564, 5: tile2565, 6: tile2566}}
)

//go:noescape
func tile5121(t *tile)

//go:noescape
func tile5122(t *tile)

//go:noescape
func tile5123(t *tile)

//go:noescape
func tile5124(t *tile)

//go:noescape
func tile5125(t *tile)

//go:noescape
func tile5126(t *tile)

//go:noescape
func tile5127(t *tile)

//go:noescape
func tile5128(t *tile)

//go:noescape
func tile2561(t *tile)

//go:noescape
func tile2562(t *tile)

//go:noescape
func tile2563(t *tile)

//go:noescape
func tile2564(t *tile)

//go:noescape
func tile2565(t *tile)

//go:noescape
func tile2566(t *tile)

//go:noescape
func addAVX2(dst, a, b *float32, n int)

//go:noescape
func subAVX2(dst, a, b *float32, n int)

//go:noescape
func mulAVX2(dst, a, b *float32, n int)

//go:noescape
func divAVX2(dst, a, b *float32, n int)

//go:noescape
func maxAVX2(dst, a, b *float32, n int)

//go:noescape
func minAVX2(dst, a, b *float32, n int)

//go:noescape
func gtAVX2(dst, a, b *float32, n int)

//go:noescape
func geAVX2(dst, a, b *float32, n int)

//go:noescape
func eqAVX2(dst, a, b *float32, n int)

//go:noescape
func neAVX2(dst, a, b *float32, n int)

//go:noescape
func andAVX2(dst, a, b *float32, n int)

//go:noescape
func orAVX2(dst, a, b *float32, n int)

//go:noescape
func xorAVX2(dst, a, b *float32, n int)

//go:noescape
func selectAVX2(dst, mask, a, b *float32, n int)

//go:noescape
func sqrtAVX2(dst, a *float32, n int)

//go:noescape
func sumColumns32AVX2(dst, a *float32, stride, rows int)

//go:noescape
func sumColumns8AVX2(dst, a *float32, stride, rows int)
