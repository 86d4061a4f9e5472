package table

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/selfsame-ml/selfsame/dataset"
)

const (
	jsonHeadRecords = 10_000 // records in which the keys are looked for
	jsonDepth       = 64     // of nested values
)

// jsonReader reads JSON lines (one object a line), or an array of objects. Nested objects give columns with dots
// ("address.city"); arrays are cells of JSON text.
type jsonReader struct {
	in     *textInput
	source string
	scan   *bufio.Scanner
	lines  bool // one value a line
	line   int  // of the value that scan gave last
	next   int  // of the text behind it
	head   []jsonRecord
	header []string
	index  map[string]int
	stamp  []int // record in which a column was set last
	count  int
	late   map[string]int // keys that come after the head: line of the first
	p      jsonParser
}

type jsonRecord struct {
	text string
	line int
}

// newJSON reads the keys of the head. known are columns that exist whether the head holds them or not.
func newJSON(in *textInput, source string, known []string) (*jsonReader, error) {
	r := &jsonReader{in: in, source: source, index: map[string]int{}, late: map[string]int{}, next: 1}
	head := in.head
	trimmed := bytes.TrimLeft(head, " \t\r\n")
	if len(trimmed) == 0 {
		return nil, &dataset.Error{Path: source, Err: errors.New("the file is empty")}
	}
	r.lines = trimmed[0] == '{'
	if r.lines { // the first line must be a whole object, else values go over several lines
		line, _, _ := bytes.Cut(trimmed, []byte{'\n'})
		depth, inside := 0, false
		for i := 0; i < len(line); i++ {
			switch c := line[i]; {
			case inside && c == '\\':
				i++
			case c == '"':
				inside = !inside
			case !inside && c == '{':
				depth++
			case !inside && c == '}':
				depth--
			}
		}
		r.lines = depth == 0
	}
	r.scan = bufio.NewScanner(in)
	r.scan.Buffer(make([]byte, blockSize), maxRecord)
	r.scan.Split(r.split)
	size := 0
	known = append([]string(nil), known...)
	for len(r.head) < jsonHeadRecords && size < headBytes && r.scan.Scan() {
		rec := jsonRecord{r.scan.Text(), r.line}
		size += len(rec.text)
		r.head = append(r.head, rec)
		r.p.keys(rec.text, func(path []byte) { r.column(string(path)) }) // a broken record is said when it is read
	}
	if err := r.scan.Err(); err != nil {
		return nil, r.readError(err)
	}
	if len(r.header) == 0 {
		if len(r.head) == 0 {
			return nil, &dataset.Error{Path: source, Err: errors.New("the file holds no object")}
		}
		err := r.parse(r.head[0], nil)
		if err == nil {
			err = errors.New("the objects hold no key")
		}
		return nil, &dataset.Error{Path: source, Record: fmt.Sprintf("line %d", r.head[0].line), Err: unwrapRecord(err)}
	}
	for _, k := range known { // a key that the head lacks
		r.column(k)
	}
	return r, nil
}

func (r *jsonReader) column(name string) {
	if _, ok := r.index[name]; !ok {
		r.index[name] = len(r.header)
		r.header = append(r.header, name)
		r.stamp = append(r.stamp, 0)
	}
}

// split gives one value to the scanner: a line, or an object inside an array or over several lines.
func (r *jsonReader) split(data []byte, eof bool) (advance int, token []byte, err error) {
	if r.lines {
		advance, token, err = bufio.ScanLines(data, eof)
		if advance > 0 {
			r.line = r.next
			r.next++
		}
		return advance, token, err
	}
	start := 0
	for start < len(data) && strings.IndexByte(" \t\r\n,[]", data[start]) >= 0 {
		start++
	}
	if start == len(data) {
		r.next += bytes.Count(data, []byte{'\n'})
		return start, nil, nil
	}
	depth, inside := 0, false
	for i := start; i < len(data); i++ {
		switch c := data[i]; {
		case inside && c == '\\':
			i++
		case c == '"':
			inside = !inside
		case inside:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth <= 0 {
				return r.gave(data, start, i+1)
			}
		case depth == 0 && (c == ',' || c == '\n'): // no object at all: it is an error of its own
			return r.gave(data, start, i)
		}
	}
	if eof {
		return r.gave(data, start, len(data))
	}
	return 0, nil, nil
}

func (r *jsonReader) gave(data []byte, from, to int) (int, []byte, error) {
	r.line = r.next + bytes.Count(data[:from], []byte{'\n'})
	r.next = r.line + bytes.Count(data[from:to], []byte{'\n'})
	return to, data[from:to], nil
}

func (r *jsonReader) readError(err error) error {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, bufio.ErrTooLong):
		err = fmt.Errorf("a record of more than %d MB", maxRecord>>20)
	default:
		err = fmt.Errorf("reading stopped: %w", err)
	}
	return &dataset.Error{Path: r.source, Record: fmt.Sprintf("line %d", r.next), Err: err}
}

