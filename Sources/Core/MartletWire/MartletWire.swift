// MartletWire: bytes in, values out, and back. JSON/ reads and writes JSON without a general decoder, WebSocket/ is RFC
// 6455, Native/ is the native dialect. Imports MartletCore and NIO's ByteBuffer; does no I/O. Start with
// JSON/JSONScan.swift.
