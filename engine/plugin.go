package engine

import (
	"os"
	"path/filepath"
	"runtime"
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

// Found is a PJRT plugin on this machine.
type Found struct {
	Path string `json:"path"`
	From string `json:"from"` // where it was found: "environment", "installed", "jax"
	CUDA bool   `json:"cuda"`
}

// Plugins lists the PJRT plugins at hand, the preferred one first: the environment's, a
// CUDA plugin of an installed JAX where the machine has an NVIDIA device, the one that
// `selfsame engine install` fetched.
func Plugins() []Found {
	var out []Found
	add := func(path, from string) {
		if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() {
			if abs, err := filepath.Abs(path); err == nil {
				out = append(out, Found{abs, from, isCUDA(abs)})
			}
		}
	}
	for _, env := range []string{PluginEnv, "PJRT_PLUGIN_LIBRARY_PATH"} {
		v := os.Getenv(env)
		if v == "" {
			continue
		}
		if st, err := os.Stat(v); err == nil && st.IsDir() {
			for _, pat := range []string{"pjrt_c_api_*_plugin.so", "pjrt-plugin-*.so", "xla_cuda_plugin.so"} {
				m, _ := filepath.Glob(filepath.Join(v, pat))
				for _, p := range m {
					add(p, "environment")
				}
			}
			continue
		}
		add(v, "environment")
	}
	if runtime.GOOS == "linux" {
		if _, err := os.Stat("/dev/nvidiactl"); err == nil {
			for _, p := range jaxPlugins() {
				add(p, "jax")
			}
		}
	}
	if p, err := InstalledPlugin(); err == nil {
		add(p, "installed")
	}
	return out
}

// jaxPlugins looks where pip puts the CUDA plugin of JAX.
func jaxPlugins() []string {
	var roots []string
	if v := os.Getenv("VIRTUAL_ENV"); v != "" {
		roots = append(roots, filepath.Join(v, "lib"))
	}
	if h, err := os.UserHomeDir(); err == nil {
		roots = append(roots, filepath.Join(h, ".local", "lib"))
	}
	roots = append(roots, "/usr/local/lib", "/usr/lib")
	var out []string
	for _, r := range roots {
		for _, dir := range []string{"site-packages", "dist-packages"} {
			m, _ := filepath.Glob(filepath.Join(r, "python3*", dir, "jax_plugins", "xla_cuda*", "xla_cuda_plugin.so"))
			out = append(out, m...)
		}
	}
	return out
}

func isCUDA(path string) bool {
	return strings.Contains(path, "cuda") || strings.Contains(path, "nvidia")
}
