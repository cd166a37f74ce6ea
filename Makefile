# make run   opens the dashboard on http://localhost:8501
# make learn installs what training and learning a scene need: PyTorch
# make test  checks the code and runs every test; CI calls exactly this
# make check checks the code only: style, format, types

PYTHON ?= python3
PORT ?= 8501
BIN := .venv/bin
REQUIREMENTS := requirements.txt training/requirements.txt dashboard/requirements.txt constraints.txt

.PHONY: run learn test check clean

run: .venv/dashboard
	$(BIN)/python -m dashboard --port $(PORT)

learn: .venv/training

test: check
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

check: .venv/developer
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.venv/dashboard: dashboard/requirements.txt constraints.txt | .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --requirement dashboard/requirements.txt
	touch $@

.venv/training: training/requirements.txt dashboard/requirements.txt constraints.txt | .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --requirement training/requirements.txt
	touch $@ .venv/dashboard

.venv/developer: $(REQUIREMENTS) | .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --requirement requirements.txt
	touch $@ .venv/dashboard .venv/training

.venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Needle needs Python 3.11 or newer; name one with make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv .venv

clean:
	rm -rf .venv
