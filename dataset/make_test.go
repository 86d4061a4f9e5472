package dataset

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/ulikunitz/xz"
)

const (
	someMAF = "##maf version=1\na\ns hs.1 10 4 + 100 A-CgT\ns pt.2 0 5 - 20 ACCGT\n\na\ns hs.1 14 2 + 100 RY\ns pt.2 13 2 + 20 AC\n"
	someGBK = "LOCUS x 12 bp DNA\nDEFINITION  A\n            genome.\nVERSION     x.1\nORIGIN\n        1 acgtacgtac gn\n//\n"
	someNUC = "2 4\n1.H.sapiens\nACGT\n2.fin whale\nA-?T\n"
)

func packed(t *testing.T, kind, s string) string {
	t.Helper()
	var b bytes.Buffer
	var err error
	if kind == "xz" {
		w, e := xz.NewWriter(&b)
		if e != nil {
			t.Fatal(e)
		}
		_, err = w.Write([]byte(s))
		err = errors.Join(err, w.Close())
	} else {
		w := gzip.NewWriter(&b)
		_, err = w.Write([]byte(s))
		err = errors.Join(err, w.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// wanted is a file that is made with the content it must have.
func wanted(member, made, name, content string) File {
	return File{Name: name, Member: member, Made: made, Role: "genome", Size: int64(len(content)), SHA256: sum([]byte(content))}
}

func TestFetchMade(t *testing.T) {
	long := strings.Repeat("ACGTN", 33)
	pkg := map[string]string{
		"./u/a.maf.gz": packed(t, "gz", someMAF), "./u/l.fa.gz": packed(t, "gz", ">l Name\nacGtn\n\n>m\nnnac"), "./u/g.gbk.gz": packed(t, "gz", someGBK), "./u/m.nuc": someNUC, "./u/k.fna.xz": packed(t, "xz", ">k\n"+long+"\n"),
	}
	check := func(t *testing.T, files []File, content []string) {
		t.Helper()
		dir, err := Fetch(context.Background(), "toy", machine(t, tarOf(t, pkg), files, false), nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, f := range files {
			b, err := os.ReadFile(filepath.Join(dir, f.Name))
			if d := cmp.Diff(content[i], string(b)); d != "" || err != nil {
				t.Errorf("%s: %v\n%s", f.Name, err, d)
			}
		}
		if es, err := os.ReadDir(dir); err != nil || len(es) != len(files) {
			t.Errorf("the folder holds %v, %v", es, err)
		}
	}
	for name, all := range map[string][][3]string{ // member, made and content of files
		"by record": {
			{"u/a.maf.gz", "maf-blocks hs", ">block1 hs.1\nACgT\n>block2 hs.1\nRY\n"},
			{"u/a.maf.gz", "maf-blocks pt", ">block1 pt.2\nACGGT\n>block2 pt.2\nAC\n"},
			{"u/g.gbk.gz", "genbank", ">x.1 A genome.\nACGTACGTACGN\n"},
			{"u/m.nuc", "phylip 1.H.sapiens", ">1.H.sapiens\nACGT\n"},
			{"u/m.nuc", "phylip 2.fin whale", ">2.fin whale\nANT\n"},
			{"u/l.fa.gz", "upper", ">l Name\nACGTN\n\n>m\nNNAC\n"},
			{"u/k.fna.xz", "unpacked", ">k\n" + long + "\n"},
		},
		// pt stands on the other strand at 15 to 20 in the first block, and at 13 to 15 in the second.
		"runs": {
			{"u/a.maf.gz", "maf-runs hs", ">hs.1:11-16\nACgTRY\n"},
			{"u/a.maf.gz", "maf-runs pt", ">pt.2:14-20\nACACGGT\n"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var files []File
			var content []string
			for i, f := range all {
				files, content = append(files, wanted(f[0], f[1], fmt.Sprintf("%d.fa", i), f[2])), append(content, f[2])
			}
			check(t, files, content)
		})
	}
}

// TestFetchMadeFails: an error names the member and the line; nothing is left behind.
func TestFetchMadeFails(t *testing.T) {
	file := func(made string) []File {
		return []File{wanted("u/x", made, "x.fa", "0123456789")}
	}
	two := append(file("genbank"), file("unpacked")...)
	two[1].Name = "y.fa"
	again := append(file("unpacked"), file("unpacked")...)
	again[1].Name = "y.fa"
	for name, c := range map[string]struct {
		content string
		files   []File
		says    string
	}{
		"no such genome":      {someMAF, file("maf-runs gg"), `nothing of "gg"`},
		"a block without":     {someMAF + "\na\ns hs.1 20 1 + 100 A\n", file("maf-blocks pt"), "2 rows of pt in 3 blocks"},
		"broken MAF":          {strings.Replace(someMAF, "100 RY", "100 R", 1), file("maf-blocks hs"), "x: line 7"},
		"broken GenBank":      {strings.Replace(someGBK, "12 bp", "13 bp", 1), file("genbank"), "x: line 7"},
		"broken PHYLIP":       {"3" + someNUC[1:], file("phylip 1.H.sapiens"), "x: line 6"},
		"no such sequence":    {someNUC, file("phylip ape"), `no sequence "ape"`},
		"larger":              {"01234567890", file("unpacked"), "larger than the catalogue says"},
		"larger GenBank":      {someGBK, file("genbank"), "larger than the catalogue says"},
		"another content":     {"abcdefghij", file("unpacked"), "sha256"},
		"no FASTA":            {"ACGT", file("upper"), "x: line 1"},
		"unknown":             {"x", file("magic"), `"magic"`},
		"two ways":            {"x", two, "made as"},
		"unpacked twice":      {"x", again, "also"},
		"one as it is, twice": {"x", append(file(""), again[1]), "sha256"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "one as it is, twice" {
				c.files[1].Made, c.says = "", "is wanted as"
			}
			cache := machine(t, tarOf(t, map[string]string{"u/x": c.content}), c.files, false)
			_, err := Fetch(context.Background(), "toy", cache, nil)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, expected %q", err, c.says)
			}
			if m, _ := filepath.Glob(filepath.Join(cache, "data", "*")); len(m) != 0 {
				t.Errorf("left behind: %q", m)
			}
		})
	}
	for _, kind := range []string{"gz", "xz"} {
		t.Run("cut "+kind, func(t *testing.T) {
			z := packed(t, kind, someGBK)
			f := wanted("u/g."+kind, "genbank", "x.fa", ">x.1 A genome.\nACGTACGTACGN\n")
			for _, z := range []string{z[:len(z)-4], "x"} {
				cache := machine(t, tarOf(t, map[string]string{"u/g." + kind: z}), []File{f}, false)
				var fe *FetchError
				if _, err := Fetch(context.Background(), "toy", cache, nil); !errors.As(err, &fe) || !strings.Contains(err.Error(), "g."+kind) || !strings.Contains(fe.Hint, "toy-data 1.0") {
					t.Errorf("%v", err)
				}
			}
		})
	}
}

// TestFetchPackages: files of two packages, one of them beside the user's data, both pinned.
func TestFetchPackages(t *testing.T) {
	tarball := tarOf(t, map[string]string{"usr/share/toy/a.gz": "hello"})
	cache := machine(t, tarball, nil, false)
	second := tarOf(t, map[string]string{"usr/share/toy/b.gz": "you"})
	own := t.TempDir()
	deb := filepath.Join(own, "other-data_2.0_all.deb")
	if err := os.WriteFile(deb, second, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv(EnvData, own)
	e := &catalogue[len(catalogue)-1]
	fs := toyFiles()
	fs[0].Package, fs[1].Package = "toy-data", "other-data"
	e.Files, e.Version = fs, ""
	e.Packages = []Package{{Name: "toy-data", Version: "1.0", SHA256: sum(tarball)}, {Name: "other-data", Version: "2.0", SHA256: sum(second)}}
	last := 0
	dir, err := Fetch(context.Background(), "toy", cache, func(stage string, done, total int) {
		if stage == "unpack" {
			if done < last || total != 2 {
				t.Errorf("unpack %d of %d after %d", done, total, last)
			}
			last = done
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"a.gz": "hello", "b.gz": "you"} {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(b) != want {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	if _, err := os.Stat(deb); err != nil || last != 2 {
		t.Errorf("the user's own file: %v; %d files unpacked", err, last)
	}
	var bad *Error
	if err := os.WriteFile(deb, second[:100], 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Fetch(context.Background(), "toy", t.TempDir(), nil); !errors.As(err, &bad) || !strings.Contains(err.Error(), "other-data_2.0_all.deb: sha256") {
		t.Errorf("another file of the user: %v", err)
	}
	if err := os.WriteFile(deb, second, 0o644); err != nil {
		t.Fatal(err)
	}
	e.Packages[0].SHA256 = sum(nil)
	if _, err := Fetch(context.Background(), "toy", t.TempDir(), nil); !errors.As(err, &bad) || !strings.Contains(err.Error(), "toy-data_1.0_all.deb: sha256") {
		t.Errorf("another package: %v", err)
	}
}
