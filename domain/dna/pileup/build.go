package pileup

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"slices"
)

const (
	buckets = 256 // of seeds, by the first 8 bits of the key
	rawSize = 12  // of a seed in a bucket: rest of the key, read, place

	// MinMemory is the least that a Builder can do with.
	MinMemory = 1 << 20
	// DefaultMemory is what a Builder takes where it is told 0.
	DefaultMemory = 512 << 20
)

// Builder writes reads and their seeds to temporary files and makes an Index of them.
type Builder struct {
	r      rules
	dir    string
	memory int64
	space  *int64 // tests: bytes left on the disk
	err    error  // of the first call that failed
	done   bool

	reads, offsets *temp
	raw            *temp // chained pieces of buckets
	bucket         [buckets]struct {
		buf   []byte // of the piece that grows: offset+1 of the piece before (8 bytes), then seeds
		last  int64  // offset+1 of the last piece written, 0: none
		bytes int    // of that piece
		n     int64  // seeds
	}
	record []byte
	clean  []uint8
	found  []seed
	ring   [MaxW]uint64
	count  int
	bases  int64
	seeds  int64
	max    int
}

// NewBuilder starts an index with its temporary files in dir ("": the system's place for such). memory, in bytes, bounds
// what the Builder and later the Index keep in memory, however many reads there are; 0 is DefaultMemory, less than
// MinMemory an error. The files hold about (length/4 + length + 20*seeds) bytes a read, for 150 bases some 900, of which
// 12*seeds are given back by Finish.
func NewBuilder(dir string, cfg Config, memory int64) (*Builder, error) {
	return newBuilder(dir, cfg, memory, nil)
}

func newBuilder(dir string, cfg Config, memory int64, space *int64) (*Builder, error) {
	if memory == 0 {
		memory = DefaultMemory
	}
	if memory < MinMemory {
		return nil, fmt.Errorf("pileup: %d bytes of memory, at least %d", memory, MinMemory)
	}
	b := &Builder{dir: dir, memory: memory, space: space}
	if err := b.r.set(cfg); err != nil {
		return nil, err
	}
	buffer := int(min(1<<20, memory/16))
	for _, f := range []struct {
		to   **temp
		what string
		size int
	}{{&b.reads, "reads", buffer}, {&b.offsets, "offsets", buffer / 8}, {&b.raw, "seeds", 0}} {
		t, err := newTemp(dir, f.what, f.size, space)
		if err != nil {
			return nil, b.fail(err)
		}
		*f.to = t
	}
	piece := int(max(8+4*rawSize, min(64<<10, memory/8/buckets)))
	for i := range b.bucket {
		b.bucket[i].buf = make([]byte, 8, piece)
	}
	return b, nil
}

// fail remembers the first error, gives everything back and says where and how far the work was.
func (b *Builder) fail(err error) error {
	if b.err != nil {
		return b.err
	}
	size := int64(0)
	for _, t := range []*temp{b.reads, b.offsets, b.raw} {
		if t != nil {
			size += t.size
		}
	}
	dir := b.dir
	if dir == "" {
		dir = "the system's temporary directory"
	}
	b.err = fmt.Errorf("pileup: index in %s, after %d reads (%d bases) and %d bytes of temporary files: %w", dir, b.count, b.bases, size, err)
	_ = b.Close()
	return b.err
}

// Close removes the temporary files of an index that is not finished. After Finish it does nothing.
func (b *Builder) Close() error {
	if b.done {
		return nil
	}
	if b.err == nil {
		b.err = errors.New("pileup: index was closed")
	}
	err := errors.Join(b.reads.close(), b.offsets.close(), b.raw.close())
	b.reads, b.offsets, b.raw = nil, nil, nil
	b.done = true
	return err
}

// Len is the number of reads so far.
func (b *Builder) Len() int { return b.count }

