package image

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/view"
)

var grid = func() (out []Shape) {
	for _, c := range []int{1, 2, 3, 5} {
		for _, bits := range []int{8, 16} {
			for _, s := range [][2]int{{1, 1}, {3, 2}, {28, 28}} {
				out = append(out, Shape{W: s[0], H: s[1], C: c, Bits: bits})
			}
		}
	}
	return out
}()

// each runs f on every transformation with its default ranges, for every shape it accepts.
func each(t *testing.T, f func(t *testing.T, tr *Transform, sh Shape)) {
	for _, spec := range Specs() {
		for _, sh := range grid {
			tr, err := NewTransform(view.Config{Name: spec.Name, P: 1}, sh)
			if d, _ := defOf(spec.Name); d.colour && sh.C != 1 && sh.C != 3 {
				if !errors.Is(err, view.ErrConfig) {
					t.Errorf("%s accepts %d channels: %v", spec.Name, sh.C, err)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			t.Run(fmt.Sprintf("%s/%dx%dx%d/%d", spec.Name, sh.H, sh.W, sh.C, sh.Bits), func(t *testing.T) { f(t, tr, sh) })
		}
	}
}

func TestIdentity(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	each(t, func(t *testing.T, tr *Transform, sh Shape) {
		src, dst := picture(3, sh), &Image{}
		var p view.Params
		for range view.Tries {
			if tr.DrawAt(r, tr.Spec().Identity, &p) {
				break
			}
		}
		if tr.Apply(dst, src, &p); !dst.Equal(src) {
			t.Error("the identity changes the picture")
		}
		// The definitions themselves, without the short cut for the identity.
		switch name := tr.Spec().Name; {
		case tr.def.colour && sh.C != 3, name == "hflip", name == "vflip": // never asked for 0
			return
		case name == "blur": // sigma 0 has no kernel
			p.V[0] = 1e-3
		}
		if tr.def.apply(tr, dst, src, &p); !dst.Equal(src) {
			t.Error("the definition at the identity changes the picture")
		}
		p.Applied = false
		p.V[0] = tr.ranges[0].From
		if tr.Apply(dst, src, &p); !dst.Equal(src) {
			t.Error("not applied, and yet changed")
		}
	})
}

// TestPure: the same picture and parameters give the same view, whatever dst held and whatever
// was done in between, and src is left alone.
func TestPure(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	each(t, func(t *testing.T, tr *Transform, sh Shape) {
		src, other, a, b, c := picture(3, sh), picture(4, sh), &Image{}, picture(9, sh), &Image{}
		keep := &Image{}
		keep.CopyFrom(src)
		var p, q view.Params
		for range 5 {
			tr.Draw(r, &p)
			tr.Draw(r, &q)
			tr.Apply(a, src, &p)
			tr.Apply(c, other, &q)
			tr.Apply(b, src, &p)
			if !a.Equal(b) || !src.Equal(keep) {
				t.Fatalf("parameters %v: not pure", p.V[:p.N])
			}
			if err := a.Validate(); err != nil {
				t.Fatal(err)
			}
			n, g := tr.Spec().Params[0], tr.ranges[0]
			if v := p.V[0]; !g.Contains(v) || n.Integer && v != math.Floor(v) {
				t.Fatalf("drew %g from %s", v, g)
			}
			if p.N < len(tr.Spec().Params) || p.N > view.MaxParams {
				t.Fatalf("%d parameters", p.N)
			}
		}
		stream := func() *rand.Rand { return rand.New(rand.NewPCG(1, 1)) }
		if tr.Draw(stream(), &p); true {
			if tr.Draw(stream(), &q); p != q {
				t.Fatal("the same generator gives other parameters")
			}
		}
	})
}

func TestNoAllocation(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, sh := range []Shape{{28, 28, 1, 8}, {28, 28, 3, 8}, {28, 28, 3, 16}} {
		for _, spec := range Specs() {
			tr, err := NewTransform(view.Config{Name: spec.Name, P: 1}, sh)
			if err != nil {
				t.Fatal(err)
			}
			src, dst := picture(1, sh), New(28, 28, sh.C, sh.Bits)
			var p view.Params
			step := func() { tr.Draw(r, &p); tr.Apply(dst, src, &p) }
			for range 200 {
				step()
			}
			if n := testing.AllocsPerRun(100, step); n != 0 {
				t.Errorf("%s %v: %g allocations", spec.Name, sh, n)
			}
		}
	}
}

func shapes(t *rapid.T) Shape {
	return Shape{W: rapid.IntRange(1, 17).Draw(t, "w"), H: rapid.IntRange(1, 17).Draw(t, "h"), C: rapid.SampledFrom([]int{1, 2, 3, 5}).Draw(t, "c"), Bits: rapid.SampledFrom([]int{8, 16}).Draw(t, "bits")}
}

func at(name string, sh Shape, params map[string]contract.Range) *Transform {
	tr, err := NewTransform(view.Config{Name: name, P: 1, Params: params}, sh)
	if err != nil {
		panic(err)
	}
	return tr
}

func value(v ...float64) *view.Params {
	p := &view.Params{N: len(v), Applied: true}
	copy(p.V[:], v)
	return p
}

func TestQuarterComposes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sh := shapes(t)
		a, b := rapid.IntRange(0, 3).Draw(t, "a"), rapid.IntRange(0, 3).Draw(t, "b")
		tr, src := at("quarter", sh, nil), picture(rapid.Uint64().Draw(t, "seed"), sh)
		var one, two, both Image
		tr.Apply(&one, src, value(float64(a)))
		tr.Apply(&two, &one, value(float64(b)))
		tr.Apply(&both, src, value(float64((a+b)%4)))
		if !two.Equal(&both) {
			t.Fatalf("%d turns and then %d are not %d", a, b, (a+b)%4)
		}
		if a == 1 { // numpy.rot90: the top right corner comes to the top left
			if one.At(0, 0, 0) != src.At(sh.W-1, 0, 0) {
				t.Fatal("one turn is not counter-clockwise")
			}
		}
	})
}

