package dataset

import (
	"io"
	"slices"

	_ "embed" // the digits
)

// Entry is one named public data set.
type Entry struct {
	Name     string   `json:"name"`
	Domain   string   `json:"domain"` // "image", "table", "dna"
	About    string   `json:"about"`  // what it holds
	Licence  string   `json:"licence"`
	Source   string   `json:"source"`   // project that publishes it
	Package  string   `json:"package"`  // Debian package, or Python wheel, that holds it; several with commas
	Version  string   `json:"version"`  // of the package; "" where there are several
	Download int64    `json:"download"` // bytes of the packages; 0 for embedded data
	Files    []File   `json:"files"`    // what is kept of the package
	Classes  []string `json:"classes"`  // names of labels 0, 1, ...
	Embedded bool     `json:"embedded"` // inside the binary: nothing to fetch
	// Packages are the Debian packages with their checksums; nil where Package alone is meant.
	Packages []Package `json:"packages,omitempty"`
	// TestShare is the fraction that becomes the test part when the data have none of their
	// own and the recipe names no share.
	TestShare float64 `json:"test_share,omitempty"`
	// Table describes the CSV that [Table] makes; nil for other domains.
	Table  *TableInfo `json:"table,omitempty"`
	wheel  string     // sha256 of the Python wheel; "" = Package is a Debian package
	folder string     // name of the folder in the cache, shared by entries of the same files; "" = Name
	build  func(dir string, w io.Writer) error
}

// Wheel reports that Package is a Python wheel and no Debian package.
func (e Entry) Wheel() bool { return e.wheel != "" }

// Package is a Debian package of which files are taken.
type Package struct {
	Name     string `json:"name"`
	Version  string `json:"version"`
	Download int64  `json:"download"` // bytes
	SHA256   string `json:"sha256"`   // hex; "" = only its files are checked
}

// packages are those of which the entry's files are taken.
func (e Entry) packages() []Package {
	if len(e.Packages) > 0 {
		return e.Packages
	}
	return []Package{{Name: e.Package, Version: e.Version, Download: e.Download}}
}

// filesOf are the files that are taken of a package.
func (e Entry) filesOf(pkg string) (out []File) {
	for _, f := range e.Files {
		if f.Package == pkg || f.Package == "" && len(e.Packages) < 2 {
			out = append(out, f)
		}
	}
	return out
}

// made tells whether a file of the entry is in no package as it is.
func (e Entry) made() bool {
	return slices.ContainsFunc(e.Files, func(f File) bool { return f.Made != "" })
}

// File is one file of a data set.
type File struct {
	Name   string `json:"name"`   // in the data set's folder
	Member string `json:"member"` // path inside the package; "a.tar.gz//b" is b inside the archive a
	Role   string `json:"role"`   // "train-images", "train-labels", "test-images", "test-labels", "table", "genome", "reads", "alignments"
	Size   int64  `json:"size"`   // bytes
	SHA256 string `json:"sha256"` // hex
	// Package names the package of an entry that has several.
	Package string `json:"package,omitempty"`
	// Made says how the file is made of the member: "unpacked", "upper" (unpacked, upper case), "genbank" (the sequences as FASTA), "maf-blocks G" and "maf-runs G"
	// (the rows of genome G without gaps, by block or put together by position), "phylip S" (sequence S without gaps). "" = it is the member.
	// Size and SHA256 are those of what is made.
	Made string `json:"made,omitempty"`
}

// File returns the file with a role; ok is false where the entry has none.
func (e Entry) File(role string) (f File, ok bool) {
	for _, f := range e.Files {
		if f.Role == role {
			return f, true
		}
	}
	return File{}, false
}

