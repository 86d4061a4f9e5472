// Package genbank reads the sequences of GenBank flat files.
//
// Most users need [NewReader] and [Reader.Next]:
//
//	r := genbank.NewReader(f, "genome.gbk")
//	var rec genbank.Record
//	for r.Next(&rec) == nil {
//		fmt.Printf(">%s %s\n%s\n", rec.Version, rec.Definition, rec.Bases)
//	}
//
// Read are LOCUS, DEFINITION, ACCESSION, VERSION, ORGANISM and ORIGIN; features and references are passed over. The format is that of
// NCBI's GenBank release notes, section 3.4. The reader streams, one record at a time, and it is strict: the length that LOCUS
// states and the position before every line of sequence are checked. A record without sequence (CONTIG only) is an error.
package genbank

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Error is a file that is not as the format demands.
type Error struct {
	Name   string // of the file
	Line   int    // counted from 1
	Record string // name of the record; "" before the first
	Err    error
}

// Error returns "genbank: name: line 3: record X: what is wrong".
func (e *Error) Error() string {
	s := fmt.Sprintf("genbank: %s: line %d: ", e.Name, e.Line)
	if e.Record != "" {
		s += fmt.Sprintf("record %.40q: ", e.Record)
	}
	return s + e.Err.Error()
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

const (
	// MaxLine bounds the bytes of a line.
	MaxLine = 1 << 20
	// MaxBases bounds the bases of a record.
	MaxBases = 1 << 31
)

// Record is one entry of a file.
type Record struct {
	Locus      string
	Definition string // on one line
	Accession  string // the first
	Version    string // accession with version
	Organism   string
	Circular   bool
	Bases      []byte // as they are stored, which is in lower case (no mask is meant by it)
}

// Reader reads records in the order of the file. It is not safe for concurrent use.
type Reader struct {
	in     *bufio.Reader
	name   string
	line   int
	record string
	buf    []byte
	err    error // sticky
}

// NewReader reads from src; name stands in errors.
func NewReader(src io.Reader, name string) *Reader {
	return &Reader{in: bufio.NewReaderSize(src, 1<<16), name: name}
}

func (r *Reader) bad(format string, args ...any) error {
	return &Error{Name: r.name, Line: r.line, Record: r.record, Err: fmt.Errorf(format, args...)}
}

// next returns the next line without its end and without blanks at its end; it is valid until the next call.
func (r *Reader) next() ([]byte, error) {
	r.buf = r.buf[:0]
	for {
		part, err := r.in.ReadSlice('\n')
		r.buf = append(r.buf, part...)
		switch {
		case len(r.buf) > MaxLine:
			r.line++
			return nil, r.bad("more than %d bytes", MaxLine)
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(r.buf) == 0:
			return nil, io.EOF
		case err != nil && !errors.Is(err, io.EOF):
			r.line++
			return nil, r.bad("%w", err)
		}
		r.line++
		return bytes.TrimRight(r.buf, "\r\n\t "), nil
	}
}

// Next reads the next record into rec, whose memory it uses again. After the last one the error is io.EOF, otherwise an *[Error].
func (r *Reader) Next(rec *Record) error {
	if r.err != nil {
		return r.err
	}
	err := r.read(rec)
	if err != nil {
		r.err = err
	}
	return err
}

func (r *Reader) read(rec *Record) error {
	*rec = Record{Bases: rec.Bases[:0]}
	r.record = ""
	want := int64(-1)
	key := ""
	for {
		l, err := r.next()
		if errors.Is(err, io.EOF) {
			if want >= 0 {
				return r.bad("the file ends inside the record, whose last line is //")
			}
			if r.line == 0 {
				r.line = 1
				return r.bad("an empty file")
			}
			return io.EOF
		}
		if err != nil {
			return err
		}
		if want < 0 { // between records
			if len(l) == 0 {
				continue
			}
			if want, err = r.locus(rec, l); err != nil {
				return err
			}
			continue
		}
		switch {
		case len(l) == 0:
			continue
		case string(l) == "//":
			return r.bad("no sequence: there is no ORIGIN")
		case l[0] != ' ':
			key = string(bytes.Fields(l)[0])
		}
		head, rest := key, strings.TrimSpace(string(l[min(len(l), 12):]))
		again := l[0] == ' '
		if again && bytes.HasPrefix(bytes.TrimLeft(l, " "), []byte("ORGANISM")) && key == "SOURCE" {
			rec.Organism = rest
			continue
		}
		switch {
		case head == "DEFINITION" && again:
			rec.Definition += " " + rest
		case head == "DEFINITION":
			rec.Definition = rest
		case head == "ACCESSION" && !again:
			rec.Accession, _, _ = strings.Cut(rest, " ")
		case head == "VERSION" && !again:
			rec.Version, _, _ = strings.Cut(rest, " ")
		case head == "LOCUS" && !again:
			return r.bad("a record begins before the end of another, which is a line //")
		case head == "ORIGIN":
			return r.origin(rec, want)
		}
	}
}

// locus reads the first line: LOCUS name length bp molecule topology division date.
func (r *Reader) locus(rec *Record, l []byte) (bases int64, err error) {
	f := strings.Fields(string(l))
	if f[0] != "LOCUS" {
		return 0, r.bad("%.40q where a record is expected, which begins with LOCUS", l)
	}
	if len(f) < 4 {
		return 0, r.bad("LOCUS with %d words, at least 4 are expected: LOCUS name length bp", len(f))
	}
	rec.Locus, r.record = f[1], f[1]
	bases, err = strconv.ParseInt(f[2], 10, 64)
	if err != nil || bases < 0 || bases > MaxBases {
		return 0, r.bad("length %.20q, expected a number between 0 and %d", f[2], int64(MaxBases))
	}
	if f[3] != "bp" {
		return 0, r.bad("length in %.20q, expected bp: only DNA and RNA are read", f[3])
	}
	for _, w := range f[4:] {
		rec.Circular = rec.Circular || w == "circular"
	}
	return bases, nil
}

// origin reads the lines of sequence: a position that is counted from 1, then groups of 10 bases.
func (r *Reader) origin(rec *Record, want int64) error {
	for {
		l, err := r.next()
		if errors.Is(err, io.EOF) {
			return r.bad("the file ends inside the sequence, after %d of %d bases", len(rec.Bases), want)
		}
		if err != nil {
			return err
		}
		if string(l) == "//" {
			if int64(len(rec.Bases)) != want {
				return r.bad("%d bases, LOCUS says %d", len(rec.Bases), want)
			}
			return nil
		}
		f := bytes.Fields(l)
		if len(f) == 0 {
			continue
		}
		if at, err := strconv.ParseInt(string(f[0]), 10, 64); err != nil || at != int64(len(rec.Bases))+1 {
			return r.bad("a line of sequence begins with %.20q, expected its position %d", f[0], len(rec.Bases)+1)
		}
		for _, g := range f[1:] {
			for _, c := range g {
				if !isBase[c] {
					return r.bad("%q is no letter of a nucleotide", c)
				}
			}
			rec.Bases = append(rec.Bases, g...)
		}
		if int64(len(rec.Bases)) > want {
			return r.bad("%d bases or more, LOCUS says %d", len(rec.Bases), want)
		}
	}
}

var isBase = func() (t [256]bool) {
	for _, c := range "ACGTURYSWKMBDHVN" {
		t[c], t[c|32] = true, true
	}
	return t
}()
