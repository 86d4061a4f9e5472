package table

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/dataset"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/recipe"
)

// maxNamed bounds the broken records, levels and columns that messages name.
const maxNamed = 50

// maxClasses bounds the classes of a target.
const maxClasses = 1000

// opener carries one Open.
type opener struct {
	ctx      context.Context
	r        *recipe.Recipe
	opt      domain.OpenOptions
	source   string // for messages: no password is ever in it
	about    domain.About
	table    *Table
	target   int // column, or -1
	time     int
	group    int
	testFrom int // first row of data.test; len(rows) without one
	part     []int8
}

// Open reads the rows that a recipe names.
//
// Columns get their kind from the recipe, else from the data (see Infer); a cell that does not fit its column makes its record
// bad data: named, passed over and counted up to data.max_bad. A cell is missing where it is empty, NaN, or one of the
// column's texts for "missing".
//
// Parts: data.test is the test part, else data.test_share of the rows; data.val of the rest is the validation part. Which
// rows, see splitRows: by data.time, by data.group_by, drawn, or the last ones. Levels, means and quantiles are those of the
// training part only; a level that only other parts hold is Unknown there.
//
// Errors of the data are *dataset.Error values.
func Open(ctx context.Context, r *recipe.Recipe, opt domain.OpenOptions) (*Samples, error) {
	o := &opener{ctx: ctx, r: r, opt: opt, source: PublicSource(r.Data)}
	s, err := o.open()
	if err != nil {
		return nil, asDataError(o.source, err)
	}
	return s, nil
}

// asDataError makes errors that speak of the data *dataset.Error values.
func asDataError(source string, err error) error {
	var bad *dataset.Error
	var re *RecordError
	switch {
	case err == nil, errors.As(err, &bad), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.As(err, &re):
		return &dataset.Error{Path: re.Source, Record: fmt.Sprintf("line %d", re.Place), Err: describeCell(re)}
	}
	return &dataset.Error{Path: source, Err: errors.New(strings.TrimPrefix(strings.TrimPrefix(err.Error(), "table: "), source+": "))}
}

func describeCell(e *RecordError) error {
	var b strings.Builder
	if e.Column != "" {
		fmt.Fprintf(&b, "column %.60q: ", e.Column)
	}
	if e.Value != "" {
		fmt.Fprintf(&b, "value %s: ", clipped(e.Value))
	}
	return fmt.Errorf("%s%w", b.String(), e.Err)
}

func clipped(s string) string { return fmt.Sprintf("%.60q", s) }

// tooMany is the error of a source with more bad records than data.max_bad.
func tooMany(bad []*RecordError, limit int) error {
	first := bad[0]
	what := describeCell(first)
	if len(bad) > 1 {
		what = fmt.Errorf("%d records cannot be read, the limit max_bad is %d; the first: %w", len(bad), limit, what)
	}
	return &dataset.Error{Path: first.Source, Record: fmt.Sprintf("line %d", first.Place), Err: what, Hint: "mend the records, correct the column's kind, missing texts or bounds, or raise data.max_bad"}
}

func (o *opener) warnf(format string, args ...any) {
	s := fmt.Sprintf(format, args...)
	o.about.Warnings = append(o.about.Warnings, s)
	if o.opt.Warn != nil {
		o.opt.Warn("%s", s)
	}
}

func (o *opener) open() (*Samples, error) {
	if e, ok := dataset.Lookup(o.r.Data.Source); ok {
		o.about.Licence = e.Licence
	}
	cols, err := o.columns()
	if err != nil {
		return nil, err
	}
	if err := o.read(cols); err != nil {
		return nil, err
	}
	if err := o.split(); err != nil {
		return nil, err
	}
	s := &Samples{recipe: o.r, table: o.table}
	o.duplicates()
	s.hash = o.hash()
	o.levels()
	o.statistics()
	o.inputs()
	for i, p := range o.part {
		if p >= 0 {
			s.parts[p] = append(s.parts[p], int32(i))
		}
	}
	if len(s.parts[domain.Train]) == 0 {
		return nil, &dataset.Error{Path: o.source, Err: fmt.Errorf("no row is left for the training part (%d rows)", o.table.Rows)}
	}
	if err := o.labels(s); err != nil {
		return nil, err
	}
	s.encoding = NewEncoding(o.table.Columns)
	if len(s.encoding.Cells) == 0 {
		return nil, &dataset.Error{Path: o.source, Err: errors.New("no column is left for the encoder to see"), Hint: "give a column input: true"}
	}
	s.about = o.about
	return s, nil
}

