#!/usr/bin/env python3
"""Makes policy.txt: the controller's log-probabilities, entropies and gradients by PyTorch's own modules.

    python3 policy.py > policy.txt

Weights come from a formula of integers that tests/test_policy_reference.c shares.  A decision's loss is
-(ADVANTAGE * log probability + BONUS * mean entropy of its choices).  A gradient is written as its norm, its inner
product with the formula's values under another number, and three of its elements.  The line `adam` has four values
after five steps of PyTorch's Adam.
"""
import torch
from torch.distributions import Bernoulli, Categorical

torch.set_default_dtype(torch.float64)

FILTERS, UNITS, KERNELS = list(range(4, 44, 4)), list(range(8, 88, 8)), [1, 3, 5]
BLOCKS, LAYERS = 16, 32
EMBEDDING, SIDE = 16, 50
ADVANTAGE, BONUS = 0.75, 0.25

# Name, rows, columns: in the order of the controller's parameters.
SHAPES = [
    ("encoder.embedding", 10 * 3 + 10 + 3, EMBEDDING),
    ("encoder.forwards.weight", EMBEDDING + SIDE, 4 * SIDE),
    ("encoder.forwards.bias", 1, 4 * SIDE),
    ("encoder.backwards.weight", EMBEDDING + SIDE, 4 * SIDE),
    ("encoder.backwards.bias", 1, 4 * SIDE),
    ("wider.weight", 2 * SIDE, 1),
    ("wider.bias", 1, 1),
    ("deeper.weight", EMBEDDING + 2 * SIDE, 8 * SIDE),
    ("deeper.bias", 1, 8 * SIDE),
    ("deeper.start", 1, EMBEDDING),
    ("deeper.block.weight", 2 * SIDE, BLOCKS),
    ("deeper.block.bias", 1, BLOCKS),
    ("deeper.block.words", BLOCKS, EMBEDDING),
    ("deeper.layer.weight", 2 * SIDE, LAYERS),
    ("deeper.layer.bias", 1, LAYERS),
    ("deeper.layer.words", LAYERS, EMBEDDING),
    ("deeper.kernel.weight", 2 * SIDE, len(KERNELS)),
    ("deeper.kernel.bias", 1, len(KERNELS)),
]

# Wider: a letter a layer: - not offered, 0 offered, 1 chosen.
# Deeper: a word a level, a letter a choice, likewise.
DECISIONS = [
    ("C(4,3,1) P(2,2) C(8,5,1) C(40,1,1) A(4,4) FC(8) SM(10)", "wider", "0-1--0-"),
    ("C(16,3,1) C(16,5,1) P(2,2) C(7,3,1) C(12,7,1) P(2,2) C(100,3,1) P(2,2) FC(9) FC(80) SM(9)", "wider", "11-01----1-"),
    ("C(4,3,1) P(2,2) C(8,5,1) C(40,1,1) A(4,4) FC(8) SM(10)", "deeper", "010 01 001"),
    ("C(16,3,1) C(16,5,1) P(2,2) C(7,3,1) C(12,7,1) P(2,2) C(32,3,1) SM(10)", "deeper", "1-0 01 1-0"),
    ("C(20,3,1) P(2,2) C(24,3,1) A(2,2) FC(16) FC(24) FC(24) SM(10)", "deeper", "001 010"),
]


def formula(number, rows, columns, scale):
    i = torch.arange(rows * columns, dtype=torch.int64)
    return (scale * (((i * 7919 + number * 104729) % 2003).double() / 2003 - 0.5)).reshape(rows, columns)


def below(values, value):
    return max([i for i, v in enumerate(values) if v <= value], default=0)


def token(layer):
    kind, numbers = layer.rstrip(")").split("(")
    numbers = [int(n) for n in numbers.split(",")]
    if kind == "C":
        return below(FILTERS, numbers[0]) * 3 + below(KERNELS, numbers[1])
    if kind == "FC":
        return 30 + below(UNITS, numbers[0])
    return {"P": 40, "A": 41, "SM": 42}[kind]


