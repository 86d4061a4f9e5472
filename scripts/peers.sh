#!/usr/bin/env bash
# peers.sh OUT.csv: selfsame's steps, views, pretraining and embedding beside the same work in PyTorch, in turn, with
# medians, ratios and peak memory. Every program has a process of its own.
#   PEERS_PYTHON  python with torch, torchvision and lightly (a virtual environment outside the repository)
#   PEERS_DIR     folder of the peer programs (default ../shared/peers)
#   PEERS_ROUNDS  rounds (default 5; one round of everything takes about 12 minutes on 2 cores)
#   PEERS_ONLY    measures to run, of: simclr lm views pretrain embed folder; the others keep what OUT.csv's last runs
#                 gave (default: all)
#   PEERS_LM      forms of PyTorch's language model (default: own eager compile compile_own)
#   PEERS_WRAP    command put before every measured program, e.g. "nice -n -19" (default: none)
#   PEERS_ROWS    file of the single values (default runs/peers/rows.csv)
# A program that fails is named and the rest goes on; the exit status is 1 then. OUT.csv is written anew after every measure.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
out=$1
: "${PEERS_PYTHON:?is not set: the python of an environment that has torch (see requirements.txt in PEERS_DIR)}"
: "${PEERS_DIR:=../shared/peers}" "${PEERS_ROUNDS:=5}" "${PEERS_ROWS:=runs/peers/rows.csv}"
read -ra wrap <<<"${PEERS_WRAP:-}"
read -ra measures <<<"${PEERS_ONLY:-simclr lm views pretrain embed folder}"
for m in "${measures[@]}"; do
	case $m in
	simclr | lm | views | pretrain | embed | folder) ;;
	*) echo "peers.sh: PEERS_ONLY: no measure $m (simclr lm views pretrain embed folder)" >&2 && exit 2 ;;
	esac
done
[ -f "$PEERS_DIR/simclr_step.py" ] || { echo "peers.sh: $PEERS_DIR holds no simclr_step.py (PEERS_DIR)" >&2; exit 2; }
PEERS_DIR=$(cd "$PEERS_DIR" && pwd)
export PEERS_DIR PYTHONDONTWRITEBYTECODE=1
own=$PWD/scripts/peers
"$PEERS_PYTHON" -c 'import torch, torchvision, lightly' || { echo "peers.sh: $PEERS_PYTHON lacks torch, torchvision or lightly" >&2; exit 2; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
experiment=$(GOEXPERIMENT=simd go list simd/archsimd >/dev/null 2>&1 && echo simd)
GOEXPERIMENT=$experiment go test -c -o "$tmp/bench" ./bench || exit 1
fashion=$(bin/selfsame data show fashion-mnist --json | "$PEERS_PYTHON" -c 'import json, sys; print(json.loads(sys.stdin.readline()).get("dir", ""))')
mkdir -p "$(dirname "$PEERS_ROWS")" "$(dirname "$out")"
touch "$PEERS_ROWS"
commit=$(git describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)
failures=()
measure=

# keep: rows of standard input (name,side,impl,unit,value,MiB) to PEERS_ROWS; fails without any.
keep() {
	awk -v m="$measure" -v c="$commit" -v d="$(date -u +%FT%TZ)" '{ print m "," $0 "," c "," d; fflush(); n++ } END { exit n == 0 }' | tee -a "$PEERS_ROWS" >&2
}

failed() {
	failures+=("$measure: $*")
	echo "peers.sh: FAILED: $measure: $*" >&2
	tail -n 5 "$tmp/err" >&2
}

# ours NAME IMPL BENCHMARK BENCHTIME UNIT ENV...: one row, and the seconds to the first step where they are told.
ours() {
	local name=$1 impl=$2 bench=$3 time=$4 unit=$5
	shift 5
	(cd bench && "${wrap[@]}" env GLIBC_TUNABLES=glibc.malloc.hugetlb=1 "$@" "$tmp/bench" -test.run '^$' -test.bench "$bench" -test.benchtime "$time" -test.timeout 10m) >"$tmp/out" 2>"$tmp/err" || { cat "$tmp/out" >>"$tmp/err"; failed "$name $impl ($bench)"; return; }
	awk -v n="$name" -v i="$impl" -v u="$unit" '/^Benchmark/ {
		v = mib = first = ""
		for (k = 2; k <= NF; k++) { if ($k == u) v = $(k - 1); if ($k == "peak-MiB") mib = $(k - 1); if ($k == "first-step-s") first = $(k - 1) }
		if (v != "") print n ",selfsame," i "," u "," v "," mib
		if (first != "") print n "_first,selfsame," i ",s," first "," mib
	}' "$tmp/out" | keep || { cat "$tmp/out" >"$tmp/err"; failed "$name $impl: no $unit from $bench"; }
}

