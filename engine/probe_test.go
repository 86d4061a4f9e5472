package engine

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/cpuid/v2"

	"github.com/selfsame-ml/selfsame/internal/gokernel"
)

// fakeLibrary is a shared library with headers and one symbol but no code.
func fakeLibrary(t *testing.T, machine elf.Machine, kind elf.Type, symbol string) []byte {
	t.Helper()
	strs := "\x00" + symbol + "\x00"
	names := "\x00.dynsym\x00.dynstr\x00.shstrtab\x00"
	const head = 64 + 56
	syms, text := uint64(head), uint64(head+48)
	table := text + uint64(len(strs))
	sections := table + uint64(len(names))
	var b bytes.Buffer
	put := func(v any) {
		if err := binary.Write(&b, binary.LittleEndian, v); err != nil {
			t.Fatal(err)
		}
	}
	h := elf.Header64{Type: uint16(kind), Machine: uint16(machine), Version: 1, Phoff: 64, Shoff: sections, Ehsize: 64, Phentsize: 56, Phnum: 1, Shentsize: 64, Shnum: 4, Shstrndx: 3}
	copy(h.Ident[:], elf.ELFMAG)
	h.Ident[4], h.Ident[5], h.Ident[6] = 2, 1, 1 // 64 bits, little endian, version 1
	put(h)
	put(elf.Prog64{Type: uint32(elf.PT_LOAD), Filesz: sections + 4*64})
	put(elf.Sym64{})
	put(elf.Sym64{Name: 1, Info: uint8(elf.STB_GLOBAL)<<4 | uint8(elf.STT_FUNC), Shndx: 1})
	b.WriteString(strs + names)
	put(elf.Section64{})
	put(elf.Section64{Name: 1, Type: uint32(elf.SHT_DYNSYM), Off: syms, Size: 48, Link: 2, Info: 1, Entsize: 24})
	put(elf.Section64{Name: 9, Type: uint32(elf.SHT_STRTAB), Off: text, Size: uint64(len(strs))})
	put(elf.Section64{Name: 17, Type: uint32(elf.SHT_STRTAB), Off: table, Size: uint64(len(names))})
	return b.Bytes()
}

