package main

import (
	"maps"
	"slices"

	"github.com/spf13/cobra"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// completeValues gives a flag's values to the shell.
func completeValues(c *cobra.Command, flag string, values []string) {
	// The only error is a second registration of the same flag.
	_ = c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}
