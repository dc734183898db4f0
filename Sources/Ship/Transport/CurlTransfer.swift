internal import CCurl
internal import Digest
internal import DiskIO

/// One request in libcurl's hands. Used by the curl thread alone.
@safe final class CurlTransfer {
    struct Settings: Sendable {
        let userAgent: String
        let connectTimeout: Duration
        let network: NetworkOptions
        let fileSystem: any FileSystem
    }

    let answer: CurlAnswer
    // SAFETY: made in init; freed once in deinit, when the loop has taken it out of the multi handle.
    let handle: UnsafeMutableRawPointer
    // SAFETY: as the handle; libcurl reads the list until then.
    private var headerList: UnsafeMutablePointer<curl_slist>?
    // SAFETY: CURL_ERROR_SIZE bytes, written by libcurl; freed with the handle.
    private let errorText: UnsafeMutablePointer<CChar>

    private var upload: Upload?
    /// Shared by all uploads; nil is unlimited.
    private let rate: SharedUploadRate?
    /// The rate has no bytes now: the loop lets it go on.
    private(set) var isPaused = false
    private let network: NetworkOptions
    private var headers: [String: String] = [:]
    private var headerByteCount = 0
    private var body: [UInt8] = []
    /// What one of our callbacks stopped the transfer for.
    private var stopped: TransportError?

    private static let headerLimit = 64 << 10

    init(
        _ request: HTTPRequest, _ settings: Settings, authorities: TrustedAuthorities?, rate: SharedUploadRate?,
        _ answer: CurlAnswer
    ) throws(TransportError) {
        self.rate = rate
        network = settings.network
        guard let handle = unsafe curl_easy_init() else { preconditionFailure("out of memory") }
        unsafe self.handle = unsafe handle
        unsafe errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
        unsafe errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        self.answer = answer
        if case .file(let path, let offset, let byteCount, let digest) = request.body {
            upload = try Upload(path, offset, byteCount, digest, settings.fileSystem)
        }
        configure(request, settings)
        configureNetwork(request, settings.network)
        if let authorities { trust(try authorities.current()) }
    }

    deinit {
        unsafe curl_easy_cleanup(handle)
        unsafe curl_slist_free_all(headerList)
        unsafe errorText.deallocate()
    }

