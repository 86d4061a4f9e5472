package phylo

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// SyntaxError is a fault of a file, at a place.
type SyntaxError struct {
	Line, Column int // from 1; columns count characters; Column 0: the whole line
	Msg          string
}

// Error returns "phylo: line L, column C: what is wrong".
func (e *SyntaxError) Error() string { return "phylo: " + e.Place() + ": " + e.Msg }

// Place returns "line L, column C".
func (e *SyntaxError) Place() string {
	if e.Column == 0 {
		return fmt.Sprintf("line %d", e.Line)
	}
	return fmt.Sprintf("line %d, column %d", e.Line, e.Column)
}

// NewickReader reads trees from a file in the Newick format (Felsenstein et al. 1986; grammar of
// Olsen 1990), as many as there are.
//
//   - Names may be quoted, a quote inside is doubled, and between quotes anything may stand.
//     Unquoted names hold no blanks, quotes, brackets, colons, commas or semicolons.
//   - Underscores are kept: unlike in PAUP they do not become blanks.
//   - A label of an inner node that is a number and not quoted is its support.
//   - Comments stand between square brackets, may be nested and are dropped, but for [&R] and [&U]
//     before a tree, which say whether it is rooted, and [&support=X], the support of a node that has
//     a name too. Without them a tree is rooted if its first node has two children.
//   - A tree ends with a semicolon. Branch lengths are finite decimal numbers and may be negative.
type NewickReader struct {
	r         *bufio.Reader
	line, col int // of the next character
	started   bool
	support   float64 // of the last [&support=X]; NaN: none
	rooting   byte    // of the last [&R] or [&U]; 0: none
}

// NewNewickReader returns a reader of r. A byte order mark is skipped.
func NewNewickReader(r io.Reader) *NewickReader {
	return &NewickReader{r: bufio.NewReader(r), line: 1, col: 1}
}

const eof = rune(-1)

// next returns the next character and its raw bytes, which are valid until the next call; bytes that are
// no UTF-8 come one by one as RuneError.
func (r *NewickReader) next() (rune, []byte, error) {
	b, err := r.r.Peek(utf8.UTFMax)
	if len(b) == 0 {
		if err == io.EOF {
			return eof, nil, nil
		}
		return 0, nil, err
	}
	c, n := utf8.DecodeRune(b)
	raw := b[:n]
	if _, err := r.r.Discard(n); err != nil {
		return 0, nil, err
	}
	if c == '\n' {
		r.line, r.col = r.line+1, 1
	} else {
		r.col++
	}
	return c, raw, nil
}

func (r *NewickReader) peek() (rune, error) {
	b, err := r.r.Peek(utf8.UTFMax)
	if len(b) == 0 {
		if err == io.EOF {
			return eof, nil
		}
		return 0, err
	}
	c, _ := utf8.DecodeRune(b)
	return c, nil
}

func (r *NewickReader) bad(line, col int, format string, args ...any) error {
	return &SyntaxError{Line: line, Column: col, Msg: fmt.Sprintf(format, args...)}
}

// skip goes over blanks and comments and returns the character that follows, unread.
func (r *NewickReader) skip() (rune, error) {
	for {
		c, err := r.peek()
		switch {
		case err != nil:
			return 0, err
		case c == '[':
			if err := r.comment(); err != nil {
				return 0, err
			}
		case c != eof && unicode.IsSpace(c):
			if _, _, err := r.next(); err != nil {
				return 0, err
			}
		default:
			return c, nil
		}
	}
}

func (r *NewickReader) comment() error {
	line, col := r.line, r.col
	var text []byte
	for depth := 0; ; {
		c, raw, err := r.next()
		switch {
		case err != nil:
			return err
		case c == eof:
			return r.bad(line, col, "a comment that starts here has no ]")
		case c == '[':
			depth++
		case c == ']':
			depth--
		}
		text = append(text, raw...)
		if depth == 0 {
			break
		}
	}
	in := strings.TrimSpace(string(text[1 : len(text)-1]))
	if s, ok := strings.CutPrefix(in, "&support="); ok {
		if v, ok := number(s); ok {
			r.support = v
		}
	}
	switch in {
	case "&R", "&r":
		r.rooting = 'R'
	case "&U", "&u":
		r.rooting = 'U'
	}
	return nil
}

// number reads a finite decimal number and nothing else.
func number(s string) (float64, bool) {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && c != '+' && c != '-' && c != '.' && c != 'e' && c != 'E' {
			return 0, false
		}
	}
	v, err := strconv.ParseFloat(s, 64)
	return v, err == nil
}

func isSpecial(c rune) bool {
	return c == eof || strings.ContainsRune("()[],:;'\"", c) || unicode.IsSpace(c)
}

