//go:build linux && cgo

package engine_test

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/selfsame-ml/selfsame/engine"
)

// TestXLAThreads checks in a process of its own (a client keeps its threads) that a plugin's threads may use one processor only.
func TestXLAThreads(t *testing.T) {
	const child = "SELFSAME_TEST_THREADS"
	if os.Getenv(child) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestXLAThreads$", "-test.v")
		cmd.Env = append(os.Environ(), child+"=1")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	threadsBefore := allowed(t)
	e, err := engine.Open(engine.Config{Kind: engine.XLA, Threads: 1, Precision: engine.FP32})
	if errors.Is(err, engine.ErrUnavailable) && os.Getenv("SELFSAME_NEED_XLA") == "" {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if e.Threads() != 1 {
		t.Errorf("engine has %d threads, want 1", e.Threads())
	}
	made, narrow := 0, 0
	for id, list := range allowed(t) {
		if _, old := threadsBefore[id]; old {
			if list != threadsBefore[id] {
				t.Errorf("thread %s may use processors %s after the client was made, %s before", id, list, threadsBefore[id])
			}
			continue
		}
		made++
		if !strings.ContainsAny(list, ",-") {
			narrow++
		}
	}
	if made == 0 || narrow == 0 {
		t.Errorf("of %d new threads %d are bound to one processor", made, narrow)
	}
}

// allowed is the set of processors of each thread of this process.
func allowed(t *testing.T) map[string]string {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, entry := range entries {
		status, err := os.ReadFile("/proc/self/task/" + entry.Name() + "/status")
		if err != nil {
			continue // it has ended
		}
		for line := range strings.Lines(string(status)) {
			if v, ok := strings.CutPrefix(line, "Cpus_allowed_list:"); ok {
				out[entry.Name()] = strings.TrimSpace(v)
			}
		}
	}
	return out
}
