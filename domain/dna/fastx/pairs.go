package fastx

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/selfsame-ml/selfsame/dataset"
)

// Pairs reads mates in step: from two files, or from one in which the two mates of a pair follow each other.
type Pairs struct {
	r1, r2 *Reader // r2 is nil where mates are interleaved
	err    error
}

// OpenPairs opens the files of first and second mates; with r2 "" the file r1 holds both by turns.
//
// Mates must stand in the same order and have the same identifier, but for a last "/1" and "/2" (or ".1", "_1", ":1",
// "#1", with 2 for the other). The mate number of Casava 1.8 ("1:N:0:...", "2:N:0:..." after a blank) must fit too, where it is there.
func OpenPairs(r1, r2 string, opt Options) (*Pairs, error) {
	if r1 == Stdin && r2 == Stdin {
		return nil, errors.New("fastx: both mates from the standard input: give one name for interleaved mates")
	}
	if r1 == r2 {
		return nil, fmt.Errorf("fastx: %s is given for both mates: give it once for interleaved mates", r1)
	}
	a, err := Open(r1, opt)
	if err != nil {
		return nil, err
	}
	if r2 == "" {
		return NewPairs(a, nil), nil
	}
	b, err := Open(r2, opt)
	if err != nil {
		a.Close()
		return nil, err
	}
	if a.format != b.format && a.format != Unknown && b.format != Unknown {
		a.Close()
		b.Close()
		return nil, &dataset.Error{Path: r2, Err: fmt.Errorf("is %s, its mates in %s are %s", b.format, r1, a.format)}
	}
	return NewPairs(a, b), nil
}

// NewPairs pairs two readers; with r2 nil, the records of r1 by turns.
func NewPairs(r1, r2 *Reader) *Pairs { return &Pairs{r1: r1, r2: r2} }

// Interleaved reports whether both mates come from one file.
func (p *Pairs) Interleaved() bool { return p.r2 == nil }

// Format is the format of the files.
func (p *Pairs) Format() Format { return p.r1.format }

// Readers returns the readers of first and second mates; the second is nil where they are interleaved.
func (p *Pairs) Readers() (r1, r2 *Reader) { return p.r1, p.r2 }

// Close closes the files.
func (p *Pairs) Close() error {
	if p.r2 == nil {
		return p.r1.Close()
	}
	return errors.Join(p.r1.Close(), p.r2.Close())
}

// Read reads the next pair. At the end of both files it returns io.EOF. A record without its mate, or with a mate of
// another name, is a *dataset.Error that names both places; every later call then returns the same error.
func (p *Pairs) Read(a, b *Record) error {
	if p.err == nil {
		p.err = p.read(a, b)
	}
	return p.err
}

func (p *Pairs) read(a, b *Record) error {
	second := p.r2
	if second == nil {
		second = p.r1
	}
	erra := p.r1.Read(a)
	if erra != nil && erra != io.EOF {
		return erra
	}
	if erra == io.EOF && p.r2 == nil {
		return io.EOF
	}
	errb := second.Read(b)
	if errb != nil && errb != io.EOF {
		return errb
	}
	switch {
	case erra == io.EOF && errb == io.EOF:
		return io.EOF
	case errb == io.EOF && p.r2 == nil:
		return p.unpaired(p.r1, a, "the last record has no mate: the file is interleaved, or so it was said")
	case errb == io.EOF:
		return p.unpaired(p.r1, a, "no mate: %s ends after %d records", p.r2.name, p.r2.n)
	case erra == io.EOF:
		return p.unpaired(p.r2, b, "no mate: %s ends after %d records", p.r1.name, p.r1.n)
	}
	if err := mates(a.Name, b.Name); err != nil {
		other := place(b, b.Line)
		if p.r2 != nil {
			other = p.r2.name + ": " + other
		}
		return p.unpaired(p.r1, a, "its mate should be %s: %w", other, err)
	}
	return nil
}

func (p *Pairs) unpaired(r *Reader, rec *Record, format string, args ...any) error {
	return &dataset.Error{
		Path: r.name, Record: place(rec, rec.Line), Err: fmt.Errorf(format, args...),
		Hint: "mates must stand in the same order in both files (seqkit pair, or repair.sh of BBTools, sorts them)",
	}
}

// mates says what speaks against two names being those of a pair, or nil.
func mates(a, b []byte) error {
	ida, desca := splitName(a)
	idb, descb := splitName(b)
	na, nb := casava(desca), casava(descb)
	if !bytes.Equal(ida, idb) {
		ka, sa := suffix(ida)
		kb, sb := suffix(idb)
		if !bytes.Equal(ka, kb) || sa == 0 || sb == 0 {
			return errors.New("the names differ")
		}
		na, nb = sa, sb
	} else if na == 0 || nb == 0 {
		if _, s := suffix(ida); s != 0 && ida[len(ida)-2] == '/' {
			return fmt.Errorf("both say they are mate %c", s)
		}
	}
	switch {
	case na == '2' && nb == '1':
		return errors.New("the mates are swapped: the first says it is mate 2")
	case na != 0 && na == nb:
		return fmt.Errorf("both say they are mate %c", na)
	}
	return nil
}

// suffix parts an identifier from a last "/1" or "/2" and the like; mate is '1', '2', or 0 where there is none.
func suffix(id []byte) (stem []byte, mate byte) {
	n := len(id)
	if n < 3 || id[n-1] != '1' && id[n-1] != '2' || bytes.IndexByte([]byte("/._:#"), id[n-2]) < 0 {
		return id, 0
	}
	return id[:n-1], id[n-1]
}

// casava is the mate number of a description as of Casava 1.8, or 0.
func casava(desc []byte) byte {
	if len(desc) >= 4 && (desc[0] == '1' || desc[0] == '2') && desc[1] == ':' && (desc[2] == 'N' || desc[2] == 'Y') && desc[3] == ':' {
		return desc[0]
	}
	return 0
}
