package lint

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/selfsame-ml/selfsame"

// root is the folder of go.mod, as seen from this package.
const root = "../.."

type pkg struct {
	ImportPath string
	Dir        string
	Name       string
	Imports    []string
	Standard   bool
	Module     *struct{ Path, Dir, Version string }
}

func list(t *testing.T, env []string, args ...string) []pkg {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Dir,Name,Imports,Standard,Module"}, args...)...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), env...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, errs.String())
	}
	var ps []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); err == io.EOF {
			return ps
		} else if err != nil {
			t.Fatal(err)
		}
		ps = append(ps, p)
	}
}

// tracked lists the files of the repository that hold text: those that git knows, or, in an
// unpacked archive without git, every file.
var tracked = sync.OnceValues(func() ([]string, error) {
	cmd := exec.Command("git", "ls-files", "-z")
	cmd.Dir = root
	var files []string
	if out, err := cmd.Output(); err == nil {
		files = strings.Split(strings.TrimRight(string(out), "\x00"), "\x00")
	} else {
		err := filepath.WalkDir(root, func(p string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				rel, _ := filepath.Rel(root, p)
				files = append(files, filepath.ToSlash(rel))
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no files under %s", root)
	}
	return files, nil
})

func room(importPath string) string {
	if importPath == module {
		return "."
	}
	r, ok := strings.CutPrefix(importPath, module+"/")
	if !ok {
		return ""
	}
	return r
}

// arrow says what the packages that match From (path.Match) may import of this module.
// The first rule that matches decides. Test files are free: a stage is tested with a real domain.
type arrow struct {
	From  string
	Allow []string // path.Match patterns; nil: nothing
}

// The arrows of docs/design.md, section 3. internal/* may be imported by all.
var arrows = []arrow{
	{"contract", nil},
	{"metric", nil},
	{"phylo", nil},
	{"store", nil},
	{"engine", nil},
	{"dataset", []string{"dataset/*"}},
	{"dataset/*", nil},
	{"internal/pgtest", []string{"dataset"}}, // tests only: packages of Debian from the cache
	{"internal/*", []string{"engine", "contract"}},
	{"engine/enginetest", []string{"engine"}},
	{"view", []string{"contract"}},
	{"recipe", []string{"contract", "view"}},
	{"nn", []string{"engine"}},
	{"nn/*", []string{"engine", "nn", "engine/enginetest"}},
	{"nn/gradcheck/cases", []string{"nn", "nn/gradcheck"}},
	{"objective", []string{"engine", "nn"}},
	{"optim", []string{"engine", "nn"}},
	{"train", []string{"engine", "nn", "optim", "domain"}}, // domain: the words for fields and arrays of a batch
	{"domain", []string{"contract", "view", "nn", "recipe"}},
	{"domain/all", []string{"view", "domain", "domain/*"}},
	{"domain/domaintest", []string{"contract", "view", "nn", "recipe", "engine", "engine/enginetest", "domain", "dataset"}},
	{"domain/*", inDomain}, // objective: the loss with which an encoder restores
	{"domain/dna/lineage", append(slices.Clone(inDomain), "phylo")}, // trees of species
	{"domain/*/*", inDomain},
	{"pretrain", stageMay},
	{"certify", stageMay},
	{"audit", append(slices.Clone(stageMay), "adapt")}, // adapt.Embedder: features of many samples
	{"adapt", stageMay},
	{"baseline", stageMay},
	{"supervise", stageMay}, // fine-tuning, which adapt measures with and certify probes with
	{"report", append(slices.Clone(stageMay), "certify", "audit", "adapt", "pretrain")},
	{".", nothingBut("cmd", "serve")},
	{"serve", nothingBut("cmd", "serve")},
	{"cmd/*", nothingBut("cmd")},
	{"examples/*", nothingBut("cmd", "serve")},
	{"scripts/*", nil}, // programs of the shell scripts
}

var inDomain = []string{"contract", "view", "nn", "objective", "recipe", "engine", "domain", "dataset"}

// stageMay: a stage knows domains through the interface in domain only.
var stageMay = []string{"contract", "view", "recipe", "domain", "engine", "nn", "objective", "optim", "train", "metric", "store", "dataset", "baseline", "baseline/*", "supervise"}

// nothingBut allows every room but those named.
func nothingBut(rooms ...string) []string {
	out := []string{"*"}
	for _, r := range rooms {
		out = append(out, "!"+r)
	}
	return out
}

// domainOf is the folder of the domain that a room belongs to, or "".
func domainOf(room string) string {
	p := strings.SplitN(room, "/", 3)
	if len(p) < 2 || p[0] != "domain" || p[1] == "all" || p[1] == "domaintest" {
		return ""
	}
	return p[1]
}

// allowed reports whether room `to` may be imported by room `from`; known is false where no
// rule speaks about from.
func allowed(from, to string) (ok, known bool) {
	for _, a := range arrows {
		if m, _ := path.Match(a.From, from); !m {
			continue
		}
		if strings.HasPrefix(to, "internal/") && !strings.HasPrefix(from, "internal/") {
			return true, true
		}
		if strings.HasPrefix(to, from+"/internal/") {
			return true, true
		}
		if d := domainOf(from); d != "" && d == domainOf(to) { // the folders of one domain
			return true, true
		}
		for _, p := range a.Allow {
			if no, isNo := strings.CutPrefix(p, "!"); isNo && (to == no || strings.HasPrefix(to, no+"/")) {
				return false, true
			}
		}
		for _, p := range a.Allow {
			if m, _ := path.Match(p, to); p == "*" || m {
				return true, true
			}
		}
		return false, true
	}
	return false, false
}

func TestArrows(t *testing.T) {
	for _, env := range [][]string{{"CGO_ENABLED=0"}, {"CGO_ENABLED=1"}} {
		for _, p := range list(t, env, "-e", "./...") {
			from := room(p.ImportPath)
			for _, imp := range p.Imports {
				to := room(imp)
				if to == "" {
					continue
				}
				switch ok, known := allowed(from, to); {
				case !known:
					t.Errorf("room %s has no rule: add it to the arrows of this test, .golangci.yml and docs/design.md section 3", from)
				case !ok:
					t.Errorf("%s imports %s: against the arrows of docs/design.md section 3", from, to)
				}
			}
		}
	}
}

func TestArrowsCatch(t *testing.T) {
	for _, c := range []struct {
		from, to string
		ok       bool
	}{
		{"contract", "view", false}, {"view", "contract", true}, {"nn", "engine", true}, {"engine", "nn", false},
		{"pretrain", "domain", true}, {"pretrain", "domain/image", false}, {"domain/image", "domain/table", false},
		{"domain/dna", "domain/dna/fastx", true}, {"domain/dna/pileup", "domain/dna/align", true}, {"domain/dna/align", "domain/table", false},
		{"domain/dna/lineage", "phylo", true}, {"domain/dna/genome", "phylo", false}, {"domain/dna/lineage", "train", false},
		{"metric", "internal/rng", true}, {"metric", "store", false}, {".", "serve", false}, {".", "domain/all", true},
		{"cmd/selfsame", "serve", true}, {"cmd/selfsame", ".", true}, {"serve", "cmd/selfsame", false}, {"train", "objective", false},
	} {
		if ok, known := allowed(c.from, c.to); ok != c.ok || !known {
			t.Errorf("%s -> %s: allowed %v (known %v), want %v", c.from, c.to, ok, known, c.ok)
		}
	}
}

// licences that may be linked: permissive ones, found by a sentence of their text.
var licences = []struct{ name, text string }{
	{"Apache-2.0", "apache license version 2.0"},
	{"MIT", "permission is hereby granted, free of charge, to any person obtaining a copy"},
	{"BSD", "redistribution and use in source and binary forms, with or without modification, are permitted"},
	{"ISC", "permission to use, copy, modify, and/or distribute this software for any purpose"},
	{"ISC", "permission to use, copy, modify, and distribute this software for any purpose"},
}

// refused are texts whose presence makes a file unusable whatever else it holds.
var refused = []string{"gnu general public license", "gnu affero", "gnu lesser general public license", "server side public license", "business source license"}

// squeeze folds case, white space and the comma of "License, Version".
func squeeze(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(strings.ToLower(text)), " "), ", version", " version")
}

