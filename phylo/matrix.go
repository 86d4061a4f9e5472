package phylo

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Matrix holds distances between named taxa.
type Matrix struct {
	Names []string
	Data  []float64 // [n, n], row by row
}

// NewMatrix returns a matrix of zeros.
func NewMatrix(names []string) *Matrix {
	return &Matrix{Names: slices.Clone(names), Data: make([]float64, len(names)*len(names))}
}

// Len returns the number of taxa.
func (m *Matrix) Len() int { return len(m.Names) }

// At returns the distance from taxon i to taxon j.
func (m *Matrix) At(i, j int) float64 { return m.Data[i*len(m.Names)+j] }

// Set sets the distances between taxa i and j, both ways.
func (m *Matrix) Set(i, j int, d float64) {
	n := len(m.Names)
	m.Data[i*n+j], m.Data[j*n+i] = d, d
}

// asymmetry is how far two directions may differ, relative to the larger one: files hold few digits.
const asymmetry = 1e-6

// Check reports what is wrong with m as a distance matrix: its size, names that are empty or
// occur twice, values that are not finite or negative, a diagonal that is not zero, or two directions
// that differ by more than 1e-6 of the larger one.
func (m *Matrix) Check() error {
	n := len(m.Names)
	if n == 0 {
		return errors.New("phylo: the matrix has no taxa")
	}
	if len(m.Data) != n*n {
		return fmt.Errorf("phylo: the matrix has %d values for %d taxa, %d expected", len(m.Data), n, n*n)
	}
	if err := uniqueNames(m.Names); err != nil {
		return err
	}
	for i := range n {
		if d := m.At(i, i); d != 0 {
			return fmt.Errorf("phylo: the distance of %q to itself is %g, expected 0", m.Names[i], d)
		}
		for j := range n {
			d, e := m.At(i, j), m.At(j, i)
			switch {
			case !finite(d) || d < 0:
				return fmt.Errorf("phylo: the distance from %q to %q is %g, expected a finite number from 0", m.Names[i], m.Names[j], d)
			case j < i && math.Abs(d-e) > asymmetry*max(d, e):
				return fmt.Errorf("phylo: the distance from %q to %q is %g, but %g back", m.Names[i], m.Names[j], d, e)
			}
		}
	}
	return nil
}

func uniqueNames(names []string) error {
	seen := make(map[string]int, len(names))
	for i, name := range names {
		if name == "" {
			return fmt.Errorf("phylo: taxon %d has no name", i+1)
		}
		if k, ok := seen[name]; ok {
			return fmt.Errorf("phylo: the name %q occurs twice, taxa %d and %d", name, k+1, i+1)
		}
		seen[name] = i
	}
	return nil
}

// Select returns the matrix of the named taxa in their order.
func (m *Matrix) Select(names []string) (*Matrix, error) {
	at := make(map[string]int, len(m.Names))
	for i, n := range m.Names {
		at[n] = i
	}
	rows := make([]int, len(names))
	for i, n := range names {
		r, ok := at[n]
		if !ok {
			return nil, fmt.Errorf("phylo: the matrix has no taxon %q", n)
		}
		rows[i] = r
	}
	out := NewMatrix(names)
	for i, r := range rows {
		for j, c := range rows {
			out.Data[i*len(rows)+j] = m.At(r, c)
		}
	}
	return out, nil
}

// PHYLIPOptions chooses a form of the PHYLIP distance format.
type PHYLIPOptions struct {
	// Strict: names take exactly ten characters, filled with blanks, and may hold blanks inside.
	// Otherwise (relaxed) they end at the first blank, or, on a line with a tab, at the first tab.
	Strict bool
	// Underscores writes blanks in names as underscores. Reading ignores it.
	Underscores bool
}

// lines reads a file line by line and counts.
type lines struct {
	r *bufio.Reader
	n int
}

// next returns the next line that is not blank, without its end.
func (l *lines) next() (string, error) {
	for {
		s, err := l.r.ReadString('\n')
		if err != nil && err != io.EOF {
			return "", fmt.Errorf("phylo: %w", err)
		}
		if s != "" {
			l.n++
		}
		if l.n == 1 {
			s = strings.TrimPrefix(s, "\ufeff")
		}
		if text := strings.TrimRight(s, "\r\n"); strings.TrimSpace(text) != "" {
			return text, nil
		}
		if err == io.EOF {
			return "", io.EOF
		}
	}
}

func (l *lines) bad(col int, format string, args ...any) error {
	return &SyntaxError{Line: l.n, Column: col, Msg: fmt.Sprintf(format, args...)}
}

// field is a word of a line.
type field struct {
	text string
	col  int // from 1, in characters
}

// fields cuts text at blanks; col is the column of its first character.
func fields(text string, col int) []field {
	var out []field
	start, startCol := -1, 0
	for i, c := range text {
		if unicode.IsSpace(c) {
			if start >= 0 {
				out = append(out, field{text[start:i], startCol})
				start = -1
			}
		} else if start < 0 {
			start, startCol = i, col
		}
		col++
	}
	if start >= 0 {
		out = append(out, field{text[start:], startCol})
	}
	return out
}

