package recipe

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/view"
)

// DraftInfo is what is known of the data for which a recipe is drafted.
type DraftInfo struct {
	Source    string // as data.source will name it
	Domain    string // "" = image
	Labels    string // as data.labels will say; "" = what the source has
	Count     int    // samples
	Labelled  int    // of these, with a label
	HasTest   bool   // the source brings its own test part
	Classes   []string
	MinWidth  int // pixels
	MaxWidth  int
	MinHeight int
	MaxHeight int
	Channels  int
	Bits      int         // of a channel: 8 or 16
	Specs     []view.Spec // transformations of the domain
}

// Draft writes a commented recipe for the data: what was seen, careful defaults, and for
// every contract the reason why it is believed to hold. The user is asked to read it:
// no program knows what may change in the data without changing its meaning.
func Draft(info DraftInfo) []byte {
	d := &drafter{info: info}
	d.write()
	return []byte(d.b.String())
}

type drafter struct {
	info DraftInfo
	b    strings.Builder
}

func (d *drafter) line(format string, args ...any) { fmt.Fprintf(&d.b, format+"\n", args...) }

// spec returns the transformation, or nil where the domain has none of this name.
func (d *drafter) spec(name string) *view.Spec {
	for i := range d.info.Specs {
		if d.info.Specs[i].Name == name {
			return &d.info.Specs[i]
		}
	}
	return nil
}

// view writes one declared transformation with its reason; params are name, range pairs.
// What the domain does not know, or does not allow, is left out.
func (d *drafter) view(name, reason string, p float64, params ...any) bool {
	s := d.spec(name)
	if s == nil || (len(s.Kinds) > 0 && !slices.Contains(s.Kinds, contract.Invariant)) {
		return false
	}
	var parts []string
	for i := 0; i < len(params); i += 2 {
		ps := paramOf(s, params[i].(string))
		rg := params[i+1].(contract.Range)
		if ps != nil && (!bounded(ps) || (rg.From >= ps.Min && rg.To <= ps.Max)) {
			parts = append(parts, ps.Name+": "+RangeString(rg))
		}
	}
	parts = append(parts, "p: "+num(p), "contract: invariant")
	d.line("  # %s", reason)
	d.line("  - %s: {%s}", name, strings.Join(parts, ", "))
	return true
}

func (d *drafter) leftOut(name, reason string) {
	if d.spec(name) != nil {
		d.line("  # left out: %s. %s", name, reason)
	}
}

func (d *drafter) write() {
	in := &d.info
	if in.Domain == "" {
		in.Domain = "image"
	}
	share := 0.72 // what a 20 % test and a 10 % validation part leave
	if in.HasTest {
		share = 0.9
	}
	train := max(1, int(float64(in.Count)*share))
	short := min(in.MinWidth, in.MinHeight)
	equal := in.MinWidth == in.MaxWidth && in.MinHeight == in.MaxHeight && in.MinWidth == in.MinHeight
	size := 0
	if !equal || short > 64 {
		size = 64
		if short < 64 {
			size = 32
		}
	}
	side := size
	if side == 0 {
		side = short
	}

	d.line("# Drafted by selfsame recipe init. Read it: only you know what may change in your data")
	d.line("# without changing its meaning. Look at the views first: selfsame views THIS_FILE")
	d.line("#")
	d.line("# Seen: %d samples, %s, %s, %d bits%s", in.Count, sizes(in), channels(in.Channels), in.Bits, classes(in))
	d.line("domain: %s", strconv.Quote(in.Domain))
	d.line("seed: 1")
	d.line("")
	d.line("data:")
	d.line("  source: %s", strconv.Quote(in.Source))
	if in.Labels != "" {
		d.line("  labels: %s", strconv.Quote(in.Labels))
	}
	if size > 0 {
		d.line("  size: %d          # pixels; more shows more detail and costs its square in time", size)
	}
	d.line("  val: 0.1          # of the training part; chooses, so its labels count in the budgets")
	if !in.HasTest {
		d.line("  test_share: 0.2   # the source has no test part of its own; this one is looked at once")
	}
	d.line("")
	d.line("views:")
	d.views(side)
	d.line("")
	d.encoder(side)
	d.train(train)
	d.adapt(train)
}

