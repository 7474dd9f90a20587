#!/usr/bin/env bash
# A review as a user does it, with real mouse and key events under Xvfb: run, move t, commit the lesions,
# erase part of one, undo, paint, measure, look at the model band by band, export, send to a training folder; then the process is killed and everything is back.
#
#   cargo build --release -p app -p cli && tests/walkthrough/review.sh OUT
#
# SLIDELIGHT_BIN names another folder of binaries. Ends with status 1 if a check failed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=$(realpath -m "${1:?a folder for the pictures}")
viewer=$(realpath "${SLIDELIGHT_BIN:-$here/../../target/release}/slidelight")
# shellcheck source=drive.sh
source "$here/drive.sh"
need Xvfb openbox xdotool import
as_a_new_user :79
slide=$home/slides/skin.svs journal=$home/slides/skin.svs.slidelight.jsonl
mkdir "$home/slides"
cp "$SLIDELIGHT_ASSETS/demo/cmu-1-small-region.svs" "$slide"

# Where things are in the window at its first size, with a heatmap and the panel of annotations.
typed_t=(1199 474)
# The right panel when it is scrolled to its end: the lens closed, open, and after a look at the bands.
lens=(987 494) look_at_bands=(1026 491) low_band_alone=(1080 149)
# In the dialog of exports, beside what is chosen at first.
asap_xml=(247 326) imagescope_xml=(247 412) coco=(631 270) csv=(631 300) folder_field=(600 494)

set_t() {
  click "${typed_t[@]}"
  keys ctrl+a
  type_text "$1"
  keys Return
  pointer 620 400
}

reshape() {
  mark
  "$@"
  wait_for_job reshape 30
}

# last_entry PATTERN: the journal's last line is such an entry, within the two seconds that are promised.
last_entry() {
  local _
  for _ in $(seq 10); do
    if tail -n 1 "$journal" 2>/dev/null | grep -Eq "$1"; then return 0; fi
    sleep 0.2
  done
  return 1
}

scroll_to_the_end() {
  local _
  pointer 1075 600
  for _ in $(seq 40); do xdotool click 5 && pause 0.03; done
  pause 1
}

# exported FOLDER AREAS LINES: nine formats of the annotations and the heatmap, and other people's readers find so many areas and lines in them.
exported() {
  python3 - "$@" <<'PYTHON'
import csv, json, pathlib, sys
from xml.etree import ElementTree
folder, n_areas, n_lines = pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
files = sorted(path.name for path in folder.iterdir())
print("      " + ", ".join(files))
one = lambda suffix: next(folder / name for name in files if name.endswith(suffix))
xml = lambda path: ElementTree.parse(path)
kinds = [it["geometry"]["type"] for it in json.loads(one(".geojson").read_text())["features"]]
assert kinds.count("LineString") == n_lines and len(kinds) == n_areas + n_lines, kinds
asap = next(folder / name for name in files if name.endswith(".xml") and ".imagescope." not in name)
polygons = [it for it in xml(asap).iter("Annotation") if it.get("Type") == "Polygon" and it.get("PartOfGroup") != "Exclusion"]
regions = [it for it in xml(one(".imagescope.xml")).iter("Region") if it.get("NegativeROA") == "0"]
assert len(polygons) == len(regions) >= n_areas, (len(polygons), len(regions))
assert len(json.loads(one(".coco.json").read_text())["annotations"]) == n_areas
assert len(list(csv.DictReader(one(".csv").open(encoding="utf-8-sig")))) == n_areas + n_lines
assert len(files) >= 9
PYTHON
}

n_added() { tail -n +2 "$journal" | grep -o '"add":' | wc -l; }

echo "== commit"
start_window "$slide"
check "looking leaves no file" test ! -e "$journal"
mark
keys r
wait_for_job analyze 900
set_t 0.3
check "the t that was set is in the journal" last_entry '"threshold":\{"layer":"Heatmap","threshold":0.3'
check "Enter commits the lesions at t" reshape keys Return
check "they are in the journal" last_entry '"step":\[\{"add"'
picture 01-committed

echo "== erase, undo, redo"
keys Next f e period period
check "the eraser takes part of the selected lesion" reshape drag 560 330 720 420
check "that is one step" last_entry '"step":\[\{"set_shape"'
pointer 640 600
picture 02-erased
keys ctrl+z
check "undo is an entry too" last_entry '"did":"undone"'
picture 03-undone
keys ctrl+y
check "and redo" last_entry '"did":"redone"'

echo "== paint, draw, measure, judge"
keys Escape Escape Escape b
check "the brush makes an annotation" reshape drag 450 560 520 640
keys ctrl+2
check "its class is chosen by a key" last_entry '"set_class":.*"Normal"'
keys p
click 420 180
click 520 170
click 500 260
check "Enter closes the polygon" reshape keys Return
keys x
check "it is rejected by a key" last_entry '"set_verdict":.*"rejected"'
keys l
drag 430 480 700 300
check "a line is measured" last_entry '"line":\['
keys Escape m
pointer 620 640
picture 04-drawn
n_before=$(n_added)

echo "== listen to a band"
scroll_to_the_end
click "${lens[@]}"
scroll_to_the_end
mark
click "${look_at_bands[@]}"
check "the model is looked at band by band" wait_for_job look-at-bands 120
scroll_to_the_end
mark
click "${low_band_alone[@]}"
check "the low band is soloed" wait_for 'Lens\(Hear\(Some\(Only\(Low\)\)\)\)' 10
picture 05-a-band-alone

echo "== export"
keys ctrl+e
pause 1
for format in asap_xml imagescope_xml coco csv; do
  declare -n place=$format
  click "${place[@]}"
done
click "${folder_field[@]}"
keys ctrl+a
type_text "$home/exports"
picture 06-exports
mark
keys Tab Tab Return
check "nine formats are exported" wait_for_job export 120
keys Escape
check "other programs find the annotations in them" exported "$home/exports" 2 1

echo "== send to a training folder"
keys Next y
check "the lesion is accepted" last_entry '"set_verdict":.*"accepted"'
keys ctrl+k
type_text "send to a training"
keys Return
pause 1
keys ctrl+a
type_text "$home/labelled"
picture 07-sending
mark
keys Return
check "the decided lesion is sent" wait_for_job send 60
check "the folder holds the slide, its label and its corrected mask" test -s "$home/labelled/corrected/skin.labels.ome.tif" -a \
  -s "$home/labelled/images/skin.svs" -a "$(tail -n 1 "$home/labelled/labels.csv")" = "skin.svs,positive,"
picture 08-sent
keys Escape

echo "== another window, and a kill"
first=$window_pid
RUST_LOG=app=trace "$viewer" "$slide" >"$out/second.log" 2>&1 &
second=$!
sleep 6
check "a second window says that it only looks" grep -q 'another window has the review' "$out/second.log"
kill "$second"
wait "$second" 2>/dev/null || true
kill -9 "$first"
wait "$first" 2>/dev/null || true
start_window "$slide"
pause 1
picture 09-after-a-kill
check "nothing is lost" test "$(n_added)" -eq "$n_before"
keys ctrl+z
check "steps from before the kill can be undone" last_entry '"did":"undone"'
stop_window
check "a window that is closed says so" last_entry '"did":"closed"'
start_window
picture 10-start-page
stop_window

echo "== sizes"
WINIT_X11_SCALE_FACTOR=2 start_window "$slide"
picture 11-double-scale
stop_window

echo "$n_failed checks failed; pictures and logs are in $out"
[[ $n_failed -eq 0 ]]
