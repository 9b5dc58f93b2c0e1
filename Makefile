# `make demo` to see it work, `make test` for everything that CI checks. Needs Python 3.11 or later; the rest goes into .venv.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTEST_ARGS ?=

.PHONY: help demo test lint format chaos bench bench-intake bench-limits bench-reading bench-roads corpora services clean

help:  ## what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

demo:  ## 500 ticket mails through a limited server, one worker killed, nothing lost
	@scripts/venv all
	@.venv/bin/ticketmail demo

test:  ## lint, types, architecture, all tests with real servers
	@scripts/venv dev
	@scripts/check all $(PYTEST_ARGS)

lint:  ## style, types and architecture only
	@scripts/venv dev
	@scripts/check lint

format:  ## put the code into the house's form
	@scripts/venv dev
	@.venv/bin/ruff check --fix . && .venv/bin/ruff format .

chaos:  ## the long proof: 50 kills over 5,000 mails, on SQLite, PostgreSQL and MariaDB
	@scripts/venv dev
	@TICKETMAIL_TEST_CHAOS=full scripts/services run -- .venv/bin/pytest tests/chaos -m chaos -s --timeout=3600 $(PYTEST_ARGS)

bench:  ## submit and drain beside what is physically possible and beside peers; then four hosts beside a full drain
	@scripts/venv dev
	@.venv/bin/pip install -q -r benchmarks/peers.txt || echo 'peers are left out'
	@scripts/services run -- .venv/bin/python benchmarks/core.py
	@.venv/bin/python benchmarks/sqlite_hosts.py

bench-intake:  ## mail taken in from RabbitMQ and Redis beside a full drain
	@scripts/venv dev
	@scripts/services run -- .venv/bin/python benchmarks/intake.py

bench-limits:  ## limits that nobody told the workers, in virtual time: used, refused, found again
	@scripts/venv dev
	@.venv/bin/python benchmarks/limits.py --virtual --parallel 2

bench-reading:  ## mails read and classified a second, beside the standard library's parser; then the whole way to a committed event
	@scripts/venv dev
	@.venv/bin/python benchmarks/reading.py
	@.venv/bin/python benchmarks/pipeline.py

corpora:  ## read the mails of public test suites and score it; skips where they are not beside this folder
	@scripts/venv dev
	@scripts/corpora

bench-roads:  ## handing over to RabbitMQ and Redis, beside their bare clients; and listening, on every broker
	@scripts/venv dev
	@scripts/services run -- .venv/bin/python benchmarks/roads_submit.py
	@scripts/services run -- .venv/bin/python benchmarks/roads_listen.py

services:  ## start the servers that tests use, and keep them
	@scripts/services start

clean:  ## stop our servers, remove what was made here
	@scripts/services stop
	rm -rf .venv .services build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
