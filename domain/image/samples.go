package image

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sort"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/selfsame-ml/selfsame/dataset"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/internal/rng"
	"github.com/selfsame-ml/selfsame/recipe"
)

// Samples is random access to the decoded images of a recipe, in three parts. It is safe for
// concurrent use. Pixels lie in mapped files, not in the Go heap.
type Samples struct {
	recipe  *recipe.Recipe
	plan    plan
	shards  []*shard
	parts   [3][]ref
	labels  [3][]int32 // nil where nothing is labelled
	names   []string   // classes
	origins []group
	hash    string
	skipped int
	leaks   []Leak
}

// ref is where one image lies.
type ref struct {
	shard, index int32
	group, item  int32 // in the source, for its name
}

// Leak is images of a held-out part that are pixel for pixel equal to images of another part.
type Leak struct {
	Part    domain.Part // the part that is measured on
	In      domain.Part // where the copies are
	Count   int         // images of Part that have a copy
	Example [2]string   // names of one pair: in Part, in In
}

// OpenSamples reads the data section of a recipe: it decodes every image once into a cache of
// shards below opt.CacheDir (the default cache folder when empty) and maps them. Later calls with
// the same files and settings find the shards; a damaged one is built anew.
//
// Parts: what the source itself says (train and test files, folders train/ val/ test/, data.test); else data.test_share
// of the training images become the test part and data.val of the rest (a count from 1, a fraction
// below) the validation part. Split "tail" takes the last images; "random" draws them, stratified by
// class, keyed by the recipe's seed. data.limit keeps the first training images under "tail", a
// stratified draw under "random".
//
// Errors of the data are *dataset.Error values.
func OpenSamples(ctx context.Context, r *recipe.Recipe, opt domain.OpenOptions) (*Samples, error) {
	cacheDir := opt.CacheDir
	if cacheDir == "" {
		var err error
		if cacheDir, err = dataset.DefaultCacheDir(); err != nil {
			return nil, err
		}
	}
	env := &loadEnv{data: r.Data, progress: opt.Progress, warn: opt.Warn}
	src, err := openSource(env, cacheDir)
	if err != nil {
		return nil, err
	}
	s := &Samples{recipe: r, names: src.classes, origins: src.groups}
	if err := s.load(ctx, env, src, cacheDir); err != nil {
		s.Close()
		return nil, err
	}
	if err := s.split(env, src); err != nil {
		s.Close()
		return nil, err
	}
	s.findLeaks(env)
	s.hash = s.contentHash()
	return s, nil
}

// Len is the number of images in a part.
func (s *Samples) Len(p domain.Part) int { return len(s.parts[p]) }

// Labels returns the class of every image of a part, -1 where it is unknown, or nil where the
// source has no labels. The slice is shared: do not change it.
func (s *Samples) Labels(p domain.Part) []int32 { return s.labels[p] }

// Classes names the classes, or is nil.
func (s *Samples) Classes() []string { return s.names }

// Input is the field of one image: [height, width, channels], U8 or U16.
func (s *Samples) Input() domain.Field {
	t := domain.U8
	if s.plan.Bits == 16 {
		t = domain.U16
	}
	return domain.Field{Name: "image", DType: t, Dims: []int{s.plan.H, s.plan.W, s.plan.C}}
}

// Pixels points m at image i of a part without copying. The memory belongs to the cache: it is
// read-only (writing to it faults) and ends with Close, so m must not be written, nor Reset to be
// written, while it points there. Where files cannot be mapped, m gets new memory.
func (s *Samples) Pixels(p domain.Part, i int, m *Image) error {
	if i < 0 || i >= len(s.parts[p]) {
		return fmt.Errorf("image: sample %d of the %s part, which has %d", i, partWord(p), len(s.parts[p]))
	}
	r := s.parts[p][i]
	b, err := s.shards[r.shard].bytes(int(r.index), nil)
	if err != nil {
		return err
	}
	*m = Image{W: s.plan.W, H: s.plan.H, C: s.plan.C, Bits: s.plan.Bits}
	if s.plan.Bits == 16 {
		m.Pix16 = asU16(b, nil)
	} else {
		m.Pix = b
	}
	return nil
}

