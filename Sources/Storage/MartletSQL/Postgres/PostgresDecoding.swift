import CLibPQ
import MartletCore

/// Reads libpq's results, whose values are in PostgreSQL's binary format.
enum PostgresDecoding {
    /// All rows of a result. Throws `refused` where a column has a type that the port does not know.
    static func result(_ result: OpaquePointer) throws(PostgresFailure) -> PostgresResult {
        let columnCount = PQnfields(result)
        var columns: [String] = []
        for column in 0..<columnCount { columns.append(PQfname(result, column).map { String(cString: $0) } ?? "") }
        let types = (0..<columnCount).map { PQftype(result, $0) }
        var rows: [SQLRow] = []
        let rowCount = PQntuples(result)
        rows.reserveCapacity(Int(rowCount))
        for row in 0..<rowCount {
            var values: [SQLValue] = []
            values.reserveCapacity(types.count)
            for column in 0..<columnCount {
                values.append(try value(result, row, column, types[Int(column)]))
            }
            rows.append(SQLRow(columns: columns, values: values))
        }
        let changed = PQcmdTuples(result).flatMap { Int(String(cString: $0)) } ?? 0
        return PostgresResult(rows: rows, changed: changed)
    }

    private static func value(
        _ result: OpaquePointer, _ row: Int32, _ column: Int32, _ type: Oid
    ) throws(PostgresFailure) -> SQLValue {
        guard PQgetisnull(result, row, column) == 0 else { return .null }
        let bytes = UnsafeRawBufferPointer(
            start: PQgetvalue(result, row, column), count: Int(PQgetlength(result, row, column)))
        guard let value = value(bytes, type) else {
            throw PostgresFailure(.refused, "a column of type \(type) is not one that the port knows")
        }
        return value
    }

    /// Nil where the type is unknown or the bytes are not of it.
    static func value(_ bytes: UnsafeRawBufferPointer, _ type: Oid) -> SQLValue? {
        switch type {
        case PostgresType.int8: integer(bytes, Int64.self).map { .integer($0) }
        case PostgresType.int4: integer(bytes, Int32.self).map { .integer(Int64($0)) }
        case PostgresType.int2: integer(bytes, Int16.self).map { .integer(Int64($0)) }
        case PostgresType.oid: integer(bytes, UInt32.self).map { .integer(Int64($0)) }
        case PostgresType.bool: bytes.first.map { .integer($0 == 0 ? 0 : 1) }
        case PostgresType.float8: integer(bytes, UInt64.self).map { .real(Double(bitPattern: $0)) }
        case PostgresType.float4: integer(bytes, UInt32.self).map { .real(Double(Float(bitPattern: $0))) }
        case PostgresType.numeric: numeric(bytes)
        case PostgresType.bytea: .blob(Array(bytes))
        case PostgresType.text, PostgresType.varchar, PostgresType.bpchar, PostgresType.name, PostgresType.unknown:
            .text(String(decoding: bytes, as: UTF8.self))
        case PostgresType.void: .null
        default: nil
        }
    }

    private static func integer<Value: FixedWidthInteger>(
        _ bytes: UnsafeRawBufferPointer, _ type: Value.Type
    ) -> Value? {
        guard bytes.count == MemoryLayout<Value>.size else { return nil }
        return Value(bigEndian: bytes.loadUnaligned(as: Value.self))
    }

    /// A `numeric` (`numeric_send` in PostgreSQL's numeric.c: digits to the base of 10,000, the first one's weight, the
    /// sign), which sums and averages of integers are. An integer where it is one and fits.
    private static func numeric(_ bytes: UnsafeRawBufferPointer) -> SQLValue? {
        guard bytes.count >= 8 else { return nil }
        func short(_ index: Int) -> Int {
            Int(Int16(bigEndian: bytes.loadUnaligned(fromByteOffset: index * 2, as: Int16.self)))
        }
        let count = short(0)
        let weight = short(1)
        let sign = UInt16(truncatingIfNeeded: short(2))
        guard count >= 0, bytes.count == 8 + count * 2, sign == 0 || sign == 0x4000 else { return .real(.nan) }
        let digits = (0..<count).map { short(4 + $0) }
        if let value = integral(digits, weight) { return .integer(sign == 0 ? value : -value) }
        var value = 0.0
        for digit in digits { value = value * 10_000 + Double(digit) }
        let exponent = weight - count + 1
        for _ in 0..<abs(exponent) { value = exponent < 0 ? value / 10_000 : value * 10_000 }
        return .real(sign == 0 ? value : -value)
    }

    private static func integral(_ digits: [Int], _ weight: Int) -> Int64? {
        // A fraction that is not zero: digits behind the weight's.
        if digits.dropFirst(max(weight + 1, 0)).contains(where: { $0 != 0 }) { return nil }
        guard weight < 5 else { return nil }
        var value: Int64 = 0
        for index in 0..<max(weight + 1, 0) {
            let (product, isTooLarge) = value.multipliedReportingOverflow(by: 10_000)
            let digit = digits.indices.contains(index) ? Int64(digits[index]) : 0
            let (sum, isSumTooLarge) = product.addingReportingOverflow(digit)
            if isTooLarge || isSumTooLarge { return nil }
            value = sum
        }
        return value
    }
}
