package fastx

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/flate"
)

// WriterOptions are how files are written. The zero value is right for reads.
type WriterOptions struct {
	// Gzip compresses whatever the name; without it names that end in .gz or .bgz are compressed.
	Gzip bool
	// Level is that of gzip, 1 to 9; 0 is 6.
	Level int
	// Threads compress; 0 is GOMAXPROCS.
	Threads int
	// Width breaks FASTA sequences into lines of so many letters; 0 is one line a sequence.
	Width int
}

// Writer writes FASTA or FASTQ. It is not safe for concurrent use. End it with [Writer.Commit] or [Writer.Abort].
type Writer struct {
	name   string
	opt    WriterOptions
	final  string   // where Commit puts the file; "" where there is none
	file   *os.File // the temporary file, or the device; nil for NewWriter
	dst    io.Writer
	gz     bool
	buf    []byte
	n      int64        // records that Write took
	stored atomic.Int64 // records of which every byte was handed to the file
	ended  bool

	jobs  chan *block // nil for plain files
	order chan *block
	gone  chan struct{} // closed when the goroutine that writes has ended
	mu    sync.Mutex
	err   error // first error of writing
	free  sync.Pool
}

// block is one BGZF block on its way.
type block struct {
	raw, packed []byte
	records     int64 // that end in this block or before it
	ready       chan struct{}
}

const (
	blockData  = 0xff00 // bytes of a BGZF block, as bgzip makes them
	plainChunk = 256 << 10
)

// bgzfEnd is the empty block that ends a BGZF file (SAM specification, section 4.1.2).
var bgzfEnd = []byte("\x1f\x8b\x08\x04\x00\x00\x00\x00\x00\xff\x06\x00BC\x02\x00\x1b\x00\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00")

// Create writes to path by way of a temporary file in the same folder: only [Writer.Commit] puts it under its name, so
// what stood there before stays untouched until then. "-" is the standard output; devices and pipes are written directly. A
// name that ends in .gz or .bgz gives BGZF: gzip that bgzip, samtools and tabix can index.
func Create(path string, opt WriterOptions) (*Writer, error) {
	if path == Stdin {
		w, err := NewWriter(os.Stdout, "standard output", opt)
		return w, err
	}
	opt.Gzip = opt.Gzip || gzipName(path)
	mode, have := os.FileMode(0o666), false
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real // a link keeps pointing to where it does
	}
	switch st, err := os.Stat(path); {
	case err == nil && st.IsDir():
		return nil, fmt.Errorf("fastx: %s: a folder, cannot be written as a file", path)
	case err == nil && !st.Mode().IsRegular():
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return nil, fmt.Errorf("fastx: %w", err)
		}
		w, err := NewWriter(f, path, opt)
		if err != nil {
			f.Close()
			return nil, err
		}
		w.file = f
		return w, nil
	case err == nil:
		mode, have = st.Mode().Perm(), true
	}
	f, err := tempFile(path, mode)
	if err != nil {
		return nil, fmt.Errorf("fastx: %w", err)
	}
	if have { // the mode of the file that is replaced, without the umask
		if err := f.Chmod(mode); err != nil {
			f.Close()
			os.Remove(f.Name())
			return nil, fmt.Errorf("fastx: %w", err)
		}
	}
	w, err := NewWriter(f, path, opt)
	if err != nil {
		f.Close()
		os.Remove(f.Name())
		return nil, err
	}
	w.file, w.final = f, path
	return w, nil
}

// tempFile makes a new file beside path. os.CreateTemp would ignore the umask.
func tempFile(path string, mode os.FileMode) (*os.File, error) {
	dir, base := filepath.Split(path)
	for i := 0; ; i++ {
		name := filepath.Join(dir, fmt.Sprintf(".%s.%d-%d.tmp", base, os.Getpid(), i))
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
		if err == nil || !errors.Is(err, os.ErrExist) || i == 1000 {
			return f, err
		}
	}
}

