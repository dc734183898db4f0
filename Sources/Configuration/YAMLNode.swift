/// A piece of a YAML document, and where it begins. Lines and columns count from 1, columns in characters.
struct YAMLNode: Equatable {
    struct Entry: Equatable {
        let name: String
        let place: Place
        let value: YAMLNode
    }

    struct Place: Equatable {
        var line: Int
        var column: Int
    }

    enum Content: Equatable {
        /// Empty, `~` or `null` without quotes.
        case null
        case scalar(String)
        case list([YAMLNode])
        /// In the order of the file; names are unique.
        case map([Entry])
    }

    let content: Content
    let place: Place

    /// `a list`, for a message.
    var noun: String {
        switch content {
        case .null: "nothing"
        case .scalar: "a value"
        case .list: "a list"
        case .map: "a map of keys"
        }
    }
}

/// What is wrong with a YAML text, and where.
struct YAMLProblem: Error, Equatable {
    let place: YAMLNode.Place
    let reason: String
}
