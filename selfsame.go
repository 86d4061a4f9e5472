package selfsame

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/selfsame-ml/selfsame/adapt"
	"github.com/selfsame-ml/selfsame/audit"
	"github.com/selfsame-ml/selfsame/certify"
	"github.com/selfsame-ml/selfsame/dataset"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/domain/all"
	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/pretrain"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/report"
	"github.com/selfsame-ml/selfsame/store"
	"github.com/selfsame-ml/selfsame/train"
)

// The stages, in their order.
const (
	StageData     = "data"
	StageViews    = "views"
	StageCertify  = "certify"
	StagePretrain = "pretrain"
	StageAudit    = "audit"
	StageAdapt    = "adapt"
	StageReport   = "report"
)

// Stages lists the stages in their order.
var Stages = []string{StageData, StageViews, StageCertify, StagePretrain, StageAudit, StageAdapt, StageReport}

// Files of a run directory beside those that package store names.
const (
	sheetFile       = "views/sheet.html"
	dataFile        = "data.json"
	certificateFile = "certificate.json"
	encoderFile     = "encoder.safetensors"
	cardFile        = "encoder.json"
	pretrainFile    = "pretrain.safetensors"
	auditFile       = "audit.json"
	adaptFile       = "adapt.json"
	headFile        = "head.safetensors"
	reportHTML      = "report.html"
	reportJSON      = "report.json"
)

// Errors that callers branch on. Errors of the data are *dataset.Error values.
var (
	// ErrViolated: certify broke a contract; the certificate in the run directory holds the proof.
	ErrViolated = certify.ErrViolated
	// ErrInterrupted: the context ended; the next Run on the directory goes on.
	ErrInterrupted = pretrain.ErrInterrupted
	// ErrStage: a stage is asked for that does not exist, or whose earlier stages are missing.
	ErrStage = errors.New("selfsame: bad stage")
)

// Options of a run. The zero value runs everything in runs/NAME.
type Options struct {
	Dir      string            // run directory; "" is runs/NAME of the recipe
	Set      []string          // "key=value" overrides of the recipe
	Until    string            // last stage to run; "" is all
	Only     string            // the one stage to run
	Force    bool              // run stages again although they are finished
	CacheDir string            // of data sets and decoded shards; "" is the user's cache
	Command  string            // how to repeat the run, for the report
	Event    func(store.Event) // told each line of events.jsonl as it is written; may be nil
}

// Outcome is what a run leaves.
type Outcome struct {
	Dir    string         // run directory
	Report *report.Report // nil where the report stage did not run
	Page   string         // path of report.html
}

// Run runs the recipe in the file at path; path may be "" where Options.Dir already holds one.
// Finished stages are skipped, an interrupted one goes on from its newest checkpoint.
func Run(ctx context.Context, path string, opt Options) (*Outcome, error) {
	if path == "" {
		if opt.Dir == "" {
			return nil, fmt.Errorf("%w: neither a recipe nor a run directory is given", ErrStage)
		}
		path = filepath.Join(opt.Dir, store.RecipeFile)
	}
	r, err := recipe.Load(path, all.Specs, opt.Set...)
	if err != nil {
		return nil, err
	}
	return RunRecipe(ctx, r, opt)
}

// RunRecipe is Run for a recipe that is already loaded.
func RunRecipe(ctx context.Context, r *recipe.Recipe, opt Options) (*Outcome, error) {
	for _, s := range []string{opt.Until, opt.Only} {
		if s != "" && !slices.Contains(Stages, s) {
			return nil, fmt.Errorf("%w: %q is not one of %s", ErrStage, s, strings.Join(Stages, ", "))
		}
	}
	if opt.Dir == "" {
		name := r.Name
		if name == "" {
			name = "run"
		}
		opt.Dir = filepath.Join("runs", name)
	}
	dir, err := store.Open(opt.Dir)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	if opt.Event != nil {
		dir.Events().Tell(opt.Event)
	}
	l := &line{ctx: ctx, r: r, opt: opt, dir: dir, now: time.Now}
	defer l.close()
	out, err := l.run()
	if err == nil {
		err = dir.Events().Sync()
	}
	return out, err
}

