package image

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/view"
)

// Transform is one image transformation with the memory it works in: not safe
// for concurrent use. It implements view.Parametric[Image].
//
// What a draw decides beyond the parameters of the Spec (a position, an order, a
// seed) is recorded behind them in view.Params, so that Apply is pure.
type Transform struct {
	def    *def
	cfg    view.Config
	ranges [view.MaxParams]contract.Range // of Spec.Params, by position
	w, h   int                            // of the images it is drawn for
	c      int
	outW   int // crop only
	outH   int
	work   scratch
}

type def struct {
	spec view.Spec
	// draw completes p after the Spec's parameters were drawn; nil: nothing to add.
	draw func(t *Transform, r *rand.Rand, p *view.Params) bool
	// apply is called where the principal parameter is not the identity.
	apply func(t *Transform, dst, src *Image, p *view.Params)
	// colour: needs three channels, does nothing to one, is an error on others.
	colour bool
	group  string // what it disturbs; see keepFor
}

// scratch is the memory that transformations share from call to call.
type scratch struct {
	ax, ay axis
	u32    []uint32
	rows   []uint64
	ints   []int
	table  [256]uint8
	weight []uint32
	bytes  []uint8
	taps   []uint16
}

// Shape is what a Transform is built for.
type Shape struct{ W, H, C, Bits int }

// NewTransform checks a declaration against images of a shape and returns the transformation.
// Errors wrap view.ErrConfig.
func NewTransform(c view.Config, in Shape) (*Transform, error) {
	d, ok := defOf(c.Name)
	if !ok {
		return nil, fmt.Errorf("image: %w: unknown transformation %q", view.ErrConfig, c.Name)
	}
	c, err := d.spec.Resolve(c)
	if err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	if in.W < 1 || in.H < 1 || in.C < 1 || in.Bits != 8 && in.Bits != 16 {
		return nil, fmt.Errorf("image: %w: %s for images of %dx%dx%d, %d bits", view.ErrConfig, c.Name, in.H, in.W, in.C, in.Bits)
	}
	if d.colour && in.C != 1 && in.C != 3 {
		return nil, fmt.Errorf("image: %w: %s needs 3 channels (1 is left as it is), the images have %d", view.ErrConfig, c.Name, in.C)
	}
	t := &Transform{def: d, cfg: c, w: in.W, h: in.H, c: in.C, outW: in.W, outH: in.H}
	for i, ps := range d.spec.Params {
		t.ranges[i] = c.Params[ps.Name]
	}
	return t, nil
}

// Spec describes the transformation and its parameters.
func (t *Transform) Spec() view.Spec { return t.def.spec }

// Config is the resolved declaration.
func (t *Transform) Config() view.Config { return t.cfg }

// Draw fills p, with the principal parameter from the whole declared range.
func (t *Transform) Draw(r *rand.Rand, p *view.Params) {
	for range view.Tries {
		if t.DrawAt(r, view.Uniform(r, t.ranges[0], t.def.spec.Params[0].Integer), p) {
			break
		}
	}
	p.Applied = true
}

// DrawAt fills p with the principal parameter v; see view.Parametric.
func (t *Transform) DrawAt(r *rand.Rand, v float64, p *view.Params) bool {
	specs := t.def.spec.Params
	*p = view.Params{N: len(specs), Applied: true}
	p.V[0] = v
	for i := 1; i < len(specs); i++ {
		p.V[i] = view.Uniform(r, t.ranges[i], specs[i].Integer)
	}
	if t.def.draw != nil {
		return t.def.draw(t, r, p)
	}
	return true
}

// Apply writes the view of src under p to dst. Where p was not applied, and where the
// principal parameter is the identity, dst equals src bit for bit.
func (t *Transform) Apply(dst, src *Image, p *view.Params) {
	same := t.outW == t.w && t.outH == t.h
	if !p.Applied && same || p.V[0] == t.def.spec.Identity && (same || t.def.spec.Name != "crop") || t.def.colour && src.C != 3 {
		dst.CopyFrom(src)
		return
	}
	t.def.apply(t, dst, src, p)
}

func push(p *view.Params, v float64) { p.V[p.N] = v; p.N++ }

// Specs lists the image transformations in the order in which documents print them.
func Specs() []view.Spec {
	out := make([]view.Spec, len(defs))
	for i := range defs {
		out[i] = defs[i].spec
	}
	return out
}

func defOf(name string) (*def, bool) {
	for i := range defs {
		if defs[i].spec.Name == name {
			return &defs[i], true
		}
	}
	return nil, false
}

