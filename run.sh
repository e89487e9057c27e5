#!/usr/bin/env bash
# hip3: sets itself up once, then runs. `./run.sh` is `./run.sh run`; `./run.sh test` is the gate,
# `test quick` what takes seconds of it, `test long` the full figures.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
PATH="$PATH:/usr/local/bin:/usr/bin:/bin" # cron's own is short

die() {
  echo "run.sh: $*" >&2
  exit 1
}

find_python() {
  local candidate
  for candidate in python3.13 python3.12 python3.11 python3; do
    if command -v "$candidate" >/dev/null 2>&1 &&
      "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  die "needs Python 3.11 or newer on the PATH; install it and start again"
}

# On a terminal how far pip is, in one line that is written over; elsewhere nothing.
told() {
  local line count=0
  while read -r line; do
    case "$line" in
      Collecting* | Processing*) count=$((count + 1)); line="$count of $1 packages" ;;
      Installing*) line="unpacking them" ;;
      *) continue ;;
    esac
    [ ! -t 2 ] || printf '\r\033[Krun.sh: %s' "$line" >&2
  done
  [ ! -t 2 ] || printf '\r\033[K' >&2
}

# fetch LOCK FILE...: every package of a lock, and nothing else, each file with the hash that stands there; without a lock
# what the files name. Not compiled: most of their modules are never imported.
fetch() {
  local how=(--no-deps --require-hashes -r "$1") from=("$1") file
  if [ ! -f "$1" ]; then
    shift
    echo "run.sh: there is no lock: what $* bring is taken as it is today; the checkout it came with has one" >&2
    how=() from=("$@")
    for file in "$@"; do how+=(-r "$file"); done
  fi
  .venv/bin/python -m pip install --disable-pip-version-check --no-input --progress-bar off --no-compile --upgrade \
    "${how[@]}" 2>&1 | tee .venv/install.log | told "$(cat "${from[@]}" | grep -c ==)" ||
    {
      grep -v "^WARNING" .venv/install.log | tail -n 12 >&2
      die "pip could not install $1; its last words stand above, all of them in .venv/install.log"
    }
}

# install MARK FILE...: installs what the locks beside the requirement files say, unless MARK says it already is.
install() {
  local mark=".venv/installed.$1" want lock="${*: -1}" began=$SECONDS
  shift
  lock="${lock%.txt}.lock"
  want=$(cat "$@" $([ ! -f "$lock" ] || echo "$lock") | cksum)
  [ -x .venv/bin/python ] && [ "$(cat "$mark" 2>/dev/null)" = "$want" ] && return
  (
    # Two cron starts must not install at the same time; the second waits and finds it done.
    if command -v flock >/dev/null 2>&1; then flock 8; fi
    [ -x .venv/bin/python ] && [ "$(cat "$mark" 2>/dev/null)" = "$want" ] && exit 0
    local doing="setting up .venv"
    # Of a Python that the machine has replaced since there are but scripts left.
    local whole=no
    [ ! -x .venv/bin/python ] || ! .venv/bin/python -c 'import pip' 2>/dev/null || whole=yes
    [ $whole = no ] || doing="adding to .venv what $lock names"
    echo "run.sh: $doing: about 100 MB, a minute or two (once, and after upgrades)" >&2
    if [ $whole = no ]; then
      local python
      python=$(find_python) || exit 1
      "$python" -m venv --clear .venv >&2 ||
        die "could not make .venv (on Debian: apt-get install python3-venv)"
    fi
    # The pip that comes with 3.11 spends half of an install on comparing platform tags.
    [ ! -f deploy/pip.lock ] || (fetch deploy/pip.lock) >/dev/null 2>&1 || true
    fetch "$lock" "$@"
    # What a start imports is compiled now, so that the first one is as fast as the others.
    .venv/bin/python -c 'import hip3.service.app, hip3.venue.server, hip3.commands.check' ||
      die "what was installed does not work; its message stands above"
    echo "$want" >"$mark"
    echo "run.sh: done in $((SECONDS - began)) s" >&2
  ) 8>.venv.lock
}

# The page is looked at in a real browser. Where it may, the set-up installs Debian's, beside the rest; the tests wait for it.
browser() {
  command -v chromium >/dev/null 2>&1 || command -v google-chrome >/dev/null 2>&1 && return
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then return; fi
  (
    echo "$BASHPID" >.venv/chromium.installing
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -y --no-install-recommends chromium >/dev/null 2>&1 ||
      { apt-get update >/dev/null 2>&1 && apt-get install -y --no-install-recommends chromium >/dev/null 2>&1; } || true
    rm -f .venv/chromium.installing
  ) &
}

gate() {
  case "${1:-}" in
    -h | --help | help)
      echo "./run.sh test [quick | long] [pytest's options]: format, lint, types, layers and every test, in four minutes;"
      echo "quick: what takes seconds of it; long: the full figures. Installs about 170 MB into .venv the first time."
      return
      ;;
  esac
  install test requirements.txt requirements-lab.txt tests/requirements.txt
  [ "${1:-}" = quick ] || browser
  local bin=.venv/bin warm=
  # Seven collecting processes and thirty services would each compile everything anew; one does it, beside the types.
  unset PYTHONDONTWRITEBYTECODE
  [ "${1:-}" = quick ] || { $bin/python -m pytest --collect-only -n 0 >/dev/null 2>&1 & warm=$!; }
  echo "== format, lint, types, layers"
  $bin/ruff format --check .
  $bin/ruff check .
  $bin/mypy --strict hip3
  $bin/lint-imports
  [ -z "$warm" ] || wait "$warm" || true # what is wrong there the tests say
  echo "== tests"
  if [ "${1:-}" = quick ]; then
    shift
    # What computes in one process and is done in seconds; the structure of the code among it.
    exec $bin/python -m pytest -n 2 tests/test_structure.py tests/test_architecture.py tests/core tests/exchange \
      tests/execution tests/feed tests/position tests/risk tests/strategy tests/venue/engine/test_engine.py "$@"
  fi
  if [ "${1:-}" = long ]; then
    shift
    exec $bin/python -m pytest -m "long or not long" "$@"
  fi
  exec $bin/python -m pytest "$@"
}

case "${1:-run}" in
  test)
    shift
    gate "$@"
    ;;
  *)
    install run requirements.txt
    case "${1:-}" in # pictures: without them these commands say so, and go on as far as they can
      report | replay) install lab requirements-lab.txt || true ;;
    esac
    [ $# -gt 0 ] || set -- run
    umask 077 # state and logs are nobody else's
    exec .venv/bin/python hip3.py "$@"
    ;;
esac
