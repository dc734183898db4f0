internal import ArgumentParser
internal import Configuration
internal import JSON

/// `czctl config schema`.
struct ConfigSchema: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema", abstract: "Print the JSON Schema of the configuration, for editors",
        discussion: """
            Examples:
              czctl config schema > cirrus.schema.json
              sed -i '1i # yaml-language-server: $schema=cirrus.schema.json' config.yml
            """)

    @OptionGroup var voice: VoiceOptions

    func run() throws {
        print(try JSONValue(encoding: ConfigurationSchema.whole).text(.indented))
    }
}

/// A JSON text as it is built.
private enum JSONText: Encodable {
    case text(String)
    case integer(Int)
    case boolean(Bool)
    case list([JSONText])
    case map([String: JSONText])

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .text(let text): try container.encode(text)
        case .integer(let integer): try container.encode(integer)
        case .boolean(let boolean): try container.encode(boolean)
        case .list(let list): try container.encode(list)
        case .map(let map): try container.encode(map)
        }
    }
}

/// The schema of every key (JSON Schema 2020-12).
private enum ConfigurationSchema {
    static var whole: JSONText {
        var properties = properties(below: "")
        if let destination = properties["destination"] {
            properties["destinations"] = .map(["type": .text("array"), "items": destination])
        }
        return .map([
            "$schema": .text("https://json-schema.org/draft/2020-12/schema"),
            "title": .text("Cirrus configuration"), "type": .text("object"), "properties": .map(properties),
            "additionalProperties": .boolean(false),
        ])
    }

    /// Of the keys whose path begins with `prefix`, by their next part.
    private static func properties(below prefix: String) -> [String: JSONText] {
        var properties: [String: JSONText] = [:]
        for key in Key.all where key.path.hasPrefix(prefix) {
            let rest = key.path.dropFirst(prefix.count)
            guard let dot = rest.firstIndex(of: ".") else {
                properties[String(rest)] = .map(schema(of: key))
                continue
            }
            let name = String(rest[..<dot])
            guard properties[name] == nil else { continue }
            properties[name] = .map([
                "type": .text("object"), "properties": .map(self.properties(below: prefix + name + ".")),
                "additionalProperties": .boolean(false),
            ])
        }
        return properties
    }

    private static func schema(of key: Key) -> [String: JSONText] {
        var schema = schema(of: key.type)
        let standard = key.defaultText.isEmpty ? "" : ". Default: " + key.defaultText.filter { $0 != "`" }
        schema["description"] = .text(key.meaning + standard)
        return schema
    }

    private static func schema(of type: ValueType) -> [String: JSONText] {
        switch type {
        case .boolean: ["type": .text("boolean")]
        case .integer(let range):
            [
                "type": .text("integer"), "minimum": .integer(range.lowerBound), "maximum": .integer(range.upperBound),
            ]
        case .duration:
            [
                "type": .list([.text("string"), .text("integer")]), "pattern": .text(durationPattern),
                "maximum": .integer(0),
            ]
        case .size:
            [
                "type": .list([.text("string"), .text("integer")]), "pattern": .text(sizePattern),
                "minimum": .integer(0),
            ]
        case .choice(let words, let synonyms):
            ["enum": .list((words + synonyms.keys.sorted()).map { .text($0) })]
        case .text: ["type": .text("string")]
        case .texts: ["type": .list([.text("array"), .text("string")]), "items": .map(["type": .text("string")])]
        case .filters: ["type": .text("array"), "items": .map(filter)]
        }
    }

    private static var filter: [String: JSONText] {
        [
            "type": .text("object"), "required": .list([.text("pattern")]), "additionalProperties": .boolean(false),
            "properties": .map([
                "pattern": .map(["type": .text("string")]),
                "match": .map(["enum": .list(FilterMatch.allCases.map { .text($0.rawValue) })]),
            ]),
        ]
    }

    private static let durationPattern = #"^[+]?([0-9]+([.][0-9]*)?(ns|us|µs|ms|s|m|h))+$"#
    private static let sizePattern = #"^[+]?[0-9]+([.][0-9]*)?([eE][+-]?[0-9]+)?([EPTGMK]i|[EPTGMk])?B?$"#
}
