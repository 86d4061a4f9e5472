package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	_ "golang.org/x/image/bmp" // headers of pictures, for recipe init
	_ "golang.org/x/image/tiff"
	_ "golang.org/x/image/webp"
	_ "image/gif"
	_ "image/jpeg"
	_ "image/png"

	"github.com/selfsame-ml/selfsame/domain/all"
	"github.com/selfsame-ml/selfsame/domain/table"
	"github.com/selfsame-ml/selfsame/internal/term"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/store"
)

func recipeCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "recipe",
		Short: "Draft, check and describe recipes",
		Long: `recipe helps with the YAML file that describes a run: init drafts one from data, check
reads one strictly, schema is for editors.`,
		Example: "  selfsame recipe init photos/ -o mine.yaml\n  selfsame recipe check mine.yaml\n  selfsame recipe schema > selfsame.json",
		Args:    cobra.ArbitraryArgs,
		RunE:    func(cmd *cobra.Command, args []string) error { return group(cmd, args, false) },
	}
	c.AddCommand(recipeCheck(a), recipeInit(a), recipeSchema(a), recipeTransforms(a))
	return c
}

func recipeCheck(a *app) *cobra.Command {
	var sets []string
	resolved := false
	c := &cobra.Command{
		Use:   "check RECIPE...",
		Short: "Read recipes strictly; every error with line and column",
		Long: `check reads each recipe as run does: unknown keys, wrong types, values out of their
limits and what does not fit together are errors with file, line and column. All
errors are listed at once. Data are not opened.`,
		Example: "  selfsame recipe check recipes/*.yaml\n  selfsame recipe check mine.yaml --resolved",
		Args:    args(1, -1, "RECIPE"),
		RunE: func(_ *cobra.Command, files []string) error {
			var errs []error
			for _, f := range files {
				r, err := recipe.Load(f, all.Specs, sets...)
				if err != nil {
					errs = append(errs, err)
					continue
				}
				err = a.result(map[string]any{"kind": "result", "file": f, "ok": true}, func(w io.Writer) error {
					if !resolved {
						_, err := fmt.Fprintf(w, "%s: ok\n", f)
						return err
					}
					b, err := recipe.Marshal(r)
					if err != nil {
						return err
					}
					_, err = w.Write(b)
					return err
				})
				if err != nil {
					return err
				}
			}
			return errors.Join(errs...)
		},
	}
	c.Flags().BoolVar(&resolved, "resolved", false, "write the recipe with every default")
	c.Flags().StringArrayVar(&sets, "set", nil, "override a `key=value` of the recipe")
	return c
}

func recipeInit(a *app) *cobra.Command {
	out, query, force := "", "", false
	c := &cobra.Command{
		Use:   "init FOLDER|FILE|NAME|DATABASE",
		Short: "Draft a recipe from data",
		Long: `init looks at data (a folder of images, an IDX or .npy file, a name of the catalogue;
a table: CSV, JSON lines, Parquet, ARFF, SQLite, or PostgreSQL by --query) and
drafts a recipe with careful views, and a reason beside each. Read it: which
change keeps the meaning is yours to say.`,
		Example: "  selfsame recipe init photos/ -o mine.yaml && selfsame views mine.yaml\n  selfsame recipe init orders.csv -o orders.yaml\n  selfsame recipe init postgres://db/shop --query 'table orders' -o orders.yaml",
		Args:    args(1, 1, "FOLDER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			b, samples, what, err := draft(cmd.Context(), a, args[0], query)
			if err != nil {
				return err
			}
			if _, err := recipe.Parse("draft", b, all.Specs); err != nil {
				return fmt.Errorf("recipe init: the draft does not pass its own check: %w", err)
			}
			if out == "" {
				_, err := a.stdout.Write(b)
				return err
			}
			if _, err := os.Stat(out); err == nil && !force {
				return usagef("recipe init: %s is there already", out).hint("another name with -o, or --force to write over it")
			}
			if err := store.WriteBytes(out, b); err != nil {
				return err
			}
			result := map[string]any{"kind": "result", "recipe": out, "samples": samples}
			maps.Copy(result, what)
			return a.result(result, func(w io.Writer) error {
				counts := ""
				for _, k := range slices.Sorted(maps.Keys(what)) {
					counts += fmt.Sprintf(", %v %s", what[k], k)
				}
				_, err := fmt.Fprintf(w, "%s: %d samples%s\nnext: selfsame views %s\n", out, samples, counts, out)
				return err
			})
		},
	}
	c.Flags().StringVarP(&out, "out", "o", "", "`file` to write (default: the terminal)")
	c.Flags().StringVar(&query, "query", "", "`SQL` where the data are a database")
	c.Flags().BoolVar(&force, "force", false, "write over a file")
	return c
}

