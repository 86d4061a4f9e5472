// Package phylip reads alignments of sequences in PHYLIP's format as PAML writes it.
//
// Most users need [Read]:
//
//	seqs, err := phylip.Read(f, "mtCDNAmam.nuc", phylip.Options{})
//
// The first line holds the numbers of sequences and of columns, and perhaps options (a letter I is "interleaved"). A name ends with its line or
// before two blanks, so it may hold single blanks (PAML manual, "Sequence data file format"; the ten columns of the older PHYLIP are not looked at).
// Sequential: a sequence goes on over lines until it has all its columns. Interleaved: blocks of one line a sequence, names in the first only.
// What follows the last sequence is not read: PAML's files keep notes there. The reader is strict about letters and numbers.
package phylip

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// Error is a file that is not as the format demands.
type Error struct {
	Name string // of the file
	Line int    // counted from 1
	Err  error
}

// Error returns "phylip: name: line 3: what is wrong".
func (e *Error) Error() string { return fmt.Sprintf("phylip: %s: line %d: %v", e.Name, e.Line, e.Err) }

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

const (
	// MaxLine bounds the bytes of a line.
	MaxLine = 1 << 26
	// MaxCells bounds sequences times columns.
	MaxCells = 1 << 30
)

// Sequence is one row of an alignment.
type Sequence struct {
	Name  string
	Bases []byte // letters, '-' for a gap, '?' for what is not known
}

// Options say what is allowed beyond the format.
type Options struct {
	// Overlong passes over letters that the line with a sequence's last column holds behind it, as PAML does. Without it they are an error.
	Overlong bool
}

type reader struct {
	in   *bufio.Scanner
	name string
	line int
	opt  Options
}

func (r *reader) bad(format string, args ...any) error {
	return &Error{Name: r.name, Line: r.line, Err: fmt.Errorf(format, args...)}
}

// next returns the next line that is not blank.
func (r *reader) next(what string) (string, error) {
	for r.in.Scan() {
		r.line++
		if l := strings.TrimRight(r.in.Text(), "\r\t "); l != "" {
			return l, nil
		}
	}
	err := r.in.Err()
	r.line++
	switch {
	case errors.Is(err, bufio.ErrTooLong):
		return "", r.bad("more than %d bytes", MaxLine)
	case err != nil:
		return "", r.bad("%w", err)
	}
	return "", r.bad("the file ends where %s is expected", what)
}

// Read reads one alignment; name stands in errors, which are *[Error].
func Read(src io.Reader, name string, opt Options) ([]Sequence, error) {
	r := &reader{in: bufio.NewScanner(src), name: name, opt: opt}
	r.in.Buffer(make([]byte, 0, 1<<16), MaxLine)
	head, err := r.next("the head (number of sequences and of columns)")
	if err != nil {
		return nil, err
	}
	f := strings.Fields(head)
	var n, cols int
	if len(f) >= 2 {
		n, _ = strconv.Atoi(f[0])
		cols, _ = strconv.Atoi(f[1])
	}
	if n < 1 || cols < 1 || n > MaxCells || cols > MaxCells/n {
		return nil, r.bad("%.40q is no head: the numbers of sequences and of columns, both at least 1, and at most %d cells", head, MaxCells)
	}
	interleaved := false
	for _, o := range f[2:] {
		interleaved = interleaved || strings.Contains(o, "I")
	}
	// Nothing is reserved by what the head says: it may lie.
	var out []Sequence
	seen := map[string]bool{}
	begin := func() error {
		what := fmt.Sprintf("sequence %d of %d", len(out)+1, n)
		l, err := r.next(what)
		if err != nil {
			return err
		}
		id, rest := strings.TrimLeft(l, " \t"), ""
		if at := gap.FindStringIndex(id); at != nil {
			id, rest = id[:at[0]], id[at[1]:]
		}
		if seen[id] {
			return r.bad("a second sequence %.40q", id)
		}
		seen[id] = true
		out = append(out, Sequence{Name: id})
		return r.add(&out[len(out)-1], rest, cols)
	}
	for len(out) < n {
		if err := begin(); err != nil {
			return nil, err
		}
		s := &out[len(out)-1]
		for !interleaved && len(s.Bases) < cols {
			if err := r.more(s, cols); err != nil {
				return nil, err
			}
		}
		// A name that stands alone on its line is followed by the first piece of the sequence.
		if interleaved && len(s.Bases) == 0 {
			if err := r.more(s, cols); err != nil {
				return nil, err
			}
		}
		if interleaved && len(s.Bases) != len(out[0].Bases) {
			return nil, r.bad("%d columns of %.40q, the block's first row has %d", len(s.Bases), s.Name, len(out[0].Bases))
		}
	}
	for interleaved && len(out[0].Bases) < cols {
		for i := range out {
			if err := r.more(&out[i], cols); err != nil {
				return nil, err
			}
			if len(out[i].Bases) != len(out[0].Bases) {
				return nil, r.bad("%d columns of %.40q up to here, the block's first row has %d", len(out[i].Bases), out[i].Name, len(out[0].Bases))
			}
		}
	}
	return out, nil
}

var gap = regexp.MustCompile(`  +|\t`)

func (r *reader) more(s *Sequence, cols int) error {
	l, err := r.next(fmt.Sprintf("more of %.40q, which has %d of %d columns,", s.Name, len(s.Bases), cols))
	if err != nil {
		return err
	}
	return r.add(s, l, cols)
}

// add appends the letters of a line; blanks between them are passed over.
func (r *reader) add(s *Sequence, l string, cols int) error {
	for i := range len(l) {
		c := l[i]
		switch {
		case c == ' ' || c == '\t':
			continue
		case c|32 >= 'a' && c|32 <= 'z', c == '-', c == '?', c == '*':
		default:
			return r.bad("%q in %.40q is no letter of a sequence", c, s.Name)
		}
		if len(s.Bases) == cols {
			if r.opt.Overlong {
				return nil
			}
			return r.bad("%.40q has more than %d columns", s.Name, cols)
		}
		s.Bases = append(s.Bases, c)
	}
	return nil
}
