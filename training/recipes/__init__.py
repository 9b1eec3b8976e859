"""Complete runs: one function that returns every config of a published bundle."""
