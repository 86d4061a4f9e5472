package recipe

import (
	"github.com/selfsame-ml/selfsame/view"
)

// TableInfo is what is known of a table for which a recipe is drafted. Counts are of all rows that were read.
type TableInfo struct {
	Source    string // as data.source will name it
	Query     string // as data.query will; "" for files
	Delimiter string // as data.delimiter will; "" = found at each reading
	Encoding  string // as data.encoding will; "" = found at each reading
	Describe  string // one line of what was found ("CSV, utf-8, comma"); may be ""
	Rows      int
	HasTest   bool // the source brings its own test part
	Columns   []ColumnInfo
	// Candidates; "" where there is none. The reasons become comments.
	Target, TargetReason   string
	Task                   string // "classify" | "regress"; "" = by the kind of Target
	Time, TimeReason       string // timestamp by which parts are split
	GroupBy, GroupByReason string // identifier that repeats
	Rules                  []RuleInfo
	Specs                  []view.Spec // transformations of the domain
}

// ColumnInfo is what was seen in one column.
type ColumnInfo struct {
	Name   string
	Kind   string // one of ColumnKinds
	Reason string // why it is of that kind, in a few words ("whole numbers, 3 values")
	Unit   string // a guess ("EUR", "years"); "" = none
	Format string // timestamp: Go layout
	// Least and greatest value; timestamps in seconds since 1970 UTC. Meaningless for kinds without an order.
	Min, Max float64
	Gap      float64  // timestamp: median distance in seconds of neighbours in time, within GroupBy where there is one
	Decimals int      // number, money: most decimals seen
	Distinct int      // different values; may be capped
	Missing  int      // empty cells and cells of MissingTexts
	Share    float64  // share of the rows with a value that hold the most frequent one
	Examples []string // a few values as they stand in the source
	Levels   []string // ordinal, boolean, category: all values where they are few; ordinal: rising
	// MissingTexts are texts beside the empty cell that seem to mean "missing" ("NA", "?", "-").
	MissingTexts []string
}

// RuleInfo is a rule between columns that holds on every row that was read.
type RuleInfo struct {
	Text string // in the language of rules: "total == quantity * price"
	Rows int    // rows without a missing cell on which it was checked
}
