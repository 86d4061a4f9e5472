// Package domain says all that a stage of selfsame may know of a domain:
// images, tables, sequences, molecules. Stages import this package, never a
// domain's own.
package domain

import (
	"context"
	"io"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/nn"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/view"
)

// Domain is one kind of data with its transformations, encoders and proxies.
// Implementations are registered in domain/all.
type Domain interface {
	// Name is the word used in recipes ("image").
	Name() string
	// Specs lists the transformations that recipes may declare.
	Specs() []view.Spec
	// Open reads (or finds in the cache) the samples that a recipe names.
	// Errors of the data are *dataset.Error values: exit code 3.
	Open(ctx context.Context, r *recipe.Recipe, opt OpenOptions) (Samples, error)
}

// OpenOptions is what Open needs beside the recipe.
type OpenOptions struct {
	CacheDir string                              // where decoded shards live
	Progress func(stage string, done, total int) // may be nil
	Warn     func(format string, args ...any)    // named broken files; may be nil
}

// DType is the element type of a field.
type DType uint8

// The element types that samples use.
const (
	U8 DType = iota
	U16
	I32
	F32
)

// Field is one fixed-shape array of every sample in a batch.
type Field struct {
	Name  string
	DType DType
	Dims  []int // per sample; the batch axis is put before it
}

// Size returns the number of elements of one sample.
func (f Field) Size() int {
	n := 1
	for _, d := range f.Dims {
		n *= d
	}
	return n
}

// Array is the host memory of one field of a batch; the slice of its DType is
// non-nil and holds rows*Field.Size() elements.
type Array struct {
	U8  []uint8
	U16 []uint16
	I32 []int32
	F32 []float32
}

// Stream is one group of fields that one objective reads.
//
//   - Invariant: Input holds Views samples of shape Dims, as [Views, Dims...];
//     Locals (optional) names a second field of smaller views (multi-crop).
//   - Equivariant: Input is the transformed sample; Target is the drawn parameter (with Clean, the head sees the
//     features of the undisturbed sample beside those of the view, as in AugSelf, Lee et al. 2021):
//     I32 scalar when Classes > 0, else F32 scaled to about [-1, 1].
//   - Restorable: Input is the damaged sample, Clean the undamaged one, Mask (U8) says which
//     parts must be restored. Where the transformation is a Truther, Clean holds what is to be restored in a shape of its own.
type Stream struct {
	Kind    contract.Kind
	Name    string  // transformation name, or "views" for the Invariant stream
	Weight  float64 // from the contract terms
	Views   int
	Classes int
	Input   string // field names
	Locals  string
	Target  string
	Clean   string
	Mask    string
}

// Part is a subset of the samples.
type Part uint8

// The parts of a data set. Train is read without labels while pretraining.
const (
	Train Part = iota
	Val
	Test
)

// Samples is random access to data of one domain.
type Samples interface {
	// Len is the number of samples in a part.
	Len(p Part) int
	// Labels returns the class of every sample of a part, or nil where there are none. -1 is unlabelled.
	Labels(p Part) []int32
	// Classes names the classes, or is nil.
	Classes() []string
	// Input is the field of one undisturbed sample as the encoder takes it.
	Input() Field
	// Fill writes sample i of a part to row `row` of dst (field Input()).
	Fill(dst *Array, row int, p Part, i int) error
	// Hash identifies the content (sha256 hex) for the model card.
	Hash() string
	// Views returns the sampler of a recipe's transformations.
	Views() (Sampler, error)
	// Encoder returns the graph of the recipe's encoder.
	Encoder() (Encoder, error)
	// Close releases files.
	Close() error
}

// Sampler makes the views. It is safe for concurrent use by workers that hold
// their own Scratch.
type Sampler interface {
	Streams() []Stream
	Fields() []Field
	// NewScratch returns the reusable memory of one worker.
	NewScratch() any
	// Fill draws the views of training sample i for (seed, epoch) and writes row `row` of
	// every field of dst (keyed as Fields()). It does not allocate.
	Fill(dst []Array, row int, seed, epoch uint64, i int, scratch any) error
	// Render writes one view as a picture or text for people (PNG for images).
	// strength in [0,1] picks the parameter: 0 low end, 1 high end of the declared range.
	Transforms() []Transformation
}

// Transformation is one declared transformation with its sample type erased.
type Transformation interface {
	Spec() view.Spec
	Config() view.Config
	// Draw returns parameters for (seed, epoch, sample).
	Draw(seed, epoch uint64, sample int) view.Params
	// At returns parameters with the principal parameter at fraction t of its declared range.
	At(t float64, seed uint64, sample int) view.Params
	// AtValue returns parameters with the given principal parameter.
	AtValue(v float64, seed uint64, sample int) view.Params
	// Fill writes the transformed sample i of a part to a row of dst (field Input()).
	Fill(dst *Array, row int, p Part, i int, params view.Params) error
}

