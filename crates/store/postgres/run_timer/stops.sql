-- What is awaited to stop, of these runs.
SELECT run, stage, attempt, item, item_attempt, what, due_at
FROM run_timer WHERE run = ANY (ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb)::bigint)) AND what = 3
ORDER BY run, stage, attempt, item, item_attempt
