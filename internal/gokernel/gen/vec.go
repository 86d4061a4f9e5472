package main

import (
	"fmt"
	"math"
)

// evex writes an instruction of 512 bits on registers that Go's assembler lacks (AVX512-BF16), all of map 0F38, W0: prefix is
// 2 for F3 and 3 for F2; dst, first and second are register numbers, first -1 where there is none.
func evex(text string, prefix, opcode, dst, first, second int) {
	v := first
	if v < 0 {
		v = 0
	}
	bit := func(x, i int) int { return x >> i & 1 }
	p0 := (1-bit(dst, 3))<<7 | (1-bit(second, 4))<<6 | (1-bit(second, 3))<<5 | (1-bit(dst, 4))<<4 | 2
	p1 := (^v&15)<<3 | 4 | prefix
	p2 := 2<<5 | (1-bit(v, 4))<<3
	modrm := 3<<6 | dst&7<<3 | second&7
	p("\tBYTE $0x62; BYTE $0x%02x; BYTE $0x%02x; BYTE $0x%02x; BYTE $0x%02x; BYTE $0x%02x // %s", p0, p1, p2, opcode, modrm, text)
}

// dpbf16 adds the products of pairs of bfloat16 in Zb and Zc to the floats of Zacc.
func dpbf16(acc, b, c int) {
	evex(fmt.Sprintf("VDPBF16PS Z%d, Z%d, Z%d", c, b, acc), 2, 0x52, acc, b, c)
}

// halves writes the conversions to bfloat16.
func halves() {
	p("\n// func pairsBF16(dst *uint32, a, b *float32, n int)")
	p("TEXT ·pairsBF16(SB), NOSPLIT, $0-32")
	p("\tMOVQ dst+0(FP), DI")
	p("\tMOVQ a+8(FP), SI")
	p("\tMOVQ b+16(FP), DX")
	p("\tMOVQ n+24(FP), CX")
	p("\tXORQ AX, AX")
	p("loop:")
	p("\tVMOVUPS (SI)(AX*1), Z0")
	p("\tVMOVUPS (DX)(AX*1), Z1")
	evex("VCVTNEPS2BF16 Z0, Y0", 2, 0x72, 0, -1, 0)
	evex("VCVTNEPS2BF16 Z1, Y1", 2, 0x72, 1, -1, 1)
	p("\tVPMOVZXWD Y0, Z0")
	p("\tVPMOVZXWD Y1, Z1")
	p("\tVPSLLD $16, Z1, Z1")
	p("\tVPORD Z1, Z0, Z0")
	p("\tVMOVUPS Z0, (DI)(AX*1)")
	p("\tADDQ $64, AX")
	p("\tDECQ CX")
	p("\tJNZ loop")
	p("\tVZEROUPPER")
	p("\tRET")

	p("\n// func convertBF16(dst *uint32, a *float32, n int)")
	p("TEXT ·convertBF16(SB), NOSPLIT, $0-24")
	p("\tMOVQ dst+0(FP), DI")
	p("\tMOVQ a+8(FP), SI")
	p("\tMOVQ n+16(FP), CX")
	p("loop:")
	p("\tVMOVUPS (SI), Z0")
	p("\tVMOVUPS 64(SI), Z1")
	evex("VCVTNE2PS2BF16 Z0, Z1, Z0", 3, 0x72, 0, 1, 0)
	p("\tVMOVUPS Z0, (DI)")
	p("\tADDQ $128, SI")
	p("\tADDQ $64, DI")
	p("\tDECQ CX")
	p("\tJNZ loop")
	p("\tVZEROUPPER")
	p("\tRET")
}

// halfMemory writes the loops over bfloat16 in memory, by 16: to floats, and interleaved to pairs.
func halfMemory() {
	p("\n// func widenAVX512(dst *float32, a *uint16, n int)")
	p("TEXT ·widenAVX512(SB), NOSPLIT, $0-24")
	p("\tMOVQ dst+0(FP), DI")
	p("\tMOVQ a+8(FP), SI")
	p("\tMOVQ n+16(FP), CX")
	p("loop:")
	p("\tVPMOVZXWD (SI), Z0")
	p("\tVPSLLD $16, Z0, Z0")
	p("\tVMOVUPS Z0, (DI)")
	p("\tADDQ $32, SI")
	p("\tADDQ $64, DI")
	p("\tDECQ CX")
	p("\tJNZ loop")
	p("\tVZEROUPPER")
	p("\tRET")

	p("\n// func zipAVX512(dst *uint32, a, b *uint16, n int)")
	p("TEXT ·zipAVX512(SB), NOSPLIT, $0-32")
	p("\tMOVQ dst+0(FP), DI")
	p("\tMOVQ a+8(FP), SI")
	p("\tMOVQ b+16(FP), DX")
	p("\tMOVQ n+24(FP), CX")
	p("loop:")
	p("\tVPMOVZXWD (SI), Z0")
	p("\tVPMOVZXWD (DX), Z1")
	p("\tVPSLLD $16, Z1, Z1")
	p("\tVPORD Z1, Z0, Z0")
	p("\tVMOVUPS Z0, (DI)")
	p("\tADDQ $32, SI")
	p("\tADDQ $32, DX")
	p("\tADDQ $64, DI")
	p("\tDECQ CX")
	p("\tJNZ loop")
	p("\tVZEROUPPER")
	p("\tRET")
}

