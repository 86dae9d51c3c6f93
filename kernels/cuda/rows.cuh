// Many arrays in one launch, each as a row of a table.
//
// Row r of the table `addresses` says where arrays lie that belong together, such as a parameter, its gradient and its
// state; 0 stands for state that there is not. Rows lie one behind the other in one long range of elements; `ends` says
// where each ends in it. A block has CHUNK elements, of one row or of several.

#define CHUNK 2048

typedef long long place;  // all parameters together may be more than an int can count

// The first row that ends behind element i.
__device__ place row_of(const place* ends, place rows, place i) {
    place first = 0, end = rows - 1;
    while (first < end) {
        place middle = (first + end) / 2;
        if (ends[middle] > i) end = middle;
        else first = middle + 1;
    }
    return first;
}

// The stretch of one row from element `start` on, up to `stop`.
struct Stretch {
    const place* addresses;  // of the row
    place first, size;       // of its elements

    __device__ Stretch(const place* table, const place* ends, place rows, int columns, place start, place stop) {
        place row = row_of(ends, rows, start);
        addresses = table + row * columns;
        first = start - (row > 0 ? ends[row - 1] : 0);
        size = (ends[row] < stop ? ends[row] : stop) - start;
    }
    __device__ number* column(int k) const { return addresses[k] == 0 ? 0 : (number*)addresses[k] + first; }
};

// The elements of this block: from `first_element` up to, but without, the end.
__device__ place first_element() { return (place)blockIdx.x * CHUNK; }
__device__ place end_of_elements(const place* ends, place rows) {
    place end = first_element() + CHUNK;
    return end < ends[rows - 1] ? end : ends[rows - 1];
}