// line is one run of the straight line.
type line struct {
	ctx      context.Context
	r        *recipe.Recipe
	opt      Options
	dir      *store.RunDir
	now      func() time.Time
	samples  domain.Samples
	engine   *engine.Engine
	inputs   map[string]string // by stage: hash of the data and of the sections of the recipe that it depends on
	eventErr error
}

func (l *line) close() {
	if l.samples != nil {
		l.samples.Close()
	}
	if l.engine != nil {
		l.engine.Close()
	}
}

// event writes a line of the log; the first error is kept and ends the run at the next stage.
func (l *line) event(stage, kind string, data map[string]any) {
	if err := l.dir.Events().Add(stage, kind, data); err != nil && l.eventErr == nil {
		l.eventErr = err
	}
}

func (l *line) text(stage, kind, format string, args ...any) {
	l.event(stage, kind, map[string]any{"text": fmt.Sprintf(format, args...)})
}

// fields turns a struct with JSON tags into the data of an event.
func fields(v any) map[string]any {
	b, err := json.Marshal(v)
	out := map[string]any{}
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	if err != nil {
		out["text"] = err.Error()
	}
	return out
}

func (l *line) run() (*Outcome, error) {
	resolved, err := recipe.Marshal(l.r)
	if err != nil {
		return nil, err
	}
	out := &Outcome{Dir: l.dir.Path()}
	if err := l.openData(); err != nil {
		return out, err
	}
	l.key()
	// Before anything is written: a directory that holds a network trained by another recipe or on
	// other data is refused. Cheaper stages whose inputs have changed simply run again.
	var changed []string
	for _, s := range Stages {
		_, err := l.dir.Done(s, l.inputs[s])
		if err != nil && (!errors.Is(err, store.ErrChanged) || s == StagePretrain && !l.opt.Force) {
			return out, err
		}
		if err != nil {
			changed = append(changed, s)
		}
	}
	for _, s := range changed {
		if err := l.dir.Forget(s); err != nil {
			return out, err
		}
	}
	if err := store.WriteBytes(l.dir.File(store.RecipeFile), resolved); err != nil {
		return out, err
	}
	if err := l.describeData(); err != nil {
		return out, err
	}
	steps := map[string]func() ([]string, error){
		StageViews: l.views, StageCertify: l.certify, StagePretrain: l.pretrain,
		StageAudit: l.audit, StageAdapt: l.adapt, StageReport: func() ([]string, error) { return l.report(out) },
	}
	if l.opt.Until == StageData || l.opt.Only == StageData {
		return out, l.eventErr
	}
	for _, s := range Stages[1:] {
		if l.opt.Only != "" && s != l.opt.Only {
			if slices.Index(Stages, s) < slices.Index(Stages, l.opt.Only) && s != StageViews {
				if done, err := l.dir.Done(s, l.inputs[s]); err != nil {
					return out, err
				} else if !done {
					return out, fmt.Errorf("%w: %s needs %s to be finished in %s; run: selfsame run", ErrStage, l.opt.Only, s, l.dir.Path())
				}
			}
			continue
		}
		if err := l.stage(s, steps[s]); err != nil {
			if errors.Is(err, ErrViolated) && l.opt.Only == "" && l.opt.Until == "" { // the page shows the counter-example
				if _, rerr := l.report(out); rerr != nil {
					return out, errors.Join(err, rerr)
				}
				l.text(StageReport, "note", "%s shows the counter-example", out.Page)
			}
			return out, err
		}
		if s == l.opt.Until {
			break
		}
	}
	return out, l.eventErr
}

// key hashes what each stage depends on, so that a change of adapt.draws does not train anew.
func (l *line) key() {
	views := []string{"domain", "seed", "data", "views"}
	trained := append(slices.Clone(views), "encoder", "objective", "train", "engine")
	sections := map[string][]string{
		StageData: {"domain", "seed", "data"}, StageViews: views,
		StageCertify:  append(slices.Clone(views), "encoder", "engine", "certify"),
		StagePretrain: trained, StageAudit: append(slices.Clone(trained), "audit"),
		StageAdapt: append(slices.Clone(trained), "adapt"), StageReport: nil,
	}
	l.inputs = map[string]string{}
	for s, names := range sections {
		sum := sha256.Sum256([]byte(l.samples.Hash() + l.r.Hash(names...)))
		l.inputs[s] = hex.EncodeToString(sum[:])
	}
}