// TestRotateIsQuarter: on square pictures a rotation by 90 degrees is the exact turn.
func TestRotateIsQuarter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sh := shapes(t)
		sh.H = sh.W
		turns := rapid.IntRange(1, 3).Draw(t, "turns")
		src := picture(rapid.Uint64().Draw(t, "seed"), sh)
		var a, b Image
		degrees := float64(turns * 90)
		if degrees > 180 {
			degrees -= 360
		}
		at("rotate", sh, nil).Apply(&a, src, value(degrees, 0))
		at("quarter", sh, nil).Apply(&b, src, value(float64(turns)))
		if !a.Equal(&b) {
			t.Fatalf("%g degrees are not %d quarter turns", degrees, turns)
		}
	})
}

func TestFlipsInvert(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sh := shapes(t)
		src := picture(rapid.Uint64().Draw(t, "seed"), sh)
		h, v, q := at("hflip", sh, nil), at("vflip", sh, nil), at("quarter", sh, nil)
		var a, b, c Image
		h.Apply(&a, src, value(1))
		h.Apply(&b, &a, value(1))
		if !b.Equal(src) {
			t.Fatal("two mirrors are not the identity")
		}
		if a.At(0, 0, 0) != src.At(sh.W-1, 0, 0) {
			t.Fatal("hflip does not mirror left and right")
		}
		v.Apply(&b, &a, value(1))
		q.Apply(&c, src, value(2))
		if !b.Equal(&c) {
			t.Fatal("both mirrors are not half a turn")
		}
	})
}

