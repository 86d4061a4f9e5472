//go:build unix

package image

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/recipe"
)

func TestStrangeFiles(t *testing.T) {
	dir := t.TempDir()
	writePNG(t, filepath.Join(dir, "a", "ok.png"), grey(3, 3, 1))
	writePNG(t, filepath.Join(dir, "a", "ok2.png"), grey(3, 3, 9))
	if err := syscall.Mkfifo(filepath.Join(dir, "a", "pipe.png"), 0o644); err != nil {
		t.Skip(err)
	}
	write(t, filepath.Join(dir, "a", "locked.png"), []byte("x"))
	if err := os.Chmod(filepath.Join(dir, "a", "locked.png"), 0); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(dir, "a"), filepath.Join(dir, "b")); err != nil { // the same folder twice
		t.Fatal(err)
	}
	s := mustOpen(t, data(recipe.Data{Source: dir, MaxBad: 1}), t.TempDir())
	if s.Len(domain.Train) != 2 || s.Skipped() != 1 || !s.warned("locked.png") || !s.warned("pipe.png") {
		t.Errorf("%d images, %d skipped, warnings %q", s.Len(domain.Train), s.Skipped(), s.warnings)
	}
}
