#!/usr/bin/env python3
"""Runs what tests/test_onnx exports with ONNX Runtime, and notes the hash of each file whose probabilities are those of
PyTorch in the fixture of the same name (torch_fixtures.py): onnx_runs.txt, which the test compares with.

    tests/reference/onnx_runs.py BUILD/tests/test_onnx >tests/reference/onnx_runs.txt
(pip install numpy onnxruntime).
"""
import os
import re
import subprocess
import sys
import tempfile

import numpy as np
import onnxruntime

FOLDER = os.path.dirname(os.path.abspath(__file__))


def fixture(name):
    """Pixels of the first batch, and its logits."""
    content = open("%s/%s.fixture" % (FOLDER, name), "rb").read()
    header, content = content.split(b"\n\n", 1)
    keys = dict(line.split(" ", 1) for line in header.decode().split("\n"))
    blocks = {}
    while content:
        line, content = content.split(b"\n", 1)
        block, kind, count = line.decode().split()
        size = int(count) * (1 if kind == "u8" else 4)
        blocks[block] = np.frombuffer(content[:size], "u1" if kind == "u8" else "<f4")
        content = content[size:]
    batch, shape = int(keys["batch"]), [int(n) for n in keys["input"].split()]
    return blocks["pixels"].reshape(-1, *shape)[:batch], blocks["logits"].reshape(batch, -1)


with tempfile.TemporaryDirectory() as folder:
    environment = dict(os.environ, ESPALIER_ONNX_FOLDER=folder, top_srcdir=FOLDER + "/../..")
    printed = subprocess.run([sys.argv[1]], env=environment, check=True, capture_output=True, text=True).stdout
    print("ONNX Runtime %s; the largest difference of a probability:" % onnxruntime.__version__)
    for name, digest in re.findall(r"^# (\S+) (\S+)$", printed, re.M):
        pixels, logits = fixture(name)
        session = onnxruntime.InferenceSession("%s/%s.onnx" % (folder, name), providers=["CPUExecutionProvider"])
        (got,) = session.run(["probabilities"], {"image": pixels.astype(np.float32)})
        expected = np.exp(logits - logits.max(1, keepdims=True)).astype(np.float64)
        difference = np.abs(got - expected / expected.sum(1, keepdims=True)).max()
        assert difference < 1e-6, (name, difference)
        print("%.1e\n%s %s" % (difference, name, digest))
