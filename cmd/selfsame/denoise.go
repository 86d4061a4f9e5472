package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/selfsame-ml/selfsame"
	"github.com/selfsame-ml/selfsame/domain/dna/denoise"
	"github.com/selfsame-ml/selfsame/domain/dna/pileup"
	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/internal/term"
)

// denoiseFlags are the flags as written.
type denoiseFlags struct {
	selfsame.DenoiseConfig
	out, out2, memory string
	qualities         string
}

func denoiseCommand(a *app) *cobra.Command {
	q := denoiseFlags{}
	c := &cobra.Command{
		Use:   "denoise IN [IN2] -o OUT [-O OUT2]",
		Short: "Correct sequencing reads",
		Long: `denoise corrects reads in FASTQ or FASTA files, plain or gzip. Each base is judged
by a network that sees the read, its qualities and the other reads of the input that
overlap it, and is kept, substituted or deleted, or a base is inserted after it, where
the calibrated posterior is high enough. Order, names, case and pairing stay. Give two
files for mates, or one with --interleaved. "-" is the standard input or output.

The input is read twice (the standard input by way of the disk); --alone takes every
read by itself, in one pass. Outputs appear when all is written, not before.

--max-false-corrections N promises at most N wrong changes in a million bases, for
reads of the noise that the model was calibrated on; at depths for which the
calibration knows no threshold that keeps it, nothing is changed and the report says so.

N becomes a base where the posterior allows; another ambiguous letter becomes one of
the bases it stands for at a posterior of 0.99 or more. With --qualities keep a base
that stays or is substituted keeps its quality and an inserted one gets the mean of
its neighbours; with posterior all are -10 log10 (1 - posterior), 2 to 60.`,
		Example: `  selfsame denoise reads.fq.gz -o clean.fq.gz --json report.json
  selfsame denoise r1.fq r2.fq -o c1.fq -O c2.fq --max-false-corrections 20
  zcat reads.fq.gz | selfsame denoise - -o - | bwa mem ref.fa - > aligned.sam
  selfsame denoise long.fq --model pacbio --dry-run --changes changes.tsv`,
		Args: args(1, 2, "IN"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.denoise(cmd, &q, args) },
	}
	f := c.Flags()
	f.StringVarP(&q.out, "out", "o", "", "output `file`; .gz compresses")
	f.StringVarP(&q.out2, "out2", "O", "", "output `file` of second mates (-o2 too)")
	f.StringVar(&q.Model, "model", "", "run `directory`, model file, or "+strings.Join(selfsame.DenoiserNames(), ", ")+" (default "+selfsame.DefaultDenoiser+")")
	f.BoolVar(&q.Interleaved, "interleaved", false, "the one input holds mates by turns")
	f.BoolVar(&q.Alone, "alone", false, "without the reads that overlap; one pass")
	f.Float64Var(&q.MaxFalse, "max-false-corrections", 0, "most wrong changes in a million bases; 0: no promise")
	f.Float64Var(&q.MinPosterior, "min-posterior", 0.5, "least calibrated posterior of a change")
	f.BoolVar(&q.Thorough, "thorough", false, "ask the network everywhere, though nothing speaks against any base")
	f.IntVar(&q.MinDepth, "min-depth", 0, "leave bases under fewer other reads as they are")
	f.StringVar(&q.qualities, "qualities", string(denoise.KeepQualities), "keep or posterior")
	f.BoolVar(&q.Tags, "tags", false, `append " ec:i:N" to headers, N changes`)
	f.StringVar(&q.Report, "json", "", "write the report to this `file`; - is the standard output")
	f.StringVar(&q.Changes, "changes", "", "write one line a change to this TSV `file`")
	f.BoolVar(&q.DryRun, "dry-run", false, "write no reads")
	f.StringVar(&q.Kind, "kind", "", "how overlaps are found: short or long (default: the model's)")
	f.IntVar(&q.Threads, "threads", 0, "0: all cores; the output does not depend on it")
	f.Uint64Var(&q.Seed, "seed", 0, "for the report; nothing is drawn while denoising")
	f.StringVar(&q.memory, "memory", "512M", "`size` that the index of overlaps may take")
	f.StringVar(&q.Tmp, "tmp", "", "`folder` of temporary files (default: the system's)")
	f.StringVar(&q.Engine.Kind, "engine", engine.Auto, "auto, go or xla")
	completeValues(c, "model", selfsame.DenoiserNames())
	completeValues(c, "qualities", []string{string(denoise.KeepQualities), string(denoise.PosteriorQualities)})
	completeValues(c, "engine", engineKinds)
	completeValues(c, "kind", []string{pileup.Short, pileup.Long})
	c.AddCommand(denoiseCalibrate(a), denoiseExport(a))
	return c
}

