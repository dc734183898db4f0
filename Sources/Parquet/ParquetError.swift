/// Why a Parquet file could not be written, read or verified.
package struct ParquetError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Reason: Equatable, Sendable {
        /// The caller's table cannot be a file: unequal columns, a wrong type, an index without entry.
        case invalidTable(String)
        /// More bytes or rows than the format, or a reader's bound, takes.
        case tooLarge(what: String, size: Int, limit: Int)
        /// The bytes are not what the format, or this file's own footer, says.
        case corrupt(String)
        /// A valid file perhaps, but of a kind that we do not read.
        case notSupported(String)
        /// An earlier write failed; the file is incomplete for good.
        case writerFailed
    }

    package let reason: Reason
    /// Byte of the file where reading stopped.
    package let offset: Int?
    /// Row group and column, for example `row group 3, column labels`.
    package let place: String?

    package init(_ reason: Reason, at offset: Int? = nil, in place: String? = nil) {
        self.reason = reason
        self.offset = offset
        self.place = place
    }

    /// The same error with the place added by one who knows it.
    func located(at offset: Int? = nil, in place: String? = nil) -> ParquetError {
        ParquetError(reason, at: self.offset ?? offset, in: self.place ?? place)
    }

    package var description: String {
        let whole = (place.map { " in \($0)" } ?? "") + (offset.map { " at byte \($0)" } ?? "")
        switch reason {
        case .invalidTable(let cause):
            return "cannot write parquet row group\(whole): \(cause); this is a defect of the caller"
        case .tooLarge(let what, let size, let limit):
            return "cannot handle parquet \(what)\(whole): \(size) is over the limit of \(limit); split it"
        case .corrupt(let cause):
            return "cannot read parquet file\(whole): \(cause); the file is damaged, restore it from its source"
        case .notSupported(let cause):
            return "cannot read parquet file\(whole): \(cause) is not supported; use another reader"
        case .writerFailed:
            return "cannot write parquet file\(whole): an earlier write failed; remove the file and start again"
        }
    }
}
