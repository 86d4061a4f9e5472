package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/selfsame-ml/selfsame/dataset"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/recipe"
)

// origin is where the pixels of one group of items come from.
type origin interface {
	// len is the number of items, good and bad.
	len() int
	// name says which item it is, for messages.
	name(i int) string
	// stamp identifies content and settings of the origin for the key of the cache.
	stamp(w *stamper)
	// scan looks at the headers (and at the values where the format has no fixed range) of every item.
	scan(ctx context.Context, env *loadEnv, into *extent) error
	// open starts a pass over the items. read is then called for ascending runs [from, to) of items:
	// it writes the pixels of item i to slot i-from of dst and returns why an item cannot be read.
	open(env *loadEnv, p plan) (read readRun, done func() error, err error)
}

// readRun decodes items [from, to) to dst; bad[i-from] is non-nil for an item that cannot be read.
type readRun func(ctx context.Context, from, to int, dst []byte, bad []error) error

// group is the items of one part as the source gives them.
type group struct {
	part   domain.Part
	from   origin
	labels []int32 // one an item, -1 unlabelled; nil: no labels
}

// source is what a recipe's data section names.
type source struct {
	groups    []group
	classes   []string
	testShare float64 // used where the source has no test part and the recipe gives no share
}

// loadEnv carries limits and messages through a load.
type loadEnv struct {
	data     recipe.Data
	progress func(stage string, done, total int)
	warn     func(format string, args ...any)
	item     func() // called for every decoded item; may be nil
}

func (e *loadEnv) report(stage string, done, total int) {
	if e.progress != nil {
		e.progress(stage, done, total)
	}
}

func (e *loadEnv) warnf(format string, args ...any) {
	if e.warn != nil {
		e.warn(format, args...)
	}
}

const defaultMaxPixels = 100_000_000

func (e *loadEnv) maxPixels() int64 {
	if e.data.MaxPixels > 0 {
		return int64(e.data.MaxPixels)
	}
	return defaultMaxPixels
}

// extent collects what the items have in common.
type extent struct {
	n          int // items seen
	minH, maxH int
	minW, maxW int
	minC, maxC int
	bits16     bool
	ranged     bool    // lo and hi hold: values whose format has no fixed range
	lo, hi     float64 // of those values
	float      bool    // some of them are floats
	bad        int     // items whose header cannot be read
	lastBad    error
}

func (x *extent) add(h, w, c int, deep bool, times int) {
	if x.n == 0 {
		x.minH, x.maxH, x.minW, x.maxW, x.minC, x.maxC = h, h, w, w, c, c
	}
	x.n += times
	x.minH, x.maxH = min(x.minH, h), max(x.maxH, h)
	x.minW, x.maxW = min(x.minW, w), max(x.maxW, w)
	x.minC, x.maxC = min(x.minC, c), max(x.maxC, c)
	x.bits16 = x.bits16 || deep
}

func (x *extent) addRange(lo, hi float64, float bool) {
	if !x.ranged {
		x.lo, x.hi, x.ranged = lo, hi, true
	}
	x.lo, x.hi, x.float = min(x.lo, lo), max(x.hi, hi), x.float || float
}

// plan is the shape of every decoded image and how values become pixels: pixel = (v-Lo)*Scale.
type plan struct {
	Key   string  `json:"key"`
	H     int     `json:"h"`
	W     int     `json:"w"`
	C     int     `json:"c"`
	Bits  int     `json:"bits"`
	Run   int     `json:"run"` // items a shard
	Lo    float64 `json:"lo"`
	Scale float64 `json:"scale"`
}

