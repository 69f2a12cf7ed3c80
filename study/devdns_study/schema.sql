-- One file per study. Every answer is a row of its own, written when it is given.
CREATE TABLE study (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
INSERT INTO study VALUES ('version', '1');
CREATE TABLE assignment (participant TEXT PRIMARY KEY, approaches TEXT NOT NULL) STRICT;
CREATE TABLE participant (
    participant TEXT PRIMARY KEY,
    origin TEXT NOT NULL, -- session, or the name of the imported file
    synthetic INTEGER NOT NULL DEFAULT 0,
    began TEXT NOT NULL,
    withdrawn TEXT -- when; all answers are gone then
) STRICT;
CREATE TABLE answer (
    participant TEXT NOT NULL,
    approach TEXT NOT NULL, -- empty for what is asked once
    form TEXT NOT NULL,
    item TEXT NOT NULL,
    value TEXT NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (participant, approach, form, item)
) STRICT;
CREATE TABLE step (participant TEXT NOT NULL, step TEXT NOT NULL, at TEXT NOT NULL, PRIMARY KEY (participant, step)) STRICT;
CREATE TABLE run (
    participant TEXT NOT NULL,
    approach TEXT NOT NULL,
    task TEXT NOT NULL,
    seconds REAL,
    outcome TEXT, -- NULL while it runs
    interrupted INTEGER NOT NULL DEFAULT 0,
    at TEXT NOT NULL,
    PRIMARY KEY (participant, approach, task)
) STRICT;
