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
            (element.convertedType, element.logicalType) = (9, .timestampMilliseconds(adjustedToUTC: true))
        case .int64, .double, .boolean: break
        }
        return element
    }

    /// Of a leaf; nil for a type that we do not read.
    fileprivate init?(_ name: String, _ leaf: SchemaElement, _ repetition: Repetition) {
        let kind: Kind
        switch leaf.type {
        case .byteArray: kind = .string
        case .int64: kind = leaf.isTimestamp ? .timestampMilliseconds : .int64
        case .double: kind = .double
        case .boolean: kind = .boolean
        default: return nil
        }
        self.init(name, kind, .smallest, repetition)
    }
}

extension SchemaElement {
    package var isTimestamp: Bool {
        if case .timestampMilliseconds = logicalType { return true }
        return convertedType == 9
    }

    private func isGroup(_ repetition: Int32, _ childCount: Int32) -> Bool {
        self.repetition == repetition && self.childCount == childCount
    }

    fileprivate func isOuter(_ type: LogicalType) -> Bool { isGroup(0, 1) && logicalType == type }
    fileprivate func isInner(_ childCount: Int32) -> Bool { isGroup(2, childCount) }
    fileprivate var isLeaf: Bool { childCount == nil }
    fileprivate var isRequiredLeaf: Bool { isLeaf && repetition == 0 }
}

extension FileMetadata {
    /// The column of each leaf; nil for one that we do not read: of another type, or nested in another way than ours.
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
        guard elements.count > 2, elements[2].isRequiredLeaf else { return nil }
        let name = elements[0].name
        if elements[0].isOuter(.list), elements[1].isInner(1) { return [Column(name, elements[2], .list)] }
        guard elements[0].isOuter(.map), elements[1].isInner(2), elements.count > 3, elements[3].isRequiredLeaf else {
            return nil
        }
        return [Column(name, elements[2], .mapKey), Column(name, elements[3], .mapValue)]
    }
}
