#!/usr/bin/python3
"""What PyTorch computes for some small networks: fixtures of tests/test_pytorch.c.

Regenerate with
    /usr/bin/python3 tests/reference/torch_fixtures.py tests/reference
(Debian: apt-get install python3-torch).  The fixtures are kept in the tree, so that tests need no Python.
PyTorch runs in double, from float32 weights and inputs: what a float32 backend differs by is its own rounding.

Format of NAME.fixture: lines `KEY VALUE`, an empty line, then blocks: a line `NAME TYPE COUNT` and COUNT little-endian
numbers (u8 or f32).  Keys: arch, input (channels height width), classes, batch (images of a step), steps, rate,
momentum, decay (of weights), scale and shift (of a pixel, for each channel: input = pixel * scale + shift).
Blocks, where "flat" is the order of src/arch/weights.h (all trained values layer by layer, then each layer's
running mean and variance):
    pixels     u8   steps * batch images, [image][channel][y][x]
    labels     u8   steps * batch
    weights    f32  flat, at the start; the running statistics are drawn too
    logits     f32  batch * classes: of the first batch, in evaluation mode, at the start
    losses     f32  steps: mean cross-entropy of each step's batch, in training mode, before the step
    gradients  f32  steps times the trained part of flat, without weight decay
    trained    f32  flat, after all steps of SGD with Nesterov momentum
    final      f32  batch * classes: logits of the first batch, in evaluation mode, after all steps
"""
import re
import sys

import numpy as np
import torch
from torch import nn

# deep's seed is that of 100 ... 259 with which no ReLU's input and no maximum's lead is below 6e-5: minimal filtering
# of its 5 x 5 layer rounds otherwise than a direct sum, and must not change which way a gradient goes.
NETWORKS = {
    "odd": dict(arch="C(5,3,1) P(2,2) C(6,5,2) A(2,1) FC(7) SM(4)", input=(3, 11, 9), batch=6, seed=1),
    "stride": dict(arch="P(2,1) C(4,3,2) C(5,1,1) C(3,3,1) P(3,2) SM(3)", input=(1, 10, 10), batch=18, seed=2),
    "deep": dict(arch="C(8,3,1) C(6,5,1) P(2,2) A(2,1) C(7,3,1) A(2,2) FC(10) FC(9) SM(10)", input=(3, 8, 8),
                 batch=33, seed=109),
    "dense": dict(arch="C(6,3,1) D(2,[3,5]) D(0,[4]) T(0.5) D(4,[2,3]) A(4,4) SM(5)", input=(3, 8, 9), batch=18,
                  seed=4),
    "blocks": dict(arch="C(4,3,2) D(0,[3,2]) P(2,2) C(5,3,1) D(1,[4]) T(0.4) P(1,1) FC(6) SM(3)",
                   input=(1, 17, 16), batch=18, seed=5),
    "residual": dict(arch="C(6,3,1) R(5,3) M(9,5) S(8,3,2) M(12,3) R(7,1) S(5,7,1) A(5,5) SM(4)", input=(3, 9, 10),
                     batch=18, seed=6),
    "gated": dict(arch="C(6,3,1) M(9,5,se,hs) R(5,3,se) S(8,3,2,se,hs) M(12,3,hs) S(5,7,1,hs) A(5,5) SM(4)",
                  input=(3, 9, 10), batch=18, seed=7),
}
STEPS, RATE, MOMENTUM, DECAY = 4, 0.05, 0.9, 1e-2


def norm_of(channels):
    return nn.BatchNorm2d(channels, eps=1e-5, momentum=0.1)


class Dense(nn.Module):
    """One layer of a DenseNet: what it reads, and behind it what it adds."""

    def __init__(self, *layers):
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return torch.cat([x, self.layers(x)], 1)


class Residual(nn.Module):
    """A block whose output is added to what it reads."""

    def __init__(self, *layers):
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return x + self.layers(x)