// word reads an unquoted name or number.
func (r *NewickReader) word() (string, error) {
	var b []byte
	for {
		c, err := r.peek()
		if err != nil {
			return "", err
		}
		if isSpecial(c) {
			return string(b), nil
		}
		_, raw, err := r.next()
		if err != nil {
			return "", err
		}
		b = append(b, raw...)
	}
}

func (r *NewickReader) quoted() (string, error) {
	line, col := r.line, r.col
	var b []byte
	if _, _, err := r.next(); err != nil {
		return "", err
	}
	for {
		c, raw, err := r.next()
		switch {
		case err != nil:
			return "", err
		case c == eof:
			return "", r.bad(line, col, "a quote that starts here has no end")
		case c == '\'':
			switch c, err := r.peek(); {
			case err != nil:
				return "", err
			case c != '\'':
				return string(b), nil
			}
			if _, _, err := r.next(); err != nil {
				return "", err
			}
			raw = []byte{'\''} // looking ahead may have moved the buffer
		}
		b = append(b, raw...)
	}
}

func show(c rune) string {
	if c == eof {
		return "the end of the file"
	}
	return strconv.QuoteRune(c)
}

// label reads what follows a leaf's place or a closing bracket: name, length and comments.
func (r *NewickReader) label(n *Node) error {
	inner := n.Children != nil
	c, err := r.skip()
	if err != nil {
		return err
	}
	switch {
	case c == '\'':
		if n.Name, err = r.quoted(); err != nil {
			return err
		}
	case !isSpecial(c):
		s, err := r.word()
		if err != nil {
			return err
		}
		if v, ok := number(s); ok && inner {
			n.Support = v
		} else {
			n.Name = s
		}
	}
	named := c == '\'' || !isSpecial(c)
	line, col := r.line, r.col
	if c, err = r.skip(); err != nil {
		return err
	}
	if named && (c == '\'' || c == '"' || !isSpecial(c)) {
		if line != r.line || col != r.col {
			return r.bad(r.line, r.col, "%s after a name and a blank: names with blanks stand in single quotes, and commas between nodes", show(c))
		}
		return r.bad(r.line, r.col, "%s after a name: names with quotes stand in single quotes, with '' for a quote inside", show(c))
	}
	if c == ':' {
		if _, _, err := r.next(); err != nil {
			return err
		}
		if _, err := r.skip(); err != nil {
			return err
		}
		line, col := r.line, r.col
		s, err := r.word()
		if err != nil {
			return err
		}
		v, ok := number(s)
		if !ok {
			if s == "" {
				c, err := r.peek()
				if err != nil {
					return err
				}
				return r.bad(line, col, "%s where a branch length must stand", show(c))
			}
			return r.bad(line, col, "branch length %q is no finite decimal number", s)
		}
		n.Length = v
		if _, err := r.skip(); err != nil {
			return err
		}
	}
	if !math.IsNaN(r.support) {
		if inner && math.IsNaN(n.Support) {
			n.Support = r.support
		}
		r.support = math.NaN()
	}
	return nil
}

// Read returns the next tree, or io.EOF where the file has no more. Faults of the text are *SyntaxError.
func (r *NewickReader) Read() (*Tree, error) {
	if !r.started {
		r.started = true
		if b, _ := r.r.Peek(3); string(b) == "\ufeff" {
			if _, err := r.r.Discard(3); err != nil {
				return nil, err
			}
		}
	}
	r.rooting, r.support = 0, math.NaN()
	c, err := r.skip()
	switch {
	case err != nil:
		return nil, err
	case c == eof:
		return nil, io.EOF
	case c == ';':
		return nil, r.bad(r.line, r.col, "a tree without nodes")
	}
	rooting := r.rooting
	type open struct {
		n         *Node
		line, col int
	}
	var stack []open
	root := NewNode("")
	at := root
	for {
		if c, err = r.skip(); err != nil {
			return nil, err
		}
		if c == '(' { // a first child
			child := NewNode("")
			at.Children = []*Node{child}
			stack = append(stack, open{at, r.line, r.col})
			at = child
			if _, _, err := r.next(); err != nil {
				return nil, err
			}
			continue
		}
		r.support = math.NaN()
		if err := r.label(at); err != nil {
			return nil, err
		}
	closed:
		for {
			if c, err = r.skip(); err != nil {
				return nil, err
			}
			switch {
			case c == ';' && len(stack) == 0:
				if _, _, err := r.next(); err != nil {
					return nil, err
				}
				t := &Tree{Root: root, Rooted: len(root.Children) == 2}
				if rooting != 0 {
					t.Rooted = rooting == 'R'
				}
				return t, nil
			case c == ',' && len(stack) > 0:
				if _, _, err := r.next(); err != nil {
					return nil, err
				}
				at = NewNode("")
				p := stack[len(stack)-1].n
				p.Children = append(p.Children, at)
				break closed
			case c == ')' && len(stack) > 0:
				if _, _, err := r.next(); err != nil {
					return nil, err
				}
				at = stack[len(stack)-1].n
				stack = stack[:len(stack)-1]
				r.support = math.NaN()
				if err := r.label(at); err != nil {
					return nil, err
				}
			case c == ';':
				o := stack[len(stack)-1]
				return nil, r.bad(r.line, r.col, "';' while the bracket of line %d, column %d is open", o.line, o.col)
			case c == eof && len(stack) > 0:
				o := stack[len(stack)-1]
				return nil, r.bad(r.line, r.col, "the file ends while the bracket of line %d, column %d is open", o.line, o.col)
			case c == eof:
				return nil, r.bad(r.line, r.col, "the file ends where ';' must end the tree")
			case len(stack) == 0:
				return nil, r.bad(r.line, r.col, "%s where ';' must end the tree", show(c))
			default:
				return nil, r.bad(r.line, r.col, "%s where ',' or ')' must stand", show(c))
			}
		}
	}
}

