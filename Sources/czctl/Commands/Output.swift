internal import ArgumentParser
internal import Glibc
internal import JSON

/// Whom an answer is for: people, or programs.
enum Output: Sendable {
    case table, json
}

/// `-o`: a table's words may change, JSON's keys may not; YAML is the value of the JSON.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable, Sendable {
    case table, json, yaml
}

/// How text looks.
struct TextOptions: ParsableArguments {
    @Flag(help: "Leave the line of titles out of tables.")
    var noHeaders = false

    @Option(help: "auto, always or never; auto also minds NO_COLOR and TERM.")
    var color = Paint.Choice.auto

    @OptionGroup var voice: VoiceOptions

    var paint: Paint { Paint(color) }

    /// Names are shortened only for whoever looks at a terminal.
    var style: TextStyle {
        TextStyle(hasTitles: !noHeaders, columns: Terminal.columns(STDOUT_FILENO), paint: paint)
    }
}

extension Paint.Choice: ExpressibleByArgument {}

struct OutputOptions: ParsableArguments {
    @Option(name: [.customShort("o"), .customLong("output")], help: "table, json or yaml.")
    var format = OutputFormat.table

    @OptionGroup var text: TextOptions

    var output: Output { format == .table ? .table : .json }
    var paint: Paint { text.paint }
    var style: TextStyle { text.style }

    /// `value` in the format that was asked for.
    /// - Parameter isOneOfMany: JSON then takes one line, and YAML is a document of its own.
    func encoded(_ value: some Encodable, isOneOfMany: Bool = false) throws -> String {
        switch format {
        case .yaml: (isOneOfMany ? "---\n" : "") + YAMLText.of(try Console.value(value))
        case .table, .json: isOneOfMany ? try Console.jsonLine(value) : try Console.json(value)
        }
    }
}

/// `-o` of a command that lists things with ids.
struct ListOptions: ParsableArguments {
    enum Format: String, ExpressibleByArgument, CaseIterable, Sendable {
        case table, wide, json, jsonl, yaml, name
    }

    @Option(
        name: [.customShort("o"), .customLong("output")],
        help: "table, wide (whole names, all columns), json, jsonl (one object a line), yaml, or name (the ids alone).")
    var format = Format.table

    @OptionGroup var text: TextOptions

    /// Prints `entries` in the format that was asked for.
    /// - Parameters:
    ///   - listing: what holds them as JSON.
    ///   - table: for people; with every column if that is asked.
    func show<Entry: Encodable>(
        _ entries: [Entry], in listing: some Encodable, id: (Entry) -> String, table: (_ isWide: Bool) -> TextTable
    ) throws {
        switch format {
        case .table: print(table(false).text(text.style))
        case .wide:
            var style = text.style
            style.columns = nil
            print(table(true).text(style))
        case .json: print(try Console.json(listing))
        case .jsonl: for entry in entries { print(try Console.jsonLine(entry)) }
        case .yaml: print(YAMLText.of(try Console.value(listing)))
        case .name:
            var seen: Set<String> = []
            for entry in entries where seen.insert(id(entry)).inserted { print(id(entry)) }
        }
    }
}

enum Console {
    /// Sends what was printed on its way, and ends the program, quietly, when nobody reads it any more.
    static func flush() {
        fflush(nil)
        guard isReaderGone else { return }
        TemporaryDirectory.removeAll()
        _exit(0)
    }

    /// Asked of the pipe: what stdio could not write it may have dropped, and then it has nothing to complain of.
    static var isReaderGone: Bool {
        var output = pollfd(fd: STDOUT_FILENO, events: 0, revents: 0)
        // SAFETY: poll writes to the one struct it is given.
        return unsafe poll(&output, 1, 0) == 1 && output.revents & Int16(POLLERR) != 0
    }

    /// `value` as JSON: keys in snake_case and sorted, so that the same facts give the same text.
    static func json(_ value: some Encodable) throws -> String {
        try Self.value(value).text(.indented)
    }

    static func value(_ value: some Encodable) throws -> JSONValue { try JSONValue(encoding: value, keys: .snakeCase) }

    /// The same on one line, for a stream of them.
    static func jsonLine(_ value: some Encodable) throws -> String {
        try Self.value(value).text()
    }
}
