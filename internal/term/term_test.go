package term

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func TestPlainProgressIsThrottled(t *testing.T) {
	var b bytes.Buffer
	r := newRenderer(&b, Plain, func() time.Time { return t0 })
	for i := range 1001 { // 10 steps a second for 100 s
		r.Event(Event{Time: t0.Add(time.Duration(i) * 100 * time.Millisecond), Stage: "pretrain", Kind: "progress",
			Done: int64(i), Total: 1000, Unit: "steps"})
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != 20 {
		t.Fatalf("%d lines for 100 s of progress, want one in %v:\n%s", len(lines), PlainEvery, b.String())
	}
	want := "pretrain    5% 50/1000 steps · 10.0/s · 1 min 35 s left"
	if lines[0] != want {
		t.Errorf("first line\n got %q\nwant %q", lines[0], want)
	}
}

func TestPlainLines(t *testing.T) {
	var b bytes.Buffer
	r := newRenderer(&b, Plain, func() time.Time { return t0 })
	r.Event(Event{Stage: "data", Kind: "start", Text: "fashion-mnist"})
	r.Event(Event{Stage: "data", Kind: "warn", Text: "a.png: not an image\nskipped"})
	r.Event(Event{Stage: "data", Kind: "done"})
	r.Event(Event{Stage: "certify", Kind: "skip"})
	r.Event(Event{Kind: "note", Text: "report.html"})
	r.Close()
	want := "data      fashion-mnist\ndata      warning: a.png: not an image\n          skipped\ndata      done\ncertify   already done\nreport.html\n"
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Error(d)
	}
}

func TestLiveLineIsDrawnAgainAndEnded(t *testing.T) {
	var b bytes.Buffer
	r := newRenderer(&b, Live, func() time.Time { return t0 })
	r.Event(Event{Time: t0, Stage: "s", Kind: "progress", Done: 0, Total: 10})
	r.Event(Event{Time: t0.Add(10 * time.Millisecond), Stage: "s", Kind: "progress", Done: 1, Total: 10}) // too soon
	r.Event(Event{Time: t0.Add(time.Second), Stage: "s", Kind: "progress", Done: 5, Total: 10})
	if got := strings.Count(b.String(), "\r"); got != 2 {
		t.Errorf("drawn %d times, want 2: %q", got, b.String())
	}
	if !strings.Contains(b.String(), "[###############...............]  50% 5/10") {
		t.Errorf("no half-full bar in %q", b.String())
	}
	r.Event(Event{Stage: "s", Kind: "done", Text: "fine"})
	if !strings.HasSuffix(b.String(), "\r\x1b[Ks         fine\n") {
		t.Errorf("the live line was not cleared: %q", b.String())
	}
}

func TestJSONIsOneObjectALine(t *testing.T) {
	var b bytes.Buffer
	r := newRenderer(&b, JSON, func() time.Time { return t0 })
	for i := range 3 {
		r.Event(Event{Stage: "pretrain", Kind: "progress", Done: int64(i), Values: map[string]float64{"loss": 1.5, "bad": math.NaN()}})
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != 3 {
		t.Fatalf("%d lines, want 3", len(lines))
	}
	var e Event
	if err := json.Unmarshal([]byte(lines[2]), &e); err != nil {
		t.Fatal(err)
	}
	want := Event{Time: t0, Stage: "pretrain", Kind: "progress", Done: 2, Values: map[string]float64{"loss": 1.5}}
	if d := cmp.Diff(want, e); d != "" {
		t.Error(d)
	}
}

func TestRateForgetsASlowStart(t *testing.T) {
	m := &meter{prevT: t0}
	m.add(t0.Add(30*time.Second), 1) // a compile of 30 s
	now := t0.Add(30 * time.Second)
	var rate float64
	for i := range 600 { // then 10 a second for a minute
		now = now.Add(100 * time.Millisecond)
		rate = m.add(now, int64(i+2))
	}
	if rate < 9 || rate > 10.1 {
		t.Errorf("rate %.2f after a minute at 10/s", rate)
	}
}

func TestQuiet(t *testing.T) {
	var b bytes.Buffer
	r := newRenderer(&b, Quiet, func() time.Time { return t0 })
	r.Event(Event{Kind: "note", Text: "no"})
	r.Event(Event{Kind: "warn", Text: "yes"})
	if b.String() != "warning: yes\n" {
		t.Errorf("got %q", b.String())
	}
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		8 * time.Second: "8 s", 200 * time.Second: "3 min 20 s", 7500 * time.Second: "2 h 05 min", 59600 * time.Millisecond: "1 min 00 s",
	} {
		if got := Duration(d); got != want {
			t.Errorf("Duration(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestTable(t *testing.T) {
	tb := NewTable("name", ">n", "what")
	tb.Row("digits", 1797, "handwritten digits, 8x8, embedded in the binary, always at hand and without any network")
	tb.Row("fashion-mnist", 70000, "clothes")
	var b bytes.Buffer
	if err := tb.Write(&b); err != nil {
		t.Fatal(err)
	}
	want := `name               n  what
-------------  -----  ----------------------------------------------------------
digits          1797  handwritten digits, 8x8, embedded in the binary, always at
                      hand and without any network
fashion-mnist  70000  clothes
`
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Error(d)
	}
}

func TestTableNeverWiderThanTheTerminal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cols := rapid.IntRange(1, 6).Draw(t, "cols")
		tb := NewTable(rapid.SliceOfN(rapid.StringMatching(`>?[a-zéß ]{0,30}`), cols, cols).Draw(t, "head")...)
		for range rapid.IntRange(0, 4).Draw(t, "rows") {
			row := make([]any, cols)
			for i := range row {
				row[i] = rapid.StringMatching(`[a-zé… ]{0,120}`).Draw(t, "cell")
			}
			tb.Row(row...)
		}
		var b bytes.Buffer
		tb.Write(&b)
		for _, l := range strings.Split(b.String(), "\n") {
			if n := utf8.RuneCountInString(l); n > Width {
				t.Fatalf("line of %d columns: %q", n, l)
			}
		}
	})
}