// Add takes a read of base codes (0..3, all others are N) and Phred qualities, or nil where it has none; its id is the
// number of reads before it. A read that is refused leaves the Builder as it was; after any other error it is of no more
// use and its files are gone.
func (b *Builder) Add(bases, quals []uint8) error {
	switch {
	case b.err != nil:
		return b.err
	case b.done:
		return errors.New("pileup: Add after Finish")
	case b.count == MaxReads:
		return b.fail(fmt.Errorf("more than %d reads", MaxReads))
	}
	if err := checkRead(bases, quals); err != nil {
		return err
	}
	if err := b.writeOffset(); err != nil {
		return b.fail(err)
	}
	b.clean = append(b.clean[:0], bases...)
	unknown := false
	for i, c := range b.clean {
		if c > 3 {
			b.clean[i], unknown = N, true
		}
	}
	b.record = appendRecord(b.record[:0], b.clean, quals, unknown)
	if err := b.reads.write(b.record); err != nil {
		return b.fail(err)
	}
	b.found = minimizers(b.found[:0], b.clean, b.r.K, b.r.W, &b.ring)
	low := uint(2*b.r.K - 8)
	for _, m := range b.found {
		if err := b.addSeed(int(m.key>>low), uint32(m.key&(1<<low-1)), uint32(b.count), m.pos<<1|m.rev); err != nil {
			return b.fail(err)
		}
	}
	b.count++
	b.bases += int64(len(bases))
	b.seeds += int64(len(b.found))
	b.max = max(b.max, len(bases))
	return nil
}

func (b *Builder) writeOffset() error {
	var off [8]byte
	binary.LittleEndian.PutUint64(off[:], uint64(b.reads.size))
	return b.offsets.write(off[:])
}

func (b *Builder) addSeed(bucket int, rest, id, at uint32) error {
	k := &b.bucket[bucket]
	if len(k.buf)+rawSize > cap(k.buf) {
		if err := b.flushBucket(bucket); err != nil {
			return err
		}
	}
	k.n++
	k.buf = binary.LittleEndian.AppendUint32(k.buf, rest)
	k.buf = binary.LittleEndian.AppendUint32(k.buf, id)
	k.buf = binary.LittleEndian.AppendUint32(k.buf, at)
	return nil
}

func (b *Builder) flushBucket(bucket int) error {
	k := &b.bucket[bucket]
	if len(k.buf) <= 8 {
		return nil
	}
	// Each piece names the one before: the chain needs no list in memory.
	binary.LittleEndian.PutUint64(k.buf, uint64(k.last)<<24|uint64(k.bytes))
	off := b.raw.size
	if off >= 1<<40-1 {
		return fmt.Errorf("more than %d bytes of seeds", off)
	}
	if err := b.raw.write(k.buf); err != nil {
		return err
	}
	k.last, k.bytes = off+1, len(k.buf)
	k.buf = k.buf[:8]
	return nil
}

// eachRaw calls do for the seeds of a bucket, from the last to the first.
func (b *Builder) eachRaw(bucket int, do func(rest, id, at uint32)) error {
	k := &b.bucket[bucket]
	buf := make([]byte, cap(k.buf))
	for last, n := k.last, k.bytes; last != 0; {
		piece := buf[:n]
		if _, err := b.raw.f.ReadAt(piece, last-1); err != nil {
			return err
		}
		for i := n - rawSize; i >= 8; i -= rawSize {
			do(binary.LittleEndian.Uint32(piece[i:]), binary.LittleEndian.Uint32(piece[i+4:]), binary.LittleEndian.Uint32(piece[i+8:]))
		}
		link := binary.LittleEndian.Uint64(piece)
		last, n = int64(link>>24), int(link&(1<<24-1))
	}
	return nil
}

// Finish sorts the seeds and returns the index; the Builder is of no more use.
func (b *Builder) Finish() (*Index, error) { return b.FinishContext(context.Background()) }

// FinishContext is Finish that gives up, and removes all files, when ctx is done.
func (b *Builder) FinishContext(ctx context.Context) (*Index, error) {
	if b.err != nil {
		return nil, b.err
	}
	if b.done {
		return nil, errors.New("pileup: Finish twice")
	}
	x := &Index{r: b.r, n: b.count, bases: b.bases, max: b.max, places: b.seeds}
	if err := b.finish(ctx, x); err != nil {
		_ = errors.Join(x.groups.close(), x.slots.close())
		return nil, b.fail(err)
	}
	b.done = true
	b.reads, b.offsets = nil, nil
	err := b.raw.close()
	b.raw = nil
	if err != nil {
		return nil, errors.Join(b.fail(err), x.Close())
	}
	left := b.memory
	// What is asked for most often for its size comes first.
	for _, t := range []*temp{x.offsets, x.slots, x.reads, x.groups} {
		left -= t.pin(left)
	}
	x.pinned = b.memory - left
	return x, nil
}

