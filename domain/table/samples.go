package table

import (
	"fmt"
	"math"

	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/recipe"
)

// Samples are the rows of a table in three parts. They are safe for concurrent use.
type Samples struct {
	recipe   *recipe.Recipe
	table    *Table
	encoding *Encoding
	parts    [3][]int32   // rows of the table
	labels   [3][]int32   // nil where nothing is classified
	values   [3][]float64 // nil where nothing is regressed
	classes  []string
	target   domain.Target
	hash     string
	about    domain.About
	lazySampler
	lazyMarginals
}

// InputName is the name of the Input field.
const InputName = "row"

// Table is the whole table; rows of a part are Rows(part).
func (s *Samples) Table() *Table { return s.table }

// Encoding is the layout of the encoder's input.
func (s *Samples) Encoding() *Encoding { return s.encoding }

// Rows are the rows of a part in the table. The slice is shared: do not change it.
func (s *Samples) Rows(p domain.Part) []int32 { return s.parts[p] }

// Len is the number of rows in a part.
func (s *Samples) Len(p domain.Part) int { return len(s.parts[p]) }

// Labels returns the class of every row of a part, -1 where it is unknown; nil where nothing is classified.
func (s *Samples) Labels(p domain.Part) []int32 { return s.labels[p] }

// Classes names the classes, or is nil.
func (s *Samples) Classes() []string { return s.classes }

// Target names the number that is to be predicted.
func (s *Samples) Target() (domain.Target, bool) { return s.target, s.values[domain.Train] != nil }

// Values are the numbers to be predicted; NaN where a row has none.
func (s *Samples) Values(p domain.Part) []float64 { return s.values[p] }

// Input is one encoded row: [cells, 2] of value and state, see Encoding.
func (s *Samples) Input() domain.Field {
	return domain.Field{Name: InputName, DType: domain.F32, Dims: []int{len(s.encoding.Cells), 2}}
}

// Row copies row i of a part.
func (s *Samples) Row(p domain.Part, i int, r *Row) error {
	if i < 0 || i >= len(s.parts[p]) {
		return fmt.Errorf("table: sample %d of a part that has %d", i, len(s.parts[p]))
	}
	s.table.Read(int(s.parts[p][i]), r)
	return nil
}

// Fill writes row i of a part to row `row` of dst, [rows, cells, 2].
func (s *Samples) Fill(dst *domain.Array, row int, p domain.Part, i int) error {
	n := s.encoding.Size()
	if i < 0 || i >= len(s.parts[p]) {
		return fmt.Errorf("table: sample %d of a part that has %d", i, len(s.parts[p]))
	}
	if row < 0 || (row+1)*n > len(dst.F32) {
		return fmt.Errorf("table: row %d of %d values does not fit an array of %d", row, n, len(dst.F32))
	}
	r := NewRow(len(s.table.Columns))
	s.table.Read(int(s.parts[p][i]), &r)
	s.encoding.Put(dst.F32[row*n:(row+1)*n], &r)
	return nil
}

// Name says which record of the source row i of a part is.
func (s *Samples) Name(p domain.Part, i int) string {
	return s.table.Place(int(s.parts[p][i]))
}

// Hash identifies the content.
func (s *Samples) Hash() string { return s.hash }

// Describe tells of the data.
func (s *Samples) Describe() domain.About { return s.about }

// Recipe is the recipe that the samples were opened with.
func (s *Samples) Recipe() *recipe.Recipe { return s.recipe }

// Close releases nothing: rows lie in memory.
func (s *Samples) Close() error { return nil }

// Dense is the form for linear models and kNN: numbers standardised, within -5..5, missing ones 0 with a flag
// beside them; levels one-hot as far as they are few, phases as sine and cosine. Identifiers and texts are left out.
func (s *Samples) Dense(p domain.Part, rows []int) (x []float32, dim int, err error) {
	type column struct{ at, width int }
	const most = 64 // levels with a place of their own
	var cols []column
	for j := range s.table.Columns {
		c := &s.table.Columns[j]
		w := 0
		if c.Input {
			switch c.Kind {
			case Number, Integer, Money, Ordinal:
				w = 2
			case Timestamp:
				w = 8
			case Category, Boolean:
				w = min(len(c.Levels), most) + 1
			}
		}
		cols = append(cols, column{dim, w})
		dim += w
	}
	n := len(rows)
	if rows == nil {
		n = s.Len(p)
	}
	x = make([]float32, n*dim)
	for k := range n {
		i := k
		if rows != nil {
			i = rows[k]
		}
		if i < 0 || i >= s.Len(p) {
			return nil, 0, fmt.Errorf("table: sample %d of a part that has %d", i, s.Len(p))
		}
		at := int(s.parts[p][i])
		for j, cl := range cols {
			if cl.width == 0 {
				continue
			}
			c := &s.table.Columns[j]
			dst := x[k*dim+cl.at : k*dim+cl.at+cl.width]
			v, missing := s.table.Values[j][at], s.table.States[j][at] != Present
			switch c.Kind {
			case Category, Boolean:
				switch {
				case missing:
					dst[cl.width-1] = 1
				case v >= 0 && int(v) < cl.width-1:
					dst[int(v)] = 1
				}
			default:
				if missing {
					dst[1] = 1
					continue
				}
				dst[0] = min(max(c.standard(v), -5), 5)
				if c.Kind == Timestamp {
					for q, part := range []string{"day", "week", "year"} {
						sin, cos := math.Sincos(2 * math.Pi * float64(phase(part, v)))
						dst[2+2*q], dst[3+2*q] = float32(sin), float32(cos)
					}
				}
			}
		}
	}
	return x, dim, nil
}

// Tree is the form for trees: one feature a column that is an input, in its own unit, NaN where it is missing; codes of levels
// are flagged categorical where a tree can hold them (at most 255 levels).
func (s *Samples) Tree(p domain.Part, rows []int) (x []float32, dim int, categorical []bool, err error) {
	var cols []int
	for j := range s.table.Columns {
		c := &s.table.Columns[j]
		if c.Input && c.Kind != Identifier && c.Kind != Text {
			cols = append(cols, j)
			categorical = append(categorical, (c.Kind == Category || c.Kind == Boolean) && len(c.Levels) <= 254)
		}
	}
	dim = len(cols)
	n := len(rows)
	if rows == nil {
		n = s.Len(p)
	}
	x = make([]float32, n*dim)
	for k := range n {
		i := k
		if rows != nil {
			i = rows[k]
		}
		if i < 0 || i >= s.Len(p) {
			return nil, 0, nil, fmt.Errorf("table: sample %d of a part that has %d", i, s.Len(p))
		}
		at := int(s.parts[p][i])
		for q, j := range cols {
			v := s.table.Values[j][at]
			switch {
			case s.table.States[j][at] != Present || s.table.Columns[j].Kind.Coded() && v < 0:
				v = math.NaN()
			case s.table.Columns[j].Kind == Timestamp:
				v -= s.table.Columns[j].Mean // float32 holds seconds since 1970 to two minutes only
			}
			x[k*dim+q] = float32(min(max(v, -math.MaxFloat32), math.MaxFloat32))
		}
	}
	return x, dim, categorical, nil
}

var (
	_ domain.Describer = (*Samples)(nil)
	_ domain.Namer     = (*Samples)(nil)
	_ domain.Targeter  = (*Samples)(nil)
	_ domain.Featurer  = (*Samples)(nil)
)
