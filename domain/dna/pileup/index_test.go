package pileup

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// diskIndex builds an index; memory is what it may use, which a test may set below MinMemory.
func diskIndex(t testing.TB, cfg Config, reads []read, memory int64) *Index {
	t.Helper()
	b, err := NewBuilder(t.TempDir(), cfg, 0)
	if err != nil {
		t.Fatal(err)
	}
	b.memory = memory
	for _, r := range reads {
		if err := b.Add(r.bases, r.quals); err != nil {
			t.Fatal(err)
		}
	}
	x, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	return x
}

func TestIndexAgreesWithMemIndex(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 11))
	reads := sample(r, repeats(r, 1200), 700, 120)
	reads = append(reads, read{nil, nil}, read{[]uint8{2}, nil}, read{reads[3].bases, nil}, read{slices.Repeat([]uint8{N}, 77), nil},
		read{slices.Repeat([]uint8{9}, 5), slices.Repeat([]uint8{200}, 5)})
	reads = append(reads, read{randomBases(r, 70001), nil})
	reads = append(reads, read{turned(reads[len(reads)-1].bases[69900:]), nil})
	for range 300 { // a seed of very many places
		reads = append(reads, reads[0])
	}
	for _, k := range []int{11, 15, 17, 19} {
		cfg := DefaultConfig(Short)
		cfg.K = k
		mem := memIndex(t, cfg, reads)
		for _, memory := range []int64{0, 2000, 400 << 10, 64 << 20} {
			x := diskIndex(t, cfg, reads, memory)
			st := x.Stats()
			if st.Memory > memory || memory == 64<<20 && st.Memory < st.Disk-4*4096 {
				t.Errorf("%d of %d bytes in memory, allowed are %d", st.Memory, st.Disk, memory)
			}
			if x.Len() != len(reads) || x.Limit() != mem.Limit() || st.Seeds != int64(len(mem.keys)) {
				t.Fatalf("%d reads, limit %d, %d seeds; in memory %d, %d, %d", x.Len(), x.Limit(), st.Seeds, len(reads), mem.Limit(), len(mem.keys))
			}
			var wg sync.WaitGroup
			for worker := range 2 {
				wg.Go(func() {
					var s, s2 Scratch
					var want, got Columns
					for id := worker; id < len(reads); id += 2 {
						if id > 720 && id < len(reads)-4 {
							continue
						}
						if err := errors.Join(x.Columns(id, &s, &got), mem.Columns(id, &s2, &want)); err != nil {
							t.Error(err)
							return
						}
						a, b := columnsOf(&want), columnsOf(&got)
						if !slices.Equal(a, b) || want.Reads != got.Reads {
							t.Errorf("k %d, memory %d, read %d (-in memory +on disk):\n%s", k, memory, id, cmp.Diff(a, b))
							return
						}
					}
				})
			}
			wg.Wait()
		}
	}
}

func TestReadsComeBack(t *testing.T) {
	r := rand.New(rand.NewPCG(12, 12))
	var reads []read
	for n := range 70 {
		b := randomBases(r, n)
		q := make([]uint8, n)
		for i := range b {
			q[i] = uint8(r.IntN(94))
			if r.IntN(5) == 0 {
				b[i] = N
			}
		}
		reads = append(reads, read{b, q})
	}
	x := diskIndex(t, DefaultConfig(Short), reads, 0)
	var s Scratch
	for id, want := range reads {
		for _, opposite := range []bool{false, true} {
			b, q, err := x.fetch(uint32(id), opposite, &s)
			if err != nil {
				t.Fatal(err)
			}
			wb, wq := want.bases, slices.Clone(want.quals)
			if opposite {
				wb = turned(wb)
				slices.Reverse(wq)
			}
			if !slices.Equal(b, wb) || !slices.Equal(q, wq) {
				t.Fatalf("read %d, opposite %v: %v %v, want %v %v", id, opposite, b, q, wb, wq)
			}
		}
	}
	if _, _, err := x.Read(70, &s); err == nil {
		t.Error("read 70 of 70: no error")
	}
}

// A read that is in the file more often than places are kept, with memory for 41 seeds.
func TestVeryFrequentSeeds(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 13))
	one := read{randomBases(r, 40), slices.Repeat([]uint8{30}, 40)}
	reads := slices.Repeat([]read{one}, hardLimit+7)
	reads = append(reads, sample(r, randomBases(r, 300), 40, 100)...)
	cfg := DefaultConfig(Short)
	mem := memIndex(t, cfg, reads)
	x := diskIndex(t, cfg, reads, 2000)
	var s Scratch
	var a, b Columns
	for id := hardLimit; id < len(reads); id++ {
		if err := errors.Join(x.Columns(id, &s, &a), mem.Columns(id, &s, &b)); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(columnsOf(&a), columnsOf(&b)) {
			t.Fatalf("read %d differs from the index in memory", id)
		}
		if id < hardLimit+7 && a.Reads != 0 || id >= hardLimit+7 && a.Reads == 0 {
			t.Errorf("read %d: %d overlaps", id, a.Reads)
		}
	}
}

