package table

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/selfsame-ml/selfsame/dataset"
)

// arffReader reads Weka's attribute-relation file format, dense and sparse.
type arffReader struct {
	in     *textInput
	source string
	scan   *bufio.Scanner
	line   int
	header []string
	attr   []arffAttribute
}

type arffAttribute struct {
	numeric bool
	date    string         // layout; "" = no date
	levels  map[string]int // nominal
	first   string         // first level: what a sparse row leaves out
}

// isARFF reports a head whose first statement is @relation.
func isARFF(head []byte) bool {
	for l := range strings.Lines(string(head[:min(len(head), 1<<16)])) {
		l = strings.TrimSpace(l)
		if l == "" || l[0] == '%' {
			continue
		}
		return len(l) >= 9 && strings.EqualFold(l[:9], "@relation")
	}
	return false
}

// newARFF reads the header.
func newARFF(in *textInput, source string) (*arffReader, error) {
	r := &arffReader{in: in, source: source, scan: bufio.NewScanner(in)}
	r.scan.Buffer(make([]byte, blockSize), maxRecord)
	bad := func(format string, args ...any) error {
		return &dataset.Error{Path: source, Record: fmt.Sprintf("line %d", r.line), Err: fmt.Errorf(format, args...)}
	}
	for r.scan.Scan() {
		r.line++
		l := strings.TrimSpace(r.scan.Text())
		if l == "" || l[0] == '%' {
			continue
		}
		word, rest := l, ""
		if i := strings.IndexAny(l, " \t"); i > 0 {
			word, rest = l[:i], strings.TrimSpace(l[i:])
		}
		switch strings.ToLower(word) {
		case "@relation":
		case "@attribute":
			if err := r.attribute(rest); err != nil {
				return nil, bad("%w", err)
			}
		case "@data":
			if len(r.header) == 0 {
				return nil, bad("@data before any @attribute")
			}
			if err := checkHeader(r.header); err != nil {
				return nil, bad("%w", err)
			}
			return r, nil
		default:
			return nil, bad("want @attribute or @data, got %.40q", l)
		}
	}
	if err := r.scan.Err(); err != nil {
		return nil, r.readError(err)
	}
	return nil, bad("the file ends before @data")
}

// attribute reads NAME TYPE.
func (r *arffReader) attribute(s string) error {
	name, rest, err := arffToken(s, " \t{")
	if err != nil {
		return err
	}
	if name == "" {
		return errors.New("an attribute without a name")
	}
	if !utf8.ValidString(s) {
		return errors.New("is no UTF-8 text")
	}
	rest = strings.TrimSpace(rest)
	a := arffAttribute{}
	kind := strings.ToLower(rest)
	switch {
	case strings.HasPrefix(rest, "{"):
		body, ok := strings.CutSuffix(rest[1:], "}")
		if !ok {
			return fmt.Errorf("attribute %.60q: the list of levels is not closed", name)
		}
		levels, err := arffFields(body, false)
		if err != nil {
			return fmt.Errorf("attribute %.60q: %w", name, err)
		}
		a.levels = map[string]int{}
		for k, l := range levels {
			if k == 0 {
				a.first = l.text
			}
			a.levels[l.text] = k
		}
	case kind == "numeric", kind == "real", kind == "integer":
		a.numeric = true
	case kind == "string":
	case kind == "date" || strings.HasPrefix(kind, "date "):
		layout, _, err := arffToken(strings.TrimSpace(rest[4:]), "")
		if err != nil {
			return err
		}
		if layout == "" {
			layout = "yyyy-MM-dd'T'HH:mm:ss"
		}
		a.date = javaDates.Replace(layout)
	default:
		return fmt.Errorf("attribute %.60q: type %.40q is not known", name, rest)
	}
	r.header, r.attr = append(r.header, name), append(r.attr, a)
	return nil
}

// javaDates turns the patterns of java.text.SimpleDateFormat to layouts of Go.
var javaDates = strings.NewReplacer("yyyy", "2006", "yy", "06", "MMM", "Jan", "MM", "01", "dd", "02", "HH", "15", "hh", "03", "mm", "04", "ss", "05", "SSS", "000", "a", "PM", "Z", "-0700", "z", "MST", "'T'", "T", "''", "'", "'", "")

type arffField struct {
	text   string
	quoted bool
	index  int
}

// arffToken reads a word or a quoted text up to one of the characters of end.
func arffToken(s, end string) (token, rest string, err error) {
	if s == "" {
		return "", "", nil
	}
	if q := s[0]; q == '\'' || q == '"' {
		var b strings.Builder
		for i := 1; i < len(s); i++ {
			switch c := s[i]; {
			case c == '\\' && i+1 < len(s):
				i++
				switch s[i] {
				case 'n':
					b.WriteByte('\n')
				case 't':
					b.WriteByte('\t')
				case 'r':
					b.WriteByte('\r')
				default:
					b.WriteByte(s[i])
				}
			case c == q:
				return b.String(), s[i+1:], nil
			default:
				b.WriteByte(c)
			}
		}
		return "", "", fmt.Errorf("a quote %c is opened and not closed", q)
	}
	if i := strings.IndexAny(s, end); i >= 0 && end != "" {
		return s[:i], s[i:], nil
	}
	return s, "", nil
}

