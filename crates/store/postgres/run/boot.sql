-- A page of what moves, and of what has ended and is still stopping: the condition is that of the index.
SELECT id, scope, state, version, parent, parent_stage, parent_attempt, parent_item, parent_item_attempt, depth, reruns,
       stops_asked, stops_stopped, stops_unconfirmed, began_seq, root, schedule, slot_at, slot_revision
FROM run
WHERE (state < 3 OR stops_asked > stops_stopped + stops_unconfirmed) AND id > $1
ORDER BY id LIMIT $2
