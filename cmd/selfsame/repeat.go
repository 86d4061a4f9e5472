package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/selfsame-ml/selfsame"
	"github.com/selfsame-ml/selfsame/report"
	"github.com/selfsame-ml/selfsame/store"
)

// repeatRequest asks for repeated runs.
type repeatRequest struct {
	runRequest
	Splits int
}

func repeatCommand(a *app) *cobra.Command {
	var q repeatRequest
	c := &cobra.Command{
		Use:   "repeat RECIPE",
		Short: "Run the whole line on several splits and pool the scores",
		Long: `repeat runs a recipe once for each of several seeds (the recipe's and those after
it), each in its own run directory split-0, split-1, ... The data are split, the encoder is pretrained and the labels are drawn anew each time.

Then it pools the scores: scores.csv (the seed is 1000 times the split and the draw), report.html and report.json with
means and 95 % intervals over splits, and verdicts by a t test that is corrected for what
splits share (Nadeau and Bengio 2003). Repeat an interrupted command to go on.`,
		Example: `  selfsame repeat recipes/churn.yaml --splits 5
  selfsame repeat recipes/churn.yaml --out runs/churn5 --set adapt.draws=3`,
		Args: args(1, 1, "RECIPE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if q.Splits < 2 || q.Splits > 1000 {
				return usagef("repeat: --splits %d, want 2 to 1000", q.Splits)
			}
			for _, s := range q.Set {
				if k, _, ok := strings.Cut(s, "="); !ok || strings.TrimSpace(k) == "" {
					return usagef("repeat: --set %q is not key=value", s).hint("for instance --set train.epochs=30")
				}
			}
			q.Recipe = args[0]
			ev := a.events()
			q.Events = showEvents(ev)
			out, err := repeatLine(cmd.Context(), q)
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
				_, err := fmt.Fprintf(w, "\nreport: %s\n", out.Report)
				return err
			})
		},
	}
	f := c.Flags()
	f.IntVar(&q.Splits, "splits", 5, "number of splits, at least 2")
	f.StringVarP(&q.Dir, "out", "o", "", "directory of all splits (default runs/NAME-repeat of the recipe)")
	f.StringArrayVar(&q.Set, "set", nil, "override a `key=value` of the recipe, e.g. train.epochs=30")
	f.BoolVar(&q.Force, "force", false, "run finished stages again")
	return c
}

// repeatLine calls selfsame.Repeat in the form of the commands.
func repeatLine(ctx context.Context, q repeatRequest) (runOutcome, error) {
	command := "selfsame repeat " + q.Recipe + " --splits " + strconv.Itoa(q.Splits)
	for _, s := range q.Set {
		command += " --set '" + s + "'"
	}
	out, err := selfsame.Repeat(ctx, q.Recipe, selfsame.RepeatOptions{
		Options: selfsame.Options{Dir: q.Dir, Set: q.Set, Force: q.Force, Command: command, Event: q.Events},
		Splits:  q.Splits,
		Tell: func(k, n int, dir string) {
			if q.Events != nil {
				q.Events(store.Event{Stage: "repeat", Kind: "note", Data: map[string]any{"text": fmt.Sprintf("split %d of %d: %s", k+1, n, dir)}})
			}
		},
	})
	if errors.Is(err, selfsame.ErrStage) {
		return runOutcome{}, &usageError{err: err}
	}
	if err != nil {
		return runOutcome{}, err
	}
	res := runOutcome{Dir: out.Dir, Report: out.Page, Verdict: out.Report.Word()}
	var b strings.Builder
	if err := report.Text(&b, out.Report, 80); err != nil {
		return res, err
	}
	res.Lines = strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
	return res, nil
}