// rowReductions write dst[i] = sum (or greatest) of row i, which has n groups of 8; rows are stride bytes apart.
func rowReductions() {
	for _, max := range []bool{false, true} {
		name := map[bool]string{false: "sumRowsAVX2", true: "maxRowsAVX2"}[max]
		p("\n// func %s(dst, a *float32, n, stride, rows int)", name)
		p("TEXT ·%s(SB), NOSPLIT, $0-40", name)
		p("\tMOVQ dst+0(FP), DI")
		p("\tMOVQ a+8(FP), SI")
		p("\tMOVQ n+16(FP), BX")
		p("\tMOVQ stride+24(FP), R8")
		p("\tMOVQ rows+32(FP), CX")
		// the greater of acc and x, NaN where one is NaN
		combine := func(x, acc, reg string) {
			if !max {
				p("\tVADDPS %s, %s, %s", x, acc, acc)
				return
			}
			p("\tVMAXPS %s, %s, %s2", x, acc, reg) // x where one is NaN
			p("\tVCMPPS $3, %s, %s, %s3", acc, acc, reg)
			p("\tVBLENDVPS %s3, %s, %s2, %s", reg, acc, reg, acc)
		}
		p("row:")
		p("\tMOVQ SI, DX")
		p("\tMOVQ BX, AX")
		p("\tVMOVUPS (DX), Y0")
		p("\tDECQ AX")
		p("\tJZ done")
		p("loop:")
		p("\tADDQ $32, DX")
		p("\tVMOVUPS (DX), Y1")
		combine("Y1", "Y0", "Y")
		p("\tDECQ AX")
		p("\tJNZ loop")
		p("done:")
		p("\tVEXTRACTF128 $1, Y0, X1")
		combine("X1", "X0", "X")
		p("\tVMOVHLPS X0, X0, X1")
		combine("X1", "X0", "X")
		p("\tVMOVSHDUP X0, X1")
		combine("X1", "X0", "X")
		p("\tVMOVSS X0, (DI)")
		p("\tADDQ $4, DI")
		p("\tADDQ R8, SI")
		p("\tDECQ CX")
		p("\tJNZ row")
		p("\tVZEROUPPER")
		p("\tRET")
	}
}

// unaries writes loops of one operand over n groups of 8.
func unaries() {
	for _, u := range []struct{ name, before, op string }{
		{"negAVX2", "VPCMPEQD Y15, Y15, Y15; VPSLLD $31, Y15, Y15", "VPXOR Y15, Y0, Y0"},
		{"absAVX2", "VPCMPEQD Y15, Y15, Y15; VPSRLD $1, Y15, Y15", "VPAND Y15, Y0, Y0"},
		{"notAVX2", "VPCMPEQD Y15, Y15, Y15", "VPXOR Y15, Y0, Y0"},
		{"oneAVX2", "VPCMPEQD Y15, Y15, Y15; VPSRLD $25, Y15, Y15; VPSLLD $23, Y15, Y15", "VPAND Y15, Y0, Y0"},
	} {
		p("\n// func %s(dst, a *float32, n int)", u.name)
		p("TEXT ·%s(SB), NOSPLIT, $0-24", u.name)
		p("\tMOVQ dst+0(FP), DI")
		p("\tMOVQ a+8(FP), SI")
		p("\tMOVQ n+16(FP), CX")
		p("\t%s", u.before)
		p("loop:")
		p("\tVMOVUPS (SI), Y0")
		p("\t%s", u.op)
		p("\tVMOVUPS Y0, (DI)")
		p("\tADDQ $32, SI")
		p("\tADDQ $32, DI")
		p("\tDECQ CX")
		p("\tJNZ loop")
		p("\tVZEROUPPER")
		p("\tRET")
	}
	p("\n// func masksAVX2(dst *float32, a *bool, n int)")
	p("TEXT ·masksAVX2(SB), NOSPLIT, $0-24")
	p("\tMOVQ dst+0(FP), DI")
	p("\tMOVQ a+8(FP), SI")
	p("\tMOVQ n+16(FP), CX")
	p("\tVPXOR Y15, Y15, Y15")
	p("loop:")
	p("\tVPMOVZXBD (SI), Y0")
	p("\tVPSUBD Y0, Y15, Y0")
	p("\tVMOVUPS Y0, (DI)")
	p("\tADDQ $8, SI")
	p("\tADDQ $32, DI")
	p("\tDECQ CX")
	p("\tJNZ loop")
	p("\tVZEROUPPER")
	p("\tRET")

	p("\n// func boolsAVX2(dst *bool, a *float32, n int)")
	p("TEXT ·boolsAVX2(SB), NOSPLIT, $0-24")
	p("\tMOVQ dst+0(FP), DI")
	p("\tMOVQ a+8(FP), SI")
	p("\tMOVQ n+16(FP), CX")
	p("\tVPCMPEQB X15, X15, X15")
	p("\tVPABSB X15, X15")
	p("loop:")
	p("\tVMOVUPS (SI), Y0")
	p("\tVEXTRACTI128 $1, Y0, X1")
	p("\tVPACKSSDW X1, X0, X0")
	p("\tVPACKSSWB X0, X0, X0")
	p("\tVPAND X15, X0, X0")
	p("\tVMOVQ X0, (DI)")
	p("\tADDQ $32, SI")
	p("\tADDQ $8, DI")
	p("\tDECQ CX")
	p("\tJNZ loop")
	p("\tVZEROUPPER")
	p("\tRET")
}

