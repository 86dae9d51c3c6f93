// CUDA on the CPU, for tests: what a kernel needs of CUDA C++, so that g++ compiles the very same source.
//
// One block runs at a time. Each of its threads is a fiber (a stack of its own) that runs until it waits, at a
// barrier or in a warp shuffle; then the next one runs, in forward or in reversed order. So a missing barrier shows:
// the threads that run first read what the others have not written yet, in one of the two orders. Where some threads
// wait for others that have ended or wait elsewhere, a GPU may hang; here the launch ends with a message. Shared
// memory holds NaN before each block. What this cannot show is speed, and races between blocks.

#include <csetjmp>
#include <cstdint>
#include <cstring>
#include <functional>
#include <list>
#include <math.h>
#include <string>
#include <type_traits>
#include <ucontext.h>
#include <utility>
#include <vector>

#define __global__
#define __device__
#define __launch_bounds__(...)
#define __shared__ static __attribute__((section("shared_memory")))
#define DYNAMIC_SHARED(type, name) type* name = (type*)emulated::dynamic_shared.data()

struct Three { unsigned x, y, z; };
static Three threadIdx, blockIdx, blockDim, gridDim;

extern char __start_shared_memory[] __attribute__((weak, visibility("hidden")));  // set by the linker, where a kernel
extern char __stop_shared_memory[] __attribute__((weak, visibility("hidden")));   // has shared memory

namespace emulated {

struct Place { const char* what; const char* file; int line; };

struct Fiber {
    ucontext_t start;
    jmp_buf where;
    bool started = false;
    std::vector<char> stack = std::vector<char>(256 << 10);
};

enum State { READY, AT_BARRIER, IN_WARP, ENDED };

struct Thread {
    State state;
    Place place;          // where it waits
    Fiber* fiber;         // on which it waits
    unsigned mask;        // in a warp: the lanes that it waits for,
    int source;           // the lane that it reads,
    uint64_t value, found;  // what it gives and what it gets
};

static std::list<Fiber> fibers;
static std::vector<Fiber*> idle;
static std::vector<Thread> threads;  // of the running block
static std::vector<double> dynamic_shared;
static std::function<void()> kernel;  // the kernel with its arguments
static std::string failure;
static jmp_buf scheduler;
static Fiber* current_fiber;
static int current, begun;  // the running thread; how many threads have begun
static bool reversed;

static int in_order(int i) { return reversed ? (int)threads.size() - 1 - i : i; }

static void enter(int thread) {
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
        while (begun < (int)threads.size()) {
            enter(in_order(begun++));
            kernel();
            threads[current].state = ENDED;
        }
        idle.push_back(current_fiber);
        leave();
    }
}

static void resume(Fiber* fiber) {
    current_fiber = fiber;
    if (_setjmp(scheduler)) return;
    if (fiber->started) _longjmp(fiber->where, 1);
    fiber->started = true;
    getcontext(&fiber->start);
    fiber->start.uc_stack.ss_sp = fiber->stack.data();
    fiber->start.uc_stack.ss_size = fiber->stack.size();
    makecontext(&fiber->start, work, 0);
    setcontext(&fiber->start);
}

static Fiber* idle_fiber() {
    if (idle.empty()) {
        fibers.emplace_back();
        return &fibers.back();
    }
    Fiber* fiber = idle.back();
    idle.pop_back();
    return fiber;
}

static bool same(const Place& a, const Place& b) { return a.line == b.line && !strcmp(a.file, b.file); }

static std::string described(int t) {
    const Thread& thread = threads[t];
    std::string text = "thread " + std::to_string(t);
    if (thread.state == ENDED) return text + " has ended";
    const Place& place = thread.place;
    return text + " waits at " + place.what + " (" + place.file + ":" + std::to_string(place.line) + ")";
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
        if (first_lane + lane >= (int)threads.size()) return;
        const Thread& other = threads[first_lane + lane];
        if (other.state != IN_WARP || other.mask != mask || !same(other.place, last.place)) return;
    }
    for (int lane = 0; lane < 32; lane++) {
        if (!(mask >> lane & 1)) continue;
        Thread& other = threads[first_lane + lane];
        if (!(mask >> other.source & 1)) failure = "reads from lane " + std::to_string(other.source) +
                                                   ", which the mask of the shuffle leaves out";
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
    if (!(mask >> current % 32 & 1)) failure = "shuffles with a mask that leaves out the thread's own lane";
    finish_if_complete(mask);
    if (thread.state != READY || !failure.empty()) leave();
    enter(self);
    memcpy(&value, &thread.found, sizeof(T));
    return value;
}

