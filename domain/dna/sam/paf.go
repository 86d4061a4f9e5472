package sam

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/selfsame-ml/selfsame/dataset"
	"github.com/selfsame-ml/selfsame/domain/dna/fastx"
)

// OpenPAF opens a PAF file (plain or gzip) and the FASTQ or FASTA file of its reads. Reads must stand in the PAF in the order of
// their file, as minimap2 writes them; not every read needs to be there. Every line needs a "cg:Z:" or "cs:Z:" tag.
//
// The first alignment of a read that is not marked secondary (tp:A:S) is the primary one, later ones are supplementary.
func OpenPAF(paf, reads string, opt Options) (*Reader, error) {
	f, err := openFile(paf)
	if err != nil {
		return nil, err
	}
	q, err := fastx.Open(reads, fastx.Options{Threads: opt.Threads, Warn: opt.Warn})
	if err != nil {
		f.Close()
		return nil, err
	}
	r, err := NewPAF(f, paf, q, opt)
	if err != nil {
		f.Close()
		q.Close()
		return nil, err
	}
	r.file = f
	return r, nil
}

// NewPAF reads PAF from src; name stands in errors. Close closes reads.
func NewPAF(src io.Reader, name string, reads *fastx.Reader, opt Options) (*Reader, error) {
	r := &Reader{format: "PAF", reads: reads}
	if err := r.open(src, name, opt); err != nil {
		return nil, err
	}
	return r, nil
}

// maxLength is the longest sequence of a PAF line.
const maxLength = 1<<31 - 1

func (r *Reader) readPAF(a *Alignment) (ok bool, err error) {
	err = r.readLine()
	if err == io.EOF {
		return r.advance(nil)
	}
	if err != nil {
		return false, err
	}
	if len(r.text) == 0 {
		return false, nil
	}
	r.split()
	f := r.fields
	if len(f) < 12 {
		r.record++
		return false, r.bad(f[0], "%d fields, a PAF record has 12 or more between tabs", len(f))
	}
	name := f[0]
	// Reads before this one have no alignment.
	r.record++
	if ok, err := r.advance(name); err != nil {
		return false, err
	} else if !ok {
		return false, r.bad(name, "the read is not in %s, or stands there before the one of the last line: the PAF must be in the order of the reads, as minimap2 writes it", r.reads.Name())
	}
	first := !bytes.Equal(r.prev, name)
	var num [12]int
	for _, i := range []int{1, 2, 3, 6, 7, 8, 11} {
		high := maxLength
		if i == 11 {
			high = 255
		}
		if num[i], ok = number(f[i], 0, high); !ok {
			return false, r.bad(name, "field %d is %q, expected a number up to %d", i+1, f[i], high)
		}
	}
	qlen, qs, qe, tlen, ts, te := num[1], num[2], num[3], num[6], num[7], num[8]
	if qs > qe || qe > qlen || ts > te || te > tlen {
		return false, r.bad(name, "%d..%d of %d aligned to %d..%d of %d: against the order", qs, qe, qlen, ts, te, tlen)
	}
	a.Flag = 0
	switch {
	case string(f[4]) == "-":
		a.Flag = FlagReverse
	case string(f[4]) != "+":
		return false, r.bad(name, "strand is %q, expected + or -", f[4])
	}
	var cg, cs []byte
	for _, t := range f[12:] {
		switch {
		case bytes.HasPrefix(t, []byte("cg:Z:")):
			cg = t[5:]
		case bytes.HasPrefix(t, []byte("cs:Z:")):
			cs = t[5:]
		case bytes.Equal(t, []byte("tp:A:S")):
			a.Flag |= FlagSecondary
		}
	}
	if a.Flag&FlagSecondary == 0 && !first {
		a.Flag |= FlagSupplementary
	}
	if a.Flag&FlagSecondary == 0 {
		r.prev = append(r.prev[:0], name...)
	}
	a.Name = append(a.Name[:0], name...)
	a.MapQ, a.Pos, a.Record, a.Line = uint8(num[11]), ts, r.record, r.line
	if !r.skipped.wanted(a.Flag, a.MapQ, &r.opt) {
		return false, nil
	}
	if a.Ref != string(f[5]) {
		a.Ref = string(f[5])
	}
	a.RefLen = tlen
	if len(r.read.Seq) != qlen {
		return false, r.bad(name, "the read has %d bases in %s, the PAF says %d", len(r.read.Seq), r.reads.Name(), qlen)
	}
	front, back := qs, qlen-qe
	if a.Reverse() {
		front, back = back, front
	}
	a.Cigar = a.Cigar[:0]
	if front > 0 {
		a.Cigar = append(a.Cigar, Op{front, 'S'})
	}
	switch {
	case cg != nil:
		a.Cigar, err = parseCigar(a.Cigar, cg)
	case cs != nil:
		a.Cigar, err = parseCS(a.Cigar, cs)
	default:
		return false, &dataset.Error{
			Path: r.name, Record: fmt.Sprintf("line %d", r.line), Err: errors.New("neither a cg:Z: nor a cs:Z: tag: the alignment is not there"), Hint: "minimap2 -c writes it",
		}
	}
	if err != nil {
		return false, r.bad(name, "%w", err)
	}
	if back > 0 {
		a.Cigar = append(a.Cigar, Op{back, 'S'})
	}
	a.fill(&r.read)
	if err := a.check(); err != nil {
		return false, r.contradicts(r.bad(name, "%w", err))
	}
	if e := a.End(); e != te {
		return false, r.contradicts(r.bad(name, "the alignment ends at %d of the reference, the PAF says %d", e, te))
	}
	return true, nil
}

