internal import CCurl
package import DiskIO
internal import Dispatch
internal import Synchronization

/// HTTP by libcurl: one `curl_multi` on one thread of its own, woken by `curl_multi_wakeup`. No redirects, TLS 1.2 or
/// newer with the peer verified. Without `NetworkOptions` of ours, proxies come from the environment.
///
/// Cancelling the task of a `send` cuts its connection at once. Released, it fails what is in flight as cancelled.
package final class CurlTransport: HTTPTransport {
    private let mailbox: CurlMailbox

    package init(
        userAgent: String, connectTimeout: Duration = .seconds(30), network: NetworkOptions = NetworkOptions(),
        fileSystem: any FileSystem
    ) {
        let mailbox = CurlMailbox()
        self.mailbox = mailbox
        let settings = CurlTransfer.Settings(
            userAgent: userAgent, connectTimeout: connectTimeout, network: network, fileSystem: fileSystem)
        // A queue of its own is a thread of its own while the loop runs.
        DispatchQueue(label: "cirrus.curl").async { CurlLoop(mailbox: mailbox, settings: settings)?.run() }
    }

    deinit { mailbox.close() }

    package func send(_ request: HTTPRequest) async throws(TransportError) -> HTTPResponse {
        let id = mailbox.newID()
        defer { mailbox.forget(id) }
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { mailbox.start(id, request, $0) }
        } onCancel: {
            mailbox.cancel(id)
        }
        return try result.get()
    }
}

typealias CurlAnswer = CheckedContinuation<Result<HTTPResponse, TransportError>, Never>

/// What callers leave for the thread, and what the thread needs to be woken by.
final class CurlMailbox: Sendable {
    struct Letter {
        let id: UInt64
        let request: HTTPRequest
        let answer: CurlAnswer
    }

    struct Mail {
        var started: [Letter] = []
        var cancelled: [UInt64] = []
        var isClosed = false
    }

    private struct Contents {
        var mail = Mail()
        var lastID: UInt64 = 0
        /// Handed to the thread and not answered yet.
        var live: Set<UInt64> = []
        /// Cancelled before they were started.
        var cancelledEarly: Set<UInt64> = []
        /// Address of the thread's handle while the thread runs it; nil before it is made and from before it is freed.
        var multi: UInt?
    }

    private let contents = Mutex(Contents())

    func newID() -> UInt64 {
        contents.withLock {
            $0.lastID += 1
            return $0.lastID
        }
    }

    func start(_ id: UInt64, _ request: HTTPRequest, _ answer: CurlAnswer) {
        let refused = contents.withLock { contents in
            if contents.mail.isClosed || contents.cancelledEarly.contains(id) { return true }
            contents.live.insert(id)
            contents.mail.started.append(Letter(id: id, request: request, answer: answer))
            Self.wake(contents)
            return false
        }
        if refused { answer.resume(returning: .failure(.cancelledByCaller)) }
    }

    func cancel(_ id: UInt64) {
        contents.withLock {
            guard $0.live.contains(id) else {
                $0.cancelledEarly.insert(id)
                return
            }
            $0.mail.cancelled.append(id)
            Self.wake($0)
        }
    }

    /// The caller has its answer.
    func forget(_ id: UInt64) {
        contents.withLock {
            $0.live.remove(id)
            $0.cancelledEarly.remove(id)
        }
    }

    func close() {
        contents.withLock {
            $0.mail.isClosed = true
            Self.wake($0)
        }
    }

    /// The thread's handle is ready; nil: it is about to be freed.
    func attach(_ multi: UnsafeMutableRawPointer?) {
        let address = UInt(bitPattern: multi)
        contents.withLock { $0.multi = address == 0 ? nil : address }
    }

    func take() -> Mail {
        contents.withLock {
            let mail = $0.mail
            $0.mail = Mail(isClosed: mail.isClosed)
            return mail
        }
    }

    private static func wake(_ contents: Contents) {
        // SAFETY: curl_multi_wakeup may be called from any thread while the handle lives: it is set only then.
        if let multi = contents.multi { unsafe curl_multi_wakeup(UnsafeMutableRawPointer(bitPattern: multi)) }
    }
}