// reader opens the source, or the test source.
func (o *opener) reader(source string) (Reader, error) {
	d := o.r.Data
	if source != d.Source {
		d.Source = source
	}
	known := []string{d.Target, d.Time, d.GroupBy}
	for _, c := range o.r.Columns {
		known = append(known, c.Name)
	}
	known = slices.DeleteFunc(known, func(s string) bool { return s == "" })
	return OpenReader(o.ctx, d, ReaderOptions{CacheDir: o.opt.CacheDir, Known: known, Warn: o.opt.Warn})
}

func (o *opener) progress(rd Reader, stage string) func(rows int) {
	if o.opt.Progress == nil {
		return nil
	}
	p, ok := rd.(interface{ Position() (done, total int64) })
	return func(rows int) {
		if ok {
			if done, total := p.Position(); total > 0 {
				o.opt.Progress(stage, int(done), int(total))
				return
			}
		}
		o.opt.Progress(stage, rows, 0)
	}
}

// complete reports that a recipe says all that must be known to read a column.
func complete(c *recipe.Column) bool {
	switch c.Kind {
	case "":
		return false
	case "boolean", "ordinal":
		return len(c.Levels) > 0
	case "timestamp":
		return c.Format != ""
	}
	return true
}

// columns resolves the columns of the source.
func (o *opener) columns() ([]Column, error) {
	rd, err := o.reader(o.r.Data.Source)
	if err != nil {
		return nil, err
	}
	defer rd.Close()
	header := rd.Header()
	need := false
	for _, h := range header {
		c := o.r.Column(h)
		need = need || c == nil || !complete(c)
	}
	for _, c := range o.r.Columns {
		if !slices.Contains(header, c.Name) {
			return nil, missingColumn(o.source, "columns", c.Name, header)
		}
	}
	for _, k := range [][2]string{{"data.target", o.r.Data.Target}, {"data.time", o.r.Data.Time}, {"data.group_by", o.r.Data.GroupBy}} {
		if k[1] != "" && !slices.Contains(header, k[1]) {
			return nil, missingColumn(o.source, k[0], k[1], header)
		}
	}
	var f *findings
	if need {
		if f, err = profileSource(o.ctx, rd, 0, nil, o.progress(rd, "look at the columns")); err != nil {
			return nil, err
		}
		if f.rows == 0 && f.badCount > 0 {
			return nil, tooMany(f.bad, o.r.Data.MaxBad)
		}
	}
	cols := make([]Column, len(header))
	for j, h := range header {
		var found *finding
		if f != nil {
			found = &f.columns[j]
		}
		if cols[j], err = resolveColumn(h, o.r.Column(h), found); err != nil {
			return nil, &dataset.Error{Path: o.source, Err: err}
		}
	}
	return cols, nil
}

func missingColumn(source, key, name string, header []string) error {
	hint := "it has " + nameList(header)
	for _, h := range header {
		if strings.EqualFold(strings.TrimSpace(h), strings.TrimSpace(name)) {
			hint = fmt.Sprintf("did you mean %q?", h)
		}
	}
	return &dataset.Error{Path: source, Err: fmt.Errorf("%s names %q, which is no column of the source", key, name), Hint: hint}
}

