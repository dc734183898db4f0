extension Schema {
    /// The root, then the nodes of each column.
    var elements: [SchemaElement] {
        let fields = columns.count { $0.repetition != .mapValue }
        return [SchemaElement(name: root, childCount: Int32(fields))] + columns.flatMap(\.elements)
    }

    /// Whether each key of a map is followed by its value.
    var pairsMaps: Bool {
        var key: String?  // of the map that was begun
        for column in columns {
            guard key == (column.repetition == .mapValue ? column.name : nil) else { return false }
            key = column.repetition == .mapKey ? column.name : nil
        }
        return key == nil
    }
}

extension Column {
    /// The leaf, behind the groups that begin with it.
    var elements: [SchemaElement] {
        func group(_ type: SchemaElement.LogicalType, _ converted: Int32, _ inner: String, _ childCount: Int32)
            -> [SchemaElement]
        {
            [
                SchemaElement(
                    repetition: 0, name: name, childCount: 1, convertedType: converted, logicalType: type),
                SchemaElement(repetition: 2, name: inner, childCount: childCount),
            ]
        }
        switch repetition {
        case .required: return [leaf(0)]
        case .optional: return [leaf(1)]
        case .list: return group(.list, 3, path[1], 1) + [leaf(0)]
        case .mapKey: return group(.map, 1, path[1], 2) + [leaf(0)]
        case .mapValue: return [leaf(0)]
        }
    }

    private func leaf(_ repetition: Int32) -> SchemaElement {
        var element = SchemaElement(type: physicalType, repetition: repetition, name: path[path.count - 1])
        switch kind {
        case .string: (element.convertedType, element.logicalType) = (0, .string)
        case .timestampMilliseconds:
            (element.convertedType, element.logicalType) = (9, .timestamp(.milliseconds, adjustedToUTC: true))
        case .int64, .double, .boolean: break
        }
        return element
    }
}

extension SchemaElement {
    /// nil for what is no timestamp.
    package var timeUnit: TimeUnit? {
        if case .timestamp(let unit, _) = logicalType { return unit }
        return convertedType == 9 ? .milliseconds : convertedType == 10 ? .microseconds : nil
    }

    /// nil for a type that we do not read.
    var kind: Column.Kind? {
        switch type {
        case .byteArray where logicalType != .other && convertedType != 5: .string
        case .int64 where timeUnit != nil: .timestampMilliseconds
        case .int32 where isPlainInteger, .int64 where isPlainInteger: .int64
        case .float, .double: .double
        case .boolean: .boolean
        default: nil
        }
    }

    /// Signed, and no date, time of day or decimal.
    private var isPlainInteger: Bool {
        logicalType == nil && (convertedType.map { (15...18).contains($0) } ?? true)
    }

    /// `DOUBLE`, `INT64/TS(ms)`, `BYTE_ARRAY/UTF8`.
    package var typeName: String {
        let physical = ["BOOLEAN", "INT32", "INT64", "INT96", "FLOAT", "DOUBLE", "BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY"]
        let number = type.map { Int($0.rawValue) } ?? -1
        let name = physical.indices.contains(number) ? physical[number] : "type \(number)"
        if let timeUnit { return name + ["/TS(ms)", "/TS(us)", "/TS(ns)"][timeUnit.rawValue - 1] }
        return logicalType == .string || convertedType == 0 ? name + "/UTF8" : name
    }

    fileprivate func isOuter(_ type: LogicalType, _ converted: [Int32]) -> Bool {
        let isType = logicalType == type || convertedType.map(converted.contains) == true
        return isType && childCount == 1 && (repetition == 0 || repetition == 1)
    }

    fileprivate func isInner(_ childCount: Int32) -> Bool { repetition == 2 && self.childCount == childCount }
    fileprivate var isLeaf: Bool { childCount == nil }
    fileprivate var isSingleLeaf: Bool { isLeaf && (repetition == 0 || repetition == 1) }
}

extension FileMetadata {
    /// The column of each leaf; nil for one that we do not read: of another type, or nested in another way than a list
    /// or map of single values.
    package var columns: [Column?] {
        var columns: [Column?] = []
        var rest = schema.dropFirst()
        while let next = rest.first {
            if next.isLeaf {
                let repetition: Column.Repetition? =
                    next.repetition == 0 ? .required : next.repetition == 1 ? .optional : nil
                columns.append(repetition.flatMap { Column(next.name, next, $0) })
                rest = rest.dropFirst()
            } else if let found = Self.nested(rest.prefix(4).map(\.self)) {
                columns += found
                rest = rest.dropFirst(2 + found.count)
            } else {
                rest = rest.dropFirst()
                var missing = Int(next.childCount ?? 0)
                while missing > 0, let inner = rest.popFirst() {
                    missing += Int(inner.childCount ?? 0) - 1
                    if inner.isLeaf { columns.append(nil) }
                }
            }
        }
        return columns
    }

    /// The columns of a list or map that begins `elements`; nil for any other group.
    private static func nested(_ elements: [SchemaElement]) -> [Column?]? {
        guard elements.count > 2, elements[2].isSingleLeaf else { return nil }
        let (name, isOptional) = (elements[0].name, elements[0].repetition == 1)
        func column(_ leaf: SchemaElement, _ repetition: Column.Repetition) -> Column? {
            Column(name, leaf, repetition, isGroupOptional: isOptional)
        }
        if elements[0].isOuter(.list, [3]), elements[1].isInner(1) { return [column(elements[2], .list)] }
        guard elements[0].isOuter(.map, [1, 2]), elements[1].isInner(2), elements.count > 3, elements[3].isSingleLeaf
        else { return nil }
        return [column(elements[2], .mapKey), column(elements[3], .mapValue)]
    }
}
