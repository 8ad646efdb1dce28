// MartletSQL: the database port (Database.swift, SQL.swift, SQLRow.swift), its engines (SQLite/,
// Postgres/), and the schema (Migrations/). The only target that imports GRDB and libpq. Features write their SQL once, in what SQLite and PostgreSQL both
// speak.
