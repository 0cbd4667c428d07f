#!/usr/bin/env python3
"""The referee: what does a search hand over, beside what a person would have trained in the same time?

Every method gets the same FLOPs of training (everything counts: siblings, controls, the final training), the same
images and the same limits.  Its one network is scored once, on images that no choice of the method ever saw.  Seeds
are paired: seed k of every method has the same split of the images.

    referee.py run FOLDER --cifar10 DIR --budget 30T --seeds 6 [--methods plain,run,…]   goes on where it was stopped
    referee.py table FOLDER [--against plain]                                            the table, as Markdown

FOLDER holds for each METHOD-SEED a session or a weights file, a log, and a .json with the result.
"""
import argparse
import itertools
import json
import math
import os
import random
import re
import subprocess
import sys

RECORD = 3073  # bytes of an image of CIFAR-10's binary version
SIZES = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15}

# --- what a network costs: written down a second time, so that a mistake in the program's own count shows -------------


KINDS = r"(C|R|M|S|D|T|P|A|FC|SM)\(([\d.,\[\]]+)\)"


def layers_of(text):
    """Kinds and numbers: of D the bottleneck and then the growth rates."""
    return [(kind, [float(n) if "." in n else int(n) for n in re.findall(r"[\d.]+", numbers)])
            for kind, numbers in re.findall(KINDS, text)]


def notation(layers):
    return " ".join("%s(%s)" % (kind, "%d,[%s]" % (numbers[0], ",".join(map(str, numbers[1:]))) if kind == "D"
                                else ",".join(map(str, numbers))) for kind, numbers in layers)


def parts_of(kind, numbers, channels):
    """The convolutions of a layer, each with BN: inputs of one filter, filters, kernel, stride, and what follows it for
    each value: 1 for ReLU or an addition."""
    if kind == "C":
        units, kernel, stride = numbers
        return [(channels, units, kernel, stride, 1)]
    if kind == "S":
        units, kernel, stride = numbers
        return [(1, channels, kernel, stride, 1), (channels, units, 1, 1, 1)]
    if kind == "M":
        hidden, kernel = numbers
        return [(channels, hidden, 1, 1, 1), (1, hidden, kernel, 1, 1), (hidden, channels, 1, 1, 1)]
    if kind == "R":
        return [(channels, channels, numbers[0], 1, 1), (channels, channels, numbers[0], 1, 2)]
    return []


def cost(text, channels=3, side=32):
    """FLOPs of one image forward, and parameters."""
    flops = parameters = 0
    due = False  # the BN and ReLU that the next layer begins with
    for kind, numbers in layers_of(text):
        if due and kind in "PA":
            parameters += 2 * channels
            flops += 3 * channels * side**2
        due = kind in "DT"
        for inputs, units, kernel, stride, more in parts_of(kind, numbers, channels):
            side = (side - 1) // stride + 1
            parameters += inputs * kernel**2 * units + 2 * units
            flops += (2 * inputs * kernel**2 + 2 + more) * units * side**2
            channels = units
        if kind in ("C", "S", "M", "R"):
            continue
        if kind == "D":
            for growth in numbers[1:]:
                inner = numbers[0] * growth  # channels of the bottleneck; without one, the 3×3 convolution reads all
                parameters += 2 * channels + (channels * inner + 2 * inner + 9 * inner * growth if inner
                                              else 9 * channels * growth)
                flops += (3 * channels + (2 * channels * inner + 3 * inner + 18 * inner * growth if inner
                                          else 18 * channels * growth)) * side**2
                channels += growth
            continue
        if kind == "T":
            units = int(numbers[0] * channels + 1e-9)
            parameters += 2 * channels + channels * units
            flops += 3 * channels * side**2
            side //= 2
            flops += (4 * channels + 2 * channels * units) * side**2
            channels = units
            continue
        if kind in "PA":
            size, stride = numbers
            side = (side - size) // stride + 1
            flops += size**2 * channels * side**2
        else:
            units, inputs = numbers[0], channels * side**2
            parameters += inputs * units + (2 * units if kind == "FC" else units)
            flops += 2 * inputs * units + (3 * units if kind == "FC" else units)
            channels, side = units, 1
    return flops, parameters


# --- what a person would type ----------------------------------------------------------------------------------------

# Widths in units of the first layer's: a number alone is a 3×3 convolution, C a 1×1 one, D one with stride 2, S a
# separable one with stride 2, M an inverted bottleneck, G3x2 a dense block of three layers, each with so many channels,
# behind bottlenecks of twice as many; "P" pools, and "T" is a transition to half of the channels.  Each is scaled to the
# limits.
TEMPLATES = {
    "plain": "3 P 4 4 P 6 5 P 8",
    "plain-doubling": "1 P 2 P 4 P 8",
    "plain-deep": "2 2 P 3 3 P 4 4 P 6",
    "dense": "3 P G3x2 T G4x2 T G3x2",
    "modern": "D1 M3 M3 S1.5 M4.5 M4.5 S2 M6 C4",
}
# The same with half of the batches mixed.
MIXED = {name + "-mixup": shape for name, shape in TEMPLATES.items()}


