package table

import (
	"context"
	"fmt"
)

// Cell is one value as a source gives it, before it is read as its column's kind.
type Cell struct {
	Text string  // the text; "" with Null
	Num  float64 // the value, where the source is typed and IsNum
	// IsNum: Num holds the value exactly (numbers; timestamps of typed sources as seconds since 1970 UTC with IsTime).
	IsNum, IsTime bool
	Null          bool
}

// Reader gives the records of a source in their order. It is not safe for concurrent use.
type Reader interface {
	// Header names the columns.
	Header() []string
	// Next writes the next record into dst (len(Header())) and returns its place (line of a file, number of a
	// record), or io.EOF. A record that cannot be read gives a *RecordError, after which Next goes on with the next one.
	Next(ctx context.Context, dst []Cell) (place int, err error)
	// Describe says in one line what was found ("CSV, utf-8, comma").
	Describe() string
	Close() error
}

// RecordError is one record that cannot be read or does not fit its column.
type RecordError struct {
	Source string // file, or database and query
	Place  int    // line of a file, number of a record of a query
	Column string // "" where the whole record is meant
	Value  string // as it stands in the source
	Err    error
}

// Error names the place, the column and the value.
func (e *RecordError) Error() string {
	s := fmt.Sprintf("table: %s:%d", e.Source, e.Place)
	if e.Column != "" {
		s += fmt.Sprintf(": column %q", e.Column)
	}
	if e.Value != "" {
		s += fmt.Sprintf(": value %.60q", e.Value)
	}
	return s + ": " + e.Err.Error()
}

// Unwrap returns Err.
func (e *RecordError) Unwrap() error { return e.Err }