// resolveColumn joins what a recipe declares with what was found; either may be nil.
func resolveColumn(name string, d *recipe.Column, f *finding) (Column, error) {
	c := Column{Name: name, Decimals: unknownDecimals, Bounds: contract.Range{From: -math.MaxFloat64, To: math.MaxFloat64}, Input: true}
	kind := ""
	if d != nil {
		c.Declared, c.Unit, c.Protected, c.Missing = true, d.Unit, d.Protected, slices.Clone(d.Missing)
		if d.Bounds != nil {
			c.Bounds, c.Bounded = *d.Bounds, true
		}
		if len(d.Levels) > 0 {
			c.Levels, c.fixed = slices.Clone(d.Levels), true
		}
		layout, err := goLayout(d.Format)
		if err != nil {
			return c, fmt.Errorf("column %q: %w", name, err)
		}
		c.Format, kind = layout, d.Kind
	}
	if kind == "" {
		if f == nil {
			return c, fmt.Errorf("column %q has no kind", name)
		}
		c.Kind = f.kind
		if len(c.Missing) == 0 {
			c.Missing = slices.Clone(f.missing)
		}
		if c.Unit == "" {
			c.Unit = f.unit
		}
		if len(c.Levels) > 0 && c.Kind != Boolean && c.Kind != Ordinal { // the recipe lists them
			c.Kind = Category
		}
	} else {
		k, ok := ParseKind(kind)
		if !ok {
			return c, fmt.Errorf("column %q: kind %q is not known", name, kind)
		}
		c.Kind = k
	}
	if f != nil {
		if c.Kind == f.kind && !c.fixed && len(f.levels) > 0 {
			c.Levels, c.fixed = slices.Clone(f.levels), true
		}
		if c.Kind == Timestamp && c.Format == "" {
			if f.ambiguous != "" {
				return c, fmt.Errorf("column %q: %s", name, f.ambiguous)
			}
			if f.kind == Timestamp {
				c.Format = f.format
			}
		}
		if c.Kind == Boolean && !c.fixed && f.kind != Boolean {
			return c, fmt.Errorf("column %q is declared boolean, but holds %s", name, f.reason)
		}
		if c.Kind == Ordinal && !c.fixed {
			return c, fmt.Errorf("column %q is declared ordinal without its levels: write levels: [lowest, ..., highest]", name)
		}
	}
	if c.Kind == Timestamp && c.Unit == "" {
		c.Unit = "s"
	}
	if c.Kind == Integer {
		c.Decimals = 0
	}
	return c, nil
}

// read builds the table, with data.test behind the rows of data.source.
func (o *opener) read(cols []Column) error {
	d := o.r.Data
	var bad []*RecordError
	build := func(source string, cols []Column, public string) (*Table, error) {
		rd, err := o.reader(source)
		if err != nil {
			return nil, err
		}
		defer rd.Close()
		t, more, err := Build(o.ctx, rd, cols, public, true, d.MaxBad-len(bad), o.progress(rd, "read"))
		bad = append(bad, more...)
		if err != nil {
			return nil, err
		}
		if n, ok := rd.(interface{ Notes() []string }); ok {
			for _, s := range n.Notes() {
				o.warnf("%s: %s", public, s)
			}
		}
		return t, nil
	}
	t, err := build(d.Source, cols, o.source)
	if err != nil {
		return err
	}
	o.testFrom = t.Rows
	if d.Test != "" {
		dt := d
		dt.Source = d.Test
		test, err := build(d.Test, t.Columns, PublicSource(dt))
		if err != nil {
			return err
		}
		t.appendRows(test)
	}
	if t.Rows == 0 {
		if len(bad) > 0 {
			return tooMany(bad, d.MaxBad)
		}
		return &dataset.Error{Path: o.source, Err: errors.New("there is no row below the header")}
	}
	if t.Rows > math.MaxInt32 {
		return &dataset.Error{Path: o.source, Err: fmt.Errorf("%d rows, the limit is %d", t.Rows, math.MaxInt32)}
	}
	o.table = t
	o.target, o.time, o.group = t.Lookup(d.Target), t.Lookup(d.Time), t.Lookup(d.GroupBy)
	if o.time >= 0 && t.Columns[o.time].Kind != Timestamp && !t.Columns[o.time].Kind.Numeric() {
		return &dataset.Error{Path: o.source, Err: fmt.Errorf("data.time names %q, which is of kind %s", d.Time, t.Columns[o.time].Kind), Hint: "declare it as kind: timestamp, with its format"}
	}
	if o.group == o.target && o.group >= 0 {
		return &dataset.Error{Path: o.source, Err: fmt.Errorf("data.group_by and data.target are both %q", d.Target)}
	}
	o.about.Skipped = len(bad)
	for _, b := range bad[:min(len(bad), maxNamed)] {
		o.about.SkippedFiles = append(o.about.SkippedFiles, [2]string{fmt.Sprintf("%s:%d", b.Source, b.Place), describeCell(b).Error()})
	}
	if len(bad) > 0 {
		o.warnf("%d records cannot be read and were passed over (limit max_bad %d); the first: %s:%d: %v", len(bad), d.MaxBad, bad[0].Source, bad[0].Place, describeCell(bad[0]))
	}
	for j := range t.Columns {
		if t.unseen[j] > 0 {
			what := "counted as unknown"
			if t.Columns[j].Kind == Ordinal {
				what = "counted as missing, since they have no place in the order"
			}
			o.warnf("column %q: %d cells hold a level that the recipe does not list, e.g. %s: %s", t.Columns[j].Name, t.unseen[j], clipped(t.example[j]), what)
		}
	}
	return nil
}

