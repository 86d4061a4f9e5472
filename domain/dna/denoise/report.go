package denoise

// The reasons for which a call is not made.
const (
	belowThreshold = "posterior below the threshold"
	noPromise      = "no threshold of this depth keeps the promise"
	iupacUnsure    = "ambiguous letter, posterior below 0.99"
	iupacOther     = "ambiguous letter, the base found is not one of those it stands for"
	tooShallow     = "fewer other reads than --min-depth"
	wouldEmpty     = "nothing of the read would stay"
)

// Stats counts what was done. Stats of parts of the input add up in any order.
type Stats struct {
	Reads      int64            // records
	Changed    int64            // of them with a change
	Bases      int64            // read
	Written    int64            // bases written
	Windows    int64            // cut
	Quiet      int64            // of them left to naive Bayes
	Substitute [4][4]int64      // from, to: A, C, G, T
	Delete     [5]int64         // by base; the last one is ambiguous
	Insert     [4]int64         // by base
	Resolve    [4]int64         // ambiguous letters that became a base
	Abstained  map[string]int64 // calls that were not made, by reason
	Depths     [DepthBins]DepthStats
}

// DepthStats counts at the positions of one depth bin.
type DepthStats struct {
	Bases   int64
	Depth   int64 // sum over the positions
	Changes [Keep]int64
	// Doubt is the sum of 1-p of the changes in units of 2^-40: integers add up to the same sum in any order.
	Doubt int64
}

const doubtUnit = 1 << 40

func (s *Stats) add(c *Change) {
	d := &s.Depths[DepthBin(c.Depth)]
	d.Changes[c.Kind]++
	d.Doubt += int64((1 - c.P) * doubtUnit)
	from, to := codes[c.From], codes[c.To]
	switch c.Kind {
	case Substitute:
		s.Substitute[from][to]++
	case Delete:
		s.Delete[from]++
	case Insert:
		s.Insert[to]++
	case Resolve:
		s.Resolve[to]++
	}
}

// merge adds o to s.
func (s *Stats) merge(o *Stats) {
	s.Reads += o.Reads
	s.Changed += o.Changed
	s.Bases += o.Bases
	s.Written += o.Written
	s.Windows += o.Windows
	s.Quiet += o.Quiet
	for i := range s.Substitute {
		for j := range s.Substitute[i] {
			s.Substitute[i][j] += o.Substitute[i][j]
		}
		s.Insert[i] += o.Insert[i]
		s.Resolve[i] += o.Resolve[i]
	}
	for i := range s.Delete {
		s.Delete[i] += o.Delete[i]
	}
	if s.Abstained == nil {
		s.Abstained = map[string]int64{}
	}
	for k, v := range o.Abstained {
		s.Abstained[k] += v
	}
	for i := range s.Depths {
		d, e := &s.Depths[i], &o.Depths[i]
		d.Bases += e.Bases
		d.Depth += e.Depth
		d.Doubt += e.Doubt
		for k := range d.Changes {
			d.Changes[k] += e.Changes[k]
		}
	}
}

// Report is the JSON report of one run of the command.
type Report struct {
	Kind    string   `json:"kind"` // "denoise"
	Version string   `json:"version"`
	Engine  string   `json:"engine"`
	Model   string   `json:"model"`
	Sum     string   `json:"model_sha256,omitempty"` // of the weights
	Seed    uint64   `json:"seed"`
	Inputs  []string `json:"inputs"`
	Outputs []string `json:"outputs"`
	DryRun  bool     `json:"dry_run"`
	Alone   bool     `json:"alone"` // without the other reads
	Pairs   bool     `json:"pairs"`

	Reads        int64   `json:"reads"`
	ReadsChanged int64   `json:"reads_changed"`
	Bases        int64   `json:"bases"`
	BasesWritten int64   `json:"bases_written"`
	MeanDepth    float64 `json:"mean_depth"` // other reads over a position

	// Windows were cut from the reads; in QuietWindows of them nothing spoke against any base, so that the network was not asked.
	Windows      int64 `json:"windows"`
	QuietWindows int64 `json:"quiet_windows"`

	Changes Changes `json:"changes"`
	// ExpectedFalsePerMb is the sum of 1-p of all changes, p being the calibrated posterior, in a million bases read.
	ExpectedFalsePerMb float64          `json:"expected_false_corrections_per_mb"`
	Calibrated         bool             `json:"calibrated"`
	MaxFalsePerMb      float64          `json:"max_false_corrections_per_mb,omitempty"` // asked for
	Depth              []DepthReport    `json:"by_depth"`
	Abstained          map[string]int64 `json:"abstained"` // calls of the network that were not made, by reason
	Warnings           []string         `json:"warnings"`

	Seconds        float64 `json:"seconds"`
	ReadsPerSecond float64 `json:"reads_per_second"`
}

