package dataset

import (
	"archive/tar"
	azip "archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func sum(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

func TestCatalogue(t *testing.T) {
	for _, e := range Catalogue() {
		if e.About == "" || e.Licence == "" || e.Source == "" || !e.Embedded && (e.Package == "" || len(e.Files) == 0) || e.Domain == "image" && len(e.Classes) == 0 {
			t.Errorf("%s: incomplete: %+v", e.Name, e)
		}
		if (e.Domain == "table") != (e.Table != nil) || e.Table != nil && (e.Table.Rows < 1 || e.Table.Target == "" || len(e.Table.SHA256) != 64 || e.build == nil) {
			t.Errorf("%s: table %+v", e.Name, e.Table)
		}
		for _, f := range e.Files {
			if b, err := hex.DecodeString(f.SHA256); err != nil || len(b) != 32 || f.Size <= 0 || filepath.Base(f.Name) != f.Name {
				t.Errorf("%s: file %+v", e.Name, f)
			}
		}
	}
	if got := strings.Join(Names(), " "); got != "attrition bacteria cdnow-customers cdnow-customers-later cdnow-purchases cdnow-purchases-early cdnow-purchases-late churn credit diamonds digits "+
		"ecoli ecoli-dh1 ecoli-pacbio falciparum fashion-mnist helicobacter human-x knowlesi lending-club mammal-mtdna shop sirv-nanopore staphylococcus suis supermarket tree-of-life tree-of-life-x vibrio" {
		t.Errorf("names are %q", got)
	}
	if _, ok := Lookup("nothing"); ok {
		t.Error("nothing is in the catalogue")
	}
	if _, err := Locate("nothing", t.TempDir()); !errors.Is(err, ErrUnknown) {
		t.Errorf("error is %v", err)
	}
}

func TestDigitsEmbedded(t *testing.T) {
	e, _ := Lookup("digits")
	if got := sum(digitsGZ); got != e.Files[0].SHA256 || int64(len(digitsGZ)) != e.Files[0].Size {
		t.Errorf("embedded file has sha256 %s and %d bytes", got, len(digitsGZ))
	}
	px, labels, err := Digits()
	if err != nil {
		t.Fatal(err)
	}
	if len(labels) != 1797 || len(px) != 1797*64 {
		t.Fatalf("%d labels, %d pixels", len(labels), len(px))
	}
	total := 0
	for _, v := range px {
		total += int(v)
	}
	if total != 561718 { // numpy: sklearn.datasets.load_digits().data.sum()
		t.Errorf("pixels sum to %d", total)
	}
	count := make([]int, 10)
	for _, v := range labels {
		count[v]++
	}
	if want := []int{178, 182, 177, 183, 181, 182, 181, 179, 174, 180}; fmt.Sprint(count) != fmt.Sprint(want) {
		t.Errorf("classes have %v", count)
	}
	if !strings.Contains(DigitsLicence, "Redistribution and use in source and binary forms") {
		t.Error("the licence text is missing")
	}
	dir := t.TempDir()
	if err := ExportEmbedded("digits", dir); err != nil {
		t.Fatal(err)
	}
	if err := e.Verify(context.Background(), dir); err != nil {
		t.Error(err)
	}
}

// machine puts a data set "toy" into the catalogue and programs into PATH that act as apt-get and dpkg-deb.
// The package is a plain tar; apt knows it only after "update" where lists is set.
func machine(t *testing.T, tarball []byte, files []File, needsUpdate bool) (cache string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("needs a POSIX shell")
	}
	old := catalogue
	catalogue = append(Catalogue(), Entry{Name: "toy", Domain: "image", Package: "toy-data", Version: "1.0", Files: files})
	t.Cleanup(func() { catalogue = old })
	bin := t.TempDir()
	deb := filepath.Join(bin, "package.tar")
	if err := os.WriteFile(deb, tarball, 0o644); err != nil {
		t.Fatal(err)
	}
	check := ""
	if needsUpdate {
		check = `[ -f "$lists/Packages" ] || { echo "E: Unable to locate package toy-data" >&2; exit 100; }`
	}
	script := func(name, body string) {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+body), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	script("apt-get", `lists=/nonexistent
for a in "$@"; do
  case "$a" in
    Dir::State::lists=*) lists=${a#*=} ;;
    update) echo x > "$lists/Packages" ; exit 0 ;;
    toy-data=1.0) `+check+`
      cp "`+deb+`" toy-data_1.0_all.deb ; exit 0 ;;
  esac
done
echo "E: not understood: $*" >&2
exit 100
`)
	script("dpkg-deb", `[ "$1" = --fsys-tarfile ] && exec cat "$2"`+"\nexit 2\n")
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv(EnvData, "")
	return t.TempDir()
}

