internal import CSQLite

/// A value bound to a `?`.
enum SQLValue: Sendable {
    case integer(Int64)
    case text(String)
    case null

    init(_ value: Int64?) { self = value.map { .integer($0) } ?? .null }
    init(_ value: String?) { self = value.map { .text($0) } ?? .null }
}

extension SQLValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral {
    init(stringLiteral value: String) { self = .text(value) }
    init(integerLiteral value: Int64) { self = .integer(value) }
}

/// One prepared statement: finalized exactly once. It must end before its connection does.
@safe struct Statement: ~Copyable {
    // SAFETY: owned by this value alone: made by Connection.prepare, finalized once in deinit.
    private let handle: OpaquePointer

    @unsafe init(owning handle: OpaquePointer) { unsafe self.handle = handle }

    deinit { unsafe sqlite3_finalize(handle) }

    /// Gives the `?`s their values and makes the statement ready to run (again).
    mutating func bind(_ values: [SQLValue]) throws(ShipError) {
        unsafe sqlite3_reset(handle)
        precondition(values.count == Int(unsafe sqlite3_bind_parameter_count(handle)), "a value for every parameter")
        for (index, value) in values.enumerated() {
            let position = Int32(index) + 1
            let status =
                switch value {
                case .integer(let number): unsafe sqlite3_bind_int64(handle, position, number)
                // SAFETY: the text is copied before the call returns (SQLITE_TRANSIENT); its length bounds the read.
                case .text(let text): unsafe csqlite_bind_text(handle, position, text, Int32(text.utf8.count))
                case .null: unsafe sqlite3_bind_null(handle, position)
                }
            guard status == SQLITE_OK else { throw Connection.error(status, "bind a value in the ledger") }
        }
    }

    /// Whether there is a row to read.
    mutating func step() throws(ShipError) -> Bool {
        let status = unsafe sqlite3_step(handle)
        switch status {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        default: throw Connection.error(status, "read or write the ledger")
        }
    }

    // Columns of the row that `step` found, from 0.

    func integer(_ column: Int32) -> Int64 { unsafe sqlite3_column_int64(handle, column) }

    func optionalInteger(_ column: Int32) -> Int64? { isNull(column) ? nil : integer(column) }

    func optionalText(_ column: Int32) -> String? {
        // SAFETY: the text is valid until the next call on this statement; it is copied here, by its own length.
        guard let text = unsafe sqlite3_column_text(handle, column) else { return nil }
        let count = Int(unsafe sqlite3_column_bytes(handle, column))
        return unsafe String(decoding: UnsafeBufferPointer(start: text, count: count), as: UTF8.self)
    }

    func text(_ column: Int32) -> String { optionalText(column) ?? "" }

    private func isNull(_ column: Int32) -> Bool { unsafe sqlite3_column_type(handle, column) == SQLITE_NULL }
}