// Changes counts changes by kind.
type Changes struct {
	Substituted map[string]int64 `json:"substituted"` // "A>C" and so on, those that occur
	Deleted     map[string]int64 `json:"deleted"`     // by base
	Inserted    map[string]int64 `json:"inserted"`
	Resolved    map[string]int64 `json:"resolved"` // "N>A": ambiguous letters that became a base
	Total       int64            `json:"total"`
}

// DepthReport is what was done at the positions of one depth bin.
type DepthReport struct {
	Depth              string  `json:"depth"`
	Bases              int64   `json:"bases"`
	Substituted        int64   `json:"substituted"`
	Deleted            int64   `json:"deleted"`
	Inserted           int64   `json:"inserted"`
	Resolved           int64   `json:"resolved"`
	Threshold          float64 `json:"threshold,omitempty"` // 0: none is high enough
	ExpectedFalsePerMb float64 `json:"expected_false_corrections_per_mb"`
	Why                string  `json:"abstains,omitempty"` // why nothing is changed here
}

// fill writes the counts of s.
func (r *Report) fill(s *Stats, p Policy) {
	const letters = "ACGTN"
	r.Windows, r.QuietWindows = s.Windows, s.Quiet
	r.Reads, r.ReadsChanged, r.Bases, r.BasesWritten = s.Reads, s.Changed, s.Bases, s.Written
	c := Changes{Substituted: map[string]int64{}, Deleted: map[string]int64{}, Inserted: map[string]int64{}, Resolved: map[string]int64{}}
	put := func(m map[string]int64, k string, v int64) {
		if v > 0 {
			m[k] = v
			c.Total += v
		}
	}
	for i := range 4 {
		for j := range 4 {
			put(c.Substituted, letters[i:i+1]+">"+letters[j:j+1], s.Substitute[i][j])
		}
		put(c.Inserted, letters[i:i+1], s.Insert[i])
		put(c.Resolved, "N>"+letters[i:i+1], s.Resolve[i])
	}
	for i, v := range s.Delete {
		put(c.Deleted, letters[i:i+1], v)
	}
	r.Changes = c
	r.Abstained = map[string]int64{}
	for k, v := range s.Abstained {
		r.Abstained[k] = v
	}
	var doubt, depth int64
	r.Depth = []DepthReport{}
	for i := range s.Depths {
		d := &s.Depths[i]
		doubt += d.Doubt
		depth += d.Depth
		if d.Bases == 0 {
			continue
		}
		row := DepthReport{Depth: DepthName(i), Bases: d.Bases, Substituted: d.Changes[Substitute], Deleted: d.Changes[Delete],
			Inserted: d.Changes[Insert], Resolved: d.Changes[Resolve], Why: p.Abstains[i], ExpectedFalsePerMb: perMb(d.Doubt, d.Bases)}
		if p.Least[i] <= 1 {
			row.Threshold = p.Least[i]
		}
		r.Depth = append(r.Depth, row)
	}
	r.ExpectedFalsePerMb = perMb(doubt, s.Bases)
	if s.Bases > 0 {
		r.MeanDepth = float64(depth) / float64(s.Bases)
	}
}

func perMb(doubt, bases int64) float64 {
	if bases == 0 {
		return 0
	}
	return float64(doubt) / doubtUnit / float64(bases) * 1e6
}
