package sam

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/selfsame-ml/selfsame/dataset"
	"github.com/selfsame-ml/selfsame/domain/dna/fastx"
)

// Reader reads the alignments of one file in order. It is not safe for concurrent use.
type Reader struct {
	name    string
	opt     Options
	file    io.Closer
	in      io.ReadCloser
	br      *bufio.Reader
	refs    []Reference
	byName  map[string]int
	format  string // "SAM", "BAM", "PAF"
	skipped Skipped
	record  int64
	line    int64
	text    []byte   // a line or record
	fields  [][]byte // of a line
	reads   *fastx.Reader
	read    fastx.Record
	have    bool   // read holds a read
	prev    []byte // PAF: name of the query before
	bad1    error  // the first record that contradicts itself
	err     error
}

// maxLine is the longest line or BAM record: what is longer is no alignment.
const maxLine = 1 << 30

// Open opens a SAM or BAM file; "-" is the standard input. Problems of the file are *dataset.Error.
func Open(path string, opt Options) (*Reader, error) {
	if path == fastx.Stdin {
		return NewReader(os.Stdin, "standard input", opt)
	}
	f, err := openFile(path)
	if err != nil {
		return nil, err
	}
	r, err := NewReader(f, path, opt)
	if err != nil {
		f.Close()
		return nil, err
	}
	r.file = f
	return r, nil
}

func openFile(path string) (*os.File, error) {
	st, err := os.Stat(path)
	if err == nil && st.IsDir() {
		err = errors.New("a folder, not a file of alignments")
	}
	var f *os.File
	if err == nil {
		f, err = os.Open(path)
	}
	if err != nil {
		return nil, &dataset.Error{Path: path, Err: bare(err)}
	}
	return f, nil
}

