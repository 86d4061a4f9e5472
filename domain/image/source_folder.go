package image

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"image"
	"image/color"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	_ "image/gif"  // decoders, chosen by content
	_ "image/jpeg" //
	_ "image/png"  //

	_ "golang.org/x/image/bmp"  //
	_ "golang.org/x/image/tiff" //
	_ "golang.org/x/image/webp" //

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/selfsame-ml/selfsame/dataset"
	"github.com/selfsame-ml/selfsame/domain"
)

// extensions are the file names that are read as pictures; the content decides the decoder.
var extensions = map[string]bool{
	".png": true, ".jpg": true, ".jpeg": true, ".jpe": true, ".webp": true, ".tif": true, ".tiff": true, ".bmp": true, ".gif": true,
}

// imageFile is one picture of a folder.
type imageFile struct {
	rel   string // slash-separated, below the root
	size  int64
	mtime int64
	err   error // found while listing: cannot be read
}

// filesOrigin is pictures in a folder.
type filesOrigin struct {
	root  string
	files []imageFile
}

func (o *filesOrigin) len() int { return len(o.files) }
func (o *filesOrigin) name(i int) string {
	return filepath.Join(o.root, filepath.FromSlash(o.files[i].rel))
}

func (o *filesOrigin) stamp(w *stamper) {
	w.add("files", o.root, len(o.files))
	for _, f := range o.files {
		w.add(f.rel, f.size, f.mtime)
	}
}

// folderSource lists a folder tree. Sub-folders train, val (or valid, validation) and test on the first level
// are parts where train or test is among them; else everything is training data. Labels: the first
// folder below the part names the class, or a CSV says it, or there are none.
//
// A JPEG is turned as its EXIF orientation says. Hidden files and folders are passed over; links are followed, a folder reached twice is read
// once. The order is that of the names, so it is the same on every machine.
func folderSource(env *loadEnv, root, labels string) (*source, error) {
	files, other, err := walkFolder(root)
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		hint := "pictures are files ending in .png .jpg .jpeg .webp .tif .tiff .bmp .gif"
		if other.n > 0 {
			hint = fmt.Sprintf("%d other files are there, e.g. %s; %s", other.n, other.example, hint)
		}
		return nil, &dataset.Error{Path: root, Err: errors.New("no picture in this folder"), Hint: hint}
	}
	if other.n > 0 {
		env.warnf("%s: %d files that are no pictures are passed over, e.g. %s", root, other.n, other.example)
	}
	partOf := map[string]domain.Part{}
	for _, f := range files {
		top, _, deeper := strings.Cut(f.rel, "/")
		if p, ok := partNames[strings.ToLower(top)]; ok && deeper {
			partOf[top] = p
		}
	}
	hasTrain, hasTest := false, false
	for _, p := range partOf {
		hasTrain = hasTrain || p == domain.Train
		hasTest = hasTest || p == domain.Test
	}
	if !hasTrain && !hasTest { // a class may be called "val"
		clear(partOf)
	}
	byPart := map[domain.Part][]imageFile{}
	class := map[string]string{} // rel -> first folder below the part
	folders := false
	for _, f := range files {
		top, rest, _ := strings.Cut(f.rel, "/")
		part := domain.Train
		if p, ok := partOf[top]; ok {
			part = p
		} else {
			rest = f.rel
		}
		if c, _, deeper := strings.Cut(rest, "/"); deeper {
			class[f.rel], folders = c, true
		}
		byPart[part] = append(byPart[part], f)
	}
	var label func(rel string) (string, bool)
	switch {
	case labels == "none" || labels == "" && !folders:
	case labels == "" || labels == "folders":
		if !folders {
			return nil, &dataset.Error{Path: root, Err: errors.New("data.labels is \"folders\", but there are no sub-folders with pictures"), Hint: "put each class in a folder of its own, or use labels: none"}
		}
		label = func(rel string) (string, bool) { c, ok := class[rel]; return c, ok }
	default:
		m, err := readLabelCSV(labels, root, files)
		if err != nil {
			return nil, err
		}
		for _, f := range m.missing {
			byPart[domain.Train] = append(byPart[domain.Train], imageFile{rel: f, err: fmt.Errorf("named by %s, but not there: %w", labels, fs.ErrNotExist)})
		}
		if m.unnamed > 0 {
			env.warnf("%s: %d of %d pictures have no label, e.g. %s", labels, m.unnamed, len(files), m.example)
		}
		label = func(rel string) (string, bool) { c, ok := m.label[rel]; return c, ok && c != "" }
	}
	s := &source{}
	if label != nil {
		var names []string
		seen := map[string]bool{}
		for _, fs := range byPart {
			for _, f := range fs {
				if c, ok := label(f.rel); ok && !seen[c] {
					seen[c] = true
					names = append(names, c)
				}
			}
		}
		s.classes = sortedClasses(names)
		if len(s.classes) == 1 {
			env.warnf("%s: there is one class, %q: nothing can be scored by labels", root, s.classes[0])
		}
	}
	number := map[string]int32{}
	for i, c := range s.classes {
		number[c] = int32(i)
	}
	for _, part := range []domain.Part{domain.Train, domain.Val, domain.Test} {
		fs := byPart[part]
		if len(fs) == 0 {
			continue
		}
		g := group{part: part, from: &filesOrigin{root: root, files: fs}}
		if label != nil {
			g.labels = make([]int32, len(fs))
			for i, f := range fs {
				g.labels[i] = -1
				if c, ok := label(f.rel); ok {
					g.labels[i] = number[c]
				}
			}
		}
		s.groups = append(s.groups, g)
	}
	return s, nil
}

