#!/usr/bin/env python3
"""Runs what `espalier export` wrote, and compares with what `espalier predict` said of the same pictures.

    elsewhere.py pytorch|onnx FILE CSV
    elsewhere.py pytorch|onnx FILE ARRAYS.npz LOSS

The pictures are those of CSV, which have the network's size, so that nothing has to be scaled.  Of arrays the loss on x_test
is compared with what `espalier eval` said.
"""
import csv
import struct
import sys
import zlib

import numpy as np


def pixels(path):
    """Of a PNG file of pictures.py: one IDAT, no filters."""
    content = open(path, "rb").read()
    side = struct.unpack(">I", content[16:20])[0]
    at = content.index(b"IDAT")
    rows = zlib.decompress(content[at + 4:at + 4 + struct.unpack(">I", content[at - 4:at])[0]])
    return np.frombuffer(rows, "u1").reshape(side, 3 * side + 1)[:, 1:].reshape(side, side, 3).transpose(2, 0, 1)


def run_pytorch(path, images, classes):
    import importlib.util
    import torch
    spec = importlib.util.spec_from_file_location("network", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.CLASSES == classes, module.CLASSES
    with torch.no_grad():
        return module.load()(torch.from_numpy(images)).softmax(1).numpy()


def run_onnx(path, images, classes):
    import onnxruntime
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert session.get_modelmeta().custom_metadata_map["classes"].split("\n") == classes
    session.run(None, {"image": images[:1].astype("float32")})  # any number of images
    return session.run(["probabilities"], {"image": images.astype("float32")})[0]


run = {"pytorch": run_pytorch, "onnx": run_onnx}[sys.argv[1]]
if sys.argv[3].endswith(".npz"):
    arrays = np.load(sys.argv[3])
    classes = [str(i) for i in range(int(arrays["y_train"].max()) + 1)]
    found = run(sys.argv[2], arrays["x_test"].transpose(0, 3, 1, 2).copy(), classes)
    loss = -np.log(found[np.arange(len(found)), arrays["y_test"]].astype("float64")).mean()
    print("loss %.6f, expected %s" % (loss, sys.argv[4]))
    sys.exit(bool(abs(loss - float(sys.argv[4])) > 1e-4))
rows = list(csv.DictReader(open(sys.argv[3], newline="")))
classes = [name for name in rows[0] if name not in ("picture", "class", "probability")]
images = np.stack([pixels(row["picture"]) for row in rows])
expected = np.array([[float(row[name]) for name in classes] for row in rows])
found = run(sys.argv[2], images, classes)
difference = np.abs(found - expected).max()
print("%d pictures, largest difference of a probability %.1e" % (len(rows), difference))
sys.exit(difference > 1e-5 or len(rows) < 2)
