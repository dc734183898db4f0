/// What this program calls itself.
enum Version {
    static let number = "0.1.0"
    static let build = "dev"
    /// Footer of every Parquet file: a shape that parquet-java can parse (parquet.md §11).
    static let createdBy = "cirrus version \(number) (build \(build))"
}
