// A product of matrices by a block of 256 threads: the loop that the three passes of a convolution share.
//
// The block makes a tile of HEIGHT x WIDTH sums, each thread R x C of them, in registers. The inner dimension comes in
// slices: SLICE columns of the left matrix and SLICE rows of the right one are read from memory once for the whole
// block, into shared memory, from where each thread reads R + C numbers for R * C products. (Volkov and Demmel,
// "Benchmarking GPUs to tune dense linear algebra", 2008.) Where the numbers come from is the business of `left` and
// `right`: whatever has
//
//     number at(int i)        number i of the slice that this thread brings, of COUNT
//     int line(int i)         which of the slice's lines it belongs to, 0 to SLICE - 1,
//     int place(int i)        and where in the line: the row or the column of the tile
//     void advance()          on to the next slice
//
// There are two copies of a slice: while threads multiply one, they fetch the next. So one barrier for each slice is
// enough, behind which the new slice is complete and the old one is read no more.
//
// On a GPU: each line of a slice brings HEIGHT + WIDTH numbers from memory or its caches for HEIGHT * WIDTH products.
// With tiles of 128 x 128 that is 16 products for each byte of float32.

#define THREADS 256
#ifndef SLICE
#define SLICE 8
#define PAD 4  // numbers between two lines: threads that store one number of each line meet no other in its bank
#endif

// A line of a slice. Threads read four neighbours at a time, for which they must lie at multiples of 16 bytes.
#define SLICES(name, places) __shared__ __align__(16) number name[2][SLICE][(places) + PAD]

// The row (or column) of its tile that a thread's number i of `own` belongs to: fours of neighbours, and the fours of
// all threads lie side by side before the next four of the first. So threads read all banks of shared memory evenly.
template <int EXTENT, int OWN> __device__ int place_of(int thread, int i) {
    return i / 4 * (EXTENT * 4 / OWN) + thread * 4 + i % 4;
}

template <int TILE_HEIGHT, int TILE_WIDTH> struct Tile {
    static const int HEIGHT = TILE_HEIGHT, WIDTH = TILE_WIDTH, SUMS = HEIGHT * WIDTH / THREADS;
    static const int R = SUMS < 32 ? 4 : 8, C = SUMS / R, ACROSS = WIDTH / C;  // ACROSS: threads side by side
    number sums[R][C];

    __device__ int row(int i) const { return place_of<HEIGHT, R>(threadIdx.x / ACROSS, i); }
    __device__ int column(int j) const { return place_of<WIDTH, C>(threadIdx.x % ACROSS, j); }

    // sums += a @ b, a slice.
    __device__ void add_products(const number (*a)[HEIGHT + PAD], const number (*b)[WIDTH + PAD]) {
#pragma unroll 2  // all of them take more registers than a thread has
        for (int k = 0; k < SLICE; k++) {
            number own_left[R], own_right[C];
#pragma unroll
            for (int i = 0; i < R; i++) own_left[i] = a[k][row(i)];
#pragma unroll
            for (int j = 0; j < C; j++) own_right[j] = b[k][column(j)];
#pragma unroll
            for (int i = 0; i < R; i++)
#pragma unroll
                for (int j = 0; j < C; j++) sums[i][j] += own_left[i] * own_right[j];
        }
    }
};

template <class Source> __device__ void fetch(Source& source, number* next) {
#pragma unroll
    for (int i = 0; i < Source::COUNT; i++) next[i] = source.at(i);
    source.advance();
}

template <class Source, int PLACES>
__device__ void store(const Source& source, const number* next, number (*slice)[PLACES]) {
#pragma unroll
    for (int i = 0; i < Source::COUNT; i++) slice[source.line(i)][source.place(i)] = next[i];
}

// tile.sums = left @ right, over `slices` slices.
template <class Tile, class Left, class Right>
__device__ void multiply(Tile& tile, Left& left, Right& right, integer slices, number (*a)[SLICE][Tile::HEIGHT + PAD],
                         number (*b)[SLICE][Tile::WIDTH + PAD]) {
    number next_left[Left::COUNT], next_right[Right::COUNT];
#pragma unroll
    for (int i = 0; i < Tile::R; i++)
#pragma unroll
        for (int j = 0; j < Tile::C; j++) tile.sums[i][j] = 0;
    fetch(left, next_left);
    fetch(right, next_right);
    for (integer slice = 0; slice < slices; slice++) {
        int copy = slice % 2;
        store(left, next_left, a[copy]);
        store(right, next_right, b[copy]);
        __syncthreads();
        if (slice + 1 < slices) {
            fetch(left, next_left);
            fetch(right, next_right);
        }
        tile.add_products(a[copy], b[copy]);
    }
}

// Rows [row, end) of a matrix in memory as the right one: WIDTH columns from `first` on, zeros beyond its `columns`.
template <int WIDTH> struct Matrix {
    static const int COUNT = SLICE * WIDTH / THREADS;  // numbers of a slice for each thread: one column of it
    const number* next;
    integer step, rows_left;  // from row to row; rows from this thread's next one to the end
    bool inside;

    __device__ Matrix(const number* matrix, integer row, integer end, integer first, integer columns, integer step)
        : step(step) {
        integer column = first + threadIdx.x % WIDTH;
        inside = column < columns;
        row += threadIdx.x / WIDTH;
        rows_left = end - row;
        next = matrix + row * step + column;
    }
    __device__ int line(int i) const { return threadIdx.x / WIDTH + i * (THREADS / WIDTH); }
    __device__ int place(int i) const { return threadIdx.x % WIDTH; }
    __device__ number at(int i) const {
        int row = i * (THREADS / WIDTH);
        return inside && row < rows_left ? next[row * step] : 0;
    }
    __device__ void advance() {
        next += SLICE * step;
        rows_left -= SLICE;
    }
};