// Renderer draws a sample for people. Samples may implement it.
type Renderer interface {
	// Render writes row `row` of a (field Input()) as PNG, at least size pixels wide.
	Render(w io.Writer, a *Array, row int, size int) error
}

// Encoder is a graph function from the Input field to features.
type Encoder interface {
	// Encode maps x [batch, Dims...] of the Input field's type to features.
	Encode(s *nn.Scope, x *graph.Node) Features
	// Dim is the width of Features.Pooled.
	Dim() int
}

// Features is what an encoder gives.
type Features struct {
	Pooled *graph.Node // [batch, dim]
	// Tokens is the feature map as [batch, places, dim]; nil where an encoder has none.
	Tokens *graph.Node
}

// Restorer is an encoder that can restore damaged samples.
type Restorer interface {
	// Restore maps features of damaged samples to a loss per sample [batch] against clean,
	// over the parts that mask names; trivial is the same loss of the trivial predictor (the mean).
	Restore(s *nn.Scope, f Features, clean, mask *graph.Node) (loss, trivial *graph.Node)
}

// Guard knows parts of a sample that no view may change. Samples may implement it.
type Guard interface {
	// Guards reports whether the recipe protects anything.
	Guards() bool
	// Touched names the first protected part that differs between a row of an original and its view, or "".
	Touched(original, view *Array, row int) string
}

// NewArray returns host memory for rows samples of a field.
func NewArray(f Field, rows int) Array {
	n := rows * f.Size()
	switch f.DType {
	case U8:
		return Array{U8: make([]uint8, n)}
	case U16:
		return Array{U16: make([]uint16, n)}
	case I32:
		return Array{I32: make([]int32, n)}
	}
	return Array{F32: make([]float32, n)}
}

// CopyRow copies row `from` of src to row `to` of dst, both of field f.
func CopyRow(f Field, dst *Array, to int, src *Array, from int) {
	n := f.Size()
	switch f.DType {
	case U8:
		copy(dst.U8[to*n:(to+1)*n], src.U8[from*n:(from+1)*n])
	case U16:
		copy(dst.U16[to*n:(to+1)*n], src.U16[from*n:(from+1)*n])
	case I32:
		copy(dst.I32[to*n:(to+1)*n], src.I32[from*n:(from+1)*n])
	case F32:
		copy(dst.F32[to*n:(to+1)*n], src.F32[from*n:(from+1)*n])
	}
}

// Draw is one recorded draw of a sampler.
type Draw struct {
	Stream    string
	View      int
	Transform string
	Params    view.Params
}

// Recorder is a sampler that can say what it drew: the replay of a training sample's views.
type Recorder interface {
	// Drawn returns the draws with which Fill makes the views of training sample i.
	Drawn(seed, epoch uint64, i int) []Draw
}

// Masked is a Transformation that removes information in known places.
type Masked interface {
	// Mask sets the elements of dst (as the Mask field of its stream) that a view replaces to 1, the others to 0.
	Mask(dst []uint8, params view.Params)
}

// Truther is a Transformation whose damage moves what a sample holds from place to place (bases that are inserted or
// lost), so that what is to be restored can be said only beside the view. The Clean field of its Restorable stream is not
// the undisturbed sample then, and has a type and a shape of its own.
type Truther interface {
	// Truth writes what Restorer.Restore takes as clean and mask for the view of sample i of a part under params: row `row` of
	// the Clean and Mask fields of the stream.
	Truth(clean, mask *Array, row int, p Part, i int, params view.Params) error
}

// Sheeter writes a contact sheet of the declared views. Samples may implement it.
type Sheeter interface {
	// WriteSheet writes one self-contained HTML page with n samples of each transformation.
	WriteSheet(w io.Writer, title string, n int, seed uint64) error
}

// About is what a domain knows of its data beside the samples.
type About struct {
	Licence      string
	Skipped      int         // broken files that were passed over
	SkippedFiles [][2]string // name and reason, as far as they are kept
	Duplicates   []Duplicate
	Warnings     []string
}

// Duplicate counts samples with the same content in two parts.
type Duplicate struct {
	A, B  string
	Count int
}

// Describer tells of the data. Samples may implement it.
type Describer interface{ Describe() About }

// Namer names samples. Samples may implement it.
type Namer interface {
	// Name says which file or row sample i of a part is.
	Name(p Part, i int) string
}

// Target is a regression target: what is to be predicted is a number, not a class. Samples may implement
// Targeter; Classes is then nil.
type Target struct {
	Name string
	Unit string
}

