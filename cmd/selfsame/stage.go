package main

import "github.com/spf13/cobra"

// stageText is what the command of one stage says about itself.
type stageText struct{ name, short, long string }

var stageTexts = []stageText{
	{"certify", "Try to break each contract before training",
		`certify tests what the recipe promises on the data: strength zero changes nothing,
the same draw gives the same view, protected regions stay bit for bit, and, where
some labels exist, how often a view changes a held-out probe's answer. It writes
certificate.json. A violated contract ends with exit code 4, the worst
counter-example and the range that would be safe.`},
	{"pretrain", "Train the encoder without labels",
		`pretrain trains the encoder; no label is read. It writes checkpoints and goes on
from the newest one, bit for bit as if it had never been stopped.`},
	{"audit", "Measure whether the encoder keeps the contracts",
		`audit measures the trained encoder on held-out data: alignment of views against
spread between samples, how well drawn parameters can be predicted, restoring
against the trivial predictor, effective rank. It writes audit.json.`},
	{"adapt", "Measure what the encoder is worth at several label budgets",
		`adapt scores kNN, linear probe and fine-tuning at each label budget and draw,
beside raw pixels, the untrained encoder and the same network from scratch. It
writes scores.csv.`},
	{"report", "Write the report of a run",
		`report writes report.html (one page, opens offline) and report.json from what the
earlier stages left in the run directory.`},
}

func stageCommand(a *app, s stageText) *cobra.Command {
	q := runRequest{Only: s.name}
	c := &cobra.Command{
		Use:     s.name + " RUNDIR",
		Short:   s.short,
		Long:    s.long + "\n\nRUNDIR is a run directory that `selfsame run` made; what the stage needs from\nearlier stages must be there.",
		Example: "  selfsame " + s.name + " runs/fashion\n  selfsame " + s.name + " runs/fashion --force",
		Args:    args(1, 1, "RUNDIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			q.Dir = args[0]
			return a.run(cmd, q)
		},
	}
	c.Flags().BoolVar(&q.Force, "force", false, "run the stage again although it is finished")
	return c
}
