-- A state as version 0.1.0 wrote it. Never change it: it shows that what people have can still be read.
CREATE TABLE record (kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, expires INTEGER NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID, STRICT;
CREATE INDEX record_expires ON record (expires);
INSERT INTO record VALUES ('session', '8f1a2b3c-0000-4000-8000-000000000001', '{"subject":{"kind":"user","id":"https://id.example.com#1","name":"Ada","email":"ada@example.com","groups":["corp:staff"],"roles":[]},"login":{"provider":"corp","at":1772622000000,"amr":["pwd"]},"createdAt":1772622000000,"lastSeenAt":1772625000000,"expiresAt":1772665200000,"clientAddress":"192.0.2.1"}', 1772665200000);
INSERT INTO record VALUES ('door', 'hash-of-a-cookie', '{"session":"8f1a2b3c-0000-4000-8000-000000000001","host":"wiki.example.com"}', 1772665200000);
INSERT INTO record VALUES ('connector', 'rack-1', '{"enrolledAt":1772000000000,"certificates":[{"serial":"5A01","notAfter":1772700000000}],"revoked":false}', 9007199254740991);
INSERT INTO record VALUES ('enrolment', 'hash-of-a-token', '{"name":"rack-2","createdBy":"root"}', 1772665200000);
PRAGMA user_version = 1;