func rg(from, to float64) contract.Range { return contract.Range{From: from, To: to} }

var (
	invEqui    = []contract.Kind{contract.Invariant, contract.Equivariant, contract.Protected}
	equiInv    = []contract.Kind{contract.Equivariant, contract.Invariant, contract.Protected}
	inv        = []contract.Kind{contract.Invariant, contract.Protected}
	invAll     = []contract.Kind{contract.Invariant, contract.Equivariant, contract.Restorable, contract.Protected}
	invRestore = []contract.Kind{contract.Invariant, contract.Restorable, contract.Protected}
	restoreInv = []contract.Kind{contract.Restorable, contract.Invariant, contract.Protected}
)

var fillSpec = view.ParamSpec{Name: "fill", Unit: "fraction", Min: 0, Max: 1, Default: rg(0, 0), Doc: "value of what comes in from outside, as a fraction of full scale"}

var defs []def

func init() { // a variable initialiser would refer to itself through the apply functions
	defs = []def{
		{spec: view.Spec{Name: "crop", P: 1, Identity: 1, Kinds: invEqui,
			Doc: "random resized crop, bilinear with antialiasing (Inception; torchvision v2.RandomResizedCrop)",
			Params: []view.ParamSpec{
				{Name: "scale", Unit: "fraction", Min: 1e-4, Max: 1, Default: rg(0.3, 1), Doc: "area of the crop as a fraction of the picture's"},
				{Name: "ratio", Unit: "width/height", Min: 0.05, Max: 20, Default: rg(3./4, 4./3), Doc: "aspect ratio of the crop, drawn log-uniformly"},
			}}, draw: drawCrop, apply: applyCrop, group: "zoom"},
		{spec: view.Spec{Name: "hflip", P: 0.5, Identity: 0, Classes: 2, Kinds: invEqui,
			Doc:    "mirror left and right (torchvision v2.RandomHorizontalFlip)",
			Params: []view.ParamSpec{{Name: "flip", Unit: "0 or 1", Min: 0, Max: 1, Default: rg(1, 1), Integer: true, Doc: "1 mirrors; p decides how often"}}},
			apply: applyHFlip, group: "place"},
		{spec: view.Spec{Name: "vflip", P: 0.5, Identity: 0, Classes: 2, Kinds: invEqui,
			Doc:    "mirror top and bottom (torchvision v2.RandomVerticalFlip)",
			Params: []view.ParamSpec{{Name: "flip", Unit: "0 or 1", Min: 0, Max: 1, Default: rg(1, 1), Integer: true, Doc: "1 mirrors; p decides how often"}}},
			apply: applyVFlip, group: "place"},
		{spec: view.Spec{Name: "quarter", P: 1, Identity: 0, Classes: 4, Kinds: equiInv,
			Doc:    "quarter turns counter-clockwise, exact (RotNet, Gidaris et al. 2018; numpy.rot90)",
			Params: []view.ParamSpec{{Name: "turns", Unit: "quarter turns", Min: 0, Max: 3, Default: rg(0, 3), Integer: true, Doc: "number of turns; odd ones need square pictures"}}},
			apply: applyQuarter, group: "place"},
		{spec: view.Spec{Name: "rotate", P: 1, Identity: 0, Kinds: invEqui,
			Doc: "rotation about the centre, counter-clockwise, bilinear (torchvision v2.RandomRotation with bilinear interpolation)",
			Params: []view.ParamSpec{
				{Name: "degrees", Unit: "degrees", Min: -180, Max: 180, Default: rg(-15, 15), Doc: "angle"}, fillSpec,
			}}, apply: applyRotate, group: "place"},
		{spec: view.Spec{Name: "translate", P: 1, Identity: 0, Kinds: inv,
			Doc: "shift by whole pixels (torchvision v2.RandomAffine translate)",
			Params: []view.ParamSpec{
				{Name: "shift", Unit: "fraction", Min: 0, Max: 1, Default: rg(0.1, 0.1), Doc: "largest shift as a fraction of the side; both shifts are uniform up to it"}, fillSpec,
			}}, draw: drawTranslate, apply: applyTranslate, group: "place"},
		{spec: view.Spec{Name: "jitter", P: 0.8, Identity: 0, Kinds: inv,
			Doc: "brightness, contrast, saturation and hue in random order (torchvision v2.ColorJitter); saturation and hue act on 3 channels only",
			Params: []view.ParamSpec{
				{Name: "strength", Unit: "factor", Min: 0, Max: 1, Default: rg(1, 1), Doc: "scales all four deviations"},
				{Name: "brightness", Unit: "deviation", Min: 0, Max: 4, Default: rg(0.4, 0.4), Doc: "d: the factor is uniform in [max(0, 1-d), 1+d]"},
				{Name: "contrast", Unit: "deviation", Min: 0, Max: 4, Default: rg(0.4, 0.4), Doc: "d: the factor is uniform in [max(0, 1-d), 1+d]"},
				{Name: "saturation", Unit: "deviation", Min: 0, Max: 4, Default: rg(0, 0), Doc: "d: the factor is uniform in [max(0, 1-d), 1+d]"},
				{Name: "hue", Unit: "deviation", Min: 0, Max: 0.5, Default: rg(0, 0), Doc: "d: the shift is uniform in [-d, d] of the colour circle"},
			}}, draw: drawJitter, apply: applyJitter, group: "tone"},
		{spec: view.Spec{Name: "brightness", P: 0.8, Identity: 1, Kinds: invEqui,
			Doc:    "multiplies every value (torchvision v2.functional.adjust_brightness)",
			Params: []view.ParamSpec{{Name: "factor", Unit: "factor", Min: 0, Max: 10, Default: rg(0.6, 1.4), Doc: "1 changes nothing, 0 is black"}}},
			apply: applyBrightness, group: "tone"},
		{spec: view.Spec{Name: "contrast", P: 0.8, Identity: 1, Kinds: invEqui,
			Doc:    "moves every value from or to the mean luminance (torchvision v2.functional.adjust_contrast); the mean of all channels where there are not 3",
			Params: []view.ParamSpec{{Name: "factor", Unit: "factor", Min: 0, Max: 10, Default: rg(0.6, 1.4), Doc: "1 changes nothing, 0 is flat grey"}}},
			apply: applyContrast, group: "tone"},
		{spec: view.Spec{Name: "saturation", P: 0.8, Identity: 1, Kinds: invEqui,
			Doc:    "moves every pixel from or to its luminance (torchvision v2.functional.adjust_saturation); 3 channels, identity on 1",
			Params: []view.ParamSpec{{Name: "factor", Unit: "factor", Min: 0, Max: 10, Default: rg(0.6, 1.4), Doc: "1 changes nothing, 0 is grey"}}},
			apply: applySaturation, colour: true, group: "tone"},
		{spec: view.Spec{Name: "hue", P: 0.8, Identity: 0, Kinds: invEqui,
			Doc:    "turns the colour circle of HSV (torchvision v2.functional.adjust_hue); 3 channels, identity on 1",
			Params: []view.ParamSpec{{Name: "shift", Unit: "turns", Min: -0.5, Max: 0.5, Default: rg(-0.1, 0.1), Doc: "fraction of the circle"}}},
			apply: applyHue, colour: true, group: "tone"},
		{spec: view.Spec{Name: "greyscale", P: 0.2, Identity: 0, Kinds: invRestore,
			Doc:    "replaces colour by luminance, channels kept (torchvision v2.RandomGrayscale); 3 channels, identity on 1",
			Params: []view.ParamSpec{{Name: "amount", Unit: "fraction", Min: 0, Max: 1, Default: rg(1, 1), Doc: "1 is grey, 0 changes nothing"}}},
			apply: applyGrey, colour: true, group: "tone"},
		{spec: view.Spec{Name: "blur", P: 0.5, Identity: 0, Kinds: invAll,
			Doc: "Gaussian blur with reflected borders (torchvision v2.GaussianBlur)",
			Params: []view.ParamSpec{
				{Name: "sigma", Unit: "pixels", Min: 0, Max: 100, Default: rg(0.1, 2), Doc: "standard deviation"},
				{Name: "kernel", Unit: "pixels", Min: 0, Max: 255, Default: rg(0, 0), Integer: true, Doc: "side of the kernel, raised to odd; 0 is 10 % of the width, odd, at least 3 (SimCLR)"},
			}}, apply: applyBlur, group: "detail"},
		{spec: view.Spec{Name: "solarise", P: 0.2, Identity: 1, Kinds: inv,
			Doc:    "inverts every value at or above a threshold (torchvision v2.RandomSolarize)",
			Params: []view.ParamSpec{{Name: "threshold", Unit: "fraction", Min: 0, Max: 1, Default: rg(0.5, 0.5), Doc: "of the number of levels: 0.5 is 128 of 8-bit values; 1 changes nothing"}}},
			apply: applySolarise, group: "tone"},
		{spec: view.Spec{Name: "posterise", P: 0.2, Identity: 0, Kinds: inv,
			Doc:    "sets the lowest bits of every value to 0 (torchvision v2.RandomPosterize keeps depth minus this many)",
			Params: []view.ParamSpec{{Name: "drop", Unit: "bits", Min: 0, Max: 16, Default: rg(1, 5), Integer: true, Doc: "number of bits cleared"}}},
			apply: applyPosterise, group: "tone"},
		{spec: view.Spec{Name: "noise", P: 0.5, Identity: 0, Kinds: invAll,
			Doc:    "adds independent Gaussian noise and clips (torchvision v2.GaussianNoise)",
			Params: []view.ParamSpec{{Name: "sigma", Unit: "fraction", Min: 0, Max: 1, Default: rg(0.01, 0.1), Doc: "standard deviation as a fraction of full scale"}}},
			draw: drawSeed, apply: applyNoise, group: "detail"},
		{spec: view.Spec{Name: "cutout", P: 0.5, Identity: 0, Kinds: invRestore,
			Doc: "fills one square whose centre is anywhere (DeVries & Taylor 2017)",
			Params: []view.ParamSpec{
				{Name: "size", Unit: "fraction", Min: 0, Max: 1, Default: rg(0.2, 0.5), Doc: "side as a fraction of the shorter side"}, fillSpec,
			}}, draw: drawCutout, apply: applyCutout, group: "cover"},
		{spec: view.Spec{Name: "mask", P: 1, Identity: 0, Kinds: restoreInv,
			Doc: "fills randomly chosen patches of a grid (MAE, He et al. 2022; SimMIM, Xie et al. 2022)",
			Params: []view.ParamSpec{
				{Name: "fraction", Unit: "fraction", Min: 0, Max: 1, Default: rg(0.6, 0.6), Doc: "of the patches"},
				{Name: "patch", Unit: "pixels", Min: 1, Max: 4096, Default: rg(4, 4), Integer: true, Doc: "side of a patch"},
				{Name: "fill", Unit: "fraction", Min: 0, Max: 1, Default: rg(0.5, 0.5), Doc: "value of masked patches, as a fraction of full scale"},
			}}, draw: drawSeed, apply: applyMask, group: "cover"},
		{spec: view.Spec{Name: "jigsaw", P: 1, Identity: 0, Classes: 24, Kinds: equiInv,
			Doc:    "permutes the 2x2 tiles: all 24 permutations in lexicographic order (Noroozi & Favaro 2016)",
			Params: []view.ParamSpec{{Name: "permutation", Unit: "class", Min: 0, Max: 23, Default: rg(0, 23), Integer: true, Doc: "0 is the identity"}}},
			apply: applyJigsaw, group: "place"},
		{spec: view.Spec{Name: "jigsaw3", P: 1, Identity: 0, Classes: 64, Kinds: equiInv,
			Doc:    "permutes the 3x3 tiles by one of 64 permutations that pairwise agree in at most one tile (Noroozi & Favaro 2016)",
			Params: []view.ParamSpec{{Name: "permutation", Unit: "class", Min: 0, Max: 63, Default: rg(0, 63), Integer: true, Doc: "0 is the identity"}}},
			apply: applyJigsaw, group: "place"},
	}
}

