package gokernel

// Move copies a box of dims from src to dst, whose steps along each axis are given in elements (0 repeats, negative
// reverses); dst and src start at their first elements of the box.
func Move(threads int, dst, src []float32, dst0, src0 int, dims, dstStep, srcStep []int) {
	var d, ds, ss []int
	for i, n := range dims {
		if n == 0 {
			return
		}
		if n == 1 {
			continue
		}
		if k := len(d) - 1; k >= 0 && ds[k] == n*dstStep[i] && ss[k] == n*srcStep[i] { // one run with the axis before
			d[k], ds[k], ss[k] = d[k]*n, dstStep[i], srcStep[i]
			continue
		}
		d, ds, ss = append(d, n), append(ds, dstStep[i]), append(ss, srcStep[i])
	}
	if len(d) == 0 {
		dst[dst0] = src[src0]
		return
	}
	last := len(d) - 1
	n, a, b := d[last], ds[last], ss[last]
	lines := 1
	for _, m := range d[:last] {
		lines *= m
	}
	line := func(to, from, n int) {
		switch {
		case a == 1 && b == 1:
			copy(dst[to:to+n], src[from:from+n])
		case a == 1 && b == 0:
			x := src[from]
			for i := range dst[to : to+n] {
				dst[to+i] = x
			}
		default:
			for range n {
				dst[to] = src[from]
				to, from = to+a, from+b
			}
		}
	}
	const grain = 1 << 14
	if lines == 1 {
		Parallel(threads, (n+grain-1)/grain, func(t int) {
			i := t * grain
			line(dst0+i*a, src0+i*b, min(grain, n-i))
		})
		return
	}
	per := max(grain/n, 1)
	Parallel(threads, (lines+per-1)/per, func(t int) {
		first := t * per
		index := make([]int, last)
		to, from := dst0, src0
		for i, rest := last-1, first; i >= 0; i-- {
			index[i] = rest % d[i]
			rest /= d[i]
			to, from = to+index[i]*ds[i], from+index[i]*ss[i]
		}
		for range min(per, lines-first) {
			line(to, from, n)
			for i := last - 1; i >= 0; i-- {
				index[i]++
				to, from = to+ds[i], from+ss[i]
				if index[i] < d[i] {
					break
				}
				to, from = to-d[i]*ds[i], from-d[i]*ss[i]
				index[i] = 0
			}
		}
	})
}
