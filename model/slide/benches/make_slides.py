"""Writes the large slides that the benches read: pyramids of 256-pixel JPEG tiles, 4:2:0, out of one small slide.

    python3 make_slides.py SMALL_SLIDE OUTPUT_FOLDER [SIDE|flat ...]

Needs tifffile, imagecodecs, numpy and Pillow from PyPI. A side of 40000 gives about 0.3 GB, one of 100000 about 2 GB.
`flat` is 20,000 pixels a side without a pyramid.
The picture repeats every 2048 x 2816 pixels, so that each level needs only 88 different tiles to be encoded.
"""

import sys
from pathlib import Path

import imagecodecs
import numpy
import tifffile
from PIL import Image

TILE = 256
PERIOD = (2816, 2048)
FLAT_SIDE = 20_000
MICROMETRES_PER_PIXEL = 0.499


def encoded_tiles(picture):
    """The tiles of one period, row by row."""
    rows, columns = PERIOD[0] // TILE, PERIOD[1] // TILE
    return [
        [
            imagecodecs.jpeg8_encode(
                numpy.ascontiguousarray(picture[r * TILE : (r + 1) * TILE, c * TILE : (c + 1) * TILE]),
                level=80,
                colorspace="RGB",
                outcolorspace="YCBCR",
                subsampling="420",
            )
            for c in range(columns)
        ]
        for r in range(rows)
    ]


def period_at(picture, level):
    """What one period of tiles shows at a level: the picture, shrunk and repeated."""
    shrunk = Image.fromarray(picture).resize((PERIOD[1] >> level, PERIOD[0] >> level), Image.Resampling.BOX)
    return numpy.tile(numpy.asarray(shrunk), (1 << level, 1 << level, 1))[: PERIOD[0], : PERIOD[1]]


def tiles_of_level(tiles, side):
    count = -(-side // TILE)
    for row in range(count):
        for column in range(count):
            yield tiles[row % len(tiles)][column % len(tiles[0])]


def write(picture, path, side, is_flat=False):
    levels = [side]
    while not is_flat and side >> len(levels) > 1024:
        levels.append(side >> len(levels))
    per_centimetre = 10000 / MICROMETRES_PER_PIXEL
    with tifffile.TiffWriter(path, bigtiff=True) as tiff:
        for level, length in enumerate(levels):
            tiles = encoded_tiles(period_at(picture, min(level, 5)))
            tiff.write(
                tiles_of_level(tiles, length),
                shape=(length, length, 3),
                dtype="uint8",
                tile=(TILE, TILE),
                photometric="ycbcr",
                compression="jpeg",
                subsampling=(2, 2),
                resolution=(per_centimetre / 2**level, per_centimetre / 2**level),
                resolutionunit="CENTIMETER",
                subfiletype=0 if level == 0 else 1,
                metadata=None,
            )


def main():
    small, folder, *sides = sys.argv[1:]
    with tifffile.TiffFile(small) as tiff:
        picture = tiff.pages[0].asarray()[: PERIOD[0], : PERIOD[1]]
    for side in sides or ["40000"]:
        if side == "flat":
            write(picture, Path(folder) / "he_20k_flat.tif", FLAT_SIDE, is_flat=True)
        else:
            write(picture, Path(folder) / f"he_{int(side) // 1000}k.tif", int(side))


if __name__ == "__main__":
    main()
