package recipe

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/view"
)

// readsSpecs stands for the domain of DNA.
var readsSpecs = []view.Spec{{Name: "sequencer", P: 1, Identity: 1, Kinds: []contract.Kind{contract.Restorable},
	Params:  []view.ParamSpec{{Name: "noise", Max: 10, Default: contract.Range{From: 0.5, To: 2}}},
	Options: []view.OptionSpec{{Name: "profile", Default: "illumina", Doc: "whose noise"}, {Name: "kind", Doc: "short or long"}}}}

func TestReads(t *testing.T) {
	r, err := Load("testdata/reads.yaml", testSpecs)
	if err != nil {
		t.Fatal(err)
	}
	if r.Data.Task != TaskReads || r.Encoder.Kind != EncoderPileup || r.Encoder.Width != 48 || r.Train.Optimizer != "adamw" || r.Train.LR != 8e-3 || r.Data.Size != 160 {
		t.Errorf("defaults %+v %+v %+v", r.Data, r.Encoder, r.Train)
	}
	if d := cmp.Diff(map[string]string{"profile": "illumina"}, r.Views.Transforms[0].Options); d != "" {
		t.Error(d)
	}
	// What stands in the resolved recipe is read again, also where a word looks like something else.
	r, err = Load("testdata/reads.yaml", testSpecs, "views.sequencer.profile=rate:0.01,0,0", "views.sequencer.kind=yes")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]string{"profile": "rate:0.01,0,0", "kind": "yes"}, r.Views.Transforms[0].Options); d != "" {
		t.Error(d)
	}
	roundTrip(t, r)
	// The options stand in the schema.
	b, err := Schema(readsSpecs)
	if err != nil || !json.Valid(b) || !strings.Contains(string(b), `"whose noise"`) {
		t.Errorf("schema: %v", err)
	}
}

// TestReadsMisfit: what belongs to reads alone, and what reads cannot have.
func TestReadsMisfit(t *testing.T) {
	for body, want := range map[string]string{
		"domain: dna\ndata: {source: a.fa, task: classify}\nviews: [sequencer]":                         "data.task",
		"domain: dna\ndata: {source: a.fa}\nencoder: {kind: vit}\nviews: [sequencer]":                   "encoder.kind",
		"data: {source: a, task: reads}\nviews: [hflip]":                                                "data.task",
		"data: {source: a, task: genomes}\nviews: [hflip]":                                              "data.task",
		"data: {source: a, hold_out: [b]}\nviews: [hflip]":                                              "data.hold_out",
		"data: {source: a}\nencoder: {kind: conv-lm}\nviews: [hflip]":                                   "encoder.kind",
		"domain: dna\ndata: {source: a.fa, task: genomes}\nencoder: {kind: pileup}\nviews: [sequencer]": "does not take genomes",
		"data: {source: a}\nencoder: {kind: pileup}\nviews: [hflip]":                                    "encoder.kind",
		"domain: dna\ndata: {source: a.fa}\nviews: [sequencer: {profile: [a]}]":                         "profile",
		"domain: dna\ndata: {source: a.fa}\nviews: [sequencer: {profile: \"\"}]":                        "profile",
		"domain: dna\ndata: {source: a.fa}\nviews: [sequencer: {profil: illumina}]":                     "did you mean profile",
		"domain: dna\ndata: {source: a.fa}\nviews: [sequencer: {profile: \"a\\tb\"}]":                   "profile",
	} {
		if _, err := Parse("r.yaml", []byte(body), testSpecs); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestGenomes(t *testing.T) {
	r, err := Load("testdata/genomes.yaml", testSpecs)
	if err != nil {
		t.Fatal(err)
	}
	if r.Data.Task != TaskGenomes || r.Encoder.Kind != EncoderConvLM || r.Encoder.Width != 128 || r.Train.Optimizer != "adamw" || r.Data.Size != 512 || len(r.Data.HoldOut) != 1 {
		t.Errorf("defaults %+v %+v %+v", r.Data, r.Encoder, r.Train)
	}
	roundTrip(t, r)
	for _, kind := range []string{EncoderGRU, EncoderTransformer} {
		if _, err := Load("testdata/genomes.yaml", testSpecs, "encoder.kind="+kind); err != nil {
			t.Error(err)
		}
	}
}