func tarOf(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, content := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func toyFiles() []File {
	return []File{
		{Name: "a.gz", Member: "usr/share/toy/a.gz", Size: 5, SHA256: sum([]byte("hello"))},
		{Name: "b.gz", Member: "usr/share/toy/b.gz", Size: 3, SHA256: sum([]byte("you"))},
	}
}

func TestFetch(t *testing.T) {
	for _, needsUpdate := range []bool{false, true} {
		t.Run(fmt.Sprintf("update %v", needsUpdate), func(t *testing.T) {
			cache := machine(t, tarOf(t, map[string]string{
				"./usr/share/toy/a.gz": "hello", "./usr/share/toy/b.gz": "you", "../../evil": "x", "./usr/share/doc/c": "doc",
			}), toyFiles(), needsUpdate)
			var bad *Error
			if _, err := Locate("toy", cache); !errors.Is(err, ErrAbsent) || !errors.As(err, &bad) || !strings.Contains(bad.Hint, "selfsame data fetch toy") {
				t.Fatalf("before: %v", err)
			}
			var stages []string
			dir, err := Fetch(context.Background(), "toy", cache, func(stage string, done, total int) { stages = append(stages, stage) })
			if err != nil {
				t.Fatal(err)
			}
			if b, err := os.ReadFile(filepath.Join(dir, "a.gz")); err != nil || string(b) != "hello" {
				t.Errorf("%q, %v", b, err)
			}
			if !strings.Contains(strings.Join(stages, " "), "unpack") {
				t.Errorf("stages are %q", stages)
			}
			entries, err := os.ReadDir(filepath.Join(cache, "data"))
			if err != nil || len(entries) != 1 {
				t.Errorf("the cache holds %v, %v", entries, err)
			}
			// A valid copy is used without any program.
			t.Setenv("PATH", t.TempDir())
			if again, err := Fetch(context.Background(), "toy", cache, nil); err != nil || again != dir {
				t.Errorf("again: %q, %v", again, err)
			}
			if got, err := Locate("toy", cache); err != nil || got != dir {
				t.Errorf("Locate: %q, %v", got, err)
			}
			t.Setenv(EnvData, dir)
			if got, err := Locate("toy", t.TempDir()); err != nil || got != dir {
				t.Errorf("Locate by %s: %q, %v", EnvData, got, err)
			}
		})
	}
}

// Files inside an archive inside the package.
func TestFetchInner(t *testing.T) {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	if _, err := w.Write(tarOf(t, map[string]string{"toy/in.fa": "you", "../evil": "x", "toy/other": "y"})); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	files := []File{
		{Name: "a.gz", Member: "usr/share/toy/a.gz", Size: 5, SHA256: sum([]byte("hello"))},
		{Name: "in.fa", Member: "usr/share/toy/all.tar.gz//toy/in.fa", Size: 3, SHA256: sum([]byte("you"))},
	}
	pkg := map[string]string{"./usr/share/toy/a.gz": "hello", "./usr/share/toy/all.tar.gz": z.String()}
	cache := machine(t, tarOf(t, pkg), files, false)
	dir, err := Fetch(context.Background(), "toy", cache, nil)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "in.fa")); err != nil || string(b) != "you" {
		t.Errorf("%q, %v", b, err)
	}
	if es, err := os.ReadDir(dir); err != nil || len(es) != 2 {
		t.Errorf("the folder holds %v, %v", es, err)
	}
	for name, text := range map[string]string{"not gzip": "x", "cut": z.String()[:z.Len()/2]} {
		pkg["./usr/share/toy/all.tar.gz"] = text
		cache := machine(t, tarOf(t, pkg), files, false)
		var f *FetchError
		if _, err := Fetch(context.Background(), "toy", cache, nil); !errors.As(err, &f) || !strings.Contains(err.Error(), "all.tar.gz") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFetchRepairsADamagedCopy(t *testing.T) {
	cache := machine(t, tarOf(t, map[string]string{"usr/share/toy/a.gz": "hello", "usr/share/toy/b.gz": "you"}), toyFiles(), false)
	dir, err := Fetch(context.Background(), "toy", cache, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a.gz"), []byte("hellO"), 0o644); err != nil {
		t.Fatal(err)
	}
	var bad *Error
	if _, err := Locate("toy", cache); !errors.As(err, &bad) || !strings.HasSuffix(bad.Path, "a.gz") || !strings.Contains(err.Error(), "sha256") {
		t.Fatalf("a damaged file: %v", err)
	}
	// What a killed Fetch leaves behind does not stand in the way.
	if err := os.MkdirAll(filepath.Join(cache, "data", ".tmp-toy-1", "out"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Fetch(context.Background(), "toy", cache, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := Locate("toy", cache); err != nil {
		t.Error(err)
	}
}

func TestFetchFailures(t *testing.T) {
	t.Run("another content", func(t *testing.T) {
		cache := machine(t, tarOf(t, map[string]string{"usr/share/toy/a.gz": "hellO", "usr/share/toy/b.gz": "you"}), toyFiles(), false)
		_, err := Fetch(context.Background(), "toy", cache, nil)
		var bad *Error
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), sum([]byte("hello"))) {
			t.Errorf("error is %v", err)
		}
		if m, _ := filepath.Glob(filepath.Join(cache, "data", "*")); len(m) != 0 {
			t.Errorf("left behind: %q", m)
		}
	})
	t.Run("a file is missing", func(t *testing.T) {
		cache := machine(t, tarOf(t, map[string]string{"usr/share/toy/a.gz": "hello"}), toyFiles(), false)
		_, err := Fetch(context.Background(), "toy", cache, nil)
		var f *FetchError
		if !errors.As(err, &f) || f.Hint == "" || !strings.Contains(err.Error(), "1 of the 2 files") {
			t.Errorf("error is %v", err)
		}
	})
	t.Run("a cut package", func(t *testing.T) {
		whole := tarOf(t, map[string]string{"usr/share/toy/a.gz": "hello", "usr/share/toy/b.gz": "you"})
		cache := machine(t, whole[:len(whole)/3], toyFiles(), false)
		var f *FetchError
		if _, err := Fetch(context.Background(), "toy", cache, nil); !errors.As(err, &f) {
			t.Errorf("error is %v", err)
		}
	})
	t.Run("no apt", func(t *testing.T) {
		cache := machine(t, nil, toyFiles(), false)
		t.Setenv("PATH", t.TempDir())
		_, err := Fetch(context.Background(), "toy", cache, nil)
		var f *FetchError
		if !errors.As(err, &f) || !strings.Contains(f.Hint, EnvData) || !strings.Contains(err.Error(), "apt-get is not on this machine") {
			t.Errorf("error is %v", err)
		}
	})
	t.Run("apt fails", func(t *testing.T) {
		cache := machine(t, nil, toyFiles(), false)
		catalogue[len(catalogue)-1].Package = "other"
		_, err := Fetch(context.Background(), "toy", cache, nil)
		var f *FetchError
		if !errors.As(err, &f) || !strings.Contains(err.Error(), "E: not understood") {
			t.Errorf("error is %v", err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		cache := machine(t, nil, toyFiles(), false)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := Fetch(ctx, "toy", cache, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("error is %v", err)
		}
	})
}

func TestFetchWheel(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs a POSIX shell")
	}
	var b bytes.Buffer
	w := azip.NewWriter(&b)
	for name, content := range map[string]string{"pkg/plugin.so": "machine code", "pkg/__init__.py": ""} {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	wheel := filepath.Join(bin, "wheel")
	if err := os.WriteFile(wheel, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	// A python3 whose pip knows one package.
	script := `#!/bin/sh
case "$*" in
  "-m pip --version") exit 0 ;;
  *"pkg==1.0") ;;
  *) echo "ERROR: No matching distribution found" >&2; exit 1 ;;
esac
while [ $# -gt 0 ]; do [ "$1" = --dest ] && dest=$2; shift; done
cp "` + wheel + `" "$dest/pkg-1.0-py3-none-any.whl"
`
	if err := os.WriteFile(filepath.Join(bin, "python3"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	dst := filepath.Join(t.TempDir(), "engine", "plugin.so")
	ctx := context.Background()
	if err := FetchWheel(ctx, "pkg", "1.0", sum(b.Bytes()), "pkg/plugin.so", dst, nil); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(dst); err != nil || string(got) != "machine code" {
		t.Errorf("%q, %v", got, err)
	}
	if m, _ := filepath.Glob(filepath.Join(filepath.Dir(dst), "*")); len(m) != 1 {
		t.Errorf("left behind: %q", m)
	}
	other := filepath.Join(t.TempDir(), "plugin.so")
	var bad *Error
	var fetch *FetchError
	if err := FetchWheel(ctx, "pkg", "1.0", sum([]byte("x")), "pkg/plugin.so", other, nil); !errors.As(err, &bad) || !strings.Contains(err.Error(), "sha256") {
		t.Errorf("a wrong wheel: %v", err)
	}
	if err := FetchWheel(ctx, "pkg", "1.0", sum(b.Bytes()), "pkg/nothing", other, nil); !errors.As(err, &bad) {
		t.Errorf("a missing member: %v", err)
	}
	if err := FetchWheel(ctx, "pkg", "2.0", sum(b.Bytes()), "pkg/plugin.so", other, nil); !errors.As(err, &fetch) || !strings.Contains(err.Error(), "No matching distribution") {
		t.Errorf("an unknown version: %v", err)
	}
	if _, err := os.Stat(other); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a failed fetch left a file: %v", err)
	}
}
