//go:build unix

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// killed is a whole line that takes a moment, from files that must be decoded first.
const killed = `name: killed
data: {source: images.idx, labels: labels.idx, split: tail}
views: [jitter]
encoder: {kind: mlp, width: 8}
train: {batch: 32, epochs: 6, checkpoint_steps: 3}
engine: {kind: go}
certify: {samples: 16, probe: off}
audit: {samples: 40}
adapt: {budgets: [20, 0], draws: 1, epochs: 1, max_steps: 3, k: 5, bootstrap: 100}
`

// TestKill kills the process at once (no handler runs) in the middle of several stages; the same command goes
// on to the same files. scripts/killtest.sh does it at 20 random moments.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	const n = 300
	images, labels := []byte{0, 0, 8, 3, 0, 0, n >> 8, n & 255, 0, 0, 0, 8, 0, 0, 0, 8}, []byte{0, 0, 8, 1, 0, 0, n >> 8, n & 255}
	for i := range n {
		for k := range 64 {
			images = append(images, byte((i*31+k*k*(i%3+1))%251))
		}
		labels = append(labels, byte(i%3))
	}
	for name, b := range map[string][]byte{"images.idx": images, "labels.idx": labels, "killed.yaml": []byte(killed)} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	start := func(out string) *exec.Cmd {
		c := exec.Command("selfsame", "run", "killed.yaml", "--json", "--out", out)
		c.Dir = dir
		c.Env = append(os.Environ(), "SELFSAME_CACHE="+filepath.Join(dir, out+".cache"))
		return c
	}
	if b, err := start("whole").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	for _, at := range []struct{ stage, kind string }{{"data", "progress"}, {"certify", "start"}, {"pretrain", "saved"}, {"adapt", "progress"}, {"report", "start"}} {
		c := start("killed")
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
				continue // a line that the kill cut
			}
			if !sent && e.Stage == at.stage && e.Kind == at.kind {
				sent = true
				if err := c.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := c.Wait(); !sent || err == nil {
			t.Fatalf("not killed at %s %s: %v", at.stage, at.kind, err)
		}
	}
	if b, err := start("killed").CombinedOutput(); err != nil {
		t.Fatalf("did not go on: %v\n%s", err, b)
	}
	for _, f := range []string{"encoder.safetensors", "pretrain.safetensors", "head.safetensors", "certificate.json", "audit.json", "adapt.json", "scores.csv"} {
		a, err := os.ReadFile(filepath.Join(dir, "whole", f))
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(dir, "killed", f))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) {
			t.Errorf("%s differs from that of the run that was never killed", f)
		}
	}
	err := filepath.WalkDir(filepath.Join(dir, "killed"), func(p string, _ fs.DirEntry, err error) error {
		if strings.Contains(p, "tmp-") {
			t.Errorf("left behind: %s", p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
