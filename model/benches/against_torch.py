"""Our operations beside PyTorch's, in one run on the same cores.

    cargo build --release -p model --benches        # or: cargo bench -p model --bench speed --no-run
    python model/benches/against_torch.py --reference DIR --ours BINARY [--only scan,step] [--quick]

DIR holds the PyTorch reference (fmamil.py). For every case the two sides run one after the other, each in a process of its
own, with the same number of threads. The best of several runs counts; the mean processor time of a run, on all cores, is the
figure to read on a machine that does other work too. Memory is by how much the process grew at its peak.
"""
import argparse
import json
import math
import os
import subprocess
import sys
import time

CASES = {
    "scan": [(122, "forward"), (122, "training"), (1024, "forward"), (1024, "training"), (10_000, "forward"),
             (10_000, "training"), (100_000, "forward"), (100_000, "training")],
    "step": [(121, "training"), (1024, "training"), (4096, "training"), (10_000, "training")],
    "filter": [(122, "forward"), (122, "training"), (1024, "forward"), (1024, "training"), (10_000, "forward"),
               (10_000, "training")],
    "encoder": [(121, "forward")],
    "unet16": [(256, "forward"), (256, "training"), (512, "forward"), (512, "training")],
    "unet32": [(256, "forward"), (256, "training"), (512, "forward"), (512, "training")],
    "vmaml": [(256, "forward"), (256, "training")],
    "mae": [(16, "training"), (64, "training"), (256, "training")],
}
LAYOUTS = ("contiguous_format", "channels_last")
# The autograd tape of the loop would need tens of gigabytes.
WITHOUT_TORCH = {("scan", 100_000, "training")}


def memory(name):
    for line in open("/proc/self/status"):
        if line.startswith(name):
            return int(line.split()[1]) * 1024


def loop_scan(torch, length, channels=512, state=16):
    """The recurrence as it is usually written for the CPU: one step of autograd per token, over `unbind`."""
    torch.manual_seed(0)
    rank = channels // 32
    x = torch.randn(1, length, channels)
    rows = torch.randn(1, length, rank + 2 * state)
    decay, skip = -torch.randn(channels, state).abs(), torch.randn(channels)
    bias, weight = torch.randn(channels), torch.randn(channels, rank) * 0.1
    inputs = [x, rows, decay, skip, bias, weight]

    def run():
        dt, b, c = rows.split([rank, state, state], -1)
        delta = torch.nn.functional.softplus(dt @ weight.T + bias)
        h = torch.zeros(1, channels, state)
        out = []
        for d, u, bt, ct in zip(delta.unbind(1), x.unbind(1), b.unbind(1), c.unbind(1)):
            h = torch.exp(d[..., None] * decay) * h + (d * u)[..., None] * bt[:, None]
            out.append((h * ct[:, None]).sum(-1) + skip * u)
        return torch.stack(out, 1)

    return inputs, run


def filter_case(torch, length, channels=512, nodes=62):
    torch.manual_seed(0)
    x, re, im = torch.randn(1, length, channels), torch.randn(channels, nodes), torch.randn(channels, nodes)
    from fmamil import freq_interp_matrix
    mix = freq_interp_matrix(length, nodes, torch.float32)

    def run():
        gain = torch.complex(mix @ re.T, mix @ im.T)
        return torch.fft.irfft(torch.fft.rfft(x, dim=1) * gain, n=length, dim=1)

    return [x, re, im], run


def step_case(torch, patches):
    import fmamil
    torch.manual_seed(0)
    rows = math.isqrt(patches)
    grid = (rows, patches // rows)
    model = fmamil.FMaMil(fmamil.FMaMilConfig(feat_dim=1024, d_model=192, depth=2))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.05)
    feats, label = torch.randn(1, grid[0] * grid[1], 1024), torch.tensor([1])

    def run():
        loss = fmamil.mil_loss(model(feats, grid), label)["total"]
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return run


def encoder_case(torch, count):
    """ResNet50 to layer3 and the mean over places; batch norm folded, channels last."""
    from torch import nn

    def conv(i, o, k, stride=1):
        return nn.Conv2d(i, o, k, stride, k // 2)

    class Bottleneck(nn.Module):
        def __init__(self, i, width, stride):
            super().__init__()
            self.a, self.b, self.c = conv(i, width, 1), conv(width, width, 3, stride), conv(width, 4 * width, 1)
            self.skip = conv(i, 4 * width, 1, stride) if stride != 1 or i != 4 * width else nn.Identity()

        def forward(self, x):
            y = self.c(torch.relu_(self.b(torch.relu_(self.a(x)))))
            return torch.relu_(y.add_(self.skip(x)))

    layers, width = [conv(3, 64, 7, 2), nn.ReLU(True), nn.MaxPool2d(3, 2, 1)], 64
    for n, w, stride in ((3, 64, 1), (4, 128, 2), (6, 256, 2)):
        for i in range(n):
            layers.append(Bottleneck(width, w, stride if i == 0 else 1))
            width = 4 * w
    net = nn.Sequential(*layers).eval().to(memory_format=torch.channels_last)
    x = torch.rand(count, 3, 100, 100).to(memory_format=torch.channels_last)

    def run():
        with torch.no_grad():
            return net(x).mean((2, 3))

    return run


def unet_case(torch, base, layout, side, kind):
    """The reference U-Net on one image; applied with batch norm as it stands, or gradients of all weights."""
    from camseg_losses import UNet
    torch.manual_seed(0)
    layout = getattr(torch, layout)
    net = UNet(3, 1, base).to(memory_format=layout).train(kind == "training")
    image = torch.randn(1, 3, side, side).to(memory_format=layout)

    def run():
        if kind == "training":
            return net(image).sum().backward()
        with torch.no_grad():
            return net(image)

    return run


def vmaml_case(torch, layout, side, kind):
    """The reference VMAML-UNet on one image; applied, or gradients of all weights from the mask and the supervised scales."""
    import vmaml_unet
    torch.manual_seed(0)
    layout = getattr(torch, layout)
    net = vmaml_unet.VmamlUNet(vmaml_unet.VmamlConfig()).to(memory_format=layout).train(kind == "training")
    image = torch.randn(1, 3, side, side).to(memory_format=layout)

    def run():
        if kind == "training":
            out = net(image)
            scales = sum(side.sum() * weight for side, weight in zip(out["side"], out["weights"][0]))
            return (out["logits"].sum() + scales).backward()
        with torch.no_grad():
            return net(image)

    return run


def mae_case(torch, count):
    """A step of the small masked autoencoder: forward, loss, gradients, clipping, AdamW."""
    import wise_mae
    torch.manual_seed(0)
    model = wise_mae.WiseMae(wise_mae.MaeConfig())
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.05)
    images, shuffle = torch.randn(count, 3, 96, 96), model.make_shuffle(count, 36)

    def run():
        loss, _, _ = model(images, shuffle)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return run