// stage runs one stage unless it is finished, and marks it.
func (l *line) stage(name string, run func() ([]string, error)) error {
	if err := l.ctx.Err(); err != nil {
		return fmt.Errorf("%w before stage %s", ErrInterrupted, name)
	}
	done, err := l.dir.Done(name, l.inputs[name])
	if err != nil {
		return err
	}
	if done && !l.opt.Force && name != StageReport { // the report is cheap and always fresh
		l.text(name, "skip", "finished before")
		return nil
	}
	if name == StagePretrain && l.opt.Force && (done || l.foreign()) {
		for _, name := range []string{store.Checkpoints, armsFolder} {
			if err := os.RemoveAll(l.dir.File(name)); err != nil {
				return fmt.Errorf("selfsame: %w", err)
			}
		}
	}
	start := l.now()
	l.event(name, "start", nil)
	files, err := run()
	if err != nil {
		if l.ctx.Err() != nil && !errors.Is(err, ErrInterrupted) {
			if !errors.Is(err, context.Canceled) { // else the place in the code tells nobody anything
				err = fmt.Errorf("%w in stage %s: %w", ErrInterrupted, name, err)
			} else {
				err = fmt.Errorf("%w in stage %s", ErrInterrupted, name)
			}
		}
		l.text(name, "error", "%v", err)
		return err
	}
	if err := l.dir.Finish(name, l.inputs[name], files...); err != nil {
		return err
	}
	l.event(name, "end", map[string]any{"seconds": l.now().Sub(start).Seconds()})
	return l.eventErr
}

// foreign reports whether the newest checkpoint is of another recipe or of other data.
func (l *line) foreign() bool {
	_, err := (&checkpoints{dir: l.dir, inputs: l.inputs[StagePretrain]}).Latest()
	return errors.Is(err, store.ErrChanged)
}

// progress is a throttled progress callback of a stage.
func (l *line) progress(stage, unit string) func(text string, done, total int) {
	var last time.Time
	return func(text string, done, total int) {
		if now := l.now(); now.Sub(last) > 200*time.Millisecond || done == total {
			last = now
			l.event(stage, "progress", map[string]any{"text": text, "done": done, "total": total, "unit": unit})
		}
	}
}

func (l *line) openData() error {
	d, err := all.Lookup(l.r.Domain)
	if err != nil {
		return err
	}
	l.samples, err = d.Open(l.ctx, l.r, domain.OpenOptions{
		CacheDir: l.opt.CacheDir,
		Progress: l.progress(StageData, "samples"),
		Warn:     func(format string, args ...any) { l.text(StageData, "warning", format, args...) },
	})
	if err != nil {
		if l.ctx.Err() != nil {
			return fmt.Errorf("%w while reading data: %w", ErrInterrupted, err)
		}
		return err
	}
	if n := l.samples.Len(domain.Train); n < 2 {
		return &dataset.Error{Path: l.r.Data.Source, Err: fmt.Errorf("%d training sample, want at least 2", n), Hint: "the test and validation parts (data.test_share, data.val) have taken the others, if there are any"}
	}
	return nil
}