// newPlan decides the common shape. Values without a fixed range (floats, wide integers) become
// pixels by the first rule that fits all of them: integers in 0..255 stay 8-bit values; integers in
// 0..65535 stay 16-bit values; floats in 0..1 are multiplied by 65535; floats in 0..255 by 257; anything
// else is mapped linearly from min..max to 0..65535.
func newPlan(env *loadEnv, x *extent) (plan, error) {
	d := env.data
	p := plan{C: x.maxC, Bits: 8, Scale: 1}
	switch {
	case d.Size > 0:
		p.H, p.W = d.Size, d.Size
	case x.minH == x.maxH && x.minW == x.maxW:
		p.H, p.W = x.maxH, x.maxW
	default:
		p.H, p.W = 32, 32
	}
	if d.Channels > 0 {
		p.C = d.Channels
	}
	for _, c := range []int{x.minC, x.maxC} {
		if c != p.C && c != 1 && !(c == 3 && p.C == 1) {
			return p, fmt.Errorf("image: %d channels cannot become %d (grey becomes any number, RGB becomes grey)", c, p.C)
		}
	}
	if x.bits16 {
		p.Bits = 16
	}
	if x.ranged {
		switch {
		case !x.float && x.lo >= 0 && x.hi <= 255:
		case !x.float && x.lo >= 0 && x.hi <= 65535:
			p.Bits = 16
		case x.float && x.lo >= 0 && x.hi <= 1:
			p.Bits, p.Scale = 16, 65535
		case x.float && x.lo >= 0 && x.hi <= 255:
			p.Bits, p.Scale = 16, 257
		default:
			p.Bits, p.Lo = 16, x.lo
			if p.Scale = 0; x.hi > x.lo {
				p.Scale = 65535 / (x.hi - x.lo)
			}
			env.warnf("values from %g to %g are mapped linearly to 0..65535", x.lo, x.hi)
		}
	}
	if px := int64(p.H) * int64(p.W); px > env.maxPixels() {
		return p, fmt.Errorf("image: %dx%d pixels, the limit max_pixels is %d", p.H, p.W, env.maxPixels())
	}
	const target = 16 << 20 // bytes a shard: small beside memory, large beside a seek
	p.Run = min(max(1, target/max(1, p.imageBytes())), 8192)
	return p, nil
}

func (p plan) imageBytes() int { return p.H * p.W * p.C * p.Bits / 8 }

// openSource finds what the data section of a recipe names.
func openSource(env *loadEnv, cacheDir string) (*source, error) {
	d := env.data
	if d.Source == "" {
		return nil, &dataset.Error{Err: errors.New("data.source is empty"), Hint: "name a data set, a folder, an IDX file or a .npy file"}
	}
	s, err := oneSource(env, d.Source, d.Labels, cacheDir)
	if err != nil {
		return nil, err
	}
	if d.Test != "" {
		t, err := oneSource(env, d.Test, testLabels(d), cacheDir)
		if err != nil {
			return nil, err
		}
		s.groups = slices.DeleteFunc(s.groups, func(g group) bool { return g.part == domain.Test })
		// The whole second source is the test part, whatever parts it has itself.
		remap, classes, err := unionClasses(s.classes, t.classes)
		if err != nil {
			return nil, err
		}
		remap0 := remap[0]
		for i := range s.groups {
			relabel(s.groups[i].labels, remap0)
		}
		for _, g := range t.groups {
			g.part = domain.Test
			relabel(g.labels, remap[1])
			s.groups = append(s.groups, g)
		}
		s.classes = classes
	}
	labelled := 0
	for _, g := range s.groups {
		if g.labels != nil {
			labelled++
		}
	}
	if labelled > 0 && labelled < len(s.groups) {
		for i, g := range s.groups { // a part without labels beside one with labels
			if g.labels == nil {
				s.groups[i].labels = slices.Repeat([]int32{-1}, g.from.len())
			}
		}
	}
	return s, nil
}

// testLabels is how the labels of data.test are read: as data.labels says where that is a word.
func testLabels(d recipe.Data) string {
	if d.TestLabels == "" && (d.Labels == "folders" || d.Labels == "none") {
		return d.Labels
	}
	return d.TestLabels
}

