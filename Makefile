# Thin names for what is there anyway: ./scripts/run and ./scripts/test need no make. CONTRIBUTING.md says when to use which.
.PHONY: setup run test lint types imports templates docs check looks bench faults
BIN = .venv/bin

setup:
	sh scripts/setup

run:
	./scripts/run

test:
	./scripts/test

lint:
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types:
	$(BIN)/mypy

imports:
	$(BIN)/lint-imports

templates:
	$(BIN)/djlint templates --lint --quiet

docs:
	$(BIN)/python -m pytest tests/architecture

# What only reads is checked side by side; the tests want the machine for themselves.
check: setup
	$(MAKE) -j2 types lint imports templates
	$(MAKE) test

# Every page in light, dark and forced colors, three widths, three languages: about half an hour.
looks:
	EVERY_LOOK=1 $(BIN)/python -m pytest -n0 tests/pages/test_accessibility.py -k shuts

bench:
	$(BIN)/python -m bench

faults:
	$(BIN)/python -m tests.faults
