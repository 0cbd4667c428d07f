#!/usr/bin/python3
"""Train the bench's networks with PyTorch, in turns with Espalier, one thread each, and print the ratio.

Usage: pytorch.py PATH-TO-bench/train [NETWORK...]
       pytorch.py --cuda [NETWORK...]       PyTorch alone, on a GPU: float32 with and without TF32, autocast;
                                            eager and with CUDA graphs, batches of 64 and 512

PyTorch gets its better memory format, and malloc settings that keep large blocks (without them it spends much of its
time in page faults). Times are those of the fastest tenth of the steps, in CPU time; the two take turns, because a shared machine's
speed drifts.
"""
import os
import subprocess
import sys
import time

TUNING = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": "4000000000",
    "MALLOC_TRIM_THRESHOLD_": "8000000000",
    "MALLOC_TOP_PAD_": "67108864",
}
if any(os.environ.get(name) != value for name, value in TUNING.items()):
    os.execve(sys.executable, [sys.executable] + sys.argv, {**os.environ, **TUNING})

import torch  # noqa: E402
from torch import nn  # noqa: E402

BATCH = 64
ROUNDS = 4
SECONDS = 1.5
NETWORKS = {
    "TINY": [4, "P", 4, "P", 4, "P", 4, "A", (8,)],
    "SMALL": [16, "P", 32, "P", 64, "P", 128, "A", (256,)],
    "MID": [32, 32, "P", 64, 64, "P", 128, 128, "P", 192, 192, "A", (256,)],
    "BIG": [64] * 4 + ["P"] + [128] * 4 + ["P"] + [256] * 4 + ["P"] + [256] * 3 + ["A", (512,)],
    "MOBILE": [16] + ["M", "M", "S32/2"] + ["M"] * 4 + ["S64/2"] + ["M"] * 4 + ["S96/1"] + ["M"] * 3 + ["A8"],
    "RES": [16] + ["R"] * 3 + ["C32/2"] + ["R"] * 3 + ["C64/2"] + ["R"] * 3 + ["A8"],
}


def conv(inputs, outputs, kernel, stride=1, groups=1):
    return [nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True)]


class Residual(nn.Module):
    """R and M: nothing follows the addition."""

    def __init__(self, layers):
        super().__init__()
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, x):
        return x + self.layers(x)


def block(layer, channels):
    """R, M with expansion 3, C and S with filters and stride: the modules and their channels."""
    if layer == "R":
        return [Residual(conv(channels, channels, 3) + conv(channels, channels, 3))], channels
    if layer == "M":
        hidden = 3 * channels
        return [Residual(conv(channels, hidden, 1) + conv(hidden, hidden, 3, groups=hidden) +
                         conv(hidden, channels, 1))], channels
    filters, stride = map(int, layer[1:].split("/"))
    if layer[0] == "S":
        return conv(channels, channels, 3, stride, channels) + conv(channels, filters, 1), filters
    return conv(channels, filters, 3, stride), filters


def network(layers, channels=3, pool=4):
    """`pool`: the average pool's window, which takes the whole map."""
    parts = []
    for layer in layers:
        if layer == "P":
            parts.append(nn.MaxPool2d(2))
        elif layer == "A":
            parts += [nn.AvgPool2d(pool), nn.Flatten()]
        elif layer == "A8":
            parts += [nn.AvgPool2d(8), nn.Flatten()]
        elif isinstance(layer, str):
            modules, channels = block(layer, channels)
            parts += modules
        elif isinstance(layer, tuple):
            parts += [nn.Linear(channels, layer[0], bias=False), nn.BatchNorm1d(layer[0]), nn.ReLU(inplace=True)]
            channels = layer[0]
        else:
            parts += conv(channels, layer, 3)
            channels = layer
    return nn.Sequential(*parts, nn.Linear(channels, 10))


