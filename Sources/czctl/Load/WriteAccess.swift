internal import ArgumentParser
internal import Digest
internal import DiskIO
internal import Ship

/// What a receiver asks for besides bodies.
struct WriteAccess: Sendable {
    /// The `Authorization` header: a secret.
    var authorization: String?
    /// Speaks TLS; nil for plain HTTP.
    var transport: (any HTTPTransport)?

    /// A receiver that takes everybody.
    static let open = WriteAccess()
}

/// How `send`, `replay`, `status`, `top` and `reload` reach a port with `tls.*` and `auth.*`.
struct WriteAccessOptions: ParsableArguments {
    @Option(help: "A file that holds a bearer token to send.")
    var bearerFile: String?

    @Option(help: "A file that holds user:password to send; the first line counts.")
    var basicFile: String?

    @Option(help: "A file of authorities in PEM form, to trust besides the system's.")
    var caFile: String?

    private static let byteLimit = 64 << 10

    func validate() throws {
        guard bearerFile == nil || basicFile == nil else {
            throw ValidationError("--bearer-file and --basic-file exclude each other")
        }
    }

    /// - Throws: `.notFound`, `.usage` for a file that cannot be used.
    func access(to url: WriteURL) throws -> WriteAccess {
        var access = WriteAccess.open
        if let bearerFile { access.authorization = "Bearer \(try Self.firstLine(bearerFile))" }
        if let basicFile {
            let line = Array(try Self.firstLine(basicFile).utf8)
            access.authorization = "Basic \(String(decoding: base64(line), as: UTF8.self))"
        }
        guard url.isSecure else {
            guard caFile == nil else { throw CommandFailure(.usage, "--ca-file is for https, and \(url.text) is not") }
            return access
        }
        let authorities = try caFile.map(Self.path)
        access.transport = CurlTransport(
            userAgent: "czctl", connectTimeout: .seconds(5), network: NetworkOptions(authoritiesPath: authorities),
            fileSystem: PosixFileSystem())
        return access
    }

    private static func path(_ path: String) throws -> String {
        guard let real = RealPath.of(path) else {
            throw CommandFailure(.notFound, "cannot read \(path): there is no such file")
        }
        return real
    }

    /// Without its line's end. The file is a secret: no error holds a part of it.
    private static func firstLine(_ file: String) throws -> String {
        let bytes = try PosixFileSystem().contents(of: try path(file), limit: byteLimit)
        let line = bytes.prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
        guard !line.isEmpty, line.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
            throw CommandFailure(.usage, "cannot use \(file): its first line is empty, or no text")
        }
        return String(decoding: line, as: UTF8.self)
    }
}
