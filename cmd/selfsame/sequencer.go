package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/selfsame-ml/selfsame/dataset"
	"github.com/selfsame-ml/selfsame/domain/dna/fastx"
	"github.com/selfsame-ml/selfsame/domain/dna/sam"
	"github.com/selfsame-ml/selfsame/domain/dna/sequencer"
	"github.com/selfsame-ml/selfsame/internal/rng"
	"github.com/selfsame-ml/selfsame/internal/term"
	"github.com/selfsame-ml/selfsame/store"
)

func sequencerCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "sequencer",
		Short: "Fit, show and use the noise of a sequencer",
		Long: `sequencer works with profiles: models of how a sequencing machine errs. A profile is a
small JSON file. Recipes of DNA reads train on it (profile: mine.json), and simulate
makes reads with their truth from it.`,
		Example: `  selfsame sequencer fit reads.bam --reference ref.fa -o mine.json
  selfsame sequencer show mine.json
  selfsame sequencer simulate --profile mine.json --reference ref.fa --depth 8 \
      -o reads.fq --truth true.fq`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return group(cmd, args, false) },
	}
	c.AddCommand(sequencerFit(a), sequencerShow(a), sequencerSimulate(a))
	return c
}

// profileErr makes a wrong profile on the command line a wrong command line.
func profileErr(name, flag, word string, err error) error {
	if errors.Is(err, sequencer.ErrProfile) && !strings.HasSuffix(strings.ToLower(word), ".json") {
		return usagef("%s: %s: %w", name, flag, err).hint("selfsame sequencer fit makes a profile of aligned reads")
	}
	if errors.Is(err, sequencer.ErrProfile) {
		if inner := errors.Unwrap(err); inner != nil { // the path is said once
			err = inner
		}
		return &dataset.Error{Path: word, Err: err, Hint: "selfsame sequencer fit writes profiles"}
	}
	return fmt.Errorf("%s: %w", name, err)
}

// warns shows warnings of files.
func (a *app) warns(ev term.Renderer, stage string) func(format string, args ...any) {
	return func(format string, args ...any) {
		ev.Event(term.Event{Stage: stage, Kind: "warn", Text: fmt.Sprintf(format, args...)})
	}
}

// fitFlags are the flags of fit.
type fitFlags struct {
	reads, reference, out, base, name, doc string
	maxReads, maxBases                     int64
	maxBad, variant                        float64
	minMapQ, classes                       int
}

func sequencerFit(a *app) *cobra.Command {
	q := fitFlags{}
	c := &cobra.Command{
		Use:   "fit ALIGNED --reference REF.fa -o PROFILE.json",
		Short: "Fit a profile from aligned reads",
		Long: `fit learns how a sequencer errs from reads that are aligned to a reference: SAM or BAM,
or PAF (minimap2 -c) with the FASTQ of its reads; all of them plain or gzip. The
reference is the FASTA file they were aligned to. Places at which most reads differ
from the reference are left out: there the sample differs, not the sequencer.

Skipped and counted are reads without alignment, secondary and supplementary
alignments, those that failed the machine's checks, and records that contradict
themselves (ART writes some), up to --max-bad percent.

What alignments do not show, the adapter and truncation, is taken from
--base-profile, which is also what is expected where little was seen.`,
		Example: `  selfsame sequencer fit reads.bam --reference ref.fa.gz -o mine.json
  selfsame sequencer fit reads.paf --reads my.fq --reference ref.fa -o my.json
  minimap2 -ax sr ref.fa reads.fq | \
      selfsame sequencer fit - --reference ref.fa -o my.json --max-reads 100000`,
		Args: args(1, 1, "ALIGNED"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.sequencerFit(cmd.Context(), &q, args[0]) },
	}
	f := c.Flags()
	f.StringVar(&q.reference, "reference", "", "FASTA `file` that the reads were aligned to")
	f.StringVar(&q.reads, "reads", "", "FASTQ `file` of the reads of a PAF file")
	f.StringVarP(&q.out, "out", "o", "", "profile to write, a JSON `file`; - is the standard output")
	f.StringVar(&q.base, "base-profile", "", "`profile` that says what the alignments do not show")
	f.StringVar(&q.name, "name", "", "`name` in the profile (default: that of the file)")
	f.StringVar(&q.doc, "doc", "", "`text` in the profile: what it was fitted on")
	f.Int64Var(&q.maxReads, "max-reads", 0, "use the first `N` alignments; 0: all")
	f.Int64Var(&q.maxBases, "max-bases", 50_000_000, "use the first `N` aligned bases (3 bytes of memory each)")
	f.IntVar(&q.minMapQ, "min-mapq", 0, "least mapping quality; 1 leaves reads out that fit several places")
	f.Float64Var(&q.maxBad, "max-bad", 1, "`percent` of records that may contradict themselves; 0: none")
	f.Float64Var(&q.variant, "variant", 0.6, "leave places out where this `share` of 4 or more reads differs; 2: none")
	f.IntVar(&q.classes, "classes", 1, "kinds of reads, from good to bad")
	completeValues(c, "base-profile", sequencer.Names())
	return c
}

// limited is a source that ends after some alignments, hears of interrupts and tells how far it is.
type limited struct {
	ctx  context.Context
	src  sequencer.Source
	n    int64
	most int64
	tell func(reads int64)
}

// Next gives the next alignment.
func (l *limited) Next(dst *sequencer.Alignment) error {
	if l.most > 0 && l.n == l.most {
		return io.EOF
	}
	if l.n&255 == 0 {
		if err := l.ctx.Err(); err != nil {
			return err
		}
		if l.n > 0 {
			l.tell(l.n)
		}
	}
	err := l.src.Next(dst)
	if err == nil {
		l.n++
	}
	return err
}

