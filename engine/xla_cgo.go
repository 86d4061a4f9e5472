//go:build cgo && ((linux && (amd64 || arm64)) || (darwin && arm64))

package engine

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"

	"github.com/gomlx/go-xla/compute/xla"
)

// The process keeps one XLA client: XLA reads XLA_FLAGS once, and loading two
// plugins into one process is not supported by PJRT.
var xlaOnce struct {
	sync.Mutex
	backend *xla.Backend
	plugin  string
	flags   string
	bf16    bool
}

// FlagsCPU are the XLA flags that selfsame sets for a CPU plugin. YNNPACK stays off: with
// it, XLA gives silently wrong reductions (jax-ml/jax#39103).
const FlagsCPU = "--xla_cpu_use_onednn=true --xla_cpu_experimental_ynn_fusion_type="

func openXLA(cfg Config) (*Engine, error) {
	xlaOnce.Lock()
	defer xlaOnce.Unlock()
	plugin := cfg.Plugin
	if plugin == "" {
		found := Plugins()
		if len(found) == 0 {
			return nil, fmt.Errorf("%w: xla: no PJRT plugin found (set %s to its path, or run: selfsame engine install)", ErrUnavailable, PluginEnv)
		}
		plugin = found[0].Path
	}
	if _, err := os.Stat(plugin); err != nil {
		return nil, fmt.Errorf("%w: xla: plugin: %w", ErrUnavailable, err)
	}
	cuda := isCUDA(plugin)
	if xlaOnce.backend != nil && xlaOnce.plugin != plugin {
		return nil, fmt.Errorf("engine: xla: plugin %s is already loaded, %s cannot be loaded beside it", xlaOnce.plugin, plugin)
	}
	if xlaOnce.backend == nil {
		flags := os.Getenv("XLA_FLAGS")
		if !cuda && !strings.Contains(flags, "--xla_cpu") {
			flags = strings.TrimSpace(flags + " " + FlagsCPU)
		}
		if err := os.Setenv("XLA_FLAGS", flags); err != nil {
			return nil, fmt.Errorf("engine: xla: %w", err)
		}
		b, err := xla.NewWithOptions(plugin, nil)
		if err != nil {
			return nil, fmt.Errorf("%w: xla: %s: %s", ErrUnavailable, plugin, cause(err))
		}
		xlaOnce.backend, xlaOnce.plugin, xlaOnce.flags = b, plugin, flags
	}
	threads := cfg.Threads
	if threads == 0 {
		threads = runtime.NumCPU()
	}
	mode := Mode{Engine: XLA, CUDA: cuda, BF16: cfg.Precision == BF16}
	return &Engine{kind: XLA, plugin: plugin, flags: xlaOnce.flags, mode: mode, threads: threads, backend: xlaOnce.backend}, nil
}
