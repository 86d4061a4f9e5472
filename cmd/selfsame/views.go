package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/domain/all"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/store"
	"github.com/selfsame-ml/selfsame/view"
)

func viewsCommand(a *app) *cobra.Command {
	q := viewsRequest{}
	rows := rowsRequest{}
	format := "html"
	c := &cobra.Command{
		Use:   "views RECIPE",
		Short: "Look at the views before training: a contact sheet, or rows as CSV or JSON",
		Long: `views writes one HTML page with a row for each transformation of the recipe: the
original, draws at low, middle and high strength, and the contract that holds
there. Look at it first: a view that you cannot tell from another class is a
broken contract.

With --format csv (or json: one object a line) it writes the first N training
rows of a table as they stand in the source, each followed by its views as
pretraining makes them for a seed and an epoch, with the changed columns and
the drawn parameters: anyone can check from outside what the views do.`,
		Example: "  selfsame views recipes/fashion.yaml\n  selfsame views mine.yaml --out sheet.html --sample 8\n" +
			"  selfsame views orders.yaml --sample 1000 --format csv --out views.csv",
		Args: args(1, 1, "RECIPE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			q.Recipe = args[0]
			switch format {
			case "csv", "json":
				rows.Recipe, rows.Set, rows.Samples, rows.JSON = q.Recipe, q.Set, q.Samples, format == "json"
				if f := cmd.Flags(); f.Changed("seed") {
					rows.Seed = &rows.seed
				}
				if cmd.Flags().Changed("out") {
					rows.Out = q.Out
				}
				return a.viewRows(cmd.Context(), rows)
			case "html":
			default:
				return usagef("views: --format %q is not one of html, csv, json", format)
			}
			for _, name := range []string{"seed", "epoch", "stream"} {
				if cmd.Flags().Changed(name) {
					return usagef("views: --%s is of --format csv or json", name)
				}
			}
			if q.Samples < 1 || q.Samples > 100 {
				return usagef("views: --sample %d is not between 1 and 100", q.Samples)
			}
			ev := a.events()
			q.Events = showEvents(ev)
			path, err := api.Views(cmd.Context(), q)
			ev.Close()
			if err != nil {
				return err
			}
			return a.result(map[string]string{"kind": "result", "views": path}, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "views:   %s\n", path)
				return err
			})
		},
	}
	f := c.Flags()
	f.StringVarP(&q.Out, "out", "o", "views.html", "`file`; rows go to stdout where it is not given")
	f.StringVar(&format, "format", "html", "`html` (contact sheet), csv or json (rows of a table)")
	f.IntVar(&q.Samples, "sample", 4, "`N` samples: of each transformation (html), or originals (csv, json)")
	f.Uint64Var(&rows.seed, "seed", 0, "csv, json: draw with this `seed` (the recipe's where it is not given)")
	f.Uint64Var(&rows.Epoch, "epoch", 0, "csv, json: draw as in this `epoch`")
	f.StringVar(&rows.Stream, "stream", "", "csv, json: views of this `stream` only, or of all (the invariant ones)")
	f.StringArrayVar(&q.Set, "set", nil, "override a `key=value` of the recipe")
	f.IntVar(&q.Samples, "samples", 4, "")
	f.Lookup("samples").Hidden = true // the older name
	return c
}

// rowsRequest asks for originals beside their views.
type rowsRequest struct {
	Recipe  string
	Set     []string
	Out     string  // "" is stdout
	Samples int     // originals
	Seed    *uint64 // nil: the recipe's
	seed    uint64
	Epoch   uint64
	Stream  string
	JSON    bool // one object a line, else CSV
}

// rowWriter writes rows in one format.
type rowWriter interface {
	row(domain.TableRow) error
	flush() error
}