extension TransportError {
    static let cancelledByCaller = TransportError(.cancelled, "the request was cancelled")
}

/// The thread: owns the multi handle and every transfer in it.
@safe private struct CurlLoop: ~Copyable {
    private let mailbox: CurlMailbox
    private let settings: CurlTransfer.Settings
    // SAFETY: owned by this value alone: made in init, freed once in deinit, after every transfer has left it.
    private let multi: UnsafeMutableRawPointer
    private var transfers: [UInt64: CurlTransfer] = [:]
    private let authorities: TrustedAuthorities?
    private let rate: SharedUploadRate?

    /// libcurl's process-wide start, once.
    private static let started: Bool = curl_global_init(Int(CURL_GLOBAL_ALL)) == CURLE_OK

    init?(mailbox: CurlMailbox, settings: CurlTransfer.Settings) {
        self.mailbox = mailbox
        self.settings = settings
        precondition(Self.started, "libcurl starts")
        guard let multi = unsafe curl_multi_init() else { preconditionFailure("out of memory") }
        unsafe self.multi = unsafe multi
        authorities = settings.network.authoritiesPath.map {
            TrustedAuthorities(path: $0, systemBundle: Self.systemAuthorities)
        }
        rate = settings.network.uploadBytesPerSecond.map {
            SharedUploadRate(bytesPerSecond: $0, uptime: Clocks.system.uptime)
        }
        unsafe mailbox.attach(multi)
    }

    deinit {
        unsafe mailbox.attach(nil)
        unsafe curl_multi_cleanup(multi)
    }

    consuming func run() {
        while true {
            let mail = mailbox.take()
            for letter in mail.started { begin(letter) }
            for id in mail.cancelled { end(id, .failure(.cancelledByCaller)) }
            if mail.isClosed {
                for id in Array(transfers.keys) { end(id, .failure(.cancelledByCaller)) }
                return
            }
            var running: Int32 = 0
            unsafe curl_multi_perform(multi, &running)
            reap()
            // At most a minute: curl's own timers and wake-ups end the wait sooner.
            let paused = transfers.values.filter(\.isPaused)
            let wait = paused.isEmpty ? 60_000 : Int32(UploadRate.wait / .milliseconds(1))
            unsafe curl_multi_poll(multi, nil, 0, wait, nil)
            for transfer in paused { transfer.resume() }
        }
    }

    /// The bundle that libcurl trusts when it is told nothing.
    private static var systemAuthorities: String {
        guard let easy = unsafe curl_easy_init() else { return "" }
        defer { unsafe curl_easy_cleanup(easy) }
        // SAFETY: a text that lives as long as the handle; it is copied before.
        guard let path = unsafe ccurl_system_authorities(easy) else { return "" }
        return unsafe String(cString: path)
    }

    private mutating func begin(_ letter: CurlMailbox.Letter) {
        do throws(TransportError) {
            let transfer = try CurlTransfer(
                letter.request, settings, authorities: authorities, rate: rate, letter.answer)
            transfers[letter.id] = transfer
            // SAFETY: the transfer keeps its handle until `end` takes it out again.
            unsafe curl_multi_add_handle(multi, transfer.handle)
        } catch {
            letter.answer.resume(returning: .failure(error))
        }
    }

    private mutating func end(_ id: UInt64, _ result: Result<HTTPResponse, TransportError>) {
        guard let transfer = transfers.removeValue(forKey: id) else { return }
        unsafe curl_multi_remove_handle(multi, transfer.handle)
        transfer.answer.resume(returning: result)
    }

    /// Answers every transfer that is done.
    private mutating func reap() {
        var left: Int32 = 0
        while let message = unsafe curl_multi_info_read(multi, &left) {
            // SAFETY: the message is valid until its handle is removed; its fields are read before.
            guard unsafe message.pointee.msg == CURLMSG_DONE, let easy = unsafe message.pointee.easy_handle else {
                continue
            }
            let code = unsafe ccurl_result(message)
            guard let (id, transfer) = transfers.first(where: { unsafe $0.value.handle == easy }) else { continue }
            end(id, transfer.result(code))
        }
    }
}
