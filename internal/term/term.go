// Package term writes what a person or a program reads on a terminal: the progress of
// a run ([New]) and tables that fit 80 columns ([Table]).
//
// A [Renderer] is given one [Event] after another. On a terminal it keeps one
// live line with a bar, the rate and the time left; in a pipe it writes plain lines, a
// few a minute; with [JSON] it writes one object a line.
package term

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	xterm "golang.org/x/term"
)

// Width is the number of columns that everything but the live line is laid out for.
const Width = 80

// PlainEvery is the least time between two progress lines of one stage in a pipe.
const PlainEvery = 5 * time.Second

// liveEvery is the least time between two drawings of the live line.
const liveEvery = 100 * time.Millisecond

// Event is one thing that happened, as a renderer shows it.
type Event struct {
	Time   time.Time          `json:"time"`
	Stage  string             `json:"stage,omitempty"` // "pretrain", "certify", "fetch", ...
	Kind   string             `json:"kind"`            // "start", "progress", "done", "skip", "warn", "note", "error"
	Text   string             `json:"text,omitempty"`  // for people: one line
	Done   int64              `json:"done,omitempty"`  // progress: finished units
	Total  int64              `json:"total,omitempty"` // progress: all units; 0 = unknown
	Unit   string             `json:"unit,omitempty"`  // "steps", "images", "B" (bytes, shown as MB)
	Values map[string]float64 `json:"values,omitempty"`
	// Rate, where set, is shown in place of the rate that the renderer measures.
	Rate string `json:"rate,omitempty"`

	// Raw, where set, is what JSON mode writes in place of the event: the line of events.jsonl.
	Raw any `json:"-"`
	// Hidden events are written in JSON mode only.
	Hidden bool `json:"-"`
}

// Renderer shows events. It is safe for concurrent use.
type Renderer interface {
	// Event shows one event.
	Event(Event)
	// Close ends the live line, if one is open.
	Close()
}

// Mode is how events are written.
type Mode uint8

// The ways to write events.
const (
	Plain Mode = iota // lines, progress at most once in PlainEvery a stage
	Live              // one line that is drawn again
	JSON              // one object a line, every event
	Quiet             // warnings and errors only
)

// ModeFor picks Live for a terminal that can move its cursor and Plain for anything else.
func ModeFor(w io.Writer) Mode {
	f, ok := w.(*os.File)
	if !ok || !xterm.IsTerminal(int(f.Fd())) || os.Getenv("TERM") == "dumb" || os.Getenv("NO_COLOR") == "all" {
		return Plain
	}
	return Live
}

// New returns a renderer that writes to w.
func New(w io.Writer, m Mode) Renderer { return newRenderer(w, m, time.Now) }

type renderer struct {
	mu    sync.Mutex
	w     io.Writer
	mode  Mode
	now   func() time.Time
	open  bool // a live line stands without its line feed
	stage map[string]*meter
	last  time.Time // live line drawn
}

func newRenderer(w io.Writer, m Mode, now func() time.Time) *renderer {
	return &renderer{w: w, mode: m, now: now, stage: map[string]*meter{}}
}

// meter estimates the rate of one stage.
type meter struct {
	start, shown time.Time
	first        int64 // Done of the first event: a resumed stage does not start at 0
	ema          float64
	prevT        time.Time
	prevN        int64
}

// add takes a reading and returns units a second, 0 while unknown. Readings closer
// than 50 ms are summed up; the average forgets with a time constant of 20 s, so that a slow
// compile at the start does not spoil the time left for minutes.
func (m *meter) add(t time.Time, n int64) float64 {
	dt := t.Sub(m.prevT).Seconds()
	if dt >= 0.05 && n > m.prevN {
		rate := float64(n-m.prevN) / dt
		if m.ema == 0 {
			m.ema = rate
		} else {
			m.ema += (rate - m.ema) * (1 - math.Exp(-dt/20))
		}
		m.prevT, m.prevN = t, n
	}
	return m.ema
}

