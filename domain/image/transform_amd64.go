package image

import "golang.org/x/sys/cpu"

// haveVector says whether the kernels below may be called. They compute the same
// integers as the plain code, so that a run does not depend on the processor.
var haveVector = cpu.X86.HasAVX2

// haveVBMI is the same for kernels that look up bytes in tables of 256.
var haveVBMI = cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VBMI

// hueAVX2 is hue8 without a table for n groups of 8 RGB pixels; shift is in 1/65536 sixths of the circle.
//
//go:noescape
func hueAVX2(dst, src *uint8, n int, shift int32)

// saturateAVX2 is saturate8 without a table for n groups of 8 RGB pixels; factor is in 1/4096.
//
//go:noescape
func saturateAVX2(dst, src *uint8, n int, factor int32)

// firAVX2 computes n groups of 16 values of a symmetric filter with 2*pairs weights:
// dst[i] = (w[0]*src[i] + sum over k of w[k]*(src[i-k*stride]+src[i+k*stride]) + 4096) >> 13. Taps beyond the
// ends of src's visible values are read.
//
//go:noescape
func firAVX2(dst, src *uint8, n, stride int, w *uint16, pairs int)

// lerpAVX2 computes n groups of 16 values: dst[i] = (a[i]*(8192-w) + b[i]*w + 4096) >> 13.
//
//go:noescape
func lerpAVX2(dst, a, b *uint8, n int, w uint32)

// mirrorAVX2 writes n groups of 8 RGB pixels in reverse order; src is the last group.
//
//go:noescape
func mirrorAVX2(dst, src *uint8, n int)

// sumsAVX2 adds up n groups of 8 RGB pixels: 8 partial sums of each channel. n is at most 1<<24.
//
//go:noescape
func sumsAVX2(src *uint8, n int, sums *[24]uint32)

// lookupVBMI computes n groups of 64 values: dst[i] = table[src[i]]; dst may be src.
//
//go:noescape
func lookupVBMI(dst, src *uint8, n int, table *[256]uint8)
