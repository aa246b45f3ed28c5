#!/usr/bin/env bash
# Train a generator by the guided recipe on a GPU that is lent for minutes.
#
#   zoo/gpu.sh WORLD [what `sgf-hub train gan` takes: --architecture progan, --minutes 4, --device cpu, --preset toy ...]
#
# The machine needs torch, transformers, typer, rich and skia-python (and that libEGL, libGL and libexpat) beside this tree.
# Pictures are drawn by its own cores. A former run goes on where the parts of its checkpoint are under
# runs/WORLD-ARCHITECTURE-guided/. What comes out lies under $OUT (out/gpu by default): the checkpoint in parts of at most
# 15 MiB, the last sample sheet, the log. Put the parts back into that folder, here or on any machine, and
# `sgf-hub train gan WORLD --recipe guided` goes on from them, or writes the zoo's entry.
set -euo pipefail
cd "$(dirname "$0")/.."
world=${1:?usage: zoo/gpu.sh WORLD [options of sgf-hub train gan]}
shift
architecture=stylegan2
preset=(--preset gpu)
minutes=(--minutes 8)
runs=runs
for ((i = 1; i <= $#; i++)); do
  next=$((i + 1))
  case ${!i} in
    --architecture) architecture=${!next} ;;
    --preset) preset=() ;;
    --minutes) minutes=() ;;
    --runs) runs=${!next} ;;
  esac
done
python=${PYTHON:-$([ -x .venv/bin/python ] && echo .venv/bin/python || echo python3)}
out=${OUT:-out/gpu}/$world-$architecture
run=$runs/$world-$architecture-guided
mkdir -p "$out"
PYTHONUNBUFFERED=1 "$python" -m sgf_hub train gan "$world" --recipe guided --portable "${preset[@]}" "${minutes[@]}" "$@"
split --bytes=15M --suffix-length=2 "$run/checkpoint.pt" "$out/checkpoint.pt."
cp "$run/log.jsonl" "$out/"
cp "$(ls "$run"/samples-*.png | tail -n 1)" "$out/samples.png"
ls -l "$out"
