package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// The exit codes, for scripts.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2   // wrong usage or recipe
	exitData        = 3   // bad data
	exitContract    = 4   // a contract was violated
	exitInterrupted = 130 // a checkpoint is written
)

const exitCodesHelp = "Exit codes: 0 done, 1 failed, 2 wrong usage or recipe, 3 bad data,\n4 a contract was violated, 130 interrupted (the next run continues)."

// usageError is a wrong command line.
type usageError struct {
	err   error
	hints []string
}

func (e *usageError) Error() string   { return e.err.Error() }
func (e *usageError) Unwrap() error   { return e.err }
func (e *usageError) Hints() []string { return e.hints }

func usagef(format string, args ...any) *usageError {
	return &usageError{err: fmt.Errorf(format, args...)}
}

func (e *usageError) hint(format string, args ...any) *usageError {
	e.hints = append(e.hints, fmt.Sprintf(format, args...))
	return e
}

// hinted adds a hint to an error of another room.
type hinted struct {
	error
	hints []string
}

func (e *hinted) Unwrap() error   { return e.error }
func (e *hinted) Hints() []string { return e.hints }

// exitCode decides the exit code, here and nowhere else.
func exitCode(err error) int {
	var usage *usageError
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errInterrupted), errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, &usage):
		return exitUsage
	}
	return roomCode(err)
}

// hintsOf collects the hint lines of an error and of all that it wraps.
func hintsOf(err error) []string {
	var out []string
	var walk func(error)
	walk = func(err error) {
		if err == nil {
			return
		}
		switch h := err.(type) {
		case interface{ Hints() []string }:
			out = append(out, h.Hints()...)
		case interface{ Hint() string }:
			if s := h.Hint(); s != "" {
				out = append(out, s)
			}
		}
		switch u := err.(type) {
		case interface{ Unwrap() error }:
			walk(u.Unwrap())
		case interface{ Unwrap() []error }:
			for _, e := range u.Unwrap() {
				walk(e)
			}
		}
	}
	walk(err)
	return out
}

// report writes an error for people on stderr (with --json also as an object on stdout) and
// returns the exit code.
func (a *app) report(err error) int {
	code := exitCode(err)
	if err == nil {
		return code
	}
	text := strings.TrimPrefix(strings.TrimSpace(err.Error()), "selfsame: ") // said once
	for _, l := range strings.Split(text, "\n") {
		fmt.Fprintf(a.stderr, "selfsame: %s\n", l)
	}
	hints := append(hintsOf(err), roomHints(err)...)
	for _, h := range hints {
		fmt.Fprintf(a.stderr, "hint: %s\n", h)
	}
	if a.json {
		b, jerr := json.Marshal(map[string]any{"kind": "error", "text": text, "hints": hints, "exit": code})
		if jerr == nil {
			fmt.Fprintf(a.stdout, "%s\n", b)
		}
	}
	return code
}
