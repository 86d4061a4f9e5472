package table

import (
	"hash/fnv"
	"math"
	"strings"
	"time"
	"unicode"
)

// A cell of the encoder's input is a pair of float32 (value, state). One column gives one cell, or several.

// CellKind says how the encoder reads the value of a cell.
type CellKind uint8

// The kinds of cells.
const (
	NumberCell CellKind = iota // (v-mean)/std of the training part, within -Clip..Clip
	CodeCell                   // index into an embedding table; 0 is an unknown level
	PhaseCell                  // place in a cycle, 0..1
)

// Clip bounds the standardised values that the encoder sees, so that one absurd number cannot drown a batch.
const Clip = 1000

// Sizes of the embedding tables of columns with very many levels.
const (
	maxLevels   = 4096 // above, levels are hashed
	hashBuckets = 1024 // identifiers, and levels beyond maxLevels
	wordBuckets = 512  // words of a text
	textWords   = 4    // words of a text that are seen
)

// CellSpec describes one cell.
type CellSpec struct {
	Column int // index in Table.Columns
	Kind   CellKind
	Levels int       // CodeCell: size of the embedding table
	Part   string    // "" or which part of the column: "trend", "day", "week", "year", "word 1", ...
	Edges  []float32 // NumberCell: inner edges of quantile bins, standardised, rising
}

// Encoding turns rows into the input of the encoder.
type Encoding struct {
	Columns []Column
	Cells   []CellSpec
	first   []int      // first cell of each column; -1: not an input
	hashed  [][]uint16 // Identifier, Text, many levels: [code*width+k] index into the embedding table
}

// NewEncoding lays out the cells of the columns that are inputs. A cell state is 0 for Present, else the State.
func NewEncoding(cols []Column) *Encoding {
	e := &Encoding{Columns: cols, first: make([]int, len(cols)), hashed: make([][]uint16, len(cols))}
	for j := range cols {
		c := &cols[j]
		e.first[j] = -1
		if !c.Input {
			continue
		}
		e.first[j] = len(e.Cells)
		add := func(s CellSpec) { s.Column = j; e.Cells = append(e.Cells, s) }
		switch c.Kind {
		case Number, Integer, Money, Ordinal:
			add(CellSpec{Kind: NumberCell, Edges: c.edges()})
		case Timestamp:
			add(CellSpec{Kind: NumberCell, Part: "trend", Edges: c.edges()})
			for _, p := range []string{"day", "week", "year"} {
				add(CellSpec{Kind: PhaseCell, Part: p})
			}
		case Category, Boolean:
			if len(c.Levels) <= maxLevels {
				add(CellSpec{Kind: CodeCell, Levels: len(c.Levels) + 1})
				continue
			}
			e.hashed[j] = hashLevels(c.Levels, hashBuckets)
			add(CellSpec{Kind: CodeCell, Levels: hashBuckets + 1})
		case Identifier:
			e.hashed[j] = hashLevels(c.Levels, hashBuckets)
			add(CellSpec{Kind: CodeCell, Levels: hashBuckets + 1})
		case Text:
			e.hashed[j] = hashWords(c.Levels)
			for k := range textWords {
				add(CellSpec{Kind: CodeCell, Levels: wordBuckets + 1, Part: "word " + string(rune('1'+k))})
			}
		}
	}
	return e
}

// edges are the column's quantile edges, standardised as its cells are.
func (c *Column) edges() []float32 {
	out := make([]float32, 0, len(c.Quantiles))
	for _, q := range c.Quantiles {
		if v := c.standard(q); len(out) == 0 || v > out[len(out)-1] {
			out = append(out, v)
		}
	}
	return out
}

// standard is (v-mean)/std within -Clip..Clip; a constant column gives 0.
func (c *Column) standard(v float64) float32 {
	if !(c.Std > 0) {
		return 0
	}
	return float32(min(max((v-c.Mean)/c.Std, -Clip), Clip))
}

func bucket(s string, n int) uint16 {
	h := fnv.New64a()
	h.Write([]byte(s))
	return uint16(1 + h.Sum64()%uint64(n))
}

func hashLevels(levels []string, n int) []uint16 {
	out := make([]uint16, len(levels))
	for i, l := range levels {
		out[i] = bucket(l, n)
	}
	return out
}

// hashWords hashes the first words of every text; 0 where there are fewer.
func hashWords(levels []string) []uint16 {
	out := make([]uint16, len(levels)*textWords)
	for i, l := range levels {
		words := strings.FieldsFunc(strings.ToLower(l), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) })
		for k, w := range words[:min(len(words), textWords)] {
			out[i*textWords+k] = bucket(w, wordBuckets)
		}
	}
	return out
}

// Size is the number of float32 values of one encoded row: two a cell.
func (e *Encoding) Size() int { return 2 * len(e.Cells) }

// First is the first cell of a column, or -1 where the encoder does not see it.
func (e *Encoding) First(column int) int { return e.first[column] }

// Put writes row r to dst (Size values: value, state of each cell). It does not allocate. Levels added to a column after
// NewEncoding count as unknown.
func (e *Encoding) Put(dst []float32, r *Row) {
	for k := range e.Cells {
		s := &e.Cells[k]
		j := s.Column
		v, st := r.V[j], r.S[j]
		dst[2*k+1] = float32(st)
		if st != Present {
			dst[2*k] = 0
			continue
		}
		switch s.Kind {
		case NumberCell:
			dst[2*k] = e.Columns[j].standard(v)
		case PhaseCell:
			dst[2*k] = phase(s.Part, v)
		case CodeCell:
			code := int(v)
			switch h := e.hashed[j]; {
			case code < 0:
				dst[2*k] = 0
			case h == nil && code+1 < s.Levels:
				dst[2*k] = float32(code + 1)
			case h == nil:
				dst[2*k] = 0
			case e.Columns[j].Kind == Text && (code+1)*textWords <= len(h):
				dst[2*k] = float32(h[code*textWords+k-e.first[j]])
			case e.Columns[j].Kind != Text && code < len(h):
				dst[2*k] = float32(h[code])
			default:
				dst[2*k] = 0
			}
		}
	}
}

// phase is the place of a time (seconds since 1970 UTC) in its day, week (from Monday) or year (of 365.2425 days).
func phase(part string, t float64) float32 {
	const day = 86400
	period, shift := float64(day), 0.0
	switch part {
	case "week":
		period, shift = 7*day, 3*day // 1970-01-01 was a Thursday
	case "year":
		period = 365.2425 * day
	}
	x := (t + shift) / period // to 1e-12 until the year 3000; math.Mod takes five times as long
	return float32(x - math.Floor(x))
}

// TimeOf is the UTC time of a Timestamp cell.
func TimeOf(v float64) time.Time {
	s := math.Floor(v)
	return time.Unix(int64(s), int64((v-s)*1e9)).UTC()
}