// fitResult is the answer of fit.
type fitResult struct {
	Kind    string               `json:"kind"`
	Out     string               `json:"out"`
	Format  string               `json:"format"`
	Records int64                `json:"records"`
	Skipped fitSkipped           `json:"skipped"`
	Limit   bool                 `json:"limit"` // at --max-reads
	Warn    []string             `json:"warnings"`
	Profile string               `json:"profile"`
	Fit     *sequencer.FitReport `json:"fit"`
}

type fitSkipped struct {
	Unmapped      int64  `json:"unmapped"`
	Secondary     int64  `json:"secondary"`
	Supplementary int64  `json:"supplementary"`
	Failed        int64  `json:"failed"`
	LowMapQ       int64  `json:"low_mapq"`
	NoBases       int64  `json:"no_bases"`
	Short         int64  `json:"short"` // one aligned base or less
	Bad           int64  `json:"bad"`
	FirstBad      string `json:"first_bad,omitempty"`
}

func isPAF(path string) bool {
	return filepath.Ext(strings.TrimSuffix(strings.ToLower(path), ".gz")) == ".paf"
}

func (a *app) sequencerFit(ctx context.Context, q *fitFlags, path string) error {
	const name = "sequencer fit"
	switch {
	case q.reference == "":
		return usagef("%s: --reference is missing", name).hint("give the FASTA file that the reads were aligned to")
	case q.out == "":
		return usagef("%s: --out is missing", name).hint("for instance -o mine.json")
	case q.out != fastx.Stdin && strings.ToLower(filepath.Ext(q.out)) != ".json":
		return usagef("%s: --out %s: a profile is named .json: recipes know it by that", name, q.out)
	case q.out == fastx.Stdin && a.json:
		return usagef("%s: with --json the answer goes to the standard output: name a file with --out", name)
	case isPAF(path) && q.reads == "":
		return usagef("%s: --reads is missing: a PAF file holds no bases", name).hint("--reads READS.fq: the file that minimap2 read")
	case q.reads != "" && path == fastx.Stdin && q.reads == fastx.Stdin:
		return usagef("%s: alignments and reads are both the standard input, one can be", name)
	case q.reference == fastx.Stdin:
		return usagef("%s: --reference cannot be the standard input", name)
	case q.maxReads < 0:
		return usagef("%s: --max-reads %d is negative", name, q.maxReads)
	case q.maxBases < 1:
		return usagef("%s: --max-bases %d is less than 1", name, q.maxBases)
	case q.minMapQ < 0 || q.minMapQ > 255:
		return usagef("%s: --min-mapq %d is not within 0 and 255", name, q.minMapQ)
	case !(q.maxBad >= 0 && q.maxBad <= 100):
		return usagef("%s: --max-bad %g is not within 0 and 100 percent", name, q.maxBad)
	case !(q.variant > 0):
		return usagef("%s: --variant %g is not above 0", name, q.variant)
	case q.classes < 1 || q.classes > 16:
		return usagef("%s: --classes %d is not within 1 and 16", name, q.classes)
	}
	opt := sequencer.FitOptions{Name: q.name, Doc: q.doc, Classes: q.classes, MaxBases: q.maxBases, Variant: q.variant}
	if opt.Name == "" && q.out != fastx.Stdin {
		opt.Name = strings.TrimSuffix(filepath.Base(q.out), filepath.Ext(q.out))
	}
	if opt.Doc == "" {
		opt.Doc = "fitted on " + filepath.Base(path) + ", reference " + filepath.Base(q.reference)
	}
	if q.base != "" {
		p, err := sequencer.Find(q.base)
		if err != nil {
			return profileErr(name, "--base-profile", q.base, err)
		}
		opt.Base = p
	}
	ev := a.events()
	defer ev.Close()
	refs, err := sam.LoadReference(q.reference)
	if err != nil {
		return err
	}
	r, err := a.openAligned(q, path, sam.Options{MinMapQ: q.minMapQ, MaxBad: q.maxBad / 100, Warn: a.warns(ev, "fit")})
	if err != nil {
		return err
	}
	defer r.Close()
	if err := sam.CheckReference(r, refs); err != nil {
		return err
	}
	src := &limited{ctx: ctx, src: sam.NewSource(r, refs), most: q.maxReads, tell: func(reads int64) {
		ev.Event(term.Event{Stage: "fit", Kind: "progress", Done: reads, Total: q.maxReads, Unit: "reads"})
	}}
	p, rep, err := sequencer.Fit(src, opt)
	if err == nil {
		err = ctx.Err()
	}
	if errors.Is(err, sequencer.ErrFit) {
		return &dataset.Error{Path: path, Err: err, Hint: fitHint(r)}
	}
	if err != nil {
		return err
	}
	s := r.Skipped()
	out := fitResult{Kind: "result", Out: q.out, Format: r.Format(), Records: r.Records(), Limit: q.maxReads > 0 && src.n == q.maxReads, Profile: p.Name, Fit: rep,
		Skipped: fitSkipped{Unmapped: s.Unmapped, Secondary: s.Secondary, Supplementary: s.Supplementary, Failed: s.Failed, LowMapQ: s.LowMapQ, NoBases: s.NoBases, Short: rep.Skipped, Bad: s.Bad + rep.Bad}}
	if err := r.FirstBad(); err != nil {
		out.Skipped.FirstBad = err.Error()
	}
	out.Warn = fitWarnings(q, rep)
	if q.out == fastx.Stdin {
		if err := p.Save(a.stdout); err != nil {
			return err
		}
	} else if err := store.WriteFile(q.out, p.Save); err != nil {
		return err
	}
	for _, w := range out.Warn {
		ev.Event(term.Event{Stage: "fit", Kind: "warn", Text: w})
	}
	ev.Close()
	if q.out == fastx.Stdin {
		if a.quiet {
			return nil
		}
		return fitText(a.stderr, &out)
	}
	return a.result(out, func(w io.Writer) error { return fitText(w, &out) })
}

