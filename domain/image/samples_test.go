package image

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/selfsame-ml/selfsame/dataset"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/recipe"
)

// data returns a recipe with a data section and the defaults that matter here.
func data(d recipe.Data) *recipe.Recipe {
	r := &recipe.Recipe{Domain: "image", Seed: 7, Data: d}
	if r.Data.MaxPixels == 0 {
		r.Data.MaxPixels = 1_000_000
	}
	return r
}

type opened struct {
	*Samples
	warnings []string
	decoded  bool
}

func open(t *testing.T, r *recipe.Recipe, cache string) (*opened, error) {
	t.Helper()
	o := &opened{}
	s, err := OpenSamples(context.Background(), r, domain.OpenOptions{
		CacheDir: cache,
		Warn:     func(f string, a ...any) { o.warnings = append(o.warnings, fmt.Sprintf(f, a...)) },
		Progress: func(stage string, done, total int) { o.decoded = o.decoded || stage == "decode" },
	})
	if err != nil {
		return o, err
	}
	t.Cleanup(func() { s.Close() })
	o.Samples = s
	return o, nil
}

func mustOpen(t *testing.T, r *recipe.Recipe, cache string) *opened {
	t.Helper()
	o, err := open(t, r, cache)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func writePNG(t *testing.T, path string, m image.Image) {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	write(t, path, b.Bytes())
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

func grey(w, h int, v uint8) *image.Gray {
	m := image.NewGray(image.Rect(0, 0, w, h))
	for i := range m.Pix {
		m.Pix[i] = v + uint8(i)
	}
	return m
}

func (o *opened) warned(part string) bool {
	return slices.ContainsFunc(o.warnings, func(s string) bool { return strings.Contains(s, part) })
}

func TestDigits(t *testing.T) {
	r := data(recipe.Data{Source: "digits", Val: 0.1, Split: "random"})
	s := mustOpen(t, r, t.TempDir())
	if a, b, c := s.Len(domain.Train), s.Len(domain.Val), s.Len(domain.Test); a != 1294 || b != 144 || c != 359 {
		t.Errorf("parts are %d, %d, %d; want 1294, 144, 359", a, b, c)
	}
	if f := s.Input(); f.DType != domain.U8 || !slices.Equal(f.Dims, []int{8, 8, 1}) {
		t.Errorf("field is %+v", f)
	}
	for _, p := range []domain.Part{domain.Train, domain.Val, domain.Test} {
		count := make([]int, 10)
		for _, v := range s.Labels(p) {
			count[v]++
		}
		want := float64(s.Len(p)) / 10
		for c, n := range count {
			if d := float64(n) - want; d > 0.05*want+1.5 || d < -0.05*want-1.5 {
				t.Errorf("part %d has %d of class %d, want about %.0f", p, n, c, want)
			}
		}
	}
	seen := map[string]bool{}
	for _, p := range []domain.Part{domain.Train, domain.Val, domain.Test} {
		for i := range s.Len(p) {
			if n := s.Name(p, i); seen[n] {
				t.Fatalf("%s is in two places", n)
			} else {
				seen[n] = true
			}
		}
	}
	if len(seen) != 1797 {
		t.Errorf("%d images, want 1797", len(seen))
	}
	// The first image as published, scaled from 0..16.
	for p := range domain.Part(3) {
		for i := range s.Len(p) {
			if s.Name(p, i) != "digits: row 0" {
				continue
			}
			a := domain.Array{U8: make([]uint8, 64)}
			if err := s.Fill(&a, 0, p, i); err != nil {
				t.Fatal(err)
			}
			if want := []uint8{0, 0, 80, 207, 143, 16, 0, 0}; !slices.Equal(a.U8[:8], want) {
				t.Errorf("first row is %v, want %v", a.U8[:8], want)
			}
		}
	}
	again := mustOpen(t, r, t.TempDir())
	if again.Hash() != s.Hash() {
		t.Error("the same recipe gives two hashes")
	}
	r2 := data(r.Data)
	r2.Seed = 8
	if other := mustOpen(t, r2, t.TempDir()); other.Hash() == s.Hash() {
		t.Error("another seed gives the same parts")
	}
}

// fashionDir returns where Fashion-MNIST lies, or skips.
func fashionDir(t *testing.T) string {
	cache, err := dataset.DefaultCacheDir()
	if err != nil {
		t.Skip(err)
	}
	if _, err := dataset.Locate("fashion-mnist", cache); err != nil {
		var bad *dataset.Error
		if errors.As(err, &bad) && errors.Is(err, dataset.ErrAbsent) {
			t.Skipf("fashion-mnist is not here; %s", bad.Hint)
		}
		t.Fatal(err)
	}
	return cache
}

func TestFashion(t *testing.T) {
	fashionDir(t)
	src, err := dataset.DefaultCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := dataset.Locate("fashion-mnist", src)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(dataset.EnvData, dir)
	cache := t.TempDir()
	r := data(recipe.Data{Source: "fashion-mnist", Val: 5000, Split: "tail", TestShare: 0.2})
	s := mustOpen(t, r, cache)
	if a, b, c := s.Len(domain.Train), s.Len(domain.Val), s.Len(domain.Test); a != 55000 || b != 5000 || c != 10000 {
		t.Fatalf("parts are %d, %d, %d; want 55000, 5000, 10000", a, b, c)
	}
	// Labels of the first training images as published: ankle boot, T-shirt, T-shirt, dress, T-shirt.
	if got := s.Labels(domain.Train)[:5]; !slices.Equal(got, []int32{9, 0, 0, 3, 0}) {
		t.Errorf("labels begin %v", got)
	}
	if got := s.Classes()[9]; got != "Ankle boot" {
		t.Errorf("class 9 is %q", got)
	}
	a, err := pixels(s, domain.Train, 0)
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, v := range a.Pix {
		sum += int(v)
	}
	if sum != 76247 { // counted from the published file
		t.Errorf("pixels of the first image sum to %d", sum)
	}
	if again := mustOpen(t, r, cache); again.decoded || again.Hash() != s.Hash() {
		t.Errorf("second open: decoded %v, same hash %v", again.decoded, again.Hash() == s.Hash())
	}
	var m Image
	allocs := testing.AllocsPerRun(100, func() {
		if err := s.Pixels(domain.Train, 17, &m); err != nil {
			t.Fatal(err)
		}
	})
	if allocs != 0 {
		t.Errorf("Pixels allocates %v times", allocs)
	}
}

func TestFolderClassesAndParts(t *testing.T) {
	dir := t.TempDir()
	n := uint8(0)
	for _, part := range []string{"train", "test"} {
		for _, c := range []string{"cat", "dog"} {
			for i := range 6 {
				n += 3
				writePNG(t, filepath.Join(dir, part, c, fmt.Sprintf("%d.png", i)), grey(9, 7, n))
			}
		}
	}
	writePNG(t, filepath.Join(dir, "train", ".hidden", "x.png"), grey(3, 3, 1))
	write(t, filepath.Join(dir, "train", "notes.txt"), []byte("hello"))
	if err := os.Symlink(dir, filepath.Join(dir, "train", "cat", "loop")); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, data(recipe.Data{Source: dir, Val: 2, Split: "random"}), t.TempDir())
	if a, b, c := s.Len(domain.Train), s.Len(domain.Val), s.Len(domain.Test); a != 10 || b != 2 || c != 12 {
		t.Fatalf("parts are %d, %d, %d; want 10, 2, 12", a, b, c)
	}
	if !slices.Equal(s.Classes(), []string{"cat", "dog"}) {
		t.Errorf("classes are %q", s.Classes())
	}
	if !slices.Equal(s.Labels(domain.Val), []int32{0, 1}) {
		t.Errorf("the validation part is not stratified: %v", s.Labels(domain.Val))
	}
	if !slices.Equal(s.Input().Dims, []int{7, 9, 1}) {
		t.Errorf("shape is %v", s.Input().Dims)
	}
	a, err := pixels(s, domain.Test, 0)
	if err != nil {
		t.Fatal(err)
	}
	if want := grey(9, 7, 39).Pix; !bytes.Equal(a.Pix, want) {
		t.Errorf("%s is %v, want %v", s.Name(domain.Test, 0), a.Pix, want)
	}
	if !s.warned("notes.txt") || s.warned("hidden") {
		t.Errorf("warnings are %q", s.warnings)
	}
}

func TestBrokenFiles(t *testing.T) {
	dir := t.TempDir()
	for i := range 8 {
		writePNG(t, filepath.Join(dir, fmt.Sprintf("ok%d.png", i)), grey(8, 8, uint8(i*5)))
	}
	var b bytes.Buffer
	if err := png.Encode(&b, grey(64, 64, 1)); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "cut.png"), b.Bytes()[:b.Len()/2])
	write(t, filepath.Join(dir, "empty.jpg"), nil)
	write(t, filepath.Join(dir, "text.gif"), []byte("this is no picture"))
	huge := bytes.Clone(b.Bytes()) // a lying header: 20,000 x 20,000
	binary.BigEndian.PutUint32(huge[16:], 20000)
	binary.BigEndian.PutUint32(huge[20:], 20000)
	binary.BigEndian.PutUint32(huge[29:], crcPNG(huge[12:29]))
	write(t, filepath.Join(dir, "huge.png"), huge)
	if err := os.Symlink("self.png", filepath.Join(dir, "self.png")); err != nil {
		t.Fatal(err)
	}
	cache := t.TempDir()
	r := data(recipe.Data{Source: dir, MaxBad: 5, Size: 8})
	s := mustOpen(t, r, cache)
	if s.Len(domain.Train) != 8 || s.Skipped() != 5 {
		t.Errorf("%d images and %d skipped, want 8 and 5", s.Len(domain.Train), s.Skipped())
	}
	for _, want := range []string{"cut.png", "empty.jpg", "text.gif", "20000x20000 pixels, the limit max_pixels is 1000000", "self.png", "5 of 13 files are broken"} {
		if !s.warned(want) {
			t.Errorf("no warning has %q: %q", want, s.warnings)
		}
	}
	again := mustOpen(t, r, cache)
	if again.decoded || !slices.Equal(again.warnings, s.warnings) {
		t.Errorf("from the cache: decoded %v, warnings %q", again.decoded, again.warnings)
	}
	r.Data.MaxBad = 4
	for _, c := range []string{cache, t.TempDir()} {
		_, err := open(t, r, c)
		var bad *dataset.Error
		if !errors.As(err, &bad) || !strings.HasSuffix(bad.Path, "text.gif") || !strings.Contains(err.Error(), "5 broken files, the limit max_bad is 4") {
			t.Errorf("error is %v", err)
		}
	}
}

