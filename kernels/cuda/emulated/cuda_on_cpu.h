// CUDA on the CPU, for tests: what a kernel needs of CUDA C++, so that g++ compiles the very same source.
//
// One block runs at a time. Each of its threads is a fiber (a stack of its own) that runs until it waits, at a
// barrier or in a warp shuffle; then the next one runs, in forward or in reversed order. So a missing barrier shows:
// the threads that run first read what the others have not written yet, in one of the two orders. Where some threads
// wait for others that have ended or wait elsewhere, a GPU may hang; here the launch ends with a message. Shared
// memory holds NaN before each block. What this cannot show is speed, and races between blocks.

#include <csetjmp>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <math.h>
#include <type_traits>
#include <ucontext.h>
#include <utility>

#define __global__
#define __device__
#define __launch_bounds__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __shared__ static __attribute__((section("shared_memory")))
#define DYNAMIC_SHARED(type, name) type* name = (type*)emulated::dynamic_shared

struct Three { unsigned x, y, z; };
static Three threadIdx, blockIdx, blockDim, gridDim;

extern char __start_shared_memory[] __attribute__((weak, visibility("hidden")));  // set by the linker, where a kernel
extern char __stop_shared_memory[] __attribute__((weak, visibility("hidden")));   // has shared memory

namespace emulated {

const int MOST_THREADS = 1024, STACK = 256 << 10;

struct Place { const char* what; const char* file; int line; };

struct Fiber {
    ucontext_t start;
    jmp_buf where;
    bool started = false;
    char stack[STACK];
};

enum State { READY, AT_BARRIER, IN_WARP, ENDED };

struct Thread {
    State state;
    Place place;            // where it waits
    Fiber* fiber;           // on which it waits
    unsigned mask;          // in a warp: the lanes that it waits for,
    int source;             // the lane that it reads,
    uint64_t value, found;  // what it gives and what it gets
};

static Fiber* idle[MOST_THREADS];
static int idle_count;
static Thread threads[MOST_THREADS];  // of the running block
static int count;                     // how many it has
static double dynamic_shared[(48 << 10) / sizeof(double)];
static void (*run_kernel)(void** arguments);
static void** kernel_arguments;
static char failure[300];
static jmp_buf scheduler;
static Fiber* current_fiber;
static int current, begun;  // the running thread; how many threads have begun
static bool reversed;

static int in_order(int i) { return reversed ? count - 1 - i : i; }

static void enter(unsigned thread) {
    current = thread;
    threadIdx = {thread % blockDim.x, thread / blockDim.x % blockDim.y, thread / blockDim.x / blockDim.y};
}

// Back to the scheduler; returns when the fiber is resumed.
static void leave() {
    if (!_setjmp(current_fiber->where)) _longjmp(scheduler, 1);
}

// What a fiber does, again and again: it takes threads until one of them waits or none is left.
static void work() {
    for (;;) {
        while (begun < count) {
            enter(in_order(begun++));
            run_kernel(kernel_arguments);
            threads[current].state = ENDED;
        }
        idle[idle_count++] = current_fiber;
        leave();
    }
}

static void resume(Fiber* fiber) {
    current_fiber = fiber;
    if (_setjmp(scheduler)) return;
    if (fiber->started) _longjmp(fiber->where, 1);
    fiber->started = true;
    getcontext(&fiber->start);
    fiber->start.uc_stack.ss_sp = fiber->stack;
    fiber->start.uc_stack.ss_size = STACK;
    makecontext(&fiber->start, work, 0);
    setcontext(&fiber->start);
}

static bool same(const Place& a, const Place& b) { return a.line == b.line && !strcmp(a.file, b.file); }

static void describe(char* text, size_t size, int t) {
    const Place& place = threads[t].place;
    if (threads[t].state == ENDED) snprintf(text, size, "thread %d has ended", t);
    else snprintf(text, size, "thread %d waits at %s (%s:%d)", t, place.what, place.file, place.line);
}

static void wait(State state, Place place) {
    Thread& thread = threads[current];
    thread.state = state;
    thread.place = place;
    thread.fiber = current_fiber;
}

// A shuffle ends for all lanes of a mask when the last of them has come.
static void finish_if_complete(unsigned mask) {
    const Thread& last = threads[current];
    int first_lane = current / 32 * 32;
    for (int lane = 0; lane < 32; lane++) {
        if (!(mask >> lane & 1)) continue;
        const Thread& other = threads[first_lane + lane];
        if (first_lane + lane >= count || other.state != IN_WARP || other.mask != mask) return;
        if (!same(other.place, last.place)) return;
    }
    for (int lane = 0; lane < 32; lane++) {
        if (!(mask >> lane & 1)) continue;
        Thread& other = threads[first_lane + lane];
        if (!(mask >> other.source & 1))
            snprintf(failure, sizeof failure, "lane %d reads lane %d, which the mask leaves out (%s:%d)", lane,
                     other.source, last.place.file, last.place.line);
        other.found = threads[first_lane + other.source].value;
        other.state = READY;
    }
}

template <class T> T exchange(unsigned mask, T value, int source, Place place) {
    static_assert(sizeof(T) <= sizeof(uint64_t), "a shuffle moves at most 8 bytes");
    Thread& thread = threads[current];
    int self = current;
    wait(IN_WARP, place);
    thread.mask = mask;
    thread.source = source;
    memcpy(&thread.value, &value, sizeof(T));
    finish_if_complete(mask);
    if (thread.state != READY || failure[0]) leave();
    enter(self);
    memcpy(&value, &thread.found, sizeof(T));
    return value;
}

// Threads that wait for others that do not come: the first that waits, and one that is elsewhere.
static void fail_waiting() {
    int waiting = 0, other = 0;
    while (threads[waiting].state == ENDED) waiting++;
    while (other < count - 1 && threads[other].state != ENDED && same(threads[other].place, threads[waiting].place))
        other++;
    char first[140], second[140];
    describe(first, sizeof first, waiting);
    describe(second, sizeof second, other);
    snprintf(failure, sizeof failure, "%s, %s", first, second);
}

static void run_block() {
    if (__start_shared_memory) memset(__start_shared_memory, 0xff, __stop_shared_memory - __start_shared_memory);
    memset(dynamic_shared, 0xff, sizeof dynamic_shared);
    memset(threads, 0, sizeof threads);
    begun = 0;
    while (begun < count && !failure[0]) resume(idle_count ? idle[--idle_count] : new Fiber);
    while (!failure[0]) {
        int ended = 0, at_barrier = 0, resumed = 0;
        for (int i = 0; i < count && !failure[0]; i++) {
            Thread& thread = threads[in_order(i)];
            if (thread.state == READY) {
                resumed++;
                resume(thread.fiber);
            }
        }
        if (resumed) continue;
        for (int t = 0; t < count; t++) {
            ended += threads[t].state == ENDED;
            at_barrier += threads[t].state == AT_BARRIER && same(threads[t].place, threads[0].place);
        }
        if (ended == count) return;
        if (at_barrier < count) fail_waiting();
        else for (int t = 0; t < count; t++) threads[t].state = READY;
    }
}

// The name of a parameter's type, as in "const float32", "integer" or "double".
template <class T> void append_type(char*& end) {
    typedef std::remove_pointer_t<T> Element;
    if (std::is_pointer_v<T>) {
        const char* kind = std::is_floating_point_v<Element> ? "float" : std::is_signed_v<Element> ? "int" : "uint";
        end += sprintf(end, "%s%s%d,", std::is_const_v<Element> ? "const " : "", kind, (int)(8 * sizeof(Element)));
    } else {
        static_assert(std::is_pointer_v<T> || std::is_same_v<T, INTEGER> || std::is_same_v<T, double>,
                      "kernels take pointers, `integer` and `double`");
        end += sprintf(end, "%s,", std::is_same_v<T, double> ? "double" : "integer");
    }
}

template <class... Parameters> const char* parameters(void (*)(Parameters...)) {
    static char names[20 * sizeof...(Parameters) + 1];
    char* end = names;
    (append_type<Parameters>(end), ...);
    return names;
}

// Calls the kernel with the arguments that pointers point to.
template <auto kernel> struct Call;
template <class... Parameters, void (*kernel)(Parameters...)> struct Call<kernel> {
    template <size_t... I> static void with(void** arguments, std::index_sequence<I...>) {
        kernel(*(Parameters*)arguments[I]...);
    }
    static void run(void** arguments) { with(arguments, std::index_sequence_for<Parameters...>()); }
};

// Runs a grid; returns a message, or null if all threads of all blocks have ended. shape: grid and block, three each.
static const char* launch(void (*kernel)(void**), void** arguments, const unsigned* shape, int backwards) {
    run_kernel = kernel;
    kernel_arguments = arguments;
    gridDim = {shape[0], shape[1], shape[2]};
    blockDim = {shape[3], shape[4], shape[5]};
    count = blockDim.x * blockDim.y * blockDim.z;
    reversed = backwards;
    failure[0] = 0;
    unsigned long long blocks = 1ull * gridDim.x * gridDim.y * gridDim.z;
    for (unsigned long long i = 0; i < blocks && !failure[0]; i++) {
        unsigned long long b = reversed ? blocks - 1 - i : i;
        blockIdx = {(unsigned)(b % gridDim.x), (unsigned)(b / gridDim.x % gridDim.y),
                    (unsigned)(b / gridDim.x / gridDim.y)};
        run_block();
    }
    return failure[0] ? failure : nullptr;  // the fibers of threads that still wait are lost
}

}  // namespace emulated