var partNames = map[string]domain.Part{
	"train": domain.Train, "training": domain.Train,
	"val": domain.Val, "valid": domain.Val, "validation": domain.Val,
	"test": domain.Test, "testing": domain.Test,
}

type others struct {
	n       int
	example string
}

// walkFolder lists the pictures below root in the order of their names.
func walkFolder(root string) (files []imageFile, other others, err error) {
	visited := map[string]bool{} // real paths of folders, against loops of links
	var walk func(dir, rel string) error
	walk = func(dir, rel string) error {
		real, err := filepath.EvalSymlinks(dir)
		if err == nil {
			real, err = filepath.Abs(real)
		}
		if err != nil {
			return err
		}
		if visited[real] {
			return nil
		}
		visited[real] = true
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			name := e.Name()
			if strings.HasPrefix(name, ".") || name == "__MACOSX" || name == "Thumbs.db" {
				continue
			}
			p, r := filepath.Join(dir, name), path.Join(rel, name)
			picture := extensions[strings.ToLower(filepath.Ext(name))]
			st, err := os.Stat(p) // follows links
			switch {
			case err != nil && picture:
				files = append(files, imageFile{rel: r, err: err}) // dangling link, link to itself
			case err != nil:
				other.n++
				other.example = r
			case st.IsDir():
				if err := walk(p, r); err != nil {
					files = append(files, imageFile{rel: r, err: err}) // an unreadable folder counts as a broken file
				}
			case !st.Mode().IsRegular() || !picture: // a pipe would block
				other.n++
				other.example = r
			default:
				files = append(files, imageFile{rel: r, size: st.Size(), mtime: st.ModTime().UnixNano()})
			}
		}
		return nil
	}
	if err := walk(root, ""); err != nil {
		return nil, other, &dataset.Error{Path: root, Err: err}
	}
	slices.SortFunc(files, func(a, b imageFile) int { return strings.Compare(a.rel, b.rel) })
	return files, other, nil
}

type csvLabels struct {
	label   map[string]string // rel -> class; "" is unlabelled
	missing []string          // named, but not there
	unnamed int               // there, but not named
	example string
}