func bare(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

func (r *Reader) open(src io.Reader, name string, opt Options) error {
	r.name, r.opt = name, opt
	in, err := fastx.Unpack(src, name, fastx.Options{Threads: opt.Threads, Warn: opt.Warn})
	if err != nil {
		return &dataset.Error{Path: name, Err: err}
	}
	r.in, r.br = in, bufio.NewReaderSize(in, 256<<10)
	// A BAM file, which is BGZF, that was packed once more, as Debian does with documentation.
	if head, err := r.br.Peek(2); err == nil && head[0] == 0x1f && head[1] == 0x8b {
		inner, err := fastx.Unpack(r.br, name, fastx.Options{Threads: opt.Threads, Warn: opt.Warn})
		if err != nil {
			return errors.Join(&dataset.Error{Path: name, Err: err}, in.Close())
		}
		r.in, r.br = twice{inner, in}, bufio.NewReaderSize(inner, 256<<10)
	}
	return nil
}

// twice closes the inner and the outer unpacking.
type twice struct {
	io.ReadCloser
	outer io.Closer
}

func (t twice) Close() error { return errors.Join(t.ReadCloser.Close(), t.outer.Close()) }

// NewReader reads SAM or BAM from src; name stands in errors. It reads the header.
func NewReader(src io.Reader, name string, opt Options) (*Reader, error) {
	r := &Reader{byName: map[string]int{}}
	if err := r.open(src, name, opt); err != nil {
		return nil, err
	}
	if err := r.header(); err != nil {
		r.in.Close()
		return nil, err
	}
	return r, nil
}

// Format is "SAM", "BAM" or "PAF".
func (r *Reader) Format() string { return r.format }

// References are the sequences of the header, in order; PAF has none.
func (r *Reader) References() []Reference { return r.refs }

// Skipped counts what was passed over up to now.
func (r *Reader) Skipped() Skipped { return r.skipped }

// Records is the number of records that were read, skipped ones included.
func (r *Reader) Records() int64 { return r.record }

// Close closes the file.
func (r *Reader) Close() error {
	if r.err == nil {
		r.err = errors.New("sam: read from a closed reader")
	}
	err := r.in.Close()
	if r.file != nil {
		err = errors.Join(err, r.file.Close())
		r.file = nil
	}
	if r.reads != nil {
		err = errors.Join(err, r.reads.Close())
	}
	return err
}

// Read reads the next wanted alignment into a, whose memory is reused. At the end it returns io.EOF. Bad data are *dataset.Error with file
// and line or record; every later call then returns the same error.
func (r *Reader) Read(a *Alignment) error {
	for r.err == nil {
		var ok bool
		switch r.format {
		case "BAM":
			ok, r.err = r.readBAM(a)
		case "PAF":
			ok, r.err = r.readPAF(a)
		default:
			ok, r.err = r.readSAM(a)
		}
		if ok && r.err == nil {
			return nil
		}
		if r.err == io.EOF && r.tooMany(0) {
			r.err = r.manyBad()
		}
	}
	return r.err
}

// graceBad is how many bad records are waited for before their share is looked at while reading.
const graceBad = 100

// contradicts takes a record that contradicts itself: an error where that is not allowed, or too often.
func (r *Reader) contradicts(err error) error {
	if r.opt.MaxBad <= 0 {
		return err
	}
	r.skipped.Bad++
	if r.bad1 == nil {
		r.bad1 = err
		if r.opt.Warn != nil {
			r.opt.Warn("%v: the record is skipped, and others like it", err)
		}
	}
	if r.tooMany(graceBad) {
		return r.manyBad()
	}
	return nil
}

func (r *Reader) tooMany(grace int64) bool {
	return r.skipped.Bad > grace && float64(r.skipped.Bad) > r.opt.MaxBad*float64(r.record)
}

func (r *Reader) manyBad() error {
	e := &dataset.Error{Path: r.name, Err: fmt.Errorf("%d of %d records contradict themselves, the limit is %g %%; the first: %w", r.skipped.Bad, r.record, 100*r.opt.MaxBad, r.bad1)}
	var first *dataset.Error
	if errors.As(r.bad1, &first) {
		e.Record, e.Err = first.Record, fmt.Errorf("%w; in all %d of %d records contradict themselves, the limit is %g %%", first.Err, r.skipped.Bad, r.record, 100*r.opt.MaxBad)
	}
	return e
}

// FirstBad is the error of the first record that was skipped because it contradicts itself; nil where none was.
func (r *Reader) FirstBad() error { return r.bad1 }

// bad is bad data in the record that is being read.
func (r *Reader) bad(name []byte, format string, args ...any) error {
	where := fmt.Sprintf("line %d", r.line)
	if r.format == "BAM" {
		where = fmt.Sprintf("record %d", r.record)
	}
	if len(name) > 0 {
		where += " (read " + strconv.Quote(string(name[:min(len(name), 60)])) + ")"
	}
	return &dataset.Error{Path: r.name, Record: where, Err: fmt.Errorf(format, args...)}
}

// readLine reads one line to r.text, without its end. io.EOF is the end of the file.
func (r *Reader) readLine() error {
	r.text = r.text[:0]
	for {
		part, err := r.br.ReadSlice('\n')
		r.text = append(r.text, part...)
		if err == bufio.ErrBufferFull {
			if len(r.text) > maxLine {
				r.line++
				return r.bad(nil, "a line longer than %d bytes", maxLine)
			}
			continue
		}
		if err == io.EOF && len(r.text) == 0 {
			return io.EOF
		}
		if err != nil && err != io.EOF {
			return r.bad(nil, "%w", bare(err))
		}
		r.line++
		r.text = bytes.TrimSuffix(bytes.TrimSuffix(r.text, []byte{'\n'}), []byte{'\r'})
		return nil
	}
}

// split cuts r.text at tabs.
func (r *Reader) split() {
	r.fields = r.fields[:0]
	for s := r.text; ; {
		i := bytes.IndexByte(s, '\t')
		if i < 0 {
			r.fields = append(r.fields, s)
			return
		}
		r.fields = append(r.fields, s[:i])
		s = s[i+1:]
	}
}

func (r *Reader) header() error {
	head, err := r.br.Peek(4)
	if err != nil && err != io.EOF {
		return &dataset.Error{Path: r.name, Err: bare(err)}
	}
	switch {
	case len(head) == 0:
		return &dataset.Error{Path: r.name, Err: errors.New("an empty file: neither SAM nor BAM")}
	case bytes.Equal(head, []byte("BAM\x01")):
		r.format = "BAM"
		return r.bamHeader()
	case bytes.Equal(head, []byte("CRAM")):
		return &dataset.Error{Path: r.name, Err: errors.New("a CRAM file, not SAM or BAM"), Hint: "samtools view -b -T REFERENCE FILE > FILE.bam"}
	case len(head) > 0 && (head[0] == '>' || head[0] < ' ' || head[0] > '~'):
		return &dataset.Error{Path: r.name, Record: "line 1", Err: errors.New("neither SAM nor BAM")}
	}
	r.format = "SAM"
	for {
		head, err := r.br.Peek(4)
		if len(head) == 0 || head[0] != '@' {
			if err != nil && err != io.EOF {
				return &dataset.Error{Path: r.name, Err: bare(err)}
			}
			return nil
		}
		// "@XY<tab>" is header; a read may be called "@x".
		if len(head) == 4 && head[3] != '\t' {
			if r.line == 0 {
				return &dataset.Error{Path: r.name, Record: "line 1", Err: errors.New("neither SAM nor BAM (FASTQ?)")}
			}
			return nil
		}
		if err := r.readLine(); err != nil {
			return err
		}
		if bytes.HasPrefix(r.text, []byte("@SQ\t")) {
			if err := r.addReference(); err != nil {
				return err
			}
		}
	}
}

// addReference takes an @SQ line.
func (r *Reader) addReference() error {
	r.split()
	var ref Reference
	for _, f := range r.fields[1:] {
		switch {
		case bytes.HasPrefix(f, []byte("SN:")):
			ref.Name = string(f[3:])
		case bytes.HasPrefix(f, []byte("LN:")):
			n, err := strconv.Atoi(string(f[3:]))
			if err != nil || n < 1 {
				return r.bad(nil, "@SQ: length %q", f[3:])
			}
			ref.Length = n
		}
	}
	if ref.Name == "" {
		return r.bad(nil, "@SQ without a name (SN:)")
	}
	return r.putReference(ref)
}

func (r *Reader) putReference(ref Reference) error {
	if _, ok := r.byName[ref.Name]; ok {
		return r.bad(nil, "the header names the reference %q twice", ref.Name)
	}
	r.byName[ref.Name] = len(r.refs)
	r.refs = append(r.refs, ref)
	return nil
}

// number reads a decimal field in [low, high].
func number(s []byte, low, high int) (int, bool) {
	if len(s) == 0 || len(s) > 11 {
		return 0, false
	}
	n, err := strconv.Atoi(string(s))
	return n, err == nil && n >= low && n <= high
}

func (r *Reader) readSAM(a *Alignment) (ok bool, err error) {
	if err := r.readLine(); err != nil {
		return false, err
	}
	if len(r.text) == 0 {
		return false, nil // blank lines at the end
	}
	r.record++
	r.split()
	f := r.fields
	if len(f) < 11 {
		return false, r.bad(f[0], "%d fields, a SAM record has 11 or more between tabs", len(f))
	}
	name := f[0]
	flag, ok := number(f[1], 0, 0xffff)
	if !ok {
		return false, r.bad(name, "FLAG is %q, expected a number up to 65535", f[1])
	}
	pos, ok := number(f[3], 0, 1<<31-1)
	if !ok {
		return false, r.bad(name, "POS is %q, expected a number up to %d", f[3], 1<<31-1)
	}
	mapq, ok := number(f[4], 0, 255)
	if !ok {
		return false, r.bad(name, "MAPQ is %q, expected a number up to 255", f[4])
	}
	a.Name = append(a.Name[:0], name...)
	a.Flag, a.MapQ, a.Pos, a.Record, a.Line = uint16(flag), uint8(mapq), pos-1, r.record, r.line
	if string(f[2]) == "*" || pos == 0 {
		a.Flag |= FlagUnmapped // the specification: no position, no alignment
	}
	if !r.skipped.wanted(a.Flag, a.MapQ, &r.opt) {
		return false, nil
	}
	mapped := a.Flag&FlagUnmapped == 0
	a.Cigar, a.Bases, a.Quals = a.Cigar[:0], a.Bases[:0], a.Quals[:0]
	a.Ref, a.RefLen = "", 0
	if !mapped {
		a.Pos = -1
	} else {
		if string(f[5]) == "*" || string(f[9]) == "*" {
			r.skipped.NoBases++
			return false, nil
		}
		i, known := r.byName[string(f[2])]
		switch {
		case known:
			a.Ref, a.RefLen = r.refs[i].Name, r.refs[i].Length
		case len(r.refs) > 0:
			return false, r.bad(name, "the reference %q is not in the header", f[2])
		default: // no header
			a.Ref = string(f[2])
		}
		if a.Cigar, err = parseCigar(a.Cigar, f[5]); err != nil {
			return false, r.bad(name, "%w", err)
		}
	}
	if string(f[9]) != "*" {
		for i, c := range f[9] {
			if !samLetter(c) {
				return false, r.bad(name, "SEQ: byte %d is %q, no base", i+1, c)
			}
		}
		a.Bases = fastx.Codes(a.Bases, f[9])
	}
	if q := f[10]; string(q) != "*" {
		for i, c := range q {
			if c < '!' || c > '~' {
				return false, r.bad(name, "QUAL: byte %d is %q, no quality ('!' to '~')", i+1, c)
			}
		}
		a.Quals = fastx.Phreds(a.Quals, q)
	}
	if err := a.check(); err != nil {
		return false, r.contradicts(r.bad(name, "%w", err))
	}
	return true, nil
}

// samLetter: letters and '.'; '=' says "as the reference", which is not at hand.
func samLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '.' }

