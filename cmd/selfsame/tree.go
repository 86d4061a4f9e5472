package main

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/selfsame-ml/selfsame"
	"github.com/selfsame-ml/selfsame/dataset"
	"github.com/selfsame-ml/selfsame/domain/dna/lineage"
)

func treeCommand(a *app) *cobra.Command {
	cfg := selfsame.TreeConfig{}
	var groups, choosing, distance string
	var layer int
	var states bool
	c := &cobra.Command{
		Use:   "tree RECIPE | RUN...",
		Short: "Draw the tree of species from the hidden states of a genome model",
		Long: `tree trains a language model of genomes (a recipe with data.task: genomes), or takes
trained ones, and draws the tree of species that their hidden states give: the mean
of each genome in every layer, distances, neighbour joining, support by resampling
windows.

The mean is of Fisher scores: hidden states times what the network got wrong of the
next base. What it predicts right, such as composition, falls out. --states takes the
hidden states alone.

With --reference the same is measured of mean hidden states, an untrained network, GC
content, words of 4, 6 and 8 bases, composition vectors (CVTree), Mash sketches and
random trees.
The layer is chosen on half of the species of the reference (or --choose) and reported
on the others, then the other way round, over 60 partings. Species that the reference
lacks are in the tree, but not scored.

Written: tree.nwk, distances.phy, distances.tsv, embeddings.npy, embeddings.tsv, states.npy,
layers.csv, scores.csv, bits.csv, tree.svg, map.svg, tree.json, tree.html. States are kept in
OUT/states: a second call with another reference is quick.`,
		Example: `  selfsame tree recipes/tree-of-life.yaml --seeds 5 \
      --reference recipes/data/tree-of-life.nwk \
      --groups recipes/data/tree-of-life.tsv
  selfsame tree runs/genomes --layer 4 --distance whitened
  selfsame tree runs/genomes --json | jq -r 'select(.newick).newick'`,
		Args: args(1, -1, "RECIPE"),
		RunE: func(cmd *cobra.Command, names []string) error {
			if st, err := os.Stat(names[0]); err != nil {
				return err
			} else if st.IsDir() {
				cfg.Runs = names
			} else if cfg.Recipe = names[0]; len(names) > 1 {
				return usagef("tree: one recipe, or run directories: %s is a file", names[0])
			}
			if len(cfg.Runs) > 0 && (cfg.Seeds > 1 || len(cfg.Set) > 0) {
				return usagef("tree: --seeds and --set are for a recipe: %s is a run directory", names[0])
			}
			if cfg.Engine.Kind != "" && !slices.Contains(engineKinds, cfg.Engine.Kind) {
				return usagef("tree: --engine %q is not one of %s", cfg.Engine.Kind, strings.Join(engineKinds, ", "))
			}
			switch {
			case cfg.Seeds < 1:
				return usagef("tree: --seeds %d is less than 1", cfg.Seeds)
			case cfg.Windows < 2:
				return usagef("tree: --windows %d is less than 2", cfg.Windows)
			case cfg.Replicates < 0:
				return usagef("tree: --replicates %d is negative", cfg.Replicates)
			}
			var err error
			if cfg.Groups, err = readGroups(groups); err != nil {
				return err
			}
			if choosing != "" {
				for _, n := range strings.Split(choosing, ",") {
					if n = strings.TrimSpace(n); !slices.Contains(cfg.Choosing, n) {
						cfg.Choosing = append(cfg.Choosing, n)
					}
				}
			}
			if cmd.Flags().Changed("layer") || distance != "" || states {
				v := lineage.Default(1)
				if v.Layer = -1; states {
					v.Kind = lineage.State
				}
				cfg.Variant = &v
				if cmd.Flags().Changed("layer") {
					if cfg.Variant.Layer = layer; layer < 0 {
						return usagef("tree: --layer %d: layers begin at 0", layer)
					}
				}
				if distance != "" {
					if cfg.Variant.Distance = distance; !slices.Contains(lineage.Distances(), distance) {
						return usagef("tree: --distance %q is not one of %s", distance, strings.Join(lineage.Distances(), ", "))
					}
				}
			}
			if cfg.Replicates == 0 {
				cfg.Replicates = -1
			}
			cfg.Command = "selfsame " + strings.Join(os.Args[1:], " ")
			ev := a.events()
			cfg.Event = showEvents(ev)
			rep, err := selfsame.Tree(cmd.Context(), cfg)
			ev.Close()
			if errors.Is(err, selfsame.ErrTree) || errors.Is(err, selfsame.ErrStage) {
				return &usageError{err: err}
			}
			if err != nil {
				return err
			}
			return a.result(rep, func(w io.Writer) error {
				if err := rep.WriteText(w); err != nil {
					return err
				}
				_, err := fmt.Fprintf(w, "\npage: %s\n", filepath.Join(rep.Out, selfsame.TreeHTML))
				return err
			})
		},
	}
	f := c.Flags()
	f.StringVarP(&cfg.Out, "out", "o", "", "folder of the files (default runs/NAME-tree, or RUN/tree)")
	f.IntVar(&cfg.Seeds, "seeds", 1, "networks to train, with the recipe's `seed` and those after it")
	f.StringArrayVar(&cfg.Set, "set", nil, "override a `key=value` of the recipe")
	f.BoolVar(&cfg.Force, "force", false, "train again what is trained")
	f.StringVar(&cfg.Reference, "reference", "", "Newick `file` to score against")
	f.StringVar(&groups, "groups", "", "TSV `file` with columns taxon and clade, for colours")
	f.StringVar(&choosing, "choose", "", "`species` that the layer is chosen on, by commas")
	f.IntVar(&layer, "layer", -1, "take this `layer` instead of choosing one")
	f.StringVar(&distance, "distance", "", "take this `distance` (default "+lineage.Default(1).Distance+"): "+strings.Join(lineage.Distances(), ", "))
	f.BoolVar(&states, "states", false, "take mean hidden states instead of Fisher scores")
	f.IntVar(&cfg.Windows, "windows", selfsame.TreeWindows, "`windows` read of each genome")
	f.IntVar(&cfg.Replicates, "replicates", selfsame.TreeReplicates, "`replicates` of the bootstrap over windows")
	f.BoolVar(&cfg.NoControls, "no-controls", false, "without untrained networks, words, sketches")
	f.BoolVar(&cfg.NoBits, "no-bits", false, "without bits per base beside Markov models")
	f.Uint64Var(&cfg.Seed, "seed", 0, "of windows, bootstrap, random trees")
	f.StringVar(&cfg.Engine.Kind, "engine", "", "go, xla or auto")
	completeValues(c, "engine", engineKinds)
	completeValues(c, "distance", lineage.Distances())
	return c
}

