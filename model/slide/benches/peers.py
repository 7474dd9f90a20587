"""Runs this reader and its peers over the same slides, each task in a process of its own, and prints a table.

    cargo bench -p slide --bench against_peers --no-run     # prints the path of the binary
    python3 peers.py BINARY SLIDE ... [--rounds N]

Needs openslide-python and openslide-bin from PyPI; fastslide takes part where it is installed. Tasks: `random`, 200
squares of 512 pixels of level 0; `open`, the mean of 1000 openings; `first`, open and read the coarsest level of at least
1024 pixels. CPU seconds are what to compare on a machine that is shared; the best of the rounds counts.
"""

import resource
import subprocess
import sys
import time

READS, SIDE, OPENS, VIEW = 200, 512, 1000, 1024
# As much as this reader keeps.
CACHE_BYTES = 64 << 20


def places(width, height):
    for read in range(READS):
        yield read * 2654435761 % (width - SIDE), read * 2246822519 % (height - SIDE)


class OpenSlide:
    """The C interface without Pillow, as a viewer would use it."""

    def __init__(self, path):
        import ctypes
        from openslide import lowlevel

        self.low, self.ctypes = lowlevel, ctypes
        self.slide = lowlevel.open(path)
        lowlevel.set_cache(self.slide, lowlevel.cache_create(CACHE_BYTES))
        count = lowlevel.get_level_count(self.slide)
        self.sizes = [lowlevel.get_level_dimensions(self.slide, level) for level in range(count)]

    def read(self, level, x, y, width, height):
        buffer = (self.ctypes.c_uint32 * (width * height))()
        self.low._read_region(self.slide, buffer, x, y, level, width, height)

    def close(self):
        self.low.close(self.slide)


class FastSlide:
    def __init__(self, path):
        import fastslide

        self.slide = fastslide.FastSlide.from_file_path(path)
        self.sizes = [tuple(size) for size in self.slide.level_dimensions]

    def read(self, level, x, y, width, height):
        self.slide.read_region((x, y), level, (width, height))

    def close(self):
        self.slide.close()


def task(reader, name, path):
    if name == "random":
        slide = reader(path)
        for x, y in places(*slide.sizes[0]):
            slide.read(0, x, y, SIDE, SIDE)
    elif name == "open":
        for _ in range(OPENS):
            reader(path).close()
    else:
        slide = reader(path)
        level = max(i for i, size in enumerate(slide.sizes) if i == 0 or max(size) >= VIEW)
        slide.read(level, 0, 0, *slide.sizes[level])


def child(reader, name, path):
    """One task, its imports left out of the times."""
    reader = {"openslide": OpenSlide, "fastslide": FastSlide}[reader]
    if reader is OpenSlide:
        import openslide  # noqa: F401
    else:
        import fastslide  # noqa: F401
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    cpu, wall = time.process_time(), time.perf_counter()
    task(reader, name, path)
    repeats = OPENS if name == "open" else 1
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print((time.process_time() - cpu) / repeats, (time.perf_counter() - wall) / repeats, peak / 1024, before / 1024)


def main():
    if sys.argv[1] == "--child":
        return child(*sys.argv[2:])
    arguments = sys.argv[1:]
    rounds = 3
    if "--rounds" in arguments:
        at = arguments.index("--rounds")
        rounds = int(arguments[at + 1])
        del arguments[at : at + 2]
    binary, *slides = arguments
    peers = ["openslide"]
    if subprocess.run([sys.executable, "-c", "import fastslide"], capture_output=True).returncode == 0:
        peers.append("fastslide")
    print(f"{'slide':24} {'task':7} {'reader':10} {'CPU ms':>9} {'wall ms':>9} {'peak MiB':>9} {'times ours':>10}")
    for path in slides:
        for name in ("random", "open", "first"):
            commands = {"slidelight": [binary, name, path]}
            for peer in peers:
                commands[peer] = [sys.executable, __file__, "--child", peer, name, path]
            best = {}
            for _ in range(rounds):
                for reader, command in commands.items():
                    done = subprocess.run(command, capture_output=True, text=True)
                    if done.returncode == 0:
                        numbers = [float(it) for it in done.stdout.split()]
                        memory = numbers[3] if reader == "slidelight" else numbers[2]
                        best[reader] = min(best.get(reader, numbers[:2] + [memory]), numbers[:2] + [memory])
            for reader, (cpu, wall, memory) in best.items():
                times = cpu / max(best["slidelight"][0], 1e-9)
                print(f"{path[-24:]:24} {name:7} {reader:10} {cpu * 1e3:9.3f} {wall * 1e3:9.3f} {memory:9.1f} {times:10.2f}")


if __name__ == "__main__":
    main()
