"""Parts of `benches/run`."""