// keepFor says which transformations may come before an Equivariant target: all but
// those of its own group, which could undo or imitate it. The groups are zoom (crop), place
// (flips, turns, shifts, jigsaws), tone (values), detail (blur, noise) and cover (cutout, mask).
func keepFor(target, other string) bool {
	a, ok := defOf(target)
	b, ok2 := defOf(other)
	return !ok || !ok2 || a.group != b.group
}

// seedBits is how many bits of a seed a float64 holds exactly.
const seedBits = 53

func drawSeed(_ *Transform, r *rand.Rand, p *view.Params) bool {
	push(p, float64(r.Uint64()>>(64-seedBits)))
	return true
}

// splitmix is a small generator for the inside of Apply (Steele, Lea & Flood 2014).
type splitmix uint64

func (s *splitmix) next() uint64 {
	*s += 0x9e3779b97f4a7c15
	z := uint64(*s)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// intn is uniform in 0..n-1 (n < 2^32; the bias is below n/2^32).
func (s *splitmix) intn(n int) int { return int((s.next() >> 32) * uint64(n) >> 32) }

func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

func clampRound(v float64, hi int) int {
	if v <= 0 {
		return 0
	}
	if v >= float64(hi) {
		return hi
	}
	return int(math.Floor(v + 0.5))
}