func (d *drafter) views(side int) {
	in := &d.info
	text, sided, coloured := classWords(in.Classes)
	before := d.b.Len()
	from := 0.5 // on Fashion-MNIST a third of a probe's answers change below that
	reason := "half of a picture still shows what it is; certify says whether less does"
	if text {
		from, reason = 0.6, "a smaller part of a digit or letter may read as another one, so at least 0.6 of it stays"
	}
	d.view("crop", reason, 1, "scale", contract.Range{From: from, To: 1})
	switch {
	case text:
		d.leftOut("hflip", "The class names look like digits or letters, and mirrored ones are others (b and d). If they are only numbers of classes, add it")
		d.view("rotate", "handwriting and print lean a little; a turn by more may make another character (6 and 9)", 0.5, "degrees", contract.Range{From: -10, To: 10})
	case sided:
		d.leftOut("hflip", "A class name speaks of a side or direction, which mirroring swaps")
	default:
		d.view("hflip", "most things are the same seen in a mirror; remove it where left and right differ (writing, organs, driving sides)", 0.5)
	}
	d.leftOut("vflip", "Pictures have an up; add it for views from above or through a microscope")
	switch {
	case in.Bits > 8:
		d.leftOut("jitter", fmt.Sprintf("Values of %d bits are often measurements, whose size has a meaning", in.Bits))
	case in.Channels == 3 && coloured:
		d.view("jitter", "light and camera differ; the colours stay, because a class name is one", 0.8,
			"brightness", contract.Range{From: 0.3, To: 0.3}, "contrast", contract.Range{From: 0.3, To: 0.3},
			"saturation", contract.Range{}, "hue", contract.Range{})
		d.leftOut("greyscale", "A class name is a colour")
	case in.Channels == 3:
		d.view("jitter", "light, camera and white balance differ; remove saturation and hue where colour decides (ripeness, stains, birds)", 0.8,
			"brightness", contract.Range{From: 0.4, To: 0.4}, "contrast", contract.Range{From: 0.4, To: 0.4},
			"saturation", contract.Range{From: 0.2, To: 0.2}, "hue", contract.Range{From: 0.05, To: 0.05})
	case in.Channels == 1:
		d.view("jitter", "grey pictures: light and exposure differ, there is no colour to change", 0.8,
			"brightness", contract.Range{From: 0.4, To: 0.4}, "contrast", contract.Range{From: 0.4, To: 0.4},
			"saturation", contract.Range{}, "hue", contract.Range{})
	default:
		d.leftOut("jitter", fmt.Sprintf("%d channels are no colours; how they may change together is not known", in.Channels))
	}
	if side > 16 && !text {
		d.view("blur", "focus differs; a sharp and a soft picture show the same", 0.3, "sigma", contract.Range{From: 0.1, To: 1})
	} else {
		d.leftOut("blur", "It would wipe out strokes of one or two pixels")
	}
	if strings.Count(d.b.String()[before:], "\n  - ") == 0 && !strings.HasPrefix(d.b.String()[before:], "  - ") && len(in.Specs) > 0 {
		d.line("  # the first transformation of the domain, with its defaults: replace it by what holds for your data")
		d.line("  - %s", in.Specs[0].Name)
	}
}

func (d *drafter) encoder(side int) {
	stages := 3
	for stages > 1 && side>>(stages-1) < 2 { // the last map keeps at least 2x2
		stages--
	}
	width := 16
	if side > 32 {
		width = 32
	}
	d.line("encoder: {kind: resnet, width: %d, depth: 1, stages: %d}", width, stages)
	d.line("objective: {kind: auto, invariant: ntxent, temperature: 0.2}   # auto: what follows from the contracts")
	d.line("")
}

