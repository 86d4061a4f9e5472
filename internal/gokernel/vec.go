package gokernel

import "math"

// True is the mask element of a true comparison: all bits set. False is 0.
var True = math.Float32frombits(math.MaxUint32)

func mask(b bool) float32 {
	if b {
		return True
	}
	return 0
}

// vectors are the loops in assembly over n groups of 8; nil where there is none.
var vectors struct {
	add, sub, mul, div, max, min, gt, ge, eq, ne, and, or, xor func(dst, a, b *float32, n int)
}

// binary runs v on whole groups of 8 and returns the number of elements done.
func binary(v func(dst, a, b *float32, n int), dst, a, b []float32) int {
	n := len(dst) / 8
	if v == nil || n == 0 {
		return 0
	}
	_, _ = a[8*n-1], b[8*n-1]
	v(&dst[0], &a[0], &b[0], n)
	return 8 * n
}

// Add sets dst[i] to a[i] + b[i]; a and b have at least the length of dst, here and below, and dst may be one of them.
func Add(dst, a, b []float32) {
	for i := binary(vectors.add, dst, a, b); i < len(dst); i++ {
		dst[i] = a[i] + b[i]
	}
}

// Sub sets dst[i] to a[i] - b[i].
func Sub(dst, a, b []float32) {
	for i := binary(vectors.sub, dst, a, b); i < len(dst); i++ {
		dst[i] = a[i] - b[i]
	}
}

// Mul sets dst[i] to a[i] * b[i].
func Mul(dst, a, b []float32) {
	for i := binary(vectors.mul, dst, a, b); i < len(dst); i++ {
		dst[i] = a[i] * b[i]
	}
}

// Div sets dst[i] to a[i] / b[i].
func Div(dst, a, b []float32) {
	for i := binary(vectors.div, dst, a, b); i < len(dst); i++ {
		dst[i] = a[i] / b[i]
	}
}

// Max sets dst[i] to the greater of a[i] and b[i], NaN where one is NaN.
func Max(dst, a, b []float32) {
	for i := binary(vectors.max, dst, a, b); i < len(dst); i++ {
		dst[i] = max(a[i], b[i])
	}
}

// Min sets dst[i] to the lesser of a[i] and b[i], NaN where one is NaN.
func Min(dst, a, b []float32) {
	for i := binary(vectors.min, dst, a, b); i < len(dst); i++ {
		dst[i] = min(a[i], b[i])
	}
}

// Greater sets dst[i] to the mask of a[i] > b[i].
func Greater(dst, a, b []float32) {
	for i := binary(vectors.gt, dst, a, b); i < len(dst); i++ {
		dst[i] = mask(a[i] > b[i])
	}
}

// GreaterOrEqual sets dst[i] to the mask of a[i] >= b[i].
func GreaterOrEqual(dst, a, b []float32) {
	for i := binary(vectors.ge, dst, a, b); i < len(dst); i++ {
		dst[i] = mask(a[i] >= b[i])
	}
}

// Equal sets dst[i] to the mask of a[i] == b[i].
func Equal(dst, a, b []float32) {
	for i := binary(vectors.eq, dst, a, b); i < len(dst); i++ {
		dst[i] = mask(a[i] == b[i])
	}
}

// NotEqual sets dst[i] to the mask of a[i] != b[i].
func NotEqual(dst, a, b []float32) {
	for i := binary(vectors.ne, dst, a, b); i < len(dst); i++ {
		dst[i] = mask(a[i] != b[i])
	}
}

// Same sets dst[i] to the mask of equal bits of a[i] and b[i].
func Same(dst, a, b []float32) {
	for i := range dst {
		dst[i] = mask(math.Float32bits(a[i]) == math.Float32bits(b[i]))
	}
}

func bits(f func(a, b uint32) uint32, a, b float32) float32 {
	return math.Float32frombits(f(math.Float32bits(a), math.Float32bits(b)))
}

// And, Or and Xor combine masks.
func And(dst, a, b []float32) {
	for i := binary(vectors.and, dst, a, b); i < len(dst); i++ {
		dst[i] = bits(func(a, b uint32) uint32 { return a & b }, a[i], b[i])
	}
}

// Or combines masks.
func Or(dst, a, b []float32) {
	for i := binary(vectors.or, dst, a, b); i < len(dst); i++ {
		dst[i] = bits(func(a, b uint32) uint32 { return a | b }, a[i], b[i])
	}
}

// Xor combines masks.
func Xor(dst, a, b []float32) {
	for i := binary(vectors.xor, dst, a, b); i < len(dst); i++ {
		dst[i] = bits(func(a, b uint32) uint32 { return a ^ b }, a[i], b[i])
	}
}