    private func configure(_ request: HTTPRequest, _ settings: Settings) {
        // SAFETY: libcurl copies texts that it is given; the context is this object, which outlives its handle.
        let context = unsafe Unmanaged.passUnretained(self).toOpaque()
        unsafe ccurl_set_text(handle, CURLOPT_URL, request.url.text)
        // What was signed is what is sent: libcurl would take "/../" out of it.
        unsafe ccurl_set_long(handle, CURLOPT_PATH_AS_IS, 1)
        unsafe ccurl_set_text(handle, CURLOPT_PROTOCOLS_STR, "http,https")
        unsafe ccurl_set_text(handle, CURLOPT_USERAGENT, settings.userAgent)
        unsafe ccurl_set_long(handle, CURLOPT_NOSIGNAL, 1)
        unsafe ccurl_set_long(handle, CURLOPT_FOLLOWLOCATION, 0)
        unsafe ccurl_set_long(handle, CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        unsafe ccurl_set_long(handle, CURLOPT_TIMEOUT_MS, time(for: request).wholeMilliseconds)
        unsafe ccurl_set_long(handle, CURLOPT_CONNECTTIMEOUT_MS, settings.connectTimeout.wholeMilliseconds)
        unsafe ccurl_set_long(handle, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
        unsafe ccurl_set_pointer(handle, CURLOPT_ERRORBUFFER, errorText)
        unsafe ccurl_set_pointer(handle, CURLOPT_WRITEDATA, context)
        unsafe ccurl_set_function(handle, CURLOPT_WRITEFUNCTION, onBody)
        unsafe ccurl_set_pointer(handle, CURLOPT_HEADERDATA, context)
        unsafe ccurl_set_function(handle, CURLOPT_HEADERFUNCTION, onHeader)
        unsafe configureBody(request, context)
        // No "Expect: 100-continue": it costs a second with servers that do not answer it, and is not signed.
        for line in ["Expect:"] + request.headers.map({ "\($0.name): \($0.value)" }) {
            unsafe headerList = unsafe curl_slist_append(headerList, line)
        }
        unsafe ccurl_set_list(handle, CURLOPT_HTTPHEADER, headerList)
    }

    /// A limited rate gives an upload the time it takes.
    private func time(for request: HTTPRequest) -> Duration {
        guard let rate, case .file(_, _, let byteCount, _) = request.body else { return request.timeout }
        return request.timeout + rate.time(for: byteCount)
    }

    private func configureNetwork(_ request: HTTPRequest, _ network: NetworkOptions) {
        if case .withoutProxy = request.reach {
            unsafe ccurl_set_text(handle, CURLOPT_NOPROXY, "*")
        } else {
            let plain = request.url.text.lowercased().hasPrefix("http://") ? network.environmentProxy : nil
            if let proxy = network.proxy ?? plain { unsafe ccurl_set_text(handle, CURLOPT_PROXY, proxy) }
            if !network.noProxy.isEmpty {
                unsafe ccurl_set_text(handle, CURLOPT_NOPROXY, network.noProxy.joined(separator: ","))
            }
        }
        if case .publicAddresses = request.reach, !network.usesProxy {
            // SAFETY: the callback reads its arguments only.
            unsafe ccurl_set_open_socket(handle, onOpenSocket, nil)
        }
        if let path = network.clientCertificatePath { unsafe ccurl_set_text(handle, CURLOPT_SSLCERT, path) }
        if let path = network.clientKeyPath { unsafe ccurl_set_text(handle, CURLOPT_SSLKEY, path) }
    }

    private func trust(_ authorities: [UInt8]) {
        // SAFETY: libcurl copies the bytes before the call returns.
        unsafe authorities.withUnsafeBytes { bytes in
            _ = unsafe ccurl_set_authorities(handle, bytes.baseAddress, bytes.count)
        }
    }

    /// Goes on after a pause.
    func resume() {
        isPaused = false
        unsafe curl_easy_pause(handle, CURLPAUSE_CONT)
    }

    private func configureBody(_ request: HTTPRequest, _ context: UnsafeMutableRawPointer) {
        switch request.body {
        case .none where request.method == .head: unsafe ccurl_set_long(handle, CURLOPT_NOBODY, 1)
        case .none where request.method != .post && request.method != .put: break
        case .none: setPostBody([])
        case .bytes(let bytes): setPostBody(bytes)
        case .file(_, _, let byteCount, _):
            unsafe ccurl_set_long(handle, CURLOPT_UPLOAD, 1)
            unsafe ccurl_set_large(handle, CURLOPT_INFILESIZE_LARGE, curl_off_t(byteCount))
            unsafe ccurl_set_long(handle, CURLOPT_UPLOAD_BUFFERSIZE, Upload.chunkByteCount)
            unsafe ccurl_set_pointer(handle, CURLOPT_READDATA, context)
            unsafe ccurl_set_function(handle, CURLOPT_READFUNCTION, onUpload)
        }
        unsafe ccurl_set_text(handle, CURLOPT_CUSTOMREQUEST, request.method.rawValue)
    }

    private func setPostBody(_ bytes: [UInt8]) {
        unsafe ccurl_set_large(handle, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(bytes.count))
        // SAFETY: COPYPOSTFIELDS copies POSTFIELDSIZE bytes before it returns; of none it reads none.
        unsafe bytes.withUnsafeBytes { buffer in
            let empty: StaticString = ""
            let first = unsafe buffer.baseAddress ?? UnsafeRawPointer(empty.utf8Start)
            let start = unsafe UnsafeMutableRawPointer(mutating: first)
            _ = unsafe ccurl_set_pointer(handle, CURLOPT_COPYPOSTFIELDS, start)
        }
    }

    /// The answer of a transfer that ended with `code`.
    func result(_ code: CURLcode) -> Result<HTTPResponse, TransportError> {
        if let stopped { return .failure(stopped) }
        guard code == CURLE_OK else { return .failure(error(code)) }
        var status = 0
        unsafe ccurl_status(handle, &status)
        return .success(HTTPResponse(status: status, headers: headers, body: body))
    }

    private func error(_ code: CURLcode) -> TransportError {
        // SAFETY: libcurl ends the text with NUL inside the buffer; curl_easy_strerror's is static.
        var text = unsafe String(cString: errorText)
        if text.isEmpty { text = unsafe String(cString: curl_easy_strerror(code)) }
        // libcurl quotes all of it, with its password.
        if text.hasPrefix("Unsupported proxy") {
            text = "the proxy's URL is not one that libcurl takes; look at http.proxy and at HTTPS_PROXY, HTTP_PROXY"
        }
        text = network.scrubbed(RedactedURL.scrubbed(text))
        switch code {
        // Sending again is for whoever keeps count of attempts, so libcurl is given no way to.
        case CURLE_SEND_FAIL_REWIND:
            return TransportError(.connection, "the server closed the connection that was kept from the last request")
        case CURLE_OPERATION_TIMEDOUT: return TransportError(.timedOut, text)
        case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL: return TransportError(.unusableRequest, text)
        default: return TransportError(.connection, text)
        }
    }

    fileprivate func receive(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard body.count + bytes.count <= HTTPResponse.bodyLimit else {
            stopped = TransportError(.responseTooLarge, "the answer is longer than \(HTTPResponse.bodyLimit) bytes")
            return 0
        }
        unsafe body.append(contentsOf: bytes)
        return bytes.count
    }

    fileprivate func receiveHeader(_ bytes: UnsafeRawBufferPointer) -> Int {
        headerByteCount += bytes.count
        guard headerByteCount <= Self.headerLimit else {
            stopped = TransportError(.responseTooLarge, "the answer's header is longer than \(Self.headerLimit) bytes")
            return 0
        }
        let line = unsafe String(decoding: bytes, as: UTF8.self)
        // A new answer follows an interim one (100 Continue): its headers start anew.
        if line.hasPrefix("HTTP/") {
            headers = [:]
        } else if let colon = line.utf8.firstIndex(of: UInt8(ascii: ":")) {
            headers[line[..<colon].lowercased()] = line[line.utf8.index(after: colon)...].trimmed
        }
        return bytes.count
    }

    fileprivate func fill(_ buffer: UnsafeMutableRawBufferPointer) -> Int {
        var limit = buffer.count
        if let rate, upload?.isAtEnd == false {
            limit = rate.take(limit)
            guard limit > 0 else {
                isPaused = true
                return Int(CURL_READFUNC_PAUSE)
            }
        }
        do throws(TransportError) {
            // SAFETY: limit is at most the buffer's count.
            return unsafe try upload?.next(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<limit])) ?? 0
        } catch {
            stopped = error
            return Int(CURL_READFUNC_ABORT)
        }
    }
}

