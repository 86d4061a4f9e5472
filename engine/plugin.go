package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// PluginEnv names the environment variable that holds the path of a PJRT plugin.
const PluginEnv = "SELFSAME_PJRT_PLUGIN"

// PluginFile is the file name under which `selfsame engine install` keeps the CPU plugin.
const PluginFile = "pjrt_c_api_cpu_plugin.so"

// CacheDir is selfsame's folder in the user's cache: SELFSAME_CACHE, else the operating system's place.
func CacheDir() (string, error) {
	if d := os.Getenv("SELFSAME_CACHE"); d != "" {
		return filepath.Abs(d)
	}
	d, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(d, "selfsame"), nil
}

// InstalledPlugin is the path to which the CPU plugin is installed, whether it is there or not.
func InstalledPlugin() (string, error) {
	d, err := CacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(d, "engine", PluginFile), nil
}

// LibraryPathEnv names the variable of go-xla that holds folders of PJRT plugins, and NamesEnv that of JAX, which
// holds name:path pairs set apart by commas.
const (
	LibraryPathEnv = "PJRT_PLUGIN_LIBRARY_PATH"
	NamesEnv       = "PJRT_NAMES_AND_LIBRARY_PATHS"
)

// Found is a PJRT plugin on this machine, or a place that was named for one.
type Found struct {
	Path    string `json:"path"`
	From    string `json:"from"` // where it was found: the name of an environment variable, "JAX", "installed", "path"
	CUDA    bool   `json:"cuda"`
	Problem string `json:"problem,omitempty"` // why it cannot be loaded; empty where nothing speaks against it
}

// nvidiaDevices are the files of which one exists where an NVIDIA driver is loaded (Linux, WSL 2).
var nvidiaDevices = []string{"/dev/nvidiactl", "/dev/dxg"}

// systemLibs are the folders beside those of the user in which Python keeps its packages.
var systemLibs = []string{"/usr/local/lib", "/usr/lib"}

func hasNVIDIA() bool {
	for _, d := range nvidiaDevices {
		if _, err := os.Stat(d); err == nil {
			return true
		}
	}
	return false
}

// Plugins lists the PJRT plugins that can be loaded, the preferred one first (see Search).
func Plugins() []Found {
	return slices.DeleteFunc(Search(), func(f Found) bool { return f.Problem != "" })
}

// Search lists the PJRT plugins of this machine in the order of preference: SELFSAME_PJRT_PLUGIN,
// PJRT_PLUGIN_LIBRARY_PATH, PJRT_NAMES_AND_LIBRARY_PATHS, the CUDA plugin of an installed JAX, the one
// that `selfsame engine install` fetched. Those that cannot be loaded are listed with the reason.
// Files are read, none is loaded, nothing is fetched.
func Search() []Found {
	var out []Found
	add := func(path, from, problem string) {
		if abs, err := filepath.Abs(path); err == nil {
			path = abs
		}
		if slices.ContainsFunc(out, func(f Found) bool { return f.Path == path }) {
			return
		}
		if problem == "" {
			problem = problemOf(path)
		}
		out = append(out, Found{path, from, isCUDA(path), problem})
	}
	if v := os.Getenv(PluginEnv); v != "" {
		for _, p := range inFolder(v) {
			add(p, PluginEnv, "")
		}
	}
	for _, v := range filepath.SplitList(os.Getenv(LibraryPathEnv)) {
		if v == "" {
			continue
		}
		for _, p := range inFolder(v) {
			add(p, LibraryPathEnv, "")
		}
	}
	for _, pair := range strings.Split(os.Getenv(NamesEnv), ",") {
		name, path, ok := strings.Cut(strings.TrimSpace(pair), ":")
		if !ok {
			continue
		}
		problem := ""
		if n := strings.ToLower(name); !strings.Contains(n, "cpu") && !strings.Contains(n, "cuda") {
			problem = fmt.Sprintf("platform %q is not one that selfsame knows (cpu, cuda)", name)
		}
		add(path, NamesEnv, problem)
	}
	for _, p := range jaxPlugins() {
		problem := ""
		if v := os.Getenv("JAX_PLATFORMS"); v != "" && !strings.Contains(v, "cuda") && !strings.Contains(v, "gpu") {
			problem = "JAX_PLATFORMS=" + v + " leaves CUDA out"
		}
		add(p, "JAX", problem)
	}
	if p, err := InstalledPlugin(); err == nil {
		if _, err := os.Stat(p); err == nil {
			add(p, "installed", "")
		}
	}
	return out
}

// inFolder is path itself, or the plugins in it where it is a folder.
func inFolder(path string) []string {
	if st, err := os.Stat(path); err != nil || !st.IsDir() {
		return []string{path}
	}
	var out []string
	for _, pat := range []string{"pjrt_c_api_*_plugin.so", "pjrt-plugin-*.so", "xla_cuda_plugin.so", "pjrt_c_api_*_plugin.dylib"} {
		m, _ := filepath.Glob(filepath.Join(path, pat))
		out = append(out, m...)
	}
	return out
}

// jaxPlugins looks where pip puts the CUDA plugin of JAX: the active environment first, then the user's packages,
// then the system's. Of several CUDA releases the newest comes first.
func jaxPlugins() []string {
	var roots []string
	for _, env := range []string{"VIRTUAL_ENV", "CONDA_PREFIX"} {
		if v := os.Getenv(env); v != "" {
			roots = append(roots, filepath.Join(v, "lib"))
		}
	}
	if h, err := os.UserHomeDir(); err == nil {
		roots = append(roots, filepath.Join(h, ".local", "lib"))
	}
	var out []string
	for _, r := range append(roots, systemLibs...) {
		for _, dir := range []string{"site-packages", "dist-packages"} {
			m, _ := filepath.Glob(filepath.Join(r, "python3*", dir, "jax_plugins", "xla_cuda*", "xla_cuda_plugin.so"))
			slices.Reverse(m)
			out = append(out, m...)
		}
	}
	return out
}

// isCUDA tells by the name of the file, or by its folder where JAX keeps it.
func isCUDA(path string) bool {
	name := strings.ToLower(filepath.Base(path))
	if strings.Contains(name, "cpu") {
		return false
	}
	name += strings.ToLower(filepath.Base(filepath.Dir(path)))
	return strings.Contains(name, "cuda") || strings.Contains(name, "nvidia")
}
