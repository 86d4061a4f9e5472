package image

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/selfsame-ml/selfsame/internal/rng"
)

// pngs are pictures of the plain kinds, with the filters that the encoder finds best for noise, edges and slopes.
func pngs(t testing.TB) (files [][]byte) {
	t.Helper()
	g := rng.New(1, rng.Views, 77)
	for _, size := range []image.Point{{1, 1}, {28, 28}, {5, 31}, {64, 3}, {200, 150}} {
		for kind := range 9 {
			var m image.Image
			value := func(x, y, c int) uint8 {
				switch kind % 3 {
				case 0:
					return uint8(g.Uint32())
				case 1:
					return uint8(x*3 + y*5 + c*40 + int(g.Uint32()%3))
				}
				return uint8(x/8*31 + y/8*17)
			}
			r := image.Rectangle{Max: size}
			switch kind / 3 {
			case 0:
				p := image.NewGray(r)
				for y := range size.Y {
					for x := range size.X {
						p.SetGray(x, y, color.Gray{Y: value(x, y, 0)})
					}
				}
				m = p
			case 1:
				p := image.NewRGBA(r)
				for y := range size.Y {
					for x := range size.X {
						p.SetRGBA(x, y, color.RGBA{R: value(x, y, 0), G: value(x, y, 1), B: value(x, y, 2), A: 255})
					}
				}
				m = p
			default:
				p := image.NewNRGBA(r)
				for y := range size.Y {
					for x := range size.X {
						p.SetNRGBA(x, y, color.NRGBA{R: value(x, y, 0), G: value(x, y, 1), B: value(x, y, 2), A: value(x, y, 3)})
					}
				}
				m = p
			}
			var b bytes.Buffer
			if err := png.Encode(&b, m); err != nil {
				t.Fatal(err)
			}
			files = append(files, b.Bytes())
		}
	}
	return files
}

// same reports how the two decoders differ on a file that both take; fast says whether ours did.
func same(t testing.TB, p *pngReader, file []byte) (fast bool) {
	t.Helper()
	cfg, err := png.DecodeConfig(bytes.NewReader(file))
	if err != nil || cfg.Width > 1000 || cfg.Height > 1000 {
		return false
	}
	got, ok := p.decode(file, cfg.Width, cfg.Height)
	if !ok {
		return false
	}
	want, err := png.Decode(bytes.NewReader(file))
	if err != nil {
		t.Fatalf("image/png refuses what was read: %v", err)
	}
	if got.Bounds() != want.Bounds() || got.ColorModel() != want.ColorModel() {
		t.Fatalf("%v %v, want %v %v", got.Bounds(), got.ColorModel(), want.Bounds(), want.ColorModel())
	}
	c, _ := traits(want.ColorModel())
	a, b := rows(got, c), rows(want, c)
	x, y := make([]float32, cfg.Width*c), make([]float32, cfg.Width*c)
	for i := range cfg.Height {
		a(i, x)
		b(i, y)
		if d := cmp.Diff(y, x); d != "" {
			t.Fatalf("row %d (-image/png +ours):\n%s", i, d)
		}
	}
	return true
}

func TestPNG(t *testing.T) {
	p := &pngReader{}
	for i, file := range pngs(t) {
		if !same(t, p, file) {
			t.Errorf("file %d was left to image/png", i)
		}
		for cut := range 40 {
			same(t, p, file[:len(file)*cut/40])
		}
	}
	wide := image.NewGray16(image.Rect(0, 0, 9, 9))
	var b bytes.Buffer
	if err := png.Encode(&b, wide); err != nil {
		t.Fatal(err)
	}
	if same(t, p, b.Bytes()) {
		t.Error("16 bits were read as 8")
	}
}

func TestPNGAllocatesLittle(t *testing.T) {
	file := pngs(t)[9]
	p := &pngReader{}
	p.decode(file, 28, 28)
	if n := testing.AllocsPerRun(50, func() {
		if _, ok := p.decode(file, 28, 28); !ok {
			t.Fatal("not read")
		}
	}); n > 3 { // what Reset of the decompressor makes
		t.Errorf("%g allocations a picture", n)
	}
}

// TestUnfilter holds every filter against its definition on a row below another.
func TestUnfilter(t *testing.T) {
	g := rng.New(1, rng.Views, 78)
	for filter := range byte(6) {
		for _, step := range []int{1, 3, 4} {
			for _, top := range []bool{false, true} {
				want, before := make([]byte, 4*step), make([]byte, 4*step)
				for i := range want {
					want[i], before[i] = byte(g.Uint32()), byte(g.Uint32())
				}
				if top {
					clear(before)
				}
				line := make([]byte, len(want))
				for i := range want {
					left, corner := 0, 0
					if i >= step {
						left, corner = int(want[i-step]), int(before[i-step])
					}
					up := int(before[i])
					predicted := 0
					switch filter {
					case 1:
						predicted = left
					case 2:
						predicted = up
					case 3:
						predicted = (left + up) / 2
					case 4: // Paeth
						e := left + up - corner
						predicted = left
						best := max(e-left, left-e)
						if d := max(e-up, up-e); d < best {
							predicted, best = up, d
						}
						if d := max(e-corner, corner-e); d < best {
							predicted = corner
						}
					}
					line[i] = want[i] - byte(predicted)
				}
				above := before
				if top {
					above = nil
				}
				ok := unfilter(filter, line, above, step)
				if ok != (filter < 5) {
					t.Fatalf("filter %d: ok %v", filter, ok)
				}
				if ok && !bytes.Equal(line, want) {
					t.Errorf("filter %d, step %d, top %v: %v, want %v", filter, step, top, line, want)
				}
			}
		}
	}
}

func FuzzPNG(f *testing.F) {
	for _, file := range pngs(f)[:18] {
		f.Add(file)
	}
	p := &pngReader{}
	f.Fuzz(func(t *testing.T, file []byte) { same(t, p, file) })
}
