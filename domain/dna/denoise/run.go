package denoise

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/selfsame-ml/selfsame/domain/dna/fastx"
	"github.com/selfsame-ml/selfsame/domain/dna/pileup"
)

// Config is one run over files of reads.
type Config struct {
	// In are one file, or two with the mates of each pair. "-" is the standard input.
	In []string
	// Out are as many files; with In[1] as well as without, mates that come interleaved leave interleaved. "-" is the
	// standard output. Empty with DryRun.
	Out         []string
	Interleaved bool // the one input holds mates by turns; they are checked for being mates
	Alone       bool // every read by itself, in one pass; else reads see those that overlap them
	DryRun      bool // write no reads
	Threads     int  // workers; 0 is all cores. The output does not depend on it
	// Thorough asks the network about every window. Else those are left as they are in which no read and no quality speaks against
	// any base; see quiet. Posterior qualities are always thorough.
	Thorough  bool
	MinDepth  int // positions under fewer other reads are left as they are
	Qualities Qualities
	Tags      bool          // append "ec:i:N" to every header, N being the number of changes
	Changes   string        // TSV file with one line a change; "" is none
	Memory    int64         // bytes that the index of overlaps may take; 0 is 512 MiB
	Tmp       string        // folder of temporary files; "" is the system's
	Pileup    pileup.Config // which reads overlap

	Network     *Network
	Calibration *Calibration // nil: the network's own probabilities
	Policy      Policy

	Stdin  io.Reader
	Stdout io.Writer

	// Progress hears how many reads a pass has done; total is 0 where it is not known. May be nil.
	Progress func(pass string, done, total int64)
	Warn     func(format string, args ...any) // may be nil

	index indexer // nil is the one that Alone, Memory and Tmp ask for
}

// indexer collects reads for the second pass.
type indexer interface {
	add(bases, quals []uint8) error // quals is nil where there are none
	finish(ctx context.Context) error
	// worker gives the pile-ups of one goroutine.
	worker() (pile, error)
	close() error
}

// pile is the pile-up of one read at a time. It belongs to one goroutine.
type pile interface {
	// load makes the pile-up of read id of the index; quals is nil where there are none.
	load(id int64, bases, quals []uint8) error
	// features writes [len, channels] of the read that was loaded.
	features(dst []float32)
	// cells writes one cell a position.
	cells(dst []cell)
}

// cell is what the report wants to know of a pile-up.
type cell struct {
	depth uint16
	here  [HereClasses]uint16 // other reads that say A, C, G, T or lack the position
	after [4]uint16           // other reads that have A, C, G or T after it
}

type cells []cell

func (c cells) depth(j int) int { return int(c[j].depth) }
func (c cells) support(j int, k Kind, b uint8) int {
	switch k {
	case Delete:
		return int(c[j].here[deleteClass])
	case Insert:
		return int(c[j].after[b])
	}
	return int(c[j].here[b])
}

// Batches are cut by the input alone, so that every window is computed in the same company whatever the number of threads.
const (
	batchReads = 512
	batchBases = 128 << 10
)

type item struct {
	rec  fastx.Record // parts of buf
	file int
	buf  []byte
	out  []byte // corrected letters, then qualities, then header
	seq  int    // lengths in out
	qual int
	name int
}

type batch struct {
	items []item
	n     int
	first int64 // index of the first read
	tsv   []byte
	done  chan struct{}
}