def worker(case, length, kind, reference):
    sys.path.insert(0, reference)
    import torch
    if case == "step":
        run = step_case(torch, length)
    elif case == "mae":
        run = mae_case(torch, length)
    elif case.startswith("unet"):
        base, layout = case.removeprefix("unet").split(":")
        run = unet_case(torch, int(base), layout, length, kind)
    elif case.startswith("vmaml"):
        run = vmaml_case(torch, case.split(":")[1], length, kind)
    elif case == "encoder":
        run = encoder_case(torch, length)
    else:
        inputs, forward = (loop_scan if case == "scan" else filter_case)(torch, length)
        if kind == "forward":
            def run():
                with torch.no_grad():
                    forward()
        else:
            for tensor in inputs:
                tensor.requires_grad_()

            def run():
                torch.autograd.grad(forward().sum(), inputs)
    before, best, runs = memory("VmRSS:"), math.inf, 0
    begin = time.perf_counter()
    run()
    slow = time.perf_counter() - begin > 60
    processor, start = time.process_time(), time.perf_counter()
    while runs < 200 and (runs < (1 if slow else 2) or time.perf_counter() - start < 3):
        begin = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - begin)
        runs += 1
    spent = (time.process_time() - processor) / runs
    print(json.dumps({"seconds": best, "cpu_seconds": spent, "runs": runs, "peak_bytes": memory("VmHWM:") - before}))


def last_json(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def by_torch(case, length, kind, reference):
    return last_json([sys.executable, __file__, "--worker", case, str(length), kind, "--reference", reference])


def compare(args):
    print(f"threads {len(os.sched_getaffinity(0))}, load {os.getloadavg()[0]:.1f}")
    print("| case | length | pass | ours | PyTorch | ratio | processor time, ratio | ours, MB | PyTorch, MB | ratio |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    fits = []
    for case in args.only.split(","):
        for length, kind in CASES[case]:
            if args.quick and length > 2000:
                continue
            ours = last_json([args.ours, case, str(length), kind])
            torch = None
            if (case, length, kind) not in WITHOUT_TORCH:
                # Of the two ways to lay out images the faster one.
                ways = [f"{case}:{layout}" for layout in LAYOUTS] if case.startswith(("unet", "vmaml")) else [case]
                torch = min((by_torch(way, length, kind, args.reference) for way in ways), key=lambda it: it["seconds"])
            fits.append((case, length, ours["seconds"]))
            print(row(case, length, kind, ours, torch), flush=True)
    steps = [(math.log(n), math.log(s)) for case, n, s in fits if case == "step" and n >= 1000]
    if len(steps) > 1:
        mean = [sum(it) / len(steps) for it in zip(*steps)]
        slope = sum((x - mean[0]) * (y - mean[1]) for x, y in steps) / sum((x - mean[0]) ** 2 for x, _ in steps)
        print(f"\nseconds of a step grow as length^{slope:.2f} from 1 024 on")


def row(case, length, kind, ours, torch):
    mb = lambda it: f"{it['peak_bytes'] / 1e6:.0f}"
    if torch is None:
        return f"| {case} | {length} | {kind} | {ours['seconds'] * 1e3:.2f} ms | - | - | - | {mb(ours)} | - | - |"
    speed, processor = torch["seconds"] / ours["seconds"], torch["cpu_seconds"] / max(ours["cpu_seconds"], 1e-6)
    size = ours["peak_bytes"] / max(torch["peak_bytes"], 1)
    return (f"| {case} | {length} | {kind} | {ours['seconds'] * 1e3:.2f} ms | {torch['seconds'] * 1e3:.2f} ms | {speed:.1f}x "
            f"| {processor:.1f}x | {mb(ours)} | {mb(torch)} | {size:.2f} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", required=True)
    parser.add_argument("--ours")
    parser.add_argument("--only", default="scan,step,filter,encoder,unet16,unet32,vmaml,mae")
    parser.add_argument("--quick", action="store_true", help="lengths up to 2000 alone")
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        worker(args.worker[0], int(args.worker[1]), args.worker[2], args.reference)
    else:
        compare(args)
