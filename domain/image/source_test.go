package image

import (
	"bytes"
	"context"
	"encoding/base64"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
	"pgregory.net/rapid"

	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/recipe"
)

// slowTriangle is the definition written out: for every target pixel the triangle-weighted mean over
// the cropped source.
func slowTriangle(src []float64, h, w, outH, outW int) []float64 {
	s := math.Min(float64(h)/float64(outH), float64(w)/float64(outW))
	y0, x0 := (float64(h)-s*float64(outH))/2, (float64(w)-s*float64(outW))/2
	support := math.Max(s, 1)
	tri := func(i int, center float64) float64 { return math.Max(0, 1-math.Abs(float64(i)+0.5-center)/support) }
	out := make([]float64, outH*outW)
	for y := range outH {
		for x := range outW {
			cy, cx := y0+(float64(y)+0.5)*s, x0+(float64(x)+0.5)*s
			var sum, norm float64
			for i := range h {
				for j := range w {
					k := tri(i, cy) * tri(j, cx)
					sum += k * src[i*w+j]
					norm += k
				}
			}
			out[y*outW+x] = sum / norm
		}
	}
	return out
}

func TestResampler(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h, w := rapid.IntRange(1, 40).Draw(t, "h"), rapid.IntRange(1, 40).Draw(t, "w")
		size := rapid.IntRange(1, 24).Draw(t, "size")
		px := rapid.SliceOfN(rapid.Byte(), h*w, h*w).Draw(t, "px")
		src := make([]float64, h*w)
		for i, v := range px {
			src[i] = float64(v)
		}
		want := slowTriangle(src, h, w, size, size)
		p := plan{H: size, W: size, C: 1, Bits: 8}
		dst := make([]byte, size*size)
		var rs resampler
		rs.run(h, w, 1, func(y int, row []float32) {
			for x := range w {
				row[x] = float32(px[y*w+x])
			}
		}, 255, p, dst)
		for i, v := range want {
			if math.Abs(float64(dst[i])-v) > 0.51 {
				t.Fatalf("%dx%d to %d: pixel %d is %d, want %.3f", h, w, size, i, dst[i], v)
			}
		}
	})
}

// A flat image stays flat under any size, in every channel and both depths.
func TestResamplerKeepsFlat(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h, w, size := rapid.IntRange(1, 70).Draw(t, "h"), rapid.IntRange(1, 70).Draw(t, "w"), rapid.IntRange(1, 50).Draw(t, "size")
		bits := rapid.SampledFrom([]int{8, 16}).Draw(t, "bits")
		v := rapid.SliceOfN(rapid.Byte(), 3, 3).Draw(t, "v")
		p := plan{H: size, W: size + 2, C: 3, Bits: bits}
		dst := make([]byte, p.imageBytes())
		var rs resampler
		rs.run(h, w, 3, func(_ int, row []float32) {
			for i := range row {
				row[i] = float32(v[i%3])
			}
		}, 255, p, dst)
		for i := range p.H * p.W * 3 {
			got := int(dst[i*bits/8])
			if bits == 16 {
				got = int(asU16(dst, nil)[i])
			}
			if want := int(v[i%3]) * (1<<bits - 1) / 255; got != want {
				t.Fatalf("element %d is %d, want %d", i, got, want)
			}
		}
	})
}

// Every format gives the pixels that its decoder gives.
func TestFormats(t *testing.T) {
	rgb := image.NewRGBA(image.Rect(0, 0, 6, 5))
	for i := range rgb.Pix {
		rgb.Pix[i] = uint8(40 + i%7*25)
		if i%4 == 3 {
			rgb.Pix[i] = 255
		}
	}
	pal := image.NewPaletted(image.Rect(0, 0, 6, 5), color.Palette{color.White, color.RGBA{255, 0, 0, 255}, color.RGBA{0, 0, 90, 255}})
	for i := range pal.Pix {
		pal.Pix[i] = uint8(i % 3)
	}
	enc := func(f func(b *bytes.Buffer) error) []byte {
		var b bytes.Buffer
		if err := f(&b); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	webp, err := base64.StdEncoding.DecodeString("UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==") // 1x1, lossless, transparent
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"a.jpg":  enc(func(b *bytes.Buffer) error { return jpeg.Encode(b, rgb, nil) }),
		"a.gif":  enc(func(b *bytes.Buffer) error { return gif.Encode(b, pal, nil) }),
		"a.bmp":  enc(func(b *bytes.Buffer) error { return bmp.Encode(b, rgb) }),
		"a.TIFF": enc(func(b *bytes.Buffer) error { return tiff.Encode(b, rgb, &tiff.Options{Compression: tiff.Deflate}) }),
		"a.webp": webp,
		"b.png":  enc(func(b *bytes.Buffer) error { return jpeg.Encode(b, rgb, nil) }), // the content decides
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, name), b)
			s := mustOpen(t, data(recipe.Data{Source: dir}), t.TempDir())
			m, err := pixels(s, domain.Train, 0)
			if err != nil {
				t.Fatal(err)
			}
			ref, _, err := image.Decode(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			if m.C != 3 || m.W != ref.Bounds().Dx() || m.H != ref.Bounds().Dy() {
				t.Fatalf("shape is %dx%dx%d", m.H, m.W, m.C)
			}
			for y := range m.H {
				for x := range m.W {
					r, g, bl, a := ref.At(ref.Bounds().Min.X+x, ref.Bounds().Min.Y+y).RGBA()
					for c, v := range []uint32{r, g, bl} {
						if want := int(v+65535-a) / 257; m.At(x, y, c) < want || m.At(x, y, c) > want+1 {
							t.Fatalf("(%d, %d, %d) is %d, want %d", x, y, c, m.At(x, y, c), want)
						}
					}
				}
			}
		})
	}
}

