package bench

import (
	"context"
	"fmt"
	"testing"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/domain/image"
	"github.com/selfsame-ml/selfsame/internal/rng"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/train"
	"github.com/selfsame-ml/selfsame/view"
)

// simclr is the two views of SimCLR as torchvision and lightly make them: crop of 8 to 100 % of the area,
// flip, colour jitter (0.8, 0.8, 0.8, 0.2), greyscale, Gaussian blur with a kernel of a tenth of the width.
func simclr() recipe.Views {
	is := func(v float64) contract.Range { return contract.Range{From: v, To: v} }
	return recipe.Views{Count: 2, Transforms: []view.Config{
		{Name: "crop", P: 1, Params: map[string]contract.Range{"scale": {From: 0.08, To: 1}}},
		{Name: "hflip", P: 0.5},
		{Name: "jitter", P: 0.8, Params: map[string]contract.Range{"brightness": is(0.8), "contrast": is(0.8), "saturation": is(0.8), "hue": is(0.2)}},
		{Name: "greyscale", P: 0.2},
		{Name: "blur", P: 0.5, Params: map[string]contract.Range{"sigma": {From: 0.1, To: 2}}},
	}}
}

// floats gives a sampler's views as float32 in [0, 1], as the programs do that the figures are laid beside.
// selfsame itself leaves them in bytes and converts on the device.
type floats struct {
	*image.Sampler
	size  int
	table [256]float32
}

type floatScratch struct {
	inner any
	bytes []domain.Array
}

func (f *floats) NewScratch() any {
	return &floatScratch{inner: f.Sampler.NewScratch(), bytes: []domain.Array{{U8: make([]uint8, f.size)}}}
}

func (f *floats) Fill(dst []domain.Array, row int, seed, epoch uint64, i int, scratch any) error {
	sc := scratch.(*floatScratch)
	if err := f.Sampler.Fill(sc.bytes, 0, seed, epoch, i, sc.inner); err != nil {
		return err
	}
	out := dst[0].F32[row*f.size:][:f.size]
	for j, v := range sc.bytes[0].U8[:len(out)] {
		out[j] = f.table[v]
	}
	return nil
}

// BenchmarkTwoViews makes the two SimCLR views of 512 random RGB images in memory, in batches of 256 through
// the feed of training with two workers; "float" ends in float32 as other programs do, "bytes" where
// training takes the views over. Each image is counted once.
func BenchmarkTwoViews(b *testing.B) {
	const images, batch = 512, 256
	for _, kind := range []string{"float", "bytes"} {
		for _, side := range []int{28, 32, 64, 96} {
			b.Run(fmt.Sprintf("%s/%d", kind, side), func(b *testing.B) {
				n := side * side * 3
				pool := make([]uint8, images*n)
				r := rng.New(3, rng.Views, uint64(side))
				for i := range pool {
					pool[i] = uint8(r.Uint32())
				}
				s, err := image.NewSampler(simclr(), domain.Field{Name: "image", DType: domain.U8, Dims: []int{side, side, 3}}, func(_ domain.Part, i int, m *image.Image) error {
					m.W, m.H, m.C, m.Bits, m.Pix = side, side, 3, 8, pool[i*n:][:n:n]
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
				feed := &train.Feed{Filler: s, Samples: images, Batch: batch, Seed: 1, Workers: 2}
				for range 3 {
					a := domain.Array{U8: make([]uint8, batch*2*n)}
					if kind == "float" {
						a = domain.Array{F32: make([]float32, batch*2*n)}
					}
					feed.Slots = append(feed.Slots, &train.Slot{Arrays: []domain.Array{a}})
				}
				if kind == "float" {
					f := &floats{Sampler: s, size: 2 * n}
					for v := range f.table {
						f.table[v] = float32(v) / 255
					}
					feed.Filler = f
				}
				b.ReportAllocs()
				b.ResetTimer()
				if err := feed.Run(context.Background(), 0, b.N, func(int, *train.Slot) error { return nil }); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(batch*b.N)/b.Elapsed().Seconds(), "images/s")
				reportPeak(b)
			})
		}
	}
}