#define CALL_SITE const char *file = __builtin_FILE(), int line = __builtin_LINE()

static inline void __syncthreads(CALL_SITE) {
    int self = emulated::current;
    emulated::wait(emulated::AT_BARRIER, {"__syncthreads", file, line});
    emulated::leave();
    emulated::enter(self);
}

static inline void __syncwarp(unsigned mask = 0xffffffff, CALL_SITE) {
    emulated::exchange(mask, 0, emulated::current % 32, {"__syncwarp", file, line});
}

template <class T> T __shfl_sync(unsigned mask, T value, int source, int width = 32, CALL_SITE) {
    int lane = emulated::current % 32, first = lane / width * width;
    return emulated::exchange(mask, value, first + source % width, {"__shfl_sync", file, line});
}

template <class T> T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, CALL_SITE) {
    int lane = emulated::current % 32, source = lane + delta;
    bool inside = source < lane / width * width + width;  // else a lane gets its own value
    return emulated::exchange(mask, value, inside ? source : lane, {"__shfl_down_sync", file, line});
}

template <class T> T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32, CALL_SITE) {
    int lane = emulated::current % 32, source = lane ^ lanes;
    bool inside = source < lane / width * width + width;
    return emulated::exchange(mask, value, inside ? source : lane, {"__shfl_xor_sync", file, line});
}

