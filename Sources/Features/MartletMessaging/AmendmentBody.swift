import MartletCore
import MartletWire

/// The stored contents of edits, recalls and reactions.
enum AmendmentBody {
    static func edit(_ target: Int64, content: [UInt8]) -> [UInt8] {
        JSONWriter.object { object in
            object.field("target", target)
            object.field("content", RawJSON(content))
        }
    }

    static func recall(_ target: Int64) -> [UInt8] {
        JSONWriter.object { $0.field("target", target) }
    }

    static func react(_ target: Int64, emoji: String, on: Bool) -> [UInt8] {
        JSONWriter.object { object in
            object.field("target", target)
            object.field("emoji", emoji)
            object.field("on", on)
        }
    }
}