// Fill writes image i of a part to row `row` of dst, [rows, height, width, channels].
func (s *Samples) Fill(dst *domain.Array, row int, p domain.Part, i int) error {
	if i < 0 || i >= len(s.parts[p]) {
		return fmt.Errorf("image: sample %d of the %s part, which has %d", i, partWord(p), len(s.parts[p]))
	}
	n := s.plan.H * s.plan.W * s.plan.C
	have := len(dst.U8)
	if s.plan.Bits == 16 {
		have = len(dst.U16)
	}
	if row < 0 || (row+1)*n > have {
		return fmt.Errorf("image: row %d of %d elements does not fit an array of %d", row, n, have)
	}
	r := s.parts[p][i]
	sh := s.shards[r.shard]
	if s.plan.Bits == 8 {
		out := dst.U8[row*n : (row+1)*n]
		b, err := sh.bytes(int(r.index), out)
		if err != nil {
			return err
		}
		copy(out, b)
		return nil
	}
	b, err := sh.bytes(int(r.index), nil)
	if err != nil {
		return err
	}
	copy(dst.U16[row*n:(row+1)*n], asU16(b, nil))
	return nil
}

// Name says which file or row image i of a part is.
func (s *Samples) Name(p domain.Part, i int) string {
	r := s.parts[p][i]
	return s.origins[r.group].from.name(int(r.item))
}

// Skipped is the number of broken files that were passed over.
func (s *Samples) Skipped() int { return s.skipped }

// Leaks lists held-out parts that share images with others.
func (s *Samples) Leaks() []Leak { return s.leaks }

// Hash is the sha256 (hex) of shapes, pixels, labels and parts.
func (s *Samples) Hash() string { return s.hash }

// Recipe is the recipe that the samples were opened with.
func (s *Samples) Recipe() *recipe.Recipe { return s.recipe }

// Views returns the sampler of the recipe's transformations.
func (s *Samples) Views() (domain.Sampler, error) {
	v, err := NewSampler(s.recipe.Views, s.Input(), s.Pixels)
	if err != nil {
		return nil, err // not v: a nil pointer in an interface is not nil
	}
	return v, nil
}

// Close releases the files; memory handed out by Pixels must not be used after it.
func (s *Samples) Close() error {
	var errs []error
	for _, sh := range s.shards {
		if sh != nil {
			errs = append(errs, sh.close())
		}
	}
	s.shards = nil
	return errors.Join(errs...)
}

// stamper hashes fields without ambiguity: each is written with its length.
type stamper struct{ h hash.Hash }

func (w *stamper) add(vals ...any) {
	for _, v := range vals {
		var b []byte
		switch v := v.(type) {
		case []byte:
			b = v
		default:
			b = fmt.Append(nil, v)
		}
		var n [8]byte
		binary.LittleEndian.PutUint64(n[:], uint64(len(b)))
		w.h.Write(n[:])
		w.h.Write(b)
	}
}

// cacheVersion changes when decoding or the shard format does.
const cacheVersion = 2

// verifyBytes is the size up to which every checksum is compared when the cache is opened; of larger
// caches headers and sizes only, since reading them would take as long as a pass over the data.
const verifyBytes = 4 << 30

// load brings every image of src to shards.
func (s *Samples) load(ctx context.Context, env *loadEnv, src *source, cacheDir string) error {
	w := &stamper{sha256.New()}
	total := 0
	w.add("selfsame image cache", cacheVersion, env.data.Size, env.data.Channels, env.maxPixels())
	for _, g := range src.groups {
		w.add(int(g.part))
		g.from.stamp(w)
		total += g.from.len()
	}
	if total == 0 {
		return &dataset.Error{Path: env.data.Source, Err: errors.New("no image")}
	}
	key := hex.EncodeToString(w.h.Sum(nil))
	dir := filepath.Join(cacheDir, "image", key[:24])
	inMemory := len(src.groups) == 1 && isMemory(src.groups[0].from)
	if !inMemory {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("image: cache: %w", err)
		}
		sweep(dir, time.Now())
	}
	p, ok := readPlan(dir, key)
	if inMemory || !ok {
		var err error
		if p, err = makePlan(ctx, env, src); err != nil {
			return err
		}
		p.Key = key
		if !inMemory {
			js, err := json.Marshal(p)
			if err != nil {
				return err
			}
			if err := writeAtomic(filepath.Join(dir, "plan.json"), js); err != nil {
				return fmt.Errorf("image: cache: %w", err)
			}
		}
	}
	s.plan = p
	verify := int64(total)*int64(p.imageBytes()) <= verifyBytes
	done := 0
	for gi, g := range src.groups {
		l := &groupLoader{s: s, env: env, g: g, gi: gi, dir: dir, verify: verify, inMemory: inMemory, done: done, total: total}
		if err := l.run(ctx); err != nil {
			return err
		}
		done += g.from.len()
	}
	if s.skipped > 0 {
		env.warnf("%d of %d files are broken and were skipped (limit max_bad %d)", s.skipped, total, env.data.MaxBad)
	}
	return nil
}