func (a *app) openAligned(q *fitFlags, path string, opt sam.Options) (*sam.Reader, error) {
	if q.reads == "" {
		if path == fastx.Stdin {
			return sam.NewReader(a.stdin, "standard input", opt)
		}
		return sam.Open(path, opt)
	}
	if path != fastx.Stdin && q.reads != fastx.Stdin {
		return sam.OpenPAF(path, q.reads, opt)
	}
	reads, err := a.openReads(q.reads, opt)
	if err != nil {
		return nil, err
	}
	src, label := a.stdin, "standard input"
	if path != fastx.Stdin {
		f, err := os.Open(path)
		if err != nil {
			reads.Close()
			return nil, fmt.Errorf("sequencer fit: %w", err)
		}
		src, label = f, path // read to its end; closed with the process
	}
	r, err := sam.NewPAF(src, label, reads, opt)
	if err != nil {
		reads.Close()
	}
	return r, err
}

func (a *app) openReads(path string, opt sam.Options) (*fastx.Reader, error) {
	if path == fastx.Stdin {
		return fastx.NewReader(a.stdin, "standard input", fastx.Options{Warn: opt.Warn})
	}
	return fastx.Open(path, fastx.Options{Warn: opt.Warn})
}

// fitHint says what to do where there is too little to fit.
func fitHint(r *sam.Reader) string {
	s := r.Skipped()
	switch used := r.Records() - s.Total(); {
	case s.Unmapped > used:
		return fmt.Sprintf("%d of %d records have no alignment: is this the right reference?", s.Unmapped, r.Records())
	case s.LowMapQ > used:
		return fmt.Sprintf("%d of %d records are below --min-mapq", s.LowMapQ, r.Records())
	case s.NoBases > used:
		return fmt.Sprintf("%d of %d records have no bases or no CIGAR", s.NoBases, r.Records())
	}
	return "align more reads"
}

// What is too little for a rate to be trusted.
const (
	fewEvents = 100
	fewReads  = 1000
)

func fitWarnings(q *fitFlags, r *sequencer.FitReport) []string {
	out := []string{}
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	rest := "what is expected without data fills in"
	if q.base != "" {
		rest = "--base-profile fills in"
	}
	if r.Reads < fewReads {
		say("%d reads only: lengths and scores rest on few", r.Reads)
	}
	for _, e := range []struct {
		n    int64
		what string
	}{{r.SubEvents, "substitutions"}, {r.InsEvents, "insertions"}, {r.DelEvents, "deletions"}} {
		if e.n < fewEvents {
			say("%d %s were seen: how they depend on their surroundings is hardly known, %s", e.n, e.what, rest)
		}
	}
	if r.NoQuality > 0 {
		say("%d of %d reads have no qualities: scores of the profile say nothing of them", r.NoQuality, r.Reads)
	}
	if r.Stopped {
		say("the first %d aligned bases were used; in a sorted file they come from one region: --max-bases takes more", r.Bases)
	}
	if r.Variants > 0 && r.Bases > 0 && r.Masked > r.Bases/100 {
		say("%d places differ from the reference in most reads: is it another strain?", r.Variants)
	}
	if all := r.Bases + r.Clipped; r.Clipped*5 > all {
		say("%d of %d bases were clipped by the aligner: adapters, or another reference", r.Clipped, all)
	}
	return out
}

func percent(x float64) string { return fmt.Sprintf("%.4g %%", 100*x) }

