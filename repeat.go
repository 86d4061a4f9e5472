package selfsame

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/selfsame-ml/selfsame/adapt"
	"github.com/selfsame-ml/selfsame/domain/all"
	"github.com/selfsame-ml/selfsame/metric"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/report"
	"github.com/selfsame-ml/selfsame/store"
)

// SplitSeeds is the distance of the seeds of two splits in a pooled score file: draw d of split k has seed
// k*SplitSeeds + d.
const SplitSeeds = 1000

// RepeatOptions of repeated runs.
type RepeatOptions struct {
	Options     // Dir is the directory of all splits; Until, Only do not apply
	Splits  int // runs, at least 2
	// Tell is told before each split; may be nil.
	Tell func(split, splits int, dir string)
}

// splitDir is the run directory of a split.
func splitDir(dir string, k int) string { return filepath.Join(dir, fmt.Sprintf("split-%d", k)) }

// Repeat runs the recipe once for each of opt.Splits seeds (the recipe's seed and those after it), each in its own run directory
// DIR/split-K: the data are split, the encoder is pretrained and the labels are drawn anew. It then pools what the runs
// measured: DIR/scores.csv (see [SplitSeeds]), DIR/report.json and DIR/report.html with means and 95 % t intervals
// over splits, and verdicts by the corrected resampled t test (metric.VerdictSplits). An interrupted call goes on
// where it stopped when it is repeated.
func Repeat(ctx context.Context, path string, opt RepeatOptions) (*Outcome, error) {
	if opt.Splits < 2 || opt.Splits > 1000 {
		return nil, fmt.Errorf("%w: %d splits, want 2 to 1000", ErrStage, opt.Splits)
	}
	r, err := recipe.Load(path, all.Specs, opt.Set...)
	if err != nil {
		return nil, err
	}
	if r.Adapt.Draws > SplitSeeds {
		return nil, fmt.Errorf("%w: adapt.draws is %d, want at most %d in repeated runs", ErrStage, r.Adapt.Draws, SplitSeeds)
	}
	if opt.Dir == "" {
		opt.Dir = filepath.Join("runs", cmp.Or(r.Name, "run")+"-repeat")
	}
	if _, err := os.Stat(filepath.Join(opt.Dir, store.RecipeFile)); err == nil {
		return nil, fmt.Errorf("%w: %s is a run directory; name another one for repeated runs", ErrStage, opt.Dir)
	}
	var results []*adapt.Result
	var reports []*report.Report
	seed := r.Seed
	for k := range opt.Splits {
		o := opt.Options
		o.Dir, o.Until, o.Only = splitDir(opt.Dir, k), "", ""
		r.Seed = seed + uint64(k)
		if opt.Tell != nil {
			opt.Tell(k, opt.Splits, o.Dir)
		}
		out, err := RunRecipe(ctx, r, o)
		if err != nil {
			return nil, fmt.Errorf("selfsame: split %d of %d (%s): %w", k+1, opt.Splits, o.Dir, err)
		}
		var a adapt.Result
		b, err := os.ReadFile(filepath.Join(o.Dir, adaptFile))
		if err == nil {
			err = json.Unmarshal(b, &a)
		}
		if err != nil {
			return nil, fmt.Errorf("selfsame: split %d: %w", k+1, err)
		}
		if a.Skipped != "" {
			return nil, fmt.Errorf("%w: split %d of %d has no scores: %s", ErrStage, k+1, opt.Splits, a.Skipped)
		}
		results, reports = append(results, &a), append(reports, out.Report)
	}
	r.Seed = seed
	rep, scores, err := pool(r, results, reports)
	if err != nil {
		return nil, err
	}
	rep.Created, rep.Command = time.Now().UTC(), opt.Command
	rep.Versions, rep.Machine = reports[0].Versions, reports[0].Machine
	rep.Versions.Go = runtime.Version()
	for _, one := range reports { // what the splits took, in whichever call
		for _, st := range one.Stages {
			rep.Seconds += st.Seconds
		}
	}
	resolved, err := recipe.Marshal(r)
	if err != nil {
		return nil, err
	}
	rep.Recipe = string(resolved)
	if err := store.SaveScores(filepath.Join(opt.Dir, store.ScoresFile), scores); err != nil {
		return nil, err
	}
	rep.Files = []report.File{{Path: store.ScoresFile, What: "every score; seed is 1000 times the split and the draw"}, {Path: "split-0/report.html", What: "the report of the first split; the others lie beside it"}, {Path: reportJSON, What: "every number of this page"}}
	if err := store.WriteFile(filepath.Join(opt.Dir, reportJSON), func(w io.Writer) error { return report.WriteJSON(w, rep) }); err != nil {
		return nil, err
	}
	page := filepath.Join(opt.Dir, reportHTML)
	if err := store.WriteFile(page, func(w io.Writer) error { return report.WriteHTML(w, rep) }); err != nil {
		return nil, err
	}
	return &Outcome{Dir: opt.Dir, Report: rep, Page: page}, nil
}

