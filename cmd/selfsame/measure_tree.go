package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/selfsame-ml/selfsame"
	"github.com/selfsame-ml/selfsame/dataset"
	"github.com/selfsame-ml/selfsame/internal/term"
	"github.com/selfsame-ml/selfsame/phylo"
)

func measureTree(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "tree TREE REFERENCE",
		Short: "Score a phylogenetic tree against a reference",
		Long: `tree compares a tree with a reference, both unrooted, on the taxa that both have:

  rf, nrf       Robinson-Foulds distance, and over its maximum: the non-trivial
                splits of both trees (2(n-3) for two binary ones), as ete3 and
                AFproject give it
  nqd           quartet distance over all quartets, as tqDist defines it:
                quartets neither alike in both trees nor open in both
  nqd_resolved  share of the quartets resolved by the reference that the tree
                does not show alike; polytomies of the reference do not count
  spearman      rank correlation of the distances between leaves along the
                trees; in a tree without lengths each edge counts 1

A score without a denominator is null. Files are Newick, one tree each, plain or gzip.
Taxa that only one tree has are left out and listed; fewer than four shared ones are an
error. Names must agree to the letter: underscores are not blanks.`,
		Example: `  selfsame measure tree mine.nwk reference.nwk
  selfsame measure tree mine.nwk reference.nwk --json | jq .nrf`,
		Args: args(2, 2, "TREE", "REFERENCE"),
		RunE: func(_ *cobra.Command, files []string) error {
			var tree [2]*phylo.Tree
			for i, path := range files {
				t, err := selfsame.ReadTree(path)
				if err != nil {
					return err
				}
				if _, err := t.Taxa(); err != nil {
					return &dataset.Error{Path: path, Err: bare(err)}
				}
				tree[i] = t
			}
			c, err := phylo.Compare(tree[0], tree[1])
			if err != nil {
				e := &dataset.Error{Path: files[0], Record: "against " + files[1], Err: bare(err)}
				if errors.Is(err, phylo.ErrFewTaxa) {
					e.Hint = "leaf names must agree to the letter: case, blanks and underscores count"
				}
				return e
			}
			return a.result(c, func(w io.Writer) error { return writeTreeScores(w, c) })
		},
	}
}

// bareError is an error without the name of its room, where the file's name says it better.
type bareError struct {
	error
	text string
}

func (e bareError) Error() string { return e.text }
func (e bareError) Unwrap() error { return e.error }

func bare(err error) error { return bareError{err, strings.TrimPrefix(err.Error(), "phylo: ")} }

func writeTreeScores(w io.Writer, c *phylo.Comparison) error {
	score := func(v phylo.Score) string {
		if math.IsNaN(float64(v)) {
			return "-"
		}
		return strconv.FormatFloat(float64(v), 'g', 4, 64)
	}
	paths := "of the distances between leaves along the trees"
	if !c.Lengths {
		paths += " (a tree has no lengths: edges count 1)"
	}
	t := term.NewTable("score", ">value", "what")
	t.Row("rf", c.RF, fmt.Sprintf("Robinson-Foulds distance, at most %d", c.MaxRF))
	t.Row("nrf", score(c.NRF), "rf over its maximum: 0 equal, 1 no split in common")
	t.Row("nqd", score(c.NQD), "quartet distance over all quartets: random trees are near 0.67")
	t.Row("nqd_resolved", score(c.NQDResolved), fmt.Sprintf("over the %d of %d quartets that the reference resolves", c.Resolved, c.Quartets))
	t.Row("spearman", score(c.Spearman), paths)
	t.Row("splits", c.Splits, fmt.Sprintf("of the tree; %d of the reference, %d shared, %d contradict it", c.SplitsReference, c.SplitsShared, c.SplitsConflicting))
	t.Row("shared_taxa", c.SharedTaxa, "on which all of this is measured")
	if err := t.Write(w); err != nil {
		return err
	}
	for _, m := range []struct {
		what  string
		names []string
	}{{"missing in the tree", c.MissingInTree}, {"missing in the reference", c.MissingInReference}} {
		if len(m.names) > 0 {
			quoted := make([]string, len(m.names))
			for i, n := range m.names {
				quoted[i] = strconv.Quote(n)
			}
			if _, err := fmt.Fprintf(w, "%s (%d): %s\n", m.what, len(quoted), strings.Join(quoted, ", ")); err != nil {
				return err
			}
		}
	}
	return nil
}
