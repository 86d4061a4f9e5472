package store

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"sync"
	"time"
)

// Event is one line of events.jsonl. The progress bar, --json and the report read it.
type Event struct {
	Time  time.Time      `json:"time"`           // UTC, to the millisecond
	Stage string         `json:"stage"`          // "pretrain", "certify", ...
	Kind  string         `json:"kind"`           // "start", "step", "health", "warning", "end", ...
	Data  map[string]any `json:"data,omitempty"` // numbers, texts, lists; NaN and infinities are written as null
}

// maxEvent is the longest line that is read.
const maxEvent = 1 << 20

// Events is an append-only log, one JSON object a line. It is safe for concurrent use.
type Events struct {
	mu   sync.Mutex
	f    *os.File
	now  func() time.Time
	tell func(Event)
}

// OpenEvents opens or makes a log. A last line that a kill cut short is removed.
func OpenEvents(path string) (*Events, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	end, err := lastLine(f)
	if err == nil {
		err = f.Truncate(end)
	}
	if err == nil {
		_, err = f.Seek(end, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("store: %s: %w", path, err)
	}
	return &Events{f: f, now: time.Now}, nil
}

// lastLine returns the offset after the last newline.
func lastLine(f *os.File) (int64, error) {
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	buf := make([]byte, 64<<10)
	for end := st.Size(); end > 0; {
		n := min(end, int64(len(buf)))
		if _, err := f.ReadAt(buf[:n], end-n); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(buf[:n], '\n'); i >= 0 {
			return end - n + int64(i) + 1, nil
		}
		end -= n
	}
	return 0, nil
}

// Tell calls f with every event that is added from now on, in order; f must not add events.
func (e *Events) Tell(f func(Event)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.tell = f
}

// Add appends an event with the time of now. The line is written with one call, so
// that a reader never sees half of one; a kill of the machine may lose the last lines.
func (e *Events) Add(stage, kind string, data map[string]any) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	ev := Event{e.now().UTC().Truncate(time.Millisecond), stage, kind, finite(data)}
	b, err := json.Marshal(ev)
	if err != nil {
		return fmt.Errorf("store: event %s/%s: %w", stage, kind, err)
	}
	if len(b) >= maxEvent {
		return fmt.Errorf("store: event %s/%s has %d bytes, limit %d", stage, kind, len(b), maxEvent)
	}
	at, err := e.f.Seek(0, io.SeekCurrent)
	if err == nil {
		if _, err = e.f.Write(append(b, '\n')); err != nil {
			// A full disk may have taken half of the line: go back to its start.
			_, serr := e.f.Seek(at, io.SeekStart)
			err = errors.Join(err, e.f.Truncate(at), serr)
		}
	}
	if err != nil {
		return fmt.Errorf("store: event %s/%s: %w", stage, kind, err)
	}
	if e.tell != nil {
		e.tell(ev)
	}
	return nil
}

// Sync makes all events durable.
func (e *Events) Sync() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.f.Sync(); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

// Close syncs and closes the log.
func (e *Events) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	err := e.f.Sync()
	if cerr := e.f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

// finite replaces the floats that JSON cannot hold by null, without touching m.
func finite(m map[string]any) map[string]any {
	if m == nil {
		return nil
	}
	out := make(map[string]any, len(m))
	for k, v := range m {
		out[k] = finiteValue(v)
	}
	return out
}

func finiteValue(v any) any {
	switch x := v.(type) {
	case float64:
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return nil
		}
	case float32:
		return finiteValue(float64(x))
	case map[string]any:
		return finite(x)
	case map[string]float64:
		out := make(map[string]any, len(x))
		for k, v := range x {
			out[k] = finiteValue(v)
		}
		return out
	case []float64:
		out := make([]any, len(x))
		for i, v := range x {
			out[i] = finiteValue(v)
		}
		return out
	case []float32:
		out := make([]any, len(x))
		for i, v := range x {
			out[i] = finiteValue(v)
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i, v := range x {
			out[i] = finiteValue(v)
		}
		return out
	}
	return v
}

// ReadEvents calls f with every event of a log, in order, until f returns an error.
// A last line without its newline is not yet an event. Numbers arrive as float64.
func ReadEvents(path string, f func(Event) error) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	defer file.Close()
	return readEvents(file, path, f)
}

func readEvents(r io.Reader, path string, f func(Event) error) error {
	br := bufio.NewReaderSize(r, 64<<10)
	for n := 1; ; n++ {
		var line []byte
		for {
			part, err := br.ReadSlice('\n')
			line = append(line, part...)
			if len(line) > maxEvent {
				return fmt.Errorf("store: %s:%d: line longer than %d bytes", path, n, maxEvent)
			}
			if err == nil {
				break
			}
			if errors.Is(err, bufio.ErrBufferFull) {
				continue
			}
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("store: %s: %w", path, err)
		}
		var ev Event
		if err := json.Unmarshal(line, &ev); err != nil {
			return fmt.Errorf("store: %s:%d: %w", path, n, err)
		}
		if err := f(ev); err != nil {
			return err
		}
	}
}
