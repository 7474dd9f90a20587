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

home=$(mktemp -d -t train-XXXX)
mkdir -p "$out" "$home/run" "$home/slides"
chmod 700 "$home/run"
export DISPLAY=${WALKTHROUGH_DISPLAY:-:80} XDG_RUNTIME_DIR=$home/run XDG_CONFIG_HOME=$home/config
export XDG_DATA_HOME=$home/data SLIDELIGHT_CACHE=${SLIDELIGHT_CACHE:-$home/cache} USER=ada
export SLIDELIGHT_ASSETS=${SLIDELIGHT_ASSETS:-$(realpath "$here/../../assets")}
export SLIDELIGHT_MODELS=$home/models
unset DBUS_SESSION_BUS_ADDRESS WAYLAND_DISPLAY
slide=$home/slides/$(basename "$image")
cp "$image" "$slide"
n_windows=0
finish() {
  close_display
  rm -rf "$home"
}
trap finish EXIT
open_display

# Where things are in the window at its first size, in the training panel where it opens.
images_field=(270 194) panel=(300 400) start_button=(95 591)

scroll_panel() {
  local _
  pointer "${panel[@]}"
  for _ in $(seq "$1"); do xdotool click "$2" && pause 0.03; done
  pause 0.6
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
picture 02-checked
scroll_panel 40 5
picture 03-plan

echo "== the quick preset"
mark
click "${start_button[@]}"
wait_for 'job starts job=[0-9]+ name="train"' 10
began=$(date +%s)
pause 4
picture 04-features
check "the quick preset trains to its end" wait_for_job train 1200
echo "      the training took $(($(date +%s) - began)) s"
pause 1
picture 05-curves
