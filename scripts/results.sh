#!/usr/bin/env bash
# results.sh RECIPE OUT.csv [SPLITS [ARGS...]]: run a recipe (on several splits, with SPLITS) and keep its scores, with what is
# needed to trust and repeat them. ARGS go to the command (--set adapt.draws=1). SELFSAME names another program, RUNS another folder for the run directories.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/provenance.sh
recipe=$1 out=$2 splits=${3:-}
shift $(($# > 3 ? 3 : $#))
dir=${RUNS:-runs}/results-$(basename "$recipe" .yaml)
command=(run "$recipe")
[ -z "$splits" ] || { command=(repeat "$recipe" --splits "$splits") dir=$dir-$splits; }
command+=("$@")
start=$(date +%s)
"${SELFSAME:-bin/selfsame}" "${command[@]}" --out "$dir"
seconds=$(($(date +%s) - start))
mkdir -p "$(dirname "$out")"
{
	provenance "make results (selfsame ${command[*]}); seeds: column seed" "$seconds"
	cat "$dir/scores.csv"
} >"$out.new"
mv "$out.new" "$out"
echo "$out"
