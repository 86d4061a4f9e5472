package selfsame_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/selfsame-ml/selfsame"
	"github.com/selfsame-ml/selfsame/report"
	"github.com/selfsame-ml/selfsame/store"
)

// TestRepeat: an interrupted repetition goes on where it stopped; the pooled scores are those of the splits, with their seeds.
func TestRepeat(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "recipe.yaml")
	if err := os.WriteFile(path, []byte(tiny), 0o644); err != nil {
		t.Fatal(err)
	}
	opt := selfsame.RepeatOptions{Splits: 2, Options: selfsame.Options{Dir: filepath.Join(dir, "out"), Command: "selfsame repeat recipe.yaml"}}
	if _, err := selfsame.Repeat(t.Context(), path, selfsame.RepeatOptions{Splits: 1}); !errors.Is(err, selfsame.ErrStage) {
		t.Errorf("one split: %v", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	cut := opt
	cut.Tell = func(k, n int, dir string) {
		if k == 1 {
			stop()
		}
	}
	if _, err := selfsame.Repeat(ctx, path, cut); !errors.Is(err, selfsame.ErrInterrupted) {
		t.Fatalf("interrupted: %v", err)
	}
	ran := 0
	opt.Event = func(e store.Event) {
		if e.Kind == "start" && e.Stage == selfsame.StagePretrain {
			ran++
		}
	}
	out, err := selfsame.Repeat(t.Context(), path, opt)
	if err != nil {
		t.Fatal(err)
	}
	if ran != 1 {
		t.Errorf("%d splits were pretrained after the interruption, want 1", ran)
	}
	all, err := store.ReadScores(filepath.Join(opt.Dir, store.ScoresFile))
	if err != nil {
		t.Fatal(err)
	}
	var want []store.Score
	for k := range 2 {
		one, err := store.ReadScores(filepath.Join(opt.Dir, []string{"split-0", "split-1"}[k], store.ScoresFile))
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range one {
			s.Seed += k * selfsame.SplitSeeds
			want = append(want, s)
		}
	}
	if len(all) != len(want) || len(all) == 0 {
		t.Fatalf("%d scores of %d", len(all), len(want))
	}
	for i := range all {
		if all[i] != want[i] {
			t.Errorf("score %d is %+v, want %+v", i, all[i], want[i])
		}
	}
	r := out.Report
	if r.Over != "splits" || len(r.Verdicts) != 2 || r.Overall == nil || r.Verdicts[0].Draws != 2 {
		t.Errorf("over %q, verdicts %+v", r.Over, r.Verdicts)
	}
	for _, s := range r.Summary {
		var sum, n float64
		for _, x := range want {
			if x.Method == s.Method && x.Metric == s.Metric && x.Budget == s.Budget {
				sum += x.Value
				n++
			}
		}
		if d := float64(s.Mean) - sum/n; s.Draws != 2 || d > 1e-12 || d < -1e-12 { // splits have equally many draws
			t.Errorf("%+v, want a mean of %g over 2 splits", s, sum/n)
		}
	}
	f, err := os.Open(filepath.Join(opt.Dir, "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if back, err := report.ReadJSON(f); err != nil || len(back.Scores) != len(all) {
		t.Errorf("report.json: %v", err)
	}
}
