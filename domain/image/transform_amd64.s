#include "textflag.h"

// spread turns 12 bytes (lane 0: from 0, lane 1: from 4) into 4 pixels of 32 bits.
DATA spread<>+0(SB)/8, $0x8005040380020100
DATA spread<>+8(SB)/8, $0x800b0a0980080706
DATA spread<>+16(SB)/8, $0x8009080780060504
DATA spread<>+24(SB)/8, $0x800f0e0d800c0b0a
GLOBL spread<>(SB), RODATA|NOPTR, $32

// gather puts the 12 colour bytes of 4 pixels side by side.
DATA gather<>+0(SB)/8, $0x0908060504020100
DATA gather<>+8(SB)/8, $0x808080800e0d0c0a
DATA gather<>+16(SB)/8, $0x0908060504020100
DATA gather<>+24(SB)/8, $0x808080800e0d0c0a
GLOBL gather<>(SB), RODATA|NOPTR, $32

// join moves the two times 12 bytes together.
DATA join<>+0(SB)/8, $0x0000000100000000
DATA join<>+8(SB)/8, $0x0000000400000002
DATA join<>+16(SB)/8, $0x0000000600000005
DATA join<>+24(SB)/8, $0x0000000700000007
GLOBL join<>(SB), RODATA|NOPTR, $32

// LOAD reads 8 pixels at SI: red Y0, green Y1, blue Y2. Y15 spread, Y14 255.
#define LOAD \
	VMOVDQU (SI), X2 \
	VINSERTI128 $1, 8(SI), Y2, Y2 \
	VPSHUFB Y15, Y2, Y2 \
	VPAND Y14, Y2, Y0 \
	VPSRLD $8, Y2, Y1 \
	VPAND Y14, Y1, Y1 \
	VPSRLD $16, Y2, Y2

// STORE writes Y0, Y1, Y2 to 24 bytes at DI. Y13 gather, Y12 join.
#define STORE \
	VPSLLD $8, Y1, Y1 \
	VPSLLD $16, Y2, Y2 \
	VPOR Y1, Y0, Y0 \
	VPOR Y2, Y0, Y0 \
	VPSHUFB Y13, Y0, Y0 \
	VPERMD Y0, Y12, Y0 \
	VMOVDQU X0, (DI) \
	VEXTRACTI128 $1, Y0, X0 \
	VMOVQ X0, 16(DI)

// FRAME loads the constants of LOAD and STORE.
#define FRAME \
	VMOVDQU spread<>(SB), Y15 \
	VMOVDQU gather<>(SB), Y13 \
	VMOVDQU join<>(SB), Y12 \
	VPCMPEQD Y14, Y14, Y14 \
	VPSRLD $24, Y14, Y14

// func hueAVX2(dst, src *uint8, n int, shift int32)
TEXT ·hueAVX2(SB), NOSPLIT, $0-28
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), CX
	FRAME
	MOVL shift+24(FP), AX
	VMOVD AX, X11
	VPBROADCASTD X11, Y11
	VPCMPEQD Y10, Y10, Y10
	VPSRLD $31, Y10, Y10
	VPSLLD $15, Y10, Y10           // 1<<15

hueloop:
	LOAD
	VPMAXSD Y0, Y1, Y3
	VPMAXSD Y2, Y3, Y3             // largest
	VPMINSD Y0, Y1, Y4
	VPMINSD Y2, Y4, Y4             // smallest
	VPSUBD Y4, Y3, Y5              // chroma c
	VPADDD Y5, Y5, Y6              // 2c
	VPADDD Y6, Y6, Y7              // 4c
	VPSUBD Y1, Y0, Y8              // r-g
	VPADDD Y7, Y8, Y8              // hue where blue is largest
	VPSUBD Y0, Y2, Y9
	VPADDD Y6, Y9, Y9              // where green is
	VPCMPEQD Y1, Y3, Y7
	VPBLENDVB Y7, Y9, Y8, Y8
	VPSUBD Y2, Y1, Y9              // where red is
	VPCMPEQD Y0, Y3, Y7
	VPBLENDVB Y7, Y9, Y8, Y8
	VPMULLD Y11, Y5, Y9
	VPADDD Y10, Y9, Y9
	VPSRAD $16, Y9, Y9
	VPADDD Y9, Y8, Y8              // turned
	VPADDD Y6, Y5, Y7              // 3c
	VPADDD Y7, Y7, Y9              // 6c
	VPSRAD $31, Y8, Y0
	VPAND Y9, Y0, Y0
	VPADDD Y0, Y8, Y8
	VPSUBD Y9, Y8, Y8
	VPSRAD $31, Y8, Y0
	VPAND Y9, Y0, Y0
	VPADDD Y0, Y8, Y8              // in 0..6c-1
	VPXOR Y9, Y9, Y9
	VPSUBD Y7, Y8, Y0
	VPABSD Y0, Y0
	VPSUBD Y5, Y0, Y0              // |h-3c|-c
	VPSUBD Y6, Y8, Y1
	VPABSD Y1, Y1
	VPSUBD Y1, Y6, Y1              // 2c-|h-2c|
	VPADDD Y5, Y7, Y2
	VPSUBD Y2, Y8, Y2
	VPABSD Y2, Y2
	VPSUBD Y2, Y6, Y2              // 2c-|h-4c|
	VPMAXSD Y9, Y0, Y0
	VPMAXSD Y9, Y1, Y1
	VPMAXSD Y9, Y2, Y2
	VPMINSD Y5, Y0, Y0
	VPMINSD Y5, Y1, Y1
	VPMINSD Y5, Y2, Y2
	VPADDD Y4, Y0, Y0
	VPADDD Y4, Y1, Y1
	VPADDD Y4, Y2, Y2
	STORE
	ADDQ $24, SI
	ADDQ $24, DI
	DECQ CX
	JNZ hueloop
	VZEROUPPER
	RET

