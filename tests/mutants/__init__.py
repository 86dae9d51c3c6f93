"""Wrong kernels that the suite must catch.

`catalogue` lists plausible mistakes, each as a small change to the text of one function. `test_mutants` applies them to
the running code, one at a time, and runs the suite's own tests of what was changed: each mistake must turn one red.
"""
