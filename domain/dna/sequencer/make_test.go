package sequencer

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// The built-in profiles are made by
//
//	go test ./domain/dna/sequencer -run TestMakeProfiles -reads DIR
//
// where DIR holds hs25.sam and msv3.sam (art_illumina -sam -ss HS25 -p -l 150 -f 10 -m 350 -s 50, and -ss MSv3 -l 250 -m 500 -s 60,
// of ecoli.fa), pacbio.sam (6,000 reads of Debian's wtdbg2-examples, minimap2 -ax map-pb) and nanopore.sam (seqkit-examples,
// minimap2 -ax splice -k14 --eqx against sirv.fa), the last two without secondary and supplementary alignments.
var readsDir = flag.String("reads", "", "folder of alignments from which TestMakeProfiles fits the built-in profiles")

// samText is a Source over SAM text without checks: for this command alone.
type samText struct {
	s    *bufio.Reader
	refs map[string][]uint8
}

func (s *samText) Next(a *Alignment) error {
	for {
		line, err := s.s.ReadBytes('\n')
		if len(line) == 0 {
			return err
		}
		if line[0] == '@' {
			continue
		}
		f := bytes.Split(bytes.TrimSpace(line), []byte("\t"))
		flag, _ := strconv.Atoi(string(f[1]))
		if flag&0x904 != 0 {
			continue
		}
		pos, _ := strconv.Atoi(string(f[3]))
		a.Ref, a.Start, a.Reverse = s.refs[string(f[2])], pos-1, flag&16 != 0
		if a.Ref == nil {
			return fmt.Errorf("no reference %s", f[2])
		}
		a.Query = Encode(a.Query, f[9])
		a.Quals = a.Quals[:0]
		if string(f[10]) != "*" {
			for _, c := range f[10] {
				a.Quals = append(a.Quals, c-33)
			}
		}
		a.Cigar = a.Cigar[:0]
		n := 0
		for _, c := range f[5] {
			if c >= '0' && c <= '9' {
				n = n*10 + int(c-'0')
				continue
			}
			a.Cigar = append(a.Cigar, Op{n, c})
			n = 0
		}
		return nil
	}
}

func fasta(t *testing.T, path string) map[string][]uint8 {
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	refs := map[string][]uint8{}
	for _, rec := range bytes.Split(b, []byte(">"))[1:] {
		head, body, _ := bytes.Cut(rec, []byte("\n"))
		name, _, _ := bytes.Cut(bytes.TrimSpace(head), []byte(" "))
		refs[string(name)] = Encode(nil, bytes.ReplaceAll(body, []byte("\n"), nil))
	}
	return refs
}

func samFile(t *testing.T, sam, ref string) (*samText, io.Closer) {
	f, err := os.Open(filepath.Join(*readsDir, sam))
	if err != nil {
		t.Fatal(err)
	}
	return &samText{bufio.NewReaderSize(f, 1<<20), fasta(t, filepath.Join(*readsDir, ref))}, f
}

func TestMakeProfiles(t *testing.T) {
	if *readsDir == "" {
		t.Skip("makes the built-in profiles: needs -reads")
	}
	const adapter = "AGATCGGAAGAGCACACGTCTGAACTCCAGTCA" // Illumina TruSeq, read 1
	for _, c := range []struct {
		sam, ref string
		opt      FitOptions
		add      func(p *Profile)
	}{
		{"hs25.sam", "ecoli.fa", FitOptions{Name: "illumina", Doc: "pairs of 150 bases simulated by ART 2.5.8 (HS25) from E. coli", Variant: 2}, func(p *Profile) {
			p.Adapter = Adapter{adapter, 0.01, 30}
			p.N = Ambiguous{2e-5, 0.1}
		}},
		{"msv3.sam", "ecoli.fa", FitOptions{Name: "miseq", Doc: "pairs of 250 bases simulated by ART 2.5.8 (MSv3) from E. coli", Variant: 2}, func(p *Profile) {
			p.Adapter = Adapter{adapter, 0.01, 30}
			p.N = Ambiguous{2e-5, 0.1}
		}},
		{"pacbio.sam", "ecoli.fa", FitOptions{Name: "pacbio", Doc: "real PacBio RS II reads of E. coli K-12 (wtdbg2-examples), aligned by minimap2 -x map-pb", Classes: 4}, nil},
		{"nanopore.sam", "sirv.fa", FitOptions{Name: "nanopore", Doc: "real Nanopore R9 cDNA reads of SIRV spike-ins (seqkit-examples), aligned by minimap2 -x splice", Classes: 4}, nil},
	} {
		src, f := samFile(t, c.sam, c.ref)
		p, rep, err := Fit(src, c.opt)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %+v", c.opt.Name, *rep)
		if c.add != nil {
			c.add(p)
		}
		out, err := os.Create("profiles/" + c.opt.Name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Save(out); err != nil {
			t.Fatal(err)
		}
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
