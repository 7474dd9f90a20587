"""Reads the window's log: every change of t is in the frame that follows it, and no job starts meanwhile."""

import re
import sys
from datetime import datetime

SET = re.compile(r"(\S+) TRACE app::app: apply command=Overlay\(SetThreshold\(BinaryThreshold\(([\d.]+)\)\)\)")
STEP = re.compile(r"(\S+) TRACE app::app: apply command=Overlay\(StepThreshold\((-?\d+)\)\)")
FRAME = re.compile(r"(\S+) TRACE app::canvas: frame threshold=([\d.]+)")


def seconds(stamp: str) -> float:
    return datetime.fromisoformat(stamp.rstrip("Z")).timestamp()


changes, frames, longest = 0, 0, 0.0
shown, wanted, since = None, None, 0.0
for line in sys.stdin:
    if "job starts" in line:
        sys.exit(f"a job started while t was moved: {line.strip()}")
    if found := SET.search(line):
        since, wanted, changes = seconds(found[1]), float(found[2]), changes + 1
    elif found := STEP.search(line):
        start = shown if wanted is None else wanted
        if start is not None:
            stepped = (round(start * 100) + int(found[2])) / 100
            since, wanted, changes = seconds(found[1]), min(max(stepped, 0.0), 1.0), changes + 1
    elif found := FRAME.search(line):
        shown, frames = float(found[2]), frames + 1
        if wanted is not None and 1e-6 < abs(shown - wanted):
            sys.exit(f"t was set to {wanted}, the next frame shows {shown}")
        if wanted is not None:
            longest = max(longest, seconds(found[1]) - since)
        wanted = None
if changes == 0:
    sys.exit("t was never changed: is the slider where the script looks for it?")
print(f"      {changes} changes of t in {frames} frames, each drawn by the next one, at most {1000 * longest:.1f} ms later")
