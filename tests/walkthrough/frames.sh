#!/usr/bin/env bash
# How long frames take while a slide under three layers is panned, zoomed and cut at another t for thirty seconds, with real mouse
# events under Xvfb. Prints a table; nothing else should run on the machine.
#
#   cargo build --release -p app && tests/walkthrough/frames.sh SLIDE OUT
#
# SLIDELIGHT_BIN names another folder of binaries. The slide needs tissue in its middle, at the resolution of the model or finer.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
slide=$(realpath "${1:?a slide}") out=$(realpath -m "${2:?a folder for the figures}")
viewer=$(realpath "${SLIDELIGHT_BIN:-$here/../../target/release}/slidelight")
# shellcheck source=drive.sh
source "$here/drive.sh"
need Xvfb openbox xdotool import python3
as_a_new_user :79
start_window "$slide"
wait_for 'job ends' 60

mark
keys r
wait_for_job analyze 900
wait_for_job read-layers 120 || true
# The heatmap is shown; two further layers are chosen, then the heatmap again.
layers=(1018 348) pseudo_mask=(960 379) instances=(960 439) heatmap=(960 409)
for layer in pseudo_mask instances heatmap; do
  declare -n place=$layer
  click "${layers[@]}"
  click "${place[@]}"
done
keys 5
check "three layers are shown" test "$(n_said 'Overlay\(Choose')" -eq 3
picture frames-layers
mark
stamp() { echo "doing $1 at $(date -u +%Y-%m-%dT%H:%M:%S.%N | cut -c1-26)" >>"$out/doings.txt"; }
: >"$out/doings.txt"

# moved DX DY N: so many small moves, sixty a second.
moved() {
  local moves=() _
  for _ in $(seq "$3"); do moves+=(mousemove_relative -- "$1" "$2" sleep 0.0166); done
  xdotool "${moves[@]}"
}
t_slider=(968 440)

stamp pan
pointer 400 400
for _ in $(seq 10); do
  xdotool mousedown 1
  moved 3 2 30
  moved -3 -2 30
  xdotool mouseup 1
done
stamp zoom
pointer 455 400
for _ in $(seq 8); do
  xdotool click --repeat 40 --delay 16 4
  xdotool click --repeat 40 --delay 16 5
done
stamp t
pointer "${t_slider[@]}"
xdotool mousedown 1
for _ in $(seq 6); do
  moved 3 0 50
  moved -3 0 50
done
xdotool mouseup 1
stamp end
picture frames-end
check "the window is still there" is_running
check "t was moved" test "$(n_said 'SetThreshold')" -gt 50
python3 "$here/frame_times.py" "$log" "$out/doings.txt"
mark
pause 5
before=$(awk '{ print $14 + $15 }' "/proc/$window_pid/stat")
pause 10
after=$(awk '{ print $14 + $15 }' "/proc/$window_pid/stat")
echo "      at rest: $((after - before)) clock ticks of the processor in 10 s"
[[ $n_failed -eq 0 ]]