func (l *lines) value(f field) (float64, error) {
	v, ok := number(f.text)
	if !ok {
		return 0, l.bad(f.col, "distance %q is no finite decimal number", f.text)
	}
	if v < 0 {
		return 0, l.bad(f.col, "distance %q is negative", f.text)
	}
	return v, nil
}

// ReadPHYLIP reads a distance matrix in the PHYLIP format: the number of taxa, then for each its
// name and its distances, which may go on in further lines. Both forms are read: square, and
// lower-triangular without diagonal (as of `mash triangle`), where the first taxon has no distance.
// Faults are *SyntaxError; the matrix satisfies Check, and where two directions differ in the last
// digits both get the mean.
func ReadPHYLIP(r io.Reader, opt PHYLIPOptions) (*Matrix, error) {
	l := &lines{r: bufio.NewReader(r)}
	head, err := l.next()
	if err == io.EOF {
		return nil, &SyntaxError{Line: l.n + 1, Msg: "the file is empty"}
	}
	if err != nil {
		return nil, err
	}
	hf := fields(head, 1)
	n, err := strconv.Atoi(hf[0].text)
	if err != nil || n < 1 {
		return nil, l.bad(hf[0].col, "%q where the number of taxa must stand", hf[0].text)
	}
	if len(hf) > 1 {
		return nil, l.bad(hf[1].col, "%q after the number of taxa", hf[1].text)
	}
	var names []string
	var rows [][]float64
	nameLine := map[string]int{}
	triangle := false
	for i := range n {
		text, err := l.next()
		if err == io.EOF {
			return nil, &SyntaxError{Line: l.n + 1, Msg: fmt.Sprintf("the file ends after %d of %d taxa", i, n)}
		}
		if err != nil {
			return nil, err
		}
		name, rest, restCol := phylipName(text, opt.Strict)
		if name == "" {
			return nil, l.bad(1, "taxon %d has no name", i+1)
		}
		if k, ok := nameLine[name]; ok {
			return nil, l.bad(1, "the name %q occurs twice, first in line %d", name, k)
		}
		nameLine[name] = l.n
		names = append(names, name)
		fs := fields(rest, restCol)
		if i == 0 {
			triangle = len(fs) == 0
		}
		want := n
		if triangle {
			want = i
		}
		row := make([]float64, 0, len(fs))
		for {
			for _, f := range fs {
				if len(row) == want {
					return nil, l.bad(f.col, "taxon %q has more than %d distances", name, want)
				}
				v, err := l.value(f)
				if err != nil {
					return nil, err
				}
				row = append(row, v)
			}
			if len(row) == want {
				break
			}
			text, err := l.next()
			if err == io.EOF {
				return nil, &SyntaxError{Line: l.n + 1, Msg: fmt.Sprintf("the file ends after %d of %d distances of %q", len(row), want, name)}
			}
			if err != nil {
				return nil, err
			}
			if fs = fields(text, 1); len(fs) > 0 {
				if _, ok := number(fs[0].text); !ok {
					return nil, l.bad(fs[0].col, "%q where distance %d of %d of %q must stand", fs[0].text, len(row)+1, want, name)
				}
			}
		}
		rows = append(rows, row)
	}
	if text, err := l.next(); err == nil {
		return nil, l.bad(fields(text, 1)[0].col, "text after the last of %d taxa", n)
	} else if err != io.EOF {
		return nil, err
	}
	m := NewMatrix(names)
	for i, row := range rows {
		for j, v := range row {
			if triangle {
				m.Set(i, j, v)
			} else {
				m.Data[i*n+j] = v
			}
		}
	}
	return m, m.settle()
}

// phylipName cuts the name off a line; col is the column of what is left.
func phylipName(text string, strict bool) (name, rest string, col int) {
	cut := 0
	switch tab := strings.IndexByte(text, '\t'); {
	case strict:
		for range 10 {
			_, k := utf8.DecodeRuneInString(text[cut:])
			cut += k
		}
	case tab > 0 && strings.TrimSpace(text[:tab]) != "":
		cut = tab
	default:
		start := len(text) - len(strings.TrimLeftFunc(text, unicode.IsSpace))
		if k := strings.IndexFunc(text[start:], unicode.IsSpace); k >= 0 {
			cut = start + k
		} else {
			cut = len(text)
		}
	}
	return strings.TrimSpace(text[:cut]), text[cut:], utf8.RuneCountInString(text[:cut]) + 1
}

// settle checks a matrix that was read and makes it symmetric to the last bit.
func (m *Matrix) settle() error {
	if err := m.Check(); err != nil {
		return err
	}
	for i := range m.Names {
		for j := range i {
			if d, e := m.At(i, j), m.At(j, i); d != e {
				m.Set(i, j, d/2+e/2)
			}
		}
	}
	return nil
}

