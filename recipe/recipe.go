// Package recipe reads the YAML file that describes a whole run: data, views with their
// contracts, encoder, objective, training, audit and adaptation.
//
// Most users need [Load], which reads a file strictly and writes every default out,
// and [Recipe.Validate].
package recipe

import (
	"github.com/selfsame-ml/selfsame/view"
)

// Recipe is one run. The same struct serves Go, YAML and HTTP.
type Recipe struct {
	Name      string    `yaml:"name" json:"name"`     // shown in the report
	Domain    string    `yaml:"domain" json:"domain"` // "image" | "table" | "dna"
	Seed      uint64    `yaml:"seed" json:"seed"`     // decides everything
	Data      Data      `yaml:"data" json:"data"`
	Columns   Columns   `yaml:"columns" json:"columns"` // tables: what each column means
	Rules     []string  `yaml:"rules" json:"rules"`     // tables: what holds between the columns of every possible row
	Views     Views     `yaml:"views" json:"views"`
	Encoder   Encoder   `yaml:"encoder" json:"encoder"`
	Objective Objective `yaml:"objective" json:"objective"`
	Train     Train     `yaml:"train" json:"train"`
	Engine    Engine    `yaml:"engine" json:"engine"`
	Certify   Certify   `yaml:"certify" json:"certify"`
	Audit     Audit     `yaml:"audit" json:"audit"`
	Adapt     Adapt     `yaml:"adapt" json:"adapt"`
}

// Data says where the samples are.
type Data struct {
	// Source is a catalogue name ("fashion-mnist", "digits"), a folder, an IDX file, or a .npy file; for DNA a FASTA file,
	// a folder or a glob of them.
	Source     string  `yaml:"source" json:"source"`
	Labels     string  `yaml:"labels" json:"labels"`           // "folders" | "none" | path of a CSV (file,label) or IDX/.npy of labels; "" = what the source has
	Test       string  `yaml:"test" json:"test"`               // a second source of the same kind as test part; "" = the source's own, else a split
	TestLabels string  `yaml:"test_labels" json:"test_labels"` // labels of Test
	Size       int     `yaml:"size" json:"size"`               // images are resized (shorter side, then centre crop) to size x size; 0 = as stored if all are equal, else 32; DNA: positions of a window
	Channels   int     `yaml:"channels" json:"channels"`       // 0 = as stored
	Val        float64 `yaml:"val" json:"val"`                 // validation part: a count (>= 1) or a fraction (< 1) taken from the END of the training part (or drawn, see Split)
	TestShare  float64 `yaml:"test_share" json:"test_share"`   // fraction that becomes the test part where the source has none
	Split      string  `yaml:"split" json:"split"`             // "random" (stratified where labelled, keyed by seed) | "tail" (last samples)
	MaxBad     int     `yaml:"max_bad" json:"max_bad"`         // broken files skipped before the run stops
	MaxPixels  int     `yaml:"max_pixels" json:"max_pixels"`   // largest width*height decoded
	Limit      int     `yaml:"limit" json:"limit"`             // use only the first N training samples; 0 = all; genomes: windows an epoch

	// HoldOut names files of a pool of genomes, without folder and ending: held-out species, which are the test part.
	HoldOut []string `yaml:"hold_out" json:"hold_out"`

	// Tables.
	Target    string    `yaml:"target" json:"target"`       // column to be predicted; never an input; "" = none
	Task      string    `yaml:"task" json:"task"`           // "" (by kind) | "classify" | "regress"; DNA: "reads" | "genomes"
	Buckets   []float64 `yaml:"buckets" json:"buckets"`     // classify a numeric target (time to the next event) by these rising limits
	Time      string    `yaml:"time" json:"time"`           // timestamp column by which parts are split: train before val before test; "" = none
	GroupBy   string    `yaml:"group_by" json:"group_by"`   // column whose values never sit in two parts (customer)
	Query     string    `yaml:"query" json:"query"`         // SQL, where source is a database (postgres://..., service=NAME, file.sqlite)
	Delimiter string    `yaml:"delimiter" json:"delimiter"` // CSV; "" is found
	Encoding  string    `yaml:"encoding" json:"encoding"`   // CSV, JSON lines: "utf-8" | "utf-16" | "latin-1" | "windows-1252"; "" is found
}

// Views are the declared transformations in the order in which they are applied.
type Views struct {
	Transforms []view.Config `yaml:"transforms" json:"transforms"`
	Count      int           `yaml:"count" json:"count"`           // full-size views of a sample for the Invariant stream (2)
	Locals     int           `yaml:"locals" json:"locals"`         // multi-crop: number of small views (0)
	LocalSize  int           `yaml:"local_size" json:"local_size"` // their side in pixels
	LocalFrom  float64       `yaml:"local_from" json:"local_from"` // their crop scale range
	LocalTo    float64       `yaml:"local_to" json:"local_to"`
}

// Encoder is the network whose features are wanted.
type Encoder struct {
	Kind   string `yaml:"kind" json:"kind"`     // "resnet" | "vit" | "mlp" | "transformer" (tables: mlp or transformer) | "pileup" (DNA reads) | "conv-lm", "gru", "transformer" (genomes)
	Width  int    `yaml:"width" json:"width"`   // channels of the first stage; token width; hidden units
	Depth  int    `yaml:"depth" json:"depth"`   // blocks a stage; layers
	Stages int    `yaml:"stages" json:"stages"` // resnet: stages, each doubles the width and halves the side
	Patch  int    `yaml:"patch" json:"patch"`   // vit: side of a patch
	Heads  int    `yaml:"heads" json:"heads"`   // vit, transformer
	// Tables.
	Numeric string `yaml:"numeric" json:"numeric"` // "piecewise" | "periodic": how a number becomes a token
	Bins    int    `yaml:"bins" json:"bins"`       // piecewise: quantile bins; periodic: frequencies
	Token   int    `yaml:"token" json:"token"`     // width of a column's token; 0 = by kind
}

