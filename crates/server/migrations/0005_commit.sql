-- The mark of each writer's last commit: by it the writer learns, over a new connection, whether a commit has happened whose
-- answer was lost. Only PostgreSQL has connections to lose; the number of a transaction will not do, for after a crash the
-- server gives it to another one.
CREATE TABLE holodrive_commit (
    id TEXT NOT NULL PRIMARY KEY,
    committed_at BIGINT NOT NULL
);