func oneSource(env *loadEnv, name, labels, cacheDir string) (*source, error) {
	if e, ok := dataset.Lookup(name); ok {
		return catalogueSource(e, labels, cacheDir)
	}
	st, err := os.Stat(name)
	if err != nil {
		bad := &dataset.Error{Path: name, Err: err}
		if errors.Is(err, os.ErrNotExist) && !strings.ContainsAny(name, `/\.`) {
			bad.Hint = "named data sets: " + strings.Join(dataset.Names(), ", ") + "; anything else is a path"
		}
		return nil, bad
	}
	switch {
	case st.IsDir():
		if s, err := idxFolder(name, labels); s != nil || err != nil {
			return s, err
		}
		return folderSource(env, name, labels)
	case st.Mode().IsRegular() && extensions[strings.ToLower(filepath.Ext(name))]:
		return pictureSource(name, st, labels)
	case st.Mode().IsRegular():
		g, classes, err := arrayGroup(name, labels, domain.Train, nil)
		if err != nil {
			return nil, err
		}
		return &source{groups: []group{g}, classes: classes}, nil
	}
	return nil, dataset.Bad(name, "", "neither a folder nor a regular file")
}

// pictureSource is one picture.
func pictureSource(name string, st os.FileInfo, labels string) (*source, error) {
	if labels != "" && labels != "none" {
		return nil, dataset.Bad(name, "", "data.labels is %q, one picture has none", labels)
	}
	dir, file := filepath.Split(name)
	o := &filesOrigin{root: filepath.Clean(dir), files: []imageFile{{rel: file, size: st.Size(), mtime: st.ModTime().UnixNano()}}}
	return &source{groups: []group{{part: domain.Train, from: o}}}, nil
}

// catalogueSource opens a named data set. Nothing is downloaded here.
func catalogueSource(e dataset.Entry, labels, cacheDir string) (*source, error) {
	if e.Domain != "image" {
		return nil, dataset.Bad(e.Name, "", "a data set of domain %s, not of images", e.Domain)
	}
	switch labels {
	case "", "none", "folders":
	default:
		return nil, dataset.Bad(e.Name, "", "data.labels is %q, a named data set has its own labels (or \"none\")", labels)
	}
	s := &source{classes: e.Classes, testShare: e.TestShare}
	if e.Embedded {
		px, lab, err := dataset.Digits()
		if err != nil {
			return nil, err
		}
		for i, v := range px {
			px[i] = uint8((int(v)*255 + 8) / 16) // 0..16 to 0..255, rounded
		}
		s.groups = []group{{part: domain.Train, from: &memOrigin{e.Name, dataset.DigitsSide, dataset.DigitsSide, px}, labels: lab}}
	} else {
		dir, err := dataset.Locate(e.Name, cacheDir)
		if err != nil {
			return nil, err
		}
		for part, role := range map[domain.Part]string{domain.Train: "train", domain.Test: "test"} {
			im, ok := e.File(role + "-images")
			la, ok2 := e.File(role + "-labels")
			if !ok || !ok2 {
				continue
			}
			g, _, err := arrayGroup(filepath.Join(dir, im.Name), filepath.Join(dir, la.Name), part, e.Classes)
			if err != nil {
				return nil, err
			}
			g.from.(*arrayOrigin).fixed = im.SHA256 // the checksum says more than the time of the file
			s.groups = append(s.groups, g)
		}
		slices.SortFunc(s.groups, func(a, b group) int { return int(a.part) - int(b.part) })
	}
	if labels == "none" {
		s.classes = nil
		for i := range s.groups {
			s.groups[i].labels = nil
		}
	}
	return s, nil
}

