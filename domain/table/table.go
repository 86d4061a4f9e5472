// Package table is the domain of rows: every column has a meaning, and the transformations of a
// column say what may change in it without changing the meaning of the row.
//
// Most users need [Domain] through package domain/all; [Open] reads a source into a [Table].
package table

import (
	"github.com/selfsame-ml/selfsame/contract"
)

// Kind is the meaning of a column's values.
type Kind uint8

// The kinds of columns. Their words in recipes are recipe.ColumnKinds.
const (
	Number     Kind = iota // real numbers
	Integer                // whole numbers
	Money                  // an amount in Unit; rounded to cents in views
	Ordinal                // levels with an order
	Category               // levels without one
	Boolean                // two levels
	Timestamp              // seconds since 1970-01-01T00:00:00Z
	Identifier             // names a thing (customer, order): carries no meaning of its own
	Text                   // free text: seen as hashed words
)

var kindNames = [...]string{"number", "integer", "money", "ordinal", "category", "boolean", "timestamp", "identifier", "text"}

// String is the word used in recipes.
func (k Kind) String() string { return kindNames[k] }

// ParseKind is the kind of a word used in recipes.
func ParseKind(s string) (Kind, bool) {
	for i, n := range kindNames {
		if n == s {
			return Kind(i), true
		}
	}
	return 0, false
}

// Numeric reports whether differences and ratios of the values mean something.
func (k Kind) Numeric() bool { return k <= Money }

// Coded reports whether cells hold the code of a level (index into Column.Levels).
func (k Kind) Coded() bool {
	return k == Ordinal || k == Category || k == Boolean || k == Identifier || k == Text
}

// State says how a cell is to be read.
type State uint8

// The states of a cell.
const (
	Present State = iota
	Missing       // the source has no value
	Dropped       // a view took it away (drop): the encoder sees "nothing here"
	Masked        // a view hid it (mask): the encoder is asked to restore it
)

// Unknown is the code of a level that the training part does not hold.
const Unknown = -1

// Column is one resolved column of a table.
type Column struct {
	Name      string
	Kind      Kind
	Unit      string
	Bounds    contract.Range // closed, in the column's unit
	Bounded   bool           // Bounds is declared
	Levels    []string       // Coded: the texts by code, in the order of first appearance in the training part (Ordinal: rising)
	Format    string         // Timestamp: the Go layout in which values are written back
	Decimals  int            // Number, Money: decimals to print; -1 is as many as needed
	Protected bool
	Input     bool     // the encoder sees it
	Declared  bool     // named in the recipe
	Missing   []string // texts that mean "no value" beside the empty cell
	fixed     bool     // Levels are declared: others are unknown, even while a table is built
	// Statistics of the training part, by which cells are scaled: never of other parts.
	Mean, Std, Min, Max float64
	Present             int       // cells with a value
	Quantiles           []float64 // rising, distinct inner edges of at most Encoder.Bins quantile bins
}

// Row is one row: V[j] is the value of column j, or the code of its level; meaningless (0) where S[j] is not Present.
type Row struct {
	V []float64
	S []State
}

// NewRow returns a row of n columns.
func NewRow(n int) Row { return Row{V: make([]float64, n), S: make([]State, n)} }

// CopyRow copies src to dst of the same width.
func CopyRow(dst, src *Row) { copy(dst.V, src.V); copy(dst.S, src.S) }

// Table is the rows of a source in memory, column by column.
type Table struct {
	Columns []Column
	Values  [][]float64 // [column][row]
	States  [][]State   // [column][row]
	Places  []int       // line or record number in the source, by row; nil: the index
	Rows    int
	Source  string // for messages
	// of building
	unseen  []int
	example []string
	builder *Builder
	built   *Column
	// A second source holds the rows from otherFrom on.
	other     string
	otherFrom int
}

// Read copies row i into r.
func (t *Table) Read(i int, r *Row) {
	for j := range t.Columns {
		r.V[j], r.S[j] = t.Values[j][i], t.States[j][i]
	}
}

// Lookup returns the index of a column, or -1.
func (t *Table) Lookup(name string) int {
	for j := range t.Columns {
		if t.Columns[j].Name == name {
			return j
		}
	}
	return -1
}
