"""`python -m benchmarks.cpu.peers`: beside other libraries from which one can learn: JAX, MyGrad and DeZero."""
