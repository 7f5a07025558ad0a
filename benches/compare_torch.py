#!/usr/bin/env python3
"""Times this workspace and PyTorch on the same shapes, and prints the ratios.

    pip install torch diffusers
    python benches/compare_torch.py            # runs the criterion suites first
    python benches/compare_torch.py --no-run   # takes their last results

Both run in f32 on the CPU with the same number of threads. The models are written in
plain PyTorch with its own operations (`layer_norm`, `gelu`, `scaled_dot_product_attention`),
run eagerly, and skip what ours skip: in the last layer of BEiT-3 only the queries are
computed. Stable Diffusion's are those of diffusers. Weights are random; nothing is
downloaded.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

try:
    import torch
    import torch.nn.functional as F
    from torch import Tensor, nn
    from torch.utils import benchmark
except ModuleNotFoundError:
    sys.exit("compare_torch.py needs PyTorch: pip install torch")

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Case:
    """One row of the table."""

    name: str
    suite: str
    """The criterion suite, a file of `benches/benches/`."""
    benchmark: str
    """Its benchmark, which is also where criterion keeps the results."""
    prepare: Callable[[], Callable[[], object]]
    """Makes weights and inputs and returns what is to be timed."""


# Operations


def gelu() -> Callable[[], Tensor]:
    x = torch.randn(4096, 4096)
    return lambda: F.gelu(x)


def gated_gelu() -> Callable[[], Tensor]:
    gate, value = torch.randn(4096, 4096), torch.randn(4096, 4096)
    return lambda: F.gelu(gate) * value


def rms_normalise(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps) * weight


def rms_norm() -> Callable[[], Tensor]:
    x, weight = torch.randn(512, 4096), torch.randn(4096)
    return lambda: rms_normalise(x, weight, 1e-6)


def rms_norm_builtin() -> Callable[[], Tensor]:
    x, weight = torch.randn(512, 4096), torch.randn(4096)
    return lambda: F.rms_norm(x, (4096,), weight, 1e-6)


def attention_inputs(len_q: int, len_k: int) -> list[Tensor]:
    heads, width = 32, 128
    shapes = [(len_q, width), (len_k, width), (len_k, width), (len_q, len_k)]
    return [torch.randn(1, heads, *shape) for shape in shapes]


def attention_composed(len_q: int, len_k: int) -> Callable[[], Tensor]:
    query, key, value, bias = attention_inputs(len_q, len_k)
    scale = query.shape[-1] ** -0.5
    return lambda: (query @ key.mT * scale + bias).softmax(-1) @ value


def attention_sdpa(len_q: int, len_k: int) -> Callable[[], Tensor]:
    query, key, value, bias = attention_inputs(len_q, len_k)
    return lambda: F.scaled_dot_product_attention(query, key, value, attn_mask=bias)


def linear(rows: int, d_in: int, d_out: int) -> Callable[[], Tensor]:
    x, weight = torch.randn(rows, d_in), torch.randn(d_out, d_in)
    return lambda: F.linear(x, weight)


def silu() -> Callable[[], Tensor]:
    x = torch.randn(4096, 4096)
    return lambda: F.silu(x)


def group_norm_silu(batch: int, channels: int, side: int) -> Callable[[], Tensor]:
    x = torch.randn(batch, channels, side, side)
    weight, bias = torch.randn(channels), torch.randn(channels)
    return lambda: F.silu(F.group_norm(x, 32, weight, bias))


def picture_attention(
    batch: int, heads: int, len_q: int, len_k: int, width: int
) -> Callable[[], Tensor]:
    lengths = (len_q, len_k, len_k)
    query, key, value = (torch.randn(batch, n, heads, width).transpose(1, 2) for n in lengths)
    return lambda: F.scaled_dot_product_attention(query, key, value)


def conv2d(
    batch: int, c_in: int, c_out: int, side: int, kernel: int, stride: int
) -> Callable[[], Tensor]:
    x, weight = torch.randn(batch, c_in, side, side), torch.randn(c_out, c_in, kernel, kernel)
    return lambda: F.conv2d(x, weight, stride=stride, padding=kernel // 2)


def conv2d_training(batch: int, channels: int, side: int) -> Callable[[], None]:
    pictures = (batch, channels, side, side)
    x = torch.randn(pictures, requires_grad=True)
    weight = torch.randn(channels, channels, 3, 3, requires_grad=True)
    grad = torch.randn(pictures)

    def step() -> None:
        x.grad = weight.grad = None
        # the other cases need no gradients
        with torch.inference_mode(False), torch.enable_grad():
            (F.conv2d(x, weight, padding=1) * grad).sum().backward()

    return step


# BEiT-3 large


class Expert(nn.Module):
    """What a layer of BEiT-3 has once for the picture's tokens and once for the queries."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.q, self.k, self.v, self.out = (nn.Linear(width, width) for _ in range(4))
        self.inner_norm = nn.LayerNorm(width)
        self.ffn_norm = nn.LayerNorm(width)
        self.ffn = nn.Sequential(
            nn.Linear(width, hidden), nn.GELU(), nn.LayerNorm(hidden), nn.Linear(hidden, width)
        )


