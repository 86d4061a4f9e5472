// Package report writes what a run found: one offline HTML page, one JSON file
// that holds every number of the page, and a closing summary for the terminal.
//
// Most users need [WriteHTML] and [WriteJSON] on a [Report] that the stages
// filled in, and [Text] for the terminal. The page needs no network, no
// JavaScript and no other file.
//
// # Stability
//
// Fields may be added to the JSON; none changes its meaning while [Format]
// stays the same. Numbers that are not finite are the strings "NaN",
// "Infinity" and "-Infinity".
package report

import "time"

// Format is the version of the JSON layout.
const Format = 1

// Report is everything that the page says. A section that was not run stays
// empty; Skipped then says why.
type Report struct {
	Format   int         `json:"format"`            // see [Format]; set by [WriteJSON]
	Name     string      `json:"name"`              // of the run, from the recipe
	Created  time.Time   `json:"created"`           // when the report was made
	Seconds  Num         `json:"seconds"`           // of the whole run; the sum of Stages if left 0
	Stages   []Stage     `json:"stages,omitempty"`  // in the order in which they ran
	Command  string      `json:"command"`           // repeats the run
	Recipe   string      `json:"recipe"`            // resolved YAML, every default written out
	Versions Versions    `json:"versions"`          // of the software
	Machine  Machine     `json:"machine"`           // on which it ran
	Seed     uint64      `json:"seed"`              // decides everything
	Data     Data        `json:"data"`              // what was read
	Contract []Promise   `json:"contract"`          // what was promised
	Metrics  []Metric    `json:"metrics,omitempty"` // how to name and read the metrics of Scores
	Skipped  []SkippedBy `json:"skipped,omitempty"` // sections left out, with the reason

	Certificates []Certificate `json:"certificates"`       // what was found before training
	Curves       []CurvePoint  `json:"curves"`             // training
	Health       Health        `json:"health"`             // collapse watch
	Audit        Audit         `json:"audit"`              // what the trained encoder keeps
	Scores       []Score       `json:"scores"`             // every single measurement
	Summary      []Summary     `json:"summary"`            // mean, spread, interval; by [Summarise] if left empty
	LEM          []LEM         `json:"lem"`                // label-efficiency multiplier by budget
	Verdicts     []Verdict     `json:"verdicts"`           // one a budget
	Overall      *Verdict      `json:"overall"`            // the first sentence of the page; nil without labels
	Advice       []Advice      `json:"advice,omitempty"`   // by rising budget; then its sentence is the first
	Decision     string        `json:"decision,omitempty"` // the word above Advice; set by [WriteJSON]
	Over         string        `json:"over,omitempty"`     // what Summary is taken over: "" is draws; "splits"
	Map          Map           `json:"map"`                // 2-D map of embeddings
	Views        []Picture     `json:"views"`              // contact sheet
	Notes        []string      `json:"notes"`              // limits and remarks
	Files        []File        `json:"files"`              // of the run directory
	Tally        Tally         `json:"tally"`              // counts over the lists above; set by [WriteJSON]
}

// Names of sections for [SkippedBy].
const (
	SectionCertify  = "certify"
	SectionPretrain = "pretrain"
	SectionAudit    = "audit"
	SectionAdapt    = "adapt"
)

// SkippedBy says why a section is missing ("the data has no labels").
type SkippedBy struct {
	Section string `json:"section"` // one of the Section names
	Reason  string `json:"reason"`
}

// Stage is the time of one stage.
type Stage struct {
	Name    string `json:"name"`    // "data", "certify", "pretrain", ...
	Seconds Num    `json:"seconds"` // wall time
	Note    string `json:"note,omitempty"`
}

// Versions names the software that made the numbers.
type Versions struct {
	Selfsame  string   `json:"selfsame"`
	Commit    string   `json:"commit,omitempty"`
	Go        string   `json:"go"`
	Engine    string   `json:"engine"`              // "go" | "xla"
	Plugin    string   `json:"plugin,omitempty"`    // name and version of the PJRT plugin
	Precision string   `json:"precision,omitempty"` // "fp32" | "bf16"
	Flags     []string `json:"flags,omitempty"`     // set by selfsame for the engine
}