// readLabelCSV reads a table with the columns file and label (any order, other columns are passed
// over; UTF-8 with or without a byte-order mark, LF or CRLF, RFC 4180 quotes). Paths are relative
// to the folder of the pictures; an empty label means unlabelled.
func readLabelCSV(name, root string, files []imageFile) (*csvLabels, error) {
	b, err := os.Open(name)
	if err != nil {
		return nil, &dataset.Error{Path: name, Err: err}
	}
	defer b.Close()
	br := bufio.NewReader(b)
	if m, _ := br.Peek(3); bytes.Equal(m, []byte("\xef\xbb\xbf")) {
		_, _ = br.Discard(3)
	}
	r := csv.NewReader(br)
	r.FieldsPerRecord = -1
	head, err := r.Read()
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("the file is empty")
		}
		return nil, &dataset.Error{Path: name, Record: "line 1", Err: err, Hint: "the first line names the columns: file,label"}
	}
	col := func(want string) int {
		return slices.IndexFunc(head, func(s string) bool { return strings.EqualFold(strings.TrimSpace(s), want) })
	}
	fileCol, labelCol := col("file"), col("label")
	if fileCol < 0 || labelCol < 0 {
		return nil, &dataset.Error{Path: name, Record: "line 1", Err: fmt.Errorf("columns are %q, want file and label", head), Hint: "the first line names the columns: file,label"}
	}
	there := make(map[string]bool, len(files))
	for _, f := range files {
		there[f.rel] = true
	}
	out := &csvLabels{label: map[string]string{}}
	line := map[string]int{}
	for {
		rec, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, &dataset.Error{Path: name, Err: err} // encoding/csv says the line
		}
		at, _ := r.FieldPos(0)
		if len(rec) == 1 && strings.TrimSpace(rec[0]) == "" {
			continue
		}
		if len(rec) <= max(fileCol, labelCol) {
			return nil, dataset.Bad(name, fmt.Sprintf("line %d", at), "%d columns, the header has %d", len(rec), len(head))
		}
		rel := strings.ReplaceAll(strings.TrimSpace(rec[fileCol]), `\`, "/")
		if filepath.IsAbs(rel) {
			if rel, err = filepath.Rel(root, rel); err != nil {
				return nil, &dataset.Error{Path: name, Record: fmt.Sprintf("line %d", at), Err: err}
			}
			rel = filepath.ToSlash(rel)
		}
		rel = path.Clean(rel)
		if rel == "." {
			return nil, dataset.Bad(name, fmt.Sprintf("line %d", at), "the file name is empty")
		}
		c := strings.TrimSpace(rec[labelCol])
		if old, twice := out.label[rel]; twice {
			if old != c {
				return nil, dataset.Bad(name, fmt.Sprintf("line %d", at), "%s is labelled %q, line %d says %q", rel, c, line[rel], old)
			}
			continue
		}
		out.label[rel], line[rel] = c, at
		if !there[rel] {
			out.missing = append(out.missing, rel)
		}
	}
	if len(out.label) == 0 {
		return nil, dataset.Bad(name, "", "no row after the header")
	}
	for _, f := range files {
		if c := out.label[f.rel]; c == "" && f.err == nil {
			out.unnamed++
			out.example = f.rel
		}
	}
	return out, nil
}

// header opens a picture and reads its size without decoding it.
// JPEG sizes are as seen, after the EXIF orientation, which held says.
func (o *filesOrigin) header(i int, maxPixels int64) (f *os.File, cfg image.Config, held int, err error) {
	held = 1
	if err := o.files[i].err; err != nil {
		return nil, cfg, held, err
	}
	f, err = os.Open(o.name(i))
	if err != nil {
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err // the path is named beside it
		}
		return nil, cfg, held, err
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the decoder failed: %v", r)
		}
		if err != nil {
			f.Close()
			f = nil
		}
	}()
	cfg, format, err := image.DecodeConfig(f)
	switch {
	case errors.Is(err, image.ErrFormat):
		err = errors.New("neither PNG, JPEG, WebP, TIFF, BMP nor GIF")
		if o.files[i].size == 0 {
			err = errors.New("the file is empty")
		}
	case err != nil:
	case cfg.Width < 1 || cfg.Height < 1:
		err = fmt.Errorf("%dx%d pixels", cfg.Width, cfg.Height)
	case int64(cfg.Width) > maxPixels/int64(cfg.Height):
		err = fmt.Errorf("%dx%d pixels, the limit max_pixels is %d", cfg.Width, cfg.Height, maxPixels)
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err == nil && format == "jpeg" {
		if held = orientation(f); held >= 5 {
			cfg.Width, cfg.Height = cfg.Height, cfg.Width
		}
		_, err = f.Seek(0, io.SeekStart)
	}
	return f, cfg, held, err
}

// traits returns the channels and depth of a decoded picture: grey 1, everything else 3 (transparency is
// composited on white); 16 bits where the file has them.
func traits(m color.Model) (channels int, deep bool) {
	switch m {
	case color.GrayModel:
		return 1, false
	case color.Gray16Model:
		return 1, true
	case color.RGBA64Model, color.NRGBA64Model:
		return 3, true
	}
	if p, ok := m.(color.Palette); ok {
		for _, c := range p {
			if r, g, b, _ := c.RGBA(); r != g || g != b {
				return 3, false
			}
		}
		return 1, false
	}
	return 3, false
}

func (o *filesOrigin) scan(ctx context.Context, env *loadEnv, into *extent) error {
	var mu sync.Mutex
	var done atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	const run = 64
	for from := 0; from < len(o.files); from += run {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			to := min(from+run, len(o.files))
			for i := from; i < to; i++ {
				f, cfg, _, err := o.header(i, env.maxPixels())
				if err != nil {
					mu.Lock()
					into.bad++
					into.lastBad = &dataset.Error{Path: o.name(i), Err: err}
					mu.Unlock()
					continue
				}
				f.Close()
				c, deep := traits(cfg.ColorModel)
				mu.Lock()
				into.add(cfg.Height, cfg.Width, c, deep, 1)
				mu.Unlock()
			}
			n := done.Add(int64(to - from))
			mu.Lock()
			env.report("scan", int(n), len(o.files))
			mu.Unlock()
			return nil
		})
	}
	return g.Wait()
}

// decoder is the reusable memory of one worker.
type decoder struct {
	rs  resampler
	png pngReader
}

func (o *filesOrigin) open(env *loadEnv, p plan) (readRun, func() error, error) {
	budget := env.maxPixels()
	sem := semaphore.NewWeighted(budget) // pixels decoded at the same time
	pool := sync.Pool{New: func() any { return &decoder{} }}
	size := p.imageBytes()
	read := func(ctx context.Context, from, to int, dst []byte, bad []error) error {
		g, ctx := errgroup.WithContext(ctx)
		g.SetLimit(runtime.GOMAXPROCS(0))
		for i := from; i < to; i++ {
			g.Go(func() error {
				if err := ctx.Err(); err != nil {
					return err
				}
				d := pool.Get().(*decoder)
				defer pool.Put(d)
				var fatal error
				bad[i-from], fatal = o.decode(ctx, i, budget, sem, d, p, dst[(i-from)*size:][:size])
				if env.item != nil {
					env.item()
				}
				return fatal
			})
		}
		return g.Wait()
	}
	return read, func() error { return nil }, nil
}

// decode reads picture i to dst. bad says why it cannot be read; fatal ends the whole load.
func (o *filesOrigin) decode(ctx context.Context, i int, budget int64, sem *semaphore.Weighted, d *decoder, p plan, dst []byte) (bad, fatal error) {
	f, cfg, held, err := o.header(i, budget)
	if err != nil {
		return err, nil
	}
	defer f.Close()
	weight := int64(cfg.Width) * int64(cfg.Height)
	if err := sem.Acquire(ctx, weight); err != nil {
		return nil, err
	}
	defer sem.Release(weight)
	defer func() {
		if r := recover(); r != nil { // a decoder that trips over a damaged file
			bad = fmt.Errorf("the decoder failed: %v", r)
		}
	}()
	m, err := d.picture(f, o.files[i].size, cfg)
	if err != nil {
		return err, nil
	}
	m = uprighted(m, held)
	c, _ := traits(m.ColorModel())
	b := m.Bounds()
	if b.Dx() < 1 || b.Dy() < 1 {
		return fmt.Errorf("%dx%d pixels", b.Dx(), b.Dy()), nil
	}
	if c != p.C && c != 1 && p.C != 1 {
		return fmt.Errorf("%d channels cannot become %d", c, p.C), nil
	}
	d.rs.run(b.Dy(), b.Dx(), c, rows(m, c), 65535, p, dst)
	return nil, nil
}

// picture decodes a file; what it returns may be overwritten by the next one.
func (d *decoder) picture(f *os.File, size int64, cfg image.Config) (image.Image, error) {
	if file, ok := d.png.read(f, size); ok && bytes.HasPrefix(file, []byte(pngSignature)) {
		if m, ok := d.png.decode(file, cfg.Width, cfg.Height); ok {
			return m, nil
		}
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	m, _, err := image.Decode(f)
	return m, err
}

// rows returns a function that reads one row of m as c channels of 0..65535.
func rows(m image.Image, c int) func(y int, dst []float32) {
	b := m.Bounds()
	switch s := m.(type) {
	case *image.Gray:
		return func(y int, dst []float32) {
			for x, v := range s.Pix[y*s.Stride:][:b.Dx()] {
				dst[x] = float32(v) * 257
			}
		}
	case *image.Paletted:
		table := make([][3]float32, 256) // an index outside the palette is black
		for i, col := range s.Palette {
			r, g, bl, a := col.RGBA()
			table[i] = [3]float32{onWhite(r, a), onWhite(g, a), onWhite(bl, a)}
		}
		return func(y int, dst []float32) {
			for x, v := range s.Pix[y*s.Stride:][:b.Dx()] {
				copy(dst[x*c:][:c], table[v][:])
			}
		}
	}
	at := func(x, y int) (r, g, b, a uint32) { return m.At(x, y).RGBA() }
	if s, ok := m.(image.RGBA64Image); ok { // no allocation a pixel
		at = func(x, y int) (r, g, b, a uint32) {
			v := s.RGBA64At(x, y)
			return uint32(v.R), uint32(v.G), uint32(v.B), uint32(v.A)
		}
	}
	return func(y int, dst []float32) {
		for x := range b.Dx() {
			r, g, bl, a := at(b.Min.X+x, b.Min.Y+y)
			if c == 1 {
				dst[x] = onWhite(r, a)
				continue
			}
			d := dst[3*x:][:3]
			d[0], d[1], d[2] = onWhite(r, a), onWhite(g, a), onWhite(bl, a)
		}
	}
}

// onWhite composites a premultiplied value on white.
func onWhite(v, a uint32) float32 { return float32(min(v+0xffff-a, 0xffff)) }