func TestProgressLineFits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := Event{Stage: rapid.StringMatching(`[a-z]{0,20}`).Draw(t, "stage"), Unit: rapid.SampledFrom([]string{"", "B", "steps"}).Draw(t, "unit"),
			Done: rapid.Int64Range(0, 1e9).Draw(t, "done"), Total: rapid.Int64Range(0, 1e9).Draw(t, "total"), Text: rapid.StringN(0, 60, -1).Draw(t, "text")}
		cols := rapid.IntRange(20, 200).Draw(t, "cols")
		l := progressLine(e, rapid.Float64Range(0, 1e6).Draw(t, "rate"), cols, true)
		if n := utf8.RuneCountInString(l); n > cols {
			t.Fatalf("%d > %d columns: %q", n, cols, l)
		}
	})
}

func TestProgressLineCutsBetweenWords(t *testing.T) {
	for _, c := range []struct {
		e    Event
		rate float64
		want string
	}{
		{Event{Stage: "pretrain", Done: 1270, Total: 3000, Unit: "steps", Rate: "1411 images/s", Text: "loss 1.918"}, 2.8,
			"pretrain   42% 1270/3000 steps · 1411 images/s · 10 min 18 s left · loss 1.918"},
		{Event{Stage: "pretrain", Done: 127000, Total: 300000, Unit: "steps", Rate: "11411 images/s", Text: "loss 1.918"}, 2.8,
			"pretrain   42% 127000/300000 · 11411 images/s · 17 h 09 min left · loss 1.918"},
		{Event{Stage: "adapt", Done: 10, Total: 13, Unit: "measurements", Text: "fine-tune from ssl: 1438 labels, draw 2 of 5"}, 1.2,
			"adapt      76% 10/13 · 1.2/s · 3 s left · fine-tune from ssl: 1438 labels …"},
		{Event{Stage: "adapt", Done: 10, Total: 13, Text: strings.Repeat("x", 70)}, 1.2,
			"adapt      76% 10/13 · 1.2/s · 3 s left"},
	} {
		if got := progressLine(c.e, c.rate, Width, false); got != c.want {
			t.Errorf("got  %q\nwant %q", got, c.want)
		}
	}
}

func TestLiveWarningsWrapBetweenWords(t *testing.T) {
	var b bytes.Buffer
	r := newRenderer(&b, Live, time.Now)
	text := "the probe's answer changes in 64 of 141 held-out samples (45.4 %, bound 38.3..52.7 %, limit 30 %); safe would be degrees: -22.5..22.5"
	r.Event(Event{Stage: "certify", Kind: "warn", Text: text})
	var words []string
	for _, l := range strings.Split(strings.TrimRight(b.String(), "\n"), "\n") {
		if n := utf8.RuneCountInString(l); n > Width {
			t.Errorf("%d columns: %q", n, l)
		}
		words = append(words, strings.Fields(l)...)
	}
	if got, want := strings.Join(words, " "), "certify warning: "+text; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNumbersOfPages(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", -1000: "-1,000", -100: "-100", 1234567: "1,234,567", -123456: "-123,456"} {
		if got := Thousands(n); got != want {
			t.Errorf("%d: %q", n, got)
		}
	}
	for s, want := range map[float64]string{0: "0.0 s", 4.21: "4.2 s", 9.96: "10 s", 59.6: "1 min 0 s", 200: "3 min 20 s", 7500: "2 h 5 min"} {
		if got, ok := Elapsed(s); !ok || strings.ReplaceAll(got, "\u00a0", " ") != want {
			t.Errorf("%g: %q", s, got)
		}
	}
	for _, s := range []float64{math.NaN(), math.Inf(1), -1} {
		if got, ok := Elapsed(s); ok {
			t.Errorf("%g: %q", s, got)
		}
	}
}
