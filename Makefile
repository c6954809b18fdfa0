# Everything sets itself up first; see scripts/setup.sh. Python by another name: make setup PYTHON=python3.12
export PYTHON PROJECT DATASET INTEROP

.PHONY: help setup demo test coverage lint docs pictures texts interop fuzz clean

help:
	@echo "make demo                          napari with the plugin on the sample project"
	@echo "make demo DATASET=openfield        the same on DeepLabCut's openfield project (29 MB download)"
	@echo "make demo PROJECT=path/config.yaml the same on your own DeepLabCut project"
	@echo "make test                          all tests"
	@echo "make coverage                      all tests, and which lines they reach"
	@echo "make lint                          formatting, lint, types and import rules"
	@echo "make docs                          the documentation site, in docs/_build"
	@echo "make pictures                      the site's pictures, from the real window (SIZES=1366x768 makes one size)"
	@echo "make texts                         all texts of the window and all messages in one list, to be read together"
	@echo "make interop                       other programs read our files, each in an environment of its own (INTEROP=folder)"
	@echo "make fuzz                          files changed at random are read, for ten minutes (MINUTES=2, KINDS=video)"
	@echo "make setup                         only the set-up, in .venv"
	@echo "make clean                         remove everything that make made"

setup:
	@scripts/setup.sh

demo: setup
	@scripts/demo.sh

test: setup
	scripts/test.sh $(PYTEST_ARGS)

coverage: setup
	COVERAGE=yes scripts/test.sh

lint: setup
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports

docs: setup
	.venv/bin/python -m sphinx -W --keep-going -q -b html docs docs/_build

pictures: setup
	scripts/pictures.sh

texts:
	@python3 scripts/window_texts.py

interop: setup
	scripts/interop.sh

fuzz: setup
	.venv/bin/python -m fuzzing $(KINDS) --minutes $(or $(MINUTES),10)

clean:
	rm -rf .venv .venv.unfinished build dist demo-output docs/_build
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage .coverage.*
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
