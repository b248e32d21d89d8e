import type { BindingSpec, Database, PreparedStatement, SqlValue } from "@sqlite.org/sqlite-wasm";

/** What client/store/browser finds at globalThis.vecheSqlite. */
export type VecheSqlite = {
  exec(sql: string, params: readonly SqlValue[]): SqlResult;
  close(): void;
};

/** SqlResult is what one statement gave. */
export type SqlResult = {
  readonly rows: readonly SqlValue[][];
  readonly changes: number; // rows inserted, updated or deleted
  readonly lastId: number | bigint; // rowid of the last insert
};

const SQLITE_FULL = 13;
const attempts = 40; // to open the files while a worker that has just ended still holds them …
const between = 250; // … and the milliseconds between two

/**
 * openSqlite opens the profile's database. Every method works at once, without
 * promises. The caller holds the lock of the store.
 */
export async function openSqlite(): Promise<VecheSqlite> {
  // The VFSs that are switched off would start workers of their own, and every
  // warning is an error that is thrown as well. This is read while the module
  // starts, so it is set before the import.
  Object.assign(globalThis, {
    sqlite3ApiConfig: {
      disable: { vfs: { opfs: true, "opfs-vfs": true, "opfs-wl": true, kvvfs: true } },
      warn: () => {},
    },
  });
  const { default: init } = await import("@sqlite.org/sqlite-wasm");
  const sqlite3 = await init();
  const space = watchSpace();
  const pool = await patiently(() =>
    sqlite3.installOpfsSAHPoolVfs({
      name: "veche",
      directory: ".veche",
      initialCapacity: 6,
      verbosity: 0,
      // Without the first of these a failure here deletes the database, and
      // without the second it would be remembered instead of tried again.
      preserveOnInitFailure: true,
      forceReinitIfPreviouslyFailed: true,
    } as Parameters<typeof sqlite3.installOpfsSAHPoolVfs>[0]),
  );
  const db: Database = new pool.OpfsSAHPoolDb("/veche.db");
  // There is one connection and no shared memory, hence exclusive; WAL then
  // costs one flush for a commit instead of three.
  for (const pragma of [
    "locking_mode=exclusive",
    "journal_mode=wal",
    "synchronous=full",
    "foreign_keys=on",
    "temp_store=memory",
  ])
    db.exec(`PRAGMA ${pragma}`);
  const statements = new Statements(db);
  return {
    exec(sql, params) {
      space.full = false;
      try {
        const rows = statements.run(sql, params);
        return { rows, changes: db.changes(), lastId: small(sqlite3.capi.sqlite3_last_insert_rowid(db)) };
      } catch (e) {
        // The VFS tells every failed write as an I/O error.
        if (space.full && e instanceof Error) Object.assign(e, { resultCode: SQLITE_FULL });
        throw e;
      }
    },
    close() {
      statements.clear();
      db.close();
    },
  };
}

/** Statements keeps prepared ones, because the store asks the same few hundred again and again. */
class Statements {
  private readonly kept = new Map<string, PreparedStatement>();

  constructor(private readonly db: Database) {}

  run(sql: string, params: readonly SqlValue[]): SqlValue[][] {
    const s = this.take(sql);
    try {
      if (params.length > 0) s.bind(params as BindingSpec);
      const rows: SqlValue[][] = [];
      while (s.step()) rows.push(s.get([]));
      return rows;
    } finally {
      s.reset(true);
    }
  }

  clear(): void {
    for (const s of this.kept.values()) s.finalize();
    this.kept.clear();
  }

  private take(sql: string): PreparedStatement {
    const most = 256;
    const have = this.kept.get(sql);
    const s = have ?? this.db.prepare(sql);
    if (have) this.kept.delete(sql); // and set again as the newest
    this.kept.set(sql, s);
    if (this.kept.size > most) {
      const [oldest, old] = this.kept.entries().next().value as [string, PreparedStatement];
      this.kept.delete(oldest);
      old.finalize();
    }
    return s;
  }
}

async function patiently<T>(open: () => Promise<T>): Promise<T> {
  for (let n = 1; ; n++) {
    try {
      return await open();
    } catch (e) {
      if (n === attempts || (e as Error).name !== "NoModificationAllowedError") throw e;
      await new Promise((resolve) => setTimeout(resolve, between));
    }
  }
}

// watchSpace notes when a write failed for want of space, which the VFS does
// not pass on.
function watchSpace(): { full: boolean } {
  const seen = { full: false };
  const handle = (globalThis as unknown as { FileSystemSyncAccessHandle: { prototype: Record<string, unknown> } })
    .FileSystemSyncAccessHandle.prototype;
  for (const method of ["write", "truncate", "flush"]) {
    const real = handle[method] as (...args: unknown[]) => unknown;
    handle[method] = function (this: unknown, ...args: unknown[]) {
      try {
        return real.apply(this, args);
      } catch (e) {
        if ((e as Error).name === "QuotaExceededError") seen.full = true;
        throw e;
      }
    };
  }
  return seen;
}

function small(n: number | bigint): number | bigint {
  return n <= Number.MAX_SAFE_INTEGER && n >= Number.MIN_SAFE_INTEGER ? Number(n) : n;
}