func crcPNG(b []byte) uint32 {
	c := ^uint32(0)
	for _, v := range b {
		c ^= uint32(v)
		for range 8 {
			c = c>>1 ^ 0xedb88320&-(c&1)
		}
	}
	return ^c
}

func TestCSVLabels(t *testing.T) {
	dir := t.TempDir()
	for i, n := range []string{"a.png", "b,1.png", "sub/c.png", "d.png"} {
		writePNG(t, filepath.Join(dir, n), grey(4, 4, uint8(i*20)))
	}
	table := func(t *testing.T, s string) string {
		p := filepath.Join(t.TempDir(), "labels.csv")
		write(t, p, []byte(s))
		return p
	}
	t.Run("quotes, byte-order mark, CRLF, order of columns", func(t *testing.T) {
		p := table(t, "\xef\xbb\xbfLabel,note,File\r\n\"big \"\"one\"\"\",x,a.png\r\nsmall,,\"b,1.png\"\r\nsmall,y,sub\\c.png\r\n\r\n")
		s := mustOpen(t, data(recipe.Data{Source: dir, Labels: p}), t.TempDir())
		if !slices.Equal(s.Classes(), []string{`big "one"`, "small"}) {
			t.Errorf("classes are %q", s.Classes())
		}
		if got := s.Labels(domain.Train); !slices.Equal(got, []int32{0, 1, -1, 1}) {
			t.Errorf("labels are %v", got)
		}
		if !s.warned("1 of 4 pictures have no label, e.g. d.png") {
			t.Errorf("warnings are %q", s.warnings)
		}
	})
	for name, c := range map[string]struct{ csv, want string }{
		"empty":       {"", "line 1: the file is empty"},
		"no header":   {"a.png,cat\n", `columns are ["a.png" "cat"], want file and label`},
		"short row":   {"file,label\na.png\n", "line 2: 1 columns, the header has 2"},
		"open quote":  {"file,label\na.png,\"cat\n", "line 2"},
		"two answers": {"file,label\na.png,cat\nd.png,cat\na.png,dog\n", `line 4: a.png is labelled "dog", line 2 says "cat"`},
		"only header": {"file,label\n", "no row after the header"},
		"no file":     {"file,label\n,cat\n", "line 2: the file name is empty"},
		"missing":     {"file,label\nnot/there.png,cat\n", "not there"},
	} {
		t.Run(name, func(t *testing.T) {
			p := table(t, c.csv)
			_, err := open(t, data(recipe.Data{Source: dir, Labels: p}), t.TempDir())
			var bad *dataset.Error
			if !errors.As(err, &bad) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want %q", err, c.want)
			}
		})
	}
}