func fitText(w io.Writer, o *fitResult) error {
	r := o.Fit
	s := o.Skipped
	t := term.NewTable()
	t.Row("profile", fmt.Sprintf("%s, written to %s", o.Profile, o.Out))
	what := fmt.Sprintf("%d reads, %d aligned bases, %.4g bases a read (%s, %d records)", r.Reads, r.Bases, r.MeanLength, o.Format, o.Records)
	t.Row("seen", what)
	var parts []string
	for _, p := range []struct {
		n    int64
		what string
	}{{s.Unmapped, "without alignment"}, {s.Secondary, "secondary"}, {s.Supplementary, "supplementary"}, {s.Failed, "failed checks"}, {s.LowMapQ, "below --min-mapq"}, {s.NoBases, "without bases"}, {s.Short, "too short"}, {s.Bad, "contradict themselves"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	if len(parts) == 0 {
		parts = []string{"none"}
	}
	t.Row("skipped", strings.Join(parts, ", "))
	t.Row("left out", fmt.Sprintf("%d places where most reads differ from the reference; %d clipped bases", r.Variants, r.Clipped))
	t.Row("substitutions", fmt.Sprintf("%s of the bases (%d)", percent(r.Sub), r.SubEvents))
	t.Row("insertions", fmt.Sprintf("%s (%d)", percent(r.Ins), r.InsEvents))
	t.Row("deletions", fmt.Sprintf("%s (%d)", percent(r.Del), r.DelEvents))
	t.Row("N", percent(r.N))
	if err := t.Write(w); err != nil {
		return err
	}
	if err := seenTable(w, "cycle", r.ByCycle); err != nil {
		return err
	}
	if err := seenTable(w, "score", r.ByScore); err != nil {
		return err
	}
	fmt.Fprintln(w)
	t = term.NewTable("run of", ">bases", ">inserted after", ">deleted")
	for i, at := range r.ByRun {
		run := fmt.Sprint(at.Run)
		if i == len(r.ByRun)-1 {
			run += " or more"
		}
		t.Row(run, at.Bases, rate(at.Ins, at.Bases), rate(at.Del, at.Bases))
	}
	return t.Write(w)
}

func rate(n, of int64) string {
	if of == 0 {
		return "-"
	}
	return percent(float64(n) / float64(of))
}

// tableRows is how many rows tables by cycle and by score have at most; neighbours are put together.
const tableRows = 12

// seenTable writes what was seen by cycle or score, in at most tableRows rows.
func seenTable(w io.Writer, what string, at []sequencer.SeenAt) error {
	if len(at) < 2 {
		return nil
	}
	fmt.Fprintln(w)
	t := term.NewTable(what, ">bases", ">differ", ">observed score", ">stated score")
	for k := 0; k < min(len(at), tableRows); k++ {
		i, j := k*len(at)/min(len(at), tableRows), (k+1)*len(at)/min(len(at), tableRows)
		sum := sequencer.SeenAt{From: at[i].From, To: at[j-1].To}
		expect := 0.0
		for _, x := range at[i:j] {
			if x.Bases == 0 { // the first cycle has no base before it
				continue
			}
			sum.Bases += x.Bases
			sum.Wrong += x.Wrong
			expect += float64(x.Bases) * math.Pow(10, -x.Score/10)
		}
		label := fmt.Sprintf("%d-%d", sum.From, sum.To)
		switch {
		case sum.To == 0:
			label = fmt.Sprintf("%d on", sum.From)
		case sum.From == sum.To:
			label = fmt.Sprint(sum.From)
		}
		stated, seen := "-", "-"
		if sum.Bases > 0 && (what == "score" || at[j-1].Score > 0) {
			stated = fmt.Sprintf("%.1f", -10*math.Log10(expect/float64(sum.Bases)))
		}
		if sum.Wrong > 0 {
			seen = fmt.Sprintf("%.1f", -10*math.Log10(float64(sum.Wrong)/float64(sum.Bases)))
		}
		t.Row(label, sum.Bases, rate(sum.Wrong, sum.Bases), seen, stated)
	}
	return t.Write(w)
}

func sequencerShow(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "show PROFILE",
		Short: "Show a profile in words and tables",
		Long: `show explains a profile: a built-in one (illumina, miseq, pacbio, nanopore), plain
rates (rate:SUB,INS,DEL), or a JSON file that fit wrote. Its rates are counted in reads
that it makes of a random genome. With --json the profile itself is in the answer.`,
		Example: "  selfsame sequencer show illumina\n  selfsame sequencer show mine.json --json | jq .rates",
		Args:    args(1, 1, "PROFILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := sequencer.Find(args[0])
			if err != nil {
				return profileErr("sequencer show", "PROFILE", args[0], err)
			}
			n, err := countNoise(cmd.Context(), p)
			if err != nil {
				return err
			}
			return a.result(map[string]any{"kind": "result", "rates": n, "profile": p}, func(w io.Writer) error { return showProfile(w, p, n) })
		},
		ValidArgs: sequencer.Names(),
	}
}

// noise is what a profile does to reads of a random genome.
type noise struct {
	Reads     int            `json:"reads"`
	Bases     int64          `json:"bases"` // of the genome that the reads took
	Length    float64        `json:"mean_length"`
	Sub       float64        `json:"sub"`
	Ins       float64        `json:"ins"`
	Del       float64        `json:"del"`
	N         float64        `json:"n"`
	Adapter   float64        `json:"adapter"` // reads with adapter
	ErrorFree float64        `json:"error_free"`
	Score     float64        `json:"score"` // -10 log10 of the mean error that the scores say
	ByCycle   []cycleOfNoise `json:"by_cycle"`
	ByScore   []scoreOfNoise `json:"by_score"`
}

type cycleOfNoise struct {
	From  int     `json:"from"`
	To    int     `json:"to"`
	Wrong float64 `json:"wrong"` // share of the bases that are substituted or inserted
	Score float64 `json:"score"` // as noise.Score
}

type scoreOfNoise struct {
	Score int     `json:"score"`
	Share float64 `json:"share"`
	Wrong float64 `json:"wrong"`
}

// countNoise simulates reads of a random genome; the same p gives the same numbers.
func countNoise(ctx context.Context, p *sequencer.Profile) (*noise, error) {
	const most, reads = 4_000_000, 20_000
	r := rng.New(0, rng.Generate, 6)
	genome := make([]uint8, 200_000)
	for i := range genome {
		genome[i] = uint8(r.IntN(4))
	}
	sim, err := sequencer.NewSimulator([]sequencer.Contig{{Name: "random", Bases: genome}}, sequencer.SimulateConfig{Profile: p, Circular: true, Adapters: true})
	if err != nil {
		return nil, err
	}
	longest := 150
	if len(p.Length) > 0 {
		longest = p.Length[len(p.Length)-1]
	}
	n := &noise{}
	step := max(1, (min(longest, 20_000)+9)/10)
	type count struct{ bases, wrong, expect float64 }
	cycles, scores := make([]count, 10), make([]count, sequencer.MaxQuality+1)
	var f sequencer.Fragment
	var sub, ins, del, ns, free, adapter, length, body, expect float64
	for n.Reads < reads && n.Bases < most {
		if n.Reads&255 == 0 {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
		}
		if err := sim.Draw(uint64(n.Reads), &f); err != nil {
			return nil, err
		}
		m := &f.Mates[0]
		n.Reads++
		n.Bases += int64(m.Used)
		length += float64(len(m.Bases))
		e := errorsOf(m)
		sub, ins, del, ns = sub+float64(e.sub), ins+float64(e.ins), del+float64(e.del), ns+float64(e.n)
		if e.sub+e.ins+e.del+e.n == 0 {
			free++
		}
		if len(m.Bases) > m.Body {
			adapter++
		}
		for j := range m.Body {
			wrong := 0.0
			if m.Bases[j] < sequencer.N && m.Here[j] != m.Bases[j] {
				wrong = 1
			}
			p := sequencer.Prob(m.Quals[j])
			body++
			expect += p
			for _, c := range []*count{&cycles[min(j/step, 9)], &scores[m.Quals[j]]} {
				c.bases++
				c.wrong += wrong
				c.expect += p
			}
		}
	}
	all := float64(n.Bases)
	n.Length = length / float64(n.Reads)
	n.Sub, n.Ins, n.Del, n.N = sub/all, ins/all, del/all, ns/body
	n.ErrorFree, n.Adapter, n.Score = free/float64(n.Reads), adapter/float64(n.Reads), -10*math.Log10(expect/body)
	for k, c := range cycles {
		if c.bases > 0 {
			n.ByCycle = append(n.ByCycle, cycleOfNoise{k*step + 1, (k + 1) * step, c.wrong / c.bases, -10 * math.Log10(c.expect/c.bases)})
		}
	}
	for q, c := range scores {
		if c.bases > 0 {
			n.ByScore = append(n.ByScore, scoreOfNoise{q, c.bases / body, c.wrong / c.bases})
		}
	}
	return n, nil
}

// errorCount counts the errors of one read.
type errorCount struct{ sub, ins, del, n int }

func errorsOf(m *sequencer.Mate) (e errorCount) {
	e.del = m.Lost
	for j := range m.Body {
		switch here := m.Here[j]; {
		case here == sequencer.Delete:
			e.ins++
		case m.Bases[j] >= sequencer.N:
			e.n++
		case here != sequencer.Unknown && here != m.Bases[j]:
			e.sub++
		}
		if m.After[j] > 0 {
			e.del++
		}
	}
	return e
}

// phredText is an error rate as a Phred score.
func phredText(rate float64) string {
	if rate <= 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", -10*math.Log10(rate))
}

func showProfile(w io.Writer, p *sequencer.Profile, n *noise) error {
	t := term.NewTable()
	t.Row("profile", p.Name)
	if p.Doc != "" {
		t.Row("of", p.Doc)
	}
	if p.Reads > 0 {
		t.Row("fitted on", fmt.Sprintf("%d reads, %d aligned bases", p.Reads, p.Bases))
	}
	t.Row("length", lengthText(p))
	t.Row("substitutions", percent(n.Sub)+" of the bases")
	t.Row("insertions", fmt.Sprintf("%s; one more base follows in %s of them; %s repeat the base before", percent(n.Ins), percent(p.Ins.Extend), percent(p.Ins.Repeat)))
	t.Row("deletions", fmt.Sprintf("%s; one more base follows in %s of them", percent(n.Del), percent(p.Del.Extend)))
	t.Row("N", fmt.Sprintf("%s, score %d", percent(n.N), p.Quality.N))
	t.Row("without error", percent(n.ErrorFree)+" of the reads")
	t.Row("scores", fmt.Sprintf("%d different, %d to %d; they state %.1f in the mean, bases have %s",
		len(p.Quality.Phred), p.Quality.Phred[0], p.Quality.Phred[len(p.Quality.Phred)-1], n.Score, phredText(n.Sub+n.Ins)))
	if p.Adapter.Rate > 0 {
		t.Row("adapter", fmt.Sprintf("%s, in %s of the reads", p.Adapter.Seq, percent(p.Adapter.Rate)))
	}
	if p.Truncate.Rate > 0 {
		t.Row("cut short", fmt.Sprintf("%s of the reads, to %d bases or more", percent(p.Truncate.Rate), p.Truncate.Shortest))
	}
	if len(p.Classes) > 1 {
		for i, c := range p.Classes {
			t.Row(fmt.Sprintf("class %d", i+1), fmt.Sprintf("weight %.3g; rates of substitution x%.3g, insertion x%.3g, deletion x%.3g", c.Weight, c.Sub, c.Ins, c.Del))
		}
	}
	if err := t.Write(w); err != nil {
		return err
	}
	if len(n.ByCycle) > 1 {
		fmt.Fprintln(w)
		t = term.NewTable("cycle", ">wrong", ">observed score", ">stated score")
		for _, c := range n.ByCycle {
			t.Row(fmt.Sprintf("%d-%d", c.From, c.To), percent(c.Wrong), phredText(c.Wrong), fmt.Sprintf("%.1f", c.Score))
		}
		if err := t.Write(w); err != nil {
			return err
		}
	}
	if k := len(n.ByScore); k > 1 {
		fmt.Fprintln(w)
		t = term.NewTable("score", ">bases", ">wrong", ">observed score")
		for g := range min(k, tableRows) {
			i, j := g*k/min(k, tableRows), (g+1)*k/min(k, tableRows)
			share, wrong := 0.0, 0.0
			for _, s := range n.ByScore[i:j] {
				share, wrong = share+s.Share, wrong+s.Share*s.Wrong
			}
			label := fmt.Sprint(n.ByScore[i].Score)
			if j > i+1 {
				label = fmt.Sprintf("%d-%d", n.ByScore[i].Score, n.ByScore[j-1].Score)
			}
			t.Row(label, percent(share), percent(wrong/share), phredText(wrong/share))
		}
		if err := t.Write(w); err != nil {
			return err
		}
	}
	if p.Sub.ByContext != nil || p.Sub.To != nil {
		fmt.Fprintln(w)
		t = term.NewTable("base", "what is read instead", "errors after A, C, G, T (times the mean)")
		for b := range 4 {
			to, ctx := [4]float64{}, []string{}
			for prev := range 4 {
				f := 1.0
				if p.Sub.ByContext != nil {
					f = p.Sub.ByContext[prev<<2|b]
				}
				ctx = append(ctx, fmt.Sprintf("%.2f", f))
				sum := 0.0
				for o := range 4 {
					if p.Sub.To != nil {
						sum += p.Sub.To[prev<<2|b][o]
					}
				}
				for o := range 4 {
					if p.Sub.To != nil {
						to[o] += p.Sub.To[prev<<2|b][o] / sum / 4
					} else if o != b {
						to[o] += 1. / 12
					}
				}
			}
			var words []string
			for o := range 4 {
				if o != b {
					words = append(words, fmt.Sprintf("%c %.0f %%", "ACGT"[o], 100*to[o]))
				}
			}
			t.Row(string("ACGT"[b]), strings.Join(words, ", "), strings.Join(ctx, " "))
		}
		if err := t.Write(w); err != nil {
			return err
		}
	}
	runs := max(len(p.Ins.ByRun), len(p.Del.ByRun))
	if runs < 2 {
		return nil
	}
	fmt.Fprintln(w)
	t = term.NewTable("run of", ">inserted after", ">deleted")
	for i := range runs {
		label := fmt.Sprint(i + 1)
		if i == runs-1 {
			label += " or more"
		}
		t.Row(label, percent(p.Ins.ByRun[min(i, len(p.Ins.ByRun)-1)]), percent(p.Del.ByRun[min(i, len(p.Del.ByRun)-1)]))
	}
	return t.Write(w)
}

func lengthText(p *sequencer.Profile) string {
	if len(p.Length) == 0 {
		return "as asked for"
	}
	lo, mid, hi := p.Length[0], p.Length[len(p.Length)/2], p.Length[len(p.Length)-1]
	if lo == hi {
		return fmt.Sprintf("%d bases", lo)
	}
	return fmt.Sprintf("%d to %d bases, half of the reads up to %d", lo, hi, mid)
}

// simulateFlags are the flags of simulate.
type simulateFlags struct {
	sequencer.SimulateConfig
	profile, reference, prefix string
	out, out2, truth, truth2   string
	depth, noise               float64
	reads                      int64
}

func sequencerSimulate(a *app) *cobra.Command {
	q := simulateFlags{}
	c := &cobra.Command{
		Use:   "simulate --profile P --reference REF.fa --depth X -o READS.fq --truth TRUE.fq",
		Short: "Make reads and their truth from a reference",
		Long: `simulate draws reads from all places and both strands of a reference and lets the
sequencer of a profile err in them. --truth holds the same reads without any error:
the bases that stand in the reference where each was taken, under the same name. Both
files go to "selfsame measure reads" as they are.

Each header says where the read comes from, positions from 1 on the forward strand, and
which errors were made: s12 contig=chr pos=101 end=250 strand=- sub=1 ins=0 del=0 n=0.
No read is taken over an N. With --paired fragments are read from both ends towards each
other (names end in /1 and /2); without -O and --truth2 mates follow each other in one
file. With --adapters the adapter of the profile follows where a fragment is shorter than
its read; the truth does not have it, so trim it before you measure a corrector. True
bases have the score 40.

The same seed gives the same reads; a higher depth goes on where a lower one ends.
Outputs appear when all is written. Names that end in .gz are compressed; .fa and .fasta
give FASTA. "-" is the standard output.`,
		Example: `  selfsame sequencer simulate --profile illumina --reference ref.fa --depth 8 \
      -o reads.fq.gz --truth true.fq.gz
  selfsame sequencer simulate --profile my.json --reference ref.fa --reads 500 \
      --paired --insert 350 -o r1.fq -O r2.fq --truth t1.fq --truth2 t2.fq
  selfsame measure reads --truth true.fq.gz --raw reads.fq.gz --corrected new.fq`,
		Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("depth") == cmd.Flags().Changed("reads") {
				return usagef("sequencer simulate: give one of --depth and --reads")
			}
			for _, f := range []string{"insert", "insert-sd"} {
				if cmd.Flags().Changed(f) && !q.Paired {
					return usagef("sequencer simulate: --%s is of --paired", f)
				}
			}
			return a.simulate(cmd.Context(), &q)
		},
	}
	f := c.Flags()
	f.StringVar(&q.profile, "profile", "", "`profile`: "+strings.Join(sequencer.Names(), ", ")+", rate:SUB,INS,DEL or a JSON file")
	f.StringVar(&q.reference, "reference", "", "FASTA `file`")
	f.Float64Var(&q.depth, "depth", 0, "mean number of reads over a base of the reference")
	f.Int64Var(&q.reads, "reads", 0, "`N` reads, or pairs")
	f.BoolVar(&q.Paired, "paired", false, "two reads a fragment")
	f.Float64Var(&q.Insert, "insert", 300, "mean length of fragments, both reads included")
	f.Float64Var(&q.InsertSD, "insert-sd", 30, "its standard deviation")
	f.BoolVar(&q.Adapters, "adapters", false, "adapters behind fragments that are shorter than their read")
	f.IntVar(&q.Length, "length", 0, "bases a read; 0: as the profile has them")
	f.Float64Var(&q.noise, "noise", 1, "`factor` on the error rates of the profile")
	f.BoolVar(&q.Circular, "circular", false, "join the ends of each sequence, as of bacteria")
	f.Uint64Var(&q.Seed, "seed", 0, "of all draws")
	f.StringVar(&q.prefix, "prefix", "s", "`text` that names of reads begin with")
	f.StringVarP(&q.out, "out", "o", "", "reads, a `file`")
	f.StringVarP(&q.out2, "out2", "O", "", "second mates, a `file`")
	f.StringVar(&q.truth, "truth", "", "reads without errors, a `file`")
	f.StringVar(&q.truth2, "truth2", "", "second mates without errors, a `file`")
	completeValues(c, "profile", sequencer.Names())
	return c
}

