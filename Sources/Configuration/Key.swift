/// One setting: its name in the file, its environment variables, what it may be and where it is kept.
///
/// `all` is the only list of settings there is: the loader, `config print`, `config check`, the reference page and
/// the schema for editors are made of it.
package struct Key: Sendable {
    package enum Change: String, Sendable {
        /// Takes effect on a reload.
        case reload
        /// Takes effect on a restart.
        case restart
    }

    /// Where it is in the file: `database.purge_rules.lazy`.
    package let path: String
    /// Variables that set it; the first that is set and not empty wins.
    package let environmentNames: [String]
    package let type: ValueType
    package let change: Change
    /// One line, for the reference page.
    package let meaning: String
    /// What holds when it is not set, where that is more than its initial value.
    package let defaultNote: String?
    /// Its value may carry a password: never quoted, and printed without it.
    package let isSecret: Bool
    let set: @Sendable (inout Settings, Value) -> Void
    let get: @Sendable (Settings) -> Value?
    /// Gives the second the first's value.
    let copy: @Sendable (Settings, inout Settings) -> Void

    typealias Field<Content> = any WritableKeyPath<Settings, Content> & Sendable

    /// - Parameter variables: nil makes it the path in upper case with `_`.
    private init<Content>(
        _ path: String, _ field: Field<Content>, _ type: ValueType, _ variables: [String]?, _ change: Change,
        _ meaning: String, note: String? = nil, isSecret: Bool = false,
        wrap: @escaping @Sendable (Content) -> Value?, unwrap: @escaping @Sendable (Value) -> Content?
    ) {
        self.path = path
        environmentNames = variables ?? [String(path.uppercased().map { $0 == "." ? "_" : $0 })]
        self.type = type
        self.change = change
        self.meaning = meaning
        defaultNote = note
        self.isSecret = isSecret
        get = { wrap($0[keyPath: field]) }
        copy = { $1[keyPath: field] = $0[keyPath: field] }
        set = { settings, value in
            guard let content = unwrap(value) else { preconditionFailure("\(path) reads \(type), not \(value)") }
            settings[keyPath: field] = content
        }
    }

    static func boolean(
        _ path: String, _ field: Field<Bool>, variables: [String]? = nil, on change: Change = .restart,
        _ meaning: String
    ) -> Key {
        Key(path, field, .boolean, variables, change, meaning, wrap: { .boolean($0) }, unwrap: \.asBoolean)
    }

    static func integer(
        _ path: String, _ field: Field<Int>, _ range: ClosedRange<Int>, variables: [String]? = nil,
        on change: Change = .restart, _ meaning: String
    ) -> Key {
        Key(path, field, .integer(range), variables, change, meaning, wrap: { .integer($0) }, unwrap: \.asInteger)
    }

    static func duration(
        _ path: String, _ field: Field<Duration>, _ range: ClosedRange<Duration>, variables: [String]? = nil,
        on change: Change = .restart, _ meaning: String
    ) -> Key {
        Key(path, field, .duration(range), variables, change, meaning, wrap: { .duration($0) }, unwrap: \.asDuration)
    }

    static func size(
        _ path: String, _ field: Field<Int>, _ range: ClosedRange<Int>, variables: [String]? = nil,
        on change: Change = .restart, _ meaning: String
    ) -> Key {
        Key(path, field, .size(range), variables, change, meaning, wrap: { .integer($0) }, unwrap: \.asInteger)
    }

    static func optionalSize(
        _ path: String, _ field: Field<Int?>, _ range: ClosedRange<Int>, variables: [String]? = nil,
        on change: Change = .restart, note: String, _ meaning: String
    ) -> Key {
        Key(
            path, field, .size(range), variables, change, meaning, note: note, wrap: { $0.map { .integer($0) } },
            unwrap: \.asInteger)
    }

    static func choice<Word: RawRepresentable<String> & CaseIterable & Sendable>(
        _ path: String, _ field: Field<Word>, synonyms: [String: String] = [:], variables: [String]? = nil,
        on change: Change = .restart, note: String? = nil, _ meaning: String
    ) -> Key {
        Key(
            path, field, .choice(Word.allCases.map(\.rawValue), synonyms: synonyms), variables, change, meaning,
            note: note, wrap: { .text($0.rawValue) }, unwrap: { $0.asText.flatMap(Word.init(rawValue:)) })
    }

    static func optionalChoice<Word: RawRepresentable<String> & CaseIterable & Sendable>(
        _ path: String, _ field: Field<Word?>, on change: Change = .restart, note: String, _ meaning: String
    ) -> Key {
        Key(
            path, field, .choice(Word.allCases.map(\.rawValue), synonyms: [:]), nil, change, meaning, note: note,
            wrap: { $0.map { .text($0.rawValue) } }, unwrap: { $0.asText.flatMap(Word.init(rawValue:)) })
    }

    static func text(
        _ path: String, _ field: Field<String>, _ form: TextForm, variables: [String]? = nil,
        on change: Change = .restart, note: String? = nil, _ meaning: String
    ) -> Key {
        Key(
            path, field, .text(form), variables, change, meaning, note: note, wrap: { $0.isEmpty ? nil : .text($0) },
            unwrap: \.asText)
    }

    static func optionalText(
        _ path: String, _ field: Field<String?>, _ form: TextForm, variables: [String]? = nil,
        on change: Change = .restart, note: String? = nil, isSecret: Bool = false, _ meaning: String
    ) -> Key {
        Key(
            path, field, .text(form), variables, change, meaning, note: note, isSecret: isSecret,
            wrap: { $0.map { .text($0) } }, unwrap: \.asText)
    }

    static func texts(
        _ path: String, _ field: Field<[String]>, _ form: TextForm, variables: [String]? = nil,
        on change: Change = .restart, note: String? = nil, _ meaning: String
    ) -> Key {
        Key(
            path, field, .texts(form), variables, change, meaning, note: note,
            wrap: { $0.isEmpty ? nil : .texts($0) }, unwrap: \.asTexts)
    }

    static func filters(_ path: String, _ field: Field<[MetricFilter]?>, note: String, _ meaning: String) -> Key {
        Key(
            path, field, .filters, [], .restart, meaning, note: note, wrap: { $0.map { .filters($0) } },
            unwrap: \.asFilters)
    }
}

extension Value {
    fileprivate var asBoolean: Bool? { if case .boolean(let boolean) = self { boolean } else { nil } }
    fileprivate var asInteger: Int? { if case .integer(let integer) = self { integer } else { nil } }
    fileprivate var asDuration: Duration? { if case .duration(let duration) = self { duration } else { nil } }
    fileprivate var asText: String? { if case .text(let text) = self { text } else { nil } }
    fileprivate var asTexts: [String]? { if case .texts(let texts) = self { texts } else { nil } }
    /// An empty list of the file is as good as none.
    fileprivate var asFilters: [MetricFilter]?? {
        if case .filters(let filters) = self { .some(filters.isEmpty ? nil : filters) } else { nil }
    }
}