// ReadNewick reads all trees of a file; see NewickReader for the format. A file without trees
// is an error.
func ReadNewick(r io.Reader) ([]*Tree, error) {
	var out []*Tree
	nr := NewNewickReader(r)
	for {
		t, err := nr.Read()
		if err == io.EOF {
			if len(out) == 0 {
				return nil, nr.bad(nr.line, nr.col, "no tree in the file")
			}
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
}

// ParseNewick reads a text of exactly one tree.
func ParseNewick(s string) (*Tree, error) {
	ts, err := ReadNewick(strings.NewReader(s))
	if err != nil {
		return nil, err
	}
	if len(ts) != 1 {
		return nil, fmt.Errorf("phylo: %d trees where one is expected", len(ts))
	}
	return ts[0], nil
}

// quote gives a name as Newick holds it; numeric: a number must be quoted.
func quote(name string, numeric bool) string {
	plain := name != ""
	for _, c := range name {
		if isSpecial(c) || strings.ContainsRune("={}/\\", c) || !unicode.IsPrint(c) {
			plain = false
			break
		}
	}
	if plain && numeric {
		_, isNumber := number(name)
		plain = !isNumber
	}
	if plain {
		return name
	}
	return "'" + strings.ReplaceAll(name, "'", "''") + "'"
}

func format(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// Newick returns the tree in one line without line end. Reading it gives the same tree bit
// for bit; lengths and supports that are no finite numbers are left out.
func (t *Tree) Newick() string {
	if t == nil || t.Root == nil {
		return "'';"
	}
	var b strings.Builder
	if t.Rooted != (len(t.Root.Children) == 2) {
		if t.Rooted {
			b.WriteString("[&R] ")
		} else {
			b.WriteString("[&U] ")
		}
	}
	tail := func(n *Node) {
		switch inner := !n.IsLeaf(); {
		case n.Name != "":
			b.WriteString(quote(n.Name, inner))
			if inner && finite(n.Support) {
				b.WriteString("[&support=" + format(n.Support) + "]")
			}
		case inner && finite(n.Support):
			b.WriteString(format(n.Support))
		case n == t.Root && !inner:
			b.WriteString("''")
		}
		if finite(n.Length) {
			b.WriteString(":" + format(n.Length))
		}
	}
	type item struct {
		n    *Node
		next int // child to write next
	}
	for stack := []item{{t.Root, 0}}; len(stack) > 0; {
		it := &stack[len(stack)-1]
		n := it.n
		if it.next == len(n.Children) {
			if !n.IsLeaf() {
				b.WriteByte(')')
			}
			tail(n)
			stack = stack[:len(stack)-1]
			continue
		}
		if it.next == 0 {
			b.WriteByte('(')
		} else {
			b.WriteByte(',')
		}
		child := n.Children[it.next]
		it.next++
		stack = append(stack, item{child, 0})
	}
	b.WriteByte(';')
	return b.String()
}

// WriteNewick writes trees, one a line.
func WriteNewick(w io.Writer, trees ...*Tree) error {
	bw := bufio.NewWriter(w)
	for _, t := range trees {
		if _, err := bw.WriteString(t.Newick() + "\n"); err != nil {
			return fmt.Errorf("phylo: %w", err)
		}
	}
	if err := bw.Flush(); err != nil {
		return fmt.Errorf("phylo: %w", err)
	}
	return nil
}
