//go:build !amd64

package image

const (
	haveVector = false
	haveVBMI   = false
)

func hueAVX2(dst, src *uint8, n int, shift int32)                  {}
func saturateAVX2(dst, src *uint8, n int, factor int32)            {}
func firAVX2(dst, src *uint8, n, stride int, w *uint16, pairs int) {}
func lerpAVX2(dst, a, b *uint8, n int, w uint32)                   {}
func mirrorAVX2(dst, src *uint8, n int)                            {}
func sumsAVX2(src *uint8, n int, sums *[24]uint32)                 {}
func lookupVBMI(dst, src *uint8, n int, table *[256]uint8)         {}
