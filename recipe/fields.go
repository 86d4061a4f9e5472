package recipe

import "math"

// field holds the limits and the one-line description of a key; Validate and Schema read it.
type field struct {
	min, max float64  // closed limits of a number
	over     bool     // the number must be strictly above min
	enum     []string // the words that are allowed
	doc      string
}

const (
	manySteps = 100_000_000
	manyItems = 1_000_000_000
)

// fields describes every key by its dotted path. A test holds it complete.
var fields = map[string]field{
	"name":   {doc: "shown in the report"},
	"domain": {doc: "kind of data, e.g. image"},
	"seed":   {max: math.MaxUint64, doc: "decides every random draw"},

	"data":             {doc: "where the samples are"},
	"data.source":      {doc: "catalogue name (fashion-mnist, digits), folder, IDX file or .npy file; DNA: FASTA file, folder or glob"},
	"data.labels":      {doc: "folders, none, or the path of a CSV (file,label), IDX or .npy of labels; empty = what the source has"},
	"data.test":        {doc: "a second source of the same kind as test part; empty = the source's own, else a split"},
	"data.test_labels": {doc: "labels of data.test"},
	"data.size":        {max: 4096, doc: "images are resized (shorter side, then centre crop) to size x size pixels; 0 = as stored if all are equal, else 32; DNA reads: positions of a window"},
	"data.channels":    {max: 64, doc: "channels; 0 = as stored"},
	"data.val":         {max: manyItems, doc: "validation part: a count (>= 1) or a fraction (< 1) of the training part"},
	"data.test_share":  {max: 0.9, doc: "fraction that becomes the test part where the source has none"},
	"data.split":       {enum: []string{"random", "tail"}, doc: "random (stratified where labelled, keyed by seed) or tail (the last samples)"},
	"data.max_bad":     {max: manyItems, doc: "broken files skipped before the run stops"},
	"data.max_pixels":  {min: 1, max: 4e9, doc: "largest width*height that is decoded"},
	"data.limit":       {max: manyItems, doc: "use only the first N training samples; 0 = all; genomes: windows an epoch"},
	"data.hold_out":    {doc: "genomes: names of files of the pool that are held-out species, without folder and ending"},

	"data.target":    {doc: "tables: column to be predicted, never an input; empty = none"},
	"data.task":      {enum: []string{"", "classify", "regress", TaskReads, TaskGenomes}, doc: "tables: classify or regress, empty = by the kind of the target; DNA: reads or genomes"},
	"data.buckets":   {min: -math.MaxFloat64, max: math.MaxFloat64, doc: "tables: rising limits by which a numeric target (time to the next event) becomes classes"},
	"data.time":      {doc: "tables: timestamp column by which parts are split, train before val before test; empty = none"},
	"data.group_by":  {doc: "tables: column whose values never sit in two parts, e.g. the customer"},
	"data.query":     {doc: "tables: SQL, where source is a database (postgres://..., service=NAME, file.sqlite)"},
	"data.delimiter": {doc: "tables: of a CSV file; empty = found"},
	"data.encoding":  {enum: []string{"", "utf-8", "utf-16", "latin-1", "windows-1252"}, doc: "tables: of a CSV or JSON lines file; empty = found"},

	"columns": {doc: "tables: what each column means and what may change in it, by its name"},
	"rules":   {doc: "tables: what holds between the columns of every possible row, e.g. total == quantity * price"},

	"views":            {doc: "transformations in the order in which they are applied, each with its contract"},
	"views.transforms": {doc: "the transformations"},
	"views.count":      {min: 1, max: 16, doc: "full-size views of a sample"},
	"views.locals":     {max: 16, doc: "multi-crop: number of small views"},
	"views.local_size": {max: 4096, doc: "side of a small view in pixels"},
	"views.local_from": {over: true, max: 1, doc: "smallest area fraction of a small view"},
	"views.local_to":   {over: true, max: 1, doc: "largest area fraction of a small view"},

	"encoder":         {doc: "the network whose features are wanted"},
	"encoder.kind":    {enum: []string{"resnet", "vit", "mlp", EncoderTransformer, EncoderPileup, EncoderConvLM, EncoderGRU}, doc: "kind of network; tables: mlp or transformer; DNA reads: pileup; genomes: conv-lm, gru or transformer"},
	"encoder.width":   {min: 1, max: 8192, doc: "channels of the first stage; token width; hidden units; channels of pileup"},
	"encoder.depth":   {min: 1, max: 128, doc: "blocks a stage; layers; convolutions of pileup after its first"},
	"encoder.stages":  {min: 1, max: 8, doc: "resnet: stages, each doubles the width and halves the side"},
	"encoder.patch":   {min: 1, max: 256, doc: "vit: side of a patch in pixels"},
	"encoder.heads":   {min: 1, max: 128, doc: "vit, transformer: attention heads"},
	"encoder.numeric": {enum: []string{"", "piecewise", "periodic"}, doc: "tables: how a number becomes a token"},
	"encoder.bins":    {max: 1024, doc: "tables: quantile bins (piecewise) or frequencies (periodic) of a number"},
	"encoder.token":   {max: 8192, doc: "tables: width of a column's token; 0 = by kind of network"},

	"objective":                  {doc: "what is minimised"},
	"objective.kind":             {enum: []string{"auto", "sum"}, doc: "auto follows from the contracts; sum uses only the streams named in weights"},
	"objective.invariant":        {enum: []string{"ntxent", "supcon", "vicreg", "barlow", "byol", "simsiam", "moco", "none"}, doc: "loss of the invariant views"},
	"objective.temperature":      {over: true, max: 100, doc: "of ntxent, supcon and moco"},
	"objective.projector_hidden": {max: 65536, doc: "hidden units of the projector; 0 = the encoder's dim"},
	"objective.projector_dim":    {min: 1, max: 65536, doc: "output of the projector"},
	"objective.projector_layers": {max: 8, doc: "linear layers of the projector; 0 = none"},
	"objective.projector_norm":   {doc: "batch norm in the projector"},
	"objective.queue":            {max: 10_000_000, doc: "moco: keys kept"},
	"objective.momentum":         {max: 1, doc: "byol, moco: momentum of the teacher"},
	"objective.weights":          {max: 1e6, doc: "weight by stream name: views, or a transformation's name"},

	"train":                  {doc: "the optimisation"},
	"train.epochs":           {min: 1, max: 1_000_000, doc: "passes over the training part"},
	"train.max_steps":        {max: manySteps, doc: "upper limit of steps; 0 = epochs decide"},
	"train.batch":            {min: 2, max: 1_000_000, doc: "samples a step"},
	"train.accumulate":       {min: 1, max: 100_000, doc: "micro-batches a step (gradient accumulation)"},
	"train.optimizer":        {enum: []string{"sgd", "adamw", "lars"}, doc: "optimiser"},
	"train.lr":               {over: true, max: 1000, doc: "base learning rate; multiplied by batch/256"},
	"train.momentum":         {max: 1, doc: "of sgd and lars; beta1 of adamw"},
	"train.beta2":            {max: 1, doc: "of adamw"},
	"train.weight_decay":     {max: 10, doc: "weight decay"},
	"train.warmup_epochs":    {max: 1_000_000, doc: "linear warm-up, then cosine to 0"},
	"train.clip":             {max: 1e9, doc: "largest global gradient norm; 0 = off"},
	"train.checkpoint_steps": {min: 1, max: manySteps, doc: "steps between checkpoints"},
	"train.keep":             {min: 1, max: 1000, doc: "checkpoints kept"},
	"train.health_steps":     {max: manySteps, doc: "steps between looks of the health watch; 0 = once an epoch"},
	"train.workers":          {max: 1024, doc: "goroutines that make views; 0 = one a core"},
	"train.arms":             {enum: []string{"contrast", "restore", "predict"}, doc: "trained beside the whole objective, each with one kind of contract only, and measured in the same table"},

	"engine":           {doc: "the back end"},
	"engine.kind":      {enum: []string{"auto", "go", "xla"}, doc: "auto takes xla where a plugin is found, else go"},
	"engine.plugin":    {doc: "path of a PJRT plugin; empty = search"},
	"engine.precision": {enum: []string{"auto", "fp32", "bf16"}, doc: "number format of the matrix products"},
	"engine.threads":   {max: 4096, doc: "0 = all cores"},

	"certify":            {doc: "tries to break the contracts before training"},
	"certify.samples":    {min: 1, max: manyItems, doc: "draws for each transformation"},
	"certify.probe":      {enum: []string{"auto", "off"}, doc: "label-preservation probe: auto uses it where labels exist"},
	"certify.max_change": {max: 1, doc: "rate of changed answers above which an invariant contract is violated"},
	"certify.confidence": {min: 0.5, max: 0.999999, doc: "of the Clopper-Pearson bound"},
	"certify.labels":     {max: manyItems, doc: "labels the probe may use"},
	"certify.regions":    {doc: "protected rectangles"},
	"certify.regions.x0": {max: 1, doc: "left edge as a fraction of the width"},
	"certify.regions.y0": {max: 1, doc: "top edge as a fraction of the height"},
	"certify.regions.x1": {max: 1, doc: "right edge as a fraction of the width"},
	"certify.regions.y1": {max: 1, doc: "bottom edge as a fraction of the height"},

	"audit":         {doc: "measures the trained encoder against the contracts on held-out data"},
	"audit.samples": {min: 40, max: manyItems, doc: "held-out samples looked at"},

	"adapt":                 {doc: "measures what the encoder is worth"},
	"adapt.budgets":         {max: manyItems, doc: "label budgets, validation labels counted in, ascending; 0 = all, last"},
	"adapt.draws":           {min: 1, max: 1000, doc: "draws of the labelled part at each budget"},
	"adapt.fine_tune":       {doc: "fine-tune all weights, beside the same network from scratch"},
	"adapt.epochs":          {min: 1, max: 100_000, doc: "epochs of a fine-tune"},
	"adapt.max_steps":       {max: manySteps, doc: "upper limit of steps of a fine-tune; 0 = epochs decide"},
	"adapt.batch":           {min: 2, max: 1_000_000, doc: "batch of a fine-tune"},
	"adapt.lr":              {over: true, max: 1000, doc: "learning rate of a fine-tune (adamw)"},
	"adapt.weight_decay":    {max: 10, doc: "weight decay of a fine-tune (adamw)"},
	"adapt.k":               {min: 1, max: 1_000_000, doc: "kNN: neighbours"},
	"adapt.knn_temperature": {over: true, max: 100, doc: "kNN: temperature of the weighted vote"},
	"adapt.bootstrap":       {min: 100, max: 10_000_000, doc: "resamples of an interval"},
	"adapt.baselines":       {enum: []string{"trees", "linear"}, doc: "beside the network; empty = those that the domain has"},
}