class Beit3Layer(nn.Module):
    def __init__(self, width: int, hidden: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.experts = nn.ModuleList(Expert(width, hidden) for _ in range(2))

    def split_heads(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def forward(self, parts: list[Tensor], only_queries: bool) -> list[Tensor]:
        normed = [e.attention_norm(x) for e, x in zip(self.experts, parts)]
        keys = [e.k(x) for e, x in zip(self.experts, normed)]
        values = [e.v(x) for e, x in zip(self.experts, normed)]
        key, value = (self.split_heads(torch.cat(states, 1)) for states in (keys, values))
        outputs = []
        for index in [1] if only_queries else [0, 1]:
            expert, x = self.experts[index], parts[index]
            query = self.split_heads(expert.q(normed[index]))
            attended = F.scaled_dot_product_attention(query, key, value)
            attended = attended.transpose(1, 2).flatten(2)
            x = x + expert.out(expert.inner_norm(attended))
            outputs.append(x + expert.ffn(expert.ffn_norm(x)))
        return outputs


class Beit3Large(nn.Module):
    width, hidden, heads, layers, side, patch, queries = 1024, 4096, 16, 24, 224, 16, 64

    def __init__(self) -> None:
        super().__init__()
        tokens = 1 + (self.side // self.patch) ** 2
        self.patches = nn.Conv2d(3, self.width, self.patch, self.patch)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, self.width))
        self.picture_positions = nn.Parameter(torch.randn(tokens, self.width))
        self.query_positions = nn.Parameter(torch.randn(self.queries, self.width))
        self.stack = nn.ModuleList(
            Beit3Layer(self.width, self.hidden, self.heads) for _ in range(self.layers)
        )
        self.norm = nn.LayerNorm(self.width)

    def forward(self, pixels: Tensor, queries: Tensor) -> Tensor:
        patches = self.patches(pixels).flatten(2).mT
        batch = pixels.shape[0]
        picture = torch.cat([self.cls_token.expand(batch, -1, -1), patches], 1)
        parts = [
            picture + self.picture_positions,
            (queries + self.query_positions).expand(batch, -1, -1),
        ]
        for layer in self.stack[:-1]:
            parts = layer(parts, only_queries=False)
        (states,) = self.stack[-1](parts, only_queries=True)
        return self.norm(states)


def beit3_large() -> Callable[[], Tensor]:
    model = Beit3Large()
    pixels = torch.randn(1, 3, model.side, model.side)
    queries = torch.randn(model.queries, model.width)
    return lambda: model(pixels, queries)


# One layer of CPM-Bee


class CpmBeeLayer:
    width, hidden, heads, head_width = 4096, 10240, 32, 128
    distance_buckets, segment_buckets, max_distance = 256, 256, 2048
    eps, residual_divisor = 1e-6, 1.05

    def __init__(self) -> None:
        inner = self.heads * self.head_width
        self.q, self.k, self.v = (torch.randn(inner, self.width) for _ in range(3))
        self.out = torch.randn(self.width, inner)
        self.gate, self.value = (torch.randn(self.hidden, self.width) for _ in range(2))
        self.down = torch.randn(self.width, self.hidden)
        self.norms = torch.ones(3, self.width)
        self.bias_table = torch.randn(self.distance_buckets + self.segment_buckets, self.heads)

    @staticmethod
    def project(x: Tensor, *weights: Tensor) -> list[Tensor]:
        scaled = x / math.sqrt(x.shape[-1])
        return [F.linear(scaled, weight) for weight in weights]

    def split_heads(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, self.head_width)).transpose(1, 2)

    def bias(self, queries: Tensor, keys: Tensor) -> Tensor:
        """The bias of tokens within one segment, `[1, heads, len_q, len_k]`."""
        distance = keys - queries[:, None]
        half = self.distance_buckets // 2
        exact = half // 2
        size = distance.abs()
        # The smaller ones take the other branch: any positive number will do.
        ratio = (size.clamp(min=1).float() / exact).log() / math.log(self.max_distance / exact)
        large = (exact + (ratio * (half - exact)).long()).clamp(max=half - 1)
        bucket = torch.where(size < exact, size, large) + half * (distance > 0)
        # For each head in turn, so that the keys are innermost.
        bias = self.bias_table.T[:, bucket]
        # All of these tokens are context: everybody sees them.
        hidden = torch.zeros(bucket.shape, dtype=torch.bool)
        return bias.masked_fill(hidden, -math.inf)[None]

    def forward(self, x: Tensor, cache: list[Tensor], start: int) -> Tensor:
        """Reads tokens `start..` of each row into the preallocated cache, in place."""
        end = start + x.shape[1]
        bias = self.bias(torch.arange(start, end), torch.arange(end))
        normed = rms_normalise(x, self.norms[0], self.eps)
        query, *new = map(self.split_heads, self.project(normed, self.q, self.k, self.v))
        for buffer, states in zip(cache, new):
            buffer[:, :, start:end] = states
        key, value = (buffer[:, :, :end] for buffer in cache)
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        (change,) = self.project(attended.transpose(1, 2).flatten(2), self.out)
        x = (x + change) / self.residual_divisor
        normed = rms_normalise(x, self.norms[1], self.eps)
        gate, value = self.project(normed, self.gate, self.value)
        (change,) = self.project(F.gelu(gate) * value, self.down)
        x = (x + change) / self.residual_divisor
        return rms_normalise(x, self.norms[2], self.eps)

    def empty_cache(self, batch: int, capacity: int) -> list[Tensor]:
        return [torch.zeros(batch, self.heads, capacity, self.head_width) for _ in range(2)]


