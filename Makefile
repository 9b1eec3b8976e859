# Every target sets up what it needs by itself (.ci/setup) and does nothing twice.
.DEFAULT_GOAL := help
.PHONY: help setup setup-runtime demo test test-units test-training test-graphs bench lint typecheck docs colcon lock clean

PYTHON_VENV := .venv/bin/python
# Arguments for the command behind a target: make demo ARGS="--episodes 3"
ARGS ?=
# `make test TESTS=tests/boundary` runs a part
TESTS ?=

export MUJOCO_GL ?= egl
export OMP_WAIT_POLICY ?= PASSIVE

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/ ##/' | awk -F ' ## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: ## prepare .venv with everything (training, tests, documentation)
	@.ci/setup full

setup-runtime: ## prepare .venv with what the demo needs (no torch)
	@.ci/setup runtime

demo: setup-runtime ## watch a simulated arm do what it is told; results in runs/demo
	@.venv/bin/world2act demo $(ARGS)

# Graphs of real processes come last and alone: they work in real time.
test: setup ## linter, type checker, then every test (TESTS=path: some)
ifeq ($(strip $(TESTS)),)
	@echo "lint, types, units and training, two at a time: each is shown when it has ended, after some minutes"
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target lint typecheck test-training test-units
	@$(MAKE) --no-print-directory test-graphs
else
	@$(MAKE) --no-print-directory lint typecheck
	$(PYTHON_VENV) -m pytest $(TESTS) $(ARGS)
endif

test-units: setup ## tests of the ROS packages and of the repository
	$(PYTHON_VENV) -m pytest $(wildcard ros2_ws/src/*/test) tests --ignore=tests/system $(ARGS)

test-training: setup ## tests of training
	$(PYTHON_VENV) -m pytest training/tests $(ARGS)

test-graphs: setup ## tests of whole graphs
	$(PYTHON_VENV) -m pytest tests/system $(ARGS)

bench: setup ## measure against named alternatives; results in build/bench.json
	@$(PYTHON_VENV) -m tests.bench $(ARGS)

lint: setup ## ruff
	$(PYTHON_VENV) -m ruff check .

typecheck: setup ## mypy
	$(PYTHON_VENV) -m mypy

docs: setup ## build the documentation into build/site
	$(PYTHON_VENV) -m mkdocs build --strict

colcon: setup ## build ros2_ws with colcon and the wheels
	@.ci/colcon $(ARGS)

lock: setup ## resolve .ci/requirements-*.in into .lock files (UPGRADE=1: newest versions)
	$(PYTHON_VENV) .ci/lock.py $(if $(UPGRADE),--upgrade)

clean: ## remove what builds and checks left (keeps .venv and runs)
	rm -rf build ros2_ws/build ros2_ws/install ros2_ws/log .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
