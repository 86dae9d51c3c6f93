"""`python -m benchmarks.gpu`: one command for a machine with a GPU, which tests, measures, and writes a report.

`__main__.py` runs the parts that `parts.py` lists, each in a process of its own with a deadline; every part is a module
here with a function `run(settings, report)` that measures, and one `lines(result)` that makes a table of the result.
Comparisons with PyTorch are between processes that take turns (`team.py`, `worker.py`).
"""
