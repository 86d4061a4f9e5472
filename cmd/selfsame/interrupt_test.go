//go:build unix

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const longer = `name: longer
data: {source: digits, limit: 200}
views: [jitter]
encoder: {kind: resnet, width: 4, depth: 1, stages: 2}
train: {batch: 32, epochs: 1000, max_steps: 100, checkpoint_steps: 1000}
engine: {kind: go}
certify: {samples: 16, probe: off}
`

// TestInterruptThenResume: SIGINT in the middle of pretraining ends with 130 and a checkpoint; the same
// command goes on to the weights of a run that was never stopped.
func TestInterruptThenResume(t *testing.T) {
	dir := t.TempDir()
	recipe := filepath.Join(dir, "longer.yaml")
	if err := os.WriteFile(recipe, []byte(longer), 0o644); err != nil {
		t.Fatal(err)
	}
	start := func(out string) *exec.Cmd {
		c := exec.Command("selfsame", "run", recipe, "--until", "pretrain", "--json", "--out", filepath.Join(dir, out))
		c.Env = append(os.Environ(), "SELFSAME_CACHE="+filepath.Join(dir, "cache"))
		return c
	}
	if b, err := start("whole").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}

	c := start("stopped")
	var errs bytes.Buffer
	c.Stderr = &errs
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	sent := false
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		var e struct{ Stage, Kind string }
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Errorf("not JSON: %s", lines.Text())
		}
		if !sent && e.Stage == "pretrain" && e.Kind == "health" { // the first look, before the first step
			sent = true
			if err := c.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
		}
	}
	var exit *exec.ExitError
	if err := c.Wait(); !errors.As(err, &exit) || exit.ExitCode() != exitInterrupted {
		t.Fatalf("ended with %v, want exit code %d\n%s", err, exitInterrupted, errs.String())
	}
	if !strings.Contains(errs.String(), "interrupted at step") {
		t.Errorf("stderr does not name the step: %s", errs.String())
	}
	if b, err := start("stopped").CombinedOutput(); err != nil || !bytes.Contains(b, []byte(`"kind":"resumed"`)) {
		t.Fatalf("did not resume: %v\n%s", err, b)
	}
	whole, err := os.ReadFile(filepath.Join(dir, "whole", "encoder.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	resumed, err := os.ReadFile(filepath.Join(dir, "stopped", "encoder.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(whole, resumed) {
		t.Error("the resumed run has other weights than the one that was never stopped")
	}
}
