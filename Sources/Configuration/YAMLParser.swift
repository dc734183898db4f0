internal import CYAML

struct YAMLEvent {
    enum Kind {
        case streamStart, streamEnd, documentStart, documentEnd
        case listStart, listEnd, mapStart, mapEnd
        /// Plain: without quotes.
        case scalar(String, isPlain: Bool)
    }

    let kind: Kind
    let place: YAMLNode.Place
}

/// libyaml's event parser over one text, which it keeps for its whole life.
@safe struct YAMLParser: ~Copyable {
    // SAFETY: both are owned by this value alone: made in init, freed once in deinit. libyaml reads `text` until then.
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private let text: UnsafeMutableBufferPointer<UInt8>

    init(_ bytes: ArraySlice<UInt8>) {
        unsafe text = .allocate(capacity: bytes.count)
        _ = unsafe text.initialize(from: bytes)
        unsafe parser = .allocate(capacity: 1)
        // SAFETY: yaml_parser_initialize zeroes the whole struct before it writes to it.
        let made = unsafe yaml_parser_initialize(parser)
        precondition(made == 1, "out of memory")
        // A set encoding keeps a byte order mark from turning the text into UTF-16.
        unsafe yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        unsafe yaml_parser_set_input_string(parser, text.baseAddress, text.count)
    }

    deinit {
        unsafe yaml_parser_delete(parser)
        unsafe parser.deallocate()
        unsafe text.deallocate()
    }

    mutating func next() throws(YAMLProblem) -> YAMLEvent {
        // SAFETY: a C struct of integers and pointers, for which zero is a value; deleted below, once.
        var event = unsafe yaml_event_t()
        guard unsafe yaml_parser_parse(parser, &event) == 1 else { throw problem }
        defer { unsafe yaml_event_delete(&event) }
        let place = place(unsafe event.start_mark)
        switch unsafe event.type {
        case YAML_STREAM_START_EVENT: return YAMLEvent(kind: .streamStart, place: place)
        case YAML_DOCUMENT_START_EVENT: return YAMLEvent(kind: .documentStart, place: place)
        case YAML_DOCUMENT_END_EVENT: return YAMLEvent(kind: .documentEnd, place: place)
        case YAML_SCALAR_EVENT:
            let scalar = unsafe event.data.scalar
            try refuse(unsafe scalar.anchor != nil, unsafe scalar.tag != nil, at: place)
            // SAFETY: libyaml gives `length` bytes at `value`, which live until the event is deleted.
            let bytes = unsafe UnsafeBufferPointer(start: scalar.value, count: scalar.length)
            let isPlain = unsafe scalar.style == YAML_PLAIN_SCALAR_STYLE
            return YAMLEvent(
                kind: .scalar(unsafe String(decoding: bytes, as: UTF8.self), isPlain: isPlain), place: place)
        case YAML_SEQUENCE_START_EVENT:
            let list = unsafe event.data.sequence_start
            try refuse(unsafe list.anchor != nil, unsafe list.tag != nil, at: place)
            return YAMLEvent(kind: .listStart, place: place)
        case YAML_SEQUENCE_END_EVENT: return YAMLEvent(kind: .listEnd, place: place)
        case YAML_MAPPING_START_EVENT:
            let map = unsafe event.data.mapping_start
            try refuse(unsafe map.anchor != nil, unsafe map.tag != nil, at: place)
            return YAMLEvent(kind: .mapStart, place: place)
        case YAML_MAPPING_END_EVENT: return YAMLEvent(kind: .mapEnd, place: place)
        case YAML_ALIAS_EVENT:
            throw YAMLProblem(place: place, reason: "aliases (*name) are not supported; write the value out")
        default: return YAMLEvent(kind: .streamEnd, place: place)
        }
    }

    private func refuse(_ hasAnchor: Bool, _ hasTag: Bool, at place: YAMLNode.Place) throws(YAMLProblem) {
        if hasAnchor {
            throw YAMLProblem(place: place, reason: "anchors (&name) are not supported; write the value out")
        }
        if hasTag {
            throw YAMLProblem(place: place, reason: "tags (!name) are not supported; quote a value to make it text")
        }
    }

    /// libyaml counts from 0.
    private func place(_ mark: yaml_mark_t) -> YAMLNode.Place {
        YAMLNode.Place(line: Int(clamping: mark.line) + 1, column: Int(clamping: mark.column) + 1)
    }

    /// Why the last call failed, in words for someone who does not know libyaml.
    private var problem: YAMLProblem {
        let state = unsafe parser.pointee
        let place = place(unsafe state.problem_mark)
        // SAFETY: libyaml's texts are static C strings, or null.
        let text = unsafe state.problem.map { unsafe String(cString: $0) } ?? "not YAML"
        switch unsafe state.error {
        case YAML_READER_ERROR:
            let isControl = text.hasPrefix("control")
            return YAMLProblem(
                place: self.place(ofByte: unsafe Int(clamping: state.problem_offset)),
                reason: isControl ? "control characters are not allowed" : "the file is not UTF-8 text")
        case YAML_MEMORY_ERROR: return YAMLProblem(place: place, reason: "out of memory")
        default: break
        }
        let context = unsafe state.context.map { unsafe String(cString: $0) } ?? ""
        if context == "while scanning a quoted scalar", text.hasPrefix("found unexpected") {
            return YAMLProblem(place: self.place(unsafe state.context_mark), reason: "this quote is never closed")
        }
        if text == "found character that cannot start any token" {
            return YAMLProblem(place: place, reason: startReason(at: place))
        }
        return YAMLProblem(place: place, reason: context.isEmpty ? text : "\(text) \(context)")
    }

    private func startReason(at place: YAMLNode.Place) -> String {
        switch byte(at: place) {
        case UInt8(ascii: "\t"): "a tab cannot indent YAML; use spaces"
        case .some(let byte) where (0x21..<0x7F).contains(byte):
            "\(Character(Unicode.Scalar(byte))) cannot begin a value; put the value in quotes"
        default: "this cannot begin a value; put it in quotes"
        }
    }

    /// The byte that begins the character at `place`.
    private func byte(at place: YAMLNode.Place) -> UInt8? {
        let bytes = unsafe [UInt8](text)
        var here = YAMLNode.Place(line: 1, column: 1)
        for byte in bytes {
            if here == place, !byte.isContinuation { return byte }
            here.step(over: byte)
        }
        return nil
    }

    private func place(ofByte offset: Int) -> YAMLNode.Place {
        let bytes = unsafe [UInt8](text.prefix(offset))
        var place = YAMLNode.Place(line: 1, column: 1)
        for byte in bytes { place.step(over: byte) }
        return place
    }
}

extension YAMLNode.Place {
    fileprivate mutating func step(over byte: UInt8) {
        if byte == UInt8(ascii: "\n") {
            (line, column) = (line + 1, 1)
        } else if !byte.isContinuation {
            column += 1
        }
    }
}

extension UInt8 {
    /// Not the first byte of a UTF-8 character.
    fileprivate var isContinuation: Bool { self & 0xC0 == 0x80 }
}
