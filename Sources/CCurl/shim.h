// libcurl with its variadic setters given types, so that Swift checks what C would not.
#ifndef CIRRUS_CCURL_H
#define CIRRUS_CCURL_H
#include <curl/curl.h>
#include <netinet/in.h>
#include <sys/socket.h>

typedef size_t (*ccurl_data_function)(char *data, size_t size, size_t count, void *context);

static inline CURLcode ccurl_set_long(CURL *easy, CURLoption option, long value) {
    return curl_easy_setopt(easy, option, value);
}
static inline CURLcode ccurl_set_large(CURL *easy, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(easy, option, value);
}
static inline CURLcode ccurl_set_text(CURL *easy, CURLoption option, const char *text) {
    return curl_easy_setopt(easy, option, text);
}
static inline CURLcode ccurl_set_pointer(CURL *easy, CURLoption option, void *pointer) {
    return curl_easy_setopt(easy, option, pointer);
}
static inline CURLcode ccurl_set_list(CURL *easy, CURLoption option, struct curl_slist *list) {
    return curl_easy_setopt(easy, option, list);
}
static inline CURLcode ccurl_set_function(CURL *easy, CURLoption option, ccurl_data_function function) {
    return curl_easy_setopt(easy, option, function);
}
static inline CURLcode ccurl_set_open_socket(CURL *easy, curl_opensocket_callback function, void *context) {
    CURLcode code = curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, context);
    return code ? code : curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, function);
}
// The bytes are copied.
static inline CURLcode ccurl_set_authorities(CURL *easy, const void *bytes, size_t count) {
    struct curl_blob blob = {(void *)bytes, count, CURL_BLOB_COPY};
    return curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob);
}
// Where this libcurl looks for the system's authorities; NULL when it was built without a place.
static inline const char *ccurl_system_authorities(CURL *easy) {
    char *path = NULL;
    return curl_easy_getinfo(easy, CURLINFO_CAINFO, &path) == CURLE_OK ? path : NULL;
}
static inline CURLcode ccurl_status(CURL *easy, long *status) {
    return curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, status);
}
static inline CURLcode ccurl_result(const CURLMsg *message) { return message->data.result; }
#endif
