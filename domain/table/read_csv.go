package table

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/selfsame-ml/selfsame/dataset"
)

// Dialect is how a CSV file is written (RFC 4180 and what is found in the wild).
type Dialect struct {
	Delimiter byte
	Quote     byte // '"' or '\''
	Header    bool // the first record names the columns
	Comma     bool // numbers have a decimal comma
	RowNames  bool // records have one field more than the header: the first is the row's name, as R writes it
}

// csvReader reads CSV. Cells point into blocks that are never written again, so they stay valid; whoever keeps a few of
// them for long should clone them.
type csvReader struct {
	in     *textInput
	source string
	d      Dialect
	header []string
	buf    []byte
	pos    int
	line   int // of buf[pos]
	eof    bool
	// what the block holds anywhere
	quotes, returns, odd bool
	fields               [][2]int // of the record that is being read
	first                []string // a first record that is no header is given back
	firstLine            int
}

// newCSV reads the head of a file: dialect, names of columns. known are names that the header surely holds where it
// holds one of them.
func newCSV(in *textInput, source string, delimiter byte, known []string) (*csvReader, error) {
	r := &csvReader{in: in, source: source, line: 1}
	if err := r.fill(); err != nil {
		return nil, err
	}
	if len(r.buf) == 0 {
		return nil, &dataset.Error{Path: source, Err: errors.New("the file is empty")}
	}
	if i := bytes.IndexByte(r.buf[:min(len(r.buf), 4096)], 0); i >= 0 && bytes.Count(r.buf[:min(len(r.buf), 4096)], []byte{0}) > 16 {
		return nil, &dataset.Error{Path: source, Record: fmt.Sprintf("byte %d", i), Err: errors.New("not text: it holds NUL bytes"), Hint: "known files: CSV, JSON lines, Parquet, ARFF, SQLite; data.encoding: utf-16 for text of two bytes a character"}
	}
	r.d = detectDialect(r.buf, r.eof, delimiter, known)
	r.quotes = r.quotes || r.d.Quote == '\''
	names, line, err := r.record(nil)
	if errors.Is(err, io.EOF) {
		return nil, &dataset.Error{Path: source, Err: errors.New("the file holds blank lines only")}
	}
	if err != nil {
		return nil, &dataset.Error{Path: source, Record: fmt.Sprintf("line %d", line), Err: unwrapRecord(err)}
	}
	if r.d.Header {
		r.header = make([]string, len(names))
		for i, n := range names {
			if r.header[i] = strings.Clone(strings.TrimSpace(n)); r.header[i] == "" {
				r.header[i] = fmt.Sprintf("column_%d", i+1)
			}
		}
		if r.d.RowNames {
			r.header = append([]string{"row_name"}, r.header...)
		}
	} else {
		for i := range names {
			r.header = append(r.header, fmt.Sprintf("column_%d", i+1))
		}
		r.first, r.firstLine = slices.Clone(names), line
	}
	if err := checkHeader(r.header); err != nil {
		return nil, &dataset.Error{Path: source, Record: fmt.Sprintf("line %d", line), Err: err}
	}
	return r, nil
}

func unwrapRecord(err error) error {
	var re *RecordError
	if errors.As(err, &re) {
		return re.Err
	}
	return err
}

// checkHeader refuses names that occur twice.
func checkHeader(names []string) error {
	seen := map[string]int{}
	for i, n := range names {
		if k, ok := seen[n]; ok {
			return fmt.Errorf("columns %d and %d are both named %.60q", k+1, i+1, n)
		}
		seen[n] = i
	}
	return nil
}

func (r *csvReader) Header() []string           { return r.header }
func (r *csvReader) Close() error               { return r.in.Close() }
func (r *csvReader) Position() (a, total int64) { return r.in.Position() }

// DecimalComma reports numbers such as 1.234,50.
func (r *csvReader) DecimalComma() bool { return r.d.Comma }

