package denoise

import (
	"embed"
	"slices"
	"strings"
)

//go:embed models
var models embed.FS

const modelEnding = ".safetensors"

// Models lists the built-in models.
func Models() []string {
	entries, err := models.ReadDir("models")
	if err != nil {
		return nil // the folder is part of the program
	}
	var out []string
	for _, e := range entries {
		if n, ok := strings.CutSuffix(e.Name(), modelEnding); ok {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out
}

// Model is a built-in model as a safetensors file; ok is false where there is none of the name.
func Model(name string) (file []byte, ok bool) {
	if !slices.Contains(Models(), name) {
		return nil, false
	}
	b, err := models.ReadFile("models/" + name + modelEnding)
	return b, err == nil
}
