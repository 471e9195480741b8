# The front door. Thin: real logic is in xtask.
.PHONY: check
check:
	cargo check --workspace --all-targets
.PHONY: test
test:
	cargo nextest run --workspace --no-tests=pass || cargo test --workspace
