package main

import (
	"errors"
	"io/fs"
	"syscall"

	"github.com/selfsame-ml/selfsame/certify"
	"github.com/selfsame-ml/selfsame/dataset"
	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/pretrain"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/store"
)

// roomCode maps the typed errors of the rooms to exit codes; exitCode asks it last.
func roomCode(err error) int {
	var (
		wrongRecipe recipe.Errors
		badData     *dataset.Error
		noFile      *fs.PathError
	)
	switch {
	case errors.Is(err, pretrain.ErrInterrupted):
		return exitInterrupted
	case errors.Is(err, certify.ErrViolated):
		return exitContract
	case errors.As(err, &wrongRecipe):
		return exitUsage
	case errors.As(err, &badData):
		return exitData
	case errors.Is(err, store.ErrNotRun), errors.Is(err, store.ErrChanged):
		return exitUsage
	case errors.Is(err, engine.ErrUnavailable), errors.Is(err, store.ErrLocked):
		return exitFailed
	case errors.As(err, &noFile) && errors.Is(err, fs.ErrNotExist): // a path on the command line
		return exitUsage
	}
	return exitFailed
}

// roomHints are the hints that rooms keep in fields.
func roomHints(err error) (out []string) {
	var bad *dataset.Error
	if errors.As(err, &bad) && bad.Hint != "" {
		out = append(out, bad.Hint)
	}
	var fetch *dataset.FetchError
	if errors.As(err, &fetch) && fetch.Hint != "" {
		out = append(out, fetch.Hint)
	}
	switch {
	case errors.Is(err, certify.ErrViolated):
		out = append(out, "look at the counter-example in the certificate; narrow the range, or give it another contract")
	case errors.Is(err, pretrain.ErrInterrupted):
		out = append(out, "the same command goes on from the checkpoint")
	case errors.Is(err, store.ErrChanged):
		out = append(out, "name another directory with --out, or run its finished stages again with --force")
	case errors.Is(err, store.ErrNotRun):
		out = append(out, "name an empty or new directory with --out")
	case errors.Is(err, store.ErrLocked):
		out = append(out, "wait for the other process, or name another directory with --out")
	case errors.Is(err, syscall.ENOSPC):
		out = append(out, "make room on that disk and give the command again; a run goes on where it stopped")
	}
	return out
}