func (r *jsonReader) Header() []string           { return r.header }
func (r *jsonReader) Close() error               { return r.in.Close() }
func (r *jsonReader) Position() (a, total int64) { return r.in.Position() }

// Source names the file.
func (r *jsonReader) Source() string { return r.source }

func (r *jsonReader) Describe() string {
	s := "JSON lines, "
	if !r.lines {
		s = "JSON, "
	}
	return s + r.in.found()
}

// Notes names keys that were left out because they come late.
func (r *jsonReader) Notes() []string {
	var out []string
	for _, k := range sortedNames(r.late) {
		out = append(out, fmt.Sprintf("key %.60q is first seen in line %d, behind the first %d records by which the columns are found, and was left out: declare it under columns", k, r.late[k], len(r.head)))
	}
	return out
}

// Next reads one object.
func (r *jsonReader) Next(_ context.Context, dst []Cell) (int, error) {
	for {
		var rec jsonRecord
		if r.count < len(r.head) {
			rec = r.head[r.count]
			r.head[r.count].text = ""
		} else {
			if !r.scan.Scan() {
				if err := r.scan.Err(); err != nil {
					return r.next, r.readError(err)
				}
				return r.next, io.EOF
			}
			rec = jsonRecord{r.scan.Text(), r.line}
		}
		r.count++
		if strings.TrimSpace(rec.text) == "" {
			continue
		}
		return rec.line, r.parse(rec, dst)
	}
}

func (r *jsonReader) parse(rec jsonRecord, dst []Cell) error {
	for i := range dst {
		dst[i] = Cell{Null: true}
	}
	at := r.count
	err := r.p.object(rec.text, func(path []byte, c Cell) error {
		i, ok := r.index[string(path)]
		switch {
		case !ok:
			if _, seen := r.late[string(path)]; !seen && !c.Null && len(r.late) < maxNamed {
				r.late[string(path)] = rec.line
			}
		case r.stamp[i] == at && at > 0:
			return fmt.Errorf("key %.60q occurs twice", path)
		case dst != nil:
			r.stamp[i], dst[i] = at, c
		}
		return nil
	})
	if err != nil {
		return &RecordError{Source: r.source, Place: rec.line, Value: rec.text[:min(len(rec.text), 80)], Err: err}
	}
	return nil
}

// jsonParser reads one JSON object (RFC 8259) and gives its leaves with dotted paths.
type jsonParser struct {
	s    string
	i    int
	path []byte
}

var errJSON = errors.New("is no JSON object")

// keys gives the paths of an object as far as it can be read.
func (p *jsonParser) keys(s string, give func(path []byte)) {
	_ = p.object(s, func(path []byte, _ Cell) error {
		give(path)
		return nil
	})
}

func (p *jsonParser) object(s string, give func(path []byte, c Cell) error) error {
	p.s, p.i, p.path = s, 0, p.path[:0]
	if !utf8.ValidString(s) {
		return errors.New("is no UTF-8 text")
	}
	p.space()
	if p.i == len(s) || s[p.i] != '{' {
		return errJSON
	}
	if err := p.members(give, 0); err != nil {
		return err
	}
	if p.space(); p.i < len(s) {
		return p.fail("text behind the object")
	}
	return nil
}

func (p *jsonParser) fail(format string, args ...any) error {
	return fmt.Errorf("character %d: %s", utf8.RuneCountInString(p.s[:min(p.i, len(p.s))])+1, fmt.Sprintf(format, args...))
}

func (p *jsonParser) space() {
	for p.i < len(p.s) && (p.s[p.i] == ' ' || p.s[p.i] == '\t' || p.s[p.i] == '\n' || p.s[p.i] == '\r') {
		p.i++
	}
}

func (p *jsonParser) take(c byte) bool {
	if p.space(); p.i < len(p.s) && p.s[p.i] == c {
		p.i++
		return true
	}
	return false
}

// members reads an object whose brace is at p.i.
func (p *jsonParser) members(give func(path []byte, c Cell) error, depth int) error {
	if depth > jsonDepth {
		return p.fail("more than %d values inside each other", jsonDepth)
	}
	p.i++
	if p.take('}') {
		return nil
	}
	base := len(p.path)
	for {
		if p.space(); p.i == len(p.s) || p.s[p.i] != '"' {
			return p.fail("want a key in quotes")
		}
		key, err := p.text()
		if err != nil {
			return err
		}
		if !p.take(':') {
			return p.fail("want a colon behind the key %.40q", key)
		}
		if base > 0 {
			p.path = append(p.path, '.')
		}
		p.path = append(p.path, key...)
		p.space()
		if p.i < len(p.s) && p.s[p.i] == '{' {
			err = p.members(give, depth+1)
		} else {
			var c Cell
			if c, err = p.value(depth); err == nil {
				err = give(p.path, c)
			}
		}
		if err != nil {
			return err
		}
		p.path = p.path[:base]
		if p.take(',') {
			continue
		}
		if p.take('}') {
			return nil
		}
		return p.fail("want a comma or the end of the object")
	}
}