func TestJigsawIsPermutation(t *testing.T) {
	for grid, n := range map[int]int{2: 24, 3: 64} {
		seen := map[string]bool{}
		for k := range n {
			p := JigsawPermutation(grid, k)
			used := map[int]bool{}
			for i, v := range p {
				used[v] = true
				if k == 0 && i != v {
					t.Errorf("%dx%d: class 0 is not the identity", grid, grid)
				}
			}
			if len(used) != grid*grid {
				t.Fatalf("%dx%d class %d: %v is no permutation", grid, grid, k, p)
			}
			seen[fmt.Sprint(p)] = true
			for j := range k {
				differ := 0
				for i, v := range JigsawPermutation(grid, j) {
					if p[i] != v {
						differ++
					}
				}
				if grid == 3 && differ < 8 {
					t.Fatalf("classes %d and %d differ in %d tiles, want at least 8", j, k, differ)
				}
			}
		}
		if len(seen) != n || JigsawPermutation(grid, n) != nil || JigsawPermutation(grid, -1) != nil {
			t.Fatalf("%dx%d: %d different permutations, want %d", grid, grid, len(seen), n)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		sh := shapes(t)
		src := picture(rapid.Uint64().Draw(t, "seed"), sh)
		grid := rapid.IntRange(2, 3).Draw(t, "grid")
		name, n := "jigsaw", 24
		if grid == 3 {
			name, n = "jigsaw3", 64
		}
		k := rapid.IntRange(0, n-1).Draw(t, "class")
		perm := JigsawPermutation(grid, k)
		inverse := make([]int, len(perm))
		for i, v := range perm {
			inverse[v] = i
		}
		var a Image
		at(name, sh, nil).Apply(&a, src, value(float64(k)))
		back := &Image{}
		back.CopyFrom(&a)
		if sh.Bits == 16 {
			jigsaw(back.Pix16, a.Pix16, sh.W, sh.H, sh.C, grid, inverse)
		} else {
			jigsaw(back.Pix, a.Pix, sh.W, sh.H, sh.C, grid, inverse)
		}
		if !back.Equal(src) {
			t.Fatalf("class %d cannot be undone", k)
		}
	})
}

// near compares with a reference in real numbers: at most tolerance levels away, before the reference is rounded 0.5 more.
func near(t rapid.TB, what string, got *Image, want func(x, y, c int) float64, tolerance float64) {
	t.Helper()
	for y := range got.H {
		for x := range got.W {
			for c := range got.C {
				w := min(max(want(x, y, c), 0), float64(got.Max()))
				if g := float64(got.At(x, y, c)); math.Abs(g-math.Round(w)) > tolerance {
					t.Fatalf("%s %dx%dx%d %d bit: (%d, %d, %d) is %g, the reference %g", what, got.H, got.W, got.C, got.Bits, x, y, c, g, w)
				}
			}
		}
	}
}

// slowResize is the antialiased bilinear resize as a direct double sum in real numbers.
func slowResize(src *Image, x0, y0, w, h, outW, outH int) func(x, y, c int) float64 {
	weights := func(n, m, i int) []float64 {
		scale := float64(n) / float64(m)
		wide := math.Max(scale, 1)
		centre := (float64(i) + 0.5) * scale
		out, sum := make([]float64, n), 0.0
		for j := range out {
			out[j] = math.Max(0, 1-math.Abs(float64(j)+0.5-centre)/wide)
			sum += out[j]
		}
		for j := range out {
			out[j] /= sum
		}
		return out
	}
	return func(x, y, c int) float64 {
		sum := 0.0
		wx := weights(w, outW, x)
		for j, a := range weights(h, outH, y) {
			for i, b := range wx {
				sum += a * b * float64(src.At(x0+i, y0+j, c))
			}
		}
		return sum
	}
}

func TestCropReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sh := shapes(t)
		src := picture(rapid.Uint64().Draw(t, "seed"), sh)
		w, h := rapid.IntRange(1, sh.W).Draw(t, "cw"), rapid.IntRange(1, sh.H).Draw(t, "ch")
		x, y := rapid.IntRange(0, sh.W-w).Draw(t, "x"), rapid.IntRange(0, sh.H-h).Draw(t, "y")
		dst := New(rapid.IntRange(1, 20).Draw(t, "ow"), rapid.IntRange(1, 20).Draw(t, "oh"), sh.C, sh.Bits)
		resample(&scratch{}, dst, src, x, y, w, h)
		near(t, "crop", dst, slowResize(src, x, y, w, h, dst.W, dst.H), 1)
	})
}

