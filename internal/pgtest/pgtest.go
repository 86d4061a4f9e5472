//go:build unix

// Package pgtest starts a real PostgreSQL server for a test, on a unix socket in a folder of its own.
//
// Most tests need [Start] and [Server.URL].
package pgtest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/selfsame-ml/selfsame/dataset"
)

// EnvBin names the folder that holds initdb and postgres.
const EnvBin = "SELFSAME_POSTGRES"

// nobody is the user under which the server runs where the test runs as root, which PostgreSQL refuses.
const nobody = 65534

// Password is that of the role guarded, the only one that needs one.
const Password = "correct-horse-battery"

// Server is a running server with the database "shop" and the roles "selfsame" (owner, trusted) and "guarded" (password).
type Server struct {
	dir  string
	cmd  *exec.Cmd
	gone chan struct{}
	log  *bytes.Buffer // complete once gone is closed
}

// binaries lists folders that may hold a server, the one of the cache first: scripts/postgres.sh puts it there.
func binaries() []string {
	var out []string
	if d := os.Getenv(EnvBin); d != "" {
		return []string{d}
	}
	if cache, err := dataset.DefaultCacheDir(); err == nil {
		m, _ := filepath.Glob(filepath.Join(cache, "postgresql", "usr", "lib", "postgresql", "*", "bin"))
		out = append(out, m...)
	}
	m, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	slices.Reverse(m) // the newest
	return append(out, m...)
}

// Start starts a server that ends with the test. Where there is none on this machine, the test is skipped.
func Start(t testing.TB) *Server {
	t.Helper()
	var bin string
	for _, d := range binaries() {
		if _, err := os.Stat(filepath.Join(d, "initdb")); err == nil {
			bin = d
			break
		}
	}
	if bin == "" {
		t.Skipf("no PostgreSQL server on this machine: scripts/postgres.sh fetches one, or %s names the folder of initdb", EnvBin)
	}
	dir, err := os.MkdirTemp("", "pg") // short: the path of a socket has at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &Server{dir: dir, gone: make(chan struct{}), log: &bytes.Buffer{}}
	if os.Getuid() == 0 {
		if err := os.Chown(dir, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	if bin, err = s.reachable(bin); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	if out, err := s.command(bin, "initdb", "-D", data, "-U", "selfsame", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync").CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	hba := "local all guarded scram-sha-256\nlocal all all trust\n"
	if err := os.WriteFile(filepath.Join(data, "pg_hba.conf"), []byte(hba), 0o600); err != nil {
		t.Fatal(err)
	}
	s.cmd = s.command(bin, "postgres", "-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=10", "-c", "shared_buffers=16MB", "-c", "log_timezone=GMT", "-c", "timezone=GMT")
	pipe, err := s.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{})
	go s.watch(pipe, ready)
	t.Cleanup(func() { s.stop(syscall.SIGINT) })
	select {
	case <-ready:
	case <-s.gone:
		t.Fatalf("the server ended: %s", s.log)
	}
	for _, q := range []string{"create database shop", "create role guarded login password '" + Password + "'"} {
		s.exec(t, "postgres", q)
	}
	return s
}

// reachable gives binaries that the server's user may run: a copy where they lie in a private folder.
func (s *Server) reachable(bin string) (string, error) {
	if s.command(bin, "postgres", "--version").Run() == nil {
		return bin, nil
	}
	root, version := filepath.Join(bin, "../../../../.."), filepath.Base(filepath.Dir(bin)) // ROOT/usr/lib/postgresql/15/bin
	to := filepath.Join(s.dir, "server")
	if err := os.CopyFS(filepath.Join(to, "usr"), os.DirFS(filepath.Join(root, "usr"))); err != nil {
		return "", fmt.Errorf("pgtest: %w", err)
	}
	if os.Getuid() == 0 {
		err := filepath.WalkDir(to, func(p string, _ os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return os.Lchown(p, nobody, nobody)
		})
		if err != nil {
			return "", fmt.Errorf("pgtest: %w", err)
		}
	}
	bin = filepath.Join(to, "usr", "lib", "postgresql", version, "bin")
	if out, err := s.command(bin, "postgres", "--version").CombinedOutput(); err != nil {
		return "", fmt.Errorf("pgtest: postgres does not run: %w: %s", err, out)
	}
	return bin, nil
}

func (s *Server) command(bin, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(bin, name), args...)
	cmd.Dir = s.dir
	root := filepath.Join(bin, "../../../../..")
	libs, _ := filepath.Glob(filepath.Join(root, "usr", "lib", "*-linux-*"))
	cmd.Env = []string{"LC_ALL=C", "PATH=" + bin + ":/usr/bin:/bin", "LD_LIBRARY_PATH=" + strings.Join(libs, ":")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C of the tests is not for the server
	if os.Getuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	return cmd
}

// watch reads the server's log until it ends.
func (s *Server) watch(r io.Reader, ready chan<- struct{}) {
	sc := bufio.NewScanner(r)
	for sc.Scan() {
		fmt.Fprintln(s.log, sc.Text())
		if ready != nil && strings.Contains(sc.Text(), "ready to accept connections") {
			close(ready)
			ready = nil
		}
	}
	_ = s.cmd.Wait()
	close(s.gone)
}

func (s *Server) stop(sig os.Signal) {
	_ = s.cmd.Process.Signal(sig)
	<-s.gone
}

// Crash ends the server at once, with every connection.
func (s *Server) Crash() { s.stop(syscall.SIGQUIT) }

// Log is what the server wrote; call it behind Crash.
func (s *Server) Log() string {
	<-s.gone
	return s.log.String()
}

// Dir is the folder of the socket.
func (s *Server) Dir() string { return s.dir }

// URL names the database shop, without a password.
func (s *Server) URL() string { return s.As("selfsame") }

// As is URL for a role.
func (s *Server) As(role string) string { return "postgres://" + role + "@/shop?host=" + s.dir }

// Exec runs statements in the database shop.
func (s *Server) Exec(t testing.TB, sql ...string) {
	t.Helper()
	for _, q := range sql {
		s.exec(t, "shop", q)
	}
}

func (s *Server) exec(t testing.TB, db, sql string) {
	t.Helper()
	ctx := context.Background()
	c, err := pgconn.Connect(ctx, "postgres://selfsame@/"+db+"?host="+s.dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Exec(ctx, sql).ReadAll()
	if err = errors.Join(err, c.Close(ctx)); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}
