//go:build unix

// Command reads makes and handles the data of scripts/reads.sh: true reads from a simulator's
// alignments, relatives with known variants, corrected reads by copying a reference, and timings.
// It reads plain text only. Each subcommand says what it wants when it is called without arguments.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/selfsame-ml/selfsame/internal/rng"
)

func main() {
	commands := map[string]func([]string) error{
		"cut": cut, "mutate": mutate, "variants": variants, "truth": truth, "copy": copyReference, "fields": fields, "time": timed,
	}
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: reads cut|mutate|variants|truth|copy|fields|time ARGS")
		os.Exit(2)
	}
	if err := commands[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "reads", os.Args[1]+":", err)
		var code *exec.ExitError
		if errors.As(err, &code) {
			os.Exit(code.ExitCode())
		}
		os.Exit(1)
	}
}

// contig is a sequence of a FASTA file, upper case.
type contig struct {
	name string
	seq  []byte
}

func readFASTA(path string) ([]contig, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []contig
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<28)
	for sc.Scan() {
		line := strings.TrimSpace(sc.Text())
		switch {
		case line == "":
		case line[0] == '>':
			name, _, _ := strings.Cut(line[1:], " ")
			out = append(out, contig{name: name})
		case len(out) == 0:
			return nil, fmt.Errorf("%s: not FASTA", path)
		default:
			c := &out[len(out)-1]
			c.seq = append(c.seq, strings.ToUpper(line)...)
		}
	}
	return out, sc.Err()
}

// output is a file that appears under its name when it is complete.
type output struct {
	*bufio.Writer
	f    *os.File
	path string
}

func create(path string) (*output, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return nil, err
	}
	return &output{bufio.NewWriterSize(f, 1<<20), f, path}, nil
}

func (o *output) done() error {
	err := errors.Join(o.Flush(), o.f.Chmod(0o644), o.f.Close())
	if err == nil {
		err = os.Rename(o.f.Name(), o.path)
	}
	if err != nil {
		os.Remove(o.f.Name())
	}
	return err
}

func writeFASTA(path string, cs []contig) error {
	o, err := create(path)
	if err != nil {
		return err
	}
	for _, c := range cs {
		fmt.Fprintf(o, ">%s\n", c.name)
		for s := c.seq; len(s) > 0; {
			n := min(len(s), 80)
			fmt.Fprintf(o, "%s\n", s[:n])
			s = s[n:]
		}
	}
	return o.done()
}

// parse reads flags and the positional arguments that usage names.
func parse(f *flag.FlagSet, args []string, usage string) ([]string, error) {
	f.SetOutput(os.Stderr)
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if want := len(strings.Fields(usage)); f.NArg() != want {
		return nil, fmt.Errorf("usage: reads %s [FLAGS] %s", f.Name(), usage)
	}
	return f.Args(), nil
}

// cut writes a stretch of the first sequence of a genome.
func cut(args []string) error {
	f := flag.NewFlagSet("cut", flag.ContinueOnError)
	from := f.Int("from", 0, "first base, from 0")
	n := f.Int("bases", 1_000_000, "bases, at most")
	name := f.String("name", "", "name of the sequence; none keeps it")
	a, err := parse(f, args, "IN.fa OUT.fa")
	if err != nil {
		return err
	}
	cs, err := readFASTA(a[0])
	if err != nil {
		return err
	}
	if len(cs) == 0 || *from >= len(cs[0].seq) {
		return fmt.Errorf("%s: no base %d in its first sequence", a[0], *from)
	}
	c := cs[0]
	c.seq = c.seq[*from:min(len(c.seq), *from+*n)]
	if *name != "" {
		c.name = *name
	}
	return writeFASTA(a[1], []contig{c})
}

// relative is the purpose of draws here, away from those of training.
const relative rng.Purpose = 1 << 40

// difference is a place of a genome where it differs from a reference, as selfsame measure reads
// --variants writes it: "+" and bases stand after pos.
type difference struct {
	pos       int // 0-based in the genome that has the variant
	reference string
}

