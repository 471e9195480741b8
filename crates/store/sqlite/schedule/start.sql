INSERT INTO schedule_start (scope, name, revision, at, run, task, state, reason)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