// bamCode maps the 4-bit letters "=ACMGRSVTWYHKDBN" to codes.
var bamCode = [16]uint8{4, 0, 1, 4, 2, 4, 4, 4, 3, 4, 4, 4, 4, 4, 4, 4}

func (r *Reader) full(n int) error {
	// In steps: a length that is wrong must not take the memory before the bytes are there.
	r.text = r.text[:0]
	for len(r.text) < n {
		k := min(n-len(r.text), 1<<20)
		from := len(r.text)
		r.text = append(r.text, make([]byte, k)...)
		if _, err := io.ReadFull(r.br, r.text[from:]); err != nil {
			return err
		}
	}
	return nil
}

func (r *Reader) bamHeader() error {
	cut := func(err error) error {
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			err = fmt.Errorf("the file is cut off in its header: %w", io.ErrUnexpectedEOF)
		}
		return &dataset.Error{Path: r.name, Record: "header", Err: bare(err)}
	}
	u32 := func() (int, error) {
		var b [4]byte
		if _, err := io.ReadFull(r.br, b[:]); err != nil {
			return 0, cut(err)
		}
		n := int32(binary.LittleEndian.Uint32(b[:]))
		if n < 0 {
			return 0, cut(fmt.Errorf("a length of %d", n))
		}
		return int(n), nil
	}
	if _, err := r.br.Discard(4); err != nil {
		return cut(err)
	}
	n, err := u32()
	if err != nil {
		return err
	}
	if k, err := r.br.Discard(n); k < n {
		return cut(err)
	}
	refs, err := u32()
	if err != nil {
		return err
	}
	for range refs {
		n, err := u32()
		if err != nil {
			return err
		}
		if n < 2 || n > 1<<16 {
			return cut(fmt.Errorf("a reference name of %d bytes", n))
		}
		if err := r.full(n); err != nil {
			return cut(err)
		}
		name := string(bytes.TrimRight(r.text, "\x00"))
		length, err := u32()
		if err != nil {
			return err
		}
		if err := r.putReference(Reference{name, length}); err != nil {
			return err
		}
	}
	return nil
}

