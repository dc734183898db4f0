#define XXH_INLINE_ALL
#include "CHash.h"
#include <string.h>
#include <xxhash.h>

// Reflected Castagnoli polynomial; slicing by 8 (Kounavis and Berry, 2005).
static uint32_t table[8][256];

__attribute__((constructor)) static void make_table(void) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++) c = c & 1 ? (c >> 1) ^ 0x82F63B78u : c >> 1;
        table[0][i] = c;
    }
    for (uint32_t i = 0; i < 256; i++)
        for (int k = 1; k < 8; k++) table[k][i] = (table[k - 1][i] >> 8) ^ table[0][table[k - 1][i] & 0xFF];
}

uint32_t chash_crc32c_portable(uint32_t crc, const void *bytes, size_t n) {
    const uint8_t *p = bytes;
    uint32_t c = ~crc;
    for (; n >= 8; p += 8, n -= 8) {
        uint32_t a = c ^ ((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24);
        c = table[7][a & 0xFF] ^ table[6][a >> 8 & 0xFF] ^ table[5][a >> 16 & 0xFF] ^ table[4][a >> 24] ^ table[3][p[4]] ^
            table[2][p[5]] ^ table[1][p[6]] ^ table[0][p[7]];
    }
    for (; n; n--) c = (c >> 8) ^ table[0][(c ^ *p++) & 0xFF];
    return ~c;
}

#if defined(__x86_64__)
#include <nmmintrin.h>
__attribute__((target("sse4.2"))) static uint32_t crc32c_hardware(uint32_t crc, const void *bytes, size_t n) {
    const uint8_t *p = bytes;
    uint64_t c = (uint32_t)~crc;
    for (; n >= 8; p += 8, n -= 8) {
        uint64_t x;
        memcpy(&x, p, 8);
        c = _mm_crc32_u64(c, x);
    }
    for (; n; n--) c = _mm_crc32_u8((uint32_t)c, *p++);
    return ~(uint32_t)c;
}
static int has_hardware(void) { return __builtin_cpu_supports("sse4.2"); }
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <sys/auxv.h>
__attribute__((target("+crc"))) static uint32_t crc32c_hardware(uint32_t crc, const void *bytes, size_t n) {
    const uint8_t *p = bytes;
    uint32_t c = ~crc;
    for (; n >= 8; p += 8, n -= 8) {
        uint64_t x;
        memcpy(&x, p, 8);
        c = __crc32cd(c, x);
    }
    for (; n; n--) c = __crc32cb(c, *p++);
    return ~c;
}
static int has_hardware(void) { return (getauxval(AT_HWCAP) & (1 << 7)) != 0; }  // HWCAP_CRC32
#else
static uint32_t crc32c_hardware(uint32_t crc, const void *bytes, size_t n) { return chash_crc32c_portable(crc, bytes, n); }
static int has_hardware(void) { return 0; }
#endif

uint32_t chash_crc32c(uint32_t crc, const void *bytes, size_t n) {
    static int hardware = -1;  // a race writes the same value twice
    if (hardware < 0) hardware = has_hardware();
    return hardware ? crc32c_hardware(crc, bytes, n) : chash_crc32c_portable(crc, bytes, n);
}

chash_128 chash_xxh3_128_avx2(const void *bytes, size_t n, uint64_t seed);

chash_128 chash_xxh3_128(const void *bytes, size_t n, uint64_t seed) {
#if defined(__x86_64__)
    static int has_avx2 = -1;  // a race writes the same value twice
    if (has_avx2 < 0) has_avx2 = __builtin_cpu_supports("avx2") != 0;
    if (has_avx2) return chash_xxh3_128_avx2(bytes, n, seed);
#endif
    XXH128_hash_t h = XXH3_128bits_withSeed(bytes, n, seed);
    return (chash_128){h.low64, h.high64};
}
uint64_t chash_xxh3_64(const void *bytes, size_t n, uint64_t seed) { return XXH3_64bits_withSeed(bytes, n, seed); }
uint64_t chash_xxh64(const void *bytes, size_t n) { return XXH64(bytes, n, 0); }

struct chash_stream {
    XXH3_state_t state;
};
chash_stream *chash_stream_new(uint64_t seed) {
    XXH3_state_t *s = XXH3_createState();
    if (s) XXH3_128bits_reset_withSeed(s, seed);
    return (chash_stream *)s;
}
void chash_stream_update(chash_stream *s, const void *bytes, size_t n) { XXH3_128bits_update(&s->state, bytes, n); }
chash_128 chash_stream_value(const chash_stream *s) {
    XXH128_hash_t h = XXH3_128bits_digest(&s->state);
    return (chash_128){h.low64, h.high64};
}
void chash_stream_free(chash_stream *s) { XXH3_freeState(&s->state); }
