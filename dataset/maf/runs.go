package maf

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Run is a stretch of a sequence that an alignment covers without a break, on the plus strand.
type Run struct {
	Src   string
	From  int64 // counted from 0
	Bases []byte
}

// To is the end of the run, not included.
func (r *Run) To() int64 { return r.From + int64(len(r.Bases)) }

type piece struct {
	src      string
	from, to int64
	at       int // in the bases
	line     int
}

// Runs reads a whole file and puts the rows of each of the named genomes (see [Row.Genome]) together again: rows that abut
// become one run, in the order of sequence (names in byte order) and position, and never a base between two runs is made up. The sequences
// of all genomes are kept in memory, one byte a base. Two rows that cover the same base are an *[Error] that names the line of the second, as is
// a genome of which there is no row.
func Runs(src io.Reader, name string, genomes []string) (map[string][]Run, error) {
	pieces, bases := map[string][]piece{}, map[string][]byte{}
	for _, g := range genomes {
		pieces[g] = nil
	}
	r := NewReader(src, name)
	for b := (Block{}); ; {
		err := r.Next(&b)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		for i := range b.Rows {
			row := &b.Rows[i]
			g := row.Genome()
			ps, ok := pieces[g]
			if !ok || row.Size == 0 {
				continue
			}
			from, to := row.Plus()
			pieces[g] = append(ps, piece{row.Src, from, to, len(bases[g]), b.Line})
			bases[g] = row.AppendBases(bases[g])
		}
	}
	out := map[string][]Run{}
	for g, ps := range pieces {
		if len(ps) == 0 {
			return nil, &Error{Name: name, Line: r.line, Err: fmt.Errorf("the file holds nothing of %q", g)}
		}
		slices.SortFunc(ps, func(a, b piece) int { return cmp.Or(cmp.Compare(a.src, b.src), cmp.Compare(a.from, b.from)) })
		all := make([]byte, 0, len(bases[g]))
		var runs []Run
		for i, p := range ps {
			first := i == 0 || ps[i-1].src != p.src
			if !first && p.from < ps[i-1].to {
				return nil, &Error{Name: name, Line: max(p.line, ps[i-1].line), Err: fmt.Errorf("base %d of %q stands in the block of line %d also", p.from, p.src, min(p.line, ps[i-1].line))}
			}
			at := len(all)
			all = append(all, bases[g][p.at:p.at+int(p.to-p.from)]...)
			if first || p.from > ps[i-1].to {
				runs = append(runs, Run{Src: p.src, From: p.from, Bases: all[at:len(all):len(all)]})
				continue
			}
			// all never grows beyond its first capacity, so the run's memory goes on here.
			last := &runs[len(runs)-1]
			last.Bases = all[at-len(last.Bases) : len(all) : len(all)]
		}
		out[g] = runs
		delete(bases, g)
	}
	return out, nil
}
