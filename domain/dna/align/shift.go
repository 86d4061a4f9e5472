package align

// shiftLeft moves every gap as far to the left in a as the bases allow without a further edit. a is the aligned part, to its
// columns, b the read up to the end of the alignment. A gap that meets another of its kind joins it and they move on together.
func shiftLeft(a, b []uint8, to []int32) {
	for i := 1; i <= len(to); i++ {
		switch {
		case i < len(to) && to[i] < 0:
			i = shiftDeletion(a, b, to, i) - 1
		case to[i-1] >= 0:
			// The bases of b in (to[p-1], next) are inserted.
			next := int32(len(b))
			if i < len(to) {
				next = to[i]
			}
			for p := i; p > 0 && to[p-1] >= 0 && next > to[p-1]+1 && a[p-1] == b[next-1]; p-- {
				next--
				to[p-1] = next
			}
		}
	}
}

// shiftDeletion moves the deletion that begins at a[i] and returns where it ended.
func shiftDeletion(a, b []uint8, to []int32, i int) int {
	p, q := i, i+1
	for q < len(to) && to[q] < 0 {
		q++
	}
	end := q
	for p > 0 && to[p-1] >= 0 {
		j := to[p-1]
		if q < len(to) && to[q] != j+1 || p > 1 && to[p-2] >= 0 && to[p-2] != j-1 {
			break // an insertion beside it
		}
		if a[q-1] != b[j] {
			break
		}
		to[q-1], to[p-1] = j, -1
		p, q = p-1, q-1
		for p > 0 && to[p-1] < 0 {
			p--
		}
	}
	return end
}
