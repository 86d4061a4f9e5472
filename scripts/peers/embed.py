#!/usr/bin/env python3
"""Peer benchmark: embed images with a trained encoder in PyTorch on the CPU.

The encoder is that of simclr_step.py (--blocks basic blocks a stage), in eval
mode under torch.inference_mode, untrained. An IMAGE is one image of the input.

Without a folder: 4096 decoded uint8 images of 32x32x3 in memory to features.
With a folder: every picture in it (png, jpg) is opened and decoded by PIL (grey
stays one channel), scaled to [0, 1], embedded in batches, and the features are
written to a .npy file. --loader inprocess decodes between two batches;
--loader workers decodes in two DataLoader workers, as torchvision's ImageFolder
is usually read. Listing the folder is timed, starting Python and building the
network is not.

Variants (--impl): channels_last, eager (NCHW). --bf16 adds bf16 autocast.
PEERS_DIR names the folder of common.py and simclr_step.py.
"""
import argparse
import os
import sys
import tempfile
import time

sys.path.insert(0, os.environ.get("PEERS_DIR", "."))

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from common import peak_rss_mib, report
from simclr_step import SimCLR


class Folder(Dataset):
    """Pictures below a folder, in the order of their names, as uint8 [channels, height, width]."""

    def __init__(self, root, size):
        self.size = size
        self.paths = sorted(os.path.join(d, f) for d, _, fs in os.walk(root) for f in fs if f.lower().endswith((".png", ".jpg", ".jpeg")))

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, i):
        with Image.open(self.paths[i]) as m:
            if m.mode not in ("L", "RGB"):
                m = m.convert("RGB")
            if self.size and m.size != (self.size, self.size):
                m = m.resize((self.size, self.size), Image.BILINEAR)
            a = np.asarray(m)
        if a.ndim == 2:
            a = a[:, :, None]
        return torch.from_numpy(a.copy()).permute(2, 0, 1)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", nargs="?")
    p.add_argument("--impl", default="channels_last", choices=["eager", "channels_last"])
    p.add_argument("--bf16", action="store_true", help="bf16 autocast")
    p.add_argument("--loader", default="workers", choices=["workers", "inprocess"])
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--batch", type=int, default=256)
    p.add_argument("--blocks", type=int, default=1, help="basic blocks in each stage")
    p.add_argument("--size", type=int, default=0, help="resize to this side; 0: as stored")
    p.add_argument("--images", type=int, default=4096, help="images in memory, without a folder")
    p.add_argument("--warmup", type=int, default=1)
    p.add_argument("--rounds", type=int, default=3)
    args = p.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    layout = torch.channels_last if args.impl == "channels_last" else torch.contiguous_format

    if args.folder:
        data = Folder(args.folder, args.size)
        n, channels = len(data), data[0].shape[0]
    else:
        n, channels = args.images, 3
        pixels = torch.randint(0, 256, (n, 3, 32, 32), dtype=torch.uint8).to(memory_format=layout)

    model = SimCLR(args.blocks)
    if channels != 3:
        model.encoder[0] = torch.nn.Conv2d(channels, 32, 3, padding=1, bias=False)
    model = model.eval().to(memory_format=layout)

    def features(x):
        x = x.to(memory_format=layout).float().div_(255)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=args.bf16):
            return model.encoder(x).mean((2, 3)).float().numpy()

    def run():
        out = []
        if not args.folder:
            for i in range(0, n, args.batch):
                out.append(features(pixels[i:i + args.batch]))
            return np.concatenate(out)
        files = Folder(args.folder, args.size)
        workers = 2 if args.loader == "workers" else 0
        for x in DataLoader(files, batch_size=args.batch, num_workers=workers):
            out.append(features(x))
        with tempfile.NamedTemporaryFile(suffix=".npy") as f:
            np.save(f, np.concatenate(out))
        return out

    seconds = []
    with torch.inference_mode():
        for i in range(args.warmup + args.rounds):
            start = time.perf_counter()
            run()
            if i >= args.warmup:
                seconds.append(time.perf_counter() - start)
    impl = "torch-" + args.impl + ("-bf16" if args.bf16 else "") + ("-" + args.loader if args.folder else "")
    report("embed_folder" if args.folder else "embed", impl, args.threads, args.batch, n, seconds, "images/s",
           blocks=args.blocks, images=n, peak_rss_mib=peak_rss_mib(), torch=torch.__version__)


if __name__ == "__main__":
    main()
