#!/usr/bin/env python3
"""What OpenSlide makes of every file of a folder of slides.

    pip install openslide-bin openslide-python numpy
    openslide_reference.py SLIDES OUT

Writes OUT/reference.json, of which ../slide_table/reference.json is a copy: per file the facts, or why OpenSlide does not
open it, and eight blocks of 8 x 8 pixels. Beside it, for whole-picture comparisons, OUT/N.rgba with the region that the
entry names.
"""
import json
import os
import sys

import numpy
import openslide

BLOCK = 8
N_BLOCKS = 8
SIDE = 4096
COMPANIONS = (".md", ".dat", ".ini")


def region(slide):
    """Level 0, or at most SIDE x SIDE pixels of it from where the tissue begins."""
    width, height = slide.dimensions
    bounds = [int(slide.properties.get(f"openslide.bounds-{key}", 0)) for key in "xy"]
    x, y = (0, 0) if width * height <= SIDE * SIDE else bounds
    return x, y, min(SIDE, width - x), min(SIDE, height - y)


def blocks(pixels, x, y):
    """The liveliest of 200 blocks at random places, as [x, y, RGB in hexadecimal digits]."""
    random = numpy.random.default_rng(1)
    height, width = pixels.shape[:2]
    found = []
    for _ in range(200):
        left, top = random.integers(0, max(1, width - BLOCK)), random.integers(0, max(1, height - BLOCK))
        block = pixels[top : top + BLOCK, left : left + BLOCK]
        if block.shape[:2] == (BLOCK, BLOCK) and (block[..., 3] == 255).all():
            found.append((-block[..., :3].std(), int(x + left), int(y + top), block[..., :3].tobytes().hex()))
    return [list(entry[1:]) for entry in sorted(found)[:N_BLOCKS]]


def facts(path, index, out):
    try:
        slide = openslide.OpenSlide(path)
        x, y, width, height = region(slide)
        pixels = numpy.asarray(slide.read_region((x, y), 0, (width, height)))
    except (openslide.OpenSlideError, OSError) as error:
        return {"error": str(error).replace(path, "the file")}
    pixels.tofile(os.path.join(out, f"{index}.rgba"))
    properties = slide.properties
    number = lambda key: float(properties[key]) if key in properties else None
    return {
        "vendor": properties["openslide.vendor"],
        "levels": slide.level_dimensions,
        "mpp": [number("openslide.mpp-x"), number("openslide.mpp-y")],
        "power": number("openslide.objective-power"),
        "associated": {name: picture.size for name, picture in sorted(slide.associated_images.items())},
        "region": [x, y, width, height],
        "blocks": blocks(pixels, x, y),
    }


def main():
    slides, out = sys.argv[1:]
    os.makedirs(out, exist_ok=True)
    names = []
    for folder, _, files in os.walk(slides):
        names += [os.path.relpath(os.path.join(folder, name), slides) for name in files]
    names = sorted(name for name in names if not name.endswith(COMPANIONS))
    reference = {name: facts(os.path.join(slides, name), i, out) for i, name in enumerate(names)}
    rows = [f" {json.dumps(name)}: {json.dumps(entry)}" for name, entry in reference.items()]
    with open(os.path.join(out, "reference.json"), "w") as file:
        file.write("{\n" + ",\n".join(rows) + "\n}\n")


if __name__ == "__main__":
    main()
