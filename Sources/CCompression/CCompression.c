#include "CCompression.h"
#include <brotli/decode.h>
#include <limits.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

struct ccompression {
    z_stream gzip;
    ZSTD_CCtx *zstd;
};

ccompression *ccompression_open(int zstd) {
    ccompression *stream = calloc(1, sizeof *stream);
    if (!stream) return NULL;
    int is_ready;
    if (zstd) {
        stream->zstd = ZSTD_createCCtx();
        is_ready = stream->zstd && !ZSTD_isError(ZSTD_CCtx_setParameter(stream->zstd, ZSTD_c_checksumFlag, 1));
    } else {
        // 15 + 16: the largest window, in gzip's wrapping.
        int level = Z_DEFAULT_COMPRESSION;
        is_ready = deflateInit2(&stream->gzip, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK;
    }
    if (is_ready) return stream;
    ZSTD_freeCCtx(stream->zstd);
    free(stream);
    return NULL;
}

int ccompression_run(
    ccompression *stream, const uint8_t *in, size_t *in_count, uint8_t *out, size_t *out_count, int finish) {
    if (stream->zstd) {
        ZSTD_inBuffer input = {in, *in_count, 0};
        ZSTD_outBuffer output = {out, *out_count, 0};
        size_t left = ZSTD_compressStream2(stream->zstd, &output, &input, finish ? ZSTD_e_end : ZSTD_e_continue);
        *in_count = input.pos;
        *out_count = output.pos;
        return ZSTD_isError(left) ? -1 : finish && left == 0;
    }
    if (*in_count > UINT_MAX || *out_count > UINT_MAX) return -1;
    z_stream *gzip = &stream->gzip;
    gzip->next_in = (Bytef *)in;
    gzip->avail_in = (uInt)*in_count;
    gzip->next_out = out;
    gzip->avail_out = (uInt)*out_count;
    int result = deflate(gzip, finish ? Z_FINISH : Z_NO_FLUSH);
    *in_count -= gzip->avail_in;
    *out_count -= gzip->avail_out;
    // Z_BUF_ERROR: there was nothing to do, which is no error.
    return result == Z_STREAM_END ? 1 : result == Z_OK || result == Z_BUF_ERROR ? 0 : -1;
}

void ccompression_close(ccompression *stream) {
    if (stream->zstd) ZSTD_freeCCtx(stream->zstd); else deflateEnd(&stream->gzip);
    free(stream);
}

int ccompression_inflate(int zstd, const uint8_t *in, size_t in_count, uint8_t *out, size_t out_count) {
    if (zstd) return ZSTD_decompress(out, out_count, in, in_count) == out_count;
    if (in_count > UINT_MAX || out_count > UINT_MAX) return 0;
    z_stream stream = {0};
    // 15 + 32: the largest window, in either wrapping.
    if (inflateInit2(&stream, 15 + 32) != Z_OK) return 0;
    stream.next_in = (Bytef *)in;
    stream.avail_in = (uInt)in_count;
    stream.next_out = out;
    stream.avail_out = (uInt)out_count;
    int is_whole = inflate(&stream, Z_FINISH) == Z_STREAM_END && stream.avail_out == 0 && stream.avail_in == 0;
    inflateEnd(&stream);
    return is_whole;
}

uint32_t ccompression_crc32(uint32_t crc, const void *bytes, size_t count) {
    // NULL asks zlib for the value of no bytes, whatever the count.
    return (uint32_t)crc32_z(crc, bytes ? bytes : "", count);
}

cbrotli *cbrotli_open(void) { return BrotliDecoderCreateInstance(NULL, NULL, NULL); }

int cbrotli_run(cbrotli *stream, const uint8_t *in, size_t *in_count, uint8_t *out, size_t *out_count) {
    size_t in_left = *in_count, out_left = *out_count;
    BrotliDecoderResult result = BrotliDecoderDecompressStream(stream, &in_left, &in, &out_left, &out, NULL);
    *in_count -= in_left;
    *out_count -= out_left;
    return result == BROTLI_DECODER_RESULT_SUCCESS ? 1 : result == BROTLI_DECODER_RESULT_ERROR ? -1 : 0;
}

void cbrotli_close(cbrotli *stream) { BrotliDecoderDestroyInstance(stream); }