DATA lum<>+0(SB)/4, $19595
DATA lum<>+4(SB)/4, $38470
DATA lum<>+8(SB)/4, $7471
DATA lum<>+12(SB)/4, $32768
DATA lum<>+16(SB)/4, $4096
DATA lum<>+20(SB)/4, $2048
GLOBL lum<>(SB), RODATA|NOPTR, $24

// func saturateAVX2(dst, src *uint8, n int, factor int32)
TEXT ·saturateAVX2(SB), NOSPLIT, $0-28
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), CX
	FRAME
	MOVL factor+24(FP), AX
	VMOVD AX, X11
	VPBROADCASTD X11, Y11
	VPBROADCASTD lum<>+16(SB), Y10
	VPSUBD Y11, Y10, Y10           // 4096-factor
	VPBROADCASTD lum<>+0(SB), Y9
	VPBROADCASTD lum<>+4(SB), Y8
	VPBROADCASTD lum<>+8(SB), Y7
	VPBROADCASTD lum<>+12(SB), Y6
	VPBROADCASTD lum<>+20(SB), Y5

satloop:
	LOAD
	VPMULLD Y9, Y0, Y3
	VPMULLD Y8, Y1, Y4
	VPADDD Y4, Y3, Y3
	VPMULLD Y7, Y2, Y4
	VPADDD Y4, Y3, Y3
	VPADDD Y6, Y3, Y3
	VPSRLD $16, Y3, Y3
	VPMULLD Y10, Y3, Y3
	VPADDD Y5, Y3, Y3
	VPMULLD Y11, Y0, Y0
	VPMULLD Y11, Y1, Y1
	VPMULLD Y11, Y2, Y2
	VPADDD Y3, Y0, Y0
	VPADDD Y3, Y1, Y1
	VPADDD Y3, Y2, Y2
	VPXOR Y4, Y4, Y4
	VPSRAD $12, Y0, Y0
	VPSRAD $12, Y1, Y1
	VPSRAD $12, Y2, Y2
	VPMAXSD Y4, Y0, Y0
	VPMAXSD Y4, Y1, Y1
	VPMAXSD Y4, Y2, Y2
	VPMINSD Y14, Y0, Y0
	VPMINSD Y14, Y1, Y1
	VPMINSD Y14, Y2, Y2
	STORE
	ADDQ $24, SI
	ADDQ $24, DI
	DECQ CX
	JNZ satloop
	VZEROUPPER
	RET

// FINISH rounds the sums Y4 (low) and Y5 (high halves of each lane) to 16 bytes at DI. Y14 is 4096.
#define FINISH \
	VPADDD Y14, Y4, Y4 \
	VPADDD Y14, Y5, Y5 \
	VPSRLD $13, Y4, Y4 \
	VPSRLD $13, Y5, Y5 \
	VPACKUSDW Y5, Y4, Y4 \
	VPACKUSWB Y4, Y4, Y4 \
	VPERMQ $8, Y4, Y4 \
	VMOVDQU X4, (DI)

// func firAVX2(dst, src *uint8, n, stride int, w *uint16, pairs int)
TEXT ·firAVX2(SB), NOSPLIT, $0-48
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), CX
	MOVQ stride+24(FP), R8
	MOVQ w+32(FP), DX
	MOVQ pairs+40(FP), R9
	MOVQ R8, R12
	NEGQ R12                       // -stride
	VPBROADCASTD lum<>+16(SB), Y14

firloop:
	VPMOVZXBW (SI), Y0
	VPMOVZXBW (SI)(R8*1), Y1
	VPMOVZXBW (SI)(R12*1), Y2
	VPADDW Y2, Y1, Y1
	VPBROADCASTD (DX), Y3
	VPUNPCKLWD Y1, Y0, Y4
	VPUNPCKHWD Y1, Y0, Y5
	VPMADDWD Y3, Y4, Y4
	VPMADDWD Y3, Y5, Y5
	MOVQ R9, BX
	MOVQ DX, R13
	LEAQ (SI)(R8*2), R10
	LEAQ (SI)(R12*2), R11
	DECQ BX
	JZ firdone