# peer NAME HUGE PROGRAM ARGS...: one row; HUGE 1 gives malloc huge pages, as ours has them.
peer() {
	local name=$1 huge=$2 program=$3
	shift 3
	(cd "$PEERS_DIR" && "${wrap[@]}" env ${huge:+GLIBC_TUNABLES=glibc.malloc.hugetlb=$huge} "$PEERS_PYTHON" "$program" "$@") >"$tmp/out" 2>"$tmp/err" || { failed "$name $(basename "$program") $*"; return; }
	"$PEERS_PYTHON" -c 'import json, sys
name, huge = sys.argv[1:]
for line in sys.stdin:
    r = json.loads(line)
    print(name, "peer", r["impl"] + ("+hugetlb" if huge == "1" else ""), r["unit"], r["median"], r.get("peak_rss_mib", ""), sep=",")' "$name" "$huge" <"$tmp/out" | keep || failed "$name $(basename "$program") $*: no result"
}

# both NAME PROGRAM ARGS...: without and with huge pages; the faster one counts.
both() {
	peer "$1" 0 "${@:2}"
	peer "$1" 1 "${@:2}"
}

simclr() {
	ours simclr_step selfsame-xla-fp32 'SimCLRStep/blocks=1$' 8x images/s SELFSAME_BENCH_ENGINE=xla SELFSAME_BENCH_PRECISION=fp32 SELFSAME_BENCH_BATCH=256
	ours simclr_step selfsame-go-fp32 'SimCLRStep/blocks=1$' 8x images/s SELFSAME_BENCH_ENGINE=go SELFSAME_BENCH_PRECISION=fp32 SELFSAME_BENCH_BATCH=256
	both simclr_step simclr_step.py --blocks 1 --impl channels_last --threads 2
	ours simclr_step selfsame-xla-bf16 'SimCLRStep/blocks=1$' 8x images/s SELFSAME_BENCH_ENGINE=xla SELFSAME_BENCH_PRECISION=bf16 SELFSAME_BENCH_BATCH=256
	ours simclr_step selfsame-go-bf16 'SimCLRStep/blocks=1$' 8x images/s SELFSAME_BENCH_ENGINE=go SELFSAME_BENCH_PRECISION=bf16 SELFSAME_BENCH_BATCH=256
	both simclr_step simclr_step.py --blocks 1 --impl channels_last --threads 2 --bf16
}

lm() {
	ours masked_lm_step selfsame-xla-fp32 MaskedLMStep 10x tokens/s SELFSAME_BENCH_ENGINE=xla SELFSAME_BENCH_PRECISION=fp32
	ours masked_lm_step selfsame-go-fp32 MaskedLMStep 10x tokens/s SELFSAME_BENCH_ENGINE=go SELFSAME_BENCH_PRECISION=fp32
	local form forms
	read -ra forms <<<"${PEERS_LM:-own eager compile compile_own}"
	for form in "${forms[@]}"; do
		case $form in compile*) command -v "${CXX:-g++}" >/dev/null || { echo "peers.sh: no C++ compiler: torch.compile is left out" >&2; continue; } ;; esac
		both masked_lm_step transformer_step.py --impl "$form" --threads 2
	done
	ours masked_lm_step selfsame-xla-bf16 MaskedLMStep 10x tokens/s SELFSAME_BENCH_ENGINE=xla SELFSAME_BENCH_PRECISION=bf16
	ours masked_lm_step selfsame-go-bf16 MaskedLMStep 10x tokens/s SELFSAME_BENCH_ENGINE=go SELFSAME_BENCH_PRECISION=bf16
	both masked_lm_step transformer_step.py --impl own --threads 2 --bf16
}

