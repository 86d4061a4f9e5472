package dataset

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
)

// Elem is the element type of an [Array].
type Elem uint8

// The element types of IDX and .npy files that can be read.
const (
	U1 Elem = iota + 1
	I1
	U2
	I2
	U4
	I4
	U8
	I8
	F4
	F8
)

var elemNames = [...]string{"?", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64"}
var elemSizes = [...]int{0, 1, 1, 2, 2, 4, 4, 8, 8, 4, 8}

// String returns the name NumPy gives the type.
func (e Elem) String() string {
	if int(e) < len(elemNames) {
		return elemNames[e]
	}
	return fmt.Sprintf("elem(%d)", uint8(e))
}

// Size returns the bytes of one element.
func (e Elem) Size() int {
	if int(e) < len(elemSizes) {
		return elemSizes[e]
	}
	return 0
}

// Float reports whether the type can hold NaN.
func (e Elem) Float() bool { return e == F4 || e == F8 }

// At returns element i of little-endian data as a float64 (64-bit integers beyond 2^53 are rounded).
func (e Elem) At(b []byte, i int) float64 {
	le := binary.LittleEndian
	switch e {
	case U1:
		return float64(b[i])
	case I1:
		return float64(int8(b[i]))
	case U2:
		return float64(le.Uint16(b[2*i:]))
	case I2:
		return float64(int16(le.Uint16(b[2*i:])))
	case U4:
		return float64(le.Uint32(b[4*i:]))
	case I4:
		return float64(int32(le.Uint32(b[4*i:])))
	case U8:
		return float64(le.Uint64(b[8*i:]))
	case I8:
		return float64(int64(le.Uint64(b[8*i:])))
	case F4:
		return float64(math.Float32frombits(le.Uint32(b[4*i:])))
	case F8:
		return math.Float64frombits(le.Uint64(b[8*i:]))
	}
	return math.NaN()
}

const (
	maxRank     = 32      // as NumPy 1
	maxRowBytes = 1 << 30 // one sample; larger rows are a lying header more often than data
	maxHeader   = 1 << 16 // bytes of a .npy header
	maxLabels   = 1 << 20 // largest class number
)

// Array is an IDX or .npy file that is read row by row along its first axis, so that memory does
// not grow with the file. Not safe for concurrent use.
type Array struct {
	Path string
	Elem Elem
	Dims []int // the first axis is the samples
	Bool bool  // .npy booleans: U1 with values 0 and 1

	big     bool // stored big-endian
	fortran bool // stored column-major: needs ra
	start   int64
	row     int
	rowLen  int // elements
	r       io.Reader
	ra      io.ReaderAt
	close   []io.Closer
}

// OpenArray opens an IDX file (the MNIST format) or a .npy file (NumPy format 1.0 to 3.0), plain or
// gzip-compressed; the content decides, not the name. A header that promises more or less than the
// file holds is an *[Error] that names both sizes.
func OpenArray(path string) (*Array, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &Error{Path: path, Err: err}
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err != nil {
		f.Close()
		return nil, &Error{Path: path, Err: err}
	}
	a, err := newArray(path, f, st.Size())
	if err != nil {
		f.Close()
		return nil, err
	}
	a.close = append(a.close, f)
	return a, nil
}

// newArray reads the header of size bytes at ra.
func newArray(path string, ra io.ReaderAt, size int64) (*Array, error) {
	a := &Array{Path: path}
	br := bufio.NewReaderSize(io.NewSectionReader(ra, 0, size), 1<<18)
	limit := size // most bytes that the uncompressed content can have
	zipped := false
	if m, _ := br.Peek(2); len(m) == 2 && m[0] == 0x1f && m[1] == 0x8b {
		z, err := gzip.NewReader(br)
		if err != nil {
			return nil, &Error{Path: path, Record: "gzip header", Err: err}
		}
		zipped = true
		a.close = append(a.close, z)
		limit = size*1032 + 1024 // deflate cannot compress further
		br = bufio.NewReaderSize(z, 1<<18)
	}
	head, err := br.Peek(6)
	switch {
	case len(head) == 6 && string(head) == "\x93NUMPY":
		err = a.npyHeader(br)
	case len(head) >= 4 && head[0] == 0 && head[1] == 0:
		err = a.idxHeader(br)
	case err != nil && !errors.Is(err, io.EOF):
		err = &Error{Path: path, Record: "byte 0", Err: err}
	default:
		err = Bad(path, "byte 0", "neither IDX nor .npy: the file starts with % x", head)
	}
	if err != nil {
		return nil, err
	}
	total, ok := product(a.Dims, a.Elem.Size())
	if !ok {
		return nil, Bad(path, "header", "shape %v of %s is too large", a.Dims, a.Elem)
	}
	row, _ := product(a.Dims[1:], 1)
	if a.Dims[0] > 0 && row*int64(a.Elem.Size()) > maxRowBytes {
		return nil, Bad(path, "header", "one row of shape %v takes %d bytes, the limit is %d", a.Dims[1:], row*int64(a.Elem.Size()), int64(maxRowBytes))
	}
	a.rowLen = int(row)
	switch want := a.start + total; {
	case !zipped && want != size:
		return nil, Bad(path, fmt.Sprintf("byte %d", min(want, size)), "the header promises %v %s, %d bytes in all, the file has %d", a.Dims, a.Elem, want, size)
	case want > limit:
		return nil, Bad(path, "header", "promises %v %s, %d bytes, more than %d compressed bytes can hold", a.Dims, a.Elem, want, size)
	}
	if a.fortran && len(a.Dims) > 1 {
		if zipped {
			return nil, Bad(path, "header", "column-major (Fortran) order in a compressed file cannot be read by rows; save it with numpy.ascontiguousarray")
		}
		a.ra = ra
	}
	a.r = br
	return a, nil
}

// product multiplies dims and unit; ok is false on overflow of 2^62.
func product(dims []int, unit int) (n int64, ok bool) {
	n = int64(unit)
	for _, d := range dims {
		if d == 0 {
			return 0, true
		}
	}
	for _, d := range dims {
		if n > (1<<62)/int64(d) {
			return 0, false
		}
		n *= int64(d)
	}
	return n, true
}

// idxHeader reads the header of Y. LeCun's IDX format: 0, 0, type, rank, then the sizes as
// big-endian uint32.
func (a *Array) idxHeader(r io.Reader) error {
	var h [4]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return Bad(a.Path, "byte 0", "IDX header: %w", short(err))
	}
	switch h[2] {
	case 0x08:
		a.Elem = U1
	case 0x09:
		a.Elem = I1
	case 0x0b:
		a.Elem = I2
	case 0x0c:
		a.Elem = I4
	case 0x0d:
		a.Elem = F4
	case 0x0e:
		a.Elem = F8
	default:
		return Bad(a.Path, "byte 2", "unknown IDX element type 0x%02x", h[2])
	}
	a.big = true
	rank := int(h[3])
	if rank == 0 || rank > maxRank {
		return Bad(a.Path, "byte 3", "IDX rank %d, want 1..%d", rank, maxRank)
	}
	for i := range rank {
		if _, err := io.ReadFull(r, h[:]); err != nil {
			return Bad(a.Path, fmt.Sprintf("byte %d", 4+4*i), "IDX size of axis %d: %w", i, short(err))
		}
		a.Dims = append(a.Dims, int(binary.BigEndian.Uint32(h[:])))
	}
	a.start = int64(4 + 4*rank)
	return nil
}

