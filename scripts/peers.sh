#!/usr/bin/env bash
# peers.sh OUT.csv: selfsame's steps and views beside the same work in PyTorch, interleaved, with medians and ratios.
#   PEERS_PYTHON  python with torch, torchvision and lightly (a virtual environment outside the repository)
#   PEERS_DIR     folder of the peer programs (default ../shared/peers)
#   PEERS_ROUNDS  rounds (default 5; one round takes about three minutes on 2 cores)
set -euo pipefail
cd "$(dirname "$0")/.."
out=$1
: "${PEERS_PYTHON:?is not set: the python of an environment that has torch (see requirements.txt in PEERS_DIR)}"
: "${PEERS_DIR:=../shared/peers}" "${PEERS_ROUNDS:=5}"
[ -f "$PEERS_DIR/simclr_step.py" ] || { echo "peers.sh: $PEERS_DIR holds no simclr_step.py (PEERS_DIR)" >&2; exit 2; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
go test -c -o "$tmp/bench" ./bench
go test -c -o "$tmp/views" ./domain/image
export GLIBC_TUNABLES=glibc.malloc.hugetlb=1

# ours MEASURE IMPL BINARY BENCHMARK UNIT ENV...: one line "measure,side,impl,value,unit,MiB"
ours() {
	local measure=$1 impl=$2 binary=$3 bench=$4 unit=$5
	shift 5
	env "$@" /usr/bin/env bash -c 'TIMEFORMAT=; '"$tmp/$binary"' -test.run "^$" -test.bench "'"$bench"'" -test.benchtime 5x' 2>&1 |
		awk -v m="$measure" -v i="$impl" -v u="$unit" '{ for (k = 2; k <= NF; k++) if ($k == u) print m ",selfsame," i "," $(k - 1) "," u "," }'
}

# peer MEASURE PROGRAM ARGS...
peer() {
	local measure=$1 program=$2
	shift 2
	(cd "$PEERS_DIR" && "$PEERS_PYTHON" "$program" "$@") |
		"$PEERS_PYTHON" -c 'import json, sys
for line in sys.stdin:
    r = json.loads(line)
    print(",".join([sys.argv[1], "peer", r["impl"], str(r["median"]), r["unit"], str(r.get("peak_rss_mib", ""))]))' "$measure"
}

for round in $(seq "$PEERS_ROUNDS"); do
	echo "round $round of $PEERS_ROUNDS" >&2
	ours simclr_step selfsame-xla-fp32 bench 'BenchmarkSimCLRStep/blocks=1' images/s SELFSAME_BENCH_ENGINE=xla SELFSAME_BENCH_PRECISION=fp32
	peer simclr_step simclr_step.py --blocks 1 --impl channels_last
	ours simclr_step selfsame-xla-bf16 bench 'BenchmarkSimCLRStep/blocks=1' images/s SELFSAME_BENCH_ENGINE=xla SELFSAME_BENCH_PRECISION=bf16
	peer simclr_step simclr_step.py --blocks 1 --impl channels_last --bf16
	ours simclr_step selfsame-go bench 'BenchmarkSimCLRStep/blocks=1' images/s SELFSAME_BENCH_ENGINE=go
	ours masked_lm_step selfsame-xla-fp32 bench BenchmarkMaskedLMStep tokens/s SELFSAME_BENCH_ENGINE=xla SELFSAME_BENCH_PRECISION=fp32
	peer masked_lm_step transformer_step.py --impl own
	peer masked_lm_step transformer_step.py --impl eager
	ours views28 selfsame views 'BenchmarkTwoViews28' images/s A=
	peer views28 augment.py --impl torchvision --size 28
	ours views96 selfsame views 'BenchmarkTwoViews96' images/s A=
	peer views96 augment.py --impl torchvision --size 96
	peer views96 augment.py --impl lightly --size 96
done >"$tmp/rows"

mkdir -p "$(dirname "$out")"
"$PEERS_PYTHON" - "$tmp/rows" >"$out.new" <<PY
import collections, statistics, sys
print("# command: make peers; rounds: $PEERS_ROUNDS, interleaved; ratio: selfsame's median divided by the peer's")
print("# commit: $(git describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)")
print("# machine: $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -1), $(getconf _NPROCESSORS_ONLN) processors; $(go version | cut -d' ' -f3,4); $("$PEERS_PYTHON" -c 'import torch; print("torch", torch.__version__)')")
rows = collections.defaultdict(list)
for line in open(sys.argv[1]):
    m, side, impl, value, unit, mib = line.rstrip("\n").split(",")
    rows[m, side, impl, unit].append((float(value), mib))
print("measure,side,impl,unit,rounds,median,min,max,peak_mib,against,ratio")
for (m, side, impl, unit), vs in rows.items():
    v = [x for x, _ in vs]
    mibs = [float(x) for _, x in vs if x]
    base = [m, side, impl, unit, len(v), round(statistics.median(v), 1), min(v), max(v), round(statistics.median(mibs)) if mibs else ""]
    peers = [(k[2], statistics.median([x for x, _ in w])) for k, w in rows.items() if k[0] == m and k[1] == "peer"]
    if side == "peer" or not peers:
        print(*base, "", "", sep=",")
    for name, p in peers if side == "selfsame" else []:
        print(*base, name, round(statistics.median(v) / p, 3), sep=",")
PY
mv "$out.new" "$out"
echo "$out"
