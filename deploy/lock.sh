#!/usr/bin/env bash
# Makes requirements.lock, requirements-lab.lock and tests/requirements.lock anew: every package that the files beside
# them bring with them, with the hashes of its files for all machines. Needs uv (pip install uv).
# What is locked already stays at its version; `deploy/lock.sh --upgrade` takes the newest of all. See docs/upgrading.md.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."

made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
echo 'certifi < 2026.10.19' >"$made/avoid" # its post1 has no source: one wheel, the same certificates as before

# compile FROM... OUT: with what OUT holds now as a wish, without what is for Windows alone.
compile() {
  local out="${*: -1}" from=("${@:1:$#-1}")
  [ ! -f "$out" ] || cp "$out" "$made/out"
  uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet \
    "${upgrade[@]}" --constraint "$made/avoid" "${also[@]}" --output-file "$made/out" "${from[@]}"
  {
    echo "# Made by deploy/lock.sh from ${from[*]/$made\/}"
    awk '/^[^ #]/ { keep = !/sys_platform == .win32/ } keep' "$made/out"
  } >"$out"
  rm "$made/out"
}

upgrade=("$@") also=()
echo pip >"$made/pip.in"
compile "$made/pip.in" deploy/pip.lock
compile requirements.txt requirements-lab.txt tests/requirements.txt tests/requirements.lock
# What the box runs on is what the tests ran on.
sed -n 's/^\([^ ]*==[^ ]*\).*/\1/p' tests/requirements.lock >"$made/tested"
upgrade=() also=(--constraint "$made/tested")
rm -f requirements.lock requirements-lab.lock
compile requirements.txt requirements.lock
compile requirements-lab.txt requirements-lab.lock