// mutate writes a relative of a genome and where it differs.
func mutate(args []string) error {
	f := flag.NewFlagSet("mutate", flag.ContinueOnError)
	rate := f.Float64("rate", 0.01, "variants a base")
	indels := f.Float64("indels", 0.1, "share of the variants that insert or delete 1 to 3 bases")
	seed := f.Uint64("seed", 1, "seed")
	a, err := parse(f, args, "IN.fa OUT.fa VARIANTS.tsv")
	if err != nil {
		return err
	}
	cs, err := readFASTA(a[0])
	if err != nil {
		return err
	}
	list, err := create(a[2])
	if err != nil {
		return err
	}
	fmt.Fprintln(list, "# sequence\tposition\treference")
	for n := range cs {
		r := rng.New(*seed, relative, uint64(n))
		var out []byte
		put := func(pos int, ref string) { fmt.Fprintf(list, "%s\t%d\t%s\n", cs[n].name, pos+1, ref) }
		seq := cs[n].seq
		for i := 0; i < len(seq); i++ {
			b := seq[i]
			k := strings.IndexByte("ACGT", b)
			// The ends stay, so that every place has bases beside it.
			if k < 0 || i < 10 || i > len(seq)-10 || r.Float64() >= *rate {
				out = append(out, b)
				continue
			}
			if r.Float64() >= *indels {
				put(len(out), string(b))
				out = append(out, "ACGT"[(k+1+r.IntN(3))%4])
				continue
			}
			size := 1 + r.IntN(3)
			if r.IntN(2) == 0 { // bases that the reference lacks
				out = append(out, b)
				for range size {
					put(len(out), "-")
					out = append(out, "ACGT"[r.IntN(4)])
				}
			} else { // and bases that only it has
				put(len(out)-1, "+"+string(seq[i:i+size]))
				i += size - 1
			}
		}
		cs[n].seq = out
	}
	return errors.Join(list.done(), writeFASTA(a[1], cs))
}

// variants lists the differences of real genomes from minimap2's alignment (PAF with cs).
func variants(args []string) error {
	f := flag.NewFlagSet("variants", flag.ContinueOnError)
	a, err := parse(f, args, "GENOME-TO-REFERENCE.paf OUT.tsv")
	if err != nil {
		return err
	}
	in, err := os.Open(a[0])
	if err != nil {
		return err
	}
	defer in.Close()
	type place struct {
		name string
		difference
	}
	var all []place
	covered := map[string][][2]int{}
	sc := bufio.NewScanner(in)
	sc.Buffer(nil, 1<<28)
	for sc.Scan() {
		cell := strings.Split(sc.Text(), "\t")
		cs := ""
		for _, c := range cell[min(12, len(cell)):] {
			if strings.HasPrefix(c, "cs:Z:") {
				cs = c[5:]
			}
		}
		if len(cell) < 12 || cs == "" {
			return fmt.Errorf("%s: a line without cs:Z: (minimap2 -c --cs)", a[0])
		}
		from, e1 := strconv.Atoi(cell[2])
		to, e2 := strconv.Atoi(cell[3])
		if err := errors.Join(e1, e2); err != nil {
			return err
		}
		overlaps := false
		for _, c := range covered[cell[0]] {
			overlaps = overlaps || from < c[1] && c[0] < to
		}
		if overlaps || !strings.Contains(sc.Text(), "tp:A:P") {
			continue // a second alignment of the same bases is no truth
		}
		covered[cell[0]] = append(covered[cell[0]], [2]int{from, to})
		ds, err := parseCS(cs, from, to, cell[4] == "-")
		if err != nil {
			return fmt.Errorf("%s: %w", a[0], err)
		}
		for _, d := range ds {
			all = append(all, place{cell[0], d})
		}
	}
	if err := sc.Err(); err != nil {
		return err
	}
	sort.SliceStable(all, func(i, j int) bool {
		if all[i].name != all[j].name {
			return all[i].name < all[j].name
		}
		return all[i].pos < all[j].pos
	})
	o, err := create(a[1])
	if err != nil {
		return err
	}
	fmt.Fprintln(o, "# sequence\tposition\treference")
	for _, p := range all {
		fmt.Fprintf(o, "%s\t%d\t%s\n", p.name, p.pos+1, p.reference)
	}
	return o.done()
}