// npyHeader reads a header as numpy.lib.format documents it.
func (a *Array) npyHeader(r io.Reader) error {
	var h [8]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return Bad(a.Path, "byte 0", ".npy header: %w", short(err))
	}
	var n, at int
	switch major := h[6]; major {
	case 1:
		var b [2]byte
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return Bad(a.Path, "byte 8", ".npy header length: %w", short(err))
		}
		n, at = int(binary.LittleEndian.Uint16(b[:])), 10
	case 2, 3:
		var b [4]byte
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return Bad(a.Path, "byte 8", ".npy header length: %w", short(err))
		}
		v := binary.LittleEndian.Uint32(b[:])
		if v > maxHeader {
			return Bad(a.Path, "byte 8", ".npy header of %d bytes, the limit is %d", v, maxHeader)
		}
		n, at = int(v), 12
	default:
		return Bad(a.Path, "byte 6", ".npy format version %d.%d, want 1 to 3", major, h[7])
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return Bad(a.Path, fmt.Sprintf("byte %d", at), ".npy header of %d bytes: %w", n, short(err))
	}
	a.start = int64(at + n)
	descr, fortran, shape, err := parseNpyDict(string(b))
	if err != nil {
		return Bad(a.Path, fmt.Sprintf("byte %d", at), ".npy header: %w", err)
	}
	if len(descr) < 2 {
		return Bad(a.Path, "header", "unknown element type %q", descr)
	}
	a.big = descr[0] == '>'
	types := map[string]Elem{"u1": U1, "b1": U1, "i1": I1, "u2": U2, "i2": I2, "u4": U4, "i4": I4, "u8": U8, "i8": I8, "f4": F4, "f8": F8}
	if !strings.ContainsRune("<>|=", rune(descr[0])) || types[descr[1:]] == 0 {
		return Bad(a.Path, "header", "element type %q is not read (want u1, u2, u4, u8, i1, i2, i4, i8, f4, f8 or b1); convert it with numpy's astype", descr)
	}
	a.Elem, a.Bool = types[descr[1:]], descr[1:] == "b1"
	if len(shape) == 0 || len(shape) > maxRank {
		return Bad(a.Path, "header", "rank %d, want 1..%d", len(shape), maxRank)
	}
	a.fortran, a.Dims = fortran, shape
	return nil
}