// pool makes one report of the runs of several splits.
func pool(r *recipe.Recipe, results []*adapt.Result, reports []*report.Report) (*report.Report, []store.Score, error) {
	first := reports[0]
	rep := &report.Report{Name: r.Name, Seed: r.Seed, Over: "splits", Data: first.Data, Contract: first.Contract, Metrics: first.Metrics,
		Skipped: []report.SkippedBy{
			{Section: report.SectionCertify, Reason: "see the report of each split"}, {Section: report.SectionPretrain, Reason: "see the report of each split"}, {Section: report.SectionAudit, Reason: "see the report of each split"},
		}}
	type cell struct {
		task, metric, method string
		budget               int
	}
	var cells []cell
	sums := map[cell][]float64{} // by split
	counts := map[cell][]float64{}
	var scores []store.Score
	budgets := budgetsOf(results)
	for k, a := range results {
		for _, s := range a.Scores {
			s.Budget = budgets(k, s.Budget)
			c := cell{s.Task, s.Metric, s.Method, s.Budget}
			if sums[c] == nil {
				cells = append(cells, c)
				sums[c], counts[c] = make([]float64, len(results)), make([]float64, len(results))
			}
			sums[c][k] += s.Value
			counts[c][k]++
			s.Seed += k * SplitSeeds
			scores = append(scores, s)
			rep.Scores = append(rep.Scores, report.Score{Method: s.Method, Task: s.Task, Metric: s.Metric, Budget: s.Budget, Seed: uint64(s.Seed), Value: report.Num(s.Value)})
		}
	}
	// One number a split: the mean over its draws.
	var each []report.Score
	bySplit := map[cell][]float64{}
	for _, c := range cells {
		for k := range results {
			if counts[c][k] > 0 {
				v := sums[c][k] / counts[c][k]
				bySplit[c] = append(bySplit[c], v)
				each = append(each, report.Score{Method: c.method, Task: c.task, Metric: c.metric, Budget: c.budget, Seed: uint64(k), Value: report.Num(v)})
			}
		}
	}
	rep.Summary = report.Summarise(each, 0.95)
	task, name := adapt.Task, adapt.FineTune
	if results[0].Primary != "" {
		task, name = results[0].Task, results[0].Primary
	}
	for _, a := range results[1:] {
		if a.Primary != results[0].Primary {
			return nil, nil, fmt.Errorf("selfsame: the splits are judged by %q and %q: their classes are not equally even", results[0].Primary, a.Primary)
		}
	}
	train, test := 0, 0
	for _, p := range first.Data.Parts {
		if p.Name == "test" {
			test += p.Samples
		} else {
			train += p.Samples
		}
	}
	shared := results[0].Test != ""
	for _, a := range results[1:] {
		shared = shared && a.Test == results[0].Test
	}
	judge := func(method, reference string, budget int) (metric.Judgement, bool, error) {
		x, y := bySplit[cell{task, name, method, budget}], bySplit[cell{task, name, reference, budget}]
		if len(x) != len(results) || len(y) != len(results) {
			return metric.Judgement{}, false, nil
		}
		j, err := metric.VerdictSplits(x, y, train, test, adapt.Alpha)
		return j, err == nil, err
	}
	var order []int
	for _, c := range cells {
		if c.task == task && c.metric == name {
			if !slices.Contains(order, c.budget) {
				order = append(order, c.budget)
			}
		}
	}
	slices.Sort(order)
	family := func(vs []report.Verdict, js []metric.Judgement) []report.Verdict {
		for i, j := range metric.Family(js) {
			v := report.NewVerdict(task, name, vs[i].Method, vs[i].Reference, vs[i].Budget, j)
			vs[i] = v
		}
		return vs
	}
	var vs []report.Verdict
	var js []metric.Judgement
	for _, b := range order {
		j, ok, err := judge(adapt.SSL, adapt.Scratch, b)
		if err != nil {
			return nil, nil, err
		}
		if ok {
			vs, js = append(vs, report.Verdict{Method: adapt.SSL, Reference: adapt.Scratch, Budget: b}), append(js, j)
		}
	}
	rep.Verdicts = family(vs, js)
	rep.Overall = overallVerdict(rep.Verdicts)
	// Against the classical method of the best mean, as each run does.
	avg := func(method string, budget int) (float64, bool) {
		v := bySplit[cell{task, name, method, budget}]
		var sum float64
		for _, x := range v {
			sum += x / float64(len(v))
		}
		return sum, len(v) == len(results)
	}
	vs, js = nil, nil
	if results[0].Primary != "" {
		var pretrained []string
		for _, x := range results[0].Against {
			if !slices.Contains(pretrained, x.Method) {
				pretrained = append(pretrained, x.Method)
			}
		}
		for _, b := range order {
			best, high := "", 0.0
			for _, m := range []string{adapt.Trees, adapt.LinearModel, adapt.RawKNN} {
				if v, ok := avg(m, b); ok && (best == "" || v > high) {
					best, high = m, v
				}
			}
			for _, m := range pretrained {
				j, ok, err := judge(m, best, b)
				if err != nil {
					return nil, nil, err
				}
				if ok {
					vs, js = append(vs, report.Verdict{Method: m, Reference: best, Budget: b}), append(js, j)
				}
			}
		}
		vs = family(vs, js)
		for _, b := range order {
			if a, ok := advise(task, name, b, vs, rep.Verdicts, avg); ok {
				rep.Advice = append(rep.Advice, a)
			}
		}
		rep.Verdicts = append(rep.Verdicts, vs...)
	}
	rep.Notes = append(rep.Notes, fmt.Sprintf("%d splits, seeds %d to %d: each has its own parts, pretraining and draws of labels. A spread is over splits, each being the mean of its draws; the test of the verdicts corrects for what splits share (factor 1/%d + %d/%d, Nadeau & Bengio 2003).",
		len(results), r.Seed, r.Seed+uint64(len(results)-1), len(results), test, train))
	if shared || r.Data.Time != "" || r.Data.Split == "tail" || r.Data.Test != "" {
		rep.Notes = append(rep.Notes, "All splits have one test part (the data are split by time, by place or by the source): intervals speak of other seeds and draws of labels, not of other test samples.")
	}
	for k, a := range results {
		for _, n := range a.Notes {
			rep.Notes = append(rep.Notes, fmt.Sprintf("Split %d: %s", k, n))
		}
	}
	return rep, scores, nil
}

