// Sums and maxima over the 32 threads of a warp, by shuffles: each thread takes the value of the one 16 places away,
// then 8, 4, 2 and 1, so that in the end all of them have the result. All 32 threads have to come.

__device__ number warp_sum(number value) {
    for (int distance = 16; distance > 0; distance /= 2) value += __shfl_xor_sync(0xffffffff, value, distance);
    return value;
}

// The larger of two numbers. A NaN may be lost.
__device__ number maximum(number a, number b) { return b > a ? b : a; }

__device__ number warp_maximum(number value) {
    for (int distance = 16; distance > 0; distance /= 2)
        value = maximum(value, __shfl_xor_sync(0xffffffff, value, distance));
    return value;
}
