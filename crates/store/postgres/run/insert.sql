-- Many at once: each parameter is a list, one value a row.
INSERT INTO run (id, scope, state, version, pipeline, number, title, schedule, slot_at, slot_revision, parent,
                 parent_stage, parent_attempt, parent_item, parent_item_attempt, root, depth, reruns, stops_asked,
                 stops_stopped, stops_unconfirmed, began_seq, started_by, submitter, pins, created_at, begun_at)
SELECT unnest($1::bigint[]), unnest($2::bigint[]), unnest($3::smallint[]), unnest($4::bigint[]), unnest($5::text[]),
       unnest($6::bigint[]), unnest($7::text[]), unnest($8::text[]), unnest($9::bigint[]), unnest($10::bigint[]),
       unnest($11::bigint[]), unnest($12::bigint[]), unnest($13::bigint[]), unnest($14::bigint[]),
       unnest($15::bigint[]), unnest($16::bigint[]), unnest($17::smallint[]), unnest($18::bigint[]),
       unnest($19::bigint[]), unnest($20::bigint[]), unnest($21::bigint[]), unnest($22::bigint[]),
       unnest($23::bigint[]), unnest($24::text[]), unnest($25::text[]), unnest($26::bigint[]), unnest($27::bigint[])