func write(t *testing.T, path string, b []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCheckLibrary(t *testing.T) {
	good := fakeLibrary(t, elf.EM_X86_64, elf.ET_DYN, pjrtSymbol)
	long := fakeLibrary(t, elf.EM_X86_64, elf.ET_DYN, pjrtSymbol)
	binary.LittleEndian.PutUint64(long[64+32:], 1<<30) // the segment is longer than the file
	undefined := slices.Clone(good)
	binary.LittleEndian.PutUint16(undefined[64+56+24+6:], 0)
	dir := t.TempDir()
	for name, c := range map[string]struct {
		b    []byte
		want string
	}{
		"right":           {good, ""},
		"empty":           {nil, "no ELF file"},
		"text":            {[]byte("<html>not found</html>"), "no ELF file"},
		"magic only":      {good[:4], "broken or cut off"},
		"cut":             {good[:len(good)-70], "broken or cut off"},
		"segment too far": {long, "cut off"},
		"other processor": {fakeLibrary(t, elf.EM_AARCH64, elf.ET_DYN, pjrtSymbol), "another processor (EM_AARCH64; this is EM_X86_64)"},
		"a program":       {fakeLibrary(t, elf.EM_X86_64, elf.ET_EXEC, pjrtSymbol), "not a shared library"},
		"no plugin":       {fakeLibrary(t, elf.EM_X86_64, elf.ET_DYN, "GetPjrtApiOld"), "no symbol GetPjrtApi"},
		"only imported":   {undefined, "no symbol GetPjrtApi"},
	} {
		err := checkLibrary(write(t, filepath.Join(dir, name), c.b), "linux", "amd64")
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if err := checkLibrary(dir, "linux", "amd64"); err == nil || err.Error() != "not a file" {
		t.Errorf("folder: %v", err)
	}
	if err := checkLibrary(filepath.Join(dir, "nowhere"), "linux", "amd64"); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("missing: %v", err)
	}
	if err := CheckPlugin(filepath.Join(dir, "text")); !errors.Is(err, ErrUnavailable) {
		t.Errorf("%v is not ErrUnavailable", err)
	}
}

// machine sets up a home with nothing in it.
func machine(t *testing.T, nvidia bool) string {
	t.Helper()
	home := t.TempDir()
	for _, k := range []string{PluginEnv, LibraryPathEnv, NamesEnv, "VIRTUAL_ENV", "CONDA_PREFIX", "JAX_PLATFORMS", "XLA_FLAGS", "GOMLX_FUSION"} {
		t.Setenv(k, "")
	}
	t.Setenv("HOME", home)
	t.Setenv("SELFSAME_CACHE", filepath.Join(home, "cache"))
	devices, libs := nvidiaDevices, systemLibs
	t.Cleanup(func() { nvidiaDevices, systemLibs = devices, libs })
	nvidiaDevices, systemLibs = []string{filepath.Join(home, "nvidiactl")}, []string{filepath.Join(home, "usr", "lib")}
	if nvidia {
		write(t, nvidiaDevices[0], nil)
	}
	return home
}

// here is a plugin that this machine could load.
func here(t *testing.T) []byte {
	t.Helper()
	m, ok := elfMachines[runtime.GOARCH]
	if !ok || runtime.GOOS != "linux" {
		t.Skip("ELF files of amd64 and arm64 only")
	}
	return fakeLibrary(t, m, elf.ET_DYN, pjrtSymbol)
}

func TestSearchFindsTheCUDAPluginOfJAX(t *testing.T) {
	so := here(t)
	in := func(root, python, packages, cuda string) string {
		return filepath.Join(root, "lib", python, packages, "jax_plugins", cuda, "xla_cuda_plugin.so")
	}
	for _, nvidia := range []bool{true, false} {
		home := machine(t, nvidia)
		venv, conda := filepath.Join(home, "venv"), filepath.Join(home, "conda")
		t.Setenv("VIRTUAL_ENV", venv)
		t.Setenv("CONDA_PREFIX", conda)
		want := []string{
			write(t, in(venv, "python3.12", "site-packages", "xla_cuda13"), so),
			write(t, in(venv, "python3.12", "site-packages", "xla_cuda12"), so),
			write(t, in(conda, "python3.11", "site-packages", "xla_cuda12"), so),
			write(t, in(filepath.Join(home, ".local"), "python3.12", "site-packages", "xla_cuda12"), so),
			write(t, in(filepath.Join(home, "usr"), "python3.12", "dist-packages", "xla_cuda12"), so),
		}
		installed := write(t, filepath.Join(home, "cache", "engine", PluginFile), so)
		var got []string
		for _, f := range Search() {
			got = append(got, f.Path)
			if jax := f.Path != installed; jax != (f.From == "JAX") || jax != f.CUDA || (f.Problem == "") != (nvidia || !jax) {
				t.Errorf("nvidia %v: %+v", nvidia, f)
			}
		}
		if !slices.Equal(got, append(want, installed)) {
			t.Errorf("nvidia %v: found %v, want %v and %s", nvidia, got, want, installed)
		}
		first := map[bool]string{true: want[0], false: installed}[nvidia]
		if p := Plugins(); len(p) == 0 || p[0].Path != first {
			t.Errorf("nvidia %v: auto takes %v, want %s", nvidia, p, first)
		}
		t.Setenv("JAX_PLATFORMS", "cpu")
		if p := Plugins(); len(p) != 1 || p[0].Path != installed {
			t.Errorf("nvidia %v: with JAX_PLATFORMS=cpu: %v", nvidia, p)
		}
	}
}

func TestSearchReadsTheEnvironment(t *testing.T) {
	so := here(t)
	home := machine(t, false)
	own := write(t, filepath.Join(home, "own.so"), so)
	a := write(t, filepath.Join(home, "a", "pjrt_c_api_cpu_plugin.so"), so)
	b := write(t, filepath.Join(home, "b", "pjrt-plugin-cpu.so"), so)
	write(t, filepath.Join(home, "b", "other.so"), so)
	named := write(t, filepath.Join(home, "named.so"), so)
	t.Setenv(PluginEnv, own)
	t.Setenv(LibraryPathEnv, filepath.Join(home, "a")+string(os.PathListSeparator)+filepath.Join(home, "b"))
	t.Setenv(NamesEnv, "cpu:"+named+",tpu:"+filepath.Join(home, "tpu.so")+",nonsense")
	var got []string
	for _, f := range Search() {
		got = append(got, f.Path+" "+f.From+" "+f.Problem)
	}
	want := []string{own + " " + PluginEnv + " ", a + " " + LibraryPathEnv + " ", b + " " + LibraryPathEnv + " ", named + " " + NamesEnv + " ",
		filepath.Join(home, "tpu.so") + " " + NamesEnv + ` platform "tpu" is not one that selfsame knows (cpu, cuda)`}
	if !slices.Equal(got, want) {
		t.Errorf("found\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestAPluginThatIsNamedIsNotPassedOver(t *testing.T) {
	so := here(t)
	home := machine(t, false)
	write(t, filepath.Join(home, "cache", "engine", PluginFile), so)
	text := write(t, filepath.Join(home, "text.so"), []byte("text"))
	t.Setenv(PluginEnv, text)
	if _, err := Open(Config{}); !errors.Is(err, ErrUnavailable) || hasXLA && !strings.Contains(err.Error(), "no ELF file") {
		t.Errorf("auto with a broken %s: %v", PluginEnv, err)
	}
	for _, i := range List() {
		if i.Auto {
			t.Errorf("auto would take %+v", i)
		}
	}
	t.Setenv(PluginEnv, "")
	t.Setenv(LibraryPathEnv, t.TempDir()) // a folder without a plugin
	if hasXLA {
		if p, err := choosePlugin(); err != nil || filepath.Base(p) != PluginFile {
			t.Errorf("chosen %s, %v", p, err)
		}
	}
}

func TestAutoSaysWhyItTookGo(t *testing.T) {
	machine(t, false)
	e, err := Open(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if want := map[bool]string{true: "no PJRT plugin found", false: "without cgo"}[hasXLA]; e.Kind() != Go || !strings.Contains(e.Why(), want) {
		t.Errorf("took %s because %q", e, e.Why())
	}
	all := List()
	if len(all) != 2 || !all[0].Auto || all[1].Available || all[1].Why == "" {
		t.Errorf("list %+v", all)
	}
}

func TestFlagsAndPrecision(t *testing.T) {
	for _, c := range []struct {
		env        string
		cuda, bf16 bool
		want       string
		own        bool
	}{
		{"", false, false, FlagsCPU, false},
		{"", false, true, FlagsCPUBF16, false},
		{"--xla_dump_to=d", false, false, strings.TrimSpace("--xla_dump_to=d " + FlagsCPU), false},
		{"--xla_cpu_use_onednn=false", false, true, "--xla_cpu_use_onednn=false", true},
		{"", true, false, "", false},
	} {
		t.Setenv("XLA_FLAGS", c.env)
		if got, own := chooseFlags(c.cuda, c.bf16); got != c.want || own != c.own {
			t.Errorf("%+v: %q, %v", c, got, own)
		}
	}
	if p, why := choosePrecision(true, Auto); p != FP32 || !strings.Contains(why, "CUDA") {
		t.Errorf("cuda: %s, %s", p, why)
	}
	if p, _ := choosePrecision(false, BF16); p != BF16 {
		t.Errorf("asked for bf16, got %s", p)
	}
	if p, why := choosePrecision(false, ""); (p == BF16) == strings.Contains(why, "no AVX512-BF16") {
		t.Errorf("auto: %s, %s", p, why)
	}
}

// TestGoPrecision: what is asked for is taken where it can be; auto takes bf16 only where it is faster.
func TestGoPrecision(t *testing.T) {
	if p, _ := goPrecision(FP32); p != FP32 {
		t.Errorf("asked for fp32, got %q", p)
	}
	want, word := FP32, "no AVX512-BF16"
	if gokernel.HasBF16() {
		if p, _ := goPrecision(BF16); p != BF16 {
			t.Errorf("asked for bf16, got %q", p)
		}
		if want, word = FP32, "no faster"; cpuid.CPU.VendorID == cpuid.AMD {
			want, word = BF16, "AVX512-BF16"
		}
	}
	if p, why := goPrecision(Auto); p != want || !strings.Contains(why, word) {
		t.Errorf("auto: %s (%s), want %s (%s)", p, why, want, word)
	}
}
