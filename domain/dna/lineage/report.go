package lineage

import "time"

// Report is the whole of what `selfsame tree` found: tree.json.
type Report struct {
	Format     int       `json:"format"` // 1
	Name       string    `json:"name"`   // of the recipe
	Version    string    `json:"version"`
	Engine     string    `json:"engine"`
	Created    time.Time `json:"created"`
	Command    string    `json:"command"`
	Seconds    float64   `json:"seconds"`
	Runs       []Run     `json:"runs"`
	Genomes    []Genome  `json:"genomes"`
	Window     int       `json:"window"`              // bases of a window
	Windows    int       `json:"windows"`             // read of each genome, at most
	Replicates int       `json:"replicates"`          // of the bootstrap
	Seed       uint64    `json:"seed"`                // of the windows, of the bootstrap, of the random trees
	Reference  string    `json:"reference,omitempty"` // file name
	Bits       []Bits    `json:"bits,omitempty"`
	Warnings   []string  `json:"warnings,omitempty"`
	Newick     string    `json:"newick"`
	Out        string    `json:"-"` // folder of the files
	*Result
}

// Run is one trained network.
type Run struct {
	Dir     string `json:"dir"`
	Seed    uint64 `json:"seed"`
	Steps   int    `json:"steps"`
	Bases   int    `json:"bases"`   // read in training
	Weights string `json:"weights"` // sha256
}

// Genome is a species of the pool.
type Genome struct {
	Name    string  `json:"name"`
	Group   string  `json:"group,omitempty"` // clade, for colours
	Bases   int     `json:"bases"`
	GC      float64 `json:"gc"`   // share
	Held    bool    `json:"held"` // never trained on
	Windows int     `json:"windows"`
}

// Bits are bits per base of one method on one held-out part; lower is better.
type Bits struct {
	Part   string  `json:"part"`   // "windows" of genomes that were trained on, "species" that were not
	Method string  `json:"method"` // "network", "markov-K", "composition"
	Seeds  int     `json:"seeds"`
	Bits   Spread  `json:"bits"`
	Error  float64 `json:"error"` // standard error over windows, mean over seeds
}
