package gokernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// each runs f on every micro-kernel of this machine, and on the plain loops.
func each(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	kernel, vec, sel, sq, s32, s8, un, cu := micro, vectors, selectVector, sqrtVector, sumColumns32, sumColumns8, unaries, curves
	defer func() {
		micro, vectors, selectVector, sqrtVector, sumColumns32, sumColumns8, unaries, curves = kernel, vec, sel, sq, s32, s8, un, cu
	}()
	for _, k := range kernels() {
		t.Run(k.name, func(t *testing.T) {
			micro, curves = k, curvesOf(k.name)
			if k.name == plain.name {
				unaries.neg, unaries.abs, unaries.not, unaries.one, unaries.masks, unaries.bools = nil, nil, nil, nil, nil, nil
				unaries.sums, unaries.tops = nil, nil
				vectors.add, vectors.sub, vectors.mul, vectors.div, vectors.max, vectors.min = nil, nil, nil, nil, nil, nil
				vectors.gt, vectors.ge, vectors.eq, vectors.ne, vectors.and, vectors.or, vectors.xor = nil, nil, nil, nil, nil, nil, nil
				selectVector, sqrtVector, sumColumns32, sumColumns8 = nil, nil, nil, nil
			}
			f(t)
		})
	}
}

func normals(n int, seed uint64) []float32 {
	r := rand.New(rand.NewPCG(seed, 1))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

func toBF16(x []float32) {
	for i := range x {
		x[i] = math.Float32frombits(bf16(x[i]) << 16)
	}
}

func near(t *testing.T, what string, got, want []float32, k int) {
	t.Helper()
	tol := 2e-6 * math.Sqrt(float64(k)+1) * 4
	for i := range want {
		if d := math.Abs(float64(got[i]) - float64(want[i])); !(d <= tol) {
			t.Fatalf("%s: element %d of %d is %g, want %g", what, i, len(want), got[i], want[i])
		}
	}
}

func TestMatMul(t *testing.T) {
	each(t, func(t *testing.T) {
		rapid.Check(t, func(r *rapid.T) {
			size := rapid.OneOf(rapid.IntRange(0, 20), rapid.IntRange(30, 70))
			s := Matrices{Batch: rapid.IntRange(0, 3).Draw(r, "batch"), M: size.Draw(r, "m"), N: size.Draw(r, "n"),
				K: rapid.OneOf(size, rapid.IntRange(380, 800)).Draw(r, "k")}
			s.ABatch, s.BBatch = s.M*s.K, s.K*s.N
			s.ARow, s.ACol, s.BRow, s.BCol = s.K, 1, s.N, 1
			if rapid.Bool().Draw(r, "aT") {
				s.ARow, s.ACol = 1, s.M
			}
			if rapid.Bool().Draw(r, "bT") {
				s.BRow, s.BCol = 1, s.K
			}
			a, b := normals(s.Batch*s.M*s.K, 1), normals(s.Batch*s.K*s.N, 2)
			if s.Half = HasBF16() && rapid.Bool().Draw(r, "half"); s.Half { // numbers that bfloat16 holds: only sums are rounded
				toBF16(a)
				toBF16(b)
			}
			want := make([]float32, s.Batch*s.M*s.N)
			for q := range s.Batch {
				for i := range s.M {
					for j := range s.N {
						var sum float64
						for k := range s.K {
							sum += float64(a[q*s.ABatch+i*s.ARow+k*s.ACol]) * float64(b[q*s.BBatch+k*s.BRow+j*s.BCol])
						}
						want[(q*s.M+i)*s.N+j] = float32(sum)
					}
				}
			}
			got := normals(len(want), 3)
			MatMul(2, got, a, b, s)
			for i := range want {
				if !(math.Abs(float64(got[i]-want[i])) <= 1e-5*(1+math.Sqrt(float64(s.K)))) {
					r.Fatalf("%+v: element %d is %g, want %g", s, i, got[i], want[i])
				}
			}
			again := make([]float32, len(want))
			MatMul(5, again, a, b, s)
			if !slices.Equal(got, again) {
				r.Fatalf("%+v: the result depends on the threads", s)
			}
		})
	})
}

// TestMatMulLarge takes sizes with several blocks of terms, of rows and parts of a sum.
func TestMatMulLarge(t *testing.T) {
	each(t, func(t *testing.T) {
		for _, s := range []Matrices{{Batch: 1, M: 70, N: 40, K: 1301}, {Batch: 1, M: 3, N: 5, K: 9000}, {Batch: 2, M: 300, N: 33, K: 515}} {
			for _, transposed := range []bool{false, true} {
				for _, s.Half = range []bool{false, HasBF16()} {
					s.ABatch, s.BBatch, s.ARow, s.ACol, s.BRow, s.BCol = s.M*s.K, s.K*s.N, s.K, 1, 1, s.K
					if transposed {
						s.ARow, s.ACol, s.BRow, s.BCol = 1, s.M, s.N, 1
					}
					a, b := normals(s.Batch*s.M*s.K, 1), normals(s.Batch*s.K*s.N, 2)
					if s.Half {
						toBF16(a)
						toBF16(b)
					}
					got, again := normals(s.Batch*s.M*s.N, 3), normals(s.Batch*s.M*s.N, 4)
					MatMul(1, got, a, b, s)
					MatMul(3, again, a, b, s)
					if !slices.Equal(got, again) {
						t.Fatalf("%+v: the result depends on the threads", s)
					}
					for i := 0; i < len(got); i += 1 + len(got)/200 {
						q, row, col := i/(s.M*s.N), i/s.N%s.M, i%s.N
						var sum float64
						for k := range s.K {
							sum += float64(a[q*s.ABatch+row*s.ARow+k*s.ACol]) * float64(b[q*s.BBatch+k*s.BRow+col*s.BCol])
						}
						if !(math.Abs(float64(got[i])-sum) <= 1e-5*math.Sqrt(float64(s.K))) {
							t.Fatalf("%+v: element %d is %g, want %g", s, i, got[i], sum)
						}
					}
				}
			}
		}
	})
}

// TestRounding compares the processor's rounding to bfloat16 with that in Go, over random bit patterns.
func TestRounding(t *testing.T) {
	if !HasBF16() {
		t.Skip("no AVX512-BF16")
	}
	r := rand.New(rand.NewPCG(5, 6))
	for _, n := range []int{1, 16, 31, 32, 33, 10000} {
		a, b := make([]float32, n), make([]float32, n)
		for i := range a {
			a[i], b[i] = math.Float32frombits(r.Uint32()), math.Float32frombits(r.Uint32())
		}
		pairs, run := make([]float32, n), make([]float32, (n+1)/2)
		interleave(pairs, a, b)
		roundTo(run, a)
		for i := range a {
			if got, want := words(pairs)[i], bf16(a[i])|bf16(b[i])<<16; got != want {
				t.Fatalf("pair of %g and %g is %08x, want %08x", a[i], b[i], got, want)
			}
			if got, want := words(run)[i/2]>>(16*(i%2))&0xffff, bf16(a[i]); got != want {
				t.Fatalf("%g (%08x) becomes %04x, want %04x", a[i], math.Float32bits(a[i]), got, want)
			}
		}
	}
}

func TestMatMulSpecialValues(t *testing.T) {
	each(t, func(t *testing.T) {
		for _, x := range []float32{float32(math.NaN()), float32(math.Inf(1))} {
			s := Matrices{Batch: 1, M: 9, N: 33, K: 5, ARow: 5, ACol: 1, BRow: 33, BCol: 1}
			a, b := make([]float32, 45), make([]float32, 165)
			for i := range b {
				b[i] = 1
			}
			a[7*5+2] = x
			got := make([]float32, 9*33)
			MatMul(1, got, a, b, s)
			for i, y := range got {
				if i/33 == 7 {
					if !(math.IsNaN(float64(x)) && math.IsNaN(float64(y)) || y == x) {
						t.Fatalf("%g gives %g", x, y)
					}
				} else if y != 0 {
					t.Fatalf("%g leaks to element %d: %g", x, i, y)
				}
			}
		}
	})
}

// slow is the correlation by its definition; each term is handed to f with the indices of x, w and y.
func (c Conv) slow(f func(x, w, y int)) {
	for n := range c.N {
		for oy := range c.OH {
			for ox := range c.OW {
				for i := range c.KH {
					for j := range c.KW {
						y, x := oy*c.S[0]+i-c.P[0], ox*c.S[1]+j-c.P[1]
						if y < 0 || y >= c.H || x < 0 || x >= c.W {
							continue
						}
						for ci := range c.C {
							for o := range c.O {
								f(((n*c.H+y)*c.W+x)*c.C+ci, ((i*c.KW+j)*c.C+ci)*c.O+o, ((n*c.OH+oy)*c.OW+ox)*c.O+o)
							}
						}
					}
				}
			}
		}
	}
}

func TestConv(t *testing.T) {
	each(t, func(t *testing.T) {
		rapid.Check(t, func(r *rapid.T) {
			in := func(name string, lo, hi int) int { return rapid.IntRange(lo, hi).Draw(r, name) }
			c := Conv{N: in("n", 0, 4), H: in("h", 1, 12), W: in("w", 1, 12), C: in("c", 1, 9), KH: in("kh", 1, 5), KW: in("kw", 1, 5), O: in("o", 1, 37)}
			ok := true
			out := func(i, size, k int) int {
				c.S[i], c.P[i] = in("stride", 1, 4), in("pad", -1, 3)
				n := size + c.P[i] + in("after", -1, 3) - k
				ok = ok && n >= 0
				return n/c.S[i] + 1
			}
			c.OH, c.OW = out(0, c.H, c.KH), out(1, c.W, c.KW)
			if c.O < 9 && c.H*c.W < 30 { // pixels whole cache lines apart
				c.C = 64
			}
			if !ok {
				return
			}
			x, w := normals(c.N*c.H*c.W*c.C, 1), normals(c.KH*c.KW*c.C*c.O, 2)
			v := normals(c.N*c.OH*c.OW*c.O, 3)
			if c.Half = HasBF16() && rapid.Bool().Draw(r, "half"); c.Half {
				toBF16(x)
				toBF16(w)
				toBF16(v)
			}
			y, dx, dw := make([]float32, len(v)), make([]float32, len(x)), make([]float32, len(w))
			c.slow(func(i, j, k int) {
				y[k] += x[i] * w[j]
				dx[i] += v[k] * w[j]
				dw[j] += x[i] * v[k]
			})
			for _, op := range []struct {
				name string
				want []float32
				run  func(threads int, dst []float32)
			}{
				{"forward", y, func(n int, d []float32) { c.Forward(n, F(d), F(x), w) }},
				{"input", dx, func(n int, d []float32) { c.Input(n, F(d), F(v), w) }},
				{"kernel", dw, func(n int, d []float32) { c.Kernel(n, d, F(x), F(v)) }},
			} {
				got, again := normals(len(op.want), 9), normals(len(op.want), 10)
				op.run(1, got)
				op.run(3, again)
				if !slices.Equal(got, again) {
					r.Fatalf("%s of %+v depends on the threads", op.name, c)
				}
				for i := range got {
					if !(math.Abs(float64(got[i]-op.want[i])) <= 5e-4) {
						r.Fatalf("%s of %+v: element %d is %g, want %g", op.name, c, i, got[i], op.want[i])
					}
				}
			}
			if !c.Half {
				return
			}
			// The same from and to memory in bfloat16: the same bits, rounded once.
			toHalf := func(x []float32) Values {
				h := make([]uint16, len(x))
				Round(h, x)
				back := make([]float32, len(x))
				Widen(back, h)
				if !slices.Equal(back, x) {
					r.Fatal("numbers that bfloat16 holds are not kept")
				}
				return Values{Halves: h}
			}
			same := func(name string, got Values, want []float32) {
				h := got.Halves
				if h == nil {
					if !slices.Equal(got.Floats, want) {
						r.Fatalf("%s of %+v from bfloat16 differs", name, c)
					}
					return
				}
				rounded := make([]uint16, len(want))
				Round(rounded, want)
				if !slices.Equal(h, rounded) {
					r.Fatalf("%s of %+v to bfloat16 differs", name, c)
				}
			}
			xs, vs := F(x), toHalf(v)
			if c.C%2 == 0 {
				xs = toHalf(x)
			}
			c.Forward(2, F(y), F(x), w)
			to := Values{Halves: make([]uint16, len(y))}
			c.Forward(2, to, xs, w)
			same("forward", to, y)
			c.Kernel(2, dw, F(x), F(v))
			again := make([]float32, len(dw))
			c.Kernel(2, again, toHalf(x), vs)
			same("kernel", F(again), dw)
			if c.O%2 == 0 {
				c.Input(2, F(dx), F(v), w)
				to = F(make([]float32, len(dx)))
				if c.S == [2]int{1, 1} {
					to = Values{Halves: make([]uint16, len(dx))}
				}
				c.Input(2, to, vs, w)
				same("input", to, dx)
			}
		})
	})
}

func TestElementwise(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	each(t, func(t *testing.T) {
		for _, n := range []int{0, 1, 7, 8, 9, 31, 64, 100} {
			a, b := normals(n, 1), normals(n, 2)
			for i, x := range []float32{nan, inf, -inf, 0, 1, nan, 2} {
				if i < n {
					a[i] = x
				}
				if i+1 < n {
					b[n-1-i] = x
				}
			}
			for _, op := range []struct {
				name string
				run  func(dst, a, b []float32)
				want func(a, b float32) float32
			}{
				{"add", Add, func(a, b float32) float32 { return a + b }},
				{"sub", Sub, func(a, b float32) float32 { return a - b }},
				{"mul", Mul, func(a, b float32) float32 { return a * b }},
				{"div", Div, func(a, b float32) float32 { return a / b }},
				{"max", Max, func(a, b float32) float32 { return max(a, b) }},
				{"min", Min, func(a, b float32) float32 { return min(a, b) }},
				{"greater", Greater, func(a, b float32) float32 { return mask(a > b) }},
				{"greater or equal", GreaterOrEqual, func(a, b float32) float32 { return mask(a >= b) }},
				{"equal", Equal, func(a, b float32) float32 { return mask(a == b) }},
				{"not equal", NotEqual, func(a, b float32) float32 { return mask(a != b) }},
			} {
				dst := make([]float32, n)
				op.run(dst, a, b)
				for i := range dst {
					w := op.want(a[i], b[i])
					if dst[i] != w && !(math.IsNaN(float64(dst[i])) && math.IsNaN(float64(w))) {
						t.Fatalf("%s of %g and %g is %g, want %g", op.name, a[i], b[i], dst[i], w)
					}
				}
			}
			m, s := make([]float32, n), make([]float32, n)
			Greater(m, a, b)
			Select(s, m, a, b)
			for i := range s {
				w := b[i]
				if a[i] > b[i] {
					w = a[i]
				}
				if s[i] != w && !(math.IsNaN(float64(s[i])) && math.IsNaN(float64(w))) {
					t.Fatalf("select of %g and %g is %g", a[i], b[i], s[i])
				}
			}
		}
	})
}

func TestSums(t *testing.T) {
	each(t, func(t *testing.T) {
		for _, rows := range []int{0, 1, 5} {
			for _, c := range []int{0, 1, 7, 8, 40, 45} {
				a := normals(rows*c, 3)
				got, want := normals(c, 4), normals(c, 4)
				SumColumns(got, a, rows)
				var all float32
				for i, x := range a {
					want[i%max(c, 1)] += x
					all += x
				}
				near(t, fmt.Sprint("columns of ", rows, c), got, want, rows)
				one := make([]float32, 1)
				SumRows(one, a, rows*c)
				near(t, "sum", one, []float32{all}, rows*c)
				sums, tops, wantSums, wantTops := normals(rows, 5), normals(rows, 6), make([]float32, rows), make([]float32, rows)
				if len(a) > 3*c+c/2 && c > 0 {
					a[3*c+c/2] = float32(math.NaN())
				}
				SumRows(sums, a, c)
				MaxRows(tops, a, c)
				for i := range rows {
					wantTops[i] = float32(math.Inf(-1))
					for _, x := range a[i*c : (i+1)*c] {
						wantSums[i] += x
						wantTops[i] = max(wantTops[i], x)
					}
					if tops[i] != wantTops[i] && !(tops[i] != tops[i] && wantTops[i] != wantTops[i]) {
						t.Fatalf("greatest of row %d of %d is %g, want %g", i, c, tops[i], wantTops[i])
					}
					if d := math.Abs(float64(sums[i] - wantSums[i])); !(d <= 1e-4) && !(sums[i] != sums[i] && wantSums[i] != wantSums[i]) {
						t.Fatalf("sum of row %d of %d is %g, want %g", i, c, sums[i], wantSums[i])
					}
				}
			}
		}
	})
}

func TestMove(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		dims := rapid.SliceOfN(rapid.IntRange(0, 9), 0, 4).Draw(r, "dims")
		perm := rapid.Permutation([]int{0, 1, 2, 3}[:len(dims)]).Draw(r, "perm")
		src, dst := make([]int, len(dims)), make([]int, len(dims))
		size, from := 1, 0
		for _, i := range slices.Backward(perm) {
			switch rapid.IntRange(0, 3).Draw(r, "kind") {
			case 0: // repeated
			case 1:
				src[i], from = -size, from+size*max(dims[i]-1, 0)
				size *= dims[i]
			default:
				src[i] = size
				size *= dims[i]
			}
		}
		n := 1
		for i := range slices.Backward(dims) {
			dst[i] = n
			n *= dims[i]
		}
		a, got := normals(max(size, 1), 1), make([]float32, n)
		Move(2, got, a, 0, from, dims, dst, src)
		for i := range got {
			at, rest := from, i
			for k := range slices.Backward(dims) {
				at += rest % dims[k] * src[k]
				rest /= dims[k]
			}
			if got[i] != a[at] {
				r.Fatalf("dims %v steps %v: element %d is %g, want %g", dims, src, i, got[i], a[at])
			}
		}
	})
}

