#!/usr/bin/env python3
"""Times the preparation of pictures for training, ours and PyTorch's `DataLoader`.

    pip install torch numpy pillow
    python benches/compare_dataloader.py

Both read the same WebDataset archive of JPEG pictures of 640 x 480 pixels, decode them, resize
them to 448 x 448 pixels by Pillow's bicubic filter, scale and normalise them, and make batches
of 16. The loader of PyTorch has as many worker processes as ours has threads; it starts before
the clock does and keeps them.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

try:
    import numpy as np
    import torch
    from PIL import Image
    from torch.utils.data import DataLoader, IterableDataset, get_worker_info
except ModuleNotFoundError as missing:
    sys.exit(f"compare_dataloader.py needs {missing.name}: pip install torch numpy pillow")

ROOT = Path(__file__).resolve().parent.parent
SIZE, BATCH, PICTURES, ROUNDS = 448, 16, 256, 5


def write_archive(path: Path) -> None:
    """Smooth noise in three sizes, with about as many coefficients as photographs."""
    rng = np.random.default_rng(0)
    with tarfile.open(path, "w") as archive:
        for number in range(PICTURES):
            layers = []
            for side, strength in ((4, 160), (30, 60), (160, 24)):
                noise = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
                layer = Image.fromarray(noise).resize((640, 480), Image.Resampling.BICUBIC)
                layers.append(np.asarray(layer, np.float32) / 255 * strength)
            picture = Image.fromarray(sum(layers).clip(0, 255).astype(np.uint8))
            jpeg = io.BytesIO()
            picture.save(jpeg, "JPEG", quality=85)
            for extension, content in (("jpg", jpeg.getvalue()), ("txt", b"a picture")):
                entry = tarfile.TarInfo(f"{number:06}.{extension}")
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))


class Shard(IterableDataset):
    """The pictures of an archive; a worker prepares each n-th of them."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __iter__(self) -> Iterator[torch.Tensor]:
        info = get_worker_info()
        number, workers = (info.id, info.num_workers) if info else (0, 1)
        with tarfile.open(self.path) as archive:
            entries = (entry for entry in archive if entry.name.endswith(".jpg"))
            for place, entry in enumerate(entries):
                if place % workers != number:
                    continue
                picture = Image.open(archive.extractfile(entry)).convert("RGB")
                picture = picture.resize((SIZE, SIZE), Image.Resampling.BICUBIC)
                values = torch.from_numpy(np.array(picture)).permute(2, 0, 1)
                yield values.float().div_(255).sub_(0.5).div_(0.5)


def torch_seconds(path: Path, workers: int) -> float:
    """The median time of an epoch."""
    loader = DataLoader(
        Shard(path), batch_size=BATCH, num_workers=workers, persistent_workers=True
    )
    times = []
    for _ in range(ROUNDS + 1):
        start = time.perf_counter()
        pictures = sum(len(batch) for batch in loader)
        times.append(time.perf_counter() - start)
        assert pictures == PICTURES
    return statistics.median(times[1:])


def our_seconds(path: Path) -> dict[int, float]:
    """The medians of criterion, by workers."""
    command = ["cargo", "bench", "-p", "mpm-benches", "--profile", "dev", "--bench", "dataset"]
    environment = {**os.environ, "MPM_BENCH_SHARD": str(path)}
    subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=sys.stderr)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    medians = {}
    for workers in (1, 2):
        file = target / "criterion/dataset/webdataset" / str(workers) / "new/estimates.json"
        medians[workers] = json.loads(file.read_text())["median"]["point_estimate"] / 1e9
    return medians


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shard.tar"
        write_archive(path)
        ours = our_seconds(path)
        print("| workers | ours, pictures/s | PyTorch, pictures/s | ratio |")
        print("|---:|---:|---:|---:|")
        for workers, seconds in ours.items():
            theirs = torch_seconds(path, workers)
            figures = f"{PICTURES / seconds:.0f} | {PICTURES / theirs:.0f}"
            print(f"| {workers} | {figures} | {theirs / seconds:.2f} |")


if __name__ == "__main__":
    main()