// readBAM reads a record (SAM specification, section 4.2).
func (r *Reader) readBAM(a *Alignment) (ok bool, err error) {
	var b4 [4]byte
	if _, err := io.ReadFull(r.br, b4[:]); err == io.EOF {
		return false, io.EOF
	} else if err != nil {
		r.record++
		return false, r.bad(nil, "%w", cutOff(err))
	}
	r.record++
	size := int(int32(binary.LittleEndian.Uint32(b4[:])))
	if size < 32 || size > maxLine {
		return false, r.bad(nil, "a record of %d bytes, expected 32 to %d", size, maxLine)
	}
	if err := r.full(size); err != nil {
		return false, r.bad(nil, "%w", cutOff(err))
	}
	b := r.text
	i32 := func(at int) int { return int(int32(binary.LittleEndian.Uint32(b[at:]))) }
	ref, pos, seqLen := i32(0), i32(4), i32(16)
	nameLen, mapq, ops, flag := int(b[8]), b[9], int(binary.LittleEndian.Uint16(b[12:])), binary.LittleEndian.Uint16(b[14:])
	if seqLen < 0 || 32+nameLen+4*ops+(seqLen+1)/2+seqLen > size || nameLen < 1 {
		return false, r.bad(nil, "name, CIGAR and %d bases do not fit in %d bytes", seqLen, size)
	}
	name := bytes.TrimRight(b[32:32+nameLen], "\x00")
	rest := b[32+nameLen:]
	a.Name = append(a.Name[:0], name...)
	a.Flag, a.MapQ, a.Pos, a.Record, a.Line = flag, mapq, pos, r.record, 0
	if ref < 0 || pos < 0 {
		a.Flag |= FlagUnmapped
	}
	if !r.skipped.wanted(a.Flag, a.MapQ, &r.opt) {
		return false, nil
	}
	a.Cigar, a.Bases, a.Quals = a.Cigar[:0], a.Bases[:0], a.Quals[:0]
	a.Ref, a.RefLen = "", 0
	mapped := a.Flag&FlagUnmapped == 0
	if mapped {
		if ref >= len(r.refs) {
			return false, r.bad(name, "reference number %d, the header has %d", ref, len(r.refs))
		}
		a.Ref, a.RefLen = r.refs[ref].Name, r.refs[ref].Length
		if ops == 0 || seqLen == 0 {
			r.skipped.NoBases++
			return false, nil
		}
		if a.Cigar, err = bamCigar(a.Cigar, rest[:4*ops]); err != nil {
			return false, r.bad(name, "%w", err)
		}
	} else {
		a.Pos = -1
	}
	rest = rest[4*ops:]
	packed, quals, tags := rest[:(seqLen+1)/2], rest[(seqLen+1)/2:(seqLen+1)/2+seqLen], rest[(seqLen+1)/2+seqLen:]
	// More than 65,535 operations stand in the tag CG; the field holds kSmN instead (section 4.2.2).
	if mapped && ops == 2 && len(a.Cigar) == 2 && a.Cigar[0] == (Op{seqLen, 'S'}) && a.Cigar[1].Kind == 'N' {
		long, err := longCigar(tags)
		if err != nil {
			return false, r.bad(name, "%w", err)
		}
		if long != nil {
			if a.Cigar, err = bamCigar(a.Cigar[:0], long); err != nil {
				return false, r.bad(name, "%w", err)
			}
		}
	}
	if cap(a.Bases) < seqLen {
		a.Bases = make([]uint8, 0, seqLen)
	}
	a.Bases = a.Bases[:seqLen]
	for i := range a.Bases {
		c := packed[i/2]
		if i&1 == 0 {
			c >>= 4
		}
		if c&15 == 0 {
			return false, r.bad(name, "base %d is '=' (as the reference), which cannot be read without the reference", i+1)
		}
		a.Bases[i] = bamCode[c&15]
	}
	if seqLen > 0 && quals[0] != 0xff {
		for i, q := range quals {
			if q > 93 {
				return false, r.bad(name, "quality %d is %d, the limit is 93", i+1, q)
			}
		}
		a.Quals = append(a.Quals, quals...)
	}
	if err := a.check(); err != nil {
		return false, r.contradicts(r.bad(name, "%w", err))
	}
	return true, nil
}