// simulateResult is the answer of simulate.
type simulateResult struct {
	Kind     string   `json:"kind"`
	Outputs  []string `json:"outputs"`
	Profile  string   `json:"profile"`
	Seed     uint64   `json:"seed"`
	Reads    int64    `json:"reads"`
	Bases    int64    `json:"bases"` // of the reads
	Depth    float64  `json:"depth"`
	Sub      int64    `json:"sub"`
	Ins      int64    `json:"ins"`
	Del      int64    `json:"del"`
	N        int64    `json:"n"`
	Adapters int64    `json:"adapter_bases"`
}

func (a *app) simulate(ctx context.Context, q *simulateFlags) error {
	const name = "sequencer simulate"
	switch {
	case q.profile == "":
		return usagef("%s: --profile is missing", name).hint("one of %s, rate:SUB,INS,DEL, or a JSON file", strings.Join(sequencer.Names(), ", "))
	case q.reference == "":
		return usagef("%s: --reference is missing", name)
	case q.out == "":
		return usagef("%s: --out is missing", name).hint("for instance -o reads.fq --truth true.fq")
	case q.reads < 0:
		return usagef("%s: --reads %d is negative", name, q.reads)
	case q.reads == 0 && !(q.depth > 0 && q.depth <= 1e6):
		return usagef("%s: --depth %g is not above 0 and up to a million", name, q.depth)
	case !q.Paired && (q.out2 != "" || q.truth2 != ""):
		return usagef("%s: second mates are of --paired", name)
	case q.truth2 != "" && q.truth == "":
		return usagef("%s: --truth2 without --truth", name)
	case q.truth != "" && (q.out2 == "") != (q.truth2 == ""):
		return usagef("%s: give both of --out2 and --truth2, or none: mates then follow each other in one file", name)
	case !(q.noise >= 0 && q.noise <= 1000):
		return usagef("%s: --noise %g is not within 0 and 1000", name, q.noise)
	case strings.ContainsAny(q.prefix, " \t\r\n"):
		return usagef("%s: --prefix %q holds a blank", name, q.prefix)
	}
	outs := []string{q.out, q.out2, q.truth, q.truth2}
	if err := distinct(name, q.reference, outs); err != nil {
		return err
	}
	p, err := sequencer.Find(q.profile)
	if err == nil && q.noise != 1 {
		p, err = p.Scaled(q.noise)
	}
	if err != nil {
		return profileErr(name, "--profile", q.profile, err)
	}
	contigs, err := a.contigs(q.reference)
	if err != nil {
		return err
	}
	q.Profile = p
	sim, err := sequencer.NewSimulator(contigs, q.SimulateConfig)
	if errors.Is(err, sequencer.ErrNoPlace) {
		return &dataset.Error{Path: q.reference, Err: err}
	}
	if err != nil {
		return usagef("%s: %w", name, err)
	}
	var files []*fastx.Writer
	for _, o := range outs {
		w, err := a.createReads(o)
		if err != nil {
			abort(files)
			return err
		}
		files = append(files, w)
	}
	ev := term.New(a.stderr, term.ModeFor(a.stderr)) // the standard output may be reads
	switch {
	case a.quiet:
		ev = term.New(a.stderr, term.Quiet)
	case a.json:
		ev = a.events()
	}
	res := simulateResult{Kind: "result", Profile: p.Name, Seed: q.Seed}
	err = q.write(ctx, sim, files, &res, ev)
	ev.Close()
	if err != nil {
		abort(files)
		if errors.Is(err, sequencer.ErrNoPlace) {
			return &dataset.Error{Path: q.reference, Err: err}
		}
		return fmt.Errorf("%s: after %d reads, of which nothing is kept: %w", name, res.Reads, err)
	}
	for i, f := range files {
		if f == nil {
			continue
		}
		if err := f.Commit(); err != nil {
			abort(files[i+1:])
			return fmt.Errorf("%s: %w", name, err)
		}
		res.Outputs = append(res.Outputs, outs[i])
	}
	res.Depth = float64(res.Bases-res.Adapters) / float64(sim.Known())
	text := func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s: %d reads, %d bases, depth %.3g; %d substituted, %d inserted, %d deleted, %d N\n",
			strings.Join(res.Outputs, ", "), res.Reads, res.Bases, res.Depth, res.Sub, res.Ins, res.Del, res.N)
		return err
	}
	for _, o := range outs {
		if o == fastx.Stdin {
			if a.quiet {
				return nil
			}
			return text(a.stderr)
		}
	}
	return a.result(res, text)
}

