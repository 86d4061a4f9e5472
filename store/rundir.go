// Package store keeps what a run leaves on disk: the run directory with its
// finished stages, atomic files, safetensors, the event log, score tables and arrays.
//
// Most users need [Open] for a run directory, [WriteFile] for one file, and
// [ReadTensors] for weights. Nothing here knows what a stage computes; hashes come in
// as strings.
package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Names in a run directory.
const (
	RecipeFile   = "recipe.yaml"
	EventsFile   = "events.jsonl"
	ScoresFile   = "scores.csv"
	StagesDir    = "stages"
	Checkpoints  = "checkpoints"
	lockFile     = ".lock"
	markerSuffix = ".done.json"
)

var (
	// ErrLocked: another process works in the run directory.
	ErrLocked = errors.New("store: the run directory is in use")
	// ErrChanged: a stage was finished with other inputs than the ones asked for now.
	ErrChanged = errors.New("store: the run directory holds a run of other inputs")
	// ErrNotRun: the directory is not a run directory, but holds files.
	ErrNotRun = errors.New("store: not a run directory")
)

// RunDir is an open run directory. It holds the directory's lock until Close.
// Its methods are not safe for concurrent use, except those of Events.
type RunDir struct {
	path    string
	lock    *os.File
	byPID   bool // the lock is the file's existence, not flock
	events  *Events
	cleaned []string
}

// Open opens the run directory at path, making it where it does not exist. It takes the
// lock ([ErrLocked], with the process that holds it), removes temporary files that a kill left, and
// repairs the end of the event log. A directory with foreign files and no recipe.yaml is
// refused with [ErrNotRun], so that a mistyped --out never mixes with other data.
func Open(path string) (*RunDir, error) {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	ours := len(entries) == 0
	for _, e := range entries {
		switch n := e.Name(); {
		case n == lockFile, n == EventsFile, n == RecipeFile, n == StagesDir, strings.Contains(n, tempMark):
			ours = true
		}
	}
	if !ours {
		return nil, fmt.Errorf("%w: %s holds %s and no %s", ErrNotRun, path, entries[0].Name(), RecipeFile)
	}
	d := &RunDir{path: path}
	if err := d.acquire(); err != nil {
		return nil, err
	}
	if d.cleaned, err = clean(path); err != nil {
		d.Close()
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(path, StagesDir), 0o755); err != nil {
		d.Close()
		return nil, fmt.Errorf("store: %w", err)
	}
	if d.events, err = OpenEvents(d.File(EventsFile)); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// Path returns the directory.
func (d *RunDir) Path() string { return d.path }

// File returns the path of a file in the directory; elem as for filepath.Join.
func (d *RunDir) File(elem ...string) string {
	return filepath.Join(append([]string{d.path}, elem...)...)
}

// Cleaned lists the temporary files that Open removed.
func (d *RunDir) Cleaned() []string { return d.cleaned }

// Events returns the event log.
func (d *RunDir) Events() *Events { return d.events }

// Has reports whether a file is in the directory.
func (d *RunDir) Has(elem ...string) bool {
	_, err := os.Stat(d.File(elem...))
	return err == nil
}

// Write is [WriteFile] in the directory; name may hold slashes, folders are made.
func (d *RunDir) Write(name string, write func(w io.Writer) error) error {
	p := d.File(filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return WriteFile(p, write)
}

// WriteJSON writes v as indented JSON with a final newline.
func (d *RunDir) WriteJSON(name string, v any) error {
	return d.Write(name, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(v)
	})
}

// ReadJSON reads a file of the directory into v. A missing file gives fs.ErrNotExist.
func (d *RunDir) ReadJSON(name string, v any) error {
	b, err := os.ReadFile(d.File(filepath.FromSlash(name)))
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("store: %s: %w", d.File(name), err)
	}
	return nil
}

// Marker says that a stage is finished.
type Marker struct {
	Stage  string    `json:"stage"`
	Inputs string    `json:"inputs"` // hash of all that the stage depends on
	Files  []string  `json:"files"`  // what it wrote, slash-separated, relative to the directory
	Time   time.Time `json:"time"`   // UTC
}