// Run denoises reads and returns what it did. Outputs appear under their names when everything is written, not before; on any error, and
// when ctx is cancelled, they do not appear at all, and the error says how far the run came. Inputs are only read.
func Run(ctx context.Context, cfg Config) (rep *Report, err error) {
	start := time.Now()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	r := &runner{Config: cfg, stats: Stats{Abstained: map[string]int64{}}}
	if r.Threads == 0 {
		r.Threads = runtime.GOMAXPROCS(0)
	}
	r.table = plain()
	if cfg.Calibration != nil {
		r.table = cfg.Calibration.table
	}
	defer func() {
		if e := r.close(); err == nil && e != nil {
			err = e
		}
		if err != nil {
			rep = nil
		}
	}()
	if err := r.open(ctx); err != nil {
		return nil, err
	}
	if r.index == nil {
		if r.Alone {
			r.index = singles{r.Pileup}
		} else {
			o, err := newOverlaps(r.Tmp, r.Pileup, r.Memory)
			if err != nil {
				return nil, err
			}
			r.index = o
		}
	}
	if !cfg.Alone {
		if err := r.collect(ctx); err != nil {
			return nil, r.far(ctx, "reading for overlaps", err)
		}
	}
	if err := r.correct(ctx); err != nil {
		return nil, r.far(ctx, "correcting", err)
	}
	if err := r.commit(); err != nil {
		return nil, err
	}
	rep = &Report{Kind: "denoise", Model: cfg.Network.Name, Inputs: cfg.In, Outputs: cfg.Out, DryRun: cfg.DryRun, Alone: cfg.Alone,
		Pairs: cfg.Interleaved || len(cfg.In) == 2, Calibrated: cfg.Calibration != nil, Warnings: r.warnings}
	if rep.Warnings == nil {
		rep.Warnings = []string{}
	}
	if rep.Outputs == nil {
		rep.Outputs = []string{}
	}
	rep.fill(&r.stats, cfg.Policy)
	rep.Seconds = time.Since(start).Seconds()
	rep.ReadsPerSecond = float64(rep.Reads) / rep.Seconds
	return rep, nil
}

func (c *Config) check() error {
	switch {
	case c.Network == nil:
		return errors.New("denoise: no network")
	case len(c.In) < 1 || len(c.In) > 2:
		return fmt.Errorf("%w: %d inputs, want one or two", ErrPaths, len(c.In))
	case c.Interleaved && len(c.In) == 2:
		return fmt.Errorf("%w: interleaved mates are in one file, two are given", ErrPaths)
	case !c.DryRun && len(c.Out) != len(c.In):
		return fmt.Errorf("%w: %d inputs need as many outputs, %d given", ErrPaths, len(c.In), len(c.Out))
	case c.Qualities != KeepQualities && c.Qualities != PosteriorQualities:
		return fmt.Errorf("denoise: qualities %q is not %s or %s", c.Qualities, KeepQualities, PosteriorQualities)
	case c.Threads < 0:
		return fmt.Errorf("denoise: threads %d is negative", c.Threads)
	case c.MinDepth < 0:
		return fmt.Errorf("denoise: least depth %d is negative", c.MinDepth)
	case c.Memory < 0:
		return fmt.Errorf("denoise: memory %d is negative", c.Memory)
	case c.Network.Channels != pileup.Channels:
		return fmt.Errorf("denoise: the network reads %d features a position, pile-ups have %d", c.Network.Channels, pileup.Channels)
	case c.Alone && c.MinDepth > 0:
		return fmt.Errorf("denoise: least depth %d: a read alone has depth 0 everywhere", c.MinDepth)
	}
	if err := c.Network.Validate(); err != nil {
		return err
	}
	if err := c.Pileup.Validate(); err != nil {
		return err
	}
	return CheckPaths(c.In, append([]string{c.Changes}, c.Out...))
}

// runner is a run at work.
type runner struct {
	Config
	table    *table
	readers  []*fastx.Reader
	pairs    *fastx.Pairs
	spool    *os.File // the standard input on disk
	named    bool     // spool still has its name
	writers  []*fastx.Writer
	changes  *changeFile
	total    int64 // reads of the first pass
	written  int64
	stats    Stats
	warnings []string
	warned   map[string]bool
}

func (r *runner) warn(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if r.warned[text] { // the second pass sees the same
		return
	}
	if r.warned == nil {
		r.warned = map[string]bool{}
	}
	r.warned[text] = true
	r.warnings = append(r.warnings, text)
	if r.Warn != nil {
		r.Warn("%s", text)
	}
}

// open opens inputs and outputs, so that what cannot be read or written is known before the work.
func (r *runner) open(ctx context.Context) error {
	for _, in := range r.In {
		if in == fastx.Stdin && !r.Alone {
			if err := r.keepStdin(ctx); err != nil {
				return err
			}
		}
	}
	if err := r.rewind(ctx); err != nil {
		return err
	}
	if !r.DryRun {
		for _, out := range r.Out {
			var w *fastx.Writer
			var err error
			if out == fastx.Stdin {
				w, err = fastx.NewWriter(r.Stdout, "standard output", fastx.WriterOptions{})
			} else {
				w, err = fastx.Create(out, fastx.WriterOptions{Threads: r.Threads})
			}
			if err != nil {
				return err
			}
			r.writers = append(r.writers, w)
		}
	}
	if r.Changes != "" {
		c, err := createChanges(r.Changes)
		if err != nil {
			return err
		}
		r.changes = c
	}
	return nil
}

