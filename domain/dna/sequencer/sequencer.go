// Package sequencer makes reads as a sequencing machine would, and keeps the truth of every base.
//
// Most users need two calls: [Builtin] (or [Load], [Rate], [Fit]) for a profile, and
// [Profile.Read], which draws one read from a template.
//
// A profile is a generative model. A class of reads is drawn first (good and bad reads), then base by base a quality
// (a first-order Markov chain whose tables change along the read), a substitution given that quality, the two
// template bases before the error and the position, and insertions and deletions whose rates
// depend on the length of the homopolymer. 3' adapters, ambiguous bases and truncation complete it. The rates of
// the built-in profiles were fitted with Fit; what on, their Doc says.
package sequencer

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Codes of bases and of the truth that is kept of each base of a read.
const (
	A, C, G, T uint8 = 0, 1, 2, 3
	N          uint8 = 4 // any other letter

	Delete  uint8 = 4   // Here: the sequencer inserted this base
	Unknown uint8 = 255 // Here: the template is N
)

// MaxQuality is the highest Phred score that a FASTQ file can hold.
const MaxQuality = 93

// version of the JSON form of a Profile.
const version = 1

// Limits of a Profile that Validate holds.
const (
	maxBins    = 1024
	maxClasses = 16
	maxRun     = 64
	maxFile    = 16 << 20 // bytes of JSON
	// maxRate bounds the rates of insertion, of deletion and of N, times the factor of a class: above it no read would end.
	maxRate   = 0.75
	maxExtend = 0.95
)

// ErrProfile is wrapped by every error about the content of a profile.
var ErrProfile = errors.New("sequencer: bad profile")

// Profile is the model of one kind of sequencer. Its exported fields are its JSON form; change
// none after the first Read. Use it by pointer; it may be used by many goroutines at once.
type Profile struct {
	Version  int          `json:"version"`
	Name     string       `json:"name"`
	Doc      string       `json:"doc,omitempty"`   // what it was fitted on
	Reads    int64        `json:"reads,omitempty"` // reads that Fit saw
	Bases    int64        `json:"bases,omitempty"` // aligned bases that Fit saw
	Quality  Quality      `json:"quality"`
	Sub      Substitution `json:"sub"`
	Ins      Insertion    `json:"ins"`
	Del      Deletion     `json:"del"`
	N        Ambiguous    `json:"n"`
	Adapter  Adapter      `json:"adapter"`
	Truncate Truncation   `json:"truncate"`
	// Length holds evenly spaced quantiles of the read length in bases, from the shortest to the longest; DrawLength draws from it.
	Length  []int   `json:"length,omitempty"`
	Classes []Class `json:"classes"`

	tab atomic.Pointer[tables]
}

// Quality says which Phred scores there are and how they follow each other.
type Quality struct {
	// Phred lists the K scores in use, ascending, each 0..93.
	Phred []int `json:"phred"`
	// Ends cuts the read into bins of cycles: bin i holds cycles [Ends[i-1], Ends[i]), counted
	// from 0; cycles after the last belong to the last bin.
	Ends []int `json:"ends"`
	// Link [K, K] is how much likelier score j follows score i than by chance (odds, 1: independent).
	// The transition table of a bin is the one with these odds ratios and the marginals of the
	// bin (iterative proportional fitting, Deming & Stephan 1940). Absent: independent.
	Link [][]float64 `json:"link,omitempty"`
	// N is the Phred score of an ambiguous base.
	N uint8 `json:"n"`
}

// Class is one kind of read, drawn once a read: its scores and how its error rates differ.
type Class struct {
	Weight float64 `json:"weight"`
	// Sub, Ins and Del multiply the rates of the profile.
	Sub float64 `json:"sub"`
	Ins float64 `json:"ins"`
	Del float64 `json:"del"`
	// Marginal [bins, K] is the distribution of scores in each bin of cycles.
	Marginal [][]float64 `json:"marginal"`
}

