"""The rows, one file for each family of operations; `ROWS` is what each contributes."""
