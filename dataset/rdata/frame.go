package rdata

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Kind is the type of a column.
type Kind uint8

// The kinds of columns.
const (
	Logical Kind = iota
	Integer
	Double
	String
	Factor // Ints are 1-based codes of Levels
)

var kindNames = [...]string{"logical", "integer", "double", "string", "factor"}

// String is R's word.
func (k Kind) String() string { return kindNames[k] }

// Column is one column of a data frame.
type Column struct {
	Name    string
	Kind    Kind
	Class   []string  // R's class attribute: "Date", "POSIXct", "ordered", ...
	Ints    []int32   // Logical (0, 1), Integer, Factor [rows]
	Doubles []float64 // Double [rows]
	Strings []string  // String [rows]
	Levels  []string  // Factor
	missing []bool    // String
}

// Ordered reports a factor whose levels have an order.
func (c *Column) Ordered() bool { return slices.Contains(c.Class, "ordered") }

// NA reports that the cell of row i is missing. A NaN that is no NA is a value.
func (c *Column) NA(i int) bool {
	switch c.Kind {
	case Double:
		return isNA(c.Doubles[i])
	case String:
		return c.missing != nil && c.missing[i]
	}
	return c.Ints[i] == naInt
}

// Text is the cell of row i as text: numbers in the shortest form that reads back the same, factors as
// their level, Date as 2006-01-02, POSIXct as RFC 3339 in UTC, logicals as TRUE and FALSE, NA as "".
func (c *Column) Text(i int) string {
	if c.NA(i) {
		return ""
	}
	switch c.Kind {
	case Logical:
		if c.Ints[i] != 0 {
			return "TRUE"
		}
		return "FALSE"
	case String:
		return c.Strings[i]
	case Factor:
		return c.Levels[c.Ints[i]-1]
	case Integer:
		if s, ok := c.when(float64(c.Ints[i])); ok {
			return s
		}
		return strconv.Itoa(int(c.Ints[i]))
	}
	v := c.Doubles[i]
	if s, ok := c.when(v); ok {
		return s
	}
	if a := math.Abs(v); a != 0 && (a < 1e-5 || a >= 1e15) {
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

// when is the text of a date or time.
func (c *Column) when(v float64) (string, bool) {
	date, clock := slices.Contains(c.Class, "Date"), slices.Contains(c.Class, "POSIXct")
	if !date && !clock || math.IsNaN(v) || math.Abs(v) > 1e11 {
		return "", false
	}
	if date {
		return time.Unix(0, 0).UTC().AddDate(0, 0, int(math.Floor(v))).Format(time.DateOnly), true
	}
	sec := math.Floor(v)
	return time.Unix(int64(sec), int64((v-sec)*1e9)).UTC().Format(time.RFC3339Nano), true
}

// Frame is a data frame.
type Frame struct {
	Name    string
	Columns []Column
	Rows    int
}

// Column returns the column of a name, or nil.
func (f *Frame) Column(name string) *Column {
	for i := range f.Columns {
		if f.Columns[i].Name == name {
			return &f.Columns[i]
		}
	}
	return nil
}

// Frame reads a data frame. Columns that are lists, matrices or complex numbers are an error that names them.
func (f *File) Frame(name string) (*Frame, error) {
	n, err := f.object(name)
	if err != nil {
		return nil, err
	}
	fr, err := frame(n)
	if err != nil {
		return nil, &Error{Path: f.path, Object: name, Err: err}
	}
	fr.Name = name
	return fr, nil
}

func frame(n *node) (*Frame, error) {
	if n.typ != vecSXP || !slices.Contains(n.class(), "data.frame") {
		return nil, fmt.Errorf("%w (type %d, class %q)", ErrNotFrame, n.typ, n.class())
	}
	names := n.attr("names")
	if names == nil || len(names.strs) != len(n.list) {
		return nil, errors.New("columns without names")
	}
	f := &Frame{Rows: -1}
	for i, v := range n.list {
		c, err := column(v)
		if err != nil {
			return nil, fmt.Errorf("column %.60q: %w", names.strs[i], err)
		}
		c.Name = names.strs[i]
		rows := max(len(c.Ints), len(c.Doubles), len(c.Strings))
		if f.Rows >= 0 && rows != f.Rows {
			return nil, fmt.Errorf("column %.60q has %d rows, the first has %d", c.Name, rows, f.Rows)
		}
		f.Rows = rows
		f.Columns = append(f.Columns, c)
	}
	f.Rows = max(f.Rows, 0)
	return f, nil
}

func column(v *node) (Column, error) {
	c := Column{Class: v.class(), Ints: v.ints, Doubles: v.reals, Strings: v.strs, missing: v.na}
	if d := v.attr("dim"); d != nil {
		return c, errors.New("a matrix is no column of cells")
	}
	switch v.typ {
	case lglSXP:
		c.Kind = Logical
	case intSXP:
		c.Kind = Integer
		if !slices.Contains(c.Class, "factor") {
			break
		}
		c.Kind = Factor
		if l := v.attr("levels"); l != nil {
			c.Levels = l.strs
		}
		for i, k := range c.Ints {
			if k != naInt && (k < 1 || int(k) > len(c.Levels)) {
				return c, fmt.Errorf("row %d: code %d of %d levels", i+1, k, len(c.Levels))
			}
		}
	case realSXP:
		c.Kind = Double
	case strSXP:
		c.Kind = String
	default:
		return c, fmt.Errorf("cells of type %d are not read", v.typ)
	}
	return c, nil
}

// WriteCSV writes the frame as comma-separated UTF-8 with a header (RFC 4180, lines end in \n). A missing
// cell is empty; so is an empty text.
func (f *Frame) WriteCSV(w io.Writer) error {
	b := bufio.NewWriter(w)
	for j := range f.Columns {
		if j > 0 {
			b.WriteByte(',')
		}
		b.WriteString(quote(f.Columns[j].Name))
	}
	b.WriteByte('\n')
	for i := range f.Rows {
		for j := range f.Columns {
			if j > 0 {
				b.WriteByte(',')
			}
			b.WriteString(quote(f.Columns[j].Text(i)))
		}
		b.WriteByte('\n')
	}
	return b.Flush()
}

func quote(s string) string {
	if !strings.ContainsAny(s, ",\"\r\n") && s == strings.TrimSpace(s) {
		return s
	}
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}