// Substitution is the probability that a base is read as another:
// ByQuality · ByContext · ByCycle, and the factor of the class, at most 0.75.
type Substitution struct {
	// ByQuality [K] is the rate at each score of Quality.Phred.
	ByQuality []float64 `json:"by_quality"`
	// ByContext [4 · previous base + base] is a factor, about 1 in the mean. Absent: 1.
	ByContext []float64 `json:"by_context,omitempty"`
	// ByCycle [bins] is a factor. Absent: 1.
	ByCycle []float64 `json:"by_cycle,omitempty"`
	// To [4 · previous base + base][4] weighs what is read instead; the base itself has 0. Absent: even.
	To [][]float64 `json:"to,omitempty"`
}

// Insertion is what the sequencer adds.
type Insertion struct {
	// ByRun [i] is the probability that bases are inserted after a template base in a homopolymer of
	// i+1 bases; longer ones have the rate of the last.
	ByRun []float64 `json:"by_run"`
	// Extend is the probability that one more base is inserted, each time.
	Extend float64 `json:"extend"`
	// Repeat is the probability that an inserted base repeats the template base before it;
	// otherwise it is one of the other three.
	Repeat float64 `json:"repeat"`
	// Quality [K] is the distribution of scores of inserted bases. Absent: the chain goes on.
	Quality []float64 `json:"quality,omitempty"`
}

// Deletion is what the sequencer skips.
type Deletion struct {
	// ByRun [i] is the probability that a deletion starts at a template base in a homopolymer of i+1 bases.
	ByRun []float64 `json:"by_run"`
	// Extend is the probability that one more base is skipped, each time.
	Extend float64 `json:"extend"`
	// Quality [K] is the distribution of scores of the base after a deletion. Absent: the chain goes on.
	Quality []float64 `json:"quality,omitempty"`
}

// Ambiguous is how often N is called.
type Ambiguous struct {
	Rate   float64 `json:"rate"`   // per base
	Extend float64 `json:"extend"` // that the next base is N too
}

// Adapter is the 3' adapter, read where the fragment ends before the read.
type Adapter struct {
	// Seq is the adapter in read direction, ACGT. Empty: a read ends with its template.
	Seq string `json:"seq,omitempty"`
	// Rate is the probability that a fragment is shorter than the wanted read; its length is then
	// even from Shortest to that length.
	Rate     float64 `json:"rate"`
	Shortest int     `json:"shortest"`
}

// Truncation is how often a read ends before its wanted length, evenly from Shortest on.
type Truncation struct {
	Rate     float64 `json:"rate"`
	Shortest int     `json:"shortest"`
}

//go:embed profiles/*.json
var profiles embed.FS

var builtin sync.Map // name -> *Profile

// Names lists the built-in profiles.
func Names() []string {
	files, err := fs.Glob(profiles, "profiles/*.json")
	if err != nil {
		return nil
	}
	for i, f := range files {
		files[i] = strings.TrimSuffix(strings.TrimPrefix(f, "profiles/"), ".json")
	}
	return files
}

// Builtin returns a built-in profile: "illumina" (150 bases), "miseq" (250 bases), "pacbio" (continuous long
// reads) or "nanopore". It is shared: do not change it.
func Builtin(name string) (*Profile, error) {
	if p, ok := builtin.Load(name); ok {
		return p.(*Profile), nil
	}
	b, err := profiles.ReadFile("profiles/" + name + ".json")
	if err != nil || strings.ContainsAny(name, "/\\") {
		return nil, fmt.Errorf("sequencer: no profile %q, there are %s", name, strings.Join(Names(), ", "))
	}
	p, err := Load(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("sequencer: %s: %w", name, err)
	}
	was, _ := builtin.LoadOrStore(name, p)
	return was.(*Profile), nil
}

// Rate returns a profile of plain rates per template base: nothing depends on anything, and every base has
// the Phred score of their sum (at most 60), so scores carry no information.
func Rate(sub, ins, del float64) *Profile {
	q := 60.0
	if all := sub + ins + del; all > 0 {
		q = min(q, max(1, math.Round(-10*math.Log10(all))))
	}
	if math.IsNaN(q) {
		q = 1
	}
	return &Profile{
		Version: version,
		Name:    "rate",
		Quality: Quality{Phred: []int{int(q)}, Ends: []int{1}, N: 2},
		Sub:     Substitution{ByQuality: []float64{sub}},
		Ins:     Insertion{ByRun: []float64{ins}, Repeat: 0.25},
		Del:     Deletion{ByRun: []float64{del}},
		Classes: []Class{{Weight: 1, Sub: 1, Ins: 1, Del: 1, Marginal: [][]float64{{1}}}},
	}
}

