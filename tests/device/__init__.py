"""The engine on a GPU, without one: CuPy's place is taken by a stand-in, see `stand_in.py`."""
