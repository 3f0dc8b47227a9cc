.PHONY: bench
bench:  ## measures syncs and questions; BENCH_LARGE=1 for more
	cargo build --release --bin hekte
	cargo run --release -p hekte-bench -- all
