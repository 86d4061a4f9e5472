package recipe

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/view"
)

// testSpecs stands for a domain: the words of testdata.
func testSpecs(domain string) ([]view.Spec, error) {
	if domain == DomainDNA {
		return readsSpecs, nil
	}
	if domain != "image" {
		return nil, errors.New("no domain " + domain)
	}
	inv := []contract.Kind{contract.Invariant, contract.Equivariant}
	return []view.Spec{
		{Name: "crop", P: 1, Identity: 1, Kinds: inv[:1], Params: []view.ParamSpec{
			{Name: "scale", Unit: "fraction", Min: 0.01, Max: 1, Default: contract.Range{From: 0.3, To: 1}},
			{Name: "ratio", Min: 0.1, Max: 10, Default: contract.Range{From: 0.75, To: 4. / 3}},
		}},
		{Name: "hflip", P: 0.5, Kinds: inv},
		{Name: "jitter", Kinds: inv[:1], Params: []view.ParamSpec{
			{Name: "brightness", Max: 1, Default: contract.Range{From: 0.2, To: 0.2}},
			{Name: "contrast", Max: 1, Default: contract.Range{From: 0.2, To: 0.2}},
		}},
		{Name: "quarter", P: 1, Classes: 4, Kinds: []contract.Kind{contract.Equivariant, contract.Invariant}, Params: []view.ParamSpec{
			{Name: "turns", Max: 3, Integer: true, Default: contract.Range{To: 3}},
		}},
		{Name: "rotate", P: 1, Kinds: inv, Params: []view.ParamSpec{
			{Name: "degrees", Unit: "degrees", Min: -180, Max: 180, Default: contract.Range{From: -10, To: 10}},
		}},
		{Name: "mask", P: 1, Kinds: []contract.Kind{contract.Restorable}, Params: []view.ParamSpec{
			{Name: "fraction", Max: 1, Default: contract.Range{From: 0.5, To: 0.5}},
			{Name: "patch", Min: 1, Max: 64, Integer: true, Default: contract.Range{From: 4, To: 4}},
		}},
	}, nil
}

func TestGood(t *testing.T) {
	files, err := filepath.Glob("testdata/*.good.yaml")
	if err != nil || len(files) < 3 {
		t.Fatalf("%v %v", files, err)
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			r, err := Load(f, testSpecs)
			if err != nil {
				t.Fatal(err)
			}
			roundTrip(t, r)
		})
	}
}

type failer interface{ Fatalf(string, ...any) }

// roundTrip asserts Parse(Marshal(r)) == r and that Marshal is a function of r alone.
func roundTrip(t failer, r *Recipe) {
	b, err := Marshal(r)
	if err != nil {
		t.Fatalf("%v", err)
	}
	back, err := Parse("resolved", b, testSpecs)
	if err != nil {
		t.Fatalf("%v in\n%s", err, b)
	}
	if d := cmp.Diff(r, back); d != "" {
		t.Fatalf("%s in\n%s", d, b)
	}
	again, _ := Marshal(back)
	if string(again) != string(b) {
		t.Fatalf("Marshal differs: %s", cmp.Diff(string(b), string(again)))
	}
}

func TestShortForm(t *testing.T) {
	r, err := Load("testdata/short.good.yaml", testSpecs)
	if err != nil {
		t.Fatal(err)
	}
	rg := func(a, b float64) contract.Range { return contract.Range{From: a, To: b} }
	want := []view.Config{
		{Name: "crop", P: 1, Params: map[string]contract.Range{"scale": rg(0.3, 1), "ratio": rg(0.75, 1.333)},
			Terms: contract.Terms{{Kind: contract.Invariant, Range: rg(0.3, 1), Weight: 1}}},
		{Name: "hflip", P: 0.5, Params: map[string]contract.Range{}, Terms: contract.Terms{{Kind: contract.Invariant, Weight: 1}}},
		{Name: "jitter", P: 0.8, Params: map[string]contract.Range{"brightness": rg(0.4, 0.4), "contrast": rg(0.2, 0.4)},
			Terms: contract.Terms{{Kind: contract.Invariant, Range: rg(0.4, 0.4), Weight: 1}}},
		{Name: "quarter", P: 1, Params: map[string]contract.Range{"turns": rg(0, 3)},
			Terms: contract.Terms{{Kind: contract.Equivariant, Range: rg(0, 3), Weight: 0.5}}},
		{Name: "rotate", P: 1, Params: map[string]contract.Range{"degrees": rg(-180, 180)},
			Terms: contract.Terms{{Kind: contract.Invariant, Range: rg(-10, 10), Weight: 1}, {Kind: contract.Equivariant, Range: rg(-180, 180), Weight: 1}}},
		{Name: "mask", P: 1, Params: map[string]contract.Range{"fraction": rg(0.5, 0.5), "patch": rg(4, 4)},
			Terms: contract.Terms{{Kind: contract.Restorable, Range: rg(0.5, 0.5), Weight: 1}}},
	}
	if d := cmp.Diff(want, r.Views.Transforms); d != "" {
		t.Error(d)
	}
	rest := *r
	def := Default()
	rest.Name, rest.Data.Source, rest.Views.Transforms = "", "", nil
	if d := cmp.Diff(def, &rest); d != "" {
		t.Errorf("defaults: %s", d)
	}
}

