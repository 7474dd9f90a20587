#!/usr/bin/env bash
# An encoder from a folder of slides and images, with real mouse and key events under Xvfb: check, the quick preset, the window killed
# and the pre-training resumed, its pictures looked through, the encoder kept and found in the plan of a training with labels. Leaves a
# picture of every step.
#
#   cargo build --release -p app -p cli && tests/walkthrough/pretrain.sh FOLDER OUT
#
# FOLDER holds slides or images with tissue. SLIDELIGHT_BIN names another folder of binaries. Ends with status 1 if a check failed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=$(realpath "${1:?a folder of slides and images}") out=$(realpath -m "${2:?a folder for the pictures}")
viewer=$(realpath "${SLIDELIGHT_BIN:-$here/../../target/release}/slidelight")
# shellcheck source=drive.sh
source "$here/drive.sh"
need Xvfb openbox xdotool import
as_a_new_user :81
export SLIDELIGHT_ENCODERS=$home/encoders

# Where things are in the window at its first size, in the training panel where it opens.
encoder_aim=(65 250) images_field=(270 427) panel=(300 500) start_button=(95 591)
go_on_button=(100 214) add_button=(118 594) another_button=(106 202) heatmaps_aim=(65 160)

echo "== a folder"
start_window
keys ctrl+t
picture 01-aims
click "${encoder_aim[@]}"
picture 02-encoder
click "${images_field[@]}"
type_text "$folder"
mark
keys Return
check "the folder is checked" wait_for_job check-folder 120
pause 0.6
picture 03-checked
scroll "${panel[@]}" 60 5
picture 04-plan

echo "== the quick preset, and a kill"
mark
click "${start_button[@]}"
wait_for 'job starts job=[0-9]+ name="train"' 10
check "a picture is shown while it learns" wait_for_job read-reconstruction 900
pause 1
picture 05-learning
kill -9 "$window_pid"
wait "$window_pid" 2>/dev/null || true
runs=$home/data/slidelight/runs
check "the run is not finished" test -z "$(find "$runs" -name report.json)"
start_window
picture 06-offered
mark
click "${go_on_button[@]}"
check "it is offered and goes on to its end" wait_for_job train 1800
pause 1
picture 07-finished
scroll "${panel[@]}" 60 5
picture 08-result

echo "== the encoder"
mark
click "${add_button[@]}"
check "it becomes an encoder of the list" wait_for_job list-models 30
pause 1
picture 09-kept
check "it lies in the user's folder" test -n "$(find "$SLIDELIGHT_ENCODERS" -name manifest.json)"
scroll "${panel[@]}" 60 4
mark
click "${another_button[@]}"
check "the folder is known, and looked at again" wait_for_job check-folder 120
scroll "${panel[@]}" 60 4
click "${heatmaps_aim[@]}"
pause 3
scroll "${panel[@]}" 60 5
picture 10-chosen
stop_window

echo "== sizes"
WINIT_X11_SCALE_FACTOR=2 start_window
keys ctrl+t
scroll "${panel[@]}" 60 4
picture 11-double-scale
stop_window

echo "$n_failed checks failed; pictures and logs are in $out"
[[ $n_failed -eq 0 ]]
