#!/usr/bin/env bash
# make test: set up, check, lint, and run the tests of both builds.
# Optional pieces that are absent are named. With CI=true a skipped test or an absent piece is a
# failure unless .ci/allowed-skips lists it with a reason. The output ends with go test's own lines.
# SELFSAME_TEST_PKGS="./nn ./optim" limits the tests to these packages. Properties are tried on the cases of one
# seed, so that a run repeats; RAPID_SEED=0 draws new ones, as a plain go test does.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${SELFSAME_CACHE:=${XDG_CACHE_HOME:-$HOME/.cache}/selfsame}"
export SELFSAME_CACHE
export RAPID_SEED=${RAPID_SEED:-1}
ci=${CI:-false}
failed=0
read -ra pkgs <<<"${SELFSAME_TEST_PKGS:-./...}"

step() { printf '== %s\n' "$*"; }

# absent PIECE WHY: an optional piece is missing.
absent() {
	if grep -qE "^piece +$1( |\$)" .ci/allowed-skips; then
		echo "absent: $1 ($2); allowed by .ci/allowed-skips"
	elif [ "$ci" = true ]; then
		echo "absent: $1 ($2); a failure in CI: see .ci/allowed-skips"
		failed=1
	else
		echo "absent: $1 ($2); what needs it is skipped"
	fi
}

step "$(go version), $(getconf _NPROCESSORS_ONLN) processors"
cgo=$(go env CGO_ENABLED)
if [ "$cgo" = 1 ] && ! command -v "$(go env CC | cut -d' ' -f1)" >/dev/null; then cgo=0; fi
[ "$cgo" = 1 ] || absent cgo "no C compiler: the build without cgo is tested alone"

step "gofmt"
unformatted=$(find . -name '*.go' -not -path './.git/*' -not -path './.cache/*' -print0 | xargs -0 gofmt -l)
if [ -n "$unformatted" ]; then
	echo "not formatted (gofmt -w):"
	echo "$unformatted"
	exit 1
fi

step "build without cgo"
CGO_ENABLED=0 go build ./...
CGO_ENABLED=0 go vet ./...
if [ "$cgo" = 1 ]; then
	step "build with cgo"
	go build ./...
	go vet ./...
fi

step "data, database server and plugin"
make --no-print-directory build
bin/selfsame data fetch fashion-mnist || absent data "Fashion-MNIST could not be fetched"
for t in churn cdnow-purchases supermarket diamonds; do # churn brings credit, lending-club and attrition too
	bin/selfsame data fetch $t || absent data "the table $t could not be fetched"
done
bin/selfsame data fetch tree-of-life || absent data "the genomes tree-of-life could not be fetched"
scripts/postgres.sh || absent postgres "no PostgreSQL server is installed, and Debian's could not be fetched"
if [ "$cgo" = 1 ]; then
	if bin/selfsame engine install && bin/selfsame engine check --engine xla; then
		export SELFSAME_NEED_XLA=1
	else
		absent xla "the XLA CPU plugin could not be fetched or loaded"
	fi
fi

step "lint"
if [ -n "${SELFSAME_NO_LINT:-}" ]; then
	absent lint "SELFSAME_NO_LINT is set; the arrows are still held by internal/lint"
elif make --no-print-directory "$SELFSAME_CACHE/bin/golangci-lint-$(sed -n 's/^GOLANGCI_VERSION := //p' Makefile)" >/dev/null; then
	make --no-print-directory lint
else
	absent lint "golangci-lint could not be built; the arrows are still held by internal/lint"
fi

# Packages whose files differ between the two builds, and the whole program.
differ() {
	local form='{{.ImportPath}} {{.GoFiles}} {{.CgoFiles}} {{.TestGoFiles}} {{.XTestGoFiles}}'
	diff <(CGO_ENABLED=0 go list -f "$form" ./...) <(CGO_ENABLED=1 go list -f "$form" ./...) | awk '/^</ {print $2}' || true # diff ends with 1 where they differ
	echo ./cmd/selfsame
}

# tests ARGS...: go test, shown without the lines of passing tests, skips named.
tests() {
	go test -v -timeout 20m "$@" 2>&1 | awk -v ci="$ci" -f scripts/gotest.awk
}

if [ "$failed" != 0 ]; then
	echo "FAIL: a needed piece is absent"
	exit 1
fi
if [ "$cgo" = 1 ]; then
	step "tests without cgo, of what differs"
	mapfile -t differing < <(differ | sort -u)
	SELFSAME_NEED_XLA= CGO_ENABLED=0 tests "${differing[@]}"
	if [ -n "${SELFSAME_NEED_XLA:-}" ] && [ "${pkgs[*]}" = ./... ]; then
		step "gradient gate under the XLA flags of bf16"
		SELFSAME_TEST_FLAGS=bf16 tests ./nn/... ./objective
	fi
	step "tests"
	tests "${pkgs[@]}"
else
	step "tests without cgo"
	CGO_ENABLED=0 tests "${pkgs[@]}"
fi
