// Package maf reads the Multiple Alignment Format of genome alignments.
//
// Most users need [NewReader], [Reader.Next] and [Row.AppendBases], which gives the sequence of a row without its gaps:
//
//	r := maf.NewReader(f, "chr22.maf")
//	var b maf.Block
//	for r.Next(&b) == nil {
//		for _, row := range b.Rows {
//			bases = row.AppendBases(bases[:0])
//		}
//	}
//
// [Runs] puts what a file holds of one genome together again, by the positions of the rows.
//
// The format is UCSC's, version 1 (Genome Browser FAQ, "Multiple Alignment Format"). The reader streams, and it is strict:
// sizes, positions and letters are checked. Lines i, e and q are passed over.
package maf

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// Error is a file that is not as the format demands.
type Error struct {
	Name string // of the file
	Line int    // counted from 1
	Err  error
}

// Error returns "maf: name: line 3: what is wrong".
func (e *Error) Error() string { return fmt.Sprintf("maf: %s: line %d: %v", e.Name, e.Line, e.Err) }

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// MaxLine bounds the bytes of a line: the longest row of a block that can be read.
const MaxLine = 1 << 28

// Row is one line s of a block: a piece of a sequence with gaps.
type Row struct {
	Src     string // sequence, usually "genome.chromosome"
	Start   int64  // first base, counted from 0 on the row's strand
	Size    int64  // bases, without gaps
	Minus   bool   // the row is the reverse complement of Src
	SrcSize int64  // bases of Src
	Text    []byte // bases (IUPAC, lower case = repeat) and '-'
}

// Genome is Src up to the first dot, by UCSC's custom.
func (r *Row) Genome() string {
	for i := range len(r.Src) {
		if r.Src[i] == '.' {
			return r.Src[:i]
		}
	}
	return r.Src
}

// Plus returns the half-open interval [from, to) of the row on the plus strand of Src, counted from 0.
func (r *Row) Plus() (from, to int64) {
	if r.Minus {
		return r.SrcSize - r.Start - r.Size, r.SrcSize - r.Start
	}
	return r.Start, r.Start + r.Size
}

// AppendBases appends the row's bases without gaps, in the direction of the plus strand, to dst. Case is kept.
func (r *Row) AppendBases(dst []byte) []byte {
	from := len(dst)
	for _, c := range r.Text {
		if c != '-' {
			dst = append(dst, c)
		}
	}
	if r.Minus {
		s := dst[from:]
		for i, j := 0, len(s)-1; i <= j; i, j = i+1, j-1 {
			s[i], s[j] = complement[s[j]], complement[s[i]]
		}
	}
	return dst
}

// Block is one paragraph of the file: rows of equal length.
type Block struct {
	Line int // of its line a
	Rows []Row
}

// Reader reads blocks in the order of the file. It is not safe for concurrent use.
type Reader struct {
	in    *bufio.Reader
	name  string
	line  int
	buf   []byte
	begun bool // line a of the next block was read
	srcs  map[string]string
	err   error // sticky
}

// NewReader reads from src; name stands in errors.
func NewReader(src io.Reader, name string) *Reader {
	return &Reader{in: bufio.NewReaderSize(src, 1<<16), name: name, srcs: map[string]string{}}
}

func (r *Reader) bad(line int, format string, args ...any) error {
	return &Error{Name: r.name, Line: line, Err: fmt.Errorf(format, args...)}
}

// next returns the next line without its end; it is valid until the next call.
func (r *Reader) next() ([]byte, error) {
	r.buf = r.buf[:0]
	for {
		part, err := r.in.ReadSlice('\n')
		r.buf = append(r.buf, part...)
		switch {
		case len(r.buf) > MaxLine:
			return nil, r.bad(r.line+1, "more than %d bytes", MaxLine)
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(r.buf) == 0:
			return nil, io.EOF
		case err != nil && !errors.Is(err, io.EOF):
			return nil, &Error{Name: r.name, Line: r.line + 1, Err: err}
		}
		r.line++
		l := bytes.TrimSuffix(r.buf, []byte("\n"))
		return bytes.TrimSuffix(l, []byte("\r")), nil
	}
}

// Next reads the next block into b, whose memory it uses again: rows are valid until the next call. After the last block
// the error is io.EOF, otherwise an *[Error].
func (r *Reader) Next(b *Block) error {
	if r.err != nil {
		return r.err
	}
	err := r.read(b)
	if err != nil {
		r.err = err
	}
	return err
}

