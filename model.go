package selfsame

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/selfsame-ml/selfsame/adapt"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/metric"
	"github.com/selfsame-ml/selfsame/pretrain"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/store"
	"github.com/selfsame-ml/selfsame/train"
)

// Card is encoder.json, the model card: all that is needed to use the weights as they were trained.
type Card struct {
	Format   int            `json:"format"` // 1
	Name     string         `json:"name"`
	Domain   string         `json:"domain"`
	Encoder  recipe.Encoder `json:"encoder"`
	Input    CardInput      `json:"input"`
	Dim      int            `json:"dim"` // width of the features
	Contract []CardTerm     `json:"contract"`
	Classes  []string       `json:"classes,omitempty"`
	// Data is what the domain must know of its data beside the input (tables: columns, levels, statistics).
	Data     json.RawMessage `json:"data,omitempty"`
	DataHash string          `json:"data_hash"` // sha256 of the samples
	Inputs   string          `json:"inputs"`    // sha256 of recipe and data
	Steps    int             `json:"steps"`
	Seed     uint64          `json:"seed"`
	Versions CardVersions    `json:"versions"`
}

// CardInput is the input that the encoder takes.
type CardInput struct {
	Name string `json:"name"`
	Type string `json:"type"` // "uint8", "uint16", "int32", "float32"
	Dims []int  `json:"dims"` // of one sample, images [height, width, channels]; integer pixels are scaled to [0, 1]
}

// CardTerm is one promise of the contract.
type CardTerm struct {
	Transform string  `json:"transform"`
	Kind      string  `json:"kind"`
	From      float64 `json:"from"`
	To        float64 `json:"to"`
}

// CardVersions names the software.
type CardVersions struct {
	Selfsame string `json:"selfsame"`
	Go       string `json:"go"`
	Engine   string `json:"engine"`
}

var typeNames = map[domain.DType]string{domain.U8: "uint8", domain.U16: "uint16", domain.I32: "int32", domain.F32: "float32"}

func contractOf(r *recipe.Recipe) []CardTerm {
	out := []CardTerm{}
	for _, t := range r.AllTransforms() {
		for _, term := range t.Terms {
			out = append(out, CardTerm{t.Name, term.Kind.String(), term.Range.From, term.Range.To})
		}
	}
	return out
}

// tensorsOf lists values as safetensors.
func tensorsOf(values map[string]train.Value) []store.Tensor {
	var out []store.Tensor
	for _, name := range slices.Sorted(maps.Keys(values)) {
		out = append(out, store.Tensor{Name: name, DType: store.F32, Shape: values[name].Dims, Data: values[name].Data})
	}
	return out
}

func valuesOf(ts *store.Tensors) (map[string]train.Value, error) {
	out := map[string]train.Value{}
	for i := range ts.List {
		t := &ts.List[i]
		d, err := t.F32Data(t.Shape...)
		if err != nil {
			return nil, err
		}
		out[t.Name] = train.Value{Dims: t.Shape, Data: d}
	}
	return out, nil
}

// saveModel writes all weights of pretraining, the encoder's alone, and its card.
func (l *line) saveModel(res *pretrain.Result) error {
	enc, err := l.samples.Encoder()
	if err != nil {
		return err
	}
	in := l.samples.Input()
	card := Card{
		Format: 1, Name: l.r.Name, Domain: l.r.Domain, Encoder: l.r.Encoder, Dim: enc.Dim(),
		Input:    CardInput{in.Name, typeNames[in.DType], in.Dims},
		Contract: contractOf(l.r), Classes: l.samples.Classes(), DataHash: l.samples.Hash(), Inputs: l.inputs[StagePretrain],
		Steps: res.Steps, Seed: l.r.Seed, Versions: CardVersions{Version(), runtime.Version(), l.engine.String()},
	}
	if c, ok := l.samples.(domain.Carder); ok {
		if card.Data, err = c.CardData(); err != nil {
			return fmt.Errorf("selfsame: model card: %w", err)
		}
	}
	encoder := map[string]train.Value{}
	for name, v := range res.Weights {
		if strings.HasPrefix(name, pretrain.EncoderScope+"/") {
			encoder[name] = v
		}
	}
	meta := map[string]string{"domain": card.Domain, "data_hash": card.DataHash, "inputs": card.Inputs}
	if err := store.SaveTensors(l.dir.File(pretrainFile), tensorsOf(res.Weights), meta); err != nil {
		return err
	}
	if err := store.SaveTensors(l.dir.File(encoderFile), tensorsOf(encoder), meta); err != nil {
		return err
	}
	return l.dir.WriteJSON(cardFile, card)
}

func loadWeights(path string) (map[string]train.Value, error) {
	ts, err := store.ReadTensors(path)
	if err != nil {
		return nil, err
	}
	v, err := valuesOf(ts)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return v, nil
}

func saveHead(path string, h *adapt.Head) error {
	lin := h.Linear
	classes, err := json.Marshal(h.Classes)
	if err != nil {
		return fmt.Errorf("selfsame: %w", err)
	}
	return store.SaveTensors(path, []store.Tensor{
		{Name: "mean", DType: store.F32, Shape: []int{lin.Dim}, Data: lin.Mean},
		{Name: "std", DType: store.F32, Shape: []int{lin.Dim}, Data: lin.Std},
		{Name: "weight", DType: store.F32, Shape: []int{lin.Classes, lin.Dim}, Data: lin.W},
		{Name: "bias", DType: store.F32, Shape: []int{lin.Classes}, Data: lin.B},
	}, map[string]string{"classes": string(classes), "labels": strconv.Itoa(h.Labels), "target": h.Target.Name, "unit": h.Target.Unit})
}