var selectVector func(dst, mask, a, b *float32, n int)

// Select sets dst[i] to a[i] where m[i] is true, else to b[i].
func Select(dst, m, a, b []float32) {
	i := 0
	if n := len(dst) / 8; selectVector != nil && n > 0 {
		_, _, _ = m[8*n-1], a[8*n-1], b[8*n-1]
		selectVector(&dst[0], &m[0], &a[0], &b[0], n)
		i = 8 * n
	}
	for ; i < len(dst); i++ {
		if math.Float32bits(m[i]) != 0 {
			dst[i] = a[i]
		} else {
			dst[i] = b[i]
		}
	}
}

var sqrtVector func(dst, a *float32, n int)

// Sqrt sets dst[i] to the square root of a[i].
func Sqrt(dst, a []float32) {
	i := 0
	if n := len(dst) / 8; sqrtVector != nil && n > 0 {
		_ = a[8*n-1]
		sqrtVector(&dst[0], &a[0], n)
		i = 8 * n
	}
	for ; i < len(dst); i++ {
		dst[i] = float32(math.Sqrt(float64(a[i])))
	}
}

var sumColumns32, sumColumns8 func(dst, a *float32, stride, rows int)

// SumColumns adds the rows of a `[rows, len(dst)]` to dst.
func SumColumns(dst, a []float32, rows int) {
	c := len(dst)
	if rows == 0 || c == 0 {
		return
	}
	_ = a[rows*c-1]
	j := 0
	if sumColumns8 != nil {
		for ; j+32 <= c; j += 32 {
			sumColumns32(&dst[j], &a[j], 4*c, rows)
		}
		for ; j+8 <= c; j += 8 {
			sumColumns8(&dst[j], &a[j], 4*c, rows)
		}
	}
	if j == c {
		return
	}
	for r := range rows {
		row := a[r*c : (r+1)*c]
		for i := j; i < c; i++ {
			dst[i] += row[i]
		}
	}
}

// SumRows sets dst[i] to the sum of row i of a `[len(dst), n]`, in eight running sums.
func SumRows(dst, a []float32, n int) {
	done := 0
	if k := n / 8; unaries.sums != nil && k > 0 && len(dst) > 0 {
		_ = a[len(dst)*n-1]
		unaries.sums(&dst[0], &a[0], k, 4*n, len(dst))
		done = 8 * k
	}
	for i := range dst {
		row := a[i*n : (i+1)*n]
		if done == 0 {
			var s [8]float32
			k := n &^ 7
			for j := 0; j < k; j += 8 {
				for l, x := range row[j : j+8] {
					s[l] += x
				}
			}
			dst[i] = ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]))
			row = row[k:]
		} else {
			row = row[done:]
		}
		for _, x := range row {
			dst[i] += x
		}
	}
}

// MaxRows sets dst[i] to the greatest element of row i of a `[len(dst), n]`, NaN where one is NaN, -Inf where n is 0.
func MaxRows(dst, a []float32, n int) {
	done := 0
	if k := n / 8; unaries.tops != nil && k > 0 && len(dst) > 0 {
		_ = a[len(dst)*n-1]
		unaries.tops(&dst[0], &a[0], k, 4*n, len(dst))
		done = 8 * k
	}
	for i := range dst {
		m := float32(math.Inf(-1))
		if done > 0 {
			m = dst[i]
		}
		for _, x := range a[i*n+done : (i+1)*n] {
			m = max(m, x)
		}
		dst[i] = m
	}
}

// Reduce sums (or takes the maximum of) src `[outer, run, inner]` over its middle axis: dst `[outer, inner]`.
func Reduce(threads int, dst, src []float32, outer, run, inner int, greatest bool) {
	per := max((1<<14)/max(run*inner, 1), 1)
	Parallel(threads, (outer+per-1)/per, func(task int) {
		for o := task * per; o < min((task+1)*per, outer); o++ {
			in := src[o*run*inner : (o+1)*run*inner]
			to := dst[o*inner : (o+1)*inner]
			switch {
			case inner == 1 && greatest:
				MaxRows(to, in, run)
			case inner == 1:
				SumRows(to, in, run)
			case greatest:
				for i := range to {
					to[i] = float32(math.Inf(-1))
				}
				for k := range run {
					Max(to, to, in[k*inner:(k+1)*inner])
				}
			default:
				clear(to)
				SumColumns(to, in, run)
			}
		}
	})
}

// Fill sets every element of dst to v.
func Fill(dst []float32, v float32) {
	n := min(len(dst), 16)
	for i := range dst[:n] {
		dst[i] = v
	}
	for n < len(dst) { // memmove fills faster than a loop
		n += copy(dst[n:], dst[:n])
	}
}