// appendRows puts the rows of another source with the same columns behind t.
func (t *Table) appendRows(more *Table) {
	t.Columns = more.Columns // with the levels that grew
	t.other, t.otherFrom = more.Source, t.Rows
	for j := range t.Values {
		t.Values[j] = append(t.Values[j], more.Values[j]...)
		t.States[j] = append(t.States[j], more.States[j]...)
		t.unseen[j] += more.unseen[j]
		if t.example[j] == "" {
			t.example[j] = more.example[j]
		}
	}
	t.Places = append(t.Places, more.Places...)
	t.Rows += more.Rows
}

// Place says which record of which source a row is: "orders.csv:17".
func (t *Table) Place(row int) string {
	source := t.Source
	if t.other != "" && row >= t.otherFrom {
		source = t.other
	}
	if t.Places != nil {
		return source + ":" + strconv.Itoa(t.Places[row])
	}
	return source + ":" + strconv.Itoa(row+1)
}

// split fills o.part.
func (o *opener) split() error {
	t, d := o.table, o.r.Data
	n := o.testFrom
	q := &splitRequest{rows: n, val: d.Val, tail: d.Split == "tail", seed: o.r.Seed}
	if d.Test == "" {
		q.test = d.TestShare
	}
	o.part = make([]int8, t.Rows)
	for i := n; i < t.Rows; i++ {
		o.part[i] = int8(domain.Test)
	}
	keep := make([]int, 0, n) // rows that can be placed
	for i := range n {
		if o.time >= 0 && t.States[o.time][i] != Present {
			o.part[i] = -1
			continue
		}
		keep = append(keep, i)
	}
	if lost := n - len(keep); lost > 0 {
		o.warnf("%d rows have no %s, by which the parts are split, and were left out", lost, d.Time)
	}
	if len(keep) == 0 {
		return &dataset.Error{Path: o.source, Err: fmt.Errorf("no row has a value in %q, by which the parts are split", d.Time)}
	}
	q.rows = len(keep)
	if o.time >= 0 {
		q.times = make([]float64, len(keep))
		for k, i := range keep {
			q.times[k] = t.Values[o.time][i]
		}
	}
	if o.group >= 0 {
		q.groups = make([]int32, len(keep))
		id := map[float64]int32{}
		next := int32(0)
		for k, i := range keep {
			if t.States[o.group][i] != Present {
				q.groups[k] = next
				next++
				continue
			}
			v := t.Values[o.group][i]
			g, ok := id[v]
			if !ok {
				g = next
				next++
				id[v] = g
			}
			q.groups[k] = g
		}
	} else if o.target >= 0 && t.Columns[o.target].Kind.Coded() {
		q.strata = make([]int32, len(keep))
		for k, i := range keep {
			if q.strata[k] = int32(t.Values[o.target][i]); t.States[o.target][i] != Present {
				q.strata[k] = -1
			}
		}
	}
	part, err := splitRows(q)
	if err != nil {
		return &dataset.Error{Path: o.source, Err: err}
	}
	var size [3]int
	for k, i := range keep {
		o.part[i] = part[k]
		if part[k] >= 0 {
			size[part[k]]++
		}
	}
	if q.leftOut > 0 {
		o.warnf("%d of %d rows were left out, so that no %s sits in two parts and training is older than validation and test", q.leftOut, len(keep), d.GroupBy)
	}
	if o.group >= 0 && d.Test != "" {
		o.groupsOfTest()
	}
	if o.time >= 0 && d.Test != "" {
		o.timesOfTest()
	}
	o.limit()
	return nil
}

