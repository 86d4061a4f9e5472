package fastx

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"

	"github.com/selfsame-ml/selfsame/dataset"
)

// Stdin and Stdout are named by "-" where a path is expected.
const Stdin = "-"

const bufferSize = 256 << 10

// Reader reads the records of one file in order. It is not safe for concurrent use.
type Reader struct {
	name   string // of the file, for errors
	opt    Options
	in     *input
	buf    []byte
	r, w   int   // unread bytes are buf[r:w]
	line   int64 // lines that were begun
	n      int64 // records that were begun
	format Format
	err    error // sticky
	ended  bool  // the input has no more bytes than buf[r:w]

	looked         bool // enough records were judged
	qmin, qmax     byte
	letters, iupac int64
	warnPlus       bool
}

// Open opens a FASTA or FASTQ file, plain or gzip; "-" is the standard input. Problems of the file are *dataset.Error.
func Open(path string, opt Options) (*Reader, error) {
	if path == Stdin {
		return NewReader(os.Stdin, "standard input", opt)
	}
	st, err := os.Stat(path)
	if err != nil {
		return nil, &dataset.Error{Path: path, Err: bare(err)}
	}
	if st.IsDir() {
		return nil, &dataset.Error{Path: path, Err: errors.New("a folder, not a FASTA or FASTQ file")}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, &dataset.Error{Path: path, Err: bare(err)}
	}
	r, err := NewReader(f, path, opt)
	if err != nil {
		f.Close()
		return nil, err
	}
	r.in.closer = f
	if st.Mode().IsRegular() {
		r.in.size = st.Size()
	}
	return r, nil
}