// parseCS reads a cs tag whose query is the genome with the variants; gaps of more than 50 bases are
// not variants that a read could keep, and are left out. On the reverse strand the tag runs from the
// end of the query.
func parseCS(cs string, from, to int, reversed bool) ([]difference, error) {
	const longest = 50
	var out []difference
	at := 0 // bases of the query that were passed
	place := func(k int) int {
		if reversed {
			return to - 1 - k
		}
		return from + k
	}
	letters := func(s string) string {
		if reversed {
			return string(complement([]byte(s)))
		}
		return s
	}
	for i := 0; i < len(cs); {
		op := cs[i]
		end := i + 1
		for end < len(cs) && !strings.ContainsRune(":*+-~=", rune(cs[end])) {
			end++
		}
		arg := strings.ToUpper(cs[i+1 : end])
		switch op {
		case ':':
			n, err := strconv.Atoi(arg)
			if err != nil {
				return nil, fmt.Errorf("cs: %q", cs[i:end])
			}
			at += n
		case '*': // reference, then query
			if len(arg) != 2 {
				return nil, fmt.Errorf("cs: %q", cs[i:end])
			}
			out = append(out, difference{place(at), letters(arg[:1])})
			at++
		case '+': // of the query only
			for n := range len(arg) {
				if len(arg) <= longest {
					out = append(out, difference{place(at + n), "-"})
				}
			}
			at += len(arg)
		case '-': // of the reference only
			if len(arg) <= longest && at > 0 {
				p := place(at - 1)
				if reversed {
					p = place(at)
				}
				out = append(out, difference{p, "+" + letters(arg)})
			}
		default:
			return nil, fmt.Errorf("cs: %q is not known", cs[i:end])
		}
		i = end
	}
	return out, nil
}

var complementOf = func() (t [256]byte) {
	for i := range t {
		t[i] = byte(i)
	}
	for i, b := range []byte("ACGTacgt") {
		t[b] = "TGCAtgca"[i]
	}
	return t
}()

// complement returns the reverse complement.
func complement(s []byte) []byte {
	out := make([]byte, len(s))
	for i, b := range s {
		out[len(s)-1-i] = complementOf[b]
	}
	return out
}

func backwards(s []byte) []byte {
	out := make([]byte, len(s))
	for i, b := range s {
		out[len(s)-1-i] = b
	}
	return out
}

// alignment is one line of SAM.
type alignment struct {
	name      string
	flags     int
	contig    string
	pos       int // 0-based
	cigar     []step
	seq, qual []byte // as on the forward strand of the reference
}

type step struct {
	n  int
	op byte
}

const (
	unmapped   = 4
	onReverse  = 16
	firstMate  = 64
	secondMate = 128
	notPrimary = 256 | 2048
)

func (x *alignment) id(mates bool) string {
	switch {
	case mates && x.flags&firstMate != 0:
		return x.name + "/1"
	case mates && x.flags&secondMate != 0:
		return x.name + "/2"
	}
	return x.name
}

// eachAlignment reads SAM; path - is the standard input.
func eachAlignment(path string, fn func(*alignment) error) error {
	in := os.Stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	sc := bufio.NewScanner(in)
	sc.Buffer(make([]byte, 1<<20), 1<<28)
	for sc.Scan() {
		line := sc.Text()
		if line == "" || line[0] == '@' {
			continue
		}
		cell := strings.SplitN(line, "\t", 12)
		if len(cell) < 11 {
			return fmt.Errorf("%s: %d columns, SAM has 11", path, len(cell))
		}
		x := &alignment{name: cell[0], contig: cell[2], seq: []byte(cell[9]), qual: []byte(cell[10])}
		var err error
		if x.flags, err = strconv.Atoi(cell[1]); err != nil {
			return err
		}
		if x.pos, err = strconv.Atoi(cell[3]); err != nil {
			return err
		}
		x.pos--
		if cell[5] != "*" {
			n := 0
			for _, c := range []byte(cell[5]) {
				if c >= '0' && c <= '9' {
					n = 10*n + int(c-'0')
					continue
				}
				x.cigar = append(x.cigar, step{n, c})
				n = 0
			}
		}
		if err := fn(x); err != nil {
			return err
		}
	}
	return sc.Err()
}