// describeData writes what was read, and says so.
func (l *line) describeData() error {
	s := l.samples
	desc := report.Data{Source: l.r.Data.Source, Domain: l.r.Domain, Shape: s.Input().Dims, Hash: s.Hash()}
	classes := make([]report.Class, len(s.Classes()))
	for i, c := range s.Classes() {
		classes[i].Name = c
	}
	var parts []string
	for p, name := range []string{"train", "val", "test"} {
		n := s.Len(domain.Part(p))
		part := report.Part{Name: name, Samples: n}
		for _, c := range s.Labels(domain.Part(p)) {
			if c < 0 || int(c) >= len(classes) {
				continue
			}
			part.Labelled++
			switch domain.Part(p) {
			case domain.Train:
				classes[c].Train++
			case domain.Val:
				classes[c].Val++
			case domain.Test:
				classes[c].Test++
			}
		}
		if t, ok := s.(domain.Targeter); ok {
			for _, v := range t.Values(domain.Part(p)) {
				if !math.IsNaN(v) {
					part.Labelled++
				}
			}
		}
		desc.Parts = append(desc.Parts, part)
		parts = append(parts, fmt.Sprintf("%d %s", n, name))
	}
	desc.Classes = classes
	if d, ok := s.(domain.Describer); ok {
		about := d.Describe()
		desc.Licence, desc.SkippedCount = about.Licence, about.Skipped
		for _, f := range about.SkippedFiles {
			desc.SkippedFiles = append(desc.SkippedFiles, report.BadFile{File: f[0], Reason: f[1]})
		}
		for _, x := range about.Duplicates {
			desc.Duplicates = append(desc.Duplicates, report.Duplicate{A: x.A, B: x.B, Count: x.Count})
		}
		desc.Warnings = about.Warnings
	}
	if err := l.dir.WriteJSON(dataFile, desc); err != nil {
		return err
	}
	l.text(StageData, "note", "%s: %s, %v, %d classes", desc.Source, strings.Join(parts, ", "), desc.Shape, len(classes))
	return nil
}

// openEngine opens the engine once it is needed.
func (l *line) openEngine() (*engine.Engine, error) {
	if l.engine != nil {
		return l.engine, nil
	}
	e, err := engine.Open(engine.Config{Kind: l.r.Engine.Kind, Plugin: l.r.Engine.Plugin, Precision: l.r.Engine.Precision, Threads: l.r.Engine.Threads})
	if err != nil {
		return nil, err
	}
	l.engine = e
	text := fmt.Sprintf("engine %s, %d threads", e, e.Threads())
	if e.Flags() != "" {
		text += ", XLA flags " + e.Flags()
	}
	if e.Why() != "" {
		text += "; not xla: " + strings.TrimPrefix(e.Why(), "xla: ")
	}
	l.event("engine", "note", map[string]any{"text": text, "engine": e.String(), "plugin": e.Plugin(), "flags": e.Flags(), "why": e.Why()})
	return e, nil
}

func (l *line) views() ([]string, error) {
	s, ok := l.samples.(domain.Sheeter)
	if !ok {
		return nil, nil
	}
	return []string{sheetFile}, l.dir.Write(sheetFile, writeSheet(s, l.r.Name, 4, l.r.Seed))
}

func (l *line) certify() ([]string, error) {
	if err := pretrain.Check(l.r, l.samples); err != nil { // before anything is computed for nothing
		return nil, err
	}
	e, err := l.openEngine()
	if err != nil {
		return nil, err
	}
	cert, err := certify.Run(l.ctx, certify.Config{Recipe: l.r, Engine: e, Samples: l.samples, Progress: l.progress(StageCertify, "transformations")})
	if err != nil {
		return nil, err
	}
	if err := l.dir.WriteJSON(certificateFile, cert); err != nil {
		return nil, err
	}
	for _, f := range cert.Findings {
		kind := "note"
		if f.Outcome != certify.Kept {
			kind = "warning"
		}
		l.text(StageCertify, kind, "%s: %s: %s", f.Title(), f.Outcome, f.Why)
	}
	if cert.Probe.Skipped != "" {
		l.text(StageCertify, "note", "no label-preservation probe: %s", cert.Probe.Skipped)
	}
	return []string{certificateFile}, cert.Err()
}