// Objective says what is minimised. Kind "auto" follows from the contracts.
type Objective struct {
	Kind            string             `yaml:"kind" json:"kind"`           // "auto" | "sum"
	Invariant       string             `yaml:"invariant" json:"invariant"` // "ntxent" | "supcon" | "vicreg" | "barlow" | "byol" | "simsiam" | "moco" | "none"
	Temperature     float64            `yaml:"temperature" json:"temperature"`
	ProjectorHidden int                `yaml:"projector_hidden" json:"projector_hidden"` // 0 = the encoder's dim
	ProjectorDim    int                `yaml:"projector_dim" json:"projector_dim"`
	ProjectorLayers int                `yaml:"projector_layers" json:"projector_layers"`
	ProjectorNorm   bool               `yaml:"projector_norm" json:"projector_norm"` // batch norm in the projector
	Queue           int                `yaml:"queue" json:"queue"`                   // moco: keys kept
	Momentum        float64            `yaml:"momentum" json:"momentum"`             // byol, moco: momentum of the teacher
	Weights         map[string]float64 `yaml:"weights" json:"weights"`               // by stream name: "views", "quarter", "mask", ...
}

// Train is the optimisation.
type Train struct {
	Epochs          int     `yaml:"epochs" json:"epochs"`
	MaxSteps        int     `yaml:"max_steps" json:"max_steps"` // 0 = epochs decide
	Batch           int     `yaml:"batch" json:"batch"`
	Accumulate      int     `yaml:"accumulate" json:"accumulate"` // gradient accumulation: micro-batches a step
	Optimizer       string  `yaml:"optimizer" json:"optimizer"`   // "sgd" | "adamw" | "lars"
	LR              float64 `yaml:"lr" json:"lr"`                 // base rate, scaled by batch/256
	Momentum        float64 `yaml:"momentum" json:"momentum"`
	Beta2           float64 `yaml:"beta2" json:"beta2"`
	WeightDecay     float64 `yaml:"weight_decay" json:"weight_decay"`
	WarmupEpochs    float64 `yaml:"warmup_epochs" json:"warmup_epochs"`
	Clip            float64 `yaml:"clip" json:"clip"` // global gradient norm; 0 = off
	CheckpointSteps int     `yaml:"checkpoint_steps" json:"checkpoint_steps"`
	Keep            int     `yaml:"keep" json:"keep"`
	HealthSteps     int     `yaml:"health_steps" json:"health_steps"` // health watch every N steps; 0 = once an epoch
	Workers         int     `yaml:"workers" json:"workers"`
	// Arms are trained beside the whole objective, each with one kind of contract only, and measured in the same
	// table: "contrast" (Invariant), "restore" (Restorable), "predict" (Equivariant).
	Arms []string `yaml:"arms" json:"arms"`
}

// Engine is the choice of back end.
type Engine struct {
	Kind      string `yaml:"kind" json:"kind"`           // "auto" | "go" | "xla"
	Plugin    string `yaml:"plugin" json:"plugin"`       // path of a PJRT plugin
	Precision string `yaml:"precision" json:"precision"` // "auto" | "fp32" | "bf16"
	Threads   int    `yaml:"threads" json:"threads"`     // 0 = all cores
}

// Certify tries to break the contracts before training.
type Certify struct {
	Samples    int      `yaml:"samples" json:"samples"`       // draws for each transformation
	Probe      string   `yaml:"probe" json:"probe"`           // "auto" | "off": label-preservation probe
	MaxChange  float64  `yaml:"max_change" json:"max_change"` // rate of changed answers above which an Invariant contract is violated
	Confidence float64  `yaml:"confidence" json:"confidence"` // of the Clopper-Pearson bound
	Labels     int      `yaml:"labels" json:"labels"`         // labels the probe may use (they count in no budget: the report says so)
	Regions    []Region `yaml:"regions" json:"regions"`       // protected rectangles
}

// Region is a protected rectangle as fractions of the image.
type Region struct {
	X0 float64 `yaml:"x0" json:"x0"`
	Y0 float64 `yaml:"y0" json:"y0"`
	X1 float64 `yaml:"x1" json:"x1"`
	Y1 float64 `yaml:"y1" json:"y1"`
}

// Audit measures the trained encoder against the contract on held-out data.
type Audit struct {
	Samples int `yaml:"samples" json:"samples"`
}

// Adapt measures what the encoder is worth.
type Adapt struct {
	Budgets        []int   `yaml:"budgets" json:"budgets"` // labels, validation labels counted in; 0 = all
	Draws          int     `yaml:"draws" json:"draws"`     // draws of the labelled part (seeds)
	FineTune       bool    `yaml:"fine_tune" json:"fine_tune"`
	Epochs         int     `yaml:"epochs" json:"epochs"`       // of a fine-tune
	MaxSteps       int     `yaml:"max_steps" json:"max_steps"` // cap of a fine-tune
	Batch          int     `yaml:"batch" json:"batch"`
	LR             float64 `yaml:"lr" json:"lr"`
	WeightDecay    float64 `yaml:"weight_decay" json:"weight_decay"`
	K              int     `yaml:"k" json:"k"` // kNN neighbours
	KNNTemperature float64 `yaml:"knn_temperature" json:"knn_temperature"`
	Bootstrap      int     `yaml:"bootstrap" json:"bootstrap"` // resamples of an interval
	// Baselines beside the network: "trees" (gradient-boosted), "linear" (logistic or ridge regression on the raw
	// values); empty = those that the domain has.
	Baselines []string `yaml:"baselines" json:"baselines"`
}
