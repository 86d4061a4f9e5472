//go:build !(cgo && ((linux && (amd64 || arm64)) || (darwin && arm64)))

package engine

import "fmt"

// FlagsCPU and FlagsCPUBF16 are the XLA flags that selfsame sets for a CPU plugin; none in this build.
const (
	FlagsCPU     = ""
	FlagsCPUBF16 = ""
)

const hasXLA = false

func openXLA(Config) (*Engine, error) {
	return nil, fmt.Errorf("%w: xla: %s", ErrUnavailable, builtWithout())
}
