#!/usr/bin/env python3
"""Counts weights and operations of the segmentation networks, on PyTorch's own counter.

    python3 docs/recipes/cost.py --reference ../shared/reference --sides 64 288

An operation is a multiplication or an addition of a convolution or a matrix product; what is done value by value is left out, and so
are the scans, whose operations are counted by hand: eight for every direction, channel, state and pixel (decay, input, state, output).
Needs PyTorch.
"""
import argparse
import sys

WIDTHS = {"U-Net, base 8": ("unet", 8), "U-Net, base 16": ("unet", 16), "VMAML-UNet, dim 16": ("vmaml", 16), "VMAML-UNet, dim 32": ("vmaml", 32)}


def scan_operations(side, dim, state=16, expand=2, directions=4, depths=(2, 2, 2, 2), depths_dec=(2, 2, 2, 1)):
    """Of the scans of a whole VMAML-UNet."""
    total = 0
    for stage, blocks in enumerate(down + up for down, up in zip(depths, reversed(depths_dec))):
        pixels, channels = (side // 4 >> stage) ** 2, expand * dim << stage
        total += 8 * blocks * directions * channels * state * pixels
    return total


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", required=True)
    parser.add_argument("--sides", type=int, nargs="+", default=[64, 288])
    args = parser.parse_args()
    sys.path.insert(0, args.reference)
    import camseg_losses
    import torch
    import vmaml_unet
    from torch.utils.flop_counter import FlopCounterMode

    # The reference resizes by matrices, whose products would be counted; an interpolation's few operations per pixel are left out.
    vmaml_unet.resize_bilinear = lambda x, h, w: torch.nn.functional.interpolate(x, (h, w), mode="bilinear")

    print("| network | weights | " + " | ".join(f"GFLOP at {side} px" for side in args.sides) + " |")
    for name, (kind, width) in WIDTHS.items():
        net = camseg_losses.UNet(base=width) if kind == "unet" else vmaml_unet.VmamlUNet(vmaml_unet.VmamlConfig(dim=width))
        net.eval()
        cells = []
        for side in args.sides:
            with torch.no_grad(), FlopCounterMode(display=False) as counter:
                net(torch.zeros(1, 3, side, side))
            scans = scan_operations(side, width) if kind == "vmaml" else 0
            cells.append(f"{(counter.get_total_flops() + scans) / 1e9:.3f}")
        weights = sum(it.numel() for it in net.parameters())
        print(f"| {name} | {weights / 1e6:.2f} M | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