func (d *drafter) train(train int) {
	batch := 256
	for batch > 2 && batch*4 > train {
		batch /= 2
	}
	steps := 3000.0
	epochs := int(math.Ceil(steps * float64(batch) / float64(train)))
	epochs = min(max(epochs, 5), 100)
	d.line("train:")
	d.line("  epochs: %d        # about %d steps", epochs, max(1, train/batch)*epochs)
	d.line("  batch: %d", batch)
	if batch < 64 {
		d.line("  # %d samples are few: expect little, and read the verdict's interval", d.info.Count)
	}
	d.line("")
}

func (d *drafter) adapt(train int) {
	in := &d.info
	var budgets []string
	n := max(len(in.Classes), 2)
	labelled := int(float64(in.Labelled) * float64(train) / float64(max(in.Count, 1)))
	last := 0
	for _, per := range []int{2, 10, 100} {
		if b := n * per; b < labelled && b > last {
			budgets, last = append(budgets, strconv.Itoa(b)), b
		}
	}
	budgets = append(budgets, "0")
	switch {
	case in.Labelled == 0:
		d.line("# No labels: the encoder is trained and audited, but nothing can say whether it pays.")
		d.line("# Label some samples and name them in data.labels as a CSV of file,label.")
	case in.Labelled < in.Count:
		d.line("# %d of %d samples have a label; all of them train the encoder.", in.Labelled, in.Count)
	}
	d.line("adapt:")
	d.line("  budgets: [%s]   # labels, validation labels counted in; 0 = all", strings.Join(budgets, ", "))
	d.line("  draws: 5")
	d.line("  max_steps: 1000   # of one fine-tune")
	d.line("  k: %d", min(200, max(1, train/10)))
}

func sizes(in *DraftInfo) string {
	if in.MinWidth == in.MaxWidth && in.MinHeight == in.MaxHeight {
		return fmt.Sprintf("%dx%d pixels", in.MinWidth, in.MinHeight)
	}
	return fmt.Sprintf("%dx%d to %dx%d pixels", in.MinWidth, in.MinHeight, in.MaxWidth, in.MaxHeight)
}

func channels(n int) string {
	switch n {
	case 1:
		return "grey"
	case 3:
		return "colour"
	}
	return fmt.Sprintf("%d channels", n)
}

func classes(in *DraftInfo) string {
	if len(in.Classes) == 0 {
		return ", no labels"
	}
	quoted := make([]string, 0, 6)
	for i, c := range in.Classes {
		if i == 5 {
			quoted = append(quoted, "...")
			break
		}
		quoted = append(quoted, strconv.Quote(clip(c)))
	}
	return fmt.Sprintf(", %d classes (%s)", len(in.Classes), strings.Join(quoted, ", "))
}

var (
	digitWords  = []string{"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"}
	textWords   = []string{"digit", "digits", "letter", "letters", "char", "character", "text", "word", "number", "sign", "glyph", "alpha", "beta"}
	sideWords   = []string{"left", "right", "up", "down", "north", "south", "east", "west", "clockwise", "counterclockwise", "anticlockwise", "arrow", "rotated", "upright"}
	colourWords = []string{"red", "green", "blue", "yellow", "orange", "purple", "pink", "brown", "black", "white", "grey", "gray", "ripe", "unripe", "colour", "color", "stain", "rash", "rust"}
)

// classWords says what class names tell about the data: digits or letters, sides, colours.
func classWords(names []string) (text, sided, coloured bool) {
	glyphs := 0
	for _, n := range names {
		n = strings.ToLower(strings.TrimSpace(n))
		if len([]rune(n)) == 1 || slices.Contains(digitWords, n) {
			glyphs++
		}
		for _, w := range strings.FieldsFunc(n, func(r rune) bool { return strings.ContainsRune(" _-./,()", r) }) {
			text = text || slices.Contains(textWords, w)
			sided = sided || slices.Contains(sideWords, w)
			coloured = coloured || slices.Contains(colourWords, w)
		}
	}
	return text || (glyphs > 0 && glyphs*2 >= len(names)), sided, coloured
}