// DomainTable is the name of the domain of tables, which has keys and defaults of its own.
const DomainTable = "table"

// DomainDNA is the name of the domain of DNA, with its tasks and the kinds of network that they have: pileup for reads, the causal ones
// for genomes.
const (
	DomainDNA          = "dna"
	TaskReads          = "reads"
	TaskGenomes        = "genomes"
	EncoderPileup      = "pileup"
	EncoderConvLM      = "conv-lm"
	EncoderGRU         = "gru"
	EncoderTransformer = "transformer"
)

// genomesOnly are keys that mean something for genomes alone; where they are empty, they are not written, so that older runs of other
// tasks keep the hash of their recipe.
var genomesOnly = map[string]bool{"data.hold_out": true}

// kindsOf are the kinds of network that a task of DNA has, the default first.
func kindsOf(task string) []string {
	if task == TaskGenomes {
		return []string{EncoderConvLM, EncoderGRU, EncoderTransformer}
	}
	return []string{EncoderPileup}
}

// tableOnly are keys that mean something for tables alone; where they are empty, other domains do not write them.
var tableOnly = map[string]bool{
	"data.target": true, "data.task": true, "data.buckets": true, "data.time": true, "data.group_by": true, "data.query": true,
	"data.delimiter": true, "data.encoding": true, "columns": true, "rules": true,
	"encoder.numeric": true, "encoder.bins": true, "encoder.token": true, "train.arms": true, "adapt.baselines": true,
}