// Load reads the JSON form of a profile, at most 16 MiB, and validates it. Unknown fields are refused.
func Load(r io.Reader) (*Profile, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("sequencer: reading a profile: %w", err)
	}
	if len(b) > maxFile {
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrProfile, maxFile)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	p := &Profile{}
	if err := d.Decode(p); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProfile, err)
	}
	if err := d.Decode(&struct{}{}); err != io.EOF {
		return nil, fmt.Errorf("%w: there is more after the profile", ErrProfile)
	}
	if err := p.Validate(); err != nil {
		return nil, err
	}
	return p, nil
}

// Save writes the JSON form of p, after validating it.
func (p *Profile) Save(w io.Writer) error {
	if err := p.Validate(); err != nil {
		return err
	}
	b, err := json.MarshalIndent(p, "", " ")
	if err != nil {
		return fmt.Errorf("sequencer: writing profile %s: %w", p.Name, err)
	}
	if _, err := w.Write(append(compact(b), '\n')); err != nil {
		return fmt.Errorf("sequencer: writing profile %s: %w", p.Name, err)
	}
	return nil
}

// compact joins the lines of arrays of numbers, one row a line.
func compact(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] == '[' {
			if end := bytes.IndexAny(b[i+1:], "[]{}\""); end >= 0 && b[i+1+end] == ']' {
				for _, c := range b[i : i+2+end] {
					if c != ' ' && c != '\n' {
						out = append(out, c)
					}
				}
				i += 1 + end
				continue
			}
		}
		out = append(out, b[i])
	}
	return out
}