// NewWriter writes to dst; name stands in errors. Compression is chosen by opt.Gzip alone. Commit and Abort do not close dst.
func NewWriter(dst io.Writer, name string, opt WriterOptions) (*Writer, error) {
	if opt.Level == 0 {
		opt.Level = 6
	}
	if opt.Level < 1 || opt.Level > 9 {
		return nil, fmt.Errorf("fastx: gzip level is %d, expected 1 to 9", opt.Level)
	}
	if opt.Width < 0 {
		return nil, fmt.Errorf("fastx: line width is %d, expected 0 or more", opt.Width)
	}
	if opt.Threads <= 0 {
		opt.Threads = runtime.GOMAXPROCS(0)
	}
	w := &Writer{name: name, opt: opt, dst: dst, gz: opt.Gzip, gone: make(chan struct{})}
	if !w.gz {
		w.buf = make([]byte, 0, plainChunk+64<<10)
		close(w.gone)
		return w, nil
	}
	w.buf = make([]byte, 0, blockData)
	w.free.New = func() any { return &block{raw: make([]byte, 0, blockData), packed: make([]byte, 0, 1<<16)} }
	w.jobs = make(chan *block)
	w.order = make(chan *block, 2*opt.Threads)
	for range opt.Threads {
		go deflateBlocks(w.jobs, opt.Level)
	}
	go w.drain()
	return w, nil
}

// Name is the path that Commit gives the file.
func (w *Writer) Name() string { return w.name }

// Records is the number of records that Write has taken.
func (w *Writer) Records() int64 { return w.n }

// Write writes a record: FASTQ where rec.Qual is not nil, else FASTA. Line and Index are not used. An error of the file says how
// many records were stored before it; every later call returns it again.
func (w *Writer) Write(rec *Record) error {
	if w.ended {
		return fmt.Errorf("fastx: %s: write after Commit or Abort", w.name)
	}
	if rec.Qual != nil && len(rec.Qual) != len(rec.Seq) {
		return fmt.Errorf("fastx: %s: record %d %s has %d qualities for %d letters", w.name, w.n+1, quote(rec.ID()), len(rec.Qual), len(rec.Seq))
	}
	if bytes.IndexByte(rec.Name, '\n') >= 0 {
		return fmt.Errorf("fastx: %s: record %d %s has a line end in its name", w.name, w.n+1, quote(rec.ID()))
	}
	if rec.Qual != nil {
		w.put1('@')
		w.put(rec.Name)
		w.put1('\n')
		w.put(rec.Seq)
		w.put2('\n', '+')
		w.put(rec.Plus)
		w.put1('\n')
		w.put(rec.Qual)
		w.put1('\n')
	} else {
		w.put1('>')
		w.put(rec.Name)
		w.put1('\n')
		if w.opt.Width == 0 || len(rec.Seq) == 0 {
			w.put(rec.Seq)
			w.put1('\n')
		}
		for s := rec.Seq; w.opt.Width > 0 && len(s) > 0; {
			k := min(w.opt.Width, len(s))
			w.put(s[:k])
			w.put1('\n')
			s = s[k:]
		}
	}
	w.n++
	if !w.gz && len(w.buf) >= plainChunk {
		w.flushPlain()
	}
	return w.failed()
}

func (w *Writer) put1(c byte) {
	if w.gz && len(w.buf) == blockData {
		w.sendBlock()
	}
	w.buf = append(w.buf, c)
}

func (w *Writer) put2(c, d byte) { w.put1(c); w.put1(d) }

func (w *Writer) put(b []byte) {
	if !w.gz {
		w.buf = append(w.buf, b...)
		if len(w.buf) > 4*plainChunk { // a long sequence
			w.flushPlain()
		}
		return
	}
	for len(b) > 0 {
		if len(w.buf) == blockData {
			w.sendBlock()
		}
		k := min(len(b), blockData-len(w.buf))
		w.buf = append(w.buf, b[:k]...)
		b = b[k:]
	}
}

// flushPlain writes the buffer. Where it is called inside Write, the record in work counts not as stored.
func (w *Writer) flushPlain() {
	if len(w.buf) > 0 && w.failed() == nil {
		if _, err := w.dst.Write(w.buf); err != nil {
			w.fail(err)
		} else {
			w.stored.Store(w.n)
		}
	}
	w.buf = w.buf[:0]
}

// sendBlock hands the buffer to the goroutines that compress.
func (w *Writer) sendBlock() {
	b := w.free.Get().(*block)
	b.raw, w.buf = w.buf, b.raw[:0]
	b.records, b.ready = w.n, make(chan struct{})
	w.order <- b
	w.jobs <- b
}