// Dialect is what was found.
func (r *csvReader) Dialect() Dialect { return r.d }

func (r *csvReader) Describe() string {
	s := "CSV, " + r.in.found() + ", " + delimiterWord(r.d.Delimiter)
	if r.d.Quote == '\'' {
		s += ", single quotes"
	}
	if r.d.Comma {
		s += ", decimal comma"
	}
	if !r.d.Header {
		s += ", no header"
	}
	return s
}

// Next reads one record.
func (r *csvReader) Next(ctx context.Context, dst []Cell) (int, error) {
	if r.first != nil {
		for i, t := range r.first {
			dst[i] = Cell{Text: t}
		}
		r.first = nil
		return r.firstLine, nil
	}
	_, line, err := r.record(dst)
	return line, err
}

// fill reads one more block behind what is left of the last.
func (r *csvReader) fill() error {
	left := len(r.buf) - r.pos
	size := max(blockSize, 2*left)
	if r.buf == nil {
		size = max(4096, len(r.in.head)+len(r.in.head)/2)
	}
	b := make([]byte, left, size)
	copy(b, r.buf[r.pos:])
	for len(b) < size {
		n, err := r.in.Read(b[len(b):size])
		b = b[:len(b)+n]
		if err != nil {
			if !errors.Is(err, io.EOF) {
				return r.readError(err)
			}
			r.eof = true
			break
		}
		if n > 0 && r.buf == nil && len(r.in.head) == 0 && len(r.in.pending) == 0 {
			break // the head is enough to begin
		}
	}
	r.buf, r.pos = b, 0
	r.quotes = r.d.Quote == '\'' || bytes.IndexByte(b, '"') >= 0
	r.returns = bytes.IndexByte(b, '\r') >= 0
	r.odd = !ascii(b) || bytes.IndexByte(b, 0) >= 0
	return nil
}

func (r *csvReader) readError(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &dataset.Error{Path: r.source, Record: fmt.Sprintf("line %d", r.line), Err: fmt.Errorf("reading stopped: %w", err)}
}

func textOf(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	return unsafe.String(&b[0], len(b))
}

// record reads the next record that is not a blank line. With dst nil it returns the texts of its fields.
func (r *csvReader) record(dst []Cell) (texts []string, line int, err error) {
	for {
		rest := r.buf[r.pos:]
		end := bytes.IndexByte(rest, '\n')
		simple := end >= 0
		row := rest
		if simple {
			row = rest[:end]
			if r.returns {
				row = bytes.TrimSuffix(row, []byte{'\r'})
				simple = bytes.IndexByte(row, '\r') < 0
			}
			simple = simple && (!r.quotes || bytes.IndexByte(row, r.d.Quote) < 0)
		}
		if !simple {
			if texts, line, err, done := r.slow(dst); done {
				return texts, line, err
			}
			continue
		}
		line = r.line
		r.pos += end + 1
		r.line++
		if len(row) == 0 && len(r.header) != 1 {
			continue
		}
		if r.odd {
			if err := r.check(row, line); err != nil {
				return nil, line, err
			}
		}
		if dst == nil {
			for f := range bytes.SplitSeq(row, []byte{r.d.Delimiter}) {
				texts = append(texts, textOf(f))
			}
			return texts, line, nil
		}
		n, whole := 0, row
		for {
			i := bytes.IndexByte(row, r.d.Delimiter)
			f := row
			if i >= 0 {
				f = row[:i]
			}
			if n < len(dst) {
				dst[n] = Cell{Text: textOf(f)}
			}
			n++
			if i < 0 {
				break
			}
			row = row[i+1:]
		}
		if n != len(dst) {
			return nil, line, r.ragged(line, n, whole)
		}
		return nil, line, nil
	}
}