class Trainer:
    def __init__(self, layers, memory_format):
        self.model = network(layers).to(memory_format=memory_format)
        self.optimiser = torch.optim.SGD(self.model.parameters(), 0.001, 0.9, weight_decay=1e-4, nesterov=True)
        self.images = torch.randn(BATCH, 3, 32, 32).to(memory_format=memory_format)
        self.labels = torch.randint(0, 10, (BATCH,))

    def step(self):
        self.optimiser.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(self.model(self.images), self.labels).backward()
        self.optimiser.step()

    def best(self, seconds):
        """Images a second of the fastest tenth of the steps."""
        began, times = time.process_time(), []
        while len(times) < 3 or time.process_time() - began < seconds:
            start = time.process_time()
            self.step()
            times.append(time.process_time() - start)
        return BATCH / sorted(times)[len(times) // 10]


class GpuTrainer:
    """Whole steps on a GPU; `half`: the 16-bit type of autocast, or None."""

    def __init__(self, layers, batch, half):
        self.half = half
        self.model = network(layers).cuda().to(memory_format=torch.channels_last)
        self.optimiser = torch.optim.SGD(self.model.parameters(), 0.001, 0.9, weight_decay=1e-4, nesterov=True)
        self.images = torch.randn(batch, 3, 32, 32, device="cuda").to(memory_format=torch.channels_last)
        self.labels = torch.randint(0, 10, (batch,), device="cuda")
        self.scaler = torch.amp.GradScaler("cuda", enabled=half == torch.float16)

    def step(self):
        self.optimiser.zero_grad(set_to_none=True)
        with torch.autocast("cuda", dtype=self.half or torch.bfloat16, enabled=self.half is not None, cache_enabled=False):
            loss = nn.functional.cross_entropy(self.model(self.images), self.labels)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimiser)
        self.scaler.update()

    def captured(self):
        """A step as a CUDA graph: what to call for it."""
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self.step()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.step()
        return graph.replay


def gpu_rate(step, batch):
    """Images a second, by the wall."""
    for _ in range(20):
        step()
    torch.cuda.synchronize()
    began, done = time.monotonic(), 0
    while time.monotonic() - began < SECONDS:
        for _ in range(50):
            step()
        torch.cuda.synchronize()
        done += 50
    return done * batch / (time.monotonic() - began)


def gpu_table(names):
    if not torch.cuda.is_available():
        sys.exit(f"PyTorch {torch.__version__} has no GPU")
    half = torch.bfloat16 if torch.cuda.get_device_capability() >= (8, 0) else torch.float16
    columns = {"float32": (None, False), "TF32": (None, True), str(half).split(".")[1]: (half, True)}
    print(f"PyTorch {torch.__version__} on {torch.cuda.get_device_name()}, channels last; images/s")
    for batch in (64, 512):
        for captured in (False, True):
            print(f"batch {batch}, {'CUDA graphs' if captured else 'eager'}")
            print(f"{'network':8}", *(f"{column:>12}" for column in columns))
            for name in names:
                print(f"{name:8}", end="")
                for kind, tf32 in columns.values():
                    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
                    trainer = GpuTrainer(NETWORKS[name], batch, kind)
                    try:  # float16's scaler can't be captured
                        print(f" {gpu_rate(trainer.captured() if captured else trainer.step, batch):12.0f}", end="", flush=True)
                    except RuntimeError as error:
                        print(f" {type(error).__name__:>12}", end="", flush=True)
                print()


def espalier(program, name):
    out = subprocess.run([program, "-b", "-n", name, "-s", str(SECONDS)], check=True, capture_output=True, text=True)
    return float(out.stdout)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    program, names = sys.argv[1], sys.argv[2:] or list(NETWORKS)
    if program == "--cuda":
        return gpu_table(sys.argv[2:] or ["TINY", "SMALL", "MID", "BIG"])
    torch.set_num_threads(1)
    print(f"PyTorch {torch.__version__}; images/s, one thread, best of {ROUNDS} turns")
    print(f"{'network':8} {'PyTorch':>10} {'Espalier':>10} {'ratio':>7}")
    for name in names:
        formats = (torch.contiguous_format, torch.channels_last)
        trainers = [Trainer(NETWORKS[name], memory_format) for memory_format in formats]
        theirs = ours = 0
        for _ in range(ROUNDS):
            theirs = max([theirs] + [trainer.best(SECONDS / 2) for trainer in trainers])
            ours = max(ours, espalier(program, name))
        print(f"{name:8} {theirs:10.0f} {ours:10.0f} {ours / theirs:7.2f}", flush=True)


if __name__ == "__main__":
    main()
