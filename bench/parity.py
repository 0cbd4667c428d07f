#!/usr/bin/python3
"""Does a network reach the same accuracy here as in PyTorch?  Trains both from the same start weights and prints a table.

Usage: parity.py [--espalier PROGRAM] [--seeds N] [--epochs N] [--networks NAME,...] --out FOLDER SPEC...

SPEC is idx:FOLDER or cifar10:FOLDER, as for espalier.  A seed names one set of start weights, written here as
safetensors: `espalier train FILE` and PyTorch both start from that file.  Both then train on all training images, batch
64, SGD with Nesterov momentum 0.9, weight decay 1e-4 and a cosine from 0.1 to 0 over all steps, and are tested once
with the statistics of batch normalisation that they gathered.  The images come in orders of their own, so that accuracy
differs by as much as between seeds, and the question is whether the means differ by more.

Results are kept in FOLDER: run again, it goes on where it stopped; with --seeds 0 it prints the table of what is there.
The networks are those of README.md.  One thread each; PyTorch's memory settings are those of pytorch.py.
"""
import argparse
import gzip
import json
import math
import os
import re
import struct
import subprocess
import sys

import numpy

sys.dont_write_bytecode = True  # this folder holds sources
from pytorch import BATCH, NETWORKS as ALL_NETWORKS, network, nn, torch  # noqa: E402

# Those that notation() can write.
NETWORKS = {name: layers for name, layers in ALL_NETWORKS.items() if name not in ("MOBILE", "RES")}

RATE, MOMENTUM, WEIGHT_DECAY, CLASSES = 0.1, 0.9, 1e-4, 10


# --- images ---

def read_idx(path):
    with gzip.open(path + ".gz") if os.path.exists(path + ".gz") else open(path, "rb") as file:
        data = file.read()
    rank = data[3]
    shape = struct.unpack(f">{rank}I", data[4:4 + 4 * rank])
    return torch.from_numpy(numpy.frombuffer(data, numpy.uint8, offset=4 + 4 * rank).reshape(shape).copy())


def read_idx_set(folder, part):
    images = read_idx(os.path.join(folder, part + "-images-idx3-ubyte"))
    return images.unsqueeze(1), read_idx(os.path.join(folder, part + "-labels-idx1-ubyte")).long()


def read_cifar(folder, names):
    rows = numpy.concatenate([numpy.fromfile(os.path.join(folder, name + ".bin"), numpy.uint8) for name in names])
    rows = torch.from_numpy(rows.reshape(-1, 3073))
    return rows[:, 1:].reshape(-1, 3, 32, 32), rows[:, 0].long()


def read_data(spec):
    """Training and test images, normalised by the training images' channels, with their labels."""
    kind, _, folder = spec.partition(":")
    if kind == "idx" and folder:
        sets = [read_idx_set(folder, part) for part in ("train", "t10k")]
    elif kind == "cifar10" and folder:
        sets = [read_cifar(folder, [f"data_batch_{i}" for i in range(1, 6)]), read_cifar(folder, ["test_batch"])]
    else:
        sys.exit(f"parity.py: {spec}: must be idx:FOLDER or cifar10:FOLDER")
    pixels = sets[0][0].double()
    mean, std = pixels.mean((0, 2, 3), keepdim=True), pixels.std((0, 2, 3), unbiased=False, keepdim=True)
    return [(((images - mean) / std).float(), labels) for images, labels in sets]


# --- networks ---

def last_pool(layers, shape):
    return shape[1] // 2 ** layers.count("P")


def notation(layers, shape):
    pool = last_pool(layers, shape)
    words = {"P": "P(2,2)", "A": f"A({pool},{pool})"}
    texts = [f"FC({layer[0]})" if isinstance(layer, tuple) else words.get(layer, f"C({layer},3,1)") for layer in layers]
    return " ".join(texts + [f"SM({CLASSES})"])


def build(layers, shape):
    model = network(layers, shape[0], last_pool(layers, shape))
    for part in model:
        if isinstance(part, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(part.weight, mode="fan_in", nonlinearity="relu")
    nn.init.zeros_(model[-1].bias)
    return model


def named_tensors(model):
    """The model's tensors under the names that espalier gives them."""
    tensors, convolutions = {}, 0
    for part in model:
        if isinstance(part, nn.Conv2d):
            convolutions += 1
            name = f"conv{convolutions}"
        elif isinstance(part, nn.Linear):
            name = "fc1" if part.bias is None else "classifier"
        elif isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d)):
            tensors.update({f"{name}.gamma": part.weight, f"{name}.beta": part.bias,
                            f"{name}.mean": part.running_mean, f"{name}.variance": part.running_var})
            continue
        else:
            continue
        tensors[f"{name}.weight"] = part.weight
        if part.bias is not None:
            tensors[f"{name}.bias"] = part.bias
    return tensors


def write_safetensors(path, model, arch, shape):
    header = {"__metadata__": {"arch": arch, "input": ",".join(map(str, shape))}}
    blobs, end = [], 0
    for name, tensor in named_tensors(model).items():
        blobs.append(tensor.detach().numpy().astype("<f4").tobytes())
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [end, end + len(blobs[-1])]}
        end += len(blobs[-1])
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