func TestCropDraw(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	tr := at("crop", Shape{28, 28, 1, 8}, map[string]contract.Range{"scale": rg(0.3, 1)})
	var p view.Params
	mean := 0.0
	for range 2000 {
		tr.Draw(r, &p)
		s, ratio, x, y, w, h := p.V[0], p.V[1], p.V[2], p.V[3], p.V[4], p.V[5]
		mean += s / 2000
		if x < 0 || y < 0 || x+w > 28 || y+h > 28 || ratio < 0.75-1e-9 || ratio > 4./3+1e-9 {
			t.Fatalf("crop %v leaves the picture or the ratios", p.V[:6])
		}
		if math.Abs(w*h/784-s) > 0.06 {
			t.Fatalf("the crop %gx%g covers %.3f, drawn was %.3f", w, h, w*h/784, s)
		}
	}
	// torchvision redraws scales that do not fit, which pulls the mean below 0.65.
	if mean < 0.55 || mean > 0.64 {
		t.Errorf("mean scale %g", mean)
	}
}

func TestBlurReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sh := shapes(t)
		src := picture(rapid.Uint64().Draw(t, "seed"), sh)
		kernel := 2*rapid.IntRange(1, 5).Draw(t, "radius") + 1
		sigma := rapid.Float64Range(0.1, 4).Draw(t, "sigma")
		var dst Image
		at("blur", sh, nil).Apply(&dst, src, value(sigma, float64(kernel)))
		pdf, sum := make([]float64, kernel), 0.0
		for i := range pdf {
			d := (float64(i) - float64(kernel-1)/2) / sigma
			pdf[i] = math.Exp(-0.5 * d * d)
			sum += pdf[i]
		}
		near(t, "blur", &dst, func(x, y, c int) float64 {
			v := 0.0
			for j, a := range pdf {
				for i, b := range pdf {
					v += a * b / sum / sum * float64(src.At(reflect(x+i-kernel/2, sh.W), reflect(y+j-kernel/2, sh.H), c))
				}
			}
			return v
		}, 1)
	})
}

func TestRotateReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sh := shapes(t)
		src := picture(rapid.Uint64().Draw(t, "seed"), sh)
		degrees := rapid.Float64Range(-180, 180).Draw(t, "degrees")
		fill := rapid.SampledFrom([]float64{0, 0.5, 1}).Draw(t, "fill")
		var dst Image
		at("rotate", sh, nil).Apply(&dst, src, value(degrees, fill))
		get := func(x, y, c int) float64 {
			if x < 0 || y < 0 || x >= sh.W || y >= sh.H {
				return math.Floor(fill*float64(src.Max()) + 0.5)
			}
			return float64(src.At(x, y, c))
		}
		sin, cos := math.Sincos(degrees * math.Pi / 180)
		near(t, "rotate", &dst, func(x, y, c int) float64 {
			cx, cy := float64(sh.W-1)/2, float64(sh.H-1)/2
			u, v := float64(x)-cx, float64(y)-cy
			fx, fy := cos*u-sin*v+cx, sin*u+cos*v+cy
			ix, iy := math.Floor(fx), math.Floor(fy)
			a, b := fx-ix, fy-iy
			i, j := int(ix), int(iy)
			return (get(i, j, c)*(1-a)+get(i+1, j, c)*a)*(1-b) + (get(i, j+1, c)*(1-a)+get(i+1, j+1, c)*a)*b
		}, 1)
	})
}

// slowLum has the weights of BT.601; torchvision writes 0.2989 for 0.299.
func slowLum(m *Image, x, y int) float64 {
	return 0.299*float64(m.At(x, y, 0)) + 0.587*float64(m.At(x, y, 1)) + 0.114*float64(m.At(x, y, 2))
}

func slowMean(m *Image) float64 {
	sum := 0.0
	for y := range m.H {
		for x := range m.W {
			if m.C == 3 {
				sum += slowLum(m, x, y)
				continue
			}
			for c := range m.C {
				sum += float64(m.At(x, y, c)) / float64(m.C)
			}
		}
	}
	return sum / float64(m.W*m.H)
}

