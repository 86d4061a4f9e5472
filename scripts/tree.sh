#!/usr/bin/env bash
# tree.sh RECIPE REFERENCE OUT [SEEDS [ARGS...]]: draw a tree with selfsame tree and keep OUT.csv (methods against the reference), OUT-bits.csv (bits per
# base) and OUT.nwk. ARGS go to the command. SELFSAME names another program, RUNS another folder for the run directories.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/provenance.sh
recipe=$1 reference=$2 out=$3 seeds=${4:-5}
shift $(($# > 4 ? 4 : $#))
dir=${RUNS:-runs}/results-$(basename "$out")
command=(tree "$recipe" --seeds "$seeds" --reference "$reference" "$@")
start=$(date +%s)
"${SELFSAME:-bin/selfsame}" "${command[@]}" --out "$dir"
head=$(provenance "scripts/tree.sh (selfsame ${command[*]})" "$(($(date +%s) - start))" "networks that were trained before are not trained again")
for f in scores:.csv bits:-bits.csv; do
	{
		printf '%s\n' "$head"
		cat "$dir/${f%%:*}.csv"
	} >"$out${f#*:}.new"
	mv "$out${f#*:}.new" "$out${f#*:}"
done
cp "$dir/tree.nwk" "$out.nwk"
echo "$out.csv"