func (r *csvReader) ragged(line, n int, row []byte) error {
	return r.bad(line, row, fmt.Errorf("%s, the table has %d columns", plural(n, "field"), len(r.header)))
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (r *csvReader) bad(line int, value []byte, err error) *RecordError {
	return &RecordError{Source: r.source, Place: line, Value: string(value[:min(len(value), 80)]), Err: err}
}

// check refuses what is no text.
func (r *csvReader) check(row []byte, line int) error {
	column := func(at int) string { // quotes are seldom here; a wrong name would be worse than none
		if bytes.IndexByte(row[:at], r.d.Quote) >= 0 {
			return ""
		}
		if k := bytes.Count(row[:at], []byte{r.d.Delimiter}); k < len(r.header) {
			return r.header[k]
		}
		return ""
	}
	fail := func(at int, err error) error {
		e := r.bad(line, row[max(0, at-20):min(len(row), at+20)], err)
		e.Column = column(at)
		return e
	}
	if i := bytes.IndexByte(row, 0); i >= 0 {
		return fail(i, errors.New("a NUL byte in the text"))
	}
	if !utf8.Valid(row) {
		i := 0
		for i < len(row) {
			c, n := utf8.DecodeRune(row[i:])
			if c == utf8.RuneError && n == 1 {
				break
			}
			i += n
		}
		return fail(i, fmt.Errorf("byte 0x%02x is no %s text", row[i], r.in.found()))
	}
	return nil
}

// slow reads a record with quotes, with odd line ends, or at the end of the block. done is false where a blank line was
// passed over or more was read.
func (r *csvReader) slow(dst []Cell) (texts []string, line int, err error, done bool) {
	if r.pos == len(r.buf) && r.eof {
		return nil, r.line, io.EOF, true
	}
	line = r.line
	start := r.pos
	size, lines, why := scanRecord(r.buf[r.pos:], r.eof, r.d.Delimiter, r.d.Quote, &r.fields)
	if why == scanMore {
		if len(r.buf)-r.pos < maxRecord {
			if err := r.fill(); err != nil {
				return nil, line, err, true
			}
			return nil, 0, nil, false
		}
	}
	rest := r.buf[start:]
	if why != scanOK { // go on with the next line, so that one quote does not cost the rest of the file
		n := lineLength(rest)
		r.pos += n
		r.line++
		err := fmt.Errorf("a quote %c is opened and not closed", r.d.Quote)
		switch {
		case why == scanMore:
			err = fmt.Errorf("a record of more than %d MB", maxRecord>>20)
		case why == scanAfter && lines == 1:
			err = fmt.Errorf("text behind a closing quote %c", r.d.Quote)
		case why == scanAfter:
			err = fmt.Errorf("a quote %c is opened here, and text stands behind the next one, %d lines below", r.d.Quote, lines-1)
		}
		return nil, line, r.bad(line, bytes.TrimRight(rest[:n], "\r\n"), err), true
	}
	r.pos += size
	r.line += lines
	row := bytes.TrimRight(rest[:size], "\r\n")
	if len(row) == 0 && len(r.header) != 1 {
		return nil, 0, nil, false
	}
	if r.odd {
		if err := r.check(row, line); err != nil {
			return nil, line, err, true
		}
	}
	if dst == nil {
		for _, f := range r.fields {
			texts = append(texts, textOf(unquote(rest[f[0]:f[1]], r.d.Quote)))
		}
		return texts, line, nil, true
	}
	if len(r.fields) != len(dst) {
		return nil, line, r.ragged(line, len(r.fields), row), true
	}
	for i, f := range r.fields {
		dst[i] = Cell{Text: textOf(unquote(rest[f[0]:f[1]], r.d.Quote))}
	}
	return nil, line, nil, true
}

func lineLength(b []byte) int {
	i := bytes.IndexAny(b, "\r\n")
	switch {
	case i < 0:
		return len(b)
	case b[i] == '\r' && i+1 < len(b) && b[i+1] == '\n':
		return i + 2
	}
	return i + 1
}

// unquote gives the text of a field; doubled quotes are made single in place.
func unquote(f []byte, quote byte) []byte {
	t := bytes.TrimLeft(f, " ")
	if len(t) < 2 || t[0] != quote {
		return f
	}
	t = t[1 : len(bytes.TrimRight(t, " "))-1]
	if bytes.IndexByte(t, quote) < 0 {
		return t
	}
	n := 0
	for i := 0; i < len(t); i++ {
		t[n] = t[i]
		if t[i] == quote {
			i++ // the second of two
		}
		n++
	}
	return t[:n]
}

type scanResult uint8

const (
	scanOK    scanResult = iota
	scanMore             // the record is longer than the block
	scanOpen             // a quote is not closed before the end of the file
	scanAfter            // text behind a closing quote
)

// scanRecord finds the fields of the record at the start of b: places of each with its quotes, the length with the line end,
// and how many lines it has.
func scanRecord(b []byte, eof bool, delimiter, quote byte, fields *[][2]int) (size, lines int, why scanResult) {
	*fields = (*fields)[:0]
	i, start := 0, 0
	for {
		// A field begins at i.
		j := i
		for j < len(b) && b[j] == ' ' {
			j++
		}
		if j < len(b) && b[j] == quote {
			j++
			for {
				k := bytes.IndexByte(b[j:], quote)
				if k < 0 {
					if !eof {
						return 0, 0, scanMore
					}
					return 0, 0, scanOpen
				}
				lines += countLines(b[j : j+k])
				j += k + 1
				if j == len(b) && !eof {
					return 0, 0, scanMore
				}
				if j < len(b) && b[j] == quote {
					j++
					continue
				}
				break
			}
			for j < len(b) && b[j] == ' ' {
				j++
			}
			if j < len(b) && b[j] != delimiter && b[j] != '\n' && b[j] != '\r' {
				why = scanAfter
			}
		}
		for j < len(b) && b[j] != delimiter && b[j] != '\n' && b[j] != '\r' {
			j++
		}
		if j == len(b) && !eof || j+1 == len(b) && b[j] == '\r' && !eof {
			return 0, 0, scanMore
		}
		*fields = append(*fields, [2]int{start, j})
		if j == len(b) {
			return j, lines + 1, why
		}
		if b[j] == delimiter {
			i, start = j+1, j+1
			continue
		}
		if b[j] == '\r' && j+1 < len(b) && b[j+1] == '\n' {
			j++
		}
		return j + 1, lines + 1, why
	}
}

func countLines(b []byte) int {
	n := bytes.Count(b, []byte{'\n'})
	for i, c := range b {
		if c == '\r' && (i+1 == len(b) || b[i+1] != '\n') {
			n++
		}
	}
	return n
}

// dialectRecords is how many records the dialect is judged by.
const dialectRecords = 200

// sampleRecords splits the head of a file by one dialect. A record cut by the end of the head is left out.
func sampleRecords(head []byte, eof bool, delimiter, quote byte) (out [][]string) {
	var fields [][2]int
	for len(out) < dialectRecords && len(head) > 0 {
		size, _, why := scanRecord(head, eof, delimiter, quote, &fields)
		if why == scanMore {
			break
		}
		if why == scanOpen {
			head = head[lineLength(head):]
			continue
		}
		if why == scanOK && (len(fields) > 1 || fields[0][0] < fields[0][1]) {
			rec := make([]string, len(fields))
			for i, f := range fields {
				rec[i] = string(unquote(bytes.Clone(head[f[0]:f[1]]), quote))
			}
			out = append(out, rec)
		}
		head = head[size:]
	}
	return out
}

// detectDialect judges the head of a file. The delimiter is the one by which most records have the same number of fields,
// as many as the first; a tie goes to the rarer character of text.
func detectDialect(head []byte, eof bool, delimiter byte, known []string) Dialect {
	d := Dialect{Delimiter: ',', Quote: '"', Header: true}
	candidates := []byte{'\t', ';', '|', ','}
	if delimiter != 0 {
		candidates = []byte{delimiter}
		d.Delimiter = delimiter
	}
	if bytes.IndexByte(head, '"') < 0 {
		for _, c := range candidates {
			if bytes.Contains(head, []byte{c, '\''}) && bytes.Contains(head, []byte{'\'', c}) {
				d.Quote = '\''
			}
		}
	}
	best := 0.0
	var records [][]string
	for _, c := range candidates {
		recs := sampleRecords(head, eof, c, d.Quote)
		if len(recs) == 0 {
			continue
		}
		counts := map[int]int{}
		for _, rec := range recs {
			counts[len(rec)]++
		}
		mode := 0
		for n, k := range counts {
			if k > counts[mode] || k == counts[mode] && n > mode {
				mode = n
			}
		}
		if mode < 2 && delimiter == 0 {
			continue
		}
		score := float64(counts[mode]) / float64(len(recs))
		if len(recs[0]) == mode {
			score++
		}
		if score > best {
			best, d.Delimiter, records = score, c, recs
		}
	}
	if records == nil {
		records = sampleRecords(head, eof, d.Delimiter, d.Quote)
	}
	d.Comma = decimalComma(records, d.Delimiter)
	d.Header = hasHeader(records, d.Comma, known)
	if d.Header && len(records) > 1 {
		d.RowNames = true
		for _, rec := range records[1:] {
			d.RowNames = d.RowNames && len(rec) == len(records[0])+1
		}
	}
	return d
}

// decimalComma reports that numbers are written 1,5. A comma before exactly three digits could also separate thousands: such
// numbers alone prove nothing.
func decimalComma(records [][]string, delimiter byte) bool {
	if delimiter == ',' {
		return false
	}
	comma, point := 0, 0
	for _, rec := range records {
		for _, f := range rec {
			f = strings.TrimLeft(strings.TrimSpace(f), "+-")
			if f == "" || strings.Trim(f, "0123456789.,") != "" {
				continue
			}
			c, p := strings.LastIndexByte(f, ','), strings.LastIndexByte(f, '.')
			switch {
			case c > p && strings.Count(f, ",") == 1 && (p >= 0 || c > 3 || len(f)-c-1 != 3 || c == 0):
				comma++
			case p > c && strings.Count(f, ".") == 1 && (c >= 0 || p > 3 || len(f)-p-1 != 3 || p == 0):
				point++
			}
		}
	}
	return comma > point
}

// hasHeader judges whether the first record names the columns: it does where it holds a known name; it does not where
// one of its fields is empty or a number above numbers, or occurs often below.
func hasHeader(records [][]string, comma bool, known []string) bool {
	if len(records) == 0 {
		return true
	}
	first := records[0]
	if slices.ContainsFunc(known, func(k string) bool {
		return slices.ContainsFunc(first, func(f string) bool { return strings.TrimSpace(f) == k })
	}) {
		return true
	}
	if len(records) == 1 {
		return true
	}
	numeric, repeated, text := 0, 0, 0
	for j, f := range first {
		f = strings.TrimSpace(f)
		_, isNumber := parseNumber(f, comma)
		below, numbers, equal := 0, 0, 0
		for _, rec := range records[1:] {
			if j >= len(rec) || strings.TrimSpace(rec[j]) == "" {
				continue
			}
			below++
			c := strings.TrimSpace(rec[j])
			if _, ok := parseNumber(c, comma); ok {
				numbers++
			}
			if c == f {
				equal++
			}
		}
		switch {
		case isNumber && below > 0 && numbers*2 >= below:
			numeric++
		case !isNumber && f != "" && below > 0 && numbers*2 > below:
			text++
		case f != "" && equal > 0:
			repeated++
		}
	}
	switch {
	case text > 0: // a word above numbers
		return true
	case numeric > 0:
		return false
	}
	return repeated*2 <= len(first)
}