@cache
def cpm_bee_layer() -> CpmBeeLayer:
    """One for all of its cases: the weights take 0.8 GB."""
    return CpmBeeLayer()


def cpm_bee_read(batch: int, length: int, start: int) -> Callable[[], Tensor]:
    """Reads `length` tokens when `start` are in the cache, over and over at the same place."""
    layer = cpm_bee_layer()
    cache_ = [buffer.normal_() for buffer in layer.empty_cache(batch, start + length)]
    x = torch.randn(batch, length, layer.width)
    return lambda: layer.forward(x, cache_, start)


# Stable Diffusion 2.1


def diffusers_model(name: str, **config: object) -> nn.Module:
    """A model of random weights; diffusers is only needed for its cases."""
    try:
        import diffusers
    except ModuleNotFoundError:
        sys.exit("the cases of Stable Diffusion need diffusers: pip install diffusers")
    return getattr(diffusers, name)(**config).eval()


def sd21_unet() -> Callable[[], Tensor]:
    unet = diffusers_model(
        "UNet2DConditionModel",
        sample_size=64,
        block_out_channels=(320, 640, 1280, 1280),
        cross_attention_dim=1024,
        attention_head_dim=(5, 10, 20, 20),
        use_linear_projection=True,
    )
    sample, states = torch.randn(2, 4, 64, 64), torch.randn(2, 77, 1024)
    return lambda: unet(sample, 500, states).sample


def sd_vae_decode() -> Callable[[], Tensor]:
    vae = diffusers_model(
        "AutoencoderKL",
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(128, 256, 512, 512),
        layers_per_block=2,
        latent_channels=4,
    )
    latents = torch.randn(1, 4, 64, 64)
    return lambda: vae.decode(latents).sample