func licenceOf(text string) string {
	low := squeeze(text)
	for _, r := range refused {
		if strings.Contains(low, r) {
			return ""
		}
	}
	for _, l := range licences {
		if strings.Contains(low, l.text) {
			return l.name
		}
	}
	return ""
}

// testOnly are modules with another free licence that tests use and no program links.
var testOnly = map[string]string{"pgregory.net/rapid": "mozilla public license version 2.0"}

// TestLicences: what is linked into any package is permissive; so is what tests need, but for testOnly.
func TestLicences(t *testing.T) {
	linked, dirs := map[string]bool{}, map[string]string{}
	for _, env := range [][]string{{"CGO_ENABLED=0"}, {"CGO_ENABLED=1"}} {
		for _, test := range []bool{false, true} {
			for _, p := range list(t, env, "-e", "-deps", fmt.Sprintf("-test=%t", test), "./...") {
				if p.Module != nil && p.Module.Path != module {
					dirs[p.Module.Path] = p.Module.Dir
					linked[p.Module.Path] = linked[p.Module.Path] || !test
				}
			}
		}
	}
	if len(dirs) < 5 {
		t.Fatalf("only %d modules found: %v", len(dirs), dirs)
	}
	for name, dir := range dirs {
		if text, ok := testOnly[name]; ok && !linked[name] {
			b, err := os.ReadFile(filepath.Join(dir, "LICENSE"))
			if err != nil || !strings.Contains(squeeze(string(b)), text) {
				t.Errorf("%s: the licence is not %q any more (%v)", name, text, err)
			}
			continue
		}
		if dir == "" {
			t.Errorf("%s: not in the module cache", name)
			continue
		}
		found := ""
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			up := strings.ToUpper(e.Name())
			if e.IsDir() || !(strings.HasPrefix(up, "LICEN") || strings.HasPrefix(up, "COPYING") || strings.HasPrefix(up, "UNLICENSE")) {
				continue
			}
			b, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			if l := licenceOf(string(b)); l != "" {
				found = l
			}
		}
		if found == "" {
			t.Errorf("%s: no BSD, MIT, Apache-2.0 or ISC licence found in %s", name, dir)
		}
	}
}

func TestLicenceOfRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"GNU GENERAL PUBLIC LICENSE Version 3":                                                      "",
		"Permission is hereby granted,\n free of charge, to any person obtaining a copy of":         "MIT",
		"Apache License\n   Version 2.0, January 2004":                                              "Apache-2.0",
		"All rights reserved.":                                                                      "",
		"Mozilla Public License Version 2.0":                                                        "",
		"Licensed under the Apache License, Version 2.0 and the GNU Lesser General Public License.": "",
	} {
		if got := licenceOf(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestEveryDependencyIsExplained: one line in docs/dependencies.md for each direct requirement.
func TestEveryDependencyIsExplained(t *testing.T) {
	cmd := exec.Command("go", "mod", "edit", "-json")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var mod struct {
		Require []struct {
			Path     string
			Version  string
			Indirect bool
		}
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile(filepath.Join(root, "docs/dependencies.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range mod.Require {
		if !r.Indirect && !bytes.Contains(doc, []byte("`"+r.Path+"`")) {
			t.Errorf("docs/dependencies.md has no line for %s %s", r.Path, r.Version)
		}
	}
}

// The names are put together so that this file does not hold them.
var (
	machinePath = regexp.MustCompile("(?:^|[\\s\"'`=(:,\\[])/(?:work|root|tmp|home/[a-z]+)" + `(?:/|["'\s)]|$)`)
	hosts       = []string{"proxy" + ".golang.org", "pypi" + ".org", "files.python" + "hosted.org", "registry.npm" + "js.org", "deb" + ".debian.org", "security" + ".debian.org"}
)

func TestNoMachinePathsOrRegistryHosts(t *testing.T) {
	files, err := tracked()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !isText(f) || strings.HasPrefix(f, "internal/lint/") {
			continue
		}
		b, err := os.ReadFile(filepath.Join(root, f))
		if os.IsNotExist(err) {
			continue // deleted, not committed yet
		}
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(b), "\n") {
			if m := machinePath.FindString(line); m != "" && !strings.HasPrefix(line, "#!") {
				t.Errorf("%s:%d names a machine path: %s", f, i+1, strings.TrimSpace(m))
			}
			for _, h := range hosts {
				if strings.Contains(line, h) {
					t.Errorf("%s:%d names the host of a package registry: %s", f, i+1, h)
				}
			}
		}
	}
}

func TestMachinePathPattern(t *testing.T) {
	for s, want := range map[string]bool{
		`x := "` + `/tmp/x"`: true, "cd " + "/wo" + "rk/main": true, "HOME=" + "/ro" + "ot": true, "a/tmp/b": false, "$TMP/tmp": false,
		"/usr/lib": false, "https://x.org/work/1": false, "`" + "/home/me/x`": true, "SELFSAME_CACHE=~/tmp/x": false,
	} {
		if got := machinePath.MatchString(s); got != want {
			t.Errorf("%q: %v, want %v", s, got, want)
		}
	}
}

func isText(f string) bool {
	switch path.Ext(f) {
	case ".go", ".md", ".yaml", ".yml", ".txt", ".txtar", ".json", ".sh", ".py", ".html", ".css", ".js", ".mod", ".tmpl", ".svg":
		return true
	case "":
		return !strings.HasPrefix(f, "LICENSE")
	}
	return false
}

func TestExportedNamesAreDocumented(t *testing.T) {
	for _, p := range list(t, nil, "-e", "./...") {
		entries, err := filepath.Glob(filepath.Join(p.Dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		hasPackage, files := false, 0
		fset := token.NewFileSet()
		for _, f := range entries {
			if strings.HasSuffix(f, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(fset, f, nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				t.Errorf("%v", err)
				continue
			}
			hasPackage = hasPackage || file.Doc != nil
			files++
			if p.Name == "main" {
				continue
			}
			for _, missing := range undocumented(file) {
				t.Errorf("%s: %s has no doc comment", room(p.ImportPath)+"/"+filepath.Base(f), missing)
			}
		}
		if files > 0 && !hasPackage {
			t.Errorf("%s: no package comment", room(p.ImportPath))
		}
	}
}

// undocumented lists the exported names of a file that no comment stands at. A comment of a
// group speaks for its constants and variables. Methods that only satisfy an
// interface of the standard library speak for themselves.
func undocumented(file *ast.File) []string {
	wellKnown := []string{"String", "Error", "Unwrap", "Is", "As", "Len", "Less", "Swap", "Push", "Pop", "Read", "Write", "Close",
		"MarshalText", "UnmarshalText", "MarshalJSON", "UnmarshalJSON", "MarshalYAML", "UnmarshalYAML", "Format", "GoString"}
	var out []string
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if !d.Name.IsExported() || d.Doc != nil {
				continue
			}
			name := d.Name.Name
			if d.Recv != nil {
				r := receiver(d.Recv.List[0].Type)
				if !ast.IsExported(r) || slices.Contains(wellKnown, name) {
					continue
				}
				name = r + "." + name
			}
			out = append(out, name)
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					if s.Name.IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil {
						out = append(out, s.Name.Name)
					}
				case *ast.ValueSpec:
					for _, n := range s.Names {
						if n.IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil {
							out = append(out, n.Name)
						}
					}
				}
			}
		}
	}
	return out
}

func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

func TestUndocumentedFinds(t *testing.T) {
	src := "package p\n\nfunc A() {}\n// B is.\nfunc B() {}\ntype t int\nfunc (t) C() {}\ntype T int\nfunc (*T) D() {}\nfunc (T) String() string { return \"\" }\n" +
		"// G are.\nconst (\n X = 1\n)\nvar Y = 1\n"
	f, err := parser.ParseFile(token.NewFileSet(), "p.go", src, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := undocumented(f), []string{"A", "T", "T.D", "Y"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
