/// What ArgumentParser uses of the module of this name, which is a fifth of a program that links it. The image's
/// program is built with this instead; where ArgumentParser comes to use more, that build fails. czctl itself uses none
/// of it (TidyTests). What it gives up is `--experimental-dump-help`, of which the manual pages are made, by a program
/// that is built as usual.
public protocol LocalizedError: Error {
    var errorDescription: String? { get }
}

public struct Data {}

public enum TextEncoding {
    case utf8
}

public final class JSONEncoder {
    public struct OutputFormatting: OptionSet {
        public let rawValue: Int
        public init(rawValue: Int) { self.rawValue = rawValue }
        public static let prettyPrinted = OutputFormatting(rawValue: 1)
        public static let sortedKeys = OutputFormatting(rawValue: 2)
    }

    public struct Unavailable: Error {}

    public var outputFormatting: OutputFormatting = []
    public init() {}
    public func encode(_ value: some Encodable) throws -> Data { throw Unavailable() }
}

extension String {
    public init?(data: Data, encoding: TextEncoding) { nil }
}