// distinct refuses one path for two things.
func distinct(name, in string, outs []string) error {
	seen := map[string]string{}
	key := func(p string) string {
		if p == fastx.Stdin {
			return p
		}
		if real, err := filepath.EvalSymlinks(p); err == nil {
			p = real
		}
		if abs, err := filepath.Abs(p); err == nil {
			p = abs
		}
		return p
	}
	if in != fastx.Stdin {
		seen[key(in)] = "the reference"
	}
	for _, o := range outs {
		if o == "" || o == os.DevNull {
			continue
		}
		if was, ok := seen[key(o)]; ok {
			return usagef("%s: %s is %s, it cannot be written too", name, o, was)
		}
		seen[key(o)] = "another output"
	}
	return nil
}

// contigs reads the sequences of a FASTA file in order.
func (a *app) contigs(path string) ([]sequencer.Contig, error) {
	var r *fastx.Reader
	var err error
	if path == fastx.Stdin {
		r, err = fastx.NewReader(a.stdin, "standard input", fastx.Options{})
	} else {
		r, err = fastx.Open(path, fastx.Options{})
	}
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if r.Format() == fastx.FASTQ {
		return nil, &dataset.Error{Path: path, Err: errors.New("FASTQ, not FASTA: a reference is wanted, not reads")}
	}
	var out []sequencer.Contig
	var rec fastx.Record
	for {
		err := r.Read(&rec)
		if err == io.EOF && len(out) == 0 {
			return nil, &dataset.Error{Path: path, Err: errors.New("no sequence")}
		}
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		out = append(out, sequencer.Contig{Name: string(rec.ID()), Bases: fastx.Codes(nil, rec.Seq)})
	}
}