// TestScratch checks that what is lent is whole, is nobody else's, and is lent again.
func TestScratch(t *testing.T) {
	a, b := Scratch(1000), Scratch(1000)
	if len(*a) != 1000 || len(*b) != 1000 || &(*a)[0] == &(*b)[0] {
		t.Fatalf("lent %d and %d floats", len(*a), len(*b))
	}
	first := &(*a)[0]
	Release(a)
	c := Scratch(990)
	if len(*c) != 990 || &(*c)[0] == &(*b)[0] {
		t.Fatal("memory that is lent is lent again")
	}
	if &(*c)[0] != first {
		t.Error("memory given back is not used again")
	}
	Release(b)
	Release(c)
	if s := Scratch(0); len(*s) != 0 {
		t.Fatal("not empty")
	}
	big := Scratch(keptScratch + 1)
	Release(big)
	if scratches.size > keptScratch {
		t.Fatalf("%d floats are kept", scratches.size)
	}
}

func BenchmarkMatMul(b *testing.B) {
	for _, s := range []Matrices{{Batch: 1, M: 1024, N: 512, K: 128}, {Batch: 1, M: 512, N: 512, K: 512}, {Batch: 32, M: 256, N: 256, K: 32}} {
		for _, s.Half = range []bool{false, HasBF16()} {
			b.Run(fmt.Sprintf("%dx%dx%dx%d/half=%t", s.Batch, s.M, s.N, s.K, s.Half), func(b *testing.B) {
				s.ABatch, s.ARow, s.ACol, s.BBatch, s.BRow, s.BCol = s.M*s.K, s.K, 1, s.N*s.K, s.N, 1
				x, y, dst := normals(s.Batch*s.M*s.K, 1), normals(s.Batch*s.K*s.N, 2), make([]float32, s.Batch*s.M*s.N)
				for b.Loop() {
					MatMul(1, dst, x, y, s)
				}
				b.ReportMetric(2*float64(s.Batch*s.M*s.N*s.K*b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}

func BenchmarkConv(b *testing.B) {
	for _, c := range []Conv{
		{N: 16, H: 32, W: 32, C: 32, KH: 3, KW: 3, O: 32, OH: 32, OW: 32, S: [2]int{1, 1}, P: [2]int{1, 1}},
		{N: 16, H: 16, W: 16, C: 64, KH: 3, KW: 3, O: 128, OH: 8, OW: 8, S: [2]int{2, 2}, P: [2]int{1, 1}},
		{N: 16, H: 8, W: 8, C: 128, KH: 3, KW: 3, O: 128, OH: 8, OW: 8, S: [2]int{1, 1}, P: [2]int{1, 1}},
	} {
		x, w, y := normals(c.N*c.H*c.W*c.C, 1), normals(c.KH*c.KW*c.C*c.O, 2), normals(c.N*c.OH*c.OW*c.O, 3)
		for _, c.Half = range []bool{false, HasBF16()} {
			for name, f := range map[string]func(){
				"forward": func() { c.Forward(1, F(y), F(x), w) }, "input": func() { c.Input(1, F(x), F(y), w) }, "kernel": func() { c.Kernel(1, w, F(x), F(y)) },
			} {
				b.Run(fmt.Sprintf("%s/%dx%d/half=%t", name, c.H, c.C, c.Half), func(b *testing.B) {
					for b.Loop() {
						f()
					}
					b.ReportMetric(2*float64(c.N*c.OH*c.OW*c.O*c.KH*c.KW*c.C*b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
				})
			}
		}
	}
}