func TestSmallest(t *testing.T) {
	t.Run("no image", func(t *testing.T) {
		_, err := open(t, data(recipe.Data{Source: t.TempDir()}), t.TempDir())
		var bad *dataset.Error
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), "no picture") || bad.Hint == "" {
			t.Errorf("error is %v", err)
		}
	})
	t.Run("one image of 1x1", func(t *testing.T) {
		dir := t.TempDir()
		writePNG(t, filepath.Join(dir, "x.png"), grey(1, 1, 77))
		s := mustOpen(t, data(recipe.Data{Source: dir, Size: 5}), t.TempDir())
		a, err := pixels(s, domain.Train, 0)
		if err != nil || !bytes.Equal(a.Pix, bytes.Repeat([]byte{77}, 25)) {
			t.Errorf("pixels are %v, %v", a.Pix, err)
		}
	})
	t.Run("one image, and a validation part is wanted", func(t *testing.T) {
		dir := t.TempDir()
		writePNG(t, filepath.Join(dir, "x.png"), grey(1, 1, 77))
		_, err := open(t, data(recipe.Data{Source: dir, Val: 1}), t.TempDir())
		var bad *dataset.Error
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), "data.val wants 1 of the 1 training images") {
			t.Errorf("error is %v", err)
		}
	})
	t.Run("one class", func(t *testing.T) {
		dir := t.TempDir()
		writePNG(t, filepath.Join(dir, "c", "x.png"), grey(2, 2, 77))
		s := mustOpen(t, data(recipe.Data{Source: dir}), t.TempDir())
		if !s.warned("one class") {
			t.Errorf("warnings are %q", s.warnings)
		}
	})
	t.Run("a name that is nothing", func(t *testing.T) {
		_, err := open(t, data(recipe.Data{Source: "fashionmnist"}), t.TempDir())
		var bad *dataset.Error
		if !errors.As(err, &bad) || !strings.Contains(bad.Hint, "fashion-mnist") {
			t.Errorf("error is %v", err)
		}
	})
	t.Run("absent data set", func(t *testing.T) {
		t.Setenv(dataset.EnvData, "")
		_, err := open(t, data(recipe.Data{Source: "fashion-mnist"}), t.TempDir())
		var bad *dataset.Error
		if !errors.As(err, &bad) || !errors.Is(err, dataset.ErrAbsent) || !strings.Contains(bad.Hint, "selfsame data fetch fashion-mnist") {
			t.Errorf("error is %v", err)
		}
	})
}

