package recipe

import (
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/internal/dsn"
	"github.com/selfsame-ml/selfsame/view"
)

var indices = regexp.MustCompile(`\[\d+\]`)

// Validate reports everything in the recipe that is outside its limits or that does
// not make sense together, as [Errors]. Load and Parse have called it already; what
// views a domain knows is checked there.
func (r *Recipe) Validate() error {
	var es Errors
	add := func(path, hint, format string, args ...any) {
		es = append(es, &Error{Path: path, Hint: hint, Msg: fmt.Sprintf(format, args...)})
	}
	limits(reflect.ValueOf(r).Elem(), "", add)
	for _, source := range [][2]string{{"data.source", r.Data.Source}, {"data.test", r.Data.Test}} {
		if dsn.HasSecret(source[1]) {
			add(source[0], "remove it; give it as PGPASSWORD, in ~/.pgpass, or in a service file (service=NAME)", "holds a password, which would be written to the run directory")
		}
	}
	r.cross(add)
	return es.err()
}

// otherNames are words of other tools for what has another name here.
var otherNames = map[string]string{
	"simclr": "ntxent", "nt-xent": "ntxent", "infonce": "ntxent", "barlowtwins": "barlow", "barlow_twins": "barlow",
	"adam": "adamw", "float32": "fp32", "float": "fp32", "bfloat16": "bf16", "fp16": "bf16", "cpu": "go", "gpu": "xla", "cuda": "xla", "cnn": "resnet",
}

type adder func(path, hint, format string, args ...any)

// limits checks every field against the table of fields.
func limits(v reflect.Value, path string, add adder) {
	switch v.Kind() {
	case reflect.Struct:
		for i, k := range keysOf(v.Type()) {
			if p := join(path, k); p != "views.transforms" && p != "columns" {
				limits(v.Field(i), p, add)
			}
		}
		return
	case reflect.Slice:
		for i := range v.Len() {
			limits(v.Index(i), fmt.Sprintf("%s[%d]", path, i), add)
		}
		return
	}
	f := fields[indices.ReplaceAllString(path, "")]
	within := func(x float64, path string) {
		switch {
		case math.IsNaN(x) || math.IsInf(x, 0):
			add(path, "", "%g is not a finite number", x)
		case f.over && x <= f.min:
			add(path, "", "%s must be above %s (at most %s)", num(x), num(f.min), num(f.max))
		case x < f.min:
			add(path, "", "%s is below the limit %s (%s..%s)", num(x), num(f.min), num(f.min), num(f.max))
		case x > f.max:
			add(path, "", "%s is above the limit %s (%s..%s)", num(x), num(f.max), num(f.min), num(f.max))
		}
	}
	switch v.Kind() {
	case reflect.Int:
		within(float64(v.Int()), path)
	case reflect.Float64:
		within(v.Float(), path)
	case reflect.Map:
		for _, k := range sortedKeys(v.Interface().(map[string]float64)) {
			within(v.MapIndex(reflect.ValueOf(k)).Float(), join(path, k))
		}
	case reflect.String:
		if f.enum == nil {
			return
		}
		for _, w := range f.enum {
			if w == v.String() {
				return
			}
		}
		hint := "known: " + strings.Join(f.enum, ", ")
		k := nearest(v.String(), f.enum)
		if other := otherNames[strings.ToLower(v.String())]; slices.Contains(f.enum, other) {
			k = other
		}
		if k != "" {
			hint = fmt.Sprintf("did you mean %s? known: %s", k, strings.Join(f.enum, ", "))
		}
		add(path, hint, "%q is not known", clip(v.String()))
	}
}