// Machine is where the run took place.
type Machine struct {
	OS          string `json:"os"`
	Arch        string `json:"arch"`
	CPU         string `json:"cpu,omitempty"`
	Cores       int    `json:"cores"`
	MemoryBytes int64  `json:"memory_bytes,omitempty"`
	Accelerator string `json:"accelerator,omitempty"`
}

// Data is what was read.
type Data struct {
	Source       string      `json:"source"` // name in the catalogue or path as the recipe has it
	Licence      string      `json:"licence,omitempty"`
	Domain       string      `json:"domain"`          // "image"
	Shape        []int       `json:"shape,omitempty"` // of one sample, e.g. [height, width, channels]
	Parts        []Part      `json:"parts"`
	Classes      []Class     `json:"classes,omitempty"`
	Hash         string      `json:"hash"` // sha256, hex
	Warnings     []string    `json:"warnings,omitempty"`
	Duplicates   []Duplicate `json:"duplicates,omitempty"` // same content in two parts
	SkippedCount int         `json:"skipped_count"`        // broken files that were left out
	SkippedFiles []BadFile   `json:"skipped_files,omitempty"`
}

// Part counts one part of the data.
type Part struct {
	Name     string `json:"name"` // "train" | "val" | "test"
	Samples  int    `json:"samples"`
	Labelled int    `json:"labelled"`
}

// Class counts one class in each part.
type Class struct {
	Name  string `json:"name"`
	Train int    `json:"train"`
	Val   int    `json:"val"`
	Test  int    `json:"test"`
}

// Duplicate counts samples with the same content in two parts.
type Duplicate struct {
	A     string `json:"a"`
	B     string `json:"b"`
	Count int    `json:"count"`
}

// BadFile is a broken file that was named and skipped.
type BadFile struct {
	File   string `json:"file"`
	Reason string `json:"reason"`
}

// Promise is one term of the view contract.
type Promise struct {
	Transformation string `json:"transformation"`
	Parameter      string `json:"parameter,omitempty"` // principal parameter, e.g. "angle"
	Unit           string `json:"unit,omitempty"`      // e.g. "degrees"
	Kind           string `json:"kind"`                // "invariant" | "equivariant" | "restorable" | "protected"
	From           Num    `json:"from"`                // range of the principal parameter
	To             Num    `json:"to"`
	Weight         Num    `json:"weight"` // of the objective that follows
}

// Check is one test with its outcome.
type Check struct {
	Name   string `json:"name"`
	Pass   bool   `json:"pass"`
	Value  *Num   `json:"value,omitempty"` // what was measured
	Limit  *Num   `json:"limit,omitempty"` // what it was held against
	Detail string `json:"detail,omitempty"`
}

// Certificate is what was found before training for one term. Transformation,
// Kind, From and To repeat those of the [Promise].
type Certificate struct {
	Transformation string          `json:"transformation"`
	Unit           string          `json:"unit,omitempty"`
	Kind           string          `json:"kind"`
	From           Num             `json:"from"`
	To             Num             `json:"to"`
	Pass           bool            `json:"pass"`
	Outcome        string          `json:"outcome,omitempty"` // [Kept] | [NotShown] | "violated"
	Checks         []Check         `json:"checks"`
	Trials         int             `json:"trials"`               // views tried
	Violations     int             `json:"violations"`           // of Trials
	Rate           *Num            `json:"rate,omitempty"`       // Violations/Trials; nil where no rate was measured
	Upper          *Num            `json:"upper,omitempty"`      // Clopper-Pearson upper bound of the rate
	Confidence     Num             `json:"confidence,omitempty"` // of Upper, e.g. 0.95
	MaxRate        *Num            `json:"max_rate,omitempty"`   // limit of the recipe
	Counter        *CounterExample `json:"counter_example,omitempty"`
	SafeFrom       *Num            `json:"safe_from,omitempty"` // range that would be safe
	SafeTo         *Num            `json:"safe_to,omitempty"`
	Note           string          `json:"note,omitempty"`
	Property       bool            `json:"property,omitempty"` // of a column, or of all views together: From and To say nothing
	Possible       *Possible       `json:"possible,omitempty"` // where the domain knows which samples are possible
}

