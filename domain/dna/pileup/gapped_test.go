package pileup

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// Reads of one place on both strands, some of which lack or have one base more in a run of equal bases, all say so at the
// leftmost position of the run, in the direction of the read at hand.
func TestGapsOfShortReads(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 21))
	truth := randomBases(r, 150)
	copy(truth[68:78], []uint8{1, 2, 0, 0, 0, 0, 0, 0, 3, 2}) // A at 70..75
	good := slices.Repeat([]uint8{35}, 200)
	short := slices.Delete(slices.Clone(truth), 72, 73)
	long := slices.Insert(slices.Clone(truth), 73, 0)
	strange := uint8(0) // unlike both neighbours: nothing to shift
	for strange == truth[39] || strange == truth[40] {
		strange++
	}
	other := slices.Insert(slices.Clone(truth), 40, strange)
	var reads []read
	for _, b := range [][]uint8{truth, truth, short, long, other} {
		for j := range 4 {
			c := b
			if j%2 == 1 {
				c = turned(b)
			}
			reads = append(reads, read{c, good[:len(c)]})
		}
	}
	x := memIndex(t, DefaultConfig(Short), reads)
	var s Scratch
	var c Columns
	at := func(id, j int) Column {
		t.Helper()
		if err := x.Columns(id, &s, &c); err != nil {
			t.Fatal(err)
		}
		if c.Reads != len(reads)-1 {
			t.Fatalf("read %d: %d overlaps of %d", id, c.Reads, len(reads)-1)
		}
		return c.At(j)
	}
	// A true read: four lack the first base of the run, four have one more before it.
	if col := at(0, 70); col.Deleted != 4 || col.Count[0] != 15 || col.CloseDeleted != 4 {
		t.Errorf("first of the run: %+v", col)
	}
	if col := at(0, 69); col.Inserted != [4]int{4, 0, 0, 0} || col.Deleted != 0 {
		t.Errorf("before the run: %+v", col)
	}
	if col := at(0, 39); col.Inserted[strange] != 4 {
		t.Errorf("before the other insertion: %+v", col)
	}
	// The same from the other strand: the run is of T, at 74..79.
	if col := at(1, 74); col.Deleted != 4 || col.Count[3] != 15 {
		t.Errorf("first of the run, turned: %+v", col)
	}
	// A read that lacks one: all others have it.
	if col := at(8, 69); col.Inserted != [4]int{16, 0, 0, 0} {
		t.Errorf("read that lacks a base: %+v", col)
	}
	// A read that has one too many: all but those of its kind lack it.
	if col := at(12, 70); col.Deleted != 16 || col.Count[0] != 3 {
		t.Errorf("read with a base too many: %+v", col)
	}
}

// noisy writes a piece with errors of a long-read sequencer; at[j] is the place in the piece of base j, or -1 if it was inserted.
func noisy(r *rand.Rand, piece []uint8, sub, ins, del float64) (b []uint8, at []int) {
	for i, c := range piece {
		for r.Float64() < ins {
			b, at = append(b, uint8(r.IntN(4))), append(at, -1)
		}
		switch u := r.Float64(); {
		case u < del:
			continue
		case u < del+sub:
			c = (c + 1 + uint8(r.IntN(3))) % 4
		}
		b, at = append(b, c), append(at, i)
	}
	return b, at
}

