internal import ArgumentParser
internal import FoundationEssentials

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
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}