// advance reads on in the file of reads up to the named one (ok: found), or to its end. Reads that are passed have no alignment: they are
// counted.
func (r *Reader) advance(name []byte) (ok bool, err error) {
	if name != nil && r.have && bytes.Equal(r.read.ID(), name) {
		return true, nil
	}
	for {
		err := r.reads.Read(&r.read)
		r.have = err == nil
		if err == io.EOF {
			if name == nil {
				return false, io.EOF
			}
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if name != nil && bytes.Equal(r.read.ID(), name) {
			return true, nil
		}
		r.skipped.Unmapped++
	}
}

// fill takes bases and qualities of a read, in the direction of the reference.
func (a *Alignment) fill(rec *fastx.Record) {
	a.Bases = fastx.Codes(a.Bases, rec.Seq)
	a.Quals = fastx.Phreds(a.Quals, rec.Qual)
	if !a.Reverse() {
		return
	}
	for i, j := 0, len(a.Bases)-1; i <= j; i, j = i+1, j-1 {
		a.Bases[i], a.Bases[j] = complement(a.Bases[j]), complement(a.Bases[i])
	}
	for i, j := 0, len(a.Quals)-1; i < j; i, j = i+1, j-1 {
		a.Quals[i], a.Quals[j] = a.Quals[j], a.Quals[i]
	}
}

func complement(c uint8) uint8 {
	if c < 4 {
		return 3 - c
	}
	return c
}

// parseCS appends the operations of a cs tag, short (":6*at+gg-c~gt12ag") or long ("=ACGT..."); see the manual of minimap2.
func parseCS(dst []Op, s []byte) ([]Op, error) {
	add := func(n int, kind byte) {
		if n == 0 {
			return
		}
		if k := len(dst); k > 0 && dst[k-1].Kind == kind && kind != 'S' {
			dst[k-1].Len += n
			return
		}
		dst = append(dst, Op{n, kind})
	}
	letters := func(i int) int {
		for i < len(s) && s[i]|0x20 >= 'a' && s[i]|0x20 <= 'z' {
			i++
		}
		return i
	}
	digits := func(i int) (n, end int) {
		for end = i; end < len(s) && s[end] >= '0' && s[end] <= '9' && n < 1<<28; end++ {
			n = n*10 + int(s[end]-'0')
		}
		return n, end
	}
	for i := 0; i < len(s); {
		at := i + 1
		var end int
		switch s[i] {
		case ':':
			var n int
			n, end = digits(i + 1)
			if end == i+1 || n >= 1<<28 {
				return dst, fmt.Errorf("cs: byte %d: a number below %d is expected", at, 1<<28)
			}
			add(n, '=')
		case '=', '+', '-':
			if end = letters(i + 1); end == i+1 {
				return dst, fmt.Errorf("cs: byte %d: letters are expected", at)
			}
			add(end-i-1, map[byte]byte{'=': '=', '+': 'I', '-': 'D'}[s[i]])
		case '*':
			if end = letters(i + 1); end < i+3 {
				return dst, fmt.Errorf("cs: byte %d: two letters are expected", at)
			}
			end = i + 3
			add(1, 'X')
		case '~': // intron: two letters, length, two letters
			if letters(i+1) < i+3 {
				return dst, fmt.Errorf("cs: byte %d: an intron's two letters are expected", at)
			}
			n, e := digits(i + 3)
			if e == i+3 || n >= 1<<28 || letters(e) < e+2 {
				return dst, fmt.Errorf("cs: byte %d: an intron's length and two letters are expected", at)
			}
			end = e + 2
			add(n, 'N')
		default:
			return dst, fmt.Errorf("cs: byte %d is %q, expected one of : = * + - ~", at, s[i])
		}
		i = end
	}
	return dst, nil
}
