package main

import (
	"errors"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/selfsame-ml/selfsame/dataset"
	"github.com/selfsame-ml/selfsame/recipe"
)

func writePNG(t *testing.T, path string, m image.Image) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(png.Encode(f, m), f.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestInspectFolder(t *testing.T) {
	dir := t.TempDir()
	writePNG(t, filepath.Join(dir, "train/cat/a.png"), image.NewGray16(image.Rect(0, 0, 10, 20)))
	writePNG(t, filepath.Join(dir, "train/dog/b.PNG"), image.NewNRGBA(image.Rect(0, 0, 30, 15)))
	writePNG(t, filepath.Join(dir, "test/cat/c.png"), image.NewGray(image.Rect(0, 0, 12, 12)))
	writePNG(t, filepath.Join(dir, ".hidden/x.png"), image.NewGray(image.Rect(0, 0, 99, 99)))
	if err := os.WriteFile(filepath.Join(dir, "train/cat/broken.png"), []byte("no"), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := inspect(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	want := recipe.DraftInfo{Source: dir, Count: 4, Labelled: 4, HasTest: true, Classes: []string{"cat", "dog"},
		MinWidth: 10, MaxWidth: 30, MinHeight: 12, MaxHeight: 20, Channels: 3, Bits: 16}
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		t.Error(d)
	}
}

func TestInspectAClassCalledVal(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []string{"val", "vol"} {
		m := image.NewPaletted(image.Rect(0, 0, 8, 8), color.Palette{color.Black, color.White})
		writePNG(t, filepath.Join(dir, c, "a.png"), m)
	}
	got, err := inspect(t.Context(), dir)
	if err != nil || !slices.Equal(got.Classes, []string{"val", "vol"}) || got.HasTest {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestInspectNothing(t *testing.T) {
	dir := t.TempDir()
	var bad *dataset.Error
	if _, err := inspect(t.Context(), dir); !errors.As(err, &bad) || bad.Hint == "" {
		t.Errorf("an empty folder gave %v", err)
	}
	if _, err := inspect(t.Context(), filepath.Join(dir, "missing")); exitCode(err) != exitUsage {
		t.Errorf("a missing folder gave %v", err)
	}
}

func TestInspectDigits(t *testing.T) {
	got, err := inspect(t.Context(), "digits")
	if err != nil || got.Count != 1797 || got.Labelled != 1797 || len(got.Classes) != 10 {
		t.Errorf("%+v, %v", got, err)
	}
}
