package image

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/view"
)

// picture is an image of random pixels.
func picture(seed uint64, sh Shape) *Image {
	r := rand.New(rand.NewPCG(seed, 1))
	m := New(sh.W, sh.H, sh.C, sh.Bits)
	for i := range m.Pix {
		m.Pix[i] = uint8(r.UintN(256))
	}
	for i := range m.Pix16 {
		m.Pix16[i] = uint16(r.UintN(65536))
	}
	return m
}

func fieldOf(sh Shape) domain.Field {
	f := domain.Field{Name: "image", DType: domain.U8, Dims: []int{sh.H, sh.W, sh.C}}
	if sh.Bits == 16 {
		f.DType = domain.U16
	}
	return f
}

// memory serves n random images.
func memory(sh Shape, n int) Pixels {
	var pool []*Image
	for i := range n {
		pool = append(pool, picture(uint64(i), sh))
	}
	return func(_ domain.Part, i int, m *Image) error {
		if i < 0 || i >= len(pool) {
			return errors.New("no such sample")
		}
		*m = *pool[i]
		return nil
	}
}

func arrays(fields []domain.Field, rows int) []domain.Array {
	out := make([]domain.Array, len(fields))
	for i, f := range fields {
		switch n := f.Size() * rows; f.DType {
		case domain.U8:
			out[i].U8 = make([]uint8, n)
		case domain.U16:
			out[i].U16 = make([]uint16, n)
		case domain.I32:
			out[i].I32 = make([]int32, n)
		default:
			out[i].F32 = make([]float32, n)
		}
	}
	return out
}

func with(name string, p float64, params map[string]contract.Range, terms ...contract.Term) view.Config {
	return view.Config{Name: name, P: p, Params: params, Terms: terms}
}

// fashionViews is the recipe of the Fashion-MNIST yardstick, simclrViews SimCLR's with colour.
func fashionViews() recipe.Views {
	return recipe.Views{Count: 2, Transforms: []view.Config{
		with("crop", 1, map[string]contract.Range{"scale": rg(0.3, 1)}),
		with("hflip", 0.5, nil),
		with("jitter", 0.8, map[string]contract.Range{"brightness": rg(0.4, 0.4), "contrast": rg(0.4, 0.4)}),
		with("blur", 0.3, map[string]contract.Range{"sigma": rg(0.1, 1), "kernel": rg(3, 3)}),
	}}
}

func simclrViews() recipe.Views {
	return recipe.Views{Count: 2, Transforms: []view.Config{
		with("crop", 1, map[string]contract.Range{"scale": rg(0.08, 1)}),
		with("hflip", 0.5, nil),
		with("jitter", 0.8, map[string]contract.Range{"brightness": rg(0.8, 0.8), "contrast": rg(0.8, 0.8), "saturation": rg(0.8, 0.8), "hue": rg(0.2, 0.2)}),
		with("greyscale", 0.2, nil),
		with("blur", 0.5, map[string]contract.Range{"sigma": rg(0.1, 2)}),
	}}
}

func richViews() recipe.Views {
	v := simclrViews()
	v.Locals, v.LocalSize, v.LocalFrom, v.LocalTo = 3, 12, 0.05, 0.3
	v.Transforms = append(v.Transforms,
		with("quarter", 1, nil),
		with("mask", 1, map[string]contract.Range{"fraction": rg(0.5, 0.7)}),
		with("rotate", 0.5, nil,
			contract.Term{Kind: contract.Invariant, Range: rg(-10, 10)},
			contract.Term{Kind: contract.Equivariant, Range: rg(-60, 60), Weight: 0.5},
			contract.Term{Kind: contract.Protected, Range: rg(60, 180)}),
		with("noise", 0.5, nil, contract.Term{Kind: contract.Restorable, Range: rg(0.05, 0.2)}),
		with("jigsaw3", 1, nil),
	)
	return v
}

