#!/usr/bin/env bash
# Runs the tests that need neither TensorFlow nor a conversion with other versions than those of
# requirements-dev.lock, in an environment of their own, .venv-ROW.
#
#   scripts/test-versions.sh ROW                          all of them
#   scripts/test-versions.sh ROW --quick                  those that .ci/run runs
#   scripts/test-versions.sh ROW [ARGUMENTS OF PYTEST]    scripts/test-versions.sh bsp-6.6 tests/photo
#   scripts/test-versions.sh ROW --answers [LFW]          writes out/answers/ROW.json instead, which
#                                                         benchmarks/same_answers.py compares
#
# ROW: a file of constraints/, which is an i.MX image or the oldest versions, or a Python such as 3.13,
# which gets the newest versions of everything.  The Python of the row is taken if there is one: $PYTHON,
# pythonX.Y, or what uv finds or installs.  Else an i.MX image's row runs on the usual Python, and says so.
# The models must have been built: scripts/test.sh does that.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh

row=${1:?a row is needed: oldest, bsp-6.1, ... (constraints/), or a Python such as 3.13}
shift
file=constraints/$row.txt
[[ -f $file || $row =~ ^3\.[0-9]+$ ]] ||
  die "there is no row $row. Rows: $(basename --suffix=.txt constraints/*.txt | xargs), or a Python such as 3.13"
wanted=$row pins=()
if [ -f "$file" ]; then
  wanted=$(sed --quiet 's/^# Python \(3\.[0-9]*\)$/\1/p' "$file")
  pins=(--constraint "$file")
fi

# python_of_row: the interpreter that the row names, or the usual one.
python_of_row() {
  local found
  for found in "${PYTHON:-python$wanted}" "$(uv python find "$wanted" 2>/dev/null || true)" \
    "$(uv python install --quiet "$wanted" 2>/dev/null && uv python find "$wanted" || true)"; do
    if [ -n "$found" ] && "$found" -c '' 2>/dev/null; then
      echo "$found"
      return
    fi
  done
  [ -f "$file" ] || die "Python $wanted is needed and was not found. Install it, or set PYTHON to its path."
  found=$(find_python)
  say "there is no Python $wanted here; $("$found" --version) instead"
  echo "$found"
}

environment=.venv-$row
python=$(python_of_row)
stamp=$(cat pyproject.toml "$file" "${BASH_SOURCE[0]}" 2>/dev/null | cksum; "$python" --version)
if [ "$(cat "$environment/installed" 2>/dev/null)" != "$stamp" ]; then
  say "installing into $environment"
  "$python" -m venv --clear "$environment"
  pip=("$environment/bin/python" -m pip install --quiet --disable-pip-version-check)
  if command -v uv >/dev/null; then # in a third of the time
    pip=(uv pip install --quiet --python "$environment/bin/python")
  fi
  if [[ $row == bsp-* ]]; then # as on a board, whose packages pip does not choose
    "${pip[@]}" --no-deps --requirement "$file" --editable .
    "${pip[@]}" "${pins[@]}" "flatbuffers>=25.12" platformdirs pooch protobuf 'tomli; python_version < "3.11"'
  else
    "${pip[@]}" "${pins[@]}" --editable .
  fi
  # What the tests need, and the extras encrypt, evaluate, onnx and serve.
  "${pip[@]}" "${pins[@]}" pytest pytest-xdist hypothesis jsonschema packaging cryptography onnxruntime \
    pillow scikit-learn scipy prometheus_client python-multipart starlette uvicorn
  echo "$stamp" >"$environment/installed"
fi
PATH=$PWD/$environment/bin:$PATH
say "$row: $(python --version), $(python -m pip list --format freeze 2>/dev/null |
  grep --extended-regexp '^(numpy|click|opencv-python-headless|ai-edge-litert|tflite-runtime)==' | xargs)"
for model in mtcnn facenet512-casia sface yunet; do
  facekit models verify "$model" >/dev/null || die 'build the models first: bash scripts/test.sh tests'
done

if [ "${1:-}" = --answers ]; then
  mkdir -p out/answers
  exec python benchmarks/same_answers.py ${2:+--lfw "$2"} -o "out/answers/$row.json"
fi
quick=(tests/{photo,runtime,template,server} tests/board/test_bsp.py tests/pipeline/test_pipeline.py
  tests/cli/test_{detect,embed,help,option_defaults,process,verbosity,verify}.py
  tests/face/test_{align,geometry,mtcnn,reduce,select,stages,yunet}.py
  tests/gallery/test_{exact_search,identify,transfer}.py)
light=(tests/{board,cli,face,gallery,model,photo,pipeline,runtime,server,system,template}
  tests/scripts/test_board_scripts.py tests/test_{api,json_outputs,light_imports}.py)
if python -c 'import ai_edge_litert' 2>/dev/null; then # which also writes the files
  quick+=(tests/conversion/test_build.py::test_the_bytes_are_those_that_the_shipped_calibration_was_measured_on)
  light+=(tests/graph/test_litert_file.py "${quick[-1]}")
fi
if [ "${1:-}" = --quick ]; then
  set -- "${quick[@]}" "${@:2}"
fi
FACEKIT_THREADS=1 exec pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder \
  "${@:-${light[@]}}"
