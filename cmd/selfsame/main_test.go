package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"github.com/selfsame-ml/selfsame/certify"
	"github.com/selfsame-ml/selfsame/dataset"
	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/pretrain"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/store"
)

func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"selfsame": main}) }

func TestScripts(t *testing.T) {
	repo, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("SELFSAME_CACHE", filepath.Join(e.WorkDir, "cache"))
			e.Setenv("SELFSAME_DATA", "")
			e.Setenv("SELFSAME_PJRT_PLUGIN", "") // the same output on every machine: the go engine
			e.Setenv("REPO", repo)
			return nil
		},
		// code N COMMAND...: the command must end with exit code N.
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"code": wantCode},
	})
}

func wantCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N COMMAND...")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	var exit interface{ ExitCode() int }
	if errors.As(err, &exit) {
		got = fmt.Sprint(exit.ExitCode())
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != args[0] {
		ts.Fatalf("exit code %s, want %s", got, args[0])
	}
}

func TestExitCodes(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want int
	}{
		"nil":          {nil, 0},
		"plain":        {errors.New("x"), 1},
		"usage":        {fmt.Errorf("run: %w", usagef("x")), 2},
		"recipe":       {fmt.Errorf("run: %w", recipe.Errors{{Msg: "x"}}), 2},
		"no such file": {fmt.Errorf("recipe: %w", &fs.PathError{Op: "open", Path: "x", Err: fs.ErrNotExist}), 2},
		"data":         {fmt.Errorf("data: %w", dataset.Bad("a.png", "", "cut off")), 3},
		"absent data":  {&dataset.Error{Path: "x", Err: dataset.ErrAbsent}, 3},
		"data missing": {&dataset.Error{Path: "x", Err: &fs.PathError{Op: "open", Path: "x", Err: fs.ErrNotExist}}, 3},
		"fetch":        {&dataset.FetchError{Name: "x", Err: errors.New("no network")}, 1},
		"contract":     {fmt.Errorf("run: %w", fmt.Errorf("%w: rotate", certify.ErrViolated)), 4},
		"pretrain":     {fmt.Errorf("%w at step 3 of 9", pretrain.ErrInterrupted), 130},
		"no engine":    {fmt.Errorf("%w: xla", engine.ErrUnavailable), 1},
		"changed":      {fmt.Errorf("%w", store.ErrChanged), 2},
		"locked":       {fmt.Errorf("%w", store.ErrLocked), 1},
		"interrupted":  {fmt.Errorf("%w: %w", errInterrupted, dataset.Bad("x", "", "half read")), 130},
		"cancelled":    {fmt.Errorf("pretrain: %w", context.Canceled), 130},
	} {
		if got := exitCode(c.err); got != c.want {
			t.Errorf("%s: exit code %d, want %d", name, got, c.want)
		}
	}
}

func TestErrorsCarryTheirHints(t *testing.T) {
	var out, errs bytes.Buffer
	a := &app{stdout: &out, stderr: &errs, json: true}
	code := a.report(fmt.Errorf("data: %w", &dataset.Error{Path: "x.gz", Record: "byte 16", Hint: "fetch it again", Err: errors.New("cut off")}))
	if want := "selfsame: data: dataset: x.gz: byte 16: cut off\nhint: fetch it again\n"; errs.String() != want {
		t.Errorf("stderr %q, want %q", errs.String(), want)
	}
	if want := `{"exit":3,"hints":["fetch it again"],"kind":"error","text":"data: dataset: x.gz: byte 16: cut off"}` + "\n"; out.String() != want {
		t.Errorf("stdout %s, want %s", out.String(), want)
	}
	if code != exitData {
		t.Errorf("exit code %d", code)
	}
}

func TestPanicWritesTheStackOnlyWhereAsked(t *testing.T) {
	var errs bytes.Buffer
	a := &app{stderr: &errs}
	if code := a.panicked("index out of range", []byte("goroutine 1")); code != exitFailed {
		t.Errorf("exit code %d", code)
	}
	if strings.Contains(errs.String(), "goroutine") || strings.Count(errs.String(), "\n") != 2 {
		t.Errorf("not a short message: %q", errs.String())
	}
	a.stack = filepath.Join(t.TempDir(), "stack.txt")
	a.panicked("index out of range", []byte("goroutine 1"))
	b, err := os.ReadFile(a.stack)
	if err != nil || !strings.Contains(string(b), "index out of range\n\ngoroutine 1") {
		t.Errorf("stack file %q, %v", b, err)
	}
}

// TestEveryCommandIsComplete walks the commands: help for people must be whole.
func TestEveryCommandIsComplete(t *testing.T) {
	exit := regexp.MustCompile(`(?s)Exit codes: 0 done.*130 interrupted[^\n]*\n$`)
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Name() == "completion" || c.Name() == "help" {
			return
		}
		path := c.CommandPath()
		if c.Short == "" || c.Long == "" || c.Example == "" {
			t.Errorf("%s: Short, Long or Example is empty", path)
		}
		var out bytes.Buffer
		c.SetOut(&out)
		if err := c.Help(); err != nil {
			t.Fatal(err)
		}
		if !exit.Match(out.Bytes()) {
			t.Errorf("%s: help does not end with the exit codes:\n%s", path, out.String())
		}
		for _, text := range []string{c.Long, c.Example} {
			for _, l := range strings.Split(text, "\n") {
				if n := utf8.RuneCountInString(l); n > 80 {
					t.Errorf("%s: help line of %d columns: %s", path, n, l)
				}
			}
		}
		for _, s := range c.Commands() {
			walk(s)
		}
	}
	walk(newRoot(&app{stdin: strings.NewReader(""), stdout: &bytes.Buffer{}, stderr: &bytes.Buffer{}}))
}
