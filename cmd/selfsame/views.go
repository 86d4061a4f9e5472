package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

func viewsCommand(a *app) *cobra.Command {
	q := viewsRequest{}
	c := &cobra.Command{
		Use:   "views RECIPE",
		Short: "Look at the views before training: one contact sheet",
		Long: `views writes one HTML page with a row for each transformation of the recipe: the
original, draws at low, middle and high strength, and the contract that holds
there. Look at it first: a view that you cannot tell from another class is a
broken contract.`,
		Example: "  selfsame views recipes/fashion.yaml\n  selfsame views mine.yaml --out sheet.html --samples 8",
		Args:    args(1, 1, "RECIPE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if q.Samples < 1 || q.Samples > 100 {
				return usagef("views: --samples %d is not between 1 and 100", q.Samples)
			}
			q.Recipe = args[0]
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
	f.StringVarP(&q.Out, "out", "o", "views.html", "HTML `file`")
	f.IntVar(&q.Samples, "samples", 4, "samples shown of each transformation")
	f.StringArrayVar(&q.Set, "set", nil, "override a `key=value` of the recipe")
	return c
}
