internal import Glibc
internal import NIOCore
internal import Synchronization

#if TLS
    internal import NIOSSL
#endif

/// A file in PEM form. Whoever reads it names it.
package struct PEMFile: Equatable, Sendable {
    package let path: String
    package let bytes: [UInt8]

    package init(path: String, bytes: [UInt8]) {
        self.path = path
        self.bytes = bytes
    }
}

/// What a server shows, and whom it believes.
package struct TLSMaterial: Equatable, Sendable {
    /// The server's own certificate first, then those up to, not including, the root.
    package let certificates: PEMFile
    package let key: PEMFile
    /// Clients must show a certificate of one of these; nil does not ask.
    package let clientAuthorities: PEMFile?

    package init(certificates: PEMFile, key: PEMFile, clientAuthorities: PEMFile?) {
        self.certificates = certificates
        self.key = key
        self.clientAuthorities = clientAuthorities
    }
}

/// Why TLS cannot be served.
package struct TLSError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Reason: Equatable, Sendable {
        case certificates
        case key
        /// The key is not the certificate's.
        case pair(certificates: String)
        case authorities
        case other(String)
        /// This build has no TLS.
        case absent
    }

    package let reason: Reason
    /// The file that is wrong.
    package let path: String

    package var description: String {
        switch reason {
        case .certificates:
            "cannot use certificate \(path): it holds no certificates in PEM form; give the chain, the server's first"
        case .key: "cannot use private key \(path): it is no unencrypted key in PEM form; write the key alone into it"
        case .pair(let certificates):
            "cannot use private key \(path): it is not the key of \(certificates); replace both files together"
        case .authorities: "cannot use client authorities \(path): it holds no certificates in PEM form"
        case .other(let cause): "cannot serve TLS with \(path): \(cause); check the certificate and its key"
        case .absent:
            "cannot use certificate \(path): this program was built without TLS; build it with the trait TLS, or take "
                + "tls.* out of the configuration"
        }
    }
}

#if TLS
    /// TLS of a server's connections: 1.2 or newer. `replace` is for connections to come; open ones go on.
    ///
    /// A client certificate is asked for and checked in the handshake, but one without is let in: probes show none.
    /// `AccessControl` refuses the rest.
    package final class ServerTLS: Sendable {
        private struct State {
            var context: NIOSSLContext
            var notAfter: Int
        }

        private let state: Mutex<State>

        package init(_ material: TLSMaterial) throws(TLSError) { state = Mutex(try Self.state(material)) }

        /// - Throws: `TLSError`; what held before still holds.
        package func replace(with material: TLSMaterial) throws(TLSError) {
            let new = try Self.state(material)
            state.withLock { $0 = new }
        }

        /// When the first certificate ends, in seconds since 1970.
        package var notAfter: Int { state.withLock { $0.notAfter } }

        /// Puts TLS at the head of the pipeline.
        /// - Returns: whether the client has shown a certificate that holds now; false before the handshake's end.
        func secure(_ channel: any Channel) throws -> () -> Bool {
            let handler = NIOSSLServerHandler(context: state.withLock { $0.context })
            try channel.pipeline.syncOperations.addHandler(handler, position: .first)
            // A session that is resumed was checked when it began: the certificate's end is looked at again.
            return { handler.peerCertificate.map { $0.notValidAfter > time(nil) } ?? false }
        }

        static func isHandshakeFailure(_ error: any Error) -> Bool {
            if case .handshakeFailed = error as? NIOSSLError { true } else { false }
        }

        private static func state(_ material: TLSMaterial) throws(TLSError) -> State {
            let chain = try certificates(material.certificates, or: .certificates)
            let key: NIOSSLPrivateKey
            do { key = try NIOSSLPrivateKey(bytes: material.key.bytes, format: .pem) } catch {
                throw TLSError(reason: .key, path: material.key.path)
            }
            var configuration = TLSConfiguration.makeServerConfiguration(
                certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
            configuration.minimumTLSVersion = .tlsv12
            configuration.applicationProtocols = ["http/1.1"]
            if let authorities = material.clientAuthorities {
                configuration.certificateVerification = .optionalVerification
                configuration.trustRoots = .certificates(try certificates(authorities, or: .authorities))
                configuration.sendCANameList = true
            }
            do {
                return State(
                    context: try NIOSSLContext(configuration: configuration), notAfter: Int(chain[0].notValidAfter))
            } catch NIOSSLError.failedToLoadPrivateKey {
                throw TLSError(reason: .pair(certificates: material.certificates.path), path: material.key.path)
            } catch {
                throw TLSError(reason: .other("\(error)"), path: material.certificates.path)
            }
        }

        private static func certificates(
            _ file: PEMFile, or reason: TLSError.Reason
        ) throws(TLSError) -> [NIOSSLCertificate] {
            // Whatever is wrong with it, the advice is one.
            guard let found = try? NIOSSLCertificate.fromPEMBytes(file.bytes), !found.isEmpty else {
                throw TLSError(reason: reason, path: file.path)
            }
            return found
        }
    }
#else
    /// In a build without the trait `TLS` there is none.
    package final class ServerTLS: Sendable {
        package init(_ material: TLSMaterial) throws(TLSError) {
            throw TLSError(reason: .absent, path: material.certificates.path)
        }

        package func replace(with material: TLSMaterial) throws(TLSError) {}
        package var notAfter: Int { 0 }
        func secure(_ channel: any Channel) throws -> () -> Bool { { false } }
        static func isHandshakeFailure(_ error: any Error) -> Bool { false }
    }
#endif