// value reads a value that is no object as a cell.
func (p *jsonParser) value(depth int) (Cell, error) {
	if p.i == len(p.s) {
		return Cell{}, p.fail("the object ends early")
	}
	switch c := p.s[p.i]; {
	case c == '"':
		s, err := p.text()
		return Cell{Text: s}, err
	case c == '[':
		start := p.i
		if err := p.skip(depth); err != nil {
			return Cell{}, err
		}
		return Cell{Text: p.s[start:p.i]}, nil
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	}
	for _, w := range []string{"true", "false", "null"} {
		if strings.HasPrefix(p.s[p.i:], w) {
			p.i += len(w)
			if w == "null" {
				return Cell{Null: true}, nil
			}
			return Cell{Text: w}, nil
		}
	}
	return Cell{}, p.fail("want a value")
}

func (p *jsonParser) number() (Cell, error) {
	start := p.i
	digits := func() bool {
		from := p.i
		for p.i < len(p.s) && p.s[p.i] >= '0' && p.s[p.i] <= '9' {
			p.i++
		}
		return p.i > from
	}
	if p.s[p.i] == '-' {
		p.i++
	}
	zero := p.i < len(p.s) && p.s[p.i] == '0'
	from := p.i
	ok := digits() && (!zero || p.i == from+1)
	if ok && p.i < len(p.s) && p.s[p.i] == '.' {
		p.i++
		ok = digits()
	}
	if ok && p.i < len(p.s) && (p.s[p.i] == 'e' || p.s[p.i] == 'E') {
		p.i++
		if p.i < len(p.s) && (p.s[p.i] == '+' || p.s[p.i] == '-') {
			p.i++
		}
		ok = digits()
	}
	if !ok {
		return Cell{}, p.fail("no number")
	}
	t := p.s[start:p.i]
	v, _, plain := plainNumber(t, '.')
	if !plain {
		var err error
		if v, err = strconv.ParseFloat(t, 64); err != nil && !math.IsInf(v, 0) {
			return Cell{}, p.fail("no number")
		}
	}
	return Cell{Text: t, Num: v, IsNum: true}, nil
}

// skip passes over an array with all that is in it.
func (p *jsonParser) skip(depth int) error {
	if depth > jsonDepth {
		return p.fail("more than %d values inside each other", jsonDepth)
	}
	p.i++
	if p.take(']') {
		return nil
	}
	for {
		p.space()
		var err error
		switch {
		case p.i < len(p.s) && p.s[p.i] == '{':
			base := len(p.path)
			err = p.members(func([]byte, Cell) error { return nil }, depth+1)
			p.path = p.path[:base]
		case p.i < len(p.s) && p.s[p.i] == '[':
			err = p.skip(depth + 1)
		default:
			_, err = p.value(depth)
		}
		if err != nil {
			return err
		}
		if p.take(',') {
			continue
		}
		if p.take(']') {
			return nil
		}
		return p.fail("want a comma or the end of the array")
	}
}

// text reads a string whose quote is at p.i.
func (p *jsonParser) text() (string, error) {
	p.i++
	start := p.i
	for p.i < len(p.s) {
		switch c := p.s[p.i]; {
		case c == '"':
			p.i++
			return p.s[start : p.i-1], nil
		case c == '\\':
			return p.escaped(start)
		case c < ' ':
			return "", p.fail("a control character in a text")
		}
		p.i++
	}
	return "", p.fail("a text that is not closed")
}

func (p *jsonParser) escaped(start int) (string, error) {
	b := []byte(p.s[start:p.i])
	for p.i < len(p.s) {
		c := p.s[p.i]
		p.i++
		switch {
		case c == '"':
			return string(b), nil
		case c < ' ':
			return "", p.fail("a control character in a text")
		case c != '\\':
			b = append(b, c)
			continue
		}
		if p.i == len(p.s) {
			break
		}
		c = p.s[p.i]
		p.i++
		switch c {
		case '"', '\\', '/':
			b = append(b, c)
		case 'b':
			b = append(b, '\b')
		case 'f':
			b = append(b, '\f')
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case 'u':
			u, ok := p.hex()
			if !ok {
				return "", p.fail("no character \\u....")
			}
			if utf16.IsSurrogate(u) {
				low := rune(-1)
				if strings.HasPrefix(p.s[p.i:], `\u`) {
					p.i += 2
					if low, ok = p.hex(); !ok {
						return "", p.fail("no character \\u....")
					}
				}
				if u = utf16.DecodeRune(u, low); u == utf8.RuneError {
					return "", p.fail("half of a surrogate pair")
				}
			}
			b = utf8.AppendRune(b, u)
		default:
			return "", p.fail("unknown escape \\%c", c)
		}
	}
	return "", p.fail("a text that is not closed")
}

func (p *jsonParser) hex() (rune, bool) {
	if p.i+4 > len(p.s) {
		return 0, false
	}
	v, err := strconv.ParseUint(p.s[p.i:p.i+4], 16, 16)
	p.i += 4
	return rune(v), err == nil
}
