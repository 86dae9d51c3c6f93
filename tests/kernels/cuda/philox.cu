// Random numbers of one counter and key: in has the counter's four numbers and the key's two, out four numbers.

#include "common.cuh"
#include "philox.cuh"

extern "C" __global__ void four_numbers(const unsigned* in, unsigned* out) {
    Four random = philox({{in[0], in[1], in[2], in[3]}}, in[4], in[5]);
    for (int n = 0; n < 4; n++) out[n] = random.numbers[n];
}
