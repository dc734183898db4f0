// Hashes of the hot path: CRC-32C (Castagnoli) by the CPU's instruction where there is one, XXH3 by libxxhash's header.
#ifndef CIRRUS_CHASH_H
#define CIRRUS_CHASH_H
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint64_t low, high;
} chash_128;

/// Extends `crc` (0 to start; the value is already finalized, as in zlib's crc32()) over n bytes.
uint32_t chash_crc32c(uint32_t crc, const void *bytes, size_t n);
/// The same by table, whatever the CPU: the oracle of the test, and the fallback.
uint32_t chash_crc32c_portable(uint32_t crc, const void *bytes, size_t n);

/// XXH3, 128 bits, of n bytes under a 64-bit seed.
chash_128 chash_xxh3_128(const void *bytes, size_t n, uint64_t seed);
uint64_t chash_xxh3_64(const void *bytes, size_t n, uint64_t seed);
/// XXH64 of n bytes, seed 0: the hash of Parquet's bloom filters.
uint64_t chash_xxh64(const void *bytes, size_t n);

/// A running XXH3 128-bit hash, without the wider vectors some CPUs have. Make with _new, end with _free.
typedef struct chash_stream chash_stream;
chash_stream *chash_stream_new(uint64_t seed);
void chash_stream_update(chash_stream *, const void *bytes, size_t n);
chash_128 chash_stream_value(const chash_stream *);
void chash_stream_free(chash_stream *);
#endif