// groupsOfTest names groups that data.test shares with data.source.
func (o *opener) groupsOfTest() {
	seen, shared := map[float64]bool{}, map[float64]bool{}
	for i := range o.table.Rows {
		if o.table.States[o.group][i] != Present {
			continue
		}
		v := o.table.Values[o.group][i]
		switch {
		case i < o.testFrom:
			seen[v] = true
		case seen[v]:
			shared[v] = true
		}
	}
	if len(shared) > 0 {
		o.warnf("%d values of %s are in data.source and in data.test", len(shared), o.r.Data.GroupBy)
	}
}

// timesOfTest names a test source that is not younger than the rest.
func (o *opener) timesOfTest() {
	last, early := math.Inf(-1), 0
	for i := range o.table.Rows {
		if o.table.States[o.time][i] != Present {
			continue
		}
		v := o.table.Values[o.time][i]
		if i < o.testFrom {
			last = max(last, v)
		} else if v <= last {
			early++
		}
	}
	if early > 0 {
		o.warnf("%d rows of data.test are not younger than data.source", early)
	}
}

// limit keeps data.limit training rows: the first, or a draw where parts are drawn.
func (o *opener) limit() {
	n := o.r.Data.Limit
	var train []int
	for i, p := range o.part {
		if p == int8(domain.Train) {
			train = append(train, i)
		}
	}
	if n <= 0 || len(train) <= n {
		return
	}
	keep := train[:n]
	if o.r.Data.Split != "tail" {
		keep = stratified(slices.Clone(train), nil, n, o.r.Seed, 11)
	}
	for _, i := range train {
		o.part[i] = -1
	}
	for _, i := range keep {
		o.part[i] = int8(domain.Train)
	}
}

// duplicates counts rows of a held-out part that are equal in every column to a row of another part.
func (o *opener) duplicates() {
	t := o.table
	seed := maphash.MakeSeed()
	var h maphash.Hash
	h.SetSeed(seed)
	sum := func(i int) uint64 {
		h.Reset()
		var b [9]byte
		for j := range t.Columns {
			binary.LittleEndian.PutUint64(b[:], math.Float64bits(t.Values[j][i]))
			b[8] = byte(t.States[j][i])
			h.Write(b[:])
		}
		return h.Sum64()
	}
	equal := func(a, b int) bool {
		for j := range t.Columns {
			if t.Values[j][a] != t.Values[j][b] || t.States[j][a] != t.States[j][b] {
				return false
			}
		}
		return true
	}
	at := map[uint64]int{}
	for _, p := range []domain.Part{domain.Train, domain.Val} {
		for i, q := range o.part {
			if q == int8(p) {
				if _, ok := at[sum(i)]; !ok {
					at[sum(i)] = i
				}
			}
		}
	}
	for _, pair := range [][2]domain.Part{{domain.Val, domain.Train}, {domain.Test, domain.Train}, {domain.Test, domain.Val}} {
		count, total, example := 0, 0, ""
		for i, q := range o.part {
			if q != int8(pair[0]) {
				continue
			}
			total++
			if k, ok := at[sum(i)]; ok && o.part[k] == int8(pair[1]) && equal(i, k) {
				if count++; count == 1 {
					example = t.Place(i) + " and " + t.Place(k)
				}
			}
		}
		if count > 0 {
			o.about.Duplicates = append(o.about.Duplicates, domain.Duplicate{A: partWord(pair[0]), B: partWord(pair[1]), Count: count})
			o.warnf("%d of %d %s rows are also in the %s part, equal in every column, e.g. %s", count, total, partWord(pair[0]), partWord(pair[1]), example)
		}
	}
}