// sweep removes what killed processes left half written. Other processes may share the cache, so
// only files that nobody can still be writing go; one that cannot be removed harms nobody.
func sweep(dir string, now time.Time) {
	left, _ := filepath.Glob(filepath.Join(dir, tempPrefix+"*"))
	for _, p := range left {
		if st, err := os.Stat(p); err == nil && now.Sub(st.ModTime()) > time.Hour {
			_ = os.Remove(p)
		}
	}
}

func isMemory(o origin) bool {
	_, ok := o.(*memOrigin)
	return ok
}

func readPlan(dir, key string) (p plan, ok bool) {
	b, err := os.ReadFile(filepath.Join(dir, "plan.json"))
	if err != nil || json.Unmarshal(b, &p) != nil {
		return plan{}, false
	}
	ok = p.Key == key && p.H > 0 && p.W > 0 && p.C > 0 && p.Run > 0 && (p.Bits == 8 || p.Bits == 16)
	return p, ok
}

func makePlan(ctx context.Context, env *loadEnv, src *source) (plan, error) {
	var x extent
	for _, g := range src.groups {
		if err := g.from.scan(ctx, env, &x); err != nil {
			return plan{}, err
		}
	}
	if x.n == 0 {
		return plan{}, &dataset.Error{Path: env.data.Source, Err: fmt.Errorf("none of the %d files can be read; the last: %w", x.bad, x.lastBad)}
	}
	p, err := newPlan(env, &x)
	if err != nil {
		return p, &dataset.Error{Path: env.data.Source, Err: err}
	}
	return p, nil
}

// groupLoader brings one group to shards.
type groupLoader struct {
	s           *Samples
	env         *loadEnv
	g           group
	gi          int
	dir         string
	verify      bool
	inMemory    bool
	done, total int
	read        readRun
	close       func() error
}

func (l *groupLoader) run(ctx context.Context) (err error) {
	defer func() {
		if l.close != nil {
			if cerr := l.close(); err == nil { // a cut gzip file says so twice
				err = cerr
			}
		}
	}()
	n, run := l.g.from.len(), l.s.plan.Run
	count := (n + run - 1) / run
	found := make([]*shard, count)
	if !l.inMemory {
		l.findShards(found, n)
	}
	defer func() {
		if err != nil { // the ones not handed to Samples yet
			for _, sh := range found {
				if sh != nil {
					sh.close()
				}
			}
		}
	}()
	for k := range count {
		from, to := k*run, min((k+1)*run, n)
		sh := found[k]
		if sh == nil {
			if sh, err = l.build(ctx, k, from, to); err != nil {
				return err
			}
		}
		found[k] = nil
		l.add(sh, from, to)
		if l.s.skipped > l.env.data.MaxBad {
			last := sh.Bad[len(sh.Bad)-1]
			return &dataset.Error{
				Path: last.Name,
				Err:  fmt.Errorf("%s; %d broken files, the limit max_bad is %d", last.Why, l.s.skipped, l.env.data.MaxBad),
				Hint: "repair or remove the files named above, or raise data.max_bad",
			}
		}
	}
	return nil
}

func (l *groupLoader) path(k int) string {
	return filepath.Join(l.dir, fmt.Sprintf("%d-%05d.shard", l.gi, k))
}