func TestDependentDefaults(t *testing.T) {
	r, err := Load("testdata/adamw.good.yaml", testSpecs)
	if err != nil {
		t.Fatal(err)
	}
	if r.Name != "2024" || r.Train.LR != 1e-3 || r.Train.WeightDecay != 0.05 || r.Train.WarmupEpochs != 0.5 || !r.Objective.ProjectorNorm {
		t.Errorf("%+v %+v", r.Train, r.Objective)
	}
	r, err = Load("testdata/adamw.good.yaml", testSpecs, "train.lr=0.01", "objective.invariant=moco", "train.batch=96")
	if err != nil {
		t.Fatal(err)
	}
	if r.Train.LR != 0.01 || r.Objective.Queue != 42*96 {
		t.Errorf("lr %g queue %d", r.Train.LR, r.Objective.Queue)
	}
}

func TestSet(t *testing.T) {
	base := "testdata/short.good.yaml"
	r, err := Load(base, testSpecs, "train.epochs=3", "adapt.budgets=[20, 100]", "views.crop.scale=0.5..1", "views.count=4",
		"views.hflip.p=0.25", "views.rotate={degrees: -5..5}", "data.test=", "name=a b")
	if err != nil {
		t.Fatal(err)
	}
	if r.Train.Epochs != 3 || !reflect.DeepEqual(r.Adapt.Budgets, []int{20, 100}) || r.Views.Count != 4 || r.Name != "a b" ||
		r.Views.Transforms[0].Params["scale"].From != 0.5 || r.Views.Transforms[1].P != 0.25 || len(r.Views.Transforms[4].Terms) != 1 {
		t.Errorf("%+v", r)
	}
	for set, want := range map[string]string{
		"train.epoch=3":         "--set train.epoch=3: train.epoch: unknown key (did you mean epochs?)",
		"train.epochs=0":        "--set train.epochs=0: train.epochs: 0 is below the limit 1 (1..1e+06)",
		"train.epochs=many":     `train.epochs: want a whole number, got "many"`,
		"train.epochs":          "want KEY=VALUE",
		"=3":                    "want KEY=VALUE",
		"train..lr=3":           "want KEY=VALUE",
		"views.croop.scale=1":   "did you mean crop?",
		"views.crop.scale=2":    "--set views.crop.scale=2: views[0].crop.scale: 2 is outside 0.01..1 (fraction)",
		"views.rotate.p=0.5":    "set the whole list",
		"name.x=1":              `name: holds "short", so x cannot be set below it`,
		"train.lr={":            "the value is not YAML",
		"train.lr=&a 3":         "anchors",
		"train.lr=\xff":         "not UTF-8",
		"train={epochs: [1,2]}": "train.epochs: want a whole number, got a list",
	} {
		_, err := Load(base, testSpecs, set)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", set, err, want)
		}
	}
}