// Done reports whether a stage is finished for these inputs, so that it can be skipped.
// A stage that was finished for other inputs gives an error that is [ErrChanged]; one
// whose files have since gone counts as unfinished.
func (d *RunDir) Done(stage, inputs string) (bool, error) {
	m, err := d.marker(stage)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if m.Inputs != inputs {
		return false, fmt.Errorf("%w: stage %s in %s was finished on %s with inputs %s, now they are %s; choose another directory, or remove this one",
			ErrChanged, stage, d.path, m.Time.Format(time.RFC3339), short(m.Inputs), short(inputs))
	}
	for _, f := range m.Files {
		if !d.Has(filepath.FromSlash(f)) {
			return false, nil
		}
	}
	return true, nil
}

// Finish marks a stage as finished. files are what it wrote, relative to the directory;
// all of them must be there.
func (d *RunDir) Finish(stage, inputs string, files ...string) error {
	if !validStage(stage) {
		return fmt.Errorf("store: stage %q: want lower-case letters and -", stage)
	}
	for _, f := range files {
		if !d.Has(filepath.FromSlash(f)) {
			return fmt.Errorf("store: stage %s says it wrote %s, which is not in %s", stage, f, d.path)
		}
	}
	if files == nil {
		files = []string{}
	}
	return d.WriteJSON(StagesDir+"/"+stage+markerSuffix, Marker{stage, inputs, files, time.Now().UTC().Truncate(time.Second)})
}

// Forget removes a stage's marker, so that the stage runs again; no marker is no error.
func (d *RunDir) Forget(stage string) error {
	err := os.Remove(d.File(StagesDir, stage+markerSuffix))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("store: %w", err)
	}
	return syncDir(d.File(StagesDir))
}

// Stages lists the finished stages by name.
func (d *RunDir) Stages() ([]Marker, error) {
	entries, err := os.ReadDir(d.File(StagesDir))
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	var out []Marker
	for _, e := range entries {
		if s, ok := strings.CutSuffix(e.Name(), markerSuffix); ok && validStage(s) {
			m, err := d.marker(s)
			if err != nil {
				return nil, err
			}
			out = append(out, m)
		}
	}
	return out, nil
}

func (d *RunDir) marker(stage string) (m Marker, err error) {
	if !validStage(stage) {
		return m, fmt.Errorf("store: stage %q: want lower-case letters and -", stage)
	}
	err = d.ReadJSON(StagesDir+"/"+stage+markerSuffix, &m)
	return m, err
}

func validStage(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

func short(hash string) string {
	if len(hash) > 12 {
		return hash[:12]
	}
	return hash
}

// acquire takes the lock. Where the file system has no flock, the lock is the file
// itself with the id of its process, and a file whose process is gone is taken over.
func (d *RunDir) acquire() error {
	p := d.File(lockFile)
	f, err := os.OpenFile(p, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	ok, err := flock(f)
	if err != nil && unsupportedLock(err) {
		f.Close()
		return d.acquireByPID(p)
	}
	if err != nil {
		f.Close()
		return fmt.Errorf("store: lock %s: %w", p, err)
	}
	if !ok {
		defer f.Close()
		return fmt.Errorf("%w: %s by %s", ErrLocked, d.path, holder(f))
	}
	d.lock = f
	return writePID(f)
}

func (d *RunDir) acquireByPID(p string) error {
	f, err := os.OpenFile(p, os.O_RDWR, 0o644)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if pid := readPID(f); pid != os.Getpid() && alive(pid) {
		defer f.Close()
		return fmt.Errorf("%w: %s by %s", ErrLocked, d.path, holder(f))
	}
	d.lock, d.byPID = f, true
	return writePID(f)
}

func writePID(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return fmt.Errorf("store: lock: %w", err)
	}
	if _, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		return fmt.Errorf("store: lock: %w", err)
	}
	return nil
}

func readPID(f *os.File) int {
	b := make([]byte, 32)
	n, _ := f.ReadAt(b, 0)
	pid, _ := strconv.Atoi(strings.TrimSpace(string(b[:n])))
	return pid
}

func holder(f *os.File) string {
	if pid := readPID(f); pid > 0 {
		return fmt.Sprintf("process %d", pid)
	}
	return "another process"
}

// Close releases the lock and the event log. The lock file stays: removing it would
// race with a process that has just opened it.
func (d *RunDir) Close() error {
	var err error
	if d.events != nil {
		err = d.events.Close()
		d.events = nil
	}
	if d.lock != nil {
		if d.byPID {
			err = errors.Join(err, d.lock.Truncate(0))
		}
		if cerr := d.lock.Close(); cerr != nil {
			err = errors.Join(err, fmt.Errorf("store: %w", cerr))
		}
		d.lock = nil
	}
	return err
}
