"""The demonstration: episodes through a running graph, their video, table and figure."""