func (r *renderer) Event(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.Time.IsZero() {
		e.Time = r.now()
	}
	if e.Hidden && r.mode != JSON {
		return
	}
	switch r.mode {
	case JSON:
		var v any = clean(e)
		if e.Raw != nil {
			v = e.Raw
		}
		if b, err := json.Marshal(v); err == nil {
			fmt.Fprintf(r.w, "%s\n", b)
		}
		return
	case Quiet:
		if e.Kind == "warn" || e.Kind == "error" {
			r.line(e)
		}
		return
	}
	if e.Kind != "progress" {
		if e.Kind == "done" || e.Kind == "start" {
			delete(r.stage, e.Stage)
		}
		if e.Kind == "start" && e.Text == "" {
			if r.mode == Live { // until the first progress: reading, compiling
				r.endLive()
				fmt.Fprintf(r.w, "%-9s ...", e.Stage)
				r.open = true
			}
			return
		}
		r.line(e)
		return
	}
	m := r.stage[e.Stage]
	if m == nil || e.Done < m.prevN { // a new stage, or the same one counted anew
		m = &meter{start: e.Time, first: e.Done, prevT: e.Time, prevN: e.Done}
		if r.mode == Plain {
			m.shown = e.Time // the first line after PlainEvery: short stages stay silent
		}
		r.stage[e.Stage] = m
	}
	rate := m.add(e.Time, e.Done)
	last := e.Total > 0 && e.Done >= e.Total
	switch r.mode {
	case Live:
		if e.Time.Sub(r.last) < liveEvery && !last {
			return
		}
		r.last = e.Time
		fmt.Fprintf(r.w, "\r\x1b[K%s", progressLine(e, rate, r.columns()-1, true))
		r.open = true
	case Plain:
		if e.Time.Sub(m.shown) < PlainEvery {
			return
		}
		m.shown = e.Time
		fmt.Fprintln(r.w, progressLine(e, rate, Width, false))
	}
}

// clean drops values that JSON cannot hold.
func clean(e Event) Event {
	if e.Values == nil {
		return e
	}
	v := make(map[string]float64, len(e.Values))
	for k, x := range e.Values {
		if !math.IsNaN(x) && !math.IsInf(x, 0) {
			v[k] = x
		}
	}
	e.Values = v
	return e
}

func (r *renderer) columns() int {
	if f, ok := r.w.(*os.File); ok {
		if w, _, err := xterm.GetSize(int(f.Fd())); err == nil && w > 20 {
			return w
		}
	}
	return Width
}

func (r *renderer) line(e Event) {
	r.endLive()
	text := e.Text
	switch e.Kind {
	case "warn":
		text = "warning: " + text
	case "error":
		text = "error: " + text
	case "skip":
		if text == "" {
			text = "already done"
		}
	case "done":
		if text == "" {
			text = "done"
		}
	}
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if r.mode == Live && e.Stage != "" { // a pipe keeps one line an event
		lines = nil
		for _, l := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
			lines = append(lines, wrap(l, r.columns()-10)...)
		}
	}
	for i, l := range lines {
		label := e.Stage
		if i > 0 {
			label = ""
		}
		if e.Stage == "" {
			fmt.Fprintln(r.w, l)
		} else {
			fmt.Fprintf(r.w, "%-9s %s\n", label, l)
		}
	}
}

func (r *renderer) endLive() {
	if r.open {
		fmt.Fprint(r.w, "\r\x1b[K")
		r.open = false
	}
}

func (r *renderer) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open {
		fmt.Fprintln(r.w)
		r.open = false
	}
}

// progressLine lays out one line of progress in at most cols columns. Where it is too long, the unit goes
// first, then words from the end of the text: numbers are never cut.
func progressLine(e Event, rate float64, cols int, bar bool) string {
	head := fmt.Sprintf("%-9s ", e.Stage)
	tail := progressTail(e, rate, e.Unit != "" && e.Unit != "B")
	if width(head)+width(tail) > cols {
		tail = progressTail(e, rate, false)
	}
	if over := width(head) + width(tail) - cols; over > 0 && e.Text != "" {
		full := e.Text
		e.Text = words(full, width(full)-over)
		tail = progressTail(e, rate, false)
	}
	if bar && e.Total > 0 {
		n := min(cols-width(head)-width(tail)-3, 30)
		if n >= 5 {
			full := int(min(e.Done, e.Total) * int64(n) / e.Total)
			head += fmt.Sprintf("[%s%s] ", strings.Repeat("#", full), strings.Repeat(".", n-full))
		}
	}
	return Cut(head+tail, cols)
}

