-- What has ended since it was looked at last.
UPDATE schedule_start SET state = 2
WHERE scope = ?1 AND name = ?2 AND state IN (0, 1)
  AND NOT EXISTS (SELECT 1 FROM task t WHERE t.id = schedule_start.task AND t.state < 5)
  AND NOT EXISTS (SELECT 1 FROM run r WHERE r.id = schedule_start.run AND r.state < 3)
