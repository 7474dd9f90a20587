#!/usr/bin/env bash
# A training as a new user does it, with real mouse and key events under Xvfb: a folder of labelled images, the
# quick preset, curves, the model in the list, a run on an image of another patient. Then a training is killed
# with its window, offered again and resumed. Leaves a picture of every step.
#
#   cargo build --release -p app -p cli && tests/walkthrough/train.sh LABELLED_FOLDER IMAGE OUT
#
# LABELLED_FOLDER has labels.csv without splits. SLIDELIGHT_BIN names another folder of binaries. Ends with
# status 1 if a check failed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=$(realpath "${1:?a labelled folder}") image=$(realpath "${2:?an image of another patient}")
out=$(realpath -m "${3:?a folder for the pictures}")
viewer=$(realpath "${SLIDELIGHT_BIN:-$here/../../target/release}/slidelight")
# shellcheck source=drive.sh
source "$here/drive.sh"
need Xvfb openbox xdotool import
as_a_new_user :80
slide=$home/slides/$(basename "$image")
mkdir "$home/slides"
cp "$image" "$slide"

# Where things are in the window at its first size, in the training panel where it opens.
images_field=(270 351) panel=(300 400) start_button=(95 591) name_field=(380 475) title_field=(380 505)
add_button=(112 628) close_panel=(621 78) another_button=(106 202) go_on_button=(100 214)

# Moves the slide beside the panel for a while; says what frames took of the processor.
frames() {
  local _
  mark
  for _ in 1 2 3 4 5 6; do
    drag 680 140 860 620
    drag 860 620 680 140
  done
  said | sed -nE 's/.* frame before work_ms=([0-9.e-]+).*/\1/p' | python3 -c '
import sys
ms = sorted(float(line) for line in sys.stdin)
print(f"      {sys.argv[1]}: {len(ms)} frames, median {ms[len(ms) // 2]:.1f} ms, p99 {ms[int(len(ms) * 0.99)]:.1f} ms")' "$1"
}

echo "== a folder"
start_window "$slide"
keys ctrl+t
picture 01-panel
click "${images_field[@]}"
type_text "$folder"
mark
keys Return
check "the folder is checked" wait_for_job check-folder 120
check "its images are read for the preview" wait_for_job preview-bags 120
check "the pace is measured" wait_for_job measure-pace 120
pause 0.6
picture 02-checked
scroll "${panel[@]}" 4 5
picture 02-preview
scroll "${panel[@]}" 40 5
picture 03-plan

echo "== the quick preset"
frames "frames at rest"
mark
click "${start_button[@]}"
wait_for 'job starts job=[0-9]+ name="train"' 10
began=$(date +%s)
pause 4
picture 04-features
started=$marked
frames "frames while it trains"
marked=$started
check "the quick preset trains to its end" wait_for_job train 1200
echo "      the training took $(($(date +%s) - began)) s"
pause 1
picture 05-curves
scroll "${panel[@]}" 60 5
picture 06-result

echo "== the model"
click "${name_field[@]}"
keys ctrl+a
type_text "my-biopsies"
click "${title_field[@]}"
type_text "My biopsies"
mark
click "${add_button[@]}"
check "the run becomes a model of the list" wait_for_job list-models 30
pause 1
picture 07-promoted
check "it lies in the user's folder" test -f "$SLIDELIGHT_MODELS/my-biopsies/manifest.json"
click "${close_panel[@]}"
mark
keys r
check "it runs on the image of another patient" wait_for_job analyze 300
pause 1
picture 08-heatmap

runs=$home/data/slidelight/runs name=$(basename "$folder")
echo "== a kill"
keys ctrl+t
pause 0.6
scroll "${panel[@]}" 60 4
mark
click "${another_button[@]}"
check "another training begins with the folder of the first" wait_for_job check-folder 120
scroll "${panel[@]}" 40 5
mark
click "${start_button[@]}"
for _ in $(seq 600); do [[ -f $runs/$name-2/state.safetensors ]] && break || sleep 0.1; done
kill -9 "$window_pid"
wait "$window_pid" 2>/dev/null || true
check "the run is not finished" test ! -e "$runs/$name-2/report.json"
start_window "$slide"
picture 09-offered
mark
click "${go_on_button[@]}"
check "it is offered and goes on" wait_for_job train 300
picture 10-resumed
same_figures() {
  python3 - "$runs" "$name-1" "$name-2" <<'PYTHON'
import json, pathlib, sys
runs = pathlib.Path(sys.argv[1])
one, two = (json.loads((runs / name / "report.json").read_text()) for name in sys.argv[2:])
print("      " + ", ".join(f"{name} {value:.6f}" for name, value in one["metrics"].items()))
assert one["metrics"] == two["metrics"] and one["best_epoch"] == two["best_epoch"], (one, two)
PYTHON
}
check "it ends with the figures of the unbroken one" same_figures
stop_window

echo "== sizes"
WINIT_X11_SCALE_FACTOR=2 start_window "$slide"
keys ctrl+t
pause 0.6
picture 11-double-scale
stop_window

echo "$n_failed checks failed; pictures and logs are in $out"
[[ $n_failed -eq 0 ]]