func TestIDXFolderAndSecondSource(t *testing.T) {
	dir := t.TempDir()
	idx := func(dims []byte, px ...byte) []byte {
		b := []byte{0, 0, 8, byte(len(dims))}
		for _, d := range dims {
			b = append(b, 0, 0, 0, d)
		}
		return append(b, px...)
	}
	write(t, filepath.Join(dir, "train-images-idx3-ubyte"), idx([]byte{3, 1, 2}, 1, 2, 3, 4, 5, 6))
	write(t, filepath.Join(dir, "train-labels-idx1-ubyte"), idx([]byte{3}, 0, 1, 0))
	write(t, filepath.Join(dir, "t10k-images-idx3-ubyte"), idx([]byte{1, 1, 2}, 7, 8))
	write(t, filepath.Join(dir, "t10k-labels-idx1-ubyte"), idx([]byte{1}, 2))
	s := mustOpen(t, data(recipe.Data{Source: dir, Split: "tail"}), t.TempDir())
	if s.Len(domain.Train) != 3 || s.Len(domain.Test) != 1 || s.Labels(domain.Test)[0] != 2 || len(s.Classes()) != 3 {
		t.Errorf("%d, %d, %v, %q", s.Len(domain.Train), s.Len(domain.Test), s.Labels(domain.Test), s.Classes())
	}
	if !s.warned("the test part has 1 classes that training lacks") {
		t.Errorf("warnings are %q", s.warnings)
	}
	two := mustOpen(t, data(recipe.Data{
		Source: filepath.Join(dir, "train-images-idx3-ubyte"), Labels: filepath.Join(dir, "train-labels-idx1-ubyte"),
		Test: filepath.Join(dir, "t10k-images-idx3-ubyte"), TestLabels: filepath.Join(dir, "t10k-labels-idx1-ubyte"),
	}), t.TempDir())
	if two.Len(domain.Test) != 1 || two.Labels(domain.Test)[0] != 2 {
		t.Errorf("second source: %d, %v", two.Len(domain.Test), two.Labels(domain.Test))
	}
	// A file that lost its end.
	b, err := os.ReadFile(filepath.Join(dir, "train-images-idx3-ubyte"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "train-images-idx3-ubyte"), b[:len(b)-1])
	if _, err := open(t, data(recipe.Data{Source: dir}), t.TempDir()); err == nil || !strings.Contains(err.Error(), "22 bytes in all, the file has 21") {
		t.Errorf("error is %v", err)
	}
}

func TestStratified(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		labels := rapid.SliceOfN(rapid.Int32Range(-1, 4), 1, 80).Draw(t, "labels")
		n := rapid.IntRange(0, len(labels)).Draw(t, "n")
		seed := rapid.Uint64().Draw(t, "seed")
		got := stratified(labels, len(labels), n, seed, 1)
		if len(got) != n || !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != n {
			t.Fatalf("%d of %d: %v", n, len(labels), got)
		}
		if again := stratified(labels, len(labels), n, seed, 1); !slices.Equal(got, again) {
			t.Fatal("two draws of the same key differ")
		}
		for c := int32(-1); c <= 4; c++ {
			have, drawn := 0, 0
			for _, v := range labels {
				if v == c {
					have++
				}
			}
			for _, i := range got {
				if labels[i] == c {
					drawn++
				}
			}
			if exact := float64(n) * float64(have) / float64(len(labels)); math.Abs(float64(drawn)-exact) >= 1 {
				t.Fatalf("class %d: %d drawn, its share is %.2f", c, drawn, exact)
			}
		}
	})
}

