"""The arithmetic in plain NumPy: the specification that every backend is tested equal to."""