func TestLongNoisyReads(t *testing.T) {
	r := rand.New(rand.NewPCG(22, 22))
	const size, length, depth = 15000, 3000, 20
	genome := randomBases(r, size)
	type origin struct {
		from int
		turn bool
		at   []int
	}
	var reads []read
	var truth []origin
	for range size * depth / length {
		o := origin{from: r.IntN(size - length + 1), turn: r.IntN(2) == 1}
		piece := genome[o.from : o.from+length]
		if o.turn {
			piece = turned(piece)
		}
		b, at := noisy(r, piece, 0.02, 0.05, 0.03)
		o.at = at
		reads, truth = append(reads, read{b, nil}), append(truth, o)
	}
	cfg := DefaultConfig(Long)
	mem := memIndex(t, cfg, reads)
	x := diskIndex(t, cfg, reads, MinMemory)
	var s Scratch
	var c, c2 Columns
	var found, want, wrong, mended, fine, confirmed, extra, extraFound, depths, close int
	for id := 0; id < len(reads); id += 10 {
		if err := mem.Columns(id, &s, &c); err != nil {
			t.Fatal(err)
		}
		if err := x.Columns(id, &s, &c2); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(columnsOf(&c), columnsOf(&c2)) {
			t.Fatalf("read %d: disk and memory differ", id)
		}
		o := truth[id]
		for other, p := range truth {
			if other != id && min(o.from, p.from)+length-max(o.from, p.from) >= 700 {
				want++
			}
		}
		found += c.Reads
		for j, place := range o.at {
			col := c.At(j)
			if col.Depth() < 4 {
				continue
			}
			depths += col.Depth()
			close += col.CloseDepth()
			top := 0
			for b := range 4 {
				if col.Count[b] > col.Count[top] {
					top = b
				}
			}
			if place < 0 {
				extra++
				k := j // the first of equal bases is the one too many
				for k > 0 && c.Bases[k-1] == c.Bases[j] {
					k--
				}
				if col := c.At(k); 2*col.Deleted > col.Depth() {
					extraFound++
				}
				continue
			}
			true := genome[o.from+place]
			if o.turn {
				true = 3 - genome[o.from+length-1-place]
			}
			if true != reads[id].bases[j] {
				wrong++
				if uint8(top) == true {
					mended++
				}
			} else {
				fine++
				if uint8(top) == true && 2*col.Deleted < col.Depth() {
					confirmed++
				}
			}
		}
	}
	t.Logf("overlaps %d of %d of 700 bases or more; wrong bases mended by majority %d of %d, inserted ones %d of %d; right ones confirmed %d of %d; close %d of %d",
		found, want, mended, wrong, extraFound, extra, confirmed, fine, close, depths)
	if found < want*9/10 {
		t.Errorf("%d overlaps of %d", found, want)
	}
	// A wrong base beside a gap may be laid in another way.
	if mended < wrong*7/10 || extraFound < extra*7/10 || confirmed < fine*97/100 || close < depths*9/10 {
		t.Error("too few")
	}
}

func TestNoAllocationsWithGaps(t *testing.T) {
	r := rand.New(rand.NewPCG(23, 23))
	genome := randomBases(r, 1500)
	var reads []read
	for range 200 {
		at := r.IntN(len(genome) - 150)
		b, _ := noisy(r, genome[at:at+150], 0.005, 0.005, 0.005)
		reads = append(reads, read{b, nil})
	}
	x := memIndex(t, DefaultConfig(Short), reads)
	var s Scratch
	var c Columns
	overlaps := 0
	all := func() {
		for id := range reads {
			if err := x.Columns(id, &s, &c); err != nil {
				t.Fatal(err)
			}
			overlaps += c.Reads
		}
	}
	all()
	if overlaps < 20*len(reads) {
		t.Errorf("%d overlaps of %d reads", overlaps, len(reads))
	}
	if n := testing.AllocsPerRun(3, all); n != 0 {
		t.Errorf("%v allocations for %d reads", n, len(reads))
	}
}

// Reads of a genome with a repeat of two copies, and a chimera.
func TestOverhangs(t *testing.T) {
	r := rand.New(rand.NewPCG(24, 24))
	repeat := randomBases(r, 1500)
	left, right, far := randomBases(r, 3000), randomBases(r, 3000), randomBases(r, 3000)
	one := slices.Concat(left, repeat, right) // the copy of the read at hand
	two := slices.Concat(randomBases(r, 3000), repeat, randomBases(r, 3000))
	var reads []read
	add := func(piece []uint8) {
		b, _ := noisy(r, piece, 0.01, 0.03, 0.02)
		if len(reads)%2 == 1 {
			b = turned(b)
		}
		reads = append(reads, read{b, nil})
	}
	add(one[1500:6000])
	add(slices.Concat(left, far)) // a chimera
	for i := range 6 {
		add(one[1000+100*i : 6500-100*i])
		add(two[1000+100*i : 6500-100*i])
		add(left[10*i:])
		add(far[:3000-10*i])
	}
	x := memIndex(t, DefaultConfig(Long), reads)
	var s Scratch
	var c Columns
	mean := func(id, from, to int) (depth, close float64) {
		t.Helper()
		if err := x.Columns(id, &s, &c); err != nil {
			t.Fatal(err)
		}
		for j := from; j < to; j++ {
			col := c.At(j)
			depth, close = depth+float64(col.Depth())/float64(to-from), close+float64(col.CloseDepth())/float64(to-from)
		}
		return depth, close
	}
	if depth, close := mean(0, 1800, 2700); depth < 11 || close > 8 {
		t.Errorf("in the repeat: depth %.1f, close %.1f, want 12 of which 6 are of this copy", depth, close)
	}
	n := len(reads[1].bases)
	for _, at := range []int{n / 4, n * 3 / 4} {
		if depth, close := mean(1, at-200, at+200); depth < 5.5 || close < 5.5 {
			t.Errorf("chimera at %d of %d: depth %.1f, close %.1f, want 6 or more", at, n, depth, close)
		}
	}
}