func TestTailAndLimit(t *testing.T) {
	px, lab := make([]byte, 12*4), make([]byte, 12)
	for i := range px {
		px[i] = byte(i)
	}
	for i := range lab {
		lab[i] = byte(i % 3)
	}
	dir := t.TempDir()
	images, labels := filepath.Join(dir, "i"), filepath.Join(dir, "l")
	write(t, images, append([]byte{0, 0, 8, 3, 0, 0, 0, 12, 0, 0, 0, 2, 0, 0, 0, 2}, px...))
	write(t, labels, append([]byte{0, 0, 8, 1, 0, 0, 0, 12}, lab...))
	first := func(s *opened, p domain.Part) (out []int) {
		for i := range s.Len(p) {
			m, err := pixels(s, p, i)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, int(m.Pix[0])/4)
		}
		return out
	}
	cache := t.TempDir()
	s := mustOpen(t, data(recipe.Data{Source: images, Labels: labels, Split: "tail", TestShare: 0.25, Val: 2, Limit: 4}), cache)
	if a, b, c := first(s, domain.Train), first(s, domain.Val), first(s, domain.Test); !slices.Equal(a, []int{0, 1, 2, 3}) || !slices.Equal(b, []int{7, 8}) || !slices.Equal(c, []int{9, 10, 11}) {
		t.Errorf("parts are %v, %v, %v", a, b, c)
	}
	s = mustOpen(t, data(recipe.Data{Source: images, Labels: labels, Split: "random", TestShare: 0.25, Limit: 3}), cache)
	if got := slices.Sorted(slices.Values(s.Labels(domain.Train))); !slices.Equal(got, []int32{0, 1, 2}) || s.decoded {
		t.Errorf("a limit under random draws labels %v; decoded again: %v", got, s.decoded)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := OpenSamples(ctx, data(recipe.Data{Source: images}), domain.OpenOptions{CacheDir: t.TempDir()}); err == nil {
		t.Error("a cancelled open succeeded")
	}
	blocked := filepath.Join(dir, "file")
	write(t, blocked, []byte("x"))
	if _, err := open(t, data(recipe.Data{Source: images}), blocked); err == nil || !strings.Contains(err.Error(), "image: cache") {
		t.Errorf("a cache that cannot be written: %v", err)
	}
}

// A picture stored in each of the eight EXIF orientations looks the same. The stored pixels are made
// with transforms of their own, from the definition in the standard: row 0 and column 0 of the stored
// picture are the named sides of the seen one.
func TestOrientation(t *testing.T) {
	const w, h = 24, 16
	seen := func(x, y int) uint8 { return uint8(20 + x/8*60 + y/8*25) } // whole 8x8 blocks survive JPEG
	stored := [9]func(r, c int) (x, y int){
		2: func(r, c int) (x, y int) { return w - 1 - c, r },         // row 0 top, column 0 right
		3: func(r, c int) (x, y int) { return w - 1 - c, h - 1 - r }, // bottom, right
		4: func(r, c int) (x, y int) { return c, h - 1 - r },         // bottom, left
		5: func(r, c int) (x, y int) { return r, c },                 // left, top
		6: func(r, c int) (x, y int) { return w - 1 - r, c },         // right, top
		7: func(r, c int) (x, y int) { return w - 1 - r, h - 1 - c }, // right, bottom
		8: func(r, c int) (x, y int) { return r, h - 1 - c },         // left, bottom
		1: func(r, c int) (x, y int) { return c, r },                 // top, left
	}
	dir := t.TempDir()
	for o := 1; o <= 8; o++ {
		sw, sh := w, h
		if o >= 5 {
			sw, sh = h, w
		}
		m := image.NewGray(image.Rect(0, 0, sw, sh))
		for r := range sh {
			for c := range sw {
				x, y := stored[o](r, c)
				m.SetGray(c, r, color.Gray{Y: seen(x, y)})
			}
		}
		var b bytes.Buffer
		if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 100}); err != nil {
			t.Fatal(err)
		}
		exif := append([]byte("Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00"), byte(o), 0, 0, 0, 0, 0, 0)
		seg := append([]byte{0xff, 0xe1, 0, byte(len(exif) + 2)}, exif...)
		write(t, filepath.Join(dir, string(rune('0'+o))+".jpg"), slices.Concat(b.Bytes()[:2], seg, b.Bytes()[2:]))
	}
	s := mustOpen(t, data(recipe.Data{Source: dir}), t.TempDir())
	for i := range s.Len(domain.Train) {
		m, err := pixels(s, domain.Train, i)
		if err != nil {
			t.Fatal(err)
		}
		if m.W != w || m.H != h {
			t.Fatalf("%s is %dx%d, want %dx%d", s.Name(domain.Train, i), m.W, m.H, w, h)
		}
		for y := range h {
			for x := range w {
				if d := m.At(x, y, 0) - int(seen(x, y)); d > 2 || d < -2 {
					t.Fatalf("%s: (%d, %d) is %d, want %d", s.Name(domain.Train, i), x, y, m.At(x, y, 0), seen(x, y))
				}
			}
		}
	}
}

func FuzzOrientation(f *testing.F) {
	f.Add([]byte("\xff\xd8\xff\xe1\x00\x22Exif\x00\x00II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if o := orientation(bytes.NewReader(b)); o < 1 || o > 8 {
			t.Fatalf("orientation %d", o)
		}
	})
}