// createReads opens an output; nil where there is none.
func (a *app) createReads(path string) (*fastx.Writer, error) {
	switch path {
	case "":
		return nil, nil
	case fastx.Stdin:
		return fastx.NewWriter(a.stdout, "standard output", fastx.WriterOptions{})
	}
	return fastx.Create(path, fastx.WriterOptions{})
}

func abort(files []*fastx.Writer) {
	for _, f := range files {
		if f != nil {
			_ = f.Abort() // what is reported is the error before
		}
	}
}

// isFASTA tells by the name of an output.
func isFASTA(path string) bool {
	switch filepath.Ext(strings.TrimSuffix(strings.ToLower(path), ".gz")) {
	case ".fa", ".fasta", ".fna":
		return true
	}
	return false
}

// write draws reads until the depth, or the number, is reached.
func (q *simulateFlags) write(ctx context.Context, sim *sequencer.Simulator, files []*fastx.Writer, res *simulateResult, ev term.Renderer) error {
	wanted := int64(math.Round(q.depth * float64(sim.Known()))) // bases
	var f sequencer.Fragment
	raw, truth := fastx.Record{}, fastx.Record{}
	out2, truth2 := files[0], files[2]
	if files[1] != nil {
		out2 = files[1]
	}
	if files[3] != nil {
		truth2 = files[3]
	}
	for i := int64(0); q.reads > 0 && i < q.reads || q.reads == 0 && res.Bases-res.Adapters < wanted; i++ {
		if i&255 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			e := term.Event{Stage: "simulate", Kind: "progress", Done: i, Total: q.reads, Unit: "reads"}
			if q.reads == 0 {
				e.Done, e.Total, e.Unit = res.Bases, wanted, "bases"
			}
			if i > 0 {
				ev.Event(e)
			}
		}
		if err := sim.Draw(uint64(i), &f); err != nil {
			return err
		}
		c := &sim.Contigs()[f.Contig]
		for k := range f.Mates {
			m := &f.Mates[k]
			e := errorsOf(m)
			res.Reads++
			res.Bases += int64(len(m.Bases))
			res.Adapters += int64(len(m.Bases) - m.Body)
			res.Sub, res.Ins, res.Del, res.N = res.Sub+int64(e.sub), res.Ins+int64(e.ins), res.Del+int64(e.del), res.N+int64(e.n)
			raw.Name = append(raw.Name[:0], q.header(i, k, c, m, e)...)
			raw.Seq, raw.Qual = letters(raw.Seq[:0], m.Bases), raw.Qual[:0]
			for _, s := range m.Quals {
				raw.Qual = append(raw.Qual, s+'!')
			}
			w, path := files[0], q.out
			if k == 1 {
				w = out2
				if q.out2 != "" {
					path = q.out2
				}
			}
			if err := put(w, path, &raw); err != nil {
				return err
			}
			if files[2] == nil {
				continue
			}
			truth.Name = append(truth.Name[:0], raw.Name...)
			truth.Seq, truth.Qual = letters(truth.Seq[:0], m.Truth), truth.Qual[:0]
			for range m.Truth {
				truth.Qual = append(truth.Qual, '!'+40)
			}
			w, path = files[2], q.truth
			if k == 1 {
				w = truth2
				if q.truth2 != "" {
					path = q.truth2
				}
			}
			if err := put(w, path, &truth); err != nil {
				return err
			}
		}
	}
	return nil
}

