// MartletLog: the event log, which is the truth. EventLog.swift is the port; SQLite/ its engine for one machine, Postgres/
// the one that nodes share; Verifier.swift proves the contract on a database. It may import MartletCore and MartletSQL.
// Start with EventLog.swift.