/// A file on its way out, and its digest so far.
private struct Upload: ~Copyable {
    static let chunkByteCount = 256 << 10

    private let file: File
    private let offset: UInt64
    private let byteCount: UInt64
    private let expected: String
    private var digest: Digest? = Digest(.sha256)
    private var sent: UInt64 = 0
    private var chunk = [UInt8](repeating: 0, count: chunkByteCount)

    var isAtEnd: Bool { sent == byteCount }

    init(
        _ path: String, _ offset: UInt64, _ byteCount: UInt64, _ expected: String, _ fileSystem: any FileSystem
    ) throws(TransportError) {
        do throws(IOError) { file = try File(path, .read, in: fileSystem) } catch {
            throw TransportError(.fileUnreadable, "\(error)")
        }
        self.offset = offset
        self.byteCount = byteCount
        self.expected = expected
    }

    /// The next bytes, as many as fit; 0 at the end. The last ones only when the whole has the digest it should (I8):
    /// a server that waits for Content-Length bytes never stores less.
    mutating func next(into buffer: UnsafeMutableRawBufferPointer) throws(TransportError) -> Int {
        let wanted = Int(min(UInt64(min(buffer.count, Self.chunkByteCount)), byteCount - sent))
        guard wanted > 0 else { return 0 }
        let got: Int
        do throws(IOError) { got = try file.read(at: offset + sent, into: &chunk) } catch {
            throw TransportError(.fileUnreadable, "\(error)")
        }
        guard got >= wanted else {
            throw TransportError(.digestMismatch, "the file became shorter than \(byteCount) bytes")
        }
        Self.extend(&digest, over: chunk, count: wanted)
        sent += UInt64(wanted)
        if sent == byteCount, let whole = digest.take() {
            let found = hex(whole.finish())
            guard found.hasPrefix(expected) else {
                throw TransportError(.digestMismatch, "SHA-256 is \(found), it should begin with \(expected)")
            }
        }
        // SAFETY: wanted is at most the buffer's and the chunk's count.
        unsafe chunk.withUnsafeBytes { unsafe buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[..<wanted])) }
        return wanted
    }

    private static func extend(_ digest: inout Digest?, over chunk: [UInt8], count: Int) {
        // SAFETY: UInt8 has no padding.
        digest?.update(unsafe chunk.span.extracting(0..<count).bytes)
    }
}

