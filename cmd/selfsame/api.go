package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/selfsame-ml/selfsame"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/domain/all"
	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/report"
	"github.com/selfsame-ml/selfsame/store"
)

func init() {
	api.Run, api.Views, api.Embed, api.Predict = runLine, writeViews, embedData, predictData
}

// runLine calls selfsame.Run in the form of the commands.
func runLine(ctx context.Context, q runRequest) (runOutcome, error) {
	path := q.Recipe
	if st, err := os.Stat(path); err == nil && st.IsDir() && q.Dir == "" { // a run directory
		q.Dir, path = path, ""
	}
	if path == "" { // one stage of a finished run: the directory must be one
		if _, err := os.Stat(filepath.Join(q.Dir, store.RecipeFile)); errors.Is(err, fs.ErrNotExist) {
			return runOutcome{}, usagef("%s is no run directory: it holds no %s", q.Dir, store.RecipeFile)
		}
	}
	command := "selfsame run"
	if path != "" {
		command += " " + path
	}
	for _, s := range q.Set {
		command += " --set '" + s + "'"
	}
	out, err := selfsame.Run(ctx, path, selfsame.Options{
		Dir: q.Dir, Set: q.Set, Until: q.Until, Only: q.Only, Force: q.Force, Command: command, Event: q.Events,
	})
	if errors.Is(err, selfsame.ErrStage) {
		return runOutcome{}, &usageError{err: err}
	}
	if err != nil {
		return runOutcome{}, err
	}
	res := runOutcome{Dir: out.Dir}
	if r := out.Report; r != nil {
		res.Report = out.Page
		if r.Overall != nil || len(r.Advice) > 0 {
			res.Verdict = r.Word()
		}
		var b strings.Builder
		if err := report.Text(&b, r, 80); err != nil {
			return res, err
		}
		res.Lines = strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
	}
	return res, nil
}

// writeViews writes the contact sheet of a recipe.
func writeViews(ctx context.Context, q viewsRequest) (string, error) {
	r, err := recipe.Load(q.Recipe, all.Specs, q.Set...)
	if err != nil {
		return "", err
	}
	d, err := all.Lookup(r.Domain)
	if err != nil {
		return "", err
	}
	s, err := d.Open(ctx, r, domain.OpenOptions{Warn: warner(q.Events)})
	if err != nil {
		return "", err
	}
	defer s.Close()
	sheet, ok := s.(domain.Sheeter)
	if !ok {
		return "", fmt.Errorf("views: the domain %q draws no contact sheet", r.Domain)
	}
	out := q.Out
	if out == "" {
		out = r.Name + "-views.html"
	}
	return out, store.WriteFile(out, func(w io.Writer) error { return sheet.WriteSheet(w, r.Name, q.Samples, r.Seed) })
}

// warner turns warnings into events.
func warner(tell func(store.Event)) func(format string, args ...any) {
	return func(format string, args ...any) {
		if tell != nil {
			tell(store.Event{Stage: "data", Kind: "warning", Data: map[string]any{"text": fmt.Sprintf(format, args...)}})
		}
	}
}

func openModel(q embedRequest) (*selfsame.Model, error) {
	m, err := selfsame.Open(q.Model, engine.Config{Kind: q.Engine})
	if errors.Is(err, selfsame.ErrStage) {
		return nil, &usageError{err: err}
	}
	if err != nil {
		return nil, err
	}
	m.Warn = warner(q.Events)
	return m, nil
}

// stdio stands for the standard input or output.
const stdio = "-"

func source(q embedRequest) selfsame.Source {
	return selfsame.Source{Path: q.Data, Part: q.Part, Query: q.Query, IDs: q.IDs, MaxBad: q.MaxBad}
}

func embedData(ctx context.Context, q embedRequest) (embedOutcome, error) {
	m, err := openModel(q)
	if err != nil {
		return embedOutcome{}, err
	}
	defer m.Close()
	if q.Out == stdio {
		n, err := m.EmbedCSV(ctx, source(q), os.Stdout)
		return embedOutcome{Out: q.Out, Samples: n, Dim: m.Dim()}, err
	}
	n, err := m.EmbedFile(ctx, source(q), q.Out)
	return embedOutcome{Out: q.Out, Samples: n, Dim: m.Dim()}, err
}

func predictData(ctx context.Context, q embedRequest) (embedOutcome, error) {
	m, err := openModel(q)
	if err != nil {
		return embedOutcome{}, err
	}
	defer m.Close()
	out := embedOutcome{Out: q.Out}
	write := func(w io.Writer) (err error) {
		out.Samples, err = m.PredictCSV(ctx, source(q), w, q.TopK)
		return err
	}
	if q.Out == "" || q.Out == stdio {
		err = write(os.Stdout)
	} else {
		err = store.WriteFile(q.Out, write)
	}
	if errors.Is(err, selfsame.ErrStage) {
		err = &usageError{err: err}
	}
	return out, err
}
