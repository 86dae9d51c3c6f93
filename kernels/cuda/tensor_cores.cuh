// The tile of gemm.cuh on tensor cores. On their way from shared memory float32 numbers are rounded, to TF32, bfloat16
// or float16, which have EXPONENT_BITS and FRACTION_BITS; they are multiplied exactly, and added up in float32.
//
// A warp multiplies matrices of 16 x 8 and 8 x 8 numbers in one instruction, mma.sync (PTX manual, "Matrix multiply-
// accumulate operation using mma instruction", m16n8k8). Each thread brings 4 numbers of the left one, 2 of the right
// one, and has 4 of the 16 x 8 sums. With group = lane / 4 and member = lane % 4:
//
//     left    rows group, group + 8;   columns member, member + 4
//     right   rows member, member + 4; column group
//     sums    rows group, group + 8;   columns 2 member, 2 member + 1
//
// For 16-bit numbers the instruction counts the inner dimension otherwise, 2 member and 2 member + 1; but in which
// order products are added up does not matter, as long as both matrices agree.
//
// In what order an instruction adds up its 8 products, and how it rounds, is not documented; the emulation on the CPU
// adds in float64. GPUs before Ampere (sm_80), for float16 before Turing (sm_75), have no such instruction: there the
// products are those of float32.

#define SLICE 16  // shorter slices would be multiplied before the next one has come from memory
#define PAD 8     // members of a group read lines of a slice: so their banks are 8 apart, and a warp reads all 32

#define OLDEST (EXPONENT_BITS == 5 ? 750 : 800)

#ifndef MULTIPLY_16x8x8  // c += a @ b, of a thread's numbers; the emulation has its own
#if EXPONENT_BITS == 8 && FRACTION_BITS == 10
__device__ unsigned as_tf32(float value) {
    unsigned bits;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(value));
    return bits;
}
#define MULTIPLY_16x8x8(c, a, b)                                                                                   \
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "                                             \
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"                                 \
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])                                                  \
                 : "r"(as_tf32(a[0])), "r"(as_tf32(a[1])), "r"(as_tf32(a[2])), "r"(as_tf32(a[3])),                 \
                   "r"(as_tf32(b[0])), "r"(as_tf32(b[1])))
#else
#if FRACTION_BITS == 7
__device__ unsigned pair(float first, float second) {  // of bfloat16, first in the lower half
    unsigned bits;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(second), "f"(first));
    return bits;
}
#define FORMAT "bf16"
#else
__device__ unsigned pair(float first, float second) {  // of float16; one by one, as Turing cannot convert two
    unsigned short lower, upper;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(lower) : "f"(first));
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(upper) : "f"(second));
    return (unsigned)upper << 16 | lower;
}
#define FORMAT "f16"
#endif
#define MULTIPLY_16x8x8(c, a, b)                                                                                   \
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32." FORMAT "." FORMAT ".f32 "                                 \
                 "{%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"                                             \
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])                                                  \
                 : "r"(pair(a[0], a[2])), "r"(pair(a[1], a[3])), "r"(pair(b[0], b[1])))
#endif
#endif

// 8 warps, 4 above each other and 2 side by side, have a part of the tile each: DOWN x ACROSS matrices of 16 x 8 sums.
template <int TILE_HEIGHT, int TILE_WIDTH> struct TensorTile {
    static const int HEIGHT = TILE_HEIGHT, WIDTH = TILE_WIDTH;
    static const int DOWN = HEIGHT / 4 / 16, ACROSS = WIDTH / 2 / 8, R = 2 * DOWN, C = 2 * ACROSS;
    float sums[R][C];

    __device__ static int group() { return threadIdx.x % 32 / 4; }
    __device__ static int member() { return threadIdx.x % 4; }
    __device__ static int first_row() { return threadIdx.x / 64 * (HEIGHT / 4); }
    __device__ static int first_column() { return threadIdx.x / 32 % 2 * (WIDTH / 2); }

    __device__ int row(int i) const { return first_row() + 8 * i + group(); }
    __device__ int column(int j) const { return first_column() + j / 2 * 8 + 2 * member() + j % 2; }

    __device__ void add_products(const number (*a)[HEIGHT + PAD], const number (*b)[WIDTH + PAD]) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < OLDEST
        for (int k = 0; k < SLICE; k++)
#pragma unroll
            for (int i = 0; i < R; i++)
#pragma unroll
                for (int j = 0; j < C; j++) sums[i][j] += (a[k][row(i)] * b[k][column(j)]);
#else
#pragma unroll
        for (int k = 0; k < SLICE; k += 8) {
            float left[DOWN][4];
#pragma unroll
            for (int i = 0; i < DOWN; i++)
#pragma unroll
                for (int n = 0; n < 4; n++) left[i][n] = a[k + member() + n / 2 * 4][row(2 * i + n % 2)];
#pragma unroll
            for (int j = 0; j < ACROSS; j++) {
                int place = first_column() + 8 * j + group();
                float right[2] = {b[k + member()][place], b[k + member() + 4][place]};
#pragma unroll
                for (int i = 0; i < DOWN; i++) {
                    float block[4] = {sums[2 * i][2 * j], sums[2 * i][2 * j + 1], sums[2 * i + 1][2 * j],
                                      sums[2 * i + 1][2 * j + 1]};
                    MULTIPLY_16x8x8(block, left[i], right);
                    sums[2 * i][2 * j] = block[0];
                    sums[2 * i][2 * j + 1] = block[1];
                    sums[2 * i + 1][2 * j] = block[2];
                    sums[2 * i + 1][2 * j + 1] = block[3];
                }
            }
        }
#endif
    }
};
