package main

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/selfsame-ml/selfsame/dataset"
	"github.com/selfsame-ml/selfsame/recipe"
)

// The first folders below a root that name parts, not classes.
var partFolders = map[string]string{"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}

// mostHeaders is how many picture headers inspect reads; the rest is counted.
const mostHeaders = 2000

// inspect looks at data for which a recipe is to be drafted: sizes, channels, classes. Of pictures
// it reads headers only.
func inspect(ctx context.Context, source string) (recipe.DraftInfo, error) {
	if e, ok := dataset.Lookup(source); ok {
		return inspectEntry(e)
	}
	st, err := os.Stat(source)
	if err != nil {
		return recipe.DraftInfo{}, usagef("recipe init: %w", err).hint("name a folder, an IDX or .npy file, or one of %s", strings.Join(dataset.Names(), ", "))
	}
	if st.IsDir() {
		return inspectFolder(ctx, source)
	}
	info := recipe.DraftInfo{Source: source, Labels: "none"}
	return info, inspectArray(&info, source)
}

func inspectEntry(e dataset.Entry) (recipe.DraftInfo, error) {
	info := recipe.DraftInfo{Source: e.Name, Domain: e.Domain, Classes: e.Classes}
	if e.Embedded {
		_, labels, err := dataset.Digits()
		if err != nil {
			return info, err
		}
		info.Count, info.Labelled = len(labels), len(labels)
		info.MinWidth, info.MaxWidth, info.MinHeight, info.MaxHeight, info.Channels, info.Bits = 8, 8, 8, 8, 1, 8
		return info, nil
	}
	cache, err := dataset.DefaultCacheDir()
	if err != nil {
		return info, err
	}
	dir, err := dataset.Locate(e.Name, cache)
	if err != nil {
		return info, err
	}
	_, info.HasTest = e.File("test-images")
	f, _ := e.File("train-images")
	err = inspectArray(&info, filepath.Join(dir, f.Name))
	info.Labelled = info.Count
	return info, err
}

// inspectArray reads the header of an IDX or .npy file.
func inspectArray(info *recipe.DraftInfo, path string) error {
	a, err := dataset.OpenArray(path)
	if err != nil {
		return err
	}
	defer a.Close()
	if len(a.Dims) != 3 && len(a.Dims) != 4 {
		return dataset.Bad(path, "header", "shape %v is not [n, height, width] or [n, height, width, channels]", a.Dims)
	}
	info.Count = a.Dims[0]
	info.MinHeight, info.MaxHeight = a.Dims[1], a.Dims[1]
	info.MinWidth, info.MaxWidth = a.Dims[2], a.Dims[2]
	info.Channels, info.Bits = 1, 8
	if len(a.Dims) == 4 {
		info.Channels = a.Dims[3]
	}
	if a.Elem.Size() > 1 {
		info.Bits = 16
	}
	return nil
}

func inspectFolder(ctx context.Context, root string) (recipe.DraftInfo, error) {
	info := recipe.DraftInfo{Source: root, Bits: 8}
	parts, err := partsOf(root)
	if err != nil {
		return info, err
	}
	classes := map[string]bool{}
	read, broken := 0, error(nil)
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return &dataset.Error{Path: path, Err: err}
		case ctx.Err() != nil:
			return ctx.Err()
		case path != root && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		case d.IsDir() || !slices.Contains(pictureEndings, strings.ToLower(filepath.Ext(path))):
			return nil
		}
		info.Count++
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		below := strings.Split(filepath.ToSlash(rel), "/")
		if p, ok := parts[below[0]]; ok && len(below) > 1 {
			info.HasTest = info.HasTest || p == "test"
			below = below[1:]
		}
		if len(below) > 1 {
			classes[below[0]] = true
			info.Labelled++
		}
		if read >= mostHeaders {
			return nil
		}
		if err := header(&info, path, read == 0); err != nil {
			broken = err // training names it again, and counts
			return nil
		}
		read++
		return nil
	})
	if err != nil {
		return info, err
	}
	if read == 0 {
		if broken != nil {
			return info, broken
		}
		return info, &dataset.Error{Path: root, Err: fmt.Errorf("no pictures found"), Hint: "endings that are read: " + strings.Join(pictureEndings, " ")}
	}
	info.Classes = slices.Sorted(maps.Keys(classes))
	return info, nil
}

// partsOf maps the first folders that name parts to "train", "val" or "test"; a class may be called
// "val", so there are none unless train or test is among them.
func partsOf(root string) (map[string]string, error) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, &dataset.Error{Path: root, Err: err}
	}
	parts, any := map[string]string{}, false
	for _, e := range entries {
		if p, ok := partFolders[strings.ToLower(e.Name())]; ok && e.IsDir() {
			parts[e.Name()] = p
			any = any || p != "val"
		}
	}
	if !any {
		return nil, nil
	}
	return parts, nil
}

var pictureEndings = []string{".png", ".jpg", ".jpeg", ".jpe", ".webp", ".tif", ".tiff", ".bmp", ".gif"}

// header adds the size and channels of one picture.
func header(info *recipe.DraftInfo, path string, first bool) error {
	f, err := os.Open(path)
	if err != nil {
		return &dataset.Error{Path: path, Err: err}
	}
	defer f.Close()
	c, _, err := image.DecodeConfig(f)
	if err != nil {
		return &dataset.Error{Path: path, Err: err}
	}
	if first {
		info.MinWidth, info.MinHeight = c.Width, c.Height
	}
	info.MinWidth, info.MaxWidth = min(info.MinWidth, c.Width), max(info.MaxWidth, c.Width)
	info.MinHeight, info.MaxHeight = min(info.MinHeight, c.Height), max(info.MaxHeight, c.Height)
	channels := 3
	switch c.ColorModel {
	case color.GrayModel, color.Gray16Model:
		channels = 1
	}
	info.Channels = max(info.Channels, channels)
	switch c.ColorModel {
	case color.Gray16Model, color.RGBA64Model, color.NRGBA64Model:
		info.Bits = 16
	}
	return nil
}
