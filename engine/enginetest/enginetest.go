// Package enginetest runs a test on every engine at hand.
package enginetest

import (
	"errors"
	"os"
	"sync"
	"testing"

	"github.com/selfsame-ml/selfsame/engine"
)

var open = sync.OnceValues(func() ([]*engine.Engine, error) {
	g, err := engine.Open(engine.Config{Kind: engine.Go, Precision: engine.FP32})
	if err != nil {
		return nil, err
	}
	out := []*engine.Engine{g}
	if os.Getenv("SELFSAME_TEST_FLAGS") == engine.BF16 { // the gradient gate of the flags that bf16 runs under
		if err := os.Setenv("XLA_FLAGS", engine.FlagsCPUBF16); err != nil {
			return nil, err
		}
	}
	x, err := engine.Open(engine.Config{Kind: engine.XLA, Precision: engine.FP32})
	if errors.Is(err, engine.ErrUnavailable) {
		if os.Getenv("SELFSAME_NEED_XLA") != "" { // set by `make test` once the plugin is installed
			return nil, err
		}
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	return append(out, x), nil
})

// Engines returns the engines at hand: "go" always, "xla" where a plugin is found.
func Engines(t testing.TB) []*engine.Engine {
	t.Helper()
	es, err := open()
	if err != nil {
		t.Fatal(err)
	}
	return es
}

// Each runs f as a subtest on every engine at hand.
func Each(t *testing.T, f func(t *testing.T, e *engine.Engine)) {
	t.Helper()
	for _, e := range Engines(t) {
		t.Run(e.Kind(), func(t *testing.T) { f(t, e) })
	}
}
