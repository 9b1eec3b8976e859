"""Importers: other people's demonstration files into this project's dataset layout."""
