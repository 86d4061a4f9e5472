package phylo

import "math"

// Quartets sorts all sets of four taxa by what two trees, A and B, say about them: each tree
// shows a quartet as one of three splits ab|cd, or leaves it unresolved.
type Quartets struct {
	Agree      int64 // resolved alike in both
	Differ     int64 // resolved in both, differently
	OnlyA      int64 // resolved in A only
	OnlyB      int64 // resolved in B only
	Unresolved int64 // in neither
}

// Total is the number of quartets, n choose 4.
func (q Quartets) Total() int64 { return q.Agree + q.Differ + q.OnlyA + q.OnlyB + q.Unresolved }

// ResolvedB is the number of quartets that tree B resolves.
func (q Quartets) ResolvedB() int64 { return q.Agree + q.Differ + q.OnlyB }

// Distance counts quartets that the trees show differently, one of them unresolved or not: the
// quartet distance (Estabrook, McMorris & Meacham 1985) as tqDist counts it (Sand et al. 2014).
func (q Quartets) Distance() int64 { return q.Differ + q.OnlyA + q.OnlyB }

// Normalised is Distance over all quartets, as tqDist gives it; NaN without quartets. Two random
// binary trees are at 2/3.
func (q Quartets) Normalised() Score { return ratio(q.Distance(), q.Total()) }

// NormalisedResolved is the share, of the quartets that tree B resolves, that A does not show
// alike; NaN where there are none. What a polytomy of the reference B leaves open counts nowhere.
func (q Quartets) NormalisedResolved() Score { return ratio(q.Differ+q.OnlyB, q.ResolvedB()) }

func ratio(a, b int64) Score {
	if b == 0 {
		return Score(math.NaN())
	}
	return Score(float64(a) / float64(b))
}

// CountQuartets compares two trees with the same taxa as unrooted ones, exactly. It takes O(n^2) time
// for trees of bounded degree and O(n^2) memory; up to about 50,000 taxa counts fit into an int64.
//
// The counting follows Christiansen, Mailund, Pedersen & Randers 2006 (Algorithms for Molecular
// Biology 1:16): an edge directed to a node v claims the quartets ab->cd with a, b behind it and
// c, d in two other branches at v; a resolved quartet is claimed by two directed edges.
func CountQuartets(a, b *Tree) (Quartets, error) {
	taxa, err := sameTaxa(a, b)
	if err != nil {
		return Quartets{}, err
	}
	at := index(taxa)
	n := int64(len(taxa))
	fa, fb := flatten(a), flatten(b)
	ra, rb := fa.resolved(n), fb.resolved(n)
	na, nb := fa.neighbours(), fb.neighbours()
	// common[u*lenB+v] is the number of taxa below u in a and below v in b.
	lenB := len(fb.nodes)
	common := make([]int32, len(fa.nodes)*lenB)
	leafB := make([]int, n)
	for v, node := range fb.nodes {
		if node.IsLeaf() {
			leafB[at[node.Name]] = v
		}
	}
	for u := len(fa.nodes) - 1; u >= 0; u-- {
		row := common[u*lenB : (u+1)*lenB]
		if fa.nodes[u].IsLeaf() {
			for v := leafB[at[fa.nodes[u].Name]]; v >= 0; v = fb.parent[v] {
				row[v] = 1
			}
		}
		if p := fa.parent[u]; p >= 0 {
			up := common[p*lenB : (p+1)*lenB]
			for v, x := range row {
				up[v] += x
			}
		}
	}
	// Row 0 and column 0 are the first nodes, below which everything is.
	sizeA := func(u int) int64 { return int64(common[u*lenB]) }
	sizeB := func(v int) int64 { return int64(common[v]) }
	inBoth := func(u, v int) int64 { return int64(common[u*lenB+v]) }
	var agree2, differ4 int64
	var p pair
	for u := range fa.nodes {
		ku := na[u]
		if len(ku) < 3 {
			continue
		}
		for v := range fb.nodes {
			kv := nb[v]
			if len(kv) < 3 {
				continue
			}
			p.size(len(ku), len(kv))
			for i, c := range ku {
				for j, d := range kv {
					var x int64
					switch {
					case c != fa.parent[u] && d != fb.parent[v]:
						x = inBoth(c, d)
					case c != fa.parent[u]: // below c and not below v
						x = sizeA(c) - inBoth(c, v)
					case d != fb.parent[v]:
						x = sizeB(d) - inBoth(u, d)
					default:
						x = n - sizeA(u) - sizeB(v) + inBoth(u, v)
					}
					p.m[i*len(kv)+j] = x
				}
			}
			s, d := p.count()
			agree2 += s
			differ4 += d
		}
	}
	q := Quartets{Agree: agree2 / 2, Differ: differ4 / 4}
	q.OnlyA, q.OnlyB = ra-q.Agree-q.Differ, rb-q.Agree-q.Differ
	q.Unresolved = choose4(n) - ra - rb + q.Agree + q.Differ
	return q, nil
}

// choose4 is n choose 4.
func choose4(n int64) int64 {
	if n < 4 {
		return 0
	}
	return n * (n - 1) / 2 * (n - 2) / 3 * (n - 3) / 4
}

