"""Tables that benchmarks generate: plain, seeded, of invented people."""
