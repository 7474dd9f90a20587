#!/usr/bin/env bash
# A large slide moved about with real mouse and key events under Xvfb for a minute and more, through every zoom from the
# whole slide to single pixels. Prints the most memory that the window held; ends with status 1 beyond the limit.
#
#   cargo build --release -p app && tests/walkthrough/large_slide.sh SLIDE OUT [SECONDS]
#
# SLIDELIGHT_BIN names another folder of binaries. A slide of 100 000 px a side can be made of any picture with libvips:
#   vips replicate picture.png tiled.v 50 50 && vips crop tiled.v slide.tif[tile,pyramid,compression=jpeg,bigtiff] 0 0 100000 100000
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
slide=$(realpath "${1:?a slide}") out=$(realpath -m "${2:?a folder for the pictures}") seconds=${3:-75}
limit_mb=1500
viewer=$(realpath "${SLIDELIGHT_BIN:-$here/../../target/release}/slidelight")
# shellcheck source=drive.sh
source "$here/drive.sh"
need Xvfb openbox xdotool import python3
as_a_new_user :79
clean_up() { kill "${sampler_pid:-}" 2>/dev/null || true; }
start_window "$slide"
wait_for 'job ends' 60

# Resident megabytes, five times a second.
sample_memory() {
  while awk '/^VmRSS/ { print int($2 / 1024) }' "/proc/$window_pid/status" 2>/dev/null; do sleep 0.2; done
}
sample_memory >"$out/memory-mb.txt" &
sampler_pid=$!

# Wheel notches: button 4 magnifies, 5 the reverse.
wheel() { xdotool click --repeat "$2" --delay 40 "$1"; }

mark
started=$SECONDS
n_rounds=0
while [[ $((SECONDS - started)) -lt $seconds ]]; do
  # Another place each round, so that no tile is met twice.
  x=$((120 + (n_rounds * 173) % 660)) y=$((90 + (n_rounds * 97) % 520))
  pointer "$x" "$y"
  for _ in 1 2 3 4 5 6; do
    wheel 4 6
    drag 620 520 240 160
    drag 240 420 640 220
  done
  [[ $n_rounds -gt 0 ]] || picture large-deep
  keys 1
  for _ in 1 2 3 4; do drag 700 600 150 120; done
  wheel 5 14
  drag 300 300 600 500
  keys f
  n_rounds=$((n_rounds + 1))
done
picture large-whole
kill "$sampler_pid" 2>/dev/null || true
check "the window is still there" is_running
peak=$(awk '/^VmHWM/ { print int($2 / 1024) }' "/proc/$window_pid/status")
echo "      $n_rounds rounds in $((SECONDS - started)) s, $(n_said 'app::canvas: frame') frames, $(n_said "cannot be read") messages about unreadable tiles"
echo "      most memory at any moment: $peak MB; median of samples: $(sort -n "$out/memory-mb.txt" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }') MB"
check "memory stays below $limit_mb MB" test "$peak" -lt "$limit_mb"
[[ $n_failed -eq 0 ]]