// idxFolder recognises a folder in the layout of MNIST: train-images-idx3-ubyte, train-labels-idx1-ubyte,
// t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte, each plain or .gz. It returns nil for other folders.
func idxFolder(dir, labels string) (*source, error) {
	find := func(stem string) string {
		for _, suffix := range []string{"", ".gz"} {
			p := filepath.Join(dir, stem+suffix)
			if st, err := os.Stat(p); err == nil && st.Mode().IsRegular() {
				return p
			}
		}
		return ""
	}
	if find("train-images-idx3-ubyte") == "" {
		return nil, nil
	}
	s := &source{}
	for _, part := range []struct {
		p    domain.Part
		stem string
	}{{domain.Train, "train"}, {domain.Test, "t10k"}} {
		im, la := find(part.stem+"-images-idx3-ubyte"), find(part.stem+"-labels-idx1-ubyte")
		if im == "" {
			continue
		}
		if la == "" || labels == "none" {
			la = "none"
		}
		g, classes, err := arrayGroup(im, la, part.p, nil)
		if err != nil {
			return nil, err
		}
		if len(classes) > len(s.classes) {
			s.classes = classes
		}
		s.groups = append(s.groups, g)
	}
	return s, nil
}

// arrayGroup is the images of one IDX or .npy file with labels from another ("", "none": no labels).
func arrayGroup(path, labels string, part domain.Part, names []string) (group, []string, error) {
	o, err := newArrayOrigin(path)
	if err != nil {
		return group{}, nil, err
	}
	g := group{part: part, from: o}
	switch {
	case labels == "" || labels == "none":
		return g, nil, nil
	case labels == "folders":
		return g, nil, dataset.Bad(path, "", "data.labels is \"folders\", which an array file has not")
	case strings.EqualFold(filepath.Ext(labels), ".csv"):
		return g, nil, dataset.Bad(labels, "", "a CSV of file,label goes with a folder; %s needs labels as IDX or .npy", path)
	}
	if g.labels, err = dataset.ReadLabels(labels); err != nil {
		return g, nil, err
	}
	if len(g.labels) != o.n {
		return g, nil, dataset.Bad(labels, "", "%d labels for the %d images of %s", len(g.labels), o.n, path)
	}
	top := int32(-1)
	for i, v := range g.labels {
		if names != nil && int(v) >= len(names) {
			return g, nil, dataset.Bad(labels, "row "+strconv.Itoa(i), "label %d, there are %d classes", v, len(names))
		}
		top = max(top, v)
	}
	if names == nil {
		for i := range top + 1 {
			names = append(names, strconv.Itoa(int(i)))
		}
	}
	return g, names, nil
}

// unionClasses merges class names of two sources; remap[k][old] is the new number of a class of source k.
func unionClasses(a, b []string) (remap [2][]int32, all []string, err error) {
	if slices.Equal(a, b) || len(b) == 0 || len(a) == 0 {
		all = a
		if len(a) == 0 {
			all = b
		}
		for k, s := range [][]string{a, b} {
			for i := range s {
				remap[k] = append(remap[k], int32(i))
			}
		}
		return remap, all, nil
	}
	all = slices.Clone(a)
	all = append(all, b...)
	all = sortedClasses(all)
	for k, s := range [][]string{a, b} {
		for _, n := range s {
			remap[k] = append(remap[k], int32(slices.Index(all, n)))
		}
	}
	return remap, all, nil
}

func relabel(labels, remap []int32) {
	for i, v := range labels {
		if v >= 0 {
			labels[i] = remap[v]
		}
	}
}

// sortedClasses sorts and deduplicates class names: as numbers where all are whole numbers.
func sortedClasses(names []string) []string {
	names = slices.Clone(names)
	num := func(s string) (int, bool) {
		n, err := strconv.Atoi(s)
		return n, err == nil
	}
	numeric := true
	for _, n := range names {
		if _, ok := num(n); !ok {
			numeric = false
		}
	}
	sort.Slice(names, func(i, j int) bool {
		if numeric {
			a, _ := num(names[i])
			b, _ := num(names[j])
			if a != b {
				return a < b
			}
		}
		return names[i] < names[j]
	})
	return slices.Compact(names)
}
