package gokernel

import "math"

// curveSet are functions in assembly over n vectors of so many lanes.
type curveSet struct {
	lanes                           int
	exp, rsqrt, logistic, tanh, erf func(dst, a *float32, n int)
}

// curves is the set in use; without lanes the functions of package math run in float64.
var curves curveSet

// curve sets dst to f of a. The rest that fills no vector goes through one as well: the result for an element must not depend on
// where it stands.
func curve(lanes int, f func(dst, a *float32, n int), plain func(x float64) float64, dst, a []float32) {
	if lanes == 0 {
		for i, x := range a[:len(dst)] {
			dst[i] = float32(plain(float64(x)))
		}
		return
	}
	n := len(dst) / lanes
	if n > 0 {
		_ = a[n*lanes-1]
		f(&dst[0], &a[0], n)
	}
	if n*lanes < len(dst) {
		var rest [16]float32
		copy(rest[:], a[n*lanes:len(dst)])
		f(&rest[0], &rest[0], 1)
		copy(dst[n*lanes:], rest[:])
	}
}

// Exp sets dst[i] to exp(a[i]), to a relative error below 3e-7, here and below.
func Exp(dst, a []float32) { curve(curves.lanes, curves.exp, math.Exp, dst, a) }

// Rsqrt sets dst[i] to 1/sqrt(a[i]).
func Rsqrt(dst, a []float32) {
	curve(curves.lanes, curves.rsqrt, func(x float64) float64 { return 1 / math.Sqrt(x) }, dst, a)
}

// Logistic sets dst[i] to 1/(1+exp(-a[i])).
func Logistic(dst, a []float32) {
	curve(curves.lanes, curves.logistic, func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }, dst, a)
}

// Tanh sets dst[i] to tanh(a[i]).
func Tanh(dst, a []float32) { curve(curves.lanes, curves.tanh, math.Tanh, dst, a) }

// Erf sets dst[i] to erf(a[i]).
func Erf(dst, a []float32) { curve(curves.lanes, curves.erf, math.Erf, dst, a) }

// unaries are the loops in assembly over n groups of 8; nil where there is none.
var unaries struct {
	neg, abs, not, one func(dst, a *float32, n int)
	masks              func(dst *float32, a *bool, n int)
	bools              func(dst *bool, a *float32, n int)
	sums, tops         func(dst, a *float32, n, stride, rows int)
}

func unary(v func(dst, a *float32, n int), dst, a []float32, and, xor uint32) {
	i := 0
	if n := len(dst) / 8; v != nil && n > 0 {
		_ = a[8*n-1]
		v(&dst[0], &a[0], n)
		i = 8 * n
	}
	for ; i < len(dst); i++ {
		dst[i] = math.Float32frombits(math.Float32bits(a[i])&and ^ xor)
	}
}

// Neg sets dst[i] to -a[i].
func Neg(dst, a []float32) { unary(unaries.neg, dst, a, math.MaxUint32, 1<<31) }

// Abs sets dst[i] to |a[i]|.
func Abs(dst, a []float32) { unary(unaries.abs, dst, a, 1<<31-1, 0) }

// Not turns masks around.
func Not(dst, a []float32) { unary(unaries.not, dst, a, math.MaxUint32, math.MaxUint32) }

// Ones turns masks to 0 and 1.
func Ones(dst, a []float32) { unary(unaries.one, dst, a, math.Float32bits(1), 0) }

// Masks turns Bools to masks.
func Masks(dst []float32, a []bool) {
	i := 0
	if n := len(dst) / 8; unaries.masks != nil && n > 0 {
		_ = a[8*n-1]
		unaries.masks(&dst[0], &a[0], n)
		i = 8 * n
	}
	for ; i < len(dst); i++ {
		dst[i] = mask(a[i])
	}
}

// Bools turns masks to Bools.
func Bools(dst []bool, a []float32) {
	i := 0
	if n := len(dst) / 8; unaries.bools != nil && n > 0 {
		_ = a[8*n-1]
		unaries.bools(&dst[0], &a[0], n)
		i = 8 * n
	}
	for ; i < len(dst); i++ {
		dst[i] = math.Float32bits(a[i]) != 0
	}
}