func TestColoursAndDepth(t *testing.T) {
	dir := t.TempDir()
	m := image.NewNRGBA(image.Rect(0, 0, 2, 1))
	m.SetNRGBA(0, 0, color.NRGBA{200, 100, 50, 255})
	m.SetNRGBA(1, 0, color.NRGBA{200, 100, 50, 0}) // wholly transparent: white
	writePNG(t, filepath.Join(dir, "a.png"), m)
	g := image.NewGray16(image.Rect(0, 0, 2, 1))
	g.SetGray16(0, 0, color.Gray16{Y: 1234})
	g.SetGray16(1, 0, color.Gray16{Y: 65535})
	writePNG(t, filepath.Join(dir, "b.png"), g)
	s := mustOpen(t, data(recipe.Data{Source: dir}), t.TempDir())
	if f := s.Input(); f.DType != domain.U16 || !slices.Equal(f.Dims, []int{1, 2, 3}) {
		t.Fatalf("field is %+v", f)
	}
	want := [][]uint16{
		{200 * 257, 100 * 257, 50 * 257, 65535, 65535, 65535},
		{1234, 1234, 1234, 65535, 65535, 65535},
	}
	for i, w := range want {
		a, err := pixels(s, domain.Train, i)
		if err != nil || !slices.Equal(a.Pix16, w) {
			t.Errorf("image %d is %v, want %v (%v)", i, a.Pix16, w, err)
		}
		b := domain.Array{U16: make([]uint16, 12)}
		if err := s.Fill(&b, 1, domain.Train, i); err != nil || !slices.Equal(b.U16[6:], w) {
			t.Errorf("Fill gives %v, want %v (%v)", b.U16, w, err)
		}
	}
	grey := mustOpen(t, data(recipe.Data{Source: dir, Channels: 1}), t.TempDir())
	a, err := pixels(grey, domain.Train, 0)
	y := color.Gray16Model.Convert(color.NRGBA{200, 100, 50, 255}).(color.Gray16).Y
	if err != nil || absDiff(a.Pix16[0], y) > 1 {
		t.Errorf("grey is %v, want %d as image/color", a.Pix16, y)
	}
}