// findShards opens what the cache has; a damaged or foreign shard is left nil and built anew.
func (l *groupLoader) findShards(found []*shard, n int) {
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	var mu sync.Mutex
	for k := range found {
		g.Go(func() error {
			sh, err := openShard(l.path(k), l.verify)
			if err != nil {
				if errors.Is(err, errShard) {
					mu.Lock()
					l.env.warnf("%v: built anew", err)
					mu.Unlock()
				}
				return nil
			}
			p, from := l.s.plan, k*l.s.plan.Run
			if sh.Key != p.Key || sh.First != from || sh.Items != min(from+p.Run, n)-from || sh.H != p.H || sh.W != p.W || sh.C != p.C || sh.Bits != p.Bits || !validBad(sh.Bad, from, sh.Items) {
				sh.close()
				return nil
			}
			found[k] = sh
			return nil
		})
	}
	_ = g.Wait() // never fails
}

// validBad reports bad items that are in range and ascending, as [groupLoader.add] needs them.
func validBad(bad []badItem, from, items int) bool {
	last := from - 1
	for _, b := range bad {
		if b.Item <= last || b.Item >= from+items {
			return false
		}
		last = b.Item
	}
	return true
}

// build decodes items [from, to) to shard k.
func (l *groupLoader) build(ctx context.Context, k, from, to int) (*shard, error) {
	p := l.s.plan
	if l.read == nil {
		var err error
		if l.read, l.close, err = l.g.from.open(l.env, p); err != nil {
			return nil, err
		}
	}
	l.env.report("decode", l.done+from, l.total)
	size := p.imageBytes()
	px := make([]byte, (to-from)*size)
	bad := make([]error, to-from)
	var mu sync.Mutex
	seen := 0
	l.env.item = func() {
		mu.Lock()
		defer mu.Unlock()
		if seen++; seen%32 == 0 {
			l.env.report("decode", l.done+from+seen, l.total)
		}
	}
	if err := l.read(ctx, from, to, px, bad); err != nil {
		return nil, err
	}
	h := shardHeader{Key: p.Key, First: from, Items: to - from, H: p.H, W: p.W, C: p.C, Bits: p.Bits}
	good := 0
	for i, err := range bad {
		if err != nil {
			h.Bad = append(h.Bad, badItem{Item: from + i, Name: l.g.from.name(from + i), Why: err.Error()})
			continue
		}
		if good != i {
			copy(px[good*size:][:size], px[i*size:][:size])
		}
		d := hashPixels(px[good*size:][:size])
		h.Hashes = append(h.Hashes, d[:]...)
		good++
	}
	px = px[:good*size]
	l.env.report("decode", l.done+to, l.total)
	if l.inMemory {
		return &shard{shardHeader: h, data: px}, nil
	}
	if err := writeShard(l.path(k), &h, px); err != nil {
		return nil, fmt.Errorf("image: cache: %w", err)
	}
	return openShard(l.path(k), false)
}

// add hands a shard to the samples: its good images join the group's part.
func (l *groupLoader) add(sh *shard, from, to int) {
	s := l.s
	si := int32(len(s.shards))
	s.shards = append(s.shards, sh)
	for _, b := range sh.Bad {
		s.skipped++
		l.env.warnf("%s: %s: skipped", b.Name, b.Why)
	}
	bad, idx := sh.Bad, int32(0)
	part := l.g.part
	for item := from; item < to; item++ {
		if len(bad) > 0 && bad[0].Item == item {
			bad = bad[1:]
			continue
		}
		s.parts[part] = append(s.parts[part], ref{si, idx, int32(l.gi), int32(item)})
		if l.g.labels != nil {
			s.labels[part] = append(s.labels[part], l.g.labels[item])
		}
		idx++
	}
}