// arffFields splits a row at commas; of a sparse row each item is INDEX VALUE.
func arffFields(s string, sparse bool) ([]arffField, error) {
	var out []arffField
	for s = strings.TrimSpace(s); ; {
		f := arffField{index: -1}
		if sparse {
			i := strings.IndexAny(s, " \t")
			if i < 0 {
				return nil, errors.New("want INDEX VALUE in a sparse row")
			}
			n, err := strconv.Atoi(s[:i])
			if err != nil || n < 0 {
				return nil, fmt.Errorf("%.20q is no index", s[:i])
			}
			f.index, s = n, strings.TrimSpace(s[i:])
		}
		f.quoted = s != "" && (s[0] == '\'' || s[0] == '"')
		text, rest, err := arffToken(s, ",")
		if err != nil {
			return nil, err
		}
		if f.text = text; !f.quoted {
			f.text = strings.TrimSpace(text)
		}
		out = append(out, f)
		rest = strings.TrimSpace(rest)
		if rest == "" {
			return out, nil
		}
		if rest[0] != ',' {
			return nil, errors.New("text behind a closing quote")
		}
		s = strings.TrimSpace(rest[1:])
	}
}

func (r *arffReader) readError(err error) error {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, bufio.ErrTooLong):
		err = fmt.Errorf("a record of more than %d MB", maxRecord>>20)
	default:
		err = fmt.Errorf("reading stopped: %w", err)
	}
	return &dataset.Error{Path: r.source, Record: fmt.Sprintf("line %d", r.line+1), Err: err}
}

func (r *arffReader) Header() []string           { return r.header }
func (r *arffReader) Close() error               { return r.in.Close() }
func (r *arffReader) Position() (a, total int64) { return r.in.Position() }

// Source names the file.
func (r *arffReader) Source() string { return r.source }

func (r *arffReader) Describe() string { return "ARFF, " + r.in.found() }

// Next reads one instance.
func (r *arffReader) Next(_ context.Context, dst []Cell) (int, error) {
	for r.scan.Scan() {
		r.line++
		l := strings.TrimSpace(r.scan.Text())
		if l == "" || l[0] == '%' {
			continue
		}
		return r.line, r.instance(l, dst)
	}
	if err := r.scan.Err(); err != nil {
		return r.line, r.readError(err)
	}
	return r.line, io.EOF
}

func (r *arffReader) instance(l string, dst []Cell) error {
	bad := func(column, value string, err error) error {
		return &RecordError{Source: r.source, Place: r.line, Column: column, Value: value, Err: err}
	}
	short := l[:min(len(l), 80)]
	if !utf8.ValidString(l) {
		return bad("", short, errors.New("is no UTF-8 text"))
	}
	if l[0] == '{' {
		for j := range dst {
			if a := &r.attr[j]; a.numeric {
				dst[j] = Cell{Text: "0", IsNum: true}
			} else {
				dst[j] = Cell{Text: a.first, Null: a.levels == nil}
			}
		}
		body, _, ok := strings.Cut(l[1:], "}") // behind it stands the weight of the instance, if any
		if !ok {
			return bad("", short, errors.New("a sparse row is not closed"))
		}
		if strings.TrimSpace(body) == "" {
			return nil
		}
		fields, err := arffFields(body, true)
		if err != nil {
			return bad("", short, err)
		}
		for _, f := range fields {
			if f.index >= len(dst) {
				return bad("", short, fmt.Errorf("index %d, the table has %d columns", f.index, len(dst)))
			}
			if dst[f.index], err = r.cell(f.index, f); err != nil {
				return bad(r.header[f.index], f.text, err)
			}
		}
		return nil
	}
	fields, err := arffFields(l, false)
	if err != nil {
		return bad("", short, err)
	}
	if len(fields) == len(dst)+1 && strings.HasPrefix(fields[len(dst)].text, "{") { // weight
		fields = fields[:len(dst)]
	}
	if len(fields) != len(dst) {
		return bad("", short, fmt.Errorf("%s, the table has %d columns", plural(len(fields), "field"), len(dst)))
	}
	for j, f := range fields {
		if dst[j], err = r.cell(j, f); err != nil {
			return bad(r.header[j], f.text, err)
		}
	}
	return nil
}

func (r *arffReader) cell(j int, f arffField) (Cell, error) {
	a := &r.attr[j]
	if f.text == "?" && !f.quoted {
		return Cell{Null: true}, nil
	}
	switch {
	case a.levels != nil:
		if _, ok := a.levels[f.text]; !ok {
			return Cell{}, errors.New("is none of the levels of the attribute")
		}
	case a.date != "":
		t, err := time.Parse(a.date, f.text)
		if err != nil {
			if outOfRange(err) {
				return Cell{}, errNoDate
			}
			return Cell{}, fmt.Errorf("is no date of the form %s", a.date)
		}
		return Cell{Num: seconds(t), IsNum: true, IsTime: true}, nil
	}
	return Cell{Text: f.text}, nil
}