// Default returns the recipe that an empty file would give: careful values for
// small images. It declares no view, so it is not yet valid.
func Default() *Recipe {
	return &Recipe{
		Name:   "",
		Domain: "image",
		Seed:   1,
		Data: Data{
			Val: 0.1, TestShare: 0.2, Split: "random", MaxBad: 100, MaxPixels: 100_000_000,
		},
		Views:   Views{Count: 2, LocalFrom: 0.05, LocalTo: 0.3},
		Encoder: Encoder{Kind: "resnet", Width: 16, Depth: 1, Stages: 3, Patch: 4, Heads: 4},
		Objective: Objective{
			Kind: "auto", Invariant: "ntxent", Temperature: 0.2,
			ProjectorDim: 64, ProjectorLayers: 2, Queue: 4096, Momentum: 0.99,
		},
		Train: Train{
			Epochs: 15, Batch: 256, Accumulate: 1, Optimizer: "sgd", LR: 0.06, Momentum: 0.9, Beta2: 0.999,
			WeightDecay: 1e-4, WarmupEpochs: 1, CheckpointSteps: 200, Keep: 2,
		},
		Engine:  Engine{Kind: "auto", Precision: "auto"},
		Certify: Certify{Samples: 512, Probe: "auto", MaxChange: 0.3, Confidence: 0.95, Labels: 1000},
		Audit:   Audit{Samples: 2000},
		Adapt: Adapt{
			Budgets: []int{20, 100, 1000, 0}, Draws: 5, FineTune: true, Epochs: 60, Batch: 32, LR: 1e-3,
			WeightDecay: 1e-2, K: 200, KNNTemperature: 0.1, Bootstrap: 2000,
		},
	}
}

