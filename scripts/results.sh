#!/usr/bin/env bash
# results.sh RECIPE OUT.csv: run a recipe and keep its scores, with what is needed to trust and repeat them.
set -euo pipefail
cd "$(dirname "$0")/.."
recipe=$1 out=$2
dir=runs/results-$(basename "$recipe" .yaml)
start=$(date +%s)
bin/selfsame run "$recipe" --out "$dir"
seconds=$(($(date +%s) - start))
mkdir -p "$(dirname "$out")"
{
	echo "# command: make results (selfsame run $recipe); seeds: column seed"
	echo "# commit: $(git describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)"
	echo "# machine: $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -1), $(getconf _NPROCESSORS_ONLN) processors; $(go version | cut -d' ' -f3,4)"
	echo "# date: $(date -u +%F); seconds: $seconds"
	cat "$dir/scores.csv"
} >"$out.new"
mv "$out.new" "$out"
echo "$out"