func pixels(s *opened, p domain.Part, i int) (m Image, err error) {
	err = s.Pixels(p, i, &m)
	return m, err
}

func absDiff(a, b uint16) int { return max(int(a), int(b)) - min(int(a), int(b)) }

func TestLeaksAreNamed(t *testing.T) {
	dir := t.TempDir()
	for i := range 4 {
		writePNG(t, filepath.Join(dir, "train", fmt.Sprintf("%d.png", i)), grey(5, 5, uint8(i)))
	}
	writePNG(t, filepath.Join(dir, "test", "copy.png"), grey(5, 5, 2))
	writePNG(t, filepath.Join(dir, "test", "own.png"), grey(5, 5, 99))
	s := mustOpen(t, data(recipe.Data{Source: dir}), t.TempDir())
	if l := s.Leaks(); len(l) != 1 || l[0].Count != 1 || l[0].Part != domain.Test || l[0].In != domain.Train ||
		!strings.HasSuffix(l[0].Example[0], "copy.png") || !strings.HasSuffix(l[0].Example[1], "2.png") {
		t.Errorf("leaks are %+v", l)
	}
	if !s.warned("leakage: 1 of 2 test images are also in the training part") {
		t.Errorf("warnings are %q", s.warnings)
	}
}

func TestDamagedShardIsBuiltAnew(t *testing.T) {
	dir := t.TempDir()
	for i := range 5 {
		writePNG(t, filepath.Join(dir, fmt.Sprintf("%d.png", i)), grey(16, 16, uint8(i*7)))
	}
	cache := t.TempDir()
	r := data(recipe.Data{Source: dir})
	want := mustOpen(t, r, cache).Hash()
	shards, err := filepath.Glob(filepath.Join(cache, "image", "*", "*.shard"))
	if err != nil || len(shards) != 1 {
		t.Fatalf("shards are %q, %v", shards, err)
	}
	good, err := os.ReadFile(shards[0])
	if err != nil {
		t.Fatal(err)
	}
	flip := func(at int) []byte {
		b := bytes.Clone(good)
		b[at] ^= 0x10
		return b
	}
	for name, b := range map[string][]byte{
		"pixel": flip(len(good) - 5), "header": flip(40), "magic": flip(0), "checksum": flip(13), "length": flip(9),
		"cut": good[:len(good)/2], "empty": {}, "longer": append(bytes.Clone(good), 0),
	} {
		t.Run(name, func(t *testing.T) {
			// A new file: the old one is still mapped by others.
			if err := os.Remove(shards[0]); err != nil {
				t.Fatal(err)
			}
			write(t, shards[0], b)
			s := mustOpen(t, r, cache)
			if s.Hash() != want || !s.decoded || !s.warned("built anew") {
				t.Errorf("same content %v, decoded %v, warnings %q", s.Hash() == want, s.decoded, s.warnings)
			}
			if again := mustOpen(t, r, cache); again.decoded {
				t.Error("the repaired shard is not used")
			}
		})
	}
}

