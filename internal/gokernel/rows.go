package gokernel

// Gather copies rows of d floats of src `[rows, d]`: row i of dst is row index[i], which is brought into range first.
func Gather(threads int, dst, src []float32, index []int32, rows, d int) {
	per := max((1<<14)/max(d, 1), 1)
	Parallel(threads, (len(index)+per-1)/per, func(task int) {
		for i := task * per; i < min((task+1)*per, len(index)); i++ {
			at := max(min(int(index[i]), rows-1), 0)
			copy(dst[i*d:(i+1)*d], src[at*d:(at+1)*d])
		}
	})
}

// Scatter adds row i of updates `[len(index), d]` to row index[i] of dst `[rows, d]` (or takes the maximum of both), in order of i;
// rows out of range are skipped.
func Scatter(threads int, dst, updates []float32, index []int32, rows, d int, greatest bool) {
	const width = 32 // columns of a task
	Parallel(threads, (d+width-1)/width, func(task int) {
		from, to := task*width, min((task+1)*width, d)
		for i, at := range index {
			if at < 0 || int(at) >= rows {
				continue
			}
			row := dst[int(at)*d+from : int(at)*d+to]
			if greatest {
				Max(row, row, updates[i*d+from:i*d+to])
			} else {
				Add(row, row, updates[i*d+from:i*d+to])
			}
		}
	})
}

// Copy copies src to dst, which has its length.
func Copy(threads int, dst, src []float32) {
	const grain = 1 << 16
	Parallel(threads, (len(src)+grain-1)/grain, func(task int) {
		copy(dst[task*grain:], src[task*grain:min((task+1)*grain, len(src))])
	})
}
