"""Elementwise operators with no codes between them, as one table over all codes."""
