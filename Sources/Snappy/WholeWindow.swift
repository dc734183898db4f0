extension Snappy {
    /// Bytes a block of `count` bytes may take at most.
    public static func wholeWindowBound(_ count: Int) -> Int { 32 + count + count / 6 }

    /// The block of `bytes` in `output`, whose storage is reused: matches reach back over the whole input, where
    /// libsnappy's encoder forgets after 64 KiB. Any Snappy decoder reads it.
    ///
    /// Greedy, one candidate by 8 bytes and one by 4; the one that saves more wins. Input below 2^32 bytes.
    public static func compressWholeWindow(_ bytes: RawSpan, into output: inout [UInt8]) {
        var tables: [UInt32] = []
        compressWholeWindow(bytes, into: &output, tables: &tables)
    }

    /// As above; `tables` is memory of the encoder, at most 288 KiB, that one call leaves for the next.
    public static func compressWholeWindow(
        _ bytes: RawSpan, into output: inout [UInt8], tables: inout [UInt32]
    ) {
        precondition(bytes.byteCount <= UInt32.max, "the format's length is 32 bits")
        output.removeAll(keepingCapacity: true)
        output.append(addingCapacity: wholeWindowBound(bytes.byteCount)) { room in
            // SAFETY: the buffers are used only within the closures; room holds the bound of this input.
            unsafe room.withUnsafeMutableBufferPointer { buffer, written in
                unsafe bytes.withUnsafeBytes { input in
                    var encoder = unsafe WholeWindowEncoder(output: buffer)
                    unsafe encoder.encode(input, &tables)
                    written = encoder.written
                }
            }
        }
    }
}

/// One run of the encoder, after google/snappy's format_description.txt.
@safe private struct WholeWindowEncoder {
    /// Spreads bytes over the high bits of the product (2^64 divided by the golden ratio, made odd).
    static let multiplier: UInt64 = 0x9E37_79B9_7F4A_7C15
    /// Entries of the tables at most: 2^16 positions by 8 bytes, 2^13 by 4. These 288 KiB stay in an L2 cache of 512
    /// KiB, beside the input: with 2^17 and 2^15 the search takes a sixth longer, to save a thousandth of the bytes.
    static let eightBits = 16
    static let fourBits = 13
    /// A match of 8 bytes that became as long as this leaves nothing to win by the one of 4.
    static let longEnough = 16
    /// Inputs this short cannot win.
    static let shortestInput = 16
    /// A copy must save this much: it also costs the tag of the literal after it. So growth is bounded by the tags
    /// of the literals, far below `wholeWindowBound`.
    static let smallestGain = 2

    // SAFETY: holds `wholeWindowBound` bytes for the input, by the caller.
    private let output: UnsafeMutablePointer<UInt8>
    private(set) var written = 0

    init(output: UnsafeMutableBufferPointer<UInt8>) {
        guard let base = output.baseAddress else { preconditionFailure("the bound is never 0") }
        unsafe self.output = unsafe base
    }