func (b *Builder) finish(ctx context.Context, x *Index) (err error) {
	if err := b.writeOffset(); err != nil {
		return err
	}
	if err := errors.Join(b.reads.done(), b.offsets.done()); err != nil {
		return err
	}
	for i := range b.bucket {
		if err := b.flushBucket(i); err != nil {
			return err
		}
		b.bucket[i].buf = b.bucket[i].buf[:0:cap(b.bucket[i].buf)]
	}
	buffer := int(min(1<<20, b.memory/16))
	if x.groups, err = newTemp(b.dir, "index", buffer, b.space); err != nil {
		return err
	}
	if x.slots, err = newTemp(b.dir, "slots", buffer, b.space); err != nil {
		return err
	}
	x.reads, x.offsets = b.reads, b.offsets
	// About 16 seeds a slot; what is left of a key must fit in 32 bits.
	x.slotBits = max(8, 2*b.r.K-32, min(2*b.r.K, 28, bits.Len64(uint64(b.seeds/16))))
	w := groupWriter{b: b, x: x, limit: max(1, b.memory/4/rawSize)}
	for i := range b.bucket {
		if err := ctx.Err(); err != nil {
			return err
		}
		w.bucket = i
		if err := w.span(ctx, 0, 1<<(2*b.r.K-8), b.bucket[i].n); err != nil {
			return err
		}
	}
	if err := w.slot(1 << x.slotBits); err != nil {
		return err
	}
	if err := errors.Join(x.groups.done(), x.slots.done()); err != nil {
		return err
	}
	if x.limit = b.r.MaxOccurrence; x.limit == 0 {
		x.limit = chooseLimit(&w.sizes)
	}
	return nil
}

type rawSeed struct{ rest, id, at uint32 }

// groupWriter turns sorted seeds into groups: rest of the key, number of places, places (none where there are too many).
type groupWriter struct {
	b      *Builder
	x      *Index
	bucket int
	limit  int64 // seeds that are sorted at once
	a, tmp []rawSeed
	next   uint64 // slot to be written
	sizes  [hardLimit + 1]int64
	out    []byte
}