func cutOff(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("the file is cut off: %w", io.ErrUnexpectedEOF)
	}
	return bare(err)
}

func bamCigar(dst []Op, b []byte) ([]Op, error) {
	for ; len(b) >= 4; b = b[4:] {
		v := binary.LittleEndian.Uint32(b)
		if v&15 >= uint32(len(opKinds)) {
			return dst, fmt.Errorf("CIGAR: operation number %d, the limit is %d", v&15, len(opKinds)-1)
		}
		if v>>4 > 0 {
			dst = append(dst, Op{int(v >> 4), opKinds[v&15]})
		}
	}
	return dst, nil
}

// longCigar finds the tag CG:B,I; nil where there is none.
func longCigar(tags []byte) ([]byte, error) {
	size := map[byte]int{'A': 1, 'c': 1, 'C': 1, 's': 2, 'S': 2, 'i': 4, 'I': 4, 'f': 4}
	for len(tags) >= 3 {
		tag, kind := string(tags[:2]), tags[2]
		tags = tags[3:]
		n := size[kind]
		switch kind {
		case 'Z', 'H':
			n = bytes.IndexByte(tags, 0) + 1
		case 'B':
			if len(tags) < 5 {
				return nil, fmt.Errorf("tag %q is cut", tag)
			}
			count := int(binary.LittleEndian.Uint32(tags[1:]))
			n = 5 + count*size[tags[0]]
			if tag == "CG" && tags[0] == 'I' && n <= len(tags) {
				return tags[5:n], nil
			}
		}
		if n <= 0 || n > len(tags) {
			return nil, fmt.Errorf("tag %q of type %q is cut or not known", tag, kind)
		}
		tags = tags[n:]
	}
	return nil, nil
}