// neighbours lists for each node its children and its parent, as indices; the parent comes last.
func (f flat) neighbours() [][]int {
	out := make([][]int, len(f.nodes))
	for i, p := range f.parent {
		if p >= 0 {
			out[p] = append(out[p], i)
		}
	}
	for i, p := range f.parent {
		if p >= 0 {
			out[i] = append(out[i], p)
		}
	}
	return out
}

// resolved counts the quartets that a tree of n taxa resolves.
func (f flat) resolved(n int64) int64 {
	size := make([]int64, len(f.nodes))
	for i := len(f.nodes) - 1; i >= 0; i-- {
		if f.nodes[i].IsLeaf() {
			size[i] = 1
		}
		if p := f.parent[i]; p >= 0 {
			size[p] += size[i]
		}
	}
	var twice int64
	for u, ks := range f.neighbours() {
		branch := func(c int) int64 {
			if c == f.parent[u] {
				return n - size[u]
			}
			return size[c]
		}
		var squares int64
		for _, c := range ks {
			squares += branch(c) * branch(c)
		}
		if f.nodes[u].IsLeaf() {
			continue // behind the one edge stands everything else
		}
		for _, c := range ks {
			x := branch(c)
			rest := n - x
			twice += x * (x - 1) / 2 * ((rest*rest - squares + x*x) / 2)
		}
	}
	return twice / 2
}

// pair counts what two nodes claim together. m[i*cols+j] is the number of taxa that branch i of the one
// and branch j of the other have in common.
type pair struct {
	rows, cols           int
	m, inner, q          []int64
	r, c, rr, cc, ra, cb []int64 // sums, sums of squares, and sums of squares of differences
	rc, cr               []int64
}

func (p *pair) size(rows, cols int) {
	p.rows, p.cols = rows, cols
	grow := func(s *[]int64, n int) {
		if cap(*s) < n {
			*s = make([]int64, n)
		}
		*s = (*s)[:n]
	}
	k := min(rows, cols)
	grow(&p.m, rows*cols)
	grow(&p.q, rows*cols)
	grow(&p.inner, k*k)
	for _, s := range []*[]int64{&p.r, &p.rr, &p.cb, &p.rc} {
		grow(s, rows)
	}
	for _, s := range []*[]int64{&p.c, &p.cc, &p.ra, &p.cr} {
		grow(s, cols)
	}
}

// count returns the claims that agree and the pairs of claims that differ: a quartet has two
// claims in each tree, so over all pairs of nodes the sums are 2 Agree and 4 Differ.
func (p *pair) count() (agree2, differ4 int64) {
	R, C := p.rows, p.cols
	m := p.m
	for _, s := range [][]int64{p.r, p.c, p.rr, p.cc, p.ra, p.cb, p.rc, p.cr} {
		clear(s)
	}
	var n, all int64
	for i := range R {
		for j, x := range m[i*C : (i+1)*C] {
			p.r[i] += x
			p.c[j] += x
			p.rr[i] += x * x
			p.cc[j] += x * x
		}
		n += p.r[i]
		all += p.rr[i]
	}
	for i := range R {
		for j, x := range m[i*C : (i+1)*C] {
			p.ra[j] += (p.r[i] - x) * (p.r[i] - x)
			p.cb[i] += (p.c[j] - x) * (p.c[j] - x)
			p.rc[i] += x * p.c[j]
			p.cr[j] += x * p.r[i]
		}
	}
	p.product()
	for i := range R {
		for j := range C {
			x := m[i*C+j] // a, b of a claim alike; a of claims that differ
			if x == 0 {
				continue
			}
			t := n - p.r[i] - p.c[j] + x
			rows := p.ra[j] - (p.r[i]-x)*(p.r[i]-x)
			cols := p.cb[i] - (p.c[j]-x)*(p.c[j]-x)
			cells := all - p.rr[i] - p.cc[j] + x*x
			agree2 += x * (x - 1) / 2 * ((t*t - rows - cols + cells) / 2)
			// d in cell (k, l), b in row i outside columns j and l, c in column j outside rows i and k.
			alpha, beta := p.r[i]-x, p.c[j]-x
			bx := p.rc[i] - x*p.c[j] - (p.rr[i] - x*x)
			cy := p.cr[j] - x*p.r[i] - (p.cc[j] - x*x)
			z := p.q[i*C+j] - x*p.rr[i] - x*p.cc[j] + x*x*x
			differ4 += x * (alpha*beta*t - beta*bx - alpha*cy + z)
		}
	}
	return agree2, differ4
}

// product sets q to m mᵀ m, by the smaller inner square.
func (p *pair) product() {
	R, C, m := p.rows, p.cols, p.m
	clear(p.q)
	clear(p.inner)
	if R <= C {
		for i := range R {
			for k := range R {
				var s int64
				for l := range C {
					s += m[i*C+l] * m[k*C+l]
				}
				p.inner[i*R+k] = s
			}
		}
		for i := range R {
			for k := range R {
				f := p.inner[i*R+k]
				for j := range C {
					p.q[i*C+j] += f * m[k*C+j]
				}
			}
		}
		return
	}
	for k := range R {
		for l := range C {
			x := m[k*C+l]
			if x == 0 {
				continue
			}
			for j := range C {
				p.inner[l*C+j] += x * m[k*C+j]
			}
		}
	}
	for i := range R {
		for l := range C {
			x := m[i*C+l]
			if x == 0 {
				continue
			}
			for j := range C {
				p.q[i*C+j] += x * p.inner[l*C+j]
			}
		}
	}
}
