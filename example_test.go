package selfsame_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/selfsame-ml/selfsame"
)

// quick makes the embedded digits a matter of seconds.
var quick = []string{
	"encoder.width=4", "train.epochs=2", "certify.probe=off", "adapt.budgets=[0]", "adapt.draws=1", "adapt.fine_tune=false", "audit.samples=50",
}

func scratch() string {
	dir, err := os.MkdirTemp("", "selfsame-example-")
	if err != nil {
		panic(err)
	}
	return dir
}

// The whole line from a recipe: data, views, certify, pretrain, audit, adapt, report.
func ExampleRun() {
	dir := scratch() // in your program: a directory that stays
	defer os.RemoveAll(dir)

	out, err := selfsame.Run(context.Background(), "recipes/digits.yaml", selfsame.Options{Dir: dir, Set: quick})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(filepath.Base(out.Page), "on", out.Report.Data.Source)
	fmt.Println(len(out.Report.Audit.Rows) > 0, len(out.Report.Scores) > 0)
	// Output:
	// report.html on digits
	// true true
}

// Features of every image of a data set, one at a time.
func ExampleModel_Embed() {
	dir := scratch()
	defer os.RemoveAll(dir)
	ctx := context.Background()
	if _, err := selfsame.Run(ctx, "recipes/digits.yaml", selfsame.Options{Dir: dir, Set: quick, Until: selfsame.StagePretrain}); err != nil {
		fmt.Println(err)
		return
	}

	model, err := selfsame.Open(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer model.Close()
	n := 0
	err = model.Embed(ctx, selfsame.Source{Path: "digits"}, func(s selfsame.Sample) error {
		if s.Index == 0 {
			fmt.Println(s.Name, s.Label, len(s.Features))
		}
		n++
		return nil
	})
	fmt.Println(n, err)
	// Output:
	// digits: row 0 0 8
	// 1797 <nil>
}

// The class of every image, by the linear head that the stage adapt fitted.
func ExampleModel_Predict() {
	dir := scratch()
	defer os.RemoveAll(dir)
	ctx := context.Background()
	if _, err := selfsame.Run(ctx, "recipes/digits.yaml", selfsame.Options{Dir: dir, Set: quick, Until: selfsame.StageAdapt}); err != nil {
		fmt.Println(err)
		return
	}

	model, err := selfsame.Open(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer model.Close()
	right := 0
	err = model.Predict(ctx, selfsame.Source{Path: "digits"}, func(p selfsame.Prediction) error {
		if p.Classes[p.Best] == p.Label {
			right++
		}
		return nil
	})
	fmt.Println(right > 900, err)
	// Output: true <nil>
}