func mustSampler(t testing.TB, cfg recipe.Views, sh Shape, n int) *Sampler {
	t.Helper()
	s, err := NewSampler(cfg, fieldOf(sh), memory(sh, n))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSamplerStreams(t *testing.T) {
	s := mustSampler(t, richViews(), Shape{24, 24, 3, 8}, 4)
	var got []string
	for _, st := range s.Streams() {
		got = append(got, st.Kind.String()+" "+st.Name)
	}
	want := []string{"invariant views", "equivariant quarter", "restorable mask", "equivariant rotate", "restorable noise", "equivariant jigsaw3"}
	if !slices.Equal(got, want) {
		t.Fatalf("streams %q, want %q", got, want)
	}
	names := map[string]domain.Field{}
	for _, f := range s.Fields() {
		names[f.Name] = f
	}
	for _, st := range s.Streams() {
		for _, n := range []string{st.Input, st.Locals, st.Target, st.Clean, st.Mask} {
			if _, ok := names[n]; n != "" && !ok {
				t.Errorf("stream %s names the field %q, which does not exist", st.Name, n)
			}
		}
	}
	if d := names["locals"].Dims; !slices.Equal(d, []int{3, 12, 12, 3}) {
		t.Errorf("locals have shape %v", d)
	}
	if d := names["views"].Dims; !slices.Equal(d, []int{2, 24, 24, 3}) {
		t.Errorf("views have shape %v", d)
	}
}

// TestSamplerOrder: what a row holds depends on (seed, epoch, sample) alone, not on
// the row, on the worker or on what it did before.
func TestSamplerOrder(t *testing.T) {
	for _, bits := range []int{8, 16} {
		s := mustSampler(t, richViews(), Shape{24, 24, 3, bits}, 4)
		a, b, other := arrays(s.Fields(), 4), arrays(s.Fields(), 4), arrays(s.Fields(), 4)
		sc := s.NewScratch()
		for i := range 4 {
			if err := s.Fill(a, i, 7, 2, i, sc); err != nil {
				t.Fatal(err)
			}
		}
		sc2 := s.NewScratch()
		for i := 3; i >= 0; i-- {
			if err := s.Fill(other, 0, 9, 3, i, sc2); err != nil {
				t.Fatal(err)
			}
			if err := s.Fill(b, i, 7, 2, i, sc2); err != nil {
				t.Fatal(err)
			}
		}
		for k, f := range s.Fields() {
			if !slices.Equal(a[k].U8, b[k].U8) || !slices.Equal(a[k].U16, b[k].U16) || !slices.Equal(a[k].I32, b[k].I32) || !slices.Equal(a[k].F32, b[k].F32) {
				t.Errorf("%d bit: field %s depends on the order", bits, f.Name)
			}
		}
		if err := s.Fill(other, 0, 7, 3, 0, sc2); err != nil {
			t.Fatal(err)
		}
		n := s.Fields()[0].Size()
		if bits == 8 && slices.Equal(other[0].U8[:n], a[0].U8[:n]) {
			t.Error("another epoch gives the same views")
		}
	}
}

func TestSamplerTargets(t *testing.T) {
	sh := Shape{24, 24, 1, 8}
	cfg := recipe.Views{Count: 2, Transforms: []view.Config{
		with("quarter", 1, nil),
		with("rotate", 1, nil, contract.Term{Kind: contract.Equivariant, Range: rg(-60, 60)}),
		with("mask", 1, map[string]contract.Range{"fraction": rg(0.5, 0.5), "patch": rg(4, 4), "fill": rg(0, 0)}),
	}}
	at := memory(sh, 8)
	s, err := NewSampler(cfg, fieldOf(sh), at)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(s.Streams()); n != 3 {
		t.Fatalf("%d streams, want 3: no Invariant stream without an Invariant term", n)
	}
	dst, sc := arrays(s.Fields(), 1), s.NewScratch()
	place := map[string]int{}
	for i, f := range s.Fields() {
		place[f.Name] = i
	}
	seen := [4]int{}
	for i := range 8 {
		for epoch := range uint64(8) {
			if err := s.Fill(dst, 0, 1, epoch, i, sc); err != nil {
				t.Fatal(err)
			}
			var src Image
			if err := at(domain.Train, i, &src); err != nil {
				t.Fatal(err)
			}
			turns := dst[place["quarter.target"]].I32[0]
			seen[turns]++
			want := make([]uint8, len(src.Pix))
			quarter(want, src.Pix, 24, 24, 1, int(turns))
			if !slices.Equal(want, dst[place["quarter.input"]].U8) {
				t.Fatalf("the quarter stream is not the sample turned %d times", turns)
			}
			if v := dst[place["rotate.target"]].F32[0]; v < -1 || v > 1 {
				t.Fatalf("rotate target %g", v)
			}
			masked := 0
			clean, damaged := dst[place["mask.clean"]].U8, dst[place["mask.input"]].U8
			if !slices.Equal(clean, src.Pix) {
				t.Fatal("clean is not the sample")
			}
			for k, m := range dst[place["mask.mask"]].U8 {
				masked += int(m)
				if m == 0 && clean[k] != damaged[k] || m == 1 && damaged[k] != 0 {
					t.Fatal("the mask does not say what was damaged")
				}
			}
			if masked != 24*24/2 {
				t.Fatalf("%d pixels masked, want half", masked)
			}
		}
	}
	for turns, n := range seen {
		if n < 4 {
			t.Errorf("%d turns drawn %d times of 64", turns, n)
		}
	}
}

// TestSamplerKeepsToInvariant reads the recorded draws of the Invariant stream.
func TestSamplerKeepsToInvariant(t *testing.T) {
	s := mustSampler(t, richViews(), Shape{24, 24, 3, 8}, 1)
	w := s.NewScratch().(*workspace)
	applied := map[string]int{}
	for i := range 2000 {
		w.stream.Reset(3, 1, 0, uint64(i), 0)
		w.pipe.DrawInvariant(w.stream.Rand, w.ps)
		for k, p := range w.ps {
			if !p.Applied {
				continue
			}
			c := w.pipe.Steps[k].Config
			applied[c.Name]++
			if term, ok := c.Terms.At(p.V[0]); !ok || term.Kind != contract.Invariant {
				t.Fatalf("%s drew %g, which is %v", c.Name, p.V[0], term.Kind)
			}
		}
	}
	for name, p := range map[string]float64{"crop": 1, "hflip": 0.5, "jitter": 0.8, "greyscale": 0.2, "blur": 0.5, "rotate": 0.5, "quarter": 0, "mask": 0, "noise": 0, "jigsaw3": 0} {
		if got := float64(applied[name]) / 2000; got < p-0.05 || got > p+0.05 {
			t.Errorf("%s was applied at a rate of %g, want %g", name, got, p)
		}
	}
}

func TestSamplerErrors(t *testing.T) {
	sh := Shape{8, 6, 1, 8}
	at := memory(sh, 1)
	for name, cfg := range map[string]recipe.Views{
		"unknown":        {Transforms: []view.Config{{Name: "swirl"}}},
		"no such key":    {Transforms: []view.Config{with("crop", 1, map[string]contract.Range{"size": rg(0, 1)})}},
		"out of range":   {Transforms: []view.Config{with("crop", 1, map[string]contract.Range{"scale": rg(0.3, 1.5)})}},
		"p":              {Transforms: []view.Config{with("crop", 1.5, nil)}},
		"quarter":        {Transforms: []view.Config{with("quarter", 1, nil)}},
		"kind":           {Transforms: []view.Config{with("crop", 1, nil, contract.Term{Kind: contract.Restorable, Range: rg(0.5, 1)})}},
		"one value":      {Transforms: []view.Config{with("rotate", 1, nil, contract.Term{Kind: contract.Equivariant, Range: rg(10, 10)})}},
		"local size":     {Locals: 2, Transforms: []view.Config{with("crop", 1, nil)}},
		"term elsewhere": {Transforms: []view.Config{with("rotate", 1, map[string]contract.Range{"degrees": rg(-5, 5)}, contract.Term{Kind: contract.Equivariant, Range: rg(20, 60)})}},
	} {
		if _, err := NewSampler(cfg, fieldOf(sh), at); !errors.Is(err, view.ErrConfig) {
			t.Errorf("%s: error %v, want view.ErrConfig", name, err)
		}
	}
	s := mustSampler(t, fashionViews(), sh, 1)
	dst := arrays(s.Fields(), 1)
	if err := s.Fill(dst, 0, 1, 1, 5, s.NewScratch()); err == nil {
		t.Error("a missing sample gives no error")
	}
	if err := s.Fill(dst, 0, 1, 1, 0, nil); err == nil {
		t.Error("no scratch gives no error")
	}
}

func TestTransformations(t *testing.T) {
	s := mustSampler(t, richViews(), Shape{24, 24, 3, 8}, 2)
	for _, tr := range s.Transforms() {
		name := tr.Config().Name
		g := tr.Config().Params[tr.Spec().Params[0].Name]
		lo, hi := tr.At(0, 1, 0), tr.At(1, 1, 0)
		if lo.V[0] != g.From || hi.V[0] != g.To {
			t.Errorf("%s: At gives %g and %g, want the ends of %s", name, lo.V[0], hi.V[0], g)
		}
		if p := tr.Draw(1, 2, 0); p != tr.Draw(1, 2, 0) || !g.Contains(p.V[0]) {
			t.Errorf("%s: draw %g is not repeatable or leaves %s", name, p.V[0], g)
		}
		a := arrays([]domain.Field{fieldOf(Shape{24, 24, 3, 8})}, 2)[0]
		if err := tr.Fill(&a, 1, domain.Val, 0, tr.AtValue(tr.Spec().Identity, 1, 0)); err != nil {
			t.Fatal(err)
		}
		src := picture(0, Shape{24, 24, 3, 8})
		if !slices.Equal(a.U8[24*24*3:], src.Pix) {
			t.Errorf("%s: the identity changes the sample", name)
		}
	}
}

func TestSamplerDoesNotAllocate(t *testing.T) {
	for _, bits := range []int{8, 16} {
		for _, c := range []int{1, 3} {
			s := mustSampler(t, richViews(), Shape{24, 24, 3, bits}, 4)
			if c == 1 {
				s = mustSampler(t, fashionViews(), Shape{28, 28, 1, bits}, 4)
			}
			dst, sc := arrays(s.Fields(), 1), s.NewScratch()
			epoch := uint64(0)
			step := func() {
				epoch++
				if err := s.Fill(dst, 0, 1, epoch, int(epoch&3), sc); err != nil {
					t.Fatal(err)
				}
			}
			for range 200 { // warm-up
				step()
			}
			if n := testing.AllocsPerRun(200, step); n != 0 {
				t.Errorf("%d bit, %d channels: %g allocations a sample", bits, c, n)
			}
		}
	}
}

func benchViews(b *testing.B, cfg recipe.Views, sh Shape) {
	s := mustSampler(b, cfg, sh, 512)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		dst, sc := arrays(s.Fields(), 256), s.NewScratch()
		for i := 0; pb.Next(); i++ {
			if err := s.Fill(dst, i&255, 1, uint64(i/512), i%512, sc); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "images/s")
}

// The yardsticks: two views of an image from stored bytes, on all cores.
func BenchmarkTwoViews28(b *testing.B) { benchViews(b, fashionViews(), Shape{28, 28, 1, 8}) }
func BenchmarkTwoViews96(b *testing.B) { benchViews(b, simclrViews(), Shape{96, 96, 3, 8}) }

// BenchmarkTwoViews32 has colour at 32 pixels.
func BenchmarkTwoViews32(b *testing.B) { benchViews(b, simclrViews(), Shape{32, 32, 3, 8}) }
