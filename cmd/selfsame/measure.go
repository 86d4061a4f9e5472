package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/selfsame-ml/selfsame/dataset"
	"github.com/selfsame-ml/selfsame/domain/dna/fastx"
	"github.com/selfsame-ml/selfsame/internal/term"
	"github.com/selfsame-ml/selfsame/metric"
)

func measureCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "measure",
		Short: "Measure the files of any tool with the metrics of its field",
		Long: `measure compares files that any tool has written with the truth, by the metrics and
definitions of their field. No model is needed.`,
		Example: "  selfsame measure reads --truth true.fq --raw reads.fq --corrected corrected.fq",
		Args:    cobra.ArbitraryArgs,
		RunE:    func(cmd *cobra.Command, args []string) error { return group(cmd, args, false) },
	}
	c.AddCommand(measureReads(a), measureTree(a))
	return c
}

func measureReads(a *app) *cobra.Command {
	var truth, raw, corrected []string
	var variants string
	c := &cobra.Command{
		Use:   "reads --truth FILE --raw FILE --corrected FILE",
		Short: "Score corrected reads against true ones",
		Long: `reads aligns every read in its three forms, true, raw and corrected, and counts bases
by the definitions of Mitchell et al. 2020 (Genome Biology 21:71):

  tp        an error was corrected         fp        a correct base was changed
  fn        an error was left              fn_wrong  changed into another error
  gain = (tp-fp)/(tp+fn), precision = tp/(tp+fp), sensitivity = tp/(tp+fn)

As in their tables fp counts inserted and deleted bases too (fp_indel), and fn_wrong
is in no denominator; gain_strict and sensitivity_strict have it there. Bases trimmed
off the ends stand apart (tp_trim, fp_trim). What has no denominator is null.

Files are FASTQ or FASTA, plain or gzip; one may be - for the standard input. Reads are paired by name, the first word of
the header with /1 and /2 kept; where files agree in order, memory does not grow with
them. Truth and raw must hold the same reads. A read that the corrected file lacks
counts as missing and in no score, as in the paper. For mates in two files repeat the
flags: the first of each belong together, then the second of each.

--variants says where true reads differ from a reference, one place a line: read
name, position in the true read from 1, and the reference's base there; - where the
reference lacks that base; + and bases that the reference has after it (tabs between).
The share of those that the raw read had and the corrected read still has is printed.

Where corrected reads have qualities, predicted and observed errors are compared
(reliability curve, expected calibration error), beside those of the raw reads.`,
		Example: `  selfsame measure reads --truth true.fq --raw reads.fq --corrected corrected.fq
  selfsame measure reads --truth t1.fq --truth t2.fq --raw r1.fq --raw r2.fq \
      --corrected c1.fq.gz --corrected c2.fq.gz --json | jq .gain`,
		Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, f := range []struct {
				name  string
				files []string
			}{{"truth", truth}, {"raw", raw}, {"corrected", corrected}} {
				if len(f.files) == 0 {
					return usagef("measure reads: --%s is missing", f.name).hint("usage: %s", cmd.UseLine())
				}
				if len(f.files) != len(truth) {
					return usagef("measure reads: %d files for --truth, %d for --%s", len(truth), len(f.files), f.name).hint("repeat each flag as often as the others")
				}
			}
			stdin := 0
			for _, p := range slices.Concat(truth, raw, corrected) {
				if p == fastx.Stdin {
					stdin++
				}
			}
			if stdin > 1 {
				return usagef("measure reads: %d files are the standard input, one can be", stdin)
			}
			m := &readMeasure{warn: func(format string, args ...any) {
				if !a.quiet {
					fmt.Fprintf(a.stderr, "selfsame: warning: "+format+"\n", args...)
				}
			}}
			if variants != "" {
				if err := m.readVariants(variants); err != nil {
					return err
				}
			}
			for i := range truth {
				if err := m.files(cmd.Context(), [3]string{truth[i], raw[i], corrected[i]}); err != nil {
					return err
				}
			}
			if err := m.unused(variants); err != nil {
				return err
			}
			s := m.meter.Scores()
			return a.result(s, func(w io.Writer) error { return writeReads(w, s) })
		},
	}
	f := c.Flags()
	f.StringArrayVar(&truth, "truth", nil, "true reads, one `file` or more")
	f.StringArrayVar(&raw, "raw", nil, "the reads that were corrected: one `file` for each of --truth")
	f.StringArrayVar(&corrected, "corrected", nil, "what the corrector wrote: one `file` for each of --truth")
	f.StringVar(&variants, "variants", "", "tab-separated `file` of true differences from a reference")
	return c
}

// readMeasure pairs the records of three files and meters them.
type readMeasure struct {
	meter    metric.ReadMeter
	warn     func(format string, args ...any)
	variants map[string]*readVariants
}

