package image

import (
	"context"
	"fmt"
	stdimage "image"
	"image/color"
	"image/png"
	"io"
	"math"
	"slices"

	"github.com/selfsame-ml/selfsame/dataset"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/internal/rng"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/view"
)

// Domain is the image domain: pixels of any size and number of channels, 8 or 16 bit.
type Domain struct{}

var _ domain.Domain = Domain{}

// Name is "image".
func (Domain) Name() string { return "image" }

// Specs lists the image transformations.
func (Domain) Specs() []view.Spec { return Specs() }

// Open reads the images of a recipe; see OpenSamples.
func (Domain) Open(ctx context.Context, r *recipe.Recipe, opt domain.OpenOptions) (domain.Samples, error) {
	s, err := OpenSamples(ctx, r, opt)
	if err != nil {
		return nil, err
	}
	return s, nil
}

var (
	_ domain.Samples   = (*Samples)(nil)
	_ domain.Renderer  = (*Samples)(nil)
	_ domain.Sheeter   = (*Samples)(nil)
	_ domain.Guard     = (*Samples)(nil)
	_ domain.Describer = (*Samples)(nil)
)

// Render writes row `row` of a as PNG, enlarged by a whole factor until it is at least size
// pixels wide: 1 channel as grey, 3 as colours, others as the mean of their channels.
func (s *Samples) Render(w io.Writer, a *domain.Array, row, size int) error {
	f := s.Input()
	h, wd, c := f.Dims[0], f.Dims[1], f.Dims[2]
	at := func(x, y, k int) uint8 {
		i := ((row*h+y)*wd+x)*c + k
		if f.DType == domain.U16 {
			return uint8(a.U16[i] >> 8)
		}
		return a.U8[i]
	}
	scale := max(1, (size+wd-1)/wd)
	out := stdimage.NewRGBA(stdimage.Rect(0, 0, wd*scale, h*scale))
	for y := range h * scale {
		for x := range wd * scale {
			px := color.RGBA{A: 255}
			if c == 3 {
				px.R, px.G, px.B = at(x/scale, y/scale, 0), at(x/scale, y/scale, 1), at(x/scale, y/scale, 2)
			} else {
				sum := 0
				for k := range c {
					sum += int(at(x/scale, y/scale, k))
				}
				v := uint8(sum / c)
				px.R, px.G, px.B = v, v, v
			}
			out.SetRGBA(x, y, px)
		}
	}
	return png.Encode(w, out)
}

// WriteSheet writes the contact sheet with the first n training images of a keyed order.
func (s *Samples) WriteSheet(w io.Writer, title string, n int, seed uint64) error {
	v, err := NewSampler(s.recipe.Views, s.Input(), s.Pixels)
	if err != nil {
		return err
	}
	order := rng.New(seed, rng.Views, 0).Perm(s.Len(domain.Train))
	return WriteSheet(w, title, v, order[:min(n, len(order))], seed)
}

// Guards reports whether the recipe protects rectangles (certify.regions).
func (s *Samples) Guards() bool { return len(s.recipe.Certify.Regions) > 0 }

// Touched names the first protected rectangle in which a view differs from its original.
func (s *Samples) Touched(original, view *domain.Array, row int) string {
	f := s.Input()
	h, w, c := f.Dims[0], f.Dims[1], f.Dims[2]
	for _, r := range s.recipe.Certify.Regions {
		x0, x1 := int(r.X0*float64(w)), int(math.Ceil(r.X1*float64(w)))
		y0, y1 := int(r.Y0*float64(h)), int(math.Ceil(r.Y1*float64(h)))
		for y := y0; y < min(y1, h); y++ {
			from, to := ((row*h+y)*w+x0)*c, ((row*h+y)*w+min(x1, w))*c
			if f.DType == domain.U16 && !slices.Equal(original.U16[from:to], view.U16[from:to]) ||
				f.DType == domain.U8 && !slices.Equal(original.U8[from:to], view.U8[from:to]) {
				return fmt.Sprintf("the protected rectangle x %g..%g, y %g..%g", r.X0, r.X1, r.Y0, r.Y1)
			}
		}
	}
	return ""
}

// maxSkipped is how many broken files Describe names.
const maxSkipped = 50

// Describe tells what was skipped and which parts share images.
func (s *Samples) Describe() domain.About {
	a := domain.About{Skipped: s.skipped}
	for _, sh := range s.shards {
		for _, b := range sh.Bad[:min(len(sh.Bad), maxSkipped-len(a.SkippedFiles))] {
			a.SkippedFiles = append(a.SkippedFiles, [2]string{b.Name, b.Why})
		}
	}
	for _, l := range s.leaks {
		a.Duplicates = append(a.Duplicates, domain.Duplicate{A: partWord(l.Part), B: partWord(l.In), Count: l.Count})
	}
	if e, ok := dataset.Lookup(s.recipe.Data.Source); ok {
		a.Licence = e.Licence
	}
	return a
}
