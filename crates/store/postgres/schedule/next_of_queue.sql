-- Of the schedule that started a run which ends just now: the oldest run that waits, where no other one is under way.
SELECT q.id FROM run e
JOIN run q ON q.scope = e.scope AND q.schedule = e.schedule AND q.state = 0
WHERE e.id = $1 AND q.id <> e.id
  AND NOT EXISTS (SELECT 1 FROM run u WHERE u.scope = e.scope AND u.schedule = e.schedule AND u.state IN (1, 2) AND u.id <> e.id)
ORDER BY q.id
LIMIT 1
