package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/selfsame-ml/selfsame/internal/term"
	"github.com/selfsame-ml/selfsame/store"
)

// showEvents shows the lines of an event log. With --json they are passed on as they are.
func showEvents(r term.Renderer) func(store.Event) {
	return func(e store.Event) { r.Event(eventOf(e)) }
}

// The keys that eventOf knows in the data of an event, whatever the stage.
//
//	text                        one line for people
//	done | step, total | steps  progress
//	unit                        of done and total ("steps" where the event has a step)
//	loss                        shown beside the bar
//	samples_per_s                shown as the rate
func eventOf(e store.Event) term.Event {
	num := func(keys ...string) (float64, bool) {
		for _, k := range keys {
			switch v := e.Data[k].(type) {
			case float64:
				return v, true
			case float32:
				return float64(v), true
			case int:
				return float64(v), true
			case int64:
				return float64(v), true
			}
		}
		return 0, false
	}
	str := func(k string) string { s, _ := e.Data[k].(string); return s }
	out := term.Event{Time: e.Time, Stage: e.Stage, Kind: e.Kind, Text: str("text"), Unit: str("unit"), Raw: e}
	switch e.Kind {
	case "warning":
		out.Kind = "warn"
	case "end":
		out.Kind = "done"
		if v, ok := num("seconds"); ok && out.Text == "" {
			out.Text = "done in " + term.Duration(time.Duration(v*float64(time.Second)))
		}
	case "saved", "error": // every checkpoint is too much; the command itself ends with the error
		out.Hidden = true
	}
	if done, ok := num("done", "step"); ok && (e.Kind == "progress" || e.Kind == "step") {
		out.Kind, out.Done = "progress", int64(done)
		if total, ok := num("total", "steps"); ok {
			out.Total = int64(total)
		}
		if _, ok := num("step"); ok && out.Unit == "" {
			out.Unit = "steps"
		}
		var beside []string
		if v, ok := num("loss"); ok {
			beside = append(beside, fmt.Sprintf("loss %.4g", v))
		}
		if v, ok := num("samples_per_s"); ok && v > 0 {
			out.Rate = fmt.Sprintf("%.0f samples/s", v)
		}
		if out.Text == "" {
			out.Text = strings.Join(beside, ", ")
		}
		return out
	}
	if out.Text == "" && len(e.Data) > 0 && (out.Kind != "start" && out.Kind != "done") {
		var parts []string
		for _, k := range slices.Sorted(maps.Keys(e.Data)) {
			switch v := e.Data[k].(type) {
			case float64:
				parts = append(parts, fmt.Sprintf("%s %.4g", k, v))
			case string, int, int64, bool:
				parts = append(parts, fmt.Sprintf("%s %v", k, v))
			}
		}
		out.Text = e.Kind + ": " + strings.Join(parts, ", ")
		if out.Kind == "warn" {
			out.Text = strings.Join(parts, ", ")
		}
	}
	return out
}