func byName(cs []contig) map[string][]byte {
	m := map[string][]byte{}
	for _, c := range cs {
		m[c.name] = c.seq
	}
	return m
}

// truth writes the true read of every primary alignment: the bases of the reference that it covers.
// With -raw it writes the aligned part of the read beside it, as real reads need. With -variants it
// carries the places of a list of differences over to the reads.
func truth(args []string) error {
	f := flag.NewFlagSet("truth", flag.ContinueOnError)
	sam := f.String("sam", "-", "alignments")
	raw := f.String("raw", "", "write the aligned part of every read to this file")
	places := f.String("variants", "", "differences of the genome (sequence, position, reference)")
	on := f.String("read-variants", "", "write them as places of reads to this file")
	mates := f.Bool("mates", false, "add /1 and /2 to names")
	least := f.Int("least", 0, "least number of aligned bases")
	a, err := parse(f, args, "GENOME.fa OUT.fq")
	if err != nil {
		return err
	}
	cs, err := readFASTA(a[0])
	if err != nil {
		return err
	}
	genome := byName(cs)
	known := map[string][]difference{}
	var onReads *output
	if *places != "" {
		if known, err = readDifferences(*places); err != nil {
			return err
		}
		if onReads, err = create(*on); err != nil {
			return err
		}
		fmt.Fprintln(onReads, "# read\tposition\treference")
	}
	out, err := create(a[1])
	if err != nil {
		return err
	}
	var rawOut *output
	if *raw != "" {
		if rawOut, err = create(*raw); err != nil {
			return err
		}
	}
	err = eachAlignment(*sam, func(x *alignment) error {
		if x.flags&(unmapped|notPrimary) != 0 {
			return nil
		}
		span, from, to := 0, 0, len(x.seq)
		for i, s := range x.cigar {
			if strings.IndexByte("M=XD", s.op) >= 0 {
				span += s.n
			}
			if s.op == 'S' && i == 0 {
				from = s.n
			} else if s.op == 'S' {
				to -= s.n
			}
		}
		ref := genome[x.contig]
		if x.pos < 0 || x.pos+span > len(ref) {
			return fmt.Errorf("%s: aligned to %s %d-%d, which has %d bases", x.name, x.contig, x.pos+1, x.pos+span, len(ref))
		}
		if to-from < *least {
			return nil
		}
		t, r, q := ref[x.pos:x.pos+span], x.seq[from:to], x.qual[min(from, len(x.qual)):min(to, len(x.qual))]
		if x.flags&onReverse != 0 {
			t, r, q = complement(t), complement(r), backwards(q)
		}
		id := x.id(*mates)
		fmt.Fprintf(out, "@%s\n%s\n+\n%s\n", id, t, strings.Repeat("I", len(t)))
		if rawOut != nil {
			fmt.Fprintf(rawOut, "@%s\n%s\n+\n%s\n", id, r, q)
		}
		if onReads != nil {
			ds := known[x.contig]
			for _, d := range ds[sort.Search(len(ds), func(i int) bool { return ds[i].pos >= x.pos }):] {
				if d.pos >= x.pos+span {
					break
				}
				p, reference := d.pos-x.pos, d.reference
				between := reference[0] == '+'
				if between && p+1 >= span {
					continue
				}
				if x.flags&onReverse != 0 {
					p = span - 1 - p
					if between {
						p--
						reference = "+" + string(complement([]byte(reference[1:])))
					} else {
						reference = string(complement([]byte(reference)))
					}
				}
				fmt.Fprintf(onReads, "%s\t%d\t%s\n", id, p+1, reference)
			}
		}
		return nil
	})
	for _, o := range []*output{out, rawOut, onReads} {
		if o != nil {
			err = errors.Join(err, o.done())
		}
	}
	return err
}

