// MartletBench: a load generator for one server on this machine. It speaks the native protocol over raw NIO channels,
// counts every message by a mark in its body, and reports latencies, throughput, integrity and the server's CPU time.
// Start with Bench.swift; the arithmetic (Pacing, Mark, ledgers, report) knows no sockets. It may import MartletCore
// and MartletWire only: it sees a server as clients do.
