package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/selfsame-ml/selfsame/dataset"
	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/internal/term"
)

// pluginAsset is the catalogue's name of the CPU plugin.
const pluginAsset = "xla-cpu"

func engineCommand(a *app) *cobra.Command {
	list := engineList(a)
	c := &cobra.Command{
		Use:   "engine",
		Short: "List, install and check the engines that compute",
		Long: `engine shows what computes: "go" is inside the program and works everywhere; "xla"
loads a PJRT plugin (CPU or CUDA) and is several times faster. A plugin is found
through SELFSAME_PJRT_PLUGIN, an installed JAX for CUDA, or
` + "`selfsame engine install`" + `. Without a subcommand it lists the engines.`,
		Example: "  selfsame engine\n  selfsame engine install\n  selfsame engine check",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return list.RunE(list, nil)
			}
			return group(cmd, args, false)
		},
	}
	c.AddCommand(list, engineInstall(a), engineCheck(a))
	return c
}

// engineState is the answer of `engine install`.
type engineState struct {
	Kind   string `json:"kind"`
	Plugin string `json:"plugin,omitempty"`
	From   string `json:"from,omitempty"`
	State  string `json:"state"`
}

// listed is one engine of `engine list`.
type listed struct {
	engine.Info
	SIMD    bool     `json:"simd,omitempty"`    // the go engine uses AVX
	Devices []string `json:"devices,omitempty"` // with --probe
}

func engineList(a *app) *cobra.Command {
	probe, plugin := false, ""
	c := &cobra.Command{
		Use:   "list",
		Short: "List the engines at hand, and why others are not",
		Long: `list names the engines of this machine, where each plugin was found, why one cannot
be used, the precision that "auto" takes, and the XLA flags. Plugin files are read,
not loaded.

--probe loads each plugin, in a process of its own, and lists its devices.`,
		Example: "  selfsame engine list --probe\n  selfsame engine list --json",
		Args:    args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if plugin != "" { // the process of its own
				l := listed{}
				if err := load(&l, plugin); err != nil {
					return err
				}
				return a.listEngines([]listed{l})
			}
			var all []listed
			for _, i := range engine.List() {
				l := listed{Info: i, SIMD: i.Kind == engine.Go && buildOf().SIMD}
				if probe && l.Available && l.Kind == engine.XLA {
					if err := a.probe(cmd.Context(), &l); err != nil {
						l.Available, l.Why = false, err.Error()
					}
				}
				all = append(all, l)
			}
			return a.listEngines(all)
		},
	}
	c.Flags().BoolVar(&probe, "probe", false, "load each plugin and list its devices")
	c.Flags().StringVar(&plugin, "plugin", "", "load the plugin at this `path` only")
	return c
}