// span writes the groups of the bucket with from <= rest < to, n seeds, in parts that fit in memory.
func (w *groupWriter) span(ctx context.Context, from, to, n int64) error {
	if n == 0 {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if n <= w.limit || to-from == 1 && n <= hardLimit {
		return w.sort(from, to, n)
	}
	if to-from == 1 { // one seed, more often than is kept
		return w.group(uint32(from), n, nil)
	}
	const parts = 4096
	var count [parts]int64
	step := max(1, (to-from+parts-1)/parts)
	err := w.b.eachRaw(w.bucket, func(rest, _, _ uint32) {
		if r := int64(rest); r >= from && r < to {
			count[(r-from)/step]++
		}
	})
	if err != nil {
		return err
	}
	start, end, sum := int64(0), int64(0), int64(0) // parts that go together; empty ones at their ends do not, so the span shrinks
	for i, c := range count {
		if c == 0 {
			continue
		}
		if sum > 0 && sum+c > w.limit {
			if err := w.span(ctx, from+start*step, min(to, from+end*step), sum); err != nil {
				return err
			}
			sum = 0
		}
		if sum == 0 {
			start = int64(i)
		}
		sum, end = sum+c, int64(i)+1
	}
	return w.span(ctx, from+start*step, min(to, from+end*step), sum)
}

// sort writes the groups with from <= rest < to, n seeds.
func (w *groupWriter) sort(from, to, n int64) error {
	if int64(cap(w.a)) < n {
		w.a, w.tmp = make([]rawSeed, n+n/8), make([]rawSeed, n+n/8)
	}
	a, tmp := w.a[:n], w.tmp[:n]
	i := n
	err := w.b.eachRaw(w.bucket, func(rest, id, at uint32) {
		if r := int64(rest); r >= from && r < to {
			i--
			a[i] = rawSeed{rest, id, at}
		}
	})
	if err != nil {
		return err
	}
	for shift := 0; shift < 2*w.b.r.K-8; shift += 10 {
		var at [1024]uint32
		for i := range a {
			at[a[i].rest>>shift&1023]++
		}
		sum := uint32(0)
		for i, n := range at {
			at[i] = sum
			sum += n
		}
		for i := range a {
			c := a[i].rest >> shift & 1023
			tmp[at[c]] = a[i]
			at[c]++
		}
		a, tmp = tmp, a
	}
	for i := 0; i < len(a); {
		j := i
		for i < len(a) && a[i].rest == a[j].rest {
			i++
		}
		if err := w.group(a[j].rest, int64(i-j), a[j:i]); err != nil {
			return err
		}
	}
	return nil
}

// stored is how many places of a group of n are written.
func stored(n int, r *rules) int {
	if n > hardLimit || r.MaxOccurrence > 0 && n > r.MaxOccurrence {
		return 0
	}
	return n
}

func (w *groupWriter) group(rest uint32, n int64, places []rawSeed) error {
	w.sizes[min(n, hardLimit)]++
	low := uint(2*w.b.r.K - 8)
	key := uint64(w.bucket)<<low | uint64(rest)
	if err := w.slot(key >> (uint(2*w.b.r.K) - uint(w.x.slotBits))); err != nil {
		return err
	}
	// Rest of the key below the slot: all of it is needed, for the slot has at least 2K-32 bits.
	w.out = binary.LittleEndian.AppendUint32(w.out[:0], uint32(key&(1<<(2*w.b.r.K-w.x.slotBits)-1)))
	w.out = binary.LittleEndian.AppendUint32(w.out, uint32(min(n, 1<<32-1)))
	for _, p := range places[:min(len(places), stored(int(n), &w.b.r))] {
		w.out = binary.LittleEndian.AppendUint32(w.out, p.id)
		w.out = binary.LittleEndian.AppendUint32(w.out, p.at)
	}
	return w.x.groups.write(w.out)
}

// slot writes the offsets of all slots up to and with this one.
func (w *groupWriter) slot(to uint64) error {
	for ; w.next <= to; w.next++ {
		var off [8]byte
		binary.LittleEndian.PutUint64(off[:], uint64(w.x.groups.size))
		if err := w.x.slots.write(off[:]); err != nil {
			return err
		}
	}
	return nil
}

// A record is a head (length<<2 | has N <<1 | has qualities), bases of two bits, the first in the low bits, the runs of N
// (their number, then first place and length of each) and the qualities. Numbers are of four bytes, little-endian.
func appendRecord(dst []byte, bases, quals []uint8, unknown bool) []byte {
	head := uint32(len(bases)) << 2
	if unknown {
		head |= 2
	}
	if quals != nil {
		head |= 1
	}
	dst = binary.LittleEndian.AppendUint32(dst, head)
	for i := 0; i < len(bases); i += 4 {
		c := uint8(0)
		for j, b := range bases[i:min(i+4, len(bases))] {
			c |= b & 3 << (2 * j) // N is stored as A
		}
		dst = append(dst, c)
	}
	if unknown {
		at := len(dst)
		dst = append(dst, 0, 0, 0, 0)
		runs := uint32(0)
		for i := 0; i < len(bases); i++ {
			if bases[i] <= 3 {
				continue
			}
			from := i
			for i < len(bases) && bases[i] > 3 {
				i++
			}
			dst = binary.LittleEndian.AppendUint32(dst, uint32(from))
			dst = binary.LittleEndian.AppendUint32(dst, uint32(i-from))
			runs++
		}
		binary.LittleEndian.PutUint32(dst[at:], runs)
	}
	dst = slices.Grow(dst, len(quals))
	for _, q := range quals {
		dst = append(dst, min(q, MaxQuality))
	}
	return dst
}