class Lstm:
    """torch.nn.LSTM, a direction for each of the names, with this program's weights poured in."""

    def __init__(self, p, units, *names):
        self.p, self.names = p, names
        self.module = torch.nn.LSTM(EMBEDDING, units, bidirectional=len(names) == 2)
        with torch.no_grad():
            for name, side in zip(names, ["", "_reverse"]):
                weight, bias = p[name + ".weight"], p[name + ".bias"]
                self.part("weight_ih", side).copy_(weight[:EMBEDDING].T)
                self.part("weight_hh", side).copy_(weight[EMBEDDING:].T)
                self.part("bias_ih", side).copy_(bias[0])
                self.part("bias_hh", side).zero_()

    def part(self, name, side):
        return getattr(self.module, f"{name}_l0{side}")

    def hand_over_gradients(self):
        for name, side in zip(self.names, ["", "_reverse"]):
            if self.part("bias_ih", side).grad is None:
                continue
            weights = [self.part("weight_ih", side).grad.T, self.part("weight_hh", side).grad.T]
            self.p[name + ".weight"].grad = torch.cat(weights)
            self.p[name + ".bias"].grad = self.part("bias_ih", side).grad.unsqueeze(0)


def encode(p, lstm, arch):
    words = p["encoder.embedding"][[token(layer) for layer in arch.split()]]
    outputs, (h, c) = lstm.module(words.unsqueeze(1))
    return outputs[:, 0], h.reshape(1, 1, -1), c.reshape(1, 1, -1)


def wider(p, outputs, letters):
    coins = Bernoulli(logits=(outputs @ p["wider.weight"] + p["wider.bias"])[:, 0])
    offered = torch.tensor([letter != "-" for letter in letters])
    chosen = torch.tensor([float(letter == "1") for letter in letters])
    return coins.log_prob(chosen)[offered].sum(), coins.entropy()[offered].mean()


def deeper(p, lstm, h, c, words):
    log_probability, entropies, word = 0, [], p["deeper.start"]
    for letters, level, below_words in zip(words.split(), ["block", "layer", "kernel"], ["block", "layer", None]):
        output, (h, c) = lstm.module(word.unsqueeze(1), (h, c))
        logits = (output[0] @ p[f"deeper.{level}.weight"] + p[f"deeper.{level}.bias"])[0]
        mask = torch.full_like(logits, float("-inf"))
        mask[[i for i, letter in enumerate(letters) if letter != "-"]] = 0
        choices = [i for i, letter in enumerate(letters) if letter != "-"]
        choice = letters.index("1")
        log_probability = log_probability + torch.log_softmax(logits + mask, 0)[choice]
        entropies.append(Categorical(logits=logits[choices]).entropy())
        if below_words:
            word = p[f"deeper.{below_words}.words"][choice : choice + 1]
    return log_probability, torch.stack(entropies).mean()


def adam():
    values = formula(0, 1, 4, 0.8).requires_grad_()
    optimiser = torch.optim.Adam([values], lr=2e-3)
    for step in range(5):
        values.grad = formula(200 + step, 1, 4, 1)
        optimiser.step()
    print("adam", *(f"{value:.15g}" for value in values.flatten().tolist()))


def main():
    print("# Made by policy.py with PyTorch", torch.__version__)
    adam()
    for arch, kind, letters in DECISIONS:
        p = {name: formula(n, rows, columns, 0.8).requires_grad_() for n, (name, rows, columns) in enumerate(SHAPES)}
        encoder, decoder = Lstm(p, SIDE, "encoder.forwards", "encoder.backwards"), Lstm(p, 2 * SIDE, "deeper")
        outputs, h, c = encode(p, encoder, arch)
        if kind == "wider":
            log_probability, entropy = wider(p, outputs, letters)
        else:
            log_probability, entropy = deeper(p, decoder, h, c, letters)
        (-(ADVANTAGE * log_probability + BONUS * entropy)).backward()
        encoder.hand_over_gradients()
        decoder.hand_over_gradients()
        print(f"{kind} {arch}\n{letters}\n{log_probability.item():.15g} {entropy.item():.15g}")
        for n, (name, rows, columns) in enumerate(SHAPES):
            gradient = p[name].grad if p[name].grad is not None else torch.zeros(rows, columns)
            product = (gradient * formula(100 + n, rows, columns, 1)).sum().item()
            flat = gradient.flatten()
            samples = [flat[i].item() for i in (0, len(flat) // 3, len(flat) - 1)]
            print(name, *(f"{value:.15g}" for value in [gradient.norm().item(), product, *samples]))


if __name__ == "__main__":
    main()
