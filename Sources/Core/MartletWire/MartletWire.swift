// MartletWire: bytes in, values out, and back. JSON/ reads and writes JSON without a general decoder, WebSocket/ is RFC
// 6455, Dialect/ says what a dialect of clients is; Native/, GoWebSocket/ and ClusterChat/ are those there are. Imports
// MartletCore and NIO's ByteBuffer; does no I/O. Start with Dialect/Dialect.swift.
