-- Many at once: each parameter is a list, one value a row.
INSERT INTO event (seq, epoch, scope, scope_seq, type, time, actor, request, noun, thing, name, task, data)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::smallint[], $6::bigint[], $7::bigint[],
                     $8::text[], $9::smallint[], $10::bigint[], $11::text[], $12::bigint[], $13::text[])
