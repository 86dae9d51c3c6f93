"""`python -m benchmarks.cpu`: training steps, evaluation and single kernels on the CPU, beside PyTorch's best mode."""