// keepStdin copies the standard input to the disk, since it is read twice.
func (r *runner) keepStdin(ctx context.Context) error {
	f, err := os.CreateTemp(r.Tmp, "selfsame-stdin-*")
	if err != nil {
		return fmt.Errorf("denoise: temporary file: %w", err)
	}
	// Where the system lets an open file lose its name (Unix), nothing stays behind however the process ends.
	r.spool, r.named = f, os.Remove(f.Name()) != nil
	n, err := io.Copy(f, newWaiting(ctx, r.Stdin))
	if err != nil {
		return fmt.Errorf("denoise: copying the standard input to %s, after %d bytes: %w", f.Name(), n, err)
	}
	return nil
}

// waiting reads ahead in a goroutine of its own, so that a Read that waits for a silent pipe ends with ctx. The goroutine ends with
// the Read of r that it is in.
type waiting struct {
	ctx  context.Context
	full chan part
	free chan []byte
	part part
	at   int
}

type part struct {
	b   []byte // of a buffer of readAhead bytes
	err error
}

const readAhead = 256 << 10

func newWaiting(ctx context.Context, r io.Reader) *waiting {
	w := &waiting{ctx: ctx, full: make(chan part, 1), free: make(chan []byte, 2)}
	for range 2 {
		w.free <- make([]byte, readAhead)
	}
	go func() {
		for {
			var b []byte
			select {
			case b = <-w.free:
			case <-ctx.Done():
				return
			}
			n, err := r.Read(b)
			select {
			case w.full <- part{b[:n], err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return w
}

// Read gives what was read ahead, or the cause of the end of ctx.
func (w *waiting) Read(p []byte) (int, error) {
	for w.at == len(w.part.b) {
		if w.part.err != nil {
			return 0, w.part.err
		}
		if w.part.b != nil {
			w.free <- w.part.b[:readAhead]
			w.part.b, w.at = nil, 0
		}
		select {
		case w.part = <-w.full:
		case <-w.ctx.Done():
			return 0, w.ctx.Err()
		}
	}
	n := copy(p, w.part.b[w.at:])
	w.at += n
	return n, nil
}

// rewind opens the inputs at their start.
func (r *runner) rewind(ctx context.Context) error {
	r.closeReaders()
	for _, in := range r.In {
		var rd *fastx.Reader
		var err error
		opt := fastx.Options{Threads: r.Threads, Warn: r.warn}
		switch {
		case in != fastx.Stdin:
			rd, err = fastx.Open(in, opt)
		case r.spool != nil:
			if _, err = r.spool.Seek(0, io.SeekStart); err == nil {
				rd, err = fastx.NewReader(bufio.NewReaderSize(r.spool, 1<<16), "standard input", opt)
			}
		default:
			rd, err = fastx.NewReader(newWaiting(ctx, r.Stdin), "standard input", opt)
		}
		if err != nil {
			return err
		}
		r.readers = append(r.readers, rd)
	}
	switch {
	case len(r.readers) == 2:
		r.pairs = fastx.NewPairs(r.readers[0], r.readers[1])
		if a, b := r.readers[0].Format(), r.readers[1].Format(); a != b && a != fastx.Unknown && b != fastx.Unknown {
			return fmt.Errorf("%w: %s is %s, its mates in %s are %s", ErrPaths, r.In[0], a, r.In[1], b)
		}
	case r.Interleaved:
		r.pairs = fastx.NewPairs(r.readers[0], nil)
	}
	return nil
}

func (r *runner) closeReaders() {
	for _, rd := range r.readers {
		rd.Close()
	}
	r.readers, r.pairs = nil, nil
}

// each gives every record in order, mates by turns; file is 1 for those of the second file. The record is overwritten by the next.
func (r *runner) each(ctx context.Context, take func(rec *fastx.Record, file int) error) error {
	var a, b fastx.Record
	for n := 0; ; n++ {
		if n&255 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		if r.pairs == nil {
			if err := r.readers[0].Read(&a); err == io.EOF {
				return nil
			} else if err != nil {
				return err
			}
			if err := take(&a, 0); err != nil {
				return err
			}
			continue
		}
		if err := r.pairs.Read(&a, &b); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if err := take(&a, 0); err != nil {
			return err
		}
		if err := take(&b, len(r.In)-1); err != nil {
			return err
		}
	}
}

// collect is the first pass: all reads into the index of overlaps.
func (r *runner) collect(ctx context.Context) error {
	var bases, quals []uint8
	err := r.each(ctx, func(rec *fastx.Record, _ int) error {
		bases = fastx.Codes(bases, rec.Seq)
		var q []uint8
		if rec.Qual != nil {
			quals = fastx.Phreds(quals, rec.Qual)
			q = quals
		}
		if err := r.index.add(bases, q); err != nil {
			return err
		}
		if r.total++; r.total&4095 == 0 && r.Progress != nil {
			r.Progress("read", r.total, 0)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if r.Progress != nil {
		r.Progress("read", r.total, r.total)
	}
	if err := r.index.finish(ctx); err != nil {
		return err
	}
	return r.rewind(ctx)
}

// correct is the pass that writes: one goroutine reads, Threads correct, this one writes in order.
func (r *runner) correct(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	batches := 2*r.Threads + 1
	free, work, order := make(chan *batch, batches), make(chan *batch, batches), make(chan *batch, batches)
	for range batches {
		free <- &batch{done: make(chan struct{}, 1)}
	}
	g.Go(func() error {
		defer close(work)
		defer close(order)
		return r.feed(ctx, free, work, order)
	})
	stats := make([]Stats, r.Threads)
	for i := range r.Threads {
		stats[i].Abstained = map[string]int64{}
		g.Go(func() error {
			w, err := r.worker(&stats[i])
			if err != nil {
				return err
			}
			defer w.free()
			for b := range work {
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := w.run(b); err != nil {
					return err
				}
				b.done <- struct{}{}
			}
			return nil
		})
	}
	g.Go(func() error {
		for b := range order {
			select {
			case <-b.done:
			case <-ctx.Done():
				return ctx.Err()
			}
			if err := r.write(b); err != nil {
				return err
			}
			free <- b
		}
		return nil
	})
	if err := g.Wait(); err != nil {
		return err
	}
	for i := range stats {
		r.stats.merge(&stats[i])
	}
	if !r.Alone && r.stats.Reads != r.total {
		return fmt.Errorf("%w: %d reads, then %d", ErrChanged, r.total, r.stats.Reads)
	}
	return nil
}

// feed cuts the input into batches.
func (r *runner) feed(ctx context.Context, free, work, order chan *batch) error {
	var b *batch
	var n int64
	bases := 0
	send := func() {
		order <- b // as many places as batches: neither blocks
		work <- b
		b, bases = nil, 0
	}
	err := r.each(ctx, func(rec *fastx.Record, file int) error {
		if b == nil {
			select {
			case b = <-free:
			case <-ctx.Done():
				return ctx.Err()
			}
			b.n, b.first, b.tsv = 0, n, b.tsv[:0]
		}
		if b.n == len(b.items) {
			b.items = append(b.items, item{})
		}
		b.items[b.n].set(rec, file)
		b.n++
		n++
		bases += len(rec.Seq)
		if b.n == batchReads || bases >= batchBases {
			send()
		}
		return nil
	})
	if err != nil {
		return err
	}
	if b != nil {
		send()
	}
	return nil
}

// keepBuffer is the largest buffer that an item keeps for the next read.
const keepBuffer = 1 << 16

func (it *item) set(rec *fastx.Record, file int) {
	if cap(it.buf) > keepBuffer {
		it.buf = nil
	}
	if cap(it.out) > keepBuffer {
		it.out = nil
	}
	it.file = file
	it.buf = it.buf[:0]
	for _, p := range [][]byte{rec.Name, rec.Seq, rec.Qual, rec.Plus} {
		it.buf = append(it.buf, p...)
	}
	rest := it.buf
	part := func(n int) []byte {
		p := rest[:n:n]
		rest = rest[n:]
		return p
	}
	it.rec = fastx.Record{Name: part(len(rec.Name)), Seq: part(len(rec.Seq)), Line: rec.Line, Index: rec.Index}
	if rec.Qual != nil {
		it.rec.Qual = part(len(rec.Qual))
	}
	it.rec.Plus = part(len(rec.Plus))
}

// worker corrects batches.
type worker struct {
	r      *runner
	caller *caller
	pile   pile
	dec    decoder
	free   func()

	codes, quals []uint8
	features     []float32
	calls        []call
	cells        []cell
}

func (r *runner) worker(st *Stats) (*worker, error) {
	f, free, err := r.Network.Open()
	if err != nil {
		return nil, err
	}
	w := &worker{r: r, caller: newCaller(r.Network, f), free: free,
		dec: decoder{table: r.table, policy: r.Policy, minDepth: r.MinDepth, qualities: r.Qualities, stats: st}}
	w.caller.screen = !r.Thorough && r.Qualities != PosteriorQualities
	if w.pile, err = r.index.worker(); err != nil {
		free()
		return nil, err
	}
	return w, nil
}

func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n+n/4)[:n]
	}
	return s[:n]
}

func (w *worker) run(b *batch) error {
	total := 0
	for i := range b.n {
		total += len(b.items[i].rec.Seq)
	}
	w.codes, w.calls, w.cells = grow(w.codes, total), grow(w.calls, total), grow(w.cells, total)
	at := 0
	for i := range b.n {
		rec := &b.items[i].rec
		n := len(rec.Seq)
		codes := w.codes[at : at+n]
		fastx.Codes(codes, rec.Seq)
		var quals []uint8
		if rec.Qual != nil {
			w.quals = fastx.Phreds(w.quals, rec.Qual)
			quals = w.quals
		}
		if err := w.pile.load(b.first+int64(i), codes, quals); err != nil {
			return fmt.Errorf("denoise: read %d %q: %w", b.first+int64(i)+1, rec.ID(), err)
		}
		w.features = grow(w.features, n*w.r.Network.Channels)
		w.pile.features(w.features)
		w.pile.cells(w.cells[at : at+n])
		if err := w.caller.add(codes, w.features, w.calls[at:at+n], nil); err != nil {
			return err
		}
		at += n
	}
	if err := w.caller.flush(); err != nil {
		return err
	}
	at = 0
	st := w.dec.stats
	st.Windows, st.Quiet = w.caller.windows, w.caller.skipped
	for i := range b.n {
		it := &b.items[i]
		n := len(it.rec.Seq)
		seq, qual, changes, err := w.dec.decode(it.rec.Seq, it.rec.Qual, w.calls[at:at+n], cells(w.cells[at:at+n]))
		if err != nil {
			return err
		}
		at += n
		st.Reads++
		st.Bases += int64(n)
		st.Written += int64(len(seq))
		if len(changes) > 0 {
			st.Changed++
		}
		it.out = append(append(append(it.out[:0], seq...), qual...), 0)[:len(seq)+len(qual)] // never nil
		it.seq, it.qual, it.name = len(seq), len(qual), 0
		if w.r.Tags {
			before := len(it.out)
			it.out = append(append(it.out, it.rec.Name...), " ec:i:"...)
			it.out = strconv.AppendInt(it.out, int64(len(changes)), 10)
			it.name = len(it.out) - before
		}
		if w.r.changes != nil {
			for k := range changes {
				b.tsv = appendChange(b.tsv, &changes[k], it.rec.ID(), it.file)
			}
		}
	}
	// A huge read does not keep its memory.
	if cap(w.features) > 4*batchBases*w.r.Network.Channels {
		w.features = nil
	}
	return nil
}

func (r *runner) write(b *batch) error {
	for i := range b.n {
		it := &b.items[i]
		if len(r.writers) > 0 {
			rec := it.rec
			rec.Seq = it.out[:it.seq]
			if rec.Qual != nil {
				rec.Qual = it.out[it.seq : it.seq+it.qual : it.seq+it.qual]
			}
			if r.Tags {
				rec.Name = it.out[it.seq+it.qual : it.seq+it.qual+it.name]
				if len(rec.Plus) > 0 { // a repeated header must stay the same as the header
					if bytes.Equal(rec.Plus, it.rec.Name) {
						rec.Plus = rec.Name
					}
				}
			}
			if err := r.writers[it.file].Write(&rec); err != nil {
				return err
			}
		}
		r.written++
	}
	if r.changes != nil {
		if err := r.changes.write(b.tsv); err != nil {
			return err
		}
	}
	if r.Progress != nil {
		r.Progress("correct", r.written, r.total)
	}
	return nil
}

// far says how far the run came before an error.
func (r *runner) far(ctx context.Context, what string, err error) error {
	done := fmt.Sprintf("%d reads", r.written)
	if what != "correcting" {
		done = fmt.Sprintf("%d reads", r.total)
	} else if r.total > 0 {
		done = fmt.Sprintf("%d of %d reads", r.written, r.total)
	}
	left, was := "the input is untouched", "was"
	names := ""
	for _, out := range r.Out {
		if out != fastx.Stdin && !r.DryRun {
			if names != "" {
				names += " and "
				was = "were"
			}
			names += out
		}
	}
	if names != "" {
		left += ", " + names + " " + was + " not written"
	}
	if e := ctx.Err(); e != nil && !errors.Is(err, e) {
		err = errors.Join(e, err)
	}
	return fmt.Errorf("denoise: %s stopped after %s (%s): %w", what, done, left, err)
}

func (r *runner) commit() error {
	// The file of changes first: whoever finds the reads finds it too.
	if r.changes != nil {
		if err := r.changes.commit(); err != nil {
			return err
		}
	}
	for _, w := range r.writers {
		if err := w.Commit(); err != nil {
			return err
		}
	}
	return nil
}

func (r *runner) close() error {
	r.closeReaders()
	var errs []error
	for _, w := range r.writers {
		errs = append(errs, w.Abort())
	}
	if r.changes != nil {
		r.changes.abort()
	}
	if r.spool != nil {
		errs = append(errs, r.spool.Close())
		if r.named {
			errs = append(errs, os.Remove(r.spool.Name()))
		}
	}
	if r.index != nil {
		errs = append(errs, r.index.close())
	}
	return errors.Join(errs...)
}

// changeFile is the TSV file of changes, put under its name at the end.
type changeFile struct {
	path string
	f    *os.File
	w    *bufio.Writer
	done bool
}

func createChanges(path string) (*changeFile, error) {
	if st, err := os.Stat(path); err == nil && !st.Mode().IsRegular() {
		if st.IsDir() {
			return nil, fmt.Errorf("denoise: %s: a folder, cannot be written as a file", path)
		}
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return nil, fmt.Errorf("denoise: %w", err)
		}
		c := &changeFile{f: f, w: bufio.NewWriterSize(f, 1<<16)}
		return c, c.write([]byte(changeHeader))
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.tmp")
	if err != nil {
		return nil, fmt.Errorf("denoise: %w", err)
	}
	c := &changeFile{path: path, f: f, w: bufio.NewWriterSize(f, 1<<16)}
	if err := f.Chmod(0o644); err != nil {
		c.abort()
		return nil, fmt.Errorf("denoise: %w", err)
	}
	if err := c.write([]byte(changeHeader)); err != nil {
		c.abort()
		return nil, err
	}
	return c, nil
}

// changeHeader names the columns.
const changeHeader = "read\tfile\tposition\tkind\tfrom\tto\tposterior\tdepth\tsupport\n"

func appendChange(dst []byte, c *Change, id []byte, file int) []byte {
	dst = append(append(dst, id...), '\t')
	dst = append(strconv.AppendInt(dst, int64(file)+1, 10), '\t')
	dst = append(strconv.AppendInt(dst, int64(c.Position), 10), '\t')
	dst = append(append(dst, c.Kind.String()...), '\t', c.From, '\t', c.To, '\t')
	dst = append(strconv.AppendFloat(dst, c.P, 'g', 7, 64), '\t')
	dst = append(strconv.AppendInt(dst, int64(c.Depth), 10), '\t')
	return append(strconv.AppendInt(dst, int64(c.Support), 10), '\n')
}

func (c *changeFile) write(b []byte) error {
	if _, err := c.w.Write(b); err != nil {
		return fmt.Errorf("denoise: changes: %w", err)
	}
	return nil
}

func (c *changeFile) commit() error {
	err := c.w.Flush()
	if err == nil && c.path != "" {
		err = c.f.Sync()
	}
	if e := c.f.Close(); err == nil {
		err = e
	}
	c.done = true
	if c.path != "" {
		if err == nil {
			err = os.Rename(c.f.Name(), c.path)
		}
		if err != nil {
			os.Remove(c.f.Name())
		}
	}
	if err != nil {
		return fmt.Errorf("denoise: changes: %w", err)
	}
	return nil
}

func (c *changeFile) abort() {
	if c.done {
		return
	}
	c.done = true
	c.f.Close()
	if c.path != "" {
		os.Remove(c.f.Name())
	}
}
