// Streams of gzip (zlib) and Zstandard (libzstd) behind one face, the reading of both, the reading of Brotli
// (libbrotlidec), zlib's CRC-32.
#ifndef CIRRUS_CCOMPRESSION_H
#define CIRRUS_CCOMPRESSION_H
#include <stddef.h>
#include <stdint.h>

typedef struct ccompression ccompression;

/// gzip (RFC 1952, no name, no time) when `zstd` is 0, else a Zstandard frame with a checksum (RFC 8878); the levels
/// are the libraries' own. NULL without memory.
ccompression *ccompression_open(int zstd);
/// Takes at most `*in_count` bytes and gives at most `*out_count`; both are set to what was taken and given. With
/// `finish`, call it again until it returns 1: then the stream is complete. 0 goes on, -1 is an error of the library.
int ccompression_run(
    ccompression *stream, const uint8_t *in, size_t *in_count, uint8_t *out, size_t *out_count, int finish);
void ccompression_close(ccompression *stream);

/// Inflates gzip (or zlib) when `zstd` is 0, else Zstandard. 1 when `in` is that and gives exactly `out_count` bytes.
int ccompression_inflate(int zstd, const uint8_t *in, size_t in_count, uint8_t *out, size_t out_count);

/// CRC-32 as gzip has it (RFC 1952, section 8), of the bytes behind those whose CRC is `crc`; 0 to begin. `bytes` may
/// be NULL when `count` is 0.
uint32_t ccompression_crc32(uint32_t crc, const void *bytes, size_t count);

typedef struct BrotliDecoderStateStruct cbrotli;

/// Reads one Brotli stream (RFC 7932), whose window is at most 16 MiB. NULL without memory.
cbrotli *cbrotli_open(void);
/// Takes at most `*in_count` bytes and gives at most `*out_count`; both are set to what was taken and given. 1: the
/// stream is complete, what was not taken is behind it. 0: it goes on. -1: the bytes are none of a Brotli stream.
int cbrotli_run(cbrotli *stream, const uint8_t *in, size_t *in_count, uint8_t *out, size_t *out_count);
void cbrotli_close(cbrotli *stream);
#endif