// split makes the parts that the source does not have.
func (s *Samples) split(env *loadEnv, src *source) error {
	d := env.data
	seed := s.recipe.Seed
	fail := func(what string, want, have int) error {
		return &dataset.Error{Path: d.Source, Err: fmt.Errorf("%s wants %d of the %d training images, which leaves none to train on", what, want, have)}
	}
	if len(s.parts[domain.Test]) == 0 {
		share := d.TestShare
		if share == 0 {
			share = src.testShare
		}
		if n := portion(share, len(s.parts[domain.Train])); n > 0 {
			if n >= len(s.parts[domain.Train]) {
				return fail("the test part", n, len(s.parts[domain.Train]))
			}
			s.take(domain.Test, n, seed, 0)
		}
	}
	if len(s.parts[domain.Val]) == 0 {
		if n := portion(d.Val, len(s.parts[domain.Train])); n > 0 {
			if n >= len(s.parts[domain.Train]) {
				return fail("data.val", n, len(s.parts[domain.Train]))
			}
			s.take(domain.Val, n, seed, 1)
		}
	}
	if d.Limit > 0 && d.Limit < len(s.parts[domain.Train]) {
		keep := make([]bool, len(s.parts[domain.Train]))
		if s.tail() {
			for i := range d.Limit {
				keep[i] = true
			}
		} else {
			for _, i := range stratified(s.labels[domain.Train], len(keep), d.Limit, seed, 2) {
				keep[i] = true
			}
		}
		s.parts[domain.Train], s.labels[domain.Train], _, _ = partition(s.parts[domain.Train], s.labels[domain.Train], keep)
	}
	if len(s.parts[domain.Train]) == 0 {
		return &dataset.Error{Path: d.Source, Err: errors.New("no training image")}
	}
	s.warnClasses(env)
	return nil
}

func (s *Samples) tail() bool { return s.recipe.Data.Split == "tail" }

// portion reads a count (from 1) or a fraction (below 1) of n.
func portion(v float64, n int) int {
	switch {
	case v <= 0:
		return 0
	case v >= 1:
		return int(v)
	}
	return int(math.Round(v * float64(n)))
}

// take moves n images from the training part to another; what numbers the draw.
func (s *Samples) take(to domain.Part, n int, seed uint64, what uint64) {
	have := len(s.parts[domain.Train])
	keep := make([]bool, have)
	if s.tail() {
		for i := range have - n {
			keep[i] = true
		}
	} else {
		for i := range keep {
			keep[i] = true
		}
		for _, i := range stratified(s.labels[domain.Train], have, n, seed, what) {
			keep[i] = false
		}
	}
	var refs []ref
	var labels []int32
	s.parts[domain.Train], s.labels[domain.Train], refs, labels = partition(s.parts[domain.Train], s.labels[domain.Train], keep)
	s.parts[to], s.labels[to] = refs, labels
}

func partition(refs []ref, labels []int32, keep []bool) (in []ref, inLabels []int32, out []ref, outLabels []int32) {
	for i, k := range keep {
		if k {
			in = append(in, refs[i])
			if labels != nil {
				inLabels = append(inLabels, labels[i])
			}
			continue
		}
		out = append(out, refs[i])
		if labels != nil {
			outLabels = append(outLabels, labels[i])
		}
	}
	return in, inLabels, out, outLabels
}

// stratified draws n of total images, each class by its share (largest remainders make up the
// rest); unlabelled images count as one more class. The draw depends on the seed alone.
func stratified(labels []int32, total, n int, seed, what uint64) []int {
	byClass := map[int32][]int{}
	for i := range total {
		c := int32(-1)
		if labels != nil {
			c = labels[i]
		}
		byClass[c] = append(byClass[c], i)
	}
	classes := make([]int32, 0, len(byClass))
	for c := range byClass {
		classes = append(classes, c)
	}
	slices.Sort(classes)
	quota := make([]int, len(classes))
	rest := make([]float64, len(classes))
	left := n
	for k, c := range classes {
		exact := float64(n) * float64(len(byClass[c])) / float64(total)
		quota[k] = int(exact)
		rest[k] = exact - float64(quota[k])
		left -= quota[k]
	}
	order := make([]int, len(classes))
	for k := range order {
		order[k] = k
	}
	// Ties go to a keyed order, else the first classes would always win.
	rng.New(seed, rng.Split, what).Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	sort.SliceStable(order, func(i, j int) bool { return rest[order[i]] > rest[order[j]] })
	for _, k := range order {
		if left == 0 {
			break
		}
		if quota[k] < len(byClass[classes[k]]) {
			quota[k]++
			left--
		}
	}
	var out []int
	for k, c := range classes {
		items := byClass[c]
		r := rng.New(seed, rng.Split, what, uint64(c)+2)
		for i := range quota[k] { // partial Fisher-Yates
			j := i + r.IntN(len(items)-i)
			items[i], items[j] = items[j], items[i]
		}
		out = append(out, items[:quota[k]]...)
	}
	slices.Sort(out)
	return out
}

