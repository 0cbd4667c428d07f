#!/usr/bin/env python3
"""Write scaling.txt, which tests/test_picture.c reads: pictures made by a formula, scaled by PyTorch.

    scaling.py >scaling.txt
"""
import torch

CASES = [(7, 5, 8), (40, 30, 8), (9, 31, 12), (8, 8, 8), (1, 1, 4), (64, 3, 6)]  # width, height, side


def pixel(x, y, c):
    return (37 * x * x + 101 * y + 59 * x * y + 83 * c) % 256


for width, height, side in CASES:
    picture = torch.tensor([[[pixel(x, y, c) for x in range(width)] for y in range(height)] for c in range(3)])
    scaled = torch.nn.functional.interpolate(picture[None].double(), (side, side), mode="bilinear", antialias=True,
                                             align_corners=False)[0]
    print(width, height, side)
    for plane in scaled.reshape(3, -1):
        print(*(f"{value:.3f}" for value in plane.tolist()))