type readVariants struct {
	at   []metric.ReadVariant
	line int // of the first, in its file
	used bool
}

const (
	trueRead = iota
	rawRead
	correctedRead
)

// trio is a read whose other forms have not come yet.
type trio struct{ rec [3]*fastx.Record }

func (m *readMeasure) files(ctx context.Context, paths [3]string) error {
	var in [3]*fastx.Reader
	for i, p := range paths {
		r, err := fastx.Open(p, fastx.Options{Warn: m.warn})
		if err != nil {
			return err
		}
		defer r.Close()
		in[i] = r
	}
	var rec [3]fastx.Record
	var open [3]bool
	for i := range open {
		open[i] = true
	}
	waiting := map[string]*trio{}
	for open[0] || open[1] || open[2] {
		if ctx.Err() != nil { // long reads take long
			return context.Cause(ctx)
		}
		for i, r := range in {
			if !open[i] {
				continue
			}
			switch err := r.Read(&rec[i]); {
			case err == io.EOF:
				open[i] = false
			case err != nil:
				return err
			}
		}
		if len(waiting) == 0 && open[0] && open[1] && open[2] && bytes.Equal(rec[0].ID(), rec[1].ID()) && bytes.Equal(rec[0].ID(), rec[2].ID()) {
			if err := m.add(paths, [3]*fastx.Record{&rec[0], &rec[1], &rec[2]}); err != nil {
				return err
			}
			continue
		}
		for i := range in {
			if !open[i] {
				continue
			}
			id := string(rec[i].ID())
			t := waiting[id]
			if t == nil {
				t = &trio{}
				waiting[id] = t
			}
			if t.rec[i] != nil {
				return dataset.Bad(paths[i], recordPlace(&rec[i]), "the name occurs twice, first in record %d", t.rec[i].Index+1)
			}
			t.rec[i] = rec[i].Clone()
			if t.rec[0] != nil && t.rec[1] != nil && t.rec[2] != nil {
				if err := m.add(paths, t.rec); err != nil {
					return err
				}
				delete(waiting, id)
			}
		}
	}
	// What is left lacks one of its forms; the first record of a file is named.
	var first *fastx.Record
	var file, lacks int
	for _, t := range waiting {
		if t.rec[trueRead] != nil && t.rec[rawRead] != nil {
			m.meter.Missing(t.rec[rawRead].Seq, m.take(t.rec[trueRead].ID()))
			continue
		}
		for i, r := range t.rec {
			if r == nil {
				continue
			}
			other := trueRead
			if t.rec[trueRead] != nil {
				other = rawRead
			}
			if first == nil || i < file || i == file && r.Index < first.Index {
				first, file, lacks = r, i, other
			}
			break
		}
	}
	if first != nil {
		e := dataset.Bad(paths[file], recordPlace(first), "%s has no read of that name", paths[lacks])
		e.Hint = "truth and raw must hold the same reads, and corrected no others; names are compared up to the first blank"
		return e
	}
	return nil
}

func recordPlace(r *fastx.Record) string {
	return fmt.Sprintf("record %d %q, line %d", r.Index+1, r.ID(), r.Line)
}

// take returns the variants of a read; nil where no variants are asked for, else at least an empty list.
func (m *readMeasure) take(id []byte) []metric.ReadVariant {
	if m.variants == nil {
		return nil
	}
	if v := m.variants[string(id)]; v != nil {
		v.used = true
		return v.at
	}
	return []metric.ReadVariant{}
}

func (m *readMeasure) add(paths [3]string, rec [3]*fastx.Record) error {
	t, r, c := rec[trueRead], rec[rawRead], rec[correctedRead]
	err := m.meter.Add(metric.ReadTriple{True: t.Seq, Raw: r.Seq, Corrected: c.Seq, RawQual: r.Qual, CorrectedQual: c.Qual, Variants: m.take(t.ID())})
	if err != nil {
		return &dataset.Error{Path: paths[correctedRead], Record: recordPlace(c), Err: err}
	}
	return nil
}