func (a *app) denoise(cmd *cobra.Command, q *denoiseFlags, args []string) error {
	q.In = args
	q.Qualities = denoise.Qualities(q.qualities)
	size, err := parseSize(q.memory)
	switch {
	case err != nil:
		return usagef("denoise: --memory %w", err)
	case size < pileup.MinMemory:
		return usagef("denoise: --memory %s is less than 1M", q.memory)
	case !slices.Contains(engineKinds, q.Engine.Kind):
		return usagef("denoise: --engine %q is not one of %s", q.Engine.Kind, strings.Join(engineKinds, ", "))
	case q.Qualities != denoise.KeepQualities && q.Qualities != denoise.PosteriorQualities:
		return usagef("denoise: --qualities %q is not keep or posterior", q.qualities)
	case q.Kind != "" && q.Kind != pileup.Short && q.Kind != pileup.Long:
		return usagef("denoise: --kind %q is not short or long", q.Kind)
	case q.Threads < 0:
		return usagef("denoise: --threads %d is negative", q.Threads)
	case q.MinDepth < 0:
		return usagef("denoise: --min-depth %d is negative", q.MinDepth)
	case q.Alone && q.MinDepth > 0:
		return usagef("denoise: --min-depth %d: a read alone has depth 0 everywhere", q.MinDepth)
	case !(q.MaxFalse >= 0) || math.IsInf(q.MaxFalse, 0):
		return usagef("denoise: --max-false-corrections %g is not a number of 0 or more", q.MaxFalse)
	case !(q.MinPosterior > 0 && q.MinPosterior <= 1):
		return usagef("denoise: --min-posterior %g is not within 0 and 1", q.MinPosterior)
	case len(args) == 2 && q.Interleaved:
		return usagef("denoise: --interleaved: two files are given, interleaved mates are in one")
	case q.DryRun && (q.out != "" || q.out2 != ""):
		return usagef("denoise: --dry-run writes no reads: leave --out away")
	case !q.DryRun && q.out == "":
		return usagef("denoise: --out is missing").hint("for instance -o clean.fq.gz, -o - for the standard output, or --dry-run")
	case !q.DryRun && len(args) == 2 && q.out2 == "":
		return usagef("denoise: --out2 is missing: two files of mates give two files")
	case len(args) == 1 && q.out2 != "":
		return usagef("denoise: --out2 %s: there is one input only", q.out2)
	}
	q.Memory = size
	for _, o := range []string{q.out, q.out2} {
		if o != "" {
			q.Out = append(q.Out, o)
		}
	}
	q.Stdin, q.Stdout = a.stdin, a.stdout
	ev := term.New(a.stderr, term.ModeFor(a.stderr)) // the standard output may be reads
	if a.quiet {
		ev = term.New(a.stderr, term.Quiet)
	}
	q.Event = showEvents(ev)
	rep, err := selfsame.Denoise(cmd.Context(), q.DenoiseConfig)
	ev.Close()
	if errors.Is(err, selfsame.ErrDenoisePaths) || errors.Is(err, selfsame.ErrStage) {
		return &usageError{err: err}
	}
	if err != nil {
		return err
	}
	w := a.stdout
	if slices.Contains(q.Out, stdio) || q.Report == stdio || q.Changes == "/dev/stdout" {
		w = a.stderr
	}
	if a.quiet && w == a.stderr {
		return nil
	}
	return denoiseText(w, &rep)
}

// denoiseText is the answer for people.
func denoiseText(w io.Writer, r *selfsame.DenoiseReport) error {
	sum := func(m map[string]int64) (n int64) {
		for _, v := range m {
			n += v
		}
		return n
	}
	what := strings.Join(r.Outputs, ", ")
	if r.DryRun {
		what = "dry run"
	}
	c := &r.Changes
	_, err := fmt.Fprintf(w, "%s: %d reads, %d changed; %d bases substituted, %d deleted, %d inserted, %d resolved; %.3g false corrections per Mb expected; %.0f reads/s\n",
		what, r.Reads, r.ReadsChanged, sum(c.Substituted), sum(c.Deleted), sum(c.Inserted), sum(c.Resolved), r.ExpectedFalsePerMb, r.ReadsPerSecond)
	for _, d := range r.Depth {
		if d.Why != "" && err == nil {
			_, err = fmt.Fprintf(w, "depth %s: %d bases left as they are: %s\n", d.Depth, d.Bases, d.Why)
		}
	}
	return err
}

