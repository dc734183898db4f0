#ifndef CIRRUS_CSQLITE_H
#define CIRRUS_CSQLITE_H
#include <sqlite3.h>

// A macro that Swift cannot import.
static const int csqlite_readonly_rollback = SQLITE_READONLY_ROLLBACK;

// SQLITE_TRANSIENT is a cast that Swift cannot import: SQLite copies the text before it returns.
static inline int csqlite_bind_text(sqlite3_stmt *statement, int index, const char *text, int byte_count) {
    return sqlite3_bind_text(statement, index, text, byte_count, SQLITE_TRANSIENT);
}
#endif