// parseNpyDict reads the Python literal of a .npy header:
// {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }.
func parseNpyDict(s string) (descr string, fortran bool, shape []int, err error) {
	s = strings.TrimRight(s, " \n\x00")
	body, open := strings.CutPrefix(s, "{")
	body, closed := strings.CutSuffix(body, "}")
	ok := open && closed
	if !ok {
		return "", false, nil, fmt.Errorf("%.40q is no dictionary", s)
	}
	seen := map[string]bool{}
	for body = strings.TrimSpace(body); body != ""; {
		if body[0] != '\'' && body[0] != '"' {
			return "", false, nil, fmt.Errorf("key expected at %.20q", body)
		}
		end := strings.IndexByte(body[1:], body[0])
		if end < 0 {
			return "", false, nil, fmt.Errorf("unclosed key at %.20q", body)
		}
		key := body[1 : 1+end]
		if body, ok = strings.CutPrefix(strings.TrimSpace(body[end+2:]), ":"); !ok {
			return "", false, nil, fmt.Errorf("no value for key %q", key)
		}
		if seen[key] {
			return "", false, nil, fmt.Errorf("key %q twice", key)
		}
		seen[key] = true
		body = strings.TrimSpace(body)
		switch key {
		case "descr":
			if body == "" || body[0] != '\'' && body[0] != '"' {
				return "", false, nil, errors.New("structured element types are not read")
			}
			end := strings.IndexByte(body[1:], body[0])
			if end < 0 {
				return "", false, nil, errors.New("unclosed element type")
			}
			descr, body = body[1:1+end], body[end+2:]
		case "fortran_order":
			if rest, ok := strings.CutPrefix(body, "True"); ok {
				fortran, body = true, rest
			} else if rest, ok := strings.CutPrefix(body, "False"); ok {
				body = rest
			} else {
				return "", false, nil, fmt.Errorf("fortran_order is %.10q", body)
			}
		case "shape":
			end := strings.IndexByte(body, ')')
			if end < 0 || body[0] != '(' {
				return "", false, nil, fmt.Errorf("shape is %.20q", body)
			}
			for f := range strings.SplitSeq(body[1:end], ",") {
				f = strings.TrimSuffix(strings.TrimSpace(f), "L") // Python 2 wrote long integers
				if f == "" {
					continue
				}
				d, err := strconv.ParseUint(f, 10, 62)
				if err != nil {
					return "", false, nil, fmt.Errorf("shape: %w", err)
				}
				shape = append(shape, int(d))
			}
			body = body[end+1:]
		default:
			return "", false, nil, fmt.Errorf("unknown key %.40q", key)
		}
		body = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(body), ","))
	}
	for _, k := range []string{"descr", "fortran_order", "shape"} {
		if !seen[k] {
			return "", false, nil, fmt.Errorf("key %q is missing", k)
		}
	}
	return descr, fortran, shape, nil
}

// Rows returns the size of the first axis.
func (a *Array) Rows() int { return a.Dims[0] }

// RowLen returns the elements of one row.
func (a *Array) RowLen() int { return a.rowLen }

// RowBytes returns the bytes of one row.
func (a *Array) RowBytes() int { return a.rowLen * a.Elem.Size() }

// Next reads up to n further rows into buf (which is grown when needed) in row-major order and
// little-endian, and returns them. After the last row it returns io.EOF. NaN and infinite values
// are an *[Error] that names row and element.
func (a *Array) Next(n int, buf []byte) ([]byte, error) {
	n = min(n, a.Rows()-a.row)
	if n <= 0 {
		if err := a.atEnd(); err != nil {
			return nil, err
		}
		return nil, io.EOF
	}
	// The rows of a lying compressed header never arrive: grow with what was read.
	need := n * a.RowBytes()
	var err error
	if a.ra != nil {
		buf, err = a.gather(n, buf)
	} else {
		buf, err = a.readFull(buf[:0], need)
	}
	if err != nil {
		return nil, err
	}
	if a.big {
		swap(buf, a.Elem.Size())
	}
	if a.Elem.Float() {
		for i := range n * a.rowLen {
			if v := a.Elem.At(buf, i); math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, Bad(a.Path, fmt.Sprintf("row %d", a.row+i/a.rowLen), "element %d is %v", i%a.rowLen, v)
			}
		}
	}
	a.row += n
	return buf, nil
}