func denoiseCalibrate(a *app) *cobra.Command {
	cfg := selfsame.CalibrateConfig{}
	c := &cobra.Command{
		Use:   "calibrate RUNDIR",
		Short: "Calibrate the posteriors of a run on reads that training has not seen",
		Long: `calibrate simulates windows of reads from the validation part of the run's reference
and writes calibration.json to the run directory: the map from the network's posteriors
to the share that is right, by kind of change and depth (one half of the part), and
what each threshold lets through, with an upper bound (the other half). The audit of a
run does this too; more windows promise more.`,
		Example: "  selfsame denoise calibrate runs/reads-illumina --windows 200000",
		Args:    args(1, 1, "RUNDIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cfg.Windows < 1 {
				return usagef("denoise calibrate: --windows %d is less than 1", cfg.Windows)
			}
			ev := a.events()
			cfg.Event = showEvents(ev)
			cal, err := selfsame.CalibrateDenoiser(cmd.Context(), args[0], cfg)
			ev.Close()
			if errors.Is(err, selfsame.ErrStage) {
				return &usageError{err: err}
			}
			if err != nil {
				return err
			}
			type done struct {
				Kind     string            `json:"kind"`
				Bases    int64             `json:"bases"`
				Promises []denoise.Promise `json:"promises"`
			}
			return a.result(done{"result", cal.Bases, cal.Promises}, func(w io.Writer) error {
				t := term.NewTable("depth", "threshold", "corrected", "false per Mb", "at most")
				for _, p := range cal.Promises {
					if p.Threshold == 0.5 || p.Threshold == 0.9 || p.Threshold == 0.99 || p.Threshold == 0.999 || p.Threshold == 0.9999 {
						t.Row(p.Depth, p.Threshold, fmt.Sprintf("%.3f", p.Found), fmt.Sprintf("%.1f", p.PerMb), fmt.Sprintf("%.1f", p.UpperPerMb))
					}
				}
				return t.Write(w)
			})
		},
	}
	c.Flags().IntVar(&cfg.Windows, "windows", 40_000, "simulated windows")
	c.Flags().Uint64Var(&cfg.Seed, "seed", 0, "of the simulated reads")
	c.Flags().StringVar(&cfg.Engine.Kind, "engine", engine.Auto, "auto, go or xla")
	completeValues(c, "engine", engineKinds)
	return c
}

func denoiseExport(a *app) *cobra.Command {
	out := ""
	c := &cobra.Command{
		Use:   "export RUNDIR -o FILE.safetensors",
		Short: "Write the model of a run as one file",
		Long: `export writes network, weights and calibration of a run as one file, which denoise
takes as --model. It holds no reads and no code.`,
		Example: "  selfsame denoise export runs/reads-illumina -o mine.safetensors",
		Args:    args(1, 1, "RUNDIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if out == "" {
				return usagef("denoise export: --out is missing")
			}
			err := selfsame.ExportDenoiser(args[0], out)
			if errors.Is(err, selfsame.ErrStage) {
				return &usageError{err: err}
			}
			if err != nil {
				return err
			}
			type done struct {
				Kind string `json:"kind"`
				Out  string `json:"out"`
			}
			return a.result(done{"result", out}, func(w io.Writer) error { _, err := fmt.Fprintln(w, out); return err })
		},
	}
	c.Flags().StringVarP(&out, "out", "o", "", "output `file`")
	return c
}

// parseSize reads a number of bytes: 1048576, 512M, 2G, 1.5GB (units of 1024).
func parseSize(s string) (int64, error) {
	t := strings.TrimSuffix(strings.ToUpper(strings.TrimSpace(s)), "B")
	t = strings.TrimSuffix(t, "I")
	unit := 1.0
	if n := len(t); n > 0 {
		if i := strings.IndexByte("KMGT", t[n-1]); i >= 0 {
			unit, t = float64(int64(1)<<(10*(i+1))), t[:n-1]
		}
	}
	v, err := strconv.ParseFloat(t, 64)
	if err != nil || !(v >= 0) || v*unit >= math.MaxInt64 {
		return 0, fmt.Errorf("%q is no size, such as 512M or 2G", s)
	}
	return int64(v * unit), nil
}

// spelled turns "-o2" of denoise, which is no flag by the rules of flags, into --out2.
func spelled(args []string) []string {
	if !slices.Contains(args, "denoise") {
		return args
	}
	out := slices.Clone(args)
	for i, s := range out {
		switch {
		case s == "--":
			return out
		case s == "-o2":
			out[i] = "--out2"
		case strings.HasPrefix(s, "-o2="):
			out[i] = "--out2=" + s[len("-o2="):]
		}
	}
	return out
}
