INSERT INTO run (id, scope, state, version, pipeline, number, title, schedule, slot_at, slot_revision, parent,
                 parent_stage, parent_attempt, parent_item, parent_item_attempt, root, depth, reruns, stops_asked,
                 stops_stopped, stops_unconfirmed, began_seq, started_by, submitter, pins, created_at, begun_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24,
        ?25, ?26, ?27)
