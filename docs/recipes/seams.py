#!/usr/bin/env python3
"""Does a large slide take little memory, and does a region of it come out as it does alone?

    python3 docs/recipes/seams.py --images MOSAICS/0/images --model MODEL --work WORK [--cli slidelight-cli]

Lays images out to a pyramid of 20 000 x 20 000 px, every fifth place glass, cuts a region of 5 120 px out of its decoded levels without
loss, refines both with the same model, not gated by its stage 1 (whose windows begin elsewhere in the region), and prints the peak memory
and the largest difference of the two probability pyramids by the distance from the region's edge, where its surroundings are missing.
Needs Linux, numpy, tifffile, imagecodecs and Pillow.
"""
import argparse
import json
import pathlib
import shutil
import subprocess
import time

import numpy
import tifffile
from PIL import Image

SIDE, TOP, LEFT, REGION = 20_000, 4608, 6656, 5120
UM_PER_PX = 0.97


def laid_out(files):
    whole = numpy.full((SIDE, SIDE, 3), 245, numpy.uint8)
    first = numpy.asarray(Image.open(files[0]).convert("RGB"))
    height, width = first.shape[:2]
    places = [(y, x) for y in range(0, SIDE, height) for x in range(0, SIDE, width)]
    for at, (y, x) in enumerate(places):
        if (x // width + y // height) % 5 == 4:
            continue
        image = numpy.asarray(Image.open(files[at % len(files)]).convert("RGB"))
        whole[y:y + height, x:x + width] = image[:SIDE - y, :SIDE - x]
    return whole


def halved(level):
    level = level[:level.shape[0] // 2 * 2, :level.shape[1] // 2 * 2].astype(numpy.uint16)
    return ((level[::2, ::2] + level[1::2, ::2] + level[::2, 1::2] + level[1::2, 1::2] + 2) // 4).astype(numpy.uint8)


def write(path, levels, **compression):
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        for at, level in enumerate(levels):
            per_cm = 1e4 / UM_PER_PX / 2 ** at
            file.write(level, tile=(512, 512), photometric="rgb", resolution=(per_cm, per_cm), resolutionunit="CENTIMETER",
                       subfiletype=int(at > 0), **compression)


def refined(cli, slide, model, out):
    command = [cli, "predict", slide, "--model", model, "--refine", "--out", out, "--format", "tif"]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = 0
    while running.poll() is None:
        status = pathlib.Path(f"/proc/{running.pid}/status").read_text()
        peak = max([peak, *(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))])
        time.sleep(0.1)
    if running.returncode:
        raise SystemExit(f"{slide.name}: the prediction failed")
    return tifffile.TiffFile(out / f"{slide.stem}.refined.tif").pages[0].asarray().astype(int), peak


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=pathlib.Path, required=True)
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--cli", default="slidelight-cli")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    whole, part, model = args.work / "whole.tif", args.work / "part.tif", args.work / "model"
    levels = [laid_out(sorted(args.images.glob("train_*")))]
    while max(levels[-1].shape) > 1500:
        levels.append(halved(levels[-1]))
    write(whole, levels, compression="jpeg", compressionargs={"level": 90})
    decoded = [page.asarray() for page in tifffile.TiffFile(whole).pages]
    cut = [it[TOP >> at:TOP + REGION >> at, LEFT >> at:LEFT + REGION >> at] for at, it in enumerate(decoded) if REGION >> at >= 512]
    write(part, cut, compression="deflate")
    shutil.copytree(args.model, model, dirs_exist_ok=True)
    refiner = json.loads((model / "refiner.json").read_text())
    (model / "refiner.json").write_text(json.dumps({**refiner, "is_gated": False}))
    alone, _ = refined(args.cli, part, model, args.work / "alone")
    within, peak = refined(args.cli, whole, model, args.work / "within")
    ratio = SIDE // within.shape[0]
    within = within[TOP // ratio:, LEFT // ratio:][:alone.shape[0], :alone.shape[1]]
    gap = numpy.abs(within - alone) / 255
    print(f"peak memory {peak:.0f} MB")
    for edge in (0, 32, 64, 96, 128):
        inner = gap[edge:gap.shape[0] - edge, edge:gap.shape[1] - edge]
        print(f"{edge} px of {ratio} x {ratio} from the edge: at most {inner.max():.3f}, over 0.02 in {(inner > 0.02).mean():.4%}")


if __name__ == "__main__":
    main()
