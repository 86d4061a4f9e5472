package store

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// tempMark is in the name of every file that is being written; such files are
// removed when a run directory is opened, because only a killed process leaves them.
const tempMark = ".selfsame-tmp-"

// WriteFile writes a file so that at any instant either the old content or all of
// the new content is at path: write(w) goes to a temporary file in the same folder,
// which is synced, renamed to path, and the folder synced. On any error (a full disk
// included) the old file stays and the temporary one is removed.
func WriteFile(path string, write func(w io.Writer) error) error {
	return atomically(path, func(f *os.File) error {
		w := bufio.NewWriterSize(f, 1<<16)
		if err := write(w); err != nil {
			return err
		}
		return w.Flush()
	})
}

// WriteBytes is [WriteFile] for content that is in memory.
func WriteBytes(path string, b []byte) error {
	return WriteFile(path, func(w io.Writer) error { _, err := w.Write(b); return err })
}

func atomically(path string, write func(f *os.File) error) (err error) {
	p, err := createPending(path)
	if err != nil {
		return err
	}
	defer p.Abort()
	if err := write(p.f); err != nil {
		return fmt.Errorf("store: write %s: %w", path, err)
	}
	return p.Commit()
}

// pending is a file that becomes visible at Commit.
type pending struct {
	path string
	f    *os.File
	done bool
}

func createPending(path string) (*pending, error) {
	dir, base := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	f, err := os.CreateTemp(dir, base+tempMark+"*")
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if err := f.Chmod(0o644); err != nil { // CreateTemp gives 0600, which would hide results from colleagues
		f.Close()
		os.Remove(f.Name())
		return nil, fmt.Errorf("store: %w", err)
	}
	return &pending{path: path, f: f}, nil
}

// Commit syncs the file, moves it to its path and syncs the folder.
func (p *pending) Commit() error {
	if p.done {
		return fmt.Errorf("store: %s: %w", p.path, fs.ErrClosed)
	}
	err := p.f.Sync()
	if cerr := p.f.Close(); err == nil {
		err = cerr
	}
	p.done = true
	if err == nil {
		err = os.Rename(p.f.Name(), p.path)
	}
	if err != nil {
		os.Remove(p.f.Name())
		return fmt.Errorf("store: write %s: %w", p.path, err)
	}
	return syncDir(filepath.Dir(p.path))
}

// Abort removes the temporary file; after Commit it does nothing.
func (p *pending) Abort() {
	if !p.done {
		p.done = true
		p.f.Close()
		os.Remove(p.f.Name())
	}
}

// syncDir makes renames in a folder durable. Systems that cannot sync a folder say so
// with an error that is no failure of the write.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, fs.ErrInvalid) && !isInvalid(err) {
		return fmt.Errorf("store: sync %s: %w", dir, err)
	}
	return nil
}

// clean removes the temporary files below dir that a killed process left, and names them.
func clean(dir string) (removed []string, err error) {
	err = filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.Type().IsRegular() && strings.Contains(e.Name(), tempMark) {
			if err := os.Remove(p); err != nil {
				return err
			}
			removed = append(removed, p)
		}
		return nil
	})
	if err != nil {
		return removed, fmt.Errorf("store: clean %s: %w", dir, err)
	}
	return removed, nil
}
