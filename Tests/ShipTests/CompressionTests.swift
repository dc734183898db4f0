import Digest
import DiskIO
import Ship
import Testing

/// Copies that are compressed on their way; Tests/EndToEnd/test_s3.py decompresses them with other libraries.
@Suite struct CompressionTests {
    let volume: TestVolume
    let bytes = (0..<600_000).map { UInt8(truncatingIfNeeded: $0 / 100) }

    init() throws { volume = try TestVolume() }

    private func deliver(_ compression: UploadCompression?) async throws -> (name: String, bytes: [UInt8]) {
        let destination = DestinationOptions.directory(
            name: "local", path: volume.layout.shipped, hive: false, compression: compression)
        let shipper = try TestShipper(volume, [destination])
        #expect(await shipper.pass().uploaded == 1)
        let name = try #require(try volume.names(volume.layout.shipped).first)
        return (name, try volume.bytes("\(volume.layout.shipped)/\(name)"))
    }

    @Test(arguments: [(UploadCompression.gzip, [0x1F, 0x8B]), (.zstd, [0x28, 0xB5, 0x2F, 0xFD])])
    func theCopyIsCompressedAndNamedSo(compression: UploadCompression, magic: [UInt8]) async throws {
        let file = try volume.addFile(1, bytes: bytes)
        let (name, copy) = try await deliver(compression)
        #expect(name == file + compression.suffix)
        #expect(copy.starts(with: magic) && copy.count < bytes.count / 10)
        #expect(try volume.names(volume.layout.compressed).isEmpty)
        #expect(try volume.bytes("\(volume.layout.uploaded)/\(file)") == bytes, "what is kept is the file itself")
    }

    @Test func withoutTheOptionTheCopyIsTheFile() async throws {
        let file = try volume.addFile(1, bytes: bytes)
        let (name, copy) = try await deliver(nil)
        #expect(name == file && copy == bytes)
        #expect(try !volume.fileSystem.exists(volume.layout.compressed))
    }

    @Test func damagedBytesAreNotCompressed() async throws {
        let file = try volume.addFile(1, bytes: bytes)
        try volume.overwrite("\(volume.layout.outbox)/\(file)", [0xFF], at: 5)
        let destination = DestinationOptions.directory(
            name: "local", path: volume.layout.shipped, hive: false, compression: .zstd)
        #expect(await (try TestShipper(volume, [destination])).pass().quarantined == 1)
        #expect(try !volume.fileSystem.exists(volume.layout.shipped))
    }

    @Test func whatAKilledShipperLeftIsSwept() async throws {
        try volume.fileSystem.makeDirectory(volume.layout.compressed)
        try volume.fileSystem.publish([1, 2, 3], at: volume.layout.compressed + "/left.gz")
        _ = await (try TestShipper(volume, [volume.directory])).pass()
        #expect(try volume.names(volume.layout.compressed).isEmpty)
    }

    @Test(arguments: [(19.0, DiskPressure.none), (20, .low), (40, .medium), (60, .high), (80, .critical)])
    func aVolumeInMemoryIsFullSooner(percent: Double, pressure: DiskPressure) {
        #expect(DiskPressure(usedPercent: percent, isInMemory: true) == pressure)
        #expect(DiskPressure(usedPercent: percent) <= pressure)
    }
}