// A kill between writing the temporary file and renaming it leaves only the temporary file.
func TestLeftoversOfAKillAreHarmless(t *testing.T) {
	dir := t.TempDir()
	for i := range 3 {
		writePNG(t, filepath.Join(dir, fmt.Sprintf("%d.png", i)), grey(4, 4, uint8(i*7)))
	}
	cache := t.TempDir()
	r := data(recipe.Data{Source: dir})
	want := mustOpen(t, r, cache).Hash()
	plans, err := filepath.Glob(filepath.Join(cache, "image", "*", "plan.json"))
	if err != nil || len(plans) != 1 {
		t.Fatal(plans, err)
	}
	write(t, filepath.Join(filepath.Dir(plans[0]), ".tmp-123"), []byte("SSMSHRD1 half a sh"))
	if s := mustOpen(t, r, cache); s.decoded || s.Hash() != want {
		t.Error("a leftover file changed the cache")
	}
	if err := os.WriteFile(plans[0], []byte(`{"key":"`), 0o644); err != nil {
		t.Fatal(err)
	}
	if s := mustOpen(t, r, cache); s.Hash() != want {
		t.Error("a damaged plan changed the content")
	}
	// A changed file is another cache.
	writePNG(t, filepath.Join(dir, "0.png"), grey(4, 5, 200))
	if s := mustOpen(t, data(recipe.Data{Source: dir, Size: 4}), cache); s.Hash() == want || !s.decoded {
		t.Error("a changed picture was not seen")
	}
}

