/// The candidate that `text` was probably meant to be: at most one wrong letter in three, the first of equals.
func nearest(to text: String, among candidates: [String]) -> String? {
    let letters = Array(text.utf8)
    guard (1...64).contains(letters.count) else { return nil }
    let limit = min(3, max(1, letters.count / 3))
    var best: (distance: Int, candidate: String)?
    for candidate in candidates {
        let other = Array(candidate.utf8)
        guard other.count <= 64, abs(other.count - letters.count) <= limit else { continue }
        let distance = editDistance(letters, other)
        if distance <= limit, distance < best?.distance ?? .max { best = (distance, candidate) }
    }
    return best?.candidate
}

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b` (optimal string alignment).
private func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    var before: [Int] = []
    var previous = Array(0...b.count)
    for i in 0..<a.count {
        var current = [i + 1]
        for j in 0..<b.count {
            var distance = min(previous[j] + (a[i] == b[j] ? 0 : 1), previous[j + 1] + 1, current[j] + 1)
            if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { distance = min(distance, before[j - 1] + 1) }
            current.append(distance)
        }
        (before, previous) = (previous, current)
    }
    return previous[b.count]
}
