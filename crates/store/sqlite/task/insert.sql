INSERT INTO task (id, scope, queue, lane, state, kind, title, payload, priority, extras, created_by, ready_at, run_at,
                  deadline, timeout_ms, max_attempts, waits_for, dependencies, unique_key, unique_for_ms, run)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)
