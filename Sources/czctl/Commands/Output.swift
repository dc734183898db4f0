internal import ArgumentParser
internal import FoundationEssentials
internal import Glibc

/// `-o`: what goes to standard output. A table's words may change, JSON's keys may not.
enum Output: String, ExpressibleByArgument, CaseIterable, Sendable {
    case table, json
}

struct OutputOptions: ParsableArguments {
    @Option(name: .shortAndLong, help: "table or json.")
    var output = Output.table
}

enum Console {
    /// Sends what was printed on its way, and ends the program, quietly, when nobody reads it any more.
    static func flush() {
        fflush(nil)
        // Asked of the pipe: what stdio could not write it may have dropped, and then it has nothing to complain of.
        var output = pollfd(fd: STDOUT_FILENO, events: 0, revents: 0)
        // SAFETY: poll writes to the one struct it is given.
        if unsafe poll(&output, 1, 0) == 1, output.revents & Int16(POLLERR) != 0 { _exit(0) }
    }

    /// `value` as JSON: keys in snake_case and sorted, so that the same facts give the same text.
    static func json(_ value: some Encodable) throws -> String {
        try json(value, [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
    }

    /// The same on one line, for a stream of them.
    static func jsonLine(_ value: some Encodable) throws -> String {
        try json(value, [.sortedKeys, .withoutEscapingSlashes])
    }

    private static func json(_ value: some Encodable, _ formatting: JSONEncoder.OutputFormatting) throws -> String {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = formatting
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}
