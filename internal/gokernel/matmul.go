package gokernel

import "unsafe"

// Matrices are the operands of a batched matrix product `[batch, m, k] x [batch, k, n]`: element (i, j) of matrix b of A
// is A[b*ABatch + i*ARow + j*ACol], and B likewise.
type Matrices struct {
	Batch, M, N, K     int
	ABatch, ARow, ACol int
	BBatch, BRow, BCol int
	Half               bool // round A and B to bfloat16 where HasBF16
}

const (
	depth = 256     // terms summed before they are added to the result
	most  = 4 << 20 // words of B packed at a time
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
	s.Half = s.Half && HasBF16()
	if s.Batch > 1 {
		Parallel(threads, s.Batch, func(i int) {
			matmul(1, dst[i*s.M*s.N:(i+1)*s.M*s.N], a[i*s.ABatch:], b[i*s.BBatch:], s)
		})
		return
	}
	if parts := min(s.K/512, 16); parts > 1 && s.K >= 2*max(s.M, s.N) && parts*s.M*s.N <= most { // few results of long sums
		split(threads, parts, dst, a, b, s)
		return
	}
	matmul(threads, dst, a, b, s)
}

// split sums parts of the terms apart and then adds the sums up.
func split(threads, parts int, dst, a, b []float32, s Matrices) {
	size := s.M * s.N
	sums := Scratch(parts * size)
	defer Release(sums)
	at := func(part int) int { return part * s.K / parts / depth * depth } // whole blocks, so that pairs stay pairs
	Parallel(threads, parts, func(part int) {
		q, from := s, at(part)
		q.K = at(part+1) - from
		if part == parts-1 {
			q.K = s.K - from
		}
		matmul(1, (*sums)[part*size:(part+1)*size], a[from*s.ACol:], b[from*s.BRow:], q)
	})
	const grain = 1 << 12
	Parallel(threads, (size+grain-1)/grain, func(task int) {
		from, to := task*grain, min((task+1)*grain, size)
		copy(dst[from:to], (*sums)[from:to])
		for part := 1; part < parts; part++ {
			Add(dst[from:to], dst[from:to], (*sums)[part*size+from:part*size+to])
		}
	})
}

func matmul(threads int, dst, a, b []float32, s Matrices) {
	mk := micro.of(s.N)
	nr := mk.nr
	per := 1 // elements in a term
	if s.Half {
		per = 2
	}
	panels := (s.N + nr - 1) / nr
	terms := (s.K + per - 1) / per
	round := min(terms, max(most/(panels*nr)/depth, 1)*depth) // terms packed at a time
	packed := Scratch(panels * round * nr)
	defer Release(packed)
	chunk := 64 // rows of A in a task
	if threads == 1 && s.ACol != 1 {
		chunk = 256 // columns of A in memory are read in longer runs
	}
	spread := chunk + 16 // words from a term of packed rows to the next: an odd number of cache lines
	rowTasks := (s.M + chunk - 1) / chunk
	groups := 1 // of panels: more tasks where there are few rows
	if rowTasks < 16 {
		groups = min(panels, (16+rowTasks-1)/rowTasks)
	}
	direct := s.ACol == 1 && !s.Half // rows are read where they are
	for first := 0; first < terms; first += round {
		k := min(round, terms-first)
		blocks := (k + depth - 1) / depth
		bp := *packed
		// Panels of a block of terms lie together: [block][panel][depth][nr].
		Parallel(threads, panels*blocks, func(task int) {
			p, from := task%panels, task/panels*depth
			n := min(depth, k-from)
			to := bp[(from*panels+p*n)*nr:][:n*nr]
			if s.Half {
				packPairs(to, b[(first+from)*2*s.BRow:], p*nr, n, s.K-(first+from)*2, s.N, s.BRow, s.BCol, nr)
			} else {
				pack(to, b[(first+from)*s.BRow:], p*nr, n, s.N, s.BRow, s.BCol, nr)
			}
		})
		Parallel(threads, rowTasks*groups, func(task int) {
			buf := Scratch(room + max(depth*spread, chunk*(depth+16)))
			defer Release(buf)
			rest, ap := (*buf)[:room], (*buf)[room:]
			r := task / groups * chunk
			m := min(chunk, s.M-r)
			g := task % groups
			t := &tile{k1: 1, ldb: 4 * nr, kernel: mk, half: s.Half}
			for from := 0; from < k; from += depth {
				n := min(depth, k-from)
				at := (first + from) * per
				rows := a[r*s.ARow+at*s.ACol:]
				switch {
				case direct:
					t.rs, t.cs = 4*s.ARow, 4
					ap = rows
				case s.Half && s.ACol == 1:
					t.rs, t.cs = 4*(n+16), 4
					for i := range m {
						roundTo(ap[i*(n+16):i*(n+16)+n], rows[i*s.ARow:][:min(2*n, s.K-at)])
					}
				default:
					t.rs, t.cs = 4, 4*spread
					if s.Half {
						packPairs(ap, rows, 0, n, s.K-at, m, s.ACol, s.ARow, spread)
					} else {
						pack(ap, rows, 0, n, m, s.ACol, s.ARow, spread)
					}
				}
				t.a, t.k0, t.add = unsafe.Pointer(&ap[0]), n, 0
				if first+from > 0 {
					t.add = 1
				}
				for p := g * panels / groups; p < (g+1)*panels/groups; p++ {
					t.b = unsafe.Pointer(&bp[(from*panels+p*n)*nr])
					t.rowsOf(m, s.N-p*nr, dst[r*s.N+p*nr:], s.N, rest)
				}
			}
		})
	}
}
