// What is used of libcrypto, OpenSSL's or BoringSSL's: their contexts differ in type, and BoringSSL's names in spelling.
#ifndef CIRRUS_CCRYPTO_H
#define CIRRUS_CCRYPTO_H
#include <openssl/crypto.h>
#include <openssl/evp.h>

// A started digest, which ccrypto_digest_free ends; NULL when memory is out.
static inline void *ccrypto_digest_new(int is_md5) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context && EVP_DigestInit_ex(context, is_md5 ? EVP_md5() : EVP_sha256(), NULL) == 1) return context;
    EVP_MD_CTX_free(context);
    return NULL;
}
// 1 on success, which is always: a digest in memory cannot fail.
static inline int ccrypto_digest_update(void *context, const void *bytes, size_t count) {
    return EVP_DigestUpdate((EVP_MD_CTX *)context, bytes, count);
}
// Writes 32 bytes, or 16 of MD5. As above.
static inline int ccrypto_digest_finish(void *context, unsigned char *digest) {
    return EVP_DigestFinal_ex((EVP_MD_CTX *)context, digest, NULL);
}
static inline void ccrypto_digest_free(void *context) { EVP_MD_CTX_free((EVP_MD_CTX *)context); }
// 0 when equal, in a time that does not depend on the bytes.
static inline int ccrypto_compare(const void *first, const void *second, size_t count) {
    return CRYPTO_memcmp(first, second, count);
}
// Writes four bytes for every three and a NUL; the count of the former.
static inline int ccrypto_encode_base64(unsigned char *text, const unsigned char *bytes, int count) {
    return (int)EVP_EncodeBlock(text, bytes, count);
}
#endif
