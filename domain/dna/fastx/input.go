package fastx

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
)

// input is the plain bytes of a file; gzip is unpacked by other goroutines while the reader parses.
type input struct {
	gz     bool
	size   int64        // stored bytes; 0 where not known
	count  atomic.Int64 // stored bytes that were read
	closer io.Closer
	plain  io.Reader
	queue  chan *piece // in order; closed behind the last
	part   *piece
	rest   []byte
	free   sync.Pool
	stop   chan struct{}
	once   sync.Once
}

// piece is a part of the unpacked bytes.
type piece struct {
	packed []byte // one BGZF block
	at     int64  // its offset in the file
	data   []byte
	err    error
	ready  chan struct{}
}

type counter struct {
	r io.Reader
	n *atomic.Int64
}

func (c counter) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n.Add(int64(n))
	return n, err
}

// Unpack returns the plain bytes of a file that may be gzip or BGZF, for formats other than FASTA and FASTQ; name stands in warnings, and one
// that ends in .gz of a file of no bytes is an error. Close stops the unpacking and leaves src open.
func Unpack(src io.Reader, name string, opt Options) (io.ReadCloser, error) {
	in, err := newInput(src, name, opt)
	if err != nil {
		return nil, err
	}
	return in, nil
}

var errEmptyGzip = errors.New("a file of no bytes, not even a gzip header: the file is cut off")

func newInput(src io.Reader, name string, opt Options) (*input, error) {
	in := &input{stop: make(chan struct{})}
	in.free.New = func() any { return &piece{} }
	raw := counter{src, &in.count}
	// Enough to know the compression; what was peeked is read again before the rest.
	head := make([]byte, 2)
	n, err := io.ReadFull(raw, head)
	head = head[:n]
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, bare(err)
	}
	if n == 0 && gzipName(name) {
		return nil, errEmptyGzip
	}
	if !bytes.Equal(head, []byte{0x1f, 0x8b}) {
		in.plain = raw
		if n > 0 {
			in.plain = io.MultiReader(bytes.NewReader(head), raw)
		}
		return in, nil
	}
	in.gz = true
	threads := opt.Threads
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	br := bufio.NewReaderSize(io.MultiReader(bytes.NewReader(head), raw), 128<<10)
	in.queue = make(chan *piece, 2*threads+2)
	warn := func(text string) {
		if opt.Warn != nil {
			opt.Warn("%s: %s", name, text)
		}
	}
	go in.unpack(br, threads, warn)
	return in, nil
}

func gzipName(name string) bool {
	n := strings.ToLower(name)
	return strings.HasSuffix(n, ".gz") || strings.HasSuffix(n, ".bgz")
}

func (in *input) Close() error {
	in.once.Do(func() { close(in.stop) })
	if in.closer != nil {
		c := in.closer
		in.closer = nil
		return c.Close()
	}
	return nil
}

func (in *input) Read(b []byte) (int, error) {
	if in.plain != nil {
		return in.plain.Read(b)
	}
	for len(in.rest) == 0 {
		if in.part != nil {
			if in.part.err != nil {
				return 0, in.part.err
			}
			in.part.data = in.part.data[:0]
			in.free.Put(in.part)
			in.part = nil
		}
		p, ok := <-in.queue
		if !ok {
			return 0, io.EOF
		}
		if p.ready != nil {
			<-p.ready
		}
		in.part, in.rest = p, p.data
	}
	n := copy(b, in.rest)
	in.rest = in.rest[n:]
	return n, nil
}

// send hands a piece on; false where the reader was closed.
func (in *input) send(p *piece) bool {
	select {
	case in.queue <- p:
		return true
	case <-in.stop:
		return false
	}
}

func (in *input) piece() *piece {
	p := in.free.Get().(*piece)
	p.packed, p.data, p.err, p.ready = p.packed[:0], p.data[:0], nil, nil
	return p
}

// bgzfHead is the length of a BGZF header as every writer makes it: one extra field "BC".
const bgzfHead = 18

// bgzfBlock returns the length of the BGZF block that begins with head (SAM specification, section 4.1), or 0.
func bgzfBlock(head []byte) int {
	if len(head) < bgzfHead || head[0] != 0x1f || head[1] != 0x8b || head[2] != 8 || head[3] != 4 ||
		binary.LittleEndian.Uint16(head[10:]) != 6 || head[12] != 'B' || head[13] != 'C' || binary.LittleEndian.Uint16(head[14:]) != 2 {
		return 0
	}
	n := int(binary.LittleEndian.Uint16(head[16:])) + 1
	if n < bgzfHead+8 {
		return 0
	}
	return n
}