func TestHash(t *testing.T) {
	r, err := Load("testdata/short.good.yaml", testSpecs)
	if err != nil {
		t.Fatal(err)
	}
	other, err := Load("testdata/short.good.yaml", testSpecs, "adapt.draws=4")
	if err != nil {
		t.Fatal(err)
	}
	if r.Hash() == other.Hash() || r.Hash("adapt") == other.Hash("adapt") {
		t.Error("adapt.draws does not count")
	}
	if r.Hash("seed", "data", "views", "train") != other.Hash("seed", "data", "views", "train") {
		t.Error("adapt.draws counts in other sections")
	}
	if r.Hash("train") == r.Hash("train", "seed") || len(r.Hash()) != 64 {
		t.Error("sections do not count")
	}
	again, _ := Load("testdata/short.good.yaml", testSpecs)
	if again.Hash() != r.Hash() {
		t.Error("not a function of the recipe")
	}
}

// TestFieldTable holds the table of limits complete and the types decodable.
func TestFieldTable(t *testing.T) {
	seen := map[string]bool{}
	var walk func(t *testing.T, ty reflect.Type, path string)
	walk = func(t *testing.T, ty reflect.Type, path string) {
		if path != "" {
			seen[path] = true
			if fields[path].doc == "" {
				t.Errorf("%s has no line in the table of fields", path)
			}
		}
		if ty == reflect.TypeFor[Columns]() {
			return
		}
		if ty.Kind() == reflect.Slice {
			ty = ty.Elem()
		}
		if ty == reflect.TypeFor[view.Config]() || ty.Kind() != reflect.Struct {
			switch ty.Kind() {
			case reflect.String, reflect.Bool, reflect.Int, reflect.Uint64, reflect.Float64, reflect.Map, reflect.Struct:
			default:
				t.Errorf("%s: no decoder for %s", path, ty)
			}
			return
		}
		for i, k := range keysOf(ty) {
			if j, _, _ := strings.Cut(ty.Field(i).Tag.Get("json"), ","); j != k || k == "" {
				t.Errorf("%s.%s: yaml %q, json %q", ty, ty.Field(i).Name, k, j)
			}
			walk(t, ty.Field(i).Type, join(path, k))
		}
	}
	walk(t, reflect.TypeFor[Recipe](), "")
	for p := range fields {
		if !seen[p] {
			t.Errorf("the table of fields has %s, the struct has not", p)
		}
	}
}

func TestLoadNamesAfterFile(t *testing.T) {
	p := filepath.Join(t.TempDir(), "my cats.yaml")
	if err := os.WriteFile(p, []byte("data: {source: x}\nviews: [hflip]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	r, err := Load(p, testSpecs)
	if err != nil || r.Name != "my cats" {
		t.Errorf("%v %v", r, err)
	}
}

func TestLoadMissing(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "no.yaml"), testSpecs)
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	var es Errors
	if errors.As(err, &es) {
		t.Error("a missing file is no error of the content")
	}
}