def cases() -> list[Case]:
    rows = [
        Case("SD 2.1 UNet, 64 x 64, batch 2", "paint", "sd21-unet-64x64-b2/flex", sd21_unet),
        Case("SD autoencoder, decode to 512 x 512", "paint", "sd-vae-decode-512/flex",
             sd_vae_decode),
    ]
    rows += [
        Case("BEiT-3 large, 224 px, 64 queries", "beit3", "beit3-large-224-q64/flex", beit3_large)
    ]
    for batch in (1, 3):
        rows += [
            Case(
                f"CPM-Bee layer, prefill 128, batch {batch}",
                "cpm_bee",
                f"cpm-bee-layer-prefill-128/flex/{batch}",
                lambda batch=batch: cpm_bee_read(batch, 128, 0),
            ),
            Case(
                f"CPM-Bee layer, decode with 512, batch {batch}",
                "cpm_bee",
                f"cpm-bee-layer-decode-512/flex/{batch}",
                lambda batch=batch: cpm_bee_read(batch, 1, 512),
            ),
        ]
    rows += [
        Case("GELU, 4096 x 4096", "kernels", "gelu-4096x4096/fused", gelu),
        Case("gated GELU, 4096 x 4096", "kernels", "gelu-4096x4096/gated-fused", gated_gelu),
        Case("RMS norm, 512 x 4096", "kernels", "rms-norm-512x4096/fused", rms_norm),
    ]
    if hasattr(F, "rms_norm"):
        rows.append(
            Case(
                "RMS norm, 512 x 4096 (`F.rms_norm`)",
                "kernels",
                "rms-norm-512x4096/fused",
                rms_norm_builtin,
            )
        )
    for kind, q, k in (("prefill", 128, 128), ("prefill", 1024, 1024), ("decode", 1, 640)):
        for way, prepare in (("composed", attention_composed), ("SDPA", attention_sdpa)):
            rows.append(
                Case(
                    f"attention, 32 heads x 128, {q} x {k} (PyTorch: {way})",
                    "kernels",
                    f"attention-{kind}-h32-{q}x{k}/fused",
                    lambda prepare=prepare, q=q, k=k: prepare(q, k),
                )
            )
    for shape in ((1, 4096, 10240), (3, 4096, 10240), (64, 1024, 4096), (197, 1024, 4096)):
        count, d_in, d_out = shape
        rows.append(
            Case(
                f"linear, {count} x {d_in} to {d_out}",
                "kernels",
                f"linear-f32-{count}x{d_in}x{d_out}/fused",
                lambda shape=shape: linear(*shape),
            )
        )
    rows.append(Case("SiLU, 4096 x 4096", "kernels", "silu-4096x4096/fused", silu))
    for shape in ((2, 320, 64), (2, 1280, 16), (1, 256, 256), (32, 64, 16)):
        batch, channels, side = shape
        rows.append(
            Case(
                f"group norm and SiLU, {batch} x {channels} x {side} x {side}",
                "kernels",
                f"group-norm-silu-{batch}x{channels}x{side}/fused",
                lambda shape=shape: group_norm_silu(*shape),
            )
        )
    for shape in (
        (2, 5, 4096, 4096, 64),
        (2, 10, 1024, 1024, 64),
        (2, 20, 256, 256, 64),
        (2, 5, 4096, 77, 64),
        (1, 1, 4096, 4096, 512),
    ):
        batch, heads, q, k, width = shape
        rows.append(
            Case(
                f"attention, {batch} x {heads} heads x {width}, {q} x {k} (PyTorch: SDPA)",
                "kernels",
                f"attention-picture-{batch}x{heads}-{q}x{k}-d{width}/fused",
                lambda shape=shape: picture_attention(*shape),
            )
        )
    for shape in (
        (2, 320, 320, 64, 3, 1),
        (2, 960, 320, 64, 3, 1),
        (2, 640, 640, 32, 3, 1),
        (2, 1280, 1280, 16, 3, 1),
        (2, 1280, 1280, 8, 3, 1),
        (2, 320, 320, 64, 3, 2),
        (2, 960, 320, 64, 1, 1),
        (1, 512, 512, 64, 3, 1),
        (1, 256, 256, 256, 3, 1),
        (32, 64, 64, 16, 3, 1),
    ):
        batch, c_in, c_out, side, kernel, stride = shape
        rows.append(
            Case(
                f"conv2d {kernel} x {kernel}, stride {stride}, "
                f"{batch} x {c_in} x {side} x {side} to {c_out}",
                "kernels",
                f"conv2d-{batch}x{c_in}x{side}-to-{c_out}-k{kernel}-s{stride}/fused",
                lambda shape=shape: conv2d(*shape),
            )
        )
    for shape in ((32, 64, 16), (32, 128, 8)):
        batch, channels, side = shape
        rows.append(
            Case(
                f"conv2d 3 x 3 and its gradients, {batch} x {channels} x {side} x {side}",
                "kernels",
                f"conv2d-training-{batch}x{channels}x{side}/fused",
                lambda shape=shape: conv2d_training(*shape),
            )
        )
    return rows


# Measuring


def run_criterion(selected: Iterable[Case], threads: int) -> None:
    suites: dict[str, set[str]] = {}
    for case in selected:
        suites.setdefault(case.suite, set()).add(case.benchmark)
    environment = os.environ | {"RAYON_NUM_THREADS": str(threads), "MPM_BENCH_BACKEND": "flex"}
    for suite, benchmarks in suites.items():
        only = "|".join(map(re.escape, sorted(benchmarks)))
        command = ["cargo", "bench", "--workspace", "--profile", "dev", "--bench", suite]
        command += ["--", f"^({only})$"]
        print("$", " ".join(command), file=sys.stderr)
        # The table alone goes to standard output.
        subprocess.run(command, cwd=ROOT, env=environment, stdout=sys.stderr, check=True)


