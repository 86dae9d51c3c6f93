// Sums over the threads of a block.

// The sum over the threads of each column of the block, those of one threadIdx.x, for its thread with threadIdx.y 0.
// It is a tree: half of the threads add what the other half has, then half of these, ... blockDim.y must be a power
// of two, and all threads of the block have to come.
__device__ double column_sum(double value) {
    __shared__ double values[256];
    unsigned place = threadIdx.y * blockDim.x + threadIdx.x;
    values[place] = value;
    for (unsigned half = blockDim.y / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.y < half) values[place] += values[place + half * blockDim.x];
    }
    value = values[place];
    __syncthreads();  // before the next call overwrites what is read here
    return value;
}
