//go:build cgo && ((linux && (amd64 || arm64)) || (darwin && arm64))

package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
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
	own     bool // the flags are the user's
	bf16    bool
	threads int
}

// FlagsCPU and FlagsCPUBF16 are the XLA flags that selfsame sets for a CPU plugin, by precision.
// YNNPACK stays off: with it, XLA gives silently wrong reductions (jax-ml/jax#39103). bf16
// convolutions reach oneDNN as custom calls only; without these one takes twenty times as long.
const (
	FlagsCPU     = "--xla_cpu_use_onednn=true --xla_cpu_experimental_ynn_fusion_type="
	FlagsCPUBF16 = "--xla_cpu_experimental_onednn_custom_call=true " + FlagsCPU
)

const hasXLA = true

func openXLA(cfg Config) (*Engine, error) {
	xlaOnce.Lock()
	defer xlaOnce.Unlock()
	plugin := cfg.Plugin
	if plugin == "" {
		found, err := choosePlugin()
		if err != nil {
			return nil, err
		}
		plugin = found
	} else if err := CheckPlugin(plugin); err != nil {
		return nil, err
	}
	plugin, err := filepath.Abs(plugin) // another form is a name for go-xla
	if err != nil {
		return nil, fmt.Errorf("engine: xla: %w", err)
	}
	cuda := isCUDA(plugin)
	precision, _ := choosePrecision(cuda, cfg.Precision)
	bf16 := precision == BF16
	if xlaOnce.backend != nil && xlaOnce.plugin != plugin {
		return nil, fmt.Errorf("engine: xla: plugin %s is already loaded, %s cannot be loaded beside it", xlaOnce.plugin, plugin)
	}
	if xlaOnce.backend == nil {
		flags, own := chooseFlags(cuda, bf16)
		if err := os.Setenv("XLA_FLAGS", flags); err != nil {
			return nil, fmt.Errorf("engine: xla: %w", err)
		}
		if !cuda {
			keepMemory()
		}
		var b *xla.Backend
		err := onThreads(cfg.Threads, func() (err error) {
			b, err = xla.NewWithOptions(plugin, nil)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("%w: xla: %s: %s", ErrUnavailable, plugin, cause(err))
		}
		xlaOnce.backend, xlaOnce.plugin, xlaOnce.flags, xlaOnce.own, xlaOnce.bf16 = b, plugin, flags, own, bf16
		xlaOnce.threads = runtime.NumCPU()
		if runtime.GOOS == "linux" && cfg.Threads > 0 {
			xlaOnce.threads = min(cfg.Threads, xlaOnce.threads)
		}
	}
	if !cuda && bf16 && !xlaOnce.bf16 && cfg.Precision != BF16 { // auto follows what the process has
		bf16 = false
	}
	if !cuda && bf16 && !xlaOnce.bf16 {
		return nil, errors.New("engine: xla: the process has loaded XLA with the flags for fp32; bf16 needs a process of its own")
	}
	mode := Mode{Engine: XLA, CUDA: cuda, BF16: bf16}
	return &Engine{kind: XLA, plugin: plugin, flags: xlaOnce.flags, ownFlag: xlaOnce.own, asked: cfg.Precision, mode: mode, threads: xlaOnce.threads, backend: xlaOnce.backend}, nil
}