// slowHue is adjust_hue by way of HSV in real numbers.
func slowHue(m *Image, x, y int, shift float64) [3]float64 {
	r, g, b := float64(m.At(x, y, 0)), float64(m.At(x, y, 1)), float64(m.At(x, y, 2))
	v, lo := math.Max(r, math.Max(g, b)), math.Min(r, math.Min(g, b))
	if v == lo {
		return [3]float64{r, g, b}
	}
	c := v - lo
	var h float64
	switch v {
	case r:
		h = math.Mod((g-b)/c+6, 6)
	case g:
		h = 2 + (b-r)/c
	default:
		h = 4 + (r-g)/c
	}
	h = math.Mod(h+6*shift+12, 6)
	i := math.Floor(h)
	f, s := h-i, c/v
	p, q, t := v*(1-s), v*(1-s*f), v*(1-s*(1-f))
	return [][3]float64{{v, t, p}, {q, v, p}, {p, v, t}, {p, q, v}, {t, p, v}, {v, p, q}}[int(i)%6]
}

func TestToneReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sh := shapes(t)
		src := picture(rapid.Uint64().Draw(t, "seed"), sh)
		f := rapid.Float64Range(0, 3).Draw(t, "factor")
		var dst Image
		at("brightness", sh, nil).Apply(&dst, src, value(f))
		near(t, "brightness", &dst, func(x, y, c int) float64 { return f * float64(src.At(x, y, c)) }, 1)
		mean := slowMean(src)
		at("contrast", sh, nil).Apply(&dst, src, value(f))
		near(t, "contrast", &dst, func(x, y, c int) float64 { return f*float64(src.At(x, y, c)) + (1-f)*mean }, 2)
		if sh.C == 3 {
			at("saturation", sh, nil).Apply(&dst, src, value(f))
			near(t, "saturation", &dst, func(x, y, c int) float64 { return f*float64(src.At(x, y, c)) + (1-f)*slowLum(src, x, y) }, 2)
			at("greyscale", sh, nil).Apply(&dst, src, value(1))
			near(t, "greyscale", &dst, func(x, y, _ int) float64 { return slowLum(src, x, y) }, 1)
			shift := rapid.Float64Range(-0.5, 0.5).Draw(t, "shift")
			at("hue", sh, nil).Apply(&dst, src, value(shift))
			near(t, "hue", &dst, func(x, y, c int) float64 { return slowHue(src, x, y, shift)[c] }, 2)
		}
		th := rapid.Float64Range(0, 1).Draw(t, "threshold")
		at("solarise", sh, nil).Apply(&dst, src, value(th))
		near(t, "solarise", &dst, func(x, y, c int) float64 {
			v := src.At(x, y, c)
			if float64(v) >= math.Round(th*float64(src.Max()+1)) {
				v = src.Max() - v
			}
			return float64(v)
		}, 0)
		drop := rapid.IntRange(0, 8).Draw(t, "drop")
		at("posterise", sh, nil).Apply(&dst, src, value(float64(drop)))
		near(t, "posterise", &dst, func(x, y, c int) float64 { return float64(src.At(x, y, c) &^ (1<<drop - 1)) }, 0)
	})
}

// TestJitterIsSequence: the fused jitter equals its four operations one after the other.
func TestJitterIsSequence(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	for _, sh := range grid {
		tr := at("jitter", sh, map[string]contract.Range{"saturation": rg(0.4, 0.4), "hue": rg(0.2, 0.2)})
		src := picture(11, sh)
		for range 30 {
			var p view.Params
			tr.Draw(r, &p)
			var a Image
			tr.Apply(&a, src, &p)
			b := &Image{}
			b.CopyFrom(src)
			for _, op := range perms2[int(p.V[jitterOrder])] {
				name := []string{"brightness", "contrast", "saturation", "hue"}[op]
				if d, _ := defOf(name); d.colour && sh.C != 3 {
					continue
				}
				next := &Image{}
				at(name, sh, nil).Apply(next, b, value(p.V[jitterBright+op]))
				b = next
			}
			if !a.Equal(b) {
				t.Fatalf("%v: the fused jitter differs from its operations, parameters %v", sh, p.V[:p.N])
			}
		}
	}
}