// drain writes compressed blocks in order.
func (w *Writer) drain() {
	defer close(w.gone)
	for b := range w.order {
		<-b.ready
		if w.failed() == nil {
			if _, err := w.dst.Write(b.packed); err != nil {
				w.fail(err)
			} else {
				w.stored.Store(b.records)
			}
		}
		w.free.Put(b)
	}
}

func (w *Writer) failed() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// fail keeps the first error, with how far the file came. The temporary file goes at once: where the disk is full, that
// gives it back.
func (w *Writer) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		if w.final != "" {
			os.Remove(w.file.Name())
		}
		w.err = fmt.Errorf("fastx: %s: after %d records written: %w", w.name, w.stored.Load(), bare(err))
	}
}

// Stored is the number of records of which every byte was handed to the file.
func (w *Writer) Stored() int64 { return w.stored.Load() }

// finish ends the goroutines.
func (w *Writer) finish() {
	if w.jobs != nil {
		close(w.order)
		close(w.jobs)
	}
	<-w.gone
}

// Commit writes what is buffered and, for a file, flushes it to the disk and puts it under its name. On an error
// nothing is left under that name that was not there before.
func (w *Writer) Commit() (err error) {
	if w.ended {
		return fmt.Errorf("fastx: %s: Commit after Commit or Abort", w.name)
	}
	if w.gz {
		if len(w.buf) > 0 {
			w.sendBlock()
		}
	} else {
		w.flushPlain()
	}
	w.ended = true
	w.finish()
	if w.gz && w.failed() == nil {
		if _, err := w.dst.Write(bgzfEnd); err != nil {
			w.fail(err)
		}
	}
	if w.file == nil {
		return w.failed()
	}
	if w.final == "" { // a device or pipe
		if err := w.file.Close(); err != nil {
			w.fail(err)
		}
		return w.failed()
	}
	if w.failed() == nil {
		if err := w.file.Sync(); err != nil {
			w.fail(err)
		}
	}
	if err := w.file.Close(); err != nil {
		w.fail(err)
	}
	if w.failed() == nil {
		if err := os.Rename(w.file.Name(), w.final); err != nil {
			w.fail(err)
		}
	}
	if err := w.failed(); err != nil {
		os.Remove(w.file.Name())
		return err
	}
	return syncFolder(filepath.Dir(w.final))
}

// Abort removes the temporary file; what stood under the final name stays. It returns nil after Commit or a second time, so
// that it can be deferred.
func (w *Writer) Abort() error {
	if w.ended {
		return nil
	}
	w.ended = true
	w.finish()
	if w.file == nil {
		return nil
	}
	err := w.file.Close()
	if w.final != "" {
		if e := os.Remove(w.file.Name()); !errors.Is(e, os.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	if err != nil {
		return fmt.Errorf("fastx: %w", err)
	}
	return nil
}

// syncFolder makes a rename last. Some file systems refuse it; then the name is theirs to keep.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return nil
	}
	_ = d.Sync()
	return d.Close()
}

// deflateBlocks compresses blocks until there are no more.
func deflateBlocks(jobs <-chan *block, level int) {
	var out bytes.Buffer
	z, err := flate.NewWriter(&out, level)
	for b := range jobs {
		out.Reset()
		if err == nil {
			z.Reset(&out)
			if _, e := z.Write(b.raw); e != nil {
				err = e
			} else if e := z.Close(); e != nil {
				err = e
			}
		}
		b.packed = appendBlock(b.packed[:0], b.raw, out.Bytes(), err)
		close(b.ready)
	}
}

// appendBlock makes a BGZF block of raw data and its compressed form; where that is no shorter (or could not be made) the
// data are stored as they are.
func appendBlock(dst, raw, packed []byte, err error) []byte {
	if err != nil || len(packed) > len(raw)+5 {
		// One stored block (RFC 1951, 3.2.4): blockData is below its limit of 65535.
		n := uint16(len(raw))
		packed = append([]byte{1, byte(n), byte(n >> 8), byte(^n), byte(^n >> 8)}, raw...)
	}
	dst = append(dst, "\x1f\x8b\x08\x04\x00\x00\x00\x00\x00\xff\x06\x00BC\x02\x00"...)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(bgzfHead+len(packed)+8-1))
	dst = append(dst, packed...)
	dst = binary.LittleEndian.AppendUint32(dst, crc32.ChecksumIEEE(raw))
	return binary.LittleEndian.AppendUint32(dst, uint32(len(raw)))
}
