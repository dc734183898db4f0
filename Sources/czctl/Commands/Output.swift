internal import ArgumentParser
internal import JSON

/// `-o`: what goes to standard output. A table's words may change, JSON's keys may not.
enum Output: String, ExpressibleByArgument, CaseIterable, Sendable {
    case table, json
}

struct OutputOptions: ParsableArguments {
    @Option(name: .shortAndLong, help: "table or json.")
    var output = Output.table
}

enum Console {
    /// `value` as JSON: keys in snake_case and sorted, so that the same facts give the same text.
    static func json(_ value: some Encodable) throws -> String {
        try JSONValue(encoding: value, keys: .snakeCase).text(.indented)
    }

    /// The same on one line, for a stream of them.
    static func jsonLine(_ value: some Encodable) throws -> String {
        try JSONValue(encoding: value, keys: .snakeCase).text()
    }
}
