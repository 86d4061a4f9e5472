package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/selfsame-ml/selfsame/internal/term"
	"github.com/selfsame-ml/selfsame/store"
)

func TestEventOf(t *testing.T) {
	for name, c := range map[string]struct {
		in   store.Event
		want term.Event
	}{
		"progress": {store.Event{Stage: "pretrain", Kind: "progress", Data: map[string]any{"step": 3, "steps": 10.0, "loss": 1.25, "samples_per_s": 812.4}},
			term.Event{Stage: "pretrain", Kind: "progress", Done: 3, Total: 10, Unit: "steps", Text: "loss 1.25", Rate: "812 samples/s"}},
		"count": {store.Event{Stage: "certify", Kind: "progress", Data: map[string]any{"done": int64(5), "total": 6, "unit": "draws", "text": "crop"}},
			term.Event{Stage: "certify", Kind: "progress", Done: 5, Total: 6, Unit: "draws", Text: "crop"}},
		"warning": {store.Event{Stage: "data", Kind: "warning", Data: map[string]any{"text": "a.png: skipped"}},
			term.Event{Stage: "data", Kind: "warn", Text: "a.png: skipped"}},
		"health": {store.Event{Stage: "pretrain", Kind: "health", Data: map[string]any{"rank": 11.5, "verdict": "fine"}},
			term.Event{Stage: "pretrain", Kind: "health", Text: "health: rank 11.5, verdict fine"}},
		"saved": {store.Event{Stage: "pretrain", Kind: "saved", Data: map[string]any{"checkpoint": 200}},
			term.Event{Stage: "pretrain", Kind: "saved", Text: "saved: checkpoint 200", Hidden: true}},
		"took": {store.Event{Stage: "audit", Kind: "end", Data: map[string]any{"seconds": 83.2}},
			term.Event{Stage: "audit", Kind: "done", Text: "done in 1 min 23 s"}},
		"end": {store.Event{Stage: "data", Kind: "end"}, term.Event{Stage: "data", Kind: "done"}},
	} {
		if d := cmp.Diff(c.want, eventOf(c.in), cmpopts.IgnoreFields(term.Event{}, "Raw")); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestJSONPassesEventsOn(t *testing.T) {
	var b bytes.Buffer
	show := showEvents(term.New(&b, term.JSON))
	show(store.Event{Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Stage: "s", Kind: "end", Data: map[string]any{"acc": 0.5}})
	if want := `{"time":"2026-01-02T03:04:05Z","stage":"s","kind":"end","data":{"acc":0.5}}` + "\n"; b.String() != want {
		t.Errorf("got %s want %s", b.String(), want)
	}
}
