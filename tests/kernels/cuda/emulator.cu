// Kernels that test the emulator itself: each uses one thing that CUDA has, rightly or wrongly.

#include "common.cuh"

// out[block, i] = in[block, n - 1 - i]: right only if threads wait.
extern "C" __global__ void reverse_block(const number* in, number* out, integer wait) {
    __shared__ number values[64];
    integer first = blockIdx.x * blockDim.x;
    values[threadIdx.x] = in[first + threadIdx.x];
    if (wait) __syncthreads();
    out[first + threadIdx.x] = values[blockDim.x - 1 - threadIdx.x];
}

// The same, in shared memory whose size the launch decides.
extern "C" __global__ void reverse_block_dynamic(const number* in, number* out) {
    DYNAMIC_SHARED(number, values);
    integer first = blockIdx.x * blockDim.x;
    values[threadIdx.x] = in[first + threadIdx.x];
    __syncthreads();
    out[first + threadIdx.x] = values[blockDim.x - 1 - threadIdx.x];
}

// Running sums within a block, which need a barrier between reading and writing, log2(threads) times.
extern "C" __global__ void running_sum(const number* in, number* out) {
    __shared__ number values[64];
    values[threadIdx.x] = in[threadIdx.x];
    for (integer distance = 1; distance < (integer)blockDim.x; distance *= 2) {
        __syncthreads();
        number other = threadIdx.x >= (unsigned)distance ? values[threadIdx.x - distance] : 0;
        __syncthreads();
        values[threadIdx.x] += other;
    }
    out[threadIdx.x] = values[threadIdx.x];
}

// Shared memory that nobody has written.
extern "C" __global__ void unwritten(number* out) {
    __shared__ number values[4];
    out[blockIdx.x] = values[0];
    values[0] = 1;
}

extern "C" __global__ void shuffles(const number* in, number* down, number* butterfly, number* first, number* halves) {
    integer i = blockIdx.x * blockDim.x + threadIdx.x;
    number value = in[i];
    down[i] = __shfl_down_sync(0xffffffff, value, 3);
    number sum = value;
    for (int lanes = 16; lanes > 0; lanes /= 2) sum += __shfl_xor_sync(0xffffffff, sum, lanes);
    butterfly[i] = sum;
    first[i] = __shfl_sync(0xffffffff, value, 0);
    __syncwarp();
    halves[i] = __shfl_down_sync(0xffffffff, value, 1, 16);
}

// Half of a warp by itself.
extern "C" __global__ void half_warp(const number* in, number* out) {
    out[threadIdx.x] = in[threadIdx.x];
    if (threadIdx.x < 16) out[threadIdx.x] = __shfl_xor_sync(0x0000ffff, in[threadIdx.x], 1);
}

extern "C" __global__ void atomics(const int* in, number* sum, int* most, int* winner) {
    integer i = blockIdx.x * blockDim.x + threadIdx.x;
    atomicAdd(sum, (number)in[i]);
    atomicMax(most, in[i]);
    atomicCAS(winner, -1, (int)i);
}

// Where each thread is: (x, y, z) of the thread and of the block, as digits.
extern "C" __global__ void places(int* out) {
    integer thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
    integer block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
    int digits = ((int)threadIdx.z * 10 + (int)threadIdx.y) * 10 + (int)threadIdx.x;
    digits = ((digits * 10 + (int)blockIdx.z) * 10 + (int)blockIdx.y) * 10 + (int)blockIdx.x;
    out[block * blockDim.x * blockDim.y * blockDim.z + thread] = digits;
}

// Mistakes, after which a GPU may hang or answer anything.
extern "C" __global__ void some_return(number* out) {
    if (threadIdx.x == 5) return;
    __syncthreads();
    out[threadIdx.x] = 1;
}

extern "C" __global__ void two_barriers(number* out) {
    if (threadIdx.x < 8) {
        __syncthreads();
        out[threadIdx.x] = 1;
    } else {
        __syncthreads();
        out[threadIdx.x] = 2;
    }
}

extern "C" __global__ void lane_missing(number* out) {
    if (threadIdx.x != 7) out[threadIdx.x] = __shfl_down_sync(0xffffffff, out[threadIdx.x], 1);
}

extern "C" __global__ void lane_left_out(number* out) {
    if (threadIdx.x < 16) out[threadIdx.x] = __shfl_down_sync(0x0000ffff, out[threadIdx.x], 1);
}

extern "C" __global__ void all_parameters(const number* a, number* b, const unsigned char* c, const int* d, integer e,
                                          double f) {
    if (b != 0) b[0] = a[0] + c[0] + d[0] + (number)e + (number)f;
}

extern "C" __global__ void overflowing(const number* in, number* out) {
    integer large = (integer)in[0] + 2147483646;
    out[threadIdx.x] = (number)(large + (integer)in[0]);
}