// Possible counts views that are no possible samples.
type Possible struct {
	Trials   int `json:"trials"`   // views, or samples with all their views for a Property
	Breaches int `json:"breaches"` // of Trials
	Rate     Num `json:"rate"`     // Breaches/Trials
	Upper    Num `json:"upper"`    // Clopper-Pearson upper bound of Rate at the Confidence of the certificate
}

// CounterExample is the worst view found; seed, sample and parameters replay it.
type CounterExample struct {
	Seed     uint64  `json:"seed"`
	Epoch    uint64  `json:"epoch"`
	Sample   int     `json:"sample"`
	Part     string  `json:"part,omitempty"`
	Params   []Param `json:"params"`
	Before   string  `json:"before,omitempty"` // answer of the proxy for the original
	After    string  `json:"after,omitempty"`  // and for the view
	Original []byte  `json:"original_png,omitempty"`
	View     []byte  `json:"view_png,omitempty"`
	Place    string  `json:"place,omitempty"` // of the sample in its source
	Rule     string  `json:"rule,omitempty"`  // that the view breaks
	Text     string  `json:"text,omitempty"`  // how
	Cells    []Cell  `json:"cells,omitempty"` // of a sample that is a row
}

// Cell is one column of a row and of its view, in the user's units.
type Cell struct {
	Name     string `json:"name"`
	Original string `json:"original"`
	View     string `json:"view"`
	Changed  bool   `json:"changed,omitempty"`
}

// Seconds is a unit whose values are printed as lengths of time: 10m, not 600 seconds.
const Seconds = "seconds"

// WholeViews is the Transformation of a [Certificate] of all that is declared together.
const WholeViews = "whole views"

// Param is one drawn parameter.
type Param struct {
	Name  string `json:"name"`
	Unit  string `json:"unit,omitempty"`
	Value Num    `json:"value"`
}

// CurvePoint is the state of training at one step.
type CurvePoint struct {
	Step       int            `json:"step"`
	Epoch      Num            `json:"epoch"`
	Loss       Num            `json:"loss"`                 // weighted sum
	Objectives map[string]Num `json:"objectives,omitempty"` // each alone, unweighted
	LR         Num            `json:"lr"`
	Rate       Num            `json:"samples_per_s"`
}

// Verdicts of the health watch.
const (
	Healthy   = "healthy"
	Warning   = "warning"
	Collapsed = "collapsed"
)

// Health is the collapse watch.
type Health struct {
	Points       []HealthPoint `json:"points"`
	Dim          int           `json:"dim,omitempty"` // width of the embedding: the largest effective rank
	Verdict      string        `json:"verdict"`       // [Healthy] | [Warning] | [Collapsed]
	Text         string        `json:"text"`          // one or two sentences
	CollapseStep *int          `json:"collapse_step,omitempty"`
}

// HealthPoint is one look at the embedding of the validation part.
type HealthPoint struct {
	Step          int  `json:"step"`
	EffectiveRank Num  `json:"effective_rank"` // exp of the entropy of the singular values (Roy & Vetterli 2007; RankMe)
	Spread        Num  `json:"spread"`         // mean standard deviation of a unit-length feature times sqrt(dim): 1 is full spread
	Alignment     Num  `json:"alignment"`      // mean squared distance of two views (Wang & Isola 2020): lower is closer
	Uniformity    Num  `json:"uniformity"`     // log mean Gaussian potential (Wang & Isola 2020): lower is more even
	KNN           *Num `json:"knn,omitempty"`  // accuracy on the validation part; nil without labels
}

