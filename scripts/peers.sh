#!/usr/bin/env bash
# peers.sh OUT.csv: the set-up of recipes/fashion-full.yaml in PyTorch, about 25 minutes on 2 cores.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$1
: "${SELFSAME_CACHE:=${XDG_CACHE_HOME:-$HOME/.cache}/selfsame}"
venv=$SELFSAME_CACHE/peers
if [ ! -x "$venv/bin/python" ] || ! "$venv/bin/python" -c 'import torch' 2>/dev/null; then
	python3 -m venv "$venv"
	"$venv/bin/pip" install -q -r scripts/peers/requirements.txt
fi
data=$(bin/selfsame data fetch fashion-mnist --json | tail -1 | sed 's/.*"dir":"\([^"]*\)".*/\1/')
lines=$(mktemp)
trap 'rm -f "$lines"' EXIT
"$venv/bin/python" scripts/peers/simclr_fashion.py --data "$data" | tee "$lines"
mkdir -p "$(dirname "$out")"
{
	echo "# command: make peers (scripts/peers/simclr_fashion.py)"
	echo "# commit: $(git describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)"
	echo "# machine: $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -1), $(getconf _NPROCESSORS_ONLN) processors; $("$venv/bin/python" -c 'import torch; print("torch", torch.__version__)')"
	"$venv/bin/python" - "$lines" <<'PY'
import json, sys
print("method,task,metric,budget,seed,value")
for line in open(sys.argv[1]):
    try:
        r = json.loads(line)
    except ValueError:
        continue
    if "method" in r and "value" in r:
        print(f"{r['method']},classify,{r['metric']},{r.get('budget', 0)},{r.get('seed', 0)},{r['value']:.4f}")
PY
} >"$out.new"
mv "$out.new" "$out"
echo "$out"
