import MartletWire

/// The check of UTF-8.
enum TextLoops {
    static let all = [
        HotLoop(name: "utf8-ascii", operation: "text of 100 bytes of ASCII", iterations: 10_000) { _ in
            check(String(repeating: "martlet is swift, ", count: 6), bytes: 100)
        },
        HotLoop(name: "utf8-chinese", operation: "text of 300 bytes of Chinese", iterations: 10_000) { _ in
            check(String(repeating: "雨燕从不落地，一直飞。", count: 10), bytes: 300)
        },
    ]

    private static func check(_ text: String, bytes count: Int) -> HotLoop.Body {
        let good = Array(text.utf8.prefix(count))
        var bad = good
        bad[count - 1] = 0xFF
        // One in eight is refused, so that the outcome can't be known beforehand.
        let texts = Array(repeating: good, count: 7) + [bad]
        return { iterations in
            var valid = 0
            for iteration in iterations {
                let text = texts[iteration & 7]
                if UTF8Validator.isValid(text.span) { valid += 1 }
            }
            try expect(valid, is: iterations.count { $0 & 7 != 7 }, "valid texts")
        }
    }
}