func partWord(p domain.Part) string {
	switch p {
	case domain.Train:
		return "training"
	case domain.Val:
		return "validation"
	}
	return "test"
}

// hash identifies columns, cells and parts.
func (o *opener) hash() string {
	h := sha256.New()
	fmt.Fprintf(h, "selfsame table 1 %d %d\n", len(o.table.Columns), o.table.Rows)
	buf := make([]byte, 0, 1<<16)
	flush := func() { h.Write(buf); buf = buf[:0] }
	for j := range o.table.Columns {
		c := &o.table.Columns[j]
		fmt.Fprintf(h, "%q %d %q %q\n", c.Name, c.Kind, c.Levels, c.Missing)
		for i, v := range o.table.Values[j] {
			buf = binary.LittleEndian.AppendUint64(buf, math.Float64bits(v))
			if buf = append(buf, byte(o.table.States[j][i])); len(buf) > 1<<16-16 {
				flush()
			}
		}
		flush()
	}
	for _, p := range o.part {
		if buf = append(buf, byte(p)); len(buf) > 1<<16-16 {
			flush()
		}
	}
	flush()
	fmt.Fprintf(h, "%q %q %v %v\n", o.r.Data.Target, o.r.Data.Task, o.r.Data.Buckets, o.testFrom)
	return hex.EncodeToString(h.Sum(nil))
}

// levels orders the levels of every column by their first appearance in the training part; others become Unknown.
func (o *opener) levels() {
	t := o.table
	for j := range t.Columns {
		c := &t.Columns[j]
		if !c.Kind.Coded() {
			continue
		}
		c.Present = 0
		to := slices.Repeat([]int{Unknown}, len(c.Levels))
		var names []string
		if c.fixed {
			names = c.Levels
			for k := range to {
				to[k] = k
			}
		}
		train := make([]bool, len(c.Levels))
		for i, p := range o.part {
			if p != int8(domain.Train) || t.States[j][i] != Present {
				continue
			}
			if k := int(t.Values[j][i]); k >= 0 {
				train[k] = true
				if to[k] == Unknown {
					to[k] = len(names)
					names = append(names, c.Levels[k])
				}
			}
		}
		unknown, example := 0, ""
		for i, p := range o.part {
			if k := int(t.Values[j][i]); t.States[j][i] == Present && k >= 0 {
				if to[k] == Unknown && p > int8(domain.Train) {
					if unknown++; unknown == 1 {
						example = c.Levels[k]
					}
				}
				t.Values[j][i] = float64(to[k])
			}
		}
		c.Levels = names
		if unknown > 0 && c.Kind != Identifier && c.Kind != Text {
			o.warnf("column %q: %d validation and test rows hold a level that the training part lacks, e.g. %s: counted as unknown", c.Name, unknown, clipped(example))
		}
	}
}

// statistics are those of the training part.
func (o *opener) statistics() {
	t := o.table
	var buf []float64
	for j := range t.Columns {
		c := &t.Columns[j]
		buf = buf[:0]
		for i, p := range o.part {
			if p == int8(domain.Train) && t.States[j][i] == Present && t.Values[j][i] != Unknown {
				buf = append(buf, t.Values[j][i])
			} else if p == int8(domain.Train) && t.States[j][i] == Present && !c.Kind.Coded() {
				buf = append(buf, t.Values[j][i])
			}
		}
		c.measure(buf, o.r.Encoder.Bins)
	}
}

