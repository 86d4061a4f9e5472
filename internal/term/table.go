package term

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Table is a table of text. The zero value is empty and ready for use.
type Table struct {
	head  []string
	rows  [][]string
	right map[int]bool
}

// NewTable returns a table with a heading. A heading that starts with ">" is set
// to the right, with its column (numbers).
func NewTable(head ...string) *Table {
	t := &Table{right: map[int]bool{}}
	for i, h := range head {
		if s, ok := strings.CutPrefix(h, ">"); ok {
			h, t.right[i] = s, true
		}
		t.head = append(t.head, h)
	}
	return t
}

// Row adds a row; cells are written as fmt.Sprint writes them.
func (t *Table) Row(cells ...any) {
	row := make([]string, len(cells))
	for i, c := range cells {
		row[i] = strings.Join(strings.Fields(fmt.Sprint(c)), " ")
	}
	t.rows = append(t.rows, row)
}

// Write lays the table out in at most Width columns. The last column is wrapped at
// spaces; where even that does not fit, the longest of the other columns are cut.
func (t *Table) Write(w io.Writer) error {
	n := len(t.head)
	for _, r := range t.rows {
		n = max(n, len(r))
	}
	if n == 0 {
		return nil
	}
	width := make([]int, n)
	for _, r := range append([][]string{t.head}, t.rows...) {
		for i, c := range r {
			width[i] = max(width[i], utf8.RuneCountInString(c))
		}
	}
	const gap, least = 2, 20
	sum := func(ws []int) (s int) {
		for _, v := range ws {
			s += v + gap
		}
		return s
	}
	last := n - 1
	for n > 1 && sum(width[:last])+min(width[last], least) > Width {
		big := 0
		for i := range width[:last] {
			if width[i] > width[big] {
				big = i
			}
		}
		if width[big] <= 4 {
			break
		}
		width[big]--
	}
	width[last] = min(width[last], max(Width-sum(width[:last]), 4))

	var b strings.Builder
	line := func(r []string) {
		lines := []string{""}
		if len(r) == n {
			lines = Wrap(r[last], width[last])
		}
		for k, l := range lines {
			var s strings.Builder
			for i := range last {
				c := ""
				if k == 0 && i < len(r) {
					c = Cut(r[i], width[i])
				}
				s.WriteString(t.pad(i, c, width[i]))
				s.WriteString(strings.Repeat(" ", gap))
			}
			s.WriteString(t.pad(last, l, width[last]))
			b.WriteString(strings.TrimRight(s.String(), " "))
			b.WriteByte('\n')
		}
	}
	if len(t.head) > 0 {
		line(t.head)
		rule := make([]string, n)
		for i := range rule {
			rule[i] = strings.Repeat("-", width[i])
		}
		line(rule)
	}
	for _, r := range t.rows {
		line(r)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (t *Table) pad(col int, s string, width int) string {
	fill := strings.Repeat(" ", max(width-utf8.RuneCountInString(s), 0))
	if t.right[col] {
		return fill + s
	}
	return s + fill
}

// Wrap breaks s at spaces into lines of at most cols characters; a longer word is cut
// into pieces. It returns at least one line.
func Wrap(s string, cols int) []string {
	var out []string
	cur := ""
	for _, word := range strings.Fields(s) {
		for utf8.RuneCountInString(word) > cols && cols > 0 {
			if cur != "" {
				out, cur = append(out, cur), ""
			}
			r := []rune(word)
			out, word = append(out, string(r[:cols])), string(r[cols:])
		}
		switch {
		case word == "":
		case cur == "":
			cur = word
		case utf8.RuneCountInString(cur)+1+utf8.RuneCountInString(word) <= cols:
			cur += " " + word
		default:
			out, cur = append(out, cur), word
		}
	}
	if cur != "" || len(out) == 0 {
		out = append(out, cur)
	}
	return out
}
