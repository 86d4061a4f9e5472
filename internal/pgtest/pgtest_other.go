//go:build !unix

// Package pgtest starts a real PostgreSQL server for a test. There is none for this system: tests are skipped.
package pgtest

import "testing"

// Password is that of the role guarded.
const Password = ""

// Server is a running server.
type Server struct{}

// Start skips the test.
func Start(t testing.TB) *Server {
	t.Skip("no PostgreSQL server for tests on this system")
	return nil
}

// Crash does nothing.
func (*Server) Crash() {}

// Log is empty.
func (*Server) Log() string { return "" }

// Dir is empty.
func (*Server) Dir() string { return "" }

// URL is empty.
func (*Server) URL() string { return "" }

// As is empty.
func (*Server) As(string) string { return "" }

// Exec does nothing.
func (*Server) Exec(testing.TB, ...string) {}
