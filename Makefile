# The front door. Thin: real logic is in xtask (cargo xtask).
CARGO := xtask/cargo.sh
PROFILE ?= release

.DEFAULT_GOAL := help
.PHONY: help up demo test check soak gen bench

help: ## this list
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/^([a-z]+):[^#]*## /  make \1\t/' | expand -t 16

up: ## build, then start server and agent on this machine; prints where to look
	@$(CARGO) run --profile $(PROFILE) --package tiltyard -- up

demo: ## three ideas become two merges and a dead letter, in a temporary folder (KEEP=1 keeps it)
	@$(CARGO) run --profile $(PROFILE) --package tiltyard -- demo $(if $(KEEP),--keep)

test: ## everything that must hold: format, lints, tidy, contracts, all tests (FILTER=word runs only matching tests)
	@$(CARGO) xtask test $(FILTER)

check: ## the part of it that needs no test
	@$(CARGO) xtask check

soak: ## servers and a database in bad luck for an hour (FILTER=word runs only matching stories)
	@$(CARGO) xtask soak $(FILTER)

gen: ## write contracts/ from the wire types
	@$(CARGO) xtask gen

bench: ## the figures of the engine on this machine (STORE=postgres for a shared store, ARGS=… goes to the harness)
	@$(CARGO) build --profile $(PROFILE) --package tiltyard --package tiltyard-bench
	@$(CARGO) run --profile $(PROFILE) --package tiltyard-bench -- --server "$${CARGO_TARGET_DIR:-target}/$(PROFILE)/tiltyard" $(if $(STORE),--store $(STORE)) $(ARGS)