func (a *app) listEngines(all []listed) error {
	for i, l := range all {
		err := a.result(l, func(w io.Writer) error {
			if i > 0 {
				fmt.Fprintln(w)
			}
			t := &term.Table{}
			state := "ready"
			if !l.Available {
				state = "not available: " + l.Why
			} else if l.Auto {
				state = `ready; "auto" takes it`
			}
			t.Row(l.Kind, state)
			l.rows(t)
			return t.Write(w)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// rows writes what is known of an engine.
func (l listed) rows(t *term.Table) {
	if l.Plugin != "" {
		t.Row("  plugin", l.Plugin)
		from := map[string]string{"installed": "in the cache (selfsame engine install)", "JAX": "in an installed JAX", "path": "as given"}[l.From]
		if from == "" {
			from = "through " + l.From
		}
		t.Row("  found", from)
	}
	if !l.Available {
		return
	}
	for i, d := range l.Devices {
		t.Row(fmt.Sprintf("  device %d", i), d)
	}
	if len(l.Devices) == 0 {
		t.Row("  device", l.Device)
	}
	threads := fmt.Sprint(l.Threads)
	if l.Kind == engine.Go {
		threads += map[bool]string{true: ", with SIMD instructions", false: ", without SIMD instructions (GOEXPERIMENT=simd builds them in)"}[l.SIMD]
	}
	t.Row("  threads", threads)
	t.Row("  precision", l.Precision+": "+l.Reason)
	switch {
	case l.Kind == engine.Go:
	case l.FlagsFrom == "XLA_FLAGS":
		t.Row("  flags", l.Flags+" (yours, from XLA_FLAGS; selfsame sets none)")
	case l.Flags == "":
		t.Row("  flags", "none")
	default:
		t.Row("  flags", l.Flags+" (set by selfsame)")
	}
}

// load opens a plugin in this process.
func load(l *listed, plugin string) error {
	e, err := engine.Open(engine.Config{Kind: engine.XLA, Plugin: plugin})
	if err != nil {
		return err
	}
	defer e.Close()
	l.Info, l.Devices = e.Describe(), devices(e)
	return nil
}

func devices(e *engine.Engine) []string {
	if e.Kind() == engine.Go {
		return nil
	}
	var out []string
	for i := range e.Devices() {
		out = append(out, e.Device(i))
	}
	return out
}

// probe loads a plugin in a process of its own: a process can hold one only, and a broken one, or flags
// that XLA does not know, end it.
func (a *app) probe(ctx context.Context, l *listed) error {
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, exe, "engine", "list", "--json", "--plugin", l.Plugin)
	cmd.Args[0] = os.Args[0]
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	if err == nil {
		auto, from := l.Auto, l.From
		if err = json.Unmarshal(out.Bytes(), l); err == nil {
			l.Auto, l.From = auto, from
		}
		return err
	}
	first := ""
	for _, line := range strings.Split(errs.String(), "\n") {
		line = strings.TrimSpace(line)
		if text, ok := strings.CutPrefix(line, "selfsame: "); ok {
			return errors.New(strings.TrimPrefix(text, engine.ErrUnavailable.Error()+": "))
		}
		if first == "" && line != "" && !strings.HasPrefix(line, "WARNING: All log messages") { // of absl, before the one that counts
			first = line
		}
	}
	return fmt.Errorf("loading the plugin ended its process (%w): %s", err, first)
}

func engineInstall(a *app) *cobra.Command {
	force := false
	c := &cobra.Command{
		Use:   "install",
		Short: "Put the XLA CPU plugin into the cache",
		Long: `install downloads a Python wheel that holds XLA's CPU plugin (about 63 MB) with
pip, checks its sha256 and keeps the plugin (200 MB) in the user's cache. Nothing is
installed into Python or the system. It exists for Linux on x86-64; elsewhere name a
plugin of your own with SELFSAME_PJRT_PLUGIN.`,
		Example: "  selfsame engine install && selfsame engine check",
		Args:    args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			asset, ok := dataset.LookupAsset(pluginAsset)
			if !ok {
				return fmt.Errorf("engine: %s is not in the catalogue", pluginAsset)
			}
			dst, err := engine.InstalledPlugin()
			if err != nil {
				return fmt.Errorf("engine: %w", err)
			}
			if asset.OS != runtime.GOOS || asset.Arch != runtime.GOARCH {
				return &hinted{fmt.Errorf("engine: there is a plugin for %s/%s only, this is %s/%s", asset.OS, asset.Arch, runtime.GOOS, runtime.GOARCH),
					[]string{"set " + engine.PluginEnv + " to the path of a PJRT plugin; the go engine works without one"}}
			}
			if _, err := os.Stat(dst); err != nil || force {
				if err := os.Remove(dst); err != nil && !errors.Is(err, os.ErrNotExist) {
					return fmt.Errorf("engine: %w", err)
				}
				ev := a.events()
				progress := fetchProgress(ev)
				err := dataset.FetchWheel(cmd.Context(), asset.Package, asset.Version, asset.SHA256, asset.Member, dst,
					func(stage string, done, total int) {
						if stage == "download" && total == 0 {
							total = int(asset.Size)
						}
						progress(stage, done, total)
					})
				ev.Close()
				if err != nil {
					return err
				}
			}
			return a.result(engineState{Kind: engine.XLA, Plugin: dst, From: "installed", State: "found"}, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "engine xla: %s\n", dst)
				return err
			})
		},
	}
	c.Flags().BoolVar(&force, "force", false, "download again although it is there")
	return c
}