// viewRows writes rows of a table beside their views.
func (a *app) viewRows(ctx context.Context, q rowsRequest) error {
	if q.Samples < 1 {
		return usagef("views: --sample %d is less than 1", q.Samples)
	}
	if a.json && q.Out == "" && !q.JSON {
		return usagef("views: with --json stdout holds objects, not CSV").hint("write --format json, or name a file with --out")
	}
	r, err := recipe.Load(q.Recipe, all.Specs, q.Set...)
	if err != nil {
		return err
	}
	d, err := all.Lookup(r.Domain)
	if err != nil {
		return err
	}
	ev := a.events()
	defer ev.Close()
	s, err := d.Open(ctx, r, domain.OpenOptions{Warn: warner(showEvents(ev))})
	if err != nil {
		return err
	}
	defer s.Close()
	t, ok := s.(domain.Tabler)
	if !ok {
		return usagef("views: the samples of domain %q are no rows", r.Domain).hint("leave --format out for a contact sheet")
	}
	seed := r.Seed
	if q.Seed != nil {
		seed = *q.Seed
	}
	n := min(q.Samples, s.Len(domain.Train))
	samples := make([]int, n)
	for i := range samples {
		samples[i] = i
	}
	views := 0
	write := func(w io.Writer) error {
		var out rowWriter = newCSVRows(w, t.Header())
		if q.JSON {
			out = &jsonRows{w: bufio.NewWriter(w), header: t.Header()}
		}
		err := t.ViewRows(ctx, samples, seed, q.Epoch, q.Stream, func(row domain.TableRow) error {
			if row.View > 0 {
				views++
			}
			return out.row(row)
		})
		if errors.Is(err, view.ErrConfig) { // the stream, or a transformation that does not fit the table
			return &usageError{err: err}
		}
		if err != nil {
			return err
		}
		return out.flush()
	}
	if q.Out == "" {
		return write(a.stdout)
	}
	if err := store.WriteFile(q.Out, write); err != nil {
		return err
	}
	return a.result(map[string]any{"kind": "result", "views": q.Out, "originals": n, "rows": n + views}, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s: %d originals, %d views\n", q.Out, n, views)
		return err
	})
}

// draw is one transformation in the column "drawn".
type draw struct {
	Transform string     `json:"transform"`
	Params    orderedMap `json:"params"`
	Values    []float64  `json:"values"`
	Columns   []string   `json:"columns"`
	Donors    []*string  `json:"donors"`
}

func drawsOf(row *domain.TableRow) []draw {
	out := make([]draw, 0, len(row.Drawn))
	for _, d := range row.Drawn {
		x := draw{Transform: d.Transform, Values: d.Values, Columns: append([]string{}, d.Columns...), Donors: []*string{}}
		for _, p := range d.Params {
			x.Params = append(x.Params, pair{p.Name, p.Value})
		}
		for k := range d.Donors {
			var donor *string
			if d.Donors[k] != "" {
				donor = &d.Donors[k]
			}
			x.Donors = append(x.Donors, donor)
		}
		out = append(out, x)
	}
	return out
}

// orderedMap is a JSON object whose keys keep their order.
type orderedMap []pair

type pair struct {
	key   string
	value any
}

// MarshalJSON writes the object.
func (m orderedMap) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, p := range m {
		if i > 0 {
			b.WriteByte(',')
		}
		k, err := plainJSON(p.key)
		if err != nil {
			return nil, err
		}
		v, err := plainJSON(p.value)
		if err != nil {
			return nil, err
		}
		b.Write(k)
		b.WriteByte(':')
		b.Write(v)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// plainJSON leaves <, > and & as they are.
func plainJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("json: %w", err)
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// csvRows writes sample, place, view, the columns of the source, changed, drawn, stream.
type csvRows struct {
	w    *csv.Writer
	head []string
}

func newCSVRows(w io.Writer, header []string) *csvRows {
	head := append([]string{"sample", "place", "view"}, header...)
	return &csvRows{w: csv.NewWriter(w), head: append(head, "changed", "drawn", "stream")}
}

func (c *csvRows) header() error {
	if c.head == nil {
		return nil
	}
	defer func() { c.head = nil }()
	return c.w.Write(c.head)
}

func (c *csvRows) row(r domain.TableRow) error {
	if err := c.header(); err != nil {
		return err
	}
	drawn, err := plainJSON(drawsOf(&r))
	if err != nil {
		return err
	}
	out := append([]string{strconv.Itoa(r.Sample), r.Place, strconv.Itoa(r.View)}, r.Cells...)
	return c.w.Write(append(out, strings.Join(r.Changed, ";"), string(drawn), r.Stream))
}

func (c *csvRows) flush() error {
	if err := c.header(); err != nil {
		return err
	}
	c.w.Flush()
	return c.w.Error()
}

// jsonRows writes one object a line; a cell without a value is null.
type jsonRows struct {
	w      *bufio.Writer
	header []string
}

func (j *jsonRows) row(r domain.TableRow) error {
	var cells orderedMap
	for k, name := range j.header {
		var v any
		if !r.Missing[k] {
			v = r.Cells[k]
		}
		cells = append(cells, pair{name, v})
	}
	b, err := plainJSON(struct {
		Kind    string     `json:"kind"`
		Sample  int        `json:"sample"`
		Place   string     `json:"place"`
		View    int        `json:"view"`
		Stream  string     `json:"stream"`
		Row     orderedMap `json:"row"`
		Changed []string   `json:"changed"`
		Drawn   []draw     `json:"drawn"`
	}{"row", r.Sample, r.Place, r.View, r.Stream, cells, append([]string{}, r.Changed...), drawsOf(&r)})
	if err != nil {
		return err
	}
	_, err = j.w.Write(append(b, '\n'))
	return err
}

func (j *jsonRows) flush() error { return j.w.Flush() }
