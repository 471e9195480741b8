SELECT id, scope, state, version, parent, parent_stage, parent_attempt, parent_item, parent_item_attempt, depth, reruns,
       stops_asked, stops_stopped, stops_unconfirmed, began_seq, root, schedule, slot_at, slot_revision
FROM run WHERE id = ?1
