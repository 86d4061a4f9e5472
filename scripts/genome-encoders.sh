#!/usr/bin/env bash
# genome-encoders.sh OUT.csv [STEPS [ARGS...]]: language models of genomes, trained on the same windows of
# recipes/tree-of-life.yaml for as many steps: bases read a second of training, and bits per base on held-out windows and species beside the best
# Markov model of order 0 to 12 fitted on the same windows. Every encoder has the same two rates of learning to show its best with.
# ARGS go to every run, for example --set engine.kind=go. SELFSAME names another program, RUNS another folder for the run directories.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/provenance.sh
out=$1 steps=${2:-100}
shift $(($# > 2 ? 2 : $#))
selfsame=${SELFSAME:-bin/selfsame}
dir=${RUNS:-runs}/results-genome-encoders
encoders=("conv-lm:depth=8" "conv-lm:depth=14" "transformer:depth=6 heads=4")
start=$(date +%s)
rows=()
for lr in 0.032 0.008; do
	for e in "${encoders[@]}"; do
		kind=${e%%:*}
		run=$dir/${e//[: =]/-}-$lr
		set_=(--set "encoder.kind=$kind" --set "train.lr=$lr" --set "train.max_steps=$steps" --set train.checkpoint_steps=1000000)
		for s in ${e#*:}; do set_+=(--set "encoder.$s"); done
		"$selfsame" run recipes/tree-of-life.yaml --out "$run" --until pretrain "${set_[@]}" "$@"
		"$selfsame" tree "$run" --windows 2 --replicates 0 --no-controls
		# The time is of the whole stage, with compiling and the look at collapse: it flatters the slow encoder.
		rate=$(sed -n 's/.*"stage":"pretrain","kind":"end","data":{"seconds":\([0-9.]*\).*/\1/p' "$run/events.jsonl" | tail -1)
		parameters=$(sed -n 's/.*"text":"\([0-9]*\) trained parameters.*/\1/p' "$run/events.jsonl" | tail -1)
		rows+=("$(awk -F, -v k="$kind" -v o="${e#*:}" -v p="$parameters" -v lr="$lr" -v s="$steps" -v t="$rate" '
			function best(part, m) { return (part, m) in bits ? bits[part, m] : "" }
			NR > 1 { m = $2 == "network" ? "n" : $2 ~ /^markov/ ? "m" : ""
				if (m != "" && (!(($1, m) in bits) || $4 < bits[$1, m])) { bits[$1, m] = $4; se[$1, m] = $6 } }
			END { b = s * 16 * 512
				printf "%s,%s,%s,%s,%d,%d,%.0f,%.0f,%s,%s,%s,%s,%s,%s", k, o, p, lr, s, b, t, b / t, best("windows", "n"), se["windows", "n"], best("windows", "m"),
					best("species", "n"), se["species", "n"], best("species", "m") }' "$run/tree/bits.csv")")
	done
done
mkdir -p "$(dirname "$out")"
{
	provenance "scripts/genome-encoders.sh (selfsame run recipes/tree-of-life.yaml, $steps steps)${*:+ $*}" "$(($(date +%s) - start))"
	echo "encoder,options,parameters,lr,steps,bases,seconds,bases_per_s,windows_bits,windows_se,windows_markov,species_bits,species_se,species_markov"
	printf '%s\n' "${rows[@]}"
} >"$out.new"
mv "$out.new" "$out"
echo "$out"
