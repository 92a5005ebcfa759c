"""How fast the kernels are beside what one would use instead: see `benchmarks.run`."""