func empty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestFullDisk(t *testing.T) {
	r := rand.New(rand.NewPCG(14, 14))
	reads := sample(r, randomBases(r, 2000), 300, 100)
	run := func(dir string, space *int64) error {
		b, err := newBuilder(dir, DefaultConfig(Short), MinMemory, space)
		if err != nil {
			return err
		}
		for i := range b.bucket { // no bucket waits for the end
			b.bucket[i].buf = make([]byte, 8, 8+rawSize)
		}
		for _, r := range reads {
			if err := b.Add(r.bases, r.quals); err != nil {
				if again := b.Add(r.bases, r.quals); again == nil {
					t.Error("Add after a full disk")
				}
				return err
			}
		}
		x, err := b.Finish()
		if err == nil {
			err = x.Close()
		}
		return err
	}
	dir := t.TempDir()
	need := int64(1 << 40)
	if err := run(dir, &need); err != nil {
		t.Fatal(err)
	}
	need = 1<<40 - need
	for i := range int64(10) {
		space := need * i / 10
		err := run(dir, &space)
		if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), " reads (") {
			t.Errorf("disk of %d bytes of %d: %v", need*i/10, need, err)
		}
		empty(t, dir)
	}
}

func TestBuilderFaults(t *testing.T) {
	if _, err := NewBuilder(t.TempDir()+"/missing", DefaultConfig(Short), 0); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "missing") {
		t.Errorf("no such folder: %v", err)
	}
	if os.Getuid() != 0 {
		dir := t.TempDir()
		if err := os.Chmod(dir, 0o555); err != nil {
			t.Fatal(err)
		}
		if _, err := NewBuilder(dir, DefaultConfig(Short), 0); !errors.Is(err, os.ErrPermission) || !strings.Contains(err.Error(), dir) {
			t.Errorf("folder that is not writable: %v", err)
		}
	}
	if _, err := NewBuilder("", DefaultConfig(Short), MinMemory-1); err == nil {
		t.Error("too little memory: no error")
	}
	if _, err := NewBuilder("", Config{}, 0); err == nil {
		t.Error("zero config: no error")
	}

	dir := t.TempDir()
	b, err := NewBuilder(dir, DefaultConfig(Short), MinMemory)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Add([]uint8{1, 2, 3}, []uint8{1}); err == nil {
		t.Error("qualities of another length: no error")
	}
	if err := b.Add([]uint8{1, 2, 3}, nil); err != nil || b.Len() != 1 {
		t.Errorf("after a refused read: %v, %d reads", err, b.Len())
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := b.FinishContext(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := b.Finish(); !errors.Is(err, context.Canceled) {
		t.Errorf("after it was cancelled: %v", err)
	}
	empty(t, dir)

	if b, err = NewBuilder(dir, DefaultConfig(Short), MinMemory); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if err := b.Add(nil, nil); err == nil {
		t.Error("Add after Close: no error")
	}
	empty(t, dir)

	if b, err = NewBuilder(dir, DefaultConfig(Short), MinMemory); err != nil {
		t.Fatal(err)
	}
	x, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Finish(); err == nil {
		t.Error("Finish twice: no error")
	}
	if err := errors.Join(b.Close(), x.Close(), x.Close()); err != nil {
		t.Error(err)
	}
	empty(t, dir)
}

// While an index is in use its folder shows no file of it where the system lets open files go without a name.
func TestNothingStaysAfterAKill(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("open files keep their names here")
	}
	dir := t.TempDir()
	b, err := NewBuilder(dir, DefaultConfig(Short), MinMemory)
	if err != nil {
		t.Fatal(err)
	}
	empty(t, dir)
	x, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	empty(t, dir)
	if err := x.Close(); err != nil {
		t.Error(err)
	}
}

func TestNoAllocationsPerReadOnDisk(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	reads := sample(r, randomBases(r, 2000), 400, 150)
	for _, memory := range []int64{0, 1 << 20} {
		x := diskIndex(t, DefaultConfig(Short), reads, memory)
		var s Scratch
		var c Columns
		f := make([]float32, 150*Channels)
		all := func() {
			for id := range reads {
				if err := x.Columns(id, &s, &c); err != nil {
					t.Fatal(err)
				}
				c.Features(f)
			}
		}
		all()
		if n := testing.AllocsPerRun(3, all); n != 0 {
			t.Errorf("memory %d: %v allocations for %d reads", memory, n, len(reads))
		}
	}
}

// The genome is as large as that of E. coli divided by 50; PILEUP_GENOME sets another size in bases.
func BenchmarkIndex(b *testing.B) {
	size := 4_640_000 / 50
	if s := os.Getenv("PILEUP_GENOME"); s != "" {
		if _, err := fmt.Sscan(s, &size); err != nil {
			b.Fatal(err)
		}
	}
	r := rand.New(rand.NewPCG(3, 3))
	genome := randomBases(r, size)
	for _, depth := range []int{1, 8, 32} {
		b.Run(fmt.Sprintf("%dx", depth), func(b *testing.B) {
			reads := sample(r, genome, size*depth/150, 150)
			b.Run("Build", func(b *testing.B) {
				for range b.N {
					diskIndex(b, DefaultConfig(Short), reads, DefaultMemory)
				}
				b.ReportMetric(float64(b.N*len(reads))/b.Elapsed().Seconds(), "reads/s")
			})
			for _, memory := range []int64{4 << 20, DefaultMemory} {
				x := diskIndex(b, DefaultConfig(Short), reads, memory)
				b.Run(fmt.Sprintf("Columns/memory=%dMiB", memory>>20), func(b *testing.B) {
					var s Scratch
					var c Columns
					f := make([]float32, 150*Channels)
					b.ReportAllocs()
					n := 0
					for i := range b.N {
						if err := x.Columns(i%len(reads), &s, &c); err != nil {
							b.Fatal(err)
						}
						c.Features(f)
						n += c.Reads
					}
					b.ReportMetric(float64(n)/float64(b.N), "overlaps")
					b.ReportMetric(float64(x.Stats().Disk)/float64(len(reads)), "disk-B/read")
				})
			}
		})
	}
}
