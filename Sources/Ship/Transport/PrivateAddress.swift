/// Addresses that a URL given by a server must not lead to: this machine, its network, the cloud's metadata service.
///
/// Source: IANA IPv4 and IPv6 Special-Purpose Address Registries.
enum PrivateAddress {
    /// - Parameter bytes: 4 of IPv4 or 16 of IPv6, in network order.
    static func contains(_ bytes: [UInt8]) -> Bool {
        switch bytes.count {
        case 4: return isPrivateV4(bytes)
        case 16:
            // ::ffff:a.b.c.d, 64:ff9b::a.b.c.d (NAT64) and ::a.b.c.d lead to an IPv4 address.
            let mapped = bytes[..<10].allSatisfy { $0 == 0 } && (bytes[10..<12] == [0xFF, 0xFF] || bytes[10] == 0)
            let translated = Array(bytes[..<12]) == [0, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0]
            if mapped || translated { return isPrivateV4(Array(bytes[12...])) }
            // fc00::/7, fe80::/10 and fec0::/10, ff00::/8.
            return bytes[0] & 0xFE == 0xFC || (bytes[0] == 0xFE && bytes[1] & 0x80 != 0) || bytes[0] == 0xFF
        default: return true
        }
    }

    private static func isPrivateV4(_ bytes: [UInt8]) -> Bool {
        switch (bytes[0], bytes[1]) {
        case (0, _), (10, _), (127, _), (169, 254), (192, 168), (172, 16...31), (100, 64...127), (198, 18...19),
            (224..., _):
            true
        case (192, 0): bytes[2] == 0
        default: false
        }
    }
}