// Verdicts of the audit.
const (
	Kept     = "kept"
	NotKept  = "not kept"
	NotShown = "not shown"
)

// Audit is what the trained encoder keeps of the contract, on held-out data.
type Audit struct {
	Rows   []AuditRow `json:"rows"`
	Checks []Check    `json:"checks"` // of the measurement itself: frozen hash equal, shuffled labels at chance, norm layers in inference mode
}

// AuditRow is one measure of one term.
type AuditRow struct {
	Transformation string `json:"transformation"`
	Unit           string `json:"unit,omitempty"` // of From and To
	Kind           string `json:"kind"`
	From           Num    `json:"from"`
	To             Num    `json:"to"`
	Measure        string `json:"measure"` // e.g. "accuracy of the predicted angle"
	Value          Num    `json:"value"`
	Lo             *Num   `json:"lo,omitempty"` // interval of Value
	Hi             *Num   `json:"hi,omitempty"`
	Reference      *Num   `json:"reference,omitempty"` // the same on the untrained encoder
	Trivial        *Num   `json:"trivial,omitempty"`   // chance, or the trivial predictor
	Better         string `json:"better"`              // [Higher] | [Lower]
	Verdict        string `json:"verdict"`             // [Kept] | [NotKept] | [NotShown]
	Property       bool   `json:"property,omitempty"`  // of a column: From and To say nothing
	Ceiling        *Num   `json:"ceiling,omitempty"`   // the same on the raw values
	Text           string `json:"text,omitempty"`
}

// Directions of a metric.
const (
	Higher = "higher"
	Lower  = "lower"
)

// Metric says how a metric is named on the page.
type Metric struct {
	Task   string `json:"task"`
	Metric string `json:"metric"`           // as in Scores
	Label  string `json:"label"`            // e.g. "Fine-tune accuracy"
	Unit   string `json:"unit,omitempty"`   // "" for a fraction
	Better string `json:"better"`           // [Higher] | [Lower]; "" is read as [Higher]
	Chance *Num   `json:"chance,omitempty"` // drawn as a line where it lies in the plot
}

// Method names with a fixed colour and place in every plot.
const (
	SSL       = "ssl"        // the pretrained encoder
	Scratch   = "scratch"    // the same network without pretraining
	Untrained = "untrained"  // the encoder as initialised
	RawPixels = "raw-pixels" // no encoder
	Trees     = "trees"      // boosted trees on the raw values
	Linear    = "linear"     // logistic or ridge regression on the raw values
	RawKNN    = "raw-knn"    // nearest rows by the raw values
)

// Score is one measurement, one line of scores.csv.
type Score struct {
	Method string `json:"method"`
	Task   string `json:"task"`
	Metric string `json:"metric"`
	Budget int    `json:"budget"` // labels used, validation labels counted in
	Seed   uint64 `json:"seed"`   // of the draw
	Value  Num    `json:"value"`
}

// Summary is the mean of the draws of one method at one budget.
type Summary struct {
	Method     string `json:"method"`
	Task       string `json:"task"`
	Metric     string `json:"metric"`
	Budget     int    `json:"budget"`
	Draws      int    `json:"draws"`
	Mean       Num    `json:"mean"`
	Spread     *Num   `json:"spread,omitempty"` // sample standard deviation; nil for one draw
	Lo         *Num   `json:"lo,omitempty"`     // interval of the mean
	Hi         *Num   `json:"hi,omitempty"`
	Confidence Num    `json:"confidence,omitempty"`
}

// Where a label-efficiency multiplier leaves the curve of the reference.
const (
	Above = "above" // better than the reference at its largest budget: Value is a lower bound
	Below = "below" // worse than the reference at its smallest budget: Value is an upper bound
)

