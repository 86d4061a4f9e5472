package table

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"math/big"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/selfsame-ml/selfsame/dataset"
)

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// parquetMagic begins and ends every Parquet file.
const parquetMagic = "PAR1"

// parquetReader reads the plain columns of a Parquet file row by row. Groups give columns with dots; repeated ones are
// left out with a note.
type parquetReader struct {
	source string
	file   *os.File
	pq     *parquet.File
	header []string
	leaf   []int // column of the row by leaf; -1: left out
	read   []func(v parquet.Value) (Cell, error)
	notes  []string
	group  int
	rows   parquet.Rows
	buf    []parquet.Row
	have   int
	at     int
	place  int
	eof    bool
}

func openParquet(path string) (r *parquetReader, err error) {
	bad := func(err error) error { return &dataset.Error{Path: path, Err: err} }
	f, err := os.Open(path)
	if err != nil {
		return nil, bad(bareError(err))
	}
	defer func() {
		if p := recover(); p != nil { // the decoder panics on some broken files
			err = bad(fmt.Errorf("broken Parquet file: %v", p))
		}
		if err != nil {
			f.Close()
			r = nil
		}
	}()
	st, err := f.Stat()
	if err != nil {
		return nil, bad(bareError(err))
	}
	pq, err := parquet.OpenFile(f, st.Size())
	if err != nil {
		return nil, bad(fmt.Errorf("broken Parquet file: %w", err))
	}
	r = &parquetReader{source: path, file: f, pq: pq, buf: make([]parquet.Row, 512)}
	r.columns(pq.Root(), "")
	if len(r.header) == 0 {
		return nil, bad(errors.New("it holds no plain column"))
	}
	if err := checkHeader(r.header); err != nil {
		return nil, bad(err)
	}
	return r, nil
}

// columns walks the schema in the order of its leaves.
func (r *parquetReader) columns(c *parquet.Column, prefix string) {
	for _, k := range c.Columns() {
		name := prefix + k.Name()
		switch {
		case !k.Leaf() && !k.Repeated() && !isList(k):
			r.columns(k, name+".")
		case !k.Leaf() || k.MaxRepetitionLevel() > 0:
			n := leaves(k)
			r.leaf = append(r.leaf, slices.Repeat([]int{-1}, n)...)
			r.read = append(r.read, make([]func(parquet.Value) (Cell, error), n)...)
			r.notes = append(r.notes, fmt.Sprintf("column %.60q holds lists and was left out", name))
		default:
			r.leaf = append(r.leaf, len(r.header))
			r.read = append(r.read, parquetCell(k))
			r.header = append(r.header, name)
		}
	}
}

func isList(c *parquet.Column) bool {
	for _, k := range c.Columns() {
		if k.Repeated() {
			return true
		}
	}
	return false
}

func leaves(c *parquet.Column) int {
	if c.Leaf() {
		return 1
	}
	n := 0
	for _, k := range c.Columns() {
		n += leaves(k)
	}
	return n
}

// parquetCell is the reading of one column by its physical and logical type.
func parquetCell(c *parquet.Column) func(parquet.Value) (Cell, error) {
	t := c.Type()
	var logical any
	if l := t.LogicalType(); l != nil {
		logical = l.Value
	}
	number := func(f func(parquet.Value) float64) func(parquet.Value) (Cell, error) {
		return func(v parquet.Value) (Cell, error) { return Cell{Num: f(v), IsNum: true}, nil }
	}
	at := func(f func(parquet.Value) float64) func(parquet.Value) (Cell, error) {
		return func(v parquet.Value) (Cell, error) { return Cell{Num: f(v), IsNum: true, IsTime: true}, nil }
	}
	switch l := logical.(type) {
	case *format.DateType:
		return at(func(v parquet.Value) float64 { return 86400 * float64(v.Int32()) })
	case *format.TimestampType:
		unit := time.Millisecond
		if l.Unit.Value != nil {
			unit = l.Unit.Value.Duration()
		}
		per := int64(time.Second / unit)
		return at(func(v parquet.Value) float64 { return float64(v.Int64()/per) + float64(v.Int64()%per)/float64(per) })
	case *format.DecimalType:
		scale := math.Pow10(int(l.Scale))
		switch t.Kind() {
		case parquet.Int32:
			return number(func(v parquet.Value) float64 { return float64(v.Int32()) / scale })
		case parquet.Int64:
			return number(func(v parquet.Value) float64 { return float64(v.Int64()) / scale })
		}
		return number(func(v parquet.Value) float64 { return bigEndian(v.ByteArray(), int(l.Scale)) })
	case *format.IntType:
		if !l.IsSigned {
			if t.Kind() == parquet.Int32 {
				return number(func(v parquet.Value) float64 { return float64(v.Uint32()) })
			}
			return number(func(v parquet.Value) float64 { return float64(v.Uint64()) })
		}
	case *format.UUIDType:
		return func(v parquet.Value) (Cell, error) {
			b := v.ByteArray()
			if len(b) != 16 {
				return Cell{}, errors.New("is no UUID of 16 bytes")
			}
			return Cell{Text: fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])}, nil
		}
	case *format.Float16Type:
		return number(func(v parquet.Value) float64 { return float16(v.ByteArray()) })
	}
	switch t.Kind() {
	case parquet.Boolean:
		return func(v parquet.Value) (Cell, error) {
			if v.Boolean() {
				return Cell{Text: "true"}, nil
			}
			return Cell{Text: "false"}, nil
		}
	case parquet.Int32:
		return number(func(v parquet.Value) float64 { return float64(v.Int32()) })
	case parquet.Int64:
		return func(v parquet.Value) (Cell, error) { return anyCell(v.Int64()), nil }
	case parquet.Int96: // nanoseconds of a day and Julian day, as Impala and old Spark write times
		return at(func(v parquet.Value) float64 {
			i := v.Int96()
			return (float64(i[2])-2440588)*86400 + float64(uint64(i[1])<<32|uint64(i[0]))/1e9
		})
	case parquet.Float:
		return number(func(v parquet.Value) float64 { return shortest(v.Float()) })
	case parquet.Double:
		return number(func(v parquet.Value) float64 { return v.Double() })
	}
	return func(v parquet.Value) (Cell, error) {
		s := string(v.ByteArray())
		if !utf8.ValidString(s) {
			return Cell{}, errors.New("is no UTF-8 text")
		}
		return Cell{Text: s}, nil
	}
}

