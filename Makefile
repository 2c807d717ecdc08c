# make check: everything that reads the code · make test: the tests · make native: kernels under
# sanitizers · make format: write what `check` would ask for · make bench: the record of speed, with
# the real data sets of the folder DATA
PYTHON ?= python
DATA ?= $(NONNEG_DATA)

.PHONY: check test native format bench

check:
	$(PYTHON) -m ruff format --check src tests benchmarks
	$(PYTHON) -m ruff check src tests benchmarks
	$(PYTHON) -m mypy
	lint-imports
	find native -name '*.hpp' -o -name '*.cpp' | xargs clang-format --dry-run --Werror

format:
	$(PYTHON) -m ruff format src tests benchmarks
	$(PYTHON) -m ruff check --fix src tests benchmarks
	find native -name '*.hpp' -o -name '*.cpp' | xargs clang-format -i

test:
	$(PYTHON) -m pytest

native:
	bash native/tests/run.sh

bench:
	$(PYTHON) benchmarks/speed.py --data $(DATA)
