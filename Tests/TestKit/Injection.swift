package import DiskIO
internal import Synchronization

/// One operation on a simulated disk, as an injection sees it.
package struct Call: Sendable {
    package let number: Int
    package let operation: IOError.Operation
    package let path: String
    /// It takes blocks from the volume.
    package let needsSpace: Bool
}

/// What goes wrong with an operation.
package enum Fault: Hashable, Sendable {
    case error(Int32)
    /// A read or write that moves half of its bytes; nothing else notices.
    case shortTransfer
}

/// Decides which operations fail.
package struct Injection: Sendable {
    let effect: @Sendable (Call) -> Fault?

    package init(_ effect: @escaping @Sendable (Call) -> Fault?) { self.effect = effect }

    /// How long a fault lasts.
    package enum Span: Hashable, Sendable {
        case once
        /// So many operations in a row.
        case times(Int)
        /// Every operation that needs space, until some file was removed.
        case untilFreed
        case always
    }

    /// Operation `number` fails, and those after it for `span`.
    package static func at(_ number: Int, _ fault: Fault, _ span: Span = .once) -> Injection {
        switch span {
        case .once: return Injection { $0.number == number ? fault : nil }
        case .times(let count): return Injection { (number..<number + count).contains($0.number) ? fault : nil }
        case .always: return Injection { $0.number >= number ? fault : nil }
        case .untilFreed:
            let isFreed = Mutex(false)
            return Injection { call in
                guard call.number >= number else { return nil }
                if call.operation == .remove { isFreed.withLock { $0 = true } }
                return call.needsSpace && !isFreed.withLock({ $0 }) ? fault : nil
            }
        }
    }
}
