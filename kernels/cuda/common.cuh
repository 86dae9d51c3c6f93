// What the kernels share. The compiler is told two types: -DNUMBER=float or double, the dtype of the arrays, and
// -DINTEGER=int, or "long long" where an array has more elements than fit into an int.

typedef NUMBER number;
typedef INTEGER integer;

#ifndef DYNAMIC_SHARED  // memory whose size the launch decides; only this spelling of it can be emulated on the CPU
#define DYNAMIC_SHARED(type, name) extern __shared__ type name[]
#endif

#define INFINITE ((number)__int_as_float(0x7f800000))  // NVRTC has no headers, so no INFINITY

// The loop of kernels whose threads make one element each: threads of the grid take elements i, i + threads, ...
#define FOR_EACH(i, count)                                                                          \
    for (integer i = (integer)blockIdx.x * blockDim.x + threadIdx.x; i < (count);                   \
         i += (integer)gridDim.x * blockDim.x)

__device__ integer smaller(integer a, integer b) { return a < b ? a : b; }
__device__ integer larger(integer a, integer b) { return a > b ? a : b; }

// Quotient rounded up, for a >= 0 and b > 0.
__device__ integer divide_up(integer a, integer b) { return (a + b - 1) / b; }
