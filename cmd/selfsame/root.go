package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/selfsame-ml/selfsame/internal/term"
)

// app is what every command shares: streams and global flags.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer

	json  bool
	quiet bool
	stack string
}

func newRoot(a *app) *cobra.Command {
	cobra.EnableCommandSorting = false // the order of the line
	root := &cobra.Command{
		Use:   "selfsame",
		Short: "Self-supervised learning built on view contracts",
		Long: `selfsame trains an encoder from unlabelled data. You say what may change in your
data without changing its meaning (a view contract); selfsame turns that into
training, tests whether the contract holds, and says with honest numbers whether
pretraining paid.

  recipe -> data -> views -> certify -> pretrain -> audit -> adapt -> report`,
		Example: `  selfsame run recipes/digits.yaml
  selfsame recipe init photos/ -o mine.yaml
  selfsame views mine.yaml
  selfsame run mine.yaml --set train.epochs=30`,
		SilenceErrors: true,

		DisableFlagsInUseLine: true,
		SilenceUsage:          true,
		Args:                  cobra.ArbitraryArgs, // so that unknown commands come to group
		RunE:                  func(cmd *cobra.Command, args []string) error { return group(cmd, args, true) },
	}
	root.CompletionOptions.HiddenDefaultCmd = false
	f := root.PersistentFlags()
	f.BoolVar(&a.json, "json", false, "write one JSON object a line on stdout")
	f.BoolVarP(&a.quiet, "quiet", "q", false, "write warnings, errors and results only")
	f.StringVar(&a.stack, "stack", "", "write the stack of an internal error to this `file`")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return (&usageError{err: err}).hint("selfsame help%s", strings.TrimPrefix(cmd.CommandPath(), "selfsame"))
	})
	root.SetHelpTemplate(root.HelpTemplate() + "\n" + exitCodesHelp + "\n")
	root.AddGroup(&cobra.Group{ID: "run", Title: "The line, whole or stage by stage:"},
		&cobra.Group{ID: "use", Title: "Use an encoder:"}, &cobra.Group{ID: "set", Title: "Set up:"})
	root.SetHelpCommandGroupID("set")
	root.SetCompletionCommandGroupID("set")
	add := func(id string, cmds ...*cobra.Command) {
		for _, c := range cmds {
			c.GroupID = id
			root.AddCommand(c)
		}
	}
	add("run", runCommands(a)...)
	add("use", useCommands(a)...)
	add("set", setCommands(a)...)
	reflow(root)
	return root
}

// reflow sets the paragraphs of every Long text to the width of a terminal; indented ones stay.
func reflow(c *cobra.Command) {
	paragraphs := strings.Split(c.Long, "\n\n")
	for i, p := range paragraphs {
		if !strings.HasPrefix(p, " ") {
			paragraphs[i] = strings.Join(term.Wrap(p, term.Width), "\n")
		}
	}
	c.Long = strings.Join(paragraphs, "\n\n")
	for _, s := range c.Commands() {
		reflow(s)
	}
}

// group runs a command that only has subcommands.
func group(cmd *cobra.Command, args []string, helpAlone bool) error {
	if len(args) == 0 {
		if helpAlone {
			return cmd.Help()
		}
		var names []string
		for _, c := range cmd.Commands() {
			names = append(names, c.Name())
		}
		return usagef("%s: which one? (%s)", strings.TrimPrefix(cmd.CommandPath(), "selfsame "), strings.Join(names, ", ")).
			hint("%s --help", cmd.CommandPath())
	}
	e := usagef("unknown command %q for %q", args[0], cmd.CommandPath())
	if cmd.SuggestionsMinimumDistance <= 0 {
		cmd.SuggestionsMinimumDistance = 2
	}
	if s := cmd.SuggestionsFor(args[0]); len(s) > 0 {
		return e.hint("did you mean %s?", strings.Join(s, " or "))
	}
	return e.hint("%s --help lists the commands", cmd.CommandPath())
}

// args checks the positional arguments and names those that are missing.
func args(least, most int, names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, got []string) error {
		name := strings.TrimPrefix(cmd.CommandPath(), "selfsame ")
		switch {
		case len(got) < least:
			return usagef("%s: %s is missing", name, strings.Join(names[len(got):least], " ")).hint("usage: %s", cmd.UseLine())
		case most >= 0 && len(got) > most:
			return usagef("%s: unexpected argument %q", name, got[most]).hint("usage: %s", cmd.UseLine())
		}
		return nil
	}
}

// events returns the renderer of a command: JSON lines go to stdout, everything for people to stderr.
func (a *app) events() term.Renderer {
	switch {
	case a.json:
		return term.New(a.stdout, term.JSON)
	case a.quiet:
		return term.New(a.stderr, term.Quiet)
	}
	return term.New(a.stderr, term.ModeFor(a.stderr))
}

// result writes the answer of a command: v as one JSON line with --json, else what text writes.
func (a *app) result(v any, text func(w io.Writer) error) error {
	if a.json {
		b, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("json: %w", err)
		}
		_, err = fmt.Fprintf(a.stdout, "%s\n", b)
		return err
	}
	return text(a.stdout)
}