// draft drafts a recipe for images or a table; what counts things of it by their name.
func draft(ctx context.Context, a *app, source, query string) (b []byte, samples int, what map[string]any, err error) {
	if query == "" && !table.IsSource(source) {
		info, err := inspect(ctx, source)
		if err != nil {
			return nil, 0, nil, err
		}
		if info.Domain == "" {
			info.Domain = "image"
		}
		if info.Specs, err = all.Specs(info.Domain); err != nil {
			return nil, 0, nil, err
		}
		return recipe.Draft(info), info.Count, map[string]any{"classes": len(info.Classes)}, nil
	}
	rd, err := table.OpenReader(ctx, recipe.Data{Source: source, Query: query}, table.ReaderOptions{})
	if err != nil {
		return nil, 0, nil, err
	}
	defer rd.Close()
	info, err := table.Infer(ctx, rd, table.InferOptions{Source: source, Query: query})
	if err != nil {
		return nil, 0, nil, err
	}
	if info.Specs, err = all.Specs(recipe.DomainTable); err != nil {
		return nil, 0, nil, err
	}
	return recipe.DraftTable(info), info.Rows, map[string]any{"columns": len(info.Columns), "rules": len(info.Rules)}, nil
}

func recipeSchema(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Write the JSON Schema of recipes, for editors",
		Long: `schema writes the JSON Schema (draft 2020-12) of recipes. With it an editor completes
keys, shows their description and marks what is wrong.`,
		Example: "  selfsame recipe schema > selfsame.json",
		Args:    args(0, 0),
		RunE: func(*cobra.Command, []string) error {
			specs, err := all.Specs("image")
			if err != nil {
				return err
			}
			b, err := recipe.Schema(specs)
			if err != nil {
				return err
			}
			_, err = a.stdout.Write(b)
			return err
		},
	}
}

func recipeTransforms(a *app) *cobra.Command {
	domain := "image"
	c := &cobra.Command{
		Use:   "transforms [NAME]",
		Short: "List the transformations that a recipe may declare",
		Long: `transforms lists the transformations of a domain; with a NAME its contracts and all
parameters with limits and defaults. The first parameter is the principal one:
contracts are stated by its range.`,
		Example: "  selfsame recipe transforms\n  selfsame recipe transforms rotate",
		Args:    args(0, 1, "NAME"),
		RunE: func(_ *cobra.Command, args []string) error {
			specs, err := all.Specs(domain)
			if err != nil {
				return err
			}
			t := term.NewTable("name", "parameter", "what")
			var names []string
			for _, s := range specs {
				names = append(names, s.Name)
				if len(args) == 1 && s.Name != args[0] {
					continue
				}
				if a.json {
					if err := a.result(s, nil); err != nil {
						return err
					}
					continue
				}
				if len(args) == 0 {
					principal := ""
					if len(s.Params) > 0 {
						principal = s.Params[0].Name
					}
					t.Row(s.Name, principal, s.Doc)
					continue
				}
				var kinds []string
				for _, k := range s.Kinds {
					kinds = append(kinds, k.String())
				}
				for _, l := range term.Wrap(s.Name+": "+s.Doc, term.Width) {
					fmt.Fprintln(a.stdout, l)
				}
				fmt.Fprintf(a.stdout, "contracts: %s; p: %g\n\n", strings.Join(kinds, ", "), s.P)
				t = term.NewTable("parameter", "unit", ">least", ">most", ">default", "what")
				for _, p := range s.Params {
					t.Row(p.Name, p.Unit, fmt.Sprintf("%g", p.Min), fmt.Sprintf("%g", p.Max), recipe.RangeString(p.Default), p.Doc)
				}
				return t.Write(a.stdout)
			}
			if a.json {
				return nil
			}
			if len(args) == 1 {
				return usagef("recipe transforms: %q is no transformation of %s", args[0], domain).hint("known: %s", strings.Join(names, ", "))
			}
			return t.Write(a.stdout)
		},
	}
	c.Flags().StringVar(&domain, "domain", "image", "domain")
	return c
}