var (
	table    []uint32
	tableRow = map[uint32]int{}
)

// word is the memory operand that holds x in every lane.
func word(x uint32) string {
	i, ok := tableRow[x]
	if !ok {
		i = len(table)
		tableRow[x] = i
		table = append(table, x)
	}
	return fmt.Sprintf("lanes<>+%d(SB)", 64*i)
}

func k(x float64) string { return word(math.Float32bits(float32(x))) }

func constants() {
	for i, x := range table {
		for j := range 8 {
			p("DATA lanes<>+%d(SB)/8, $0x%08x%08x", 64*i+8*j, x, x)
		}
	}
	p("GLOBL lanes<>(SB), RODATA|NOPTR, $%d", 64*len(table))
}

// vec writes code on registers 0..15 of one instruction set.
type vec struct{ isa, reg string }

func (v vec) r(i int) string { return fmt.Sprintf("%s%d", v.reg, i) }

// op writes an instruction: sources last to first, then the destination, as Go's assembler has them.
func (v vec) op(name string, args ...any) {
	s := ""
	for i, a := range args {
		if i > 0 {
			s += ", "
		}
		switch a := a.(type) {
		case int:
			s += v.r(a)
		default:
			s += fmt.Sprint(a)
		}
	}
	p("\t%s %s", name, s)
}

func (v vec) logic(name string, args ...any) {
	if v.isa == "AVX512" {
		name += "D"
	}
	v.op(name, args...)
}

// horner sets dst to the polynomial of at, coefficients from the highest power down.
func (v vec) horner(dst, at int, c ...float64) {
	v.op("VMOVUPS", k(c[0]), dst)
	for _, x := range c[1:] {
		v.op("VFMADD213PS", k(x), at, dst)
	}
}

// choose sets dst to yes where the register x is greater than the constant, else no.
func (v vec) choose(dst, yes, no, x int, over float64) {
	if v.isa == "AVX512" {
		v.op("VCMPPS", "$0x1e", k(over), x, "K1")
		v.op("VBLENDMPS", yes, no, "K1", dst)
		return
	}
	v.op("VCMPPS", "$0x1e", k(over), x, 7)
	v.op("VBLENDVPS", 7, yes, no, dst)
}

