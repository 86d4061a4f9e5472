// Package lint holds the rules of the house as tests: which room may import which, which
// licences may be linked, what no file may name, and that every exported name is
// documented. It has no code of its own; run `go test ./internal/lint`.
package lint