// Targeter are samples with a number to be predicted.
type Targeter interface {
	// Target names the number; ok is false where the samples have classes (or nothing) instead.
	Target() (t Target, ok bool)
	// Values are the numbers of a part; NaN where a sample has none.
	Values(p Part) []float64
}

// Featurer gives the raw values of samples as the baselines want them. Samples may implement it; others give their
// Input field.
type Featurer interface {
	// Dense is the standardised, one-hot form for linear models and kNN: [len(rows), dim], missing values imputed and flagged.
	Dense(p Part, rows []int) (x []float32, dim int, err error)
	// Tree is the plain form for trees: [len(rows), dim], NaN where missing; categorical says which columns hold codes.
	Tree(p Part, rows []int) (x []float32, dim int, categorical []bool, err error)
}

// Breach is a view that is no possible sample: which rule it breaks, and the sample in the user's own words.
type Breach struct {
	Rule     string // "protected column category", "bounds 0..120", "total == quantity * price", ...
	Text     string // one sentence with the values
	Names    []string
	Original []string // values by name, in the user's units
	View     []string
}

// Verifier checks that views are possible samples. Samples may implement it.
type Verifier interface {
	// VerifyView checks every view that Fill makes of training sample i for (seed, epoch); nil is possible.
	VerifyView(seed, epoch uint64, i int) *Breach
	// Verify checks one transformation alone.
	Verify(t Transformation, p Part, i int, params view.Params) *Breach
	// Properties are columns that an audit can try to decode from features: protected ones must be
	// decodable still, nuisances should not be.
	Properties() []Property
}

// Property is something that is known of every sample beside its label.
type Property struct {
	Name    string
	Kind    contract.Kind // Protected: must stay decodable; Invariant: should not be
	Classes int           // 0: a number
	// Value is the class, or the number, of sample i of a part; ok is false where it is missing.
	Value func(p Part, i int) (v float64, ok bool)
}

// TableRow is an original, or one view of it, in the words of its source.
type TableRow struct {
	Sample  int    // index in the training part
	Place   string // of the original in the source
	Stream  string // that made the view; "" of an original
	View    int    // 0 is the original, views count from 1 through all streams
	Cells   []string
	Missing []bool   // cells without a value: missing in the source, or taken away by the view
	Changed []string // columns whose cells differ from the original
	Drawn   []TableDraw
}

// TableDraw is one transformation that was drawn for a view.
type TableDraw struct {
	Transform string
	Params    []TableParam // those that have a name
	Values    []float64    // all that was drawn: with it Transformation.Fill replays
	Columns   []string     // whose cells it wrote, though perhaps as they were
	Donors    []string     // by column: place in the source of the row that gave the cell; "" where none did
}

// TableParam is a named parameter.
type TableParam struct {
	Name  string
	Value float64
}

// Tabler writes samples and their views as text, for anybody to check from outside. Samples may implement it.
type Tabler interface {
	// Header names the columns of the source.
	Header() []string
	// ViewRows gives the originals of training samples exactly as the source writes them, each followed by
	// its views for (seed, epoch): those of the named stream, of the Invariant stream (else of all) where it is "", or of all
	// where it is "all".
	ViewRows(ctx context.Context, samples []int, seed, epoch uint64, stream string, fn func(TableRow) error) error
	// ViewWords are the cells of sample i of a part and of its view, in the user's own units, by Header.
	ViewWords(t Transformation, p Part, i int, params view.Params) (original, view []string, err error)
}

// Comparer says how far a view lies from its original, and whether it shows anything, where differences
// of the values of the Input field mean nothing by themselves. Samples may implement it.
type Comparer interface {
	// Compare returns the share of the parts (cells of a row) that differ, and by how much these do on average:
	// numbers in standard deviations, all else 1.
	Compare(original, view *Array, row int) (share, distance float64)
	// Blank reports whether a view shows nothing at all.
	Blank(view *Array, row int) bool
}

// Prober gives views in the form in which trees take them (see Featurer.Tree), for probes. Samples may implement it.
type Prober interface {
	// TreeView writes row i of a part under t, or undisturbed where t is nil, to dst [dim]; NaN is missing, dropped or masked.
	TreeView(dst []float32, t Transformation, p Part, i int, params view.Params) error
}

// Claimer says in words what a contract claims. Samples may implement it.
type Claimer interface {
	// Claim is what the Invariant contract of t claims of columns whose values are no numbers, such as "turning electronics
	// into groceries changes nothing"; "" where it claims nothing of that kind. Advice is what else could be declared.
	Claim(t Transformation, term contract.Term) (claim, advice string)
}