// exp replaces register 0 by its exponential; registers 1 to 4 and 7 are lost. Polynomial of Cephes' expf (Moshier).
func (v vec) exp() {
	const magic = 12582912 // 1.5*2^23: adding it rounds to an integer
	v.op("VMOVUPS", k(89), 1)
	v.op("VMINPS", 0, 1, 0) // the second operand, where one is NaN
	v.op("VMOVUPS", k(-105), 1)
	v.op("VMAXPS", 0, 1, 0)
	v.op("VMOVUPS", k(magic), 2)
	v.op("VFMADD231PS", k(math.Log2E), 0, 2)
	v.op("VSUBPS", k(magic), 2, 2)
	hi := float64(float32(math.Ln2))
	v.op("VFNMADD231PS", k(hi), 2, 0)
	v.op("VFNMADD231PS", k(math.Ln2-hi), 2, 0)
	v.horner(3, 0, 1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
	v.op("VMULPS", 0, 0, 4)
	v.op("VFMADD213PS", 0, 4, 3)
	v.op("VADDPS", k(1), 3, 3)
	if v.isa == "AVX512" {
		v.op("VSCALEFPS", 2, 3, 0)
		return
	}
	v.op("VCVTPS2DQ", 2, 2) // in two factors: 2^k need not be a normal number
	v.op("VPSRAD", "$1", 2, 4)
	v.op("VPSUBD", 4, 2, 2)
	for _, r := range []int{2, 4} {
		v.op("VPADDD", word(127), r, r)
		v.op("VPSLLD", "$23", r, r)
		v.op("VMULPS", r, 3, 3)
	}
	v.op("VMOVAPS", 3, 0)
}

// functions writes loops over n vectors.
func functions() {
	for _, v := range []vec{{"AVX512", "Z"}, {"AVX2", "Y"}} {
		width := map[string]int{"AVX512": 64, "AVX2": 32}[v.isa]
		sign, rest := word(1<<31), word(1<<31-1)
		loop := func(name string, body func()) {
			p("\n// func %s%s(dst, a *float32, n int)", name, v.isa)
			p("TEXT ·%s%s(SB), NOSPLIT, $0-24", name, v.isa)
			p("\tMOVQ dst+0(FP), DI")
			p("\tMOVQ a+8(FP), SI")
			p("\tMOVQ n+16(FP), CX")
			p("loop:")
			v.op("VMOVUPS", "(SI)", 0)
			body()
			v.op("VMOVUPS", 0, "(DI)")
			p("\tADDQ $%d, SI", width)
			p("\tADDQ $%d, DI", width)
			p("\tDECQ CX")
			p("\tJNZ loop")
			p("\tVZEROUPPER")
			p("\tRET")
		}
		loop("exp", v.exp)
		loop("rsqrt", func() {
			v.op("VSQRTPS", 0, 1)
			v.op("VMOVUPS", k(1), 0)
			v.op("VDIVPS", 1, 0, 0)
		})
		loop("logistic", func() {
			v.op("VMOVAPS", 0, 8)
			v.logic("VPOR", sign, 0, 0)
			v.exp() // of -|x|
			v.op("VADDPS", k(1), 0, 1)
			v.op("VMOVUPS", k(1), 2)
			if v.isa == "AVX512" {
				v.op("VPTESTMD", sign, 8, "K1")
				v.op("VBLENDMPS", 0, 2, "K1", 0)
			} else {
				v.op("VBLENDVPS", 8, 0, 2, 0)
			}
			v.op("VDIVPS", 1, 0, 0)
		})
		loop("tanh", func() { // Cephes' tanhf
			v.op("VMOVAPS", 0, 8)
			v.logic("VPAND", rest, 0, 9)
			v.op("VADDPS", 9, 9, 0)
			v.exp()
			v.op("VADDPS", k(1), 0, 1)
			v.op("VMOVUPS", k(-2), 2)
			v.op("VDIVPS", 1, 2, 1)
			v.op("VADDPS", k(1), 1, 1)
			v.logic("VPAND", sign, 8, 2)
			v.logic("VPOR", 2, 1, 1)
			v.op("VMULPS", 8, 8, 3)
			v.horner(0, 3, -5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1)
			v.op("VMULPS", 3, 0, 0)
			v.op("VFMADD213PS", 8, 8, 0)
			v.choose(0, 1, 0, 9, 0.625)
		})
		loop("erf", func() { // polynomials of N. Juffa (stackoverflow.com/a/35148199), within 1 ulp
			v.op("VMOVAPS", 0, 8)
			v.logic("VPAND", rest, 0, 9)
			v.op("VMULPS", 0, 0, 10)
			v.horner(0, 9, -1.72853470e-5, 3.83197126e-4)
			v.horner(1, 9, -3.88396438e-3, 2.42546219e-2)
			v.op("VFMADD213PS", 1, 10, 0)
			for _, c := range []float64{-1.06777847e-1, -6.34846687e-1, -1.28717512e-1} {
				v.op("VFMADD213PS", k(c), 9, 0)
			}
			v.op("VFMSUB213PS", 9, 9, 0)
			v.exp()
			v.op("VMOVUPS", k(1), 1)
			v.op("VSUBPS", 0, 1, 1)
			v.logic("VPAND", sign, 8, 2)
			v.logic("VPOR", 2, 1, 1)
			v.horner(0, 10, -5.96761703e-4, 4.99119423e-3, -2.67681349e-2, 1.12819925e-1, -3.76125336e-1, 1.28379166e-1)
			v.op("VFMADD213PS", 8, 8, 0)
			v.choose(0, 1, 0, 9, 0.927734375)
		})
	}
}
