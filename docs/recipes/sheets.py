#!/usr/bin/env python3
"""Lays validation images of a labelled folder side by side as one large image: something for `slidelight-cli preselect` to choose from.

    python3 docs/recipes/sheets.py --data FOLDER --out OUT [--seeds 0 1 2] [--side 6] [--positive 12]

The folder is one with `labels.csv`, labels 0 and 1. A sheet holds side x side images, `--positive` of them of label 1, drawn and mixed by the seed. Semi-synthetic: say so
wherever a figure from it appears. Needs Pillow.
"""
import argparse
import csv
import pathlib
import random

from PIL import Image


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--side", type=int, default=6)
    parser.add_argument("--positive", type=int, default=12)
    args = parser.parse_args()
    with open(args.data / "labels.csv", newline="") as table:
        rows = [row for row in csv.DictReader(table) if row["split"] == "val"]
    positive, negative = (sorted(row["file"] for row in rows if row["label"] == label) for label in "10")
    args.out.mkdir(parents=True, exist_ok=True)
    for seed in args.seeds:
        rng = random.Random(seed)
        files = rng.sample(positive, args.positive) + rng.sample(negative, args.side**2 - args.positive)
        rng.shuffle(files)
        images = [Image.open(args.data / "images" / file).convert("RGB") for file in files]
        width, height = images[0].size
        sheet = Image.new("RGB", (args.side * width, args.side * height))
        for place, image in enumerate(images):
            sheet.paste(image, (place % args.side * width, place // args.side * height))
        sheet.save(args.out / f"sheet{seed}.png")


if __name__ == "__main__":
    main()