var catalogue = []Entry{
	{
		Name:     "digits",
		Domain:   "image",
		About:    "1,797 handwritten digits, 8x8 grey, values 0..16 (UCI optical recognition of handwritten digits, test part)",
		Licence:  "BSD-3-Clause",
		Source:   "scikit-learn, sklearn/datasets/data/digits.csv.gz",
		Package:  "python3-sklearn",
		Version:  "1.2.1+dfsg-1",
		Embedded: true,
		Files: []File{{
			Name: "digits.csv.gz", Member: "usr/lib/python3/dist-packages/sklearn/datasets/data/digits.csv.gz", Role: "table",
			Size: 57512, SHA256: "46abec6b12486ad9e51943373abcf22bbea1b5a51a1619b361570d8893f1464a",
		}},
		Classes:   []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"},
		TestShare: 0.2,
	},
	{
		Name:     "fashion-mnist",
		Domain:   "image",
		About:    "60,000 training and 10,000 test pictures of clothes, 28x28 grey, 10 classes of equal size (Xiao, Rasul & Vollgraf 2017)",
		Licence:  "MIT",
		Source:   "Zalando Research, fashion-mnist",
		Package:  "dataset-fashion-mnist",
		Version:  "0.0~git20200523.55506a9-1",
		Download: 30900652,
		Files: []File{
			{Name: "train-images-idx3-ubyte.gz", Member: "usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz", Role: "train-images", Size: 26421856, SHA256: "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7"},
			{Name: "train-labels-idx1-ubyte.gz", Member: "usr/share/datasets/fashion-mnist/train-labels-idx1-ubyte.gz", Role: "train-labels", Size: 29491, SHA256: "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056"},
			{Name: "t10k-images-idx3-ubyte.gz", Member: "usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz", Role: "test-images", Size: 4422079, SHA256: "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa"},
			{Name: "t10k-labels-idx1-ubyte.gz", Member: "usr/share/datasets/fashion-mnist/t10k-labels-idx1-ubyte.gz", Role: "test-labels", Size: 5125, SHA256: "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05"},
		},
		Classes: []string{"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"},
	},
}

func init() { catalogue = slices.Concat(catalogue, tableEntries(), dnaEntries(), treeEntries()) }

// Names lists the data sets of the catalogue in alphabetical order.
func Names() []string {
	out := make([]string, len(catalogue))
	for i, e := range catalogue {
		out[i] = e.Name
	}
	slices.Sort(out)
	return out
}

// Catalogue returns every entry, in alphabetical order of names.
func Catalogue() []Entry {
	out := slices.Clone(catalogue)
	slices.SortFunc(out, func(a, b Entry) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return out
}

// Lookup returns the entry of a name.
func Lookup(name string) (e Entry, ok bool) {
	for _, e := range catalogue {
		if e.Name == name {
			return e, true
		}
	}
	return Entry{}, false
}

// Asset is one file inside a Python wheel that selfsame can use: a PJRT plugin.
type Asset struct {
	Name    string `json:"name"`    // "xla-cpu"
	About   string `json:"about"`   // what it is
	Licence string `json:"licence"` // SPDX
	Package string `json:"package"` // Python package
	Version string `json:"version"`
	Wheel   string `json:"wheel"`  // file name; it says for which platform
	Size    int64  `json:"size"`   // bytes of the wheel
	SHA256  string `json:"sha256"` // of the wheel, hex
	Member  string `json:"member"` // path inside the wheel
	File    string `json:"file"`   // name it is kept under
	OS      string `json:"os"`     // runtime.GOOS for which it is
	Arch    string `json:"arch"`   // runtime.GOARCH for which it is
}

var assets = []Asset{{
	Name:    "xla-cpu",
	About:   "XLA's CPU plugin (PJRT): the compiled engine on processors",
	Licence: "Apache-2.0",
	Package: "lammps-jax-pjrt-cpu",
	Version: "0.11.2",
	Wheel:   "lammps_jax_pjrt_cpu-0.11.2-py3-none-manylinux_2_27_x86_64.whl",
	Size:    62711338,
	SHA256:  "1319390d948b39f69f7dade496b7c385149d9ca6097a6b62114da113216d9ad1",
	Member:  "lammps_jax_pjrt_cpu/pjrt_c_api_cpu_plugin.so",
	File:    "pjrt_c_api_cpu_plugin.so",
	OS:      "linux",
	Arch:    "amd64",
}}

// Assets lists the engine plugins that [FetchAsset] can get.
func Assets() []Asset { return slices.Clone(assets) }

// LookupAsset returns the asset of a name.
func LookupAsset(name string) (a Asset, ok bool) {
	for _, a := range assets {
		if a.Name == name {
			return a, true
		}
	}
	return Asset{}, false
}

//go:embed digits.csv.gz
var digitsGZ []byte

// DigitsLicence is the licence text of the embedded digits (BSD-3-Clause).
//
//go:embed digits.LICENSE
var DigitsLicence string
