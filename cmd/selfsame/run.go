package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// stages are the stages of the line, in order (a test holds them equal to those of the library).
var stages = []string{"data", "views", "certify", "pretrain", "audit", "adapt", "report"}

func runCommand(a *app) *cobra.Command {
	var q runRequest
	c := &cobra.Command{
		Use:   "run RECIPE",
		Short: "Run the whole line of a recipe, from data to verdict",
		Long: `run does data, views, certify, pretrain, audit, adapt and report, and ends with
the verdict: pretraining pays, no difference shown, or it hurts.

Everything is written into a run directory. A finished stage is skipped, an
interrupted one goes on where its last checkpoint stands: repeat the command to
resume. RECIPE may also be a run directory.`,
		Example: `  selfsame run recipes/digits.yaml
  selfsame run recipes/fashion.yaml --out runs/wide --set encoder.width=32
  selfsame run recipes/fashion.yaml --until certify
  selfsame run recipes/fashion.yaml --json | jq -c 'select(.kind=="progress")'`,
		Args: args(1, 1, "RECIPE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if q.Until != "" && !slices.Contains(stages, q.Until) {
				return usagef("run: --until %q is no stage", q.Until).hint("stages: %s", strings.Join(stages, ", "))
			}
			q.Recipe = args[0]
			return a.run(cmd, q)
		},
	}
	f := c.Flags()
	f.StringVarP(&q.Dir, "out", "o", "", "run directory (default runs/NAME of the recipe)")
	f.StringArrayVar(&q.Set, "set", nil, "override a `key=value` of the recipe, e.g. train.epochs=30")
	f.StringVar(&q.Until, "until", "", "stop after this `stage` ("+strings.Join(stages, ", ")+")")
	f.BoolVar(&q.Force, "force", false, "run finished stages again")
	completeValues(c, "until", stages)
	return c
}

// run runs the line or a stage and writes the outcome.
func (a *app) run(cmd *cobra.Command, q runRequest) error {
	for _, s := range q.Set {
		if k, _, ok := strings.Cut(s, "="); !ok || strings.TrimSpace(k) == "" {
			return usagef("%s: --set %q is not key=value", cmd.Name(), s).hint("for instance --set train.epochs=30")
		}
	}
	ev := a.events()
	q.Events = showEvents(ev)
	out, err := api.Run(cmd.Context(), q)
	ev.Close()
	if err != nil {
		return err
	}
	type done struct {
		Kind string `json:"kind"`
		runOutcome
	}
	return a.result(done{"result", out}, func(w io.Writer) error {
		for _, l := range out.Lines {
			fmt.Fprintln(w, l)
		}
		if out.Report != "" {
			_, err := fmt.Fprintf(w, "\nreport: %s\n", out.Report)
			return err
		}
		_, err := fmt.Fprintf(w, "run:    %s\n", out.Dir)
		return err
	})
}
