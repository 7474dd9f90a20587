#!/usr/bin/env bash
# How long frames take while a slide under three layers is panned, zoomed and cut at another t for thirty seconds, with real mouse
# events under Xvfb. Prints a table; nothing else should run on the machine.
#
#   cargo build --release -p app && tests/walkthrough/frames.sh SLIDE OUT
#
# SLIDELIGHT_BIN names another folder of binaries. The slide needs tissue in its middle.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
slide=$(realpath "${1:?a slide}") out=$(realpath -m "${2:?a folder for the figures}")
viewer=$(realpath "${SLIDELIGHT_BIN:-$here/../../target/release}/slidelight")
# shellcheck source=drive.sh
source "$here/drive.sh"
need Xvfb openbox xdotool import python3

home=$(mktemp -d -t frames-XXXX)
mkdir -p "$out" "$home/run"
chmod 700 "$home/run"
export DISPLAY=${WALKTHROUGH_DISPLAY:-:79} XDG_RUNTIME_DIR=$home/run XDG_CONFIG_HOME=$home/config
export XDG_DATA_HOME=$home/data SLIDELIGHT_CACHE=${SLIDELIGHT_CACHE:-$home/cache}
export SLIDELIGHT_ASSETS=${SLIDELIGHT_ASSETS:-$(realpath "$here/../../assets")}
export SLIDELIGHT_MODELS=$home/models
unset DBUS_SESSION_BUS_ADDRESS WAYLAND_DISPLAY
n_windows=0
finish() {
  close_display
  rm -rf "$home"
}
trap finish EXIT
open_display
start_window "$slide"
wait_for 'job ends' 60

mark
keys r
wait_for_job analyze 900
wait_for_job read-layers 120 || true
# Heatmap and refined mask are shown; a third layer is chosen by its name.
click 1040 437
picture frames-layers
stamp() { echo "doing $1 at $(date -u +%Y-%m-%dT%H:%M:%S.%N | cut -c1-26)" >>"$out/doings.txt"; }
: >"$out/doings.txt"

# moved DX DY N: so many small moves, sixty a second.
moved() {
  local moves=() _
  for _ in $(seq "$3"); do moves+=(mousemove_relative -- "$1" "$2" sleep 0.0166); done
  xdotool "${moves[@]}"
}
t_slider=(905 474)

stamp pan
pointer 400 400
for _ in 1 2 3 4 5; do
  xdotool mousedown 1
  moved 3 2 30
  moved -3 -2 30
  xdotool mouseup 1
done
stamp zoom
pointer 455 400
for _ in 1 2 3 4 5; do
  xdotool click --repeat 40 --delay 16 4
  xdotool click --repeat 40 --delay 16 5
done
stamp t
pointer "${t_slider[@]}"
xdotool mousedown 1
for _ in 1 2 3 4 5; do
  moved 3 0 50
  moved -3 0 50
done
xdotool mouseup 1
stamp end
picture frames-end
check "the window is still there" is_running
python3 "$here/frame_times.py" "$log" "$out/doings.txt"
mark
pause 5
before=$(awk '{ print $14 + $15 }' "/proc/$window_pid/stat")
pause 10
after=$(awk '{ print $14 + $15 }' "/proc/$window_pid/stat")
echo "      at rest: $((after - before)) clock ticks of the processor in 10 s"
[[ $n_failed -eq 0 ]]