// measure sets the statistics of a column from its values, which it sorts.
func (c *Column) measure(v []float64, bins int) {
	c.Present = len(v)
	c.Mean, c.Std, c.Min, c.Max, c.Quantiles = 0, 0, 0, 0, nil
	if len(v) == 0 || c.Kind.Coded() && c.Kind != Ordinal && c.Kind != Boolean {
		return
	}
	slices.Sort(v)
	c.Min, c.Max = v[0], v[len(v)-1]
	// Values near the largest float64 would overflow in the sums.
	unit := 1.0
	if m := max(math.Abs(c.Min), math.Abs(c.Max)); m > 1e100 {
		unit = m
	}
	var mean, m2 float64
	for i, x := range v { // Welford 1962
		x /= unit
		d := x - mean
		mean += d / float64(i+1)
		m2 += d * (x - mean)
	}
	c.Mean = mean * unit
	c.Std = min(math.Sqrt(m2/float64(len(v)))*unit, math.MaxFloat64)
	if c.Min == c.Max {
		c.Std = 0
	}
	for k := 1; k < bins; k++ {
		q := quantile(v, float64(k)/float64(bins))
		if q > c.Min && q < c.Max && (len(c.Quantiles) == 0 || q > c.Quantiles[len(c.Quantiles)-1]) {
			c.Quantiles = append(c.Quantiles, q)
		}
	}
}

// quantile of sorted values by linear interpolation (definition 7 of Hyndman & Fan 1996).
func quantile(v []float64, q float64) float64 {
	at := q * float64(len(v)-1)
	i := int(at)
	if i+1 >= len(v) {
		return v[len(v)-1]
	}
	f := at - float64(i)
	return v[i]*(1-f) + v[i+1]*f
}

// inputs decides which columns the encoder sees.
func (o *opener) inputs() {
	t := o.table
	for j := range t.Columns {
		c := &t.Columns[j]
		d := o.r.Column(c.Name)
		said := ""
		drops := false
		if d != nil {
			said = d.Input
			for _, tr := range d.Transforms {
				drops = drops || strings.HasSuffix(tr.Name, ".drop")
			}
		}
		constant := ""
		switch {
		case c.Present == 0:
			constant = "no value in the training part"
		case c.Kind.Coded() && len(c.Levels) > 0 && c.Kind != Identifier && o.oneLevel(j), !c.Kind.Coded() && c.Min == c.Max:
			if !o.anyMissing(j) {
				constant = "the same value in every row of the training part"
			}
		}
		switch {
		case j == o.target:
			c.Input = false
		case said == "no":
			c.Input = false
		case constant != "":
			c.Input = false
			o.warnf("column %q has %s and was left out", c.Name, constant)
		case said == "yes":
			c.Input = true
		case c.Kind == Identifier:
			c.Input = drops
		default:
			c.Input = true
		}
	}
}

func (o *opener) oneLevel(j int) bool {
	first := math.NaN()
	for i, p := range o.part {
		if p != int8(domain.Train) || o.table.States[j][i] != Present {
			continue
		}
		if v := o.table.Values[j][i]; math.IsNaN(first) {
			first = v
		} else if v != first {
			return false
		}
	}
	return true
}

func (o *opener) anyMissing(j int) bool {
	for i, p := range o.part {
		if p == int8(domain.Train) && o.table.States[j][i] == Missing {
			return true
		}
	}
	return false
}

