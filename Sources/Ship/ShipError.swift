package import DiskIO

/// What stops the shipper or an operator's command. Failures of single files are `ShipFailure`s and end in their rows.
package struct ShipError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Reason: Equatable, Sendable {
        /// SQLite's extended result code.
        case database(Int32)
        /// The file is not a ledger of ours, or its pages are damaged.
        case damagedLedger
        /// Written by a newer program.
        case newerLedger(version: Int)
        /// The row is not in the state the move starts from: another process moved it first.
        case movedMeanwhile
        /// No such row.
        case notFound
        /// Another shipper holds the volume.
        case alreadyRunning
        case shipperID
        case options
        case disk(IOError)
    }

    package let reason: Reason
    /// Verb, thing and place, as in "open the ledger /data/ledger.sqlite".
    package let act: String
    package let cause: String
    package let advice: String

    package init(_ reason: Reason, _ act: String, cause: String, advice: String) {
        self.reason = reason
        self.act = act
        self.cause = cause
        self.advice = advice
    }

    package init(_ error: IOError, _ act: String) {
        self.init(.disk(error), act, cause: "\(error)", advice: "it is tried again in the next cycle")
    }

    package var description: String { "cannot \(act): \(cause); \(advice)" }
}

/// Why one file, or one call for many, did not go through: the code of the metrics and a sentence for the operator.
package struct ShipFailure: Error, Equatable, Sendable, CustomStringConvertible {
    package let code: ShipErrorCode
    package let text: String
    /// Nobody answered, or the host is overloaded: its trouble, not the file's.
    package var isHosts = false

    package init(_ code: ShipErrorCode, _ text: String) {
        self.code = code
        // Rows and logs stay small, whatever a server answers (I9).
        self.text = text.utf8.count <= 500 ? text : String(text.prefix(400)) + "…"
    }

    package var description: String { "\(code.rawValue): \(text)" }
}