views() {
	local size
	for size in 28 32 64 96; do
		ours "views$size" selfsame "TwoViews/float/$size\$" 1s images/s
		peer "views$size" 0 augment.py --impl torchvision --size "$size" --workers 2 --count 2048 --rounds 2
		ours "views$size" selfsame-bytes "TwoViews/bytes/$size\$" 1s images/s
		peer "views$size" 0 augment.py --impl lightly --size "$size" --workers 2 --count 2048 --rounds 2
	done
}

pretrain() {
	[ -n "$fashion" ] || { : >"$tmp/err"; failed "pretrain_fashion: Fashion-MNIST is not here (make data)"; return; }
	both pretrain_fashion "$own/fashion_rate.py" --data "$fashion" --threads 2 --workers 1
	peer pretrain_fashion 1 "$own/fashion_rate.py" --data "$fashion" --threads 2 --workers 2
	ours pretrain_fashion selfsame-xla-bf16 PretrainFashion 1x images/s SELFSAME_BENCH_ENGINE=xla SELFSAME_BENCH_PRECISION=bf16
	ours pretrain_fashion selfsame-go-bf16 PretrainFashion 1x images/s SELFSAME_BENCH_ENGINE=go SELFSAME_BENCH_PRECISION=bf16
	both pretrain_fashion "$own/fashion_rate.py" --data "$fashion" --threads 2 --workers 1 --bf16
	ours pretrain_fashion selfsame-xla-fp32 PretrainFashion 1x images/s SELFSAME_BENCH_ENGINE=xla SELFSAME_BENCH_PRECISION=fp32
	ours pretrain_fashion selfsame-go-fp32 PretrainFashion 1x images/s SELFSAME_BENCH_ENGINE=go SELFSAME_BENCH_PRECISION=fp32
}

embed() {
	local bf16 engine precision
	for precision in fp32 bf16; do
		bf16=()
		if [ "$precision" = bf16 ]; then bf16=(--bf16); fi
		for engine in xla go; do
			ours embed "selfsame-$engine-$precision" 'Embed$' 5x images/s SELFSAME_BENCH_ENGINE=$engine SELFSAME_BENCH_PRECISION="$precision"
		done
		both embed "$own/embed.py" --threads 2 "${bf16[@]}"
	done
}

folder() {
	local engine precision loader
	local set=png28x1 # the pictures stay for the peer
	for engine in xla go; do
		for precision in fp32 bf16; do
			ours embed_folder "selfsame-$engine-$precision" "EmbedFolder/$set\$" 1x images/s SELFSAME_BENCH_ENGINE=$engine SELFSAME_BENCH_PRECISION="$precision" SELFSAME_BENCH_FOLDER="$tmp/pictures"
		done
	done
	for loader in workers inprocess; do
		peer embed_folder 0 "$own/embed.py" "$tmp/pictures/$set" --threads 2 --loader "$loader" --rounds 1
		peer embed_folder 1 "$own/embed.py" "$tmp/pictures/$set" --threads 2 --loader "$loader" --rounds 1
	done
}

summary() { "$PEERS_PYTHON" "$own/summary.py" "$PEERS_ROWS" "$PEERS_ROUNDS" "$@"; }

for measure in "${measures[@]}"; do
	grep -v "^$measure," "$PEERS_ROWS" >"$tmp/rows" # what is measured again
	cp "$tmp/rows" "$PEERS_ROWS"
	for round in $(seq "$PEERS_ROUNDS"); do
		echo "peers.sh: $measure, round $round of $PEERS_ROUNDS" >&2
		"$measure"
	done
	summary >"$out.new" && mv "$out.new" "$out"
done
summary --table >&2
if [ "${#failures[@]}" -gt 0 ]; then
	printf 'peers.sh: failed: %s\n' "${failures[@]}" | sort | uniq -c >&2
	exit 1
fi
echo "$out"