def template(shape, unit):
    layers, side = [], 32
    for word in shape.split():
        width = max(1, round(float(re.sub(r"^[CDSM]|^G\d+x", "", word)) * unit)) if word not in "PT" else 0
        if word[0] in "PDST":
            side //= 2
        layers.append({"P": ("P", [2, 2]), "C": ("C", [width, 1, 1]), "D": ("C", [width, 3, 2]), "S": ("S", [width, 3, 2]),
                       "M": ("M", [width, 3]), "T": ("T", [0.5]),
                       "G": ("D", [2] + [width] * int(word[1:].split("x")[0] if word[0] == "G" else 0))}.get(word[0], ("C", [width, 3, 1])))
    return notation(layers + [("A", [side, side]), ("SM", [10])])


def scaled(shape, limit_flops, limit_params):
    """The widest of this shape within the limits."""
    best = None
    for step in range(1, 4000):
        text = template(shape, step / 20)
        flops, parameters = cost(text)
        if flops > limit_flops or parameters > limit_params:
            break
        best = text
    if not best:
        sys.exit("referee.py: the limits allow no template; give larger ones")
    return best


# --- methods ---------------------------------------------------------------------------------------------------------


class Referee:
    def __init__(self, arguments):
        self.folder, self.espalier, self.core = arguments.folder, arguments.espalier, arguments.core
        self.budget = size(arguments.budget)
        self.limit_flops, self.limit_params = size(arguments.limit_flops), size(arguments.limit_params)
        self.train, self.validation = arguments.train, arguments.validation

    def path(self, name):
        return os.path.join(self.folder, name)

    def split(self, cifar10, seed):
        """A folder like CIFAR-10's whose training part is what the methods see, and whose test part is all the rest."""
        folder = self.path("images-%d" % seed)
        if os.path.exists(os.path.join(folder, "test_batch.bin")):
            return folder
        os.makedirs(folder, exist_ok=True)
        images = b"".join(open(os.path.join(cifar10, "data_batch_%d.bin" % i), "rb").read() for i in range(1, 6))
        order = list(range(len(images) // RECORD))
        random.Random(seed).shuffle(order)
        seen = self.train + self.validation
        for name, part in (("data_batch_1.bin", order[:seen]), ("test_batch.bin", order[seen:])):
            whole = os.path.join(folder, name)
            with open(whole + ".new", "wb") as file:
                file.write(b"".join(images[i * RECORD : (i + 1) * RECORD] for i in part))
            os.replace(whole + ".new", whole)
        return folder

    def call(self, log, *words):
        command = [self.espalier, *map(str, words)]
        if self.core is not None:
            command = ["taskset", "-c", str(self.core)] + command
        with open(log, "a") as file:
            print("$", " ".join(command), file=file, flush=True)
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=file, text=True)
            file.write(done.stdout)
        if done.returncode:
            sys.exit("referee.py: %s failed; see %s" % (command, log))
        return done.stdout

    def score(self, text):
        return float(re.search(r"accuracy ([\d.]+) %", text).group(1))

    def train_template(self, shape, options, seed, images, name):
        """One network for the whole budget, with one schedule."""
        text = scaled(shape, self.limit_flops, self.limit_params)
        flops, parameters = cost(text)
        epochs = int(self.budget / (3 * flops * self.train))
        out = self.path(name + ".safetensors")
        resume = ["--resume"] if os.path.exists(out + ".checkpoint") else []
        if not resume and os.path.exists(out):
            os.remove(out)
        printed = self.call(self.path(name + ".log"), "train", text, "--data", "cifar10+:" + images, "--epochs", epochs,
                            "--validation", self.validation, "--rate", 0.1, "--weight-decay", 0.0005, "--seed", seed,
                            "--device", "cpu:1", "--out", out, *options, *resume)
        return {"accuracy": self.score(printed), "arch": text, "parameters": parameters, "flops": flops,
                "spent": 3 * flops * self.train * epochs, "networks": 1}

    def search(self, options, seed, images, name):
        session = self.path(name + ".esp")
        log = self.path(name + ".log")
        if os.path.exists(os.path.join(session, "events.log")):
            self.call(log, "resume", session, "--headless")
        else:
            self.call(log, "run", "--headless", "--data", "cifar10+:" + images, "--flops", int(self.budget),
                      "--limit-flops", self.limit_flops, "--limit-params", self.limit_params, "--seed", seed,
                      "--validation", self.validation, "--devices", "cpu:1", "--out", session, *options)
        state = json.loads(self.call(log, "show", session, "--json"))
        nodes = state["nodes"]
        best = max((n for n in nodes if n.get("accuracy") is not None and n["status"] == "done"),
                   key=lambda n: (n["by"] == "finish", n["accuracy"]))
        for node in nodes:  # the program's count against the one here
            if re.fullmatch("(%s ?)+" % KINDS, node["arch"]):
                assert (node["flops"], node["parameters"]) == cost(node["arch"]), node["arch"]
        printed = self.call(log, "eval", "%s:%d" % (session, best["node"]), "--device", "cpu:1")
        return {"accuracy": self.score(printed), "arch": best["arch"], "parameters": best["parameters"],
                "flops": best["flops"], "networks": len(nodes),
                "spent": sum(3 * n["flops"] * self.train * len(n.get("curve", [])) for n in nodes)}

    def run(self, method, seed, cifar10):
        name = "%s-%d" % (method, seed)
        result = self.path(name + ".json")
        if os.path.exists(result):
            return
        images = self.split(cifar10, seed)
        if method in TEMPLATES:
            value = self.train_template(TEMPLATES[method], [], seed, images, name)
        elif method in MIXED:
            value = self.train_template(MIXED[method], ["--mixup", 0.5], seed, images, name)
        else:
            value = self.search(SEARCHES[method], seed, images, name)
        with open(result + ".new", "w") as file:
            json.dump({"method": method, "seed": seed, "budget": self.budget, **value}, file, indent=1)
        os.replace(result + ".new", result)
        print("%-16s seed %d  %.2f %%  %s parameters  %s FLOPs an image  %.1fT of %.1fT FLOPs"
              % (method, seed, value["accuracy"], value["parameters"], value["flops"], value["spent"] / 1e12,
                 self.budget / 1e12), flush=True)


# Options beside data, budget, limits and seed.
SEARCHES = {
    "run": [],
    "run-plain": ["--space", "plain"],
    "run-dense": ["--space", "dense"],
    "hillclimb": ["--policy", "hillclimb", "--wider", 1, "--deeper", 1, "--epochs", 10, "--finish", 0],
    "reinforce": ["--preset", "eas-small", "--epochs", 10, "--finish", 0],
}


# --- the table -------------------------------------------------------------------------------------------------------


def mean(values):
    return sum(values) / len(values)


def error_of(values):
    """Standard error of the mean."""
    centre = mean(values)
    return math.sqrt(sum((v - centre) ** 2 for v in values) / (len(values) - 1) / len(values))


def with_error(values):
    return "%.2f" % mean(values) + (" ± %.2f" % error_of(values) if len(values) > 1 else "")


def sign_flip(differences):
    """Exact two-sided permutation test: how often does a change of signs give a mean as far from 0?"""
    centre = abs(sum(differences)) - 1e-9
    flips = list(itertools.product((1, -1), repeat=len(differences)))
    return sum(abs(sum(s * d for s, d in zip(signs, differences))) >= centre for signs in flips) / len(flips)


def table(folder, against):
    results = {}
    for name in sorted(os.listdir(folder)):
        if name.endswith(".json"):
            value = json.load(open(os.path.join(folder, name)))
            results.setdefault(value["method"], {})[value["seed"]] = value
    print("| method | seeds | accuracy | parameters | FLOPs an image | networks | difference to %s |" % against)
    print("|---|---|---|---|---|---|---|")
    for method, runs in sorted(results.items(), key=lambda item: -mean([r["accuracy"] for r in item[1].values()])):
        paired = [runs[s]["accuracy"] - results[against][s]["accuracy"] for s in runs if s in results.get(against, {})]
        difference = "" if method == against or not paired else "%s, p %.3f, pairs: %d" % (
            with_error(paired), sign_flip(paired), len(paired))
        accuracies = [r["accuracy"] for r in runs.values()]
        print("| %s | %d | %s %% | %.1fk | %.2fM | %.0f | %s |" % (
            method, len(runs), with_error(accuracies),
            mean([r["parameters"] for r in runs.values()]) / 1e3, mean([r["flops"] for r in runs.values()]) / 1e6,
            mean([r["networks"] for r in runs.values()]), difference))


def size(text):
    number, unit = re.fullmatch(r"([\d.]+)([kMGTP]?)", str(text)).groups()
    return int(float(number) * SIZES[unit])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run")
    run.add_argument("folder")
    run.add_argument("--cifar10", required=True, metavar="DIR")
    run.add_argument("--espalier", default="espalier")
    run.add_argument("--core", type=int, help="pin to this core")
    run.add_argument("--budget", default="30T", help="FLOPs of training, for everything [30T]")
    run.add_argument("--limit-flops", default="4M")
    run.add_argument("--limit-params", default="25k")
    run.add_argument("--train", type=int, default=10000)
    run.add_argument("--validation", type=int, default=5000)
    run.add_argument("--seeds", type=int, default=6)
    run.add_argument("--methods", default="plain,run", help=", ".join([*TEMPLATES, *MIXED, *SEARCHES]))
    show = commands.add_parser("table")
    show.add_argument("folder")
    show.add_argument("--against", default="plain")
    arguments = parser.parse_args()
    if arguments.command == "table":
        return table(arguments.folder, arguments.against)
    os.makedirs(arguments.folder, exist_ok=True)
    referee = Referee(arguments)
    for seed in range(1, arguments.seeds + 1):
        for method in arguments.methods.split(","):
            referee.run(method, seed, arguments.cifar10)


if __name__ == "__main__":
    main()