func (r *Reader) read(b *Block) error {
	if r.line == 0 {
		l, err := r.next()
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if f := bytes.Fields(l); len(f) < 2 || string(f[0]) != "##maf" || !bytes.HasPrefix(f[1], []byte("version=")) {
			return r.bad(1, "%.40q is not the head of a MAF file, which is ##maf version=1", l)
		}
	}
	in := r.begun
	b.Line, b.Rows, r.begun = r.line, b.Rows[:0], false
	for {
		l, err := r.next()
		if errors.Is(err, io.EOF) {
			if !in {
				return io.EOF
			}
			return r.whole(b)
		}
		if err != nil {
			return err
		}
		kind, rest := l, []byte(nil)
		if i := bytes.IndexAny(l, " \t"); i >= 0 {
			kind, rest = l[:i], l[i+1:]
		}
		switch {
		case len(bytes.TrimSpace(l)) == 0:
			if in {
				return r.whole(b)
			}
		case l[0] == '#' || string(kind) == "track":
		case string(kind) == "a":
			if in {
				r.begun = true
				err := r.whole(b)
				return err
			}
			in, b.Line = true, r.line
		case !in:
			return r.bad(r.line, "%.20q stands outside of a block", l)
		case string(kind) == "s":
			if err := r.row(b, rest); err != nil {
				return err
			}
		case string(kind) == "i", string(kind) == "e", string(kind) == "q":
		default:
			return r.bad(r.line, "%.20q is no line of a MAF file", l)
		}
	}
}

func (r *Reader) whole(b *Block) error {
	if len(b.Rows) == 0 {
		return r.bad(b.Line, "a block without a row")
	}
	return nil
}

// row reads the columns of a line s.
func (r *Reader) row(b *Block, l []byte) error {
	f := bytes.Fields(l)
	if len(f) != 6 {
		return r.bad(r.line, "%d columns, a line s has 7: s src start size strand srcSize text", len(f)+1)
	}
	if n := len(b.Rows); n < cap(b.Rows) {
		b.Rows = b.Rows[:n+1]
	} else {
		b.Rows = append(b.Rows, Row{})
	}
	row := &b.Rows[len(b.Rows)-1]
	src, ok := r.srcs[string(f[0])]
	if !ok {
		src = string(f[0])
		r.srcs[src] = src
	}
	row.Src = src
	var nums [3]int64
	for i, k := range []int{1, 2, 4} {
		n, err := strconv.ParseInt(string(f[k]), 10, 64)
		if err != nil || n < 0 {
			return r.bad(r.line, "%.20q where %s of %.40q is expected, a number of 0 or more", f[k], [...]string{"start", "size", "srcSize"}[i], src)
		}
		nums[i] = n
	}
	row.Start, row.Size, row.SrcSize = nums[0], nums[1], nums[2]
	switch string(f[3]) {
	case "+":
		row.Minus = false
	case "-":
		row.Minus = true
	default:
		return r.bad(r.line, "strand %.20q, expected + or -", f[3])
	}
	row.Text = append(row.Text[:0], f[5]...)
	var bases int64
	for i, c := range row.Text {
		switch {
		case c == '-':
		case complement[c] != 0:
			bases++
		default:
			return r.bad(r.line, "%q in column %d of %.40q is neither a base nor a gap", c, i+1, src)
		}
	}
	switch {
	case bases != row.Size:
		return r.bad(r.line, "%d bases of %.40q, its size says %d", bases, src, row.Size)
	case row.Start > row.SrcSize-row.Size: // no sum: it may be too large
		return r.bad(r.line, "start %d and size %d of %.40q end behind its %d bases", row.Start, row.Size, src, row.SrcSize)
	case len(row.Text) != len(b.Rows[0].Text):
		return r.bad(r.line, "%d columns of %.40q, the block's first row has %d", len(row.Text), src, len(b.Rows[0].Text))
	}
	return nil
}

// complement maps IUPAC letters, in both cases, to those of the other strand; 0 is no base.
var complement = func() (t [256]byte) {
	for _, p := range []string{"AT", "CG", "RY", "SS", "WW", "KM", "BV", "DH", "NN"} {
		a, b := p[0], p[1]
		t[a], t[b], t[a|32], t[b|32] = b, a, b|32, a|32
	}
	return t
}()