class Gates(nn.Module):
    """Squeeze-and-excitation whose gates are 1 where their linear layer gives 0."""

    def __init__(self, channels):
        super().__init__()
        units = max(1, channels // 4)
        self.squeeze, self.excite = nn.Linear(channels, units), nn.Linear(units, channels)

    def forward(self, x):
        gates = 2 * nn.functional.hardsigmoid(self.excite(torch.relu(self.squeeze(x.mean((2, 3))))))
        return x * gates[:, :, None, None]


def convolutions(kind, n, channels):
    """Of R, M and S: inputs, outputs, kernel, stride and groups of each."""
    if kind == "R":
        return [(channels, n[0], n[1], 1, 1), (n[0], channels, n[1], 1, 1)]
    if kind == "M":
        return [(channels, n[0], 1, 1, 1), (n[0], n[0], n[1], 1, n[0]), (n[0], channels, 1, 1, 1)]
    return [(channels, channels, n[1], n[2], channels), (channels, n[0], 1, 1, 1)]


def build(arch, shape):
    """The modules in order, and those with weights as (linear or None, norm or None)."""
    channels, height, width = shape
    modules, weighted = [], []
    flat = due = False  # due: a BN and a ReLU, behind D and T
    # The transition pools last, as the paper has it.
    for kind, numbers, words in re.findall(r"(SM|FC|C|P|A|D|T|R|M|S)\(([\d.,[\]]+?)((?:,[a-z]+)*)\)", arch):
        n = [float(x) if "." in x else int(x) for x in numbers.replace("[", "").replace("]", "").split(",")]
        if due and kind in "PA":
            norm = norm_of(channels)
            modules += [norm, nn.ReLU()]
            weighted.append((None, norm))
        due = kind in "DT"
        if kind == "D":
            for growth in n[1:]:
                norm, narrow = norm_of(channels), n[0] * growth
                conv = nn.Conv2d(narrow or channels, growth, 3, padding=1, bias=False)
                layers = [norm, nn.ReLU()]
                weighted.append((None, norm))
                if narrow:
                    bottleneck, norm = nn.Conv2d(channels, narrow, 1, bias=False), norm_of(narrow)
                    layers += [bottleneck, norm, nn.ReLU()]
                    weighted.append((bottleneck, norm))
                weighted.append((conv, None))
                modules.append(Dense(*layers, conv))
                channels += growth
        elif kind == "T":
            norm, outputs = norm_of(channels), max(1, int(channels * round(100 * n[0]) // 100))
            conv = nn.Conv2d(channels, outputs, 1, bias=False)
            modules += [norm, nn.ReLU(), conv, nn.AvgPool2d(2)]
            weighted += [(None, norm), (conv, None)]
            channels, height, width = outputs, height // 2, width // 2
        elif kind == "C":
            linear = nn.Conv2d(channels, n[0], n[1], n[2], n[1] // 2, bias=False)
            norm = norm_of(n[0])
            modules += [linear, norm, nn.ReLU()]
            weighted.append((linear, norm))
            channels, height, width = n[0], (height - 1) // n[2] + 1, (width - 1) // n[2] + 1
        elif kind in ("R", "M", "S"):
            layers = []
            activation = nn.Hardswish if "hs" in words else nn.ReLU
            parts = convolutions(kind, n, channels)
            for i, (inputs, outputs, kernel, stride, groups) in enumerate(parts):
                if "se" in words and i == len(parts) - 1:
                    gates = Gates(inputs)
                    layers.append(gates)
                    weighted += [(gates.squeeze, None), (gates.excite, None)]
                linear = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
                norm = norm_of(outputs)
                layers += [linear, norm, activation()]
                weighted.append((linear, norm))
            if kind == "S":
                modules += layers
                channels, height, width = n[0], (height - 1) // n[2] + 1, (width - 1) // n[2] + 1
            else:
                modules.append(Residual(*layers[:-1]))
        elif kind in "PA":
            modules.append((nn.MaxPool2d if kind == "P" else nn.AvgPool2d)(n[0], n[1]))
            height, width = (height - n[0]) // n[1] + 1, (width - n[0]) // n[1] + 1
        else:
            if not flat:
                modules.append(nn.Flatten())
                flat = True
            linear = nn.Linear(channels * height * width, n[0], bias=kind == "SM")
            norm = nn.BatchNorm1d(n[0], eps=1e-5, momentum=0.1) if kind == "FC" else None
            modules += [linear] + ([norm, nn.ReLU()] if norm else [])
            weighted.append((linear, norm))
            channels, height, width = n[0], 1, 1
    return nn.Sequential(*modules).double(), weighted


def trained(weighted):
    for linear, norm in weighted:
        if linear:
            yield linear.weight
        if norm:
            yield from (norm.weight, norm.bias)
        elif linear.bias is not None:
            yield linear.bias


def statistics(weighted):
    for _, norm in weighted:
        if norm:
            yield from (norm.running_mean, norm.running_var)


def flat(tensors):
    return np.concatenate([t.detach().numpy().reshape(-1) for t in tensors])


def draw(weighted, generator):
    """Float32 values everywhere, gamma and variance away from 0."""
    for linear, norm in weighted:
        if linear:
            fan_in = linear.weight[0].numel()
            linear.weight.data = torch.from_numpy(generator.normal(0, (2 / fan_in) ** 0.5, linear.weight.shape))
        if norm is None:
            if linear.bias is not None:
                linear.bias.data = torch.from_numpy(generator.normal(0, 0.3, linear.bias.shape))
            continue
        shape = norm.weight.shape
        norm.weight.data = torch.from_numpy(generator.uniform(0.5, 1.5, shape) * generator.choice([1, 1, 1, -1], shape))
        norm.bias.data = torch.from_numpy(generator.normal(0, 0.3, shape))
        norm.running_mean.data = torch.from_numpy(generator.normal(0, 0.3, shape))
        norm.running_var.data = torch.from_numpy(generator.uniform(0.5, 2, shape))
    for tensor in [*trained(weighted), *statistics(weighted)]:
        tensor.data = tensor.data.float().double()


def generate(path, arch, input, batch, seed):
    generator = np.random.default_rng(seed)
    network, weighted = build(arch, input)
    draw(weighted, generator)
    classes = weighted[-1][0].out_features
    pixels = generator.integers(0, 256, (STEPS * batch, *input), dtype=np.uint8)
    labels = generator.integers(0, classes, STEPS * batch, dtype=np.uint8)
    scale = np.linspace(0.012, 0.016, input[0]).astype(np.float32)
    shift = np.linspace(-1.8, -1.6, input[0]).astype(np.float32)
    x = pixels.astype(np.float32) * scale[:, None, None] + shift[:, None, None]
    x, y = torch.from_numpy(x.astype(np.float64)), torch.from_numpy(labels.astype(np.int64))

    def evaluate():
        network.eval()
        with torch.no_grad():
            return network(x[:batch]).numpy()

    everything = lambda: flat([*trained(weighted), *statistics(weighted)])
    blocks = dict(pixels=pixels, labels=labels, weights=everything(), logits=evaluate())
    optimiser = torch.optim.SGD(trained(weighted), lr=RATE, momentum=MOMENTUM, weight_decay=DECAY, nesterov=True)
    losses, gradients = [], []
    network.train()
    for step in range(STEPS):
        network.train()
        optimiser.zero_grad()
        part = slice(step * batch, (step + 1) * batch)
        loss = nn.functional.cross_entropy(network(x[part]), y[part])
        loss.backward()
        losses.append(loss.item())
        gradients.append(flat([t.grad for t in trained(weighted)]))
        optimiser.step()
    blocks.update(losses=losses, gradients=gradients, trained=everything(), final=evaluate())

    with open(path, "wb") as file:
        keys = dict(arch=arch, input="%d %d %d" % input, classes=classes, batch=batch, steps=STEPS, rate=RATE,
                    momentum=MOMENTUM, decay=DECAY, scale=" ".join("%.9g" % v for v in scale),
                    shift=" ".join("%.9g" % v for v in shift))
        file.write("".join("%s %s\n" % pair for pair in keys.items()).encode() + b"\n")
        for name, values in blocks.items():
            values = np.asarray(values)
            kind = "u8" if values.dtype == np.uint8 else "f32"
            file.write(("%s %s %d\n" % (name, kind, values.size)).encode())
            file.write(values.astype("u1" if kind == "u8" else "<f4").tobytes())


if __name__ == "__main__":
    for name, network in NETWORKS.items():
        generate("%s/%s.fixture" % (sys.argv[1], name), **network)