// readFull appends need bytes to buf in steps, so that memory follows what the file really holds.
func (a *Array) readFull(buf []byte, need int) ([]byte, error) {
	const step = 1 << 22
	for len(buf) < need {
		k := min(need-len(buf), step)
		at := len(buf)
		if cap(buf) < at+k {
			grown := make([]byte, at, min(need, max(2*cap(buf), at+k)))
			copy(grown, buf)
			buf = grown
		}
		buf = buf[:at+k]
		got, err := io.ReadFull(a.r, buf[at:])
		if err != nil {
			have := int64(a.row)*int64(a.RowBytes()) + int64(at+got)
			total, _ := product(a.Dims, a.Elem.Size())
			return nil, Bad(a.Path, fmt.Sprintf("byte %d", a.start+have), "row %d of %d is cut off, the header promises %d bytes: %w",
				have/int64(max(1, a.RowBytes())), a.Rows(), a.start+total, short(err))
		}
	}
	return buf, nil
}

// gather reads n rows of a column-major file: element j of all rows is one run.
func (a *Array) gather(n int, buf []byte) ([]byte, error) {
	es := a.Elem.Size()
	need := n * a.RowBytes()
	if cap(buf) < need {
		buf = make([]byte, need)
	}
	buf = buf[:need]
	run := make([]byte, n*es)
	inner := a.Dims[1:]
	idx := make([]int, len(inner))
	for j := range a.rowLen { // j counts in column-major order of the inner axes
		off := a.start + (int64(j)*int64(a.Rows())+int64(a.row))*int64(es)
		if _, err := a.ra.ReadAt(run, off); err != nil {
			return nil, Bad(a.Path, fmt.Sprintf("byte %d", off), "column %d of %d: %w", j, a.rowLen, short(err))
		}
		flat := 0
		for k, d := range inner {
			flat = flat*d + idx[k]
		}
		for i := range n {
			copy(buf[(i*a.rowLen+flat)*es:][:es], run[i*es:][:es])
		}
		for k := range idx { // first inner axis runs fastest
			if idx[k]++; idx[k] < inner[k] {
				break
			}
			idx[k] = 0
		}
	}
	return buf, nil
}

// atEnd makes sure that nothing follows the last row: plain files were checked by size, a
// compressed one shows it (and its checksum) only here.
func (a *Array) atEnd() error {
	if a.ra != nil {
		return nil
	}
	var b [1]byte
	total, _ := product(a.Dims, a.Elem.Size())
	switch n, err := io.ReadFull(a.r, b[:]); {
	case n > 0:
		return Bad(a.Path, fmt.Sprintf("byte %d", a.start+total), "the file goes on after the %d rows that its header promises", a.Rows())
	case !errors.Is(err, io.EOF):
		return Bad(a.Path, fmt.Sprintf("byte %d", a.start+total), "after the last row: %w", err)
	}
	return nil
}

// Close closes the file.
func (a *Array) Close() error {
	var errs []error
	for _, c := range a.close {
		errs = append(errs, c.Close())
	}
	a.close = nil
	return errors.Join(errs...)
}

// ReadLabels reads class numbers from an IDX or .npy file of shape [n] or [n, 1]: whole numbers
// from -1 (unlabelled) to 1,048,576.
func ReadLabels(path string) ([]int32, error) {
	a, err := OpenArray(path)
	if err != nil {
		return nil, err
	}
	defer a.Close()
	return a.labels()
}

func (a *Array) labels() ([]int32, error) {
	if len(a.Dims) > 2 || a.Rows() > 0 && a.rowLen != 1 {
		return nil, Bad(a.Path, "header", "labels have shape %v, want [n]", a.Dims)
	}
	var out []int32
	var buf []byte
	for {
		b, err := a.Next(1<<16, buf)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		buf = b
		for i := range len(b) / a.Elem.Size() {
			v := a.Elem.At(b, i)
			if v != math.Trunc(v) || v < -1 || v > maxLabels {
				return nil, Bad(a.Path, fmt.Sprintf("row %d", len(out)), "label %v, want a whole number in -1..%d", v, maxLabels)
			}
			out = append(out, int32(v))
		}
	}
}

// short says in plain words that a file ends too early.
func short(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the file ends here: %w", io.ErrUnexpectedEOF)
	}
	return err
}

func swap(b []byte, size int) {
	switch size {
	case 2:
		for i := 0; i+1 < len(b); i += 2 {
			b[i], b[i+1] = b[i+1], b[i]
		}
	case 4:
		for i := 0; i+3 < len(b); i += 4 {
			b[i], b[i+1], b[i+2], b[i+3] = b[i+3], b[i+2], b[i+1], b[i]
		}
	case 8:
		for i := 0; i+7 < len(b); i += 8 {
			for j := range 4 {
				b[i+j], b[i+7-j] = b[i+7-j], b[i+j]
			}
		}
	}
}
