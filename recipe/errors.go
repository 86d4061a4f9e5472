package recipe

import (
	"fmt"
	"sort"
	"strings"
)

// maxErrors is how many errors one message lists; the rest is counted.
const maxErrors = 10

// Error is one thing that is wrong in a recipe, with its place.
type Error struct {
	File   string // as given to Load, or "--set KEY=VALUE" for an override; "" for a recipe made in Go
	Line   int    // from 1; 0 = unknown
	Column int    // from 1, in characters; 0 = unknown
	Path   string // dotted key, e.g. "train.epochs"
	Msg    string // what is wrong, with value and limit
	Hint   string // what to do; may be ""
}

// Error writes "recipe: FILE:LINE:COLUMN: PATH: what is wrong (hint)".
func (e *Error) Error() string { return "recipe: " + e.text() }

func (e *Error) text() string {
	var b strings.Builder
	if e.File != "" {
		b.WriteString(e.File)
		if e.Line > 0 {
			fmt.Fprintf(&b, ":%d", e.Line)
			if e.Column > 0 {
				fmt.Fprintf(&b, ":%d", e.Column)
			}
		}
		b.WriteString(": ")
	}
	if e.Path != "" {
		b.WriteString(e.Path + ": ")
	}
	b.WriteString(e.Msg)
	if e.Hint != "" {
		b.WriteString(" (" + e.Hint + ")")
	}
	return b.String()
}

// Errors are all the things that are wrong in a recipe, in the order of their places;
// those without a place come last.
// Every error of Load, Parse and Validate that concerns the content is an Errors
// value: errors.As finds it, and the command exits with 2.
type Errors []*Error

// Error lists up to ten errors, one a line, and counts the rest.
func (es Errors) Error() string {
	var b strings.Builder
	for i, e := range es {
		if i == maxErrors {
			fmt.Fprintf(&b, "\nand %d more", len(es)-i)
			break
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(e.Error())
	}
	return b.String()
}

// Unwrap returns the single errors.
func (es Errors) Unwrap() []error {
	out := make([]error, len(es))
	for i, e := range es {
		out[i] = e
	}
	return out
}

// err returns es as an error, sorted by place, or nil when nothing is wrong.
func (es Errors) err() error {
	if len(es) == 0 {
		return nil
	}
	sort.SliceStable(es, func(i, j int) bool {
		if (es[i].Line == 0) != (es[j].Line == 0) {
			return es[j].Line == 0 // what has no place, such as a missing key, comes last
		}
		if es[i].Line != es[j].Line {
			return es[i].Line < es[j].Line
		}
		return es[i].Column < es[j].Column
	})
	return es
}

// nearest returns the known word with the smallest edit distance to s, or "" where none is near.
func nearest(s string, known []string) string {
	best, at := 1+max(2, len(s)/2), ""
	for _, k := range known {
		if d := editDistance(strings.ToLower(s), k); d < best {
			best, at = d, k
		}
	}
	return at
}

// suggest is the hint for a word that is not one of known.
func suggest(s string, known []string) string {
	if k := nearest(s, known); k != "" {
		return fmt.Sprintf("did you mean %s?", k)
	}
	return "known: " + strings.Join(known, ", ")
}

// editDistance is the Damerau-Levenshtein distance in its restricted form
// (optimal string alignment): insert, delete, replace, swap neighbours.
func editDistance(a, b string) int {
	x, y := []rune(a), []rune(b)
	if len(x) > 64 || len(y) > 64 { // no key is that long; keeps hostile keys cheap
		return max(len(x), len(y))
	}
	d := make([][]int, len(x)+1)
	for i := range d {
		d[i] = make([]int, len(y)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(x); i++ {
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(x)][len(y)]
}
