# Drives the window on a display of its own with real mouse and key events. Sourced by the scripts beside it.
#
# Positions are points of the window at its first size; the log (RUST_LOG=app=trace) says what the
# window did with an event, and in which frame.

need() {
  local tool
  for tool in "$@"; do
    command -v "$tool" >/dev/null || {
      echo "walkthrough: SKIPPED, $tool is not installed (apt-get install xvfb openbox xdotool x11-utils imagemagick)"
      exit 0
    }
  done
}

# as_a_new_user DISPLAY: an empty home, in which the window finds no session, models or features of before, and a display. All of it
# goes when the script ends. SLIDELIGHT_CACHE, SLIDELIGHT_ASSETS and WALKTHROUGH_DISPLAY name others.
as_a_new_user() {
  home=$(mktemp -d -t "$(basename "$0" .sh)-XXXX")
  mkdir -p "$out" "$home/run"
  chmod 700 "$home/run"
  export DISPLAY=${WALKTHROUGH_DISPLAY:-$1} XDG_RUNTIME_DIR=$home/run XDG_CONFIG_HOME=$home/config
  export XDG_DATA_HOME=$home/data SLIDELIGHT_CACHE=${SLIDELIGHT_CACHE:-$home/cache} USER=ada
  export SLIDELIGHT_ASSETS=${SLIDELIGHT_ASSETS:-$(realpath "$here/../../assets")}
  export SLIDELIGHT_MODELS=$home/models
  unset DBUS_SESSION_BUS_ADDRESS WAYLAND_DISPLAY
  n_windows=0
  trap finish EXIT
  open_display
}

finish() {
  clean_up
  close_display
  rm -rf "$home"
}

# What a script has to undo beside that; scripts define their own.
clean_up() { :; }

open_display() {
  local size=1280x800x24
  Xvfb "$DISPLAY" -screen 0 "$size" >/dev/null 2>&1 &
  display_pid=$!
  sleep 1
  openbox >/dev/null 2>&1 &
  manager_pid=$!
  sleep 1
}

close_display() {
  stop_window
  kill "$manager_pid" "$display_pid" 2>/dev/null || true
  wait 2>/dev/null || true
}

# start_window [SLIDE]: a fresh log; the window at the top left, ready for events.
start_window() {
  log=$out/window-$((++n_windows)).log
  marked=0
  RUST_LOG=app=trace "$viewer" "$@" >"$log" 2>&1 &
  window_pid=$!
  wait_for 'apply command=Model\(Reload\)' 60
  window=$(timeout 60 xdotool search --sync --onlyvisible --name '^Slidelight$' | head -n 1)
  xdotool windowmove "$window" 10 30
  pause 1.5
  pointer 455 400
}

# As a user does it; closing the X11 connection would be a crash of another kind.
stop_window() {
  [[ -n ${window_pid:-} ]] || return 0
  xdotool key alt+F4
  for _ in $(seq 50); do
    kill -0 "$window_pid" 2>/dev/null || break
    sleep 0.1
  done
  kill "$window_pid" 2>/dev/null || true
  window_pid=
}

pause() { sleep "$1"; }
pointer() { xdotool mousemove --window "$window" "$1" "$2"; }
click() { pointer "$1" "$2" && pause 0.2 && xdotool click 1 && pause 0.4; }
keys() { local key; for key in "$@"; do xdotool key "$key" && pause 0.4; done; }
type_text() { xdotool type --delay 12 "$1" && pause 0.4; }

# scroll X Y TIMES BUTTON: there, up by button 4 or down by button 5, until what rolls on has come to rest.
scroll() {
  local _
  pointer "$1" "$2"
  for _ in $(seq "$3"); do xdotool click "$4" && pause 0.03; done
  pause 0.6
}

# drag X1 Y1 X2 Y2: in eight steps, as a hand does.
drag() {
  local step
  pointer "$1" "$2"
  xdotool mousedown 1
  for step in 1 2 3 4 5 6 7 8; do
    pointer $(($1 + ($3 - $1) * step / 8)) $(($2 + ($4 - $2) * step / 8))
    pause 0.12
  done
  xdotool mouseup 1
  pause 0.4
}

picture() { pause 0.5 && import -window "$window" "$out/$1.png"; }

# The log since the last mark, without colours.
mark() { marked=$(wc -l <"$log"); }
said() { tail -n +$((marked + 1)) "$log" | sed 's/\x1b\[[0-9;]*m//g'; }

wait_for() {
  local _
  for _ in $(seq $(($2 * 5))); do
    if said | grep -Eq "$1"; then return 0; fi
    sleep 0.2
  done
  return 1
}

# wait_for_job NAME SECONDS: until the job of that name that started since the mark has ended.
wait_for_job() {
  wait_for "job starts job=[0-9]+ name=\"$1\"" "$2" || return 1
  local id
  id=$(said | sed -nE "s/.*job starts job=([0-9]+) name=\"$1\".*/\1/p" | tail -n 1)
  wait_for "job ends job=$id\$" "$2"
}

n_failed=0
check() {
  local what=$1
  shift
  if "$@"; then echo "ok    $what"; else
    echo "FAIL  $what"
    n_failed=$((n_failed + 1))
  fi
}

is_running() { kill -0 "$window_pid" 2>/dev/null; }
n_said() { said | grep -Ec "$1" || true; }