func (m *readMeasure) readVariants(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return &dataset.Error{Path: path, Err: err}
	}
	defer f.Close()
	br := bufio.NewReaderSize(f, 1<<16)
	if head, _ := br.Peek(2); bytes.Equal(head, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(br)
		if err != nil {
			return &dataset.Error{Path: path, Err: err}
		}
		br = bufio.NewReaderSize(z, 1<<16)
	}
	m.variants = map[string]*readVariants{}
	for n := 1; ; n++ {
		line, err := br.ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return &dataset.Error{Path: path, Record: "line " + strconv.Itoa(n), Err: err}
		}
		if text := strings.TrimRight(line, "\r\n"); text != "" && text[0] != '#' {
			cell := strings.Split(text, "\t")
			bad := func(format string, args ...any) error {
				return dataset.Bad(path, "line "+strconv.Itoa(n), format, args...)
			}
			if len(cell) < 3 {
				return bad("%d columns, expected 3: read, position, reference", len(cell))
			}
			pos, err := strconv.Atoi(cell[1])
			if err != nil || pos < 1 {
				return bad("position %q, expected a number from 1", cell[1])
			}
			if ref := cell[2]; len(ref) != 1 && (ref == "" || ref[0] != '+') || ref == "+" {
				return bad("reference %q, expected a base, - or + and bases", ref)
			}
			v := m.variants[cell[0]]
			if v == nil {
				v = &readVariants{line: n}
				m.variants[cell[0]] = v
			}
			v.at = append(v.at, metric.ReadVariant{Pos: pos - 1, Reference: cell[2]})
		}
		if err != nil {
			return nil
		}
	}
}

// unused says which variants were of no read.
func (m *readMeasure) unused(path string) error {
	name, line := "", 0
	for id, v := range m.variants {
		if !v.used && (line == 0 || v.line < line) {
			name, line = id, v.line
		}
	}
	if line > 0 {
		return dataset.Bad(path, "line "+strconv.Itoa(line), "no read has the name %q", name)
	}
	return nil
}

func writeReads(w io.Writer, s metric.ReadScores) error {
	score := func(v metric.Score) string {
		if math.IsNaN(float64(v)) {
			return "-"
		}
		return strconv.FormatFloat(float64(v), 'g', 4, 64)
	}
	t := term.NewTable("score", ">value", "what")
	t.Row("gain", score(s.Gain), "(tp-fp)/(tp+fn): 1 perfect, 0 as raw, negative worse")
	t.Row("precision", score(s.Precision), "tp/(tp+fp)")
	t.Row("sensitivity", score(s.Sensitivity), "tp/(tp+fn)")
	t.Row("gain, strict", score(s.GainStrict), "with fn_wrong in the denominator")
	t.Row("sensitivity, strict", score(s.SensitivityStrict), "with fn_wrong in the denominator")
	t.Row("false corrections", score(s.FalsePerMb), "fp a million raw bases")
	t.Row("errors, raw", score(s.ErrorsRaw), "wrong bases a scored base")
	t.Row("errors, corrected", score(s.ErrorsCorrected), "the same after correction")
	t.Row("tp", s.TP, "errors corrected")
	t.Row("fp", s.FP, fmt.Sprintf("correct bases changed (inserted or deleted: %d)", s.FPIndel))
	t.Row("fn", s.FN, "errors left")
	t.Row("fn_wrong", s.FNWrong, "errors changed into others")
	t.Row("tn", s.TN, "correct bases left")
	t.Row("tp_trim, fp_trim", fmt.Sprintf("%d, %d", s.TPTrim, s.FPTrim), "wrong and correct bases trimmed off")
	if s.Unscored > 0 {
		t.Row("unscored", s.Unscored, "places where the true base is not known")
	}
	r := s.Reads
	t.Row("reads", r.Total, fmt.Sprintf("tp %d, fp %d, fp_indel %d, fn %d, fn_wrong %d, tn %d; trimmed %d", r.TP, r.FP, r.FPIndel, r.FN, r.FNWrong, r.TN, r.Trimmed))
	if r.Missing > 0 {
		t.Row("missing", r.Missing, fmt.Sprintf("reads that the corrected file lacks, %d bases: in no score", s.BasesMissing))
	}
	if v := s.Variants; v != nil {
		t.Row("variants kept", score(v.Share), fmt.Sprintf("%d kept, %d lost (%d to the reference), %d of %d restored where raw was wrong, %d trimmed", v.Kept, v.Lost, v.ToReference, v.Restored, v.RawWrong, v.Trimmed))
	}
	if q := s.ReliabilityRaw; q != nil {
		t.Row("calibration, raw", score(q.CalibrationError), fmt.Sprintf("expected calibration error: predicted %s, observed %s errors a base", score(q.Predicted), score(q.Observed)))
	}
	if q := s.Reliability; q != nil {
		t.Row("calibration", score(q.CalibrationError), fmt.Sprintf("of the corrected reads: predicted %s, observed %s errors a base", score(q.Predicted), score(q.Observed)))
	}
	if err := t.Write(w); err != nil {
		return err
	}
	if s.Reliability == nil {
		return nil
	}
	t = term.NewTable(">quality", ">bases", ">predicted", ">observed")
	for _, b := range s.Reliability.Bins {
		t.Row(b.Quality, b.Bases, score(b.Predicted), score(b.Observed))
	}
	fmt.Fprintln(w)
	return t.Write(w)
}
