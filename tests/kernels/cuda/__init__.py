"""The kernels for a GPU, on the CPU: the same sources, with their blocks and threads emulated."""