// put writes a record, as FASTA where the name of the file says so.
func put(w *fastx.Writer, path string, rec *fastx.Record) error {
	if isFASTA(path) {
		return w.Write(&fastx.Record{Name: rec.Name, Seq: rec.Seq})
	}
	return w.Write(rec)
}

func letters(dst, codes []uint8) []byte {
	for _, c := range codes {
		dst = append(dst, "ACGTN"[min(c, 4)])
	}
	return dst
}

// header names a read: place from 1 on the forward strand, end included; on circular sequences an end below the place lies
// beyond the origin.
func (q *simulateFlags) header(i int64, k int, c *sequencer.Contig, m *sequencer.Mate, e errorCount) string {
	mate := ""
	if q.Paired {
		mate = fmt.Sprintf("/%d", k+1)
	}
	strand, end := "+", m.To
	if m.Reverse {
		strand = "-"
	}
	if end > len(c.Bases) {
		end -= len(c.Bases)
	}
	s := fmt.Sprintf("%s%d%s contig=%s pos=%d end=%d strand=%s sub=%d ins=%d del=%d n=%d", q.prefix, i, mate, c.Name, m.From+1, end, strand, e.sub, e.ins, e.del, e.n)
	if n := len(m.Bases) - m.Body; n > 0 {
		s += fmt.Sprintf(" adapter=%d", n)
	}
	return s
}
