package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/selfsame-ml/selfsame/internal/term"
)

// built describes this program.
type built struct {
	Version  string            `json:"version"`
	Commit   string            `json:"commit,omitempty"`
	Modified bool              `json:"modified,omitempty"`
	Go       string            `json:"go"`
	Platform string            `json:"platform"`
	CGO      bool              `json:"cgo"`
	SIMD     bool              `json:"simd"`
	Modules  map[string]string `json:"modules"`
}

func buildOf() built {
	b := built{Version: "unknown", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Modules: map[string]string{}}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.Version = info.Main.Version
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		case "CGO_ENABLED":
			b.CGO = s.Value == "1"
		case "GOEXPERIMENT":
			b.SIMD = strings.Contains(s.Value, "simd") && !strings.Contains(s.Value, "nosimd")
		}
	}
	for _, m := range info.Deps {
		b.Modules[m.Path] = m.Version
	}
	return b
}

func versionText() string {
	b := buildOf()
	s := b.Version
	if b.Commit != "" {
		s += " (" + b.Commit[:min(12, len(b.Commit))] + ")"
	}
	return s + " " + b.Go + " " + b.Platform
}

func versionCommand(a *app) *cobra.Command {
	modules := false
	c := &cobra.Command{
		Use:     "version",
		Short:   "Say which build this is",
		Long:    "version writes the version, the Go release and how the program was built; with\n--modules also the modules that are linked into it.",
		Example: "  selfsame version --json",
		Args:    args(0, 0),
		RunE: func(*cobra.Command, []string) error {
			b := buildOf()
			return a.result(b, func(w io.Writer) error {
				cgo := "without cgo: the go engine only"
				if b.CGO {
					cgo = "with cgo: the go and xla engines"
				}
				fmt.Fprintf(w, "selfsame %s\n%s\n", versionText(), cgo)
				if !modules {
					return nil
				}
				t := term.NewTable("module", "version")
				for _, m := range sortedKeys(b.Modules) {
					t.Row(m, b.Modules[m])
				}
				return t.Write(w)
			})
		},
	}
	c.Flags().BoolVar(&modules, "modules", false, "list the linked modules")
	return c
}