// labels fills classes or values from the target.
func (o *opener) labels(s *Samples) error {
	if o.target < 0 {
		return nil
	}
	t, d := o.table, o.r.Data
	c := &t.Columns[o.target]
	task := d.Task
	if task == "" {
		task = "classify"
		if !c.Kind.Coded() && len(d.Buckets) == 0 {
			task = "regress"
		}
	}
	bad := func(hint, format string, args ...any) error {
		return &dataset.Error{Path: o.source, Err: fmt.Errorf("data.target %q: %w", c.Name, fmt.Errorf(format, args...)), Hint: hint}
	}
	var class func(v float64) int32
	switch {
	case c.Present == 0:
		return bad("", "no row of the training part has a value")
	case task == "regress" && c.Kind.Coded():
		return bad("task: classify", "is of kind %s: its levels are no numbers that could be regressed", c.Kind)
	case task == "regress" && len(d.Buckets) > 0:
		return bad("", "data.buckets make classes, but data.task is regress")
	case task == "regress":
		s.target = domain.Target{Name: c.Name, Unit: c.Unit}
		for p := range s.parts {
			s.values[p] = make([]float64, len(s.parts[p]))
			for k, i := range s.parts[p] {
				if s.values[p][k] = t.Values[o.target][i]; t.States[o.target][i] != Present {
					s.values[p][k] = math.NaN()
				}
			}
		}
		return nil
	case c.Kind.Coded() && len(d.Buckets) > 0:
		return bad("", "is of kind %s: data.buckets are limits of numbers", c.Kind)
	case len(d.Buckets) > 0:
		s.classes = bucketNames(d.Buckets, c)
		class = func(v float64) int32 {
			k, found := slices.BinarySearch(d.Buckets, v)
			if found {
				k++ // a limit belongs to the class above it
			}
			return int32(k)
		}
	case c.Kind.Coded():
		s.classes = c.Levels
		class = func(v float64) int32 { return int32(v) }
	default: // different numbers of the training part
		seen := map[float64]bool{}
		for _, i := range s.parts[domain.Train] {
			if t.States[o.target][i] == Present {
				seen[t.Values[o.target][i]] = true
			}
		}
		var values []float64
		for v := range seen {
			values = append(values, v)
		}
		slices.Sort(values)
		for _, v := range values {
			s.classes = append(s.classes, strconv.FormatFloat(v, 'f', -1, 64))
		}
		class = func(v float64) int32 {
			if k, ok := slices.BinarySearch(values, v); ok {
				return int32(k)
			}
			return -1
		}
	}
	if len(s.classes) < 2 {
		return bad("", "only one class in the training part")
	}
	if len(s.classes) > maxClasses {
		return bad("data.buckets make classes of numbers; task: regress predicts them", "%d classes, the limit is %d", len(s.classes), maxClasses)
	}
	var count [3][]int
	for p := range s.parts {
		s.labels[p] = make([]int32, len(s.parts[p]))
		count[p] = make([]int, len(s.classes))
		for k, i := range s.parts[p] {
			if s.labels[p][k] = -1; t.States[o.target][i] == Present {
				if s.labels[p][k] = class(t.Values[o.target][i]); s.labels[p][k] >= 0 {
					count[p][s.labels[p][k]]++
				}
			}
		}
	}
	for _, p := range []domain.Part{domain.Val, domain.Test} {
		lacks, example := 0, ""
		for k, n := range count[p] {
			if n == 0 && count[domain.Train][k] > 0 && len(s.parts[p]) > 0 {
				if lacks++; lacks == 1 {
					example = s.classes[k]
				}
			}
		}
		if lacks > 0 {
			o.warnf("the %s part has no row of %d of the classes in training, e.g. %s", partWord(p), lacks, clipped(example))
		}
	}
	return nil
}

// bucketNames names the classes below, between and above rising limits.
func bucketNames(limits []float64, c *Column) []string {
	num := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	unit := ""
	if c.Unit != "" && c.Kind != Timestamp {
		unit = " " + c.Unit
	}
	out := []string{"below " + num(limits[0]) + unit}
	for i := 1; i < len(limits); i++ {
		out = append(out, num(limits[i-1])+".."+num(limits[i])+unit)
	}
	return append(out, num(limits[len(limits)-1])+unit+" and above")
}
