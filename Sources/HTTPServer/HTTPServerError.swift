/// Why a server cannot start.
package struct HTTPServerError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Reason: Equatable, Sendable {
        case addressInUse
        case permissionDenied
        case addressNotAvailable
        case other(String)
    }

    package let reason: Reason
    package let address: String
    package let port: Int

    package var description: String { "cannot listen on \(endpoint): \(cause)" }

    private var endpoint: String { address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)" }

    private var cause: String {
        switch reason {
        case .addressInUse: "address already in use; stop the other program or choose another server.port"
        case .permissionDenied: "permission denied; ports below 1024 need a privilege, choose a higher one"
        case .addressNotAvailable: "no interface has this address; use :: for all of them"
        case .other(let text): "\(text); check the address and the port"
        }
    }
}
