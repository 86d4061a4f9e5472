// Command gen writes kernels_amd64.s: the inner loops of package gokernel for AVX2 and AVX-512.
package main

import (
	"bytes"
	"fmt"
	"os"
)

var out bytes.Buffer

func p(format string, a ...any) { fmt.Fprintf(&out, format+"\n", a...) }

// row is the address of row m of a tile whose first row is at base, with the row step in step, three
// steps in three, and base+4*step in far.
func row(m int, base, step, three, far string) string {
	switch m {
	case 0:
		return "(" + base + ")"
	case 1, 2, 4:
		return fmt.Sprintf("(%s)(%s*%d)", base, step, m)
	case 3:
		return fmt.Sprintf("(%s)(%s*1)", base, three)
	case 5:
		return fmt.Sprintf("(%s)(%s*1)", far, step)
	case 6:
		return fmt.Sprintf("(%s)(%s*2)", far, step)
	}
	return fmt.Sprintf("(%s)(%s*1)", far, three)
}

// tile writes the micro-kernel of mr rows by two vectors: see type tile in gokernel. With pairs the terms are pairs of bfloat16.
func tile(isa string, reg string, width, mr, b0, b1, bc, nbc int, pairs bool) {
	name := fmt.Sprintf("tile%s%d", isa, mr)
	if pairs {
		name = fmt.Sprintf("tileBF16x%d", mr)
	}
	p("\n// func %s(t *tile)", name)
	p("TEXT ·%s(SB), NOSPLIT, $0-8", name)
	p("\tMOVQ t+0(FP), DI")
	p("\tMOVQ 0(DI), R8")   // a
	p("\tMOVQ 8(DI), R9")   // rs
	p("\tMOVQ 16(DI), R12") // cs
	p("\tMOVQ 24(DI), AX")  // k0
	p("\tMOVQ 32(DI), CX")  // k1
	p("\tMOVQ 40(DI), R13") // aJump
	p("\tMOVQ 48(DI), SI")  // b
	p("\tMOVQ 56(DI), BX")  // ldb
	p("\tLEAQ (R9)(R9*2), R10")
	if mr > 5 {
		p("\tLEAQ (R8)(R9*4), R11")
	}
	for i := range 2 * mr {
		if isa == "512" {
			p("\tVPXORQ %s%d, %s%d, %s%d", reg, i, reg, i, reg, i)
		} else {
			p("\tVXORPS %s%d, %s%d, %s%d", reg, i, reg, i, reg, i)
		}
	}
	p("outer:")
	p("\tMOVQ AX, DX")
	p("inner:")
	p("\tVMOVUPS (SI), %s%d", reg, b0)
	p("\tVMOVUPS %d(SI), %s%d", 4*width, reg, b1)
	for m := range mr {
		c := bc + m%nbc
		p("\tVBROADCASTSS %s, %s%d", row(m, "R8", "R9", "R10", "R11"), reg, c)
		if pairs {
			dpbf16(2*m, b0, c)
			dpbf16(2*m+1, b1, c)
			continue
		}
		p("\tVFMADD231PS %s%d, %s%d, %s%d", reg, b0, reg, c, reg, 2*m)
		p("\tVFMADD231PS %s%d, %s%d, %s%d", reg, b1, reg, c, reg, 2*m+1)
	}
	p("\tADDQ R12, R8")
	if mr > 5 {
		p("\tADDQ R12, R11")
	}
	p("\tADDQ BX, SI")
	p("\tDECQ DX")
	p("\tJNZ inner")
	p("\tADDQ R13, R8")
	if mr > 5 {
		p("\tADDQ R13, R11")
	}
	p("\tDECQ CX")
	p("\tJNZ outer")
	p("\tMOVQ 64(DI), R8") // c
	p("\tMOVQ 72(DI), R9") // ldc
	p("\tMOVQ 80(DI), AX") // add
	p("\tTESTQ AX, AX")
	p("\tJZ store")
	for range 1 {
		p("\tMOVQ R8, SI")
		for m := range mr {
			p("\tVADDPS (SI), %s%d, %s%d", reg, 2*m, reg, 2*m)
			p("\tVADDPS %d(SI), %s%d, %s%d", 4*width, reg, 2*m+1, reg, 2*m+1)
			p("\tADDQ R9, SI")
		}
	}
	p("store:")
	for m := range mr {
		p("\tVMOVUPS %s%d, (R8)", reg, 2*m)
		p("\tVMOVUPS %s%d, %d(R8)", reg, 2*m+1, 4*width)
		p("\tADDQ R9, R8")
	}
	p("\tVZEROUPPER")
	p("\tRET")
}