func TestHostileBytes(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"empty":      {"", "the recipe is empty"},
		"comment":    {"# nothing\n", "the recipe is empty"},
		"null":       {"~\n", "the recipe is empty"},
		"list":       {"- a\n", "x.yaml:1:1: a recipe is a mapping of keys, got a list"},
		"word":       {"hello\n", `a recipe is a mapping of keys, got "hello"`},
		"tab":        {"data:\n\tsource: a\n", "x.yaml:2:1: a tab indents this line"},
		"utf8":       {"name: ok\nx: a\xffb\n", "x.yaml:2:5: byte 0xff is not UTF-8 text"},
		"two":        {"name: a\n---\nname: b\n", "more than one YAML document"},
		"anchor":     {"name: &a b\n", "x.yaml:1:7: name: anchors (&a)"},
		"alias":      {"name: &a b\ndomain: *a\n", "x.yaml:2:9: domain: aliases (*a)"},
		"self alias": {"data: &a [*a]\n", "aliases (*a)"},
		"merge":      {"data: &a {source: x}\ntrain:\n  <<: *a\n", "aliases"},
		"tag":        {"name: !!binary aGk=\n", "name: tags (!!binary)"},
		"duplicate":  {"seed: 1\nseed: 2\n", "x.yaml:2:1: seed: given twice, first at line 1"},
		"duplicate2": {"train: {lr: 1, lr: 2}\n", "x.yaml:1:16: train.lr: given twice"},
		"complex":    {"? [a]\n: b\n", "x.yaml:1:3: a key must be a word, got a list"},
		"broken":     {"a: [1\n", "not YAML"},
		"big":        {"# " + strings.Repeat("x", 10<<20), "larger than 1048576 bytes"},
		"deep":       {strings.Repeat("[", 100_000), "not YAML"},
		"deep ok":    {"data: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000), "data: want a mapping, got a list"},
		"control":    {`name: "a\x01b"`, "control character"},
		"long key":   {strings.Repeat("k", 1000) + ": 1\n", "unknown key"},
		"nul":        {"name: a\x00b\n", "not YAML"},
	} {
		_, err := Parse("x.yaml", []byte(c.in), testSpecs)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
}

func TestRoundTripProperty(t *testing.T) {
	specs, _ := testSpecs("image")
	rapid.Check(t, func(t *rapid.T) {
		r := Default()
		fill(t, reflect.ValueOf(r).Elem(), "")
		r.Data.Source = "x" + r.Data.Source
		for _, s := range specs {
			if !rapid.Bool().Draw(t, s.Name) {
				continue
			}
			c := view.Config{Name: s.Name, P: rapid.Float64Range(0, 1).Draw(t, "p"), Params: map[string]contract.Range{}}
			for _, p := range s.Params {
				a, b := drawParam(t, p), drawParam(t, p)
				c.Params[p.Name] = contract.Range{From: min(a, b), To: max(a, b)}
			}
			var whole contract.Range
			if len(s.Params) > 0 {
				whole = c.Params[s.Params[0].Name]
			}
			c.Terms = contract.Terms{{Kind: s.Kinds[0], Range: whole, Weight: rapid.Float64Range(1e-3, 1e6).Draw(t, "w")}}
			if len(s.Params) > 0 && !s.Params[0].Integer && len(s.Kinds) > 1 && whole.Width() > 0 {
				c.Terms = append(c.Terms, contract.Term{Kind: s.Kinds[1], Range: whole, Weight: 1})
				c.Terms[0].Range.To = whole.Lerp(0.5)
			}
			r.Views.Transforms = append(r.Views.Transforms, c)
		}
		b, err := Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Parse("a", b, testSpecs)
		var es Errors
		if errors.As(err, &es) {
			t.Skip("the draw makes no sense together")
		}
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(r, back); d != "" {
			t.Fatalf("%s in\n%s", d, b)
		}
	})
}

func drawParam(t *rapid.T, p view.ParamSpec) float64 {
	if p.Integer {
		return float64(rapid.IntRange(int(p.Min), int(p.Max)).Draw(t, p.Name))
	}
	return rapid.Float64Range(p.Min, p.Max).Draw(t, p.Name)
}

// fill perturbs a few fields of r, within their limits, so that most draws still make sense.
func fill(t *rapid.T, v reflect.Value, path string) {
	f := fields[path]
	switch v.Kind() {
	case reflect.Struct:
		for i, k := range keysOf(v.Type()) {
			if p := join(path, k); p != "views.transforms" && p != "objective.weights" && p != "domain" {
				fill(t, v.Field(i), p)
			}
		}
		return
	case reflect.Slice, reflect.Map:
		return
	}
	if rapid.IntRange(0, 9).Draw(t, path) > 0 {
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, path))
	case reflect.String:
		if f.enum != nil {
			v.SetString(rapid.SampledFrom(f.enum).Draw(t, path))
		} else {
			v.SetString(rapid.StringMatching(`[ -~äß漢😀#:'"]{0,12}`).Draw(t, path))
		}
	case reflect.Int:
		v.SetInt(int64(rapid.IntRange(int(f.min), int(min(f.max, f.min+50))).Draw(t, path)))
	case reflect.Uint64:
		v.SetUint(rapid.Uint64().Draw(t, path))
	case reflect.Float64:
		v.SetFloat(rapid.Float64Range(f.min, min(f.max, 1)).Draw(t, path))
	}
}

func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.yaml")
	for _, p := range files {
		b, err := os.ReadFile(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, "train.epochs=3")
	}
	f.Add([]byte("data: {source: x}\nviews: [hflip]\n"), "views.hflip.p=0.1")
	f.Add([]byte("a: &a [*a]\n? {b: c}\n: d\n"), "views.locals=1")
	f.Fuzz(func(t *testing.T, b []byte, set string) {
		r, err := Parse("fuzz", b, testSpecs, set)
		if err != nil {
			var es Errors
			if !errors.As(err, &es) || len(es) == 0 {
				t.Fatalf("not an Errors value: %v", err)
			}
			return
		}
		roundTrip(t, r)
	})
}
