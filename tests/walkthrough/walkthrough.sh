#!/usr/bin/env bash
# The main job as a user does it, with real mouse and key events under Xvfb: open, run, cancel, run, move
# t, look, export, and everything that can go wrong. Leaves a picture of every step.
#
#   cargo build --release -p app -p cli && tests/walkthrough/walkthrough.sh OUT
#
# SLIDELIGHT_BIN names another folder of binaries. Ends with status 1 if a check failed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=$(realpath -m "${1:?a folder for the pictures}")
bin=${SLIDELIGHT_BIN:-$here/../../target/release}
viewer=$(realpath "$bin/slidelight") cli=$(realpath "$bin/slidelight-cli")
# shellcheck source=drive.sh
source "$here/drive.sh"
need Xvfb openbox xdotool import python3
as_a_new_user :78
full=$home/full readonly_folder=/proc/slidelight
mkdir -p "$home/files" "$home/exports" "$full"
# A copy: what is done to the demo slide is kept beside it.
cp -r "$SLIDELIGHT_ASSETS" "$home/assets"
export SLIDELIGHT_ASSETS=$home/assets
demo=$SLIDELIGHT_ASSETS/demo/cmu-1-small-region.svs
clean_up() { umount "$full" 2>/dev/null || true; }

# Where things are in the window at its first size, with a heatmap where there is one.
welcome_button=(280 182) cancel_button=(1195 404)
slider=(985 474) typed_t=(1199 474) opacity=(978 656) colormap=(1140 686)
folder_field=(600 494)

open_by_path() {
  mark
  keys ctrl+l
  wait_for 'Show\(OpenPath\)' 10
  pause 0.6
  type_text "$1"
  keys Return
  wait_for_job open-slide 30
}

run_model() {
  mark
  keys r
  wait_for_job analyze 900
}

set_t() {
  click "${typed_t[@]}"
  keys ctrl+a
  type_text "$1"
  keys Return
  pointer 455 400
}

export_to() {
  mark
  keys ctrl+e
  wait_for 'File\(ShowExport\)' 10
  pause 0.6
  click "${folder_field[@]}"
  keys ctrl+a
  type_text "$1"
  keys Tab Tab Return
  wait_for_job export 60
}

every_t_is_drawn_at_once() { said | python3 "$here/t_in_the_next_frame.py"; }

# The window and the command line write the same mask, outlines and area at the same t.
export_equals_command_line() {
  local t=$1 ours=$home/exports/window-$1 theirs=$home/exports/cli-$1 name=cmu-1-small-region
  set_t "$t"
  export_to "$ours"
  "$cli" predict "$demo" --model colorectal-ebhi --threshold "$t" --out "$theirs" 2>/dev/null
  cmp "$ours/$name.mask.png" "$theirs/$name.mask.png" && cmp "$ours/$name.heatmap.tif" "$theirs/$name.heatmap.tif" || return 1
  python3 - "$ours/$name.json" "$theirs/$name.json" <<'PYTHON'
import json, sys
ours, theirs = (json.load(open(path)) for path in sys.argv[1:])
keys = [key for key in ours if "area" in key or key in ("probability", "percent_of_tissue", "lesions")]
assert keys and all(ours[key] == theirs[key] for key in keys), [(key, ours[key], theirs.get(key)) for key in keys]
print("      " + ", ".join(f"{key} {ours[key]}" for key in keys))
PYTHON
}

# says_one_line TEXT: exactly one message, on one line, with that text, and the window goes on.
says_one_line() {
  wait_for "WARN app::state::notices: .*$1" 20 && [[ $(n_said 'WARN app::state::notices') -eq 1 ]] && is_running
}

echo "== first start"
start_window
check "the demo slide opens by itself" wait_for_job open-slide 60
picture 01-welcome
click "${welcome_button[@]}"

echo "== run, cancel, run"
mark
keys r
wait_for 'job starts job=[0-9]+ name="analyze"' 10
pause 3
picture 02-running
click "${cancel_button[@]}"
check "cancel stops the run" wait_for_job analyze 5
check "the second run ends" run_model
pause 1
picture 03-heatmap

