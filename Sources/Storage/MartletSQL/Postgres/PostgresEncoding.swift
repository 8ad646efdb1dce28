import CLibPQ
import MartletCore

/// The numbers of PostgreSQL's types, from its catalogue (`pg_type.dat`).
enum PostgresType {
    static let unspecified: Oid = 0
    static let bool: Oid = 16
    static let bytea: Oid = 17
    static let name: Oid = 19
    static let int8: Oid = 20
    static let int2: Oid = 21
    static let int4: Oid = 23
    static let text: Oid = 25
    static let oid: Oid = 26
    static let float4: Oid = 700
    static let float8: Oid = 701
    static let unknown: Oid = 705
    static let void: Oid = 2278
    static let bpchar: Oid = 1042
    static let varchar: Oid = 1043
    static let numeric: Oid = 1700
    static let byteaArray: Oid = 1001
    static let int2Array: Oid = 1005
    static let int4Array: Oid = 1007
    static let textArray: Oid = 1009
    static let int8Array: Oid = 1016
}

extension PostgresParameter {
    var type: Oid {
        switch self {
        case .null: PostgresType.unspecified
        case .integer: PostgresType.int8
        case .real: PostgresType.float8
        case .text: PostgresType.text
        case .blob: PostgresType.bytea
        case .integers, .optionalIntegers: PostgresType.int8Array
        case .mediumIntegers: PostgresType.int4Array
        case .smallIntegers: PostgresType.int2Array
        case .texts: PostgresType.textArray
        case .blobs: PostgresType.byteaArray
        }
    }
}

/// Parameters as libpq takes them: all bytes in one buffer, and where each value lies in it.
struct EncodedParameters {
    private var bytes: [UInt8] = []
    /// Nil for a null.
    private var places: [Range<Int>?] = []

    init(_ parameters: [PostgresParameter]) {
        places.reserveCapacity(parameters.count)
        for parameter in parameters {
            if case .null = parameter {
                places.append(nil)
                continue
            }
            let start = bytes.count
            append(parameter)
            places.append(start..<bytes.count)
        }
        // Behind the end, so that an empty value has an address as well.
        bytes.append(0)
    }

    /// Calls `body` with libpq's four arrays but the types: count, values, lengths, formats. Valid during the call.
    func withPointers<Value>(
        _ body: (Int32, [UnsafePointer<CChar>?], [Int32], [Int32]) -> Value
    ) -> Value {
        bytes.withUnsafeBytes { buffer in
            let start = buffer.assumingMemoryBound(to: CChar.self).baseAddress
            let values = places.map { place in place.flatMap { place in start.map { $0 + place.lowerBound } } }
            let lengths = places.map { Int32(clamping: $0?.count ?? 0) }
            return body(Int32(places.count), values, lengths, places.map { _ in 1 })
        }
    }

    private mutating func append(_ parameter: PostgresParameter) {
        switch parameter {
        case .null: break
        case .integer(let value): append(integer: value)
        case .real(let value): append(integer: value.bitPattern)
        case .text(let value): bytes.append(contentsOf: value.utf8)
        case .blob(let value): bytes.append(contentsOf: value)
        case .integers(let values):
            appendArray(values, PostgresType.int8) { $0.appendElement($1, 8) }
        case .optionalIntegers(let values):
            appendArray(values, PostgresType.int8) { encoded, value in
                if let value { encoded.appendElement(value, 8) } else { encoded.append(integer: Int32(-1)) }
            }
        case .mediumIntegers(let values):
            appendArray(values, PostgresType.int4) { $0.appendElement($1, 4) }
        case .smallIntegers(let values):
            appendArray(values, PostgresType.int2) { $0.appendElement($1, 2) }
        case .texts(let values):
            appendArray(values, PostgresType.text) { $0.appendElement($1?.utf8) }
        case .blobs(let values):
            appendArray(values, PostgresType.bytea) { $0.appendElement($1) }
        }
    }

    /// An array in binary form (`array_send` in PostgreSQL's arrayfuncs.c): dimensions, whether there are nulls, the
    /// elements' type, the dimension's size and lower bound, and each element behind its length.
    private mutating func appendArray<Element>(
        _ values: [Element], _ type: Oid, _ element: (inout EncodedParameters, Element) -> Void
    ) {
        append(integer: Int32(values.isEmpty ? 0 : 1))
        append(integer: Int32(1))
        append(integer: type)
        if values.isEmpty { return }
        append(integer: Int32(clamping: values.count))
        append(integer: Int32(1))
        for value in values { element(&self, value) }
    }

    private mutating func appendElement(_ value: some FixedWidthInteger, _ length: Int32) {
        append(integer: length)
        append(integer: value)
    }

    private mutating func appendElement(_ value: (some Collection<UInt8>)?) {
        guard let value else { return append(integer: Int32(-1)) }
        append(integer: Int32(clamping: value.count))
        bytes.append(contentsOf: value)
    }

    private mutating func append(integer value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }
}
