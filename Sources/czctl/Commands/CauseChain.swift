internal import Bytes
internal import Configuration
internal import DiskIO
internal import Parquet
internal import Ship

/// What an error rests on, for `-v`: the outermost cause first, down to the answer of the system.
struct CauseChain {
    /// More than any error has: one that rested on itself would not end.
    private static let limit = 8

    let lines: [String]

    init(of error: any Error) {
        var lines: [String] = []
        // What only repeats the line above it says nothing.
        var above = HumanText.line("\(error)")
        var next = Self.cause(of: error)
        while let cause = next, lines.count < Self.limit {
            let line = HumanText.line("\(cause)")
            if !above.contains(line) { lines.append(line) }
            (above, next) = (line, Self.cause(of: cause))
        }
        self.lines = lines
    }

    /// What `error` itself rests on; nil for what is its own cause.
    static func cause(of error: any Error) -> (any Error)? {
        switch error {
        case let failure as CommandFailure: failure.cause
        case let error as ShipError:
            switch error.reason {
            case .disk(let cause): cause
            case .database(let code): SystemAnswer("SQLite answered with result code \(code)")
            default: nil
            }
        case let error as IOError:
            SystemAnswer("the system answered with errno \(error.code) (\(Errno.text(error.code))) for \(error.path)")
        default: nil
        }
    }

    /// The end of a chain: what no part of this program said.
    private struct SystemAnswer: Error, CustomStringConvertible {
        let description: String

        init(_ description: String) { self.description = description }
    }
}
