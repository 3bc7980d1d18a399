"""Clean-up passes, one a file: each changes a model in place and returns how many places it changed."""
