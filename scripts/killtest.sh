#!/usr/bin/env bash
# killtest.sh [KILLS]: kill -9 a small run at random moments, resume it with the same command, and
# hold what it leaves against a run that was never killed. Ends with 0 where nothing differs.
# The moments follow from SEED (default 1), as far as a clock allows.
set -euo pipefail
cd "$(dirname "$0")/.."
kills=${1:-20}
RANDOM=${SEED:-1}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go build -o "$work/selfsame" ./cmd/selfsame

# The digits as IDX files, which are decoded into a cache; each run has its own one.
bytes() { LC_ALL=C awk -F, "$1"; }
n=600
be32() { printf "\\x$(printf %02x $(($1 >> 24 & 255)))\\x$(printf %02x $(($1 >> 16 & 255)))\\x$(printf %02x $(($1 >> 8 & 255)))\\x$(printf %02x $(($1 & 255)))"; }
digits() { gzip -dc dataset/digits.csv.gz | grep -E '^[0-9]' | awk -v n=$n 'NR <= n'; }
{ printf '\0\0\x8\x3'; be32 $n; be32 8; be32 8; digits | bytes '{for (i = 1; i <= 64; i++) printf "%c", $i * 7 + 1}'; } >"$work/images.idx"
{ printf '\0\0\x8\x1'; be32 $n; digits | bytes '{printf "%c", $65 + 1}' | tr '\001-\012' '\000-\011'; } >"$work/labels.idx"

line() { # DIR
	SELFSAME_CACHE=$1.cache exec "$work/selfsame" run recipes/digits.yaml --quiet --out "$1" \
		--set data.source="$work/images.idx" --set data.labels="$work/labels.idx" \
		--set encoder.width=4 --set train.epochs=4 --set train.checkpoint_steps=3 --set adapt.draws=2 \
		--set 'adapt.budgets=[20,0]' --set adapt.max_steps=10 --set certify.labels=100 --set certify.samples=64
}

start=$(date +%s%N)
(line "$work/whole") >/dev/null 2>&1
took=$((($(date +%s%N) - start) / 1000000))
echo "a run takes $took ms"

failed=0 run=1 done=0
declare -A stages
while :; do
	out=$work/run$run
	(line "$out") >/dev/null 2>"$work/err" &
	pid=$!
	code=0
	if ((done < kills)); then
		ms=$((20 + RANDOM * took / 32768))
		sleep "$((ms / 1000)).$(printf %03d $((ms % 1000)))"
		if kill -9 "$pid" 2>/dev/null; then
			done=$((done + 1))
			at=$(tail -n 1 "$out/events.jsonl" 2>/dev/null | grep -o '"stage":"[a-z]*"' | cut -d'"' -f4 || true)
			stages[${at:-start}]=$((${stages[${at:-start}]:-0} + 1))
		fi
	fi
	wait "$pid" 2>/dev/null || code=$?
	case $code in
	137) continue ;;
	0) ;;
	*)
		echo "run $run ended with $code:"
		cat "$work/err"
		exit 1
		;;
	esac
	for f in encoder.safetensors pretrain.safetensors scores.csv audit.json certificate.json; do
		cmp "$work/whole/$f" "$out/$f" || failed=1
	done
	left=$(find "$out" -name '*tmp*')
	if [ -n "$left" ]; then
		echo "left behind: $left"
		failed=1
	fi
	if ((done >= kills)); then break; fi
	run=$((run + 1))
done
echo "$done kills in $run runs, in stages:$(for s in "${!stages[@]}"; do printf ' %s %d' "$s" "${stages[$s]}"; done)"
if ((failed)); then echo "FAIL: a killed run left something else"; else echo "ok: every run left the same encoder and scores"; fi
exit $failed