func TestNoise(t *testing.T) {
	sh := Shape{100, 100, 1, 8}
	src := New(100, 100, 1, 8)
	for i := range src.Pix {
		src.Pix[i] = 128
	}
	tr := at("noise", sh, nil)
	var a, b Image
	tr.Apply(&a, src, value(0.05, 12345))
	tr.Apply(&b, src, value(0.05, 12346))
	var sum, square float64
	same := 0
	for i, v := range a.Pix {
		d := float64(v) - 128
		sum += d
		square += d * d
		if b.Pix[i] == v {
			same++
		}
	}
	n := float64(len(a.Pix))
	if mean, sd := sum/n, math.Sqrt(square/n); math.Abs(mean) > 0.6 || math.Abs(sd-0.05*255) > 0.5 {
		t.Errorf("noise has mean %g and standard deviation %g, want 0 and %g", mean, sd, 0.05*255)
	}
	if same > 800 {
		t.Errorf("another seed gives %d of %g equal values", same, n)
	}
}

func TestCutoutAndMask(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sh := shapes(t)
		src := picture(rapid.Uint64().Draw(t, "seed"), sh)
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "draw"), 1))
		for _, name := range []string{"cutout", "mask"} {
			tr := at(name, sh, nil)
			var p view.Params
			tr.Draw(r, &p)
			var dst Image
			tr.Apply(&dst, src, &p)
			mask := make([]uint8, sh.W*sh.H*sh.C)
			for i := range mask {
				mask[i] = 7
			}
			tr.MaskOf(mask, &p)
			fill := int(math.Floor(p.V[tr.fillAt()]*float64(src.Max()) + 0.5))
			for i, m := range mask {
				x, y, c := i/sh.C%sh.W, i/sh.C/sh.W, i%sh.C
				if v := dst.At(x, y, c); m > 1 || m == 0 && v != src.At(x, y, c) || m == 1 && v != fill {
					t.Fatalf("%s: (%d, %d, %d) has mask %d and value %d", name, x, y, c, m, v)
				}
			}
		}
	})
	tr := at("mask", Shape{28, 28, 1, 8}, map[string]contract.Range{"fraction": rg(0, 1)})
	for _, f := range []float64{0, 0.25, 0.5, 1} {
		mask, n := make([]uint8, 28*28), 0
		tr.MaskOf(mask, value(f, 4, 0, 99))
		for _, m := range mask {
			n += int(m)
		}
		if want := int(math.Round(f*49)) * 16; n != want {
			t.Errorf("fraction %g masks %d pixels, want %d", f, n, want)
		}
	}
}

// fillAt is the place of the parameter "fill".
func (t *Transform) fillAt() int {
	for i, ps := range t.def.spec.Params {
		if ps.Name == "fill" {
			return i
		}
	}
	return -1
}

func TestTranslate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sh := shapes(t)
		src := picture(rapid.Uint64().Draw(t, "seed"), sh)
		dx, dy := rapid.IntRange(-sh.W, sh.W).Draw(t, "dx"), rapid.IntRange(-sh.H, sh.H).Draw(t, "dy")
		var dst Image
		at("translate", sh, nil).Apply(&dst, src, value(1, 0.5, float64(dx), float64(dy)))
		near(t, "translate", &dst, func(x, y, c int) float64 {
			if x -= dx; x < 0 || x >= sh.W {
				return 0.5 * float64(src.Max())
			}
			if y -= dy; y < 0 || y >= sh.H {
				return 0.5 * float64(src.Max())
			}
			return float64(src.At(x, y, c))
		}, 0)
	})
}

// BenchmarkTransform times single transformations on 96x96 RGB, in ns a view.
func BenchmarkTransform(b *testing.B) {
	sh := Shape{96, 96, 3, 8}
	for _, c := range []struct {
		name string
		p    *view.Params
	}{
		{"crop", value(0.5, 1, 10, 10, 68, 68)}, {"hflip", value(1)}, {"brightness", value(1.3)}, {"contrast", value(0.7)},
		{"saturation", value(0.7)}, {"hue", value(0.13)}, {"greyscale", value(1)}, {"blur", value(1, 0)}, {"rotate", value(10, 0)},
		{"noise", value(0.05, 7)}, {"mask", value(0.6, 8, 0.5, 7)}, {"jigsaw3", value(9)},
	} {
		b.Run(c.name, func(b *testing.B) {
			tr, src, dst := at(c.name, sh, nil), picture(1, sh), New(96, 96, 3, 8)
			for b.Loop() {
				tr.Apply(dst, src, c.p)
			}
		})
	}
}