// progressTail is what follows the name of the stage, with or without the unit.
func progressTail(e Event, rate float64, unit bool) string {
	var tail strings.Builder
	if e.Total > 0 {
		fmt.Fprintf(&tail, "%3d%% %s/%s", e.Done*100/e.Total, count(e.Done, e.Unit), count(e.Total, e.Unit))
	} else {
		tail.WriteString(count(e.Done, e.Unit))
	}
	if unit {
		tail.WriteString(" " + e.Unit)
	}
	if e.Rate != "" {
		tail.WriteString(" · " + e.Rate)
	} else if rate > 0 {
		tail.WriteString(" · " + rateText(rate, e.Unit))
	}
	if rate > 0 && e.Total > e.Done {
		left := time.Duration(float64(e.Total-e.Done) / rate * float64(time.Second))
		tail.WriteString(" · " + Duration(left) + " left")
	}
	if e.Text != "" {
		tail.WriteString(" · " + e.Text)
	}
	return tail.String()
}

// wrap breaks s between words into lines of at most cols characters; a longer word has its own line.
func wrap(s string, cols int) []string {
	var out []string
	line := ""
	for _, w := range strings.Split(s, " ") {
		if line != "" && width(line)+1+width(w) > cols {
			out, line = append(out, line), w
			continue
		}
		if line != "" {
			line += " "
		}
		line += w
	}
	return append(out, line)
}

func width(s string) int { return utf8.RuneCountInString(s) }

// words shortens s to at most cols characters between two words; what was left out shows as "…". It is empty
// where not even the first word fits.
func words(s string, cols int) string {
	if width(s) <= cols {
		return s
	}
	for i := len(s) - 1; i > 0; i-- {
		if s[i] == ' ' {
			if short := strings.TrimRight(s[:i], " ,;:·") + " …"; width(short) <= cols {
				return short
			}
		}
	}
	return ""
}

func count(n int64, unit string) string {
	if unit == "B" {
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprint(n)
}

func rateText(rate float64, unit string) string {
	switch {
	case unit == "B":
		return fmt.Sprintf("%.1f MB/s", rate/1e6)
	case rate >= 100:
		return fmt.Sprintf("%.0f/s", rate)
	case rate >= 1:
		return fmt.Sprintf("%.1f/s", rate)
	}
	return fmt.Sprintf("%.1f s each", 1/rate)
}

// Duration writes a duration for people: "8 s", "3 min 20 s", "2 h 05 min".
func Duration(d time.Duration) string {
	s := int64(d.Round(time.Second) / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return fmt.Sprintf("%d min %02d s", s/60, s%60)
	}
	return fmt.Sprintf("%d h %02d min", s/3600, s%3600/60)
}

// Elapsed writes seconds for a page, with blanks that do not break: "4.2 s", "3 min 20 s", "2 h 5 min"; false where they are no time.
func Elapsed(seconds float64) (string, bool) {
	switch {
	case math.IsNaN(seconds) || math.IsInf(seconds, 0) || seconds < 0:
		return "", false
	case seconds < 9.95:
		return strconv.FormatFloat(seconds, 'f', 1, 64) + "\u00a0s", true
	}
	d := time.Duration(math.Round(min(seconds, 1e9))) * time.Second
	h, m, s := int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60
	switch {
	case h > 0:
		return fmt.Sprintf("%d\u00a0h %d\u00a0min", h, m), true
	case m > 0:
		return fmt.Sprintf("%d\u00a0min %d\u00a0s", m, s), true
	}
	return fmt.Sprintf("%d\u00a0s", s), true
}

// Thousands writes an integer with commas: "1,234,567".
func Thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Cut shortens s to at most cols characters; what was cut shows as "…".
func Cut(s string, cols int) string {
	if utf8.RuneCountInString(s) <= cols {
		return s
	}
	if cols < 1 {
		return ""
	}
	r := []rune(s)
	return string(r[:cols-1]) + "…"
}