    mutating func encode(_ input: UnsafeRawBufferPointer, _ tables: inout [UInt32]) {
        var rest = input.count
        while rest >= 0x80 {
            put(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        put(UInt8(rest))
        guard let base = input.baseAddress, input.count >= Self.shortestInput else {
            if let base = input.baseAddress { unsafe literal(base, count: input.count) }
            return
        }
        // Small inputs get small tables: clearing 288 KiB would cost more than the work.
        let bits = Int.bitWidth - (input.count - 1).leadingZeroBitCount
        let eight = min(Self.eightBits, max(8, bits - 4))
        let four = min(Self.fourBits, max(8, bits - 4))
        let entries = (1 << eight) + (1 << four)
        if tables.count < entries { tables = [UInt32](repeating: 0, count: entries) }
        unsafe tables.withUnsafeMutableBufferPointer { tables in
            unsafe tables[..<entries].update(repeating: 0)
            guard let first = tables.baseAddress else { preconditionFailure("the tables are not empty") }
            let byEight = unsafe Table(entries: first, bits: eight, positionBits: bits)
            let byFour = unsafe Table(entries: first + (1 << eight), bits: four, positionBits: bits)
            unsafe search(base, count: input.count, byEight, byFour)
        }
    }

    /// Positions by the hash of the bytes there; 0 is both "none yet" and position 0, since bytes are compared anyway.
    ///
    /// The bits of an entry that no position needs hold more of the hash: where they differ, so do the bytes, and what
    /// lies far back need not be fetched.
    @safe private struct Table {
        // SAFETY: has 2^bits entries and outlives the table: both are made and used in `encode` alone.
        private let entries: UnsafeMutablePointer<UInt32>
        private let slotShift: UInt64
        private let tagShift: UInt64
        private let positionMask: UInt32

        init(entries: UnsafeMutablePointer<UInt32>, bits: Int, positionBits: Int) {
            unsafe self.entries = unsafe entries
            slotShift = UInt64(64 - bits)
            positionMask = UInt32(truncatingIfNeeded: (1 << positionBits) - 1)
            // The hash bits below those of the slot come to stand above the position.
            tagShift = UInt64(32 - bits)
        }

        /// The position kept for `hash`, whose high bits count, replaced by `position`; and whether the bytes there may
        /// be the same.
        @inline(__always)
        func exchange(_ hash: UInt64, _ position: Int) -> (position: Int, mayMatch: Bool) {
            let slot = Int(truncatingIfNeeded: hash &>> slotShift)
            let tag = UInt32(truncatingIfNeeded: hash &>> tagShift) & ~positionMask
            let previous = unsafe entries[slot]
            unsafe entries[slot] = UInt32(truncatingIfNeeded: position) | tag
            return (Int(previous & positionMask), previous & ~positionMask == tag)
        }
    }

    private struct Match {
        var source = 0
        var length = 0
        /// Bytes saved by the copy.
        var gain = 0
    }

    /// The better of the candidates that the tables have for `position`, which they learn.
    ///
    /// - Precondition: `position + 8 <= count`.
    @inline(__always)
    private static func match(
        _ input: UnsafeRawPointer, at position: Int, _ count: Int, _ byEight: Table, _ byFour: Table
    ) -> Match {
        // SAFETY: position + 8 <= count, and candidates are smaller positions.
        let value = unsafe input.loadUnaligned(fromByteOffset: position, as: UInt64.self)
        let far = byEight.exchange(value &* Self.multiplier, position)
        let near = byFour.exchange((value << 32) &* Self.multiplier, position)
        var best = Match()
        if far.mayMatch, far.position < position,
            unsafe input.loadUnaligned(fromByteOffset: far.position, as: UInt64.self) == value
        {
            let length = unsafe 8 &+ matchLength(input, far.position &+ 8, position &+ 8, count)
            best = Match(source: far.position, length: length, gain: length &- cost(length, position &- far.position))
        }
        if best.length < Self.longEnough, near.mayMatch, near.position != far.position, near.position < position,
            unsafe input.loadUnaligned(fromByteOffset: near.position, as: UInt32.self)
                == UInt32(truncatingIfNeeded: value)
        {
            let length = unsafe 4 &+ matchLength(input, near.position &+ 4, position &+ 4, count)
            let gain = length &- cost(length, position &- near.position)
            if gain > best.gain { best = Match(source: near.position, length: length, gain: gain) }
        }
        return best
    }

    private mutating func search(_ input: UnsafeRawPointer, count: Int, _ byEight: Table, _ byFour: Table) {
        let last = count - 8
        var position = 0
        var literalStart = 0
        // Positions are skipped the faster the longer nothing was found: incompressible input costs little.
        var misses = 32
        while position <= last {
            var match = unsafe Self.match(input, at: position, count, byEight, byFour)
            guard match.gain >= Self.smallestGain else {
                position &+= misses &>> 5
                misses &+= 1
                continue
            }
            misses = 32
            let end = position + match.length
            // SAFETY: both are above 0 where the byte before them is read.
            while position > literalStart, match.source > 0,
                unsafe input.load(fromByteOffset: position - 1, as: UInt8.self)
                    == input.load(fromByteOffset: match.source - 1, as: UInt8.self)
            {
                position -= 1
                match.source -= 1
            }
            unsafe literal(
                input + literalStart, count: position - literalStart, isShortReadSafe: position <= last - 8)
            copy(length: end - position, offset: position - match.source)
            position = end
            literalStart = end
            // One position within the match, so that its end is found again behind another beginning.
            if end - 1 <= last {
                let tail = unsafe input.loadUnaligned(fromByteOffset: end - 1, as: UInt64.self)
                _ = byEight.exchange(tail &* Self.multiplier, end - 1)
                _ = byFour.exchange((tail << 32) &* Self.multiplier, end - 1)
            }
        }
        unsafe literal(input + literalStart, count: count - literalStart)
    }

    /// Bytes equal from `source` and `position` on, up to the end of the input.
    @inline(__always)
    private static func matchLength(_ input: UnsafeRawPointer, _ source: Int, _ position: Int, _ count: Int) -> Int {
        var length = 0
        // SAFETY: position + length + 16 <= count in the first loop, + 8 in the second, then + 1; source is smaller.
        while position &+ length &+ 16 <= count {
            let low =
                unsafe input.loadUnaligned(fromByteOffset: source &+ length, as: UInt64.self)
                ^ input.loadUnaligned(fromByteOffset: position &+ length, as: UInt64.self)
            let high =
                unsafe input.loadUnaligned(fromByteOffset: source &+ length &+ 8, as: UInt64.self)
                ^ input.loadUnaligned(fromByteOffset: position &+ length &+ 8, as: UInt64.self)
            if low | high != 0 {
                let bits = low != 0 ? low.trailingZeroBitCount : 64 &+ high.trailingZeroBitCount
                return length &+ bits &>> 3
            }
            length &+= 16
        }
        while position &+ length &+ 8 <= count {
            let difference =
                unsafe input.loadUnaligned(fromByteOffset: source &+ length, as: UInt64.self)
                ^ input.loadUnaligned(fromByteOffset: position &+ length, as: UInt64.self)
            if difference != 0 { return length &+ difference.trailingZeroBitCount &>> 3 }
            length &+= 8
        }
        while position + length < count,
            unsafe input.load(fromByteOffset: source + length, as: UInt8.self)
                == input.load(fromByteOffset: position + length, as: UInt8.self)
        {
            length += 1
        }
        return length
    }

    /// Bytes of the copy elements for a match.
    @inline(__always)
    private static func cost(_ length: Int, _ offset: Int) -> Int {
        if length < 12 && offset < 2048 { return 2 }
        return ((length &+ 63) &>> 6) &* (offset < 65_536 ? 3 : 5)
    }

    @inline(__always)
    private mutating func put(_ byte: UInt8) {
        // SAFETY: the bound of the input is never passed.
        unsafe output[written] = byte
        written += 1
    }

    /// With `isShortReadSafe`, 16 bytes may be read from wherever the literal ends.
    @inline(__always)
    private mutating func literal(_ bytes: UnsafeRawPointer, count: Int, isShortReadSafe: Bool = false) {
        guard count > 0 else { return }
        let coded = count - 1
        if count <= 16 && isShortReadSafe {
            // Most literals: a call of memmove would cost more than the 16 bytes. The room has slack for them.
            put(UInt8(truncatingIfNeeded: coded << 2))
            let (low, high) = unsafe (
                bytes.loadUnaligned(as: UInt64.self), bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
            )
            unsafe UnsafeMutableRawPointer(output + written).storeBytes(of: low, as: UInt64.self)
            unsafe UnsafeMutableRawPointer(output + written).storeBytes(of: high, toByteOffset: 8, as: UInt64.self)
            written += count
            return
        }
        if coded < 60 {
            put(UInt8(truncatingIfNeeded: coded << 2))
        } else {
            let byteCount = (Int.bitWidth - coded.leadingZeroBitCount + 7) / 8
            put(UInt8(truncatingIfNeeded: (59 + byteCount) << 2))
            for index in 0..<byteCount { put(UInt8(truncatingIfNeeded: coded >> (8 * index))) }
        }
        // SAFETY: the bound of the input is never passed.
        unsafe UnsafeMutableRawPointer(output + written).copyMemory(from: bytes, byteCount: count)
        written += count
    }

    @inline(__always)
    private mutating func copy(length: Int, offset: Int) {
        var rest = length
        // A last element of 4 to 11 bytes near by takes 2 bytes, so 68 is cut as 60 + 8 rather than 64 + 4 far.
        while rest >= 68 {
            element(length: 64, offset: offset)
            rest &-= 64
        }
        if rest > 64 {
            element(length: 60, offset: offset)
            rest &-= 60
        }
        if rest < 12 && rest >= 4 && offset < 2048 {
            store(1 | (rest &- 4) &<< 2 | (offset &>> 8) &<< 5 | (offset & 0xFF) &<< 8, byteCount: 2)
        } else {
            element(length: rest, offset: offset)
        }
    }

    /// A copy of 1 to 64 bytes with 2 or 4 bytes of offset.
    @inline(__always)
    private mutating func element(length: Int, offset: Int) {
        let isNear = offset < 65_536
        store((length &- 1) &<< 2 | (isNear ? 2 : 3) | offset &<< 8, byteCount: isNear ? 3 : 5)
    }

    /// The low bytes of `element`, in one store.
    @inline(__always)
    private mutating func store(_ element: Int, byteCount: Int) {
        // SAFETY: the bound of the input is never passed, and has slack for the bytes behind the element.
        unsafe UnsafeMutableRawPointer(output + written).storeBytes(
            of: UInt64(truncatingIfNeeded: element).littleEndian, as: UInt64.self)
        written &+= byteCount
    }
}
