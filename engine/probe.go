package engine

import (
	"debug/elf"
	"debug/macho"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/cpu"
)

// pjrtSymbol is what a PJRT plugin exports (openxla/xla, pjrt_c_api.h).
const pjrtSymbol = "GetPjrtApi"

// Info is one engine as this machine has it, before anything is loaded.
type Info struct {
	Kind      string `json:"kind"`             // "go" or "xla"
	Plugin    string `json:"plugin,omitempty"` // path of the PJRT plugin
	From      string `json:"from,omitempty"`   // where the plugin was found (see Found)
	Available bool   `json:"available"`
	Why       string `json:"why,omitempty"` // why it is not available
	Auto      bool   `json:"auto"`          // "auto" takes this one
	Device    string `json:"device"`        // "cpu" or "cuda"
	Threads   int    `json:"threads"`
	Precision string `json:"precision"`            // the one that "auto" takes
	Reason    string `json:"precision_why"`        // and why
	Flags     string `json:"flags,omitempty"`      // XLA flags in that precision
	FlagsFrom string `json:"flags_from,omitempty"` // "selfsame" or "XLA_FLAGS"
}

// List describes the engines of this machine: go, then xla with every plugin found, or once without one. No plugin is
// loaded, so that a plugin listed as available may still fail to load.
func List() []Info {
	g := Info{Kind: Go, Available: true, Device: "cpu", Threads: runtime.GOMAXPROCS(0)}
	g.Precision, g.Reason = goPrecision(Auto)
	found := Search()
	if len(found) == 0 {
		found = []Found{{Problem: "no PJRT plugin found; selfsame engine install fetches one for Linux on x86-64"}}
	}
	out := []Info{g}
	for _, f := range found {
		x := Info{Kind: XLA, Plugin: f.Path, From: f.From, Why: f.Problem, Threads: runtime.NumCPU()}
		x.describe(f.CUDA, Auto)
		if why := builtWithout(); why != "" {
			x.Why = why
		}
		x.Available = x.Why == ""
		out = append(out, x)
	}
	for i := range out {
		if os.Getenv("GOMLX_FUSION") == "0" {
			out[i].Available, out[i].Why = false, errFusion.Error()[len("engine: "):]
		}
	}
	for i := range out { // as Open does it
		j := (i + 1) % len(out) // go comes last
		if out[j].Available {
			out[j].Auto = true
			break
		}
		if out[j].From == PluginEnv { // named by the user: not passed over
			break
		}
	}
	return out
}

// Describe says of an open engine what List says.
func (e *Engine) Describe() Info {
	i := Info{Kind: e.kind, Plugin: e.plugin, Available: true, Device: "cpu", Threads: e.threads, Precision: FP32, Reason: "the go engine computes in fp32 only"}
	if e.kind == XLA {
		for _, f := range append(Search(), Found{Path: e.plugin, From: "path"}) {
			if f.Path == e.plugin {
				i.From = f.From
				break
			}
		}
		i.describe(e.mode.CUDA, e.asked)
		i.Precision, i.Flags, i.FlagsFrom = e.Precision(), e.flags, "selfsame"
		if e.ownFlag {
			i.FlagsFrom = "XLA_FLAGS"
		}
	}
	return i
}

// describe fills in what follows from the plugin's device and the precision asked for.
func (i *Info) describe(cuda bool, precision string) {
	i.Device = "cpu"
	if cuda {
		i.Device = "cuda"
	}
	if i.Plugin == "" {
		i.Precision = "-"
		return
	}
	i.Precision, i.Reason = choosePrecision(cuda, precision)
	flags, own := chooseFlags(cuda, i.Precision == BF16)
	i.Flags, i.FlagsFrom = flags, "selfsame"
	if own {
		i.FlagsFrom = "XLA_FLAGS"
	}
}

// choosePrecision decides between fp32 and bf16 and says why.
func choosePrecision(cuda bool, asked string) (precision, why string) {
	switch {
	case asked == FP32, asked == BF16:
		return asked, "asked for"
	case cuda:
		return FP32, "auto on a CUDA device"
	case cpu.X86.HasAVX512BF16:
		return BF16, "this processor multiplies bfloat16 (AVX512-BF16)"
	}
	return FP32, "this processor does not multiply bfloat16 (no AVX512-BF16)"
}

// chooseFlags is the value of XLA_FLAGS under which a plugin is loaded; own says that the CPU flags
// in it are the user's.
func chooseFlags(cuda, bf16 bool) (flags string, own bool) {
	flags = os.Getenv("XLA_FLAGS")
	if cuda {
		return flags, flags != ""
	}
	if strings.Contains(flags, "--xla_cpu") {
		return flags, true
	}
	set := FlagsCPU
	if bf16 {
		set = FlagsCPUBF16
	}
	return strings.TrimSpace(flags + " " + set), false
}

