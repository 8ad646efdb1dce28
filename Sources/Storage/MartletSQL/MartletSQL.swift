// MartletSQL: the database port (Database.swift, SQL.swift, SQLRow.swift), its engines (SQLite/), and the schema
// (Migrations/). The only target that imports GRDB. Features write their SQL once, in what SQLite and PostgreSQL both
// speak.
