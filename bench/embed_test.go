package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	stdimage "image"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/selfsame-ml/selfsame"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/domain/image"
	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/internal/rng"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/store"
	"github.com/selfsame-ml/selfsame/train"
)

// embedEncoder is the network of BenchmarkSimCLRStep/blocks=1.
var embedEncoder = recipe.Encoder{Kind: "resnet", Width: 32, Depth: 1, Stages: 3}

// decoded is samples that lie decoded in memory.
type decoded struct {
	domain.Samples // nothing else is asked for
	field          domain.Field
	pixels         []uint8
}

func (d *decoded) Len(domain.Part) int { return len(d.pixels) / d.field.Size() }
func (d *decoded) Input() domain.Field { return d.field }
func (d *decoded) Encoder() (domain.Encoder, error) {
	return image.NewEncoder(embedEncoder, d.field)
}
func (d *decoded) Fill(dst *domain.Array, row int, _ domain.Part, i int) error {
	n := d.field.Size()
	copy(dst.U8[row*n:(row+1)*n], d.pixels[i*n:])
	return nil
}

// BenchmarkEmbed is inference on 4096 decoded images of 32x32x3: bytes to features. As in
// selfsame.Open, features are float32 unless SELFSAME_BENCH_PRECISION is bf16.
func BenchmarkEmbed(b *testing.B) {
	e := open(b)
	const n = 4096
	d := &decoded{field: domain.Field{Name: "image", DType: domain.U8, Dims: []int{32, 32, 3}}}
	d.pixels = make([]uint8, n*d.field.Size())
	r := rng.New(3, rng.Views)
	for i := range d.pixels {
		d.pixels[i] = uint8(r.IntN(256))
	}
	mode := e.Mode()
	if os.Getenv("SELFSAME_BENCH_PRECISION") != engine.BF16 {
		mode = mode.FP32()
	}
	m, err := train.NewEmbedderMode(e, mode, d)
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	if err := m.Bind(m.Start(1)); err != nil {
		b.Fatal(err)
	}
	run := func() {
		if _, err := m.Part(domain.Test, nil); err != nil {
			b.Fatal(err)
		}
	}
	run()
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		run()
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "images/s")
	reportPeak(b)
}

// pictures writes n pictures of smooth shapes and some noise, as photographs are, to dir.
func pictures(b *testing.B, dir, format string, n, size, channels int) {
	b.Helper()
	r := rng.New(4, rng.Views, uint64(size), uint64(channels))
	var buf bytes.Buffer
	for i := range n {
		var m stdimage.Image
		var fx, fy, ph [3]float64
		for c := range 3 {
			fx[c], fy[c], ph[c] = r.Float64()*8, r.Float64()*8, r.Float64()
		}
		at := func(x, y, c int) uint8 {
			u := fx[c]*float64(x)/float64(size) + fy[c]*float64(y)/float64(size) + ph[c]
			u -= float64(int(u))
			return uint8(40 + 160*u + 16*r.Float64())
		}
		if channels == 1 {
			g := stdimage.NewGray(stdimage.Rect(0, 0, size, size))
			for k := range g.Pix {
				g.Pix[k] = at(k%size, k/size, 0)
			}
			m = g
		} else {
			g := stdimage.NewNRGBA(stdimage.Rect(0, 0, size, size))
			for k := range g.Pix {
				if g.Pix[k] = 255; k%4 < 3 {
					g.Pix[k] = at(k/4%size, k/4/size, k%4)
				}
			}
			m = g
		}
		buf.Reset()
		var err error
		if format == "png" {
			err = png.Encode(&buf, m)
		} else {
			err = jpeg.Encode(&buf, m, &jpeg.Options{Quality: 90})
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, fmt.Sprintf("%06d.%s", i, format)), buf.Bytes(), 0o644)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

// model writes an untrained encoder for size x size x channels images and its card to dir.
func model(b *testing.B, e *engine.Engine, dir string, size, channels int) {
	b.Helper()
	in := domain.Field{Name: "image", DType: domain.U8, Dims: []int{size, size, channels}}
	m, err := train.NewEmbedder(e, &decoded{field: in})
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	start := m.Start(1)
	var ts []store.Tensor
	for name, v := range start {
		ts = append(ts, store.Tensor{Name: name, DType: store.F32, Shape: v.Dims, Data: v.Data})
	}
	slices.SortFunc(ts, func(a, b store.Tensor) int { return strings.Compare(a.Name, b.Name) })
	if err := store.SaveTensors(filepath.Join(dir, "encoder.safetensors"), ts, nil); err != nil {
		b.Fatal(err)
	}
	card := selfsame.Card{Format: 1, Domain: "image", Encoder: embedEncoder, Dim: m.Dim(), Input: selfsame.CardInput{Name: in.Name, Type: "uint8", Dims: in.Dims}}
	js, err := json.Marshal(card)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "encoder.json"), js, 0o644)
	}
	if err != nil {
		b.Fatal(err)
	}
}

// BenchmarkEmbedFolder is a folder of pictures to a .npy file of features with a cold cache: list, decode, infer, write,
// compiling included. SELFSAME_BENCH_FOLDER keeps the pictures below a folder, for a peer to read; else they are temporary.
// SELFSAME_BENCH_IMAGES replaces the number of pictures.
func BenchmarkEmbedFolder(b *testing.B) {
	for _, c := range []struct {
		format            string
		n, size, channels int
	}{{"png", 10_000, 32, 3}, {"png", 10_000, 28, 1}, {"jpg", 2_000, 96, 3}} {
		name := fmt.Sprintf("%s%dx%d", c.format, c.size, c.channels)
		b.Run(name, func(b *testing.B) {
			e := open(b)
			if v, err := strconv.Atoi(os.Getenv("SELFSAME_BENCH_IMAGES")); err == nil {
				c.n = v
			}
			dir := b.TempDir()
			folder := filepath.Join(dir, "pictures")
			if keep := os.Getenv("SELFSAME_BENCH_FOLDER"); keep != "" {
				folder = filepath.Join(keep, name)
			}
			if found, _ := os.ReadDir(folder); len(found) != c.n {
				if err := os.MkdirAll(folder, 0o755); err != nil {
					b.Fatal(err)
				}
				pictures(b, folder, c.format, c.n, c.size, c.channels)
			}
			model(b, e, dir, c.size, c.channels)
			m, err := selfsame.Open(filepath.Join(dir, "encoder.safetensors"), engine.Config{Kind: os.Getenv("SELFSAME_BENCH_ENGINE"), Precision: os.Getenv("SELFSAME_BENCH_PRECISION")})
			if err != nil {
				b.Fatal(err)
			}
			defer m.Close()
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				m.CacheDir = filepath.Join(dir, "cache"+strconv.Itoa(i))
				n, err := m.EmbedFile(context.Background(), selfsame.Source{Path: folder}, filepath.Join(dir, "features.npy"))
				if err != nil {
					b.Fatal(err)
				}
				if n != c.n {
					b.Fatalf("%d of %d pictures embedded", n, c.n)
				}
			}
			b.ReportMetric(float64(c.n*b.N)/b.Elapsed().Seconds(), "images/s")
			reportPeak(b)
		})
	}
}
