// Dropout. Contract: reference/dropout.py; which elements are kept: dropout.py.
//
// On a GPU the floor is memory: one array is read, two are written. A random number costs some 25 operations.

#include "common.cuh"
#include "philox.cuh"

#define STRIDE 256  // a counter's four numbers are for elements so far apart: neighbouring threads write neighbours

// output = x * mask. mask is `scale` where a random number of 32 bits is not below p * 2^32, else 0. The key is in memory,
// two numbers, or where that is null in two arguments.
extern "C" __global__ void dropout(const number* x, number* output, number* mask, integer count, const long long* key,
                                   integer key_0, integer key_1, double p, double scale) {
    unsigned first = key == 0 ? key_0 : key[0], second = key == 0 ? key_1 : key[1];
    FOR_EACH(i, divide_up(count, 4 * STRIDE) * STRIDE) {
        Four counter = {{(unsigned)i, (unsigned)((unsigned long long)i >> 32), 0, 0}};
        Four random = philox(counter, first, second);
        for (int n = 0; n < 4; n++) {
            integer element = (i / STRIDE * 4 + n) * STRIDE + i % STRIDE;
            if (element >= count) break;
            number kept = random.numbers[n] >= p * 4294967296.0 ? (number)scale : 0;
            mask[element] = kept;
            output[element] = x[element] * kept;
        }
    }
}