static void run_block() {
    if (__start_shared_memory) memset(__start_shared_memory, 0xff, __stop_shared_memory - __start_shared_memory);
    memset(dynamic_shared.data(), 0xff, dynamic_shared.size() * sizeof(double));
    int count = blockDim.x * blockDim.y * blockDim.z;
    threads.assign(count, Thread{READY, {"", "", 0}, nullptr, 0, 0, 0, 0});
    begun = 0;
    while (begun < count && failure.empty()) resume(idle_fiber());
    while (failure.empty()) {
        int ended = 0, at_barrier = 0, resumed = 0;
        for (int i = 0; i < count && failure.empty(); i++) {
            Thread& thread = threads[in_order(i)];
            if (thread.state == READY) {
                resumed++;
                resume(thread.fiber);
            }
        }
        if (resumed) continue;
        for (const Thread& thread : threads) {
            ended += thread.state == ENDED;
            at_barrier += thread.state == AT_BARRIER && same(thread.place, threads[0].place);
        }
        if (ended == count) return;
        if (at_barrier == count) {
            for (Thread& thread : threads) thread.state = READY;
            continue;
        }
        int waiting = 0, other = 0;
        while (threads[waiting].state == ENDED) waiting++;
        while (threads[other].state == threads[waiting].state && same(threads[other].place, threads[waiting].place) &&
               other < count - 1) other++;
        failure = described(waiting) + ", " + described(other);
    }
}

template <class T> std::string type_name() {
    if (std::is_pointer_v<T>) {
        typedef std::remove_pointer_t<T> Element;
        std::string name = std::is_floating_point_v<Element> ? "float" : std::is_signed_v<Element> ? "int" : "uint";
        return (std::is_const_v<Element> ? "const " : "") + name + std::to_string(8 * sizeof(std::conditional_t<
                   std::is_void_v<Element>, char, Element>));
    }
    static_assert(std::is_pointer_v<T> || std::is_same_v<T, INTEGER> || std::is_same_v<T, double>,
                  "kernels take pointers, `integer` and `double`");
    return std::is_same_v<T, double> ? "double" : "integer";
}

template <class... Parameters> const char* parameters(void (*)(Parameters...)) {
    static std::string names;
    names.clear();
    ((names += type_name<Parameters>() + ","), ...);
    return names.c_str();
}

template <class... Parameters, size_t... I>
const char* launch(void (*function)(Parameters...), std::index_sequence<I...>, void** arguments, const unsigned* shape,
                   size_t shared, int backwards) {
    kernel = [=] { function(*(Parameters*)arguments[I]...); };
    gridDim = {shape[0], shape[1], shape[2]};
    blockDim = {shape[3], shape[4], shape[5]};
    dynamic_shared.resize((shared + sizeof(double) - 1) / sizeof(double));
    reversed = backwards;
    failure.clear();
    unsigned long long blocks = 1ull * gridDim.x * gridDim.y * gridDim.z;
    for (unsigned long long i = 0; i < blocks && failure.empty(); i++) {
        unsigned long long b = reversed ? blocks - 1 - i : i;
        blockIdx = {(unsigned)(b % gridDim.x), (unsigned)(b / gridDim.x % gridDim.y),
                    (unsigned)(b / gridDim.x / gridDim.y)};
        run_block();
    }
    if (failure.empty()) return nullptr;
    idle.clear();
    fibers.clear();  // with the threads that still wait
    return failure.c_str();
}

template <class... Parameters>
const char* launch(void (*function)(Parameters...), void** arguments, const unsigned* shape, size_t shared,
                   int backwards) {
    return launch(function, std::index_sequence_for<Parameters...>(), arguments, shape, shared, backwards);
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

#define EXPORTED __attribute__((visibility("default")))
#define EMULATED_KERNEL(name)                                                                                     \
    extern "C" EXPORTED const char* launch_##name(void** arguments, const unsigned* shape, size_t shared,           \
                                                  int backwards) {                                                  \
        return emulated::launch(name, arguments, shape, shared, backwards);                                       \
    }                                                                                                             \
    extern "C" EXPORTED const char* parameters_##name() { return emulated::parameters(name); }