// dependent sets the defaults that follow from another key; given says which keys the user wrote.
func (r *Recipe) dependent(given func(path string) bool) {
	if r.Domain == DomainTable { // the sizes of Gorishniy et al. 2021 and 2022, cut to what a processor trains in minutes
		if !given("encoder.kind") { // a step takes a tenth of a transformer's time on a processor
			r.Encoder.Kind = "mlp"
		}
		mlp := r.Encoder.Kind == "mlp"
		if !given("encoder.width") {
			if r.Encoder.Width = 64; mlp {
				r.Encoder.Width = 128
			}
		}
		if !given("encoder.depth") {
			if r.Encoder.Depth = 2; mlp {
				r.Encoder.Depth = 3
			}
		}
		if !given("encoder.numeric") {
			r.Encoder.Numeric = "piecewise"
		}
		if !given("encoder.bins") {
			r.Encoder.Bins = 16
		}
		if !given("train.optimizer") {
			r.Train.Optimizer = "adamw"
		}
	}
	if r.Domain == DomainDNA {
		if !given("data.task") {
			r.Data.Task = TaskReads
		}
		genomes := r.Data.Task == TaskGenomes
		if !given("data.size") {
			if r.Data.Size = 160; genomes {
				r.Data.Size = 512
			}
		}
		if !given("encoder.kind") {
			r.Encoder.Kind = kindsOf(r.Data.Task)[0]
		}
		if !given("encoder.width") {
			if r.Encoder.Width = 48; genomes {
				r.Encoder.Width = 128
			}
		}
		if !given("encoder.depth") {
			if r.Encoder.Depth = 4; genomes {
				r.Encoder.Depth = 8
			}
		}
		if !given("train.optimizer") {
			r.Train.Optimizer = "adamw"
		}
		if !given("train.batch") {
			if r.Train.Batch = 64; genomes {
				r.Train.Batch = 32
			}
		}
		if !given("train.lr") { // of batch 256
			if r.Train.LR = 8e-3; genomes {
				r.Train.LR = 0.016
			}
		}
		if !given("train.weight_decay") {
			r.Train.WeightDecay = 0.01
		}
		if !given("train.clip") { // a window whose overlaps mislead must not throw the others out
			r.Train.Clip = 1
		}
	}
	switch r.Train.Optimizer {
	case "adamw": // usual values for small networks; sgd's would diverge or stall
		if !given("train.lr") && r.Domain != DomainDNA {
			r.Train.LR = 1e-3
		}
		if !given("train.weight_decay") && r.Domain != DomainDNA {
			r.Train.WeightDecay = 0.05
		}
	case "lars": // base rate of the SimCLR paper (Chen et al. 2020, appendix B.6) for batch 256
		if !given("train.lr") {
			r.Train.LR = 0.3
		}
		if !given("train.weight_decay") {
			r.Train.WeightDecay = 1e-6
		}
	}
	switch r.Objective.Invariant {
	case "vicreg", "barlow", "byol", "simsiam": // redundancy reduction needs width; each paper normalises the projector
		if !given("objective.projector_norm") {
			r.Objective.ProjectorNorm = true
		}
		if !given("objective.projector_dim") {
			r.Objective.ProjectorDim = 256
		}
		if !given("objective.projector_hidden") {
			r.Objective.ProjectorHidden = 256
		}
	case "moco":
		if !given("objective.queue") && r.Train.Batch > 0 {
			r.Objective.Queue = max(1, 4096/r.Train.Batch) * r.Train.Batch
		}
	}
	if r.Train.Epochs > 0 && !given("train.warmup_epochs") {
		r.Train.WarmupEpochs = min(r.Train.WarmupEpochs, float64(r.Train.Epochs)/2)
	}
}