// LEM is the label-efficiency multiplier at one budget: the labels that the
// reference needs to reach the score of Method at Budget, divided by Budget.
type LEM struct {
	Task       string `json:"task"`
	Metric     string `json:"metric"`
	Method     string `json:"method"`
	Reference  string `json:"reference"`
	Budget     int    `json:"budget"`
	Needed     *Num   `json:"labels_needed,omitempty"` // by Reference for the same score
	Value      Num    `json:"value"`
	Lo         *Num   `json:"lo,omitempty"` // bootstrap interval
	Hi         *Num   `json:"hi,omitempty"`
	Confidence Num    `json:"confidence,omitempty"`
	Beyond     string `json:"beyond,omitempty"`    // "" | [Above] | [Below]
	LoBeyond   bool   `json:"lo_beyond,omitempty"` // Lo lies below the curve
	HiBeyond   bool   `json:"hi_beyond,omitempty"` // Hi lies above the curve
}

// Verdicts on pretraining.
const (
	Pays         = "pays"
	NoDifference = "no difference shown"
	Hurts        = "hurts"
)

// Verdict compares Method with Reference. Budget 0 is the verdict over several budgets.
type Verdict struct {
	Verdict    string `json:"verdict"` // [Pays] | [NoDifference] | [Hurts]
	Task       string `json:"task"`
	Metric     string `json:"metric"`
	Method     string `json:"method"`
	Reference  string `json:"reference"`
	Budget     int    `json:"budget"`
	Budgets    int    `json:"budgets,omitempty"` // how many budgets Budget 0 stands for
	Draws      int    `json:"draws"`             // pairs compared
	Difference Num    `json:"difference"`        // Method - Reference, in units of the metric
	Lo         *Num   `json:"lo,omitempty"`
	Hi         *Num   `json:"hi,omitempty"`
	Confidence Num    `json:"confidence,omitempty"`
	P          *Num   `json:"p,omitempty"`      // two-sided
	Adjusted   *Num   `json:"p_holm,omitempty"` // of several budgets together (Holm 1979); then it decides
	Test       string `json:"test"`             // e.g. "Student's paired t over draws"
	Text       string `json:"text,omitempty"`
}

// Map is a 2-D picture of embeddings.
type Map struct {
	Method string     `json:"method,omitempty"` // e.g. "PCA"
	Part   string     `json:"part,omitempty"`   // e.g. "test"
	Points []MapPoint `json:"points,omitempty"`
	Note   string     `json:"note,omitempty"`
}

// MapPoint is one sample.
type MapPoint struct {
	X     Num `json:"x"`
	Y     Num `json:"y"`
	Class int `json:"class"` // index in Data.Classes; -1 is unlabelled
}

// Picture is one picture of the contact sheet.
type Picture struct {
	Transformation string  `json:"transformation"` // "" for the untouched original
	Caption        string  `json:"caption"`        // "original", "low", "middle", "high"
	Kind           string  `json:"kind,omitempty"`
	Part           string  `json:"part,omitempty"`
	Sample         int     `json:"sample"`
	Params         []Param `json:"params,omitempty"`
	PNG            []byte  `json:"png,omitempty"`
}

// File is one file of the run directory.
type File struct {
	Path string `json:"path"`
	What string `json:"what"`
}

// Tally counts outcomes, so that counts on the page are in the JSON too.
type Tally struct {
	Terms         int `json:"terms"`
	Certified     int `json:"certified"`
	Certificates  int `json:"certificates"`
	AuditRows     int `json:"audit_rows"`
	AuditKept     int `json:"audit_kept"`
	AuditNotKept  int `json:"audit_not_kept"`
	AuditNotShown int `json:"audit_not_shown"`
	SelfChecks    int `json:"self_checks"`
	SelfPassed    int `json:"self_checks_passed"`
	Samples       int `json:"samples"`
	Classes       int `json:"classes"`
	MapPoints     int `json:"map_points"`
	CurvePoints   int `json:"curve_points"`
	Pictures      int `json:"pictures"`
}
