package gokernel

import "golang.org/x/sys/cpu"

func init() {
	if !cpu.X86.HasAVX2 || !cpu.X86.HasFMA {
		return
	}
	micro = avx2
	u := &unaries
	u.neg, u.abs, u.not, u.one, u.masks, u.bools = negAVX2, absAVX2, notAVX2, oneAVX2, masksAVX2, boolsAVX2
	u.sums, u.tops = sumRowsAVX2, maxRowsAVX2
	curves = curvesAVX2
	if cpu.X86.HasAVX512F {
		micro, curves = avx512, curvesAVX512
		if cpu.X86.HasAVX512BF16 && cpu.X86.HasAVX512BW {
			micro = avx512BF16
		}
	}
	v := &vectors
	v.add, v.sub, v.mul, v.div, v.max, v.min = addAVX2, subAVX2, mulAVX2, divAVX2, maxAVX2, minAVX2
	v.gt, v.ge, v.eq, v.ne = gtAVX2, geAVX2, eqAVX2, neAVX2
	v.and, v.or, v.xor = andAVX2, orAVX2, xorAVX2
	selectVector, sqrtVector = selectAVX2, sqrtAVX2
	sumColumns32, sumColumns8 = sumColumns32AVX2, sumColumns8AVX2
}

var (
	avx512 = microKernel{name: "avx512", mr: 8, nr: 32, narrow: &narrow512, run: [17]func(t *tile){
		1: tile5121, 2: tile5122, 3: tile5123, 4: tile5124, 5: tile5125, 6: tile5126, 7: tile5127, 8: tile5128}}
	avx512BF16 = microKernel{name: "avx512bf16", mr: 8, nr: 32, narrow: &narrowBF16, run: avx512.run, pairs: &[17]func(t *tile){
		1: tileBF16x1, 2: tileBF16x2, 3: tileBF16x3, 4: tileBF16x4, 5: tileBF16x5, 6: tileBF16x6, 7: tileBF16x7, 8: tileBF16x8},
		interleave: pairsBF16, convert: convertBF16, widen: widenAVX512, zip: zipAVX512}
	narrow512 = microKernel{name: "narrow512", mr: 16, nr: 16, run: [17]func(t *tile){
		1: tileNarrow1, 2: tileNarrow2, 3: tileNarrow3, 4: tileNarrow4, 5: tileNarrow5, 6: tileNarrow6, 7: tileNarrow7, 8: tileNarrow8,
		9: tileNarrow9, 10: tileNarrow10, 11: tileNarrow11, 12: tileNarrow12, 13: tileNarrow13, 14: tileNarrow14, 15: tileNarrow15, 16: tileNarrow16}}
	narrowBF16 = microKernel{name: "narrowbf16", mr: 16, nr: 16, run: narrow512.run, pairs: &[17]func(t *tile){
		1: tileNarrowBF16x1, 2: tileNarrowBF16x2, 3: tileNarrowBF16x3, 4: tileNarrowBF16x4, 5: tileNarrowBF16x5, 6: tileNarrowBF16x6, 7: tileNarrowBF16x7, 8: tileNarrowBF16x8,
		9: tileNarrowBF16x9, 10: tileNarrowBF16x10, 11: tileNarrowBF16x11, 12: tileNarrowBF16x12, 13: tileNarrowBF16x13, 14: tileNarrowBF16x14, 15: tileNarrowBF16x15, 16: tileNarrowBF16x16}}
	avx2 = microKernel{name: "avx2", mr: 6, nr: 16, run: [17]func(t *tile){
		1: tile2561, 2: tile2562, 3: tile2563, 4: tile2564, 5: tile2565, 6: tile2566}}
	curvesAVX2   = curveSet{8, expAVX2, rsqrtAVX2, logisticAVX2, tanhAVX2, erfAVX2}
	curvesAVX512 = curveSet{16, expAVX512, rsqrtAVX512, logisticAVX512, tanhAVX512, erfAVX512}
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

//go:noescape
func tileBF16x1(t *tile)

//go:noescape
func tileBF16x2(t *tile)

//go:noescape
func tileBF16x3(t *tile)

//go:noescape
func tileBF16x4(t *tile)

//go:noescape
func tileBF16x5(t *tile)

//go:noescape
func tileBF16x6(t *tile)

//go:noescape
func tileBF16x7(t *tile)

//go:noescape
func tileBF16x8(t *tile)

//go:noescape
func pairsBF16(dst *uint32, a, b *float32, n int)

//go:noescape
func convertBF16(dst *uint32, a *float32, n int)

//go:noescape
func negAVX2(dst, a *float32, n int)

//go:noescape
func absAVX2(dst, a *float32, n int)

//go:noescape
func notAVX2(dst, a *float32, n int)

//go:noescape
func oneAVX2(dst, a *float32, n int)

//go:noescape
func sumRowsAVX2(dst, a *float32, n, stride, rows int)

//go:noescape
func maxRowsAVX2(dst, a *float32, n, stride, rows int)

//go:noescape
func masksAVX2(dst *float32, a *bool, n int)

//go:noescape
func boolsAVX2(dst *bool, a *float32, n int)

//go:noescape
func expAVX2(dst, a *float32, n int)

//go:noescape
func rsqrtAVX2(dst, a *float32, n int)

//go:noescape
func logisticAVX2(dst, a *float32, n int)

//go:noescape
func tanhAVX2(dst, a *float32, n int)

//go:noescape
func erfAVX2(dst, a *float32, n int)

//go:noescape
func expAVX512(dst, a *float32, n int)

//go:noescape
func rsqrtAVX512(dst, a *float32, n int)

//go:noescape
func logisticAVX512(dst, a *float32, n int)

//go:noescape
func tanhAVX512(dst, a *float32, n int)

//go:noescape
func erfAVX512(dst, a *float32, n int)

//go:noescape
func tileNarrow1(t *tile)

//go:noescape
func tileNarrowBF16x1(t *tile)

//go:noescape
func tileNarrow2(t *tile)

//go:noescape
func tileNarrowBF16x2(t *tile)

//go:noescape
func tileNarrow3(t *tile)

//go:noescape
func tileNarrowBF16x3(t *tile)

//go:noescape
func tileNarrow4(t *tile)

//go:noescape
func tileNarrowBF16x4(t *tile)

//go:noescape
func tileNarrow5(t *tile)

//go:noescape
func tileNarrowBF16x5(t *tile)

//go:noescape
func tileNarrow6(t *tile)

//go:noescape
func tileNarrowBF16x6(t *tile)

//go:noescape
func tileNarrow7(t *tile)

//go:noescape
func tileNarrowBF16x7(t *tile)

//go:noescape
func tileNarrow8(t *tile)

//go:noescape
func tileNarrowBF16x8(t *tile)

//go:noescape
func tileNarrow9(t *tile)

//go:noescape
func tileNarrowBF16x9(t *tile)

//go:noescape
func tileNarrow10(t *tile)

//go:noescape
func tileNarrowBF16x10(t *tile)

//go:noescape
func tileNarrow11(t *tile)

//go:noescape
func tileNarrowBF16x11(t *tile)

//go:noescape
func tileNarrow12(t *tile)

//go:noescape
func tileNarrowBF16x12(t *tile)

//go:noescape
func tileNarrow13(t *tile)

//go:noescape
func tileNarrowBF16x13(t *tile)

//go:noescape
func tileNarrow14(t *tile)

//go:noescape
func tileNarrowBF16x14(t *tile)

//go:noescape
func tileNarrow15(t *tile)

//go:noescape
func tileNarrowBF16x15(t *tile)

//go:noescape
func tileNarrow16(t *tile)

//go:noescape
func tileNarrowBF16x16(t *tile)

//go:noescape
func widenAVX512(dst *float32, a *uint16, n int)

//go:noescape
func zipAVX512(dst *uint32, a, b *uint16, n int)