// narrow writes the micro-kernel of mr rows, up to 16, by one vector.
func narrow(mr int, pairs bool) {
	name := fmt.Sprintf("tileNarrow%d", mr)
	if pairs {
		name = fmt.Sprintf("tileNarrowBF16x%d", mr)
	}
	p("\n// func %s(t *tile)", name)
	p("TEXT ·%s(SB), NOSPLIT, $0-8", name)
	p("\tMOVQ t+0(FP), DI")
	p("\tMOVQ 0(DI), R8")   // a
	p("\tMOVQ 8(DI), R9")   // rs
	p("\tMOVQ 16(DI), R12") // cs
	p("\tMOVQ 24(DI), AX")  // k0
	p("\tMOVQ 32(DI), CX")  // k1
	p("\tMOVQ 40(DI), R13") // aJump
	p("\tMOVQ 48(DI), SI")  // b
	p("\tMOVQ 56(DI), BX")  // ldb
	p("\tLEAQ (R9)(R9*2), R10")
	bases := []string{"R8", "R11", "R14", "DI"}[:(mr+3)/4] // of four rows each
	for i := 1; i < len(bases); i++ {
		p("\tLEAQ (%s)(R9*4), %s", bases[i-1], bases[i])
	}
	for i := range mr {
		p("\tVPXORQ Z%d, Z%d, Z%d", i, i, i)
	}
	p("outer:")
	p("\tMOVQ AX, DX")
	p("inner:")
	p("\tVMOVUPS (SI), Z16")
	for m := range mr {
		at := row(m%4, bases[m/4], "R9", "R10", "")
		if pairs {
			c := 17 + m%8
			p("\tVBROADCASTSS %s, Z%d", at, c)
			dpbf16(m, 16, c)
			continue
		}
		p("\tVFMADD231PS.BCST %s, Z16, Z%d", at, m)
	}
	for _, b := range bases {
		p("\tADDQ R12, %s", b)
	}
	p("\tADDQ BX, SI")
	p("\tDECQ DX")
	p("\tJNZ inner")
	for _, b := range bases {
		p("\tADDQ R13, %s", b)
	}
	p("\tDECQ CX")
	p("\tJNZ outer")
	p("\tMOVQ t+0(FP), DI")
	p("\tMOVQ 64(DI), R8") // c
	p("\tMOVQ 72(DI), R9") // ldc
	p("\tMOVQ 80(DI), AX") // add
	p("\tTESTQ AX, AX")
	p("\tJZ store")
	p("\tMOVQ R8, SI")
	for m := range mr {
		p("\tVADDPS (SI), Z%d, Z%d", m, m)
		p("\tADDQ R9, SI")
	}
	p("store:")
	for m := range mr {
		p("\tVMOVUPS Z%d, (R8)", m)
		p("\tADDQ R9, R8")
	}
	p("\tVZEROUPPER")
	p("\tRET")
}

// binary writes dst[i] = a[i] op b[i] for n groups of 8.
func binary(name string, body func()) {
	p("\n// func %s(dst, a, b *float32, n int)", name)
	p("TEXT ·%s(SB), NOSPLIT, $0-32", name)
	p("\tMOVQ dst+0(FP), DI")
	p("\tMOVQ a+8(FP), SI")
	p("\tMOVQ b+16(FP), DX")
	p("\tMOVQ n+24(FP), CX")
	p("\tVPCMPEQD Y15, Y15, Y15")
	p("\tXORQ AX, AX")
	p("loop:")
	p("\tVMOVUPS (SI)(AX*1), Y0")
	p("\tVMOVUPS (DX)(AX*1), Y1")
	body()
	p("\tVMOVUPS Y0, (DI)(AX*1)")
	p("\tADDQ $32, AX")
	p("\tDECQ CX")
	p("\tJNZ loop")
	p("\tVZEROUPPER")
	p("\tRET")
}

