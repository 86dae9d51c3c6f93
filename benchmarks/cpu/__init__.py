"""`python -m benchmarks.cpu`: training steps and evaluation on the CPU, beside PyTorch's best mode."""