# --- training; both return the accuracy on the test images ---

def train_pytorch(model, data, epochs, seed):
    (images, labels), (test_images, test_labels) = data
    order = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.SGD(model.parameters(), RATE, MOMENTUM, weight_decay=WEIGHT_DECAY, nesterov=True)
    steps = epochs * math.ceil(len(images) / BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: (1 + math.cos(math.pi * step / steps)) / 2)
    model.train()
    for _ in range(epochs):
        for chosen in torch.randperm(len(images), generator=order).split(BATCH):
            optimiser.zero_grad(set_to_none=True)
            nn.functional.cross_entropy(model(images[chosen]), labels[chosen]).backward()
            optimiser.step()
            schedule.step()
    model.eval()
    with torch.no_grad():
        parts = zip(test_images.split(500), test_labels.split(500))
        correct = sum(int((model(some).argmax(1) == wanted).sum()) for some, wanted in parts)
    return correct / len(test_images)


def train_espalier(program, start, spec, epochs, seed, out):
    command = [program, "train", start, "--data", spec, "--epochs", str(epochs), "--rate", str(RATE), "--batch",
               str(BATCH), "--seed", str(seed), "--out", out]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return float(re.search(r"^test .*accuracy ([0-9.]+) %", printed, re.MULTILINE).group(1)) / 100


# --- the table ---

def student_p(t, freedom):
    """Two-sided: the chance of a |t| as large, by Simpson's rule over the density from 0."""
    if not math.isfinite(t):
        return 0.0
    scale = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(freedom * math.pi)
    parts = 2000
    values = [(1 + (t * i / parts) ** 2 / freedom) ** (-(freedom + 1) / 2) for i in range(parts + 1)]
    inside = values[0] + values[-1] + 4 * sum(values[1:-1:2]) + 2 * sum(values[2:-1:2])
    return max(0.0, 1 - 2 * scale * inside * abs(t) / parts / 3)


def mean_sd(values):
    mean = sum(values) / len(values)
    return mean, math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))


def print_table(results):
    print(f"{'network':8} {'data':8} {'seeds':>5}  {'Espalier':>15}  {'PyTorch':>15}  {'difference':>15}  {'p':>5}")
    for name in NETWORKS:
        for kind in ("idx", "cifar10"):
            rows = [results[key] for key in sorted(results) if key.startswith(f"{name} {kind} ")]
            rows = [row for row in rows if len(row) == 2]
            if len(rows) < 2:
                continue
            ours, theirs = ([100 * row[who] for row in rows] for who in ("espalier", "pytorch"))
            (our_mean, our_sd), (their_mean, their_sd) = mean_sd(ours), mean_sd(theirs)
            difference = our_mean - their_mean
            error = math.sqrt((our_sd ** 2 + their_sd ** 2) / len(rows))
            p = student_p(difference / error if error else math.inf if difference else 0, 2 * len(rows) - 2)
            print(f"{name:8} {kind:8} {len(rows):5}  {our_mean:7.2f} ± {our_sd:5.2f}  {their_mean:7.2f} ± "
                  f"{their_sd:5.2f}  {difference:+7.2f} ± {error:5.2f}  {p:5.2f}")
    print("test accuracy in %: mean ± standard deviation over seeds; difference ± its standard error; Student's t-test")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--espalier", default="espalier", metavar="PROGRAM")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--networks", default="TINY,SMALL", metavar="NAME,...")
    parser.add_argument("--out", required=True, metavar="FOLDER")
    parser.add_argument("data", nargs="+", metavar="SPEC")
    options = parser.parse_args()
    torch.set_num_threads(1)
    os.makedirs(options.out, exist_ok=True)
    kept = os.path.join(options.out, f"results-{options.epochs}.json")
    results = json.load(open(kept)) if os.path.exists(kept) else {}

    def keep(key, who, accuracy):
        results.setdefault(key, {})[who] = accuracy
        with open(kept + ".new", "w") as file:
            json.dump(results, file, indent=1)
        os.replace(kept + ".new", kept)
        print(f"{key} {who}: {100 * accuracy:.2f} %", flush=True)

    data = {spec: read_data(spec) for spec in options.data} if options.seeds else {}
    for seed in range(1, options.seeds + 1):
        for name in options.networks.split(","):
            for spec in options.data:
                key = f"{name} {spec.partition(':')[0]} {seed}"
                shape = tuple(data[spec][0][0].shape[1:])
                torch.manual_seed(seed)
                model = build(NETWORKS[name], shape)
                start = os.path.join(options.out, "start.safetensors")
                write_safetensors(start, model, notation(NETWORKS[name], shape), shape)
                if "espalier" not in results.get(key, {}):
                    keep(key, "espalier", train_espalier(options.espalier, start, spec, options.epochs, seed,
                                                         os.path.join(options.out, "trained.safetensors")))
                if "pytorch" not in results.get(key, {}):
                    keep(key, "pytorch", train_pytorch(model, data[spec], options.epochs, seed))
    print_table(results)


main()
