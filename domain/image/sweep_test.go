package image

import (
	"bytes"
	"compress/gzip"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/selfsame-ml/selfsame/dataset"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/recipe"
)

// TestSweep: what killed processes left in the cache goes, what may still be written stays.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	for name, age := range map[string]time.Duration{tempPrefix + "old": 2 * time.Hour, tempPrefix + "new": time.Minute, "0-00000.shard": 100 * time.Hour} {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(p, now, now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	sweep(dir, now)
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 2 || left[0].Name() != tempPrefix+"new" {
		t.Errorf("left %v, %v", left, err)
	}
}

// TestCutGzip: one error with the place, not one more for closing the file.
func TestCutGzip(t *testing.T) {
	data := make([]byte, 100*64)
	for i := range data {
		data[i] = byte(rand.Uint32())
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(append([]byte{0, 0, 8, 3, 0, 0, 0, 100, 0, 0, 0, 8, 0, 0, 0, 8}, data...)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "images.idx.gz")
	if err := os.WriteFile(path, b.Bytes()[:b.Len()/2], 0o644); err != nil {
		t.Fatal(err)
	}
	r := recipe.Default()
	r.Data.Source = path
	_, err := OpenSamples(t.Context(), r, domain.OpenOptions{CacheDir: t.TempDir()})
	var bad *dataset.Error
	if !errors.As(err, &bad) || bad.Record == "" || strings.Contains(err.Error(), "\n") {
		t.Errorf("%q, want one dataset.Error with its place", err)
	}
}
