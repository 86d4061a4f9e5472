package selfsame

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/pretrain"
	"github.com/selfsame-ml/selfsame/store"
	"github.com/selfsame-ml/selfsame/train"
)

// armsFolder holds the weights of the arms in a run directory, as NAME.safetensors.
const armsFolder = "arms"

func armFile(arm string) string { return path.Join(armsFolder, arm+".safetensors") }

// trainArms trains the encoders of train.arms after the whole objective: each from the same seed for as many steps, with the streams of
// one kind of contract only. It returns their files. An arm that is finished is passed over, one that was interrupted goes on.
func (l *line) trainArms(e *engine.Engine) ([]string, error) {
	var files []string
	inputs := l.inputs[StagePretrain]
	for _, arm := range l.r.Train.Arms {
		files = append(files, armFile(arm))
		switch ts, err := store.ReadTensors(l.dir.File(armFile(arm))); {
		case err == nil && ts.Meta["inputs"] == inputs:
			l.text(StagePretrain, "note", "arm %s: finished before", arm)
			continue
		case err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, store.ErrTensors):
			return nil, err
		}
		res, err := pretrain.Run(l.ctx, pretrain.Config{
			Recipe: l.r, Engine: e, Samples: l.samples, Only: pretrain.Arms[arm],
			Checkpoints: &checkpoints{dir: l.dir, keep: max(1, l.r.Train.Keep), inputs: inputs, folder: arm},
			Event: func(v any) {
				switch v := v.(type) {
				case pretrain.Resumed:
					l.event(StagePretrain, "note", map[string]any{"arm": arm, "step_from": v.Step, "text": fmt.Sprintf("arm %s: going on from the checkpoint of step %d", arm, v.Step)})
				case pretrain.Progress: // of a kind of its own: "progress" is the curve of the whole objective
					d := fields(v)
					d["arm"], d["text"] = arm, fmt.Sprintf("arm %s, loss %.4g", arm, v.Loss)
					l.event(StagePretrain, "step", d)
				case pretrain.Health:
					if v.Verdict == pretrain.Collapsed {
						l.text(StagePretrain, "warning", "arm %s: the encoder has collapsed at step %d: %s", arm, v.Step, v.Why)
					}
				}
			},
		})
		if err != nil {
			return nil, fmt.Errorf("arm %s: %w", arm, err)
		}
		err = l.dir.Write(armFile(arm), func(w io.Writer) error {
			return store.WriteTensors(w, tensorsOf(res.Weights), map[string]string{"domain": l.r.Domain, "inputs": inputs, "arm": arm})
		})
		if err != nil {
			return nil, err
		}
		if err := os.RemoveAll(l.dir.File(store.Checkpoints, arm)); err != nil { // the weights are there: nothing goes on from here
			return nil, fmt.Errorf("selfsame: %w", err)
		}
	}
	return files, nil
}

// arms are the weights that trainArms left, by the name of the arm; nil where the recipe has none.
func (l *line) arms() (map[string]map[string]train.Value, error) {
	var out map[string]map[string]train.Value
	for _, arm := range l.r.Train.Arms {
		w, err := loadWeights(l.dir.File(armFile(arm)))
		if err != nil {
			return nil, err
		}
		if out == nil {
			out = map[string]map[string]train.Value{}
		}
		out[arm] = w
	}
	return out, nil
}
