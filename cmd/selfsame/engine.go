package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/spf13/cobra"

	"github.com/selfsame-ml/selfsame/dataset"
	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/internal/term"
)

// pluginAsset is the catalogue's name of the CPU plugin.
const pluginAsset = "xla-cpu"

func engineCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "engine",
		Short: "List, install and check the engines that compute",
		Long: `engine shows what computes: "go" is inside the program and works everywhere; "xla"
loads a PJRT plugin (CPU or CUDA) and is several times faster. A plugin is found
through SELFSAME_PJRT_PLUGIN, an installed JAX for CUDA, or
` + "`selfsame engine install`.",
		Example: "  selfsame engine list\n  selfsame engine install\n  selfsame engine check",
		Args:    cobra.ArbitraryArgs,
		RunE:    func(cmd *cobra.Command, args []string) error { return group(cmd, args, false) },
	}
	c.AddCommand(engineList(a), engineInstall(a), engineCheck(a))
	return c
}

// engineState is one engine of `engine list` and `engine check`.
type engineState struct {
	Kind   string `json:"kind"`
	Plugin string `json:"plugin,omitempty"`
	From   string `json:"from,omitempty"`
	State  string `json:"state"`
	Error  string `json:"error,omitempty"`
}

func engineList(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the engines at hand",
		Long:    "list names the engines at hand and the plugins found; the first plugin is the one\nthat \"auto\" takes. Nothing is loaded.",
		Example: "  selfsame engine list --json",
		Args:    args(0, 0),
		RunE: func(*cobra.Command, []string) error {
			all := []engineState{{Kind: engine.Go, State: fmt.Sprintf("ready, %d threads", runtime.GOMAXPROCS(0))}}
			for _, f := range engine.Plugins() {
				s := engineState{Kind: engine.XLA, Plugin: f.Path, From: f.From, State: "found"}
				if !buildOf().CGO {
					s.State = "this program was built without cgo"
				}
				all = append(all, s)
			}
			if len(all) == 1 {
				all = append(all, engineState{Kind: engine.XLA, State: "no plugin found; selfsame engine install"})
			}
			t := term.NewTable("engine", "state", "from", "plugin")
			for _, s := range all {
				if a.json {
					if err := a.result(s, nil); err != nil {
						return err
					}
					continue
				}
				t.Row(s.Kind, s.State, s.From, s.Plugin)
			}
			if a.json {
				return nil
			}
			return t.Write(a.stdout)
		},
	}
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

func engineCheck(a *app) *cobra.Command {
	cfg := engine.Config{}
	c := &cobra.Command{
		Use:   "check",
		Short: "Compute a gradient on an engine and compare it with its closed form",
		Long: `check opens the engine, compiles a small graph and compares a value and its
gradient with the closed form. It fails where the engine cannot be opened or
computes wrongly.`,
		Example: "  selfsame engine check\n  selfsame engine check --engine xla --plugin ./pjrt_c_api_cuda_plugin.so",
		Args:    args(0, 0),
		RunE: func(*cobra.Command, []string) error {
			e, err := engine.Open(cfg)
			if err != nil {
				return err
			}
			defer e.Close()
			if err := checkGradient(e); err != nil {
				return fmt.Errorf("engine: %s: %w", e, err)
			}
			s := engineState{Kind: e.Kind(), Plugin: e.Plugin(), State: "computes a value and its gradient right"}
			return a.result(s, func(w io.Writer) error {
				t := &term.Table{}
				t.Row("engine", e.String())
				if e.Plugin() != "" {
					t.Row("plugin", e.Plugin())
					t.Row("flags", e.Flags())
				}
				t.Row("devices", e.Devices())
				t.Row("threads", e.Threads())
				t.Row("check", s.State)
				return t.Write(w)
			})
		},
	}
	f := c.Flags()
	f.StringVar(&cfg.Kind, "engine", engine.Auto, "auto, go or xla")
	f.StringVar(&cfg.Plugin, "plugin", "", "`path` of a PJRT plugin")
	f.StringVar(&cfg.Precision, "precision", engine.Auto, "auto, fp32 or bf16")
	completeValues(c, "engine", engineKinds)
	completeValues(c, "precision", []string{engine.Auto, engine.FP32, engine.BF16})
	return c
}

// checkGradient computes f = sum (x W)^2 / 2 and df/dW = x'(x W) for x [2, 3], W [3, 2].
func checkGradient(e *engine.Engine) error {
	x := []float32{1, 2, 3, -1, 0.5, 2}
	w := []float32{0.5, -1, 0.25, 2, -0.75, 1}
	p, err := e.CompileMode("check", engine.Mode{Engine: e.Kind(), CUDA: e.Mode().CUDA}, func(g *graph.Graph) []*graph.Node {
		xn := graph.Parameter(g, "x", shapes.Make(dtypes.Float32, 2, 3))
		wn := graph.Parameter(g, "w", shapes.Make(dtypes.Float32, 3, 2))
		y := graph.Dot(xn, wn).Product()
		loss := graph.MulScalar(graph.ReduceAllSum(graph.Mul(y, y)), 0.5)
		return []*graph.Node{loss, graph.Gradient(loss, wn)[0]}
	})
	if err != nil {
		return err
	}
	defer p.Finalize()
	got, err := p.Floats(x, w)
	if err != nil {
		return err
	}
	var y [4]float64
	loss, grad := 0.0, make([]float64, 6)
	for i := range 2 {
		for j := range 2 {
			for k := range 3 {
				y[i*2+j] += float64(x[i*3+k]) * float64(w[k*2+j])
			}
			loss += y[i*2+j] * y[i*2+j] / 2
		}
	}
	for k := range 3 {
		for j := range 2 {
			for i := range 2 {
				grad[k*2+j] += float64(x[i*3+k]) * y[i*2+j]
			}
		}
	}
	// 1e-2 relative: CUDA multiplies in TF32 (10 bits) unless told otherwise.
	near := func(a float32, b float64) bool { return math.Abs(float64(a)-b) <= 1e-2*(1+math.Abs(b)) }
	if len(got[0]) != 1 || !near(got[0][0], loss) {
		return fmt.Errorf("value %v, closed form %g", got[0], loss)
	}
	for i, g := range grad {
		if !near(got[1][i], g) {
			return fmt.Errorf("gradient %d is %g, closed form %g", i, got[1][i], g)
		}
	}
	return nil
}
