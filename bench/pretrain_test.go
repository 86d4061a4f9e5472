package bench

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/selfsame-ml/selfsame/dataset"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/domain/all"
	"github.com/selfsame-ml/selfsame/pretrain"
	"github.com/selfsame-ml/selfsame/recipe"
)

// BenchmarkPretrainFashion is the pretrain stage itself on Fashion-MNIST, from stored bytes to weights, with
// the recipe that has the set-up of the PyTorch program: width 16, two views, batch 256. One operation is a
// whole run of 70 steps; images/s is that of the steps after the first second. It needs the data set in
// the cache (selfsame data fetch fashion-mnist).
func BenchmarkPretrainFashion(b *testing.B) {
	const steps = 50
	r, err := recipe.Load(filepath.Join("..", "recipes", "fashion-full.yaml"), all.Specs)
	if err != nil {
		b.Fatal(err)
	}
	r.Train.MaxSteps = steps
	cache, err := dataset.DefaultCacheDir()
	if err != nil {
		b.Fatal(err)
	}
	d, err := all.Lookup(r.Domain)
	if err != nil {
		b.Fatal(err)
	}
	samples, err := d.Open(context.Background(), r, domain.OpenOptions{CacheDir: cache})
	if errors.Is(err, dataset.ErrAbsent) {
		b.Skip(err)
	}
	if err != nil {
		b.Fatal(err)
	}
	e := open(b)
	var first, last pretrain.Progress
	var compiled float64
	for b.Loop() {
		begin := time.Now()
		first, last = pretrain.Progress{}, pretrain.Progress{}
		_, err := pretrain.Run(context.Background(), pretrain.Config{Recipe: r, Engine: e, Samples: samples, Event: func(v any) {
			switch p := v.(type) {
			case pretrain.Compiled:
				compiled = time.Since(begin).Seconds()
			case pretrain.Progress:
				if first.Step < 5 {
					first = p
				}
				last = p
			}
		}})
		if err != nil {
			b.Fatal(err)
		}
	}
	if last.Step-first.Step < steps/3 {
		b.Fatalf("only %d of %d steps were timed", last.Step-first.Step, steps)
	}
	b.ReportMetric(float64((last.Step-first.Step)*r.Train.Batch)/(last.Seconds-first.Seconds), "images/s")
	b.ReportMetric(compiled, "compile-s")
	reportPeak(b)
}
