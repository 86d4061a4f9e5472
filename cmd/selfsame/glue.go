package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/selfsame-ml/selfsame/store"
)

// This file is the seam between flags and the library: api holds the calls of the root
// package in the form in which the commands need them. A command whose call is missing from
// this build is left out of it.

// runRequest asks for the line, or one stage of it.
type runRequest struct {
	Recipe string            // path of a recipe; "" where Dir already holds one
	Dir    string            // run directory; "" lets the library choose
	Set    []string          // "key=value" overrides of the recipe
	Until  string            // last stage to run; "" is all
	Only   string            // the one stage to run; "" is the line
	Force  bool              // run stages again that are finished
	Events func(store.Event) // told each line of events.jsonl as it is written
}

// runOutcome is what a run leaves.
type runOutcome struct {
	Dir     string   `json:"dir"`
	Report  string   `json:"report,omitempty"`  // path of report.html
	Verdict string   `json:"verdict,omitempty"` // "pays", "no difference shown", "hurts"
	Lines   []string `json:"lines,omitempty"`   // the closing summary for people, 80 columns
}

// viewsRequest asks for a contact sheet.
type viewsRequest struct {
	Recipe  string
	Set     []string
	Out     string // HTML file
	Samples int    // samples shown of each transformation
	Events  func(store.Event)
}

// embedRequest asks for the features (or class probabilities) of data.
type embedRequest struct {
	Model  string // run directory or encoder.safetensors
	Data   string // catalogue name, folder, image, IDX or .npy
	Out    string // .csv, .npy or .parquet; predict: .csv; "" is stdout as CSV
	Part   string // "train", "val", "test" or "all"
	Engine string // "auto", "go", "xla"
	Batch  int
	Budget int // predict: labels of the head to use; 0 is the largest
	TopK   int // predict: classes listed a sample
	// Tables.
	Query  string   // SQL, where Data is a database
	IDs    []string // columns copied to the output; nil: the identifiers
	MaxBad int      // records that may fail; 0: any number
	Events func(store.Event)
}

// embedOutcome says what was written.
type embedOutcome struct {
	Out     string `json:"out"`
	Samples int    `json:"samples"`
	Dim     int    `json:"dim,omitempty"`
}

var api struct {
	Run     func(context.Context, runRequest) (runOutcome, error)
	Views   func(context.Context, viewsRequest) (string, error)
	Embed   func(context.Context, embedRequest) (embedOutcome, error)
	Predict func(context.Context, embedRequest) (embedOutcome, error)
}

func runCommands(a *app) []*cobra.Command {
	var out []*cobra.Command
	if api.Run != nil {
		out = append(out, runCommand(a))
		out = append(out, repeatCommand(a))
		for _, s := range stageTexts {
			out = append(out, stageCommand(a, s))
		}
	}
	if api.Views != nil {
		out = append(out, viewsCommand(a))
	}
	return out
}

func useCommands(a *app) []*cobra.Command {
	var out []*cobra.Command
	if api.Embed != nil {
		out = append(out, embedCommand(a))
	}
	if api.Predict != nil {
		out = append(out, predictCommand(a))
	}
	return append(out, denoiseCommand(a), treeCommand(a), sequencerCommand(a), measureCommand(a))
}

func setCommands(a *app) []*cobra.Command {
	return []*cobra.Command{recipeCommand(a), dataCommand(a), engineCommand(a), versionCommand(a)}
}
