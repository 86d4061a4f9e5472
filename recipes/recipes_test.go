// Package recipes_test holds the recipes of this folder valid.
package recipes_test

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/dataset"
	"github.com/selfsame-ml/selfsame/domain/all"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/view"
)

func load(t *testing.T, name string) *recipe.Recipe {
	t.Helper()
	r, err := recipe.Load(name, all.Specs)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRecipes(t *testing.T) {
	files, err := filepath.Glob("*.yaml")
	if err != nil || len(files) < 3 {
		t.Fatalf("%v %v", files, err)
	}
	for _, f := range files {
		t.Run(f, func(t *testing.T) {
			r := load(t, f)
			if r.Name+".yaml" != f {
				t.Errorf("name %q", r.Name)
			}
			for _, s := range []string{r.Data.Source, r.Data.Test} {
				if e, ok := dataset.Lookup(s); s != "" && (!ok || e.Domain != r.Domain) {
					t.Errorf("the catalogue has no %s of domain %s", s, r.Domain)
				}
			}
			b, err := recipe.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			back, err := recipe.Parse("resolved", b, all.Specs)
			if err != nil {
				t.Fatalf("%v\n%s", err, b)
			}
			if d := cmp.Diff(r, back); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestTablesNeverSwapLevels: no recipe of a table says that a category may become another, and each has what the results need.
func TestTablesNeverSwapLevels(t *testing.T) {
	n := 0
	files, _ := filepath.Glob("*.yaml")
	for _, f := range files {
		r := load(t, f)
		if r.Domain != recipe.DomainTable {
			continue
		}
		n++
		for _, c := range r.Columns {
			for _, tr := range c.Transforms {
				if c.Kind == "category" || c.Kind == "boolean" || c.Name == r.Data.Target {
					t.Errorf("%s: column %s has the transformation %s", f, c.Name, tr.Name)
				}
			}
		}
		if d := cmp.Diff([]int{50, 200, 1000, 0}, r.Adapt.Budgets); d != "" || r.Adapt.Draws != 5 || r.Data.Target == "" {
			t.Errorf("%s: %s %d draws", f, d, r.Adapt.Draws)
		}
	}
	if n != 6 {
		t.Errorf("%d recipes of tables", n)
	}
}

// TestFashionFullIsThePeer compares with the numbers of the PyTorch yardstick's documentation.
func TestFashionFullIsThePeer(t *testing.T) {
	r := load(t, "fashion-full.yaml")
	rg := func(a, b float64) contract.Range { return contract.Range{From: a, To: b} }
	want := map[string]struct {
		p      float64
		params map[string]contract.Range
	}{
		"crop":   {1, map[string]contract.Range{"scale": rg(0.3, 1), "ratio": rg(3./4, 4./3)}},
		"hflip":  {0.5, nil},
		"jitter": {0.8, map[string]contract.Range{"brightness": rg(0.4, 0.4), "contrast": rg(0.4, 0.4), "saturation": {}, "hue": {}}},
		"blur":   {0.3, map[string]contract.Range{"sigma": rg(0.1, 1), "kernel": rg(3, 3)}},
	}
	if len(r.Views.Transforms) != len(want) {
		t.Errorf("%d transformations", len(r.Views.Transforms))
	}
	for _, c := range r.Views.Transforms {
		w := want[c.Name]
		if c.P != w.p || len(c.Terms) != 1 || c.Terms[0].Kind != contract.Invariant {
			t.Errorf("%+v", c)
		}
		for k, v := range w.params {
			if c.Params[k] != v {
				t.Errorf("%s.%s is %v, want %v", c.Name, k, c.Params[k], v)
			}
		}
	}
	tr, o := r.Train, r.Objective
	if tr.Epochs != 15 || tr.Batch != 256 || tr.LR != 0.06 || tr.Momentum != 0.9 || tr.WeightDecay != 1e-4 || tr.WarmupEpochs != 1 || tr.Optimizer != "sgd" {
		t.Errorf("%+v", tr)
	}
	if o.Invariant != "ntxent" || o.Temperature != 0.2 || o.ProjectorHidden != 4*r.Encoder.Width || o.ProjectorDim != 64 || o.ProjectorLayers != 2 || o.ProjectorNorm {
		t.Errorf("%+v", o)
	}
	if r.Data.Val != 5000 || r.Data.Split != "tail" || r.Encoder.Width != 16 || r.Encoder.Stages != 3 || r.Encoder.Depth != 1 {
		t.Errorf("%+v %+v", r.Data, r.Encoder)
	}
}

// TestDraftWithRealWords: what recipe init drafts is accepted by the image domain.
func TestDraftWithRealWords(t *testing.T) {
	for _, ch := range []int{1, 3, 4} {
		b := recipe.Draft(recipe.DraftInfo{Source: "photos", Count: 2000, Labelled: 2000, Classes: []string{"cat", "dog"}, Labels: "folders",
			MinWidth: 40, MaxWidth: 50, MinHeight: 40, MaxHeight: 50, Channels: ch, Bits: 8, Specs: mustSpecs(t)})
		r, err := recipe.Parse("draft", b, all.Specs)
		if err != nil {
			t.Fatalf("%v\n%s", err, b)
		}
		if n := len(r.Views.Transforms); n < 3 {
			t.Errorf("%d channels: %d transformations\n%s", ch, n, b)
		}
		t.Logf("%s", b)
	}
}

func mustSpecs(t *testing.T) []view.Spec {
	t.Helper()
	s, err := all.Specs("image")
	if err != nil {
		t.Fatal(err)
	}
	return s
}
