package main

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

func embedCommand(a *app) *cobra.Command {
	q := embedRequest{}
	c := &cobra.Command{
		Use:   "embed RUNDIR|MODEL DATA",
		Short: "Write the features of data as CSV, NPY or Parquet",
		Long: `embed runs the trained encoder over DATA (a name of the catalogue, a folder or
file of images, an IDX or .npy file; for a model of tables a CSV, JSON lines or
Parquet file, a database with --query, or - for the standard input) and writes one
row of features a sample. The memory needed does not grow with the number of samples.
A record of a table that cannot be read keeps its row, which says why.`,
		Example: `  selfsame embed runs/fashion photos/ -o features.parquet
  selfsame embed runs/fashion/encoder.safetensors digits -o features.npy
  selfsame embed runs/churn customers.csv --id customerID -o features.parquet
  selfsame embed runs/churn postgres://db/shop --query "table people" -o f.csv`,
		Args: args(2, 2, "RUNDIR|MODEL", "DATA"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.embed(cmd, &q, args, []string{".csv", ".npy", ".parquet"}, true)
		},
	}
	embedFlags(c, &q)
	return c
}

func predictCommand(a *app) *cobra.Command {
	q := embedRequest{}
	c := &cobra.Command{
		Use:   "predict RUNDIR|MODEL DATA",
		Short: "Write the class of every sample, with its probability",
		Long: `predict puts the linear head that adapt fitted on the encoder and writes one row a
sample: index, name, label where the data have one, class, probability; for tables
index, identifiers, error, class, probability. Without -o the rows go to the terminal.`,
		Example: `  selfsame predict runs/fashion photos/
  selfsame predict runs/fashion photos/ -o classes.csv --top 3`,
		Args: args(2, 2, "RUNDIR|MODEL", "DATA"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.embed(cmd, &q, args, []string{".csv"}, false)
		},
	}
	embedFlags(c, &q)
	c.Flags().IntVar(&q.TopK, "top", 1, "classes listed a sample")
	return c
}

func embedFlags(c *cobra.Command, q *embedRequest) {
	f := c.Flags()
	f.StringVarP(&q.Out, "out", "o", "", "output `file`; its ending chooses the format")
	f.StringVar(&q.Part, "part", "all", "part of the data: train, test or all")
	f.StringVar(&q.Engine, "engine", "auto", "auto, go or xla")
	f.StringVar(&q.Query, "query", "", "tables: `SQL`, where DATA is a database")
	f.StringArrayVar(&q.IDs, "id", nil, "tables: `column` copied to the output; may be repeated (default: the identifiers)")
	f.IntVar(&q.MaxBad, "max-bad", 0, "tables: records that may fail before the rest is given up; 0: any number")
	completeValues(c, "part", parts)
	completeValues(c, "engine", engineKinds)
}

var (
	parts       = []string{"train", "test", "all"}
	engineKinds = []string{"auto", "go", "xla"}
)

// embed checks the flags of embed and predict, which differ in what they write only.
func (a *app) embed(cmd *cobra.Command, q *embedRequest, args, endings []string, features bool) error {
	name := cmd.Name()
	q.Model, q.Data = args[0], args[1]
	switch {
	case features && q.Out == "":
		return usagef("embed: --out is missing").hint("for instance -o features.parquet (%s)", strings.Join(endings, ", "))
	case q.Out != "" && q.Out != stdio && !slices.Contains(endings, strings.ToLower(filepath.Ext(q.Out))):
		return usagef("%s: --out %s: ending %q is not one of %s", name, q.Out, filepath.Ext(q.Out), strings.Join(endings, ", "))
	case !slices.Contains(parts, q.Part):
		return usagef("%s: --part %q is not one of %s", name, q.Part, strings.Join(parts, ", "))
	case !slices.Contains(engineKinds, q.Engine):
		return usagef("%s: --engine %q is not one of %s", name, q.Engine, strings.Join(engineKinds, ", "))
	case q.MaxBad < 0:
		return usagef("%s: --max-bad %d is negative", name, q.MaxBad)
	case !features && q.TopK < 1:
		return usagef("predict: --top %d is less than 1", q.TopK)
	}
	call := api.Predict
	if features {
		call = api.Embed
	}
	ev := a.events()
	q.Events = showEvents(ev)
	out, err := call(cmd.Context(), *q)
	ev.Close()
	if err != nil {
		return err
	}
	if q.Out == "" || q.Out == stdio {
		return nil // the rows were the answer
	}
	type done struct {
		Kind string `json:"kind"`
		embedOutcome
	}
	return a.result(done{"result", out}, func(w io.Writer) error {
		dims := ""
		if out.Dim > 0 {
			dims = fmt.Sprintf(" x %d features", out.Dim)
		}
		_, err := fmt.Fprintf(w, "%s: %d samples%s\n", out.Out, out.Samples, dims)
		return err
	})
}