// budgetsOf maps "all labels", whose number may differ from split to split, to that of the first split.
func budgetsOf(results []*adapt.Result) func(split, budget int) int {
	sorted := make([][]int, len(results))
	for k, a := range results {
		for _, s := range a.Scores {
			if !slices.Contains(sorted[k], s.Budget) {
				sorted[k] = append(sorted[k], s.Budget)
			}
		}
		slices.Sort(sorted[k])
	}
	return func(split, budget int) int {
		i := slices.Index(sorted[split], budget)
		if len(sorted[split]) == len(sorted[0]) {
			return sorted[0][i]
		}
		return budget
	}
}

// overallVerdict is the verdict of the smallest budget that says what all together say.
func overallVerdict(vs []report.Verdict) *report.Verdict {
	if len(vs) == 0 {
		return nil
	}
	has := func(word string) bool {
		return slices.ContainsFunc(vs, func(v report.Verdict) bool { return v.Verdict == word })
	}
	word := report.NoDifference
	switch pays, hurts := has(report.Pays), has(report.Hurts); {
	case pays && !hurts:
		word = report.Pays
	case hurts && !pays:
		word = report.Hurts
	}
	o := vs[0]
	if i := slices.IndexFunc(vs, func(v report.Verdict) bool { return v.Verdict == word }); i >= 0 {
		o = vs[i]
	}
	o.Text = overallText(vs)
	return &o
}

// advise is adapt.Advice from verdicts over splits.
func advise(task, name string, budget int, against, scratch []report.Verdict, avg func(string, int) (float64, bool)) (report.Advice, bool) {
	var lead *report.Verdict
	for i := range against {
		v := &against[i]
		if v.Budget != budget {
			continue
		}
		if a, b := v.Verdict == report.Pays, lead != nil && lead.Verdict == report.Pays; lead == nil || a != b && a || a == b && v.Difference > lead.Difference {
			lead = v
		}
	}
	if lead == nil {
		return report.Advice{}, false
	}
	x, _ := avg(lead.Method, budget)
	y, _ := avg(lead.Reference, budget)
	if lead.Verdict != report.Pays {
		return report.Advice{Task: task, Metric: name, Budget: budget, Use: lead.Reference, Score: report.Num(y), Against: lead.Method, Other: report.Num(x), Classical: true, Shown: lead.Verdict == report.Hurts}, true
	}
	a := report.Advice{Task: task, Metric: name, Budget: budget, Use: lead.Method, Score: report.Num(x), Against: lead.Reference, Other: report.Num(y), Shown: true}
	for _, v := range scratch {
		a.Pays = a.Pays || v.Budget == budget && v.Verdict == report.Pays
	}
	return a, true
}