func loadHead(path string) (*adapt.Head, error) {
	ts, err := store.ReadTensors(path)
	if err != nil {
		return nil, err
	}
	h := &adapt.Head{Linear: &metric.Linear{}}
	if err := json.Unmarshal([]byte(ts.Meta["classes"]), &h.Classes); err != nil {
		return nil, fmt.Errorf("selfsame: %s: classes: %w", path, err)
	}
	if h.Labels, err = strconv.Atoi(ts.Meta["labels"]); err != nil {
		return nil, fmt.Errorf("selfsame: %s: labels: %w", path, err)
	}
	h.Target = domain.Target{Name: ts.Meta["target"], Unit: ts.Meta["unit"]}
	lin := h.Linear
	mean := ts.Get("mean")
	if mean == nil || len(mean.Shape) != 1 {
		return nil, fmt.Errorf("selfsame: %s holds no head", path)
	}
	lin.Dim, lin.Classes = mean.Shape[0], max(1, len(h.Classes)) // one output where a number is predicted
	for _, p := range []struct {
		dst   *[]float32
		name  string
		shape []int
	}{{&lin.Mean, "mean", []int{lin.Dim}}, {&lin.Std, "std", []int{lin.Dim}}, {&lin.W, "weight", []int{lin.Classes, lin.Dim}}, {&lin.B, "bias", []int{lin.Classes}}} {
		if *p.dst, err = ts.Get(p.name).F32Data(p.shape...); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return h, nil
}

// checkpoints keeps the newest states of pretraining in the run directory.
type checkpoints struct {
	dir    *store.RunDir
	keep   int
	inputs string
	folder string // below store.Checkpoints; "" is the whole objective's
}

const checkpointExt = ".safetensors"

func (c *checkpoints) name(step int) string { return fmt.Sprintf("step-%09d%s", step, checkpointExt) }

// Save writes a checkpoint atomically, then removes the oldest ones.
func (c *checkpoints) Save(st *train.State) error {
	name := path.Join(store.Checkpoints, c.folder, c.name(st.Step))
	err := c.dir.Write(name, func(w io.Writer) error {
		return store.WriteTensors(w, tensorsOf(st.Values), map[string]string{"step": strconv.Itoa(st.Step), "inputs": c.inputs})
	})
	if err != nil {
		return err
	}
	names, err := c.list()
	if err != nil {
		return err
	}
	for _, old := range names[:max(0, len(names)-c.keep)] {
		if err := os.Remove(c.dir.File(store.Checkpoints, c.folder, old)); err != nil {
			return fmt.Errorf("selfsame: %w", err)
		}
	}
	return nil
}

// list returns the checkpoints by step, the oldest first.
func (c *checkpoints) list() ([]string, error) {
	entries, err := os.ReadDir(c.dir.File(store.Checkpoints, c.folder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("selfsame: %w", err)
	}
	var out []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "step-") && strings.HasSuffix(e.Name(), checkpointExt) {
			out = append(out, e.Name())
		}
	}
	slices.Sort(out)
	return out, nil
}

// Latest reads the newest checkpoint that is whole and belongs to this run. A damaged one is passed
// over for the one before it.
func (c *checkpoints) Latest() (*train.State, error) {
	names, err := c.list()
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Backward(names) {
		ts, err := store.ReadTensors(c.dir.File(store.Checkpoints, c.folder, name))
		if errors.Is(err, store.ErrTensors) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if ts.Meta["inputs"] != c.inputs {
			return nil, fmt.Errorf("%w: checkpoint %s was written for another recipe or other data", store.ErrChanged, name)
		}
		step, err := strconv.Atoi(ts.Meta["step"])
		if err != nil {
			return nil, fmt.Errorf("selfsame: %s: step: %w", name, err)
		}
		v, err := valuesOf(ts)
		if err != nil {
			return nil, err
		}
		return &train.State{Step: step, Values: v}, nil
	}
	return nil, nil
}

// loadCard reads the card beside an encoder.
func loadCard(path string) (*Card, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("selfsame: %w", err)
	}
	c := &Card{}
	if err := json.NewDecoder(bytes.NewReader(b)).Decode(c); err != nil {
		return nil, fmt.Errorf("selfsame: %s: %w", path, err)
	}
	if c.Format != 1 {
		return nil, fmt.Errorf("selfsame: %s: format %d is not known, want 1", path, c.Format)
	}
	return c, nil
}

// modelFiles finds encoder, card and head from a run directory or the path of an encoder.
func modelFiles(path string) (weights, card, head string, err error) {
	st, err := os.Stat(path)
	if err != nil {
		return "", "", "", fmt.Errorf("selfsame: %w", err)
	}
	dir := path
	weights = filepath.Join(path, encoderFile)
	if !st.IsDir() {
		dir, weights = filepath.Dir(path), path
	} else if _, err := os.Stat(weights); err != nil {
		return "", "", "", fmt.Errorf("%w: %s holds no %s; was the run finished?", ErrStage, path, encoderFile)
	}
	return weights, filepath.Join(dir, cardFile), filepath.Join(dir, headFile), nil
}