def criterion_folder() -> Path:
    """Where criterion keeps its results: it looks in this order, from the package's folder."""
    package = ROOT / "benches"
    if home := os.environ.get("CRITERION_HOME"):
        return package / home
    if target := os.environ.get("CARGO_TARGET_DIR"):
        return package / target / "criterion"
    command = ["cargo", "metadata", "--format-version", "1", "--no-deps"]
    metadata = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    return Path(json.loads(metadata)["target_directory"]) / "criterion"


def criterion_median(folder: Path, case: Case) -> float | None:
    """In milliseconds; `None` where the benchmark was never run."""
    file = folder / case.benchmark / "new" / "estimates.json"
    if not file.is_file():
        return None
    return json.loads(file.read_text())["median"]["point_estimate"] / 1e6


def torch_median(case: Case, threads: int, seconds: float) -> float:
    """In milliseconds, after a warm-up."""
    work = case.prepare()
    with torch.inference_mode():
        start = time.monotonic()
        for _ in range(3):
            work()
            if time.monotonic() - start > seconds:
                break
        timer = benchmark.Timer("work()", globals={"work": work}, num_threads=threads)
        median = timer.blocked_autorange(min_run_time=seconds).median * 1e3
    report_peak_memory(case)
    return median


def report_peak_memory(case: Case) -> None:
    """Prints the most memory that was held since the last call, as our suite `paint` does."""
    try:
        status = Path("/proc/self/status").read_text()
        peak = re.search(r"VmHWM:\s+(\d+) kB", status)
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return
    if peak and case.suite == "paint":
        print(f"{case.name}: peak memory {int(peak[1]) // 1000} MB", file=sys.stderr)


# Reporting


def output_of(*command: str) -> str:
    try:
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return result.stdout.strip()


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def report(rows: list[tuple[Case, float | None, float]], threads: int, ran: bool) -> None:
    ours = "" if ran else " (ours: as in the last `cargo bench`)"
    print(f"- machine: {processor()}, {os.cpu_count()} logical cores, {platform.platform()}")
    print(f"- threads: {threads}{ours}")
    print(f"- ours: {output_of('git', 'describe', '--always', '--dirty')}, Flex, f32, "
          f"{output_of('rustc', '--version')}")
    print(f"- PyTorch: {torch.__version__}, eager, f32, Python {platform.python_version()}")
    print("- medians; a ratio below 1 means that ours is faster\n")
    print("| case | ours, ms | PyTorch, ms | ratio |")
    print("|---|---:|---:|---:|")
    for case, mine, theirs in rows:
        figures = ("not run", "") if mine is None else (f"{mine:.3f}", f"{mine / theirs:.2f}")
        print(f"| {case.name} | {figures[0]} | {theirs:.3f} | {figures[1]} |")


def arguments() -> argparse.Namespace:
    try:
        available = len(os.sched_getaffinity(0))
    except AttributeError:
        available = os.cpu_count() or 1
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--no-run", action="store_true", help="take the results of the last `cargo bench`"
    )
    parser.add_argument(
        "--threads", type=int, default=available, help="of both sides (default: %(default)s)"
    )
    parser.add_argument(
        "--only", metavar="REGEX", default="", help="cases whose name or benchmark matches"
    )
    parser.add_argument(
        "--seconds", type=float, default=5.0,
        help="to time each case of PyTorch, at least (default: %(default)s)",
    )
    options = parser.parse_args()
    if options.threads < 1:
        parser.error("--threads: at least 1")
    return options


def main() -> None:
    options = arguments()
    wanted = re.compile(options.only)
    selected = [c for c in cases() if wanted.search(c.name) or wanted.search(c.benchmark)]
    if not selected:
        sys.exit(f"no case matches `{options.only}`")
    torch.manual_seed(0)
    torch.set_num_threads(options.threads)
    if not options.no_run:
        run_criterion(selected, options.threads)
    folder = criterion_folder()
    rows = []
    for case in selected:
        print(f"PyTorch: {case.name}", file=sys.stderr)
        theirs = torch_median(case, options.threads, options.seconds)
        rows.append((case, criterion_median(folder, case), theirs))
    report(rows, options.threads, ran=not options.no_run)


if __name__ == "__main__":
    main()