firpair:
	ADDQ $4, R13
	VPMOVZXBW (R10), Y0
	VPMOVZXBW (R11), Y1
	VPADDW Y1, Y0, Y0
	VPMOVZXBW (R10)(R8*1), Y1
	VPMOVZXBW (R11)(R12*1), Y2
	VPADDW Y2, Y1, Y1
	VPBROADCASTD (R13), Y3
	VPUNPCKLWD Y1, Y0, Y6
	VPUNPCKHWD Y1, Y0, Y7
	VPMADDWD Y3, Y6, Y6
	VPMADDWD Y3, Y7, Y7
	VPADDD Y6, Y4, Y4
	VPADDD Y7, Y5, Y5
	LEAQ (R10)(R8*2), R10
	LEAQ (R11)(R12*2), R11
	DECQ BX
	JNZ firpair

firdone:
	FINISH
	ADDQ $16, SI
	ADDQ $16, DI
	DECQ CX
	JNZ firloop
	VZEROUPPER
	RET

// func lerpAVX2(dst, a, b *uint8, n int, w uint32)
TEXT ·lerpAVX2(SB), NOSPLIT, $0-36
	MOVQ dst+0(FP), DI
	MOVQ a+8(FP), SI
	MOVQ b+16(FP), DX
	MOVQ n+24(FP), CX
	MOVL w+32(FP), AX
	MOVL $8192, BX
	SUBL AX, BX
	SHLL $16, AX
	ORL BX, AX
	VMOVD AX, X3
	VPBROADCASTD X3, Y3
	VPBROADCASTD lum<>+16(SB), Y14

lerploop:
	VPMOVZXBW (SI), Y0
	VPMOVZXBW (DX), Y1
	VPUNPCKLWD Y1, Y0, Y4
	VPUNPCKHWD Y1, Y0, Y5
	VPMADDWD Y3, Y4, Y4
	VPMADDWD Y3, Y5, Y5
	FINISH
	ADDQ $16, SI
	ADDQ $16, DX
	ADDQ $16, DI
	DECQ CX
	JNZ lerploop
	VZEROUPPER
	RET

DATA turned<>+0(SB)/8, $0x0000000600000007
DATA turned<>+8(SB)/8, $0x0000000400000005
DATA turned<>+16(SB)/8, $0x0000000200000003
DATA turned<>+24(SB)/8, $0x0000000000000001
GLOBL turned<>(SB), RODATA|NOPTR, $32

// func mirrorAVX2(dst, src *uint8, n int)
TEXT ·mirrorAVX2(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), CX
	FRAME
	VMOVDQU turned<>(SB), Y11

mirrorloop:
	VMOVDQU (SI), X0
	VINSERTI128 $1, 8(SI), Y0, Y0
	VPSHUFB Y15, Y0, Y0
	VPERMD Y0, Y11, Y0
	VPSHUFB Y13, Y0, Y0
	VPERMD Y0, Y12, Y0
	VMOVDQU X0, (DI)
	VEXTRACTI128 $1, Y0, X0
	VMOVQ X0, 16(DI)
	SUBQ $24, SI
	ADDQ $24, DI
	DECQ CX
	JNZ mirrorloop
	VZEROUPPER
	RET

// func sumsAVX2(src *uint8, n int, sums *[24]uint32)
TEXT ·sumsAVX2(SB), NOSPLIT, $0-24
	MOVQ src+0(FP), SI
	MOVQ n+8(FP), CX
	MOVQ sums+16(FP), DI
	FRAME
	VPXOR Y3, Y3, Y3
	VPXOR Y4, Y4, Y4
	VPXOR Y5, Y5, Y5

sumsloop:
	LOAD
	VPADDD Y0, Y3, Y3
	VPADDD Y1, Y4, Y4
	VPADDD Y2, Y5, Y5
	ADDQ $24, SI
	DECQ CX
	JNZ sumsloop
	VMOVDQU Y3, (DI)
	VMOVDQU Y4, 32(DI)
	VMOVDQU Y5, 64(DI)
	VZEROUPPER
	RET

// func lookupVBMI(dst, src *uint8, n int, table *[256]uint8)
TEXT ·lookupVBMI(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), CX
	MOVQ table+24(FP), DX
	VMOVDQU64 (DX), Z0
	VMOVDQU64 64(DX), Z1
	VMOVDQU64 128(DX), Z2
	VMOVDQU64 192(DX), Z3

lookuploop:
	VMOVDQU64 (SI), Z4
	VMOVDQA64 Z4, Z5
	VMOVDQA64 Z4, Z6
	VPERMI2B Z1, Z0, Z5            // table[v & 127]
	VPERMI2B Z3, Z2, Z6            // table[128 + v & 127]
	VPMOVB2M Z4, K1
	VPBLENDMB Z6, Z5, K1, Z7
	VMOVDQU64 Z7, (DI)
	ADDQ $64, SI
	ADDQ $64, DI
	DECQ CX
	JNZ lookuploop
	VZEROUPPER
	RET
