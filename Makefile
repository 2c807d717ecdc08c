# make check: everything that reads the code · make test: the tests · make native: kernels under
# sanitizers · make format: write what `check` would ask for · make bench: speed in minutes, with the
# real data sets of the folder DATA · make bench-full: the whole public record, in an hour
PYTHON ?= python
DATA ?= $(NONNEG_DATA)

.PHONY: check test native format bench bench-full

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
	$(PYTHON) benchmarks/bench.py $(if $(DATA),--data $(DATA)) --seeds 1

bench-full:
	$(PYTHON) benchmarks/bench.py $(if $(DATA),--data $(DATA)) --full --output benchmarks/results
	$(PYTHON) benchmarks/report.py
