"""The table of operations: every kernel, every differentiable function and every layer, beside its torch counterpart.

`TABLE` has one row for each operation. The tests in this folder know nothing of any operation; they take a row and
ask: are the values and gradients torch's (test_values), in every memory layout (test_layouts), with no more rounding
than torch's own float32 (test_rounding), and is anything missing from the table (test_complete)?
"""
