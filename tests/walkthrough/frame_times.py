"""Reads the window's log: how long frames took, apart by what was done in them.

Work is the processor's time for a frame, from input to what is handed to the driver. The interval is what a user sees: from one frame
to the next while the pointer keeps moving; the pauses between two doings, longer than PAUSE, are no frames.
"""

import re
import sys
from datetime import datetime

PAUSE = 0.4
FRAME = re.compile(r"(\S+) TRACE app::app: frame before work_ms=([\d.]+)")
DOING = re.compile(r"doing (\w+) at (\S+)")


def seconds(stamp: str) -> float:
    return datetime.fromisoformat(stamp.rstrip("Z")).timestamp()


def at(values: list[float], share: float) -> float:
    return sorted(values)[min(int(share * len(values)), len(values) - 1)]


def row(name: str, frames: list[tuple[float, float]]) -> str:
    gaps = [1000 * (b - a) for (a, _), (b, _) in zip(frames, frames[1:]) if b - a < PAUSE]
    work = [ms for _, ms in frames]
    if len(gaps) < 10:
        sys.exit(f"{name}: only {len(frames)} frames were drawn")
    return (
        f"| {name} | {len(frames)} | {at(work, 0.5):.1f} | {at(work, 0.99):.1f} "
        f"| {at(gaps, 0.5):.1f} | {at(gaps, 0.99):.1f} |"
    )


log, doings = sys.argv[1], sys.argv[2]
frames = []
for line in open(log, encoding="utf-8"):
    if found := FRAME.search(re.sub(r"\x1b\[[0-9;]*m", "", line)):
        frames.append((seconds(found[1]), float(found[2])))
marks = [(found[1], seconds(found[2])) for found in DOING.finditer(open(doings).read())]
print("| | frames | work p50, ms | p99 | interval p50, ms | p99 |\n|---|---|---|---|---|---|")
everything = []
for (name, start), (_, end) in zip(marks, marks[1:]):
    done = [frame for frame in frames if start <= frame[0] < end]
    everything += done
    print(row(name, done))
print(row("all", everything))
