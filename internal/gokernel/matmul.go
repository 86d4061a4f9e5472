package gokernel

import "unsafe"

// Matrices are the operands of a batched matrix product `[batch, m, k] x [batch, k, n]`: element (i, j) of matrix b of A
// is A[b*ABatch + i*ARow + j*ACol], and B likewise.
type Matrices struct {
	Batch, M, N, K     int
	ABatch, ARow, ACol int
	BBatch, BRow, BCol int
}

const (
	depth = 384 // terms summed before they are added to the result
	chunk = 64  // rows of A in a task
)

// MatMul sets dst `[batch, m, n]` to the products of a and b.
func MatMul(threads int, dst, a, b []float32, s Matrices) {
	if s.Batch == 0 || s.M == 0 || s.N == 0 {
		return
	}
	if s.K == 0 {
		clear(dst[:s.Batch*s.M*s.N])
		return
	}
	if s.Batch > 1 {
		Parallel(threads, s.Batch, func(i int) {
			matmul(1, dst[i*s.M*s.N:(i+1)*s.M*s.N], a[i*s.ABatch:], b[i*s.BBatch:], s)
		})
		return
	}
	matmul(threads, dst, a, b, s)
}

func matmul(threads int, dst, a, b []float32, s Matrices) {
	nr := micro.nr
	panels := (s.N + nr - 1) / nr
	packed := Scratch(panels * min(depth, s.K) * nr)
	defer Release(packed)
	bp := *packed
	rowTasks := (s.M + chunk - 1) / chunk
	groups := 1 // of panels: more tasks where there are few rows
	if rowTasks < 16 {
		groups = min(panels, (16+rowTasks-1)/rowTasks)
	}
	for from := 0; from < s.K; from += depth {
		k := min(depth, s.K-from)
		Parallel(threads, panels, func(p int) {
			pack(bp[p*k*nr:(p+1)*k*nr], b[from*s.BRow:], p*nr, k, s.N, s.BRow, s.BCol, nr)
		})
		Parallel(threads, rowTasks*groups, func(task int) {
			buf := Scratch(8 * nr)
			defer Release(buf)
			r := task / groups * chunk
			g := task % groups
			t := &tile{
				a: unsafe.Pointer(&a[r*s.ARow+from*s.ACol]), rs: 4 * s.ARow, cs: 4 * s.ACol, k0: k, k1: 1,
				ldb: 4 * nr,
			}
			if from > 0 {
				t.add = 1
			}
			for p := g * panels / groups; p < (g+1)*panels/groups; p++ {
				t.b = unsafe.Pointer(&bp[p*k*nr])
				t.rowsOf(min(chunk, s.M-r), s.N-p*nr, dst[r*s.N+p*nr:], s.N, *buf)
			}
		})
	}
}