// Validate checks every number of p. Builtin, Load, Save, Rate (for rates in range) and Fit give valid profiles.
func (p *Profile) Validate() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s: %s", ErrProfile, p.Name, fmt.Sprintf(format, args...))
	}
	if p.Version != version {
		return bad("version is %d, this program reads %d", p.Version, version)
	}
	q := &p.Quality
	k, bins := len(q.Phred), len(q.Ends)
	if k < 1 || k > MaxQuality+1 {
		return bad("quality.phred has %d scores, want 1..%d", k, MaxQuality+1)
	}
	for i, v := range q.Phred {
		if v < 0 || v > MaxQuality || i > 0 && v <= q.Phred[i-1] {
			return bad("quality.phred[%d] is %d, want ascending scores up to %d", i, v, MaxQuality)
		}
	}
	if q.N > MaxQuality {
		return bad("quality.n is %d, limit %d", q.N, MaxQuality)
	}
	if bins < 1 || bins > maxBins {
		return bad("quality.ends has %d bins, want 1..%d", bins, maxBins)
	}
	for i, e := range q.Ends {
		if e < 1 || i > 0 && e <= q.Ends[i-1] {
			return bad("quality.ends[%d] is %d, want ascending positions from 1 on", i, e)
		}
	}
	var err error
	// numbers checks want values in lo..hi; absent reports whether none may be given.
	numbers := func(name string, v []float64, want int, absent bool, lo, hi float64) {
		if err != nil || absent && v == nil {
			return
		}
		if len(v) != want {
			err = bad("%s has %d values, want %d", name, len(v), want)
			return
		}
		for i, x := range v {
			if !(x >= lo && x <= hi) { // NaN too
				err = bad("%s[%d] is %g, want %g..%g", name, i, x, lo, hi)
				return
			}
		}
	}
	weights := func(name string, v []float64, want int, absent bool) {
		numbers(name, v, want, absent, 0, 1e12)
		if err == nil && len(v) > 0 {
			var sum float64
			for _, x := range v {
				sum += x
			}
			if sum <= 0 {
				err = bad("%s sums to 0", name)
			}
		}
	}
	if q.Link != nil && len(q.Link) != k {
		return bad("quality.link has %d rows, want %d", len(q.Link), k)
	}
	for i, row := range q.Link {
		numbers(fmt.Sprintf("quality.link[%d]", i), row, k, false, 1e-6, 1e6)
	}
	numbers("sub.by_quality", p.Sub.ByQuality, k, false, 0, 1)
	numbers("sub.by_context", p.Sub.ByContext, 16, true, 0, 1e3)
	numbers("sub.by_cycle", p.Sub.ByCycle, bins, true, 0, 1e3)
	if p.Sub.To != nil && len(p.Sub.To) != 16 {
		return bad("sub.to has %d rows, want 16", len(p.Sub.To))
	}
	for i, row := range p.Sub.To {
		weights(fmt.Sprintf("sub.to[%d]", i), row, 4, false)
		if err == nil && row[i&3] != 0 {
			return bad("sub.to[%d][%d] is %g: a base is not substituted by itself", i, i&3, row[i&3])
		}
	}
	for _, v := range []struct {
		name string
		run  []float64
	}{{"ins.by_run", p.Ins.ByRun}, {"del.by_run", p.Del.ByRun}} {
		if len(v.run) < 1 || len(v.run) > maxRun {
			return bad("%s has %d values, want 1..%d", v.name, len(v.run), maxRun)
		}
		numbers(v.name, v.run, len(v.run), false, 0, maxRate)
	}
	numbers("ins.extend, ins.repeat", []float64{p.Ins.Extend, p.Ins.Repeat * maxExtend}, 2, false, 0, maxExtend)
	numbers("del.extend", []float64{p.Del.Extend}, 1, false, 0, maxExtend)
	weights("ins.quality", p.Ins.Quality, k, true)
	weights("del.quality", p.Del.Quality, k, true)
	numbers("n.rate, n.extend", []float64{p.N.Rate, p.N.Extend}, 2, false, 0, 1)
	numbers("adapter.rate, truncate.rate", []float64{p.Adapter.Rate, p.Truncate.Rate}, 2, false, 0, 1)
	if p.Adapter.Shortest < 0 || p.Truncate.Shortest < 0 {
		return bad("adapter.shortest is %d, truncate.shortest is %d: below 0", p.Adapter.Shortest, p.Truncate.Shortest)
	}
	if i := strings.IndexFunc(p.Adapter.Seq, func(r rune) bool { return !strings.ContainsRune("ACGT", r) }); i >= 0 {
		return bad("adapter.seq has %q at %d, want ACGT", p.Adapter.Seq[i], i)
	}
	if len(p.Adapter.Seq) > 1000 {
		return bad("adapter.seq has %d bases, limit 1000", len(p.Adapter.Seq))
	}
	if p.Adapter.Rate > 0 && p.Adapter.Seq == "" {
		return bad("adapter.rate is %g without adapter.seq", p.Adapter.Rate)
	}
	if len(p.Length) == 1 || len(p.Length) > 10001 || !slices.IsSorted(p.Length) || len(p.Length) > 0 && p.Length[0] < 1 {
		return bad("length has %d quantiles, want 2..10001 ascending from 1 on", len(p.Length))
	}
	if len(p.Classes) < 1 || len(p.Classes) > maxClasses {
		return bad("there are %d classes, want 1..%d", len(p.Classes), maxClasses)
	}
	var all float64
	for i, c := range p.Classes {
		name := fmt.Sprintf("classes[%d]", i)
		numbers(name+".weight", []float64{c.Weight}, 1, false, 0, 1e12)
		numbers(name+".sub, ins, del", []float64{c.Sub, c.Ins, c.Del}, 3, false, 0, 1e3)
		all += c.Weight
		if len(c.Marginal) != bins {
			return bad("%s.marginal has %d rows, want %d (a bin of quality.ends each)", name, len(c.Marginal), bins)
		}
		for b, row := range c.Marginal {
			weights(fmt.Sprintf("%s.marginal[%d]", name, b), row, k, false)
		}
	}
	if err == nil && all <= 0 {
		return bad("the weights of the classes sum to 0")
	}
	return err
}