func readDifferences(path string) (map[string][]difference, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	out := map[string][]difference{}
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		if line := sc.Text(); line != "" && line[0] != '#' {
			cell := strings.Split(line, "\t")
			if len(cell) != 3 {
				return nil, fmt.Errorf("%s: %q, expected sequence, position, reference", path, line)
			}
			p, err := strconv.Atoi(cell[1])
			if err != nil {
				return nil, err
			}
			out[cell[0]] = append(out[cell[0]], difference{p - 1, cell[2]})
		}
	}
	for _, ds := range out {
		sort.SliceStable(ds, func(i, j int) bool { return ds[i].pos < ds[j].pos })
	}
	return out, sc.Err()
}

// copyReference corrects reads by what a reference says: over aligned bases the read becomes the
// reference, insertions go and deletions are filled; clipped ends and unaligned reads stay.
func copyReference(args []string) error {
	f := flag.NewFlagSet("copy", flag.ContinueOnError)
	sam := f.String("sam", "-", "alignments in the order of the reads")
	mates := f.Bool("mates", false, "add /1 and /2 to names")
	a, err := parse(f, args, "REFERENCE.fa OUT.fq")
	if err != nil {
		return err
	}
	cs, err := readFASTA(a[0])
	if err != nil {
		return err
	}
	genome := byName(cs)
	out, err := create(a[1])
	if err != nil {
		return err
	}
	err = eachAlignment(*sam, func(x *alignment) error {
		if x.flags&notPrimary != 0 {
			return nil
		}
		seq, qual := x.seq, x.qual
		if x.flags&unmapped == 0 {
			ref := genome[x.contig]
			seq, qual = nil, nil
			j, i := 0, x.pos
			for _, s := range x.cigar {
				switch s.op {
				case 'M', '=', 'X':
					if i+s.n > len(ref) || j+s.n > len(x.seq) {
						return fmt.Errorf("%s: alignment outside of %s", x.name, x.contig)
					}
					seq, qual = append(seq, ref[i:i+s.n]...), append(qual, x.qual[j:j+s.n]...)
					i, j = i+s.n, j+s.n
				case 'D':
					seq = append(seq, ref[i:i+s.n]...)
					for range s.n {
						qual = append(qual, x.qual[max(j-1, 0)])
					}
					i += s.n
				case 'I':
					j += s.n
				case 'S':
					seq, qual = append(seq, x.seq[j:j+s.n]...), append(qual, x.qual[j:j+s.n]...)
					j += s.n
				}
			}
		}
		if x.flags&onReverse != 0 {
			seq, qual = complement(seq), backwards(qual)
		}
		fmt.Fprintf(out, "@%s\n%s\n+\n%s\n", x.id(*mates), seq, qual)
		return nil
	})
	return errors.Join(err, out.done())
}

// fields writes values of one JSON object, read from the standard input, as a line of CSV; a.b is b
// inside a, and what is absent or null is empty.
func fields(args []string) error {
	var all map[string]any
	if err := json.NewDecoder(os.Stdin).Decode(&all); err != nil {
		return err
	}
	var row []string
	for _, path := range args {
		var v any = all
		for _, k := range strings.Split(path, ".") {
			m, _ := v.(map[string]any)
			v = m[k]
		}
		switch v := v.(type) {
		case float64:
			row = append(row, strconv.FormatFloat(v, 'g', 6, 64))
			if v == float64(int64(v)) {
				row[len(row)-1] = strconv.FormatInt(int64(v), 10)
			}
		default:
			row = append(row, "")
		}
	}
	fmt.Println(strings.Join(row, ","))
	return nil
}

// timed runs a command and writes its seconds, its processor seconds and the largest resident memory,
// in MiB, of any of its processes to a file.
func timed(args []string) error {
	if len(args) < 2 {
		return errors.New("usage: reads time OUT COMMAND ARGS")
	}
	c := exec.Command(args[1], args[2:]...)
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	start := time.Now()
	if err := c.Run(); err != nil {
		return err
	}
	seconds := time.Since(start).Seconds()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &u); err != nil {
		return err
	}
	o, err := create(args[0])
	if err != nil {
		return err
	}
	cpu := time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
	fmt.Fprintf(o, "%.2f,%.2f,%d\n", seconds, cpu, u.Maxrss>>10)
	return o.done()
}