// NewReader reads from src; name stands in errors. The first bytes are read at once, to know compression and format.
func NewReader(src io.Reader, name string, opt Options) (*Reader, error) {
	if opt.MaxRecord < 0 {
		return nil, fmt.Errorf("fastx: MaxRecord is %d, expected 0 or more", opt.MaxRecord)
	}
	if opt.MaxRecord == 0 {
		opt.MaxRecord = math.MaxInt32
	}
	r := &Reader{name: name, opt: opt, buf: make([]byte, bufferSize), qmin: 255}
	in, err := newInput(src, name, opt)
	if err != nil {
		return nil, r.bad("", err)
	}
	r.in = in
	if err := r.start(); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// Format is the format of the file: Unknown where it holds nothing.
func (r *Reader) Format() Format { return r.format }

// Name is the path, or what NewReader was given.
func (r *Reader) Name() string { return r.name }

// Compressed reports whether the file is gzip.
func (r *Reader) Compressed() bool { return r.in.gz }

// Progress returns how many stored bytes were read, and how many there are: 0 where that is not known.
func (r *Reader) Progress() (done, total int64) { return r.in.count.Load(), r.in.size }

// Records is the number of records that Read has returned.
func (r *Reader) Records() int64 { return r.n }

// Close stops reading and closes the file.
func (r *Reader) Close() error {
	if r.err == nil {
		r.err = errors.New("fastx: read from a closed reader")
	}
	return r.in.Close()
}

func bare(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

func (r *Reader) warn(format string, args ...any) {
	if r.opt.Warn != nil {
		r.opt.Warn("%s: %s", r.name, fmt.Sprintf(format, args...))
	}
}

func (r *Reader) bad(place string, err error) error {
	return &dataset.Error{Path: r.name, Record: place, Err: err}
}

// fail is bad data in a record; line is where.
func (r *Reader) fail(rec *Record, line int64, hint, format string, args ...any) error {
	r.err = &dataset.Error{
		Path: r.name, Record: place(rec, line), Hint: hint, Err: fmt.Errorf(format, args...),
	}
	return r.err
}

// place says where something is: `record 3 "name", line 11`.
func place(rec *Record, line int64) string {
	if rec == nil {
		return "line " + strconv.FormatInt(line, 10)
	}
	return fmt.Sprintf("record %d %s, line %d", rec.Index+1, quote(rec.ID()), line)
}

func quote(b []byte) string {
	const most = 60
	if len(b) > most {
		return strconv.Quote(string(b[:most])) + "..."
	}
	return strconv.Quote(string(b))
}

// fill reads more bytes behind buf[r:w]; it returns false at the end of the input or on an error (in r.err).
func (r *Reader) fill() bool {
	if r.ended || r.err != nil {
		return false
	}
	if r.r > 0 {
		r.w = copy(r.buf, r.buf[r.r:r.w])
		r.r = 0
	}
	for tries := 0; r.w < len(r.buf); {
		n, err := r.in.Read(r.buf[r.w:])
		r.w += n
		if err == io.EOF {
			r.ended = true
			return n > 0
		}
		if err != nil {
			r.err = r.bad(r.where(), bare(err))
			return false
		}
		if n > 0 {
			return true
		}
		if tries++; tries == 100 {
			r.err = r.bad(r.where(), io.ErrNoProgress)
			return false
		}
	}
	return true
}

// where is how far the reader came, for errors of the input.
func (r *Reader) where() string {
	return fmt.Sprintf("after record %d, line %d", r.n, r.line)
}

// magics are first bytes of files that people give by mistake.
var magics = []struct{ magic, what, hint string }{
	{"BAM\x01", "a BAM file", "selfsame reads alignments where it fits the sequencer; for reads: samtools fastq"},
	{"CRAM", "a CRAM file", "samtools fastq turns it into FASTQ"},
	{"\x28\xb5\x2f\xfd", "a Zstandard file", "unpack it: zstd -dc FILE | selfsame ... -"},
	{"BZh", "a bzip2 file", "unpack it: bzip2 -dc FILE | selfsame ... -"},
	{"\xfd7zXZ", "an xz file", "unpack it: xz -dc FILE | selfsame ... -"},
	{"PK\x03\x04", "a zip file", "unpack it: unzip -p FILE | selfsame ... -"},
	{"\x1f\x8b", "gzip inside gzip", "unpack it once: gzip -dc FILE"},
	{"\xff\xfe", "text in UTF-16", "save it as plain text (ASCII)"},
	{"\xfe\xff", "text in UTF-16", "save it as plain text (ASCII)"},
	{"\x89HDF", "an HDF5 file (fast5?)", "call its bases first"},
	{"@HD\t", "a SAM file", "for reads: samtools fastq"},
	{"@SQ\t", "a SAM file", "for reads: samtools fastq"},
	{"LOCUS ", "a GenBank file", "FASTA or FASTQ is expected"},
}

// start finds the first record.
func (r *Reader) start() error {
	for r.w-r.r < 6 && r.fill() {
	}
	if r.err != nil {
		return r.err
	}
	head := r.buf[r.r:r.w]
	if bytes.HasPrefix(head, []byte("\xef\xbb\xbf")) {
		r.r += 3
		head = head[3:]
	}
	for _, m := range magics {
		if bytes.HasPrefix(head, []byte(m.magic)) {
			r.err = &dataset.Error{Path: r.name, Err: fmt.Errorf("%s, not FASTA or FASTQ", m.what), Hint: m.hint}
			return r.err
		}
	}
	c, ok := r.next()
	if !ok {
		return r.err
	}
	switch c {
	case '>':
		r.format = FASTA
	case '@':
		r.format = FASTQ
	default:
		return r.fail(nil, r.line+1, "", "begins with %s, neither '>' (FASTA) nor '@' (FASTQ)", show(c))
	}
	return nil
}

// next skips blank lines and returns the first byte of the next line without taking it.
func (r *Reader) next() (c byte, ok bool) {
	for {
		if r.r == r.w && !r.fill() {
			return 0, false
		}
		switch c := r.buf[r.r]; c {
		case '\n':
			r.r++
			r.line++
		case '\r':
			for r.w-r.r < 2 && r.fill() {
			}
			if r.err != nil {
				return 0, false
			}
			if r.w-r.r < 2 { // a last line of '\r' only
				r.r++
				continue
			}
			if r.buf[r.r+1] != '\n' {
				return c, true
			}
			r.r++
		default:
			return c, true
		}
	}
}

func show(c byte) string {
	if c > ' ' && c < 0x7f {
		return "'" + string(rune(c)) + "'"
	}
	switch c {
	case ' ':
		return "a blank"
	case '\t':
		return "a tab"
	}
	return fmt.Sprintf("byte 0x%02x", c)
}

// appendLine appends the rest of the line to dst without its end; complete is false where the input ended before a line end.
// It returns early, with over true, where dst would get longer than limit.
func (r *Reader) appendLine(dst []byte, limit int, check bool) (out []byte, complete, over bool) {
	for {
		part := r.buf[r.r:r.w]
		i := bytes.IndexByte(part, '\n')
		if i >= 0 {
			dst = append(dst, part[:i]...)
			r.r += i + 1
			if n := len(dst); n > 0 && i > 0 && part[i-1] == '\r' {
				dst = dst[:n-1]
			} else if i == 0 && n > 0 && dst[n-1] == '\r' { // '\r' was the end of the buffer before
				dst = dst[:n-1]
			}
			return dst, true, len(dst) > limit
		}
		dst = append(dst, part...)
		r.r = r.w
		if len(dst) > limit+1 || check && r.broken(part) {
			return dst, false, len(dst) > limit+1
		}
		if !r.fill() {
			if n := len(dst); n > 0 && dst[n-1] == '\r' {
				dst = dst[:n-1]
			}
			return dst, false, len(dst) > limit
		}
	}
}

// broken reports whether a piece of a sequence line holds what no sequence may, so that a long line of something
// else is refused before all of it is read.
func (r *Reader) broken(part []byte) bool {
	if n := len(part); n > 0 && part[n-1] == '\r' {
		part = part[:n-1]
	}
	c := classes(part)
	return c&isBad == isBad && (!r.opt.Protein || !onlyLetters(part))
}

func onlyLetters(s []byte) bool {
	for _, c := range s {
		if class[c] == isBad {
			return false
		}
	}
	return true
}

// Read reads the next record into rec, whose memory is reused. At the end it returns io.EOF. Bad data are *dataset.Error with
// file, record and line; every later call then returns the same error.
func (r *Reader) Read(rec *Record) error {
	if r.err != nil {
		return r.err
	}
	c, ok := r.next()
	if !ok {
		if r.err == nil {
			r.judge()
			r.err = io.EOF
		}
		return r.err
	}
	rec.Index, rec.Line = r.n, r.line+1
	rec.Name, rec.Seq, rec.Plus = rec.Name[:0], rec.Seq[:0], rec.Plus[:0]
	if r.format == FASTA {
		rec.Qual = nil
		return r.readFASTA(rec, c)
	}
	if rec.Qual == nil {
		rec.Qual = make([]byte, 0, cap(rec.Seq))
	}
	rec.Qual = rec.Qual[:0]
	return r.readFASTQ(rec, c)
}

// header reads the line of the name; mark is '>' or '@'.
func (r *Reader) header(rec *Record, c, mark byte) (complete bool, err error) {
	if c != mark {
		return false, r.fail(&Record{Index: r.n}, r.line+1, "", "begins with %s, expected '%c' and a name: lines are missing or too many before it", show(c), mark)
	}
	r.r++
	r.line++
	var over bool
	rec.Name, complete, over = r.appendLine(rec.Name, maxName, false)
	if over {
		return false, r.fail(rec, r.line, "", "a name longer than %d bytes", maxName)
	}
	if r.err != nil {
		return false, r.err
	}
	if i := bytes.IndexByte(rec.Name, 0); i >= 0 {
		return false, r.fail(rec, r.line, "", "a zero byte in the name, column %d", i+2)
	}
	if i := bytes.IndexByte(rec.Name, '\r'); i >= 0 {
		return false, r.fail(rec, r.line, "convert the line ends to '\\n'", "a carriage return inside the line, column %d", i+2)
	}
	return complete, nil
}

// sequence appends one line of letters to rec.Seq; more says that a '+' line could stand there instead.
func (r *Reader) sequence(rec *Record, more bool) (complete bool, err error) {
	from := len(rec.Seq)
	r.line++
	var over bool
	rec.Seq, complete, over = r.appendLine(rec.Seq, r.opt.MaxRecord, true)
	if r.err != nil {
		return false, r.err
	}
	if err := r.check(rec, from, more); err != nil {
		return false, err
	}
	if over {
		return false, r.fail(rec, r.line, "", "a sequence longer than %d letters", r.opt.MaxRecord)
	}
	return complete, nil
}

// check refuses letters of rec.Seq[from:] that are no nucleotide codes.
func (r *Reader) check(rec *Record, from int, more bool) error {
	s := rec.Seq[from:]
	if classes(s)&^isIUPAC == 0 {
		if !r.looked {
			for _, c := range s {
				r.iupac += int64(class[c])
			}
			r.letters += int64(len(s))
		}
		return nil
	}
	for i, c := range s {
		switch k := class[c]; {
		case k&^isIUPAC == 0, r.opt.Protein && k == isOther:
			continue
		case r.opt.Protein && (c|0x20 >= 'a' && c|0x20 <= 'z'):
			continue
		case more:
			return r.fail(rec, r.line, "", "column %d is %s: neither '+' nor more sequence", i+1, show(c))
		case c == '-' || c == '*':
			return r.fail(rec, r.line, "take gaps and stops out: only A C G T U N and IUPAC codes are sequence", "column %d is %s, no nucleotide code", i+1, show(c))
		case k == isOther && !r.opt.Protein:
			return r.fail(rec, r.line, "nucleotide sequences are expected: A C G T U N and IUPAC codes", "column %d is '%c', no nucleotide code: looks like protein", i+1, c)
		case c == '\r':
			return r.fail(rec, r.line, "convert the line ends to '\\n'", "a carriage return inside the line, column %d", i+1)
		case (c == '>' || c == '@' || c == '+') && i == 0:
			return r.fail(rec, r.line, "", "begins with %s, expected sequence (the file is %s)", show(c), r.format)
		default:
			return r.fail(rec, r.line, "", "column %d is %s, no nucleotide code", i+1, show(c))
		}
	}
	return nil
}

func (r *Reader) readFASTA(rec *Record, c byte) error {
	complete, err := r.header(rec, c, '>')
	if err != nil {
		return err
	}
	for complete {
		if r.r == r.w && !r.fill() {
			break
		}
		if r.buf[r.r] == '>' {
			break
		}
		if complete, err = r.sequence(rec, false); err != nil {
			return err
		}
	}
	if r.err != nil {
		return r.err
	}
	r.done(rec)
	return nil
}

func (r *Reader) readFASTQ(rec *Record, c byte) error {
	complete, err := r.header(rec, c, '@')
	if err != nil {
		return err
	}
	// Sequence, up to the line that begins with '+'.
	lines := 0
	for {
		if !complete || r.r == r.w && !r.fill() {
			if r.err != nil {
				return r.err
			}
			return r.fail(rec, r.line, "the file is cut off", "the file ends inside the record: no '+' line")
		}
		if r.buf[r.r] == '+' && lines > 0 {
			break
		}
		if lines == 1 && len(rec.Seq) == 0 {
			return r.fail(rec, r.line+1, "", "begins with %s, expected '+' after an empty sequence", show(r.buf[r.r]))
		}
		before := len(rec.Seq)
		if r.buf[r.r] == '@' && lines > 0 {
			return r.fail(rec, r.line+1, "", "begins with '@', expected '+': a line is missing before it")
		}
		if complete, err = r.sequence(rec, lines > 0); err != nil {
			return err
		}
		if lines > 0 && len(rec.Seq) == before {
			return r.fail(rec, r.line, "", "a blank line inside a FASTQ record")
		}
		lines++
	}
	// '+' and perhaps the name again.
	r.r++
	r.line++
	var over bool
	rec.Plus, complete, over = r.appendLine(rec.Plus, maxName, false)
	if over {
		return r.fail(rec, r.line, "", "a '+' line longer than %d bytes", maxName)
	}
	if r.err != nil {
		return r.err
	}
	if !complete {
		return r.fail(rec, r.line, "the file is cut off", "the file ends inside the record: no quality line")
	}
	if len(rec.Plus) > 0 && !r.warnPlus && !bytes.Equal(rec.Plus, rec.Name) {
		r.warnPlus = true
		r.warn("%s: the '+' line says %s, the name is %s (told once; both are kept)", place(rec, r.line), quote(rec.Plus), quote(rec.Name))
	}
	// As many qualities as letters. A quality may begin with '@' or '+': only the number tells where it ends.
	for first := true; first || lines > 1 && len(rec.Qual) < len(rec.Seq); first = false {
		if r.r == r.w && !r.fill() {
			if r.err != nil {
				return r.err
			}
			if len(rec.Seq) == 0 {
				break
			}
			return r.fail(rec, r.line, "the file is cut off", "the file ends inside the record: %d qualities for %d letters", len(rec.Qual), len(rec.Seq))
		}
		from := len(rec.Qual)
		r.line++
		rec.Qual, complete, over = r.appendLine(rec.Qual, len(rec.Seq), false)
		if r.err != nil {
			return r.err
		}
		if i := badQual(rec.Qual[from:]); i >= 0 {
			return r.fail(rec, r.line, "", "column %d is %s, no quality ('!' to '~')", i+1, show(rec.Qual[from+i]))
		}
		if over {
			more := ""
			if !complete {
				more = " or more"
			}
			return r.fail(rec, r.line, "", "the quality is longer than the sequence: %d%s for %d letters", len(rec.Qual), more, len(rec.Seq))
		}
		if len(rec.Qual) < len(rec.Seq) && (lines <= 1 || !complete || len(rec.Qual) == from) {
			hint := ""
			if !complete {
				hint = "the file is cut off"
			}
			return r.fail(rec, r.line, hint, "the quality is shorter than the sequence: %d for %d letters", len(rec.Qual), len(rec.Seq))
		}
	}
	if !r.looked {
		for _, q := range rec.Qual {
			r.qmin, r.qmax = min(r.qmin, q), max(r.qmax, q)
		}
	}
	r.done(rec)
	return nil
}

// badQual returns the index of the first byte outside '!'..'~', or -1.
func badQual(q []byte) int {
	const ones = 0x0101010101010101
	i := 0
	for ; i+8 <= len(q); i += 8 {
		x := binary.LittleEndian.Uint64(q[i:])
		low := (x | 0x80*ones) - 0x21*ones  // high bit: the low seven bits are 0x21 or more
		high := (x &^ (0x80 * ones)) + ones // high bit: 0x7f
		if (x|high|^low)&(0x80*ones) != 0 {
			break
		}
	}
	for ; i < len(q); i++ {
		if q[i] < '!' || q[i] > '~' {
			return i
		}
	}
	return -1
}

// done counts a record.
func (r *Reader) done(rec *Record) {
	r.n++
	if r.n == lookAt {
		r.judge()
	}
}

// judge warns of what the first records look like.
func (r *Reader) judge() {
	if r.looked {
		return
	}
	r.looked = true
	if r.format == FASTQ && r.qmin >= ';' && r.qmin != 255 && r.qmax > 'J' {
		r.warn("qualities of the first %d records lie between %s and %s: they look like Phred+64 (old Illumina), but are read as Phred+33",
			r.n, show(r.qmin), show(r.qmax))
	}
	if !r.opt.Protein && r.letters >= 50 && r.iupac*4 > r.letters {
		r.warn("%d of the first %d letters are ambiguity codes: is this protein?", r.iupac, r.letters)
	}
}

// ReadAll reads every record of a file.
func ReadAll(path string, opt Options) ([]Record, error) {
	r, err := Open(path, opt)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var out []Record
	for {
		var rec Record
		switch err := r.Read(&rec); err {
		case nil:
			out = append(out, rec)
		case io.EOF:
			return out, nil
		default:
			return nil, err
		}
	}
}