func TestArrays(t *testing.T) {
	dir := t.TempDir()
	npy := func(name, descr, order, shape string, data []byte) string {
		h := fmt.Sprintf("{'descr': '%s', 'fortran_order': %s, 'shape': %s, }", descr, order, shape)
		h += strings.Repeat(" ", (64-(10+len(h)+1)%64)%64) + "\n"
		b := append([]byte("\x93NUMPY\x01\x00"), byte(len(h)), byte(len(h)>>8))
		p := filepath.Join(dir, name)
		write(t, p, append(append(b, h...), data...))
		return p
	}
	f4 := func(v ...float32) []byte {
		b, err := binary.Append(nil, binary.LittleEndian, v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, c := range []struct {
		name string
		path string
		dims []int
		u8   []uint8
		u16  []uint16
	}{
		{"uint8", npy("a.npy", "|u1", "False", "(2, 1, 3)", []byte{1, 2, 3, 4, 5, 6}), []int{1, 3, 1}, []uint8{4, 5, 6}, nil},
		{"planes", npy("b.npy", "|u1", "False", "(1, 2, 1, 5)", []byte{1, 2, 3, 4, 5, 11, 12, 13, 14, 15}), []int{1, 5, 2}, []uint8{1, 11, 2, 12, 3, 13, 4, 14, 5, 15}, nil},
		{"floats in 0..1", npy("c.npy", "<f4", "False", "(1, 1, 3)", f4(0, 0.5, 1)), []int{1, 3, 1}, nil, []uint16{0, 32768, 65535}},
		{"floats in 0..255", npy("d.npy", "<f4", "False", "(1, 1, 3)", f4(0, 1, 255)), []int{1, 3, 1}, nil, []uint16{0, 257, 65535}},
		{"floats with signs", npy("e.npy", "<f4", "False", "(1, 1, 3)", f4(-2, 0, 2)), []int{1, 3, 1}, nil, []uint16{0, 32768, 65535}},
		{"small integers", npy("f.npy", "<i4", "False", "(1, 1, 2)", []byte{7, 0, 0, 0, 255, 0, 0, 0}), []int{1, 2, 1}, []uint8{7, 255}, nil},
		{"square rows", npy("g.npy", "|u1", "False", "(1, 4)", []byte{1, 2, 3, 4}), []int{2, 2, 1}, []uint8{1, 2, 3, 4}, nil},
		{"column-major", npy("h.npy", "|u1", "True", "(2, 2, 2)", []byte{0, 1, 2, 3, 4, 5, 6, 7}), []int{2, 2, 1}, []uint8{1, 5, 3, 7}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := mustOpen(t, data(recipe.Data{Source: c.path}), t.TempDir())
			if !slices.Equal(s.Input().Dims, c.dims) {
				t.Errorf("shape is %v, want %v", s.Input().Dims, c.dims)
			}
			a, err := pixels(s, domain.Train, s.Len(domain.Train)-1)
			if err != nil || !slices.Equal(a.Pix, c.u8) || !slices.Equal(a.Pix16, c.u16) {
				t.Errorf("last image is %v %v, want %v %v (%v)", a.Pix, a.Pix16, c.u8, c.u16, err)
			}
		})
	}
	nan := npy("nan.npy", "<f4", "False", "(2, 1, 2)", f4(0, 1, 2, float32(nanValue())))
	var bad *dataset.Error
	if _, err := open(t, data(recipe.Data{Source: nan}), t.TempDir()); !errors.As(err, &bad) || bad.Record != "row 1" || !strings.Contains(err.Error(), "element 1 is NaN") {
		t.Errorf("error is %v", err)
	}
	px := npy("px.npy", "|u1", "False", "(3, 2, 2)", make([]byte, 12))
	lab := npy("lab.npy", "|i1", "False", "(3,)", []byte{1, 0xff, 0})
	s := mustOpen(t, data(recipe.Data{Source: px, Labels: lab}), t.TempDir())
	if !slices.Equal(s.Labels(domain.Train), []int32{1, -1, 0}) || !slices.Equal(s.Classes(), []string{"0", "1"}) {
		t.Errorf("labels are %v, classes %q", s.Labels(domain.Train), s.Classes())
	}
	few := npy("few.npy", "|i1", "False", "(2,)", []byte{1, 0})
	if _, err := open(t, data(recipe.Data{Source: px, Labels: few}), t.TempDir()); !errors.As(err, &bad) || !strings.Contains(err.Error(), "2 labels for the 3 images") {
		t.Errorf("error is %v", err)
	}
	huge := npy("huge.npy", "|u1", "False", "(1, 2000, 2000)", make([]byte, 4_000_000))
	if _, err := open(t, data(recipe.Data{Source: huge}), t.TempDir()); !errors.As(err, &bad) || !strings.Contains(err.Error(), "2000x2000 pixels, the limit max_pixels is 1000000") {
		t.Errorf("error is %v", err)
	}
}

func nanValue() float64 {
	zero := 0.0
	return zero / zero
}
