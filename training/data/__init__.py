"""Datasets: collecting, writing, reading and caching demonstrations."""
