#!/usr/bin/env bash
# tree.sh RECIPE REFERENCE OUT [SEEDS [ARGS...]]: draw a tree with selfsame tree and keep OUT.csv (methods against the reference), OUT-bits.csv (bits per
# base) and OUT.nwk. ARGS go to the command. SELFSAME names another program, RUNS another folder for the run directories.
set -euo pipefail
cd "$(dirname "$0")/.."
recipe=$1 reference=$2 out=$3 seeds=${4:-5}
shift $(($# > 4 ? 4 : $#))
dir=${RUNS:-runs}/results-$(basename "$out")
command=(tree "$recipe" --seeds "$seeds" --reference "$reference" "$@")
start=$(date +%s)
"${SELFSAME:-bin/selfsame}" "${command[@]}" --out "$dir"
head=(
	"# command: scripts/tree.sh (selfsame ${command[*]})"
	"# commit: $(git describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)"
	"# machine: $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -1), $(getconf _NPROCESSORS_ONLN) processors; $(go version | cut -d' ' -f3,4)"
	"# date: $(date -u +%F); seconds: $(($(date +%s) - start)) (networks that were trained before are not trained again)"
)
for f in scores:.csv bits:-bits.csv; do
	{
		printf '%s\n' "${head[@]}"
		cat "$dir/${f%%:*}.csv"
	} >"$out${f#*:}.new"
	mv "$out${f#*:}.new" "$out${f#*:}"
done
cp "$dir/tree.nwk" "$out.nwk"
echo "$out.csv"