// WritePHYLIP writes a square matrix in the PHYLIP format, numbers with all their digits. Names that the
// form cannot hold are errors: blanks in the relaxed form (see Underscores), more than ten
// characters in the strict one.
func WritePHYLIP(w io.Writer, m *Matrix, opt PHYLIPOptions) error {
	if err := m.Check(); err != nil {
		return err
	}
	names := slices.Clone(m.Names)
	for i, name := range names {
		if opt.Underscores {
			name = strings.Map(func(c rune) rune {
				if unicode.IsSpace(c) {
					return '_'
				}
				return c
			}, name)
			names[i] = name
		}
		switch {
		case opt.Strict && utf8.RuneCountInString(name) > 10:
			return fmt.Errorf("phylo: the name %q has %d characters, strict PHYLIP holds 10", name, utf8.RuneCountInString(name))
		case opt.Strict && (strings.TrimSpace(name) != name || strings.ContainsAny(name, "\t\r\n\v\f")):
			return fmt.Errorf("phylo: the name %q begins or ends with a blank or holds a tab or line end, which PHYLIP cannot hold", name)
		case !opt.Strict && strings.ContainsFunc(name, unicode.IsSpace):
			return fmt.Errorf("phylo: the name %q has a blank, which relaxed PHYLIP cannot hold; write TSV, or underscores", name)
		}
		if opt.Strict {
			names[i] += strings.Repeat(" ", 10-utf8.RuneCountInString(name))
		}
	}
	if err := uniqueNames(names); err != nil {
		return fmt.Errorf("%w, as PHYLIP would hold them", err)
	}
	bw := bufio.NewWriter(w)
	fmt.Fprintf(bw, "%d\n", len(names))
	var buf []byte
	for i, name := range names {
		buf = append(buf[:0], name...)
		for j := range names {
			buf = strconv.AppendFloat(append(buf, ' '), m.At(i, j), 'g', -1, 64)
		}
		if _, err := bw.Write(append(buf, '\n')); err != nil {
			return fmt.Errorf("phylo: %w", err)
		}
	}
	if err := bw.Flush(); err != nil {
		return fmt.Errorf("phylo: %w", err)
	}
	return nil
}

// ReadTSV reads a matrix from tab-separated text: a first line with any first cell and the names, then
// a line for each taxon in the same order with its name and distances. Faults are *SyntaxError, where
// Column is that of the cell, from 1.
func ReadTSV(r io.Reader) (*Matrix, error) {
	l := &lines{r: bufio.NewReader(r)}
	head, err := l.next()
	if err == io.EOF {
		return nil, &SyntaxError{Line: l.n + 1, Msg: "the file is empty"}
	}
	if err != nil {
		return nil, err
	}
	names := strings.Split(head, "\t")[1:]
	if len(names) == 0 {
		return nil, l.bad(0, "the first line has no names after a tab")
	}
	if err := uniqueNames(names); err != nil {
		return nil, l.bad(0, "%s", strings.TrimPrefix(err.Error(), "phylo: "))
	}
	m := NewMatrix(names)
	for i := range names {
		text, err := l.next()
		if err == io.EOF {
			return nil, &SyntaxError{Line: l.n + 1, Msg: fmt.Sprintf("the file ends after %d of %d taxa", i, len(names))}
		}
		if err != nil {
			return nil, err
		}
		cells := strings.Split(text, "\t")
		if cells[0] != names[i] {
			return nil, l.bad(1, "row %d is %q, but column %d of the first line %q", i+1, cells[0], i+1, names[i])
		}
		if len(cells) != len(names)+1 {
			return nil, l.bad(0, "%q has %d distances, expected %d", names[i], len(cells)-1, len(names))
		}
		for j, c := range cells[1:] {
			if m.Data[i*len(names)+j], err = l.value(field{strings.TrimSpace(c), j + 2}); err != nil {
				return nil, err
			}
		}
	}
	if _, err := l.next(); err == nil {
		return nil, l.bad(1, "text after the last of %d taxa", len(names))
	} else if err != io.EOF {
		return nil, err
	}
	return m, m.settle()
}

// WriteTSV writes what ReadTSV reads, numbers with all their digits. Names with tabs or
// line ends are errors.
func WriteTSV(w io.Writer, m *Matrix) error {
	if err := m.Check(); err != nil {
		return err
	}
	for _, name := range m.Names {
		if strings.ContainsAny(name, "\t\r\n") {
			return fmt.Errorf("phylo: the name %q has a tab or line end, which TSV cannot hold", name)
		}
	}
	bw := bufio.NewWriter(w)
	fmt.Fprintf(bw, "taxon\t%s\n", strings.Join(m.Names, "\t"))
	var buf []byte
	for i, name := range m.Names {
		buf = append(buf[:0], name...)
		for j := range m.Names {
			buf = strconv.AppendFloat(append(buf, '\t'), m.At(i, j), 'g', -1, 64)
		}
		if _, err := bw.Write(append(buf, '\n')); err != nil {
			return fmt.Errorf("phylo: %w", err)
		}
	}
	if err := bw.Flush(); err != nil {
		return fmt.Errorf("phylo: %w", err)
	}
	return nil
}
