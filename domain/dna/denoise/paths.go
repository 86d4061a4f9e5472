package denoise

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/selfsame-ml/selfsame/domain/dna/fastx"
)

// CheckPaths refuses outputs that would overwrite an input or one another, and an input that is given twice. "" and "-" are passed over
// among outputs, and devices may be named more than once. The error wraps [ErrPaths].
func CheckPaths(inputs, outputs []string) error {
	type file struct {
		name, real string
		info       os.FileInfo
	}
	look := func(name string) (file, bool) {
		if name == "" || name == fastx.Stdin {
			return file{}, false
		}
		f := file{name: name, real: name}
		if p, err := filepath.Abs(name); err == nil {
			f.real = p
		}
		if p, err := filepath.EvalSymlinks(f.real); err == nil {
			f.real = p
		} else if p, err := filepath.EvalSymlinks(filepath.Dir(f.real)); err == nil { // a new file in a folder behind a link
			f.real = filepath.Join(p, filepath.Base(f.real))
		}
		if st, err := os.Stat(name); err == nil {
			f.info = st
			return f, st.Mode().IsRegular()
		}
		return f, true
	}
	same := func(a, b file) bool {
		return a.real == b.real || a.info != nil && b.info != nil && os.SameFile(a.info, b.info)
	}
	var in, out []file
	stdin := 0
	for _, name := range inputs {
		if name == fastx.Stdin {
			stdin++
		}
		f, ok := look(name)
		if !ok {
			continue
		}
		for _, g := range in {
			if same(f, g) {
				return fmt.Errorf("%w: %s and %s are the same file; give interleaved mates once, with --interleaved", ErrPaths, g.name, f.name)
			}
		}
		in = append(in, f)
	}
	if stdin > 1 {
		return fmt.Errorf("%w: the standard input is given twice; give interleaved mates once, with --interleaved", ErrPaths)
	}
	stdout := 0
	for _, name := range outputs {
		if name == fastx.Stdin {
			stdout++
		}
		f, ok := look(name)
		if !ok {
			continue
		}
		for _, g := range in {
			if same(f, g) {
				return fmt.Errorf("%w: the output %s is the input %s; write to another file", ErrPaths, f.name, g.name)
			}
		}
		for _, g := range out {
			if same(f, g) {
				return fmt.Errorf("%w: %s and %s are the same output", ErrPaths, g.name, f.name)
			}
		}
		out = append(out, f)
	}
	if stdout > 1 {
		return fmt.Errorf("%w: the standard output is given twice", ErrPaths)
	}
	return nil
}
