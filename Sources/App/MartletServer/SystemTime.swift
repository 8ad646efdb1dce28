import Foundation
import MartletCore

/// The machine's clock.
package struct SystemTime: TimeSource {
    package init() {}

    package var now: Instant { Instant(milliseconds: Int64(Date().timeIntervalSince1970 * 1000)) }
}