// readGroups reads species and clade of a TSV file with a head.
func readGroups(path string) (map[string]string, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, &dataset.Error{Path: path, Err: err}
	}
	defer f.Close()
	br := bufio.NewReader(f)
	if mark, _ := br.Peek(3); string(mark) == "\ufeff" {
		if _, err := br.Discard(3); err != nil {
			return nil, &dataset.Error{Path: path, Err: err}
		}
	}
	r := csv.NewReader(br)
	r.Comma, r.LazyQuotes, r.FieldsPerRecord = '\t', true, -1
	rows, err := r.ReadAll()
	if err != nil {
		return nil, &dataset.Error{Path: path, Err: err}
	}
	if len(rows) == 0 {
		return nil, &dataset.Error{Path: path, Err: errors.New("an empty file"), Hint: "a head line with taxon and clade, then a line a species"}
	}
	name, clade := slices.Index(rows[0], "taxon"), slices.Index(rows[0], "clade")
	if name < 0 || clade < 0 {
		return nil, &dataset.Error{Path: path, Record: "line 1", Err: fmt.Errorf("columns %s", strings.Join(rows[0], ", ")), Hint: "the columns taxon and clade are wanted"}
	}
	out := map[string]string{}
	for k, row := range rows[1:] {
		if len(row) <= max(name, clade) {
			return nil, &dataset.Error{Path: path, Record: fmt.Sprintf("row %d", k+2), Err: fmt.Errorf("%d columns, the head has %d", len(row), len(rows[0]))}
		}
		if _, ok := out[row[name]]; ok {
			return nil, &dataset.Error{Path: path, Record: fmt.Sprintf("row %d", k+2), Err: fmt.Errorf("%q is named twice", row[name])}
		}
		out[row[name]] = row[clade]
	}
	return out, nil
}