func main() {
	p("// Code generated by internal/gokernel/gen. DO NOT EDIT.\n")
	p("#include \"textflag.h\"")
	for mr := 1; mr <= 8; mr++ {
		tile("512", "Z", 16, mr, 16, 17, 18, 6, false)
		tile("512", "Z", 16, mr, 16, 17, 18, 6, true)
	}
	for mr := 1; mr <= 16; mr++ {
		narrow(mr, false)
		narrow(mr, true)
	}
	for mr := 1; mr <= 6; mr++ {
		tile("256", "Y", 8, mr, 12, 13, 14, 2, false)
	}
	for _, op := range []string{"add", "sub", "mul", "div"} {
		binary(op+"AVX2", func() {
			p("\tV%sPS Y1, Y0, Y0", map[string]string{"add": "ADD", "sub": "SUB", "mul": "MUL", "div": "DIV"}[op])
		})
	}
	// VMAXPS gives its second source where one is NaN; where the first is NaN that one is taken back.
	for _, op := range []string{"max", "min"} {
		binary(op+"AVX2", func() {
			p("\tV%sPS Y1, Y0, Y2", map[string]string{"max": "MAX", "min": "MIN"}[op])
			p("\tVCMPPS $3, Y0, Y0, Y3")
			p("\tVBLENDVPS Y3, Y0, Y2, Y0")
		})
	}
	for _, c := range []struct {
		name string
		pred int
	}{{"gt", 0x1e}, {"ge", 0x1d}, {"eq", 0}, {"ne", 4}} {
		binary(c.name+"AVX2", func() { p("\tVCMPPS $%d, Y1, Y0, Y0", c.pred) })
	}
	binary("andAVX2", func() { p("\tVANDPS Y1, Y0, Y0") })
	binary("orAVX2", func() { p("\tVORPS Y1, Y0, Y0") })
	binary("xorAVX2", func() { p("\tVXORPS Y1, Y0, Y0") })

	p("\n// func selectAVX2(dst, mask, a, b *float32, n int)")
	p("TEXT ·selectAVX2(SB), NOSPLIT, $0-40")
	p("\tMOVQ dst+0(FP), DI")
	p("\tMOVQ mask+8(FP), BX")
	p("\tMOVQ a+16(FP), SI")
	p("\tMOVQ b+24(FP), DX")
	p("\tMOVQ n+32(FP), CX")
	p("\tXORQ AX, AX")
	p("loop:")
	p("\tVMOVUPS (BX)(AX*1), Y0")
	p("\tVMOVUPS (SI)(AX*1), Y1")
	p("\tVMOVUPS (DX)(AX*1), Y2")
	p("\tVBLENDVPS Y0, Y1, Y2, Y0")
	p("\tVMOVUPS Y0, (DI)(AX*1)")
	p("\tADDQ $32, AX")
	p("\tDECQ CX")
	p("\tJNZ loop")
	p("\tVZEROUPPER")
	p("\tRET")

	p("\n// func sqrtAVX2(dst, a *float32, n int)")
	p("TEXT ·sqrtAVX2(SB), NOSPLIT, $0-24")
	p("\tMOVQ dst+0(FP), DI")
	p("\tMOVQ a+8(FP), SI")
	p("\tMOVQ n+16(FP), CX")
	p("\tXORQ AX, AX")
	p("loop:")
	p("\tVSQRTPS (SI)(AX*1), Y0")
	p("\tVMOVUPS Y0, (DI)(AX*1)")
	p("\tADDQ $32, AX")
	p("\tDECQ CX")
	p("\tJNZ loop")
	p("\tVZEROUPPER")
	p("\tRET")

	// Column sums of 32 (or 8) columns at a time.
	for _, c := range []struct {
		name string
		n    int
	}{{"sumColumns32AVX2", 4}, {"sumColumns8AVX2", 1}} {
		p("\n// func %s(dst, a *float32, stride, rows int)", c.name)
		p("TEXT ·%s(SB), NOSPLIT, $0-32", c.name)
		p("\tMOVQ dst+0(FP), DI")
		p("\tMOVQ a+8(FP), SI")
		p("\tMOVQ stride+16(FP), DX")
		p("\tMOVQ rows+24(FP), CX")
		for i := range c.n {
			p("\tVMOVUPS %d(DI), Y%d", 32*i, i)
		}
		p("loop:")
		for i := range c.n {
			p("\tVADDPS %d(SI), Y%d, Y%d", 32*i, i, i)
		}
		p("\tADDQ DX, SI")
		p("\tDECQ CX")
		p("\tJNZ loop")
		for i := range c.n {
			p("\tVMOVUPS Y%d, %d(DI)", i, 32*i)
		}
		p("\tVZEROUPPER")
		p("\tRET")
	}
	unaries()
	rowReductions()
	halves()
	halfMemory()
	functions()
	constants()
	if err := os.WriteFile("kernels_amd64.s", out.Bytes(), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}
