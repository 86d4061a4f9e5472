#!/usr/bin/env python3
"""summary.py ROWS ROUNDS [--table]: medians and ratios of the single values that peers.sh wrote, as CSV or for people.

A ratio is selfsame's median divided by the median of the fastest form of the peer; as_started is the
same without the forms to which peers.sh gave huge pages, which nobody gets who does not ask for
them. Memory is the median of the processes' peaks. Floor and goal are those of the engine issue.
"""
import collections
import platform
import re
import statistics
import subprocess
import sys

# name, ours, pattern of the peer's forms, floor, goal
FP32, BF16 = r"torch-channels_last(\+hugetlb)?", r"torch-channels_last-bf16(\+hugetlb)?"
LM = r"torch-(own|eager|compile|compile_own)(\+hugetlb)?"
ENGINES = ("xla", "go")
FASHION, FOLDER = r"torch-fashion-workers\d", r"torch-channels_last-(workers|inprocess)(\+hugetlb)?"
COMPARISONS = [
    ("simclr_step", "selfsame-xla-fp32", FP32, 0.75, 1.0),
    ("simclr_step", "selfsame-go-fp32", FP32, 0.3, 0.5),
    *[("simclr_step", f"selfsame-{e}-bf16", p, *bars) for p, bars in ((FP32, (1.1, 2.0)), (BF16, (0.55, 1.0))) for e in ENGINES],
    *[("masked_lm_step", f"selfsame-{e}-fp32", LM, 0.85, 1.2) for e in ENGINES],
    *[("masked_lm_step", f"selfsame-{e}-bf16", r"torch-own-bf16(\+hugetlb)?", None, None) for e in ENGINES],
    *[(f"views{n}", "selfsame", p, 10, 30) for n in (28, 32, 64, 96) for p in ("torchvision", "lightly")],
    *[("pretrain_fashion", f"selfsame-{e}-bf16", FASHION + r"(\+hugetlb)?", 1.3, 2.0) for e in ENGINES],
    *[("pretrain_fashion", f"selfsame-{e}-bf16", FASHION + r"-bf16(\+hugetlb)?", None, None) for e in ENGINES],
    *[("pretrain_fashion", f"selfsame-{e}-fp32", FASHION + r"(\+hugetlb)?", None, None) for e in ENGINES],
    *[("embed_folder", f"selfsame-{e}-fp32", FOLDER, 1.2, 2.0) for e in ENGINES],
    *[("embed_folder", f"selfsame-{e}-bf16", FOLDER, None, None) for e in ENGINES],
    *[("embed", f"selfsame-{e}-fp32", FP32, None, None) for e in ENGINES],
    *[("embed", f"selfsame-{e}-bf16", BF16, None, None) for e in ENGINES],
]
SECONDS = [("simclr_step_first", f"selfsame-{e}-{p}", 8) for e in ENGINES for p in ("fp32", "bf16")] + [("masked_lm_step_first", f"selfsame-{e}-fp32", None) for e in ENGINES]


def output(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def versions():
    from importlib import metadata
    peers = ", ".join(f"{p} {metadata.version(p)}" for p in ("torch", "torchvision", "lightly", "numpy"))
    modules = ", ".join(output("go", "list", "-m", "-f", "{{.Path}} {{.Version}}", "github.com/gomlx/" + m) for m in ("gomlx", "compute", "go-xla"))
    plugin = ""
    found = re.search(r'"plugin":"([^"]+)"', output("bin/selfsame", "engine", "list", "--json"))
    if found:
        plugin = "; plugin sha256 " + output("sha256sum", found[1])[:16]
    return peers, modules + plugin


def cpu():
    try:
        with open("/proc/cpuinfo") as f:
            return next((line.split(":")[1].strip() for line in f if line.startswith("model name")), "")
    except OSError:
        return platform.processor()


class Values:
    def __init__(self, rows):
        self.v = [float(r[5]) for r in rows]
        self.median, self.min, self.max = statistics.median(self.v), min(self.v), max(self.v)
        mib = [float(r[6]) for r in rows if r[6]]
        self.mib = statistics.median(mib) if mib else None
        self.unit, self.commit, self.date = rows[-1][4], rows[-1][7], rows[-1][8]


def short(x):
    return "" if x is None else f"{x:.4g}" if abs(x) < 1000 else f"{x:.0f}"


def main():
    rows = collections.defaultdict(list)
    with open(sys.argv[1]) as f:
        for line in f:
            r = line.rstrip("\n").split(",")
            if len(r) == 9:
                rows[r[1], r[2], r[3]].append(r)
    values = {k: Values(r) for k, r in rows.items()}
    table = "--table" in sys.argv
    if not table:
        peers, ours = versions()
        print(f"# command: make peers (PEERS_ROUNDS={sys.argv[2]}); ours and the peers in turn; ratio: median of ours / median of the fastest of the peer's forms")
        print(f"# machine: {cpu()}, {output('getconf', '_NPROCESSORS_ONLN')} processors; {output('go', 'env', 'GOVERSION')}; {ours}")
        print(f"# peers: {peers}; python {platform.python_version()}")
        print("measure,ours,peer,unit,rounds,ours_median,ours_min,ours_max,peer_rounds,peer_median,peer_min,peer_max,ratio,as_started,floor,goal,ours_peak_mib,peer_peak_mib,memory_ratio,commit,date")
    missing = []
    for name, impl, pattern, floor, goal in COMPARISONS:
        o = values.get((name, "selfsame", impl))
        p = [(k[2], v) for k, v in values.items() if k[0] == name and k[1] == "peer" and re.fullmatch(pattern, k[2])]
        if o is None or not p:
            missing.append(f"{name} {impl}")
            continue
        plain = max((v.median for k, v in p if not k.endswith("+hugetlb")), default=None)
        plain = o.median / plain if plain else None
        who, p = max(p, key=lambda kv: kv[1].median)
        ratio = o.median / p.median
        memory = o.mib / p.mib if o.mib and p.mib else None
        if table:
            says = "" if floor is None else "goal" if ratio >= goal else "floor" if ratio >= floor else "BELOW"
            print(f"{name:17} {impl:18} {short(o.median):>7} | {who:33} {short(p.median):>7} {o.unit:9} ratio {ratio:6.3g} (as started {short(plain)}; floor {short(floor)}, goal {short(goal)}) {says:6} MiB {short(o.mib)}/{short(p.mib)} = {short(memory)}")
            continue
        print(name, impl, who, o.unit, len(o.v), *map(short, (o.median, o.min, o.max)), len(p.v), *map(short, (p.median, p.min, p.max)),
              f"{ratio:.3f}", short(plain), short(floor), short(goal), short(o.mib), short(p.mib), short(memory), o.commit, o.date, sep=",")
    for name, impl, limit in SECONDS:
        o = values.get((name, "selfsame", impl))
        if o is None:
            missing.append(f"{name} {impl}")
        elif table:
            print(f"{name:17} {impl:18} {short(o.median):>7} s (at most {short(limit)}): opening the engine, compiling, first step")
        else:
            print(name, impl, "", "s", len(o.v), *map(short, (o.median, o.min, o.max)), "", "", "", "", "", "", short(limit), "", short(o.mib), "", "", o.commit, o.date, sep=",")
    if table and missing:
        print("not measured:", "; ".join(missing))


if __name__ == "__main__":
    main()