// builtWithout says why this program has no xla engine; empty where it has one.
func builtWithout() string {
	switch p := runtime.GOOS + "/" + runtime.GOARCH; p {
	case "linux/amd64", "linux/arm64", "darwin/arm64":
	default:
		return "there is no xla engine for " + p
	}
	if !hasXLA {
		return "this program was built without cgo"
	}
	return ""
}

// choosePlugin takes the first plugin that can be loaded. One that SELFSAME_PJRT_PLUGIN names is not passed over.
func choosePlugin() (string, error) {
	all := Search()
	if os.Getenv(PluginEnv) != "" {
		if len(all) == 0 || all[0].From != PluginEnv {
			return "", fmt.Errorf("%w: xla: no PJRT plugin in %s=%s", ErrUnavailable, PluginEnv, os.Getenv(PluginEnv))
		}
		if all[0].Problem != "" {
			return "", fmt.Errorf("%w: xla: plugin %s (%s): %s", ErrUnavailable, all[0].Path, PluginEnv, all[0].Problem)
		}
	}
	for _, f := range all {
		if f.Problem == "" {
			return f.Path, nil
		}
	}
	if len(all) > 0 {
		return "", fmt.Errorf("%w: xla: plugin %s: %s", ErrUnavailable, all[0].Path, all[0].Problem)
	}
	return "", fmt.Errorf("%w: xla: no PJRT plugin found (set %s to its path, or run: selfsame engine install)", ErrUnavailable, PluginEnv)
}

// CheckPlugin reads the file of a plugin and says why it cannot be loaded here: not there, not a shared library, cut
// off, for another processor, not a PJRT plugin, or for CUDA without a driver. Nothing is loaded: loading a
// library that is cut off would end the process. The error wraps ErrUnavailable.
func CheckPlugin(path string) error {
	if p := problemOf(path); p != "" {
		return fmt.Errorf("%w: xla: plugin %s: %s", ErrUnavailable, path, p)
	}
	return nil
}

func problemOf(path string) string {
	if err := checkLibrary(path, runtime.GOOS, runtime.GOARCH); err != nil {
		return err.Error()
	}
	if isCUDA(path) && !hasNVIDIA() {
		return "for CUDA, but this machine has no NVIDIA driver (no " + nvidiaDevices[0] + ")"
	}
	return ""
}

// checkLibrary checks the headers and the symbols of a shared library for an operating system and a processor.
func checkLibrary(path, goos, goarch string) error {
	f, err := os.Open(path)
	if err != nil {
		var p *os.PathError
		if errors.As(err, &p) {
			err = p.Err
		}
		return fmt.Errorf("cannot be read: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return fmt.Errorf("cannot be read: %w", err)
	}
	if !st.Mode().IsRegular() {
		return errors.New("not a file")
	}
	if goos == "darwin" {
		return checkMachO(f)
	}
	return checkELF(f, st.Size(), goarch)
}

var elfMachines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

func checkELF(r io.ReaderAt, size int64, goarch string) error {
	var magic [4]byte
	if _, err := r.ReadAt(magic[:], 0); err != nil || string(magic[:]) != elf.ELFMAG {
		return errors.New("not a shared library (no ELF file)")
	}
	f, err := elf.NewFile(r)
	if err != nil { // the table of sections stands at the end
		return fmt.Errorf("a broken or cut off shared library (%d bytes): %w", size, err)
	}
	if want, ok := elfMachines[goarch]; ok && f.Machine != want {
		return fmt.Errorf("built for another processor (%s; this is %s)", f.Machine, want)
	}
	if f.Type != elf.ET_DYN {
		return fmt.Errorf("not a shared library (ELF type %s)", f.Type)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD && p.Off+p.Filesz > uint64(size) {
			return fmt.Errorf("cut off: %d bytes, its headers speak of %d", size, p.Off+p.Filesz)
		}
	}
	symbols, err := f.DynamicSymbols()
	if err != nil {
		return fmt.Errorf("no symbols: %w", err)
	}
	for _, s := range symbols {
		if s.Name == pjrtSymbol && s.Section != elf.SHN_UNDEF {
			return nil
		}
	}
	return errors.New("not a PJRT plugin (no symbol " + pjrtSymbol + ")")
}

func checkMachO(r io.ReaderAt) error {
	f, err := macho.NewFile(r)
	if err != nil {
		return fmt.Errorf("not a shared library for this processor: %w", err)
	}
	if f.Cpu != macho.CpuArm64 {
		return fmt.Errorf("built for another processor (%s)", f.Cpu)
	}
	if f.Symtab != nil {
		for _, s := range f.Symtab.Syms {
			if s.Name == "_"+pjrtSymbol {
				return nil
			}
		}
	}
	return errors.New("not a PJRT plugin (no symbol " + pjrtSymbol + ")")
}