// warnClasses names parts that lack a class which training has: their scores would mislead.
func (s *Samples) warnClasses(env *loadEnv) {
	count := func(p domain.Part) []int {
		n := make([]int, len(s.names))
		for _, v := range s.labels[p] {
			if v >= 0 {
				n[v]++
			}
		}
		return n
	}
	train := count(domain.Train)
	for _, p := range []domain.Part{domain.Val, domain.Test} {
		if len(s.parts[p]) == 0 || s.labels[p] == nil {
			continue
		}
		var lacks, only []string
		for c, n := range count(p) {
			switch {
			case n == 0 && train[c] > 0:
				lacks = append(lacks, s.names[c])
			case n > 0 && train[c] == 0:
				only = append(only, s.names[c])
			}
		}
		if len(lacks) > 0 {
			env.warnf("the %s part has no image of %d of the classes in training, e.g. %q", partWord(p), len(lacks), lacks[0])
		}
		if len(only) > 0 {
			env.warnf("the %s part has %d classes that training lacks, e.g. %q", partWord(p), len(only), only[0])
		}
	}
}

func partWord(p domain.Part) string {
	switch p {
	case domain.Train:
		return "training"
	case domain.Val:
		return "validation"
	}
	return "test"
}

// findLeaks counts images of a held-out part whose pixels also occur in training or validation.
func (s *Samples) findLeaks(env *loadEnv) {
	in := map[digest]ref{}
	partOf := map[digest]domain.Part{}
	held := map[digest]bool{}
	for _, p := range []domain.Part{domain.Val, domain.Test} {
		for _, r := range s.parts[p] {
			held[s.shards[r.shard].digest(int(r.index))] = true
		}
	}
	for _, p := range []domain.Part{domain.Train, domain.Val} {
		for _, r := range s.parts[p] {
			d := s.shards[r.shard].digest(int(r.index))
			if _, seen := in[d]; held[d] && !seen { // memory follows the held-out parts, not the training part
				in[d], partOf[d] = r, p
			}
		}
	}
	for _, pair := range [][2]domain.Part{{domain.Val, domain.Train}, {domain.Test, domain.Train}, {domain.Test, domain.Val}} {
		l := Leak{Part: pair[0], In: pair[1]}
		for i, r := range s.parts[pair[0]] {
			d := s.shards[r.shard].digest(int(r.index))
			if o, ok := in[d]; ok && partOf[d] == pair[1] {
				if l.Count++; l.Count == 1 {
					l.Example = [2]string{s.Name(pair[0], i), s.origins[o.group].from.name(int(o.item))}
				}
			}
		}
		if l.Count > 0 {
			s.leaks = append(s.leaks, l)
			env.warnf("leakage: %d of %d %s images are also in the %s part, e.g. %s and %s",
				l.Count, len(s.parts[l.Part]), partWord(l.Part), partWord(l.In), l.Example[0], l.Example[1])
		}
	}
}

func (s *Samples) contentHash() string {
	w := &stamper{sha256.New()}
	w.add("selfsame image samples", s.plan.H, s.plan.W, s.plan.C, s.plan.Bits, len(s.names))
	for _, n := range s.names {
		w.add(n)
	}
	for p := range s.parts {
		w.add(len(s.parts[p]), s.labels[p] != nil)
		var b [4]byte
		for i, r := range s.parts[p] {
			d := s.shards[r.shard].digest(int(r.index))
			w.h.Write(d[:])
			if s.labels[p] != nil {
				binary.LittleEndian.PutUint32(b[:], uint32(s.labels[p][i]))
				w.h.Write(b[:])
			}
		}
	}
	return hex.EncodeToString(w.h.Sum(nil))
}
