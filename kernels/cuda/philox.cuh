// Random numbers without a state: number i of a sequence is a function of i and of the key that names the sequence, so
// each thread makes its own. Philox4x32-10, of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1,
// 2, 3" (SC11), section 3.3. All is arithmetic of 32-bit integers, which every processor does alike, to the last bit.

struct Four {
    unsigned numbers[4];
};

// Four random numbers of 32 bits for each counter of four.
__device__ Four philox(Four counter, unsigned key_0, unsigned key_1) {
    unsigned* c = counter.numbers;
    for (int round = 0; round < 10; round++) {
        unsigned long long product_0 = 0xD2511F53ull * c[0], product_1 = 0xCD9E8D57ull * c[2];
        c[0] = (unsigned)(product_1 >> 32) ^ c[1] ^ key_0;
        c[1] = (unsigned)product_1;
        c[2] = (unsigned)(product_0 >> 32) ^ c[3] ^ key_1;
        c[3] = (unsigned)product_0;
        key_0 += 0x9E3779B9;  // the golden ratio, and below the root of 3, less 1
        key_1 += 0xBB67AE85;
    }
    return counter;
}