func (l *line) pretrain() ([]string, error) {
	e, err := l.openEngine()
	if err != nil {
		return nil, err
	}
	before, n0 := e.CompileTime()
	res, err := pretrain.Run(l.ctx, pretrain.Config{
		Recipe: l.r, Engine: e, Samples: l.samples,
		Checkpoints: &checkpoints{dir: l.dir, keep: max(1, l.r.Train.Keep), inputs: l.inputs[StagePretrain]},
		Event: func(v any) {
			switch v := v.(type) {
			case pretrain.Compiled:
				d := fields(v)
				d["text"] = fmt.Sprintf("%d trained parameters, %d steps; compiling took %.1f s", v.Parameters, v.Steps, v.Seconds)
				l.event(StagePretrain, "compiled", d)
			case pretrain.Resumed:
				l.event(StagePretrain, "resumed", map[string]any{"step_from": v.Step, "text": fmt.Sprintf("going on from the checkpoint of step %d", v.Step)})
			case pretrain.Progress:
				l.event(StagePretrain, "progress", fields(v))
			case pretrain.Health:
				kind := "health"
				d := fields(v)
				d["text"] = fmt.Sprintf("epoch %.1f: %s: %s%s", v.Epoch, v.Verdict, v.Why, knnText(v.KNN))
				l.event(StagePretrain, kind, d)
				if v.Verdict == pretrain.Collapsed {
					l.text(StagePretrain, "warning", "the encoder has collapsed at step %d: %s", v.Step, v.Why)
				}
			case pretrain.Saved:
				l.event(StagePretrain, "saved", map[string]any{"checkpoint": v.Step})
			}
		},
	})
	if err != nil {
		return nil, err
	}
	after, n1 := e.CompileTime()
	l.text(StagePretrain, "note", "%d graphs compiled in %.1f s", n1-n0, (after - before).Seconds())
	files := []string{pretrainFile, encoderFile, cardFile}
	if err := l.saveModel(res); err != nil {
		return nil, err
	}
	arms, err := l.trainArms(e)
	return append(files, arms...), err
}

func knnText(v *float64) string {
	if v == nil {
		return ""
	}
	return fmt.Sprintf(", kNN %.3f", *v)
}

// trained is the engine and the weights that pretraining left.
func (l *line) trained() (*engine.Engine, map[string]train.Value, error) {
	e, err := l.openEngine()
	if err != nil {
		return nil, nil, err
	}
	w, err := loadWeights(l.dir.File(pretrainFile))
	return e, w, err
}

func (l *line) audit() ([]string, error) {
	e, w, err := l.trained()
	if err != nil {
		return nil, err
	}
	res, err := audit.Run(l.ctx, audit.Config{Recipe: l.r, Engine: e, Samples: l.samples, Weights: w, Progress: l.progress(StageAudit, "transformations")})
	if err != nil {
		return nil, err
	}
	if err := l.dir.WriteJSON(auditFile, res); err != nil {
		return nil, err
	}
	if bad := res.Failed(); bad != nil {
		return nil, fmt.Errorf("selfsame: the evaluation failed its own check %q: %s", bad[0].Name, bad[0].Text)
	}
	if res.Skipped != "" {
		l.text(StageAudit, "warning", "%s", res.Skipped)
	}
	for _, r := range res.Rows {
		l.text(StageAudit, "note", "%s %s: %s %.3f: %s", r.Transform, r.Term.Kind, r.Measure, r.Value, r.Outcome)
	}
	more, err := l.calibrate()
	if err != nil {
		return nil, err
	}
	return append([]string{auditFile}, more...), nil
}

func (l *line) adapt() ([]string, error) {
	e, w, err := l.trained()
	if err != nil {
		return nil, err
	}
	arms, err := l.arms()
	if err != nil {
		return nil, err
	}
	res, err := adapt.Run(l.ctx, adapt.Config{Recipe: l.r, Engine: e, Samples: l.samples, Weights: w, Arms: arms, Progress: l.progress(StageAdapt, "measurements")})
	if err != nil {
		return nil, err
	}
	if res.Skipped != "" {
		l.text(StageAdapt, "warning", "%s", res.Skipped)
	}
	files := []string{adaptFile, store.ScoresFile}
	if err := l.dir.WriteJSON(adaptFile, res); err != nil {
		return nil, err
	}
	if err := store.SaveScores(l.dir.File(store.ScoresFile), res.Scores); err != nil {
		return nil, err
	}
	if res.Head != nil {
		if err := saveHead(l.dir.File(headFile), res.Head); err != nil {
			return nil, err
		}
		files = append(files, headFile)
	}
	return files, nil
}

// Version is the version of selfsame in this program, from its build information.
func Version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		if strings.HasSuffix(info.Main.Path, "/selfsame") && info.Main.Version != "" && info.Main.Version != "(devel)" {
			return info.Main.Version
		}
		for _, d := range info.Deps {
			if d.Path == "github.com/selfsame-ml/selfsame" {
				return d.Version
			}
		}
	}
	return "devel"
}