echo "== t"
pointer 455 400
keys bracketright
mark
keys bracketright bracketright bracketleft shift+bracketright shift+bracketleft
drag "${slider[@]}" 1100 474
drag 1100 474 960 474
set_t 0.333
keys bracketleft
check "every change of t is in the next frame and starts no work" every_t_is_drawn_at_once
picture 04-threshold
keys c
picture 05-fill
keys c
picture 06-contour
keys c h
picture 07-hidden
keys h t
xdotool keydown space
picture 07-peeking
xdotool keyup space
drag "${opacity[@]}" 1030 656
click "${colormap[@]}"
picture 08-colormaps
keys Escape

echo "== looking around"
pointer 455 400
xdotool click --repeat 4 --delay 150 4
pause 1
picture 09-zoomed
drag 455 400 300 300
keys 1
picture 10-one-to-one
keys f

pause 3
mark
pause 5
check "nothing is drawn while nothing happens" test "$(n_said frame)" -eq 0

echo "== export"
keys ctrl+e
pause 1
click "${folder_field[@]}"
keys ctrl+a
type_text /home/you/results
picture 11-export
keys Escape Escape
for t in 0.15 0.25 0.6; do
  check "at t = $t the exported files equal the command line's" export_equals_command_line "$t"
done
picture 12-exported
export_to "$readonly_folder"
check "a folder that cannot be written to is named" says_one_line "Nothing was exported: .*: $readonly_folder"
picture 13-unwritable
if mount -t tmpfs -o size=64k slidelight-full "$full" 2>/dev/null; then
  export_to "$full"
  check "a full disk is named" says_one_line 'Nothing was exported: .*the disk is full'
  check "nothing is left on the full disk" test -z "$(ls -A "$full")"
  picture 13-full-disk
else
  echo "SKIPPED the full disk: mounting a small one needs root"
fi

echo "== files that cannot be opened"
: >"$home/files/empty.svs"
head -c 300000 "$demo" >"$home/files/truncated.svs"
echo "no slide" >"$home/files/text.svs"
head -c 100000 /dev/urandom >"$home/files/noise.tif"
for case in "empty.svs:empty" "truncated.svs:ends too early" "text.svs:not supported" "noise.tif:not supported" "missing.svs:No such file"; do
  open_by_path "$home/files/${case%%:*}"
  check "${case%%:*} is answered with one line" says_one_line "Cannot open the slide: .*${case#*:}"
done
picture 14-errors
mark
open_by_path "$demo"
check "the window still opens a slide" wait_for 'frame' 10
if ! command -v zenity >/dev/null; then
  mark
  keys ctrl+o
  wait_for_job pick-slide 20
  pause 0.6
  type_text "$demo"
  keys Return
  check "without a file dialog the path field is offered" wait_for_job open-slide 20
fi
stop_window

echo "== model folders that cannot be used"
mkdir -p "$SLIDELIGHT_MODELS/other" "$SLIDELIGHT_MODELS/swapped"
echo '{"schema": 1, "architecture": "transmil"}' >"$SLIDELIGHT_MODELS/other/manifest.json"
cp "$SLIDELIGHT_ASSETS"/models/colorectal-ebhi/* "$SLIDELIGHT_MODELS/swapped/"
sed -i 's/"name": "colorectal-ebhi"/"name": "swapped"/; s/"title": "/"title": "Swapped weights: /' "$SLIDELIGHT_MODELS/swapped/manifest.json"
head -c 5000 /dev/urandom >"$SLIDELIGHT_MODELS/swapped/weights.safetensors"
start_window "$demo"
picture 15-other-architecture
mark
click 1080 70
picture 15-models
click 1080 159
run_model
check "weights that are not the model's own are refused in one line" says_one_line 'The model did not finish: '
picture 16-swapped-weights
stop_window
rm -r "$SLIDELIGHT_MODELS"

echo "== sizes"
WINIT_X11_SCALE_FACTOR=2 start_window "$demo"
picture 17-double-scale
stop_window
start_window "$demo"
xdotool windowsize "$window" 720 480
run_model
picture 18-narrow
stop_window

echo "$n_failed checks failed; pictures and logs are in $out"
[[ $n_failed -eq 0 ]]
