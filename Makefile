# Every target sets up what it needs by itself (.ci/setup) and does nothing twice.
.DEFAULT_GOAL := help
.PHONY: help setup setup-runtime demo test test-units test-training test-graphs test-long bench lint typecheck docs colcon lock clean

PYTHON_VENV := .venv/bin/python
# Arguments for the command behind a target: make demo ARGS="--episodes 3"
ARGS ?=
SHORT := -m "not long"
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

# Graphs of real processes come last: they work in real time, those in lockstep first, beside the type checker.
test: setup ## linter, type checker, every test but the long ones (TESTS=path: some)
ifeq ($(strip $(TESTS)),)
	@echo "lint, units and training, two at a time: each is shown when it has ended, after some minutes"
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target test-training test-units
	@$(MAKE) --no-print-directory --jobs=2 test-graphs typecheck BEHIND="nice -n 19"
else
	@$(MAKE) --no-print-directory lint typecheck
	$(PYTHON_VENV) -m pytest $(TESTS) $(ARGS)
endif

test-units: setup ## tests of the ROS packages and of the repository
	$(PYTHON_VENV) -m pytest $(SHORT) $(wildcard ros2_ws/src/*/test) tests --ignore=tests/system $(ARGS)

test-training: setup ## tests of training
	$(PYTHON_VENV) -m pytest $(SHORT) training/tests $(ARGS)

test-graphs: setup ## tests of whole graphs
	$(PYTHON_VENV) -m pytest $(SHORT) tests/system $(ARGS)

test-long: setup ## the tests that `make test` leaves out, about ten minutes
	$(PYTHON_VENV) -m pytest -m long ros2_ws/src training/tests tests $(ARGS)

bench: setup ## measure against named alternatives; results in build/bench.json
	@$(PYTHON_VENV) -m tests.bench $(ARGS)

lint: setup ## ruff
	$(PYTHON_VENV) -m ruff check .

typecheck: setup ## mypy
	$(BEHIND) $(PYTHON_VENV) -m mypy

docs: setup ## build the documentation into build/site
	$(PYTHON_VENV) -m mkdocs build --strict

colcon: setup ## build ros2_ws with colcon and the wheels
	@.ci/colcon $(ARGS)

lock: setup ## resolve .ci/requirements-*.in into .lock files (UPGRADE=1: newest versions)
	$(PYTHON_VENV) .ci/lock.py $(if $(UPGRADE),--upgrade)

clean: ## remove what builds and checks left (keeps .venv and runs)
	rm -rf build ros2_ws/build ros2_ws/install ros2_ws/log .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
