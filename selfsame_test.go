package selfsame_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/selfsame-ml/selfsame"
	"github.com/selfsame-ml/selfsame/certify"
	"github.com/selfsame-ml/selfsame/dataset"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/domain/all"
	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/engine/enginetest"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/store"
)

// tiny runs the whole line in about two seconds.
const tiny = `name: tiny
data: {source: digits, split: tail, limit: 256}
views:
  - crop: {scale: 0.6..1}
  - jitter: {brightness: 0.3, contrast: 0.3}
encoder: {width: 4, stages: 2}
train: {epochs: 2, batch: 32, checkpoint_steps: 5}
engine: {kind: go}
certify: {samples: 32, labels: 60}
audit: {samples: 40}
adapt: {budgets: [20, 0], draws: 2, epochs: 2, max_steps: 6, k: 5, bootstrap: 100}
`

// shared is a finished run that tests read and none changes.
var shared struct {
	once  sync.Once
	dir   string
	cache string
	err   error
}

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "selfsame-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	shared.dir, shared.cache = filepath.Join(dir, "run"), filepath.Join(dir, "cache")
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

func load(t testing.TB, text string, set ...string) *recipe.Recipe {
	t.Helper()
	path := filepath.Join(t.TempDir(), "recipe.yaml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	r, err := recipe.Load(path, all.Specs, set...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func finished(t testing.TB) string {
	t.Helper()
	shared.once.Do(func() {
		_, shared.err = selfsame.RunRecipe(context.Background(), load(t, tiny), selfsame.Options{Dir: shared.dir, CacheDir: shared.cache})
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.dir
}

// sameFiles holds the files of two run directories against each other.
func sameFiles(t *testing.T, a, b string, names ...string) {
	t.Helper()
	for _, n := range names {
		x, err := os.ReadFile(filepath.Join(a, n))
		if err != nil {
			t.Fatal(err)
		}
		y, err := os.ReadFile(filepath.Join(b, n))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(x, y) {
			t.Errorf("%s differs", n)
		}
	}
}

// results are the files that must not depend on how often a run was stopped.
var results = []string{"encoder.safetensors", "pretrain.safetensors", "head.safetensors", "certificate.json", "audit.json", "adapt.json", "scores.csv"}

// kinds collects which stages were started and skipped.
type kinds struct{ started, skipped []string }

func (k *kinds) tell(e store.Event) {
	switch e.Kind {
	case "start":
		k.started = append(k.started, e.Stage)
	case "skip":
		k.skipped = append(k.skipped, e.Stage)
	}
}

func TestLineStageByStage(t *testing.T) {
	whole := finished(t)
	dir, r := filepath.Join(t.TempDir(), "run"), load(t, tiny)
	for i, s := range selfsame.Stages {
		var k kinds
		out, err := selfsame.RunRecipe(t.Context(), r, selfsame.Options{Dir: dir, Until: s, CacheDir: shared.cache, Event: k.tell})
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		if i > 0 {
			want = []string{s}
		}
		if !slices.Equal(k.started, want) || len(k.skipped) != max(i-1, 0) {
			t.Errorf("until %s: started %v, skipped %v", s, k.started, k.skipped)
		}
		if (out.Report != nil) != (s == selfsame.StageReport) {
			t.Errorf("until %s: report %v", s, out.Report)
		}
	}
	sameFiles(t, whole, dir, results...)
}

// TestInterruptAnywhere stops the line at each of its events in turn: it goes on to the same results.
func TestInterruptAnywhere(t *testing.T) {
	whole := finished(t)
	dir, r := filepath.Join(t.TempDir(), "run"), load(t, tiny)
	seen := map[string]bool{} // where the line was stopped already
	for range 40 {
		ctx, cancel := context.WithCancel(t.Context())
		stopped := false
		_, err := selfsame.RunRecipe(ctx, r, selfsame.Options{Dir: dir, CacheDir: shared.cache, Event: func(e store.Event) {
			if at := e.Stage + " " + e.Kind; !stopped && !seen[at] && e.Kind != "skip" && e.Stage != selfsame.StageReport {
				seen[at], stopped = true, true
				cancel()
			}
		}})
		cancel()
		if err == nil {
			if len(seen) < 12 {
				t.Errorf("stopped only at %v", slices.Sorted(maps.Keys(seen)))
			}
			sameFiles(t, whole, dir, results...)
			return
		}
		if !errors.Is(err, selfsame.ErrInterrupted) {
			t.Fatal(err)
		}
	}
	t.Fatal("the line never ended")
}

func TestChangedRecipe(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	if err := os.CopyFS(dir, os.DirFS(finished(t))); err != nil {
		t.Fatal(err)
	}
	opt := selfsame.Options{Dir: dir, CacheDir: shared.cache}
	for _, set := range []string{"train.epochs=3", "encoder.width=5", "seed=2", "views.crop.scale=0.7..1", "data.limit=255"} {
		if _, err := selfsame.RunRecipe(t.Context(), load(t, tiny, set), opt); !errors.Is(err, store.ErrChanged) {
			t.Errorf("%s: %v, want ErrChanged", set, err)
		}
	}
	sameFiles(t, finished(t), dir, append(results, "recipe.yaml")...) // refused before anything is written

	var k kinds
	opt.Event = k.tell
	if _, err := selfsame.RunRecipe(t.Context(), load(t, tiny, "adapt.draws=3"), opt); err != nil {
		t.Fatal(err)
	}
	if want := []string{"adapt", "report"}; !slices.Equal(k.started, want) {
		t.Errorf("a change of adapt started %v, want %v", k.started, want)
	}
	scores, err := os.ReadFile(filepath.Join(dir, "scores.csv"))
	if err != nil || !bytes.Contains(scores, []byte(",2,")) {
		t.Errorf("no third draw in the scores: %v", err)
	}
	sameFiles(t, finished(t), dir, "encoder.safetensors")

	k, opt.Force = kinds{}, true
	if _, err := selfsame.RunRecipe(t.Context(), load(t, tiny, "train.epochs=1", "adapt.draws=1"), opt); err != nil {
		t.Fatal(err)
	}
	if len(k.started) != len(selfsame.Stages)-1 {
		t.Errorf("force started %v", k.started)
	}
}

// TestForceDropsForeignCheckpoints: a run that failed or was stopped can be begun again with another recipe.
func TestForceDropsForeignCheckpoints(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	opt := selfsame.Options{Dir: dir, CacheDir: shared.cache, Until: selfsame.StagePretrain}
	ctx, cancel := context.WithCancel(t.Context())
	opt.Event = func(e store.Event) {
		if e.Kind == "saved" {
			cancel()
		}
	}
	if _, err := selfsame.RunRecipe(ctx, load(t, tiny, "certify.probe=off"), opt); !errors.Is(err, selfsame.ErrInterrupted) {
		t.Fatal(err)
	}
	opt.Event = nil
	other := load(t, tiny, "certify.probe=off", "train.lr=0.01")
	if _, err := selfsame.RunRecipe(t.Context(), other, opt); !errors.Is(err, store.ErrChanged) {
		t.Errorf("without force: %v, want ErrChanged", err)
	}
	opt.Force = true
	if _, err := selfsame.RunRecipe(t.Context(), other, opt); err != nil {
		t.Error(err)
	}
}

func TestStageErrors(t *testing.T) {
	r := load(t, tiny)
	for name, opt := range map[string]selfsame.Options{
		"unknown until": {Dir: "x", Until: "trian"},
		"unknown only":  {Dir: "x", Only: "trian"},
		"too early":     {Dir: filepath.Join(t.TempDir(), "run"), Only: selfsame.StageAudit, CacheDir: shared.cache},
	} {
		if _, err := selfsame.RunRecipe(t.Context(), r, opt); !errors.Is(err, selfsame.ErrStage) {
			t.Errorf("%s: %v, want ErrStage", name, err)
		}
	}
	if _, err := selfsame.Run(t.Context(), "", selfsame.Options{}); !errors.Is(err, selfsame.ErrStage) {
		t.Errorf("neither recipe nor directory: %v", err)
	}
	if _, err := selfsame.Open(t.TempDir()); !errors.Is(err, selfsame.ErrStage) {
		t.Errorf("an empty directory is no model: %v", err)
	}
}

// TestRefusedBeforeWork: what cannot be trained is named before the first stage that costs time.
func TestRefusedBeforeWork(t *testing.T) {
	for name, set := range map[string][]string{
		"train.batch: 300":                    {"train.batch=300"},
		"encoder: ":                           {"encoder.stages=5"},
		"views.locals: byol":                  {"views={transforms: [crop], locals: 2, local_size: 4}", "objective.invariant=byol"},
		"supcon needs labels":                 {"objective.invariant=supcon", "data.labels=none"},
		"no contract gives an objective":      {"objective.invariant=none"},
		"patches of 3 do not tile 8x8 pixels": {"encoder.kind=vit", "encoder.patch=3"},
	} {
		var k kinds
		_, err := selfsame.RunRecipe(t.Context(), load(t, tiny, set...), selfsame.Options{Dir: filepath.Join(t.TempDir(), "run"), CacheDir: shared.cache, Event: k.tell})
		var wrong recipe.Errors
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), name) {
			t.Errorf("%v: %v, want a recipe.Errors with %q", set, err, name)
		}
		if !slices.Equal(k.started, []string{"views", "certify"}) {
			t.Errorf("%v: started %v", set, k.started)
		}
	}
}

// pictures writes n digits as PNG files; classes as folders where labelled.
func pictures(t *testing.T, n int, labelled bool) string {
	t.Helper()
	px, labels, err := dataset.Digits()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for i := range n {
		m := image.NewGray(image.Rect(0, 0, 8, 8))
		for k := range m.Pix {
			m.Pix[k] = px[i*64+k] * 15
		}
		sub := dir
		if labelled {
			sub = filepath.Join(dir, fmt.Sprintf("<b>%d", labels[i]))
		}
		writePNG(t, filepath.Join(sub, fmt.Sprintf("%04d.png", i)), m)
	}
	return dir
}

func writePNG(t *testing.T, path string, m image.Image) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestSmallAndUnlabelled: what cannot be measured is said in the report, which still opens.
func TestSmallAndUnlabelled(t *testing.T) {
	for name, c := range map[string]struct {
		dir  string
		want []string
		not  string
	}{
		"unlabelled": {pictures(t, 60, false), []string{"audit", "12 held-out samples are too few", "adapt", "no labels of two or more classes"}, ""},
		"few":        {pictures(t, 60, true), []string{"audit", "held-out samples are too few"}, "<b>3"},
	} {
		out, err := selfsame.RunRecipe(t.Context(), load(t, tiny, "data.source="+c.dir, "data.split=random", "train.epochs=1"),
			selfsame.Options{Dir: filepath.Join(t.TempDir(), "run"), CacheDir: t.TempDir()})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		text := fmt.Sprint(out.Report.Skipped)
		for _, w := range c.want {
			if !strings.Contains(text, w) {
				t.Errorf("%s: %q is not in %s", name, w, text)
			}
		}
		page, err := os.ReadFile(out.Page)
		if err != nil || c.not != "" && bytes.Contains(page, []byte(c.not)) {
			t.Errorf("%s: page with %q, %v", name, c.not, err)
		}
	}
	_, err := selfsame.RunRecipe(t.Context(), load(t, tiny, "data.source="+pictures(t, 1, false)), selfsame.Options{Dir: filepath.Join(t.TempDir(), "run"), CacheDir: t.TempDir()})
	var bad *dataset.Error
	if !errors.As(err, &bad) {
		t.Errorf("one picture: %v, want a dataset.Error", err)
	}
}

// TestViolatedContract: a digit that may be turned by any angle is another one. The line stops before
// training, names a safe range, and leaves a counter-example that replays and a page that shows it.
func TestViolatedContract(t *testing.T) {
	r := load(t, tiny, "views=[{rotate: {degrees: -180..180}}, vflip]", "data.limit=0", "encoder.width=8", "certify.labels=250", "certify.samples=144")
	dir := filepath.Join(t.TempDir(), "run")
	out, err := selfsame.RunRecipe(t.Context(), r, selfsame.Options{Dir: dir, CacheDir: shared.cache})
	if !errors.Is(err, selfsame.ErrViolated) || !strings.Contains(err.Error(), "rotate") || !strings.Contains(err.Error(), "safe would be degrees: -") {
		t.Fatalf("%v, want ErrViolated with the safe range of rotate", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "encoder.safetensors")); err == nil {
		t.Error("it was trained")
	}
	var cert certify.Certificate
	b, err := os.ReadFile(filepath.Join(dir, "certificate.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &cert); err != nil {
		t.Fatal(err)
	}
	d, err := all.Lookup("image")
	if err != nil {
		t.Fatal(err)
	}
	s, err := d.Open(t.Context(), r, domain.OpenOptions{CacheDir: shared.cache})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	views, err := s.Views()
	if err != nil {
		t.Fatal(err)
	}
	replayed := 0
	for _, f := range cert.Violations() {
		for _, x := range views.Transforms() {
			if x.Spec().Name != f.Transform {
				continue
			}
			a, c := domain.NewArray(s.Input(), 1), f.Counter
			if err := x.Fill(&a, 0, c.Part, c.Sample, c.Replay()); err != nil {
				t.Fatal(err)
			}
			var w bytes.Buffer
			if err := s.(domain.Renderer).Render(&w, &a, 0, 112); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(w.Bytes(), c.View) || bytes.Equal(c.View, c.Original) {
				t.Errorf("%s: the counter-example does not replay", f.Transform)
			}
			replayed++
		}
	}
	if replayed == 0 {
		t.Error("no counter-example")
	}
	page, err := os.ReadFile(out.Page)
	if err != nil || !bytes.Contains(page, []byte("data:image/png;base64,")) {
		t.Errorf("the page shows no counter-example: %v", err)
	}
	if c := out.Report.Certificates[0].Counter; c == nil || !bytes.Equal(c.View, cert.Findings[0].Counter.View) {
		t.Error("the report has another counter-example than the certificate")
	}
}

func TestGuards(t *testing.T) {
	for name, c := range map[string]struct {
		set  []string
		want error
	}{
		"a crop moves a protected region":  {[]string{"views=[crop]", "certify.regions=[{x0: 0, y0: 0, x1: 0.5, y1: 0.5}]"}, selfsame.ErrViolated},
		"a protected range is never drawn": {[]string{"views=[{rotate: [{degrees: -10..10}, {degrees: 10..180, contract: protected}]}]"}, nil},
	} {
		_, err := selfsame.RunRecipe(t.Context(), load(t, tiny, append(c.set, "certify.probe=off")...),
			selfsame.Options{Dir: filepath.Join(t.TempDir(), "run"), CacheDir: shared.cache, Until: selfsame.StageCertify})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func open(t testing.TB, cfg engine.Config) *selfsame.Model {
	t.Helper()
	m, err := selfsame.Open(finished(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	m.CacheDir = shared.cache
	return m
}

func embed(t testing.TB, m *selfsame.Model, path string) (names []string, rows [][]float32) {
	t.Helper()
	err := m.Embed(context.Background(), selfsame.Source{Path: path}, func(s selfsame.Sample) error {
		names = append(names, filepath.Base(s.Name))
		rows = append(rows, slices.Clone(s.Features))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names, rows
}

// TestEmbedFiles reads every format back.
func TestEmbedFiles(t *testing.T) {
	m := open(t, engine.Config{Kind: engine.Go})
	dir := pictures(t, 30, true)
	names, want := embed(t, m, dir)
	if len(want) != 30 || len(want[0]) != m.Dim() || m.Dim() != 8 {
		t.Fatalf("%d rows of %d features", len(want), m.Dim())
	}
	for _, ext := range []string{"csv", "npy", "parquet"} {
		path := filepath.Join(t.TempDir(), "features."+ext)
		if n, err := m.EmbedFile(t.Context(), selfsame.Source{Path: dir}, path); err != nil || n != 30 {
			t.Fatalf("%s: %d rows, %v", ext, n, err)
		}
		got := make([][]float32, 30)
		switch ext {
		case "csv":
			f, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			rows, err := csv.NewReader(f).ReadAll()
			f.Close()
			if err != nil || len(rows) != 31 || len(rows[0]) != 4+m.Dim() {
				t.Fatalf("%d rows, %v", len(rows), err)
			}
			for i, row := range rows[1:] {
				if row[0] != strconv.Itoa(i) || filepath.Base(row[1]) != names[i] || row[3] != filepath.Base(filepath.Dir(row[1])) {
					t.Fatalf("row %d: %q", i, row[:4])
				}
				for _, v := range row[4:] {
					x, err := strconv.ParseFloat(v, 32)
					if err != nil {
						t.Fatal(err)
					}
					got[i] = append(got[i], float32(x))
				}
			}
		case "npy":
			a, err := dataset.OpenArray(path)
			if err != nil {
				t.Fatal(err)
			}
			b, err := a.Next(30, nil)
			a.Close()
			if err != nil || !slices.Equal(a.Dims, []int{30, m.Dim()}) {
				t.Fatalf("shape %v, %v", a.Dims, err)
			}
			for i := range got {
				for j := range m.Dim() {
					got[i] = append(got[i], float32(a.Elem.At(b, i*m.Dim()+j)))
				}
			}
		case "parquet":
			type row struct {
				Index    int64     `parquet:"index"`
				Name     string    `parquet:"name"`
				Label    string    `parquet:"label"`
				Features []float32 `parquet:"features,list"`
			}
			rows, err := parquet.ReadFile[row](path)
			if err != nil || len(rows) != 30 {
				t.Fatalf("%d rows, %v", len(rows), err)
			}
			for i, r := range rows {
				if r.Index != int64(i) || filepath.Base(r.Name) != names[i] {
					t.Fatalf("row %d: %+v", i, r)
				}
				got[i] = r.Features
			}
		}
		for i := range got {
			if !slices.Equal(got[i], want[i]) {
				t.Fatalf("%s: row %d is %v, want %v", ext, i, got[i], want[i])
			}
		}
	}
	if _, err := m.EmbedFile(t.Context(), selfsame.Source{Path: dir}, "x.json"); err == nil {
		t.Error("an unknown ending is taken")
	}
	path := filepath.Join(t.TempDir(), "features.csv")
	if _, err := m.EmbedFile(t.Context(), selfsame.Source{Path: t.TempDir()}, path); err == nil || strings.Contains(err.Error(), path) {
		t.Errorf("an empty folder: %v, want an error that names the folder alone", err)
	}
}

// TestEmbedSources: the same pictures from a folder, single files, an IDX file and a .npy file have
// the same features; other sizes and colours are fitted.
func TestEmbedSources(t *testing.T) {
	m := open(t, engine.Config{Kind: engine.Go})
	px, _, err := dataset.Digits()
	if err != nil {
		t.Fatal(err)
	}
	const n = 5
	dir := pictures(t, n, false)
	names, want := embed(t, m, dir)
	idx := binary.BigEndian.AppendUint32([]byte{0, 0, 8, 3}, n)
	idx = append(idx, 0, 0, 0, 8, 0, 0, 0, 8)
	for _, v := range px[:n*64] {
		idx = append(idx, v*15)
	}
	array := filepath.Join(t.TempDir(), "images.idx")
	if err := os.WriteFile(array, idx, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, got := embed(t, m, array); !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("IDX: %v, want %v", got, want)
	}
	for i := range n {
		if _, got := embed(t, m, filepath.Join(dir, names[i])); len(got) != 1 || !slices.Equal(got[0], want[i]) {
			t.Errorf("single file %s: %v, want %v", names[i], got, want[i])
		}
	}
	big := t.TempDir() // each pixel as 3x3, in colour
	for i := range n {
		c := image.NewRGBA(image.Rect(0, 0, 24, 24))
		for y := range 24 {
			for x := range 24 {
				v := px[i*64+y/3*8+x/3] * 15
				c.Set(x, y, color.RGBA{v, v, v, 255})
			}
		}
		writePNG(t, filepath.Join(big, names[i]), c)
	}
	_, got := embed(t, m, big)
	if len(got) != n {
		t.Fatalf("%d rows of the large pictures", len(got))
	}
	for i := range got {
		var d, s float64
		for j, v := range got[i] {
			d += math.Pow(float64(v-want[i][j]), 2)
			s += math.Pow(float64(want[i][j]), 2)
		}
		if d > 0.05*s {
			t.Errorf("features of the enlarged picture %d are %.3f away", i, math.Sqrt(d/s))
		}
	}
}

func TestPredict(t *testing.T) {
	m := open(t, engine.Config{Kind: engine.Go})
	right, n := 0, 0
	err := m.Predict(t.Context(), selfsame.Source{Path: "digits"}, func(p selfsame.Prediction) error {
		var sum float64
		for _, v := range p.Probabilities {
			sum += v
		}
		if math.Abs(sum-1) > 1e-6 || len(p.Classes) != 10 {
			t.Fatalf("%d classes, probabilities sum to %g", len(p.Classes), sum)
		}
		if n++; p.Classes[p.Best] == p.Label {
			right++
		}
		return nil
	})
	if err != nil || n != 1797 || right < n/3 {
		t.Errorf("%d of %d right, %v", right, n, err)
	}
	var b bytes.Buffer
	if n, err := m.PredictCSV(t.Context(), selfsame.Source{Path: pictures(t, 4, false)}, &b, 3); err != nil || n != 4 {
		t.Fatalf("%d rows, %v", n, err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil || len(rows) != 5 || strings.Join(rows[0], ",") != "index,name,label,class,probability,class2,probability2,class3,probability3" {
		t.Errorf("%q, %v", rows, err)
	}
}

// TestEnginesAgreeOnFeatures: a model that was trained on one engine has the same features on every other.
func TestEnginesAgreeOnFeatures(t *testing.T) {
	_, want := embed(t, open(t, engine.Config{Kind: engine.Go}), "digits")
	enginetest.Each(t, func(t *testing.T, e *engine.Engine) {
		_, got := embed(t, open(t, engine.Config{Kind: e.Kind(), Precision: engine.FP32}), "digits")
		for i := range want {
			for j, v := range want[i] {
				if d := math.Abs(float64(got[i][j] - v)); d > 1e-4*max(1, math.Abs(float64(v))) {
					t.Fatalf("sample %d, feature %d: %g, want %g", i, j, got[i][j], v)
				}
			}
		}
	})
}
