#!/usr/bin/env python3
"""Peer benchmark: the rate of simclr_fashion.py's pretraining, over a few of its steps.

Runs the unchanged `pretrain` of PEERS_DIR/simclr_fashion.py (data loader, views, step) on the
first samples of Fashion-MNIST and takes the time from step to step. What is counted: images/s; each
image gives two views. One step is timed from one loss to the next: it holds backward, update,
waiting for the next batch, and forward.
"""
import argparse
import contextlib
import io
import os
import sys
import time

sys.path.insert(0, os.environ["PEERS_DIR"])

import torch  # noqa: E402

import simclr_fashion as peer  # noqa: E402
from common import peak_rss_mib, report  # noqa: E402


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--data", required=True, help="folder of the four idx-ubyte.gz files")
    p.add_argument("--width", type=int, default=16)
    p.add_argument("--batch", type=int, default=256)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--workers", type=int, default=1)
    p.add_argument("--bf16", action="store_true", help="bf16 autocast around pretraining")
    p.add_argument("--warmup", type=int, default=5)
    p.add_argument("--steps", type=int, default=30, help="timed steps")
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(0)
    (x, _), _, _ = peer.load(a.data)
    net = peer.Net(a.width)
    net.train()

    at, nt_xent = [], peer.nt_xent

    def timed(*args):
        loss = nt_xent(*args)
        at.append(time.perf_counter())
        return loss

    peer.nt_xent = timed
    rows = a.batch * (a.warmup + a.steps + 1)
    if rows > len(x):
        sys.exit(f"fashion_rate.py: {rows} samples are needed, there are {len(x)}")
    with contextlib.redirect_stdout(io.StringIO()), torch.autocast("cpu", dtype=torch.bfloat16, enabled=a.bf16):
        peer.pretrain(net, x[:rows], 1, a.batch, a.workers)
    at = at[a.warmup:]
    # Batches that the workers had made ready during the warm-up are no gain: the rate is that of all timed steps.
    seconds = [(at[-1] - at[0]) / (len(at) - 1)]
    impl = f"torch-fashion-workers{a.workers}" + ("-bf16" if a.bf16 else "")
    report("pretrain_fashion", impl, a.threads, a.batch, a.batch, seconds, "images/s",
           steps=len(at) - 1, peak_rss_mib=peak_rss_mib(), torch=torch.__version__)


if __name__ == "__main__":
    main()
