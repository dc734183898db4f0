package import DiskIO

/// Finds credentials as the AWS SDKs do, the first that is there: configured key files, environment, web identity
/// (IRSA), shared credentials file, container endpoint (EKS pod identity, ECS), instance metadata (IMDSv2).
///
/// Files are read again each time. What has an end is fetched again before it: when that fails, the old ones are used
/// while they hold.
actor AWSCredentialSource {
    private let options: S3Options
    private let clocks: Clocks
    private let issuers: CredentialIssuers
    private var lease: Lease?

    /// Credentials that end. Measured by uptime from when they came: a wall clock that is years off neither keeps
    /// dead ones nor fetches at every request.
    private struct Lease {
        let credentials: AWSCredentials
        let renewAt: Duration
        let endsAt: Duration
    }

    private static let renewMargin = Duration.seconds(300)
    private static let leaseRange = Duration.seconds(120) ... .seconds(12 * 3600)

    init(_ options: S3Options, clocks: Clocks, transport: any HTTPTransport) {
        self.options = options
        self.clocks = clocks
        issuers = CredentialIssuers(environment: options.environment, region: options.region, transport: transport)
    }

    func current() async throws(ShipFailure) -> AWSCredentials {
        if let lease, clocks.uptime() < lease.renewAt { return lease.credentials }
        do throws(ShipFailure) {
            return try await fetch()
        } catch {
            if let lease, clocks.uptime() < lease.endsAt { return lease.credentials }
            throw error
        }
    }

    /// The server said that `used` have ended. Returns whether there are others.
    func renew(_ used: AWSCredentials) async -> Bool {
        // Another request of the same moment has fetched them.
        if let lease, lease.credentials != used { return true }
        lease = nil
        do throws(ShipFailure) { return try await fetch() != used } catch { return false }
    }

    private func fetch() async throws(ShipFailure) -> AWSCredentials {
        let credentials = try await find().credentials
        guard let expires = credentials.expiresMilliseconds else { return credentials }
        let (remaining, overflow) = expires.subtractingReportingOverflow(clocks.wallMilliseconds())
        let left = overflow ? Self.leaseRange.lowerBound : Duration.milliseconds(remaining)
        let length = min(max(left, Self.leaseRange.lowerBound), Self.leaseRange.upperBound)
        let now = clocks.uptime()
        lease = Lease(
            credentials: credentials, renewAt: now + max(length - Self.renewMargin, length / 2), endsAt: now + length)
        return credentials
    }

    /// What the chain gives now, and which link of it answered.
    func find() async throws(ShipFailure) -> (link: String, credentials: AWSCredentials) {
        let environment = options.environment
        if let access = options.accessKeyPath, let secret = options.secretKeyPath {
            let found = try Self.credentials(
                AWSCredentials(
                    accessKey: try SecretFile(path: access, what: "the access key", key: "destination.access_key_file")
                        .read(),
                    secretKey: try SecretFile(path: secret, what: "the secret key", key: "destination.secret_key_file")
                        .read()), from: access)
            return ("the key files", found)
        }
        if let found = AWSCredentials(environment: environment) { return ("the environment", found) }
        if let tokenPath = environment["AWS_WEB_IDENTITY_TOKEN_FILE"], let role = environment["AWS_ROLE_ARN"] {
            let found = try await issuers.webIdentity(tokenPath: tokenPath, role: role)
            return ("the web identity of \(tokenPath) as \(role)", found)
        }
        if let found = try sharedFile() { return ("the shared credentials file", found) }
        if let url = Self.containerURL(environment) {
            return ("the container's agent (EKS Pod Identity, ECS)", try await issuers.container(url))
        }
        guard environment["AWS_EC2_METADATA_DISABLED"]?.lowercased() != "true" else {
            throw ShipFailure(
                .unauthorized, "there are no credentials for destination \(options.name); configure key files or AWS_*")
        }
        return ("the instance metadata", try await issuers.instanceMetadata())
    }

    private func sharedFile() throws(ShipFailure) -> AWSCredentials? {
        let environment = options.environment
        let home = environment["HOME"].map { $0 + "/.aws/credentials" }
        guard let path = environment["AWS_SHARED_CREDENTIALS_FILE"] ?? home else { return nil }
        guard let text = try SecretFile.contentsIfAny(path, limit: 256 << 10) else { return nil }
        return AWSCredentials(sharedFile: text, profile: environment["AWS_PROFILE"] ?? "default")
    }

    private static func containerURL(_ environment: [String: String]) -> String? {
        if let path = environment["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] { return "http://169.254.170.2" + path }
        return environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
    }

    private static func credentials(
        _ found: AWSCredentials?, from place: String
    ) throws(ShipFailure) -> AWSCredentials {
        guard let found else {
            throw ShipFailure(
                .unauthorized, "cannot use the credentials of \(place): a part is empty or not plain text")
        }
        return found
    }
}

/// The keys that the shipper would sign with now.
package struct FoundCredentials: Sendable, CustomReflectable {
    /// Of the chain, for people.
    package let link: String
    package let accessKey: String
    package let secretKey: String
    package let sessionToken: String?

    package var customMirror: Mirror { Mirror(self, children: ["link": link]) }

    /// Asks as the shipper does, in its order.
    package init(
        for options: S3Options, clocks: Clocks, transport: any HTTPTransport
    ) async throws(ShipFailure) {
        let found = try await AWSCredentialSource(options, clocks: clocks, transport: transport).find()
        link = found.link
        accessKey = found.credentials.accessKey
        secretKey = found.credentials.secretKey
        sessionToken = found.credentials.sessionToken
    }
}
