-- Of these runs, and only of the attempt that each stage is in.
SELECT i.run, i.stage, i.attempt, i.item, i.state, i.tries, i.rest, i.thing
FROM run_item i
JOIN stage s ON s.run = i.run AND s.stage = i.stage AND s.attempt = i.attempt
WHERE i.run IN (SELECT value FROM json_each(?1)) AND i.state IN (1, 2, 3)
ORDER BY i.run, i.stage, i.item
