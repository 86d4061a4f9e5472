package phylo

import (
	"math"
	"slices"
)

// NeighborJoining builds an unrooted tree by neighbour joining (Saitou & Nei 1987, in the
// O(n^3) form of Studier & Keppler 1988). m must satisfy Check.
//
// A negative branch becomes zero and the difference goes to the branch beside it, so that the
// distance between the two joined nodes stays (Kuhner & Felsenstein 1994); of the last three
// branches the most negative one becomes zero first, and each of the other two takes the
// difference. The first node has three children (fewer where there are fewer taxa).
//
// Taxa are taken in the order of their names and of equal pairs the first one is joined, so the
// order of the rows changes nothing.
func NeighborJoining(m *Matrix) (*Tree, error) {
	if err := m.Check(); err != nil {
		return nil, err
	}
	n := m.Len()
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		if m.Names[a] < m.Names[b] {
			return -1
		}
		return 1 // Check has seen that no two are equal
	})
	nodes := make([]*Node, n)
	d := make([][]float64, n)
	for i, a := range order {
		nodes[i] = NewNode(m.Names[a])
		d[i] = make([]float64, n)
		for j, b := range order {
			d[i][j] = m.At(a, b)/2 + m.At(b, a)/2
		}
	}
	root := NewNode("")
	switch n {
	case 1:
		return &Tree{Root: nodes[0]}, nil
	case 2:
		nodes[0].Length, nodes[1].Length = d[0][1]/2, d[0][1]/2
		root.Children = nodes
		return &Tree{Root: root}, nil
	}
	sum := make([]float64, n)
	for i := range d {
		for j := range d {
			sum[i] += d[i][j]
		}
	}
	// Rows 0..r-1 are those not joined yet; row i of a joined pair (i < j) becomes the new node.
	for r := n; r > 3; r-- {
		k := float64(r - 2)
		bi, bj, best := 0, 1, math.Inf(1)
		for i := range r {
			si := sum[i]
			row, s := d[i][:i], sum[:i]
			low, at := math.Inf(1), -1
			for j, v := range row {
				// The conversion keeps compilers from fusing, so that every machine joins alike.
				if q := float64(k*v) - s[j]; q < low {
					low, at = q, j
				}
			}
			if at >= 0 && low-si < best {
				bi, bj, best = at, i, low-si
			}
		}
		i, j := bi, bj
		dij := d[i][j]
		li := dij/2 + (sum[i]-sum[j])/(2*k)
		lj := dij - li
		switch {
		case li < 0:
			li, lj = 0, dij
		case lj < 0:
			li, lj = dij, 0
		}
		nodes[i].Length, nodes[j].Length = max(li, 0), max(lj, 0)
		u := NewNode("", nodes[i], nodes[j])
		for x := range r {
			if x == i || x == j {
				continue
			}
			v := (d[i][x] + d[j][x] - dij) / 2
			sum[x] += v - d[i][x] - d[j][x]
			d[i][x], d[x][i] = v, v
		}
		nodes[i] = u
		// The last one moves into the free place.
		nodes[j], sum[j] = nodes[r-1], sum[r-1]
		d[j], d[r-1] = d[r-1], d[j]
		for x := range r - 1 {
			d[x][j] = d[x][r-1]
		}
		d[j][j] = 0
		sum[i] = 0
		for x := range r - 1 {
			if x != i {
				sum[i] += d[i][x]
			}
		}
	}
	l := [3]float64{(d[0][1] + d[0][2] - d[1][2]) / 2, (d[0][1] + d[1][2] - d[0][2]) / 2, (d[0][2] + d[1][2] - d[0][1]) / 2}
	for range 3 {
		low := 0
		for i := range l {
			if l[i] < l[low] {
				low = i
			}
		}
		if v := l[low]; v < 0 {
			for i := range l {
				l[i] += v
			}
			l[low] = 0
		}
	}
	for i := range 3 {
		nodes[i].Length = max(l[i], 0)
	}
	root.Children = nodes[:3:3]
	return &Tree{Root: root}, nil
}