// unpack reads all members of a gzip file. Blocks of BGZF are unpacked by several goroutines, other members by this one.
func (in *input) unpack(br *bufio.Reader, threads int, warn func(string)) {
	defer close(in.queue)
	jobs := make(chan *piece)
	var workers int
	defer close(jobs)
	at := func() int64 { return in.count.Load() - int64(br.Buffered()) }
	fail := func(err error) {
		p := in.piece()
		p.err = err
		in.send(p)
	}
	var member *gzip.Reader
	allBGZF, lastEmpty := true, true
	for {
		head, err := br.Peek(bgzfHead)
		if err != nil && err != io.EOF {
			fail(err)
			return
		}
		if len(head) == 0 {
			if allBGZF && !lastEmpty {
				warn("the BGZF end block is missing: perhaps the file was cut off")
			}
			return
		}
		if head[0] == 0 { // padding
			if err := onlyZeros(br); err != nil {
				fail(fmt.Errorf("gzip: byte %d of the file: %w", at(), err))
			}
			return
		}
		if len(head) < 2 || head[0] != 0x1f || head[1] != 0x8b {
			fail(fmt.Errorf("gzip: byte %d of the file: something else follows the compressed data", at()))
			return
		}
		if n := bgzfBlock(head); n > 0 {
			p := in.piece()
			p.at = at()
			if cap(p.packed) < n {
				p.packed = make([]byte, n, 1<<16)
			}
			p.packed = p.packed[:n]
			if _, err := io.ReadFull(br, p.packed); err != nil {
				fail(cut(err))
				return
			}
			lastEmpty = binary.LittleEndian.Uint32(p.packed[n-4:]) == 0
			p.ready = make(chan struct{})
			if workers < threads {
				workers++
				go inflateBlocks(jobs)
			}
			select {
			case jobs <- p:
			case <-in.stop:
				return
			}
			if !in.send(p) {
				return
			}
			continue
		}
		allBGZF = false
		start := at()
		if member == nil {
			member, err = gzip.NewReader(br)
		} else {
			err = member.Reset(br)
		}
		if err != nil {
			fail(gzipError(start, err))
			return
		}
		member.Multistream(false)
		for err == nil {
			p := in.piece()
			if cap(p.data) < bufferSize {
				p.data = make([]byte, bufferSize)
			}
			var n int
			n, err = io.ReadFull(member, p.data[:bufferSize])
			p.data = p.data[:n]
			if n > 0 && !in.send(p) {
				return
			}
		}
		// io.ReadFull says ErrUnexpectedEOF for a short last piece as well as for a cut file: ask again.
		if err == io.ErrUnexpectedEOF {
			_, err = member.Read(make([]byte, 1))
		}
		if err != io.EOF {
			fail(gzipError(start, err))
			return
		}
	}
}

func cut(err error) error {
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("gzip: the file is cut off: %w", io.ErrUnexpectedEOF)
	}
	return bare(err)
}

func gzipError(at int64, err error) error {
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		return cut(err)
	}
	return fmt.Errorf("gzip: in the member that begins at byte %d of the file: %w", at, bare(err))
}

func onlyZeros(br *bufio.Reader) error {
	for {
		c, err := br.ReadByte()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return bare(err)
		}
		if c != 0 {
			return errors.New("something else follows the compressed data")
		}
	}
}

// inflateBlocks unpacks BGZF blocks until there are no more.
func inflateBlocks(jobs <-chan *piece) {
	var z gzip.Reader
	var src bytes.Reader
	var one [1]byte
	for p := range jobs {
		src.Reset(p.packed)
		n := int(binary.LittleEndian.Uint32(p.packed[len(p.packed)-4:]))
		switch err := z.Reset(&src); {
		case err != nil:
			p.err = fmt.Errorf("gzip: the BGZF block at byte %d of the file is broken: %w", p.at, err)
		case n > 1<<16: // the specification's limit
			p.err = fmt.Errorf("gzip: the BGZF block at byte %d of the file says it holds %d bytes, the limit is 65536", p.at, n)
		default:
			z.Multistream(false)
			if cap(p.data) < n {
				p.data = make([]byte, n, 1<<16)
			}
			p.data = p.data[:n]
			_, err := io.ReadFull(&z, p.data)
			if err == nil {
				if _, err = z.Read(one[:]); err == nil {
					err = errors.New("more data than its length says")
				} else if err == io.EOF {
					err = nil
				}
			}
			if err == nil && src.Len() > 0 {
				err = errors.New("bytes behind the end of the block's data")
			}
			if err != nil {
				p.data, p.err = p.data[:0], fmt.Errorf("gzip: the BGZF block at byte %d of the file is broken: %w", p.at, err)
			}
		}
		close(p.ready)
	}
}
