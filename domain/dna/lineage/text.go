package lineage

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/selfsame-ml/selfsame/internal/term"
)

// mostClades is how many clades the terminal shows; the page has all.
const mostClades = 40

// WriteText writes what a terminal shows at the end, in lines of at most 80 characters: verdict, methods, clades, bits per base.
func (r *Report) WriteText(w io.Writer) error {
	if r.Result == nil {
		return errors.New("lineage: summary of a report without a result")
	}
	var out bytes.Buffer
	wrap := func(s string) {
		for _, line := range term.Wrap(clean(s), term.Width) {
			fmt.Fprintln(&out, strings.TrimRight(line, " "))
		}
	}
	v := r.verdict()
	fmt.Fprintln(&out, "VERDICT: "+strings.ToUpper(v.Word))
	wrap(v.Lead)
	for _, s := range v.More {
		wrap(s)
	}
	wrap(fmt.Sprintf("The tree: %s (%s).", r.Variant, r.Why))
	if len(r.Rows) > 0 {
		r.textMethods(&out, wrap)
	}
	if len(r.Clades) > 0 {
		r.textClades(&out, wrap)
	}
	first := true
	for _, p := range bitsParts(r) {
		if p.Sentence == "" {
			continue
		}
		if first {
			fmt.Fprintln(&out)
			wrap("Bits per base, lower is better")
			first = false
		}
		wrap(p.Title + ": " + p.Sentence)
	}
	if len(r.Warnings) > 0 {
		fmt.Fprintln(&out)
	}
	for _, s := range r.Warnings {
		wrap("Warning: " + s)
	}
	if _, err := w.Write(out.Bytes()); err != nil {
		return fmt.Errorf("lineage: summary: %w", err)
	}
	return nil
}

// pad fills s to n characters, on the left where right is set.
func pad(s string, n int, right bool) string {
	fill := strings.Repeat(" ", max(0, n-len([]rune(s))))
	if right {
		return fill + s
	}
	return s + fill
}

func (r *Report) textMethods(out *bytes.Buffer, wrap func(string)) {
	fmt.Fprintln(out)
	on := "Scores on species that chose nothing"
	if !r.choice() {
		on = fmt.Sprintf("Scores on all %d species that the reference has", r.shared())
	}
	wrap(on + "; mean, nQD ± standard deviation")
	const family, variant, rf, qd, rank = 21, 29, 6, 15, 9 // 80 in all
	line := func(a, b, c, d, e string) {
		s := pad(a, family, false) + pad(b, variant, false) + pad(c, rf, true) + pad(d, qd, true) + pad(e, rank, true)
		fmt.Fprintln(out, strings.TrimRight(s, " "))
	}
	line("method", "variant", "nRF", "nQD", "Spearman")
	for i := range r.Rows {
		row := &r.Rows[i]
		s := row.counted()
		chosen := clean(row.Chosen)
		if row.Family == FamilyRandom {
			chosen = fmt.Sprintf("%d trees", row.Seeds)
		}
		line(term.Cut(clean(row.Family), family-1), term.Cut(chosen, variant-1), fixed(float64(s.NRF.Mean), 3), spreadText(s.NQD, 3), fixed(float64(s.Spearman.Mean), 3))
	}
}

func (r *Report) textClades(out *bytes.Buffer, wrap func(string)) {
	found := 0
	for _, c := range r.Clades {
		if c.Found {
			found++
		}
	}
	fmt.Fprintln(out)
	wrap(fmt.Sprintf("Clades of the reference: %d of %d found (support in percent, networks that have it)", found, len(r.Clades)))
	for k, c := range r.Clades {
		if k == mostClades {
			wrap(fmt.Sprintf("... and %d more on the page", len(r.Clades)-k))
			break
		}
		mark := "✗ no "
		if c.Found {
			mark = "✓ yes"
		}
		head := fmt.Sprintf("%s %s %s  ", mark, pad(fixed(float64(c.Support), 0), 4, true), pad(fmt.Sprintf("%d/%d", c.Seeds, r.networks()), 7, true))
		fmt.Fprintln(out, strings.TrimRight(head+term.Cut(clean(c.Name), term.Width-len([]rune(head))), " "))
	}
}