// cross checks what only makes sense together.
func (r *Recipe) cross(add adder) {
	if r.Domain == "" {
		add("domain", "write domain: image", "is empty")
	}
	if r.Data.Source == "" {
		add("data.source", "name a folder, a file or a data set of the catalogue", "is missing: no data to learn from")
	}
	if v := r.Data.Val; v >= 1 && v != math.Trunc(v) {
		add("data.val", "", "%s is neither a count nor a fraction below 1", num(v))
	}
	if r.Data.Val < 1 && r.Data.TestShare < 1 && r.Data.Val+r.Data.TestShare >= 1 {
		add("data.val", "", "validation %s and test share %s leave nothing to train on", num(r.Data.Val), num(r.Data.TestShare))
	}
	if r.Data.TestLabels != "" && r.Data.Test == "" {
		add("data.test_labels", "set data.test too", "labels of a test part that is not named")
	}

	task := r.Data.Task == TaskReads || r.Data.Task == TaskGenomes
	if dna := r.Domain == DomainDNA; dna && !task {
		add("data.task", "write task: reads or task: genomes", "is %q: the tasks of domain dna are reads and genomes", r.Data.Task)
	} else if !dna && task {
		add("data.task", "write domain: dna", "%s is a task of domain dna, not of %s", r.Data.Task, r.Domain)
	}
	if k := r.Encoder.Kind; r.Domain == DomainDNA {
		if kinds := kindsOf(r.Data.Task); task && !slices.Contains(kinds, k) && slices.Contains(fields["encoder.kind"].enum, k) {
			add("encoder.kind", "write kind: "+kinds[0], "%s does not take %s", k, r.Data.Task)
		}
	} else if k == EncoderPileup || k == EncoderConvLM || k == EncoderGRU {
		add("encoder.kind", "write domain: dna", "%s takes DNA, which only domain dna has", k)
	}
	if len(r.Data.HoldOut) > 0 && r.Data.Task != TaskGenomes {
		add("data.hold_out", "write task: genomes", "names held-out species, which only task genomes has")
	}

	invariant := false
	names := []string{"views"}
	if len(r.AllTransforms()) == 0 {
		add("views", "declare what may change, e.g. - crop: {scale: 0.3..1}", "no transformation is declared")
	}
	one := func(c view.Config, p string) {
		if c.P < 0 || c.P > 1 || math.IsNaN(c.P) {
			add(p+".p", "", "%s is not a probability in 0..1", num(c.P))
		}
		if err := c.Terms.Validate(); err != nil {
			add(p, "", "%s", strings.TrimPrefix(err.Error(), "contract: "))
		}
		for _, k := range sortedKeys(c.Params) {
			if err := c.Params[k].Validate(); err != nil {
				add(p+"."+k, "", "%s", strings.TrimPrefix(err.Error(), "contract: "))
			}
		}
		invariant = invariant || c.Terms.Has(contract.Invariant)
		names = append(names, c.Name)
	}
	for _, c := range r.Columns {
		for _, t := range c.Transforms {
			one(t, join(columnPath(c.Name), strings.TrimPrefix(t.Name, c.Name+".")))
		}
	}
	for i, c := range r.Views.Transforms {
		one(c, fmt.Sprintf("views[%d].%s", i, c.Name))
	}
	r.crossColumns(add)
	if invariant && r.Views.Count < 2 {
		add("views.count", "", "%d view of a sample: an invariant contract compares at least 2", r.Views.Count)
	}
	if r.Views.Locals > 0 && r.Views.LocalSize < 4 {
		add("views.local_size", "", "%d pixels, but locals is %d: want at least 4", r.Views.LocalSize, r.Views.Locals)
	}
	if r.Views.LocalFrom > r.Views.LocalTo {
		add("views.local_from", "", "%s is above local_to %s", num(r.Views.LocalFrom), num(r.Views.LocalTo))
	}

	if e := r.Encoder; (e.Kind == "vit" || e.Kind == "transformer" && e.Token == 0) && e.Heads > 0 && e.Width%e.Heads != 0 {
		add("encoder.width", "", "%d is not a multiple of heads %d", e.Width, e.Heads)
	}
	if e := r.Encoder; e.Kind == "transformer" && e.Token > 0 && e.Heads > 0 && e.Token%e.Heads != 0 {
		add("encoder.token", "", "%d is not a multiple of heads %d", e.Token, e.Heads)
	}
	if e, s := r.Encoder, r.Data.Size; e.Kind == "vit" && s > 0 && e.Patch > 0 && s%e.Patch != 0 {
		add("encoder.patch", "", "data.size %d is not a multiple of patch %d", s, e.Patch)
	}
	if e, s := r.Encoder, r.Data.Size; e.Kind == "resnet" && s > 0 && e.Stages > 0 && s>>(e.Stages-1) < 1 {
		add("encoder.stages", "", "%d stages halve %d pixels to nothing", e.Stages, s)
	}

	o := r.Objective
	for _, k := range sortedKeys(o.Weights) {
		known := false
		for _, n := range names {
			known = known || n == k
		}
		if !known {
			add("objective.weights."+k, suggest(k, names), "no stream of this name")
		}
	}
	if o.Kind == "sum" && len(o.Weights) == 0 {
		add("objective.weights", "name the streams that are summed, e.g. {views: 1}", "is empty, but kind is sum")
	}
	if o.Invariant == "moco" && r.Train.Batch > 0 && (o.Queue < r.Train.Batch || o.Queue%r.Train.Batch != 0) {
		add("objective.queue", "", "%d is not a positive multiple of train.batch %d", o.Queue, r.Train.Batch)
	}
	if o.Momentum == 1 && (o.Invariant == "byol" || o.Invariant == "moco") {
		add("objective.momentum", "", "1 would never move the teacher of %s", o.Invariant)
	}
	if o.Invariant == "moco" && r.Train.Accumulate > 1 {
		add("train.accumulate", "", "%d micro-batches: moco takes whole batches into its queue, want 1", r.Train.Accumulate)
	}

	t := r.Train
	if t.Accumulate > 0 && t.Batch%t.Accumulate != 0 {
		add("train.batch", "", "%d is not a multiple of accumulate %d", t.Batch, t.Accumulate)
	} else if t.Accumulate > 1 && t.Batch/t.Accumulate < 2 {
		add("train.accumulate", "", "micro-batches of %d sample: want at least 2", t.Batch/t.Accumulate)
	}
	if t.WarmupEpochs > float64(t.Epochs) {
		add("train.warmup_epochs", "", "%s is above epochs %d", num(t.WarmupEpochs), t.Epochs)
	}
	if t.Momentum == 1 {
		add("train.momentum", "", "1 would never forget a gradient: want below 1")
	}
	if t.Beta2 == 1 {
		add("train.beta2", "", "1 would never forget a gradient: want below 1")
	}

	for i, g := range r.Certify.Regions {
		if g.X0 >= g.X1 || g.Y0 >= g.Y1 {
			add(fmt.Sprintf("certify.regions[%d]", i), "", "the rectangle %s,%s to %s,%s is empty", num(g.X0), num(g.Y0), num(g.X1), num(g.Y1))
		}
	}

	if len(r.Adapt.Budgets) == 0 {
		add("adapt.budgets", "write [0] for all labels only", "is empty")
	}
	for i, b := range r.Adapt.Budgets {
		p := fmt.Sprintf("adapt.budgets[%d]", i)
		switch {
		case b == 0 && i != len(r.Adapt.Budgets)-1:
			add(p, "", "0 (all labels) must come last")
		case b == 1:
			add(p, "", "1 label cannot be split into training and validation: want at least 2")
		case i > 0 && b != 0 && b <= r.Adapt.Budgets[i-1]:
			add(p, "", "%d after %d: budgets must ascend", b, r.Adapt.Budgets[i-1])
		}
	}
}