// libcurl's callbacks: the context is the transfer that set them, alive as long as its handle.

private let onBody: ccurl_data_function = { data, size, count, context in
    unsafe transfer(context).receive(UnsafeRawBufferPointer(start: data, count: size * count))
}

private let onHeader: ccurl_data_function = { data, size, count, context in
    unsafe transfer(context).receiveHeader(UnsafeRawBufferPointer(start: data, count: size * count))
}

private let onUpload: ccurl_data_function = { data, size, count, context in
    unsafe transfer(context).fill(UnsafeMutableRawBufferPointer(start: data, count: size * count))
}

/// libcurl's `curl_socket_t` of a connection it shall not make.
private let badSocket: curl_socket_t = -1

private let onOpenSocket: curl_opensocket_callback = { _, _, address in
    // SAFETY: libcurl passes an address whose bytes are of its family and length, valid during the call.
    guard let address = unsafe address, unsafe !isPrivate(address) else { return badSocket }
    return unsafe socket(
        address.pointee.family, address.pointee.socktype | Int32(SOCK_CLOEXEC.rawValue), address.pointee.protocol)
}

private func isPrivate(_ address: UnsafeMutablePointer<curl_sockaddr>) -> Bool {
    // SAFETY: the field's declared size is sockaddr's; libcurl keeps the whole address behind it, sockaddr_in6's
    // 28 bytes at least. The address proper begins at byte 4 of sockaddr_in, at byte 8 of sockaddr_in6.
    let start = unsafe UnsafeRawPointer(address) + (MemoryLayout<curl_sockaddr>.offset(of: \.addr) ?? 0)
    let bytes = unsafe UnsafeRawBufferPointer(start: start, count: 28)
    switch unsafe address.pointee.family {
    case AF_INET: return unsafe PrivateAddress.contains(Array(bytes[4..<8]))
    case AF_INET6: return unsafe PrivateAddress.contains(Array(bytes[8..<24]))
    default: return true
    }
}

private func transfer(_ context: UnsafeMutableRawPointer?) -> CurlTransfer {
    // SAFETY: `configure` passed its own object.
    unsafe Unmanaged<CurlTransfer>.fromOpaque(context!).takeUnretainedValue()
}

extension Duration {
    /// For libcurl, which takes 0 for "no limit": at least 1, at most about 24 days.
    fileprivate var wholeMilliseconds: Int {
        let milliseconds = self / .milliseconds(1)
        return Int(max(1, min(milliseconds, 2_000_000_000)))
    }
}