// What a thread of a warp brings to a product of matrices on tensor cores.
struct Factors { float left[4], right[2]; };
static Factors factors[emulated::MOST_THREADS];

// The nearest number with so many bits of exponent and fraction: TF32 (8, 10) rounds halves away from zero, bfloat16
// (8, 7) and float16 (5, 10) to even.
static inline float rounded(float value, int exponent_bits, int fraction_bits) {
    uint32_t number, lost = 23 - fraction_bits, half = 1u << (lost - 1);
    memcpy(&number, &value, sizeof number);
    if ((number & 0x7f800000) == 0x7f800000) return value;  // infinite or NaN
    if (exponent_bits == 5 && fabsf(value) < 0x1p-14f) return rintf(value * 0x1p24f) * 0x1p-24f;  // of equal distances
    number += fraction_bits == 10 && exponent_bits == 8 ? half : half - 1 + (number >> lost & 1);
    number &= ~((1u << lost) - 1);
    memcpy(&value, &number, sizeof value);
    return exponent_bits == 5 && fabsf(value) > 65504 ? copysignf(INFINITY, value) : value;
}

// sums += left @ right, 16 x 8 and 8 x 8 numbers; which of them a thread has, says tensor_cores.cuh.
static inline void multiply_16x8x8(float* sums, const float* left, const float* right, int exponent_bits,
                                   int fraction_bits, CALL_SITE) {
    int self = emulated::current, first = self / 32 * 32, group = self % 32 / 4, member = self % 4;
    for (int n = 0; n < 4; n++) factors[self].left[n] = rounded(left[n], exponent_bits, fraction_bits);
    for (int n = 0; n < 2; n++) factors[self].right[n] = rounded(right[n], exponent_bits, fraction_bits);
    emulated::exchange(0xffffffff, 0, self % 32, {"mma.sync", file, line});
    for (int n = 0; n < 4; n++) {
        int column = 2 * member + n % 2;
        double sum = sums[n];
        for (int k = 0; k < 8; k++) {
            const Factors& of_row = factors[first + group * 4 + k % 4];
            const Factors& of_column = factors[first + column * 4 + k % 4];
            sum += (double)of_row.left[k / 4 * 2 + n / 2] * of_column.right[k / 4];
        }
        sums[n] = (float)sum;
    }
    emulated::exchange(0xffffffff, 0, self % 32, {"mma.sync", file, line});  // before anybody brings the next factors
}
#define MULTIPLY_16x8x8(sums, left, right) multiply_16x8x8(sums, left, right, EXPONENT_BITS, FRACTION_BITS)

static inline float __int_as_float(unsigned bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

template <class T> T atomicAdd(T* address, T value) { T old = *address; *address = old + value; return old; }
template <class T> T atomicMax(T* address, T value) { T old = *address; if (value > old) *address = value; return old; }
template <class T> T atomicCAS(T* address, T compare, T value) {
    T old = *address;
    if (old == compare) *address = value;
    return old;
}

#define EXPORTED extern "C" __attribute__((visibility("default")))
#define EMULATED_KERNEL(name)                                                                              \
    EXPORTED const char* launch_##name(void** arguments, const unsigned* shape, int backwards) {           \
        return emulated::launch(emulated::Call<name>::run, arguments, shape, backwards);                   \
    }                                                                                                      \
    EXPORTED const char* parameters_##name() { return emulated::parameters(name); }
