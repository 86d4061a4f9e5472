// Command nearest finds the pictures most like one picture, by the features of a trained encoder:
//
//	go run ./cmd/selfsame run recipes/digits.yaml
//	go run ./examples/nearest runs/digits photos/ photos/one.png
//
// It needs no labels. The features of the whole folder are kept in memory; the pictures are not.
package main

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"os"
	"slices"

	"github.com/selfsame-ml/selfsame"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: nearest RUN DATA PICTURE")
		os.Exit(2)
	}
	if err := nearest(context.Background(), os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "nearest:", err)
		os.Exit(1)
	}
}

type match struct {
	name  string
	alike float64
}

func nearest(ctx context.Context, run, data, picture string) error {
	model, err := selfsame.Open(run)
	if err != nil {
		return err
	}
	defer model.Close()

	var want []float32
	err = model.Embed(ctx, selfsame.Source{Path: picture}, func(s selfsame.Sample) error {
		want = slices.Clone(s.Features) // s.Features is overwritten by the next sample
		return nil
	})
	if err != nil {
		return err
	}
	var found []match
	err = model.Embed(ctx, selfsame.Source{Path: data}, func(s selfsame.Sample) error {
		found = append(found, match{s.Name, cosine(want, s.Features)})
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortStableFunc(found, func(a, b match) int { return cmp.Compare(b.alike, a.alike) })
	for _, m := range found[:min(10, len(found))] {
		fmt.Printf("%.4f  %s\n", m.alike, m.name)
	}
	return nil
}

// cosine is the cosine of the angle between two vectors of features; 0 where one of them is zero.
func cosine(a, b []float32) float64 {
	var ab, aa, bb float64
	for i := range a {
		ab += float64(a[i]) * float64(b[i])
		aa += float64(a[i]) * float64(a[i])
		bb += float64(b[i]) * float64(b[i])
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return ab / math.Sqrt(aa*bb)
}