// shortest is the float64 that is written as the float32 is: 0.1, not 0.10000000149.
func shortest(f float32) float64 {
	v := float64(f)
	if v == math.Trunc(v) || math.IsNaN(v) || math.IsInf(v, 0) {
		return v
	}
	for d := 1; d <= 6; d++ {
		if r := math.Round(v*pow10[d]) / pow10[d]; float32(r) == f {
			return r
		}
	}
	return v
}

func float16(b []byte) float64 {
	if len(b) != 2 {
		return math.NaN()
	}
	u := binary.LittleEndian.Uint16(b)
	sign := 1.0
	if u&0x8000 != 0 {
		sign = -1
	}
	e, m := int(u>>10&31), float64(u&1023)
	switch e {
	case 0:
		return sign * math.Ldexp(m, -24)
	case 31:
		if m == 0 {
			return math.Inf(int(sign))
		}
		return math.NaN()
	}
	return sign * math.Ldexp(1024+m, e-25)
}

// bigEndian is a two's complement number with decimals.
func bigEndian(b []byte, scale int) float64 {
	n := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	v, _ := new(big.Rat).SetFrac(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(0, scale))), nil)).Float64()
	return v
}

func (r *parquetReader) Header() []string { return r.header }

// Source names the file.
func (r *parquetReader) Source() string { return r.source }

// Notes names columns that were left out.
func (r *parquetReader) Notes() []string { return r.notes }

// Position is in rows.
func (r *parquetReader) Position() (done, total int64) { return int64(r.place), r.pq.NumRows() }

func (r *parquetReader) Describe() string {
	s := "Parquet"
	if by, _, _ := strings.Cut(r.pq.Metadata().CreatedBy, " "); by != "" {
		s += fmt.Sprintf(", written by %.40s", by)
	}
	return s
}

// Next reads one row. Place counts the records from 1.
func (r *parquetReader) Next(ctx context.Context, dst []Cell) (place int, err error) {
	defer func() {
		if p := recover(); p != nil {
			r.eof, err = true, r.broken(fmt.Errorf("%v", p))
		}
	}()
	for r.at == r.have {
		if err := r.more(ctx); err != nil {
			return r.place, err
		}
	}
	row := r.buf[r.at]
	r.at++
	r.place++
	for i := range dst {
		dst[i] = Cell{Null: true}
	}
	for _, v := range row {
		c := v.Column()
		if c < 0 || c >= len(r.leaf) || r.leaf[c] < 0 || v.IsNull() {
			continue
		}
		cell, err := r.read[c](v)
		if err != nil {
			return r.place, &RecordError{Source: r.source, Place: r.place, Column: r.header[r.leaf[c]], Value: fmt.Sprintf("%.20x", v.Bytes()), Err: err}
		}
		dst[r.leaf[c]] = cell
	}
	return r.place, nil
}

func (r *parquetReader) broken(err error) error {
	return &dataset.Error{Path: r.source, Record: fmt.Sprintf("record %d", r.place+1), Err: fmt.Errorf("broken Parquet file: %w", err)}
}

// more reads the next rows of a row group.
func (r *parquetReader) more(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if r.eof {
		return io.EOF
	}
	if r.rows == nil {
		groups := r.pq.RowGroups()
		if r.group == len(groups) {
			r.eof = true
			return io.EOF
		}
		r.rows = groups[r.group].Rows()
		r.group++
	}
	n, err := r.rows.ReadRows(r.buf)
	r.have, r.at = n, 0
	switch {
	case errors.Is(err, io.EOF) || err == nil && n == 0:
		err = r.rows.Close()
		r.rows = nil
		if err != nil {
			r.eof = true
			return r.broken(err)
		}
	case err != nil:
		r.eof = true
		return r.broken(err)
	}
	return nil
}

func (r *parquetReader) Close() error {
	if r.rows != nil {
		r.rows.Close()
		r.rows = nil
	}
	r.eof = true
	return r.file.Close()
}
