// Package selfsame is self-supervised learning for people who have much unlabelled data, few
// labels, and domain knowledge: they say what may change in their data without changing its
// meaning, selfsame turns that into training, checks that the trained encoder keeps it, and says
// with honest numbers whether pretraining paid.
//
// Most users need two calls:
//
//	res, err := selfsame.Run(ctx, "recipes/digits.yaml", selfsame.Options{Dir: "runs/digits"})
//	model, err := selfsame.Open("runs/digits")
//
// [Run] does the whole line from a recipe: data, views, certify, pretrain, audit, adapt, report.
// [Open] loads a trained encoder; [Model.Embed] turns samples into features and [Model.Predict]
// into class probabilities.
//
// # Stability
//
// The files of a run directory (recipe.yaml, encoder.safetensors, encoder.json, certificate.json,
// audit.json, scores.csv, report.json) are meant for other programs: fields may be added, none
// changes its meaning within a major version.
package selfsame
