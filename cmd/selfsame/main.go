// Command selfsame runs self-supervised learning built on view contracts:
// `selfsame run RECIPE` does the whole line from data to verdict.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

func main() { os.Exit(Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// errInterrupted is the cause of a context that a signal cancelled.
var errInterrupted = errors.New("interrupted")

// Main runs one command line and returns its exit code. The first SIGINT or SIGTERM cancels
// the command, which then writes a checkpoint; the second one exits at once.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) (code int) {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr}
	defer func() {
		if r := recover(); r != nil {
			code = a.panicked(r, debug.Stack())
		}
	}()
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	go func() {
		select {
		case <-signals:
		case <-ctx.Done():
			return
		}
		cancel(errInterrupted)
		fmt.Fprintln(stderr, "\nselfsame: stopping after the step at hand (a second interrupt stops at once)")
		<-signals
		os.Exit(exitInterrupted)
	}()

	root := newRoot(a)
	root.SetArgs(spelled(args))
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err != nil && errors.Is(context.Cause(ctx), errInterrupted) && exitCode(err) != exitInterrupted {
		err = fmt.Errorf("%w: %w", errInterrupted, err)
	}
	return a.report(err)
}

// panicked reports a bug in one line; the stack goes to the file of --stack.
func (a *app) panicked(r any, stack []byte) int {
	fmt.Fprintf(a.stderr, "selfsame: internal error: %v\n", r)
	if a.stack == "" {
		fmt.Fprintln(a.stderr, "hint: this is a bug; repeat with --stack FILE to write the stack to a file, and report it")
		return exitFailed
	}
	text := fmt.Sprintf("selfsame %s\n%v\n\n%s", versionText(), r, stack)
	if err := os.WriteFile(a.stack, []byte(text), 0o644); err != nil {
		fmt.Fprintf(a.stderr, "selfsame: stack: %v\n", err)
	} else {
		fmt.Fprintf(a.stderr, "hint: this is a bug; the stack is in %s\n", a.stack)
	}
	return exitFailed
}
